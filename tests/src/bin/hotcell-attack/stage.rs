//! Running one attack, and what was seen of it.
//!
//! This process adopts what its commands leave behind, so that a worker without a supervisor is a child here
//! and cannot be missed.

use crate::Arguments;
use anyhow::{Context, Result};
use hotcell_tests::corpus::{Attack, BYTES, Disturbance, Moment, Signal};
use hotcell_tests::npy;
use rustix::io::Errno;
use rustix::process::{Pid, WaitOptions};
use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long what a command leaves behind has to be gone.
const GONE_WITHIN: Duration = Duration::from_secs(5);
/// How often a running command is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// How long a kernel has to be compiled before a signal that waits for it is given up.
const COMPILED_WITHIN: Duration = Duration::from_secs(15);

/// What `out.npy` holds before an attack.
pub(crate) const OLD: &[u8] = b"old";

/// What was seen of an attack.
pub(crate) struct Seen {
    /// The exit code, or the signal.
    pub(crate) end: End,
    /// From the start of the command to its end.
    pub(crate) wall: Duration,
    /// The most memory that the command itself had, as far as looking now and then says.
    pub(crate) supervisor_peak_bytes: u64,
    /// The error stream.
    pub(crate) stderr: String,
    /// The report's bytes.
    pub(crate) report: Option<Vec<u8>>,
    /// What `out.npy` holds afterwards.
    pub(crate) out: Vec<u8>,
    /// Names in the working directory that were not there before.
    pub(crate) left_files: Vec<String>,
    /// Processes that did not end with the command.
    pub(crate) left_processes: Vec<String>,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// With that exit code.
    Code(i32),
    /// By that signal.
    Signal(i32),
    /// Not at all: it had to be killed.
    Never,
}

/// Makes this process the parent of what its children leave behind.
pub(crate) fn adopt_orphans() -> rustix::io::Result<()> {
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
}

/// Directories for one command.
pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new() -> Result<Self> {
        let place = Self(tempfile::tempdir().context("no temporary directory")?);
        std::fs::create_dir(place.work())?;
        Ok(place)
    }

    fn work(&self) -> PathBuf {
        self.0.path().join("work")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.work().join(name)
    }

    fn names(&self) -> Result<BTreeSet<String>> {
        let entries = std::fs::read_dir(self.work())?;
        let name = |entry: std::io::Result<std::fs::DirEntry>| -> Result<String> {
            Ok(entry?.file_name().to_string_lossy().into_owned())
        };
        entries.map(name).collect()
    }

    fn has_artifact(&self) -> bool {
        let artifacts = self.0.path().join("cache/hotcell/artifacts");
        std::fs::read_dir(artifacts).is_ok_and(|mut entries| entries.next().is_some())
    }

    /// The command with those arguments, its streams in files beside the working directory.
    pub(crate) fn command(&self, program: &Path, arguments: &[String]) -> Result<Command> {
        let base = self.0.path();
        let stream = |name: &str| File::create(base.join(name)).map(Stdio::from);
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(self.work())
            .env_clear()
            .env("HOME", base)
            .env("XDG_STATE_HOME", base.join("state"))
            .env("XDG_CACHE_HOME", base.join("cache"))
            .stdin(Stdio::null())
            .stdout(stream("stdout")?)
            .stderr(stream("stderr")?);
        Ok(command)
    }

    pub(crate) fn stream(&self, name: &str) -> String {
        let bytes = std::fs::read(self.0.path().join(name)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// Runs an attack to its end, and cleans up after it.
pub(crate) fn run(arguments: &Arguments, attack: &Attack) -> Result<Seen> {
    let place = Place::new()?;
    let honest: Vec<u8> = (0..=u8::MAX).cycle().take(BYTES).collect();
    std::fs::write(place.file("x.npy"), npy("|u1", &[4096], &honest))?;
    std::fs::write(place.file("out.npy"), OLD)?;
    for (name, content) in &attack.files {
        content
            .put(&place.file(name))
            .with_context(|| name.clone())?;
    }
    let before = place.names()?;
    let mut words: Vec<String> = attack
        .arguments
        .split_whitespace()
        .map(str::to_owned)
        .collect();
    words.extend(arguments.isolation_options(attack.group));
    let begin = Instant::now();
    let mut child = place.command(&arguments.hotcell, &words)?.spawn()?;
    let (end, supervisor_peak_bytes) = watch(&mut child, &place, attack, begin)?;
    let wall = begin.elapsed();
    let left_processes = bury_orphans();
    let mut left_files = place.names()?;
    left_files.retain(|name| !before.contains(name) && name != "r.json");
    Ok(Seen {
        end,
        wall,
        supervisor_peak_bytes,
        stderr: place.stream("stderr"),
        report: std::fs::read(place.file("r.json")).ok(),
        out: std::fs::read(place.file("out.npy")).unwrap_or_default(),
        left_files: left_files.into_iter().collect(),
        left_processes,
    })
}

/// Waits for the end of a command, sends it its signal, and looks at its memory meanwhile.
fn watch(child: &mut Child, place: &Place, attack: &Attack, begin: Instant) -> Result<(End, u64)> {
    let (mut pending, mut compiled, mut peak) = (attack.disturbance, None, 0);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok((end_of(status), peak));
        }
        peak = peak.max(peak_bytes(child.id()).unwrap_or(0));
        if compiled.is_none() && pending.is_some() && place.has_artifact() {
            compiled = Some(Instant::now());
        }
        if let Some(disturbance) = pending
            && is_due(disturbance, begin, compiled)
        {
            send(child, disturbance.signal)?;
            pending = None;
        }
        if begin.elapsed() > attack.patience {
            child.kill()?;
            child.wait()?;
            return Ok((End::Never, peak));
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

fn is_due(disturbance: Disturbance, begin: Instant, compiled: Option<Instant>) -> bool {
    match disturbance.moment {
        Moment::Started(after) => begin.elapsed() >= after,
        Moment::Compiled(after) => {
            compiled.is_some_and(|at| at.elapsed() >= after) || begin.elapsed() > COMPILED_WITHIN
        }
    }
}

fn send(child: &Child, signal: Signal) -> Result<()> {
    let signal = match signal {
        Signal::Interrupt => rustix::process::Signal::INT,
        Signal::Kill => rustix::process::Signal::KILL,
    };
    // Nobody has waited for the child since it was seen to run, so the number is still its own.
    Ok(rustix::process::kill_process(pid_of(child.id())?, signal)?)
}

fn pid_of(id: u32) -> Result<Pid> {
    let id = i32::try_from(id).ok().and_then(Pid::from_raw);
    id.context("a process has a number above 0")
}

fn end_of(status: ExitStatus) -> End {
    match (status.code(), status.signal()) {
        (Some(code), _) => End::Code(code),
        (None, Some(signal)) => End::Signal(signal),
        (None, None) => End::Never,
    }
}

/// The most memory that a process had so far.
fn peak_bytes(id: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

/// Waits until every adopted process is gone; kills and names those that do not go.
fn bury_orphans() -> Vec<String> {
    let begin = Instant::now();
    let mut left = Vec::new();
    loop {
        match rustix::process::wait(WaitOptions::NOHANG) {
            Ok(Some(_)) | Err(Errno::INTR) => {}
            Ok(None) if begin.elapsed() < GONE_WITHIN => std::thread::sleep(LOOK_EVERY),
            Ok(None) => {
                left.extend(kill_children());
                std::thread::sleep(LOOK_EVERY);
                if begin.elapsed() > 4 * GONE_WITHIN {
                    return left;
                }
            }
            Err(_) => return left,
        }
    }
}

/// Kills every child of this process, and says what they were.
fn kill_children() -> Vec<String> {
    let me = std::process::id();
    let children = std::fs::read_to_string(format!("/proc/self/task/{me}/children"));
    let children = children.unwrap_or_default();
    let mut killed = Vec::new();
    for id in children.split_whitespace() {
        let name = std::fs::read_to_string(format!("/proc/{id}/comm")).unwrap_or_default();
        killed.push(format!("{} ({id})", name.trim()));
        if let Some(pid) = id.parse().ok().and_then(Pid::from_raw) {
            // It may have gone by itself meanwhile.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }
    killed
}
