//! Arrays' own pages in a guest's linear memory, in place of copies of them.
//!
//! A `list<u8>` that the host gives has an address of the guest's choosing. Where that address and the place in the
//! array both begin a page, the array's pages are mapped there: an input's copy-on-write, so that the guest changes its
//! own copy alone, and an output's shared, so that what the guest writes is in the array. What is not whole pages is
//! copied, and so is everything where a mapping would not pay or cannot be.
//!
//! Three rules keep a slot of the pool what wasmtime takes it for. Only memory whose size nobody can change is mapped. No
//! page is mapped below what an instance has from its start, where wasmtime keeps images of its own. And before a
//! slot is given back, pages of zeros stand again wherever something was mapped: [`Restored`] does that on every way out,
//! and ends the process if it cannot, since the next instance of the slot would see the last one's arrays.

use crate::meter::Meter;
use hotcell_model::job::PAGE_BYTES;
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap, mmap_anonymous};
use std::ops::Range;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The largest step in which pages are made present, so that a launch that is over ends soon.
const POPULATE_BYTES: usize = 64 << 20;
/// The most ranges of one instance: each is a mapping, of which a process has some ten thousands.
const MOST_RANGES: usize = 1024;
const READ_WRITE: ProtFlags = ProtFlags::READ.union(ProtFlags::WRITE);

/// A file whose pages can be mapped: its size is fixed.
pub(crate) type PageFile = Arc<dyn AsFd + Send + Sync>;

/// A place in a file of pages.
#[derive(Clone)]
pub(crate) struct FilePlace {
    pub(crate) file: PageFile,
    pub(crate) offset: u64,
}

/// Where a range of an output lies: the output's position in its instance's list, and the range's beginning in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OutputPlace {
    pub(crate) position: usize,
    pub(crate) offset: u64,
}

/// What one instance's memory has mapped.
pub(crate) struct Mappings {
    /// Below this, linear memory is not touched.
    floor: usize,
    /// Ranges smaller than this are copied.
    threshold: usize,
    ranges: Vec<MappedRange>,
}

/// Addresses where something is mapped, or was and has not been restored yet.
struct MappedRange {
    addresses: Range<usize>,
    /// Of an output's pages: what they are of, until they are handed back.
    shared: Option<(OutputPlace, FilePlace)>,
}

/// The mappings of one instance, as those share them that give lists and the one that restores the slot.
#[derive(Clone)]
pub(crate) struct SharedMappings(Arc<Mutex<Mappings>>);

/// Restores an instance's memory when dropped: to be dropped before the instance's store is.
pub(crate) struct Restored(SharedMappings);

impl SharedMappings {
    /// For an instance whose memories have at most `floor` bytes from their start; smaller ranges than `threshold`
    /// bytes are copied.
    pub(crate) fn new(floor: u64, threshold: usize) -> Self {
        Self(Arc::new(Mutex::new(Mappings {
            floor: usize::try_from(floor).unwrap_or(usize::MAX),
            threshold: threshold.max(PAGE_BYTES),
            ranges: Vec::new(),
        })))
    }

    /// Restores the memory at the end.
    pub(crate) fn restored(&self) -> Restored {
        Restored(self.clone())
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Mappings> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Mappings {
    /// Maps an input's pages copy-on-write over a list in the guest's memory; gives how many of its bytes are there now.
    ///
    /// `memory` is all of a linear memory, and the list lies inside it.
    pub(crate) fn map_input(
        &mut self,
        memory: &mut [u8],
        list: Range<usize>,
        place: &FilePlace,
        meter: &Meter,
    ) -> usize {
        let Some(addresses) = self.mappable(memory, &list, place) else {
            return 0;
        };
        let len = addresses.len();
        if !map(&addresses, place, MapFlags::PRIVATE) {
            return 0;
        }
        populate(&addresses, Advice::LinuxPopulateRead, meter);
        self.note(addresses, None);
        len
    }

    /// As [`Self::map_input`], for an output's pages, shared.
    pub(crate) fn map_output(
        &mut self,
        memory: &mut [u8],
        list: Range<usize>,
        place: &FilePlace,
        output: OutputPlace,
        meter: &Meter,
    ) -> usize {
        let Some(addresses) = self.mappable(memory, &list, place) else {
            return 0;
        };
        let len = addresses.len();
        if !map(&addresses, place, MapFlags::SHARED) {
            return 0;
        }
        populate(&addresses, Advice::LinuxPopulateWrite, meter);
        self.note(addresses, Some((output, place.clone())));
        len
    }

    /// Takes back what was given of an output: how many of the `data`'s first bytes are in the array already. The pages
    /// stay where they are, as a copy of the guest's own.
    pub(crate) fn hand_back(&mut self, data: &[u8], output: OutputPlace) -> usize {
        let address = data.as_ptr() as usize;
        let given = |range: &&mut MappedRange| {
            let of = range.shared.as_ref().map(|(output, _)| *output);
            range.addresses.start == address && of == Some(output)
        };
        let Some(range) = self.ranges.iter_mut().find(given) else {
            return 0;
        };
        if let Some((_, place)) = range.shared.take()
            && !map(&range.addresses, &place, MapFlags::PRIVATE)
        {
            lost();
        }
        range.addresses.len().min(data.len())
    }

    /// Whether bytes of the guest are pages of an output.
    pub(crate) fn are_shared(&self, data: &[u8]) -> bool {
        let addresses = addresses_of(data);
        let shared =
            |range: &MappedRange| range.shared.is_some() && overlap(&range.addresses, &addresses);
        self.ranges.iter().any(shared)
    }

    /// The addresses of the whole pages of a list, if it begins one in memory and in the file, and mapping it pays and
    /// breaks no rule. What an output's pages lie under is not mapped over: they would not be found when they are
    /// handed back.
    fn mappable(
        &self,
        memory: &mut [u8],
        list: &Range<usize>,
        place: &FilePlace,
    ) -> Option<Range<usize>> {
        let pages = list.len() / PAGE_BYTES * PAGE_BYTES;
        let is_worth_it = pages >= self.threshold && self.ranges.len() < MOST_RANGES;
        if !is_worth_it
            || list.start < self.floor
            || !place.offset.is_multiple_of(PAGE_BYTES as u64)
        {
            return None;
        }
        let start = memory.get_mut(list.clone())?.as_mut_ptr() as usize;
        let addresses = start..start + pages;
        let is_taken =
            |range: &MappedRange| range.shared.is_some() && overlap(&range.addresses, &addresses);
        let can_be = start.is_multiple_of(PAGE_BYTES) && !self.ranges.iter().any(is_taken);
        can_be.then_some(addresses)
    }

    fn note(&mut self, addresses: Range<usize>, shared: Option<(OutputPlace, FilePlace)>) {
        let covers = |range: &MappedRange| {
            range.addresses.start <= addresses.start && addresses.end <= range.addresses.end
        };
        // A block that is read into again and again is one range to restore.
        if shared.is_none() && self.ranges.iter().any(covers) {
            return;
        }
        self.ranges.push(MappedRange { addresses, shared });
    }

    /// Puts pages of zeros wherever something was mapped.
    fn restore(&mut self) {
        for MappedRange { addresses, .. } in self.ranges.drain(..) {
            put_zeros(&addresses);
        }
    }
}

impl Drop for Restored {
    fn drop(&mut self) {
        self.0.lock().restore();
    }
}

/// Maps whole pages of a file over the guest's; whether it was done. If not, there are zeros.
fn map(addresses: &Range<usize>, place: &FilePlace, kind: MapFlags) -> bool {
    let start = addresses.start as *mut std::ffi::c_void;
    let flags = kind | MapFlags::FIXED;
    // SAFETY: the range was taken from a slice of the guest's linear memory that is borrowed by nobody but who asks, and
    // whole pages of it, so that nothing else is replaced. The memory stays as readable and writable as it was, and the
    // file's size is fixed, so that no access to it can fail.
    let mapped = unsafe {
        mmap(
            start,
            addresses.len(),
            READ_WRITE,
            flags,
            place.file.as_fd(),
            place.offset,
        )
    };
    if mapped.is_err() {
        // Older kernels take away what was there before they find that they cannot map: the guest's memory has no holes.
        put_zeros(addresses);
    }
    mapped.is_ok()
}

/// Puts pages of zeros in the place of whole pages of a guest's memory, or ends the process.
fn put_zeros(addresses: &Range<usize>) {
    let start = addresses.start as *mut std::ffi::c_void;
    let flags = MapFlags::PRIVATE | MapFlags::NORESERVE | MapFlags::FIXED;
    // SAFETY: the range is the guest's memory, in its slot of the pool, which holds no Rust value and which its instance
    // does not run on now; whoever asks has nothing of it borrowed that is read again before it is written.
    if unsafe { mmap_anonymous(start, addresses.len(), READ_WRITE, flags) }.is_err() {
        lost();
    }
}

/// Makes pages present at once, which costs less than a fault for each. Where that is refused, they fault.
fn populate(addresses: &Range<usize>, advice: Advice, meter: &Meter) {
    for start in addresses.clone().step_by(POPULATE_BYTES) {
        let len = POPULATE_BYTES.min(addresses.end - start);
        // SAFETY: the range is mapped, and making pages present changes no byte.
        let refused = unsafe { madvise(start as *mut std::ffi::c_void, len, advice) }.is_err();
        if refused || meter.is_over() {
            return;
        }
    }
}

/// What the guest had must not be seen by another, and cannot be taken away.
fn lost() -> ! {
    std::process::abort()
}

fn addresses_of(bytes: &[u8]) -> Range<usize> {
    let start = bytes.as_ptr() as usize;
    start..start + bytes.len()
}

fn overlap(a: &Range<usize>, b: &Range<usize>) -> bool {
    a.start < b.end && b.start < a.end
}
