//! The allow-lists of guarded processes: one that Python and NumPy need, and what each library's profile adds.
//!
//! Measured: each library's own examples under `strace`, imports included, and then held by tests that run them guarded.
//! Paths are nobody's concern here: namespaces and Landlock say what can be reached. Calls that make processes are answered as where
//! there are as many as may be; what is in no rule is noted, and answered with "not permitted".

use super::{
    ACCOUNTED, FIRST_OTHER, NOT_EXECUTABLE, OWN_CLOCKS, THREAD, at_least, at_most, is, masked,
    null, own,
};
use crate::filter::{Action, FilterRule};
use hotcell_model::guard::GuardProfile;

/// All of a futex's operation but its variants.
const FUTEX_OPERATION: i32 = !(libc::FUTEX_PRIVATE_FLAG | libc::FUTEX_CLOCK_REALTIME);
/// Machine code: to be run, and not to be written.
const CODE: i32 = libc::PROT_READ | libc::PROT_EXEC;
/// A kind of `fcntl`'s that Python's own files are locked with: none of it leaves the process's folder.
const PIPES: i32 = !(libc::O_CLOEXEC | libc::O_NONBLOCK);
/// Whether memory is shared or not, and nothing beyond.
const SHARING: i32 = libc::MAP_TYPE;
/// Requests to terminals, pipes and files, as `asm-generic/ioctls.h` of Linux numbers them: `TCGETS`, `FIONREAD`, `FIOCLEX`,
/// `FIONBIO`, `TIOCGWINSZ`.
const TCGETS: i32 = 0x5401;
const FIONREAD: i32 = 0x541b;
const FIOCLEX: i32 = 0x5451;
const FIONBIO: i32 = 0x5421;
const WINDOW: i32 = 0x5413;
/// `PR_SET_VMA`, by which allocators name memory.
const SET_VMA: i32 = 0x5356_4d41;

/// What every profile has.
pub(in crate::filter) const GUARDED: &[FilterRule] = rules! {
    Allow SYS_recvmsg [is(0, FIRST_OTHER)] "calls";
    Allow SYS_sendmsg [is(0, FIRST_OTHER)] "how calls ended";
    Allow SYS_read "files, the log's pipe, its own pipes";
    Allow SYS_readv "files";
    Allow SYS_pread64 "files";
    Allow SYS_write "the log, files in its folder";
    Allow SYS_writev "the log of native code";
    Allow SYS_pwrite64 "files in its folder";
    Allow SYS_lseek "files";
    Allow SYS_openat "imports; its folder: Landlock and mounts say what else";
    Allow SYS_open "the same, as older code does it";
    Allow SYS_close "files, handed-over memory";
    Allow SYS_fstat "files";
    Allow SYS_stat "imports";
    Allow SYS_lstat "imports";
    Allow SYS_newfstatat "imports";
    Allow SYS_statx "the same, as newer code does it";
    Allow SYS_access "libraries look for files";
    Allow SYS_faccessat "the same";
    Allow SYS_faccessat2 "the same";
    Allow SYS_readlink "`os.path.realpath`, the loader";
    Allow SYS_readlinkat "the same";
    Allow SYS_getdents64 "imports list directories";
    Allow SYS_getcwd "relative paths";
    Allow SYS_chdir "a program's own folder";
    Allow SYS_statfs "`shutil.disk_usage`; libraries ask what kind of file system it is";
    Allow SYS_fstatfs "the same";
    Allow SYS_umask "`tempfile`";
    Allow SYS_mkdir "its folder";
    Allow SYS_mkdirat "its folder";
    Allow SYS_rmdir "its folder";
    Allow SYS_unlink "its folder";
    Allow SYS_unlinkat "its folder";
    Allow SYS_rename "its folder: files that are replaced whole";
    Allow SYS_renameat "the same";
    Allow SYS_renameat2 "the same";
    Allow SYS_ftruncate "files in its folder";
    Allow SYS_fallocate "the same";
    Allow SYS_fsync "the same";
    Allow SYS_fdatasync "the same";
    Allow SYS_flock "locks of caches in its folder";
    Allow SYS_chmod "files in its folder";
    Allow SYS_fchmod "the same";
    Allow SYS_utimensat "the same";
    Allow SYS_truncate "the same";
    Allow SYS_symlink "its folder";
    Allow SYS_symlinkat "its folder";
    Allow SYS_link "its folder";
    Allow SYS_linkat "its folder";
    Allow SYS_fadvise64 "files that are read from their beginning to their end";
    Allow SYS_copy_file_range "`shutil.copy`";
    Allow SYS_sendfile "the same";
    Allow SYS_dup "`contextlib.redirect_stdout` and its like";
    Allow SYS_dup2 [at_most(1, libc::STDERR_FILENO)] "output of native code that is redirected";
    Allow SYS_dup3 [at_most(1, libc::STDERR_FILENO)] "the same";
    Allow SYS_pipe2 [masked(1, PIPES, 0)] "a program's own pipes";
    Allow SYS_eventfd2 "a program's own wake-ups";
    Allow SYS_epoll_create1 "`asyncio`, `selectors`";
    Allow SYS_epoll_ctl "the same";
    Allow SYS_epoll_wait "the same";
    Allow SYS_epoll_pwait "the same";
    Allow SYS_socketpair [is(0, libc::AF_UNIX)] "`asyncio` wakes itself: both ends are the process's own";
    Allow SYS_sendto [null(4)] "the same, with no address";
    Allow SYS_recvfrom "the same";
    Allow SYS_getsockname "the same";
    Allow SYS_poll "waits with a deadline";
    Allow SYS_ppoll "the same";
    Allow SYS_select "`time.sleep`, `selectors`";
    Allow SYS_pselect6 "the same";
    Allow SYS_fcntl [is(1, libc::F_GETFD)] "descriptors that are not inherited";
    Allow SYS_fcntl [is(1, libc::F_SETFD)] "the same";
    Allow SYS_fcntl [is(1, libc::F_GETFL)] "files that Python opens by number";
    Allow SYS_fcntl [is(1, libc::F_SETFL)] "a program's own pipes";
    Allow SYS_fcntl [is(1, libc::F_DUPFD_CLOEXEC)] "`mmap` keeps a descriptor";
    Allow SYS_fcntl [is(1, libc::F_SETLK)] "locks of caches in its folder";
    Allow SYS_fcntl [is(1, libc::F_GETLK)] "the same";
    Allow SYS_fcntl [is(1, libc::F_SETLKW)] "the same";
    Allow SYS_fcntl [is(1, libc::F_GET_SEALS)] "handed-over memory";
    Allow SYS_ioctl [is(1, TCGETS)] "Python asks whether a file is a terminal";
    Allow SYS_ioctl [is(1, FIONREAD)] "how much is in a pipe";
    Allow SYS_ioctl [is(1, FIOCLEX)] "descriptors that are not inherited";
    Allow SYS_ioctl [is(1, FIONBIO)] "a program's own pipes";
    Allow SYS_ioctl [is(1, WINDOW)] "`shutil.get_terminal_size`";
    Allow SYS_mmap [
        at_most(2, NOT_EXECUTABLE),
        masked(3, ACCOUNTED, libc::MAP_PRIVATE)
    ] "allocators, stacks, handed-over memory, libraries' data";
    Allow SYS_mmap [
        is(2, CODE),
        masked(3, SHARING, libc::MAP_PRIVATE),
        at_least(4, FIRST_OTHER),
        at_most(4, LAST_DESCRIPTOR)
    ] "code of libraries that are imported";
    Allow SYS_mmap [
        at_most(2, NOT_EXECUTABLE),
        is(3, libc::MAP_SHARED),
        at_least(4, FIRST_OTHER),
        at_most(4, LAST_DESCRIPTOR)
    ] "results; files in its folder";
    Allow SYS_mprotect [at_most(2, NOT_EXECUTABLE)] "allocators, stacks, libraries' data once it is relocated";
    Allow SYS_mremap [is(3, libc::MREMAP_MAYMOVE)] "allocators: large blocks that grow";
    Allow SYS_munmap "allocators, handed-over memory, stacks";
    Allow SYS_madvise [is(2, libc::MADV_DONTNEED)] "allocators, stacks of threads that end";
    Allow SYS_madvise [is(2, libc::MADV_FREE)] "allocators";
    Allow SYS_madvise [is(2, libc::MADV_HUGEPAGE)] "NumPy's large arrays";
    Allow SYS_madvise [is(2, libc::MADV_NOHUGEPAGE)] "allocators";
    Allow SYS_madvise [is(2, libc::MADV_WILLNEED)] "files that are mapped";
    Allow SYS_madvise [is(2, libc::MADV_SEQUENTIAL)] "the same";
    Allow SYS_madvise [is(2, libc::MADV_RANDOM)] "the same";
    Allow SYS_madvise [is(2, libc::MADV_DONTDUMP)] "allocators";
    Allow SYS_msync "files that are mapped";
    Allow SYS_mincore "`libunwind` asks whether an address is memory";
    Allow SYS_brk "the allocator";
    Allow SYS_futex [masked(1, FUTEX_OPERATION, libc::FUTEX_WAIT)] "locks";
    Allow SYS_futex [masked(1, FUTEX_OPERATION, libc::FUTEX_WAKE)] "locks, threads that are given work";
    Allow SYS_futex [masked(1, FUTEX_OPERATION, libc::FUTEX_WAIT_BITSET)] "waits with a deadline";
    Allow SYS_futex [masked(1, FUTEX_OPERATION, libc::FUTEX_WAKE_BITSET)] "the same";
    Allow SYS_futex [masked(1, FUTEX_OPERATION, libc::FUTEX_REQUEUE)] "condition variables";
    Allow SYS_futex [masked(1, FUTEX_OPERATION, libc::FUTEX_CMP_REQUEUE)] "the same";
    Allow SYS_futex [masked(1, FUTEX_OPERATION, libc::FUTEX_WAKE_OP)] "the same";
    Allow SYS_clone [is(0, THREAD)] "threads";
    Allow SYS_set_robust_list "a thread's start";
    Allow SYS_rseq "a thread's start";
    Allow SYS_set_tid_address "a thread's start";
    Allow SYS_gettid "threads' numbers";
    Allow SYS_getpid "`os.getpid`";
    Allow SYS_getppid "`os.getppid`";
    Allow SYS_getuid "`os.path.expanduser`, `tempfile`";
    Allow SYS_geteuid "the same";
    Allow SYS_getgid "the same";
    Allow SYS_getegid "the same";
    Allow SYS_getresuid "the same";
    Allow SYS_getresgid "the same";
    Allow SYS_getgroups "the same";
    Allow SYS_getpgrp "`os.getpgrp`";
    Allow SYS_uname "`platform`";
    Allow SYS_sysinfo "how much memory there is";
    Allow SYS_getrusage "what was used";
    Allow SYS_times "the same";
    Allow SYS_getrlimit "its own limits";
    Allow SYS_prlimit64 [null(2)] "its own limits, to be read";
    Allow SYS_getcpu "which processor it is on";
    Allow SYS_sched_getaffinity "processors are counted";
    Allow SYS_sched_yield "locks that spin first";
    Allow SYS_sched_getscheduler "threads' attributes";
    Allow SYS_sched_getparam "the same";
    Allow SYS_sched_get_priority_max "the same";
    Allow SYS_sched_get_priority_min "the same";
    Allow SYS_clock_gettime [at_most(0, libc::CLOCK_TAI)] "clocks that the vDSO has not";
    Allow SYS_clock_getres "the same";
    Allow SYS_gettimeofday "the same";
    Allow SYS_time "the same";
    Allow SYS_clock_nanosleep [at_most(0, OWN_CLOCKS)] "`time.sleep`";
    Allow SYS_nanosleep "the same, as older code does it";
    Allow SYS_getrandom "hash maps, random numbers";
    Allow SYS_getitimer "`signal`";
    Allow SYS_setitimer "`signal.setitimer`, which sends nobody else anything";
    Allow SYS_alarm "the same";
    Allow SYS_rt_sigaction "`signal`, `faulthandler`";
    Allow SYS_rt_sigprocmask "threads' start and end";
    Allow SYS_rt_sigreturn "handlers";
    Allow SYS_rt_sigtimedwait "`signal.sigtimedwait`";
    Allow SYS_rt_sigpending "`signal.sigpending`";
    Allow SYS_sigaltstack "a thread's stack for handlers";
    Allow SYS_tgkill [own(0)] "`abort`, `signal.raise_signal`";
    Allow SYS_kill [own(0)] "`os.kill` of itself";
    Allow SYS_prctl [is(0, libc::PR_SET_NAME)] "a thread's name";
    Allow SYS_prctl [is(0, libc::PR_GET_NAME)] "the same";
    Allow SYS_prctl [is(0, SET_VMA)] "memory's names";
    Allow SYS_arch_prctl "a thread's own storage";
    Allow SYS_restart_syscall "waits that a signal interrupted";
    Allow SYS_exit "a thread's end";
    Allow SYS_exit_group "the end";
    Refuse SYS_clone3 "threads: its arguments cannot be looked at, and `clone` serves in its place";
    Refuse SYS_openat2 "what it is asked for cannot be looked at, and `openat` serves in its place";
    Refuse SYS_io_uring_setup "libraries live without";
    Refuse SYS_socket [is(0, libc::AF_UNIX)] "the C library asks `nscd` for users' names, and lives without";
    Refuse SYS_mbind "OpenBLAS: where its memory is to be, which it lives without";
    Refuse SYS_set_mempolicy "the same, of other libraries";
    Refuse SYS_sched_setaffinity "MKL counts processors by moving to each, and lives without";
    Limit SYS_fork "there are no other processes";
    Limit SYS_vfork "the same";
    Limit SYS_clone [masked(0, libc::CLONE_THREAD, 0)] "the same";
};

/// The highest number that a descriptor has: what is mapped without one says -1, which is above.
const LAST_DESCRIPTOR: i32 = 1 << 20;

const NUMPY: &[FilterRule] = &[];

const JAX: &[FilterRule] = rules! {
    Allow SYS_mprotect [is(2, CODE)] "LLVM: machine code of XLA's, once it is written";
    Allow SYS_mprotect [is(2, CODE | libc::PROT_WRITE)] "oneDNN: machine code while it is written";
};

const TAICHI: &[FilterRule] = rules! {
    Allow SYS_mprotect [is(2, CODE)] "LLVM: machine code of kernels, once it is written";
};

const TORCH_CPU: &[FilterRule] = rules! {
    Allow SYS_mprotect [is(2, CODE)] "oneDNN, and what `torch.jit` makes: machine code, once it is written";
    Allow SYS_mprotect [is(2, CODE | libc::PROT_WRITE)] "oneDNN: machine code while it is written";
};

/// What a profile adds.
pub(in crate::filter) fn of_profile(profile: GuardProfile) -> &'static [FilterRule] {
    match profile {
        GuardProfile::Numpy => NUMPY,
        GuardProfile::Jax => JAX,
        GuardProfile::Taichi => TAICHI,
        GuardProfile::TorchCpu => TORCH_CPU,
    }
}
