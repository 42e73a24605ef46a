//! Between what the elements of an array are.

use super::RecipeError;
use crate::fit::Sizes;
use crate::number;
use hotcell_model::manifest::{Cost, CostError};
use std::fmt;
use std::str::FromStr;

/// A lower and an upper bound; `..` leaves the upper one out of whole numbers, `..=` does not.
#[derive(Clone, Debug, PartialEq)]
pub struct Bounds {
    low: Bound,
    high: Bound,
    is_closed: bool,
}

/// A number, or a cost over the sizes of the launch.
#[derive(Clone, Debug, PartialEq)]
pub enum Bound {
    /// A number.
    Number(f64),
    /// A function of the sizes: `n`, `8*r`.
    Cost(Cost),
}

/// Bounds as numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Between {
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) is_closed: bool,
}

impl Bounds {
    /// For one launch.
    pub(super) fn evaluate(&self, sizes: &Sizes) -> Result<Between, CostError> {
        Ok(Between {
            low: self.low.evaluate(sizes)?,
            high: self.high.evaluate(sizes)?,
            is_closed: self.is_closed,
        })
    }
}

impl Bound {
    fn evaluate(&self, sizes: &Sizes) -> Result<f64, CostError> {
        match self {
            Self::Number(number) => Ok(*number),
            Self::Cost(cost) => cost
                .evaluate(|name| sizes.get(name).copied())
                .map(number::of),
        }
    }
}

impl FromStr for Bound {
    type Err = RecipeError;

    fn from_str(text: &str) -> Result<Self, RecipeError> {
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Self::Number(number)),
            _ => Cost::parse(text)
                .map(Self::Cost)
                .map_err(|source| RecipeError::Bound {
                    text: text.chars().take(60).collect(),
                    source,
                }),
        }
    }
}

impl FromStr for Bounds {
    type Err = RecipeError;

    fn from_str(text: &str) -> Result<Self, RecipeError> {
        let wrong = || RecipeError::Fill(text.chars().take(60).collect());
        let (low, high) = text.split_once("..").ok_or_else(wrong)?;
        let (high, is_closed) = match high.strip_prefix('=') {
            Some(high) => (high, true),
            None => (high, false),
        };
        Ok(Self {
            low: low.parse()?,
            high: high.parse()?,
            is_closed,
        })
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Cost(cost) => cost.fmt(f),
        }
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dots = if self.is_closed { "..=" } else { ".." };
        write!(f, "{}{dots}{}", self.low, self.high)
    }
}
