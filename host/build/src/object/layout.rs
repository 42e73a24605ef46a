//! Where things are in memory: the stack first, so that what overflows it leaves memory and traps, then a few words for the shim,
//! then the data that are reached, then the heap.

use super::ObjectError;
use super::read::Piece;

/// The stack's size in bytes. What a compiler puts there is small: arrays of a launch and of [`ALLOCATE`](super::link::ALLOCATE)
/// are elsewhere.
pub(super) const STACK_BYTES: u32 = 256 << 10;
/// The answer to a launch, in the canonical ABI's layout of `result<_, kernel-error>`.
pub(super) const ANSWER: u32 = STACK_BYTES;
pub(super) const ANSWER_BYTES: u32 = 24;
/// Where the host puts address and length of a list.
pub(super) const RETURNED: u32 = ANSWER + ANSWER_BYTES;
/// What the host says of an array that is too long.
pub(super) const TOO_LONG: u32 = RETURNED + 8;
pub(super) const TOO_LONG_TEXT: &str = "an array has 4 GiB or more, which a kernel's memory has no room for: split the launch, or stream it with the SDK";
pub(super) const TOO_LONG_BYTES: u32 = 112;
const DATA_FROM: u32 = TOO_LONG + TOO_LONG_BYTES;
const _: () = assert!(TOO_LONG_TEXT.len() == TOO_LONG_BYTES as usize);
/// Addresses from here on are no data's.
const DATA_UP_TO: u64 = 1 << 31;
pub(super) const PAGE_BYTES: u32 = 64 << 10;

/// The addresses of segments, and what follows them.
pub(super) struct Layout {
    /// The address of each segment that is reached.
    pub(super) segments: Vec<Option<u32>>,
    pub(super) heap: u32,
}

impl Layout {
    pub(super) fn of(segments: &[Piece<'_>], is_live: &[bool]) -> Result<Self, ObjectError> {
        let mut end = u64::from(DATA_FROM);
        let mut place = |segment: &Piece<'_>| {
            let at = end.next_multiple_of(1 << segment.align);
            end = at + segment.bytes.len() as u64;
            match u32::try_from(at) {
                Ok(at) if end <= DATA_UP_TO => Ok(at),
                _ => Err(ObjectError::TooLarge),
            }
        };
        let addresses = segments
            .iter()
            .zip(is_live)
            .map(|(segment, is_live)| is_live.then(|| place(segment)).transpose())
            .collect::<Result<_, _>>()?;
        let heap = u32::try_from(end.next_multiple_of(16)).map_err(|_| ObjectError::TooLarge)?;
        Ok(Self {
            segments: addresses,
            heap,
        })
    }

    /// How much memory there is at the beginning.
    pub(super) fn pages(&self) -> u32 {
        // A little for the lists of a launch.
        (self.heap + 4096).div_ceil(PAGE_BYTES)
    }
}
