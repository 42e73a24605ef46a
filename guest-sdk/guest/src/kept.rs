//! Memory that a launch takes and never gives back: an instance lives for one launch.

use crate::host::no_memory;

/// A list of `len` values, for as long as the component lives: a launch's own, which are needed until it ends.
pub(crate) fn list<'l, T: 'l>(len: usize, value: impl Fn() -> T) -> &'l mut [T] {
    let Ok(layout) = std::alloc::Layout::array::<T>(len) else {
        no_memory("a list", len)
    };
    if layout.size() == 0 {
        return &mut [];
    }
    // SAFETY: its size is not 0.
    let first: *mut T = unsafe { std::alloc::alloc(layout) }.cast();
    if first.is_null() {
        no_memory("a list", layout.size());
    }
    for at in 0..len {
        // SAFETY: there is room for `len` values.
        unsafe { first.add(at).write(value()) };
    }
    // SAFETY: `len` values were written, in memory that is never given back.
    unsafe { std::slice::from_raw_parts_mut(first, len) }
}

/// A value for as long as the component lives.
#[cfg(target_arch = "wasm32")]
pub(crate) fn keep<T>(value: T) -> &'static mut T {
    let layout = std::alloc::Layout::new::<T>();
    // SAFETY: what is kept here has a size.
    let place: *mut T = unsafe { std::alloc::alloc(layout) }.cast();
    if place.is_null() {
        no_memory("a value", layout.size());
    }
    // SAFETY: there is room for it, in memory that is never given back.
    unsafe {
        place.write(value);
        &mut *place
    }
}

/// Zeroed memory for as long as the component lives.
pub(crate) fn zeroed<'l>(name: &str, len_bytes: usize) -> &'l mut [u8] {
    let layout = match std::alloc::Layout::array::<u8>(len_bytes) {
        Ok(layout) if len_bytes > 0 => layout,
        _ => return &mut [],
    };
    // SAFETY: its size is not 0.
    let first = unsafe { std::alloc::alloc_zeroed(layout) };
    if first.is_null() {
        no_memory(name, len_bytes);
    }
    // SAFETY: these bytes were allocated, are zero, and are never given back.
    unsafe { std::slice::from_raw_parts_mut(first, len_bytes) }
}
