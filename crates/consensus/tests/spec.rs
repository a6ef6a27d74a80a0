//! The built-in chains, the JSON form, and what makes no chain.

use tabchain_consensus::{ChainSpec, Parameters, SpecError};
use tabchain_primitives::{
    Account, Address, Amount, BlockHash, CompactTarget, CompactTargetError, Height, StateRoot, Target,
};
#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

#[cfg(target_family = "wasm")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);

fn dev_with(change: impl FnOnce(&mut Parameters)) -> Result<ChainSpec, SpecError> {
    let mut parameters = ChainSpec::dev().parameters().clone();
    change(&mut parameters);
    ChainSpec::new(parameters)
}

fn units(units: u64) -> Amount {
    Amount::from_units(units).expect("in range")
}

/// Frozen: these hashes name the chains. They change only with a parameter, and then the chain is another.
#[test]
fn built_in_chains_keep_their_names() {
    let genesis = |name| ChainSpec::by_name(name).expect("built in").genesis_hash().to_string();
    assert_eq!(genesis("dev"), "a6d50edd5228adacc2f6846d29ef7d588aeb622fda0276d48c9ee4670b554307");
    assert_eq!(genesis("test"), "8fc6194e81a6bc975de7ad65d9eb1c7ece7593719d6f080991422a9d22febc92");
    assert_eq!(ChainSpec::by_name("main"), None);
}

#[test]
fn the_genesis_is_as_written() {
    let spec = ChainSpec::dev();
    let block = spec.genesis();
    assert_eq!(block.hash(), spec.genesis_hash());
    assert_eq!(
        (block.header.version(), block.header.height(), block.header.nonce()),
        (1, Height::GENESIS, 0)
    );
    assert_eq!(block.header.state_root(), StateRoot::ZERO);
    assert_eq!(block.header.target().bits(), 0x1e0f_ffff);
    assert_eq!(block.header.time().millis(), 1_790_000_000_000);
    assert_ne!(block.header.parent(), BlockHash::ZERO, "it holds the spec hash");
    assert_eq!(spec.pow_limit(), CompactTarget::from_bits(0x1f00_ffff).expand().expect("a target"));
    assert!(spec.pow_limit() < Target::MAX);
}

#[test]
fn specs_come_back_from_json() {
    let address = Address::from_bytes([3; 20]);
    let with_allocation =
        dev_with(|spec| spec.allocations = vec![(address, units(1_500_000))]).expect("good");
    let expected = Account { balance: units(1_500_000), ..Account::EMPTY };
    assert_eq!(
        with_allocation.genesis_header().state_root(),
        StateRoot::of_accounts([(&address, &expected)])
    );
    assert!(with_allocation.to_json().contains("\"1.5\""));
    for spec in [ChainSpec::dev(), ChainSpec::test(), with_allocation] {
        assert_eq!(ChainSpec::from_json(&spec.to_json()).expect("its own form"), spec);
    }
}

/// Two specs that differ anywhere share no block.
#[test]
fn every_parameter_is_in_the_genesis_hash() {
    let changes: [fn(&mut Parameters); 14] = [
        |spec| spec.name = "dev2".into(),
        |spec| spec.prefix = "ttab".parse().expect("letters"),
        |spec| spec.interval_ms += 1,
        |spec| spec.half_life_ms += 1,
        |spec| spec.genesis_time = spec.genesis_time.saturating_add(1),
        |spec| spec.pow_limit = CompactTarget::from_bits(0x1f00_fffe),
        |spec| spec.genesis_target = CompactTarget::from_bits(0x1e0f_fffe),
        |spec| spec.future_limit_ms += 1,
        |spec| spec.max_block_bytes += 1,
        |spec| spec.maturity += 1,
        |spec| spec.reward_initial = units(1),
        |spec| spec.reward_half_life += 1,
        |spec| spec.reward_tail = units(1),
        |spec| spec.allocations = vec![(Address::ZERO, units(1))],
    ];
    let mut hashes = vec![ChainSpec::dev().genesis_hash()];
    hashes.extend(changes.map(|change| dev_with(change).expect("good").genesis_hash()));
    let count = hashes.len();
    hashes.sort();
    hashes.dedup();
    assert_eq!(hashes.len(), count);
}

#[test]
fn impossible_parameters_are_refused() {
    macro_rules! refused {
        ($change:expr, $error:pat) => {
            let result = dev_with($change);
            assert!(matches!(result, Err($error)), "{} gave {result:?}", stringify!($error));
        };
    }
    refused!(|spec| spec.name = String::new(), SpecError::Name);
    refused!(|spec| spec.name = "Dev".into(), SpecError::Name);
    refused!(|spec| spec.name = "seventeen-letters".into(), SpecError::Name);
    refused!(|spec| spec.interval_ms = 0, SpecError::Times);
    refused!(|spec| spec.interval_ms = spec.half_life_ms + 1, SpecError::Times);
    refused!(|spec| spec.half_life_ms = (1 << 40) + 1, SpecError::Times);
    refused!(
        |spec| spec.pow_limit = CompactTarget::from_bits(0),
        SpecError::Target(CompactTargetError::Zero)
    );
    refused!(
        |spec| spec.genesis_target = CompactTarget::from_bits(0x1f01_0000),
        SpecError::GenesisTargetAboveLimit
    );
    refused!(|spec| spec.max_block_bytes = 1, SpecError::BlockLimit);
    refused!(|spec| spec.maturity = 0, SpecError::Maturity);
    refused!(|spec| spec.reward_half_life = 0, SpecError::RewardHalfLife);
    refused!(|spec| spec.allocations = vec![(Address::ZERO, Amount::ZERO)], SpecError::Allocations);
    refused!(|spec| spec.allocations = vec![(Address::ZERO, units(1)); 2], SpecError::Allocations);
    refused!(|spec| spec.allocations = vec![(Address::ZERO, Amount::MAX)], SpecError::Supply);
    refused!(|spec| spec.reward_tail = units(3_000_000), SpecError::Supply);
}

#[test]
fn other_json_is_refused() {
    let json = ChainSpec::dev().to_json();
    let refused = |from: &str, to: &str| {
        assert!(json.contains(from), "{from}");
        ChainSpec::from_json(&json.replace(from, to)).expect_err(to)
    };
    assert!(matches!(refused("\"maturity\"", "\"maturities\""), SpecError::Json(_)));
    assert!(matches!(refused("5000,", "5000.5,"), SpecError::Json(_)));
    assert!(matches!(refused("0x1f00ffff", "1f00ffff"), SpecError::TargetForm));
    assert!(matches!(refused("0x1f00ffff", "0x1f00fffg"), SpecError::TargetForm));
    assert!(matches!(
        refused("0x1f00ffff", "0x1f0000ff"),
        SpecError::Target(CompactTargetError::NotCanonical)
    ));
    assert!(matches!(refused("\"dtab\"", "\"D\""), SpecError::Address(_)));
    assert!(matches!(refused("50000000", "9007199254740992"), SpecError::AmountTooLarge(_)));
    assert!(matches!(refused("[]", "[[\"dtab1\", \"1\"]]"), SpecError::Address(_)));
}
