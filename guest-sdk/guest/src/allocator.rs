//! A component's memory: the [`Heap`] behind Rust's allocator. The `unsafe` here is Rust's word for the blocks that it
//! hands back, and that a component is one thread.

use crate::heap::{Heap, Memory};
use std::alloc::{GlobalAlloc, Layout};
use std::arch::wasm32::{memory_grow, memory_size};
use std::cell::UnsafeCell;
use std::ptr::{copy_nonoverlapping, null_mut, with_exposed_provenance_mut};

#[global_allocator]
static ALLOCATOR: Allocator = Allocator(UnsafeCell::new(Heap::new(Linear)));

/// Gives and resizes blocks for the host's lists and strings; the canonical ABI's name for it.
///
/// # Safety
/// As the canonical ABI has it: the block is one of this component's with that length and alignment, or null with 0.
#[unsafe(export_name = "cabi_realloc")]
unsafe extern "C" fn reallocate(
    block: *mut u8,
    old_len: usize,
    align: usize,
    new_len: usize,
) -> *mut u8 {
    if new_len == 0 {
        return std::ptr::without_provenance_mut(align);
    }
    // SAFETY: the caller's; an alignment is a power of two, and a length with it fits 32 bits or is refused.
    let block = unsafe {
        let layout = |len| Layout::from_size_align_unchecked(len, align);
        match old_len {
            0 => ALLOCATOR.alloc(layout(new_len)),
            _ => ALLOCATOR.realloc(block, layout(old_len), new_len),
        }
    };
    if block.is_null() {
        // The host sees that its limit was refused.
        std::arch::wasm32::unreachable()
    }
    block
}

/// The unit in which memory grows.
const UNIT: usize = 64 << 10;

/// The component's linear memory.
struct Linear;

impl Memory for Linear {
    fn grow(&mut self, bytes: usize) -> Option<(usize, usize)> {
        let units = bytes.div_ceil(UNIT);
        let (from, to) = (memory_size::<0>(), memory_size::<0>().checked_add(units)?);
        // The last address stays out of it, so that every end can be counted.
        let to = to.checked_mul(UNIT)?;
        (memory_grow::<0>(units) == from).then_some((from * UNIT, to))
    }
}

struct Allocator(UnsafeCell<Heap<Linear>>);

// SAFETY: a component has one thread, and nothing that the heap calls comes back to it.
unsafe impl Sync for Allocator {}

unsafe extern "C" {
    /// Where the linker's data ends, by its address.
    static __heap_base: u8;
}

impl Allocator {
    #[expect(clippy::mut_from_ref, reason = "as the cell has it")]
    fn heap(&self) -> &mut Heap<Linear> {
        // SAFETY: as for `Sync`: each method ends its use before it returns.
        let heap = unsafe { &mut *self.0.get() };
        if heap.is_new() {
            let start = (&raw const __heap_base).expose_provenance();
            // SAFETY: the linker leaves what is beyond its data to the allocator, and an instance begins with zeros.
            unsafe { heap.adopt(start, memory_size::<0>() * UNIT) };
        }
        heap
    }
}

// SAFETY: the heap's blocks are apart, as long and as aligned as was asked for, and stay until they are given back.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let block = self.heap().alloc(layout.size(), layout.align());
        block.map_or(null_mut(), |block| with_exposed_provenance_mut(block.start))
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let Some(block) = self.heap().alloc(layout.size(), layout.align()) else {
            return null_mut();
        };
        let start: *mut u8 = with_exposed_provenance_mut(block.start);
        if !block.is_zero {
            // SAFETY: the block has these bytes.
            unsafe { start.write_bytes(0, layout.size()) };
        }
        start
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's.
        unsafe {
            self.heap()
                .dealloc(block.expose_provenance(), layout.size())
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let start = block.expose_provenance();
        // SAFETY: the caller's.
        if unsafe { self.heap().resize(start, layout.size(), new_size) } {
            return block;
        }
        let Some(new) = self.heap().alloc(new_size, layout.align()) else {
            return null_mut();
        };
        let target: *mut u8 = with_exposed_provenance_mut(new.start);
        // SAFETY: both blocks have these bytes, and they are apart; the old one is the caller's to give back.
        unsafe {
            copy_nonoverlapping(block, target, layout.size().min(new_size));
            self.heap().dealloc(start, layout.size());
        }
        target
    }
}
