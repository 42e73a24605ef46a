//! Which process holds a place, and whether it still lives.
//!
//! A number alone says little: numbers are used again, by this boot and the next. With its start time, the boot and the
//! namespace that the number is counted in, it is one process.

use crate::error::LedgerError;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// One process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    /// The boot's id.
    pub(crate) boot: String,
    /// The inode of the namespace of process numbers.
    pub(crate) namespace: i64,
    /// The number.
    pub(crate) pid: i64,
    /// When it began, in ticks since the boot.
    pub(crate) started: i64,
}

impl Process {
    /// The calling process.
    pub(crate) fn this() -> Result<Self, LedgerError> {
        let read = |path: &'static str| {
            std::fs::read_to_string(path).map_err(|source| LedgerError::Io {
                path: path.into(),
                source,
            })
        };
        let boot = read("/proc/sys/kernel/random/boot_id")?.trim().to_owned();
        let stat = Stat::parse(&read("/proc/self/stat")?);
        let stat = stat.ok_or_else(|| LedgerError::Io {
            path: "/proc/self/stat".into(),
            source: io::ErrorKind::InvalidData.into(),
        })?;
        let namespace = std::fs::metadata("/proc/self/ns/pid");
        let namespace = namespace.map_err(|source| LedgerError::Io {
            path: "/proc/self/ns/pid".into(),
            source,
        })?;
        Ok(Self {
            boot,
            namespace: i64::try_from(std::os::unix::fs::MetadataExt::ino(&namespace))
                .unwrap_or(i64::MAX),
            pid: i64::from(std::process::id()),
            started: stat.started,
        })
    }

    /// Whether it lives, as `this` process sees it. One that was counted in another namespace cannot be looked at from
    /// here, and counts as living until the machine boots again.
    pub(crate) fn lives(&self, this: &Self) -> bool {
        if self.boot != this.boot {
            return false;
        }
        if self.namespace != this.namespace {
            return true;
        }
        let path = format!("/proc/{}/stat", self.pid);
        match std::fs::read_to_string(Path::new(&path)) {
            Ok(text) => Stat::parse(&text).is_none_or(|stat| stat.is_of(self)),
            Err(error) => !is_gone(&error),
        }
    }
}

/// How many ledgers are open, in the lower half, and in which process, in the upper one.
static OPEN: AtomicU64 = AtomicU64::new(0);

/// An open ledger, for as long as it is open.
///
/// A fork has a copy of what SQLite knows of the file, locks that are the parent's among it. It must not use that, nor open
/// the file anew, nor close it.
#[derive(Debug)]
pub(crate) struct Opened {
    by: u32,
}

impl Opened {
    /// Counts one more.
    pub(crate) fn new() -> Result<Self, LedgerError> {
        let this = std::process::id();
        let one_more = OPEN.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |open| {
            let [by, count] = halves(open);
            match by == this || count == 0 {
                true => Some(u64::from(this) << 32 | u64::from(count + 1)),
                false => None,
            }
        });
        match one_more {
            Ok(_) => Ok(Self { by: this }),
            Err(open) => Err(LedgerError::Forked {
                opened_by: halves(open)[0],
                used_by: this,
            }),
        }
    }

    /// Whether this is a fork of the process that opened it.
    pub(crate) fn is_forked(&self) -> bool {
        self.by != std::process::id()
    }

    /// Refuses what a fork asks for.
    pub(crate) fn check(&self) -> Result<(), LedgerError> {
        match std::process::id() {
            this if this == self.by => Ok(()),
            used_by => Err(LedgerError::Forked {
                opened_by: self.by,
                used_by,
            }),
        }
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        if !self.is_forked() {
            OPEN.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

fn halves(open: u64) -> [u32; 2] {
    [open >> 32, open & u64::from(u32::MAX)].map(|half| u32::try_from(half).unwrap_or(u32::MAX))
}

/// Whether the process ended before or while it was looked at.
fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
        || error.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error())
}

/// What is read of `/proc/PID/stat`. Source: `proc_pid_stat(5)`.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    state: char,
    threads: i64,
    started: i64,
}

impl Stat {
    fn parse(text: &str) -> Option<Self> {
        // The second field is the program's name in brackets, and may have brackets and spaces in it.
        let (_, after) = text.rsplit_once(')')?;
        let mut fields = after.split_ascii_whitespace();
        let state = fields.next()?.chars().next()?;
        // Fields 20 and 22; the state is the third.
        let threads = fields.nth(16)?.parse().ok()?;
        let started = fields.nth(1)?.parse().ok()?;
        Some(Self {
            state,
            threads,
            started,
        })
    }

    /// Whether it is that process, and not one that only waits to be collected. One whose first thread has ended looks
    /// the same but for the others that it has.
    fn is_of(&self, process: &Process) -> bool {
        let ended = matches!(self.state, 'Z' | 'X') && self.threads <= 1;
        self.started == process.started && !ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn a_name_with_brackets_confuses_nothing() {
        let text = "7 (a) Z 1 (b)) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 3 0 9876 1 1";
        let expected = Stat {
            state: 'S',
            threads: 3,
            started: 9876,
        };
        assert_eq!(Stat::parse(text), Some(expected));
        assert_eq!(Stat::parse("7 (a) S 1"), None);
    }

    #[test]
    fn a_process_of_another_boot_or_with_another_start_is_dead() {
        let this = Process::this().unwrap();
        assert!(this.lives(&this));
        let other = |change: fn(&mut Process)| {
            let mut other = this.clone();
            change(&mut other);
            other.lives(&this)
        };
        assert!(!other(|process| process.boot.push('0')));
        assert!(!other(|process| process.started += 1));
        assert!(!other(|process| process.pid = i64::MAX));
        assert!(other(|process| {
            process.namespace += 1;
            process.pid = i64::MAX;
        }));
    }

    #[test]
    fn a_killed_child_is_dead_before_it_is_collected() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let this = Process::this().unwrap();
        let path = format!("/proc/{}/stat", child.id());
        let stat = Stat::parse(&std::fs::read_to_string(path).unwrap()).unwrap();
        let process = Process {
            pid: i64::from(child.id()),
            started: stat.started,
            ..this.clone()
        };
        assert!(process.lives(&this));
        child.kill().unwrap();
        while process.lives(&this) {
            std::thread::yield_now();
        }
        child.wait().unwrap();
        assert!(!process.lives(&this));
    }
}
