//! Arrays to launch kernels on: made of a recipe, and to be made again from its text.
//!
//! ```text
//! recipe = "seed=" number { " " name "=" fill }
//! fill   = kind [ "+" kind "/" period ] [ ":" low ".." [ "=" ] high ]
//! ```
//!
//! `x=uniform+extremes/8:0..n` is an array of which every eighth element is an extreme one, all from 0 up to `n`, without `n`.
//! Bounds are numbers, or costs over the sizes of the launch.

mod bounds;
mod elements;

pub use bounds::{Bound, Bounds};

use crate::fit::Sizes;
use hotcell::{Array, ArrayError, ArrayType};
use hotcell_model::manifest::{CostError, Dim, Kernel, is_identifier};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// What the elements of an array are like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Anything between the bounds, evenly.
    Uniform,
    /// 0, or the bound nearest to it.
    Zeros,
    /// 1, or the bound nearest to it.
    Ones,
    /// From the lower bound up to the upper.
    Ascending,
    /// From the upper bound down to the lower.
    Descending,
    /// The ends of what there is: both bounds where some are given; else the type's, and for floats NaN, infinities, subnormal
    /// numbers and -0 too.
    Extremes,
    /// One of sixteen anything, the others 0.
    Sparse,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Uniform,
        Self::Zeros,
        Self::Ones,
        Self::Ascending,
        Self::Descending,
        Self::Extremes,
        Self::Sparse,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Zeros => "zeros",
            Self::Ones => "ones",
            Self::Ascending => "ascending",
            Self::Descending => "descending",
            Self::Extremes => "extremes",
            Self::Sparse => "sparse",
        }
    }
}

/// How one array is filled.
#[derive(Clone, Debug, PartialEq)]
pub struct Fill {
    /// Its elements.
    pub kind: Kind,
    /// What every so-manieth element is in their place.
    pub mixed: Option<(Kind, u32)>,
    /// Between what; the type's own range where nothing is said, and -1 to 1 for floats.
    pub bounds: Option<Bounds>,
}

impl Fill {
    /// Elements of one kind, within the type's own range.
    pub fn of(kind: Kind) -> Self {
        Self {
            kind,
            mixed: None,
            bounds: None,
        }
    }
}

/// What the author says of an array: all of its fill, or between what its elements are, of whatever kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Given {
    /// Its fill.
    Fill(Fill),
    /// Its bounds.
    Bounds(Bounds),
}

/// Arrays of one launch.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipe {
    /// What its random elements are a function of.
    pub seed: u64,
    /// By the array's name.
    pub fills: BTreeMap<String, Fill>,
}

/// Why a text is no fill or recipe.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RecipeError {
    /// It is not written as one.
    #[error(
        "`{0}` is no way to fill an array; write one of uniform, zeros, ones, ascending, descending, extremes and sparse, and \
         behind it, or alone, between what: uniform:0..n, 0..=1000"
    )]
    Fill(String),
    /// It is not written as a recipe.
    #[error("`{0}` is no recipe; write seed=7 x=uniform, with one NAME=FILL for each array")]
    Form(String),
    /// A bound is neither a number nor a cost.
    #[error("the bound `{text}`")]
    Bound {
        /// What was written.
        text: String,
        /// What is wrong with it as a cost.
        source: CostError,
    },
}

/// Why arrays cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum InputsError {
    /// A dimension has no size.
    #[error("dimension `{0}` has no size; sweep it (--sweep {0}=16..1k) or fix it (--dim {0}=64)")]
    NoSize(String),
    /// A bound names something that has no value.
    #[error("a bound of array `{name}`")]
    Bound {
        /// The array.
        name: String,
        /// What is wrong.
        source: CostError,
    },
    /// The array cannot be.
    #[error("array `{name}`")]
    Array {
        /// The array.
        name: String,
        /// Why.
        source: ArrayError,
    },
    /// The array is larger than what is made for a profile.
    #[error(
        "array `{name}` would have {bytes} bytes, and at most {maximum} are made; sweep smaller sizes"
    )]
    Large {
        /// The array.
        name: String,
        /// Its size.
        bytes: u64,
        /// The most.
        maximum: u64,
    },
}

/// The largest array that is made, in bytes.
const LARGEST_BYTES: u64 = 1 << 30;

impl Recipe {
    /// The arrays that a kernel reads, of those sizes.
    ///
    /// # Errors
    /// A dimension has no size, a bound no value, or an array would be too large.
    pub fn make(
        &self,
        kernel: &Kernel,
        sizes: &Sizes,
    ) -> Result<Vec<(String, Array)>, InputsError> {
        let read = kernel.arrays().iter().filter(|array| array.role.is_read());
        read.map(|array| {
            let name = || array.name.clone();
            let shape = array.dims.iter().map(|dim| match dim {
                Dim::Fixed(extent) => Ok(*extent),
                Dim::Name(dim) => match sizes.get(dim) {
                    Some(extent) => Ok(*extent),
                    None => Err(InputsError::NoSize(dim.clone())),
                },
            });
            let shape = shape.collect::<Result<Vec<u64>, _>>()?;
            let failed = |source: ArrayError| InputsError::Array {
                name: name(),
                source,
            };
            let ty = ArrayType::new(array.dtype, shape).map_err(|error| failed(error.into()))?;
            if ty.size_bytes() > LARGEST_BYTES {
                return Err(InputsError::Large {
                    name: name(),
                    bytes: ty.size_bytes(),
                    maximum: LARGEST_BYTES,
                });
            }
            let fill = self.fills.get(&array.name).cloned();
            let fill = fill.unwrap_or_else(|| Fill::of(Kind::Uniform));
            let bounds = fill
                .bounds
                .as_ref()
                .map(|bounds| bounds.evaluate(sizes))
                .transpose();
            let bounds = bounds.map_err(|source| InputsError::Bound {
                name: name(),
                source,
            })?;
            let bytes = elements::bytes(&ty, &fill, bounds, self.seed, &array.name);
            let made = Array::new(ty, bytes).map_err(failed)?;
            Ok((name(), made))
        })
        .collect()
    }
}

impl FromStr for Kind {
    type Err = RecipeError;

    fn from_str(text: &str) -> Result<Self, RecipeError> {
        let found = Self::ALL.into_iter().find(|kind| kind.name() == text);
        found.ok_or_else(|| RecipeError::Fill(text.chars().take(60).collect()))
    }
}

impl FromStr for Fill {
    type Err = RecipeError;

    fn from_str(text: &str) -> Result<Self, RecipeError> {
        let wrong = || RecipeError::Fill(text.chars().take(60).collect());
        let (kinds, bounds) = match text.split_once(':') {
            Some((kinds, bounds)) => (kinds, Some(bounds.parse()?)),
            None => (text, None),
        };
        let (kind, mixed) = match kinds.split_once('+') {
            Some((kind, mixed)) => (kind, Some(mixed.split_once('/').ok_or_else(wrong)?)),
            None => (kinds, None),
        };
        let mixed = match mixed {
            Some((kind, period)) => {
                let period = period.parse().ok().filter(|period| *period > 0);
                Some((kind.parse()?, period.ok_or_else(wrong)?))
            }
            None => None,
        };
        Ok(Self {
            kind: kind.parse()?,
            mixed,
            bounds,
        })
    }
}

impl FromStr for Given {
    type Err = RecipeError;

    fn from_str(text: &str) -> Result<Self, RecipeError> {
        match text.starts_with(|c: char| c.is_ascii_digit() || "-(.".contains(c)) {
            true => text.parse().map(Self::Bounds),
            false => text.parse().map(Self::Fill),
        }
    }
}

impl FromStr for Recipe {
    type Err = RecipeError;

    fn from_str(text: &str) -> Result<Self, RecipeError> {
        let wrong = || RecipeError::Form(text.chars().take(60).collect());
        let mut words = text.split_whitespace();
        let seed = words
            .next()
            .and_then(|word| word.strip_prefix("seed=")?.parse().ok());
        let mut recipe = Self {
            seed: seed.ok_or_else(wrong)?,
            fills: BTreeMap::new(),
        };
        for word in words {
            let (name, fill) = word.split_once('=').ok_or_else(wrong)?;
            let is_new = is_identifier(name) && !recipe.fills.contains_key(name);
            if !is_new {
                return Err(wrong());
            }
            recipe.fills.insert(name.to_owned(), fill.parse()?);
        }
        Ok(recipe)
    }
}

impl fmt::Display for Fill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.name())?;
        if let Some((kind, period)) = self.mixed {
            write!(f, "+{}/{period}", kind.name())?;
        }
        match &self.bounds {
            Some(bounds) => write!(f, ":{bounds}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed={}", self.seed)?;
        self.fills
            .iter()
            .try_for_each(|(name, fill)| write!(f, " {name}={fill}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recipes_read_back_as_they_are_written() {
        for text in [
            "seed=7",
            "seed=0 x=uniform y=sparse+extremes/8",
            "seed=18446744073709551615 a=ascending:0..=nnz b=uniform:-0.5..1.5 c=ones:0..n",
        ] {
            assert_eq!(text.parse::<Recipe>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "x=uniform",
            "seed=x",
            "seed=1 x",
            "seed=1 x=ones x=ones",
            "seed=1 x=none",
        ] {
            assert!(text.parse::<Recipe>().is_err(), "{text}");
        }
        for text in [
            "uniform+ones",
            "uniform+ones/0",
            "uniform:0",
            "uniform:a+..3",
            ":0..1",
        ] {
            assert!(text.parse::<Fill>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_begins_with_a_number_is_bounds_alone() {
        assert!(matches!("0..=1000".parse(), Ok(Given::Bounds(_))));
        assert!(matches!("-1.5..2".parse(), Ok(Given::Bounds(_))));
        assert!(matches!("ascending:0..n".parse(), Ok(Given::Fill(_))));
        assert!("anything".parse::<Given>().is_err());
    }
}
