//! Headers: hashed, checked by rules B1 to B6, and taken into the tree.

use tabchain_chain::{Chain, testing::solve};
use tabchain_consensus::{check_header, next_target};
use tabchain_primitives::{
    Decode, Encode, HEADER_BYTES, Header, HeaderFields, MerkleRoot, StateRoot, Timestamp,
};

use crate::{
    Scale,
    rows::{Rows, Times, rate, rounds},
    world,
};

pub(crate) fn measure(scale: Scale) -> Rows {
    let spec = world::spec();
    let headers = chain_of(scale.pick(20_000, 20));
    let bytes: Vec<u8> = headers.iter().flat_map(Encode::to_bytes).collect();
    let later = Timestamp::from_millis(u64::MAX);
    let mut rows = Rows::default();

    let hashed = rate(scale, headers.len(), || {
        headers.iter().fold(0, |sum, header| sum ^ header.hash().as_bytes()[0])
    });
    rows.add_rate("headers hashed", hashed);
    let checked = rate(scale, headers.len(), || {
        let mut below = (None, *spec.genesis_header());
        for bytes in bytes.chunks(HEADER_BYTES) {
            let header = Header::from_bytes(bytes).expect("a header");
            check_header(&spec, &header, &below.1, below.0.as_ref(), later).expect("a good header");
            below = (Some(below.1), header);
        }
    });
    rows.add_rate("headers checked", checked);

    let mut times = Times::default();
    for _ in 0..rounds(scale) {
        let mut chain = Chain::new(spec.clone());
        times.take(|| {
            for bytes in bytes.chunks(HEADER_BYTES) {
                let header = Header::from_bytes(bytes).expect("a header");
                chain.insert_header(header, later).expect("a good header");
            }
        });
        assert_eq!(chain.best_header().height.value() as usize, headers.len());
    }
    rows.add_rate("headers checked and taken in", times.per_second(headers.len()));
    rows
}

/// Headers above the genesis, each with its work done. Only their roots are made up.
pub fn chain_of(count: usize) -> Vec<Header> {
    let spec = world::spec();
    let mut below = (None, *spec.genesis_header());
    let mut headers = Vec::with_capacity(count);
    for _ in 0..count {
        let (grandparent, parent) = below;
        let header = solve(Header::new(HeaderFields {
            height: parent.height().next().expect("low"),
            parent: parent.hash(),
            miner: world::miner(),
            tx_root: MerkleRoot::ZERO,
            state_root: StateRoot::ZERO,
            time: parent.time().saturating_add(spec.interval_ms()),
            target: next_target(&spec, &parent, grandparent.as_ref()),
            ..parent.fields()
        }));
        headers.push(header);
        below = (Some(parent), header);
    }
    headers
}
