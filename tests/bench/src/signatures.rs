//! Signature checks: one by one, in batches as large as a burst of transactions, and of a whole block.

use tabchain_consensus::{
    CheckedTransaction, SignatureCheck, SignatureChecks, Verdict, verify_batch, verify_each,
};

use crate::{
    Scale,
    rows::{Rows, rate},
    world,
};

pub(crate) fn measure(scale: Scale) -> Rows {
    let spec = world::spec();
    let keys = world::keys(scale.pick(2_048, 8));
    let transfers = world::transfers(&spec, &keys, keys.len());
    let check = |transaction| {
        let checked = CheckedTransaction::check(&spec, transaction).expect("a transfer fits a block");
        checked.signatures(&spec.genesis_hash()).0[0]
    };
    let checks: Vec<SignatureCheck> = transfers.into_iter().map(check).collect();
    let single = SignatureChecks(checks[..scale.pick(1_024, 8)].to_vec());
    let bursts: Vec<_> = single.0.chunks(64).map(|chunk| SignatureChecks(chunk.to_vec())).collect();
    let whole = SignatureChecks(checks);

    let mut rows = Rows::default();
    let alone = rate(scale, single.0.len(), || all_valid(verify_each(&single)));
    rows.add_rate("signatures, one by one", alone);
    let batched = rate(scale, single.0.len(), || {
        for burst in &bursts {
            all_valid(verify_batch(burst, [7; 32]));
        }
    });
    rows.add_rate("signatures, batches of 64", batched);
    let blocks = rate(scale, whole.0.len(), || all_valid(verify_batch(&whole, [7; 32])));
    rows.add_rate("signatures, batches of 2,048", blocks);
    rows
}

fn all_valid(verdict: Verdict) {
    assert_eq!(verdict, Verdict::AllValid);
}
