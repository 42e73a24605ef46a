//! What a process gets from its parent, given up before anything else is done.

use super::{LockStep, LockdownError, driver};
use hotcell_model::layer::{Layer, LayerReport, WorkerKind};
use rustix::io::Errno;
use rustix::net::sockopt::socket_peercred;
use rustix::process::{Signal, getppid, set_parent_process_death_signal};
use rustix::thread::{UnshareFlags, unshare_unsafe};
use std::ffi::{CStr, c_char};
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicI32, Ordering};

/// Who started this process, for attempts at it: after lockdown it cannot be asked for.
static SUPERVISOR: AtomicI32 = AtomicI32::new(0);

/// The process that started this one; zero before that was asked.
pub(crate) fn supervisor() -> i32 {
    SUPERVISOR.load(Ordering::Relaxed)
}

/// The first descriptor that a worker is not handed.
const FIRST_UNNAMED: u32 = 3;

unsafe extern "C" {
    /// The process's environment, as the C library keeps it.
    static mut environ: *mut *mut c_char;
}

/// Other threads would keep what this one gives up.
pub(super) fn check_single_thread() -> Result<(), LockdownError> {
    // SAFETY: with one thread it does nothing, with more it fails: there is nobody to stop sharing memory with.
    match unsafe {
        unshare_unsafe(UnshareFlags::from_bits_retain(
            libc::CLONE_VM.cast_unsigned(),
        ))
    } {
        Err(Errno::INVAL) => Err(LockdownError::Threads),
        checked => checked.step(Layer::ParentDeath, "count threads"),
    }
}

/// Lets a fault end the process as a fault. The standard library's handlers, which explain stack overflows to
/// nobody here, end with calls that filters refuse, and it would look like an attempt to break out.
pub(super) fn forget_fault_handlers() -> Result<(), LockdownError> {
    for signal in [libc::SIGSEGV, libc::SIGBUS] {
        // SAFETY: the default action needs nothing of this process.
        if unsafe { libc::signal(signal, libc::SIG_DFL) } == libc::SIG_ERR {
            let step = "forget the handlers of faults";
            return Err(io::Error::last_os_error()).step(Layer::Filter, step);
        }
    }
    Ok(())
}

/// Has the allocator do nothing for the first time once the process is locked. Where threads allocate from arenas of
/// their own, the C library looks at files to learn how many it may make and whether one may shrink; all of them share
/// the first, which grows and shrinks by `brk` alone.
pub(super) fn settle_allocator() {
    #[cfg(target_env = "gnu")]
    // SAFETY: the call takes numbers only, and there is one thread.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}

/// Makes writing beyond a limit on file sizes an error: the signal would end the process without a word.
pub(super) fn survive_file_size_limit() {
    crate::process::survive_file_size_limit();
}

/// No mapping becomes executable that was not born so, and none is both writable and executable.
///
/// By itself it still lets fresh memory be mapped executable, which only the filter ends.
pub(super) fn refuse_execution_gain(words: &str) -> Result<LayerReport, LockdownError> {
    const LAYER: Layer = Layer::WriteXorExecute;
    // SAFETY: the call takes numbers only, and restricts what later calls may do.
    let result = unsafe { libc::prctl(libc::PR_SET_MDWE, libc::PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0) };
    if result == 0 {
        return Ok(LayerReport::enforced(LAYER, words));
    }
    let error = io::Error::last_os_error();
    if error.raw_os_error() != Some(libc::EINVAL) {
        return Err(error).step(LAYER, "refuse the gain of execution");
    }
    Ok(LayerReport::absent(
        LAYER,
        "this kernel has no MDWE",
        "Linux 6.3 or later",
    ))
}

/// Overwrites every variable, and forgets them. A GPU worker then has the settings of drivers, and no others.
pub(super) fn wipe_environment(kind: WorkerKind) -> Result<LayerReport, LockdownError> {
    // SAFETY: there is one thread, which holds no reference into the environment. The array ends with a null
    // pointer, and every string in it with a zero byte; they lie on the stack or on the heap, writable.
    let cleared = unsafe {
        let mut variable = environ;
        while !variable.is_null() && !(*variable).is_null() {
            let len = CStr::from_ptr(*variable).to_bytes().len();
            std::ptr::write_bytes(*variable, 0, len);
            variable = variable.add(1);
        }
        libc::clearenv()
    };
    if cleared != 0 {
        return Err(io::Error::last_os_error()).step(Layer::Environment, "forget the environment");
    }
    if kind != WorkerKind::Gpu {
        let words = "empty, and overwritten where it lay";
        return Ok(LayerReport::enforced(Layer::Environment, words));
    }
    for (name, value) in driver::ENVIRONMENT {
        // SAFETY: there is one thread.
        unsafe { std::env::set_var(name, value) };
    }
    let words = "overwritten where it lay; drivers' settings, which are constants";
    Ok(LayerReport::enforced(Layer::Environment, words))
}

/// Closes every descriptor but the three that the worker was handed.
pub(super) fn close_descriptors() -> Result<LayerReport, LockdownError> {
    // SAFETY: nothing in the process holds a descriptor from there on, as this is the first thing it does.
    let result = unsafe { libc::syscall(libc::SYS_close_range, FIRST_UNNAMED, u32::MAX, 0) };
    match result {
        0 => Ok(LayerReport::enforced(
            Layer::Descriptors,
            "two channels and nothing else",
        )),
        _ => Err(io::Error::last_os_error()).step(Layer::Descriptors, "close what was inherited"),
    }
}

/// Asks to be killed when the supervisor's thread that started this process ends.
pub(super) fn die_with_parent() -> Result<LayerReport, LockdownError> {
    const LAYER: Layer = Layer::ParentDeath;
    set_parent_process_death_signal(Some(Signal::KILL)).step(LAYER, "ask to be killed")?;
    // SAFETY: standard input is open from the start of a Rust program on, and no worker closes it.
    let channel = unsafe { BorrowedFd::borrow_raw(libc::STDIN_FILENO) };
    // The channel remembers who made it: if that is not the parent, the parent was gone already.
    let supervisor = socket_peercred(channel).step(LAYER, "ask the channel for the supervisor")?;
    SUPERVISOR.store(supervisor.pid.as_raw_nonzero().get(), Ordering::Relaxed);
    match getppid() == Some(supervisor.pid) {
        true => Ok(LayerReport::enforced(
            LAYER,
            "killed when the supervisor dies",
        )),
        false => Err(LockdownError::Orphaned),
    }
}
