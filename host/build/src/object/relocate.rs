//! Applying relocations: writing indices and addresses where code and data have room for them.

use super::ObjectError;
use super::count;
use super::layout::{ANSWER, ANSWER_BYTES, Layout, TOO_LONG, TOO_LONG_TEXT};
use super::live::{HEAP_BASE, symbol};
use super::read::{DataPlace, Object, Piece, Relocation, Symbol};
use wasm_encoder::{ConstExpr, DataSection};
use wasmparser::RelocationType;

/// What applies relocations.
pub(super) struct Linker<'l, 'a> {
    pub(super) object: &'l Object<'a>,
    pub(super) layout: &'l Layout,
    pub(super) places: &'l [Option<u32>],
    pub(super) slots: &'l [u32],
}

impl Linker<'_, '_> {
    /// A piece with its relocations applied; `own` is its address, where it has one.
    pub(super) fn applied(
        &self,
        piece: &Piece<'_>,
        own: Option<u32>,
    ) -> Result<Vec<u8>, ObjectError> {
        use RelocationType as T;
        let mut bytes = piece.bytes.to_vec();
        for relocation in &piece.relocations {
            let at = relocation.at;
            match relocation.ty {
                T::TypeIndexLeb => leb(&mut bytes, at, relocation.index),
                T::FunctionIndexLeb => leb(&mut bytes, at, self.function(relocation)?),
                T::GlobalIndexLeb => leb(&mut bytes, at, self.global(relocation)?),
                T::TableNumberLeb => leb(&mut bytes, at, 0),
                T::TableIndexSleb => signed_leb(&mut bytes, at, self.slot(relocation)?),
                T::TableIndexI32 => word(&mut bytes, at, self.slot(relocation)?),
                T::MemoryAddrLeb => leb(&mut bytes, at, self.address(relocation)?),
                T::MemoryAddrSleb => signed_leb(&mut bytes, at, self.address(relocation)?),
                T::MemoryAddrI32 => word(&mut bytes, at, self.address(relocation)?),
                T::MemoryAddrLocrelI32 => {
                    let here = own.unwrap_or_default().wrapping_add(count(at));
                    word(&mut bytes, at, self.address(relocation)?.wrapping_sub(here));
                }
                other => return Err(refused(other)),
            }
        }
        Ok(bytes)
    }

    fn function(&self, relocation: &Relocation) -> Result<u32, ObjectError> {
        match symbol(self.object, relocation)? {
            Symbol::Function { index, .. } => Ok(self.places[*index as usize].unwrap_or_default()),
            _ => Err(mismatch()),
        }
    }

    fn slot(&self, relocation: &Relocation) -> Result<u32, ObjectError> {
        let Symbol::Function { index, .. } = symbol(self.object, relocation)? else {
            return Err(mismatch());
        };
        let at = self.slots.iter().position(|slot| slot == index);
        Ok(at.map_or(0, |at| 1 + count(at)))
    }

    fn global(&self, relocation: &Relocation) -> Result<u32, ObjectError> {
        match symbol(self.object, relocation)? {
            Symbol::Global("__stack_pointer") => Ok(0),
            Symbol::Global(name) => Err(ObjectError::unsupported(
                format!("the global `{}`", name.escape_debug()),
                "compile without -fPIC and without threads",
            )),
            _ => Err(mismatch()),
        }
    }

    fn address(&self, relocation: &Relocation) -> Result<u32, ObjectError> {
        let Symbol::Data { name, place } = symbol(self.object, relocation)? else {
            return Err(mismatch());
        };
        let base = match place {
            DataPlace::Segment(segment, offset) => {
                let segment = self.layout.segments.get(*segment as usize);
                segment
                    .copied()
                    .flatten()
                    .unwrap_or_default()
                    .wrapping_add(*offset)
            }
            DataPlace::Absolute(address) => *address,
            // An addend counts from where nothing is, as linkers have it.
            DataPlace::Weak => 0,
            DataPlace::Undefined if *name == HEAP_BASE => self.layout.heap,
            DataPlace::Undefined => return Err(mismatch()),
        };
        // Addends are signed, and addresses wrap.
        let addend = i32::try_from(relocation.addend).map_err(|_| ObjectError::TooLarge)?;
        Ok(base.wrapping_add_signed(addend))
    }

    /// The data that are reached and are not zero, and how many segments they are.
    pub(super) fn data(&self) -> Result<(DataSection, u32), ObjectError> {
        let mut section = DataSection::new();
        let mut count = 1;
        let mut answer = vec![0; ANSWER_BYTES as usize + 8];
        answer.extend_from_slice(TOO_LONG_TEXT.as_bytes());
        debug_assert_eq!(ANSWER + ANSWER_BYTES + 8, TOO_LONG);
        let at = |address: u32| ConstExpr::i32_const(address.cast_signed());
        section.active(0, &at(ANSWER), answer);
        for (at_segment, segment) in self.object.segments.iter().enumerate() {
            let Some(address) = self.layout.segments[at_segment] else {
                continue;
            };
            let bytes = self.applied(segment, Some(address))?;
            if bytes.iter().any(|byte| *byte != 0) {
                section.active(0, &at(address), bytes);
                count += 1;
            }
        }
        Ok((section, count))
    }
}

fn refused(ty: RelocationType) -> ObjectError {
    use RelocationType as T;
    let advice = match ty {
        T::MemoryAddrRelSleb
        | T::TableIndexRelSleb
        | T::MemoryAddrRelSleb64
        | T::TableIndexRelSleb64 => "compile without -fPIC",
        T::MemoryAddrTlsSleb | T::MemoryAddrTlsSleb64 => {
            "a kernel has one thread: leave `thread_local` out"
        }
        T::EventIndexLeb => "compile with -fno-exceptions",
        T::MemoryAddrLeb64
        | T::MemoryAddrSleb64
        | T::MemoryAddrI64
        | T::TableIndexSleb64
        | T::TableIndexI64
        | T::FunctionOffsetI64 => "compile for wasm32",
        _ => "link it with wasm-ld, and give the module instead",
    };
    ObjectError::unsupported(format!("a relocation of the kind {ty:?}"), advice)
}

fn mismatch() -> ObjectError {
    ObjectError::unsupported(
        "a relocation to a symbol of another kind",
        "compile it again",
    )
}

/// Five bytes of an unsigned number, as compilers leave room for.
fn leb(bytes: &mut [u8], at: usize, value: u32) {
    for (byte, place) in bytes[at..at + 5].iter_mut().zip(0_u32..) {
        let more = if place < 4 { 0x80 } else { 0 };
        let [low, ..] = (value >> (7 * place)).to_le_bytes();
        *byte = low & 0x7f | more;
    }
}

/// The same of a signed one, whose sign fills the last byte's seven bits.
fn signed_leb(bytes: &mut [u8], at: usize, value: u32) {
    leb(bytes, at, value);
    if value.cast_signed() < 0 {
        bytes[at + 4] |= 0x70;
    }
}

fn word(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
}
