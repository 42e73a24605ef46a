//! Memory that a program works in and that launches take as it is.

use crate::array::{Array, ArrayError};
use bytes::Bytes;
use hotcell_model::array::ArrayType;
use hotcell_model::job::Source;
use hotcell_sandbox::memory::Lendable;
use std::io;
use std::ptr::NonNull;

/// From here on memory is worth a descriptor: what is smaller is copied faster.
const SHARED_BYTES: usize = 64 << 10;

/// Memory that a program works in, and that launches take as it is.
///
/// What is larger than 64 KiB, and not more than a share of the descriptors that the process may have, is lent to launches without a copy, as long as it was not written to since it was lent before:
/// from the first time on, writes go to copies of the pages that they touch. So results can be worked on and given to the next
/// launch, and inputs filled in place.
#[derive(Debug)]
pub struct Buffer(Memory);

#[derive(Debug)]
enum Memory {
    /// Aligned for every element; as many bytes of it as `len`.
    Own {
        words: Words,
        len: usize,
    },
    Shared(Lent),
}

/// Memory that has a descriptor, which is counted.
#[derive(Debug)]
struct Lent {
    memory: Lendable,
    _counted: crate::sealed::Kept,
}

impl Lent {
    fn of(memory: Lendable) -> Self {
        let _counted = crate::sealed::keep();
        Self { memory, _counted }
    }
}

/// Memory on the heap that is reached through its address alone.
#[derive(Debug)]
struct Words(NonNull<[u128]>);

// SAFETY: the words are owned and only reached through the address, whose users see to it who writes when.
unsafe impl Send for Words {}
// SAFETY: as above.
unsafe impl Sync for Words {}

impl Words {
    fn zeros(len: usize) -> Self {
        let words = vec![0_u128; len.div_ceil(size_of::<u128>())].into_boxed_slice();
        // SAFETY: a box's address is never null.
        Self(unsafe { NonNull::new_unchecked(Box::into_raw(words)) })
    }
}

impl Drop for Words {
    fn drop(&mut self) {
        // SAFETY: it came out of a box, and nobody else puts it back into one.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

impl Buffer {
    /// Makes `len` zero bytes.
    ///
    /// # Errors
    /// There is no memory for them.
    pub fn new(len: usize) -> io::Result<Self> {
        if len < SHARED_BYTES {
            let words = Words::zeros(len);
            return Ok(Self(Memory::Own { words, len }));
        }
        if !crate::sealed::has_room() {
            let words = Words::zeros(len);
            return Ok(Self(Memory::Own { words, len }));
        }
        let memory = Lendable::create(len as u64)?;
        Ok(Self(Memory::Shared(Lent::of(memory))))
    }

    /// The bytes of an array: those of a result are shared and not copied.
    ///
    /// # Errors
    /// There is no memory for them, or the array is in a file.
    pub fn of(array: &Array) -> io::Result<Self> {
        if let Source::Sealed { file, bytes } = array.source()
            && bytes.len() >= SHARED_BYTES
            && crate::sealed::has_room()
        {
            let sealed = crate::sealed::memory(file, bytes.len() as u64)?;
            return Ok(Self(Memory::Shared(Lent::of(Lendable::of(sealed)?))));
        }
        let bytes = array.bytes();
        let bytes = bytes.ok_or_else(|| io::Error::other(ArrayError::NotInMemory))?;
        let mut buffer = Self::new(bytes.len())?;
        buffer.as_mut_slice().copy_from_slice(bytes);
        // It is filled: what is written from here on is nobody's business, a fork's child's neither.
        buffer.settle()?;
        Ok(buffer)
    }

    /// Where it begins, aligned for every dtype. Readable and writable while this lives.
    pub fn as_ptr(&self) -> NonNull<u8> {
        match &self.0 {
            Memory::Own { words, .. } => words.0.cast(),
            Memory::Shared(lent) => lent.memory.as_ptr(),
        }
    }

    /// Its size in bytes.
    #[expect(clippy::len_without_is_empty, reason = "emptiness is of no interest")]
    pub fn len(&self) -> usize {
        match &self.0 {
            Memory::Own { len, .. } => *len,
            Memory::Shared(lent) => lent.memory.len(),
        }
    }

    /// Its bytes, to be written.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        // SAFETY: it is readable and writable for its length, and this is the only reference to it.
        unsafe { std::slice::from_raw_parts_mut(self.as_ptr().as_ptr(), self.len()) }
    }

    /// Has everything that is written from now on be this process's alone: before a fork.
    ///
    /// # Errors
    /// There is no address space for it.
    pub fn settle(&self) -> io::Result<()> {
        match &self.0 {
            Memory::Own { .. } => Ok(()),
            Memory::Shared(lent) => lent.memory.settle(),
        }
    }

    /// What is in it now, as an array of that type. What is written afterwards does not change it.
    ///
    /// # Errors
    /// The type has another number of bytes; or there is no memory or descriptor for it.
    ///
    /// # Safety
    /// Nobody writes to it meanwhile.
    pub unsafe fn array(&self, ty: ArrayType) -> io::Result<Array> {
        let source = match &self.0 {
            Memory::Own { len, .. } => {
                // SAFETY: it is readable for its length, and by the caller's word nobody writes to it.
                let bytes = unsafe { std::slice::from_raw_parts(self.as_ptr().as_ptr(), *len) };
                Source::Memory(Bytes::copy_from_slice(bytes))
            }
            // SAFETY: by the caller's word.
            Memory::Shared(lent) => crate::sealed::source(unsafe { lent.memory.lend() }?)?,
        };
        Array::from_source(ty, source).map_err(io::Error::other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hotcell_model::manifest::DType;

    #[test]
    fn buffers_become_arrays_and_arrays_buffers() {
        for len in [0, 1, 100, SHARED_BYTES - 1, SHARED_BYTES, 1 << 20] {
            let mut buffer = Buffer::new(len).unwrap();
            buffer.as_mut_slice().fill(5);
            let ty = ArrayType::new(DType::U8, [len as u64]).unwrap();
            // SAFETY: nobody writes to it.
            let array = unsafe { buffer.array(ty.clone()) }.unwrap();
            buffer.as_mut_slice().fill(6);
            assert!(
                array.bytes().unwrap().iter().all(|byte| *byte == 5),
                "{len}"
            );
            let mut copy = Buffer::of(&array).unwrap();
            assert_eq!(copy.as_ptr().align_offset(align_of::<u128>()), 0);
            assert!(copy.as_mut_slice().iter().all(|byte| *byte == 5), "{len}");
            copy.as_mut_slice().fill(7);
            assert!(
                array.bytes().unwrap().iter().all(|byte| *byte == 5),
                "{len}"
            );
            let other = ArrayType::new(DType::U8, [len as u64 + 1]).unwrap();
            // SAFETY: nobody writes to it.
            assert!(unsafe { buffer.array(other) }.is_err());
        }
    }

    #[test]
    fn what_a_copy_is_filled_with_is_this_process_s_alone() {
        let ty = ArrayType::new(DType::U8, [SHARED_BYTES as u64]).unwrap();
        let array = Array::new(ty, Bytes::from(vec![1; SHARED_BYTES])).unwrap();
        let buffer = Buffer::of(&array).unwrap();
        let start = format!("{:x}-", buffer.as_ptr().as_ptr() as usize);
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let line = maps.lines().find(|line| line.starts_with(&start)).unwrap();
        assert!(
            line.contains("rw-p"),
            "a fork's child writes where its parent reads: {line}"
        );
    }

    #[test]
    fn buffers_that_are_kept_do_not_use_up_the_descriptors() {
        let kept: Vec<Buffer> = (0..600)
            .map(|_| Buffer::new(SHARED_BYTES).unwrap())
            .collect();
        let shared = kept
            .iter()
            .filter(|buffer| matches!(buffer.0, Memory::Shared(_)));
        assert!(shared.count() <= 256);
    }
}
