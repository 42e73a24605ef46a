//! Innermost loops of a core module, repeated: several rounds before each way back.
//!
//! Metering checks at the head of a loop, and what is live there has to lie where the check leaves it alone. LLVM unrolls what
//! it can count; what is left are loops that it would not touch: too large, of unknown length, with several exits. Here
//! a loop's body is written several times over, each with its own exits, so that one check stands for several rounds. What
//! is computed stays the same in every bit, and so does what traps, and where; fuel is that of another module.
//!
//! Only functions that are named as the kernel's own are touched: what else is linked is not hot, and would get large. A
//! module that says of something where in the code it is (line tables, branch hints, names of labels) stays as it is, since
//! all of that would be wrong.

mod function;

#[cfg(test)]
mod tests;

use serde::Deserialize;
use std::collections::HashSet;
use wasm_encoder::{CodeSection, Module, RawSection, Section as _};
use wasmparser::{
    BinaryReaderError, CustomSectionReader, KnownCustom, Name, Parser, Payload, TypeRef,
};

/// How often a loop's body stands in it: from 1, the default, which leaves loops alone, to 32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u32")]
pub struct Repeat(u32);

impl Repeat {
    /// The count.
    pub fn count(self) -> u32 {
        self.0
    }
}

impl Default for Repeat {
    fn default() -> Self {
        Self(1)
    }
}

/// A count of [`Repeat`] that is out of range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("repeat is {0}, from 1 to 32 are allowed")]
pub struct RepeatError(pub u32);

impl TryFrom<u32> for Repeat {
    type Error = RepeatError;

    fn try_from(count: u32) -> Result<Self, RepeatError> {
        match count {
            1..=32 => Ok(Self(count)),
            _ => Err(RepeatError(count)),
        }
    }
}

/// A core module, and what was done to its loops.
#[derive(Clone, Debug)]
pub struct Repeated {
    /// The module.
    pub module: Vec<u8>,
    /// What was done.
    pub done: Repetition,
}

/// What was done to a module's loops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repetition {
    /// So many were repeated.
    Loops(usize),
    /// None, because the module says of something where in the code it is.
    Placed,
}

/// Repeats the innermost loops of the functions that `is_own` says yes to by name.
///
/// The same module and count give the same bytes.
pub(crate) fn repeat(
    module: Vec<u8>,
    count: Repeat,
    is_own: impl Fn(&str) -> bool,
) -> Result<Repeated, BinaryReaderError> {
    let done = match () {
        () if count == Repeat(1) => Repetition::Loops(0),
        () if has_places(&module)? => Repetition::Placed,
        () => return rewrite(&module, count, &own_functions(&module, is_own)?),
    };
    Ok(Repeated { module, done })
}

fn rewrite(
    module: &[u8],
    count: Repeat,
    own: &HashSet<u32>,
) -> Result<Repeated, BinaryReaderError> {
    let (mut made, mut code) = (Module::new(), CodeSection::new());
    let (mut index, mut bodies, mut loops) = (0, 0, 0);
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload?;
        match &payload {
            Payload::ImportSection(section) => index = functions(section.clone())?,
            Payload::CodeSectionStart { count, .. } => bodies = *count,
            Payload::CodeSectionEntry(body) => {
                let repeated = match own.contains(&index) {
                    true => function::repeat(body, count, &mut loops)?,
                    false => body.as_bytes().to_vec(),
                };
                code.raw(&repeated);
                index += 1;
                if code.len() == bodies {
                    made.section(&code);
                }
            }
            _ => {}
        }
        // A code section gives its contents twice: as a whole, and function by function.
        if let Some((id, range)) = payload.as_section()
            && id != code.id()
        {
            let data = &module[range];
            made.section(&RawSection { id, data });
        }
    }
    Ok(Repeated {
        module: made.finish(),
        done: Repetition::Loops(loops),
    })
}

/// How many functions are imported: they have the first indices.
fn functions(section: wasmparser::ImportSectionReader<'_>) -> Result<u32, BinaryReaderError> {
    let mut count = 0;
    for import in section.into_imports() {
        count += u32::from(matches!(import?.ty, TypeRef::Func(_)));
    }
    Ok(count)
}

/// The indices of the functions with a name that `is_own` says yes to.
fn own_functions(
    module: &[u8],
    is_own: impl Fn(&str) -> bool,
) -> Result<HashSet<u32>, BinaryReaderError> {
    let mut own = HashSet::new();
    for name in names(module)? {
        if let Name::Function(functions) = name {
            for function in functions {
                let function = function?;
                if is_own(function.name) {
                    own.insert(function.index);
                }
            }
        }
    }
    Ok(own)
}

/// Whether something of a module says where in the code something is.
fn has_places(module: &[u8]) -> Result<bool, BinaryReaderError> {
    let is_label = |name: &Name<'_>| matches!(name, Name::Label(_));
    if names(module)?.iter().any(is_label) {
        return Ok(true);
    }
    let places = [".debug_", "reloc.", "metadata.code.", "sourceMappingURL"];
    let has = |section: &CustomSectionReader<'_>| {
        let name = section.name();
        places.iter().any(|place| name.starts_with(place)) || name == "external_debug_info"
    };
    Ok(custom_sections(module)?.iter().any(has))
}

/// The parts of the section of names.
fn names(module: &[u8]) -> Result<Vec<Name<'_>>, BinaryReaderError> {
    let mut names = Vec::new();
    for section in custom_sections(module)? {
        if let KnownCustom::Name(parts) = section.as_known() {
            for part in parts {
                names.push(part?);
            }
        }
    }
    Ok(names)
}

fn custom_sections(module: &[u8]) -> Result<Vec<CustomSectionReader<'_>>, BinaryReaderError> {
    let payloads = Parser::new(0).parse_all(module);
    let custom = payloads.filter_map(|payload| match payload {
        Ok(Payload::CustomSection(section)) => Some(Ok(section)),
        Ok(_) => None,
        Err(error) => Some(Err(error)),
    });
    custom.collect()
}
