//! One writer a log: who starts takes the first log that nobody else has, and continues it.
//!
//! So many short processes in a row share one log, and two at once have two. A log belongs to its writer as long as that holds
//! the lock on the file `lock` in it, which ends with the process whatever happens to it.

use crate::error::AuditError;
use crate::own;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

/// The most logs in one directory, and so the most writers at once.
const MOST_LOGS: u32 = 9999;

/// Says, in a log, why it is not continued.
const SET_ASIDE: &str = "set-aside";

/// A log that this process alone writes to.
#[derive(Debug)]
pub(crate) struct Claim {
    /// Its name.
    pub(crate) name: String,
    /// Its directory.
    pub(crate) directory: PathBuf,
    /// Locked until it is dropped.
    lock: File,
}

impl Drop for Claim {
    /// Closing the file would leave the lock with a process that is being started and has the file for a moment longer.
    fn drop(&mut self) {
        let _ = self.lock.unlock();
    }
}

impl Claim {
    /// The first log in the directory that nobody has and that can be continued, from that number on; made where there is none.
    pub(crate) fn first(logs: &Path, from: u32) -> Result<(u32, Self), AuditError> {
        for number in from..=MOST_LOGS {
            let directory = logs.join(name(number));
            own::directory(&directory)?;
            if let Some(claim) = Self::of(&directory)? {
                return Ok((number, claim));
            }
        }
        Err(AuditError::TooManyWriters {
            most: MOST_LOGS,
            directory: logs.to_owned(),
        })
    }

    /// The log in that directory; `None` if somebody has it or it is not to be continued.
    pub(crate) fn of(directory: &Path) -> Result<Option<Self>, AuditError> {
        let path = directory.join("lock");
        let lock = own::open(
            &path,
            OpenOptions::new().create(true).truncate(false).write(true),
        )?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(AuditError::io(&path)(error)),
        }
        if own::read(&directory.join(SET_ASIDE), 0)?.is_some() {
            return Ok(None);
        }
        let name = directory.file_name().unwrap_or_default();
        Ok(Some(Self {
            name: name.to_string_lossy().into_owned(),
            directory: directory.to_owned(),
            lock,
        }))
    }

    /// Has nobody continue the log.
    pub(crate) fn set_aside(self, why: &str) -> Result<(), AuditError> {
        own::replace(
            &self.directory.join(SET_ASIDE),
            format!("{why}\n").as_bytes(),
        )
    }
}

/// The directories of all logs, in order.
pub(crate) fn logs(directory: &Path) -> Result<Vec<PathBuf>, AuditError> {
    let io = AuditError::io(directory);
    let mut logs = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(&io)? {
        let entry = entry.map_err(&io)?;
        let digits = entry.file_name().to_str().and_then(number);
        if digits.is_some() {
            logs.push(entry.path());
        }
    }
    logs.sort();
    Ok(logs)
}

/// The names of logs that were begun before the last of these, and are not among them: logs are begun in the order of their
/// numbers.
pub(crate) fn missing(logs: &[PathBuf]) -> Vec<String> {
    let names = logs.iter().filter_map(|log| log.file_name()?.to_str());
    let numbers: Vec<u32> = names.filter_map(number).collect();
    let before = 1..numbers.iter().copied().max().unwrap_or(1);
    let missing = before.filter(|number| !numbers.contains(number));
    missing.map(name).collect()
}

/// Whether somebody writes to the log now. Looks without taking the lock from anybody for longer than that.
pub(crate) fn is_written(directory: &Path) -> bool {
    let lock = own::open_signed(&directory.join("lock"));
    lock.is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

fn name(number: u32) -> String {
    format!("log-{number:04}")
}

fn number(found: &str) -> Option<u32> {
    let number = found.strip_prefix("log-")?.parse().ok()?;
    (name(number) == found).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_has_one_writer_and_the_first_free_one_is_continued() {
        let base = tempfile::tempdir().unwrap();
        let claim = || Claim::first(base.path(), 1).unwrap().1;
        let (one, two) = (claim(), claim());
        assert_eq!([&*one.name, &*two.name], ["log-0001", "log-0002"]);
        assert!(is_written(&one.directory));
        drop(one);
        let again = claim();
        assert_eq!(again.name, "log-0001");
        again.set_aside("it lies").unwrap();
        assert_eq!(claim().name, "log-0003");
        let all = logs(base.path()).unwrap();
        assert_eq!(all.len(), 3);
        assert!(missing(&all).is_empty() && missing(&[]).is_empty());
        assert_eq!(missing(&all[2..]), ["log-0001", "log-0002"]);
    }
}
