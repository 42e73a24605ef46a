//! The 16-bit floating-point types: storage formats, to compute with in `f32`.

use std::fmt;

/// IEEE 754 binary16: 1 sign, 5 exponent and 10 fraction bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct F16(u16);

/// bfloat16: the upper half of a binary32; 1 sign, 8 exponent and 7 fraction bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct Bf16(u16);

const F32_INFINITY: u32 = f32::INFINITY.to_bits();
/// The least magnitude above all finite binary16 numbers, 2¹⁶, as binary32 bits.
const F16_OVERFLOW: u32 = 65536_f32.to_bits();
/// The least normal binary16, 2⁻¹⁴, as binary32 bits.
const F16_NORMAL: u32 = 6.103_515_6e-5_f32.to_bits();

impl F16 {
    /// From the format's own bits.
    pub const fn from_bits(bits: u16) -> Self {
        Self(bits)
    }

    /// The format's own bits.
    pub const fn to_bits(self) -> u16 {
        self.0
    }

    /// The exact value. A signalling NaN may become quiet.
    ///
    /// The exponent is rebased by a multiplication, which is exact and needs no case for subnormals.
    #[inline]
    pub fn to_f32(self) -> f32 {
        /// 2¹¹², the distance between the formats' exponents (127 − 15).
        const REBASE: f32 = f32::from_bits((127 + 112) << 23);
        let magnitude = u32::from(self.0 & 0x7fff);
        let sign = u32::from(self.0 & 0x8000) << 16;
        let finite = (f32::from_bits(magnitude << 13) * REBASE).to_bits();
        let special = F32_INFINITY | (magnitude << 13);
        let bits = if magnitude < 0x7c00 { finite } else { special };
        f32::from_bits(sign | bits)
    }

    /// The nearest value, ties to even; overflow gives an infinity, a NaN stays a (quiet) NaN.
    #[inline]
    pub fn from_f32(value: f32) -> Self {
        let magnitude = value.to_bits() & 0x7fff_ffff;
        let half = if magnitude >= F16_OVERFLOW {
            special_to_half(magnitude)
        } else if magnitude < F16_NORMAL {
            // Numbers in [½, 1) are 2⁻²⁴ apart, as binary16's subnormals are: the addition rounds.
            (f32::from_bits(magnitude) + 0.5).to_bits() - 0.5_f32.to_bits()
        } else {
            // A carry out of the fraction moves into the exponent, as it should.
            let rebased = magnitude - ((127 - 15) << 23);
            round_off(rebased, 13)
        };
        let sign = value.to_bits() >> 31 << 15;
        Self(low_half(sign | half))
    }
}

impl Bf16 {
    /// From the format's own bits.
    pub const fn from_bits(bits: u16) -> Self {
        Self(bits)
    }

    /// The format's own bits.
    pub const fn to_bits(self) -> u16 {
        self.0
    }

    /// The exact value.
    #[inline]
    pub fn to_f32(self) -> f32 {
        f32::from_bits(u32::from(self.0) << 16)
    }

    /// The nearest value, ties to even; overflow gives an infinity, a NaN stays a (quiet) NaN.
    #[inline]
    pub fn from_f32(value: f32) -> Self {
        let bits = value.to_bits();
        let quiet = (bits >> 16) | 0x40;
        let rounded = round_off(bits, 16);
        let is_nan = bits & 0x7fff_ffff > F32_INFINITY;
        Self(low_half(if is_nan { quiet } else { rounded }))
    }
}

/// `bits` without its lowest `count` bits, rounded to nearest, ties to even.
#[inline]
fn round_off(bits: u32, count: u32) -> u32 {
    let below_half = (1 << (count - 1)) - 1;
    let odd = (bits >> count) & 1;
    (bits + below_half + odd) >> count
}

/// What becomes of an infinity, a NaN or a number too large for binary16.
#[inline]
fn special_to_half(magnitude: u32) -> u32 {
    if magnitude > F32_INFINITY {
        0x7e00 | ((magnitude >> 13) & 0x1ff)
    } else {
        0x7c00
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "callers pass what fits in 16 bits"
)]
#[inline]
fn low_half(bits: u32) -> u16 {
    bits as u16
}

impl From<F16> for f32 {
    fn from(value: F16) -> Self {
        value.to_f32()
    }
}

impl From<Bf16> for f32 {
    fn from(value: Bf16) -> Self {
        value.to_f32()
    }
}

impl fmt::Display for F16 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_f32().fmt(f)
    }
}

impl fmt::Display for Bf16 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_f32().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition of binary16, in f64.
    fn by_definition(bits: u16) -> f64 {
        let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
        let (exponent, fraction) = (i32::from((bits >> 10) & 31), f64::from(bits & 1023));
        match exponent {
            0 => sign * fraction * 2f64.powi(-24),
            31 if fraction == 0.0 => sign * f64::INFINITY,
            31 => f64::NAN,
            _ => sign * (1.0 + fraction / 1024.0) * 2f64.powi(exponent - 15),
        }
    }

    #[test]
    fn every_f16_has_its_defined_value_and_returns() {
        for bits in 0..=u16::MAX {
            let half = F16::from_bits(bits);
            let (value, expected) = (half.to_f32(), by_definition(bits));
            if expected.is_nan() {
                assert!(value.is_nan() && F16::from_f32(value).to_f32().is_nan());
                continue;
            }
            assert_eq!(f64::from(value), expected, "{bits:#06x}");
            assert_eq!(value.is_sign_negative(), bits >> 15 == 1);
            assert_eq!(F16::from_f32(value), half);
        }
    }

    /// Between every two neighbours: the midpoint goes to the even one, its neighbours to the nearer.
    #[test]
    fn rounding_to_f16_is_to_nearest_even_everywhere() {
        for low in 0..0x7bff_u16 {
            let high = low + 1;
            let (a, b) = (by_definition(low), by_definition(high));
            let middle = f32_exact((a + b) / 2.0);
            let even = if low % 2 == 0 { low } else { high };
            for sign in [0, 0x8000] {
                let signed = |value: f32| if sign == 0 { value } else { -value };
                assert_eq!(F16::from_f32(signed(middle)).to_bits(), even | sign);
                assert_eq!(
                    F16::from_f32(signed(middle.next_down())).to_bits(),
                    low | sign
                );
                assert_eq!(
                    F16::from_f32(signed(middle.next_up())).to_bits(),
                    high | sign
                );
            }
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "asserted to be exact")]
    fn f32_exact(value: f64) -> f32 {
        assert_eq!(f64::from(value as f32), value);
        value as f32
    }

    #[test]
    fn numbers_beyond_f16_become_infinite() {
        assert_eq!(F16::from_f32(65519.996).to_f32(), 65504.0);
        for large in [65520.0, 65536.0, 1e30, f32::INFINITY] {
            assert_eq!(F16::from_f32(large).to_f32(), f32::INFINITY);
            assert_eq!(F16::from_f32(-large).to_f32(), f32::NEG_INFINITY);
        }
    }

    #[test]
    fn bf16_round_trips_and_rounds_to_nearest_even() {
        for bits in 0..=u16::MAX {
            let value = Bf16::from_bits(bits).to_f32();
            let back = Bf16::from_f32(value);
            assert!(back.to_bits() == bits || value.is_nan() && back.to_f32().is_nan());
        }
        for (value, expected) in [
            (0x3f80_8000, 0x3f80),
            (0x3f80_8001, 0x3f81),
            (0x3f81_8000, 0x3f82),
            (0x7f7f_ffff, 0x7f80),
        ] {
            assert_eq!(Bf16::from_f32(f32::from_bits(value)).to_bits(), expected);
        }
    }
}
