//! A profile: what was measured of one entry, the models that were fitted, and the worst that was found; and its file.
//!
//! It lies beside the kernel, as `saxpy.profile.json`. Fuel in it is exact and the same on every machine; times are those of
//! the machine that it was taken on.

use crate::fit::{Model, Quantity, Sizes};
use crate::gpu::GpuRecord;
use crate::number;
use hotcell::{Digest, Isolation, Metering};
use hotcell_model::job::Split;
use hotcell_model::manifest::{Cost, Dim, Kernel, Signature};
use hotcell_model::outcome::OutcomeKind;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// The form of the file.
pub const SCHEMA: u32 = 1;
/// The largest file that is read.
const LARGEST_BYTES: u64 = 16 << 20;

/// What is known of what one entry costs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// The form of the file: 1.
    pub schema: u32,
    /// BLAKE3 of the component.
    pub component: Digest,
    /// The component's name in its manifest.
    pub name: String,
    /// The entry.
    pub entry: String,
    /// How it was metered.
    pub metering: Metering,
    /// What kept the launches apart from the host.
    pub isolation: Isolation,
    /// The program that measured, with its version.
    pub host: String,
    /// What all that is random in it is a function of.
    pub seed: u64,
    /// What its chunks are a function of.
    pub shape: Shape,
    /// What was swept, from the smallest size to the largest.
    pub swept: BTreeMap<String, [u64; 2]>,
    /// Dimensions that were fixed, or a function of those that were swept.
    pub fixed: BTreeMap<String, String>,
    /// Scalars, as they were given.
    pub scalars: BTreeMap<String, String>,
    /// What the author said of arrays.
    pub fills: BTreeMap<String, String>,
    /// Every launch.
    pub points: Vec<Point>,
    /// One of each quantity.
    pub models: Vec<Model>,
    /// The most fuel for its size that was found; absent where it was not looked for.
    pub worst: Option<Worst>,
    /// Fuel in strict metering for each unit in deterministic, at the largest sizes; absent where that was not measured.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub in_strict: Option<f64>,
    /// What a GPU did of it; absent where it uses none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub gpu: Option<GpuRecord>,
}

/// What the cut of a launch into chunks is a function of, beside its sizes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shape {
    /// The entry's signature.
    pub signature: String,
    /// The dimension that is cut.
    pub split: Option<String>,
    /// The manifest's cost.
    pub cost: Option<String>,
}

/// Why something was launched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// Models were fitted to it.
    Fitted,
    /// Models were judged by it.
    HeldOut,
    /// To see whether other elements cost otherwise.
    Kinds,
    /// To see whether a limit would stop an honest launch.
    Honest,
}

/// One launch of a profile.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Point {
    /// Why it was made.
    pub purpose: Purpose,
    /// Every dimension and whole scalar.
    pub sizes: Sizes,
    /// What its arrays were made by.
    pub recipe: String,
    /// What came of it.
    pub sample: Sample,
}

/// The most fuel for its size that was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Worst {
    /// Of what sizes the arrays were.
    pub sizes: Sizes,
    /// What they are made by.
    pub recipe: String,
    /// The fuel that they took.
    pub fuel: u64,
    /// Elements of all arrays together.
    pub elements: u64,
    /// Fuel over elements.
    pub fuel_per_element: f64,
    /// Fuel over the median fuel of ordinary arrays of those sizes.
    pub ratio_to_median: f64,
    /// How many launches it took to find.
    pub launches: u32,
}

/// What was measured of one launch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// How it ended.
    pub outcome: OutcomeKind,
    /// What is said of it; empty for one that was done.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub message: String,
    /// Fuel over all chunks.
    pub fuel: u64,
    /// The shortest execution of those that were repeated, on one thread.
    pub time_ns: u64,
    /// The most linear memory that was alive at once, with one instance at a time.
    pub memory_bytes: u64,
    /// Bytes copied into the guest.
    pub bytes_in: u64,
    /// Bytes copied out of the guest.
    pub bytes_out: u64,
    /// Chunks.
    pub instances: u64,
    /// GPU fuel; 0 without a GPU.
    #[serde(skip_serializing_if = "is_nothing", default)]
    pub gpu_fuel: u64,
    /// Time that a GPU was busy; 0 without one.
    #[serde(skip_serializing_if = "is_nothing", default)]
    pub gpu_time_ns: u64,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_nothing(amount: &u64) -> bool {
    *amount == 0
}

impl Sample {
    /// Whether it counts: an honest launch is one that is done.
    pub fn is_done(&self) -> bool {
        self.outcome == OutcomeKind::Done
    }
}

/// Why there is no profile to read, or none was written.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file cannot be read.
    #[error("the profile {} cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file cannot be written.
    #[error("the profile {} cannot be written", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is larger than any profile.
    #[error("{} is larger than {LARGEST_BYTES} bytes, and no profile is", path.display())]
    Large {
        /// The file.
        path: PathBuf,
    },
    /// It is not what `hotcell profile` writes.
    #[error("{} is no profile; take it again with `hotcell profile`", path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// It has another form.
    #[error("{} has schema {found}, and this hotcell reads {SCHEMA}; take it again with `hotcell profile`", path.display())]
    Schema {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: u32,
    },
}

impl Shape {
    /// That of a kernel.
    pub fn of(kernel: &Kernel) -> Self {
        Self {
            signature: kernel.signature().to_string(),
            split: kernel.split().map(str::to_owned),
            cost: kernel.cost().map(Cost::to_string),
        }
    }

    /// How many chunks a launch of those sizes is cut into; 1 where it is not cut, and where that cannot be told.
    pub fn chunks(&self, sizes: &Sizes) -> u64 {
        let extent = self.split.as_ref().and_then(|split| sizes.get(split));
        let Some(extent) = extent else { return 1 };
        let cost = self.cost.as_deref().and_then(|text| Cost::parse(text).ok());
        let value = |name: &str| Some(sizes.get(name).copied().unwrap_or(0));
        let operations = cost.and_then(|cost| cost.evaluate(value).ok());
        let operations = operations.unwrap_or_else(|| self.written(sizes));
        // What chunks begin with moves where they are cut, and not how many there are.
        Split::cut(0, *extent, operations, []).chunks() as u64
    }

    /// Elements that are written.
    fn written(&self, sizes: &Sizes) -> u64 {
        let Ok(signature) = Signature::parse(&self.signature) else {
            return 0;
        };
        let elements = |dims: &Vec<Dim>| elements(dims, sizes);
        signature
            .outputs
            .iter()
            .map(elements)
            .fold(0, u64::saturating_add)
    }

    /// Elements of all arrays.
    pub fn elements(&self, sizes: &Sizes) -> u64 {
        let Ok(signature) = Signature::parse(&self.signature) else {
            return 0;
        };
        let arrays = signature.inputs.iter().chain(&signature.outputs);
        let all = arrays.map(|dims| elements(dims, sizes));
        all.fold(0, u64::saturating_add)
    }

    /// The sizes, and what follows from them for launches that are cut: `chunks`, how many there are, and `part`, how much
    /// of the split dimension the largest has.
    pub fn with_chunks(&self, sizes: &Sizes) -> Sizes {
        let mut sizes = sizes.clone();
        if let Some(extent) = self
            .split
            .as_ref()
            .and_then(|split| sizes.get(split).copied())
        {
            let chunks = self.chunks(&sizes);
            sizes.insert(CHUNKS.to_owned(), chunks);
            sizes.insert(PART.to_owned(), extent.div_ceil(chunks));
        }
        sizes
    }
}

/// The name in models of how many chunks a launch is cut into.
pub(crate) const CHUNKS: &str = "chunks";
/// The name in models of the largest chunk's extent of the split dimension.
pub(crate) const PART: &str = "part";

fn elements(dims: &[Dim], sizes: &Sizes) -> u64 {
    let extent = |dim: &Dim| match dim {
        Dim::Fixed(extent) => *extent,
        Dim::Name(name) => sizes.get(name).copied().unwrap_or(0),
    };
    dims.iter().map(extent).fold(1, u64::saturating_mul)
}

impl Profile {
    /// The model of a quantity.
    pub fn model(&self, quantity: Quantity) -> Option<&Model> {
        self.models.iter().find(|model| model.quantity == quantity)
    }

    /// What a quantity's model foretells for those sizes.
    pub fn predict(&self, quantity: Quantity, sizes: &Sizes) -> Option<f64> {
        self.model(quantity)?
            .predict(&self.shape.with_chunks(sizes))
    }

    /// Launches that were done, for those purposes.
    pub fn done(&self, purposes: &[Purpose]) -> impl Iterator<Item = &Point> {
        self.points
            .iter()
            .filter(|point| point.sample.is_done() && purposes.contains(&point.purpose))
    }

    /// The largest sizes of the points that were done: those that limits of a policy are made for.
    pub fn largest(&self) -> Sizes {
        let all = self.points.iter().filter(|point| point.sample.is_done());
        let key = |point: &&Point| {
            let swept = self.swept.keys();
            let sizes = swept.filter_map(|name| point.sizes.get(name));
            sizes.fold(1.0, |product, size| product * number::of(*size))
        };
        let largest = all.max_by(|a, b| key(a).total_cmp(&key(b)));
        largest.map(|point| point.sizes.clone()).unwrap_or_default()
    }

    /// Where a kernel's profile lies: beside it.
    pub fn beside(kernel: &Path) -> PathBuf {
        kernel.with_extension("profile.json")
    }

    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read, or is no profile of this form.
    pub fn read(path: &Path) -> Result<Self, RecordError> {
        read_json(path)
    }

    /// Writes a file, which appears whole or not at all.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), RecordError> {
        write_json(path, self)
    }
}

/// A file's form, whatever else is in it.
#[derive(Deserialize)]
struct Form {
    schema: u32,
}

/// Reads a file that says its schema.
pub(crate) fn read_json<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<T, RecordError> {
    let path = || path.to_owned();
    let unreadable = |source| RecordError::Unreadable {
        path: path(),
        source,
    };
    let file = std::fs::File::open(path()).map_err(unreadable)?;
    let mut text = Vec::new();
    file.take(LARGEST_BYTES + 1)
        .read_to_end(&mut text)
        .map_err(unreadable)?;
    if text.len() as u64 > LARGEST_BYTES {
        return Err(RecordError::Large { path: path() });
    }
    let wrong = |source| RecordError::Form {
        path: path(),
        source,
    };
    let form: Form = serde_json::from_slice(&text).map_err(wrong)?;
    if form.schema != SCHEMA {
        return Err(RecordError::Schema {
            path: path(),
            found: form.schema,
        });
    }
    serde_json::from_slice(&text).map_err(wrong)
}

/// Writes a file, which appears whole or not at all.
pub(crate) fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), RecordError> {
    let json = serde_json::to_vec_pretty(value).map_err(std::io::Error::other);
    let written = json.and_then(|mut json| {
        json.push(b'\n');
        write_whole(path, &json)
    });
    written.map_err(|source| RecordError::Unwritable {
        path: path.to_owned(),
        source,
    })
}

/// Writes a file beside its place and renames it.
pub fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let mut file = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
    file.write_all(bytes)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        file.as_file()
            .set_permissions(std::fs::Permissions::from_mode(0o644))?;
    }
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{linear, sizes};

    #[test]
    fn profiles_read_back_as_they_were_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = Profile::beside(&folder.path().join("saxpy.wasm"));
        assert!(path.ends_with("saxpy.profile.json"));
        let profile = linear();
        profile.write(&path).unwrap();
        let read = Profile::read(&path).unwrap();
        assert_eq!(read.points, profile.points);
        assert_eq!(read.models.len(), profile.models.len());
        let at = sizes(&[("n", 5000)]);
        assert_eq!(
            read.predict(Quantity::Fuel, &at),
            profile.predict(Quantity::Fuel, &at)
        );
    }

    #[test]
    fn what_is_no_profile_says_what_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.json");
        let error = |text: &str| {
            std::fs::write(&path, text).unwrap();
            Profile::read(&path).unwrap_err()
        };
        assert!(matches!(error("{"), RecordError::Form { .. }));
        assert!(matches!(
            error("{\"schema\":2}"),
            RecordError::Schema { found: 2, .. }
        ));
        let mut json = serde_json::to_value(linear()).unwrap();
        json["surprise"] = 1.into();
        let unknown = error(&json.to_string());
        let source = std::error::Error::source(&unknown).unwrap().to_string();
        assert!(source.contains("surprise"), "{source}");
        let missing = Profile::read(&folder.path().join("none")).unwrap_err();
        assert!(matches!(missing, RecordError::Unreadable { .. }));
    }

    #[test]
    fn chunks_are_those_that_a_launch_is_cut_into() {
        let shape = Shape {
            signature: "(m,k),(k,n)->(m,n)".into(),
            split: Some("m".into()),
            cost: Some("2*m*k*n".into()),
        };
        let at = |m| sizes(&[("m", m), ("k", 128), ("n", 128)]);
        assert_eq!(shape.chunks(&at(16)), 1);
        assert_eq!(shape.chunks(&at(512)), 4);
        assert_eq!(shape.with_chunks(&at(512))[PART], 128);
        assert_eq!(shape.elements(&at(1)), 128 + 128 * 128 + 128);
        let none = Shape {
            cost: None,
            split: None,
            ..shape
        };
        assert_eq!(none.with_chunks(&at(512)), at(512));
    }
}
