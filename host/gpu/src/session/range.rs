//! Ranges that a guest names, checked before anything is done with them.

use hotcell_model::gpu::GpuError;

/// The unit in which wgpu copies, clears and binds.
pub(super) const COPY_ALIGNMENT: u64 = 4;

/// A range within `size_bytes`.
pub(super) fn check_range(
    offset_bytes: u64,
    len_bytes: u64,
    size_bytes: u64,
) -> Result<(), GpuError> {
    match offset_bytes.checked_add(len_bytes) {
        Some(end) if end <= size_bytes => Ok(()),
        _ => Err(GpuError::OutOfRange {
            offset_bytes,
            len_bytes,
            size_bytes,
        }),
    }
}

/// A number of bytes that is a multiple of `alignment`.
pub(super) fn check_aligned(what: &str, bytes: u64, alignment: u64) -> Result<(), GpuError> {
    if bytes.is_multiple_of(alignment) {
        return Ok(());
    }
    Err(GpuError::Misuse(format!(
        "{what} of {bytes} bytes is not a multiple of {alignment}"
    )))
}

/// A range of a buffer that begins at a multiple of 4, in whole words: how long they are. The last word of a buffer may
/// be one in part only, so that a range which ends where the buffer does may do so in the middle of a word.
pub(super) fn check_words(
    offset_bytes: u64,
    len_bytes: u64,
    size_bytes: u64,
) -> Result<u64, GpuError> {
    check_aligned("an offset", offset_bytes, COPY_ALIGNMENT)?;
    let end = offset_bytes.checked_add(len_bytes);
    if end != Some(size_bytes) {
        check_aligned("a length", len_bytes, COPY_ALIGNMENT)?;
    }
    match end {
        Some(end) if end <= padded(size_bytes) => Ok(padded(len_bytes)),
        _ => Err(GpuError::OutOfRange {
            offset_bytes,
            len_bytes,
            size_bytes,
        }),
    }
}

/// A range of a buffer that begins at a multiple of 4. What a buffer holds is whole words, so that what is missing to a
/// multiple of 4 at its end is in the buffer too.
pub(super) fn check_bytes(
    offset_bytes: u64,
    len_bytes: u64,
    size_bytes: u64,
) -> Result<(), GpuError> {
    check_aligned("an offset", offset_bytes, COPY_ALIGNMENT)?;
    check_range(offset_bytes, len_bytes, size_bytes)
}

/// What a buffer of so many bytes takes on a device: none is empty, and the structures of uniforms, whose sizes are
/// multiples of 16 at most, fit into one that was made for their members.
pub(super) fn held(size_bytes: u64) -> Option<u64> {
    size_bytes.max(1).checked_next_multiple_of(16)
}

/// Rounded up to a multiple of 4. No length that is checked is so long that there is none.
pub(super) fn padded(len_bytes: u64) -> u64 {
    len_bytes
        .checked_next_multiple_of(COPY_ALIGNMENT)
        .unwrap_or(u64::MAX)
}

/// What so many bytes take of a block: wgpu maps ranges that begin at multiples of 8.
pub(super) fn staged(len_bytes: u64) -> u64 {
    len_bytes.next_multiple_of(wgpu::MAP_ALIGNMENT)
}

/// The length of a slice.
pub(super) fn len_of(bytes: &[u8]) -> u64 {
    bytes.len() as u64
}

/// A length or an offset within a slice that is in memory. Never larger than the slice, so that it always fits.
pub(super) fn index(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_that_leave_or_overflow_are_refused_with_all_three_numbers() {
        for (offset, len, size, fits) in [
            (0, 16, 16, true),
            (16, 0, 16, true),
            (0, 0, 0, true),
            (4, 16, 16, false),
            (20, 0, 16, false),
            (u64::MAX - 3, 8, 16, false),
            (4, u64::MAX, u64::MAX, false),
        ] {
            let refused = GpuError::OutOfRange {
                offset_bytes: offset,
                len_bytes: len,
                size_bytes: size,
            };
            let expected = if fits { Ok(()) } else { Err(refused) };
            assert_eq!(check_range(offset, len, size), expected);
        }
    }

    #[test]
    fn words_are_aligned_at_both_ends_and_bytes_at_their_beginning() {
        assert_eq!(check_words(4, 8, 16), Ok(8));
        assert!(matches!(check_words(2, 8, 16), Err(GpuError::Misuse(_))));
        assert!(matches!(check_words(4, 7, 16), Err(GpuError::Misuse(_))));
        assert!(check_bytes(4, 7, 16).is_ok());
        assert!(matches!(check_bytes(1, 7, 16), Err(GpuError::Misuse(_))));
        // The end of the buffer is one of any range.
        assert_eq!(check_words(4, 7, 11), Ok(8));
        assert_eq!(check_words(4, 8, 11), Ok(8));
        assert_eq!(check_words(0, 0, 0), Ok(0));
        assert!(matches!(check_words(4, 6, 11), Err(GpuError::Misuse(_))));
        let far = GpuError::OutOfRange {
            offset_bytes: 4,
            len_bytes: 12,
            size_bytes: 11,
        };
        assert_eq!(check_words(4, 12, 11), Err(far));
        assert_eq!(
            (held(0), held(16), held(17)),
            (Some(16), Some(16), Some(32))
        );
        assert_eq!(held(u64::MAX), None);
        assert_eq!((padded(0), padded(3), padded(8)), (0, 4, 8));
        assert_eq!((staged(0), staged(4), staged(8)), (0, 8, 8));
    }
}
