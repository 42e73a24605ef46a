//! What the programs of all workers have in common: how they begin, speak and end.

use crate::channel::Channel;
use crate::end::end_with_words;
use hotcell_model::layer::WorkerKind;
use hotcell_model::{frame, text};
use std::error::Error;
use std::io;
use std::process::ExitCode;

/// Exit code of a worker that could not lock itself, was started by hand, or was sent what is no frame.
pub const EXIT_SETUP: i32 = 70;
/// Exit code of a worker that has run out of memory.
pub const EXIT_MEMORY: i32 = 77;
/// Exit code after a panic.
pub const EXIT_PANIC: i32 = 101;

/// The longest words about a failure.
const WORDS_BYTES: usize = 2048;

/// Runs a worker from its birth to its end. One that cannot begin says why as its last words.
pub fn run(kind: WorkerKind, start: fn() -> Result<(), Box<dyn Error>>) -> ExitCode {
    match start() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => end_with_words(EXIT_SETUP, kind.program(), &*error),
    }
}

/// Has the C library's allocator keep up to a few mebibytes that were freed, instead of giving each launch's buffers back
/// and fetching them anew: that is two system calls and a page fault for every 4 KiB, and an interrupt of the other threads'
/// CPUs.
pub fn keep_freed_memory() {
    // SAFETY: it sets a number, and no other thread runs yet that could allocate meanwhile; a refusal changes nothing.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::mallopt(libc::M_TRIM_THRESHOLD, 4 << 20)
    };
}

/// Sends a frame without descriptors.
///
/// # Errors
/// It is too long, or the supervisor is gone.
pub fn send<T: serde::Serialize>(channel: &Channel, value: &T) -> io::Result<()> {
    let mut buffer = Vec::new();
    frame::encode(value, &mut buffer).map_err(io::Error::other)?;
    channel.send(&buffer, &[])
}

/// Words about a failure, escaped and cut to what a frame carries.
pub fn words(error: &impl ToString) -> String {
    text::escape(&error.to_string(), WORDS_BYTES)
}
