//! The phrase (BIP-39): a wallet as words that people can write down.

use std::fmt;

use bip39::Language;
use zeroize::Zeroizing;

/// A phrase of 12 to 24 English words, with its checksum.
#[derive(Clone, PartialEq, Eq)]
pub struct Mnemonic(bip39::Mnemonic);

/// Why words or bytes are not a phrase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MnemonicError {
    /// A phrase has 12, 15, 18, 21 or 24 words.
    #[error("a phrase has 12, 15, 18, 21 or 24 words, not {0}")]
    WordCount(usize),
    /// A word is not on the English list.
    #[error("word {} is not on the list", index + 1)]
    UnknownWord {
        /// Its place, from 0.
        index: usize,
    },
    /// The words are on the list, but don't belong together: one is wrong, or two are swapped.
    #[error("the words don't belong together: one is wrong, or two are swapped")]
    Checksum,
    /// Entropy has 16, 20, 24, 28 or 32 bytes.
    #[error("entropy has 16, 20, 24, 28 or 32 bytes, not {0}")]
    EntropyLength(usize),
}

impl Mnemonic {
    /// The phrase of 16 to 32 random bytes: 12 words for 16, 24 words for 32.
    pub fn from_entropy(entropy: &[u8]) -> Result<Self, MnemonicError> {
        bip39::Mnemonic::from_entropy_in(Language::English, entropy)
            .map(Self)
            .map_err(|_| MnemonicError::EntropyLength(entropy.len()))
    }

    /// Reads a phrase as people type it: any case, any spaces.
    pub fn parse(phrase: &str) -> Result<Self, MnemonicError> {
        let phrase = Zeroizing::new(phrase.to_lowercase());
        bip39::Mnemonic::parse_in(Language::English, phrase.as_str()).map(Self).map_err(|error| match error {
            bip39::Error::UnknownWord(index) => MnemonicError::UnknownWord { index },
            bip39::Error::InvalidChecksum => MnemonicError::Checksum,
            _ => MnemonicError::WordCount(phrase.split_whitespace().count()),
        })
    }

    /// The words, in order.
    pub fn words(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.0.words().collect::<Vec<_>>().into_iter()
    }

    /// The words with single spaces between them.
    pub fn phrase(&self) -> Zeroizing<String> {
        Zeroizing::new(self.words().collect::<Vec<_>>().join(" "))
    }

    /// The bytes it stands for.
    pub fn entropy(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.0.to_entropy())
    }

    /// The seed of all keys, without a BIP-39 passphrase: the keystore has its own.
    pub(crate) fn seed(&self) -> Zeroizing<[u8; 64]> {
        self.seed_under("")
    }

    fn seed_under(&self, passphrase: &str) -> Zeroizing<[u8; 64]> {
        Zeroizing::new(self.0.to_seed_normalized(passphrase))
    }
}

/// Without the words.
impl fmt::Debug for Mnemonic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mnemonic(..)")
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[derive(Deserialize)]
    struct Bip39 {
        passphrase: String,
        vectors: Vec<Vector>,
    }

    #[derive(Deserialize)]
    struct Vector {
        entropy: String,
        phrase: String,
        seed: String,
    }

    /// All English vectors of BIP-39. Their seeds are under a passphrase, which our wallets leave empty.
    #[test]
    fn official_vectors() {
        let vectors = include_str!("../../../tests/vectors/official/bip39.json");
        let Bip39 { passphrase, vectors } = serde_json::from_str(vectors).expect("the vectors are JSON");
        assert_eq!(vectors.len(), 24);
        for Vector { entropy, phrase, seed } in vectors {
            let entropy = hex::decode(entropy).expect("hex");
            let mnemonic = Mnemonic::from_entropy(&entropy).expect("a good length");
            assert_eq!(mnemonic.phrase().as_str(), phrase);
            assert_eq!(Mnemonic::parse(&phrase), Ok(mnemonic.clone()));
            assert_eq!(*mnemonic.entropy(), entropy);
            assert_eq!(hex::encode(*mnemonic.seed_under(&passphrase)), seed);
        }
    }

    #[test]
    fn phrases_are_read_as_people_type_them() {
        let tidy =
            Mnemonic::parse("legal winner thank year wave sausage worth useful legal winner thank yellow");
        let typed = "  Legal winner THANK year wave\nsausage worth useful legal  winner thank yellow ";
        assert_eq!(Mnemonic::parse(typed), tidy);
    }

    #[test]
    fn mistakes_are_named() {
        let about = |words: &str| Mnemonic::parse(&format!("{}{words}", "abandon ".repeat(11))).map(|_| ());
        assert_eq!(about("about"), Ok(()));
        assert_eq!(about("abandon"), Err(MnemonicError::Checksum));
        assert_eq!(about("abut"), Err(MnemonicError::UnknownWord { index: 11 }));
        assert_eq!(about(""), Err(MnemonicError::WordCount(11)));
        assert_eq!(Mnemonic::parse("").map(|_| ()), Err(MnemonicError::WordCount(0)));
        assert_eq!(Mnemonic::from_entropy(&[0; 15]).map(|_| ()), Err(MnemonicError::EntropyLength(15)));
        assert_eq!(Mnemonic::from_entropy(&[0; 33]).map(|_| ()), Err(MnemonicError::EntropyLength(33)));
    }

    #[test]
    fn words_are_not_shown() {
        let mnemonic = Mnemonic::from_entropy(&[0; 16]).expect("a good length");
        assert_eq!(format!("{mnemonic:?}"), "Mnemonic(..)");
    }
}
