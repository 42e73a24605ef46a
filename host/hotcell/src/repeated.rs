//! Inputs that come again: the second launch of the same array in memory gives it pages that can be mapped, and every later
//! one maps them.
//!
//! An array that is launched once is copied once, into the guest. From its second launch on it has a sealed copy beside
//! it, for as long as the array or a clone of it lives, so that it costs one copy and not one a launch. All such copies
//! together are at most [`MOST_BYTES`].

use crate::sealed;
use bytes::Bytes;
use hotcell_model::frame::INLINE_BYTES;
use hotcell_model::job::Source;
use hotcell_sandbox::memory::SealedMemory;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The most bytes of such copies in this process.
const MOST_BYTES: usize = 1 << 30;
/// Bytes of such copies that there are.
static COPIED: AtomicUsize = AtomicUsize::new(0);

/// What is known of an array's launches, shared by its clones.
#[derive(Debug, Default)]
pub(crate) struct Repeated(Mutex<Stage>);

#[derive(Debug, Default)]
enum Stage {
    #[default]
    New,
    Launched,
    Copied(SealedCopy),
    /// There was no memory, no descriptor or no room for a copy.
    Without,
}

/// A copy, which counts while it lives.
#[derive(Debug)]
struct SealedCopy {
    source: Source,
    len: usize,
}

impl Repeated {
    /// The array's bytes for one more launch.
    pub(crate) fn source(&self, bytes: &Bytes) -> Source {
        // A smaller one travels in the frame.
        if bytes.len() <= INLINE_BYTES {
            return Source::Memory(bytes.clone());
        }
        let mut stage = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*stage {
            Stage::New => *stage = Stage::Launched,
            Stage::Launched => {
                *stage = SealedCopy::of(bytes).map_or(Stage::Without, Stage::Copied);
            }
            Stage::Copied(_) | Stage::Without => {}
        }
        match &*stage {
            Stage::Copied(copy) => copy.source.clone(),
            _ => Source::Memory(bytes.clone()),
        }
    }
}

impl SealedCopy {
    fn of(bytes: &Bytes) -> Option<Self> {
        let len = bytes.len();
        let room = |copied: usize| copied.checked_add(len).filter(|all| *all <= MOST_BYTES);
        COPIED
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, room)
            .ok()?;
        let source = SealedMemory::copy_of(bytes).and_then(sealed::source);
        // From here on what was counted is given back when this is dropped.
        let source = source.unwrap_or_else(|_| Source::Memory(Bytes::new()));
        let copy = Self { source, len };
        matches!(copy.source, Source::Sealed { .. }).then_some(copy)
    }
}

impl Drop for SealedCopy {
    fn drop(&mut self) {
        COPIED.fetch_sub(self.len, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_launch_makes_the_copy_that_later_ones_share() {
        let bytes = Bytes::from(vec![7; INLINE_BYTES + 1]);
        let repeated = Repeated::default();
        assert!(matches!(repeated.source(&bytes), Source::Memory(_)));
        let (Source::Sealed { file, bytes: copy }, Source::Sealed { file: again, .. }) =
            (repeated.source(&bytes), repeated.source(&bytes))
        else {
            panic!("no copy was made");
        };
        assert_eq!(copy, bytes);
        assert!(std::sync::Arc::ptr_eq(&file, &again));
    }

    #[test]
    fn small_arrays_stay_as_they_are() {
        let (bytes, repeated) = (Bytes::from(vec![7; INLINE_BYTES]), Repeated::default());
        for _ in 0..3 {
            assert!(matches!(repeated.source(&bytes), Source::Memory(_)));
        }
    }
}
