//! The machine code of the artifact, executable where it lies in sealed memory.

use hotcell_sandbox::image::CodeImage;
use hotcell_sandbox::memory::SealedMemory;
use std::io;
use std::ptr::NonNull;
use std::sync::OnceLock;
use wasmtime::{CustomCodeMemory, Error, Result};

/// The one artifact of this process. It is never unmapped: a loaded component has no other copy.
#[derive(Default)]
pub(crate) struct ArtifactCode(OnceLock<CodeImage>);

impl ArtifactCode {
    /// Maps the artifact, read-only for now.
    pub(crate) fn map(&self, artifact: SealedMemory) -> io::Result<NonNull<[u8]>> {
        let image = CodeImage::map(artifact)?;
        let bytes = image.bytes();
        self.0
            .set(image)
            .map_err(|_| io::Error::other("an artifact is loaded already"))?;
        Ok(bytes)
    }
}

impl CustomCodeMemory for ArtifactCode {
    fn required_alignment(&self) -> usize {
        rustix::param::page_size()
    }

    fn publish_executable(&self, start: *const u8, len: usize) -> Result<()> {
        let image = self
            .0
            .get()
            .ok_or_else(|| Error::msg("no artifact is mapped"))?;
        Ok(image.publish(start, len)?)
    }

    /// Nothing has to be taken back: the mapping was never writable, and ends with the process.
    fn unpublish_executable(&self, _start: *const u8, _len: usize) -> Result<()> {
        Ok(())
    }
}
