//! A search for what costs most: seeded, bounded, and to be made again from what it says.
//!
//! Fuel per element alone would name the smallest arrays, over whose few elements a launch's fixed cost is spread. So each
//! candidate is held against what the model foretells for its sizes, or where there is none against its elements; and what was
//! found is told as fuel per element, and against the median of ordinary arrays of the very same sizes.

use crate::fit::Sizes;
use crate::inputs::{Fill, Given, Kind, Recipe};
use crate::number;
use crate::random::Random;
use crate::record::{Sample, Worst};
use crate::subject::{Measure, SubjectError};
use crate::sweep::{Sweep, any};
use std::collections::BTreeMap;

/// Ordinary arrays whose median the worst is held against.
const ORDINARY: u64 = 3;
/// How far apart elements of a second kind are mixed in.
const PERIODS: [u32; 4] = [2, 8, 64, 1024];

/// What the search knows of the kernel.
pub(crate) struct Search<'a> {
    /// Where sizes are taken from.
    pub(crate) sweeps: &'a [Sweep],
    /// The arrays that are read.
    pub(crate) arrays: &'a [String],
    /// What the author said of arrays.
    pub(crate) given: &'a BTreeMap<String, Given>,
    /// The fuel that is expected, by size.
    pub(crate) expected: &'a dyn Fn(&Sizes) -> f64,
    /// Elements of all arrays, by size.
    pub(crate) elements: &'a dyn Fn(&Sizes) -> u64,
    /// The most launches.
    pub(crate) launches: u32,
    pub(crate) seed: u64,
}

struct Candidate {
    swept: Sizes,
    recipe: Recipe,
    score: f64,
    fuel: u64,
}

impl Search<'_> {
    /// Looks for it: every kind of elements first, at middling sizes, then what is changed a little of the worst so far.
    ///
    /// # Errors
    /// Arrays cannot be made.
    pub(crate) fn run(&self, subject: &mut dyn Measure) -> Result<Option<Worst>, SubjectError> {
        let mut random = Random::new(self.seed, "worst");
        let mut spent = 0;
        let mut worst: Option<Candidate> = None;
        let middling = any(self.sweeps, &mut random);
        for turn in 0..self.launches {
            let (swept, recipe) = match (
                usize::try_from(turn).ok().and_then(|at| Kind::ALL.get(at)),
                &worst,
            ) {
                (Some(kind), _) => (
                    middling.clone(),
                    recipe(self.arrays, self.given, *kind, self.seed),
                ),
                (None, Some(worst)) => self.changed(worst, &mut random),
                (None, None) => break,
            };
            spent += 1;
            let sizes = subject.sizes(&swept)?;
            let sample = subject.measure(&sizes, &recipe, 1)?;
            let score = self.score(&sizes, &sample);
            if sample.is_done() && worst.as_ref().is_none_or(|worst| score > worst.score) {
                worst = Some(Candidate {
                    swept,
                    recipe,
                    score,
                    fuel: sample.fuel,
                });
            }
        }
        let Some(worst) = worst else { return Ok(None) };
        let sizes = subject.sizes(&worst.swept)?;
        let mut ordinary = Vec::new();
        for seed in 1..=ORDINARY {
            let recipe = recipe(
                self.arrays,
                self.given,
                Kind::Uniform,
                self.seed.wrapping_add(seed),
            );
            let sample = subject.measure(&sizes, &recipe, 1)?;
            spent += 1;
            if sample.is_done() {
                ordinary.push(number::of(sample.fuel));
            }
        }
        let elements = (self.elements)(&sizes);
        let median = match ordinary.is_empty() {
            true => number::of(worst.fuel),
            false => number::median(ordinary),
        };
        Ok(Some(Worst {
            sizes,
            recipe: worst.recipe.to_string(),
            fuel: worst.fuel,
            elements,
            fuel_per_element: number::of(worst.fuel) / number::of(elements.max(1)),
            ratio_to_median: number::of(worst.fuel) / median.max(1.0),
            launches: spent,
        }))
    }

    fn score(&self, sizes: &Sizes, sample: &Sample) -> f64 {
        number::of(sample.fuel) / (self.expected)(sizes).max(1.0)
    }

    /// Other sizes, another seed, or one array filled otherwise.
    fn changed(&self, worst: &Candidate, random: &mut Random) -> (Sizes, Recipe) {
        let (mut swept, mut recipe) = (worst.swept.clone(), worst.recipe.clone());
        let free: Vec<&String> = self
            .arrays
            .iter()
            .filter(|name| self.is_free(name))
            .collect();
        let choice = if free.is_empty() {
            random.below(2)
        } else {
            random.below(4)
        };
        match (choice, random.one_of(&free)) {
            (0, _) => swept = any(self.sweeps, random),
            (2, Some(name)) => {
                if let (Some(fill), Some(kind)) =
                    (recipe.fills.get_mut(*name), random.one_of(&Kind::ALL))
                {
                    fill.kind = *kind;
                }
            }
            (3, Some(name)) => {
                let (kind, period) = (random.one_of(&Kind::ALL), random.one_of(&PERIODS));
                if let (Some(fill), Some(kind), Some(period)) =
                    (recipe.fills.get_mut(*name), kind, period)
                {
                    fill.mixed = Some((*kind, *period));
                }
            }
            _ => recipe.seed = random.next() >> 32,
        }
        (swept, recipe)
    }

    /// Whether the author leaves open how an array is filled.
    fn is_free(&self, name: &str) -> bool {
        !matches!(self.given.get(name), Some(Given::Fill(_)))
    }
}

/// Arrays of one kind, but for those of which the author says what they are.
pub(crate) fn recipe(
    arrays: &[String],
    given: &BTreeMap<String, Given>,
    kind: Kind,
    seed: u64,
) -> Recipe {
    let fill = |name: &String| match given.get(name) {
        Some(Given::Fill(fill)) => fill.clone(),
        Some(Given::Bounds(bounds)) => Fill {
            bounds: Some(bounds.clone()),
            ..Fill::of(kind)
        },
        None => Fill::of(kind),
    };
    Recipe {
        seed,
        fills: arrays
            .iter()
            .map(|name| (name.clone(), fill(name)))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{Function, sizes};

    /// Takes twice the fuel for every descending array, and half more where extremes are mixed in.
    fn worst_of(launches: u32, seed: u64) -> Option<Worst> {
        let mut subject = Function::of(|sizes, recipe| {
            let slow = |fill: &Fill| {
                let by_kind = if fill.kind == Kind::Descending {
                    2.0
                } else {
                    1.0
                };
                let by_mix = if matches!(fill.mixed, Some((Kind::Extremes, _))) {
                    1.5
                } else {
                    1.0
                };
                by_kind * by_mix
            };
            let factor: f64 = recipe.fills.values().map(slow).product();
            number::ceil(10.0 * number::of(sizes["n"]) * factor)
        });
        let sweeps = ["n=1k..10k".parse().unwrap()];
        let arrays = ["x".to_owned(), "y".to_owned()];
        let search = Search {
            sweeps: &sweeps,
            arrays: &arrays,
            given: &BTreeMap::new(),
            expected: &|sizes| 10.0 * number::of(sizes["n"]),
            elements: &|sizes| 2 * sizes["n"],
            launches,
            seed,
        };
        search.run(&mut subject).unwrap()
    }

    #[test]
    fn the_search_finds_what_no_single_kind_shows() {
        let worst = worst_of(200, 1).unwrap();
        assert!((worst.ratio_to_median - 9.0).abs() < 0.01, "{worst:?}");
        assert!((worst.fuel_per_element - 45.0).abs() < 0.1, "{worst:?}");
        assert_eq!(worst.launches, 203);
        let recipe: Recipe = worst.recipe.parse().unwrap();
        assert!(
            recipe
                .fills
                .values()
                .all(|fill| fill.kind == Kind::Descending)
        );
    }

    #[test]
    fn the_same_seed_finds_the_same() {
        assert_eq!(worst_of(60, 7), worst_of(60, 7));
        assert_eq!(worst_of(0, 7), None);
    }

    #[test]
    fn what_the_author_says_of_an_array_is_kept() {
        let given = BTreeMap::from([
            ("x".to_owned(), "ascending:0..n".parse().unwrap()),
            ("y".to_owned(), "0..5".parse().unwrap()),
        ]);
        let arrays = ["x".to_owned(), "y".to_owned(), "z".to_owned()];
        let recipe = recipe(&arrays, &given, Kind::Sparse, 3);
        assert_eq!(
            recipe.to_string(),
            "seed=3 x=ascending:0..n y=sparse:0..5 z=sparse"
        );
        assert_eq!(sizes(&[("n", 1)]).len(), 1);
    }
}
