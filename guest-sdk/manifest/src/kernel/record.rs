//! The record of one kernel as its author wrote it, in the manifest's JSON.

use crate::{DType, ScalarValue};
#[cfg(feature = "read")]
use serde::{Deserialize, Serialize};

/// One entry of a component, as its author wrote it down.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "read", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "read", serde(deny_unknown_fields))]
pub struct KernelRecord {
    /// The entry's name; an identifier.
    pub name: String,
    /// What it computes: the first paragraph of the author's documentation.
    #[cfg_attr(
        feature = "read",
        serde(default, skip_serializing_if = "String::is_empty")
    )]
    pub doc: String,
    /// Shapes in gufunc notation; see [`Signature`](crate::Signature).
    pub signature: String,
    /// Arrays and scalars in the order of the author's function.
    pub parameters: Vec<Parameter>,
    /// The dimension that the host may cut into chunks.
    #[cfg_attr(
        feature = "read",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub split: Option<String>,
    /// Arithmetic operations of one launch; see [`Cost`](crate::Cost).
    #[cfg_attr(
        feature = "read",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub cost: Option<String>,
    /// How much the author expects a launch to take.
    #[cfg_attr(feature = "read", serde(default))]
    pub weight: Weight,
    /// Limits the author asks for in place of the host's defaults.
    #[cfg_attr(
        feature = "read",
        serde(default, skip_serializing_if = "WantedLimits::is_empty")
    )]
    pub limits: WantedLimits,
    /// The capabilities that this entry uses, of those that the component imports; where it says
    /// nothing, all of them. What an entry does not want it cannot call.
    #[cfg_attr(
        feature = "read",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub wants: Option<Vec<String>>,
}

/// One parameter of a kernel.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "read", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "read", serde(deny_unknown_fields))]
pub struct Parameter {
    /// The parameter's name; an identifier.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// The array's element type, or the scalar's type: one of [`ScalarValue`]'s for a scalar.
    pub dtype: DType,
    /// The value of a scalar that the caller leaves out.
    #[cfg_attr(
        feature = "read",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub default: Option<ScalarValue>,
    /// How many indices of the split dimension a chunk gets of this input on either side of its own,
    /// where there are any.
    #[cfg_attr(feature = "read", serde(default, skip_serializing_if = "is_zero"))]
    pub halo: u32,
}

#[cfg(feature = "read")]
fn is_zero(halo: &u32) -> bool {
    *halo == 0
}

/// What a parameter is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "read", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "read", serde(rename_all = "lowercase"))]
pub enum Role {
    /// An array that is read.
    Input,
    /// An array that is written.
    Output,
    /// An array that is read and written.
    Inout,
    /// A number or truth value.
    Scalar,
}

impl Role {
    /// Its name in the manifest.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Output => "output",
            Self::Inout => "inout",
            Self::Scalar => "scalar",
        }
    }

    /// Whether the array's bytes come from the caller.
    pub fn is_read(self) -> bool {
        matches!(self, Self::Input | Self::Inout)
    }

    /// Whether the array's bytes go back to the caller.
    pub fn is_written(self) -> bool {
        matches!(self, Self::Output | Self::Inout)
    }
}

/// How much an author expects a launch to take: it scales the host's default limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "read", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "read", serde(rename_all = "lowercase"))]
pub enum Weight {
    /// Well under a second.
    Light,
    /// Seconds.
    #[default]
    Normal,
    /// Up to minutes.
    Heavy,
}

impl Weight {
    /// Its name in the manifest.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Normal => "normal",
            Self::Heavy => "heavy",
        }
    }
}

/// Limits an author asks for, as text in the units of [`units`](crate::units).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "read", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "read", serde(deny_unknown_fields))]
pub struct WantedLimits {
    /// A count: `10G`.
    #[cfg_attr(
        feature = "read",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub fuel: Option<String>,
    /// A duration: `200ms`.
    #[cfg_attr(
        feature = "read",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub timeout: Option<String>,
    /// Bytes: `256MiB`.
    #[cfg_attr(
        feature = "read",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub memory: Option<String>,
}

impl WantedLimits {
    /// Whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
