//! The way a block goes from bytes to the tip, with every rule on it, as one call.

use tabchain_chain::{
    Chain, ConnectError, InsertError,
    testing::{Key, mine, solve},
};
use tabchain_consensus::{BlockError, ChainSpec, CheckedBlock, verify_batch, verify_each};
use tabchain_primitives::{
    Block, Decode, DecodeError, Encode, HEADER_BYTES, Header, HeaderFields, MerkleRoot, StateRoot, Timestamp,
    Transaction,
};

/// A chain with the door that blocks come in by.
#[derive(Debug)]
pub struct Door {
    /// The chain behind it.
    pub chain: Chain,
}

/// Where a block was turned away, with the very error.
#[derive(Clone, Debug, PartialEq)]
pub enum Refusal {
    /// The bytes are no block.
    Bytes(DecodeError),
    /// The header breaks a rule.
    Header(InsertError),
    /// The body breaks a rule that needs no state.
    Body(BlockError),
    /// The block breaks a rule that needs the state.
    State(ConnectError),
}

impl Door {
    /// The door of a chain at its genesis.
    pub fn new(spec: &ChainSpec) -> Self {
        Self { chain: Chain::new(spec.clone().into()) }
    }

    /// Offers a block at the moment that its header names.
    pub fn offer(&mut self, block: &Block) -> Result<(), Refusal> {
        self.offer_at(&block.to_bytes(), block.header.time())
    }

    /// Offers the bytes of a block: header first, then what is in it, then signatures both ways, then the state.
    ///
    /// What is refused leaves tip, state and supply as they were; that is asserted here for every case.
    pub fn offer_at(&mut self, bytes: &[u8], now: Timestamp) -> Result<(), Refusal> {
        let before = (self.chain.tip(), self.chain.state_root(), self.chain.supply());
        let outcome = self.walk(bytes, now);
        if outcome.is_err() {
            assert_eq!((self.chain.tip(), self.chain.state_root(), self.chain.supply()), before);
        }
        outcome
    }

    fn walk(&mut self, bytes: &[u8], now: Timestamp) -> Result<(), Refusal> {
        let block = Block::from_bytes(bytes).map_err(Refusal::Bytes)?;
        assert_eq!(block.to_bytes(), bytes, "there is one byte form");
        self.chain.insert_header(block.header, now).map_err(Refusal::Header)?;
        let spec = self.chain.spec().clone();
        let hash = block.hash();
        let body = |block| {
            let checked = CheckedBlock::check(&spec, block)?;
            let checks = checked.signatures(&spec.genesis_hash());
            let verdict = verify_batch(&checks, [7; 32]);
            assert_eq!(verdict, verify_each(&checks), "a batch says what each says");
            checked.verified(verdict)
        };
        let verified = body(block).inspect_err(|error| {
            if !error.is_of_another_body() {
                self.chain.mark_invalid(&hash);
            }
        });
        let verified = verified.map_err(Refusal::Body)?;
        self.chain.mark_body(&hash);
        self.chain.connect(&verified).map(drop).map_err(Refusal::State)
    }

    /// A good block of these transactions on the tip, not offered.
    pub fn good(&self, transactions: &[Transaction]) -> Block {
        mine(&self.chain, miner(), transactions)
    }

    /// A block on the tip whose header commits to these transactions whatever they are, and to no true state.
    pub fn forged(&self, transactions: Vec<Transaction>) -> Block {
        let header = with_work(&self.good(&[]).header, |fields| {
            fields.tx_count = u32::try_from(transactions.len()).expect("few");
            fields.tx_root = MerkleRoot::of_transactions(&transactions);
            fields.state_root = StateRoot::ZERO;
        });
        Block { header, transactions }
    }
}

/// The header with some fields changed and its work done again.
pub fn with_work(header: &Header, change: impl FnOnce(&mut HeaderFields)) -> Header {
    let mut fields = header.fields();
    change(&mut fields);
    let changed = Header::new(fields);
    if changed.target().expand().is_ok() { solve(changed) } else { changed }
}

/// The bytes of a block whose only transaction is these bytes, under the header of another.
pub fn with_raw_transaction(block: &Block, transaction: &[u8]) -> Vec<u8> {
    [&block.to_bytes()[..HEADER_BYTES], &[1], transaction].concat()
}

/// Who is paid for the blocks here.
pub fn miner() -> tabchain_primitives::Address {
    Key::new(70).address()
}
