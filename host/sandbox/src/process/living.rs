//! The workers that this process has started and not reaped, so that the end of the process can see to all of them.
//!
//! A worker dies with its supervisor, and who reaps it then is process 1, which in many containers reaps nobody.

use super::PerProcess;
use rustix::io::Errno;
use rustix::process::{Signal, WaitId, WaitIdOptions, pidfd_send_signal, waitid};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

static LIVING: PerProcess<Mutex<Living>> = PerProcess::new();

#[derive(Default)]
struct Living {
    /// Nothing is started any more.
    is_closed: bool,
    workers: Vec<Arc<OwnedFd>>,
}

/// Starts a worker, unless the process is at its end.
pub(super) fn start<T>(
    spawn: impl FnOnce() -> io::Result<(T, Arc<OwnedFd>)>,
) -> io::Result<(T, Arc<OwnedFd>)> {
    let mut living = lock();
    if living.is_closed {
        return Err(io::Error::other("the process ends, and starts nobody"));
    }
    let started = spawn()?;
    living.workers.push(Arc::clone(&started.1));
    Ok(started)
}

/// Notes that a worker was reaped.
pub(super) fn forget(worker: &Arc<OwnedFd>) {
    lock().workers.retain(|other| !Arc::ptr_eq(worker, other));
}

/// Kills every worker that this process has started, reaps them, and has no further one started: for the end of a
/// program.
pub fn end_all() {
    let workers = {
        let mut living = lock();
        living.is_closed = true;
        std::mem::take(&mut living.workers)
    };
    for worker in &workers {
        // One that is dead already has to be reaped all the same.
        let _ = pidfd_send_signal(worker, Signal::KILL);
    }
    for worker in &workers {
        let whom = || WaitId::PidFd(worker.as_fd());
        // Somebody else may have reaped it meanwhile.
        while let Err(Errno::INTR) = waitid(whom(), WaitIdOptions::EXITED) {}
    }
}

/// The list of this very process.
fn lock() -> MutexGuard<'static, Living> {
    LIVING.get().lock().unwrap_or_else(PoisonError::into_inner)
}
