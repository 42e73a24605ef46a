//! From SPIR-V to WGSL, which is what a component's shaders are.
//!
//! naga reads the one and writes the other, here where the component is built: no process that runs kernels reads SPIR-V. Where members of
//! structures lie is not in what naga writes: [`layout`] adds it, and then holds what was written against the SPIR-V.
//! Whether the shader is admitted is not asked here; the component's check does.

mod depth;
mod layout;

use hotcell_shader::panics::caught;
pub use layout::LayoutError;
use naga::back::wgsl;
use naga::compact::{KeepUnused, compact};
use naga::front::spv;
use naga::valid::{Capabilities, ValidationFlags, Validator};
use std::thread;

/// The first word of a module, as its bytes stand in a file.
const MAGIC: [u8; 4] = 0x0723_0203_u32.to_le_bytes();
/// The largest module read, in bytes: larger ones would make no text that fits into a component.
const MAX_BYTES: usize = 4 << 20;
/// The stack of the thread that reads a module: naga goes down into it for each branch within a branch.
const STACK_BYTES: usize = 1 << 30;

/// Why SPIR-V is not turned into WGSL.
#[derive(Debug, thiserror::Error)]
pub enum SpirvError {
    /// It is larger than what is read.
    #[error("the SPIR-V is {used} bytes, at most {maximum} are read")]
    TooLong {
        /// Its size in bytes.
        used: usize,
        /// The most that is read.
        maximum: usize,
    },
    /// naga cannot read it.
    #[error(
        "the SPIR-V cannot be read: {words}; compile it for Vulkan 1.1, without extensions, and for buffers of 32-bit numbers"
    )]
    Unreadable {
        /// naga's words.
        words: String,
    },
    /// It is read, and is not valid.
    #[error("the SPIR-V is not valid: {words}")]
    Invalid {
        /// naga's words.
        words: String,
    },
    /// It has what WGSL has no words for.
    #[error("the SPIR-V has what cannot be said in WGSL: {words}")]
    NotWgsl {
        /// What it is.
        words: String,
    },
    /// Its buffers are laid out in a way that WGSL cannot express.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// naga fails on it in a way that nobody foresaw.
    #[error("naga, which reads the SPIR-V, fails on it within itself: give WGSL, or other SPIR-V")]
    Failed,
}

/// Whether bytes begin as SPIR-V does.
pub(crate) fn is_spirv(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC)
}

/// The WGSL of a SPIR-V module, whose buffers are laid out as the module's.
///
/// # Errors
/// If it is too long, is none, or cannot be said in WGSL. No module makes this panic.
pub(crate) fn wgsl_of(spirv: &[u8]) -> Result<String, SpirvError> {
    if spirv.len() > MAX_BYTES {
        return Err(SpirvError::TooLong {
            used: spirv.len(),
            maximum: MAX_BYTES,
        });
    }
    thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(STACK_BYTES);
        let work = || caught(|| translated(spirv)).unwrap_or(Err(SpirvError::Failed));
        let started = thread.spawn_scoped(scope, work);
        let started = started.map_err(|_| SpirvError::Failed)?;
        started.join().unwrap_or(Err(SpirvError::Failed))
    })
}

fn translated(spirv: &[u8]) -> Result<String, SpirvError> {
    if has_row_major(spirv) {
        return Err(SpirvError::NotWgsl {
            words: "matrices that lie row by row (`RowMajor`): declare them column by column"
                .to_owned(),
        });
    }
    let options = spv::Options {
        adjust_coordinate_space: false,
        // What is declared and not used does no harm; what is used and not known is refused where it stands.
        strict_capabilities: false,
        block_ctx_dump_prefix: None,
    };
    let mut module =
        spv::parse_u8_slice(spirv, &options).map_err(|error| SpirvError::Unreadable {
            words: error.to_string(),
        })?;
    let deepest = depth::blocks(&module);
    if deepest > depth::MAX_BLOCKS {
        let maximum = depth::MAX_BLOCKS;
        return Err(SpirvError::NotWgsl {
            words: format!("blocks stand {deepest} deep in each other, at most {maximum} may"),
        });
    }
    compact(&mut module, KeepUnused::No);
    depth::name_expressions(&mut module);
    let invalid = |error: naga::valid::ValidationError| SpirvError::Invalid {
        words: hotcell_model::text::chain(&error),
    };
    let info = Validator::new(ValidationFlags::all(), Capabilities::all())
        .validate(&module)
        .map_err(|error| invalid(error.into_inner()))?;
    let written = wgsl::write_string(&module, &info, wgsl::WriterFlags::empty());
    let written = written.map_err(|error| SpirvError::NotWgsl {
        words: hotcell_model::text::chain(&error),
    })?;
    let text = layout::annotate(&written, &module)?;
    let read = naga::front::wgsl::parse_str(&text).map_err(|error| SpirvError::NotWgsl {
        words: error.message().to_owned(),
    })?;
    layout::compare(&module, &read)?;
    Ok(text)
}

/// Whether some matrix lies row by row. naga transposes those that are loaded, and not those that are stored, or in arrays.
fn has_row_major(spirv: &[u8]) -> bool {
    const HEADER_WORDS: usize = 5;
    const MEMBER_DECORATE: u32 = 72;
    const ROW_MAJOR: u32 = 4;
    let words = spirv.as_chunks().0;
    let words: Vec<u32> = words.iter().copied().map(u32::from_le_bytes).collect();
    let mut rest = words.get(HEADER_WORDS..).unwrap_or_default();
    while let [first, ..] = *rest {
        let len = (first >> 16) as usize;
        let Some((instruction, after)) = rest.split_at_checked(len.max(1)) else {
            return false;
        };
        if first & 0xffff == MEMBER_DECORATE && instruction.get(3) == Some(&ROW_MAJOR) {
            return true;
        }
        rest = after;
    }
    false
}

#[cfg(test)]
mod tests;
