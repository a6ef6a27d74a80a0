//! Chains to measure on: many accounts, and full blocks of transfers between them.

use std::sync::Arc;

use tabchain_chain::{
    Chain, Undo,
    testing::{self, Key, units},
};
use tabchain_consensus::{ChainSpec, Parameters};
use tabchain_primitives::{
    AccountNonce, Action, Address, Block, Encode, HEADER_BYTES, Height, Output, Transaction, Transfer,
    UnsignedTransaction,
};

/// What every account begins with, in base units.
const BALANCE: u64 = 1_000_000;

/// Room for the count of transactions.
const COUNT_BYTES: usize = 3;

/// A spec with hardly any work, in which the key 0 owns enough for everyone.
pub fn spec() -> Arc<ChainSpec> {
    let parameters = Parameters {
        name: "bench".into(),
        allocations: vec![(bank().address(), units(4_000_000_000_000_000))],
        ..testing::parameters()
    };
    Arc::new(ChainSpec::new(parameters).expect("as good as the chain for tests"))
}

/// A chain with so many accounts: those of these keys, and others that never send.
pub fn chain(keys: &[Key], accounts: usize) -> Chain {
    let mut chain = Chain::new(spec());
    let spec = chain.spec().clone();
    let mut nonce = 0..;
    // An output has 23 bytes here, and a transaction about a hundred more.
    for paid in addresses(keys, accounts).chunks(spec.max_block_bytes() / (256 * 24) * 256) {
        let payments: Vec<_> =
            paid.chunks(256).zip(&mut nonce).map(|(paid, at)| pay(&spec, paid, at)).collect();
        testing::extend(&mut chain, miner(), &payments);
    }
    chain
}

/// The addresses of all accounts of a [`chain`] but the one that paid them.
pub(crate) fn addresses(keys: &[Key], accounts: usize) -> Vec<Address> {
    keys.iter().map(Key::address).chain((keys.len()..accounts).map(stranger)).collect()
}

/// Keys that own something in a [`chain`].
pub fn keys(count: usize) -> Vec<Key> {
    (1..=count as u64).map(Key::new).collect()
}

/// Full blocks of transfers with one output on top of the chain, connected and then taken back: each sender sends
/// once, and each receiver is somewhere among the accounts.
pub fn full_blocks(chain: &mut Chain, keys: &[Key], accounts: usize) -> Vec<Block> {
    let limit = chain.spec().max_block_bytes() - HEADER_BYTES - COUNT_BYTES;
    let spec = chain.spec().clone();
    let (mut blocks, mut undos): (Vec<Block>, Vec<Undo>) = (Vec::new(), Vec::new());
    let mut block: Vec<Transaction> = Vec::new();
    let mut bytes = 0;
    for next in transfers(&spec, keys, accounts) {
        if bytes + next.size() > limit {
            let (full, undo) = testing::extend(chain, miner(), &std::mem::take(&mut block));
            blocks.push(full);
            undos.push(undo);
            bytes = 0;
        }
        bytes += next.size();
        block.push(next);
    }
    for undo in undos.iter().rev() {
        chain.disconnect(undo).expect("it is the tip's");
    }
    blocks
}

/// Transfers with one output, one of each key.
pub fn transfers(spec: &ChainSpec, keys: &[Key], accounts: usize) -> Vec<Transaction> {
    keys.iter().zip(0..).map(|(key, at)| transfer(spec, key, receiver(keys, accounts, at))).collect()
}

/// Who is paid for the blocks.
pub fn miner() -> Address {
    Key::new(u64::MAX).address()
}

fn bank() -> Key {
    Key::new(0)
}

/// An address that nobody has the key of.
fn stranger(number: usize) -> Address {
    let mut bytes = [0xbb; Address::BYTES];
    bytes[..8].copy_from_slice(&(number as u64).to_le_bytes());
    Address::from_bytes(bytes)
}

/// Every account is about as likely as any other, in an order without a pattern that caches would like.
fn receiver(keys: &[Key], accounts: usize, at: usize) -> Address {
    let number = (at + 1).wrapping_mul(2_654_435_761) % accounts;
    keys.get(number).map_or_else(|| stranger(number), Key::address)
}

fn transfer(spec: &ChainSpec, from: &Key, to: Address) -> Transaction {
    testing::transfer(spec, from, 0, to, 1_000, 200)
}

fn pay(spec: &ChainSpec, paid: &[Address], nonce: u64) -> Transaction {
    let output = |to: &Address| Output::new(*to, units(BALANCE)).expect("not nothing");
    let transfer = Transfer::new(paid.iter().map(output).collect(), "").expect("at most 256 outputs");
    let (fee, action) = (units(0), Action::Transfer(transfer));
    let unsigned =
        UnsignedTransaction::new(bank().public(), AccountNonce::new(nonce), Height::MAX, fee, action);
    bank().sign(spec, unsigned.expect("far below the supply"))
}

/// The bytes of each block.
pub fn encoded(blocks: &[Block]) -> Vec<Vec<u8>> {
    blocks.iter().map(Encode::to_bytes).collect()
}
