//! The custom section `hotcell:manifest`: records of a length (u32, little-endian) and UTF-8 JSON.
//!
//! In a core module the linker concatenates the records that the SDK's macro left there, in any
//! order; at a component's top level there is exactly one section, written by `hotcell build`.

use crate::json;
use crate::kernel::{Kernel, KernelRecord, RecordError};
#[cfg(feature = "read")]
use serde::{Deserialize, Serialize};

/// The name of the custom section.
pub const SECTION: &str = "hotcell:manifest";
/// The version of the records' schema.
pub const SCHEMA: u32 = 1;

/// One record of the section.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "read", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "read", serde(deny_unknown_fields))]
pub struct Record {
    /// Always [`SCHEMA`].
    pub schema: u32,
    /// What the record says: of the component or of one kernel.
    #[cfg_attr(
        feature = "read",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub component: Option<ComponentRecord>,
    /// One kernel.
    #[cfg_attr(
        feature = "read",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub kernel: Option<KernelRecord>,
}

/// What is true of the whole component.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "read", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "read", serde(deny_unknown_fields))]
pub struct ComponentRecord {
    /// The component's name, as its author calls it; at most 128 bytes.
    pub name: String,
    /// Its version; at most 64 bytes.
    #[cfg_attr(
        feature = "read",
        serde(default, skip_serializing_if = "String::is_empty")
    )]
    pub version: String,
}

impl From<ComponentRecord> for Record {
    fn from(component: ComponentRecord) -> Self {
        Self {
            schema: SCHEMA,
            component: Some(component),
            kernel: None,
        }
    }
}

impl From<KernelRecord> for Record {
    fn from(kernel: KernelRecord) -> Self {
        Self {
            schema: SCHEMA,
            component: None,
            kernel: Some(kernel),
        }
    }
}

impl Record {
    /// The record as it stands in the section.
    ///
    /// # Panics
    /// If the JSON is longer than 4 GiB.
    pub fn encode(&self) -> Vec<u8> {
        let json = json::text(self).into_bytes();
        let len = u32::try_from(json.len()).expect("a record is far below 4 GiB");
        [&len.to_le_bytes()[..], &json].concat()
    }
}

/// What a component says of itself, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    component: ComponentRecord,
    kernels: Vec<Kernel>,
}

/// Why bytes are not a manifest.
#[derive(Debug)]
pub enum ManifestError {
    /// The section is larger than any honest one.
    TooLong {
        /// The section's size in bytes.
        used: usize,
        /// [`Manifest::MAX_BYTES`].
        maximum: usize,
    },
    /// A record's length points past the section's end.
    Truncated(usize),
    /// A record is not the JSON it should be.
    #[cfg(feature = "read")]
    Json {
        /// Which record, from 0.
        index: usize,
        /// What the JSON reader says.
        source: serde_json::Error,
    },
    /// A record of another schema.
    Schema {
        /// Which record, from 0.
        index: usize,
        /// Its schema.
        schema: u32,
    },
    /// A record that says nothing, or two things at once.
    Shape(usize),
    /// More than one component record.
    TwoComponents,
    /// A component record with a name or version that is too long or has control characters.
    ComponentText(&'static str),
    /// Two kernels of one name.
    TwoKernels(String),
    /// More kernels than allowed.
    TooManyKernels(usize),
    /// No kernel at all.
    NoKernel,
    /// A kernel's record breaks a rule.
    Kernel {
        /// The kernel.
        name: String,
        /// The rule it breaks.
        source: RecordError,
    },
}

crate::words! { ManifestError:
    Self::TooLong { used, maximum } => ("the manifest is {used} bytes, at most {maximum} are allowed"),
    Self::Truncated(a) => ("the manifest is cut short at byte {a}"),
    #[cfg(feature = "read")]
    Self::Json { index, .. } => ("record {index} of the manifest cannot be read"),
    Self::Schema { index, schema } => ("record {index} of the manifest has schema {schema}, this host reads schema 1"),
    Self::Shape(a) => ("record {a} of the manifest must have exactly one of `component` and `kernel`"),
    Self::TwoComponents => ("the manifest names the component twice"),
    Self::ComponentText(a) => ("the component's {a} is too long or has control characters"),
    Self::TwoKernels(a) => ("the manifest has two kernels named `{a}`"),
    Self::TooManyKernels(a) => ("the manifest has more than {a} kernels"),
    Self::NoKernel => ("the manifest has no kernel"),
    Self::Kernel { name, .. } => ("kernel `{name}`"),
}

impl std::error::Error for ManifestError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            #[cfg(feature = "read")]
            Self::Json { source, .. } => Some(source),
            Self::Kernel { source, .. } => Some(source),
            _ => None,
        }
    }
}

impl Manifest {
    /// The largest section read, in bytes.
    pub const MAX_BYTES: usize = 1 << 20;
    /// The most kernels in a component.
    pub const MAX_KERNELS: usize = 256;

    /// Reads the section's bytes.
    ///
    /// # Errors
    /// The first thing that is wrong, with the record's index or the kernel's name.
    #[cfg(feature = "read")]
    pub fn decode(section: &[u8]) -> Result<Self, ManifestError> {
        Self::from_records(read_records(section)?)
    }

    /// Checks records from elsewhere: the core module's, or a manifest file's.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn from_records(records: Vec<Record>) -> Result<Self, ManifestError> {
        let mut component = None;
        let mut kernels: Vec<Kernel> = Vec::new();
        for (index, record) in records.into_iter().enumerate() {
            if record.schema != SCHEMA {
                let schema = record.schema;
                return Err(ManifestError::Schema { index, schema });
            }
            match (record.component, record.kernel) {
                (Some(_), None) if component.is_some() => return Err(ManifestError::TwoComponents),
                (Some(found), None) => component = Some(check_component(found)?),
                (None, Some(kernel)) => kernels.push(check_kernel(kernel, &kernels)?),
                _ => return Err(ManifestError::Shape(index)),
            }
        }
        if kernels.is_empty() {
            return Err(ManifestError::NoKernel);
        }
        kernels.sort_by(|a, b| a.name().cmp(b.name()));
        Ok(Self {
            component: component.unwrap_or_default(),
            kernels,
        })
    }

    /// The section's bytes: the component's record, then the kernels by name.
    pub fn encode(&self) -> Vec<u8> {
        let kernels = self
            .kernels
            .iter()
            .map(|k| Record::from(k.record().clone()));
        std::iter::once(Record::from(self.component.clone()))
            .chain(kernels)
            .flat_map(|record| record.encode())
            .collect()
    }

    /// What is true of the whole component; empty strings where it says nothing.
    pub fn component(&self) -> &ComponentRecord {
        &self.component
    }

    /// The kernels, sorted by name; at least one.
    pub fn kernels(&self) -> &[Kernel] {
        &self.kernels
    }

    /// The kernel of that name.
    pub fn kernel(&self, name: &str) -> Option<&Kernel> {
        self.kernels.iter().find(|kernel| kernel.name() == name)
    }
}

#[cfg(feature = "read")]
fn read_records(section: &[u8]) -> Result<Vec<Record>, ManifestError> {
    if section.len() > Manifest::MAX_BYTES {
        return Err(ManifestError::TooLong {
            used: section.len(),
            maximum: Manifest::MAX_BYTES,
        });
    }
    let mut records = Vec::new();
    let mut rest = section;
    while !rest.is_empty() {
        let truncated = || ManifestError::Truncated(section.len() - rest.len());
        let (head, tail) = rest.split_first_chunk::<4>().ok_or_else(truncated)?;
        let len = usize::try_from(u32::from_le_bytes(*head)).map_err(|_| truncated())?;
        let json = tail.get(..len).ok_or_else(truncated)?;
        let index = records.len();
        let record =
            serde_json::from_slice(json).map_err(|source| ManifestError::Json { index, source })?;
        records.push(record);
        rest = &tail[len..];
    }
    Ok(records)
}

fn check_component(record: ComponentRecord) -> Result<ComponentRecord, ManifestError> {
    let honest = |text: &str, max: usize| text.len() <= max && !text.chars().any(char::is_control);
    if !honest(&record.name, 128) {
        return Err(ManifestError::ComponentText("name"));
    }
    if !honest(&record.version, 64) {
        return Err(ManifestError::ComponentText("version"));
    }
    Ok(record)
}

fn check_kernel(record: KernelRecord, earlier: &[Kernel]) -> Result<Kernel, ManifestError> {
    if earlier.len() == Manifest::MAX_KERNELS {
        return Err(ManifestError::TooManyKernels(Manifest::MAX_KERNELS));
    }
    let name: String = record.name.chars().take(64).collect();
    if earlier.iter().any(|kernel| kernel.name() == name) {
        return Err(ManifestError::TwoKernels(name));
    }
    Kernel::check(record).map_err(|source| ManifestError::Kernel { name, source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DType, Parameter, Role};

    fn kernel(name: &str) -> Record {
        let json = format!(
            r#"{{"name":"{name}","signature":"->(n)","parameters":[{{"name":"out","role":"output","dtype":"f32"}}]}}"#
        );
        Record::from(serde_json::from_str::<KernelRecord>(&json).unwrap())
    }

    #[test]
    fn a_manifest_survives_its_own_encoding_in_any_order() {
        let component = Record::from(ComponentRecord {
            name: "two".into(),
            version: "1".into(),
        });
        let section: Vec<u8> = [kernel("b"), component, kernel("a")]
            .iter()
            .flat_map(Record::encode)
            .collect();
        let manifest = Manifest::decode(&section).unwrap();
        assert_eq!(manifest.component().name, "two");
        let names: Vec<_> = manifest.kernels().iter().map(Kernel::name).collect();
        assert_eq!(names, ["a", "b"]);
        assert_eq!(Manifest::decode(&manifest.encode()).unwrap(), manifest);
    }

    #[test]
    fn each_lie_is_refused_by_name() {
        let refused = |bytes: &[u8]| Manifest::decode(bytes).unwrap_err().to_string();
        assert_eq!(refused(b""), "the manifest has no kernel");
        assert!(refused(b"\x05\0\0\0{}").contains("cut short at byte 0"));
        assert!(refused(b"\xff\xff\xff\xff{}").contains("cut short"));
        assert!(refused(b"\x02\0\0\0{}").contains("record 0"));
        assert!(refused(&vec![0; Manifest::MAX_BYTES + 1]).contains("at most 1048576"));
        let twice = [kernel("a").encode(), kernel("a").encode()].concat();
        assert!(refused(&twice).contains("two kernels named `a`"));
        let mut old = kernel("a");
        old.schema = 2;
        assert!(refused(&old.encode()).contains("schema 2"));
        let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
        let mut deep_record = u32::try_from(deep.len()).unwrap().to_le_bytes().to_vec();
        deep_record.extend(deep.as_bytes());
        assert!(refused(&deep_record).contains("record 0"));
    }

    #[test]
    fn parameters_are_read_strictly() {
        let json = r#"{"name":"x","role":"input","dtype":"f32","extra":1}"#;
        assert!(serde_json::from_str::<Parameter>(json).is_err());
        let json = r#"{"name":"x","role":"input","dtype":"f32"}"#;
        let parameter: Parameter = serde_json::from_str(json).unwrap();
        assert_eq!((parameter.role, parameter.dtype), (Role::Input, DType::F32));
    }
}
