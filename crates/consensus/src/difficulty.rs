//! Difficulty: ASERT in relative form, every block from its parent (section 6 of `docs/protocol.md`).
//!
//! The integer arithmetic is that of aserti3-2d, which Bitcoin Cash published: an exponent in 1/65536, its whole
//! part applied as a shift, its fraction through a cubic polynomial. Integers only, so that every machine agrees.

use tabchain_primitives::{CompactTarget, Header, Height, Target, U256};

use crate::spec::ChainSpec;

/// The solve time that counts at most, in half-lives: one block never eases the target more than 16-fold.
const LONGEST_SOLVE_HALF_LIVES: u64 = 4;

/// The target of the block above `parent` (rule B5).
///
/// `grandparent` is the block below `parent`. It is not asked for while the chain is at its start, where targets are
/// fixed.
///
/// # Panics
/// If a parent above height 1 comes without the block below it.
pub fn next_target(spec: &ChainSpec, parent: &Header, grandparent: Option<&Header>) -> CompactTarget {
    // The genesis time was set in advance, so the time from there to block 1 says nothing about hash rate.
    if parent.height() <= Height::new(1) {
        return spec.genesis_target();
    }
    let grandparent = grandparent.expect("a parent above height 1 has a parent");
    let solve_time =
        parent.time().since(grandparent.time()).min(LONGEST_SOLVE_HALF_LIVES * spec.half_life_ms());
    let exponent = Exponent::of_ratio(signed(solve_time) - signed(spec.interval_ms()), spec.half_life_ms());
    // A parent that was checked has a target that expands; anything else is as if it had the easiest.
    let reference = parent.target().expand().unwrap_or(spec.pow_limit());
    scale(reference, exponent).min(spec.pow_limit()).to_compact()
}

/// A power of two's exponent, in 1/65536.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exponent(i64);

impl Exponent {
    /// `dividend / divisor`, truncated toward zero to 1/65536.
    pub(crate) fn of_ratio(dividend: i64, divisor: u64) -> Self {
        Self(dividend * 65_536 / signed(divisor))
    }

    /// The exponent as `2^whole * factor / 65536`, with a factor of at least 65536 and less than 131072.
    pub(crate) fn split(self) -> (i64, u64) {
        let whole = self.0 >> 16;
        (whole, factor((self.0 - (whole << 16)).unsigned_abs()))
    }
}

/// `65536 * 2^(fraction / 65536)` for a fraction below 65536, within 0.013 %.
///
/// The largest sum is just below 2^64: the constants were made for it.
const fn factor(fraction: u64) -> u64 {
    let cubic = 195_766_423_245_049 * fraction
        + 971_821_376 * fraction * fraction
        + 5127 * fraction * fraction * fraction
        + (1 << 47);
    65_536 + (cubic >> 48)
}

/// Holds a target times a factor of 17 bits.
type Wide = ruint::Uint<320, 5>;

/// `reference * 2^exponent` rounded down, within 1 and the largest target. The exponent is at most 16.
fn scale(reference: Target, exponent: Exponent) -> Target {
    let (whole, factor) = exponent.split();
    let product = Wide::from(reference.value()) * Wide::from(factor);
    let bits = usize::try_from(16 - whole).expect("the exponent is at most 16");
    let scaled: U256 = product.wrapping_shr(bits).saturating_to();
    Target::new(scaled.max(U256::ONE)).expect("it is at least one")
}

/// A duration of the spec, whose bounds keep it and its multiples far below 2^63.
fn signed(millis: u64) -> i64 {
    i64::try_from(millis).expect("durations of a spec are below 2^40")
}

#[cfg(test)]
mod tests {
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    /// The half-life for which aserti3-2d is named, in seconds.
    const TWO_DAYS: u64 = 172_800;

    fn compact(bits: u32) -> Target {
        CompactTarget::from_bits(bits).expand().expect("a target")
    }

    /// The compact target after a schedule was missed by so many seconds.
    fn after(reference: Target, seconds_late: i64) -> u32 {
        scale(reference, Exponent::of_ratio(seconds_late, TWO_DAYS)).to_compact().bits()
    }

    /// The target of a published run, whose anchor is block 1: it began at time 0 and means ten minutes a block.
    fn of_run(start: u32, height: i64, time: i64) -> u32 {
        after(compact(start), time - 600 * height)
    }

    /// Runs 1 to 3 of the published vectors: on schedule nothing changes, at the limit, anywhere, or at one.
    #[test]
    fn published_runs_on_schedule() {
        for start in [0x1d00_ffff, 0x1a2b_3c4d, 0x0101_0000] {
            for height in 2..=11 {
                assert_eq!(of_run(start, height, 600 * height), start);
            }
        }
    }

    /// Run 4, as far as a relative exponent can go: each block a half-life late, so that the target doubles from 1.
    #[test]
    fn published_run_of_doublings() {
        let published = [
            0x0102_0000,
            0x0104_0000,
            0x0108_0000,
            0x0110_0000,
            0x0120_0000,
            0x0140_0000,
            0x0200_8000,
            0x0201_0000,
            0x0202_0000,
            0x0204_0000,
            0x0208_0000,
            0x0210_0000,
            0x0220_0000,
            0x0240_0000,
            0x0300_8000,
            0x0301_0000,
        ];
        for (step, expected) in (1..).zip(published) {
            assert_eq!(of_run(0x0101_0000, 1 + step, 600 + 173_400 * step), expected, "at step {step}");
        }
    }

    /// Blocks of run 6: random solve times under a steady hash rate. Height, time, target.
    #[test]
    fn published_run_of_random_times() {
        let published = [
            (3, 1_310, 0x1802_ad91),
            (4, 1_327, 0x1802_abf8),
            (5, 1_739, 0x1802_ab73),
            (6, 2_219, 0x1802_ab20),
            (8, 2_746, 0x1802_a94b),
            (99, 61_973, 0x1802_b60b),
            (168, 97_176, 0x1802_a505),
            (200, 125_018, 0x1802_bce8),
            (305, 195_282, 0x1802_d1a9),
            (430, 261_956, 0x1802_b9ec),
            (505, 304_333, 0x1802_b298),
            (575, 358_636, 0x1802_d597),
            (620, 378_438, 0x1802_c0ec),
        ];
        for (height, time, expected) in published {
            assert_eq!(of_run(0x1802_aee8, height, time), expected, "at height {height}");
        }
    }

    /// Blocks of run 8, as far: random solve times while the hash rate falls away; both sides of each carry.
    #[test]
    fn published_run_of_a_falling_hash_rate() {
        let published = [
            (9, 7_099, 0x1802_b39c),
            (22, 33_606, 0x1802_e994),
            (40, 76_909, 0x1803_514b),
            (64, 138_133, 0x1804_00bd),
            (98, 317_896, 0x1807_95e1),
            (126, 498_904, 0x180e_a828),
            (156, 739_713, 0x1823_d4b2),
            (186, 1_073_114, 0x187e_f4ed),
            (187, 1_078_358, 0x1900_8158),
            (231, 1_751_314, 0x1906_c238),
            (257, 2_211_109, 0x1928_27b2),
            (280, 2_501_718, 0x1979_dde2),
            (281, 2_529_858, 0x1a00_881c),
        ];
        for (height, time, expected) in published {
            assert_eq!(of_run(0x1802_aee8, height, time), expected, "at height {height}");
        }
    }

    /// Runs 9 and 10 of the published aserti3-2d vectors: ten blocks, each 300 s too early or too late.
    #[test]
    fn published_runs_of_small_steps() {
        let start = compact(0x1802_aee8);
        let early = [0xae16, 0xad44, 0xac71, 0xab9e, 0xaacd, 0xa9fa, 0xa929, 0xa858, 0xa787, 0xa6b7];
        let late = [0xafbb, 0xb08f, 0xb166, 0xb23a, 0xb30e, 0xb3e5, 0xb4bb, 0xb592, 0xb669, 0xb73d];
        for (step, (early, late)) in (1..).zip(early.into_iter().zip(late)) {
            assert_eq!(after(start, -300 * step), 0x1802_0000 | early, "{step} steps early");
            assert_eq!(after(start, 300 * step), 0x1802_0000 | late, "{step} steps late");
        }
    }

    /// Run 5 of the published vectors: 288 more blocks without time halve the target, down to 1 and no further.
    #[test]
    fn published_run_down_to_one() {
        let published = [
            (2, 0x1d00_fec5),
            (290, 0x1c7f_62c0),
            (578, 0x1c3f_b160),
            (2306, 0x1c00_fec5),
            (32_258, 0x0f00_fec5),
            (59_906, 0x0300_fec5),
            (60_194, 0x027f_6200),
            (62_498, 0x017f_0000),
            (63_938, 0x0103_0000),
            (64_226, 0x0101_0000),
            (64_514, 0x0101_0000),
        ];
        for (height, expected) in published {
            assert_eq!(after(compact(0x1d00_ffff), -600 * height), expected, "at height {height}");
        }
    }

    /// Cases of the published unit tests: exact halvings of a target with all bits set, and 300 s early.
    #[test]
    fn published_cases_of_a_full_target() {
        let full = Target::new(U256::MAX >> 32).expect("not zero");
        let scaled = |seconds| scale(full, Exponent::of_ratio(seconds, TWO_DAYS)).value();
        assert_eq!(scaled(0), full.value());
        assert_eq!(scaled(-172_800), full.value() >> 1);
        assert_eq!(scaled(-2 * 172_800), full.value() >> 2);
        assert_eq!(scaled(-300), U256::from_limbs([u64::MAX, u64::MAX, u64::MAX, 0xffb1_ffff]));
        let blocks = |count: i64| scaled(-600 * count);
        assert_eq!(blocks(2 * (256 - 34) * 144 + 119), U256::from(3));
        assert_eq!(blocks(2 * (256 - 34) * 144 + 120), U256::from(2));
        assert_eq!(blocks(2 * (256 - 33) * 144 - 1), U256::from(2));
        assert_eq!(blocks(2 * (256 - 33) * 144), U256::ONE);
        assert_eq!(blocks(2 * (256 - 32) * 144), U256::ONE);
    }

    /// Rises with every fraction, meets its ends, and is exact to 0.013 % in the middle.
    #[test]
    fn the_factor_is_a_power_of_two() {
        assert_eq!(factor(0), 65_536);
        let all: Vec<u64> = (0..65_536).map(factor).collect();
        assert!(all.is_sorted());
        assert!(all[65_535] < 131_072);
        for (fraction, low) in all.iter().enumerate().skip(1) {
            // 2^x * 2^(1 - x) = 2.
            let product = low * all[65_536 - fraction];
            assert!(product.abs_diff(1 << 33) < (1 << 33) / 3800, "at {fraction}");
        }
    }

    /// The whole part is a floor, so that the fraction is never negative.
    #[test]
    fn exponents_split_downward() {
        assert_eq!(Exponent::of_ratio(1, 1).split(), (1, 65_536));
        assert_eq!(Exponent::of_ratio(-1, 1).split(), (-1, 65_536));
        assert_eq!(Exponent::of_ratio(-1, 65_536).split(), (-1, factor(65_535)));
        // Truncated toward zero: less than 1/65536 is nothing, either way.
        assert_eq!(Exponent::of_ratio(-1, 65_537).split(), (0, 65_536));
        assert_eq!(Exponent::of_ratio(1, 65_537).split(), (0, 65_536));
    }

    /// The easiest of all targets does not overflow on its way.
    #[test]
    fn the_largest_target_stays() {
        assert_eq!(scale(Target::MAX, Exponent::of_ratio(16, 1)), Target::MAX);
        assert_eq!(scale(Target::MAX, Exponent::of_ratio(0, 1)), Target::MAX);
        assert_eq!(scale(Target::MAX, Exponent::of_ratio(-1, 1)).value(), U256::MAX >> 1);
    }
}
