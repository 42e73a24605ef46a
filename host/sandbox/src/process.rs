//! The supervisor's side of a worker: spawning, measuring, limiting, killing and reaping it.
//!
//! Every figure here is measured from outside, so that no worker can colour it. A [`Worker`] owns its process:
//! dropping it kills and reaps, so that no zombie and no orphan is left whatever path the supervisor takes.
//! If the supervisor itself dies, its workers are killed by the operating system, which is why all of them are
//! spawned by one thread that lives as long as the process: "parent" means the parent *thread*.

mod exit;
mod identity;
mod living;
mod per_process;
mod spawner;

pub use exit::{Exit, ExitKind};
pub use identity::ProcessIdentity;
pub use living::end_all;
pub use per_process::PerProcess;
pub use rustix::process::Signal;

use crate::channel::Channel;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, Resource, Rlimit, getrlimit, pidfd_send_signal, prlimit};
use rustix::time::Timespec;
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Makes writing beyond the process's limit on file sizes an error, in place of the process's end by SIGXFSZ. For a
/// program's start: it holds for the whole process.
pub fn survive_file_size_limit() {
    // SAFETY: ignoring a signal needs nothing of this process.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}

/// The limits of this process that a worker inherits and may fail by, in words: of its address space, which most
/// processes have no limit of, and of its user's processes.
pub fn inherited_limits() -> Vec<String> {
    let address_space = getrlimit(Resource::As).maximum.map(|bytes| {
        format!("the limit on address space is {bytes} bytes (`ulimit -v`, RLIMIT_AS, LimitAS=): lift it, workers bound their memory themselves")
    });
    let tasks = getrlimit(Resource::Nproc).maximum.map(|tasks| {
        format!("the limit on the user's processes and threads is {tasks} (`ulimit -u`, RLIMIT_NPROC, LimitNPROC=)")
    });
    address_space.into_iter().chain(tasks).collect()
}

/// A worker's program, and the trusted settings it starts with.
#[derive(Clone, Debug)]
pub struct WorkerCommand {
    /// The program's file.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
}

impl WorkerCommand {
    /// Starts a worker: two channels as its standard input and output, an empty environment, nothing else.
    ///
    /// # Errors
    /// The program cannot be started, or the operating system has no descriptors or processes left.
    pub fn spawn(&self) -> io::Result<Worker> {
        let (channel, input) = Channel::pair()?;
        let (control, output) = Channel::pair()?;
        let (pid, pidfd) = spawner::spawn(self.clone(), input, output)?;
        Ok(Worker {
            channel,
            control,
            pid,
            pidfd,
            owner: ProcessIdentity::own(),
            exit: None,
        })
    }
}

/// A worker process. Dropping it kills it.
#[derive(Debug)]
pub struct Worker {
    /// Requests and answers.
    pub channel: Channel,
    /// What interrupts a request.
    pub control: Channel,
    pid: Pid,
    pidfd: Arc<OwnedFd>,
    /// Who may kill and reap it: a process that was forked from that one has this value too, and no such child.
    owner: ProcessIdentity,
    exit: Option<Exit>,
}

impl Worker {
    /// The process id. It is the worker's until the worker is reaped.
    pub fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().cast_unsigned()
    }

    /// Whether this process started it, and is no fork of the one that did.
    pub fn is_own(&self) -> bool {
        self.owner == ProcessIdentity::own()
    }

    /// Whether its number is still its own: once it is reaped, another process may have it.
    fn check_own(&self) -> Option<()> {
        self.exit.is_none().then_some(())
    }

    /// The CPU time it has used, over all threads. Nothing once it is reaped, as of the next two.
    pub fn cpu_time(&self) -> Option<Duration> {
        self.check_own()?;
        let mut clock = 0;
        // SAFETY: the pointer is valid for the call.
        let found =
            unsafe { libc::clock_getcpuclockid(self.pid.as_raw_nonzero().get(), &mut clock) };
        if found != 0 {
            return None;
        }
        let mut time = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // SAFETY: the pointer is valid for the call.
        let read = unsafe { libc::clock_gettime(clock, &mut time) };
        let seconds = u64::try_from(time.tv_sec).ok().filter(|_| read == 0)?;
        Some(Duration::new(seconds, u32::try_from(time.tv_nsec).ok()?))
    }

    /// The memory that it has in use now.
    pub fn resident_bytes(&self) -> Option<u64> {
        self.check_own()?;
        let statm = std::fs::read_to_string(format!("/proc/{}/statm", self.pid())).ok()?;
        let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
        pages.checked_mul(rustix::param::page_size() as u64)
    }

    /// The most memory that it has had in use. It has to be read while the process lives.
    pub fn peak_resident_bytes(&self) -> Option<u64> {
        self.check_own()?;
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))?;
        let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
        kibibytes.checked_mul(1024)
    }

    /// What it has now, by one look.
    pub fn status(&self) -> Option<Status> {
        self.check_own()?;
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).ok()?;
        Status::parse(&status)
    }

    /// Bytes that it has read from disks and written to them so far; nothing where the machine tells nobody.
    pub fn disk_bytes(&self) -> Option<(u64, u64)> {
        self.check_own()?;
        let io = std::fs::read_to_string(format!("/proc/{}/io", self.pid())).ok()?;
        let field = |name: &str| {
            let mut lines = io.lines();
            lines.find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
        };
        Some((field("read_bytes:")?, field("write_bytes:")?))
    }

    /// Bounds its private writable memory, so that the bound can be set anew: for a process that cannot do so itself.
    ///
    /// # Errors
    /// The process is gone.
    pub fn limit_data_for_now(&self, bytes: u64) -> io::Result<()> {
        let had = prlimit_of(self.pid, libc::RLIMIT_DATA)?;
        let limit = libc::rlimit {
            rlim_cur: bytes.min(had.rlim_max),
            ..had
        };
        set_prlimit_of(self.pid, libc::RLIMIT_DATA, &limit)
    }

    /// Bounds its private writable memory, and all of its address space where that is given.
    ///
    /// # Errors
    /// The process is gone, or the bounds are above those it has.
    pub fn limit_memory(
        &self,
        data_bytes: u64,
        address_space_bytes: Option<u64>,
    ) -> io::Result<()> {
        self.limit(Resource::Data, data_bytes)?;
        address_space_bytes.map_or(Ok(()), |bytes| self.limit(Resource::As, bytes))
    }

    /// Bounds its CPU time, over its whole life.
    ///
    /// # Errors
    /// As [`Self::limit_memory`].
    pub fn limit_cpu_seconds(&self, seconds: u64) -> io::Result<()> {
        self.limit(Resource::Cpu, seconds)
    }

    fn limit(&self, resource: Resource, value: u64) -> io::Result<()> {
        prlimit(
            Some(self.pid),
            resource,
            Rlimit {
                current: Some(value),
                maximum: Some(value),
            },
        )?;
        Ok(())
    }

    /// Kills it. One that is dead already is no error.
    pub fn kill(&self) {
        // The one failure is that there is nobody to kill.
        let _ = self.signal(Signal::KILL);
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// It is dead, or another process's child.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        if !self.is_own() {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        Ok(pidfd_send_signal(&self.pidfd, signal)?)
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// Somebody else has reaped it.
    pub fn wait(mut self) -> io::Result<Exit> {
        self.reap(0)?
            .ok_or_else(|| io::ErrorKind::WouldBlock.into())
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    /// As [`Self::wait`].
    pub fn try_wait(&mut self) -> io::Result<Option<Exit>> {
        self.reap(libc::WNOHANG)
    }

    /// Waits for its end until a deadline.
    ///
    /// # Errors
    /// As [`Self::wait`].
    pub fn wait_deadline(&mut self, deadline: Instant) -> io::Result<Option<Exit>> {
        loop {
            if let Some(exit) = self.try_wait()? {
                return Ok(Some(exit));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            let timeout = Timespec::try_from(left).map_err(|_| io::ErrorKind::InvalidInput)?;
            match poll(
                &mut [PollFd::new(&self.pidfd, PollFlags::IN)],
                Some(&timeout),
            ) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn reap(&mut self, options: i32) -> io::Result<Option<Exit>> {
        if self.exit.is_none() {
            self.exit = exit::wait(self.pid, options)?;
            if self.exit.is_some() {
                living::forget(&self.pidfd);
            }
        }
        Ok(self.exit)
    }
}

/// What a process has, by one look from outside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Its private writable memory, in use or not: what a limit on data counts.
    pub private_bytes: u64,
    /// Its memory in use.
    pub resident_bytes: u64,
    /// The most of that at once, over its life.
    pub peak_resident_bytes: u64,
    /// Its threads.
    pub threads: u64,
}

impl Status {
    fn parse(text: &str) -> Option<Self> {
        let mut status = Self::default();
        let kibibytes = |value: &str| {
            let value: u64 = value.trim().strip_suffix(" kB")?.parse().ok()?;
            value.checked_mul(1024)
        };
        for line in text.lines() {
            let Some((name, value)) = line.split_once(':') else {
                continue;
            };
            match name {
                "VmData" => status.private_bytes = kibibytes(value)?,
                "VmRSS" => status.resident_bytes = kibibytes(value)?,
                "VmHWM" => status.peak_resident_bytes = kibibytes(value)?,
                "Threads" => status.threads = value.trim().parse().ok()?,
                _ => {}
            }
        }
        // One that has ended has no memory any more.
        (status.private_bytes > 0).then_some(status)
    }
}

fn prlimit_of(pid: Pid, resource: libc::__rlimit_resource_t) -> io::Result<libc::rlimit> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    let pid = pid.as_raw_nonzero().get();
    // SAFETY: the pointer is valid for the call.
    match unsafe { libc::prlimit(pid, resource, std::ptr::null(), &mut limit) } {
        0 => Ok(limit),
        _ => Err(io::Error::last_os_error()),
    }
}

fn set_prlimit_of(
    pid: Pid,
    resource: libc::__rlimit_resource_t,
    limit: &libc::rlimit,
) -> io::Result<()> {
    let pid = pid.as_raw_nonzero().get();
    // SAFETY: the pointer is valid for the call.
    match unsafe { libc::prlimit(pid, resource, limit, std::ptr::null_mut()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

impl AsFd for Worker {
    /// The handle on the process, readable once it has ended.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if self.exit.is_none() && self.is_own() {
            self.kill();
            // It fails where somebody else has reaped the process: there is nothing left to do.
            let _ = self.reap(0);
            living::forget(&self.pidfd);
        }
    }
}
