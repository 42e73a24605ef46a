//! Processes as the operating system shows them: children, their state, and what this process has open.

pub use rustix::process::Signal;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A process that was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// The first 15 bytes of its program's name.
    pub name: String,
    /// `R`, `S`, `T`, `Z` and so on.
    pub state: char,
    /// Its parent's number.
    pub parent: u32,
}

impl Process {
    /// The process of that number, if there is one.
    pub fn of(pid: u32) -> Option<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name stands in parentheses, and may have some of its own.
        let (head, tail) = stat.rsplit_once(')')?;
        let name = head.split_once('(')?.1.to_owned();
        let mut fields = tail.split_whitespace();
        let state = fields.next()?.chars().next()?;
        let parent = fields.next()?.parse().ok()?;
        Some(Self {
            pid,
            name,
            state,
            parent,
        })
    }

    /// Whether it still does something: a zombie does not.
    pub fn is_alive(pid: u32) -> bool {
        Self::of(pid).is_some_and(|process| !matches!(process.state, 'Z' | 'X'))
    }

    /// Whether it is a worker of that program: names are cut at 15 bytes.
    pub fn is_a(&self, program: &str) -> bool {
        self.name == program[..program.len().min(15)]
    }
}

/// The children of a process, zombies included, oldest first.
pub fn children_of(parent: u32) -> Vec<Process> {
    let entries = std::fs::read_dir("/proc").expect("there is a /proc");
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let mut children: Vec<Process> = pids
        .filter_map(Process::of)
        .filter(|process| process.parent == parent)
        .collect();
    children.sort_by_key(|process| process.pid);
    children
}

/// The children of this process.
pub fn children() -> Vec<Process> {
    children_of(std::process::id())
}

/// The children of this process that are workers of that program and have not ended.
pub fn workers_of(parent: u32, program: &str) -> Vec<u32> {
    let is_one = |process: &Process| process.is_a(program) && process.state != 'Z';
    children_of(parent)
        .iter()
        .filter(|process| is_one(process))
        .map(|process| process.pid)
        .collect()
}

/// The CPU time of a process, to 10 ms; nothing of one that is gone.
pub fn cpu_time(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let behind_the_name = stat.rsplit_once(')').map_or("", |(_, tail)| tail);
    // User and system time are the 14th and 15th field; two stand before.
    let ticks = behind_the_name.split_whitespace().skip(11).take(2);
    let ticks: u64 = ticks.filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

/// Sends a signal by name to a process that may be gone.
pub fn signal(pid: u32, signal: rustix::process::Signal) {
    let pid = i32::try_from(pid)
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    let _ = rustix::process::kill_process(pid.expect("a process has a number"), signal);
}

/// How many descriptors this process has open.
pub fn descriptors() -> usize {
    // One of them is the directory's.
    links(Path::new("/proc/self/fd")).len()
}

/// What each descriptor in a `/proc/PID/fd` is, by number.
pub fn links(directory: &Path) -> Vec<(u32, PathBuf)> {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return Vec::new();
    };
    let link = |entry: std::io::Result<std::fs::DirEntry>| {
        let entry = entry.ok()?;
        let number = entry.file_name().to_str()?.parse().ok()?;
        Some((number, std::fs::read_link(entry.path()).ok()?))
    };
    let mut links: Vec<_> = entries.filter_map(link).collect();
    links.sort();
    links
}

/// The number in a line `NAME: number` of a process's status; of bytes, in KiB.
pub fn status_number(pid: &str, name: &str) -> Option<u64> {
    status_field(
        &std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?,
        name,
    )?
    .split_whitespace()
    .next()?
    .parse()
    .ok()
}

/// The text of a field of a `/proc/PID/status`.
pub fn status_field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status
        .lines()
        .find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim()))
}

/// Waits until something holds; whether it came to.
pub fn eventually(patience: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let begin = Instant::now();
    loop {
        if holds() {
            return true;
        }
        if begin.elapsed() > patience {
            return false;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}
