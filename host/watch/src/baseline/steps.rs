//! Amounts on a logarithmic scale, in whole numbers: a step is 1/1024 of a doubling.
//!
//! What things cost varies by factors rather than by amounts, so that medians and deviations are taken of logarithms.

/// Steps in a doubling.
pub(crate) const DOUBLING: i32 = 1 << FRACTION_BITS;
const FRACTION_BITS: u32 = 10;

/// The binary logarithm of an amount, in steps; that of 0 is that of 1.
///
/// The fraction comes bit by bit, by squaring. Source: D. E. Knuth, The Art of Computer Programming, volume 1, section 1.2.2,
/// exercise 25 and the method before it.
pub(crate) fn steps(amount: u64) -> i32 {
    /// Bits behind the point of the mantissa, which is below 2.
    const BITS: u32 = 31;
    let amount = amount.max(1);
    let whole = amount.ilog2();
    let mut mantissa = match whole.checked_sub(BITS) {
        Some(excess) => amount >> excess,
        None => amount << (BITS - whole),
    };
    let mut steps = whole;
    for _ in 0..FRACTION_BITS {
        mantissa = (mantissa * mantissa) >> BITS;
        steps <<= 1;
        if mantissa >> (BITS + 1) > 0 {
            mantissa >>= 1;
            steps |= 1;
        }
    }
    i32::try_from(steps).unwrap_or(i32::MAX)
}

/// The largest amount that has at most so many steps.
pub(crate) fn amount(most: i32) -> u64 {
    let (mut low, mut high) = (0, u64::MAX);
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        match steps(middle) <= most {
            true => low = middle,
            false => high = middle - 1,
        }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_doubling_has_1024_steps_and_a_half_of_it_half_of_them() {
        assert_eq!(steps(0), 0);
        assert_eq!(steps(1), 0);
        assert_eq!(steps(1 << 40), 40 * DOUBLING);
        assert_eq!(steps(u64::MAX), 64 * DOUBLING - 1);
        // log2(3) = 1.58496; 1.58496 * 1024 = 1623.0
        assert!((1622..=1623).contains(&steps(3)), "{}", steps(3));
        let product = steps(1_000_000_007) - steps(1_000_003);
        assert!((steps(1000) - product).abs() <= 1);
    }

    #[test]
    fn an_amount_comes_back_within_a_step() {
        for value in [1, 2, 1000, 123_456_789, 1 << 50, u64::MAX] {
            let back = amount(steps(value));
            assert!(
                back >= value && steps(back) == steps(value),
                "{value} {back}"
            );
        }
    }
}
