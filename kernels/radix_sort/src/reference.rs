//! The same order by the standard library: the kernel must agree to the bit.

/// The keys in ascending order.
#[must_use]
pub(crate) fn radix_sort(x: &[u32]) -> Vec<u32> {
    let mut keys = x.to_vec();
    keys.sort_unstable();
    keys
}
