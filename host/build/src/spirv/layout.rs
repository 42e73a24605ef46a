//! Where members of structures lie, in WGSL as in the SPIR-V that it comes from.
//!
//! SPIR-V says each member's offset and each array's stride; WGSL has rules, and `@size`, which moves what comes after. naga's writer says
//! neither, so that [`annotate`] puts `@size` before the members that need it. [`compare`] then reads what every buffer became:
//! nothing is believed of the text that was not found in it.

use naga::proc::Layouter;
use naga::{
    AddressSpace, ArraySize, GlobalVariable, Handle, Module, StructMember, Type, TypeInner,
};
use std::collections::HashMap;

/// What of a layout WGSL cannot express, or did not.
#[derive(Debug, thiserror::Error)]
pub enum LayoutError {
    /// A buffer would have another layout.
    #[error(
        "the buffer at @group({group}) @binding({slot}) has a layout that WGSL cannot express: {what}"
    )]
    Buffer {
        /// `@group`.
        group: u32,
        /// `@binding`.
        slot: u32,
        /// What would be different.
        what: String,
    },
    /// The text is not as it was thought to be.
    #[error("naga wrote a structure in a way that its layout cannot be added to")]
    Text,
}

/// The text with the sizes that bring every member to its offset.
///
/// # Errors
/// If the text is not as naga writes it today.
pub(super) fn annotate(text: &str, module: &Module) -> Result<String, LayoutError> {
    let sizes = Sizes::of(module)?;
    let is_predeclared = |ty: Handle<Type>| {
        let special = &module.special_types;
        special.predeclared_types.values().any(|one| *one == ty)
    };
    let mut structs = module
        .types
        .iter()
        .filter_map(|(handle, ty)| match &ty.inner {
            TypeInner::Struct { members, .. } if !is_predeclared(handle) => Some((handle, members)),
            _ => None,
        });
    let mut annotated = String::with_capacity(text.len() + 256);
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        annotated.push_str(line);
        annotated.push('\n');
        if !line.starts_with("struct ") {
            continue;
        }
        let (handle, members) = structs.next().ok_or(LayoutError::Text)?;
        for size in sizes.of_members(handle, members) {
            let member = lines.next().and_then(|line| line.strip_prefix("    "));
            let member = member.ok_or(LayoutError::Text)?;
            let size = size.map(|size| format!("@size({size}) "));
            annotated.push_str("    ");
            annotated.push_str(size.as_deref().unwrap_or(""));
            annotated.push_str(member);
            annotated.push('\n');
        }
        if lines.next() != Some("}") {
            return Err(LayoutError::Text);
        }
        annotated.push_str("}\n");
    }
    match structs.next() {
        Some(_) => Err(LayoutError::Text),
        None => Ok(annotated),
    }
}

/// The sizes of a module's types, by WGSL's rules and by the module.
struct Sizes {
    by_rule: Layouter,
    /// Of structures, the bytes that an array has for each.
    strides: HashMap<Handle<Type>, u32>,
}

impl Sizes {
    fn of(module: &Module) -> Result<Self, LayoutError> {
        let mut by_rule = Layouter::default();
        by_rule
            .update(module.to_ctx())
            .map_err(|_| LayoutError::Text)?;
        let mut strides = HashMap::new();
        for (_, ty) in module.types.iter() {
            if let TypeInner::Array { base, stride, .. } = ty.inner {
                strides.insert(base, stride);
            }
        }
        Ok(Self { by_rule, strides })
    }

    /// For each member of a structure the size that it is to have, where that is not its own.
    fn of_members(&self, ty: Handle<Type>, members: &[StructMember]) -> Vec<Option<u32>> {
        let ends = members.iter().skip(1).map(|member| member.offset);
        let ends = ends.map(Some).chain([self.strides.get(&ty).copied()]);
        let size_of = |(member, end): (&StructMember, Option<u32>)| {
            let own = self.by_rule[member.ty].size;
            let size = end?.checked_sub(member.offset)?;
            (size > own).then_some(size)
        };
        members.iter().zip(ends).map(size_of).collect()
    }
}

/// Holds every buffer of what was written against that of what it was written from.
///
/// # Errors
/// The first difference.
pub(super) fn compare(wanted: &Module, found: &Module) -> Result<(), LayoutError> {
    for (_, buffer) in wanted.global_variables.iter() {
        let Some(binding) = buffer.binding.filter(|_| is_buffer(buffer)) else {
            continue;
        };
        let difference = |what| LayoutError::Buffer {
            group: binding.group,
            slot: binding.binding,
            what,
        };
        // Of several at one place each has to be there, in the order of their names.
        let same = |one: &&GlobalVariable| one.binding == buffer.binding;
        let nth = wanted.global_variables.iter().map(|(_, one)| one);
        let nth = nth.filter(same).position(|one| std::ptr::eq(one, buffer));
        let written = found.global_variables.iter().map(|(_, one)| one);
        let written = written.filter(same).nth(nth.unwrap_or(0));
        let written = written.ok_or_else(|| difference("it is not there".to_owned()))?;
        compare_types((wanted, buffer.ty), (found, written.ty), "its content")
            .map_err(difference)?;
    }
    Ok(())
}

fn is_buffer(variable: &GlobalVariable) -> bool {
    matches!(
        variable.space,
        AddressSpace::Storage { .. } | AddressSpace::Uniform
    )
}

/// The first difference between the layouts of two types, in words.
fn compare_types(
    (wanted, wanted_ty): (&Module, Handle<Type>),
    (found, found_ty): (&Module, Handle<Type>),
    what: &str,
) -> Result<(), String> {
    match (&wanted.types[wanted_ty].inner, &found.types[found_ty].inner) {
        (
            TypeInner::Struct { members, span },
            TypeInner::Struct {
                members: written,
                span: written_span,
            },
        ) if members.len() == written.len() => {
            for (index, (member, written)) in members.iter().zip(written).enumerate() {
                let what = match &member.name {
                    Some(name) => format!("member {index} (`{}`) of {what}", name.escape_debug()),
                    None => format!("member {index} of {what}"),
                };
                if member.offset != written.offset {
                    let (wanted, found) = (member.offset, written.offset);
                    return Err(format!(
                        "{what} is at byte {wanted}, and would be at byte {found}"
                    ));
                }
                compare_types((wanted, member.ty), (found, written.ty), &what)?;
            }
            // A structure may become longer behind its last member, where nothing comes after it.
            if written_span < span {
                return Err(format!(
                    "{what} has {span} bytes, and would have {written_span}"
                ));
            }
            Ok(())
        }
        (
            &TypeInner::Array { base, size, stride },
            &TypeInner::Array {
                base: written,
                size: written_size,
                stride: written_stride,
            },
        ) => {
            if stride != written_stride {
                return Err(format!(
                    "elements of {what} are {stride} bytes apart, and would be {written_stride}; in a storage buffer, or as vectors of four, they may lie otherwise"
                ));
            }
            if !is_same_size(size, written_size) {
                return Err(format!("{what} has another number of elements"));
            }
            compare_types((wanted, base), (found, written), what)
        }
        (one, other) if one == other => Ok(()),
        _ => Err(format!("{what} is of another type")),
    }
}

fn is_same_size(one: ArraySize, other: ArraySize) -> bool {
    match (one, other) {
        (ArraySize::Constant(one), ArraySize::Constant(other)) => one == other,
        (ArraySize::Dynamic, ArraySize::Dynamic) => true,
        _ => false,
    }
}
