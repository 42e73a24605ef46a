//! The interface between host and kernels, as text, for programs that make or check components.

/// What every kernel has: the package `hotcell:kernel`.
pub const KERNEL: &str = include_str!("kernel/kernel.wit");
/// GPU work, and the world of everything that a kernel can be granted: the package `hotcell:gpu`.
pub const GPU: &str = include_str!("gpu/gpu.wit");
/// Both, by their paths in this folder; each needs those before it.
pub const FILES: [(&str, &str); 2] = [("kernel/kernel.wit", KERNEL), ("gpu/gpu.wit", GPU)];
