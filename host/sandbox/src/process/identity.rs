//! Which process this is.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// Which process this is, told apart from its parents and children.
///
/// A number alone does not do: in a PID namespace of its own a child may have its parent's, and a child of a child one that
/// was free again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessIdentity {
    id: u32,
    /// How many forks lie between it and the first process that asked.
    generation: u32,
}

static GENERATION: AtomicU32 = AtomicU32::new(0);
static IS_COUNTED: AtomicBool = AtomicBool::new(false);

extern "C" fn count() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
}

impl ProcessIdentity {
    /// That of this process.
    pub fn own() -> Self {
        if !IS_COUNTED.load(Ordering::Acquire) {
            // Two threads may both ask for it: then a fork counts as two. Where there is no memory for it, numbers have to do.
            // SAFETY: the function only counts, which is allowed in a fork's child.
            let _ = unsafe { libc::pthread_atfork(None, None, Some(count)) };
            IS_COUNTED.store(true, Ordering::Release);
        }
        Self {
            id: std::process::id(),
            generation: GENERATION.load(Ordering::Relaxed),
        }
    }
}
