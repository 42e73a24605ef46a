//! The allow-lists of GPU workers, one for each kind of driver.
//!
//! That for software drivers is measured: Mesa's lavapipe 22.3 compiling shaders that it had not seen, with buffers
//! up to what a binding may be, and what is known of later versions. That for hardware follows what drivers are known
//! to do with a device that is open, and has not been tried on any. Files that drivers look for are
//! answered with an error and do not kill, since versions differ in when they look.

use super::{
    ACCOUNTED, CHANNEL, FIRST_OTHER, NOT_EXECUTABLE, OWN_CLOCKS, THREAD, at_least, at_most, is,
    masked,
};
use crate::filter::{Action, FilterRule};

/// All of a futex's operation but its variants.
const FUTEX_OPERATION: i32 = !(libc::FUTEX_PRIVATE_FLAG | libc::FUTEX_CLOCK_REALTIME);
/// The kind of device in a request to one.
const REQUEST_KIND: i32 = 0xff << 8;
/// Requests to the kernel's graphics drivers, NVIDIA's own, fences in files, shared buffers.
const DRM: i32 = (b'd' as i32) << 8;
const NVIDIA: i32 = (b'F' as i32) << 8;
const SYNC_FILE: i32 = (b'>' as i32) << 8;
const DMA_BUF: i32 = (b'b' as i32) << 8;
/// Machine code: to be run, and not to be written.
const CODE: i32 = libc::PROT_READ | libc::PROT_EXEC;

/// Shaders become machine code in this process, and run on threads of it.
pub(in crate::filter) const GPU_SOFTWARE: &[FilterRule] = rules! {
    Allow SYS_recvmsg [is(0, CHANNEL)] "launches";
    Allow SYS_recvmsg [at_least(0, FIRST_OTHER)] "a launch's commands";
    Allow SYS_sendmsg [is(0, CHANNEL)] "how launches ended";
    Allow SYS_sendmsg [at_least(0, FIRST_OTHER)] "answers to commands";
    Allow SYS_shutdown [at_least(0, FIRST_OTHER)] "a launch's channel, once it is served";
    Allow SYS_poll [at_least(1, 1)] "waiting for a channel to be hung up";
    Allow SYS_ppoll [at_least(1, 1)] "the same, as other libraries do it";
    Allow SYS_fstat "the size of handed-over memory";
    Allow SYS_fcntl [is(1, libc::F_GET_SEALS)] "the seals of handed-over memory";
    Allow SYS_fcntl [is(1, libc::F_DUPFD_CLOEXEC)] "a launch's channel, for two threads";
    Allow SYS_close "handed-over memory, channels";
    Allow SYS_mmap [
        at_most(2, NOT_EXECUTABLE),
        masked(3, ACCOUNTED, libc::MAP_PRIVATE)
    ] "the allocator, buffers, inputs, code before it is sealed, stacks";
    Allow SYS_mmap [
        at_most(2, NOT_EXECUTABLE),
        is(3, libc::MAP_SHARED),
        at_least(4, FIRST_OTHER)
    ] "outputs; buffers, which later versions of the driver keep in one file";
    Allow SYS_ftruncate [at_least(0, FIRST_OTHER)] "the file of buffers, of later versions";
    Allow SYS_fallocate [at_least(0, FIRST_OTHER)] "the file of buffers, of later versions";
    Allow SYS_mprotect [at_most(2, NOT_EXECUTABLE)] "the allocator's arenas, stacks, constants of code";
    Allow SYS_mprotect [is(2, CODE)] "the shaders' machine code";
    Allow SYS_mremap [is(3, libc::MREMAP_MAYMOVE)] "the allocator: large vectors that grow";
    Allow SYS_munmap "the allocator, buffers, code, handed-over memory, stacks";
    Allow SYS_madvise [is(2, libc::MADV_DONTNEED)] "the allocator, stacks of threads that end";
    Allow SYS_madvise [is(2, libc::MADV_HUGEPAGE)] "outputs' memory";
    Allow SYS_brk "the allocator";
    Allow SYS_futex [masked(1, FUTEX_OPERATION, libc::FUTEX_WAIT)] "locks";
    Allow SYS_futex [masked(1, FUTEX_OPERATION, libc::FUTEX_WAKE)] "locks, threads that are given work";
    Allow SYS_futex [masked(1, FUTEX_OPERATION, libc::FUTEX_WAIT_BITSET)] "fences, with a deadline";
    Allow SYS_sched_yield "locks that spin first";
    Allow SYS_clock_gettime [at_most(0, OWN_CLOCKS)] "deadlines, where the vDSO has no clock";
    Allow SYS_clock_nanosleep [at_most(0, libc::CLOCK_MONOTONIC)] "waits that look now and then";
    Allow SYS_getrandom "hash maps";
    Allow SYS_clone [is(0, THREAD)] "threads that the driver starts when they are needed";
    Allow SYS_set_robust_list "a thread's start";
    Allow SYS_rseq "a thread's start";
    Allow SYS_rt_sigprocmask "a thread's start and end";
    Allow SYS_prctl [is(0, libc::PR_SET_NAME)] "a thread's name";
    Allow SYS_exit "a thread's end";
    Allow SYS_exit_group "the end";
    Refuse SYS_clone3 "threads: its arguments cannot be looked at, and `clone` serves in its place";
    Refuse SYS_openat "caches, and what the driver asks about the machine";
    Refuse SYS_newfstatat "the same";
    Refuse SYS_access "the same";
    Refuse SYS_readlink "the same";
    Refuse SYS_lseek "compilers ask where standard error stands";
    Refuse SYS_memfd_create "memory to be handed on, which nobody is";
    Refuse SYS_sysinfo "how much memory the machine has";
    Refuse SYS_sched_getaffinity "processors were counted when the driver was loaded";
    Refuse SYS_sched_setaffinity "threads are not pinned";
    Refuse SYS_gettid "a thread's number, for messages";
    Refuse SYS_getpid "names of caches";
    Refuse SYS_sigaltstack "the standard library's clean-up at the end of a thread";
    Refuse SYS_fcntl [is(1, libc::F_GETFD)] "debug builds look at what they close";
};

/// Shaders run on a device, which is asked by requests on descriptors that are open. Nothing becomes executable.
pub(in crate::filter) const GPU_HARDWARE: &[FilterRule] = rules! {
    Allow SYS_recvmsg [is(0, CHANNEL)] "launches";
    Allow SYS_recvmsg [at_least(0, FIRST_OTHER)] "a launch's commands";
    Allow SYS_sendmsg [is(0, CHANNEL)] "how launches ended";
    Allow SYS_sendmsg [at_least(0, FIRST_OTHER)] "answers to commands";
    Allow SYS_shutdown [at_least(0, FIRST_OTHER)] "a launch's channel, once it is served";
    Allow SYS_poll [at_least(1, 1)] "waiting for a channel to be hung up; fences";
    Allow SYS_ppoll [at_least(1, 1)] "the same, as other libraries do it";
    Allow SYS_fstat "the size of handed-over memory";
    Allow SYS_fcntl [is(1, libc::F_GET_SEALS)] "the seals of handed-over memory";
    Allow SYS_fcntl [is(1, libc::F_DUPFD_CLOEXEC)] "a launch's channel, for two threads; the device";
    Allow SYS_close "handed-over memory, channels, fences";
    Allow SYS_ioctl [at_least(0, FIRST_OTHER), masked(1, REQUEST_KIND, DRM)] "AMD, Intel, nouveau";
    Allow SYS_ioctl [at_least(0, FIRST_OTHER), masked(1, REQUEST_KIND, NVIDIA)] "NVIDIA";
    Allow SYS_ioctl [
        at_least(0, FIRST_OTHER),
        masked(1, !0xff, 0)
    ] "NVIDIA's unified memory, whose requests name no kind";
    Allow SYS_ioctl [at_least(0, FIRST_OTHER), masked(1, REQUEST_KIND, SYNC_FILE)] "fences in files";
    Allow SYS_ioctl [at_least(0, FIRST_OTHER), masked(1, REQUEST_KIND, DMA_BUF)] "shared buffers";
    Allow SYS_mmap [
        at_most(2, NOT_EXECUTABLE),
        masked(3, ACCOUNTED, libc::MAP_PRIVATE)
    ] "the allocator, inputs, addresses kept for the device, stacks";
    Allow SYS_mmap [
        at_most(2, NOT_EXECUTABLE),
        masked(3, libc::MAP_TYPE | libc::MAP_ANONYMOUS, libc::MAP_SHARED),
        at_least(4, FIRST_OTHER)
    ] "the device's memory, outputs";
    Allow SYS_mprotect [at_most(2, NOT_EXECUTABLE)] "the allocator's arenas, stacks";
    Allow SYS_mremap [is(3, libc::MREMAP_MAYMOVE)] "the allocator: large vectors that grow";
    Allow SYS_munmap "the allocator, the device's memory, handed-over memory, stacks";
    Allow SYS_madvise [is(2, libc::MADV_DONTNEED)] "the allocator, stacks of threads that end";
    Allow SYS_madvise [is(2, libc::MADV_HUGEPAGE)] "outputs' memory";
    Allow SYS_madvise [is(2, libc::MADV_DONTFORK)] "the device's memory";
    Allow SYS_brk "the allocator";
    Allow SYS_futex [masked(1, FUTEX_OPERATION, libc::FUTEX_WAIT)] "locks";
    Allow SYS_futex [masked(1, FUTEX_OPERATION, libc::FUTEX_WAKE)] "locks, threads that are given work";
    Allow SYS_futex [masked(1, FUTEX_OPERATION, libc::FUTEX_WAIT_BITSET)] "fences, with a deadline";
    Allow SYS_sched_yield "locks that spin first";
    Allow SYS_clock_gettime [at_most(0, libc::CLOCK_BOOTTIME)] "deadlines, where the vDSO has no clock";
    Allow SYS_clock_nanosleep [at_most(0, libc::CLOCK_MONOTONIC)] "waits that look now and then";
    Allow SYS_getrandom "hash maps";
    Allow SYS_getpid "drivers that tell a process from its children";
    Allow SYS_gettid "locks that know their owner";
    Allow SYS_clone [is(0, THREAD)] "threads that the driver starts when they are needed";
    Allow SYS_set_robust_list "a thread's start";
    Allow SYS_rseq "a thread's start";
    Allow SYS_rt_sigprocmask "a thread's start and end";
    Allow SYS_prctl [is(0, libc::PR_SET_NAME)] "a thread's name";
    Allow SYS_exit "a thread's end";
    Allow SYS_exit_group "the end";
    Refuse SYS_clone3 "threads: its arguments cannot be looked at, and `clone` serves in its place";
    Refuse SYS_openat "caches, and what the driver asks about the machine; further handles on a device";
    Refuse SYS_newfstatat "the same";
    Refuse SYS_access "the same";
    Refuse SYS_readlink "the same";
    Refuse SYS_lseek "compilers ask where standard error stands";
    Refuse SYS_memfd_create "memory to be handed on, which nobody is";
    Refuse SYS_sysinfo "how much memory the machine has";
    Refuse SYS_kcmp "whether two descriptors are one device";
    Refuse SYS_sched_getaffinity "processors were counted when the driver was loaded";
    Refuse SYS_sched_setaffinity "threads are not pinned";
    Refuse SYS_sigaltstack "the standard library's clean-up at the end of a thread";
    Refuse SYS_fcntl [is(1, libc::F_GETFD)] "debug builds look at what they close";
};
