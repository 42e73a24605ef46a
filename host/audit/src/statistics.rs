//! What kernels took, as the log has it: like a profiler's table, and also of last week.

use crate::entry::{End, Entry, Said};
use hotcell_model::audit::Verb;
use hotcell_model::digest::Digest;
use hotcell_model::outcome::OutcomeKind;
use hotcell_model::report::CacheOutcome;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};

/// What kernels took.
#[derive(Debug, Default)]
pub struct Statistics {
    kernels: HashMap<(Option<Digest>, String), Samples>,
    /// What the last compilation of an artifact took.
    compilations: HashMap<Digest, u64>,
}

/// The launches of one kernel.
#[derive(Debug, Default)]
struct Samples {
    name: String,
    calls: u64,
    wall_ns: Vec<u64>,
    fuel: Vec<u64>,
    peak_memory_bytes: Vec<u64>,
    compile_ns: u64,
    compilations: u64,
    /// Of launches that found their artifact: which.
    hits: HashMap<Option<Digest>, u64>,
    failures: BTreeMap<String, u64>,
    alerts: u64,
}

/// The launches of one kernel, summed up.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct KernelStatistics {
    /// The component's digest; absent where its file could not be read.
    pub component: Option<Digest>,
    /// The entry, or what was named in its place.
    pub entry: String,
    /// The kernel's name in its manifest.
    pub name: String,
    /// How many launches there were.
    pub calls: u64,
    /// Wall-clock time of those that ran, in nanoseconds.
    pub wall_ns: Option<Distribution>,
    /// Fuel of those that counted it.
    pub fuel: Option<Distribution>,
    /// The most memory that each had at once, in bytes.
    pub peak_memory_bytes: Option<Distribution>,
    /// How many were compiled for.
    pub compilations: u64,
    /// What those compilations took, in nanoseconds.
    pub compile_ns: u64,
    /// How many found their artifact.
    pub cache_hits: u64,
    /// What those would have taken to compile, as the last compilation of the same artifact did; of those that none is known
    /// of, nothing.
    pub saved_ns: u64,
    /// How many ended otherwise than well, by kind.
    pub failures: BTreeMap<String, u64>,
    /// How many alerts there were.
    pub alerts: u64,
}

/// How large something was. Percentiles are by nearest rank: values that occurred.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Distribution {
    /// The least.
    pub min: u64,
    /// On average.
    pub mean: u64,
    /// What half are at most.
    pub p50: u64,
    /// What 99 in 100 are at most.
    pub p99: u64,
    /// The most.
    pub max: u64,
    /// Of all together.
    pub total: u64,
}

impl Distribution {
    /// Of some values; `None` of none.
    pub fn of(values: &[u64]) -> Option<Self> {
        let mut values = values.to_vec();
        values.sort_unstable();
        let rank = |percent: usize| {
            let rank = (values.len() * percent).div_ceil(100).max(1);
            values.get(rank - 1).copied()
        };
        let total = values
            .iter()
            .fold(0_u64, |total, value| total.saturating_add(*value));
        Some(Self {
            min: *values.first()?,
            mean: total / values.len() as u64,
            p50: rank(50)?,
            p99: rank(99)?,
            max: *values.last()?,
            total,
        })
    }
}

impl Statistics {
    /// Adds a record.
    pub fn add(&mut self, entry: &Entry) {
        let said = entry.said();
        let Some(end) = &said.end else {
            return;
        };
        if let (Some(artifact), Some(CacheOutcome::Miss(_))) = (end.artifact, &end.cache) {
            self.compilations.insert(artifact, end.timings.compile_ns);
        }
        if matches!(said.verb, Some(Verb::Launch | Verb::Guard)) {
            self.add_launch(said, end);
        }
    }

    fn add_launch(&mut self, said: &Said, end: &End) {
        let named = said.entry.clone().unwrap_or_default();
        let entry = if end.entry.is_empty() {
            named
        } else {
            end.entry.clone()
        };
        let samples = self.kernels.entry((said.component, entry)).or_default();
        if !end.name.is_empty() {
            samples.name.clone_from(&end.name);
        }
        samples.calls += 1;
        samples.alerts += end.alerts.len() as u64;
        if end.usage.wall_ns != 0 {
            samples.wall_ns.push(end.usage.wall_ns);
            samples.peak_memory_bytes.push(end.usage.peak_memory_bytes);
            samples.fuel.extend(end.usage.fuel_used);
        }
        match &end.cache {
            Some(CacheOutcome::Miss(_)) => {
                samples.compilations += 1;
                samples.compile_ns = samples.compile_ns.saturating_add(end.timings.compile_ns);
            }
            Some(CacheOutcome::Hit | CacheOutcome::HitMemory) => {
                *samples.hits.entry(end.artifact).or_default() += 1;
            }
            Some(CacheOutcome::FailedBefore) | None => {}
        }
        if end.outcome != OutcomeKind::Done {
            *samples
                .failures
                .entry(end.outcome.name().to_owned())
                .or_default() += 1;
        }
    }

    /// Each kernel, the one that ran longest in all first.
    pub fn kernels(&self) -> Vec<KernelStatistics> {
        let each = self.kernels.iter();
        let mut kernels: Vec<_> = each
            .map(|((component, entry), samples)| self.sum_up(*component, entry, samples))
            .collect();
        let total = |kernel: &KernelStatistics| kernel.wall_ns.map_or(0, |wall| wall.total);
        kernels.sort_by(|one, other| {
            let by_total = total(other).cmp(&total(one));
            by_total.then_with(|| (&one.entry, one.component).cmp(&(&other.entry, other.component)))
        });
        kernels
    }

    fn sum_up(
        &self,
        component: Option<Digest>,
        entry: &str,
        samples: &Samples,
    ) -> KernelStatistics {
        let saved = samples.hits.iter().map(|(artifact, hits)| {
            let took = artifact.and_then(|artifact| self.compilations.get(&artifact));
            took.map_or(0, |took| took.saturating_mul(*hits))
        });
        KernelStatistics {
            component,
            entry: entry.to_owned(),
            name: samples.name.clone(),
            calls: samples.calls,
            wall_ns: Distribution::of(&samples.wall_ns),
            fuel: Distribution::of(&samples.fuel),
            peak_memory_bytes: Distribution::of(&samples.peak_memory_bytes),
            compilations: samples.compilations,
            compile_ns: samples.compile_ns,
            cache_hits: samples.hits.values().sum(),
            saved_ns: saved.fold(0, u64::saturating_add),
            failures: samples.failures.clone(),
            alerts: samples.alerts,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_occurred() {
        let values: Vec<u64> = (1..=200).rev().collect();
        let of = Distribution::of(&values).unwrap();
        assert_eq!(
            (of.min, of.mean, of.p50, of.p99, of.max),
            (1, 100, 100, 198, 200)
        );
        let one = Distribution::of(&[7]).unwrap();
        assert_eq!((one.p50, one.p99, one.total), (7, 7, 7));
        assert_eq!(Distribution::of(&[]), None);
    }
}
