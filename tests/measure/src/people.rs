//! Who owns something on the long chain, and what they send each other.

use std::collections::VecDeque;

use tabchain_chain::testing::{Key, units};
use tabchain_consensus::ChainSpec;
use tabchain_primitives::{
    AccountNonce, Action, Address, Anchor, Height, Output, Transaction, Transfer, UnsignedTransaction,
};
use tabchain_sync::Rng;

use crate::mix;

/// What everybody is given at the beginning, in base units.
const GIFT: u64 = 10_000;
/// What somebody must have left of it to send something.
const ENOUGH: u64 = 1_000;
const FEE: u64 = 200;
/// Outputs of a gift: as many as a transfer may have.
const GIFTS: usize = 256;
/// Gifts' transactions in a block: as many as fit 256 KiB.
const GIFT_TRANSACTIONS: usize = 42;
/// The height from which on the bank has been paid enough to give.
pub(crate) const FIRST_GIFTS: u32 = 40;
/// One-output transfers that surely fit a block of 256 KiB.
const FULL: usize = 1_700;

/// Everybody with a key, and what they have done so far.
pub(crate) struct People {
    keys: Vec<Key>,
    addresses: Vec<Address>,
    nonces: Vec<u64>,
    /// At least what each has left: what they were sent is not counted on.
    left: Vec<u64>,
    /// Addresses that are still without a gift.
    poor: VecDeque<Address>,
    bank: Key,
    given: u64,
    rng: Rng,
}

impl People {
    pub(crate) fn new(count: usize) -> Self {
        let keys: Vec<Key> = (1..=count as u64).map(Key::new).collect();
        let addresses: Vec<Address> = keys.iter().map(Key::address).collect();
        Self {
            nonces: vec![0; count],
            left: vec![GIFT; count],
            poor: addresses.iter().copied().collect(),
            keys,
            addresses,
            bank: Key::new(0),
            given: 0,
            rng: Rng::new([7; 32]),
        }
    }

    /// Who is paid for the block at a height: the bank until everybody has a gift, then one of a few miners.
    pub(crate) fn miner(&self, height: u32) -> Address {
        let few = self.addresses.len().min(64);
        if self.poor.is_empty() { self.addresses[height as usize % few] } else { self.bank.address() }
    }

    /// What the block at a height holds.
    pub(crate) fn transactions(&mut self, spec: &ChainSpec, height: u32) -> Vec<Transaction> {
        if height < FIRST_GIFTS {
            return Vec::new();
        }
        if !self.poor.is_empty() {
            return (0..GIFT_TRANSACTIONS).map_while(|_| self.gift(spec)).collect();
        }
        let count = mix::transactions(&mut self.rng, FULL);
        (0..count).map(|_| self.send(spec, height)).collect()
    }

    fn gift(&mut self, spec: &ChainSpec) -> Option<Transaction> {
        let to: Vec<Address> = self.poor.drain(..self.poor.len().min(GIFTS)).collect();
        if to.is_empty() {
            return None;
        }
        let outputs = to.into_iter().map(|to| output(to, GIFT)).collect();
        let action = Action::Transfer(Transfer::new(outputs, "").expect("at most 256 outputs"));
        self.given += 1;
        Some(signed(spec, &self.bank, self.given - 1, Height::MAX, 0, action))
    }

    fn send(&mut self, spec: &ChainSpec, height: u32) -> Transaction {
        let from = self.sender();
        let action = self.action();
        let nonce = self.nonces[from];
        self.nonces[from] += 1;
        let spent: u64 = action.outputs().iter().map(|output| output.amount().units()).sum();
        self.left[from] -= FEE + spent;
        signed(spec, &self.keys[from], nonce, Height::new(height + 100), FEE, action)
    }

    fn sender(&mut self) -> usize {
        loop {
            let one = self.rng.below(self.keys.len());
            if self.left[one] >= ENOUGH {
                return one;
            }
        }
    }

    fn action(&mut self) -> Action {
        let outputs = match self.rng.below(20) {
            0 => {
                let data = (0..4).flat_map(|_| self.rng.draw().to_le_bytes()).collect();
                return Action::Anchor(Anchor::new("photo", data).expect("short"));
            }
            1 | 2 => 2 + self.rng.below(3),
            _ => 1,
        };
        let memo = if self.rng.below(10) == 0 { "thanks for the tea" } else { "" };
        let outputs = (0..outputs)
            .map(|_| {
                let to = self.addresses[self.rng.below(self.addresses.len())];
                output(to, 1 + self.rng.below(100) as u64)
            })
            .collect();
        Action::Transfer(Transfer::new(outputs, memo).expect("a few outputs and a short memo"))
    }
}

fn output(to: Address, amount: u64) -> Output {
    Output::new(to, units(amount)).expect("not nothing")
}

fn signed(spec: &ChainSpec, key: &Key, nonce: u64, until: Height, fee: u64, action: Action) -> Transaction {
    let unsigned =
        UnsignedTransaction::new(key.public(), AccountNonce::new(nonce), until, units(fee), action);
    key.sign(spec, unsigned.expect("far below the supply"))
}
