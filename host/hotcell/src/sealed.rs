//! Sealed memory as arrays' bytes, and back: what lets launches be chained without a copy in between.

use bytes::Bytes;
use hotcell_model::job::Source;
use hotcell_sandbox::memory::SealedMemory;
use hotcell_sandbox::process::PerProcess;
use rustix::process::{Resource, getrlimit};
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// The descriptors that sources keep open, as far as they are still there.
static KEPT: PerProcess<Mutex<Vec<Weak<File>>>> = PerProcess::new();
/// The most of them, however many this process may have.
const MOST_KEPT: usize = 256;

/// A source over sealed memory.
///
/// With its descriptor it is handed to a further launch without a copy. Somebody who keeps thousands of results would
/// run out of descriptors: past a share of those that the process may have, results are kept without.
pub(crate) fn source(memory: SealedMemory) -> io::Result<Source> {
    let bytes = Bytes::from_owner(memory.map()?);
    let mut kept = KEPT.get().lock().unwrap_or_else(PoisonError::into_inner);
    if kept.len() >= most_kept() {
        kept.retain(|file| file.strong_count() > 0);
    }
    if kept.len() >= most_kept() {
        return Ok(Source::Memory(bytes));
    }
    let file = Arc::new(File::from(memory.into_fd()));
    kept.push(Arc::downgrade(&file));
    Ok(Source::Sealed { file, bytes })
}

/// One descriptor more that is kept.
#[derive(Debug)]
pub(crate) struct Kept(());

/// How many descriptors buffers have.
static BUFFERS: AtomicUsize = AtomicUsize::new(0);

/// Whether there is room for one more descriptor of a buffer's: they have a share of their own.
pub(crate) fn has_room() -> bool {
    BUFFERS.load(Ordering::Relaxed) < most_kept()
}

/// Counts a descriptor of a buffer's, as long as this is kept.
pub(crate) fn keep() -> Kept {
    BUFFERS.fetch_add(1, Ordering::Relaxed);
    Kept(())
}

impl Drop for Kept {
    fn drop(&mut self) {
        BUFFERS.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A quarter of the descriptors that this process may have.
fn most_kept() -> usize {
    let allowed = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(allowed / 4).map_or(MOST_KEPT, |share| share.min(MOST_KEPT))
}

/// The sealed memory of a source, checked: anybody can make a value of [`Source::Sealed`].
pub(crate) fn memory(file: &File, len: u64) -> io::Result<SealedMemory> {
    SealedMemory::adopt(file.as_fd().try_clone_to_owned()?, len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_that_are_kept_do_not_use_up_the_descriptors() {
        let sources: Vec<Source> = (0..2 * MOST_KEPT)
            .map(|_| source(SealedMemory::copy_of(b"array").unwrap()).unwrap())
            .collect();
        let with_file = |source: &&Source| matches!(source, Source::Sealed { .. });
        let open = sources.iter().filter(with_file).count();
        assert!(open > 0 && open <= most_kept(), "{open}");
        for source in &sources {
            let (Source::Memory(bytes) | Source::Sealed { bytes, .. }) = source else {
                panic!("memory makes no file");
            };
            assert_eq!(&bytes[..], b"array");
        }
        drop(sources);
        let made = source(SealedMemory::copy_of(b"array").unwrap()).unwrap();
        assert!(matches!(made, Source::Sealed { .. }));
    }

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
