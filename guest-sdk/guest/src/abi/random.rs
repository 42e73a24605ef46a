//! `hotcell:kernel/random`: random bytes.

#[cfg(any(target_arch = "wasm32", test))]
use crate::abi::Bytes;

imports! { "hotcell:kernel/random@0.2.0" {
    "bytes": fn random_bytes(len_bytes: u32, result: *mut Bytes);
}}

/// The next bytes of the stream.
#[cfg(target_arch = "wasm32")]
pub(crate) fn bytes(len_bytes: u32) -> Vec<u8> {
    let mut bytes = Bytes::EMPTY;
    // SAFETY: the canonical ABI's word.
    unsafe { random_bytes(len_bytes, &raw mut bytes) };
    bytes.take()
}
