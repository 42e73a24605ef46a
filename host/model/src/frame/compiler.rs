//! What the supervisor and a compile process say to each other.

use super::{FrameError, WireLimits, WireRefusal, decode_long};
use crate::component::{Counts, Description, Import, Refusal};
use crate::limit::Limit;
use crate::probe::{Attempt, Attempted};
use crate::profile::Metering;
use hotcell_manifest::Manifest;
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
    pub limits: WireLimits,
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
    Refused(WireRefusal),
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
    /// What was counted.
    pub counts: Counts,
}

impl WireDescription {
    /// The most bytes that a description takes: the largest manifest, and as many names as there may be items.
    pub const MAX_BYTES: u64 = 16 << 20;

    /// Reads a description, and checks what it says as if it were the component itself.
    ///
    /// # Errors
    /// The bytes are no description, or its manifest is none.
    pub fn read(bytes: &[u8]) -> Result<Result<Description, Refusal>, FrameError> {
        let wire: Self = decode_long(bytes)?;
        // An entry of a list takes one byte there and many times that here.
        let most = usize::try_from(Limit::Items.ceiling()).unwrap_or(usize::MAX);
        let lists = [
            wire.imports.len(),
            wire.counts.memories.len(),
            wire.counts.tables.len(),
        ];
        if lists.iter().any(|len| *len > most) {
            return Err(FrameError::Malformed(
                postcard::Error::DeserializeBadEncoding,
            ));
        }
        let manifest = match Manifest::decode(&wire.manifest) {
            Ok(manifest) => manifest,
            Err(error) => return Ok(Err(Refusal::NoKernel(crate::text::chain(&error)))),
        };
        Ok(Ok(Description {
            manifest,
            imports: wire
                .imports
                .iter()
                .map(|name| Import::classify(name))
                .collect(),
            counts: wire.counts,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::encode_long;

    #[test]
    fn a_description_with_more_entries_than_a_component_may_have_is_refused() {
        let description = |imports: u64| {
            let count = usize::try_from(imports).unwrap();
            let mut bytes = Vec::new();
            let wire = WireDescription {
                manifest: Vec::new(),
                imports: vec![String::new(); count],
                counts: Counts::default(),
            };
            encode_long(&wire, &mut bytes).unwrap();
            WireDescription::read(&bytes)
        };
        let most = Limit::Items.ceiling();
        // Few enough to be looked at: what is wrong then is the manifest.
        assert!(matches!(description(most), Ok(Err(Refusal::NoKernel(_)))));
        assert!(matches!(
            description(most + 1),
            Err(FrameError::Malformed(_))
        ));
    }
}
