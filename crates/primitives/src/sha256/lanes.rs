//! Four 32-bit lanes that move together: a 128-bit vector on wasm32 (built with `simd128`), elsewhere a plain array.

use core::{
    array::from_fn,
    ops::{Add, BitAnd, BitXor, Not},
};

pub use imp::U32x4;

/// How many there are.
pub const LANES: usize = 4;

impl U32x4 {
    /// Rotates every lane right.
    #[inline(always)]
    #[must_use]
    pub fn rotate_right<const BITS: u32>(self) -> Self {
        self.shift_right::<BITS>() ^ self.shift_left(32 - BITS)
    }
}

#[cfg(target_feature = "simd128")]
mod imp {
    use core::arch::wasm32::{
        i8x16_shuffle, i32x4_add, i32x4_shuffle, u32x4, u32x4_extract_lane, u32x4_shl, u32x4_shr,
        u32x4_splat, u64x2, u64x2_extract_lane, v128, v128_and, v128_not, v128_xor,
    };

    use super::{Add, BitAnd, BitXor, LANES, Not, from_fn};

    /// Four lanes.
    #[derive(Clone, Copy, Debug)]
    pub struct U32x4(v128);

    impl U32x4 {
        /// The same in every lane.
        #[inline(always)]
        #[must_use]
        pub fn splat(value: u32) -> Self {
            Self(u32x4_splat(value))
        }

        /// One value for each lane.
        #[inline(always)]
        #[must_use]
        pub fn new([a, b, c, d]: [u32; LANES]) -> Self {
            Self(u32x4(a, b, c, d))
        }

        /// What is in each lane.
        #[inline(always)]
        #[must_use]
        pub fn to_array(self) -> [u32; LANES] {
            let Self(v) = self;
            [
                u32x4_extract_lane::<0>(v),
                u32x4_extract_lane::<1>(v),
                u32x4_extract_lane::<2>(v),
                u32x4_extract_lane::<3>(v),
            ]
        }

        /// Shifts every lane right.
        #[inline(always)]
        #[must_use]
        pub fn shift_right<const BITS: u32>(self) -> Self {
            Self(u32x4_shr(self.0, BITS))
        }

        /// Shifts every lane left by fewer than 32 bits.
        #[inline(always)]
        #[must_use]
        pub fn shift_left(self, bits: u32) -> Self {
            Self(u32x4_shl(self.0, bits))
        }

        /// Reads big-endian words: those of each row go into a lane of their own.
        #[inline(always)]
        #[must_use]
        pub fn read(rows: [&[u8; 16]; LANES]) -> [Self; 4] {
            transpose(rows.map(|row| {
                let half = |at: usize| u64::from_le_bytes(from_fn(|byte| row[at + byte]));
                swap_bytes(u64x2(half(0), half(8)))
            }))
            .map(Self)
        }

        /// Writes what [`U32x4::read`] reads.
        #[inline(always)]
        #[must_use]
        pub fn write(words: [Self; 4]) -> [[u8; 16]; LANES] {
            transpose(words.map(|word| word.0)).map(|row| {
                let row = swap_bytes(row);
                let halves = [u64x2_extract_lane::<0>(row), u64x2_extract_lane::<1>(row)];
                from_fn(|byte| halves[byte / 8].to_le_bytes()[byte % 8])
            })
        }
    }

    /// Turns round the bytes of every lane.
    #[inline(always)]
    fn swap_bytes(v: v128) -> v128 {
        i8x16_shuffle::<3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12>(v, v)
    }

    /// Makes columns of rows.
    #[inline(always)]
    fn transpose([a, b, c, d]: [v128; 4]) -> [v128; 4] {
        let (ab_low, ab_high) = (i32x4_shuffle::<0, 4, 1, 5>(a, b), i32x4_shuffle::<2, 6, 3, 7>(a, b));
        let (cd_low, cd_high) = (i32x4_shuffle::<0, 4, 1, 5>(c, d), i32x4_shuffle::<2, 6, 3, 7>(c, d));
        [
            i32x4_shuffle::<0, 1, 4, 5>(ab_low, cd_low),
            i32x4_shuffle::<2, 3, 6, 7>(ab_low, cd_low),
            i32x4_shuffle::<0, 1, 4, 5>(ab_high, cd_high),
            i32x4_shuffle::<2, 3, 6, 7>(ab_high, cd_high),
        ]
    }

    impl Add for U32x4 {
        type Output = Self;
        #[inline(always)]
        fn add(self, other: Self) -> Self {
            Self(i32x4_add(self.0, other.0))
        }
    }

    impl BitXor for U32x4 {
        type Output = Self;
        #[inline(always)]
        fn bitxor(self, other: Self) -> Self {
            Self(v128_xor(self.0, other.0))
        }
    }

    impl BitAnd for U32x4 {
        type Output = Self;
        #[inline(always)]
        fn bitand(self, other: Self) -> Self {
            Self(v128_and(self.0, other.0))
        }
    }

    impl Not for U32x4 {
        type Output = Self;
        #[inline(always)]
        fn not(self) -> Self {
            Self(v128_not(self.0))
        }
    }
}

#[cfg(not(target_feature = "simd128"))]
mod imp {
    use super::{Add, BitAnd, BitXor, LANES, Not, from_fn};

    /// Four lanes.
    #[derive(Clone, Copy, Debug)]
    pub struct U32x4([u32; LANES]);

    impl U32x4 {
        /// The same in every lane.
        #[inline(always)]
        #[must_use]
        pub fn splat(value: u32) -> Self {
            Self([value; LANES])
        }

        /// One value for each lane.
        #[inline(always)]
        #[must_use]
        pub fn new(lanes: [u32; LANES]) -> Self {
            Self(lanes)
        }

        /// What is in each lane.
        #[inline(always)]
        #[must_use]
        pub fn to_array(self) -> [u32; LANES] {
            self.0
        }

        /// Shifts every lane right.
        #[inline(always)]
        #[must_use]
        pub fn shift_right<const BITS: u32>(self) -> Self {
            Self(self.0.map(|lane| lane >> BITS))
        }

        /// Shifts every lane left by fewer than 32 bits.
        #[inline(always)]
        #[must_use]
        pub fn shift_left(self, bits: u32) -> Self {
            Self(self.0.map(|lane| lane << bits))
        }

        /// Reads big-endian words: those of each row go into a lane of their own.
        #[inline(always)]
        #[must_use]
        pub fn read(rows: [&[u8; 16]; LANES]) -> [Self; 4] {
            from_fn(|word| Self(rows.map(|row| u32::from_be_bytes(from_fn(|byte| row[4 * word + byte])))))
        }

        /// Writes what [`U32x4::read`] reads.
        #[inline(always)]
        #[must_use]
        pub fn write(words: [Self; 4]) -> [[u8; 16]; LANES] {
            from_fn(|lane| from_fn(|byte| words[byte / 4].0[lane].to_be_bytes()[byte % 4]))
        }
    }

    impl Add for U32x4 {
        type Output = Self;
        #[inline(always)]
        fn add(self, other: Self) -> Self {
            Self(from_fn(|i| self.0[i].wrapping_add(other.0[i])))
        }
    }

    impl BitXor for U32x4 {
        type Output = Self;
        #[inline(always)]
        fn bitxor(self, other: Self) -> Self {
            Self(from_fn(|i| self.0[i] ^ other.0[i]))
        }
    }

    impl BitAnd for U32x4 {
        type Output = Self;
        #[inline(always)]
        fn bitand(self, other: Self) -> Self {
            Self(from_fn(|i| self.0[i] & other.0[i]))
        }
    }

    impl Not for U32x4 {
        type Output = Self;
        #[inline(always)]
        fn not(self) -> Self {
            Self(self.0.map(|lane| !lane))
        }
    }
}
