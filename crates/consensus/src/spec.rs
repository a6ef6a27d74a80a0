//! The chain spec: every parameter of a chain, and the genesis that names them (section 5 of `docs/protocol.md`).

use std::collections::BTreeMap;

use tabchain_primitives::{
    Account, Address, AddressError, AddressPrefix, Amount, AmountParseError, AmountTooLarge, Block,
    BlockHash, CompactTarget, CompactTargetError, Encode, HEADER_VERSION, Header, HeaderFields, Height,
    HistoryRoot, MerkleRoot, SpecHash, StateRoot, Target, Timestamp,
    codec::{write_bytes, write_varint},
    tagged::Tag,
};

use crate::spec_file;

/// The parameters of a chain as plain values. [`ChainSpec::new`] says whether they make a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// What the chain is called: 1 to 16 of `a-z0-9-`.
    pub name: String,
    /// What its addresses begin with.
    pub prefix: AddressPrefix,
    /// Intended time between blocks, in milliseconds.
    pub interval_ms: u64,
    /// The time in which difficulty follows by a factor of two, in milliseconds; at least the interval.
    pub half_life_ms: u64,
    /// When the chain begins.
    pub genesis_time: Timestamp,
    /// The easiest target allowed.
    pub pow_limit: CompactTarget,
    /// The target of the genesis and of blocks 1 and 2.
    pub genesis_target: CompactTarget,
    /// How far ahead of the clock a block's time may be, in milliseconds (rule B4).
    pub future_limit_ms: u64,
    /// The most bytes of a block (rule B9).
    pub max_block_bytes: u32,
    /// How many blocks later a block's reward is credited; at least 1.
    pub maturity: u32,
    /// The part of the reward that falls, at its beginning.
    pub reward_initial: Amount,
    /// The number of blocks in which that part halves; at least 1.
    pub reward_half_life: u32,
    /// The part of the reward that stays.
    pub reward_tail: Amount,
    /// What the state begins with: at most 65,536 addresses, each once, each with something.
    pub allocations: Vec<(Address, Amount)>,
}

/// Why parameters don't make a chain.
#[derive(Debug, thiserror::Error)]
pub enum SpecError {
    /// Not JSON, or JSON of something else.
    #[error("the chain spec can't be read: {0}")]
    Json(#[from] serde_json::Error),
    /// A name is 1 to 16 of `a-z0-9-`.
    #[error("a chain's name is 1 to 16 of a-z, 0-9 and -")]
    Name,
    /// The prefix, or an address of the allocations.
    #[error("in the chain spec: {0}")]
    Address(#[from] AddressError),
    /// A compact target is `0x` and eight hex digits.
    #[error("a compact target is written as 0x and eight hex digits")]
    TargetForm,
    /// A compact target that is not one.
    #[error("in the chain spec: {0}")]
    Target(#[from] CompactTargetError),
    /// An amount in the file that is not one.
    #[error("in the chain spec: {0}")]
    Amount(#[from] AmountParseError),
    /// A number of base units above the maximum.
    #[error("in the chain spec: {0}")]
    AmountTooLarge(#[from] AmountTooLarge),
    /// The genesis target is easier than the limit.
    #[error("the genesis target is above the proof-of-work limit")]
    GenesisTargetAboveLimit,
    /// An interval of zero, or above the half-life, or a half-life above 2^40 ms.
    #[error("the interval is not within 1 ms and the half-life, or the half-life is above 2^40 ms")]
    Times,
    /// A block limit outside of 16 KiB to 4 MiB.
    #[error("the block limit is not within 16 KiB to 4 MiB")]
    BlockLimit,
    /// A maturity of zero: the reward of a block can't be spent in it.
    #[error("the maturity is zero")]
    Maturity,
    /// A half-life of zero blocks.
    #[error("the reward's half-life is zero")]
    RewardHalfLife,
    /// An address allocated twice, or nothing, or more than 65,536 of them.
    #[error("an allocation is empty or repeated, or there are too many")]
    Allocations,
    /// More could come to exist than an amount can hold.
    #[error("the supply would not stay below 2^53 base units")]
    Supply,
}

/// A chain: its parameters, checked, and its genesis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainSpec {
    parameters: Parameters,
    pow_limit: Target,
    genesis: Header,
    genesis_hash: BlockHash,
}

impl ChainSpec {
    /// The chain with these parameters.
    pub fn new(parameters: Parameters) -> Result<Self, SpecError> {
        let pow_limit = check(&parameters)?;
        let genesis = genesis_of(&parameters);
        Ok(Self { pow_limit, genesis, genesis_hash: genesis.hash(), parameters })
    }

    /// The chain in this JSON.
    pub fn from_json(json: &str) -> Result<Self, SpecError> {
        Self::new(spec_file::read(json)?)
    }

    /// The parameters as JSON, in the form that [`from_json`](Self::from_json) reads.
    pub fn to_json(&self) -> String {
        spec_file::write(&self.parameters)
    }

    /// The chain to try things on: blocks every five seconds, with little work.
    pub fn dev() -> Self {
        Self::from_json(include_str!("../specs/dev.json")).expect("the built-in chain is tested")
    }

    /// The chain to try the network on: blocks every minute.
    pub fn test() -> Self {
        Self::from_json(include_str!("../specs/test.json")).expect("the built-in chain is tested")
    }

    /// A built-in chain by its name.
    pub fn by_name(name: &str) -> Option<Self> {
        match name {
            "dev" => Some(Self::dev()),
            "test" => Some(Self::test()),
            _ => None,
        }
    }

    /// All parameters.
    pub const fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The genesis block. Its work is not checked.
    pub const fn genesis(&self) -> Block {
        Block { header: self.genesis, transactions: Vec::new() }
    }

    /// The genesis header.
    pub const fn genesis_header(&self) -> &Header {
        &self.genesis
    }

    /// The hash of the genesis: it names the chain and every parameter.
    pub const fn genesis_hash(&self) -> BlockHash {
        self.genesis_hash
    }

    /// What the chain is called.
    pub fn name(&self) -> &str {
        &self.parameters.name
    }

    /// What its addresses begin with.
    pub const fn prefix(&self) -> AddressPrefix {
        self.parameters.prefix
    }

    /// Intended time between blocks, in milliseconds.
    pub const fn interval_ms(&self) -> u64 {
        self.parameters.interval_ms
    }

    /// The time in which difficulty follows by a factor of two, in milliseconds.
    pub const fn half_life_ms(&self) -> u64 {
        self.parameters.half_life_ms
    }

    /// The easiest target allowed.
    pub const fn pow_limit(&self) -> Target {
        self.pow_limit
    }

    /// The target of the genesis and of blocks 1 and 2.
    pub const fn genesis_target(&self) -> CompactTarget {
        self.parameters.genesis_target
    }

    /// How far ahead of the clock a block's time may be, in milliseconds (rule B4).
    pub const fn future_limit_ms(&self) -> u64 {
        self.parameters.future_limit_ms
    }

    /// The most bytes of a block (rule B9).
    pub const fn max_block_bytes(&self) -> usize {
        self.parameters.max_block_bytes as usize
    }

    /// How many blocks later a block's reward is credited.
    pub const fn maturity(&self) -> u32 {
        self.parameters.maturity
    }

    /// The block whose reward is credited by the block at `height`, if there is one. The genesis has none.
    pub fn matured_height(&self, height: Height) -> Option<Height> {
        height.checked_sub(self.maturity()).filter(|matured| *matured > Height::GENESIS)
    }

    /// What the state begins with.
    pub fn allocations(&self) -> &[(Address, Amount)] {
        &self.parameters.allocations
    }
}

/// The most addresses a genesis can give something.
const MAX_ALLOCATIONS: usize = 65_536;

/// Checks the parameters and gives back the limit of proof of work.
fn check(parameters: &Parameters) -> Result<Target, SpecError> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !(1..=16).contains(&parameters.name.len()) || !parameters.name.bytes().all(allowed) {
        return Err(SpecError::Name);
    }
    if !(1..=parameters.half_life_ms).contains(&parameters.interval_ms) || parameters.half_life_ms > 1 << 40 {
        return Err(SpecError::Times);
    }
    let pow_limit = parameters.pow_limit.expand()?;
    if parameters.genesis_target.expand()? > pow_limit {
        return Err(SpecError::GenesisTargetAboveLimit);
    }
    if !(1 << 14..=1 << 22).contains(&parameters.max_block_bytes) {
        return Err(SpecError::BlockLimit);
    }
    if parameters.maturity == 0 {
        return Err(SpecError::Maturity);
    }
    if parameters.reward_half_life == 0 {
        return Err(SpecError::RewardHalfLife);
    }
    if !allocations_are_distinct(&parameters.allocations) {
        return Err(SpecError::Allocations);
    }
    if largest_supply(parameters) > u128::from(Amount::MAX.units()) {
        return Err(SpecError::Supply);
    }
    Ok(pow_limit)
}

fn allocations_are_distinct(allocations: &[(Address, Amount)]) -> bool {
    let given = allocations.iter().filter(|(_, amount)| !amount.is_zero());
    let distinct: BTreeMap<_, _> = given.copied().collect();
    distinct.len() == allocations.len() && allocations.len() <= MAX_ALLOCATIONS
}

/// More than all blocks of any height can bring into being.
///
/// The falling part sums to at most `initial * half_life / ln 2`, and `1 / ln 2` is below 1.5.
fn largest_supply(parameters: &Parameters) -> u128 {
    let units = |amount: Amount| u128::from(amount.units());
    let allocated: u128 = parameters.allocations.iter().map(|(_, amount)| units(*amount)).sum();
    let falling = units(parameters.reward_initial) * u128::from(parameters.reward_half_life) * 3 / 2;
    let tail = units(parameters.reward_tail) * u128::from(u32::MAX);
    allocated + falling + tail
}

fn genesis_of(parameters: &Parameters) -> Header {
    let accounts = parameters
        .allocations
        .iter()
        .map(|(address, balance)| (*address, Account { balance: *balance, ..Account::EMPTY }))
        .collect::<Vec<_>>();
    Header::new(HeaderFields {
        version: HEADER_VERSION,
        height: Height::GENESIS,
        parent: BlockHash::from_bytes(*spec_hash(parameters).as_bytes()),
        miner: Address::ZERO,
        tx_count: 0,
        tx_root: MerkleRoot::ZERO,
        state_root: StateRoot::of_accounts(accounts.iter().map(|(address, account)| (address, account))),
        history_root: HistoryRoot::ZERO,
        time: parameters.genesis_time,
        target: parameters.genesis_target,
        nonce: 0,
    })
}

fn spec_hash(parameters: &Parameters) -> SpecHash {
    let mut bytes = Vec::new();
    write_bytes(&mut bytes, parameters.name.as_bytes());
    write_bytes(&mut bytes, parameters.prefix.as_str().as_bytes());
    write_varint(&mut bytes, parameters.interval_ms);
    write_varint(&mut bytes, parameters.half_life_ms);
    write_varint(&mut bytes, parameters.genesis_time.millis());
    parameters.pow_limit.encode(&mut bytes);
    parameters.genesis_target.encode(&mut bytes);
    write_varint(&mut bytes, parameters.future_limit_ms);
    write_varint(&mut bytes, u64::from(parameters.max_block_bytes));
    write_varint(&mut bytes, u64::from(parameters.maturity));
    parameters.reward_initial.encode(&mut bytes);
    write_varint(&mut bytes, u64::from(parameters.reward_half_life));
    parameters.reward_tail.encode(&mut bytes);
    write_varint(&mut bytes, parameters.allocations.len() as u64);
    for (address, amount) in &parameters.allocations {
        address.encode(&mut bytes);
        amount.encode(&mut bytes);
    }
    SpecHash::from_bytes(Tag::Spec.hash(&[&bytes]))
}
