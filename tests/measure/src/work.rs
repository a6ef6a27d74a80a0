//! Proof of work for many easy blocks, on all cores: the lowest nonce wins, so the outcome is always the same.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use sha2::block_api::compress256;
use tabchain_primitives::Header;

/// SHA-256's first state.
const INITIAL: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];
const CHUNK: usize = 64;
/// Where the nonce stands in the last chunk.
const NONCE: usize = 44;
/// Nonces that a thread tries before it looks whether another was luckier.
const TURN: u64 = 4_096;

/// The header with the lowest nonce that does its work.
pub(crate) fn solve(header: Header) -> Header {
    let search = Search::new(&header);
    let threads = thread::available_parallelism().map_or(1, |count| count.get() as u64);
    let lowest = AtomicU64::new(u64::MAX);
    thread::scope(|scope| {
        for first in 0..threads {
            let (search, lowest) = (&search, &lowest);
            scope.spawn(move || search.run(first * TURN, threads * TURN, lowest));
        }
    });
    let solved = header.with_nonce(lowest.into_inner());
    debug_assert!(search.target.is_met_by(&solved.hash()), "both ways of hashing agree");
    solved
}

struct Search {
    /// The state after the chunks that no nonce changes.
    midstate: [u32; 8],
    last: [u8; CHUNK],
    target: tabchain_primitives::Target,
    /// The target's first word: nearly every hash is above it.
    top: u32,
}

impl Search {
    fn new(header: &Header) -> Self {
        let bytes = header.to_array();
        let (chunks, rest) = bytes.as_chunks::<CHUNK>();
        let mut midstate = INITIAL;
        compress256(&mut midstate, chunks);
        let mut last = [0; CHUNK];
        last[..rest.len()].copy_from_slice(rest);
        last[rest.len()] = 0x80;
        last[CHUNK - 8..].copy_from_slice(&(8 * bytes.len() as u64).to_be_bytes());
        let target = header.target().expand().expect("a prepared header has a target");
        let top = u32::from_be_bytes(*target.to_be_bytes().first_chunk().expect("a target has 32 bytes"));
        Self { midstate, last, target, top }
    }

    /// Tries a turn of nonces every `stride`, until this or another thread has found a lower one.
    fn run(&self, first: u64, stride: u64, lowest: &AtomicU64) {
        let mut turns = (first..).step_by(usize::try_from(stride).expect("a few turns"));
        while let Some(begin) = turns.next()
            && begin < lowest.load(Ordering::Relaxed)
        {
            if let Some(nonce) = (begin..begin + TURN).find(|&nonce| self.wins(nonce)) {
                lowest.fetch_min(nonce, Ordering::Relaxed);
                return;
            }
        }
    }

    fn wins(&self, nonce: u64) -> bool {
        let mut last = self.last;
        last[NONCE..NONCE + 8].copy_from_slice(&nonce.to_le_bytes());
        let mut state = self.midstate;
        compress256(&mut state, &[last]);
        let mut second = [0; CHUNK];
        for (bytes, word) in second.as_chunks_mut::<4>().0.iter_mut().zip(state) {
            *bytes = word.to_be_bytes();
        }
        second[32] = 0x80;
        second[CHUNK - 2..].copy_from_slice(&256_u16.to_be_bytes());
        let mut state = INITIAL;
        compress256(&mut state, &[second]);
        state[0] <= self.top && self.meets(&state)
    }

    fn meets(&self, state: &[u32; 8]) -> bool {
        let mut hash = [0; 32];
        for (bytes, word) in hash.as_chunks_mut::<4>().0.iter_mut().zip(state) {
            *bytes = word.to_be_bytes();
        }
        hash <= self.target.to_be_bytes()
    }
}

#[cfg(test)]
mod tests {
    use tabchain_chain::{Chain, testing};
    use tabchain_primitives::Address;

    use super::*;

    #[test]
    fn the_lowest_nonce_is_found() {
        let chain = Chain::new(testing::spec());
        for time in 0..20 {
            let time = chain.tip().header.time().saturating_add(1 + time);
            let header = chain.prepare_header(Address::ZERO, &[], time).expect("an empty block");
            assert_eq!(solve(header), testing::solve(header));
        }
    }
}
