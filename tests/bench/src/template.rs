//! Block templates from a full memory pool.

use tabchain_chain::testing::verified_transaction;
use tabchain_mempool::{FeeRate, Limits, Mempool};
use tabchain_primitives::{HEADER_BYTES, Height};

use crate::{
    Scale,
    rows::{Rows, rate},
    world,
};

pub(crate) fn measure(scale: Scale) -> Rows {
    let keys = world::keys(scale.pick(16_384, 16));
    let chain = world::chain(&keys, keys.len());
    let spec = chain.spec().clone();
    let next = chain.tip().height.next().unwrap_or(Height::MAX);
    let room = spec.max_block_bytes() - HEADER_BYTES - 3;
    let transfers = world::transfers(&spec, &keys, keys.len());
    let transfers: Vec<_> = transfers.into_iter().map(|one| verified_transaction(&spec, one)).collect();
    let fill = |pool: &mut Mempool| {
        for transfer in transfers.clone() {
            pool.insert(transfer, &chain, next).expect("there is room");
        }
    };
    let empty = || Mempool::new(Limits { min_fee_rate: FeeRate::new(0), ..Limits::default() });
    let mut pool = empty();
    fill(&mut pool);
    let mut rows = Rows::default();
    let admitted = rate(scale, transfers.len(), || fill(&mut empty()));
    rows.add_rate("transfers admitted to the pool", admitted);
    let taken = pool.template(&chain, room, next).len();
    let chosen = rate(scale, taken, || pool.template(&chain, room, next));
    rows.add_rate("transfers chosen for a template", chosen);
    let time = chain.tip().header.time();
    let built = rate(scale, taken, || {
        let chosen = pool.template(&chain, room, next);
        chain.prepare_header(world::miner(), &chosen, time).expect("they can all be applied")
    });
    rows.add_rate("transfers in built templates", built);
    rows.add_rate("templates built", built.of_each(taken));
    rows
}
