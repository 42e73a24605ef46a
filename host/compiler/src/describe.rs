//! Reading a component without running it: manifest, shaders, imports, counts.

use crate::analysis::analyse;
use crate::census::{Census, invalid, payloads};
use hotcell_model::component::{Counts, Description, Import, Refusal, entries_names};
use hotcell_model::frame::WireDescription;
use hotcell_model::limit::Limits;
use hotcell_model::manifest::{Manifest, SECTION, SHADERS_SECTION, ShaderRecord, Shaders};
use hotcell_model::shader::Shader;
use hotcell_model::text::chain;
use hotcell_shader::judge;
use wasmparser::{Encoding, Payload};

/// Reads, counts and validates `bytes`, judges the shaders in them, and nothing of them runs.
///
/// # Errors
/// [`Refusal::TooMuch`] for the first count that is over its limit, [`Refusal::Malformed`] and [`Refusal::NoKernel`] for anything
/// that is no kernel component, with what to do about it.
pub fn describe(bytes: &[u8], limits: &Limits) -> Result<Description, Refusal> {
    let description = read(bytes, limits)?;
    Ok(Description {
        manifest: decode(&description.manifest)?,
        imports: description
            .imports
            .iter()
            .map(|name| Import::classify(name))
            .collect(),
        shaders: description.shaders,
        counts: description.counts,
        costs: description.costs,
    })
}

/// As [`describe`], without a judgement on shaders.
///
/// # Errors
/// As [`describe`].
pub fn check(bytes: &[u8], limits: &Limits) -> Result<(), Refusal> {
    let (surface, _) = walk(bytes, limits)?;
    decode(surface.manifest()?)?;
    surface.shaders()?;
    Ok(())
}

/// As [`describe`], with the manifest as it stands in its section.
///
/// # Errors
/// As [`describe`], but for a manifest that is none.
pub fn read(bytes: &[u8], limits: &Limits) -> Result<WireDescription, Refusal> {
    let (surface, counts) = walk(bytes, limits)?;
    let manifest = surface.manifest()?.to_vec();
    let costs = match Manifest::decode(&manifest) {
        Ok(manifest) => analyse(bytes, manifest.kernels()),
        Err(_) => Vec::new(),
    };
    let shader = |place: SectionShader<'_>| Shader {
        name: place.name.to_owned(),
        offset_bytes: place.offset as u64,
        len_bytes: place.text.len() as u64,
        judged: judge(place.text),
    };
    Ok(WireDescription {
        manifest,
        shaders: surface.shaders()?.into_iter().map(shader).collect(),
        imports: surface.imports,
        counts,
        costs,
    })
}

fn decode(manifest: &[u8]) -> Result<Manifest, Refusal> {
    Manifest::decode(manifest).map_err(|error| Refusal::NoKernel(chain(&error)))
}

/// Counts and validates everything; what stands at the top level.
fn walk<'a>(bytes: &'a [u8], limits: &Limits) -> Result<(Surface<'a>, Counts), Refusal> {
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
    Ok((surface, census.finish()?))
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
struct Surface<'a> {
    manifests: Vec<&'a [u8]>,
    /// With where each begins in the component.
    shaders: Vec<(usize, &'a [u8])>,
    imports: Vec<String>,
    exports: Vec<String>,
}

/// A shader's text and where it begins in the component.
struct SectionShader<'a> {
    name: &'a str,
    offset: usize,
    text: &'a [u8],
}

impl<'a> Surface<'a> {
    fn payload(&mut self, payload: &Payload<'a>) -> Result<(), Refusal> {
        match payload {
            Payload::Version { encoding, .. } if *encoding != Encoding::Component => {
                return Err(Refusal::Malformed("not a component".to_owned()));
            }
            Payload::CustomSection(section) if section.name() == SECTION => {
                self.manifests.push(section.data());
            }
            Payload::CustomSection(section) if section.name() == SHADERS_SECTION => {
                self.shaders.push((section.data_offset(), section.data()));
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

    fn manifest(&self) -> Result<&'a [u8], Refusal> {
        if !entries_names().any(|entries| self.exports.contains(&entries)) {
            let names: Vec<_> = entries_names().map(|name| format!("`{name}`")).collect();
            return Err(Refusal::NoKernel(format!(
                "the component does not export {}, so it is no kernel for this host",
                names.join(" or ")
            )));
        }
        match self.manifests[..] {
            [section] => Ok(section),
            [] => Err(Refusal::ManifestMissing),
            _ => Err(Refusal::NoKernel(format!(
                "the component has {} `{SECTION}` sections; exactly one is allowed",
                self.manifests.len()
            ))),
        }
    }

    fn shaders(&self) -> Result<Vec<SectionShader<'a>>, Refusal> {
        let (begin, section) = match self.shaders[..] {
            [] => return Ok(Vec::new()),
            [section] => section,
            _ => {
                return Err(Refusal::Malformed(format!(
                    "the component has {} `{SHADERS_SECTION}` sections; at most one is allowed",
                    self.shaders.len()
                )));
            }
        };
        let shaders = Shaders::decode(section);
        let shaders = shaders.map_err(|error| Refusal::Malformed(chain(&error)))?;
        let place = |record: &ShaderRecord<'a>| SectionShader {
            name: record.name,
            offset: begin + record.place.start,
            text: record.text,
        };
        Ok(shaders.records().iter().map(place).collect())
    }
}
