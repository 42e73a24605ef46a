//! Reading a component without running it: manifest, imports, counts.

use crate::census::{Census, invalid, payloads};
use hotcell_model::component::{Description, ENTRIES, Import, PACKAGE_VERSION, Refusal};
use hotcell_model::frame::WireDescription;
use hotcell_model::limit::Limits;
use hotcell_model::manifest::{Manifest, SECTION};
use hotcell_model::text::chain;
use wasmparser::{Encoding, Payload};

/// Reads, counts and validates `bytes`, and nothing of them runs.
///
/// # Errors
/// [`Refusal::TooMuch`] for the first count that is over its limit, [`Refusal::Malformed`] and [`Refusal::NoKernel`] for anything
/// that is no kernel component, with what to do about it.
pub fn describe(bytes: &[u8], limits: &Limits) -> Result<Description, Refusal> {
    let surface = read(bytes, limits)?;
    let manifest = Manifest::decode(&surface.manifest);
    Ok(Description {
        manifest: manifest.map_err(|error| Refusal::NoKernel(chain(&error)))?,
        imports: surface
            .imports
            .iter()
            .map(|name| Import::classify(name))
            .collect(),
        counts: surface.counts,
    })
}

/// As [`describe`], with the manifest as it stands in its section.
///
/// # Errors
/// As [`describe`], but for a manifest that is none.
pub fn read(bytes: &[u8], limits: &Limits) -> Result<WireDescription, Refusal> {
    check_preamble(bytes)?;
    let mut census = Census::new(bytes, limits)?;
    let mut surface = Surface::default();
    // Containers that are open at this point; the component itself is the first.
    let mut depth = 0u32;
    for payload in payloads(bytes) {
        let payload = payload.map_err(invalid)?;
        census.payload(&payload)?;
        match &payload {
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            _ if depth == 1 => surface.payload(&payload)?,
            _ => {}
        }
    }
    let counts = census.finish()?;
    Ok(WireDescription {
        manifest: surface.manifest()?,
        imports: surface.imports,
        counts,
    })
}

/// Tells apart what is no component at all.
fn check_preamble(bytes: &[u8]) -> Result<(), Refusal> {
    if bytes.is_empty() {
        let why = "the file is empty; a kernel component was expected";
        return Err(Refusal::Malformed(why.to_owned()));
    }
    if wasmparser::Parser::is_core_wasm(bytes) {
        return Err(Refusal::CoreModule);
    }
    match wasmparser::Parser::is_component(bytes) {
        true => Ok(()),
        false => Err(Refusal::NotWasm),
    }
}

/// What stands at the component's top level.
#[derive(Default)]
struct Surface {
    sections: Vec<Vec<u8>>,
    imports: Vec<String>,
    exports: Vec<String>,
}

impl Surface {
    fn payload(&mut self, payload: &Payload<'_>) -> Result<(), Refusal> {
        match payload {
            Payload::Version { encoding, .. } if *encoding != Encoding::Component => {
                return Err(Refusal::Malformed("not a component".to_owned()));
            }
            Payload::CustomSection(section) if section.name() == SECTION => {
                self.sections.push(section.data().to_vec());
            }
            Payload::ComponentImportSection(section) => {
                for import in section.clone() {
                    self.imports
                        .push(import.map_err(invalid)?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) => {
                for export in section.clone() {
                    self.exports
                        .push(export.map_err(invalid)?.name.name.to_owned());
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn manifest(&mut self) -> Result<Vec<u8>, Refusal> {
        let entries = format!("{ENTRIES}@{PACKAGE_VERSION}");
        if !self.exports.contains(&entries) {
            return Err(Refusal::NoKernel(format!(
                "the component does not export `{entries}`, so it is no kernel for this host"
            )));
        }
        match &mut self.sections[..] {
            [section] => Ok(std::mem::take(section)),
            [] => Err(Refusal::ManifestMissing),
            more => Err(Refusal::NoKernel(format!(
                "the component has {} `{SECTION}` sections; exactly one is allowed",
                more.len()
            ))),
        }
    }
}
