//! Randomness from a seed: the same seed makes the same choices, and without it nobody can foresee them.

use sha2::{Digest, Sha256};

/// Numbers drawn from a seed: SHA-256 over the seed and a counter. Made for few and weighty draws, not for speed.
#[derive(Clone, Debug)]
pub struct Rng {
    seed: [u8; 32],
    drawn: u64,
}

impl Rng {
    /// Draws from `seed`, from the start.
    pub const fn new(seed: [u8; 32]) -> Self {
        Self { seed, drawn: 0 }
    }

    /// Any number.
    pub fn draw(&mut self) -> u64 {
        let digest: [u8; 32] =
            Sha256::new().chain_update(self.seed).chain_update(self.drawn.to_le_bytes()).finalize().into();
        self.drawn += 1;
        u64::from_le_bytes(*digest.first_chunk().expect("a digest is longer than a number"))
    }

    /// A number below `bound`, which is not zero.
    pub fn below(&mut self, bound: usize) -> usize {
        let drawn = u128::from(self.draw()) * bound as u128;
        usize::try_from(drawn >> 64).expect("below the bound")
    }

    /// A number from 0 up to, without, 1.
    #[allow(clippy::cast_precision_loss)]
    pub fn unit(&mut self) -> f64 {
        (self.draw() >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_says_it_all() {
        let draw = |seed| {
            let mut rng = Rng::new([seed; 32]);
            (0..4).map(|_| rng.below(1000)).collect::<Vec<_>>()
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        assert!(draw(3).iter().all(|&drawn| drawn < 1000));
    }
}
