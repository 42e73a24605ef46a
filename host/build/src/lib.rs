//! Makes kernel components: what `hotcell build`, importers and other programs build with.
//!
//! A [`Project`] compiles to a core module, [`componentize()`] makes a component of a core module or of a relocatable object, or adds a
//! manifest to a component, [`with_shaders`] gives it shaders, and [`check()`] says whether a host would load it. [`parse_manifest`] reads the
//! manifest of a component made without the SDK; [`sdk`] has the SDK's source and the world of kernels.
//!
//! What is wrong is an author's to put right: errors say what was found and what to do. Nothing here writes a
//! component to a file.

mod cargo;
mod check;
mod componentize;
mod flags;
mod manifest_file;
mod object;
mod repeat;
pub mod sdk;
mod sections;
mod spirv;
mod target;
mod undefined;

pub use cargo::{CargoError, CargoOptions, Loops, Profile, ProfileError, Project, ProjectError};
pub use check::{CheckError, Checked, check};
pub use componentize::{
    ComponentizeError, ManifestSource, componentize, componentize_for, with_shaders,
};
pub use flags::{NotUtf8, Target, Unroll, UnrollError};
pub use manifest_file::{ManifestFileError, Mistake, parse as parse_manifest};
pub use object::{ObjectError, Unresolved};
pub use repeat::{Repeat, RepeatError, Repeated, Repetition};
pub use sections::SectionsError;
pub use spirv::{LayoutError, SpirvError};
pub use target::{Toolchain, ToolchainError};
pub use undefined::{Undefined, UndefinedError};

/// The error of a crate that has no type for it.
type Foreign = Box<dyn std::error::Error + Send + Sync>;
