//! The keystore: a wallet's secret as bytes that are safe to keep and to carry around.
//!
//! ```text
//! version     u8        1
//! memory      u32       Argon2id's memory, in KiB
//! passes      u32       over that memory
//! lanes       u32
//! salt        16 bytes
//! nonce       24 bytes
//! ciphertext  XChaCha20-Poly1305 of the contents; everything above is authenticated with it
//! ```
//!
//! The parameters travel with the bytes, so that they can be raised later. They are bounded on reading: a hostile
//! backup can make a node spend 128 MiB and a few seconds, not 64 GiB and a day.

use argon2::{Algorithm, Argon2, Block, Params, Version};
use bip39::Mnemonic as Normalizer;
use chacha20poly1305::{AeadInOut, Key, KeyInit, XChaCha20Poly1305, XNonce};
use std::borrow::Cow;
use tabchain_primitives::{DecodeError, codec::Reader};
use zeroize::Zeroizing;

use crate::error::WalletError;

/// How many characters a new passphrase has at least.
pub const MIN_PASSPHRASE_CHARS: usize = 8;
/// No keystore is longer; a longer one is damaged.
pub const MAX_KEYSTORE_BYTES: usize = 256;

/// Sixteen random bytes that make one passphrase give different keys in different wallets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Salt(pub [u8; 16]);

/// Twenty-four random bytes, new for every sealing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeystoreNonce(pub [u8; 24]);

const VERSION: u8 = 1;

/// What the cipher adds to the contents.
const TAG_BYTES: usize = 16;

/// What a passphrase was stretched with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stretch {
    memory: u32,
    passes: u32,
    lanes: u32,
    salt: Salt,
}

/// A passphrase after stretching: seals and opens without asking for it again. Wiped when it is dropped.
#[derive(Clone)]
pub(crate) struct Lock {
    stretch: Stretch,
    key: Zeroizing<[u8; 32]>,
}

impl Lock {
    /// The lock of a new passphrase. Takes the time and the 19 MiB that make guessing dear.
    pub(crate) fn new(passphrase: &str, salt: Salt) -> Result<Self, WalletError> {
        if passphrase.chars().count() < MIN_PASSPHRASE_CHARS {
            return Err(WalletError::PassphraseTooShort);
        }
        Self::stretched(passphrase, Stretch { memory: 19_456, passes: 2, lanes: 1, salt })
    }

    /// Encrypts the contents.
    pub(crate) fn seal(&self, contents: &[u8], nonce: KeystoreNonce) -> Vec<u8> {
        let header = self.stretch.header(nonce);
        // With room for the tag: a buffer that moves would leave a copy behind.
        let mut sealed = Zeroizing::new(Vec::with_capacity(contents.len() + TAG_BYTES));
        sealed.extend_from_slice(contents);
        self.cipher()
            .encrypt_in_place(&XNonce::from(nonce.0), &header, &mut *sealed)
            .expect("a few bytes are within the cipher's limit");
        [header.as_slice(), &sealed].concat()
    }

    /// Decrypts a keystore with its passphrase; gives the lock too, to seal it again.
    pub(crate) fn open(keystore: &[u8], passphrase: &str) -> Result<(Self, Zeroizing<Vec<u8>>), WalletError> {
        match keystore.first() {
            Some(&VERSION) => (),
            Some(&other) => return Err(WalletError::UnknownVersion(other)),
            None => return Err(WalletError::Locked),
        }
        let parsed = Parsed::read(keystore).map_err(|_| WalletError::Locked)?;
        if !parsed.stretch.is_bearable() || keystore.len() > MAX_KEYSTORE_BYTES {
            return Err(WalletError::Locked);
        }
        let lock = Self::stretched(passphrase, parsed.stretch)?;
        let mut contents = Zeroizing::new(parsed.ciphertext.to_vec());
        lock.cipher()
            .decrypt_in_place(&XNonce::from(parsed.nonce.0), parsed.header, &mut *contents)
            .map_err(|_| WalletError::Locked)?;
        Ok((lock, contents))
    }

    fn stretched(passphrase: &str, stretch: Stretch) -> Result<Self, WalletError> {
        let Stretch { memory, passes, lanes, salt } = stretch;
        let params = Params::new(memory, passes, lanes, Some(32)).map_err(|_| WalletError::Locked)?;
        let mut blocks = Zeroizing::new(vec![Block::default(); params.block_count()]);
        let mut key = Zeroizing::new([0; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into_with_memory(
                normalized(passphrase).as_bytes(),
                &salt.0,
                &mut *key,
                &mut *blocks,
            )
            .map_err(|_| WalletError::Locked)?;
        Ok(Self { stretch, key })
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&Key::from(*self.key))
    }
}

impl Stretch {
    /// Whether a tab can be asked to do it.
    const fn is_bearable(&self) -> bool {
        self.memory <= 131_072 && self.passes <= 8 && self.lanes <= 4
    }

    fn header(&self, nonce: KeystoreNonce) -> Vec<u8> {
        let numbers = [self.memory, self.passes, self.lanes].map(u32::to_le_bytes);
        [&[VERSION], numbers.as_flattened(), &self.salt.0, &nonce.0].concat()
    }
}

struct Parsed<'a> {
    stretch: Stretch,
    nonce: KeystoreNonce,
    header: &'a [u8],
    ciphertext: &'a [u8],
}

impl<'a> Parsed<'a> {
    fn read(keystore: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(keystore);
        reader.u8()?;
        let (memory, passes, lanes) = (reader.u32()?, reader.u32()?, reader.u32()?);
        let stretch = Stretch { memory, passes, lanes, salt: Salt(reader.array()?) };
        let nonce = KeystoreNonce(reader.array()?);
        let (header, ciphertext) = keystore.split_at(keystore.len() - reader.remaining());
        Ok(Self { stretch, nonce, header, ciphertext })
    }
}

/// The passphrase in one Unicode form, so that it is the same from every keyboard.
fn normalized(passphrase: &str) -> Zeroizing<String> {
    let mut passphrase = Cow::Borrowed(passphrase);
    Normalizer::normalize_utf8_cow(&mut passphrase);
    Zeroizing::new(passphrase.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: KeystoreNonce = KeystoreNonce([4; 24]);

    /// A lock as cheap as it gets, for tests that need many.
    fn cheap() -> Lock {
        let stretch = Stretch { memory: 8, passes: 1, lanes: 1, salt: Salt([3; 16]) };
        Lock::stretched("passphrase", stretch).expect("least parameters")
    }

    #[test]
    fn contents_come_back_under_the_same_passphrase_only() {
        let sealed = cheap().seal(b"contents", NONCE);
        let (lock, contents) = Lock::open(&sealed, "passphrase").expect("the same");
        assert_eq!(contents.as_slice(), b"contents");
        assert_eq!(lock.seal(b"contents", NONCE), sealed);
        for wrong in ["", "Passphrase", "passphrase "] {
            assert_eq!(Lock::open(&sealed, wrong).err(), Some(WalletError::Locked));
        }
    }

    /// The layout, and what was encrypted once with these inputs.
    #[test]
    fn the_form_is_frozen() {
        let sealed = cheap().seal(b"contents", NONCE);
        let header = ["01", "08000000", "01000000", "01000000", &"03".repeat(16), &"04".repeat(24)].concat();
        assert_eq!(hex::encode(&sealed), header + "2d2e849900b28cb8cb5c1ee80757df7cca40ecdf90b67c0a");
    }

    /// Damage anywhere, and nothing is told but that it does not open.
    #[test]
    fn every_flipped_bit_is_noticed() {
        let sealed = cheap().seal(b"contents", NONCE);
        // Not the upper bytes of the parameters here: those ask for work that `hostile_parameters_are_refused` covers.
        for place in (13..sealed.len()).chain([1, 5, 9]) {
            let mut damaged = sealed.clone();
            damaged[place] ^= 2;
            assert_eq!(Lock::open(&damaged, "passphrase").err(), Some(WalletError::Locked), "at {place}");
        }
        for length in 1..sealed.len() {
            assert_eq!(
                Lock::open(&sealed[..length], "passphrase").err(),
                Some(WalletError::Locked),
                "cut at {length}"
            );
        }
        assert_eq!(Lock::open(&[], "passphrase").err(), Some(WalletError::Locked));
        let longer = [sealed.as_slice(), &[0]].concat();
        assert_eq!(Lock::open(&longer, "passphrase").err(), Some(WalletError::Locked));
        let much_longer = [sealed.as_slice(), &[0; MAX_KEYSTORE_BYTES]].concat();
        assert_eq!(Lock::open(&much_longer, "passphrase").err(), Some(WalletError::Locked));
    }

    /// They fail at once, without the memory they ask for.
    #[test]
    fn hostile_parameters_are_refused() {
        let sealed = cheap().seal(b"contents", NONCE);
        for (place, hostile) in [
            (1, u32::MAX),
            (1, 131_073),
            (1, 0),
            (5, 9),
            (5, u32::MAX),
            (5, 0),
            (9, 5),
            (9, u32::MAX),
            (9, 0),
        ] {
            let mut changed = sealed.clone();
            changed[place..place + 4].copy_from_slice(&hostile.to_le_bytes());
            assert_eq!(
                Lock::open(&changed, "passphrase").err(),
                Some(WalletError::Locked),
                "{hostile} at {place}"
            );
        }
    }

    #[test]
    fn newer_versions_are_told_apart() {
        let mut sealed = cheap().seal(b"contents", NONCE);
        sealed[0] = 2;
        assert_eq!(Lock::open(&sealed, "passphrase").err(), Some(WalletError::UnknownVersion(2)));
    }

    /// "é" in one piece and in two.
    #[test]
    fn passphrases_are_the_same_from_every_keyboard() {
        let stretch = cheap().stretch;
        let sealed =
            Lock::stretched("pass\u{e9}phrase", stretch).expect("least parameters").seal(b"x", NONCE);
        assert!(Lock::open(&sealed, "passe\u{301}phrase").is_ok());
    }

    #[test]
    fn new_passphrases_are_long_enough() {
        assert_eq!(Lock::new("seven77", Salt([0; 16])).err(), Some(WalletError::PassphraseTooShort));
        assert!(Lock::new("ééééèèèè", Salt([0; 16])).is_ok(), "characters count, not bytes");
    }
}
