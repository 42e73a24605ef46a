//! An artifact's bytes, where nobody can change them between the check and the use.

#[cfg(feature = "confined")]
use hotcell_sandbox::memory::{Mapped, SealedMemory};
use std::io::{self, Read};

/// Bytes that are fixed. Where workers are, they lie in sealed memory that holds nothing else, so that a
/// runner maps the very bytes that were checked.
pub(crate) struct ArtifactMemory {
    #[cfg(feature = "confined")]
    sealed: SealedMemory,
    #[cfg(feature = "confined")]
    bytes: Mapped,
    #[cfg(not(feature = "confined"))]
    bytes: Vec<u8>,
}

#[cfg(feature = "confined")]
impl ArtifactMemory {
    pub(crate) fn copy_of(bytes: &[u8]) -> io::Result<Self> {
        Self::over(SealedMemory::copy_of(bytes)?)
    }

    /// Reads exactly `len` bytes straight into their place.
    pub(crate) fn read(from: &mut impl Read, len: u64) -> io::Result<Self> {
        Self::over(SealedMemory::fill(len, |bytes| from.read_exact(bytes))?)
    }

    fn over(sealed: SealedMemory) -> io::Result<Self> {
        let bytes = sealed.map()?;
        Ok(Self { sealed, bytes })
    }

    /// The memory to hand to a runner.
    pub(crate) fn sealed(&self) -> &SealedMemory {
        &self.sealed
    }
}

#[cfg(not(feature = "confined"))]
impl ArtifactMemory {
    pub(crate) fn copy_of(bytes: &[u8]) -> io::Result<Self> {
        let bytes = bytes.to_vec();
        Ok(Self { bytes })
    }

    /// Reads exactly `len` bytes.
    pub(crate) fn read(from: &mut impl Read, len: u64) -> io::Result<Self> {
        let mut bytes = Vec::new();
        from.take(len).read_to_end(&mut bytes)?;
        match bytes.len() as u64 == len {
            true => Ok(Self { bytes }),
            false => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

impl ArtifactMemory {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}
