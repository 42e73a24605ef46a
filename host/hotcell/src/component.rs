//! A component's bytes and their digest. Nothing here looks inside.

use bytes::Bytes;
use hotcell_model::digest::Digest;
use hotcell_model::limit::Limit;
use std::io::Read;
use std::path::{Path, PathBuf};

/// A component as bytes, not yet looked at. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Component {
    bytes: Bytes,
    digest: Digest,
    path: Option<PathBuf>,
    /// The same bytes where compile processes can map them, made when the first one needs them.
    #[cfg(feature = "confined")]
    sealed: std::sync::Arc<std::sync::OnceLock<hotcell_sandbox::memory::SealedMemory>>,
}

/// Why a component's file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ComponentError {
    /// The operating system says no.
    #[error("cannot read {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is larger than any component may be.
    #[error("{} is larger than {maximum} bytes, the ceiling for components", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The ceiling in bytes.
        maximum: u64,
    },
}

/// Opens a regular file. A pipe or a device could keep its reader waiting for ever, and is not opened, not even where
/// it takes the file's place in between.
fn open_regular(path: &Path) -> std::io::Result<std::fs::File> {
    use std::os::unix::fs::OpenOptionsExt;
    let check = |found: std::fs::Metadata| match found.is_file() {
        true => Ok(()),
        false => Err(std::io::Error::new(
            std::io::ErrorKind::InvalidInput,
            "not a regular file: copy its content into one first",
        )),
    };
    check(path.metadata()?)?;
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
    let file = std::fs::File::options()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path)?;
    check(file.metadata()?)?;
    Ok(file)
}

impl Component {
    /// A component of those bytes.
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let digest = Digest::from_bytes(*blake3::hash(&bytes).as_bytes());
        Self {
            bytes,
            digest,
            path: None,
            #[cfg(feature = "confined")]
            sealed: Default::default(),
        }
    }

    /// Reads a file, up to the ceiling of the limit `component_bytes`.
    ///
    /// # Errors
    /// The file cannot be read or is larger.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, ComponentError> {
        let path = path.as_ref();
        let maximum = Limit::ComponentBytes.ceiling();
        let io = |source| ComponentError::Io {
            path: path.to_owned(),
            source,
        };
        let file = open_regular(path).map_err(io)?;
        let mut bytes = Vec::new();
        file.take(maximum + 1).read_to_end(&mut bytes).map_err(io)?;
        if bytes.len() as u64 > maximum {
            let path = path.to_owned();
            return Err(ComponentError::TooLarge { path, maximum });
        }
        Ok(Self {
            path: Some(path.to_owned()),
            ..Self::new(bytes)
        })
    }

    /// The bytes.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The bytes in memory that compile processes can map and nobody can change.
    #[cfg(feature = "confined")]
    pub(crate) fn sealed(&self) -> std::io::Result<&hotcell_sandbox::memory::SealedMemory> {
        if let Some(sealed) = self.sealed.get() {
            return Ok(sealed);
        }
        let copy = hotcell_sandbox::memory::SealedMemory::copy_of(&self.bytes)?;
        // Where two threads copy at once, one copy is kept.
        Ok(self.sealed.get_or_init(|| copy))
    }

    /// The file it was read from.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// BLAKE3 of the bytes.
    pub fn digest(&self) -> Digest {
        self.digest
    }
}
