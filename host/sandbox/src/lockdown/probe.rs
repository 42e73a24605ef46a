//! Attempts at what a locked worker must not be able to do.
//!
//! Each is the one system call in question, made as an intruder would make it: with arguments that would work if
//! nothing stood in the way. Nothing is allocated and nothing else is called, so that what kills the worker is
//! the call and not its preparation.

use super::supervisor;
use hotcell_model::probe::{Attempt, Attempted, Probe};
use std::cell::UnsafeCell;
use std::ffi::CStr;
use std::io;
use std::ptr;

type CallArguments = [u64; 6];

const FILE: &CStr = c"/etc/passwd";
const NEW_FILE: &CStr = c"/tmp/hotcell-probe";
/// As the current directory, where a call takes a descriptor.
const HERE: u64 = libc::AT_FDCWD.cast_unsigned() as u64;

/// A page of data of the worker's own.
#[repr(align(4096))]
struct Page(UnsafeCell<[u8; 4096]>);

// SAFETY: nothing but the kernel looks into it.
unsafe impl Sync for Page {}

static DATA: Page = Page(UnsafeCell::new([0; 4096]));

/// Makes an attempt.
pub(super) fn attempt(attempt: Attempt) -> Attempted {
    match attempt {
        Attempt::Call { number, arguments } => make(number.into(), &arguments),
        Attempt::Probe(probe) => with_arguments(probe, make),
    }
}

fn make(number: i64, arguments: &CallArguments) -> Attempted {
    let [a, b, c, d, e, f] = *arguments;
    // SAFETY: none can be given for a call with arbitrary arguments, which is what a worker that was taken over
    // makes. The filter refuses it, or the worker ends: this is the experiment.
    let result = unsafe { libc::syscall(number, a, b, c, d, e, f) };
    match result {
        -1 => Attempted::Refused(io::Error::last_os_error().raw_os_error().unwrap_or(0)),
        _ => Attempted::Succeeded(result),
    }
}

/// Structures that calls take, each good for its call.
struct Scratch {
    piece: libc::iovec,
    limit: libc::rlimit,
    thread: [u64; 11],
    program: libc::sock_fprog,
    zeros: [u64; 64],
}

impl Scratch {
    const ALLOW: libc::sock_filter = libc::sock_filter {
        code: 0x06,
        jt: 0,
        jf: 0,
        k: libc::SECCOMP_RET_ALLOW,
    };

    fn new(allow: &mut libc::sock_filter) -> Self {
        let mut thread = [0; 11];
        thread[0] = (libc::CLONE_VM | libc::CLONE_SIGHAND | libc::CLONE_THREAD) as u64;
        thread[5] = DATA.0.get().addr() as u64;
        thread[6] = 4096;
        Self {
            piece: libc::iovec {
                iov_base: DATA.0.get().cast(),
                iov_len: 8,
            },
            limit: libc::rlimit {
                rlim_cur: libc::RLIM_INFINITY,
                rlim_max: libc::RLIM_INFINITY,
            },
            thread,
            program: libc::sock_fprog {
                len: 1,
                filter: allow,
            },
            zeros: [0; 64],
        }
    }
}

fn with_arguments(probe: Probe, make: impl Fn(i64, &CallArguments) -> Attempted) -> Attempted {
    let mut allow = Scratch::ALLOW;
    let scratch = Scratch::new(&mut allow);
    let (number, arguments) = files(probe)
        .or_else(|| sockets_and_processes(probe, &scratch))
        .or_else(|| memory_and_kernel(probe, &scratch))
        .unwrap_or_else(|| privileges(probe, &scratch));
    let attempted = make(number, &arguments);
    if probe == Probe::Fork && attempted == Attempted::Succeeded(0) {
        // The child. It must not answer for its parent.
        // SAFETY: the call does not return.
        unsafe { libc::_exit(0) }
    }
    attempted
}

fn files(probe: Probe) -> Option<(i64, CallArguments)> {
    let create = (libc::O_CREAT | libc::O_WRONLY) as u64;
    let device = u64::from(libc::S_IFCHR | 0o600);
    Some(match probe {
        Probe::OpenFile => (libc::SYS_openat, [HERE, text(FILE), 0, 0, 0, 0]),
        Probe::CreateFile => (
            libc::SYS_openat,
            [HERE, text(NEW_FILE), create, 0o600, 0, 0],
        ),
        Probe::StatFile => (
            libc::SYS_newfstatat,
            [HERE, text(FILE), DATA.0.get().addr() as u64, 0, 0, 0],
        ),
        Probe::ReadLink => {
            let (link, buffer) = (text(c"/proc/self/exe"), DATA.0.get().addr() as u64);
            (libc::SYS_readlinkat, [HERE, link, buffer, 256, 0, 0])
        }
        Probe::WriteStandardError => (libc::SYS_write, [2, text(c"probe\n"), 6, 0, 0, 0]),
        Probe::MakeDevice => (
            libc::SYS_mknodat,
            [HERE, text(NEW_FILE), device, libc::makedev(1, 3), 0, 0],
        ),
        Probe::Mount => {
            let (name, place) = (text(c"tmpfs"), text(c"/"));
            (libc::SYS_mount, [name, place, name, 0, 0, 0])
        }
        Probe::Chroot => (libc::SYS_chroot, [text(c"/"), 0, 0, 0, 0, 0]),
        _ => return None,
    })
}

fn sockets_and_processes(probe: Probe, scratch: &Scratch) -> Option<(i64, CallArguments)> {
    let stream = libc::SOCK_STREAM as u64;
    let socket = |family: u64| (libc::SYS_socket, [family, stream, 0, 0, 0, 0]);
    let parent = u64::from(supervisor().cast_unsigned());
    let piece = address(&scratch.piece);
    Some(match probe {
        Probe::InternetSocket => socket(libc::AF_INET as u64),
        Probe::UnixSocket => socket(libc::AF_UNIX as u64),
        Probe::NetlinkSocket => (
            libc::SYS_socket,
            [libc::AF_NETLINK as u64, libc::SOCK_RAW as u64, 0, 0, 0, 0],
        ),
        Probe::Execute => (libc::SYS_execve, [text(c"/bin/true"), 0, 0, 0, 0, 0]),
        Probe::Fork => (libc::SYS_clone, [libc::SIGCHLD as u64, 0, 0, 0, 0, 0]),
        Probe::Thread => (libc::SYS_clone3, [address(&scratch.thread), 88, 0, 0, 0, 0]),
        Probe::SignalParent => (libc::SYS_kill, [parent, 0, 0, 0, 0, 0]),
        Probe::TraceParent => (
            libc::SYS_ptrace,
            [u64::from(libc::PTRACE_SEIZE), parent, 0, 0, 0, 0],
        ),
        Probe::OpenPidfd => (libc::SYS_pidfd_open, [parent, 0, 0, 0, 0, 0]),
        Probe::StealDescriptor => (libc::SYS_pidfd_getfd, [0, 0, 0, 0, 0, 0]),
        Probe::ReadMemory => (libc::SYS_process_vm_readv, [parent, piece, 1, piece, 1, 0]),
        Probe::WriteMemory => (libc::SYS_process_vm_writev, [parent, piece, 1, piece, 1, 0]),
        Probe::InstallHandler => (
            libc::SYS_rt_sigaction,
            [libc::SIGUSR1 as u64, address(&scratch.zeros), 0, 8, 0, 0],
        ),
        Probe::PushInput => (libc::SYS_ioctl, [0, libc::TIOCSTI, text(c"x"), 0, 0, 0]),
        _ => return None,
    })
}

fn memory_and_kernel(probe: Probe, scratch: &Scratch) -> Option<(i64, CallArguments)> {
    let (r, w, x) = (
        libc::PROT_READ as u64,
        libc::PROT_WRITE as u64,
        libc::PROT_EXEC as u64,
    );
    let fresh = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as u64;
    let data = DATA.0.get().addr() as u64;
    let code = (attempt as fn(Attempt) -> Attempted) as usize as u64 & !4095;
    let zeros = address(&scratch.zeros);
    Some(match probe {
        Probe::MapWritableExecutable => (libc::SYS_mmap, [0, 4096, r | w | x, fresh, u64::MAX, 0]),
        Probe::MapExecutable => (libc::SYS_mmap, [0, 4096, r | x, fresh, u64::MAX, 0]),
        Probe::MakeExecutable => (libc::SYS_mprotect, [data, 4096, r | x, 0, 0, 0]),
        // Executable still: code that is not would be no use to anyone.
        Probe::MakeCodeWritable => (libc::SYS_mprotect, [code, 4096, r | w | x, 0, 0, 0]),
        Probe::MakeMemfd => (libc::SYS_memfd_create, [text(c"probe"), 0, 0, 0, 0, 0]),
        Probe::IoUring => (libc::SYS_io_uring_setup, [1, zeros, 0, 0, 0, 0]),
        Probe::Bpf => (libc::SYS_bpf, [0, zeros, 64, 0, 0, 0]),
        Probe::PerfEvents => (
            libc::SYS_perf_event_open,
            [zeros, 0, u64::MAX, u64::MAX, 0, 0],
        ),
        Probe::Userfaultfd => (libc::SYS_userfaultfd, [0; 6]),
        Probe::Keyctl => (libc::SYS_keyctl, [0, u64::MAX, 0, 0, 0, 0]),
        Probe::LoadModule => (libc::SYS_init_module, [data, 4096, text(c""), 0, 0, 0]),
        // Of its commands, the harmless one: the keyboard's restart is switched off.
        Probe::Reboot => {
            let magic = [
                libc::LINUX_REBOOT_MAGIC1,
                libc::LINUX_REBOOT_MAGIC2,
                libc::RB_DISABLE_CAD,
            ];
            let [first, second, command] = magic.map(|part| u64::from(part.cast_unsigned()));
            (libc::SYS_reboot, [first, second, command, 0, 0, 0])
        }
        _ => return None,
    })
}

fn privileges(probe: Probe, scratch: &Scratch) -> (i64, CallArguments) {
    let files = u64::from(libc::RLIMIT_NOFILE);
    match probe {
        Probe::Unshare => (
            libc::SYS_unshare,
            [libc::CLONE_NEWUSER as u64, 0, 0, 0, 0, 0],
        ),
        Probe::Setns => (libc::SYS_setns, [0; 6]),
        Probe::SetUser => (libc::SYS_setuid, [0; 6]),
        Probe::RaiseLimits => (
            libc::SYS_prlimit64,
            [0, files, address(&scratch.limit), 0, 0, 0],
        ),
        Probe::MakeDumpable => (
            libc::SYS_prctl,
            [libc::PR_SET_DUMPABLE as u64, 1, 0, 0, 0, 0],
        ),
        Probe::ChangeFilter => {
            let (install, every_thread) = (u64::from(libc::SECCOMP_SET_MODE_FILTER), 1);
            (
                libc::SYS_seccomp,
                [install, every_thread, address(&scratch.program), 0, 0, 0],
            )
        }
        Probe::PickProcessors => (
            libc::SYS_sched_setaffinity,
            [0, 8, address(&scratch.zeros), 0, 0, 0],
        ),
        _ => (
            libc::SYS_setpriority,
            [libc::PRIO_PROCESS as u64, 0, 5, 0, 0, 0],
        ),
    }
}

fn text(text: &'static CStr) -> u64 {
    text.as_ptr().addr() as u64
}

fn address<T>(value: &T) -> u64 {
    ptr::from_ref(value).expose_provenance() as u64
}
