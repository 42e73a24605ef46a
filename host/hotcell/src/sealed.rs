//! Sealed memory as arrays' bytes, and back: what lets launches be chained without a copy in between.

use bytes::Bytes;
use hotcell_model::job::Source;
use hotcell_sandbox::memory::SealedMemory;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;

/// A source over sealed memory.
pub(crate) fn source(memory: SealedMemory) -> io::Result<Source> {
    let bytes = Bytes::from_owner(memory.map()?);
    let file = Arc::new(File::from(memory.as_fd().try_clone_to_owned()?));
    Ok(Source::Sealed { file, bytes })
}

/// The sealed memory of a source, checked: anybody can make a value of [`Source::Sealed`].
pub(crate) fn memory(file: &File, len: u64) -> io::Result<SealedMemory> {
    SealedMemory::adopt(file.as_fd().try_clone_to_owned()?, len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_pass_through_sealed_memory_and_a_plain_file_is_refused() {
        let made = source(SealedMemory::copy_of(b"array").unwrap()).unwrap();
        let Source::Sealed { file, bytes } = made else {
            panic!("sealed memory makes a sealed source");
        };
        assert_eq!(&bytes[..], b"array");
        assert_eq!(&memory(&file, 5).unwrap().map().unwrap()[..], b"array");
        assert!(memory(&file, 4).is_err());
        let plain = tempfile::tempfile().unwrap();
        plain.set_len(5).unwrap();
        assert!(memory(&plain, 5).is_err());
    }
}
