//! Bytes, copied without the standard library's panics.

/// Copies as many bytes as both have: `copy_from_slice` without its panic, which formats lengths.
pub(crate) fn copy(target: &mut [u8], source: &[u8]) {
    let len = target.len().min(source.len());
    // SAFETY: both have so many, and one is borrowed alone.
    unsafe { std::ptr::copy_nonoverlapping(source.as_ptr(), target.as_mut_ptr(), len) }
}
