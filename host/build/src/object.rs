//! From a relocatable object to a core module, without a linker.
//!
//! One object, as any LLVM writes it for wasm32, has all of a kernel's code: `clang -c`, llvmlite, `rustc --emit obj`. What a linker
//! would add to it is added here: what the kernels reach is chosen, data get their addresses, relocations are applied, and memory, a stack,
//! a table and the allocator are put around it, with a shim that speaks the canonical ABI for functions that take pointers
//! and extents.
//!
//! The format is that of the [tool conventions](https://github.com/WebAssembly/tool-conventions/blob/main/Linking.md), version 2.

mod layout;
mod link;
mod live;
mod read;
mod relocate;
mod shim;
mod types;
mod unresolved;

pub use unresolved::Unresolved;

use hotcell_manifest::Manifest;
use std::fmt;
use wasmparser::BinaryReaderError;

/// Why an object is not finished.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// It cannot be read.
    #[error("it is no object that can be read")]
    Unreadable(#[from] BinaryReaderError),
    /// It places its data where a position-independent module would, or asks for what kernels do not have.
    #[error("{what}: {advice}")]
    Unsupported {
        /// What it asks for.
        what: String,
        /// What to do.
        advice: &'static str,
    },
    /// The manifest has a kernel that the object has no function for.
    #[error(
        "the manifest has the kernel `{kernel}`, and the object defines no function of that name; it defines {defines}"
    )]
    NoFunction {
        /// The kernel.
        kernel: String,
        /// What is there.
        defines: Listed,
    },
    /// A kernel's function takes or gives something else than its record says.
    #[error(
        "the function `{kernel}` has the type {found}, and its record in the manifest means {expected}: the parameters in the manifest's order, \
         scalars by value and arrays by address, then the extents of {dims}"
    )]
    Type {
        /// The kernel.
        kernel: String,
        /// The function's type.
        found: String,
        /// The type that was expected.
        expected: String,
        /// The dimensions, in their order.
        dims: Listed,
    },
    /// The object needs what neither it nor this defines.
    #[error(transparent)]
    Undefined(#[from] Unresolved),
    /// Its data do not fit below 2 GiB.
    #[error("its data take more than 2 GiB")]
    TooLarge,
}

impl ObjectError {
    fn unsupported(what: impl Into<String>, advice: &'static str) -> Self {
        Self::Unsupported {
            what: what.into(),
            advice,
        }
    }
}

/// Names, as many as a line has room for.
#[derive(Debug)]
pub struct Listed(Vec<String>);

impl Listed {
    /// The most that are listed.
    const SHOWN: usize = 8;

    fn of<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        let escaped = |name: &str| {
            name.chars()
                .take(120)
                .flat_map(char::escape_debug)
                .collect()
        };
        Self(names.into_iter().map(escaped).collect())
    }
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(names) = self;
        for (at, name) in names.iter().take(Self::SHOWN).enumerate() {
            let before = if at == 0 { "" } else { ", " };
            write!(f, "{before}`{name}`")?;
        }
        match names.len() {
            0 => f.write_str("none"),
            len if len > Self::SHOWN => write!(f, " and {} more", len - Self::SHOWN),
            _ => Ok(()),
        }
    }
}

/// A number of things, of which a file has fewer than it has bytes.
fn count(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

/// Whether a core module is an object that is yet to be linked.
pub(crate) fn is_object(module: &[u8]) -> bool {
    read::has_linking(module)
}

/// The core module of an object whose functions are the manifest's kernels.
///
/// # Errors
/// If the object cannot be read, lacks a kernel, has it with another type, or needs what is not there.
pub(crate) fn finish(object: &[u8], manifest: &Manifest) -> Result<Vec<u8>, ObjectError> {
    let object = read::read(object)?;
    let kernels = link::kernels(&object, manifest)?;
    link::link(&object, &kernels)
}

#[cfg(test)]
mod tests;
