//! A `list<u8>` on its way into a guest: bytes that the host has, pages of an array, or a range of a file.
//!
//! wasmtime lowers lists by asking the guest for memory and copying into it. This does the same, and maps an array's
//! pages instead of copying them where [`mapping`](crate::mapping) finds that it can. The traits are wasmtime's own for
//! its derived types, whose version is pinned.

use crate::arrays::as_index;
use crate::mapping::{FilePlace, OutputPlace, SharedMappings};
use crate::meter::Meter;
use crate::stop::Stop;
use hotcell_model::job::Source;
use std::mem::MaybeUninit;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use wasmtime::Result;
use wasmtime::component::__internal::{
    CanonicalAbiInfo, InstanceType, InterfaceType, LowerContext,
};
use wasmtime::component::{ComponentType, Lower};

/// A range of an array, for a guest.
pub(crate) struct Lent {
    pub(crate) range: LentRange,
    /// How many bytes.
    pub(crate) len: usize,
    /// Where the range lies in a file of pages, if the array has one.
    pub(crate) place: Option<FilePlace>,
    pub(crate) mappings: SharedMappings,
    pub(crate) meter: Arc<Meter>,
}

/// What the range is of.
pub(crate) enum LentRange {
    /// An input, from that byte on.
    Input(Source, u64),
    /// An output's memory, to be filled.
    Output(OutputPlace),
}

impl Lent {
    /// Puts the range into `list` of the guest's memory.
    fn fill(&self, memory: &mut [u8], start: usize) -> Result<()> {
        let list = start..start + self.len;
        let mapped = match (&self.place, &self.range) {
            (None, _) => 0,
            (Some(place), LentRange::Input(..)) => {
                let mut mappings = self.mappings.lock();
                mappings.map_input(memory, list.clone(), place, &self.meter)
            }
            (Some(place), LentRange::Output(output)) => {
                let mut mappings = self.mappings.lock();
                mappings.map_output(memory, list.clone(), place, *output, &self.meter)
            }
        };
        let rest = &mut memory[list][mapped..];
        match &self.range {
            LentRange::Input(source, offset) => copy(source, offset + mapped as u64, rest)?,
            // The guest's block may hold what it has freed.
            LentRange::Output(_) => rest.fill(0),
        }
        Ok(())
    }
}

/// Copies a checked range of a source.
fn copy(source: &Source, offset: u64, to: &mut [u8]) -> Result<(), Stop> {
    match source {
        Source::Memory(bytes) | Source::Sealed { bytes, .. } => {
            let start = as_index(offset);
            to.copy_from_slice(&bytes[start..start + to.len()]);
            Ok(())
        }
        Source::File {
            file, offset_bytes, ..
        } => file
            .read_exact_at(to, offset_bytes + offset)
            .map_err(|error| Stop::Io(format!("an input could not be read: {error}"))),
    }
}

// SAFETY: everything is that of a list of bytes.
unsafe impl ComponentType for Lent {
    type Lower = <[u8] as ComponentType>::Lower;

    const ABI: CanonicalAbiInfo = <[u8] as ComponentType>::ABI;

    fn typecheck(ty: &InterfaceType, types: &InstanceType<'_>) -> Result<()> {
        <[u8] as ComponentType>::typecheck(ty, types)
    }
}

// SAFETY: what is stored is the address and the length of memory that the guest gave for a list of bytes, all of which
// has been filled.
unsafe impl Lower for Lent {
    fn linear_lower_to_flat<T>(
        &self,
        _: &mut LowerContext<'_, T>,
        _: InterfaceType,
        _: &mut MaybeUninit<Self::Lower>,
    ) -> Result<()> {
        // Two numbers are more than a function returns otherwise than through memory.
        wasmtime::bail!("a list is returned through memory")
    }

    fn linear_lower_to_memory<T>(
        &self,
        context: &mut LowerContext<'_, T>,
        _: InterfaceType,
        offset: usize,
    ) -> Result<()> {
        let start = context.realloc(0, 0, 1, self.len)?;
        self.fill(context.as_slice_mut(), start)?;
        // Both are below 4 GiB: the list lies in a memory of 32 bits.
        *context.get(offset) = u32::try_from(start)?.to_le_bytes();
        *context.get(offset + 4) = u32::try_from(self.len)?.to_le_bytes();
        Ok(())
    }
}
