//! The same sums without a running remainder: the kernel must agree to the bit.

/// The sum of `x[..=i]` for each `i`, in 64 bits, of which the lower 32 are kept.
#[must_use]
pub(crate) fn prefix_scan(x: &[u32]) -> Vec<u32> {
    let mut total = 0_u64;
    x.iter()
        .map(|&x| {
            total += u64::from(x);
            u32::try_from(total % (1 << 32)).expect("a remainder of 2³²")
        })
        .collect()
}
