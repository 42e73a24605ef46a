//! Sums as `bins.wgsl` keeps them: 64-bit fixed-point numbers.

/// One bin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bin {
    sum: i64,
    flags: u32,
    /// How many samples it has.
    pub(crate) count: u32,
}

/// The flags of a bin whose samples that are not finite are infinities of one sign. A NaN's flag is 1.
const INFINITE: u32 = 2;
const NEGATIVE_INFINITE: u32 = 4;

impl Bin {
    /// Words of a bin: the sum's low half and high half, the count, the flags.
    pub(crate) const WORDS: usize = 4;

    pub(crate) fn from_words(&[low, high, count, flags]: &[u32; Self::WORDS]) -> Self {
        let sum = u64::from(high) << 32 | u64::from(low);
        Self {
            sum: sum.cast_signed(),
            flags,
            count,
        }
    }

    /// The mean of the bin's samples; NaN if it has none.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the result is asked for in single precision"
    )]
    pub(crate) fn mean(self, scale: Scale) -> f32 {
        let sum = match self.flags {
            0 => self.sum as f64 * scale.unit(),
            INFINITE => f64::INFINITY,
            NEGATIVE_INFINITE => f64::NEG_INFINITY,
            // A NaN, or infinities of both signs.
            _ => f64::NAN,
        };
        (sum / f64::from(self.count)) as f32
    }
}

/// What one unit of a fixed-point sum is worth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Scale {
    exponent: u32,
    shift: u32,
}

impl Scale {
    /// For so many values whose largest exponent, as stored, is `exponent`: as fine as a sum of that
    /// many fits 63 bits.
    pub(crate) fn new(exponent: u32, values: usize) -> Self {
        let bits_of_count = usize::BITS - values.leading_zeros();
        // A value has 24 bits before it is shifted.
        let shift = 39_u32.saturating_sub(bits_of_count).min(31);
        Self { exponent, shift }
    }

    /// By how many bits the largest values are shifted to the left.
    pub(crate) fn shift(self) -> u32 {
        self.shift
    }

    /// 2^(exponent − 150 − shift): a stored number's last bit is worth 2^(exponent − 150).
    fn unit(self) -> f64 {
        2_f64.powi(self.exponent.cast_signed() - 150 - self.shift.cast_signed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_either_sign_come_back() {
        // 1.0 is 2²³ times its last bit, at exponent 127.
        let scale = Scale::new(127, 400_000);
        assert_eq!(scale.shift(), 20);
        let one = 1_i64 << 43;
        for (sum, count, mean) in [(one, 1, 1.0), (-3 * one, 2, -1.5), (one / 4, 1, 0.25)] {
            let bits = sum.cast_unsigned().to_le_bytes();
            let [low, high] = [0, 4]
                .map(|at| u32::from_le_bytes([bits[at], bits[at + 1], bits[at + 2], bits[at + 3]]));
            assert_eq!(Bin::from_words(&[low, high, count, 0]).mean(scale), mean);
        }
    }

    #[test]
    fn values_that_are_not_finite_decide_the_mean() {
        let scale = Scale::new(127, 10);
        let mean = |flags| Bin::from_words(&[5, 0, 2, flags]).mean(scale);
        assert_eq!(mean(INFINITE), f32::INFINITY);
        assert_eq!(mean(NEGATIVE_INFINITE), f32::NEG_INFINITY);
        assert!(mean(1).is_nan() && mean(INFINITE | NEGATIVE_INFINITE).is_nan());
        assert!(Bin::from_words(&[0; 4]).mean(scale).is_nan());
    }

    #[test]
    fn the_most_values_of_the_largest_size_fit() {
        for values in [1_usize, 255, 400_000, u32::MAX as usize] {
            let scale = Scale::new(254, values);
            let most = ((1_u128 << 24) << scale.shift()) * values as u128;
            assert!(most < 1 << 63, "{values}");
        }
    }
}
