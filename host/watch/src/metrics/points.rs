//! What was counted, as numbers instead of text: for protocols other than Prometheus'.

use crate::metrics::Metrics;
use crate::metrics::family::Family;

/// A family as it is at the moment. Numbers are in base units.
#[derive(Debug)]
pub(crate) struct Points<'a> {
    /// The name in Prometheus.
    pub(crate) name: &'static str,
    /// What it says.
    pub(crate) help: &'static str,
    /// The upper bounds of all buckets but the last; absent for counters.
    pub(crate) bounds: Option<&'a [f64]>,
    /// Its series.
    pub(crate) series: Vec<Series>,
}

/// One series.
#[derive(Debug)]
pub(crate) struct Series {
    /// The labels.
    pub(crate) labels: Vec<(String, String)>,
    /// How many values are in each bucket; empty for counters.
    pub(crate) counts: Vec<u64>,
    /// The counter, or the sum of all values.
    pub(crate) value: f64,
}

impl Metrics {
    /// Hands out each family with the series that are not zero.
    pub(crate) fn each(&self, mut take: impl FnMut(&Points<'_>)) {
        for family in self.families() {
            points(family, &mut take);
        }
    }
}

fn points(family: &Family, take: &mut impl FnMut(&Points<'_>)) {
    let bounds = family.bounds().map(|bounds| {
        let bounds = bounds.iter().map(|bound| family.in_base_unit(*bound));
        bounds.collect::<Vec<f64>>()
    });
    let numbers = family.numbers();
    let width = bounds.as_ref().map_or(1, |bounds| bounds.len() + 2);
    let series = numbers
        .chunks_exact(width)
        .enumerate()
        .filter_map(|(at, numbers)| {
            let (value, counts) = numbers.split_last()?;
            let is_zero = numbers.iter().all(|number| *number == 0);
            (!is_zero).then(|| Series {
                labels: pairs(&family.labels(at)),
                counts: counts.to_vec(),
                value: family.in_base_unit(*value),
            })
        });
    take(&Points {
        name: family.name(),
        help: family.help(),
        bounds: bounds.as_deref(),
        series: series.collect(),
    });
}

/// Labels as they were before they were written; none of their values has a comma or a quote.
fn pairs(labels: &str) -> Vec<(String, String)> {
    let pair = |pair: &str| {
        let (label, value) = pair.split_once('=')?;
        Some((label.to_owned(), value.trim_matches('"').to_owned()))
    };
    labels.split(',').filter_map(pair).collect()
}
