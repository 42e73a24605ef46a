//! Limits of a GPU: its fuel and its time have no model, and so follow the most that was measured.

use super::{BASIS, Margin, SHORTEST_NS, Suggested, TIME_FACTOR, shortened};
use crate::number;
use crate::record::{Profile, Sample};
use hotcell::limit::Limit;

/// What of a launch counts.
type Amount = fn(&Sample) -> u64;

/// Limits of a GPU, and what a launch takes of them.
const OF_GPU: [(Limit, Amount); 2] = [
    (Limit::GpuFuel, |sample| sample.gpu_fuel),
    (Limit::GpuTime, |sample| sample.gpu_time_ns),
];

/// What a launch took of such a limit; `None` of another.
pub(super) fn taken(sample: &Sample, limit: Limit) -> Option<u64> {
    let of = OF_GPU.iter().find(|(known, _)| *known == limit)?;
    Some(of.1(sample))
}

/// Limits of a GPU, where there was one.
pub(super) fn limits(profile: &Profile, margin: Margin) -> Vec<Suggested> {
    let of = |(limit, amount): (Limit, Amount)| {
        let taken = profile.done(&BASIS).map(|point| amount(&point.sample));
        let most = taken.max().filter(|most| *most > 0)?;
        let (factor, least, why) = match limit {
            Limit::GpuTime => (
                TIME_FACTOR,
                SHORTEST_NS,
                format!("; {TIME_FACTOR} times that, and "),
            ),
            _ => (1.0, 0, "; ".to_owned()),
        };
        let value = number::ceil(number::of(most) * factor * margin.factor()).max(least);
        Some(Suggested {
            limit,
            value: shortened(value).min(limit.ceiling()),
            why: format!(
                "honest launches took up to {} of the device{why}{:.0} % above that",
                limit.unit().format(shortened(most)),
                margin.percent()
            ),
        })
    };
    OF_GPU.into_iter().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Purpose;
    use crate::suggest::suggest;
    use crate::tests::linear;

    #[test]
    fn a_gpus_limits_follow_the_most_that_was_measured() {
        let mut profile = linear();
        assert_eq!(
            suggest(&profile, &[], Margin::default())
                .unwrap()
                .limits
                .len(),
            3
        );
        for point in &mut profile.points {
            point.sample.gpu_fuel = 10 * point.sizes["n"];
            point.sample.gpu_time_ns = 1_000_000 + point.sizes["n"];
        }
        let suggestion = suggest(&profile, &[], Margin::default()).unwrap();
        let limits = suggestion.limits.iter();
        let limits: Vec<_> = limits.map(|one| (one.limit, one.value)).collect();
        assert_eq!(
            limits[3..],
            [(Limit::GpuFuel, 15_000_000), (Limit::GpuTime, SHORTEST_NS)]
        );
        assert_eq!(suggestion.false_stops.stopped, 0);
        for point in &mut profile.points {
            if point.purpose == Purpose::Honest {
                point.sample.gpu_fuel *= 100;
            }
        }
        let suggestion = suggest(&profile, &[], Margin::default()).unwrap();
        assert!(suggestion.false_stops.stopped > 0);
    }
}
