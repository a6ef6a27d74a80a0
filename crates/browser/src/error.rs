//! Why something was refused, as an object that the page can match on.

use std::collections::BTreeMap;

use serde::Serialize;
use tabchain_net::NetError;
use tabchain_node::CommandError;
use tabchain_primitives::{AddressError, AmountTooLarge, DecodeError, HexError, Malformed};
use tabchain_store::StoreError;
use tsify::Tsify;
use wasm_bindgen::JsValue;

/// Why a request was refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EdgeError {
    #[error(transparent)]
    Command(#[from] CommandError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Net(#[from] NetError),
    #[error(transparent)]
    Address(#[from] AddressError),
    #[error(transparent)]
    Amount(#[from] AmountTooLarge),
    #[error("not a hash: {0}")]
    Hash(#[from] HexError),
    #[error("not a transaction: {0}")]
    Transaction(#[from] DecodeError),
    #[error(transparent)]
    Payment(#[from] Malformed),
    #[error("not a proof or a header: {0}")]
    Proof(DecodeError),
    #[error("the proof does not hold: {0}")]
    Unproven(&'static str),
    #[error("not a peer id")]
    PeerId,
    #[error("there is no network \"{0}\"")]
    UnknownNetwork(String),
    #[error("a phrase has 12 or 24 words, not {0}")]
    Words(u32),
    #[error("a request of an unknown form: {0}")]
    Form(#[from] serde_wasm_bindgen::Error),
    #[error("the browser gives no randomness: {0}")]
    Randomness(#[from] getrandom::Error),
}

/// An error as the page sees it.
#[derive(Debug, Serialize, Tsify)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Failure {
    /// The stable name that programs match on.
    pub(crate) code: &'static str,
    /// What a person can read.
    pub(crate) message: String,
    /// The numbers in it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[tsify(type = "Record<string, bigint>", optional)]
    pub(crate) details: BTreeMap<&'static str, u64>,
}

impl EdgeError {
    fn code(&self) -> &'static str {
        match self {
            Self::Command(error) => error.code(),
            Self::Store(StoreError::NewerSchema { .. }) => "newer-schema",
            Self::Store(_) => "storage",
            Self::Address(_) => "invalid-address",
            Self::Amount(_) | Self::Payment(Malformed::ZeroOutput | Malformed::TotalTooLarge) => {
                "invalid-amount"
            }
            Self::Net(NetError::InvalidRelay(_) | NetError::TooManyRelays(_))
            | Self::Hash(_)
            | Self::Transaction(_)
            | Self::Payment(_)
            | Self::PeerId
            | Self::Proof(_)
            | Self::UnknownNetwork(_)
            | Self::Words(_)
            | Self::Form(_) => "invalid-argument",
            Self::Unproven(_) => "invalid-proof",
            Self::Net(_) | Self::Randomness(_) => "internal",
        }
    }

    fn details(&self) -> BTreeMap<&'static str, u64> {
        let details = match self {
            Self::Command(CommandError::InsufficientFunds { needed, available }) => {
                vec![("needed", needed.units()), ("available", available.units())]
            }
            Self::Store(StoreError::NewerSchema { found, supported })
            | Self::Command(CommandError::Store(StoreError::NewerSchema { found, supported })) => {
                vec![("found", *found), ("supported", *supported)]
            }
            _ => Vec::new(),
        };
        details.into_iter().collect()
    }
}

impl From<EdgeError> for Failure {
    fn from(error: EdgeError) -> Self {
        Self { code: error.code(), message: error.to_string(), details: error.details() }
    }
}

impl From<EdgeError> for JsValue {
    fn from(error: EdgeError) -> Self {
        to_js(&Failure::from(error))
    }
}

/// A plain object: 64-bit numbers are bigint, maps are objects.
pub(crate) fn to_js(value: &impl Serialize) -> JsValue {
    let serializer = serde_wasm_bindgen::Serializer::new()
        .serialize_large_number_types_as_bigints(true)
        .serialize_maps_as_objects(true);
    value.serialize(&serializer).expect("structs of strings, numbers and bytes become objects")
}
