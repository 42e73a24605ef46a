//! The memory that outputs are written into: the host's own, or memory that another process will read.
//!
//! A buffer can be cut into parts that different threads
//! write, and put together again without a copy.

use crate::mapping::FilePlace;
use bytes::Bytes;
use std::any::Any;
use std::collections::TryReserveError;
use std::os::fd::AsFd;
use std::sync::Arc;

/// A range of writable memory that nobody else has.
pub struct OutputBuffer {
    start: *mut u8,
    len: usize,
    /// Keeps the memory, where there is any. Parts of one buffer share it.
    owner: Option<Arc<dyn Any + Send + Sync>>,
    /// Where the memory begins in a file of pages, if it is one's.
    place: Option<FilePlace>,
}

// SAFETY: a buffer is the only one with access to its range (`from_raw` demands it, and cutting keeps the
// parts apart), so it can move between threads like a `Vec<u8>`.
unsafe impl Send for OutputBuffer {}
// SAFETY: through a shared reference the range can only be read.
unsafe impl Sync for OutputBuffer {}

/// Heap memory that is only reached through the buffers cut from it.
struct Heap(#[expect(dead_code, reason = "held to keep the memory")] Box<[u8]>);

impl OutputBuffer {
    /// Zeroed memory of the host's own; the pages come untouched from the operating system.
    ///
    /// # Errors
    /// The memory is not to be had.
    pub fn zeroed(len: usize) -> Result<Self, TryReserveError> {
        // `vec!` aborts when memory is short, so ask first, where failing is possible.
        Vec::<u8>::new().try_reserve_exact(len)?;
        let mut bytes = vec![0; len].into_boxed_slice();
        let start = bytes.as_mut_ptr();
        // SAFETY: the box keeps its bytes where they are, lives in `owner`, and is not used otherwise.
        Ok(unsafe { Self::from_raw(start, len, Arc::new(Heap(bytes))) })
    }

    /// Memory that `owner` keeps.
    ///
    /// # Safety
    /// `start` points to `len` bytes that are initialised, stay where they are while `owner` lives, and are
    /// read and written through this buffer alone until it and every part of it is dropped.
    pub unsafe fn from_raw(start: *mut u8, len: usize, owner: Arc<dyn Any + Send + Sync>) -> Self {
        Self {
            start,
            len,
            owner: Some(owner),
            place: None,
        }
    }

    /// The same memory, known to be all of a file that other processes can map as well.
    ///
    /// # Safety
    /// It is: `file` has the memory's pages, from its beginning on, and nobody can make it shorter.
    #[must_use]
    pub unsafe fn in_file(mut self, file: Arc<dyn AsFd + Send + Sync>) -> Self {
        self.place = Some(FilePlace { file, offset: 0 });
        self
    }

    /// Where bytes of it are in a file of pages, if they are in one.
    pub(crate) fn place(&self, offset: u64) -> Option<FilePlace> {
        let place = self.place.clone()?;
        Some(FilePlace {
            offset: place.offset + offset,
            ..place
        })
    }

    /// The size in bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Cuts off and returns the first `len` bytes.
    ///
    /// # Panics
    /// There are fewer.
    pub(crate) fn split_to(&mut self, len: usize) -> Self {
        assert!(len <= self.len, "cannot cut {len} bytes from {}", self.len);
        let front = Self {
            start: self.start,
            len,
            owner: self.owner.clone(),
            place: self.place.clone(),
        };
        // SAFETY: `len` is within the range, so the pointer stays in it or at its end.
        self.start = unsafe { self.start.add(len) };
        self.len -= len;
        if let Some(place) = &mut self.place {
            place.offset += len as u64;
        }
        front
    }

    /// Puts a part back that was cut off behind this one.
    ///
    /// # Panics
    /// It was not: the two do not lie side by side in the same memory.
    pub(crate) fn unsplit(&mut self, behind: Self) {
        // SAFETY: the result is at most one past the end of the range.
        let end = unsafe { self.start.add(self.len) };
        let is_same = match (&self.owner, &behind.owner) {
            (Some(own), Some(other)) => Arc::ptr_eq(own, other),
            _ => false,
        };
        let is_next = is_same && std::ptr::eq(end, behind.start);
        assert!(is_next, "the part was not cut off here");
        self.len += behind.len;
    }

    /// The bytes as they cannot change any more.
    pub fn into_bytes(self) -> Bytes {
        Bytes::from_owner(self)
    }

    /// The bytes, to be written.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        // SAFETY: `from_raw` demands initialised memory that only this buffer reaches, and `&mut self` is the
        // only way to it now.
        unsafe { std::slice::from_raw_parts_mut(self.start, self.len) }
    }
}

impl AsRef<[u8]> for OutputBuffer {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: as in `as_mut_slice`; while `self` is borrowed nobody writes.
        unsafe { std::slice::from_raw_parts(self.start, self.len) }
    }
}

impl Default for OutputBuffer {
    fn default() -> Self {
        Self {
            start: std::ptr::dangling_mut(),
            len: 0,
            owner: None,
            place: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_written_apart_and_put_together_without_a_copy() {
        let mut rest = OutputBuffer::zeroed(10).unwrap();
        let place = rest.as_ref().as_ptr();
        let (mut a, mut b) = (rest.split_to(3), rest.split_to(0));
        a.as_mut_slice().fill(1);
        b.as_mut_slice().fill(2);
        rest.as_mut_slice().fill(3);
        b.unsplit(rest);
        a.unsplit(b);
        let whole = a.into_bytes();
        assert_eq!(whole[..], [1, 1, 1, 3, 3, 3, 3, 3, 3, 3]);
        assert_eq!(whole.as_ptr(), place);
    }

    #[test]
    #[should_panic(expected = "not cut off here")]
    fn parts_of_different_buffers_do_not_fit() {
        let mut a = OutputBuffer::zeroed(1).unwrap();
        a.unsplit(OutputBuffer::zeroed(1).unwrap());
    }

    #[test]
    fn more_memory_than_there_is_is_refused() {
        assert!(OutputBuffer::zeroed(usize::MAX / 2 + 1).is_err());
    }
}
