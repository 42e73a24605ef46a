//! A function of the sizes for what was measured: fuel, memory or time.
//!
//! Candidates are sums of few terms: constants, products of powers of the sizes, and `n*log2ceil(n)`. Each is fitted by least
//! squares of *relative* residuals, since sizes go over orders of magnitude, and judged by how well it foretells points that
//! it was not fitted to. Of those that do so about equally well the one with the fewest terms is taken, and one without
//! negative coefficients before one that has any: a cost does not fall with size.
//!
//! What no candidate foretells within the tolerance is [irregular](Model::is_regular), and is said to be.

mod least_squares;
mod rational;
mod term;

pub use term::Term;

use crate::number;
use least_squares::Solution;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;

/// Linear memory comes in pages of so many bytes.
pub const PAGE_BYTES: u64 = 64 << 10;
/// The most terms of a model, and of one that knows of blocks.
const MOST_TERMS: [usize; 2] = [5, 8];
/// How many sets of terms are gone on with, of each size.
const KEPT: usize = 12;
/// A model with more terms has to foretell so many times better than one with fewer.
const WORTH: f64 = 1.3;
/// One with negative coefficients has to be so many times better than one without.
const WORTH_OF_SIGN: f64 = 2.0;

/// The sizes of one launch by name: dimensions and whole scalars, and what follows from them.
pub type Sizes = BTreeMap<String, u64>;

/// What is fitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Quantity {
    /// Fuel over all chunks.
    Fuel,
    /// Linear memory of one instance, in bytes.
    Memory,
    /// Time of the execution on one thread, in nanoseconds.
    Time,
}

impl Quantity {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Fuel, Self::Memory, Self::Time];

    /// The largest error on held-out sizes with which a model is one, in percent. Fuel is exact; pages are coarse, and one more or
    /// less is no error; and clocks are disturbed, so that time is judged by its median error.
    pub fn tolerance_percent(self) -> f64 {
        match self {
            Self::Fuel => 2.0,
            Self::Memory => 5.0,
            Self::Time => 25.0,
        }
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Fuel => "fuel",
            Self::Memory => "memory",
            Self::Time => "time",
        })
    }
}

/// One point that was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// The sizes.
    pub sizes: Sizes,
    /// What it came to there; above 0.
    pub value: f64,
}

/// How far a model is off, in percent of what was measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Errors {
    /// Over how many points.
    pub points: usize,
    /// The largest.
    pub max_percent: f64,
    /// The median.
    pub median_percent: f64,
}

/// A function of the sizes, and what it is worth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// What of.
    pub quantity: Quantity,
    /// Its terms; empty where there was nothing to fit.
    pub terms: Vec<Term>,
    /// The same in the notation of cost annotations.
    pub text: String,
    /// On sizes that it was not fitted to.
    pub held_out: Errors,
    /// On each fitted size, by a fit to all others.
    pub cross_validated: Errors,
    /// The least and the most that was measured for each that was foretold, over all points.
    pub band: [f64; 2],
    /// Why it is none that can be relied on; absent for one that can.
    pub irregular: Option<String>,
}

impl Model {
    /// Whether it can be relied on.
    pub fn is_regular(&self) -> bool {
        self.irregular.is_none()
    }

    /// What it foretells for those sizes; `None` where it has no terms, or one of a size that is not given.
    pub fn predict(&self, sizes: &Sizes) -> Option<f64> {
        if self.terms.is_empty() {
            return None;
        }
        let mut sum = 0.0;
        for term in &self.terms {
            sum += term.coefficient() * term.value(sizes)?;
        }
        Some(match self.quantity {
            Quantity::Memory => whole_pages(sum),
            Quantity::Fuel | Quantity::Time => sum.max(0.0),
        })
    }

    /// The most that it leaves open for those sizes: what it foretells, and its band above that.
    pub fn upper(&self, sizes: &Sizes) -> Option<f64> {
        Some(self.predict(sizes)? * self.band[1].max(1.0))
    }

    fn none(quantity: Quantity, why: &str) -> Self {
        Self {
            quantity,
            terms: Vec::new(),
            text: String::new(),
            held_out: Errors::default(),
            cross_validated: Errors::default(),
            band: [1.0, 1.0],
            irregular: Some(why.to_owned()),
        }
    }
}

/// Fits a model of the sizes of those names, and judges it by the points that were held out.
///
/// Points of nothing are left out, as relative errors have no meaning there. With no point held out, the cross-validated errors
/// stand in for theirs.
pub fn fit(
    quantity: Quantity,
    names: &[String],
    fitted: &[Observation],
    held_out: &[Observation],
) -> Model {
    let usable = |points: &[Observation]| -> Vec<Observation> {
        let is_usable = |point: &&Observation| point.value > 0.0 && point.value.is_finite();
        points.iter().filter(is_usable).cloned().collect()
    };
    let (fitted, held_out) = (usable(fitted), usable(held_out));
    if fitted.len() < 2 {
        return Model::none(quantity, "fewer than two points to fit");
    }
    let mut search = Search::over(quantity, names, &fitted);
    let mut chosen = search.choose(MOST_TERMS[0]);
    // Loops that do several elements at once show where sizes are small. The more candidates there are, the likelier one of them
    // fits by chance: more are taken only where fewer do not do.
    let near = quantity.tolerance_percent() / 100.0 / 2.0;
    let plain = search.candidates.clone();
    for more in [term::blocked, term::padded] {
        if quantity != Quantity::Fuel || chosen.as_ref().is_some_and(|fit| fit.score <= near) {
            break;
        }
        search.add(more(&plain));
        let found = search.choose(MOST_TERMS[1]);
        let is_as_good = |fit: &Fit| {
            found
                .as_ref()
                .is_none_or(|found| found.score * WORTH >= fit.score)
        };
        chosen = chosen.filter(is_as_good).or(found);
    }
    let Some(Fit { terms, errors, .. }) = chosen else {
        return Model::none(
            quantity,
            "no function of these sizes goes through the points",
        );
    };
    let terms: Vec<Term> = terms.into_iter().map(Term::rationalised).collect();
    let mut model = Model {
        text: term::text(&terms),
        terms,
        cross_validated: errors,
        ..Model::none(quantity, "")
    };
    let ratio = |point: &Observation| {
        let foretold = model.predict(&point.sizes).unwrap_or(0.0);
        point.value / foretold.max(f64::MIN_POSITIVE)
    };
    let off = |point: &Observation| 100.0 * (1.0 - 1.0 / ratio(point)).abs();
    let held: Vec<f64> = held_out.iter().map(off).collect();
    // Of a page more or less nobody can tell, which of few is more than a percentage.
    let is_beyond_a_page = |point: &&Observation| {
        let foretold = model.predict(&point.sizes).unwrap_or(0.0);
        (point.value - foretold).abs() > number::of(PAGE_BYTES)
    };
    let beyond: Vec<f64> = held_out.iter().filter(is_beyond_a_page).map(off).collect();
    let ratios: Vec<f64> = fitted.iter().chain(&held_out).map(ratio).collect();
    let band = [
        ratios.iter().copied().fold(1.0, f64::min),
        ratios.iter().copied().fold(1.0, f64::max),
    ];
    let held = match held.is_empty() {
        true => errors,
        false => errors_of(&held),
    };
    model.held_out = held;
    model.band = band;
    let judged = match quantity {
        Quantity::Memory if !held_out.is_empty() => errors_of(&beyond),
        _ => held,
    };
    model.irregular = irregular(quantity, judged);
    model
}

/// Why a model with those errors is none.
fn irregular(quantity: Quantity, held_out: Errors) -> Option<String> {
    let tolerance = quantity.tolerance_percent();
    let (error, which) = match quantity {
        Quantity::Fuel | Quantity::Memory => (held_out.max_percent, "as much as"),
        Quantity::Time => (held_out.median_percent, "half the time more than"),
    };
    (error.is_nan() || error > tolerance).then(|| {
        format!("the nearest function is {which} {error:.1} % off on sizes that it was not fitted to, and {tolerance} % are allowed")
    })
}

fn errors_of(percent: &[f64]) -> Errors {
    Errors {
        points: percent.len(),
        max_percent: number::largest(percent.iter().copied()),
        median_percent: number::median(percent.iter().copied()),
    }
}

/// Memory is granted by the page.
fn whole_pages(bytes: f64) -> f64 {
    let page = number::of(PAGE_BYTES);
    (bytes / page).ceil().max(0.0) * page
}

/// A set of terms with coefficients, and how well it foretells.
#[derive(Clone, Debug)]
struct Fit {
    /// Positions of its terms among the candidates, ascending.
    at: Vec<usize>,
    terms: Vec<Term>,
    /// The root of the mean squared relative error, cross-validated.
    score: f64,
    errors: Errors,
    is_non_negative: bool,
}

struct Search<'a> {
    quantity: Quantity,
    candidates: Vec<Term>,
    points: &'a [Observation],
    /// The value of each candidate at each point, over what was measured there.
    columns: Vec<Vec<f64>>,
    /// What the sum has to come to at each point, over what was measured there.
    target: Vec<f64>,
}

impl<'a> Search<'a> {
    fn over(quantity: Quantity, names: &[String], points: &'a [Observation]) -> Self {
        // What never changes cannot be told from a constant.
        let varies = |name: &&String| {
            let first = points[0].sizes.get(*name);
            points.iter().any(|point| point.sizes.get(*name) != first)
        };
        let names: Vec<&str> = names.iter().filter(varies).map(String::as_str).collect();
        // A page's count says that the bytes are somewhere below it: the middle is at most half a page off.
        let half_page = number::of(PAGE_BYTES) / 2.0;
        let target = points.iter().map(|point| match quantity {
            Quantity::Memory => (point.value - half_page) / point.value,
            Quantity::Fuel | Quantity::Time => 1.0,
        });
        let mut search = Self {
            quantity,
            candidates: Vec::new(),
            points,
            columns: Vec::new(),
            target: target.collect(),
        };
        search.add(term::candidates(&names));
        search
    }

    fn add(&mut self, terms: Vec<Term>) {
        for term in terms {
            let value = |point: &Observation| Some(term.value(&point.sizes)? / point.value);
            let column = self.points.iter().map(value).collect::<Option<Vec<f64>>>();
            if let Some(column) = column {
                self.candidates.push(term);
                self.columns.push(column);
            }
        }
    }

    /// The best set of each size, with and without a condition on signs; then the simplest that is about as good as any.
    fn choose(&self, most_terms: usize) -> Option<Fit> {
        let mut best: Vec<Fit> = Vec::new();
        let mut front: Vec<Vec<usize>> = vec![Vec::new()];
        let most = most_terms.min(self.points.len() / 2).max(1);
        for _ in 0..most {
            let mut fits = self.extended(&front);
            fits.sort_by(|a, b| a.score.total_cmp(&b.score));
            best.extend(fits.iter().find(|fit| fit.is_non_negative).cloned());
            best.extend(fits.first().cloned());
            // Sets with a wrong sign may still grow into the right one, and those without must not be crowded out.
            let (mut with, mut without) = (0, 0);
            fits.retain(|fit| {
                let kept = if fit.is_non_negative {
                    &mut without
                } else {
                    &mut with
                };
                *kept += 1;
                *kept <= KEPT
            });
            front = fits.into_iter().map(|fit| fit.at).collect();
        }
        let floor = self.quantity.tolerance_percent() / 100.0 / 20.0;
        let (plain, signed): (Vec<Fit>, Vec<Fit>) =
            best.into_iter().partition(|fit| fit.is_non_negative);
        let plain = simplest(plain, floor);
        let signed = simplest(signed, floor);
        match (plain, signed) {
            (Some(plain), Some(signed)) => {
                let near = self.quantity.tolerance_percent() / 100.0 / 2.0;
                let is_worth_it = plain.score > near && signed.score * WORTH_OF_SIGN < plain.score;
                Some(if is_worth_it { signed } else { plain })
            }
            (plain, signed) => plain.or(signed),
        }
    }

    /// Each set with each further candidate, once.
    fn extended(&self, front: &[Vec<usize>]) -> Vec<Fit> {
        let mut sets: Vec<Vec<usize>> = Vec::new();
        for set in front {
            for at in (0..self.candidates.len()).filter(|at| !set.contains(at)) {
                let mut larger = set.clone();
                larger.push(at);
                larger.sort_unstable();
                sets.push(larger);
            }
        }
        sets.sort();
        sets.dedup();
        sets.into_iter().filter_map(|at| self.solve(at)).collect()
    }

    fn solve(&self, at: Vec<usize>) -> Option<Fit> {
        let columns: Vec<&[f64]> = at.iter().map(|at| &self.columns[*at][..]).collect();
        let Solution {
            coefficients,
            left_out,
        } = least_squares::solve(&columns, &self.target)?;
        let foretells = |point: usize| {
            let terms = columns.iter().zip(&coefficients);
            terms.map(|(column, c)| column[point] * c).sum::<f64>()
        };
        // A cost that is nothing somewhere is none.
        if (0..self.target.len()).any(|point| foretells(point) <= 0.0) {
            return None;
        }
        let percent: Vec<f64> = left_out.iter().map(|error| 100.0 * error.abs()).collect();
        let squares: f64 = left_out.iter().map(|error| error * error).sum();
        let terms = at.iter().zip(&coefficients);
        let terms = terms.map(|(at, coefficient)| self.candidates[*at].with(*coefficient));
        Some(Fit {
            terms: terms.collect(),
            score: (squares / number::len(left_out.len())).sqrt(),
            errors: errors_of(&percent),
            is_non_negative: coefficients.iter().all(|c| *c >= 0.0),
            at,
        })
    }
}

/// Of those about as good as the best, or as good as anybody needs, the one with the fewest terms.
fn simplest(fits: Vec<Fit>, floor: f64) -> Option<Fit> {
    let best = fits.iter().map(|fit| fit.score).min_by(f64::total_cmp)?;
    let enough = (best * WORTH).max(floor);
    let good = fits.into_iter().filter(|fit| fit.score <= enough);
    good.min_by(|a, b| match a.terms.len().cmp(&b.terms.len()) {
        Ordering::Equal => a.score.total_cmp(&b.score),
        order => order,
    })
}

#[cfg(test)]
mod tests;
