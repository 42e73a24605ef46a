//! What a locked worker is asked to try, to prove that it cannot.
//!
//! A probe is a request like any other: a worker that is taken over could try the same without being asked,
//! so that serving probes gives nothing away.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! probes {
    ($($(#[$doc:meta])* $variant:ident = $claim:literal;)*) => {
        /// Something that a worker must not be able to do.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Probe {
            $($(#[$doc])* $variant,)*
        }

        impl Probe {
            /// Every probe.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// What it tries, for people.
            pub fn claim(self) -> &'static str {
                match self { $(Self::$variant => $claim,)* }
            }
        }
    };
}

probes! {
    /// `openat` for reading.
    OpenFile = "open a file";
    /// `openat` with `O_CREAT`.
    CreateFile = "create a file";
    /// `newfstatat`.
    StatFile = "look whether a file exists";
    /// `getdents64`, `readlink` of `/proc/self/exe`.
    ReadLink = "read where its own program is";
    /// `socket(AF_INET)`.
    InternetSocket = "open a network socket";
    /// `socket(AF_UNIX)`.
    UnixSocket = "open a local socket";
    /// `socket(AF_NETLINK)`.
    NetlinkSocket = "open a socket to the operating system's kernel";
    /// `execve`.
    Execute = "execute a program";
    /// `clone` with `SIGCHLD`.
    Fork = "make a process";
    /// `clone3` for a thread.
    Thread = "make a thread";
    /// `kill` of its parent with signal 0.
    SignalParent = "signal its supervisor";
    /// `ptrace(PTRACE_SEIZE)` of its parent.
    TraceParent = "trace its supervisor";
    /// `pidfd_open` of its parent.
    OpenPidfd = "get a handle on its supervisor";
    /// `pidfd_getfd`.
    StealDescriptor = "steal a descriptor";
    /// `process_vm_readv` of its parent.
    ReadMemory = "read its supervisor's memory";
    /// `process_vm_writev` of its parent.
    WriteMemory = "write its supervisor's memory";
    /// `mmap` writable and executable.
    MapWritableExecutable = "map memory both writable and executable";
    /// `mmap` executable.
    MapExecutable = "map fresh executable memory";
    /// `mprotect` of its own data to executable.
    MakeExecutable = "make its data executable";
    /// `mprotect` of its own code to writable.
    MakeCodeWritable = "make its code writable";
    /// `memfd_create`.
    MakeMemfd = "make a file in memory";
    /// `rt_sigaction`.
    InstallHandler = "install a signal handler";
    /// `io_uring_setup`.
    IoUring = "set up io_uring";
    /// `bpf`.
    Bpf = "load a BPF program";
    /// `perf_event_open`.
    PerfEvents = "open performance counters";
    /// `userfaultfd`.
    Userfaultfd = "handle its own page faults";
    /// `keyctl`.
    Keyctl = "use the kernel's key ring";
    /// `unshare(CLONE_NEWUSER)`.
    Unshare = "make a namespace";
    /// `setns`.
    Setns = "enter a namespace";
    /// `mount`.
    Mount = "mount a file system";
    /// `chroot`.
    Chroot = "change its root directory";
    /// `setuid`.
    SetUser = "change its user";
    /// `prlimit64`.
    RaiseLimits = "raise its limits";
    /// `prctl(PR_SET_DUMPABLE)`.
    MakeDumpable = "make itself traceable";
    /// `seccomp`.
    ChangeFilter = "change its filter";
    /// `write` to standard error.
    WriteStandardError = "write to standard error";
    /// `sched_setaffinity`.
    PickProcessors = "pick its processors";
    /// `setpriority`.
    RaisePriority = "change its priority";
    /// `ioctl(TIOCSTI)`.
    PushInput = "type into a terminal";
    /// `mknodat`.
    MakeDevice = "make a device";
    /// `reboot`.
    Reboot = "restart the machine";
    /// `init_module`.
    LoadModule = "load a kernel module";
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.claim())
    }
}

/// What a locked worker is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Attempt {
    /// Something that it must not be able to do.
    Probe(Probe),
    /// A system call by number, with raw arguments: for tests of single rules of a filter.
    Call {
        /// The number.
        number: u32,
        /// The arguments.
        arguments: [u64; 6],
    },
}

/// What came of an attempt that the worker survived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Attempted {
    /// Refused with that error number.
    Refused(i32),
    /// It worked, and the call returned that.
    Succeeded(i64),
}
