//! `hotcell-gpu`: one tenant's GPU work on one device, in a confined process.
//!
//! 1. Put on every layer that a driver can be loaded under.
//! 2. Open the device and have it work once, so that its driver has loaded all it needs; nothing hostile was seen yet.
//! 3. Lock every thread, the driver's too. From here on no file and no device is opened.
//! 4. Serve launches, one after the other, until the supervisor is gone: each over a channel to its runner, whose
//!    commands are hostile input.

mod worker;

use hotcell_sandbox::end::end_with_words;
use std::process::ExitCode;

/// Exit code of a process that could not lock itself, was started by hand, or was sent what is no frame.
const EXIT_SETUP: i32 = 70;

fn main() -> ExitCode {
    match worker::start() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => end_with_words(EXIT_SETUP, "hotcell-gpu", &*error),
    }
}
