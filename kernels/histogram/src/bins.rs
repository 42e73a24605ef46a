//! Which bin a radius belongs to.

use hotcell_guest::prelude::*;

/// Equal bins over a range.
pub(crate) struct Bins {
    first: f64,
    /// Bins for each unit of the radius.
    density: f64,
    /// Where each bin begins. One element more than bins: the last has no end.
    edges: Vec<f64>,
}

impl Bins {
    /// `count` bins from the smallest to the largest of `radius`. Where these are equal or there are
    /// none, one unit around them, like NumPy.
    pub(crate) fn over(radius: &[f32], count: usize) -> Result<Self, String> {
        if count == 0 {
            return Err("bins is 0, but samples need one bin at least".to_owned());
        }
        let (low, high) = range(radius)?;
        let (low, high) = if low < high {
            (low, high)
        } else {
            (low - 0.5, high + 0.5)
        };
        let width = (high - low) / count as f64;
        let mut edges: Vec<f64> = (0..count).map(|i| low + i as f64 * width).collect();
        edges.push(f64::INFINITY);
        Ok(Self {
            first: low,
            density: count as f64 / (high - low),
            edges,
        })
    }

    /// The bin of `radius`, which lies within the range.
    ///
    /// The quotient may be off by one bin at an edge, since it is rounded; the edges themselves
    /// decide.
    #[inline]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the quotient is at least zero and at most the number of bins"
    )]
    pub(crate) fn index(&self, radius: f64) -> usize {
        let guess = ((radius - self.first) * self.density) as usize;
        let guess = guess.min(self.edges.len() - 2);
        if radius < self.edges[guess] {
            guess - 1
        } else {
            guess + usize::from(radius >= self.edges[guess + 1])
        }
    }
}

/// The smallest and the largest of `radius`; zeros if there are none.
fn range(radius: &[f32]) -> Result<(f64, f64), String> {
    let finite = radius.iter().fold(true, |all, x| all & x.is_finite());
    if !finite {
        let at = radius.iter().position(|x| !x.is_finite());
        let at = at.unwrap_or_default();
        return Err(format!(
            "radius[{at}] is {}, which no bin holds",
            radius[at]
        ));
    }
    let low = math::min_of(radius).unwrap_or_default();
    let high = math::max_of(radius).unwrap_or_default();
    Ok((f64::from(low), f64::from(high)))
}
