//! A call on its way into a guarded process: pickles, and the memory of what they are about.

use super::watch::Order;
use crate::sealed;
use bytes::Bytes;
use hotcell_model::frame::{BufferPlace, INLINE_BYTES};
use hotcell_model::job::Source;
use hotcell_sandbox::memory::SealedMemory;

/// A call on its way.
pub(super) struct Parcel {
    pub(super) inline: Option<Vec<u8>>,
    pub(super) parcel_bytes: u64,
    pub(super) pickle_bytes: u64,
    pub(super) places: Vec<BufferPlace>,
    /// The parcel, unless it is inline, and buffers that have memory of their own.
    pub(super) memories: Vec<SealedMemory>,
    /// All that crosses.
    pub(super) bytes: u64,
}

/// How buffers are aligned in a parcel: for every element, and for the processor's widest loads.
const ALIGNED: usize = 64;
/// The most buffers that have a descriptor of their own.
const MOST_OWN: usize = 200;

impl Parcel {
    pub(super) fn pack(order: &Order<'_>) -> std::io::Result<Self> {
        let mut own = Vec::new();
        let mut places = Vec::with_capacity(order.buffers.len());
        let pickle_bytes: usize = order.pickle.iter().map(|piece| piece.len()).sum();
        let mut end = pickle_bytes;
        let mut within: Vec<(usize, &Bytes)> = Vec::new();
        let mut bytes = pickle_bytes as u64;
        for buffer in order.buffers {
            let len = buffer.len_bytes();
            bytes = bytes.saturating_add(len);
            match buffer {
                Source::Sealed { file, .. } if own.len() < MOST_OWN && len > 0 => {
                    own.push(sealed::memory(file, len)?);
                    places.push(BufferPlace {
                        is_own: true,
                        offset_bytes: 0,
                        len_bytes: len,
                    });
                }
                Source::Memory(data) | Source::Sealed { bytes: data, .. } => {
                    let offset = end.next_multiple_of(ALIGNED);
                    within.push((offset, data));
                    places.push(BufferPlace {
                        is_own: false,
                        offset_bytes: offset as u64,
                        len_bytes: len,
                    });
                    end = offset + data.len();
                }
                Source::File { .. } => {
                    return Err(std::io::Error::other("a buffer that is a file"));
                }
            }
        }
        let mut pieces: Vec<(u64, &[u8])> = Vec::with_capacity(order.pickle.len() + within.len());
        let mut at = 0;
        for piece in order.pickle {
            pieces.push((at, piece));
            at += piece.len() as u64;
        }
        let buffers = within
            .iter()
            .map(|(offset, data)| (*offset as u64, &data[..]));
        pieces.extend(buffers);
        let mut memories = Vec::with_capacity(1 + own.len());
        let inline = match end <= INLINE_BYTES {
            true => {
                let mut inline = Vec::with_capacity(end);
                for (offset, data) in pieces {
                    inline.resize(usize::try_from(offset).unwrap_or(end), 0);
                    inline.extend_from_slice(data);
                }
                Some(inline)
            }
            false => {
                memories.push(SealedMemory::gather(end as u64, &pieces)?);
                None
            }
        };
        memories.append(&mut own);
        Ok(Self {
            inline,
            parcel_bytes: end as u64,
            pickle_bytes: pickle_bytes as u64,
            places,
            memories,
            bytes,
        })
    }
}
