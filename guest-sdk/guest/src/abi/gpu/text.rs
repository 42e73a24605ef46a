//! `hotcell:gpu/text`: shaders that are made at run time.

#[cfg(any(target_arch = "wasm32", test))]
use crate::abi::gpu::{Constant, Returned};

imports! { "hotcell:gpu/text@0.2.0" {
    "create-kernel": fn text_create_kernel(
        device: u32, wgsl: *const u8, wgsl_len: usize, entry: *const u8, entry_len: usize,
        constants: *const Constant<'static>, constants_len: usize, result: *mut Returned
    );
}}

/// A kernel of WGSL that is given here.
#[cfg(target_arch = "wasm32")]
pub(crate) fn create_kernel(
    device: &crate::abi::gpu::Device,
    wgsl: &str,
    entry: &str,
    constants: &[Constant<'_>],
) -> Result<crate::abi::gpu::Kernel, crate::gpu_error::Error> {
    let mut result = Returned::EMPTY;
    // SAFETY: the canonical ABI's word; the host reads texts and list.
    unsafe {
        text_create_kernel(
            device.0,
            wgsl.as_ptr(),
            wgsl.len(),
            entry.as_ptr(),
            entry.len(),
            constants.as_ptr().cast(),
            constants.len(),
            &raw mut result,
        );
    }
    result.handle().map(crate::abi::gpu::Kernel)
}
