//! Which sizes are measured: points that models are fitted to, and others, held out, that they are judged by.
//!
//! One dimension gets about eight sizes in geometric steps. Several get points spread evenly over the logarithms of all sizes
//! (Halton's sequence), with two corners. A grid would have all its sizes be multiples of the same numbers, and say nothing of
//! what is left over where a loop does several elements at once.

use crate::fit::Sizes;
use crate::number;
use crate::random::Random;
use hotcell_model::manifest::is_identifier;
use hotcell_model::manifest::units::{UnitError, parse_count};
use std::str::FromStr;

/// Sizes of one dimension that are measured.
const STEPS: usize = 8;
/// Points over several dimensions.
const POINTS: usize = 94;
/// Held-out points of one dimension, and of several.
const HELD_OUT: [usize; 2] = [4, 8];
/// The most sizes that can be listed.
const LISTED: usize = 64;
/// The most dimensions that are swept at once.
pub const MOST: usize = 6;

/// A dimension or whole scalar, and the sizes that it goes through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sweep {
    /// Its name.
    pub name: String,
    /// Which sizes.
    pub extents: Extents,
}

/// Sizes that something goes through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Extents {
    /// Any between two, both included.
    Range {
        /// The smallest; at least 1.
        low: u64,
        /// The largest.
        high: u64,
    },
    /// These alone, ascending.
    Listed(Vec<u64>),
}

/// Why a text is no sweep.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SweepError {
    /// It is not written as one.
    #[error(
        "`{0}` is no sweep; write n=1k..1M for about eight sizes between the two, n=1k..1M*2 for each the double of the one \
         before, or n=16,32,64"
    )]
    Form(String),
    /// A size is no count.
    #[error("a size of `{name}`")]
    Size {
        /// What is swept.
        name: String,
        /// What is wrong.
        source: UnitError,
    },
    /// A range is empty, or begins at 0.
    #[error("`{name}` goes from {low} to {high}; write the smaller size first, at least 1")]
    Empty {
        /// What is swept.
        name: String,
        /// Its first size.
        low: u64,
        /// Its last.
        high: u64,
    },
    /// There are too many sizes.
    #[error("`{name}` has more than {LISTED} sizes; take larger steps")]
    Many {
        /// What is swept.
        name: String,
    },
}

impl FromStr for Sweep {
    type Err = SweepError;

    fn from_str(text: &str) -> Result<Self, SweepError> {
        let form = || SweepError::Form(text.chars().take(60).collect());
        let (name, sizes) = text.split_once('=').ok_or_else(form)?;
        if !is_identifier(name) || sizes.is_empty() {
            return Err(form());
        }
        let name = name.to_owned();
        let size = |text: &str| {
            parse_count(text).map_err(|source| SweepError::Size {
                name: name.clone(),
                source,
            })
        };
        let extents = match sizes.split_once("..") {
            Some((low, high)) => {
                let (high, factor) = match high.split_once('*') {
                    Some((high, factor)) => (high, Some(size(factor)?)),
                    None => (high, None),
                };
                let (low, high) = (size(low)?, size(high)?);
                if low == 0 || low > high {
                    return Err(SweepError::Empty { name, low, high });
                }
                match factor {
                    None => Extents::Range { low, high },
                    Some(0 | 1) => return Err(form()),
                    Some(factor) => Extents::Listed(multiples(low, high, factor)),
                }
            }
            None => {
                let mut listed = sizes.split(',').map(size).collect::<Result<Vec<_>, _>>()?;
                listed.sort_unstable();
                listed.dedup();
                Extents::Listed(listed)
            }
        };
        match &extents {
            Extents::Listed(listed) if listed.len() > LISTED => Err(SweepError::Many { name }),
            Extents::Listed(listed) if listed.first() == Some(&0) => Err(SweepError::Empty {
                name,
                low: 0,
                high: listed.last().copied().unwrap_or(0),
            }),
            _ => Ok(Self { name, extents }),
        }
    }
}

fn multiples(low: u64, high: u64, factor: u64) -> Vec<u64> {
    let next = |size: &u64| size.checked_mul(factor).filter(|next| *next <= high);
    std::iter::successors(Some(low), next)
        .take(LISTED + 1)
        .collect()
}

impl Extents {
    /// The smallest and the largest.
    pub fn ends(&self) -> (u64, u64) {
        match self {
            Self::Range { low, high } => (*low, *high),
            Self::Listed(listed) => (
                listed.first().copied().unwrap_or(1),
                listed.last().copied().unwrap_or(1),
            ),
        }
    }

    /// The size at a part of the way from the smallest to the largest, by their logarithms.
    fn at(&self, part: f64) -> u64 {
        match self {
            Self::Range { low, high } => {
                let (first, last) = (number::of(*low), number::of(*high));
                let size = (first * (last / first).powf(part)).round();
                number::ceil(size).clamp(*low, *high)
            }
            Self::Listed(listed) => {
                let position = part * number::len(listed.len().saturating_sub(1));
                let at = usize::try_from(number::ceil(position.round())).unwrap_or(0);
                listed.get(at).copied().unwrap_or(1)
            }
        }
    }

    fn steps(&self, count: usize) -> Vec<u64> {
        let last = number::len(count.saturating_sub(1).max(1));
        let mut steps: Vec<u64> = (0..count)
            .map(|step| self.at(number::len(step) / last))
            .collect();
        steps.dedup();
        steps
    }
}

/// What is measured of a sweep.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Sizes that models are fitted to.
    pub fitted: Vec<Sizes>,
    /// Sizes that they are judged by.
    pub held_out: Vec<Sizes>,
}

/// The points of a sweep; the same ones for the same seed.
pub fn plan(sweeps: &[Sweep], seed: u64) -> Plan {
    let fitted = match sweeps {
        [
            Sweep {
                name,
                extents: Extents::Listed(listed),
            },
        ] => return listed_alone(name, listed),
        [one] => grid(sweeps, &[one.extents.steps(STEPS)]),
        _ => spread(sweeps),
    };
    let mut random = Random::new(seed, "held out");
    let mut held_out: Vec<Sizes> = Vec::new();
    let wanted = HELD_OUT[usize::from(sweeps.len() > 1)];
    // Where there are few sizes all in all, those that are met again are not looked for without end.
    for _ in 0..16 * wanted {
        let sizes = any(sweeps, &mut random);
        let is_known = fitted.contains(&sizes) || held_out.contains(&sizes);
        if !is_known && held_out.len() < wanted {
            held_out.push(sizes);
        }
    }
    Plan { fitted, held_out }
}

/// Of listed sizes every third is held out, but neither end.
fn listed_alone(name: &str, listed: &[u64]) -> Plan {
    let mut plan = Plan::default();
    for (at, size) in listed.iter().enumerate() {
        let is_inner = at > 0 && at + 1 < listed.len();
        let sizes = Sizes::from([(name.to_owned(), *size)]);
        match is_inner && at % 3 == 2 {
            true => plan.held_out.push(sizes),
            false => plan.fitted.push(sizes),
        }
    }
    plan
}

fn grid(sweeps: &[Sweep], steps: &[Vec<u64>]) -> Vec<Sizes> {
    let mut points = vec![Sizes::new()];
    for (sweep, steps) in sweeps.iter().zip(steps) {
        let with = |point: &Sizes, size: u64| {
            let mut point = point.clone();
            point.insert(sweep.name.clone(), size);
            point
        };
        let longer = points
            .iter()
            .flat_map(|point| steps.iter().map(|size| with(point, *size)));
        points = longer.collect();
    }
    points
}

fn spread(sweeps: &[Sweep]) -> Vec<Sizes> {
    const BASES: [u64; MOST] = [2, 3, 5, 7, 11, 13];
    let point = |part: &dyn Fn(usize) -> f64| -> Sizes {
        let sizes = sweeps.iter().enumerate();
        sizes
            .map(|(at, sweep)| (sweep.name.clone(), sweep.extents.at(part(at))))
            .collect()
    };
    let mut points = vec![point(&|_| 0.0), point(&|_| 1.0)];
    points.extend(
        (1..=POINTS)
            .map(|index| point(&|at| halton(index as u64, BASES.get(at).copied().unwrap_or(17)))),
    );
    points.sort();
    points.dedup();
    points
}

/// The digits of `index` behind the point, in reverse.
fn halton(mut index: u64, base: u64) -> f64 {
    let (mut value, mut weight) = (0.0, 1.0);
    while index > 0 {
        weight /= number::of(base);
        value += weight * number::of(index % base);
        index /= base;
    }
    value
}

/// Any sizes within the sweep, by their logarithms.
pub(crate) fn any(sweeps: &[Sweep], random: &mut Random) -> Sizes {
    let mut one = |sweep: &Sweep| match &sweep.extents {
        range @ Extents::Range { .. } => range.at(random.unit()),
        Extents::Listed(listed) => random.one_of(listed).copied().unwrap_or(1),
    };
    sweeps
        .iter()
        .map(|sweep| (sweep.name.clone(), one(sweep)))
        .collect()
}

/// The largest sizes within the sweep.
pub fn largest(sweeps: &[Sweep]) -> Sizes {
    let largest = |sweep: &Sweep| (sweep.name.clone(), sweep.extents.ends().1);
    sweeps.iter().map(largest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sweeps(texts: &[&str]) -> Vec<Sweep> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn sweeps_are_ranges_multiples_and_lists() {
        let extents = |text: &str| text.parse::<Sweep>().unwrap().extents;
        assert_eq!(
            extents("n=1k..1M"),
            Extents::Range {
                low: 1000,
                high: 1_000_000
            }
        );
        assert_eq!(extents("n=64,16,32,16"), Extents::Listed(vec![16, 32, 64]));
        assert_eq!(extents("n=4..20*2"), Extents::Listed(vec![4, 8, 16]));
    }

    #[test]
    fn what_is_no_sweep_says_how_to_write_one() {
        for (text, says) in [
            ("", "n=1k..1M"),
            ("n", "n=1k..1M"),
            ("2n=1..3", "n=1k..1M"),
            ("n=5..1", "smaller size first"),
            ("n=0..9", "at least 1"),
            ("n=1..9*1", "the double"),
            ("n=0,4", "at least 1"),
            ("n=1Ki..4", "a size of `n`"),
            ("n=1..1M,3", "a size of `n`"),
        ] {
            let error = text.parse::<Sweep>().unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
        let many = (1..=65)
            .map(|n| n.to_string())
            .collect::<Vec<_>>()
            .join(",");
        assert!(matches!(
            format!("n={many}").parse::<Sweep>(),
            Err(SweepError::Many { .. })
        ));
    }

    #[test]
    fn plans_have_both_ends_and_hold_others_out() {
        for texts in [
            &["n=1k..1M"][..],
            &["n=1..1k*2"],
            &["h=8..512", "w=8..512"],
            &["m=1..64", "k=1..64", "n=1..64"],
            &["n=2..9", "h=2..9", "r=2..9", "c=4,8"],
        ] {
            let sweeps = sweeps(texts);
            let plan = super::plan(&sweeps, 1);
            assert!(plan.fitted.contains(&largest(&sweeps)), "{texts:?}");
            assert!((6..=96).contains(&plan.fitted.len()), "{texts:?}");
            assert!(plan.held_out.len() >= 3, "{texts:?}");
            assert!(
                plan.held_out.iter().all(|one| !plan.fitted.contains(one)),
                "{texts:?}"
            );
            assert_eq!(plan, super::plan(&sweeps, 1));
        }
    }

    #[test]
    fn one_size_alone_is_one_point() {
        let plan = plan(&sweeps(&["n=5..5"]), 1);
        assert_eq!((plan.fitted.len(), plan.held_out.len()), (1, 0));
    }
}
