//! histogram: azimuthal integration as in NPBench's `azimint_hist`, a scatter.
//!
//! Samples are put into `bins` equal bins of their radius, from its smallest to its largest value;
//! a bin's result is the number of its samples and their mean (NaN for an empty bin, as NumPy's
//! division gives it). Bins are half-open but for the last, and their edges are computed in `f64`.
//! Sums are `f64`, in the order of the samples, so that the result is one set of bits. The method is
//! pyFAI's (J. Kieffer and G. Ashiotis, EuroSciPy 2014). The listed size, 400 000 samples in 1000
//! bins, is NPBench's S.

use hotcell_guest::prelude::*;

mod bins;
#[cfg(test)]
mod reference;

use bins::Bins;

/// Counts the samples in each of `bins` equal bins of their radius, and averages their values.
#[kernel(sig = "(n),(n)->(bins),(bins)", cost = "12*n+3*bins")]
pub fn histogram(
    data: &[f32],
    radius: &[f32],
    mean: &mut [f32],
    counts: &mut [u32],
) -> Result<(), String> {
    let bins = Bins::over(radius, counts.len())?;
    let mut sums = vec![(0.0_f64, 0_u32); counts.len()];
    for (&data, &radius) in data.iter().zip(radius) {
        let (sum, count) = &mut sums[bins.index(f64::from(radius))];
        *sum += f64::from(data);
        *count = count.wrapping_add(1);
    }
    for ((mean, count), sum) in mean.iter_mut().zip(counts).zip(sums) {
        *mean = average(sum.0, sum.1);
        *count = sum.1;
    }
    Ok(())
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the result is asked for in single precision"
)]
fn average(sum: f64, count: u32) -> f32 {
    (sum / f64::from(count)) as f32
}

hotcell_guest::export!(histogram);

#[cfg(test)]
mod tests;
