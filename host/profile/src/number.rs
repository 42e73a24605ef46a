//! Numbers of the machine as numbers of arithmetic, and back: fits are made in `f64`, and what is measured is whole.

/// A count as the nearest `f64`.
pub(crate) fn of(count: u64) -> f64 {
    count as f64
}

/// The number of things.
pub(crate) fn len(count: usize) -> f64 {
    count as f64
}

/// The next whole number above; 0 for what is below or no number, and the largest for what is beyond it.
pub(crate) fn ceil(value: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the cast saturates, and makes 0 of what is no number"
    )]
    let whole = value.ceil() as u64;
    whole
}

/// The middle one of some values, the upper of two; 0 where there is none.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

/// The largest; 0 where there is none.
pub(crate) fn largest(values: impl IntoIterator<Item = f64>) -> f64 {
    values.into_iter().fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_count_is_brought_to_one() {
        assert_eq!([ceil(1.2), ceil(-3.0), ceil(f64::NAN)], [2, 0, 0]);
        assert_eq!(ceil(f64::INFINITY), u64::MAX);
        assert_eq!((median([3.0, 1.0, 2.0]), median([])), (2.0, 0.0));
    }
}
