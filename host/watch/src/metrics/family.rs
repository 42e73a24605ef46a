//! A family of metrics: every series that it can have is known when it is made, and has its place in a table.
//!
//! Counting is one addition to an atomic number, found by position: nothing is looked up by name and nothing is allocated.
//! That is possible because no label has a value that a tenant or a guest can make up.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a number of a family counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Things, or bytes.
    Count,
    /// Nanoseconds, which are shown as seconds.
    Nanoseconds,
}

impl Unit {
    /// Writes a number in the base unit, exactly.
    pub(crate) fn write(self, text: &mut String, value: u64) {
        const SECOND: u64 = 1_000_000_000;
        let _ = match self {
            Self::Count => write!(text, "{value}"),
            Self::Nanoseconds if value.is_multiple_of(SECOND) => write!(text, "{}", value / SECOND),
            Self::Nanoseconds => {
                let _ = write!(text, "{}.{:09}", value / SECOND, value % SECOND);
                text.truncate(text.trim_end_matches('0').len());
                Ok(())
            }
        };
    }
}

/// Which series are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// All of them, so that the first event of a kind is an increase and not a series that begins.
    All,
    /// Those that are not zero: the table is far larger than what ever happens.
    NotZero,
}

/// What a family is, in words.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Title {
    /// The name, without what the kind of family appends.
    pub(crate) name: &'static str,
    /// What it says.
    pub(crate) help: &'static str,
    /// What its numbers count.
    pub(crate) unit: Unit,
}

/// A label, or two that go together, and what it can be.
#[derive(Clone, Debug)]
pub(crate) struct Axis {
    /// `label="value"` of each position, escaped.
    values: Vec<String>,
}

impl Axis {
    /// A label with those values.
    pub(crate) fn new<T: AsRef<str>>(label: &str, values: impl IntoIterator<Item = T>) -> Self {
        let pair = |value: T| pair(label, value.as_ref());
        Self {
            values: values.into_iter().map(pair).collect(),
        }
    }

    /// Labels whose values go together.
    pub(crate) fn joined(
        values: impl IntoIterator<Item = Vec<(&'static str, &'static str)>>,
    ) -> Self {
        let join = |labels: Vec<(&str, &str)>| {
            let pairs: Vec<String> = labels
                .into_iter()
                .map(|(label, value)| pair(label, value))
                .collect();
            pairs.join(",")
        };
        Self {
            values: values.into_iter().map(join).collect(),
        }
    }
}

/// `label="value"`. Source of the escapes: Prometheus, text exposition format 0.0.4.
pub(crate) fn pair(label: &str, value: &str) -> String {
    let value = value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n");
    format!("{label}=\"{value}\"")
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Counter,
    /// The upper bounds of all buckets but the last.
    Histogram(&'static [u64]),
}

/// A family of counters or of histograms.
#[derive(Debug)]
pub(crate) struct Family {
    title: Title,
    kind: Kind,
    shown: Shown,
    axes: Vec<Axis>,
    /// Of each series one number, or those of its buckets and their sum.
    cells: Box<[AtomicU64]>,
}

impl Family {
    /// A family of counters.
    pub(crate) fn counter(title: Title, shown: Shown, axes: Vec<Axis>) -> Self {
        Self::new(title, Kind::Counter, shown, axes)
    }

    /// A family of histograms with buckets up to those bounds, and one above.
    pub(crate) fn histogram(title: Title, bounds: &'static [u64], axes: Vec<Axis>) -> Self {
        Self::new(title, Kind::Histogram(bounds), Shown::All, axes)
    }

    fn new(title: Title, kind: Kind, shown: Shown, axes: Vec<Axis>) -> Self {
        let series: usize = axes.iter().map(|axis| axis.values.len()).product();
        let cells = (0..series * width(kind))
            .map(|_| AtomicU64::new(0))
            .collect();
        Self {
            title,
            kind,
            shown,
            axes,
            cells,
        }
    }

    /// Adds to the counter at that position of each label. What would not fit begins at zero, as after a restart.
    pub(crate) fn add(&self, at: &[usize], amount: u64) {
        if amount > 0
            && let Some(cell) = self.cells.get(self.position(at))
        {
            cell.fetch_add(amount, Ordering::Relaxed);
        }
    }

    /// Notes a value in the histogram at that position of each label.
    pub(crate) fn observe(&self, at: &[usize], value: u64) {
        let Kind::Histogram(bounds) = self.kind else {
            return;
        };
        let first = self.position(at) * width(self.kind);
        let bucket = bounds.partition_point(|bound| *bound < value);
        for (cell, amount) in [(first + bucket, 1), (first + bounds.len() + 1, value)] {
            if let Some(cell) = self.cells.get(cell) {
                cell.fetch_add(amount, Ordering::Relaxed);
            }
        }
    }

    fn position(&self, at: &[usize]) -> usize {
        debug_assert_eq!(at.len(), self.axes.len(), "{}", self.title.name);
        let labels = self.axes.iter().zip(at);
        labels.fold(0, |position, (axis, at)| position * axis.values.len() + at)
    }

    /// The numbers as they are.
    pub(crate) fn numbers(&self) -> Vec<u64> {
        let number = |cell: &AtomicU64| cell.load(Ordering::Relaxed);
        self.cells.iter().map(number).collect()
    }

    /// The name of each number, by which it is found again in a table of another process.
    pub(crate) fn names(&self) -> impl Iterator<Item = String> + '_ {
        (0..self.cells.len()).map(|cell| self.name_of(cell))
    }

    fn name_of(&self, cell: usize) -> String {
        let labels = self.labels(cell / width(self.kind));
        let name = self.title.name;
        let Kind::Histogram(bounds) = self.kind else {
            return format!("{name}{}", braced(&[&labels]));
        };
        let at = cell % width(self.kind);
        match at == bounds.len() + 1 {
            true => format!("{name}_sum{}", braced(&[&labels])),
            false => format!("{name}_bucket{}", braced(&[&labels, &self.le(bounds, at)])),
        }
    }

    fn le(&self, bounds: &[u64], at: usize) -> String {
        let mut bound = String::new();
        match bounds.get(at) {
            Some(value) => self.title.unit.write(&mut bound, *value),
            None => bound.push_str("+Inf"),
        }
        pair("le", &bound)
    }

    /// The labels of a series, as they are written.
    pub(crate) fn labels(&self, mut series: usize) -> String {
        let mut pairs = Vec::with_capacity(self.axes.len());
        for axis in self.axes.iter().rev() {
            let count = axis.values.len().max(1);
            pairs.push(axis.values.get(series % count).map_or("", String::as_str));
            series /= count;
        }
        pairs.reverse();
        pairs.join(",")
    }

    /// Writes the family with those numbers.
    pub(crate) fn write(&self, text: &mut String, numbers: &[u64]) {
        let Title { name, help, unit } = self.title;
        let kind = match self.kind {
            Kind::Counter => "counter",
            Kind::Histogram(_) => "histogram",
        };
        write_head(text, name, help, kind);
        for (series, numbers) in numbers.chunks_exact(width(self.kind)).enumerate() {
            if self.shown == Shown::NotZero && numbers.iter().all(|number| *number == 0) {
                continue;
            }
            let labels = self.labels(series);
            match (self.kind, numbers) {
                (Kind::Histogram(bounds), [buckets @ .., sum]) => {
                    let mut count: u64 = 0;
                    for (at, bucket) in buckets.iter().enumerate() {
                        count = count.wrapping_add(*bucket);
                        let labels = braced(&[&labels, &self.le(bounds, at)]);
                        let _ = writeln!(text, "{name}_bucket{labels} {count}");
                    }
                    let labels = braced(&[&labels]);
                    let _ = write!(text, "{name}_sum{labels} ");
                    unit.write(text, *sum);
                    let _ = writeln!(text, "\n{name}_count{labels} {count}");
                }
                (_, numbers) => {
                    let _ = write!(text, "{name}{} ", braced(&[&labels]));
                    unit.write(text, numbers.first().copied().unwrap_or(0));
                    text.push('\n');
                }
            }
        }
    }
}

#[cfg(feature = "otlp")]
impl Family {
    /// The name.
    pub(crate) fn name(&self) -> &'static str {
        self.title.name
    }

    /// What it says.
    pub(crate) fn help(&self) -> &'static str {
        self.title.help
    }

    /// The upper bounds of all buckets but the last; absent for counters.
    pub(crate) fn bounds(&self) -> Option<&'static [u64]> {
        match self.kind {
            Kind::Counter => None,
            Kind::Histogram(bounds) => Some(bounds),
        }
    }

    /// A number in the base unit.
    pub(crate) fn in_base_unit(&self, number: u64) -> f64 {
        match self.title.unit {
            Unit::Count => number as f64,
            Unit::Nanoseconds => number as f64 / 1e9,
        }
    }
}

/// Writes what a family is.
pub(crate) fn write_head(text: &mut String, name: &str, help: &str, kind: &str) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

fn width(kind: Kind) -> usize {
    match kind {
        Kind::Counter => 1,
        Kind::Histogram(bounds) => bounds.len() + 2,
    }
}

/// Labels in braces; none where there are none.
fn braced(labels: &[&str]) -> String {
    let labels: Vec<&str> = labels
        .iter()
        .copied()
        .filter(|labels| !labels.is_empty())
        .collect();
    match labels.is_empty() {
        true => String::new(),
        false => format!("{{{}}}", labels.join(",")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TITLE: Title = Title {
        name: "x_seconds",
        help: "Of what.",
        unit: Unit::Nanoseconds,
    };

    fn text(family: &Family) -> String {
        let mut text = String::new();
        family.write(&mut text, &family.numbers());
        text
    }

    #[test]
    fn a_histogram_has_cumulative_buckets_a_sum_and_a_count() {
        let axes = vec![Axis::new("stage", ["load", "call"])];
        let family = Family::histogram(TITLE, &[1_000_000, 500_000_000], axes);
        family.observe(&[1], 1_000_000);
        family.observe(&[1], 1_000_001);
        family.observe(&[1], 3_000_000_000);
        let text = text(&family);
        for line in [
            "# TYPE x_seconds histogram",
            "x_seconds_bucket{stage=\"call\",le=\"0.001\"} 1",
            "x_seconds_bucket{stage=\"call\",le=\"0.5\"} 2",
            "x_seconds_bucket{stage=\"call\",le=\"+Inf\"} 3",
            "x_seconds_sum{stage=\"call\"} 3.002000001",
            "x_seconds_count{stage=\"call\"} 3",
            "x_seconds_count{stage=\"load\"} 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }

    #[test]
    fn a_counter_is_at_the_position_of_its_labels() {
        let axes = || {
            vec![
                Axis::new("a", ["x", "y"]),
                Axis::new("b", ["1", "2", "3\"\\"]),
            ]
        };
        let family = Family::counter(TITLE, Shown::NotZero, axes());
        family.add(&[1, 2], 7);
        family.add(&[0, 1], 0);
        let lines: Vec<String> = text(&family).lines().skip(2).map(str::to_owned).collect();
        assert_eq!(lines, ["x_seconds{a=\"y\",b=\"3\\\"\\\\\"} 0.000000007"]);
        let all = Family::counter(TITLE, Shown::All, axes());
        assert_eq!(text(&all).lines().count(), 2 + 6);
        let names: Vec<String> = all.names().collect();
        assert_eq!(names[1], "x_seconds{a=\"x\",b=\"2\"}");
    }

    #[test]
    fn a_position_outside_of_the_table_counts_nowhere() {
        let family = Family::counter(TITLE, Shown::NotZero, vec![Axis::new("a", ["x"])]);
        family.add(&[9], 1);
        assert_eq!(text(&family).lines().count(), 2);
    }
}
