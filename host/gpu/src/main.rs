//! `hotcell-gpu`: one tenant's GPU work on one device, in a confined process.
//!
//! 1. Put on every layer that a driver can be loaded under.
//! 2. Open the device and have it work once, so that its driver has loaded all it needs; nothing hostile was seen yet.
//! 3. Lock every thread, the driver's too. From here on no file and no device is opened.
//! 4. Serve launches, one after the other, until the supervisor is gone: each over a channel to its runner, whose
//!    commands are hostile input.

mod worker;

use hotcell_model::layer::WorkerKind;
use hotcell_sandbox::worker::run;
use std::process::ExitCode;

fn main() -> ExitCode {
    run(WorkerKind::Gpu, worker::start)
}
