//! What a tried peer has earned, and what is written down of it.
//!
//! Bounds: [`MAX_GUESTS`] guests and [`MAX_CHOSEN`] chosen peers; what is left of the tried shelf, a quarter at least, is for those
//! that were only greeted.

use tabchain_primitives::Timestamp;
use tabchain_primitives::codec::{Decode, DecodeError, Encode, Reader, write_list};

use super::MAX_TRIED;
use crate::PeerAddress;
use crate::message::MAX_PEER_ADDRESSES;

/// The most peers that came to us and proved themselves.
pub const MAX_GUESTS: usize = MAX_TRIED / 4;
/// The most peers of our own choice that proved themselves.
pub const MAX_CHOSEN: usize = MAX_TRIED / 2;

/// What a tried peer has earned. A higher standing is harder to come by for somebody with many names: any of them can say
/// hello, to stay takes one of our few places, and whom we dial is not for others to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// It said a proper hello.
    Greeted,
    /// It came to us, stayed, and was of use.
    Guest,
    /// We chose to dial it, and it stayed and was of use.
    Chosen,
}

/// What is written down of a good peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoodPeer {
    /// What it has earned.
    pub standing: Standing,
    /// When it was last known to be good.
    pub last_good: Timestamp,
    /// Where it was reached.
    pub addresses: Vec<PeerAddress>,
}

impl Standing {
    /// How many can have it.
    pub(super) const fn most(self) -> usize {
        match self {
            Self::Greeted => MAX_TRIED,
            Self::Guest => MAX_GUESTS,
            Self::Chosen => MAX_CHOSEN,
        }
    }
}

/// The standing comes last, and is left out of who was only greeted: so were all rows before there were standings.
impl Encode for GoodPeer {
    fn encode(&self, out: &mut Vec<u8>) {
        self.last_good.encode(out);
        write_list(out, &self.addresses);
        match self.standing {
            Standing::Greeted => {}
            Standing::Guest => out.push(1),
            Standing::Chosen => out.push(2),
        }
    }
}

impl Decode for GoodPeer {
    const MIN_BYTES: usize = 9;

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (last_good, addresses) = (Timestamp::decode(r)?, r.list(0..=MAX_PEER_ADDRESSES)?);
        let standing = match r.remaining() {
            0 => Standing::Greeted,
            _ => match r.u8()? {
                1 => Standing::Guest,
                2 => Standing::Chosen,
                kind => return Err(DecodeError::UnknownKind { of: "standing", kind }),
            },
        };
        Ok(Self { standing, last_good, addresses })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_the_version_before_is_of_a_peer_that_was_greeted() {
        let mut row = 7_u64.to_le_bytes().to_vec();
        row.extend([1, 5]);
        row.extend(b"/here");
        let peer = GoodPeer::from_bytes(&row).unwrap();
        let here = vec![PeerAddress::new("/here").unwrap()];
        let expected =
            GoodPeer { standing: Standing::Greeted, last_good: Timestamp::from_millis(7), addresses: here };
        assert_eq!(peer, expected);
        assert_eq!(peer.to_bytes(), row);
    }

    #[test]
    fn a_standing_has_one_form() {
        let row = |tail: &[u8]| [&[0; 9], tail].concat();
        let standing = |tail: &[u8]| GoodPeer::from_bytes(&row(tail)).map(|peer| peer.standing);
        assert_eq!(standing(&[]), Ok(Standing::Greeted));
        assert_eq!(standing(&[1]), Ok(Standing::Guest));
        assert_eq!(standing(&[2]), Ok(Standing::Chosen));
        assert_eq!(standing(&[0]), Err(DecodeError::UnknownKind { of: "standing", kind: 0 }));
        assert_eq!(standing(&[2, 0]), Err(DecodeError::TrailingBytes { count: 1 }));
    }
}
