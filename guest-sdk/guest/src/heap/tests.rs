//! The heap against a model: blocks never overlap, lie where they should, and keep what is written to them.

use super::*;
use std::collections::BTreeMap;

/// Memory below a limit, in units like those of Wasm.
struct Region {
    /// Its first bytes are the heap's, up to `end`.
    storage: Vec<u64>,
    end: usize,
}

const UNIT: usize = 64 << 10;

impl Region {
    /// Room for so many bytes. It begins on a huge page.
    fn new(limit: usize) -> Self {
        let storage = vec![0; (limit + HUGE) / 8];
        let end = storage.as_ptr().expose_provenance().next_multiple_of(HUGE);
        Self { storage, end }
    }

    fn limit(&self) -> usize {
        (self.storage.as_ptr().addr() + self.storage.len() * 8) / HUGE * HUGE
    }
}

impl Memory for Region {
    fn grow(&mut self, bytes: usize) -> Option<(usize, usize)> {
        let to = self
            .end
            .checked_add(bytes.checked_next_multiple_of(UNIT)?)?;
        (to <= self.limit()).then(|| (std::mem::replace(&mut self.end, to), to))
    }
}

/// A heap with what it has given, each block filled with its own byte.
struct Model {
    heap: Heap<Region>,
    blocks: BTreeMap<usize, (usize, u8)>,
    begin: usize,
}

impl Model {
    fn new(limit: usize) -> Self {
        let region = Region::new(limit);
        let begin = region.end;
        Self {
            heap: Heap::new(region),
            blocks: BTreeMap::new(),
            begin,
        }
    }

    fn bytes(start: usize, len: usize) -> &'static mut [u8] {
        // SAFETY: the heap has given these bytes, of storage that outlives the test's use of them.
        unsafe { std::slice::from_raw_parts_mut(with_exposed_provenance_mut(start), len) }
    }

    fn alloc(&mut self, len: usize, align: usize, fill: u8) -> Option<usize> {
        let Block { start, is_zero } = self.heap.alloc(len, align)?;
        assert_eq!(start % align.max(GRAIN), 0);
        self.check_apart(start, len);
        if is_zero {
            assert!(is_all(Self::bytes(start, len), 0));
        }
        Self::bytes(start, len).fill(fill);
        self.blocks.insert(start, (len, fill));
        Some(start)
    }

    fn check_apart(&self, start: usize, len: usize) {
        assert!(self.begin <= start && start + len <= self.heap.end);
        let below = self.blocks.range(..start).next_back();
        assert!(below.is_none_or(|(other, (len, _))| other + len <= start));
        let above = self.blocks.range(start..).next();
        assert!(above.is_none_or(|(other, _)| start + len <= *other));
    }

    fn free(&mut self, start: usize) {
        let (len, fill) = self.blocks.remove(&start).unwrap();
        assert!(is_all(Self::bytes(start, len), fill));
        // SAFETY: it came from this heap.
        unsafe { self.heap.dealloc(start, len) };
    }

    fn resize(&mut self, start: usize, new: usize) -> bool {
        let (len, fill) = self.blocks[&start];
        // SAFETY: it came from this heap.
        let done = unsafe { self.heap.resize(start, len, new) };
        let kept = Self::bytes(start, if done { len.min(new) } else { len });
        assert!(is_all(kept, fill));
        if done {
            self.blocks.remove(&start);
            self.check_apart(start, new);
            Self::bytes(start, new).fill(fill);
            self.blocks.insert(start, (new, fill));
        }
        done
    }

    /// Every hole from below, by address and length.
    fn holes(&self) -> Vec<(usize, usize)> {
        fn walk(tree: Link, holes: &mut Vec<(usize, usize)>, depth: usize) -> usize {
            if tree.is_null() {
                return 0;
            }
            assert!(depth < 100, "the tree is a list");
            // SAFETY: it is a hole of the tree.
            let hole = unsafe { tree.read() };
            let left = walk(hole.left, holes, depth + 1);
            holes.push((address(tree), hole.len));
            let right = walk(hole.right, holes, depth + 1);
            assert_eq!(hole.longest, hole.len.max(left).max(right));
            hole.longest
        }
        let mut holes = Vec::new();
        walk(self.heap.root, &mut holes, 0);
        holes
    }

    /// Blocks and holes cover all of the memory, once, and no two holes touch.
    fn check(&self) {
        let holes = self.holes();
        for pair in holes.windows(2) {
            assert!(pair[0].0 + pair[0].1 < pair[1].0);
        }
        let held: usize = self
            .blocks
            .values()
            .map(|(len, _)| rounded(*len).unwrap())
            .sum();
        let free: usize = holes.iter().map(|(_, len)| len).sum();
        assert_eq!(held + free, self.heap.memory.end - self.begin);
    }

    fn grown(&self) -> usize {
        self.heap.memory.end - self.begin
    }
}

/// Whether every byte is `fill`; by parts, which a debug build compares fast.
fn is_all(bytes: &[u8], fill: u8) -> bool {
    let part = [fill; 4096];
    let mut parts = bytes.chunks(part.len());
    parts.all(|bytes| bytes == &part[..bytes.len()])
}

/// SplitMix64, as the SDK's native `random` has it.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    /// Mostly small, now and then larger than a page or a huge page.
    fn len(&mut self) -> usize {
        match self.below(40) {
            0 => HUGE + self.below(HUGE),
            1..4 => PAGED_FROM - 40 + self.below(4 * PAGED_FROM),
            4..10 => self.below(PAGED_FROM),
            _ => self.below(600),
        }
    }
}

#[test]
fn whatever_is_asked_in_any_order_blocks_are_apart_and_keep_their_bytes() {
    for seed in 0..8 {
        let (mut model, mut chance) = (Model::new(24 << 20), Chance(seed));
        for step in 0..6000 {
            let held = model.blocks.len();
            let any = model.blocks.keys().nth(chance.below(held.max(1))).copied();
            match (chance.below(9), any) {
                (0..4, _) | (_, None) => {
                    let (len, align) = (chance.len(), 1 << chance.below(8));
                    model.alloc(len, align, u8::try_from(step % 251).unwrap() + 1);
                }
                (4..8, Some(block)) => model.free(block),
                (_, Some(block)) => {
                    let len = chance.len();
                    model.resize(block, len);
                }
            }
            if step % 16 == 0 {
                model.check();
            }
        }
        let rest: Vec<usize> = model.blocks.keys().copied().collect();
        rest.into_iter().for_each(|block| model.free(block));
        model.check();
        assert_eq!(model.holes().len(), 1, "all of it is one hole again");
    }
}

#[test]
fn large_blocks_lie_on_pages_and_huge_ones_on_huge_pages() {
    let mut model = Model::new(64 << 20);
    for len in [
        1,
        100,
        PAGED_FROM,
        3 * PAGED_FROM + 5,
        HUGE,
        7,
        2 * HUGE + 3,
    ] {
        let start = model.alloc(len, 1, 9).unwrap();
        assert_eq!(start % preferred_align(len), 0, "{len}");
    }
}

#[test]
fn small_blocks_fill_the_gaps_before_large_ones() {
    let mut model = Model::new(64 << 20);
    model.alloc(16, 1, 1).unwrap();
    model.alloc(HUGE, 1, 2).unwrap();
    let grown = model.grown();
    assert_eq!(grown, 2 * HUGE);
    for _ in 0..HUGE / PAGED_FROM - 1 {
        model.alloc(PAGED_FROM, 1, 3).unwrap();
    }
    assert_eq!(model.grown(), grown);
}

#[test]
fn whole_huge_pages_follow_each_other_without_gaps() {
    let mut model = Model::new(64 << 20);
    for _ in 0..4 {
        model.alloc(4 * HUGE, 1, 1).unwrap();
    }
    assert_eq!(model.grown(), 16 * HUGE);
}

#[test]
fn where_a_limit_leaves_no_room_for_alignment_a_block_still_fits() {
    let mut model = Model::new(2 * HUGE);
    model.alloc(16, 1, 1).unwrap();
    let start = model.alloc(2 * HUGE - PAGE, 1, 2).unwrap();
    assert_eq!((start - model.begin) % HUGE, PAGE);
    assert!(model.alloc(2 * PAGE, 1, 3).is_none());
}

#[test]
fn a_freed_block_is_used_again() {
    let mut model = Model::new(16 << 20);
    for len in [40, 5000, PAGED_FROM, HUGE + 100] {
        let first = model.alloc(len, 1, 1).unwrap();
        model.free(first);
        let grown = model.grown();
        for _ in 0..100 {
            let again = model.alloc(len, 1, 2).unwrap();
            assert_eq!(again, first);
            model.free(again);
        }
        assert_eq!(model.grown(), grown);
    }
}

#[test]
fn the_last_block_grows_where_it_is() {
    let mut model = Model::new(16 << 20);
    let mut len = HUGE;
    let block = model.alloc(len, 1, 1).unwrap();
    while len < 4 * HUGE {
        len += len / 2;
        assert!(model.resize(block, len), "{len}");
    }
    assert!(model.grown() < len + UNIT);
    model.check();
}

#[test]
fn a_block_that_would_lie_on_no_page_does_not_grow_where_it_is() {
    let mut model = Model::new(16 << 20);
    model.alloc(16, 1, 1).unwrap();
    let block = model.alloc(1000, 1, 2).unwrap();
    assert!(!model.resize(block, PAGED_FROM));
    assert!(model.resize(block, PAGED_FROM - GRAIN));
}

#[test]
fn what_cannot_be_had_is_refused_and_leaves_all_as_it_was() {
    let mut model = Model::new(4 << 20);
    let block = model.alloc(100, 1, 1).unwrap();
    assert!(model.alloc(8 << 20, 1, 2).is_none());
    assert!(model.alloc(usize::MAX, 1, 2).is_none());
    assert!(!model.resize(block, 8 << 20));
    assert!(!model.resize(block, usize::MAX - 3));
    model.check();
}

#[test]
fn many_blocks_freed_in_any_order_keep_the_tree_flat() {
    let (mut model, mut chance) = (Model::new(32 << 20), Chance(7));
    let mut blocks: Vec<usize> = (0..20_000)
        .map(|_| model.alloc(1000, 1, 1).unwrap())
        .collect();
    while !blocks.is_empty() {
        let block = blocks.swap_remove(chance.below(blocks.len()));
        model.free(block);
    }
    model.check();
    assert_eq!(model.holes().len(), 1);
}

#[test]
fn no_block_reaches_out_of_memory_that_was_there_before() {
    let mut region = Region::new(8 << 20);
    let (start, end) = region.grow(2 * UNIT).unwrap();
    let mut heap = Heap::new(region);
    // SAFETY: nothing else uses the region.
    unsafe { heap.adopt(start + 5, end) };
    let small = heap.alloc(100, 1).unwrap().start;
    assert!(small >= start + 5 && small < end);
    for len in [PAGED_FROM, 2 * UNIT, UNIT + 5 * PAGE] {
        let block = heap.alloc(len, 1).unwrap().start;
        assert!(block >= end || block + len < end, "{len}");
    }
}
