//! Python's objects in the hands of threads that have not the interpreter's lock.

use hotcell_sandbox::process::PerProcess;
use pyo3::prelude::*;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// An object that any thread may let go of.
///
/// PyO3 puts what is let go of without the interpreter's lock behind a lock of its own, which a fork's child would find locked
/// where another thread had it: so these are let go of at the next [`release`].
#[derive(Debug)]
pub(crate) struct Kept(ManuallyDrop<Py<PyAny>>);

/// What was let go of.
static LEFT: PerProcess<Mutex<Vec<Py<PyAny>>>> = PerProcess::new();

fn left() -> MutexGuard<'static, Vec<Py<PyAny>>> {
    LEFT.get().lock().unwrap_or_else(PoisonError::into_inner)
}

impl Kept {
    pub(crate) fn new(object: Py<PyAny>) -> Self {
        Self(ManuallyDrop::new(object))
    }
}

impl Deref for Kept {
    type Target = Py<PyAny>;

    fn deref(&self) -> &Py<PyAny> {
        &self.0
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        // SAFETY: it is taken once, here.
        let object = unsafe { ManuallyDrop::take(&mut self.0) };
        left().push(object);
    }
}

/// Lets go of what threads without the interpreter's lock have left.
pub(crate) fn release(_with_lock: Python<'_>) {
    // What an object does at its end may lead here.
    let left = std::mem::take(&mut *left());
    drop(left);
}
