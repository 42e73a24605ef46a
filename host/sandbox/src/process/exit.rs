//! How a worker ended, as its parent learns it.

use rustix::process::Pid;
use std::fmt;
use std::io;
use std::time::Duration;

/// A worker's end, and what the operating system counted over its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// How it ended.
    pub status: ExitKind,
    /// The CPU time it used.
    pub cpu: Duration,
    /// No more memory than this was in use at once. An upper bound: a process that was started without
    /// copying its parent inherits the parent's peak. [`super::Worker::peak_resident_bytes`] is exact.
    pub peak_resident_bytes: u64,
    /// What it read from disks, pages of its own program included.
    pub disk_read_bytes: u64,
    /// What it had written to disks.
    pub disk_written_bytes: u64,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitKind {
    /// By itself, with that code.
    Code(i32),
    /// By that signal.
    Signal(i32),
}

impl ExitKind {
    /// Whether the system-call filter killed it.
    pub fn is_refused_call(self) -> bool {
        self == Self::Signal(libc::SIGSYS)
    }
}

impl fmt::Display for ExitKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = match *self {
            Self::Code(code) => return write!(f, "exit code {code}"),
            Self::Signal(number) => number,
        };
        let name = match number {
            libc::SIGABRT => "SIGABRT",
            libc::SIGBUS => "SIGBUS",
            libc::SIGFPE => "SIGFPE",
            libc::SIGILL => "SIGILL",
            libc::SIGKILL => "SIGKILL",
            libc::SIGSEGV => "SIGSEGV",
            libc::SIGSYS => "SIGSYS",
            libc::SIGTERM => "SIGTERM",
            libc::SIGTRAP => "SIGTRAP",
            libc::SIGXCPU => "SIGXCPU",
            libc::SIGXFSZ => "SIGXFSZ",
            _ => return write!(f, "signal {number}"),
        };
        f.write_str(name)
    }
}

/// Reaps a child; `None` if it has not ended and `options` say not to wait.
pub(super) fn wait(pid: Pid, options: i32) -> io::Result<Option<Exit>> {
    let mut status = 0;
    // SAFETY: all zeros is a value of the structure, which is numbers throughout.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    loop {
        // SAFETY: both pointers are valid for the call.
        let reaped =
            unsafe { libc::wait4(pid.as_raw_nonzero().get(), &mut status, options, &mut usage) };
        match reaped {
            0 => return Ok(None),
            1.. => break,
            _ => {}
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    let status = match libc::WIFSIGNALED(status) {
        true => ExitKind::Signal(libc::WTERMSIG(status)),
        false => ExitKind::Code(libc::WEXITSTATUS(status)),
    };
    let cpu = duration(usage.ru_utime) + duration(usage.ru_stime);
    let peak_resident_bytes = u64::try_from(usage.ru_maxrss)
        .unwrap_or(0)
        .saturating_mul(1024);
    // Source: getrusage(2); the kernel counts blocks of 512 bytes, whatever the file system's are.
    let bytes = |blocks| u64::try_from(blocks).unwrap_or(0).saturating_mul(512);
    Ok(Some(Exit {
        status,
        cpu,
        peak_resident_bytes,
        disk_read_bytes: bytes(usage.ru_inblock),
        disk_written_bytes: bytes(usage.ru_oublock),
    }))
}

fn duration(time: libc::timeval) -> Duration {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::from_secs(seconds) + Duration::from_micros(u64::try_from(time.tv_usec).unwrap_or(0))
}
