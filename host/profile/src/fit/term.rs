//! The terms that models are sums of, and how they are written.

use super::Sizes;
use super::rational::Rational;
use crate::number;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Write;

/// A coefficient times powers of sizes, times `log2ceil` of one of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Term {
    /// What stands above the line of the coefficient.
    numerator: f64,
    /// What stands below it.
    denominator: u64,
    /// How often each size is a factor; empty for a constant. `n/8` is how many whole blocks of eight there are, `n%8` what
    /// is left over, `n^8` how many blocks there are if the last is padded; `n-2/8` and `n-2%8` are of two less.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    powers: BTreeMap<String, u32>,
    /// The size whose logarithm is a factor too.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    log2ceil: Option<String>,
}

/// The highest degree of a term in one size, and in all together where there are few.
const DEGREE: u32 = 3;

impl Term {
    fn of(powers: BTreeMap<String, u32>, log2ceil: Option<String>) -> Self {
        Self {
            numerator: 1.0,
            denominator: 1,
            powers,
            log2ceil,
        }
    }

    /// What it is multiplied by.
    pub fn coefficient(&self) -> f64 {
        self.numerator / number::of(self.denominator.max(1))
    }

    /// Its value without the coefficient; `None` where a size is not given.
    pub(super) fn value(&self, sizes: &Sizes) -> Option<f64> {
        let mut value = 1.0;
        for (name, power) in &self.powers {
            let exponent = i32::try_from(*power).ok()?;
            value *= number::of(factor(name, sizes)?).powi(exponent);
        }
        if let Some(name) = &self.log2ceil {
            let size = *sizes.get(name)?;
            let bits = u64::BITS - size.saturating_sub(1).leading_zeros();
            value *= f64::from(if size < 2 { 0 } else { bits });
        }
        Some(value)
    }

    /// The same with a coefficient.
    pub(super) fn with(&self, coefficient: f64) -> Self {
        Self {
            numerator: coefficient,
            denominator: 1,
            ..self.clone()
        }
    }

    /// The same with a coefficient that can be written: whole, or a fraction of whole numbers.
    pub(super) fn rationalised(self) -> Self {
        let Rational {
            numerator,
            denominator,
        } = Rational::near(self.coefficient());
        Self {
            numerator,
            denominator,
            ..self
        }
    }

    /// The same with one factor in place of another, once.
    fn replacing(&self, name: &str, key: String) -> Self {
        let mut powers = self.powers.clone();
        match powers.get_mut(name) {
            Some(power) if *power > 1 => *power -= 1,
            _ => drop(powers.remove(name)),
        }
        powers.insert(key, 1);
        Self::of(powers, None)
    }

    fn degree(&self) -> u32 {
        self.powers.values().sum()
    }

    /// Without its sign: `3*n*log2ceil(n)/2`.
    fn written(&self) -> String {
        let mut factors = Vec::new();
        for (name, power) in &self.powers {
            factors.extend((0..*power).map(|_| factor_text(name)));
        }
        factors.extend(self.log2ceil.iter().map(|name| format!("log2ceil({name})")));
        let numerator = format!("{:.0}", self.numerator.abs());
        if numerator != "1" || factors.is_empty() {
            factors.insert(0, numerator);
        }
        let mut text = factors.join("*");
        if self.denominator > 1 {
            let _ = write!(text, "/{}", self.denominator);
        }
        text
    }
}

/// What of a size a factor is, as its key says: `n`, `n/8` (whole blocks), `n%8` (what is left over), `n^8` (blocks, the last one
/// padded), and the first two of what a stencil visits, `n-2/8`.
#[derive(Clone, Copy)]
enum Form {
    Blocks,
    Rest,
    Padded,
}

impl Form {
    const fn sign(self) -> char {
        match self {
            Self::Blocks => '/',
            Self::Rest => '%',
            Self::Padded => '^',
        }
    }
}

/// A key in its parts: the size's name, whether its two ends are left out, and its form with the block.
fn parts(key: &str) -> (&str, bool, Option<(Form, u64)>) {
    let all = [Form::Blocks, Form::Rest, Form::Padded].into_iter();
    let mut found = all.filter_map(|form| {
        let (name, block) = key.split_once(form.sign())?;
        Some((name, form, block.parse().ok().filter(|block| *block > 0)?))
    });
    let (name, form) = match found.next_back() {
        Some((name, form, block)) => (name, Some((form, block))),
        None => (key, None),
    };
    match name.strip_suffix("-2") {
        Some(name) => (name, true, form),
        None => (name, false, form),
    }
}

fn factor(key: &str, sizes: &Sizes) -> Option<u64> {
    let (name, is_inner, form) = parts(key);
    let size = *sizes.get(name)?;
    let size = if is_inner {
        size.saturating_sub(2)
    } else {
        size
    };
    Some(match form {
        None => size,
        Some((Form::Blocks, block)) => size / block,
        Some((Form::Rest, block)) => size % block,
        Some((Form::Padded, block)) => size.div_ceil(block),
    })
}

/// In the notation of costs, where division rounds down.
fn factor_text(key: &str) -> String {
    let (name, is_inner, form) = parts(key);
    let size = if is_inner {
        format!("({name} - 2)")
    } else {
        name.to_owned()
    };
    match form {
        None => size,
        Some((Form::Blocks, block)) => format!("({size}/{block})"),
        Some((Form::Rest, block)) => format!("({size} - {size}/{block}*{block})"),
        Some((Form::Padded, block)) => format!("(({size} + {})/{block})", block - 1),
    }
}

/// A sum in the notation of cost annotations, the highest degrees first.
pub(super) fn text(terms: &[Term]) -> String {
    let mut sorted: Vec<&Term> = terms.iter().filter(|term| term.numerator != 0.0).collect();
    // The notation has no sign before the first, and never goes below nothing: what is taken away comes last.
    sorted.sort_by_key(|term| {
        let order = std::cmp::Reverse((term.degree(), term.log2ceil.is_some()));
        (
            term.numerator < 0.0,
            order,
            term.powers.keys().cloned().collect::<Vec<_>>(),
        )
    });
    let mut text = String::new();
    for term in sorted {
        let sign = match (text.is_empty(), term.numerator < 0.0) {
            (true, false) => "",
            (true, true) => "0 - ",
            (false, false) => " + ",
            (false, true) => " - ",
        };
        text.push_str(sign);
        text.push_str(&term.written());
    }
    if text.is_empty() {
        "0".to_owned()
    } else {
        text
    }
}

/// Everything that a model of those sizes may be a sum of: products of powers up to the third degree, or to that of the
/// product of all sizes where there are more; and each size times its logarithm.
pub(super) fn candidates(names: &[&str]) -> Vec<Term> {
    let mut all = vec![BTreeMap::new()];
    for name in names {
        let mut longer = Vec::new();
        for powers in &all {
            let used: u32 = powers.values().sum();
            for power in 0..=DEGREE.saturating_sub(used) {
                let mut powers = powers.clone();
                if power > 0 {
                    powers.insert((*name).to_owned(), power);
                }
                longer.push(powers);
            }
        }
        all = longer;
    }
    if names.len() > 3 {
        all.push(names.iter().map(|name| ((*name).to_owned(), 1)).collect());
    }
    let mut terms: Vec<Term> = all
        .into_iter()
        .map(|powers| Term::of(powers, None))
        .collect();
    terms.extend(names.iter().map(|name| {
        let power = BTreeMap::from([((*name).to_owned(), 1)]);
        Term::of(power, Some((*name).to_owned()))
    }));
    terms
}

/// How many elements a loop may do at once, for [`blocked`] and [`padded`].
const BLOCKS: [u64; 4] = [4, 8, 16, 32];

/// Terms with one factor by its blocks, or by what is left over: loops that do several elements at once do the rest one by one,
/// which costs more.
pub(super) fn blocked(plain: &[Term]) -> Vec<Term> {
    with_one_factor(plain, |name, block| {
        [Form::Blocks, Form::Rest]
            .map(|form| format!("{name}{}{block}", form.sign()))
            .to_vec()
    })
}

/// The same of what stencils visit, and products of padded blocks: loops that do more than there is.
pub(super) fn padded(plain: &[Term]) -> Vec<Term> {
    let padded = |name: &str, block: u64| format!("{name}{}{block}", Form::Padded.sign());
    let mut terms = with_one_factor(plain, |name, block| {
        let inner =
            [Form::Blocks, Form::Rest].map(|form| format!("{name}-2{}{block}", form.sign()));
        let mut keys = inner.to_vec();
        keys.push(padded(name, block));
        keys
    });
    for term in plain.iter().filter(|term| term.log2ceil.is_none()) {
        for name in term.powers.keys() {
            for other in term.powers.keys().filter(|other| *other > name) {
                for block in BLOCKS {
                    let one = term.replacing(name, padded(name, block));
                    terms.extend(BLOCKS.map(|by| one.replacing(other, padded(other, by))));
                }
            }
        }
    }
    terms
}

fn with_one_factor(plain: &[Term], keys: impl Fn(&str, u64) -> Vec<String>) -> Vec<Term> {
    let mut terms = Vec::new();
    for term in plain.iter().filter(|term| term.log2ceil.is_none()) {
        for name in term.powers.keys() {
            for block in BLOCKS {
                terms.extend(
                    keys(name, block)
                        .into_iter()
                        .map(|key| term.replacing(name, key)),
                );
            }
        }
    }
    terms
}
