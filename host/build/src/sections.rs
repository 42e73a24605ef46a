//! A Wasm binary as a list of its outermost sections, core module and component alike.
//!
//! Both are a preamble and sections of an id, a length and a body. Manifest and shaders are taken out of either,
//! and put into a component, without touching any other byte.

use hotcell_manifest::{SECTION, SHADERS_SECTION};
use wasm_encoder::{ComponentSection as _, CustomSection};
use wasmparser::{BinaryReader, BinaryReaderError};

/// Magic number, version and layer.
const PREAMBLE_BYTES: usize = 8;
/// The id of a custom section.
const CUSTOM: u8 = 0;

/// Why a binary is no list of sections.
#[derive(Debug, thiserror::Error)]
pub enum SectionsError {
    /// It is shorter than a preamble.
    #[error("cut short before its first section")]
    Truncated,
    /// A section has no id or length.
    #[error("the section at byte {at} cannot be read")]
    Unreadable {
        /// Where the section begins.
        at: usize,
        /// The cause.
        #[source]
        source: BinaryReaderError,
    },
    /// A section is longer than what is left.
    #[error("the section at byte {at} cannot be read: it ends past the file's end")]
    PastEnd {
        /// Where the section begins.
        at: usize,
    },
}

/// A binary without the manifest and the shaders that it carried.
pub(crate) struct SplitBinary {
    /// Every other section, byte for byte.
    pub(crate) rest: Vec<u8>,
    /// The manifest's records, where there were any; several sections follow each other.
    pub(crate) manifest: Option<Vec<u8>>,
    /// The same of the shaders.
    pub(crate) shaders: Option<Vec<u8>>,
}

/// Takes manifest and shaders out of a core module or a component; sections further inside stay.
///
/// # Errors
/// If the sections do not fit the binary.
pub(crate) fn split(wasm: &[u8]) -> Result<SplitBinary, SectionsError> {
    let preamble = wasm.get(..PREAMBLE_BYTES).ok_or(SectionsError::Truncated)?;
    let mut split = SplitBinary {
        rest: preamble.to_vec(),
        manifest: None,
        shaders: None,
    };
    let mut at = PREAMBLE_BYTES;
    while at < wasm.len() {
        let section = Section::read(wasm, at)?;
        match section.custom() {
            Some((SECTION, records)) => add(&mut split.manifest, records),
            Some((SHADERS_SECTION, records)) => add(&mut split.shaders, records),
            _ => split.rest.extend_from_slice(section.whole),
        }
        at += section.whole.len();
    }
    Ok(split)
}

fn add(records: &mut Option<Vec<u8>>, more: &[u8]) {
    records.get_or_insert_default().extend_from_slice(more);
}

/// Appends the manifest's section to a component.
pub(crate) fn append_manifest(component: &mut Vec<u8>, records: &[u8]) {
    append(component, SECTION, records);
}

/// Appends the section of shaders to a component.
pub(crate) fn append_shaders(component: &mut Vec<u8>, records: &[u8]) {
    append(component, SHADERS_SECTION, records);
}

/// Adds a shader's record, as the SDK's macro leaves it in a core module. What is too long for its length is cut, and found to be too
/// long where the records are read.
pub(crate) fn add_shader(records: &mut Vec<u8>, name: &str, text: &[u8]) {
    const SCHEMA: u32 = 1;
    let len = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    for word in [SCHEMA, len(name.as_bytes()), len(text)] {
        records.extend_from_slice(&word.to_le_bytes());
    }
    records.extend_from_slice(name.as_bytes());
    records.extend_from_slice(text);
}

fn append(component: &mut Vec<u8>, name: &str, records: &[u8]) {
    CustomSection {
        name: name.into(),
        data: records.into(),
    }
    .append_to_component(component);
}

/// Whether a core module says of itself which world it implements, as `wit-bindgen` leaves it.
pub(crate) fn has_component_type(module: &[u8]) -> Result<bool, SectionsError> {
    let mut at = PREAMBLE_BYTES;
    while at < module.len() {
        let section = Section::read(module, at)?;
        let name = section.custom().map(|(name, _)| name);
        if name.is_some_and(|name| name.starts_with("component-type")) {
            return Ok(true);
        }
        at += section.whole.len();
    }
    Ok(false)
}

/// One section.
struct Section<'a> {
    id: u8,
    whole: &'a [u8],
    body: &'a [u8],
}

impl<'a> Section<'a> {
    fn read(wasm: &'a [u8], at: usize) -> Result<Self, SectionsError> {
        let bytes = &wasm[at..];
        let mut reader = BinaryReader::new(bytes, 0);
        let mut head = || Ok((reader.read_u8()?, reader.read_var_u32()?));
        let (id, len) = head().map_err(|source| SectionsError::Unreadable { at, source })?;
        let start = reader.original_position();
        let end = usize::try_from(len)
            .ok()
            .and_then(|len| start.checked_add(len));
        let whole = end
            .and_then(|end| bytes.get(..end))
            .ok_or(SectionsError::PastEnd { at })?;
        let body = &whole[start..];
        Ok(Self { id, whole, body })
    }

    /// A custom section's name and data.
    fn custom(&self) -> Option<(&'a str, &'a [u8])> {
        let mut reader = BinaryReader::new(self.body, 0);
        let name = (self.id == CUSTOM).then(|| reader.read_string().ok())??;
        Some((name, &self.body[reader.original_position()..]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_encoder::{Component, Module};

    fn custom<'a>(name: &'a str, data: &'a [u8]) -> CustomSection<'a> {
        CustomSection {
            name: name.into(),
            data: data.into(),
        }
    }

    #[test]
    fn only_manifest_and_shaders_are_taken_out() {
        let mut module = Module::new();
        module
            .section(&custom("name", b"kept"))
            .section(&custom(SECTION, b"one"))
            .section(&custom("producers", b"kept too"))
            .section(&custom(SHADERS_SECTION, b"three"))
            .section(&custom(SECTION, b"two"));
        let mut rest = Module::new();
        rest.section(&custom("name", b"kept"))
            .section(&custom("producers", b"kept too"));

        let split = split(&module.finish()).unwrap();
        assert_eq!(split.rest, rest.finish());
        assert_eq!(split.manifest.unwrap(), b"onetwo");
        assert_eq!(split.shaders.unwrap(), b"three");
    }

    #[test]
    fn a_manifest_deeper_inside_is_not_the_components() {
        let mut inner = Module::new();
        inner.section(&custom(SECTION, b"inner"));
        let mut component = Component::new();
        component.section(&wasm_encoder::ModuleSection(&inner));
        let mut bytes = component.finish();
        assert!(split(&bytes).unwrap().manifest.is_none());

        append_manifest(&mut bytes, b"outer");
        assert_eq!(split(&bytes).unwrap().manifest.unwrap(), b"outer");
    }

    #[test]
    fn shaders_are_read_as_they_were_added() {
        let mut records = Vec::new();
        add_shader(&mut records, "a.wgsl", b"one");
        add_shader(&mut records, "b.wgsl", b"");
        let shaders = hotcell_manifest::Shaders::decode(&records).unwrap();
        let read = |shader: &hotcell_manifest::ShaderRecord<'_>| {
            (shader.name.to_owned(), shader.text.to_vec())
        };
        let read: Vec<_> = shaders.records().iter().map(read).collect();
        let added = [("a.wgsl", &b"one"[..]), ("b.wgsl", b"")];
        assert_eq!(
            read,
            added.map(|(name, text)| (name.to_owned(), text.to_vec()))
        );
    }

    #[test]
    fn sections_that_do_not_fit_are_errors() {
        for bytes in [
            &b""[..],
            b"\0asm",
            b"\0asm\x01\0\0\0\0",
            b"\0asm\x01\0\0\0\0\x05\x01a",
            b"\0asm\x01\0\0\0\0\xff\xff\xff\xff\xff",
        ] {
            assert!(split(bytes).is_err(), "{bytes:?}");
        }
    }
}
