//! What the supervisor and a compile process say to each other.

use super::{FrameError, decode_long};
use crate::analysis::{self, EntryCost, LISTED_ENTRIES};
use crate::bounded;
use crate::component::{Counts, Description, Import, LISTED, Refusal};
use crate::limit::Limits;
use crate::probe::{Attempt, Attempted};
use crate::profile::Metering;
use crate::shader::{self, Shader};
use hotcell_manifest::{Manifest, Shaders};
use serde::{Deserialize, Serialize};

/// To a compile process: one request, and then it ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToCompiler {
    /// Read the component and describe it. Beside it: the component, sealed, and memory for the answer.
    Describe(CompileRequest),
    /// Check the component and compile it. Beside it: the component, sealed, and memory for the artifact.
    Compile(CompileRequest),
    /// Try something after lockdown.
    Attempt(Attempt),
}

/// What a compile process needs besides the component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompileRequest {
    /// The metering mode.
    pub metering: Metering,
    /// The limits in force.
    pub limits: Limits,
    /// The component's size.
    pub component_bytes: u64,
    /// The size of the answer's memory.
    pub output_bytes: u64,
}

/// From a compile process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromCompiler {
    /// The component is a kernel: a [`WireDescription`] of `bytes` is in the answer's memory.
    Described(Described),
    /// The artifact is in its memory.
    Compiled(Described),
    /// The component is not accepted.
    Refused(Refusal),
    /// The compiler itself failed.
    Failed(String),
    /// An attempt was survived.
    Attempted(Attempted),
}

/// How much is in the answer's memory, and what it took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Described {
    /// Bytes written.
    pub bytes: u64,
    /// Where time and memory went, as the process says.
    pub phases: Phases,
}

/// Where a compilation's time and memory went, as its process says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phases {
    /// Counting, validating, reading the manifest.
    pub describe_ns: u64,
    /// The most memory held meanwhile.
    pub describe_peak_bytes: u64,
    /// Setting Cranelift up.
    pub setup_ns: u64,
    /// Compiling.
    pub compile_ns: u64,
    /// The most memory held meanwhile.
    pub compile_peak_bytes: u64,
}

/// A description as it crosses, in mapped memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WireDescription {
    /// The manifest's section.
    pub manifest: Vec<u8>,
    /// The names imported at the top level, in order.
    pub imports: Vec<String>,
    /// The shaders of its section, in order.
    pub shaders: Vec<Shader>,
    /// What was counted.
    pub counts: Counts,
    /// What the code says of each kernel's cost, in the manifest's order.
    pub costs: Vec<EntryCost>,
}

/// A [`WireDescription`] as it is read: text stays where it was written.
#[derive(Deserialize)]
struct Borrowed<'a> {
    #[serde(borrow)]
    manifest: &'a [u8],
    #[serde(borrow, deserialize_with = "bounded::list::<_, _, LISTED>")]
    imports: Vec<&'a str>,
    #[serde(deserialize_with = "bounded::list::<_, _, { Shaders::MAX_SHADERS }>")]
    shaders: Vec<Shader>,
    counts: Counts,
    #[serde(deserialize_with = "bounded::list::<_, _, LISTED_ENTRIES>")]
    costs: Vec<EntryCost>,
}

impl WireDescription {
    /// The most bytes that a description takes: the largest manifest, and as many names as there may be items.
    pub const MAX_BYTES: u64 = 16 << 20;

    /// What stands for a description on its way or on disk.
    pub fn of(description: &Description) -> Self {
        Self {
            manifest: description.manifest.encode(),
            imports: description
                .imports
                .iter()
                .map(|import| import.name.clone())
                .collect(),
            shaders: description.shaders.clone(),
            counts: description.counts.clone(),
            costs: description.costs.clone(),
        }
    }

    /// Reads a description of a component that has at most `max_items` items, and checks what it says as if it were the
    /// component itself.
    ///
    /// Whatever the bytes are, lists take at most 48 MiB meanwhile, and afterwards what that many items take.
    ///
    /// # Errors
    /// The bytes are no description, have more items than that or shaders that cannot be, or the manifest is none.
    pub fn read(bytes: &[u8], max_items: u64) -> Result<Result<Description, Refusal>, FrameError> {
        let wire: Borrowed<'_> = decode_long(bytes)?;
        let most = usize::try_from(max_items).unwrap_or(usize::MAX);
        let lists = [
            wire.imports.len(),
            wire.counts.memories.len(),
            wire.counts.tables.len(),
        ];
        if lists.iter().any(|len| *len > most) || !shader::can_be(&wire.shaders) {
            return Err(FrameError::Malformed(
                postcard::Error::DeserializeBadEncoding,
            ));
        }
        let manifest = match Manifest::decode(wire.manifest) {
            Ok(manifest) => manifest,
            Err(error) => return Ok(Err(Refusal::NoKernel(crate::text::chain(&error)))),
        };
        if !analysis::can_be(&wire.costs, manifest.kernels()) {
            return Err(FrameError::Malformed(
                postcard::Error::DeserializeBadEncoding,
            ));
        }
        Ok(Ok(Description {
            manifest,
            imports: wire
                .imports
                .iter()
                .map(|name| Import::classify(name))
                .collect(),
            shaders: wire.shaders,
            counts: wire.counts,
            costs: wire.costs,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::Extent;
    use crate::frame::encode_long;
    use crate::limit::Limit;
    use crate::shader::Judged;

    fn encoded(change: impl FnOnce(&mut WireDescription)) -> Vec<u8> {
        let mut wire = WireDescription {
            manifest: Vec::new(),
            imports: Vec::new(),
            shaders: Vec::new(),
            counts: Counts::default(),
            costs: Vec::new(),
        };
        change(&mut wire);
        let mut bytes = Vec::new();
        encode_long(&wire, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn a_description_with_more_entries_than_its_limits_allow_is_refused() {
        let extent = Extent {
            initial: 1,
            maximum: None,
        };
        let lists: [fn(&mut WireDescription, Extent); 3] = [
            |wire, _| wire.imports = vec![String::new(); 8],
            |wire, extent| wire.counts.memories = vec![extent; 8],
            |wire, extent| wire.counts.tables = vec![extent; 8],
        ];
        for list in lists {
            let bytes = encoded(|wire| list(wire, extent));
            // Few enough to be looked at: what is wrong then is the manifest.
            let read = WireDescription::read(&bytes, 8);
            assert!(matches!(read, Ok(Err(Refusal::NoKernel(_)))), "{read:?}");
            let read = WireDescription::read(&bytes, 7);
            assert!(matches!(read, Err(FrameError::Malformed(_))), "{read:?}");
        }
    }

    #[test]
    fn shaders_that_cannot_be_are_no_description() {
        let shader = Shader {
            name: "a.wgsl".to_owned(),
            offset_bytes: 0,
            len_bytes: 0,
            judged: Judged::Entries(Vec::new()),
        };
        let read = |shaders: Vec<Shader>| {
            let bytes = encoded(|wire| wire.shaders = shaders);
            WireDescription::read(&bytes, 8).is_ok()
        };
        assert!(read(vec![shader.clone()]));
        assert!(!read(vec![shader.clone(), shader.clone()]));
        let named = |number: usize| Shader {
            name: number.to_string(),
            ..shader.clone()
        };
        assert!(!read((0..=Shaders::MAX_SHADERS).map(named).collect()));
    }

    #[test]
    fn sixteen_mebibytes_of_empty_names_are_refused_before_one_is_read() {
        assert_eq!(LISTED as u64, Limit::Items.ceiling());
        // What would be 400 MB of strings.
        let mut bytes = encoded(|_| ());
        bytes.truncate(1);
        bytes.extend([0x80, 0x80, 0x80, 0x07]);
        bytes.resize(14 << 20, 0);
        let read = WireDescription::read(&bytes, Limit::Items.ceiling());
        assert!(matches!(read, Err(FrameError::Malformed(_))), "{read:?}");
    }

    #[test]
    fn what_was_written_is_what_is_read() {
        let bytes = encoded(|wire| {
            wire.imports = vec!["hotcell:kernel/log@0.1.0".to_owned(), "ü".to_owned()];
            wire.manifest = vec![0xff, 0, 0x80];
        });
        let read: Borrowed<'_> = decode_long(&bytes).unwrap();
        assert_eq!(read.imports, ["hotcell:kernel/log@0.1.0", "ü"]);
        assert_eq!(read.manifest, [0xff, 0, 0x80]);
    }
}
