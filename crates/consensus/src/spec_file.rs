//! The JSON form of a chain spec.
//!
//! Durations are milliseconds and rewards base units, as numbers; compact targets are text such as `"0x1f00ffff"`;
//! an allocation is a pair of an address and an amount in TAB, both text: `["dtab1...", "1000.5"]`.

use serde::{Deserialize, Serialize};
use tabchain_primitives::{Address, AddressPrefix, Amount, CompactTarget, Timestamp};

use crate::spec::{Parameters, SpecError};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SpecFile {
    name: String,
    prefix: String,
    interval_ms: u64,
    half_life_ms: u64,
    genesis_time_ms: u64,
    pow_limit: String,
    genesis_target: String,
    future_limit_ms: u64,
    max_block_bytes: u32,
    maturity: u32,
    reward_initial: u64,
    reward_half_life: u32,
    reward_tail: u64,
    allocations: Vec<(String, String)>,
}

pub(crate) fn read(json: &str) -> Result<Parameters, SpecError> {
    let file: SpecFile = serde_json::from_str(json)?;
    let prefix: AddressPrefix = file.prefix.parse()?;
    let allocation = |(address, amount): (String, String)| -> Result<(Address, Amount), SpecError> {
        Ok((Address::parse(prefix, &address)?, amount.parse()?))
    };
    Ok(Parameters {
        name: file.name,
        prefix,
        interval_ms: file.interval_ms,
        half_life_ms: file.half_life_ms,
        genesis_time: Timestamp::from_millis(file.genesis_time_ms),
        pow_limit: read_target(&file.pow_limit)?,
        genesis_target: read_target(&file.genesis_target)?,
        future_limit_ms: file.future_limit_ms,
        max_block_bytes: file.max_block_bytes,
        maturity: file.maturity,
        reward_initial: Amount::from_units(file.reward_initial)?,
        reward_half_life: file.reward_half_life,
        reward_tail: Amount::from_units(file.reward_tail)?,
        allocations: file.allocations.into_iter().map(allocation).collect::<Result<_, _>>()?,
    })
}

pub(crate) fn write(parameters: &Parameters) -> String {
    let allocation =
        |(address, amount): &(Address, Amount)| (address.to_bech32(parameters.prefix), amount.to_string());
    let file = SpecFile {
        name: parameters.name.clone(),
        prefix: parameters.prefix.to_string(),
        interval_ms: parameters.interval_ms,
        half_life_ms: parameters.half_life_ms,
        genesis_time_ms: parameters.genesis_time.millis(),
        pow_limit: parameters.pow_limit.to_string(),
        genesis_target: parameters.genesis_target.to_string(),
        future_limit_ms: parameters.future_limit_ms,
        max_block_bytes: parameters.max_block_bytes,
        maturity: parameters.maturity,
        reward_initial: parameters.reward_initial.units(),
        reward_half_life: parameters.reward_half_life,
        reward_tail: parameters.reward_tail.units(),
        allocations: parameters.allocations.iter().map(allocation).collect(),
    };
    serde_json::to_string_pretty(&file).expect("a struct of numbers and text has a JSON form")
}

fn read_target(text: &str) -> Result<CompactTarget, SpecError> {
    let digits = text.strip_prefix("0x").filter(|digits| digits.len() == 8).ok_or(SpecError::TargetForm)?;
    u32::from_str_radix(digits, 16).map(CompactTarget::from_bits).map_err(|_| SpecError::TargetForm)
}
