//! Least squares by modified Gram–Schmidt, with what each point would be off if it were left out.
//!
//! The last comes without fitting again: the residual over one less the point's leverage (Allen's PRESS; see Hastie, Tibshirani
//! and Friedman, *The Elements of Statistical Learning*, section 7.10).

/// The coefficients, and the residual of each point by a fit to all others.
pub(super) struct Solution {
    pub(super) coefficients: Vec<f64>,
    pub(super) left_out: Vec<f64>,
}

/// A column that is so near to a sum of others, relative to its length, says nothing of its own.
const DEPENDENT: f64 = 1e-9;
/// A point whose leverage is so near to 1 is fitted by itself alone: nothing foretells it.
const ALONE: f64 = 1e-9;

/// Solves for the sum of `columns` nearest to `target`; `None` where a column depends on others.
pub(super) fn solve(columns: &[&[f64]], target: &[f64]) -> Option<Solution> {
    let count = columns.len();
    let mut basis: Vec<Vec<f64>> = Vec::with_capacity(count);
    // Upper triangular, by columns.
    let mut upper: Vec<Vec<f64>> = Vec::with_capacity(count);
    for column in columns {
        let length = dot(column, column).sqrt();
        let mut rest = column.to_vec();
        let mut parts = vec![0.0; basis.len()];
        // Twice is enough for the basis to be orthogonal to rounding.
        for _ in 0..2 {
            for (direction, part) in basis.iter().zip(&mut parts) {
                let along = dot(direction, &rest);
                *part += along;
                rest.iter_mut()
                    .zip(direction)
                    .for_each(|(r, d)| *r -= along * d);
            }
        }
        let left = dot(&rest, &rest).sqrt();
        // Not a number is no part of its own either.
        if left.is_nan() || left <= DEPENDENT * length {
            return None;
        }
        rest.iter_mut().for_each(|value| *value /= left);
        parts.push(left);
        upper.push(parts);
        basis.push(rest);
    }
    let mut residual = target.to_vec();
    let mut along = Vec::with_capacity(count);
    for direction in &basis {
        let part = dot(direction, &residual);
        residual
            .iter_mut()
            .zip(direction)
            .for_each(|(r, d)| *r -= part * d);
        along.push(part);
    }
    let mut coefficients = along;
    for at in (0..count).rev() {
        coefficients[at] /= upper[at][at];
        let solved = coefficients[at];
        for above in 0..at {
            coefficients[above] -= upper[at][above] * solved;
        }
    }
    let leverage = |point: usize| {
        basis
            .iter()
            .map(|column| column[point].powi(2))
            .sum::<f64>()
    };
    let left_out = residual
        .iter()
        .enumerate()
        .map(|(point, residual)| residual / (1.0 - leverage(point)).max(ALONE));
    let left_out: Vec<f64> = left_out.collect();
    let is_sound = coefficients
        .iter()
        .chain(&left_out)
        .all(|value| value.is_finite());
    is_sound.then_some(Solution {
        coefficients,
        left_out,
    })
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn left_out_residuals_are_those_of_fits_to_the_others() {
        let (ones, line) = ([1.0; 5], [1.0, 2.0, 4.0, 7.0, 11.0]);
        let target = [1.0, 2.5, 3.5, 8.0, 10.0];
        let all = solve(&[&ones, &line], &target).unwrap();
        for left in 0..5 {
            let without = |values: &[f64; 5]| -> Vec<f64> {
                let kept = values.iter().enumerate().filter(|(at, _)| *at != left);
                kept.map(|(_, value)| *value).collect()
            };
            let (ones, rest) = (without(&ones), without(&line));
            let fit = solve(&[&ones, &rest], &without(&target)).unwrap();
            let foretold = fit.coefficients[0] + fit.coefficients[1] * line[left];
            let off = target[left] - foretold;
            assert!((off - all.left_out[left]).abs() < 1e-9, "{off}");
        }
    }

    #[test]
    fn columns_that_depend_on_each_other_are_refused() {
        let (a, b) = ([1.0, 2.0, 3.0], [2.0, 4.0, 6.0]);
        assert!(solve(&[&a, &b], &[1.0; 3]).is_none());
        assert!(solve(&[&[0.0; 3]], &[1.0; 3]).is_none());
    }
}
