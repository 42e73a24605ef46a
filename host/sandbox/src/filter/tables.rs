//! The allow-lists: call, argument rule, and who needs it.
//!
//! Calls with many uses never stand here without a rule on what tells the uses apart. `Refuse` is for what a library
//! tries and lives without. What is in neither form kills, and so does `rt_sigaction` after the lock: a fault
//! whose handler could not be installed would repeat for ever.

use super::{Action, ArgumentTest, Condition, FilterRule};

pub(super) use gpu::{GPU_HARDWARE, GPU_SOFTWARE};
pub(super) use guarded::{GUARDED, of_profile};

macro_rules! rules {
    ($($action:ident $symbol:ident $([$($condition:expr),+])? $site:literal;)*) => {
        &[$(FilterRule {
            symbol: stringify!($symbol),
            number: libc::$symbol,
            conditions: &[$($($condition),+)?],
            action: Action::$action,
            site: $site,
        },)*]
    };
}

// Behind the macro, which it uses.
mod gpu;
mod guarded;

const fn is(argument: u8, value: i32) -> Condition {
    Condition {
        argument,
        test: ArgumentTest::Is(value.cast_unsigned()),
    }
}

const fn at_most(argument: u8, value: i32) -> Condition {
    Condition {
        argument,
        test: ArgumentTest::AtMost(value.cast_unsigned()),
    }
}

const fn at_least(argument: u8, value: i32) -> Condition {
    Condition {
        argument,
        test: ArgumentTest::AtLeast(value.cast_unsigned()),
    }
}

const fn masked(argument: u8, mask: i32, value: i32) -> Condition {
    Condition {
        argument,
        test: ArgumentTest::Masked(mask.cast_unsigned(), value.cast_unsigned()),
    }
}

const fn null(argument: u8) -> Condition {
    Condition {
        argument,
        test: ArgumentTest::Null,
    }
}

const fn own(argument: u8) -> Condition {
    Condition {
        argument,
        test: ArgumentTest::OwnProcess,
    }
}

/// The channel of requests and answers.
const CHANNEL: i32 = 0;
/// The channel of interruptions.
const CONTROL: i32 = 1;
/// What was handed over or made since: not a standard descriptor.
const FIRST_OTHER: i32 = 3;
/// What decides whether a mapping counts as private memory, which a limit bounds: shared anonymous memory does not,
/// and memory that grows down counts as stack.
const ACCOUNTED: i32 = libc::MAP_TYPE | libc::MAP_GROWSDOWN | libc::MAP_HUGETLB | libc::MAP_LOCKED;
/// Every protection but executable.
const NOT_EXECUTABLE: i32 = libc::PROT_READ | libc::PROT_WRITE;
/// Two clocks of the machine, that of this process and that of this thread.
const OWN_CLOCKS: i32 = libc::CLOCK_THREAD_CPUTIME_ID;
/// What `pthread_create` asks of `clone`, to the bit.
const THREAD: i32 = libc::CLONE_VM
    | libc::CLONE_FS
    | libc::CLONE_FILES
    | libc::CLONE_SIGHAND
    | libc::CLONE_THREAD
    | libc::CLONE_SYSVSEM
    | libc::CLONE_SETTLS
    | libc::CLONE_PARENT_SETTID
    | libc::CLONE_CHILD_CLEARTID;
/// `PAGEMAP_SCAN`, and no other request.
const PAGEMAP_SCAN: i32 = 0xc060_6610_u32.cast_signed();
const WAIT: i32 = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
const WAKE: i32 = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
const WAIT_BITSET: i32 = libc::FUTEX_WAIT_BITSET | libc::FUTEX_PRIVATE_FLAG;

/// One thread, no signal handlers, no descriptors but those that come with the request.
pub(super) const COMPILER: &[FilterRule] = rules! {
    Allow SYS_recvmsg [is(0, CHANNEL)] "the request";
    Allow SYS_sendmsg [is(0, CHANNEL)] "the answer";
    Allow SYS_fstat "the size of handed-over memory";
    Allow SYS_fcntl [is(1, libc::F_GET_SEALS)] "the seals of handed-over memory";
    Allow SYS_close "handed-over memory; channels at the end";
    Allow SYS_mmap [at_most(2, NOT_EXECUTABLE)] "the allocator; handed-over memory";
    Allow SYS_mremap [is(3, libc::MREMAP_MAYMOVE)] "the allocator: large vectors that grow";
    Allow SYS_munmap "the allocator; handed-over memory";
    Allow SYS_madvise [is(2, libc::MADV_HUGEPAGE)] "the artifact's memory";
    Allow SYS_brk "the allocator";
    Allow SYS_clock_gettime [is(0, libc::CLOCK_MONOTONIC)] "phases, where the vDSO has no clock";
    Allow SYS_getrandom "hash maps";
    Allow SYS_exit_group "the end";
    Refuse SYS_sigaltstack "the standard library's clean-up at the end of `main`";
    Refuse SYS_fcntl [is(1, libc::F_GETFD)] "debug builds look at what they close";
};

/// What making a component runnable takes: threads, copy-on-write images, code from sealed memory.
pub(super) const RUNNER_LOAD: &[FilterRule] = rules! {
    Allow SYS_recvmsg [at_most(0, CONTROL)] "requests, interruptions";
    Allow SYS_recvmsg [at_least(0, FIRST_OTHER)] "answers of the GPU worker";
    Allow SYS_sendmsg [is(0, CHANNEL)] "answers, log lines";
    Allow SYS_sendmsg [at_least(0, FIRST_OTHER)] "commands to the GPU worker";
    Allow SYS_fstat "the size of handed-over memory";
    Allow SYS_fcntl [is(1, libc::F_GET_SEALS)] "the seals of handed-over memory";
    Allow SYS_fcntl [is(1, libc::F_ADD_SEALS)] "copy-on-write images";
    Allow SYS_memfd_create "copy-on-write images";
    Allow SYS_write [at_least(0, FIRST_OTHER)] "copy-on-write images";
    Allow SYS_pread64 "inputs in files";
    Allow SYS_close "handed-over memory";
    Allow SYS_mmap [
        at_most(2, NOT_EXECUTABLE),
        masked(3, ACCOUNTED, libc::MAP_PRIVATE)
    ] "the allocator, pool slots, the artifact, stacks";
    Allow SYS_mmap [
        at_most(2, NOT_EXECUTABLE),
        is(3, libc::MAP_SHARED),
        at_least(4, FIRST_OTHER)
    ] "outputs, once it is locked";
    Allow SYS_mmap [
        at_most(2, NOT_EXECUTABLE),
        is(3, libc::MAP_SHARED | libc::MAP_FIXED),
        at_least(4, FIRST_OTHER)
    ] "outputs in a guest's memory, once it is locked";
    Allow SYS_mmap [
        is(2, libc::PROT_READ | libc::PROT_EXEC),
        is(3, libc::MAP_PRIVATE | libc::MAP_FIXED),
        at_least(4, FIRST_OTHER)
    ] "machine code from sealed memory";
    Allow SYS_mprotect [at_most(2, NOT_EXECUTABLE)] "pool slots, the allocator's arenas, stacks";
    Allow SYS_munmap "the allocator, pool slots, handed-over memory, stacks";
    Allow SYS_madvise [is(2, libc::MADV_DONTNEED)] "pool slots, the allocator, stacks";
    Allow SYS_madvise [is(2, libc::MADV_HUGEPAGE)] "outputs' memory";
    Allow SYS_madvise [is(2, libc::MADV_POPULATE_READ)] "inputs in a guest's memory, once it is locked";
    Allow SYS_madvise [is(2, libc::MADV_POPULATE_WRITE)] "outputs in a guest's memory, once it is locked";
    Allow SYS_brk "the allocator";
    Allow SYS_futex [is(1, WAIT)] "the allocator's locks";
    Allow SYS_futex [is(1, WAKE)] "locks, threads that are given work";
    Allow SYS_futex [is(1, WAIT_BITSET)] "locks, threads that wait for work";
    Allow SYS_clock_gettime [at_most(0, OWN_CLOCKS)] "CPU clocks, and all where the vDSO has none";
    Allow SYS_clock_nanosleep [
        is(0, libc::CLOCK_MONOTONIC),
        is(1, libc::TIMER_ABSTIME)
    ] "the ticker of epochs";
    Allow SYS_ioctl [is(1, PAGEMAP_SCAN)] "which pages of a slot were written";
    Allow SYS_getrandom "hash maps";
    Allow SYS_clone [is(0, THREAD)] "launch threads";
    Allow SYS_set_robust_list "a thread's start";
    Allow SYS_rseq "a thread's start";
    Allow SYS_sched_getaffinity "the engine and the allocator count processors";
    Allow SYS_rt_sigprocmask "a thread's start";
    Allow SYS_sigaltstack "a thread's stack for handlers";
    Allow SYS_prctl [is(0, libc::PR_SET_NAME)] "a thread's name";
    Allow SYS_rt_sigaction "the engine's trap handlers";
    Allow SYS_rt_sigreturn "traps";
    Allow SYS_seccomp [
        is(0, libc::SECCOMP_SET_MODE_FILTER.cast_signed()),
        is(1, FILTER_FLAGS)
    ] "the final filter";
    Allow SYS_exit_group "the end";
    Refuse SYS_clone3 "threads: its arguments cannot be looked at, and `clone` serves in its place";
    Refuse SYS_mremap [is(3, libc::MREMAP_MAYMOVE)] "the allocator copies in place of it";
    Refuse SYS_openat "the engine looks at control groups to count processors";
    Refuse SYS_gettid "a thread's number, for the message when its stack overflows";
    Refuse SYS_fcntl [is(1, libc::F_GETFD)] "debug builds look at what they close";
};

/// What launches take. Every thread is there, and all code.
pub(super) const RUNNER: &[FilterRule] = rules! {
    Allow SYS_recvmsg [at_most(0, CONTROL)] "requests, interruptions";
    Allow SYS_recvmsg [at_least(0, FIRST_OTHER)] "answers of the GPU worker";
    Allow SYS_sendmsg [is(0, CHANNEL)] "answers, log lines";
    Allow SYS_sendmsg [at_least(0, FIRST_OTHER)] "commands to the GPU worker";
    Allow SYS_pread64 "inputs in files";
    Allow SYS_close "handed-over memory";
    Allow SYS_mmap [
        at_most(2, NOT_EXECUTABLE),
        masked(3, ACCOUNTED, libc::MAP_PRIVATE)
    ] "pool slots, inputs, the allocator";
    Allow SYS_mmap [
        at_most(2, NOT_EXECUTABLE),
        is(3, libc::MAP_SHARED),
        at_least(4, FIRST_OTHER)
    ] "outputs";
    Allow SYS_mmap [
        at_most(2, NOT_EXECUTABLE),
        is(3, libc::MAP_SHARED | libc::MAP_FIXED),
        at_least(4, FIRST_OTHER)
    ] "outputs, in a guest's memory";
    Allow SYS_mprotect [at_most(2, NOT_EXECUTABLE)] "memory that grows";
    Allow SYS_munmap "handed-over memory, the allocator";
    Allow SYS_madvise [is(2, libc::MADV_DONTNEED)] "pool slots between launches, the allocator";
    Allow SYS_madvise [is(2, libc::MADV_HUGEPAGE)] "outputs' memory";
    Allow SYS_madvise [is(2, libc::MADV_POPULATE_READ)] "inputs, in a guest's memory";
    Allow SYS_madvise [is(2, libc::MADV_POPULATE_WRITE)] "outputs, in a guest's memory";
    Allow SYS_brk "the allocator";
    Allow SYS_futex [is(1, WAIT)] "the allocator's locks";
    Allow SYS_futex [is(1, WAKE)] "locks, threads that are given work";
    Allow SYS_futex [is(1, WAIT_BITSET)] "locks, threads that wait for work";
    Allow SYS_clock_gettime [at_most(0, OWN_CLOCKS)] "CPU clocks, and all where the vDSO has none";
    Allow SYS_clock_nanosleep [
        is(0, libc::CLOCK_MONOTONIC),
        is(1, libc::TIMER_ABSTIME)
    ] "the ticker of epochs";
    Allow SYS_ioctl [is(1, PAGEMAP_SCAN)] "which pages of a slot were written";
    Allow SYS_rt_sigreturn "traps";
    Allow SYS_exit_group "the end";
    Refuse SYS_mremap [is(3, libc::MREMAP_MAYMOVE)] "the allocator copies in place of it";
    Refuse SYS_sched_getaffinity "the allocator counts processors";
    Refuse SYS_sigaltstack "the standard library's clean-up at the end of `main`";
    Refuse SYS_fcntl [is(1, libc::F_GETFD)] "debug builds look at what they close";
};

/// How a runner installs its final filter: on every thread.
pub(super) const FILTER_FLAGS: i32 = 1;
const _: () = assert!(libc::SECCOMP_FILTER_FLAG_TSYNC == 1);
