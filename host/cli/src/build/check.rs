//! Whether a component would load: what the host asks of every kernel, asked where its author reads the
//! answer.
//!
//! The host's own reading (validity under the engine's features, counts within the default limits, shaders that are
//! admitted), then
//! imports that some host offers, the export with its type, and a manifest. Types are compared as the
//! component model does, by instantiating the component where the embedded world is wanted.

use super::sections;
use crate::sdk;
use anyhow::{Context as _, Result, bail, ensure};
use hotcell::description::Refusal;
use hotcell::limit::Limits;
use hotcell::shader::Shader;
use hotcell_manifest::{Manifest, SECTION, Weight};
use wasmparser::Parser;
use wit_component::DecodedWasm;
use wit_parser::{Resolve, WorldId};

/// A component that would load.
#[derive(Debug)]
pub(crate) struct Checked {
    /// What it says of itself.
    pub(crate) manifest: Manifest,
    /// The interfaces that it imports, by their full names.
    pub(crate) imports: Vec<String>,
}

/// Checks a finished component.
///
/// # Errors
/// The first thing that would keep it from being loaded.
pub(crate) fn check(component: &[u8]) -> Result<Checked> {
    ensure!(
        Parser::is_component(component),
        "not a component: a component's first bytes are missing"
    );
    // The host's own reading, under its default limits, before anything else parses these bytes. Whether
    // they are a kernel is said below, with what an author can do about it.
    let limits = Limits::defaults(Weight::Normal);
    match hotcell_compiler::describe(component, &limits) {
        Err(refusal @ (Refusal::Malformed(_) | Refusal::TooMuch(_))) => {
            return Err(refusal).context("it would not pass the host's validation");
        }
        Ok(description) => check_shaders(&description.shaders)?,
        Err(Refusal::NoKernel(_)) => {}
    }
    let imports = check_world(component)?;
    let records = sections::split(component)?
        .manifest
        .with_context(|| format!("it has no `{SECTION}` section; --manifest adds one"))?;
    let manifest = Manifest::decode(&records)?;
    Ok(Checked { manifest, imports })
}

/// A shader that is refused now is refused whenever a kernel is made of it.
fn check_shaders(shaders: &[Shader]) -> Result<()> {
    for shader in shaders {
        let name = &shader.name;
        match shader.judged.refusal() {
            None => {}
            Some((None, why)) => bail!("shader `{name}` is not admitted: {why}"),
            Some((Some(entry), why)) => bail!("shader `{name}`, entry point `{entry}`: {why}"),
        }
    }
    Ok(())
}

/// Compares imports and exports with the world, first by name and then by type; gives the imports.
fn check_world(component: &[u8]) -> Result<Vec<String>> {
    let decoded = wit_component::decode(component).context("its interfaces cannot be read")?;
    let DecodedWasm::Component(found, found_world) = decoded else {
        bail!("it is a WIT package, not a component");
    };
    let (resolve, world) = sdk::world();
    let (imports, exports) = names(&found, found_world);
    let (offered, wanted) = names(&resolve, world);
    if let Some(unknown) = imports.iter().find(|name| !offered.contains(name)) {
        let wasi = match unknown.starts_with("wasi:") {
            true => " (WASI is not offered to kernels: build for `wasm32-unknown-unknown`)",
            false => "",
        };
        bail!(
            "it imports `{unknown}`, which no host offers{wasi}; a kernel may import {}",
            offered.join(", ")
        );
    }
    for entries in &wanted {
        ensure!(
            exports.contains(entries),
            "it does not export `{entries}`, as every kernel does; it exports {}",
            list(&exports)
        );
    }
    wit_component::targets(&resolve, world, component)
        .context("its imports or exports have other types than wit/kernel/kernel.wit and wit/gpu/gpu.wit say")?;
    Ok(imports)
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

fn list(names: &[String]) -> String {
    match names {
        [] => "nothing".to_owned(),
        names => names.join(", "),
    }
}

#[cfg(test)]
mod tests;
