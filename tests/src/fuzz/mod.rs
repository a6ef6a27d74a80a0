//! What fuzzing does with bytes: one function for each decoder, and one for the whole node.
//!
//! `tests/fuzz` hands them to a fuzzer; the ordinary tests replay its corpus and change it a little, always the same
//! way. A target panics when something is wrong, and says whether the bytes were something at all.

mod bytes;
mod decoders;
mod node;
mod proofs;
mod texts;
mod world;

/// A way to look at any bytes.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// What it is called.
    pub name: &'static str,
    /// Whether the bytes are a value; panics where that would be wrong.
    pub run: fn(&[u8]) -> bool,
    /// Genuine bytes to begin with: all of them are values.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// Every target.
pub const TARGETS: [Target; 21] = [
    Target { name: "transaction", run: decoders::transaction, seeds: decoders::transactions },
    Target { name: "header", run: decoders::header, seeds: decoders::headers },
    Target { name: "block", run: decoders::block, seeds: decoders::blocks },
    Target { name: "signatures", run: decoders::signatures, seeds: decoders::signature_lists },
    Target { name: "verdict", run: decoders::verdict, seeds: decoders::verdicts },
    Target { name: "link", run: decoders::link, seeds: decoders::links },
    Target { name: "request", run: decoders::request, seeds: decoders::requests },
    Target { name: "response", run: decoders::response, seeds: decoders::responses },
    Target { name: "message", run: decoders::message, seeds: decoders::messages },
    Target { name: "good_peer", run: decoders::good_peer, seeds: decoders::good_peers },
    Target { name: "undo", run: proofs::undo, seeds: proofs::undos },
    Target { name: "state_chunk", run: proofs::state_chunk, seeds: proofs::state_chunks },
    Target { name: "state_rows", run: proofs::state_rows, seeds: proofs::rows },
    Target { name: "account_proof", run: proofs::account_proof, seeds: proofs::account_proofs },
    Target { name: "history_proof", run: proofs::history_proof, seeds: proofs::history_proofs },
    Target { name: "mountain_range", run: proofs::mountain_range, seeds: proofs::mountain_ranges },
    Target { name: "keystore", run: texts::keystore, seeds: texts::keystores },
    Target { name: "payment_uri", run: texts::payment_uri, seeds: texts::payment_uris },
    Target { name: "chain_spec", run: texts::chain_spec, seeds: texts::chain_specs },
    Target { name: "words", run: texts::words, seeds: texts::some_words },
    Target { name: "node", run: node::node, seeds: node::stories },
];

/// Runs the target with this name.
pub fn run(name: &str, bytes: &[u8]) -> bool {
    let target = TARGETS.iter().find(|target| target.name == name).expect("every fuzz target is in the list");
    (target.run)(bytes)
}
