//! `hotcell:kernel/arrays`: the launch's arrays by their handles.

#[cfg(any(target_arch = "wasm32", test))]
use crate::abi::Bytes;

imports! { "hotcell:kernel/arrays@0.2.0" {
    "[method]input.read": fn input_read(this: u32, offset_bytes: u64, len_bytes: u32, result: *mut Bytes);
    "[method]input.size-bytes": fn input_size_bytes(this: u32) -> u64;
    "[resource-drop]input": fn input_drop(this: u32);
    "[method]output.write": fn output_write(this: u32, offset_bytes: u64, data: *const u8, len: usize);
    "[method]output.buffer": fn output_buffer(this: u32, offset_bytes: u64, len_bytes: u32, result: *mut Bytes);
    "[method]output.size-bytes": fn output_size_bytes(this: u32) -> u64;
}}

/// A host-owned array to read.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Input(pub(crate) u32);

/// A host-owned array to write.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Output(pub(crate) u32);

#[cfg(target_arch = "wasm32")]
impl Input {
    /// Its size in bytes.
    pub(crate) fn size_bytes(self) -> u64 {
        // SAFETY: the canonical ABI's word.
        unsafe { input_size_bytes(self.0) }
    }

    /// The bytes of a range that lies inside it.
    pub(crate) fn read(self, offset_bytes: u64, len_bytes: u32) -> Vec<u8> {
        let mut bytes = Bytes::EMPTY;
        // SAFETY: the canonical ABI's word.
        unsafe { input_read(self.0, offset_bytes, len_bytes, &raw mut bytes) };
        bytes.take()
    }

    /// Gives the array back to the host: it is not read again.
    pub(crate) fn release(self) {
        // SAFETY: the canonical ABI's word; a handle that is used afterwards is a trap.
        unsafe { input_drop(self.0) }
    }
}

#[cfg(target_arch = "wasm32")]
impl Output {
    /// Its size in bytes.
    pub(crate) fn size_bytes(self) -> u64 {
        // SAFETY: the canonical ABI's word.
        unsafe { output_size_bytes(self.0) }
    }

    /// Memory for its first bytes, zero, to be filled and handed to [`write`](Self::write).
    pub(crate) fn buffer(self, len_bytes: u32) -> Vec<u8> {
        let mut bytes = Bytes::EMPTY;
        // SAFETY: the canonical ABI's word.
        unsafe { output_buffer(self.0, 0, len_bytes, &raw mut bytes) };
        bytes.take()
    }

    /// Replaces the bytes of a range that lies inside it.
    pub(crate) fn write(self, offset_bytes: u64, bytes: &[u8]) {
        // SAFETY: the canonical ABI's word; the host reads the slice.
        unsafe { output_write(self.0, offset_bytes, bytes.as_ptr(), bytes.len()) }
    }
}
