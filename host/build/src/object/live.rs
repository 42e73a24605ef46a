//! Choosing what kernels reach, by the relocations in it, and refusing what is reached and defined nowhere.

use super::ObjectError;
use super::read::{DataPlace, OBJECT_MODULE, Object, Relocation, Source, Symbol};
use super::shim::Support;
use super::types;
use super::unresolved::Unresolved;
use std::collections::BTreeMap;
use wasmparser::RelocationType;

/// What is reached from the kernels.
pub(super) struct Live<'a> {
    pub(super) functions: Vec<bool>,
    pub(super) segments: Vec<bool>,
    /// Functions whose address is taken, in the table's order.
    pub(super) slots: Vec<u32>,
    /// Functions that run before a kernel.
    pub(super) constructors: Vec<u32>,
    /// Functions' names, by their places.
    pub(super) names: BTreeMap<usize, &'a str>,
}

impl<'a> Live<'a> {
    pub(super) fn from(
        object: &Object<'a>,
        roots: impl Iterator<Item = u32>,
    ) -> Result<Self, ObjectError> {
        let mut live = Self {
            functions: vec![false; object.functions.len()],
            segments: vec![false; object.segments.len()],
            slots: Vec::new(),
            constructors: Vec::new(),
            names: BTreeMap::new(),
        };
        for symbol in &object.symbols {
            if let Symbol::Function { index, name, .. } = symbol {
                live.names.entry(*index as usize).or_insert(*name);
            }
        }
        for symbol in &object.constructors {
            if let Some(Symbol::Function { index, .. }) = object.symbols.get(*symbol as usize) {
                live.constructors.push(*index);
            }
        }
        let mut functions: Vec<u32> = roots.chain(live.constructors.iter().copied()).collect();
        let mut segments: Vec<u32> = Vec::new();
        loop {
            let piece = if let Some(function) = functions.pop() {
                let at = function as usize;
                if std::mem::replace(&mut live.functions[at], true) {
                    continue;
                }
                match &object.functions[at].source {
                    Source::Body(body) => body,
                    Source::Import { .. } => continue,
                }
            } else if let Some(segment) = segments.pop() {
                let at = segment as usize;
                if std::mem::replace(&mut live.segments[at], true) {
                    continue;
                }
                &object.segments[at]
            } else {
                break;
            };
            for relocation in &piece.relocations {
                if relocation.ty == RelocationType::TypeIndexLeb {
                    continue;
                }
                match symbol(object, relocation)? {
                    Symbol::Function { index, .. } => {
                        functions.push(*index);
                        let is_address = !matches!(relocation.ty, RelocationType::FunctionIndexLeb);
                        if is_address && !live.slots.contains(index) {
                            live.slots.push(*index);
                        }
                    }
                    Symbol::Data {
                        place: DataPlace::Segment(segment, _),
                        ..
                    } => segments.push(*segment),
                    _ => {}
                }
            }
        }
        live.check_undefined(object)?;
        Ok(live)
    }

    /// Refuses what is reached and defined nowhere.
    fn check_undefined(&self, object: &Object<'_>) -> Result<(), ObjectError> {
        let mut undefined = Vec::new();
        for symbol in &object.symbols {
            let Symbol::Function {
                index,
                name,
                is_weak,
            } = symbol
            else {
                continue;
            };
            let function = &object.functions[*index as usize];
            let Source::Import {
                module: OBJECT_MODULE,
                ..
            } = function.source
            else {
                continue;
            };
            if !self.functions[*index as usize] {
                continue;
            }
            match Support::of_symbol(name) {
                Some(support) => {
                    let (params, results) = support.ty();
                    let ty = object.types.get(function.ty as usize).ok_or_else(|| {
                        ObjectError::unsupported("a function of no type", "compile it again")
                    })?;
                    if ty.params() != params || ty.results() != results {
                        return Err(ObjectError::unsupported(
                            format!(
                                "`{name}` of the type {}, which has the type {}",
                                types::shown(ty.params(), ty.results()),
                                types::shown(params, results)
                            ),
                            "declare it as docs/importing.md does",
                        ));
                    }
                }
                None if *is_weak => {}
                None => undefined.push(*name),
            }
        }
        let pieces = object
            .functions
            .iter()
            .zip(&self.functions)
            .filter_map(|(function, live)| match &function.source {
                Source::Body(body) if *live => Some(body),
                _ => None,
            });
        let data = object.segments.iter().zip(&self.segments);
        let data = data.filter_map(|(segment, live)| live.then_some(segment));
        for relocation in pieces.chain(data).flat_map(|piece| &piece.relocations) {
            if let Some(Symbol::Data {
                name,
                place: DataPlace::Undefined,
            }) = object.symbols.get(relocation.index as usize)
                && relocation.ty != RelocationType::TypeIndexLeb
                && *name != HEAP_BASE
                && !undefined.contains(name)
            {
                undefined.push(*name);
            }
        }
        match undefined.is_empty() {
            true => Ok(()),
            false => Err(Unresolved::of(undefined).into()),
        }
    }
}

/// Where the heap begins, by its address.
pub(super) const HEAP_BASE: &str = "__heap_base";

pub(super) fn symbol<'o, 'a>(
    object: &'o Object<'a>,
    relocation: &Relocation,
) -> Result<&'o Symbol<'a>, ObjectError> {
    object
        .symbols
        .get(relocation.index as usize)
        .ok_or_else(|| ObjectError::unsupported("a relocation to no symbol", "compile it again"))
}
