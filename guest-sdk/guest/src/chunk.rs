//! [`Chunk`]: the part of a split launch that an instance computes.

use crate::error::Refusal;

/// Which part of the split dimension this instance computes.
///
/// Where a launch is not split, `start` is 0 and `len` equals `total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// The first index of this part.
    pub start: usize,
    /// The number of indices in this part: the split dimension's extent in this instance.
    pub len: usize,
    /// The extent of the split dimension over the whole launch.
    pub total: usize,
}

impl Chunk {
    /// The whole of a dimension of `total` elements.
    pub const fn whole(total: usize) -> Self {
        Self {
            start: 0,
            len: total,
            total,
        }
    }

    /// How many indices come before this part in an input with a halo of `rows`: the index `i` of this
    /// part is `chunk.before(rows) + i` there. Fewer than `rows` at the beginning of the whole.
    pub const fn before(&self, rows: usize) -> usize {
        smaller(self.start, rows)
    }

    /// How many indices come after this part in an input with a halo of `rows`: fewer at the end of
    /// the whole.
    pub const fn after(&self, rows: usize) -> usize {
        let end = self.start.saturating_add(self.len);
        smaller(self.total.saturating_sub(end), rows)
    }

    /// From the WIT's start, length and total.
    pub(crate) fn from_u64(parts: [u64; 3]) -> Result<Self, Box<Refusal<'static>>> {
        match parts.map(usize::try_from) {
            [Ok(start), Ok(len), Ok(total)] => Ok(Self { start, len, total }),
            _ => Err(Refusal::fixed(
                "chunk",
                "it does not fit this machine's integers",
            )),
        }
    }
}

/// `min`, which is not const.
const fn smaller(a: usize, b: usize) -> usize {
    if a < b { a } else { b }
}
