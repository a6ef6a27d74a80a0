//! The reward of a block: a smooth fall to a small tail (section 5 of `docs/protocol.md`).

use tabchain_primitives::{Amount, Height};

use crate::{difficulty::Exponent, spec::ChainSpec};

/// What the miner of the block at `height` gets once the block has matured; nothing for a genesis.
///
/// It never rises with the height, has no cliffs, and ends at the spec's tail.
pub fn reward(spec: &ChainSpec, height: Height) -> Amount {
    if height == Height::GENESIS {
        return Amount::ZERO;
    }
    let parameters = spec.parameters();
    let exponent = Exponent::of_ratio(-i64::from(height.value()), u64::from(parameters.reward_half_life));
    let (whole, factor) = exponent.split();
    let product = u128::from(parameters.reward_initial.units()) * u128::from(factor);
    let bits = u32::try_from(16 - whole).expect("a height has 32 bits, and so has its number of half-lives");
    let falling =
        u64::try_from(product.checked_shr(bits).unwrap_or(0)).expect("it is at most the initial reward");
    let falling = Amount::from_units(falling).expect("it is at most the initial reward");
    falling.checked_add(parameters.reward_tail).expect("a spec bounds the supply, and so each reward")
}

#[cfg(test)]
mod tests {
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn at(spec: &ChainSpec, height: u32) -> u64 {
        reward(spec, Height::new(height)).units()
    }

    #[test]
    fn rewards_fall_from_the_first_to_the_tail() {
        let spec = ChainSpec::dev();
        assert_eq!(at(&spec, 0), 0, "a genesis pays nobody");
        assert_eq!(at(&spec, 1), 50_500_000);
        assert_eq!(at(&spec, 1_051_200), 25_500_000, "half of the falling part after a half-life");
        assert_eq!(at(&spec, 2 * 1_051_200), 13_000_000);
        assert_eq!(at(&spec, u32::MAX), 500_000);
    }

    #[test]
    fn rewards_never_rise() {
        let spec = ChainSpec::dev();
        let heights = (1..200_000).chain((200_000..60_000_000).step_by(997)).chain([u32::MAX - 1, u32::MAX]);
        assert!(heights.map(|height| at(&spec, height)).is_sorted_by(|earlier, later| earlier >= later));
    }

    /// No cliff: a block's reward is at most two 65536ths of the falling part below the one before.
    #[test]
    fn rewards_have_no_cliffs() {
        let spec = ChainSpec::dev();
        for height in 1..3_000_000 {
            let step = at(&spec, height) - at(&spec, height + 1);
            assert!(step <= 2 * 50_000_000 / 65_536, "{step} at {height}");
        }
    }

    /// The supply of every u32 height, bounded by taking each stretch of blocks at its first, largest reward.
    #[test]
    fn supply_stays_below_the_largest_amount() {
        let spec = ChainSpec::dev();
        let stretch = 1 << 16;
        let bound: u64 = (0..=u32::MAX / stretch)
            .map(|part| u64::from(stretch) * at(&spec, (part * stretch).max(1)))
            .sum();
        assert!(bound <= Amount::MAX.units());
        assert!(bound > 2_147_000_000_000_000, "the tail alone is more");
    }
}
