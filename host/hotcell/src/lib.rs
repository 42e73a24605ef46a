//! Run compute kernels that nobody trusts yet.
