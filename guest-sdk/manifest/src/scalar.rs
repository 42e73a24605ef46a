//! The values of scalar parameters; how people write them is in `text`.

mod text;

pub use text::ScalarError;

use crate::DType;
#[cfg(feature = "read")]
use serde::{Deserialize, Serialize};

/// The value of a scalar parameter, with its type.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "read", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "read", serde(rename_all = "lowercase"))]
pub enum ScalarValue {
    /// `bool`
    Bool(bool),
    /// `i32`
    I32(i32),
    /// `i64`
    I64(i64),
    /// `u32`
    U32(u32),
    /// `u64`
    U64(u64),
    /// `f32`
    F32(#[cfg_attr(feature = "read", serde(with = "crate::float"))] f32),
    /// `f64`
    F64(#[cfg_attr(feature = "read", serde(with = "crate::float"))] f64),
}

impl ScalarValue {
    /// The dtype that a parameter of this value has.
    pub fn dtype(self) -> DType {
        match self {
            Self::Bool(_) => DType::Bool,
            Self::I32(_) => DType::I32,
            Self::I64(_) => DType::I64,
            Self::U32(_) => DType::U32,
            Self::U64(_) => DType::U64,
            Self::F32(_) => DType::F32,
            Self::F64(_) => DType::F64,
        }
    }

    /// Reads `text` as a scalar of type `dtype`; `None` where [`Self::try_parse`] says why not.
    pub fn parse(dtype: DType, text: &str) -> Option<Self> {
        Self::try_parse(dtype, text).ok()
    }

    /// Reads `text` as a scalar of type `dtype`.
    ///
    /// Whole numbers are taken in decimal, in `0x`, `0o` and `0b` notation and in scientific notation, truth values
    /// as `true` or `false` (or 1 or 0), floats as Rust's `parse` takes them (`nan` and `inf` included). `_` may
    /// stand between digits.
    ///
    /// # Errors
    /// The text is no value of that type, is beyond its range, or no scalar has that type.
    pub fn try_parse(dtype: DType, text: &str) -> Result<Self, ScalarError> {
        text::parse(dtype, text)
    }

    /// The value as a non-negative integer, where it is one: for cost expressions.
    pub fn as_extent(self) -> Option<u64> {
        match self {
            Self::I32(value) => u64::try_from(value).ok(),
            Self::I64(value) => u64::try_from(value).ok(),
            Self::U32(value) => Some(value.into()),
            Self::U64(value) => Some(value),
            Self::Bool(_) | Self::F32(_) | Self::F64(_) => None,
        }
    }
}

macro_rules! scalar_from {
    ($($type:ty => $variant:ident),*) => {$(
        impl From<$type> for ScalarValue {
            fn from(value: $type) -> Self {
                Self::$variant(value)
            }
        }
    )*};
}

scalar_from!(bool => Bool, i32 => I32, i64 => I64, u32 => U32, u64 => U64, f32 => F32, f64 => F64);

impl std::fmt::Display for ScalarValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bool(value) => value.fmt(f),
            Self::I32(value) => value.fmt(f),
            Self::I64(value) => value.fmt(f),
            Self::U32(value) => value.fmt(f),
            Self::U64(value) => value.fmt(f),
            Self::F32(value) => value.fmt(f),
            Self::F64(value) => value.fmt(f),
        }
    }
}
