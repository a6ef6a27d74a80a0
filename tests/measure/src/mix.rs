//! How large blocks are: mostly small ones, some larger, a few full.

use tabchain_sync::Rng;

/// How many transactions the next block holds, about ten in the mean; `full` is as many as one can hold.
pub(crate) fn transactions(rng: &mut Rng, full: usize) -> usize {
    match rng.below(1_000) {
        0 => full,
        1..=20 => 40 + rng.below(160),
        21..=120 => 0,
        _ => small(rng),
    }
}

/// 1 to 20, fewer more often than many.
fn small(rng: &mut Rng) -> usize {
    1 + rng.below(20).min(rng.below(20))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_blocks_hold_about_ten_thousand_transactions() {
        let mut rng = Rng::new([1; 32]);
        let total: usize = (0..50_000).map(|_| transactions(&mut rng, 1_900)).sum();
        assert!((9..12).contains(&(total / 50_000)), "{total}");
    }
}
