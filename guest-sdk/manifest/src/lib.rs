//! What a kernel component says of itself, and the small languages it says it in.
//!
//! The SDK's macro writes these records, `hotcell build` merges them, and the host reads them without
//! running the component. All of it is data: this crate parses, checks and prints, and does no I/O.
//!
//! * [`DType`]: the element types of arrays
//! * [`Signature`]: NumPy's gufunc notation, `(m,k),(k,n)->(m,n)`
//! * [`Cost`]: how many arithmetic operations a launch takes, as an expression over its dimensions
//! * [`units`]: counts, bytes and durations as people write them
//! * [`Record`] and [`Manifest`]: the custom section `hotcell:manifest`
//! * [`Shaders`]: the custom section `hotcell:shaders`
//!
//! Every parser here is bounded in length and depth, since its input may be hostile.

mod cost;
mod dtype;
mod float;
mod kernel;
mod manifest;
mod scalar;
mod shaders;
mod signature;
pub mod units;

pub use cost::{Cost, CostError};
pub use dtype::{DType, UnknownDType};
pub use kernel::{
    ArrayParameter, Kernel, KernelRecord, Parameter, RecordError, Role, ScalarParameter,
    ScalarValue, WantedLimits, Weight,
};
pub use manifest::{ComponentRecord, Manifest, ManifestError, Record, SCHEMA, SECTION};
pub use scalar::ScalarError;
pub use shaders::{SHADERS_SECTION, ShaderRecord, Shaders, ShadersError};
pub use signature::{Dim, Signature, SignatureError};

/// Whether `name` can name a dimension, a parameter or an entry: a letter or `_`, then up to 63
/// letters, digits or `_`, ASCII only.
pub fn is_identifier(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes
        .next()
        .is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && name.len() <= 64
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}
