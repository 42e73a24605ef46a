//! A command that is given each checkpoint on its standard input.

use super::{Anchor, AnchorError, Told};
use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long it may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often is looked whether it has ended.
const LOOK: Duration = Duration::from_millis(20);

/// A command that is given each checkpoint on its standard input. It is not run by a shell, and is killed after ten seconds.
#[derive(Clone, Debug)]
pub struct CommandAnchor {
    program: String,
    arguments: Vec<String>,
}

impl CommandAnchor {
    /// The program with those arguments.
    pub fn new(program: impl Into<String>, arguments: Vec<String>) -> Self {
        Self {
            program: program.into(),
            arguments,
        }
    }

    fn wait(&self, mut child: Child, note: &str) -> Result<(), AnchorError> {
        let io = |source| AnchorError::Io {
            what: self.name(),
            source,
        };
        // A checkpoint is smaller than a pipe: this does not wait for a command that does not read.
        let given = child
            .stdin
            .take()
            .map(|mut input| input.write_all(note.as_bytes()));
        let begun = Instant::now();
        let ended = loop {
            match child.try_wait().map_err(io)? {
                Some(ended) => break ended,
                None if begun.elapsed() > PATIENCE => {
                    child.kill().and_then(|()| child.wait()).map_err(io)?;
                    return Err(self.failed(format!("was killed after {} s", PATIENCE.as_secs())));
                }
                None => std::thread::sleep(LOOK),
            }
        };
        if !ended.success() {
            return Err(self.failed(format!("ended with {ended}")));
        }
        given.unwrap_or(Ok(())).map_err(io)
    }

    fn failed(&self, how: String) -> AnchorError {
        let command = self.name();
        AnchorError::Command { command, how }
    }
}

impl Anchor for CommandAnchor {
    fn name(&self) -> String {
        self.program.clone()
    }

    fn tell(&self, told: &Told<'_>) -> Result<(), AnchorError> {
        let child = Command::new(&self.program)
            .args(&self.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let child = child.map_err(|source| AnchorError::Io {
            what: self.name(),
            source,
        })?;
        self.wait(child, told.note)
    }
}
