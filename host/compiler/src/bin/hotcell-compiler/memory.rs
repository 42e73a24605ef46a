//! The process's memory, counted: how much a compilation holds at most, and a plain end when there is no more.
//!
//! A failed allocation would abort, which looks like any other crash. The process ends with a code of its own
//! instead, so that the supervisor can tell a compilation that is too large from a broken compiler.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

// The process has one thread, so that what is read here is still so when it is written: a locked addition in every
// allocation is several percent of a compilation.
static HELD: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, counted.
pub(crate) struct CountedMemory;

// SAFETY: every call is passed on to the system's allocator as it came; counting does not allocate.
unsafe impl GlobalAlloc for CountedMemory {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps `alloc`'s contract.
        taken(unsafe { System.alloc(layout) }, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps `alloc_zeroed`'s contract.
        taken(unsafe { System.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        given(layout.size());
        // SAFETY: the caller keeps `dealloc`'s contract.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        given(layout.size());
        // SAFETY: the caller keeps `realloc`'s contract.
        taken(
            unsafe { System.realloc(pointer, layout, new_size) },
            new_size,
        )
    }
}

fn taken(pointer: *mut u8, bytes: usize) -> *mut u8 {
    if pointer.is_null() {
        hotcell_sandbox::end::end_now(hotcell_sandbox::worker::EXIT_MEMORY);
    }
    let held = HELD.load(Ordering::Relaxed).wrapping_add(bytes);
    HELD.store(held, Ordering::Relaxed);
    if held > PEAK.load(Ordering::Relaxed) {
        PEAK.store(held, Ordering::Relaxed);
    }
    pointer
}

fn given(bytes: usize) {
    let held = HELD.load(Ordering::Relaxed).wrapping_sub(bytes);
    HELD.store(held, Ordering::Relaxed);
}

/// The most bytes held at once since the last call.
pub(crate) fn take_peak() -> u64 {
    let peak = PEAK.swap(HELD.load(Ordering::Relaxed), Ordering::Relaxed);
    peak as u64
}
