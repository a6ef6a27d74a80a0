//! The compression of SHA-256 (FIPS 180-4) over four lanes, split so that a caller can run some rounds once and the rest
//! often.

use super::lanes::U32x4;

/// A SHA-256 chaining value or working state, one word a lane vector.
pub type State = [U32x4; 8];

/// A block, or the window of the message schedule.
pub type Words = [U32x4; 16];

/// SHA-256's state before anything (FIPS 180-4, 5.3.3).
pub const INITIAL: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

#[rustfmt::skip]
const ROUND: [u32; 64] = [
    0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5,
    0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174,
    0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da,
    0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7, 0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967,
    0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85,
    0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070,
    0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
    0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2,
];

/// The same eight words in every lane.
#[must_use]
pub fn splat(words: [u32; 8]) -> State {
    words.map(U32x4::splat)
}

/// One whole compression: `chain` after the chunk `words`.
#[inline(always)]
#[must_use]
pub fn compress(chain: &State, words: Words) -> State {
    add(chain, &rounds::<0>(*chain, words))
}

/// Rounds `FROM..64`, with `FROM` below 16. `state` has been through the rounds before it; `words` is the chunk.
#[inline(always)]
#[must_use]
pub fn rounds<const FROM: usize>(mut state: State, mut words: Words) -> State {
    for t in FROM..16 {
        state = round(state, words[t], ROUND[t]);
    }
    for t in 16..64 {
        words[t % 16] = small_sigma1(words[(t - 2) % 16])
            + words[(t - 7) % 16]
            + small_sigma0(words[(t - 15) % 16])
            + words[t % 16];
        state = round(state, words[t % 16], ROUND[t]);
    }
    state
}

/// A compression whose block is the same for all: [`scheduled`] has prepared it.
#[inline(always)]
#[must_use]
pub(super) fn compress_scheduled(chain: &State, schedule: &[u32; 64]) -> State {
    let mut state = *chain;
    for constant in schedule {
        state = round_with(state, U32x4::splat(*constant));
    }
    add(chain, &state)
}

/// What each round of a block adds: its word of the message schedule and its constant.
#[must_use]
pub(super) const fn scheduled(block: [u32; 16]) -> [u32; 64] {
    let mut words = [0_u32; 64];
    let mut t = 0;
    while t < 64 {
        words[t] = if t < 16 {
            block[t]
        } else {
            let (two, fifteen) = (words[t - 2], words[t - 15]);
            let sigma1 = two.rotate_right(17) ^ two.rotate_right(19) ^ (two >> 10);
            let sigma0 = fifteen.rotate_right(7) ^ fifteen.rotate_right(18) ^ (fifteen >> 3);
            sigma1.wrapping_add(words[t - 7]).wrapping_add(sigma0).wrapping_add(words[t - 16])
        };
        t += 1;
    }
    while t > 0 {
        t -= 1;
        words[t] = words[t].wrapping_add(ROUND[t]);
    }
    words
}

/// Rounds `0..UNTIL`, with `UNTIL` at most 16.
#[must_use]
pub fn first_rounds<const UNTIL: usize>(mut state: State, words: &Words) -> State {
    for t in 0..UNTIL {
        state = round(state, words[t], ROUND[t]);
    }
    state
}

/// The feed-forward at the end of a compression.
#[inline(always)]
#[must_use]
pub fn add(chain: &State, state: &State) -> State {
    core::array::from_fn(|i| chain[i] + state[i])
}

#[inline(always)]
fn round(state: State, word: U32x4, constant: u32) -> State {
    round_with(state, U32x4::splat(constant) + word)
}

#[inline(always)]
#[expect(clippy::many_single_char_names, reason = "the letters of FIPS 180-4")]
fn round_with([a, b, c, d, e, f, g, h]: State, addend: U32x4) -> State {
    let big1 = e.rotate_right::<6>() ^ e.rotate_right::<11>() ^ e.rotate_right::<25>();
    let choose = g ^ (e & (f ^ g));
    let first = h + big1 + choose + addend;
    let big0 = a.rotate_right::<2>() ^ a.rotate_right::<13>() ^ a.rotate_right::<22>();
    let majority = b ^ ((a ^ b) & (b ^ c));
    [first + big0 + majority, a, b, c, d + first, e, f, g]
}

#[inline(always)]
fn small_sigma0(x: U32x4) -> U32x4 {
    x.rotate_right::<7>() ^ x.rotate_right::<18>() ^ x.shift_right::<3>()
}

#[inline(always)]
fn small_sigma1(x: U32x4) -> U32x4 {
    x.rotate_right::<17>() ^ x.rotate_right::<19>() ^ x.shift_right::<10>()
}
