//! From a core module to a component.
//!
//! A relocatable object becomes a core module first. A module made with the SDK says which world it implements and carries its manifest's records. One made
//! without, by clang say, has only the names of the canonical ABI: it gets the embedded world. What it asks of WASI it says
//! itself, or, where it was made for the first preview, an adapter does that comes with the encoder.

use crate::flags::Target;
use crate::object::{self, ObjectError};
use crate::sections::{self, SectionsError, SplitBinary};
use crate::spirv::{self, SpirvError};
use crate::undefined::{self, UndefinedError};
use crate::{Foreign, sdk};
use hotcell_manifest::{
    Manifest, ManifestError, SECTION, SHADERS_SECTION, ShaderRecord, Shaders, ShadersError,
};
use hotcell_model::component::{ENTRIES, PACKAGE_VERSION, PACKAGE_VERSIONS};
use std::borrow::Cow;
use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wasmparser::{Parser, Payload};
use wit_component::{ComponentEncoder, StringEncoding};

/// Where the manifest of a component comes from.
#[derive(Clone, Copy, Debug)]
pub enum ManifestSource<'a> {
    /// From the binary, which must have one.
    Binary,
    /// This one; the binary must have none.
    Given(&'a Manifest),
    /// This one, whatever the binary has.
    Replacement(&'a Manifest),
}

/// Why no component is made.
#[derive(Debug, thiserror::Error)]
pub enum ComponentizeError {
    /// The first bytes are neither a core module's nor a component's.
    #[error("not WebAssembly")]
    NotWasm,
    /// It is no list of sections.
    #[error(transparent)]
    Sections(#[from] SectionsError),
    /// The binary's manifest is not one.
    #[error("its `{SECTION}` section is wrong")]
    Manifest(#[source] ManifestError),
    /// The binary's shaders are not ones, or two differ and have one name.
    #[error("its `{SHADERS_SECTION}` section is wrong")]
    Shaders(#[source] ShadersError),
    /// A shader that was given has no name, or bytes that are no text.
    #[error("shader `{}`: {why}", .name.escape_debug())]
    Shader {
        /// What it was to be called.
        name: String,
        /// Why it is none.
        why: &'static str,
    },
    /// A shader that was given as SPIR-V cannot be one in WGSL.
    #[error("shader `{name}`")]
    Spirv {
        /// The shader.
        name: String,
        /// Why.
        #[source]
        source: SpirvError,
    },
    /// The binary has no manifest, and none was given.
    #[error("it has no manifest: call `hotcell_guest::export!` at the crate's root, or give one")]
    NoManifest,
    /// The binary has a manifest, and another was given.
    #[error("it has a manifest already")]
    HasManifest,
    /// The object cannot be finished.
    #[error("the object is not finished to a module")]
    Object(#[source] ObjectError),
    /// The core module imports what no host offers.
    #[error(transparent)]
    Undefined(#[from] UndefinedError),
    /// The core module does not have the imports and exports of its world.
    #[error("the core module does not fit the world that it says it implements")]
    World(#[source] Foreign),
}

/// Makes a component with exactly one manifest, and each of its shaders once, of a core module, of a component, or of a relocatable object, whose
/// functions are the manifest's kernels.
///
/// # Errors
/// If `wasm` is none of these, the object lacks something, its manifest is missing, wrong or one too many, two of its shaders have one name, or it does
/// not fit the world.
pub fn componentize(wasm: &[u8], source: ManifestSource<'_>) -> Result<Vec<u8>, ComponentizeError> {
    componentize_for(Target::Bare, wasm, source)
}

/// As [`componentize`], of what was compiled for that.
///
/// # Errors
/// As [`componentize`].
pub fn componentize_for(
    target: Target,
    wasm: &[u8],
    source: ManifestSource<'_>,
) -> Result<Vec<u8>, ComponentizeError> {
    if !Parser::is_core_wasm(wasm) && !Parser::is_component(wasm) {
        return Err(ComponentizeError::NotWasm);
    }
    let SplitBinary {
        rest,
        manifest,
        shaders,
    } = sections::split(wasm)?;
    let manifest = choose(manifest.as_deref(), source)?;
    let records = manifest.encode();
    let mut component = if Parser::is_component(&rest) {
        rest
    } else if object::is_object(&rest) {
        let module = object::finish(&rest, &manifest).map_err(ComponentizeError::Object)?;
        encode(module, target)?
    } else {
        encode(rest, target)?
    };
    sections::append_manifest(&mut component, &records);
    if let Some(shaders) = shaders {
        let shaders = Shaders::merge(&shaders).map_err(ComponentizeError::Shaders)?;
        sections::append_shaders(&mut component, &shaders.encode());
    }
    Ok(component)
}

/// A component with more shaders: each has a name, and a text in WGSL, or SPIR-V, of which WGSL is made.
///
/// # Errors
/// If `component` is no list of sections, a shader is none, or two that differ have one name.
pub fn with_shaders(
    component: &[u8],
    shaders: &[(String, Vec<u8>)],
) -> Result<Vec<u8>, ComponentizeError> {
    let SplitBinary {
        rest: mut made,
        manifest,
        shaders: records,
    } = sections::split(component)?;
    let mut records = records.unwrap_or_default();
    for (name, source) in shaders {
        sections::add_shader(&mut records, name, text_of(name, source)?.as_bytes());
    }
    if let Some(manifest) = manifest {
        sections::append_manifest(&mut made, &manifest);
    }
    let shaders = Shaders::merge(&records).map_err(ComponentizeError::Shaders)?;
    sections::append_shaders(&mut made, &shaders.encode());
    Ok(made)
}

/// The WGSL of a shader's file.
fn text_of<'a>(name: &str, source: &'a [u8]) -> Result<Cow<'a, str>, ComponentizeError> {
    let none = |why| ComponentizeError::Shader {
        name: name.to_owned(),
        why,
    };
    if !ShaderRecord::is_name(name) {
        return Err(none("a name has 1 to 128 bytes, and no control characters"));
    }
    if spirv::is_spirv(source) {
        let made = spirv::wgsl_of(source).map_err(|source| ComponentizeError::Spirv {
            name: name.to_owned(),
            source,
        })?;
        return Ok(made.into());
    }
    let text = std::str::from_utf8(source);
    let text = text
        .map_err(|_| none("it is neither WGSL nor SPIR-V: it is no text, and begins otherwise"))?;
    Ok(text.into())
}

fn choose(found: Option<&[u8]>, source: ManifestSource<'_>) -> Result<Manifest, ComponentizeError> {
    match (source, found) {
        (ManifestSource::Binary, Some(records)) => {
            Manifest::decode(records).map_err(ComponentizeError::Manifest)
        }
        (ManifestSource::Binary, None) => Err(ComponentizeError::NoManifest),
        (ManifestSource::Given(_), Some(_)) => Err(ComponentizeError::HasManifest),
        (ManifestSource::Given(manifest), None) | (ManifestSource::Replacement(manifest), _) => {
            Ok(manifest.clone())
        }
    }
}

/// The version of the interfaces that a core module is made for, by the name of what it exports: today's, where it exports
/// nothing of any.
fn version_of(module: &[u8]) -> &'static str {
    let exports = Parser::new(0).parse_all(module).filter_map(|payload| {
        let Ok(Payload::ExportSection(section)) = payload else {
            return None;
        };
        Some(section.into_iter().filter_map(Result::ok))
    });
    let names: Vec<&str> = exports.flatten().map(|export| export.name).collect();
    let is_exported = |version: &&&str| names.contains(&&*format!("{ENTRIES}@{version}#launch"));
    let found = PACKAGE_VERSIONS.iter().find(is_exported);
    found.copied().unwrap_or(PACKAGE_VERSION)
}

fn encode(mut module: Vec<u8>, target: Target) -> Result<Vec<u8>, ComponentizeError> {
    undefined::check(&module, target)?;
    if !has_world(&module, target)? {
        let (resolve, world) = sdk::world_of(version_of(&module));
        wit_component::embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
            .expect("the embedded world can be written down");
    }
    // Validation follows with the host's own set of features, which is smaller than the encoder's.
    let mut encoder = ComponentEncoder::default().validate(false);
    if target == Target::Wasi {
        encoder = encoder
            .adapter(
                WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME,
                WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
            )
            .map_err(|error| ComponentizeError::World(error.into()))?;
    }
    encoder
        .module(&module)
        .and_then(|mut encoder| encoder.encode())
        .map_err(|error| ComponentizeError::World(error.into()))
}

/// Whether a module says which world of kernels it implements. What the standard library says of its own part, where it
/// is WASI's, is none.
fn has_world(module: &[u8], target: Target) -> Result<bool, ComponentizeError> {
    if target == Target::Bare || !sections::has_component_type(module)? {
        return Ok(sections::has_component_type(module)?);
    }
    let (_, said) = wit_component::metadata::decode(module)
        .map_err(|error| ComponentizeError::World(error.into()))?;
    Ok(!said.resolve.worlds[said.world].exports.is_empty())
}
