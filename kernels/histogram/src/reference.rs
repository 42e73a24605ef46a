//! The same bins by their definition: the kernel must agree to the bit.

/// Means and counts. Each sample's bin is found by bisection of the edges.
///
/// # Panics
/// If a radius is NaN or `bins` is 0.
#[must_use]
pub(crate) fn histogram(data: &[f32], radius: &[f32], bins: usize) -> (Vec<f32>, Vec<u32>) {
    let edges = edges(radius, bins);
    let mut members = vec![Vec::new(); bins];
    for (&data, &radius) in data.iter().zip(radius) {
        let inner = &edges[1..bins];
        members[inner.partition_point(|&edge| edge <= f64::from(radius))].push(data);
    }
    members.iter().map(|bin| (mean(bin), count(bin))).unzip()
}

fn edges(radius: &[f32], bins: usize) -> Vec<f64> {
    let sorted = || radius.iter().copied().map(f64::from);
    let low = sorted().min_by(f64::total_cmp).unwrap_or_default();
    let high = sorted().max_by(f64::total_cmp).unwrap_or_default();
    let (low, high) = if low == high {
        (low - 0.5, high + 0.5)
    } else {
        (low, high)
    };
    let width = (high - low) / bins as f64;
    (0..bins).map(|i| low + i as f64 * width).collect()
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the result is asked for in single precision"
)]
fn mean(bin: &[f32]) -> f32 {
    let sum: f64 = bin.iter().fold(0.0, |sum, &x| sum + f64::from(x));
    (sum / f64::from(count(bin))) as f32
}

fn count(bin: &[f32]) -> u32 {
    u32::try_from(bin.len()).expect("fewer than 2³² samples")
}
