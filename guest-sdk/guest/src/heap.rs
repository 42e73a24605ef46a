//! The allocator: free memory as a tree of holes, and blocks where the host can map pages into them.
//!
//! A block has no header: whoever frees it says how long it is, as Rust and the canonical ABI do. A hole
//! holds its own place in the tree, which is ordered by address and balanced by chance (a treap); the lowest
//! hole that fits is cut, and neighbours are joined at once. So nothing is kept for a block in use, and a
//! program that frees what it takes needs no more memory than it holds.
//!
//! Large blocks lie on pages, larger ones on huge pages ([`preferred_align`]). The gaps before them are
//! holes like all others.
//!
//! The invariant: holes are disjoint, do not touch, and belong to nobody else. Beyond
//! [`touched`](Heap::touched) free memory is zero but for the holes' own heads.

use std::ptr::{null_mut, with_exposed_provenance_mut};

/// The alignment of every block: one `v128`, and a hole's head.
pub(crate) const GRAIN: usize = if size_of::<Hole>() < 16 {
    16
} else {
    size_of::<Hole>()
};
/// From this size on a block lies on a page: the host may map an array's own pages into it.
pub(crate) const PAGED_FROM: usize = 64 << 10;
/// A page of the host's.
pub(crate) const PAGE: usize = 4 << 10;
/// A huge page of the host's, and the size from which a block lies on one.
const HUGE: usize = 2 << 20;

/// Memory that grows at its end.
pub(crate) trait Memory {
    /// Grows by at least so many bytes, which are zero: from where to where there is more.
    fn grow(&mut self, bytes: usize) -> Option<(usize, usize)>;
}

/// Free memory, and where more comes from.
pub(crate) struct Heap<M> {
    root: Link,
    /// Where memory ends.
    end: usize,
    /// The highest end that a block ever had.
    touched: usize,
    memory: M,
}

/// A tree of holes; null for none.
type Link = *mut Hole;

/// The head of a hole, in its first bytes.
#[repr(C)]
struct Hole {
    /// Holes below this one.
    left: Link,
    /// Holes above this one.
    right: Link,
    len: usize,
    /// The longest of this one and those in both trees.
    longest: usize,
}

/// A block, as it was found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block {
    /// Its first byte's address.
    pub(crate) start: usize,
    /// Whether all of it is zero.
    pub(crate) is_zero: bool,
}

/// The alignment that a block of so many bytes gets where that costs no limit.
const fn preferred_align(len: usize) -> usize {
    match len {
        HUGE.. => HUGE,
        PAGED_FROM.. => PAGE,
        _ => GRAIN,
    }
}

impl<M: Memory> Heap<M> {
    pub(crate) const fn new(memory: M) -> Self {
        Self {
            root: null_mut(),
            end: 0,
            touched: 0,
            memory,
        }
    }

    /// Whether it has never had any memory.
    #[cfg(target_arch = "wasm32")]
    pub(crate) const fn is_new(&self) -> bool {
        self.end == 0
    }

    /// Takes memory in that was there before, with one grain at its end that stays unused: no block reaches from
    /// it into what comes later, which alone the host maps pages into.
    ///
    /// # Safety
    /// Nothing else uses the bytes from `start` to `end`, and they are zero.
    pub(crate) unsafe fn adopt(&mut self, start: usize, end: usize) {
        let start = start.next_multiple_of(GRAIN);
        self.end = end;
        if let Some(len @ GRAIN..) = (end - GRAIN).checked_sub(start) {
            // SAFETY: the caller's; the rest of a grain is left out.
            unsafe { self.free(start, len / GRAIN * GRAIN) }
        }
    }

    /// A block of at least `len` bytes, or none where memory cannot grow.
    ///
    /// It begins at a multiple of `align`, a power of two, and of [`preferred_align`] unless a limit stands in the
    /// way: what would fit without it fits.
    pub(crate) fn alloc(&mut self, len: usize, align: usize) -> Option<Block> {
        let len = rounded(len)?;
        let least = align.max(GRAIN);
        for align in [HUGE, PAGE, GRAIN] {
            if align == GRAIN || align <= preferred_align(len) {
                let place = self.place(len, align.max(least));
                if place.is_some() {
                    return place;
                }
            }
        }
        None
    }

    /// As [`alloc`](Self::alloc), with one alignment.
    fn place(&mut self, len: usize, align: usize) -> Option<Block> {
        let mut hole = find(self.root, len, align);
        if hole.is_null() {
            self.grow(len, align)?;
            hole = find(self.root, len, align);
        }
        let start = fit(hole, len, align)?;
        self.cut(hole, start, len);
        let is_zero = start >= self.touched;
        self.touched = self.touched.max(start + len);
        Some(Block { start, is_zero })
    }

    /// Grows until a block of this kind fits at the end.
    fn grow(&mut self, len: usize, align: usize) -> Option<()> {
        let last = last(self.root);
        // SAFETY: it is a hole of the tree, or null.
        let end = unsafe { end(last) };
        let start = address(last);
        let base = if end == self.end { start } else { self.end };
        let wanted = base.checked_next_multiple_of(align)?.checked_add(len)?;
        let (from, to) = self.memory.grow(wanted.checked_sub(self.end)?)?;
        self.end = to;
        // SAFETY: memory has grown by these bytes, which nobody has been given.
        unsafe { self.free(from, to - from) };
        Some(())
    }

    /// Takes a range out of a hole, which it lies in.
    fn cut(&mut self, hole: Link, start: usize, len: usize) {
        // SAFETY: it is a hole of the tree.
        let (first, end) = unsafe { (address(hole), end(hole)) };
        let (before, after) = (start - first, end - (start + len));
        if before == 0 {
            // SAFETY: what is left of the hole, if anything, is its end.
            unsafe { change(&mut self.root, first, start + len, after) };
            return;
        }
        // SAFETY: what is left are two parts of the hole with a block between them.
        unsafe {
            change(&mut self.root, first, first, before);
            if after > 0 {
                insert(&mut self.root, new_hole(start + len, after));
            }
        }
    }

    /// Takes a block back.
    ///
    /// # Safety
    /// It came from this heap with that length or has grown or shrunk to it, and nothing uses it any more.
    pub(crate) unsafe fn dealloc(&mut self, start: usize, len: usize) {
        // No overflow: the block was there.
        let len = len.max(1).next_multiple_of(GRAIN);
        // SAFETY: the caller's.
        unsafe { self.free(start, len) }
    }

    /// Makes whole grains a hole, or a part of those beside them.
    ///
    /// # Safety
    /// Nothing uses them, and they are in no hole.
    unsafe fn free(&mut self, start: usize, len: usize) {
        let (below, above) = neighbours(self.root, start);
        // SAFETY: both are holes of the tree, or null.
        let (joins_below, joins_above) = unsafe {
            (
                !below.is_null() && end(below) == start,
                !above.is_null() && address(above) == start + len,
            )
        };
        // SAFETY: as above; the bytes between the two are the caller's to give.
        unsafe {
            let mut len = len;
            if joins_above {
                let more = (*above).len;
                len += more;
                if joins_below {
                    change(&mut self.root, address(above), 0, 0);
                } else {
                    return change(&mut self.root, address(above), start, len);
                }
            }
            if joins_below {
                let first = address(below);
                return change(&mut self.root, first, first, (*below).len + len);
            }
            insert(&mut self.root, new_hole(start, len));
        }
    }

    /// Makes a block longer or shorter where it is; false where that cannot be, and then it is as it was.
    ///
    /// # Safety
    /// As [`dealloc`](Self::dealloc), for the bytes that it loses.
    pub(crate) unsafe fn resize(&mut self, start: usize, old: usize, new: usize) -> bool {
        let (Some(old), Some(new)) = (rounded(old), rounded(new)) else {
            return false;
        };
        if new <= old {
            if new < old {
                // SAFETY: the caller's.
                unsafe { self.free(start + new, old - new) };
            }
            return true;
        }
        start.is_multiple_of(preferred_align(new)) && self.extend(start + old, new - old)
    }

    /// Takes the bytes that follow a block, growing where it is the last; false where they are not free.
    fn extend(&mut self, from: usize, more: usize) -> bool {
        let mut hole = at(self.root, from);
        // SAFETY: it is a hole of the tree, or null.
        let free = unsafe { len(hole) };
        if free < more {
            if from + free != self.end || self.grow(more, GRAIN).is_none() {
                return false;
            }
            hole = at(self.root, from);
        }
        // Memory may have grown elsewhere.
        let Some(at) = fit(hole, more, GRAIN) else {
            return false;
        };
        self.cut(hole, at, more);
        self.touched = self.touched.max(from + more);
        true
    }
}

/// Whole grains, at least one.
fn rounded(len: usize) -> Option<usize> {
    len.max(1).checked_next_multiple_of(GRAIN)
}

fn address(hole: Link) -> usize {
    hole.expose_provenance()
}

/// # Safety
/// It is a hole of the tree, or null.
unsafe fn len(hole: Link) -> usize {
    // SAFETY: the caller's.
    unsafe { hole.as_ref() }.map_or(0, |hole| hole.len)
}

/// # Safety
/// It is a hole of the tree, or null: then 0.
unsafe fn end(hole: Link) -> usize {
    // SAFETY: the caller's.
    address(hole) + unsafe { len(hole) }
}

/// Writes the head of a hole that is in no tree yet.
///
/// # Safety
/// The bytes are free and whole grains, at least one.
unsafe fn new_hole(start: usize, len: usize) -> Link {
    let hole: Link = with_exposed_provenance_mut(start);
    let head = Hole {
        left: null_mut(),
        right: null_mut(),
        len,
        longest: len,
    };
    // SAFETY: the caller's; a grain holds a head and aligns it.
    unsafe { hole.write(head) };
    hole
}

/// Where a block fits into a hole.
fn fit(hole: Link, len: usize, align: usize) -> Option<usize> {
    if hole.is_null() {
        return None;
    }
    // SAFETY: it is a hole of the tree.
    let end = unsafe { end(hole) };
    let start = address(hole).checked_next_multiple_of(align)?;
    (start.checked_add(len)? <= end).then_some(start)
}

/// The lowest hole that a block fits into, or null.
fn find(tree: Link, len: usize, align: usize) -> Link {
    if longest(tree) < len {
        return null_mut();
    }
    // SAFETY: a tree whose longest hole is not 0 has a root.
    let (left, right) = unsafe { ((*tree).left, (*tree).right) };
    let found = find(left, len, align);
    if !found.is_null() {
        found
    } else if fit(tree, len, align).is_some() {
        tree
    } else {
        find(right, len, align)
    }
}

fn longest(tree: Link) -> usize {
    if tree.is_null() {
        return 0;
    }
    // SAFETY: it is a hole of the tree.
    unsafe { (*tree).longest }
}

/// The highest hole, or null.
fn last(mut tree: Link) -> Link {
    let mut last = tree;
    while !tree.is_null() {
        last = tree;
        // SAFETY: it is a hole of the tree.
        tree = unsafe { (*tree).right };
    }
    last
}

/// The hole below an address and the one at or above it, or null.
fn neighbours(mut tree: Link, place: usize) -> (Link, Link) {
    let (mut below, mut above) = (null_mut(), null_mut());
    while !tree.is_null() {
        // SAFETY: it is a hole of the tree.
        let (left, right) = unsafe { ((*tree).left, (*tree).right) };
        if address(tree) < place {
            (below, tree) = (tree, right);
        } else {
            (above, tree) = (tree, left);
        }
    }
    (below, above)
}

/// The hole that begins there, or null.
fn at(tree: Link, place: usize) -> Link {
    let (_, above) = neighbours(tree, place);
    if address(above) == place {
        above
    } else {
        null_mut()
    }
}

/// Sets what follows from a hole's trees.
///
/// # Safety
/// It is a hole of the tree.
unsafe fn update(hole: Link) {
    // SAFETY: the caller's.
    unsafe {
        let below = longest((*hole).left).max(longest((*hole).right));
        (*hole).longest = below.max((*hole).len);
    }
}

/// What decides which of two holes is further up: their addresses, well mixed.
fn rank(hole: Link) -> u32 {
    // Any odd constant with its bits spread: the golden ratio's, as Knuth has it for hashing.
    const MIX: u64 = 0x9e37_79b9_7f4a_7c15;
    let mixed = (address(hole) as u64).wrapping_mul(MIX);
    (mixed >> 32) as u32
}

/// Puts a hole into a tree.
///
/// # Safety
/// It is in none, and touches none.
unsafe fn insert(tree: &mut Link, hole: Link) {
    // SAFETY: the caller's, and that of `split`.
    unsafe {
        if tree.is_null() || rank(*tree) < rank(hole) {
            ((*hole).left, (*hole).right) = split(*tree, address(hole));
            *tree = hole;
        } else if address(hole) < address(*tree) {
            insert(&mut (**tree).left, hole);
        } else {
            insert(&mut (**tree).right, hole);
        }
        update(*tree);
    }
}

/// The holes below an address, and those above.
///
/// # Safety
/// It is a tree, which is used up.
unsafe fn split(tree: Link, place: usize) -> (Link, Link) {
    if tree.is_null() {
        return (null_mut(), null_mut());
    }
    // SAFETY: the caller's; both parts are trees of their own afterwards.
    unsafe {
        let (low, high);
        if address(tree) < place {
            (low, high) = split((*tree).right, place);
            (*tree).right = low;
            update(tree);
            (tree, high)
        } else {
            (low, high) = split((*tree).left, place);
            (*tree).left = high;
            update(tree);
            (low, tree)
        }
    }
}

/// One tree of two.
///
/// # Safety
/// Both are trees, which are used up; each hole of the first is below each of the second.
unsafe fn merge(low: Link, high: Link) -> Link {
    // SAFETY: the caller's.
    unsafe {
        if low.is_null() {
            high
        } else if high.is_null() {
            low
        } else if rank(low) > rank(high) {
            (*low).right = merge((*low).right, high);
            update(low);
            low
        } else {
            (*high).left = merge(low, (*high).left);
            update(high);
            high
        }
    }
}

/// Gives the hole at `place` another begin and length, between the same two others; none at all with a length of 0.
/// Its old head is zero then.
///
/// # Safety
/// The hole is there, and the new one's bytes are free.
unsafe fn change(tree: &mut Link, place: usize, start: usize, len: usize) {
    // SAFETY: the caller's. A hole that moves keeps its place in the tree: by order there is no other, and a rank
    // that does not fit its place costs balance alone.
    unsafe {
        let root = *tree;
        let (left, right) = ((*root).left, (*root).right);
        if place < address(root) {
            change(&mut (*root).left, place, start, len);
        } else if place > address(root) {
            change(&mut (*root).right, place, start, len);
        } else {
            root.write_bytes(0, 1);
            if len == 0 {
                *tree = merge(left, right);
                return;
            }
            *tree = new_hole(start, len);
            ((**tree).left, (**tree).right) = (left, right);
        }
        update(*tree);
    }
}

#[cfg(test)]
mod tests;
