//! The kernels listed sizes.
