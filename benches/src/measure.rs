//! Medians, geometric means, and the order of repetitions.

use anyhow::Result;
use serde::Serialize;
use std::time::Duration;

/// What is measured in turns with others.
pub(crate) type Contender<'a> = Box<dyn FnMut() -> Result<Duration> + 'a>;

/// What one contender took, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Took {
    /// The middle of all repetitions.
    pub(crate) median: f64,
    /// The shortest: what it takes where nothing disturbs.
    pub(crate) best: f64,
}

/// Runs all contenders once for warmth and then `repetitions` times in turns; the median of each, in
/// seconds.
pub(crate) fn interleaved(
    contenders: &mut [Contender<'_>],
    repetitions: usize,
) -> Result<Vec<f64>> {
    let took = rotated(contenders, repetitions)?;
    Ok(took.iter().map(|took| took.median).collect())
}

/// As [`interleaved`], with the shortest times as well.
///
/// Each round begins with the contender after the one that the last round began with: whoever runs behind another finds
/// caches, clock and memory as that one left them, and so each runs behind every other equally often.
pub(crate) fn rotated(contenders: &mut [Contender<'_>], repetitions: usize) -> Result<Vec<Took>> {
    let mut times = vec![Vec::with_capacity(repetitions); contenders.len()];
    for repetition in 0..=repetitions {
        for turn in 0..contenders.len() {
            let at = (repetition + turn) % contenders.len();
            let time = contenders[at]()?;
            if repetition > 0 {
                times[at].push(time.as_secs_f64());
            }
        }
    }
    let took = |times: &mut Vec<f64>| Took {
        median: median(times),
        // Sorted by then.
        best: times.first().copied().unwrap_or(0.0),
    };
    Ok(times.iter_mut().map(took).collect())
}

/// The middle value; 0 of nothing.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

/// The geometric mean; 0 of nothing.
pub(crate) fn geomean(values: &[f64]) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    let sum: f64 = values.iter().map(|value| value.ln()).sum();
    (sum / values.len() as f64).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_round_is_not_counted_and_each_begins_in_turn() {
        let order = std::cell::RefCell::new(Vec::new());
        let contender = |name: u64| -> Contender<'_> {
            let order = &order;
            let mut calls = 0;
            Box::new(move || {
                order.borrow_mut().push(name);
                calls += 1;
                Ok(Duration::from_secs(if calls == 1 { 1000 } else { name }))
            })
        };
        let medians = interleaved(&mut [contender(1), contender(2)], 3).unwrap();
        assert_eq!(medians, [1.0, 2.0]);
        assert_eq!(*order.borrow(), [1, 2, 2, 1, 1, 2, 2, 1]);
    }

    #[test]
    fn means_are_geometric() {
        assert!((geomean(&[1.0, 4.0]) - 2.0).abs() < 1e-12);
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), 2.0);
    }
}
