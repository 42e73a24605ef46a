//! An alert handed to a program.

use crate::alerts::settings::CommandSettings;
use rustix::process::{Pid, Signal, kill_process_group};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How often is looked whether the program has ended.
const LOOK: Duration = Duration::from_millis(10);

/// The longest time that a program is waited for.
const LONGEST: Duration = Duration::from_secs(3600);

/// How long before the end of everything a program is killed, so that it is gone by then.
const BEFORE_THE_END: Duration = Duration::from_millis(50);

/// Why a program did not take an alert.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    /// It could not be started, or would not read.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// It says no.
    #[error("it ended with {0}")]
    Failed(ExitStatus),
    /// It was killed.
    #[error("it took more than {0:?} and was killed")]
    TooLong(Duration),
    /// It was killed, since whoever waits for it ends.
    #[error("it was not done at the end and was killed")]
    AtTheEnd,
}

/// Has the program take an alert, a JSON document that fits into a pipe, in the time that it has. `closing` says when all has to be
/// over, once that is known.
pub(crate) fn send(
    settings: &CommandSettings,
    json: &str,
    closing: impl Fn() -> Option<Instant>,
) -> Result<(), CommandError> {
    let mut command = Command::new(&settings.program);
    command
        .args(&settings.arguments)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // So that what it starts ends with it.
        .process_group(0);
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    let mut child = command.spawn()?;
    let written = match child.stdin.take() {
        // It is smaller than a pipe holds, so that this waits for nobody. The program need not read it.
        Some(mut input) => input.write_all(json.as_bytes()),
        None => Ok(()),
    };
    let ended = wait(&mut child, settings.timeout.min(LONGEST), closing);
    if let Ok(pid) = i32::try_from(child.id())
        && let Some(group) = Pid::from_raw(pid)
    {
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.kill();
    let _ = child.wait();
    match (ended?, written) {
        (status, _) if !status.success() => Err(CommandError::Failed(status)),
        (_, Err(error)) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

fn wait(
    child: &mut Child,
    timeout: Duration,
    closing: impl Fn() -> Option<Instant>,
) -> Result<ExitStatus, CommandError> {
    let until = Instant::now() + timeout;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        let now = Instant::now();
        if closing().is_some_and(|end| now + BEFORE_THE_END >= end) {
            return Err(CommandError::AtTheEnd);
        }
        if now >= until {
            return Err(CommandError::TooLong(timeout));
        }
        std::thread::sleep(LOOK);
    }
}
