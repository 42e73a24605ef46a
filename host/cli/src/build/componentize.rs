//! From a core module to a component.
//!
//! A module made with the SDK says which world it implements and carries its manifest's records. One made
//! without, by clang say, has only the names of the canonical ABI: it gets the embedded world.

use super::sections::{self, Split};
use super::undefined;
use crate::sdk;
use anyhow::{Context as _, Result, ensure};
use hotcell_manifest::{Manifest, SECTION, SHADERS_SECTION, Shaders};
use wasmparser::Parser;
use wit_component::{ComponentEncoder, StringEncoding};

/// Where the manifest of a component comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source<'a> {
    /// From the binary, which must have one.
    Binary,
    /// From a file; the binary must have none.
    File(&'a Manifest),
    /// From a file, whatever the binary has.
    Replacement(&'a Manifest),
}

/// Makes a component with exactly one manifest, and each of its shaders once, of a core module or of a component.
///
/// # Errors
/// If `wasm` is neither, its manifest is missing, wrong or one too many, two of its shaders have one name, or it does not
/// fit the world.
pub(crate) fn componentize(wasm: &[u8], source: Source<'_>) -> Result<Vec<u8>> {
    ensure!(
        Parser::is_core_wasm(wasm) || Parser::is_component(wasm),
        "not WebAssembly"
    );
    let Split {
        rest,
        manifest,
        shaders,
    } = sections::split(wasm)?;
    let records = choose(manifest.as_deref(), source)?.encode();
    let mut component = if Parser::is_component(&rest) {
        rest
    } else {
        encode(rest)?
    };
    sections::append_manifest(&mut component, &records);
    if let Some(shaders) = shaders {
        let shaders = Shaders::merge(&shaders).with_context(|| wrong(SHADERS_SECTION))?;
        sections::append_shaders(&mut component, &shaders.encode());
    }
    Ok(component)
}

fn wrong(section: &str) -> String {
    format!("its `{section}` section is wrong")
}

fn choose(found: Option<&[u8]>, source: Source<'_>) -> Result<Manifest> {
    match (source, found) {
        (Source::Binary, Some(records)) => {
            Manifest::decode(records).with_context(|| wrong(SECTION))
        }
        (Source::Binary, None) => anyhow::bail!(
            "it has no manifest: call `hotcell_guest::export!` at the crate's root, or give one with --manifest"
        ),
        (Source::File(_), Some(_)) => {
            anyhow::bail!("it has a manifest already; --replace puts the file's in its place")
        }
        (Source::File(manifest), None) | (Source::Replacement(manifest), _) => Ok(manifest.clone()),
    }
}

fn encode(mut module: Vec<u8>) -> Result<Vec<u8>> {
    undefined::check(&module)?;
    if !sections::has_component_type(&module)? {
        let (resolve, world) = sdk::world();
        wit_component::embed_component_metadata(
            &mut module,
            &resolve,
            world,
            StringEncoding::UTF8,
        )?;
    }
    // Validation follows with the host's own set of features, which is smaller than the encoder's.
    ComponentEncoder::default()
        .validate(false)
        .module(&module)
        .and_then(|mut encoder| encoder.encode())
        .context("the core module does not fit the world that it says it implements")
}
