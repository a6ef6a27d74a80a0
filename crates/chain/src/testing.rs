//! What tests of this and the higher floors need: keys by number, a chain spec with hardly any work, and instant
//! mining. Everything is deterministic.

use std::{collections::HashMap, sync::Arc};

use ed25519_zebra::{SigningKey, VerificationKeyBytes};
use tabchain_consensus::{
    ChainSpec, CheckedBlock, CheckedTransaction, Parameters, Verdict, VerifiedBlock, VerifiedTransaction,
    reward,
};
use tabchain_primitives::{
    AccountNonce, Action, Address, Amount, Block, BlockHash, CompactTarget, Header, Height, Output,
    PublicKey, Signature, Timestamp, Transaction, Transfer, UnsignedTransaction, tagged::tagged_hash,
};

use crate::{Chain, InsertError, Inserted, Step, Undo};

/// A key pair that is known by a number.
#[derive(Clone, Debug)]
pub struct Key {
    secret: SigningKey,
    public: PublicKey,
}

impl Key {
    /// The key with this number.
    pub fn new(number: u64) -> Self {
        let secret = SigningKey::from(tagged_hash("tabchain/testing", &[&number.to_le_bytes()]));
        let public = PublicKey::from_bytes(VerificationKeyBytes::from(&secret).into());
        Self { secret, public }
    }

    /// The public key.
    pub const fn public(&self) -> PublicKey {
        self.public
    }

    /// The address.
    pub fn address(&self) -> Address {
        Address::of(&self.public)
    }

    /// Signs a transaction for a chain.
    pub fn sign(&self, spec: &ChainSpec, unsigned: UnsignedTransaction) -> Transaction {
        let digest = unsigned.signing_digest(&spec.genesis_hash());
        let signature = Signature::from_bytes(self.secret.sign(digest.as_bytes()).to_bytes());
        unsigned.with_signature(signature)
    }
}

/// The parameters of a chain for tests: every other hash is good enough, rewards mature after two blocks, and the
/// keys 0 to 7 begin with 1,000 TAB each.
pub fn parameters() -> Parameters {
    let easy = CompactTarget::from_bits(0x207f_ffff);
    Parameters {
        name: "trivial".into(),
        prefix: "xtab".parse().expect("four letters"),
        interval_ms: 1_000,
        half_life_ms: 60_000,
        genesis_time: Timestamp::from_millis(1_700_000_000_000),
        pow_limit: easy,
        genesis_target: easy,
        future_limit_ms: 120_000,
        max_block_bytes: 262_144,
        maturity: 2,
        reward_initial: units(50_000_000),
        reward_half_life: 1_000,
        reward_tail: units(500_000),
        allocations: (0..8).map(|number| (Key::new(number).address(), units(1_000_000_000))).collect(),
    }
}

/// The chain spec with these [`parameters`].
pub fn spec() -> Arc<ChainSpec> {
    Arc::new(ChainSpec::new(parameters()).expect("these parameters make a chain"))
}

/// An amount of so many base units.
pub fn units(units: u64) -> Amount {
    Amount::from_units(units).expect("tests stay below 2^53")
}

/// A signed transfer of one output, valid at any height.
pub fn transfer(spec: &ChainSpec, from: &Key, nonce: u64, to: Address, amount: u64, fee: u64) -> Transaction {
    transfer_until(spec, from, nonce, to, amount, fee, Height::MAX)
}

/// A signed transfer of one output, valid up to a height.
pub fn transfer_until(
    spec: &ChainSpec,
    from: &Key,
    nonce: u64,
    to: Address,
    amount: u64,
    fee: u64,
    valid_until: Height,
) -> Transaction {
    let output = Output::new(to, units(amount)).expect("tests pay something");
    let action = Action::Transfer(Transfer::new(vec![output], "").expect("one output, no memo"));
    let nonce = AccountNonce::new(nonce);
    let unsigned = UnsignedTransaction::new(from.public(), nonce, valid_until, units(fee), action);
    from.sign(spec, unsigned.expect("tests stay below 2^53"))
}

/// A block on the tip, one interval after it. It is not taken in.
pub fn mine(chain: &Chain, miner: Address, transactions: &[Transaction]) -> Block {
    let time = chain.tip().header.time().saturating_add(chain.spec().interval_ms());
    mine_at(chain, miner, transactions, time)
}

/// A block on the tip with this time. It is not taken in.
pub fn mine_at(chain: &Chain, miner: Address, transactions: &[Transaction], time: Timestamp) -> Block {
    let header = chain.prepare_header(miner, transactions, time).expect("tests mine valid transactions");
    Block { header: solve(header), transactions: transactions.to_vec() }
}

/// The header with the first nonce that does its work.
pub fn solve(header: Header) -> Header {
    let target = header.target().expand().expect("a prepared header has a target");
    let mut tries = (0..=u64::MAX).map(|nonce| header.with_nonce(nonce));
    tries.find(|header| target.is_met_by(&header.hash())).expect("one of 2^64 nonces will do")
}

/// Mines a block on the tip and connects it.
pub fn extend(chain: &mut Chain, miner: Address, transactions: &[Transaction]) -> (Block, Undo) {
    let block = mine(chain, miner, transactions);
    let undo = connect(chain, &block);
    (block, undo)
}

/// Takes in a block that follows the tip and connects it.
pub fn connect(chain: &mut Chain, block: &Block) -> Undo {
    chain.insert_header(block.header, block.header.time()).expect("the header is good");
    chain.mark_body(&block.hash());
    let block = verified(&chain.spec().clone(), block.clone());
    chain.connect(&block).expect("the block follows the tip and keeps the rules")
}

/// The block as if its signatures had been checked.
pub fn verified(spec: &ChainSpec, block: Block) -> VerifiedBlock {
    let checked = CheckedBlock::check(spec, block).expect("tests build well-formed blocks");
    checked.verified(Verdict::AllValid).expect("the verdict says so")
}

/// The transaction as if its signature had been checked.
pub fn verified_transaction(spec: &ChainSpec, transaction: Transaction) -> VerifiedTransaction {
    let checked = CheckedTransaction::check(spec, transaction).expect("tests build small transactions");
    checked.verified(Verdict::AllValid).expect("the verdict says so")
}

/// A chain together with what its owner keeps: bodies and undo records. It follows [`Chain::next_step`] by itself.
#[derive(Debug)]
pub struct Archive {
    /// The chain.
    pub chain: Chain,
    /// Every block that was offered and whose header was taken in.
    pub blocks: HashMap<BlockHash, Block>,
    /// The undo records of connected blocks.
    pub undos: HashMap<BlockHash, Undo>,
    /// What there is at each height: allocations and the rewards so far.
    minted: Vec<Amount>,
}

impl Archive {
    /// Keeps for this chain.
    pub fn new(chain: Chain) -> Self {
        let allocations = chain.spec().allocations().iter().map(|(_, amount)| *amount);
        let minted = vec![Amount::checked_sum(allocations).expect("a chain spec's supply is below 2^53")];
        Self { chain, blocks: HashMap::new(), undos: HashMap::new(), minted }
    }

    /// Takes in a block and goes where that leads. Blocks that turn out to be invalid stay marked.
    pub fn offer(&mut self, block: &Block) -> Result<Inserted, InsertError> {
        let inserted = self.chain.insert_header(block.header, block.header.time())?;
        self.body(block);
        Ok(inserted)
    }

    /// Takes in blocks that come parents first, as one who knows what they weigh.
    pub fn offer_all(&mut self, blocks: &[Block]) {
        if let Some(first) = blocks.first() {
            self.chain.expect_branch(&first.header.parent());
        }
        for block in blocks {
            self.offer(block).expect("the header is good");
        }
        self.chain.end_branch();
    }

    /// Takes in the body of a block whose header is here, and goes where that leads.
    pub fn body(&mut self, block: &Block) {
        self.blocks.insert(block.hash(), block.clone());
        self.chain.mark_body(&block.hash());
        while let Some(step) = self.chain.next_step() {
            self.follow(step);
        }
    }

    /// Takes one step. A block that breaks a rule is not connected. Whatever comes of it, nothing is lost or gained.
    pub fn follow(&mut self, step: Step) {
        match step {
            Step::Disconnect(hash) => {
                let undo = self.undos.remove(&hash).expect("it was connected");
                self.chain.disconnect(&undo).expect("it is the tip's");
            }
            Step::Connect(hash) => {
                let block = verified(&self.chain.spec().clone(), self.blocks[&hash].clone());
                match self.chain.connect(&block) {
                    Ok(undo) => drop(self.undos.insert(hash, undo)),
                    Err(error) => assert!(error.is_rule(), "{error}"),
                }
            }
        }
        self.supply_is_accounted_for();
    }

    /// All balances and what is maturing are together what was allocated and rewarded.
    pub fn supply_is_accounted_for(&mut self) {
        let height = self.chain.tip().height;
        while let Ok(last) = u32::try_from(self.minted.len() - 1)
            && last < height.value()
        {
            let minted =
                self.minted[last as usize].checked_add(reward(self.chain.spec(), Height::new(last + 1)));
            self.minted.push(minted.expect("a chain spec's supply is below 2^53"));
        }
        let held = self.chain.supply().checked_add(self.chain.maturing());
        assert_eq!(held, Some(self.minted[height.value() as usize]), "the supply at {height}");
    }

    /// Mines a block on the tip and connects it.
    pub fn extend(&mut self, miner: Address, transactions: &[Transaction]) -> Block {
        let block = mine(&self.chain, miner, transactions);
        self.offer(&block).expect("the header is good");
        block
    }
}
