//! The guest's words about why it fails, taken while they are there.
//!
//! What a guest returns is its own again before the caller sees it: wasmtime calls the guest's clean-up first, which
//! frees the text. So it is read where it is lifted, escaped, and cut there, and the host allocates no more than it keeps.

use hotcell_model::text;
use wasmtime::component::__internal::{CanonicalAbiInfo, InstanceType, InterfaceType, LiftContext};
use wasmtime::component::{ComponentType, Lift};
use wasmtime::{Result, bail};

/// A string of the guest's, escaped, of at most `MOST` bytes.
#[derive(Debug)]
pub struct Words<const MOST: usize>(String);

impl<const MOST: usize> Words<MOST> {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn read(context: &LiftContext<'_>, start: u32, len: u32) -> Result<Self> {
        let (start, len) = (usize::try_from(start)?, usize::try_from(len)?);
        let bytes = context
            .memory()
            .get(start..)
            .and_then(|rest| rest.get(..len));
        let Some(bytes) = bytes else {
            bail!("string pointer/length out of bounds of memory");
        };
        Ok(Self(text::escape(std::str::from_utf8(bytes)?, MOST)))
    }
}

// SAFETY: everything is that of a string.
unsafe impl<const MOST: usize> ComponentType for Words<MOST> {
    type Lower = <str as ComponentType>::Lower;

    const ABI: CanonicalAbiInfo = <str as ComponentType>::ABI;

    fn typecheck(ty: &InterfaceType, types: &InstanceType<'_>) -> Result<()> {
        <str as ComponentType>::typecheck(ty, types)
    }
}

// SAFETY: a string is an address and a length, which are looked at before they are used. Components whose strings have
// another encoding than UTF-8 are not compiled.
unsafe impl<const MOST: usize> Lift for Words<MOST> {
    fn linear_lift_from_flat(
        context: &mut LiftContext<'_>,
        _: InterfaceType,
        source: &Self::Lower,
    ) -> Result<Self> {
        Self::read(context, source[0].get_u32(), source[1].get_u32())
    }

    fn linear_lift_from_memory(
        context: &mut LiftContext<'_>,
        _: InterfaceType,
        bytes: &[u8],
    ) -> Result<Self> {
        let word = |at: usize| match bytes.get(at..at + 4) {
            Some(&[a, b, c, d]) => Ok(u32::from_le_bytes([a, b, c, d])),
            _ => bail!("a string takes eight bytes"),
        };
        Self::read(context, word(0)?, word(4)?)
    }
}
