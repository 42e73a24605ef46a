//! Machine code, mapped straight from sealed memory.
//!
//! The whole artifact is mapped for reading; the engine then asks for its text to become executable, and that
//! range of the same file is mapped over itself. No page was ever writable, so that a process in which nothing
//! can *gain* execution (`PR_SET_MDWE`) can still load code, and what runs is what was sealed and verified.

use crate::memory::{Mapping, SealedMemory};
use rustix::mm::{MapFlags, ProtFlags, mmap};
use rustix::param::page_size;
use std::io;
use std::ptr::NonNull;
use std::sync::{Mutex, PoisonError};

/// An artifact that is mapped, and whose text can be made executable.
#[derive(Debug)]
pub struct CodeImage {
    mapping: Mapping,
    source: Mutex<Option<SealedMemory>>,
}

impl CodeImage {
    /// Maps an artifact for reading.
    ///
    /// # Errors
    /// It is empty, or the operating system has no address space left.
    pub fn map(artifact: SealedMemory) -> io::Result<Self> {
        let mapping = artifact.map()?.into_mapping();
        if mapping.len == 0 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "an empty artifact",
            ));
        }
        Ok(Self {
            mapping,
            source: Mutex::new(Some(artifact)),
        })
    }

    /// The artifact's bytes. They stay where they are until the image is dropped.
    pub fn bytes(&self) -> NonNull<[u8]> {
        NonNull::slice_from_raw_parts(self.mapping.start, self.mapping.len)
    }

    /// Makes a page-aligned range of the image executable, in place of writable or not.
    ///
    /// # Errors
    /// The range is not aligned or not inside the image, or its file was closed.
    pub fn publish(&self, start: *const u8, len: usize) -> io::Result<()> {
        let offset = self.offset_of(start, len)?;
        let source = self.source.lock().unwrap_or_else(PoisonError::into_inner);
        let source = source.as_ref().ok_or(io::ErrorKind::NotFound)?;
        let executable = ProtFlags::READ | ProtFlags::EXEC;
        let in_place = MapFlags::PRIVATE | MapFlags::FIXED;
        // SAFETY: the range lies inside this image's mapping and holds the same bytes of the same sealed
        // file before and after, so that whoever reads them sees no change.
        unsafe {
            mmap(
                start.cast_mut().cast(),
                len,
                executable,
                in_place,
                source,
                offset as u64,
            )?
        };
        Ok(())
    }

    /// Closes the artifact's file. Mappings stay; nothing can be published any more.
    pub fn close_file(&self) {
        self.source
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
    }

    fn offset_of(&self, start: *const u8, len: usize) -> io::Result<usize> {
        let page = page_size();
        let end = self.mapping.len.next_multiple_of(page);
        start
            .addr()
            .checked_sub(self.mapping.start.addr().get())
            .filter(|offset| offset % page == 0)
            .filter(|offset| {
                offset
                    .checked_add(len)
                    .is_some_and(|to| len > 0 && to <= end)
            })
            .ok_or_else(|| {
                io::Error::new(io::ErrorKind::InvalidInput, "no range of the code image")
            })
    }
}
