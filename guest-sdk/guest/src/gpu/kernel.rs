//! Compiled entry points and what they are bound to.

use super::{Buffer, Error, host};

/// A compiled entry point.
pub struct Kernel(pub(super) host::Kernel);

impl Kernel {
    /// The size of its workgroups.
    pub fn workgroup_size(&self) -> [u32; 3] {
        host::workgroup_size(&self.0)
    }

    /// Puts whole buffers at `@group(0)`, each with its `@binding`. Every binding that the entry point
    /// uses is named once. A run-time array has as many elements as its buffer has bytes for.
    ///
    /// # Errors
    /// If a binding is missing, named twice or unknown, or a buffer is too small or too large for it; and
    /// where the shader asks for `arrayLength`, if the buffer is empty or ends within an element.
    pub fn bind(&self, buffers: &[(u32, &Buffer)]) -> Result<BindSet, Error> {
        let binding = |&(slot, buffer)| Binding::new(slot, buffer);
        let bindings: Vec<Binding<'_>> = buffers.iter().map(binding).collect();
        self.bind_ranges(&bindings)
    }

    /// [`bind`](Self::bind) with groups and ranges.
    ///
    /// # Errors
    /// As [`bind`](Self::bind), and if a range leaves its buffer or does not begin at a multiple of 256.
    pub fn bind_ranges(&self, bindings: &[Binding<'_>]) -> Result<BindSet, Error> {
        host::bind(&self.0, bindings).map(BindSet)
    }
}

/// Ranges of buffers, bound to one kernel. It keeps its buffers alive.
pub struct BindSet(pub(super) host::BindSet);

/// What stands at `@group(group) @binding(slot)`.
#[derive(Clone, Copy)]
pub struct Binding<'a> {
    /// `@group`: 0 to 3.
    pub group: u32,
    /// `@binding`.
    pub slot: u32,
    /// The buffer.
    pub buffer: &'a Buffer,
    /// Where the range begins: a multiple of 256.
    pub offset_bytes: u64,
    /// How long it is, a multiple of 4; `None` for the rest of the buffer.
    pub len_bytes: Option<u64>,
}

impl<'a> Binding<'a> {
    /// All of a buffer, at `@group(0)`.
    pub fn new(slot: u32, buffer: &'a Buffer) -> Self {
        Self {
            group: 0,
            slot,
            buffer,
            offset_bytes: 0,
            len_bytes: None,
        }
    }
}
