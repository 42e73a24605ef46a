//! Says which system call was refused, before the worker ends. For tests and diagnosis only.

use super::{LockStep, LockdownError};
use crate::filter::{TRAP_EXIT_CODE, TRAP_PREFIX};
use hotcell_model::layer::Layer;
use std::ffi::{c_int, c_void};
use std::io;

/// Installs the handler. Later it could not be.
pub(super) fn install() -> Result<(), LockdownError> {
    let handler: extern "C" fn(c_int, *const libc::siginfo_t, *const c_void) = report;
    // SAFETY: all zeros is a value of the structure: no flags, an empty mask.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler as usize;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    // SAFETY: the handler makes system calls and touches its own stack only.
    let installed =
        unsafe { libc::sigaction(libc::SIGSYS, &raw const action, std::ptr::null_mut()) };
    match installed {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()).step(Layer::Filter, "install the reporting handler"),
    }
}

extern "C" fn report(_signal: c_int, info: *const libc::siginfo_t, _context: *const c_void) {
    // SAFETY: the kernel hands a handler with `SA_SIGINFO` a valid structure.
    let mut number = unsafe { refused_number(info) };
    let digits = number.checked_ilog10().unwrap_or(0) as usize + 1;
    let len = TRAP_PREFIX.len() + digits;
    let mut message = [0; TRAP_PREFIX.len() + 10];
    message[..TRAP_PREFIX.len()].copy_from_slice(TRAP_PREFIX);
    for digit in message[TRAP_PREFIX.len()..len].iter_mut().rev() {
        *digit = b"0123456789"[(number % 10) as usize];
        number /= 10;
    }
    let mut piece = libc::iovec {
        iov_base: message.as_mut_ptr().cast(),
        iov_len: len,
    };
    // SAFETY: all zeros is a value of the structure: no name, no ancillary data.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_iov = &raw mut piece;
    header.msg_iovlen = 1;
    // SAFETY: the header and what it points to outlive the call; both calls are in every filter.
    unsafe {
        libc::syscall(
            libc::SYS_sendmsg,
            libc::STDIN_FILENO,
            &raw const header,
            libc::MSG_NOSIGNAL,
        );
        libc::syscall(libc::SYS_exit_group, TRAP_EXIT_CODE);
    }
}

/// The number of the call that a `SIGSYS` is about.
///
/// # Safety
/// `info` is what the kernel passed to the handler.
unsafe fn refused_number(info: *const libc::siginfo_t) -> u32 {
    /// `si_signo`, `si_errno`, `si_code`, padding; then `si_call_addr`, and the number behind it.
    const OFFSET: usize = 16 + size_of::<usize>();
    // SAFETY: the structure is 128 bytes, and for `SIGSYS` has the number there.
    unsafe { info.cast::<u8>().add(OFFSET).cast::<u32>().read() }
}
