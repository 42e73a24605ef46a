//! The end of a worker that must not do anything more.

/// Ends a worker that cannot go on before it has greeted its supervisor, which hears why in its first frame. A person
/// who started it by hand reads it. Under every filter the first works, and then the second is not tried.
pub fn end_with_words(code: i32, program: &str, error: &dyn std::error::Error) -> ! {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(deeper) = cause {
        words = format!("{words}: {deeper}");
        cause = deeper.source();
    }
    let frame = hotcell_model::frame::last_words(&words);
    // SAFETY: standard input is open from the start of a Rust program on; the memory is valid for the call.
    let sent = unsafe {
        let piece = libc::iovec {
            iov_base: frame.as_ptr().cast_mut().cast(),
            iov_len: frame.len(),
        };
        let mut message: libc::msghdr = std::mem::zeroed();
        message.msg_iov = (&raw const piece).cast_mut();
        message.msg_iovlen = 1;
        libc::sendmsg(libc::STDIN_FILENO, &message, libc::MSG_NOSIGNAL)
    };
    if sent < 0 && std::io::Error::last_os_error().raw_os_error() == Some(libc::ENOTSOCK) {
        eprintln!("{program}: {words}");
    }
    end_now(code);
}

/// Ends the process at once, with all of its threads: nothing is unwound, flushed or freed. It takes one system
/// call, which every filter allows.
pub fn end_now(code: i32) -> ! {
    // SAFETY: `_exit` takes any number and touches no memory.
    unsafe { libc::_exit(code) }
}
