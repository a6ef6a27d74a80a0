//! What people paste and files hold: backups, payment links, chain specs, addresses, amounts.

use tabchain_chain::testing::Key;
use tabchain_consensus::ChainSpec;
use tabchain_primitives::{Address, AddressPrefix, Amount, BlockHash, TxId};
use tabchain_wallet::{KeystoreNonce, MAX_KEYSTORE_BYTES, Mnemonic, PaymentUri, Wallet};

use super::world::spec;

/// Stretching a passphrase over more memory than this, in KiB, is left to the wallet's own tests: it takes too long here.
const LITTLE_MEMORY: u32 = 64;
/// The most that a wallet puts up with, in KiB.
const MOST_MEMORY: u32 = 131_072;

/// Where the memory stands in a keystore: after the version.
const MEMORY_AT: std::ops::Range<usize> = 1..5;

const PASSPHRASE: &str = "passphrase";

/// Whether the passphrase could be tried on a keystore of these bytes.
pub(super) fn keystore(bytes: &[u8]) -> bool {
    let memory = bytes.get(MEMORY_AT).and_then(|memory| memory.try_into().ok()).map(u32::from_le_bytes);
    let dear = memory.is_some_and(|memory| (LITTLE_MEMORY..=MOST_MEMORY).contains(&memory));
    if dear && bytes.len() <= MAX_KEYSTORE_BYTES {
        return false;
    }
    match Wallet::unlock(bytes, PASSPHRASE) {
        Ok(wallet) => {
            let again = wallet.seal(KeystoreNonce([4; 24]));
            let opened = Wallet::unlock(&again, PASSPHRASE).expect("what was sealed can be opened");
            assert_eq!(opened.accounts(), wallet.accounts());
        }
        Err(error) => assert!(!error.to_string().is_empty(), "it is said why not"),
    }
    bytes.first() == Some(&1) && memory.is_some_and(|memory| memory < LITTLE_MEMORY)
}

pub(super) fn payment_uri(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let Ok(uri) = PaymentUri::parse(spec().prefix(), text) else { return false };
    let again = PaymentUri::parse(spec().prefix(), &uri.to_text(spec().prefix()));
    assert_eq!(again, Ok(uri), "what was read can be written and read again");
    true
}

pub(super) fn chain_spec(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let Ok(read) = ChainSpec::from_json(text) else { return false };
    let again = ChainSpec::from_json(&read.to_json()).expect("what was written can be read");
    assert_eq!(again.genesis_hash(), read.genesis_hash());
    for height in [0, 1, 2, 1_000, u32::MAX] {
        let height = tabchain_primitives::Height::new(height);
        assert!(tabchain_consensus::reward(&read, height) <= Amount::MAX);
    }
    true
}

/// Addresses, amounts, prefixes, hashes, phrases: each is its text's only meaning.
pub(super) fn words(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let address = Address::parse(spec().prefix(), text);
    if let Ok(address) = address {
        assert_eq!(address.to_bech32(spec().prefix()), text.to_lowercase());
    }
    let amount = text.parse::<Amount>();
    if let Ok(amount) = amount {
        assert_eq!(amount.to_string().parse(), Ok(amount));
    }
    let prefix = text.parse::<AddressPrefix>();
    if let Ok(prefix) = prefix {
        assert_eq!(prefix.as_str(), text);
        let address = Key::new(0).address();
        assert_eq!(Address::parse(prefix, &address.to_bech32(prefix)), Ok(address));
    }
    let hash = text.parse::<BlockHash>();
    if let Ok(hash) = hash {
        assert_eq!(hash.to_string(), text.to_lowercase());
    }
    let phrase = Mnemonic::parse(text);
    address.is_ok() || amount.is_ok() || prefix.is_ok() || hash.is_ok() || phrase.is_ok()
}

/// Sealed with 8 KiB in one pass, as no wallet does: to be quick.
pub(super) fn keystores() -> Vec<Vec<u8>> {
    let sealed = hex::decode("2d2e849900b28cb8cb5c1ee80757df7cca40ecdf90b67c0a").expect("hex");
    let (numbers, salt, nonce) = ([1, 8, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0], [3; 16], [4; 24]);
    vec![[&numbers[..], &salt, &nonce, &sealed].concat()]
}

pub(super) fn payment_uris() -> Vec<Vec<u8>> {
    let address = Key::new(1).address();
    let full = PaymentUri { address, amount: Some(Amount::ONE_TAB), memo: Some("thanks & more".into()) };
    let bare = PaymentUri { address, amount: None, memo: None };
    [full, bare].iter().map(|uri| uri.to_text(spec().prefix()).into_bytes()).collect()
}

pub(super) fn chain_specs() -> Vec<Vec<u8>> {
    [ChainSpec::dev(), ChainSpec::test(), (*spec()).clone()]
        .iter()
        .map(|spec| spec.to_json().into_bytes())
        .collect()
}

pub(super) fn some_words() -> Vec<Vec<u8>> {
    let phrase =
        "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about";
    let id: TxId = TxId::from_bytes([0xab; 32]);
    [
        Key::new(2).address().to_bech32(spec().prefix()),
        "1.000001".into(),
        "xtab".into(),
        id.to_string(),
        phrase.into(),
    ]
    .into_iter()
    .map(String::into_bytes)
    .collect()
}
