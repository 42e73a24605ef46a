//! Regressions for authors: exact fuel, held against what it was.
//!
//! Fuel in `deterministic` metering is the same number on every machine, so a baseline can lie in a repository and be compared
//! wherever the kernel is built. Any change is one of the code, of the compiler that made it, or of this host's metering.

use crate::fit::Sizes;
use crate::number;
use crate::record::{RecordError, SCHEMA, read_json, write_json};
use hotcell_model::outcome::OutcomeKind;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

/// Exact fuel of entries, each at some points.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// The form of the file: 1.
    pub schema: u32,
    /// The entries, in the order in which they were measured.
    pub entries: Vec<EntryFuel>,
}

/// One entry's fuel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntryFuel {
    /// The component's file name, without its folder.
    pub component: String,
    /// The entry.
    pub entry: String,
    /// The scalars that it was launched with, besides whole ones.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub scalars: BTreeMap<String, String>,
    /// At which points how much.
    pub points: Vec<Figure>,
}

/// One launch that is made again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figure {
    /// Every dimension and whole scalar.
    pub sizes: Sizes,
    /// What its arrays are made by.
    pub recipe: String,
    /// How it ended.
    pub outcome: OutcomeKind,
    /// The fuel that it took.
    pub fuel: u64,
}

/// What became of an entry.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The component's file name.
    pub component: String,
    /// The entry.
    pub entry: String,
    /// What of it.
    pub verdict: Verdict,
}

/// How an entry's fuel stands to what it was.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// The same at every point.
    Same {
        /// How many points.
        points: usize,
    },
    /// Other, and nowhere more than is tolerated.
    Within(Difference),
    /// More than is tolerated.
    Regressed(Difference),
    /// It ends otherwise at a point.
    EndsOtherwise {
        /// Of what sizes.
        sizes: Sizes,
        /// How it ended.
        was: OutcomeKind,
        /// How it ends.
        now: OutcomeKind,
    },
    /// The baseline does not have it.
    New,
    /// The baseline has it, or points of it, and it was not measured.
    Missing,
}

/// The point at which fuel changed most.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// Of what sizes.
    pub sizes: Sizes,
    /// The fuel that it took.
    pub was: u64,
    /// The fuel that it takes.
    pub now: u64,
}

impl Difference {
    /// By how much it grew, in percent of what it was.
    pub fn percent(&self) -> f64 {
        100.0 * (number::of(self.now) / number::of(self.was).max(1.0) - 1.0)
    }
}

impl Verdict {
    /// Whether whoever compares has to look.
    pub fn is_failure(&self) -> bool {
        matches!(
            self,
            Self::Regressed(_) | Self::EndsOtherwise { .. } | Self::Missing
        )
    }
}

impl Baseline {
    /// Of those entries.
    pub fn of(entries: Vec<EntryFuel>) -> Self {
        Self {
            schema: SCHEMA,
            entries,
        }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read, or is none.
    pub fn read(path: &Path) -> Result<Self, RecordError> {
        read_json(path)
    }

    /// Writes a file, which appears whole or not at all.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), RecordError> {
        write_json(path, self)
    }

    /// The entry of that component.
    pub fn find(&self, component: &str, entry: &str) -> Option<&EntryFuel> {
        let mut all = self.entries.iter();
        all.find(|one| one.component == component && one.entry == entry)
    }

    /// Every entry of either; `tolerance_percent` more fuel is no regression.
    pub fn compare(&self, now: &Self, tolerance_percent: f64) -> Vec<Change> {
        let of = |one: &EntryFuel, verdict: Verdict| Change {
            component: one.component.clone(),
            entry: one.entry.clone(),
            verdict,
        };
        let measured = now.entries.iter().map(|one| {
            let was = self.find(&one.component, &one.entry);
            of(
                one,
                was.map_or(Verdict::New, |was| verdict(was, one, tolerance_percent)),
            )
        });
        let gone = self
            .entries
            .iter()
            .filter(|was| now.find(&was.component, &was.entry).is_none());
        let gone = gone.map(|was| of(was, Verdict::Missing));
        measured.chain(gone).collect()
    }
}

fn verdict(was: &EntryFuel, now: &EntryFuel, tolerance_percent: f64) -> Verdict {
    let mut worst: Option<Difference> = None;
    for old in &was.points {
        let same = |new: &&Figure| new.sizes == old.sizes && new.recipe == old.recipe;
        let Some(new) = now.points.iter().find(same) else {
            return Verdict::Missing;
        };
        if old.outcome != new.outcome {
            return Verdict::EndsOtherwise {
                sizes: old.sizes.clone(),
                was: old.outcome,
                now: new.outcome,
            };
        }
        let difference = Difference {
            sizes: old.sizes.clone(),
            was: old.fuel,
            now: new.fuel,
        };
        // What grew most comes before what shrank.
        let is_worse = |than: &Difference| difference.percent() > than.percent();
        if old.fuel != new.fuel && worst.as_ref().is_none_or(is_worse) {
            worst = Some(difference);
        }
    }
    match worst {
        None => Verdict::Same {
            points: was.points.len(),
        },
        Some(worst) if worst.percent() > tolerance_percent => Verdict::Regressed(worst),
        Some(worst) => Verdict::Within(worst),
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.component, self.entry, self.verdict)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Same { points } => write!(f, "the same fuel at {points} points"),
            Self::Within(difference) => write!(f, "fuel {difference}"),
            Self::Regressed(difference) => write!(f, "REGRESSED: fuel {difference}"),
            Self::EndsOtherwise { sizes, was, now } => {
                write!(f, "REGRESSED: it ended as {was} at {}, and ends as {now}", Shown(sizes))
            }
            Self::New => f.write_str("new: the baseline does not have it; save one with --save"),
            Self::Missing => f.write_str(
                "MISSING: the baseline has it, or points of it, and it was not measured; if it is gone, save one with --save",
            ),
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (was, now) = (self.was, self.now);
        write!(
            f,
            "{was} → {now} ({:+.2} %) at {}",
            self.percent(),
            Shown(&self.sizes)
        )
    }
}

/// Sizes in words: `m=64 n=64`.
pub struct Shown<'a>(pub &'a Sizes);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (name, size)) in self.0.iter().enumerate() {
            let space = if at == 0 { "" } else { " " };
            write!(f, "{space}{name}={size}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::sizes;

    fn baseline(entries: &[(&str, &[u64])]) -> Baseline {
        let point = |(at, fuel): (usize, &u64)| Figure {
            sizes: sizes(&[("n", at as u64)]),
            recipe: "seed=1 x=uniform".to_owned(),
            outcome: OutcomeKind::Done,
            fuel: *fuel,
        };
        let entries = entries.iter().map(|(entry, fuel)| EntryFuel {
            component: "k.wasm".to_owned(),
            entry: (*entry).to_owned(),
            scalars: BTreeMap::new(),
            points: fuel.iter().enumerate().map(point).collect(),
        });
        Baseline::of(entries.collect())
    }

    fn verdicts(was: &Baseline, now: &Baseline, tolerance_percent: f64) -> Vec<String> {
        let changes = was.compare(now, tolerance_percent);
        changes
            .iter()
            .map(|change| format!("{} {}", change.verdict.is_failure(), change))
            .collect()
    }

    #[test]
    fn fuel_that_grew_beyond_what_is_tolerated_has_regressed() {
        let was = baseline(&[("sum", &[100, 1000])]);
        let now = baseline(&[("sum", &[90, 1011])]);
        assert_eq!(
            verdicts(&was, &now, 1.0),
            ["true k.wasm sum: REGRESSED: fuel 1000 → 1011 (+1.10 %) at n=1"]
        );
        assert_eq!(
            verdicts(&was, &now, 2.0),
            ["false k.wasm sum: fuel 1000 → 1011 (+1.10 %) at n=1"]
        );
        assert_eq!(
            verdicts(&was, &was, 0.0),
            ["false k.wasm sum: the same fuel at 2 points"]
        );
        let less = baseline(&[("sum", &[100, 900])]);
        assert_eq!(
            verdicts(&was, &less, 0.0),
            ["false k.wasm sum: fuel 1000 → 900 (-10.00 %) at n=1"]
        );
    }

    #[test]
    fn what_is_gone_or_ends_otherwise_fails_and_what_is_new_does_not() {
        let was = baseline(&[("dot", &[1]), ("sum", &[1])]);
        let mut now = baseline(&[("sum", &[1]), ("scan", &[1])]);
        now.entries[0].points[0].outcome = OutcomeKind::Trap;
        let verdicts = verdicts(&was, &now, 0.0);
        assert!(
            verdicts[0].starts_with(
                "true k.wasm sum: REGRESSED: it ended as done at n=0, and ends as trap"
            )
        );
        assert!(verdicts[1].starts_with("false k.wasm scan: new"));
        assert!(verdicts[2].starts_with("true k.wasm dot: MISSING"));
        let fewer = baseline(&[("dot", &[]), ("sum", &[1])]);
        assert_eq!(was.compare(&fewer, 0.0)[0].verdict, Verdict::Missing);
    }

    #[test]
    fn baselines_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("baseline.json");
        let baseline = baseline(&[("sum", &[1, u64::from(u32::MAX)])]);
        baseline.write(&path).unwrap();
        assert_eq!(Baseline::read(&path).unwrap(), baseline);
        std::fs::write(&path, "{\"schema\":9}").unwrap();
        assert!(matches!(
            Baseline::read(&path),
            Err(RecordError::Schema { found: 9, .. })
        ));
    }
}
