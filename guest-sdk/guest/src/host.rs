//! Arrays that the host owns, as a launch sees them: the host stands behind these two traits, and so do the tests.

/// A host-owned array to read.
pub(crate) trait ReadArray {
    /// Its size in bytes.
    fn size_bytes(&self) -> u64;
    /// The bytes of a range that lies inside it.
    fn read(&self, offset_bytes: u64, len_bytes: u32) -> Vec<u8>;
    /// Gives the array back to the host: it will not be read again.
    fn release(&self);
    /// The component's handle of the array, until it is given back.
    #[cfg(all(feature = "gpu", target_arch = "wasm32"))]
    fn handle(&self)
    -> std::cell::Ref<'_, Option<crate::bindings::hotcell::kernel::arrays::Input>>;
}

/// A host-owned array to write.
pub(crate) trait WriteArray {
    /// Its size in bytes.
    fn size_bytes(&self) -> u64;
    /// Memory for all of its bytes, zero, to be filled and handed to [`write`](Self::write).
    fn buffer(&self, len_bytes: u32) -> Vec<u8>;
    /// Replaces the bytes of a range that lies inside it.
    fn write(&self, offset_bytes: u64, bytes: &[u8]);
    /// The component's handle of the array.
    #[cfg(all(feature = "gpu", target_arch = "wasm32"))]
    fn handle(&self) -> &crate::bindings::hotcell::kernel::arrays::Output;
}
