//! Full blocks of one-output transfers: from bytes to a new state, and back.

use tabchain_chain::{Chain, Undo, testing::Key};
use tabchain_consensus::{CheckedBlock, Verdict, VerifiedBlock, verify_batch};
use tabchain_primitives::{Account, Address, Block, Decode, StateRoot};

use crate::{
    Scale,
    rows::{Rows, Times, rate, rounds},
    world,
};

/// How the signatures of a block come by their verdict.
type Verify = fn(&Chain, &CheckedBlock) -> Verdict;

pub(crate) fn measure(scale: Scale) -> Rows {
    let accounts = scale.pick(100_000, 2_000);
    // A little more than four blocks hold.
    let keys = world::keys(scale.pick(8_500, 1_900));
    let mut chain = world::chain(&keys, accounts);
    let blocks = world::full_blocks(&mut chain, &keys, accounts);
    let mut rows = Rows::default();
    if let Some(first) = blocks.first() {
        let per_block = u32::try_from(first.transactions.len()).expect("few");
        rows.add("transfers in a full block", f64::from(per_block), "");
    }
    let transfers: usize = blocks.iter().map(|block| block.transactions.len()).sum();
    let bytes = world::encoded(&blocks);

    let (connect, _) = back_and_forth(scale, &mut chain, &bytes, signed);
    rows.add_rate("transfers connected, with signatures", connect.per_second(transfers));
    let (connect, disconnect) = back_and_forth(scale, &mut chain, &bytes, trusted);
    rows.add_rate("transfers connected, without", connect.per_second(transfers));
    rows.add_rate("transfers disconnected", disconnect.per_second(transfers));
    stages(scale, &mut chain, &bytes, transfers, &mut rows);
    from_scratch(scale, &keys, accounts, &mut rows);
    rows
}

/// Connects all blocks from their bytes and takes them back, again and again.
fn back_and_forth(scale: Scale, chain: &mut Chain, blocks: &[Vec<u8>], verify: Verify) -> (Times, Times) {
    let (mut connect, mut disconnect) = (Times::default(), Times::default());
    for _ in 0..rounds(scale) {
        let undos: Vec<Undo> = connect.take(|| {
            let one = |bytes: &Vec<u8>| {
                let verified = verified(chain, bytes, verify);
                chain.connect(&verified).expect("it follows the tip")
            };
            blocks.iter().map(one).collect()
        });
        disconnect.take(|| {
            for undo in undos.iter().rev() {
                chain.disconnect(undo).expect("it is the tip's");
            }
        });
    }
    (connect, disconnect)
}

/// Where the time goes when signatures are left out.
fn stages(scale: Scale, chain: &mut Chain, blocks: &[Vec<u8>], transfers: usize, rows: &mut Rows) {
    let decode = rate(scale, transfers, || {
        blocks
            .iter()
            .map(|bytes| Block::from_bytes(bytes).expect("a block").transactions.len())
            .sum::<usize>()
    });
    rows.add_rate("of that: transfers decoded", decode);
    let check = rate(scale, transfers, || {
        blocks.iter().map(|bytes| verified(chain, bytes, trusted).ids().len()).sum::<usize>()
    });
    rows.add_rate("of that: decoded, hashed and checked", check);

    let ready: Vec<VerifiedBlock> = blocks.iter().map(|bytes| verified(chain, bytes, trusted)).collect();
    let mut times = Times::default();
    let mut changed = 0;
    for _ in 0..rounds(scale) {
        let undos: Vec<Undo> = times
            .take(|| ready.iter().map(|block| chain.connect(block).expect("it follows the tip")).collect());
        changed = undos.iter().map(|undo| undo.touched().len()).sum();
        undos.iter().rev().for_each(|undo| chain.disconnect(undo).expect("it is the tip's"));
    }
    rows.add_rate("of that: accounts changed and rooted", times.per_second(changed));
}

/// The state root without a tree that is kept.
fn from_scratch(scale: Scale, keys: &[Key], accounts: usize, rows: &mut Rows) {
    let account = Account { balance: tabchain_chain::testing::units(1), ..Account::EMPTY };
    let all: Vec<Address> = world::addresses(keys, accounts);
    let rate =
        rate(scale, accounts, || StateRoot::of_accounts(all.iter().map(|address| (address, &account))));
    rows.add_rate("accounts rooted from scratch", rate);
}

fn verified(chain: &Chain, bytes: &[u8], verify: Verify) -> VerifiedBlock {
    let block = Block::from_bytes(bytes).expect("a block");
    let checked = CheckedBlock::check(chain.spec(), block).expect("a good block");
    let verdict = verify(chain, &checked);
    checked.verified(verdict).expect("well signed")
}

fn signed(chain: &Chain, block: &CheckedBlock) -> Verdict {
    verify_batch(&block.signatures(&chain.spec().genesis_hash()), [7; 32])
}

fn trusted(_: &Chain, _: &CheckedBlock) -> Verdict {
    Verdict::AllValid
}
