//! Four 32-bit lanes that move together.

use core::ops::{Add, BitAnd, BitXor, Not};

pub(crate) use imp::U32x4;

/// How many nonces are tried at once.
pub(crate) const LANES: usize = 4;

impl U32x4 {
    /// Rotates every lane right.
    #[inline(always)]
    pub(crate) fn rotate_right<const BITS: u32>(self) -> Self {
        self.shift_right::<BITS>() ^ self.shift_left(32 - BITS)
    }
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod imp {
    use core::arch::wasm32::{
        i32x4_add, u32x4, u32x4_extract_lane, u32x4_shl, u32x4_shr, u32x4_splat, v128, v128_and, v128_not,
        v128_xor,
    };

    use super::{Add, BitAnd, BitXor, LANES, Not};

    #[derive(Clone, Copy)]
    pub(crate) struct U32x4(v128);

    impl U32x4 {
        #[inline(always)]
        pub(crate) fn splat(value: u32) -> Self {
            Self(u32x4_splat(value))
        }

        #[inline(always)]
        pub(crate) fn new([a, b, c, d]: [u32; LANES]) -> Self {
            Self(u32x4(a, b, c, d))
        }

        #[inline(always)]
        pub(crate) fn to_array(self) -> [u32; LANES] {
            let Self(v) = self;
            [
                u32x4_extract_lane::<0>(v),
                u32x4_extract_lane::<1>(v),
                u32x4_extract_lane::<2>(v),
                u32x4_extract_lane::<3>(v),
            ]
        }

        #[inline(always)]
        pub(crate) fn shift_right<const BITS: u32>(self) -> Self {
            Self(u32x4_shr(self.0, BITS))
        }

        #[inline(always)]
        pub(crate) fn shift_left(self, bits: u32) -> Self {
            Self(u32x4_shl(self.0, bits))
        }
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

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
mod imp {
    use core::array::from_fn;

    use super::{Add, BitAnd, BitXor, LANES, Not};

    #[derive(Clone, Copy)]
    pub(crate) struct U32x4([u32; LANES]);

    impl U32x4 {
        #[inline(always)]
        pub(crate) fn splat(value: u32) -> Self {
            Self([value; LANES])
        }

        #[inline(always)]
        pub(crate) fn new(lanes: [u32; LANES]) -> Self {
            Self(lanes)
        }

        #[inline(always)]
        pub(crate) fn to_array(self) -> [u32; LANES] {
            self.0
        }

        #[inline(always)]
        pub(crate) fn shift_right<const BITS: u32>(self) -> Self {
            Self(self.0.map(|lane| lane >> BITS))
        }

        #[inline(always)]
        pub(crate) fn shift_left(self, bits: u32) -> Self {
            Self(self.0.map(|lane| lane << bits))
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
