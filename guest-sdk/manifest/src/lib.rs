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
//!
//! Without the default feature `read`, records are written and not read: all that the SDK's macro needs, and no
//! dependency, so that an author's build is short.

/// `Display` of an error: for each pattern what `write!` takes. A derive would be a crate more that every kernel's build
/// waits for.
macro_rules! words {
    ($error:ident: $($(#[$attribute:meta])* $pattern:pat => ($($words:tt)+),)*) => {
        impl std::fmt::Display for $error {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self {
                    $($(#[$attribute])* $pattern => write!(f, $($words)+),)*
                }
            }
        }
    };
}
pub(crate) use words;

mod cost;
mod dtype;
#[cfg(feature = "read")]
mod float;
mod json;
mod kernel;
mod manifest;
mod scalar;
mod shaders;
mod signature;
pub mod units;

pub use cost::{Cost, CostError};
pub use dtype::{DType, UnknownDType};
pub use kernel::{
    ArrayParameter, CAPABILITIES, Kernel, KernelRecord, Parameter, RecordError, Role,
    ScalarParameter, WantedLimits, Weight,
};
pub use manifest::{ComponentRecord, Manifest, ManifestError, Record, SCHEMA, SECTION};
pub use scalar::{ScalarError, ScalarValue};
pub use shaders::{SHADERS_SECTION, ShaderRecord, Shaders, ShadersError};
pub use signature::{Dim, Signature, SignatureError};

/// This crate's source: hosts of which it differs read and write other records.
pub const SOURCE: [&str; 14] = [
    include_str!("cost.rs"),
    include_str!("dtype.rs"),
    include_str!("float.rs"),
    include_str!("json.rs"),
    include_str!("kernel.rs"),
    include_str!("kernel/record.rs"),
    include_str!("kernel/rules.rs"),
    include_str!("lib.rs"),
    include_str!("manifest.rs"),
    include_str!("scalar.rs"),
    include_str!("scalar/text.rs"),
    include_str!("shaders.rs"),
    include_str!("signature.rs"),
    include_str!("units.rs"),
];

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

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn files(folder: &Path) -> usize {
        let entries = std::fs::read_dir(folder).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        let count = |path: std::path::PathBuf| if path.is_dir() { files(&path) } else { 1 };
        paths.map(count).sum()
    }

    #[test]
    fn every_file_is_of_the_source() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        assert_eq!(files(&folder), SOURCE.len());
    }
}
