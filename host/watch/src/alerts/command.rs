//! An alert handed to a program.

use crate::alerts::settings::CommandSettings;
use rustix::process::{Pid, Signal, kill_process_group};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How often is looked whether the program has ended.
const LOOK: Duration = Duration::from_millis(10);

/// Why a program did not take an alert.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    /// It could not be started, or would not read.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// It says no.
    #[error("it ended with {0}")]
    Failed(std::process::ExitStatus),
    /// It was killed.
    #[error("it took more than {0:?} and was killed")]
    TooLong(Duration),
}

/// Has the program take an alert, a JSON document that fits into a pipe, before that moment.
pub(crate) fn send(
    settings: &CommandSettings,
    json: &str,
    timeout: Duration,
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
    let ended = wait(&mut child, timeout);
    if let Ok(pid) = i32::try_from(child.id())
        && let Some(group) = Pid::from_raw(pid)
    {
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.kill();
    let _ = child.wait();
    match (ended?, written) {
        (None, _) => Err(CommandError::TooLong(timeout)),
        (Some(status), _) if !status.success() => Err(CommandError::Failed(status)),
        (Some(_), Err(error)) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(error.into())
        }
        _ => Ok(()),
    }
}

fn wait(child: &mut Child, timeout: Duration) -> std::io::Result<Option<std::process::ExitStatus>> {
    let until = Instant::now() + timeout;
    loop {
        let status = child.try_wait()?;
        if status.is_some() || Instant::now() >= until {
            return Ok(status);
        }
        std::thread::sleep(LOOK);
    }
}
