//! The elements behind a `.npy` header, read into C order and little-endian bytes.

use super::ReadError;
use super::transpose::{SLAB_BYTES, Scatter};
use crate::npy::header::Header;
use crate::npy::swap;
use hotcell_model::manifest::DType;
use std::io::{ErrorKind, Read};

/// Reads exactly `len` bytes of data, which the caller has checked against its limits.
///
/// `file` names the source in errors. Bytes after the data are left unread.
pub(crate) fn read(
    header: &Header,
    len: usize,
    source: &mut dyn Read,
    file: &str,
) -> Result<Vec<u8>, ReadError> {
    let mut data = zeroed(len, file)?;
    fill(header, &mut data, source, file)?;
    Ok(data)
}

/// As [`read`], into memory that is there.
pub(crate) fn fill(
    header: &Header,
    data: &mut [u8],
    source: &mut dyn Read,
    file: &str,
) -> Result<(), ReadError> {
    let reordered = header.fortran_order && header.shape.len() > 1 && !data.is_empty();
    if reordered {
        read_fortran(header, data, source, file)?;
    } else {
        let len = data.len() as u64;
        read_exact(source, data, (0, len), file)?;
    }
    if header.big_endian {
        to_little_endian(header.dtype, data);
    }
    if header.dtype == DType::Bool {
        check_bools(data, 0, file)?;
    }
    Ok(())
}

/// `len` zero bytes, or an error where there is no memory.
///
/// The memory is asked for twice: once to see that it is there, since only that way can fail, and once zeroed by the
/// operating system, since that way touches no page before the data arrives.
pub(crate) fn zeroed(len: usize, file: &str) -> Result<Vec<u8>, ReadError> {
    let mut trial = Vec::<u8>::new();
    let reserved = trial.try_reserve_exact(len);
    reserved.map_err(|_| ReadError::out_of_memory(file, len))?;
    // Without this the optimiser may leave out an allocation that nothing uses.
    drop(std::hint::black_box(trial));
    Ok(vec![0; len])
}

fn read_fortran(
    header: &Header,
    data: &mut [u8],
    source: &mut dyn Read,
    file: &str,
) -> Result<(), ReadError> {
    match header.dtype.size_bytes() {
        1 => read_slabs::<1>(header, data, source, file),
        2 => read_slabs::<2>(header, data, source, file),
        4 => read_slabs::<4>(header, data, source, file),
        8 => read_slabs::<8>(header, data, source, file),
        _ => read_slabs::<16>(header, data, source, file),
    }
}

fn read_slabs<const N: usize>(
    header: &Header,
    data: &mut [u8],
    source: &mut dyn Read,
    file: &str,
) -> Result<(), ReadError> {
    let len = data.len();
    let extents = header.shape.iter().map(|&extent| usize::try_from(extent));
    let shape = extents.collect::<Result<Vec<_>, _>>();
    let shape = shape.map_err(|_| ReadError::out_of_memory(file, len))?;
    let plan = Scatter::new(&shape);
    let slab_bytes = len.min(SLAB_BYTES);
    let mut slab_data = zeroed(slab_bytes, file)?;
    let (target, _) = data.as_chunks_mut::<N>();
    let mut done = 0;
    for slab in plan.slabs(slab_bytes / N) {
        let bytes = &mut slab_data[..slab.elements() * N];
        read_exact(source, bytes, (done as u64, len as u64), file)?;
        done += bytes.len();
        plan.scatter(slab, bytes.as_chunks::<N>().0, target);
    }
    Ok(())
}

/// `progress` is how much was read before, and how much there should be.
fn read_exact(
    source: &mut dyn Read,
    bytes: &mut [u8],
    (done, len): (u64, u64),
    file: &str,
) -> Result<(), ReadError> {
    let mut filled = 0;
    while filled < bytes.len() {
        match source.read(&mut bytes[filled..]) {
            Ok(0) => {
                return Err(ReadError::Truncated {
                    file: file.to_owned(),
                    requested: len,
                    available: done + filled as u64,
                });
            }
            Ok(read) => filled += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(source) => return Err(ReadError::io(file, source)),
        }
    }
    Ok(())
}

/// Reverses the bytes of each number; a complex element is two numbers.
fn to_little_endian(dtype: DType, data: &mut [u8]) {
    let parts = match dtype {
        DType::Complex64 | DType::Complex128 => 2,
        _ => 1,
    };
    match dtype.size_bytes() / parts {
        2 => swap::<2>(data),
        4 => swap::<4>(data),
        8 => swap::<8>(data),
        _ => {}
    }
}

/// Looks at the `len` bools that come next, in pieces.
pub(crate) fn check_bools_of(source: &mut dyn Read, len: u64, file: &str) -> Result<(), ReadError> {
    let piece_bytes = len.min(SLAB_BYTES as u64);
    let mut piece = zeroed(usize::try_from(piece_bytes).unwrap_or(SLAB_BYTES), file)?;
    let mut done = 0;
    while done < len {
        let rest = usize::try_from(len - done).unwrap_or(usize::MAX);
        let piece = &mut piece[..rest.min(SLAB_BYTES)];
        read_exact(source, piece, (done, len), file)?;
        check_bools(piece, done, file)?;
        done += piece.len() as u64;
    }
    Ok(())
}

/// `before` is how many elements come before these.
fn check_bools(data: &[u8], before: u64, file: &str) -> Result<(), ReadError> {
    match data.iter().position(|byte| *byte > 1) {
        None => Ok(()),
        Some(index) => Err(ReadError::NotBool {
            file: file.to_owned(),
            index: before + index as u64,
            value: data[index],
        }),
    }
}
