//! Proofs as the page holds them, and their checks, which need no node: a header is enough.

use serde::Serialize;
use tabchain_chain as chain;
use tabchain_consensus::ChainSpec;
use tabchain_node::{ProvenAccount, ProvenBlock};
use tabchain_primitives::codec::{Decode, Encode};
use tabchain_primitives::{BlockHash, Header};
use tsify::Tsify;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::error::{EdgeError, to_js};
use crate::view::Words;

/// What an account holds, as of a header.
#[derive(Serialize, Tsify)]
pub(crate) struct AccountProof {
    /// The header, 180 bytes.
    #[serde(with = "serde_bytes")]
    #[tsify(type = "Uint8Array")]
    header: Vec<u8>,
    /// The proof, as `docs/protocol.md` section 7 has it.
    #[serde(with = "serde_bytes")]
    #[tsify(type = "Uint8Array")]
    proof: Vec<u8>,
}

/// That a block is below a header.
#[derive(Serialize, Tsify)]
pub(crate) struct BlockProof {
    /// The header, 180 bytes.
    #[serde(with = "serde_bytes")]
    #[tsify(type = "Uint8Array")]
    header: Vec<u8>,
    /// The block's hash.
    hash: String,
    /// The proof, as `docs/protocol.md` section 4 has it.
    #[serde(with = "serde_bytes")]
    #[tsify(type = "Uint8Array")]
    proof: Vec<u8>,
}

/// What a header says that an account holds.
#[derive(Serialize, Tsify)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProvenBalance {
    #[tsify(type = "bigint")]
    balance: u64,
    #[tsify(type = "bigint")]
    nonce: u64,
    /// The header's own hash and height: whether to believe that block is up to whoever asks.
    block_hash: String,
    height: u32,
}

impl From<ProvenAccount> for AccountProof {
    fn from(proven: ProvenAccount) -> Self {
        Self { header: proven.header.to_bytes(), proof: proven.proof.to_bytes() }
    }
}

impl From<ProvenBlock> for BlockProof {
    fn from(proven: ProvenBlock) -> Self {
        let ProvenBlock { header, block, proof } = proven;
        Self { header: header.to_bytes(), hash: block.to_string(), proof: proof.to_bytes() }
    }
}

/// What the header's state says of an address. Needs no node; throws when the proof is not of this header and address.
#[wasm_bindgen(js_name = verifyAccountProof)]
pub fn verify_account_proof(
    network: String,
    header: &[u8],
    proof: &[u8],
    address: &str,
) -> Result<JsValue, JsValue> {
    let spec = ChainSpec::by_name(&network).ok_or(EdgeError::UnknownNetwork(network))?;
    let address = Words { prefix: spec.prefix() }.parse(address)?;
    let header = Header::from_bytes(header).map_err(EdgeError::Proof)?;
    let proof = chain::AccountProof::from_bytes(proof).map_err(EdgeError::Proof)?;
    let account = proof
        .verify(&header.state_root(), &address)
        .map_err(|_| EdgeError::Unproven("it is not of this header and address"))?;
    Ok(to_js(&ProvenBalance {
        balance: account.balance.units(),
        nonce: account.nonce.value(),
        block_hash: header.hash().to_string(),
        height: header.height().value(),
    }))
}

/// Checks that the header's chain holds a block. Needs no node; throws when the proof is not of this header and block.
#[wasm_bindgen(js_name = verifyBlockProof)]
pub fn verify_block_proof(header: &[u8], hash: &str, proof: &[u8]) -> Result<(), JsValue> {
    let hash: BlockHash = hash.parse().map_err(EdgeError::Hash)?;
    let header = Header::from_bytes(header).map_err(EdgeError::Proof)?;
    let proof = chain::HistoryProof::from_bytes(proof).map_err(EdgeError::Proof)?;
    let holds = proof.verify(&header, &hash);
    if holds { Ok(()) } else { Err(EdgeError::Unproven("it is not of this header and block").into()) }
}
