//! The `.npy` format: a header that names dtype, order and shape, then the elements.
//!
//! Source: NumPy Enhancement Proposal 1 and `numpy/lib/_format_impl.py`, versions 1.0, 2.0 and 3.0.

pub(crate) mod descr;
pub(crate) mod header;
mod literal;

/// Reverses each group of `N` bytes: from one byte order to the other.
pub(crate) fn swap<const N: usize>(data: &mut [u8]) {
    for number in data.as_chunks_mut::<N>().0 {
        number.reverse();
    }
}
