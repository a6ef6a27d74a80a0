//! The history: a Merkle mountain range over the hashes of the active chain (section 4 of `docs/protocol.md`).
//!
//! Every row of the tree is kept, so a proof is a few look-ups and going back any number of blocks is a truncation.
//! Bagging the peaks from right to left gives the tree of RFC 6962, so its audit paths serve as proofs.
//!
//! Bounds: 64 bytes a block.

use tabchain_primitives::{
    BlockHash, Decode, DecodeError, Encode, Header, Height, HistoryRoot, codec::Reader, merkle,
};

/// That a header commits to an earlier block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryProof(merkle::Proof);

/// The hashes of blocks 0 to `len - 1` of one chain.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    /// `rows[k]` holds the roots of the perfect trees of height `k`, from left to right.
    rows: Vec<Vec<[u8; 32]>>,
}

impl HistoryProof {
    /// Whether the block with this hash is the ancestor of `header` at the height the proof is for.
    pub fn verify(&self, header: &Header, block: &BlockHash) -> bool {
        self.0.length() == u64::from(header.height().value())
            && self.0.verify(header.history_root().as_bytes(), block.as_bytes())
    }

    /// The height of the block that the proof is for.
    pub fn height(&self) -> Option<Height> {
        u32::try_from(self.0.index()).ok().map(Height::new)
    }
}

impl History {
    /// How many hashes it holds.
    pub(crate) fn len(&self) -> usize {
        self.rows.first().map_or(0, Vec::len)
    }

    /// Appends the hash of the next block.
    pub(crate) fn push(&mut self, hash: &BlockHash) {
        let mut tree = merkle::leaf(hash.as_bytes());
        for height in 0.. {
            if self.rows.len() == height {
                self.rows.push(Vec::new());
            }
            let row = &mut self.rows[height];
            row.push(tree);
            if row.len() % 2 == 1 {
                return;
            }
            tree = merkle::node(&row[row.len() - 2], &row[row.len() - 1]);
        }
    }

    /// Forgets all but the first `len` hashes.
    pub(crate) fn truncate(&mut self, len: usize) {
        for (height, row) in self.rows.iter_mut().enumerate() {
            row.truncate(len >> height);
        }
    }

    /// The root over all hashes: what the next header must say.
    pub(crate) fn root(&self) -> HistoryRoot {
        HistoryRoot::from_bytes(self.subtree(0, self.len()))
    }

    /// The proof that the header at height `seen_from` commits to the block at `index`.
    pub(crate) fn prove(&self, index: usize, seen_from: usize) -> Option<HistoryProof> {
        (index < seen_from && seen_from <= self.len()).then(|| {
            let mut siblings = Vec::new();
            self.collect_siblings(index, 0, seen_from, &mut siblings);
            HistoryProof(merkle::Proof::from_parts(index as u64, seen_from as u64, siblings))
        })
    }

    /// The root over `len` hashes from `start`, which a perfect tree at least as large as `len` begins at.
    fn subtree(&self, start: usize, len: usize) -> [u8; 32] {
        if len == 0 {
            return merkle::EMPTY;
        }
        if len.is_power_of_two() {
            let height = len.trailing_zeros() as usize;
            return self.rows[height][start >> height];
        }
        let left = left_part(len);
        merkle::node(&self.subtree(start, left), &self.subtree(start + left, len - left))
    }

    fn collect_siblings(&self, index: usize, start: usize, len: usize, siblings: &mut Vec<[u8; 32]>) {
        if len == 1 {
            return;
        }
        let left = left_part(len);
        if index < start + left {
            self.collect_siblings(index, start, left, siblings);
            siblings.push(self.subtree(start + left, len - left));
        } else {
            self.collect_siblings(index, start + left, len - left, siblings);
            siblings.push(self.subtree(start, left));
        }
    }
}

impl Encode for HistoryProof {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
    }
}

impl Decode for HistoryProof {
    const MIN_BYTES: usize = merkle::Proof::MIN_BYTES;

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Decode::decode(reader).map(Self)
    }
}

/// The largest power of two below `len`, which is at least 2.
const fn left_part(len: usize) -> usize {
    len.next_power_of_two() / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(of: usize) -> BlockHash {
        let mut bytes = [7; 32];
        bytes[..8].copy_from_slice(&of.to_be_bytes());
        BlockHash::from_bytes(bytes)
    }

    fn history(len: usize) -> History {
        let mut history = History::default();
        (0..len).for_each(|index| history.push(&hash(index)));
        history
    }

    fn root(len: usize) -> [u8; 32] {
        merkle::root((0..len).map(|index| *hash(index).as_bytes()))
    }

    #[test]
    fn the_root_is_that_of_the_mountain_range() {
        for len in 0..70 {
            assert_eq!(history(len).root().as_bytes(), &root(len), "{len} hashes");
        }
    }

    #[test]
    fn truncating_goes_back_exactly() {
        let mut long = history(67);
        for len in (0..67).rev() {
            long.truncate(len);
            assert_eq!(long.len(), len);
            assert_eq!(long.root().as_bytes(), &root(len));
        }
        (0..9).for_each(|index| long.push(&hash(index)));
        assert_eq!(long.root().as_bytes(), &root(9));
    }

    #[test]
    fn every_block_is_proved_from_every_later_header_and_no_other_is() {
        let history = history(20);
        for seen_from in 1..=20 {
            let root = root(seen_from);
            for index in 0..seen_from {
                let HistoryProof(proof) = history.prove(index, seen_from).expect("it is earlier");
                assert!(proof.verify(&root, hash(index).as_bytes()));
                assert!(!proof.verify(&root, hash(index + 1).as_bytes()));
            }
            assert_eq!(history.prove(seen_from, seen_from), None, "a header does not commit to itself");
        }
        assert_eq!(history.prove(0, 21), None, "a header that is not there yet commits to nothing");
    }
}
