//! Chains to measure on: many accounts, and full blocks of transfers between them.

use std::sync::Arc;

use tabchain_chain::{
    Chain, Undo,
    testing::{self, Key, units},
};
use tabchain_consensus::{ChainSpec, Parameters};
use tabchain_primitives::{
    AccountNonce, Action, Address, Block, Encode, HEADER_BYTES, Height, Output, PublicKey, Signature,
    Transaction, Transfer, UnsignedTransaction, tagged::tagged_hash,
};
use tabchain_sync::Rng;

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

/// A chain on which so many accounts own something and pay each other, in blocks of every size.
pub(crate) struct Mixed {
    /// Up to the last gift, with the headers of all blocks.
    pub(crate) chain: Chain,
    /// The blocks that gave every account something.
    pub(crate) gifts: Vec<Block>,
    /// The blocks after that.
    pub(crate) blocks: Vec<Block>,
}

/// A [`Mixed`] chain of so many blocks above the gifts. Nobody signs: who measures takes the signatures for checked.
pub(crate) fn mixed(accounts: usize, blocks: usize) -> Mixed {
    let mut rng = Rng::new([7; 32]);
    let mut nonces = vec![0; accounts];
    let senders: Vec<PublicKey> = (0..accounts as u64)
        .map(|n| PublicKey::from_bytes(tagged_hash("bench", &[&n.to_le_bytes()])))
        .collect();
    let addresses: Vec<Address> = senders.iter().map(Address::of).collect();
    let mut chain = Chain::new(spec());
    let spec = chain.spec().clone();
    let mut nonce = 0..;
    let gifts = addresses.chunks(40 * 256).map(|paid| {
        let payments: Vec<_> =
            paid.chunks(256).zip(&mut nonce).map(|(paid, at)| pay(&spec, paid, at)).collect();
        testing::extend(&mut chain, miner(), &payments).0
    });
    let gifts = gifts.collect();
    let mut send = |rng: &mut Rng| {
        let from = rng.below(accounts);
        let outputs = if rng.below(10) == 0 { 2 + rng.below(3) } else { 1 };
        let to = |_| {
            Output::new(addresses[rng.below(accounts)], units(1 + rng.below(100) as u64))
                .expect("not nothing")
        };
        let transfer = Transfer::new((0..outputs).map(to).collect(), "").expect("a few outputs");
        let nonce = AccountNonce::new(nonces[from]);
        nonces[from] += 1;
        let unsigned = UnsignedTransaction::new(
            senders[from],
            nonce,
            Height::MAX,
            units(200),
            Action::Transfer(transfer),
        );
        unsigned.expect("far below the supply").with_signature(Signature::ZERO)
    };
    let (blocks, undos): (Vec<Block>, Vec<Undo>) = (0..blocks)
        .map(|_| {
            let transactions: Vec<_> = (0..block_size(&mut rng)).map(|_| send(&mut rng)).collect();
            testing::extend(&mut chain, miner(), &transactions)
        })
        .unzip();
    for undo in undos.iter().rev() {
        chain.disconnect(undo).expect("it is the tip's");
    }
    Mixed { chain, gifts, blocks }
}

/// How many transactions a block holds: mostly few, sometimes none, seldom many; about eight in the mean.
fn block_size(rng: &mut Rng) -> usize {
    match rng.below(1_000) {
        0..=20 => 40 + rng.below(160),
        21..=120 => 0,
        _ => 1 + rng.below(20).min(rng.below(20)),
    }
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
