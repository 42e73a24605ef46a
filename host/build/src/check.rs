//! Whether a component would load: what the host asks of every kernel, asked where its author reads the
//! answer.
//!
//! The host's own reading (validity under the engine's features, counts within the default limits, shaders that are
//! admitted), then
//! imports that some host offers, the export with its type, and a manifest. Types are compared as the
//! component model does, by instantiating the component where the embedded world is wanted.

use crate::sections::{self, SectionsError};
use crate::{Foreign, sdk};
use hotcell_manifest::{Manifest, ManifestError, SECTION, Weight};
use hotcell_model::component::{ENTRIES, PACKAGE_VERSION, PACKAGE_VERSIONS, Refusal};
use hotcell_model::limit::Limits;
use hotcell_model::shader::Shader;
use hotcell_model::wasi;
use wasmparser::Parser;
use wit_component::DecodedWasm;
use wit_parser::{Resolve, WorldId, WorldItem, WorldKey};

/// A component that would load.
#[derive(Debug)]
pub struct Checked {
    /// What it says of itself.
    pub manifest: Manifest,
    /// The interfaces that it imports, by their full names.
    pub imports: Vec<String>,
}

/// Why a component would not load.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// Its first bytes are another file's.
    #[error("not a component: a component's first bytes are missing")]
    NotAComponent,
    /// The host's own reading refuses it.
    #[error("it would not pass the host's validation")]
    Refused(#[source] Refusal),
    /// One of its shaders would never be built.
    #[error("shader `{name}`{}: {why}", judged(.entry.as_deref()))]
    Shader {
        /// The shader.
        name: String,
        /// The entry point, where the shader is refused for one alone.
        entry: Option<String>,
        /// The reason, with its place.
        why: String,
    },
    /// What it imports and exports cannot be read.
    #[error("its interfaces cannot be read")]
    Interfaces(#[source] Foreign),
    /// It has interfaces and no code.
    #[error("it is a WIT package, not a component")]
    WitPackage,
    /// It imports what no host offers.
    #[error("it imports `{name}`, which no host offers{}; a kernel may import {}", of_wasi(.name), .offered.join(", "))]
    Import {
        /// The interface.
        name: String,
        /// What is offered.
        offered: Vec<String>,
    },
    /// It does not have every kernel's export.
    #[error("it does not export `{wanted}`, as every kernel does; it exports {}", list(.found))]
    NoExport {
        /// The interface.
        wanted: String,
        /// What it exports.
        found: Vec<String>,
    },
    /// Its interfaces have the right names and other types.
    #[error(
        "its imports or exports have other types than wit/kernel/kernel.wit and wit/gpu/gpu.wit say"
    )]
    Types(#[source] Foreign),
    /// It is no list of sections.
    #[error(transparent)]
    Sections(#[from] SectionsError),
    /// It says nothing of itself.
    #[error("it has no `{SECTION}` section, which holds a manifest")]
    NoManifest,
    /// What it says of itself is no manifest.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}

/// Checks a finished component.
///
/// # Errors
/// The first thing that would keep it from being loaded.
pub fn check(component: &[u8]) -> Result<Checked, CheckError> {
    if !Parser::is_component(component) {
        return Err(CheckError::NotAComponent);
    }
    // The host's own reading, under its default limits, before anything else parses these bytes. Whether
    // they are a kernel is said below, with what an author can do about it.
    let limits = Limits::defaults(Weight::Normal);
    match hotcell_compiler::describe(component, &limits) {
        Ok(description) => check_shaders(&description.shaders)?,
        Err(Refusal::NoKernel(_) | Refusal::ManifestMissing) => {}
        Err(refusal) => return Err(CheckError::Refused(refusal)),
    }
    let imports = check_world(component)?;
    let records = sections::split(component)?
        .manifest
        .ok_or(CheckError::NoManifest)?;
    let manifest = Manifest::decode(&records)?;
    Ok(Checked { manifest, imports })
}

/// A shader that is refused now is refused whenever a kernel is made of it.
fn check_shaders(shaders: &[Shader]) -> Result<(), CheckError> {
    let refused = shaders.iter().find_map(|shader| {
        let (entry, why) = shader.judged.refusal()?;
        Some(CheckError::Shader {
            name: shader.name.clone(),
            entry: entry.map(str::to_owned),
            why: why.to_owned(),
        })
    });
    refused.map_or(Ok(()), Err)
}

/// What of a shader was judged.
fn judged(entry: Option<&str>) -> String {
    match entry {
        None => " is not admitted".to_owned(),
        Some(entry) => format!(", entry point `{entry}`"),
    }
}

/// Compares imports and exports with the world, first by name and then by type; gives the imports.
fn check_world(component: &[u8]) -> Result<Vec<String>, CheckError> {
    let decoded =
        wit_component::decode(component).map_err(|error| CheckError::Interfaces(error.into()))?;
    let DecodedWasm::Component(found, found_world) = decoded else {
        return Err(CheckError::WitPackage);
    };
    let (imports, exports) = names(&found, found_world);
    let is_exported = |version: &&&str| exports.contains(&format!("{ENTRIES}@{version}"));
    let version = PACKAGE_VERSIONS.iter().find(is_exported);
    let (resolve, world) = sdk::world_of(version.unwrap_or(&PACKAGE_VERSION));
    let (offered, wanted) = names(&resolve, world);
    if let Some(unknown) = imports
        .iter()
        .find(|name| !offered.contains(name) && !is_wasi_offered(name))
    {
        let name = unknown.clone();
        return Err(CheckError::Import { name, offered });
    }
    if let Some(missing) = wanted.into_iter().find(|name| !exports.contains(name)) {
        return Err(CheckError::NoExport {
            wanted: missing,
            found: exports,
        });
    }
    let resolve = with_wasi(resolve, world, found, found_world).map_err(CheckError::Types)?;
    wit_component::targets(&resolve, world, component)
        .map_err(|error| CheckError::Types(error.into()))?;
    Ok(imports)
}

/// The world, with what a component imports of WASI, as it has that: no version of WASI is described here, and the
/// runner compares the types of what is imported with those of what it has.
fn with_wasi(
    mut resolve: Resolve,
    world: WorldId,
    found: Resolve,
    found_world: WorldId,
) -> Result<Resolve, Foreign> {
    let imports = found.worlds[found_world].imports.clone();
    let is_wasi = |key: &WorldKey| is_wasi_offered(&found.name_world_key(key));
    let imports: Vec<_> = imports
        .into_iter()
        .filter(|(key, _)| is_wasi(key))
        .collect();
    if imports.is_empty() {
        return Ok(resolve);
    }
    let merged = resolve.merge(found)?;
    for (_, item) in imports {
        if let WorldItem::Interface {
            id,
            stability,
            docs,
            span,
            external_id,
        } = item
        {
            let id = merged.map_interface(id, Default::default())?;
            let item = WorldItem::Interface {
                id,
                stability,
                docs,
                span,
                external_id,
            };
            resolve.worlds[world]
                .imports
                .insert(WorldKey::Interface(id), item);
        }
    }
    Ok(resolve)
}

fn is_wasi_offered(name: &str) -> bool {
    let (interface, version) = name.split_once('@').unwrap_or((name, ""));
    wasi::is_offered(interface, version)
}

/// The names of what a world imports and exports, types apart.
fn names(resolve: &Resolve, world: WorldId) -> (Vec<String>, Vec<String>) {
    let world = &resolve.worlds[world];
    let name = |key| resolve.name_world_key(key);
    (
        world.imports.keys().map(name).collect(),
        world.exports.keys().map(name).collect(),
    )
}

/// What to say of an interface of WASI.
fn of_wasi(name: &str) -> &'static str {
    match name.starts_with("wasi:") {
        true => " (of WASI there are no sockets and no HTTP)",
        false => "",
    }
}

fn list(names: &[String]) -> String {
    match names {
        [] => "nothing".to_owned(),
        names => names.join(", "),
    }
}

#[cfg(test)]
mod tests;
