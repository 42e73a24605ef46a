//! Which built-in values are the same in all invocations of a workgroup.

use super::graph::{DIFFERENT, Node, SAME};
use crate::admission::cost::Scope;
use naga::{Binding, BuiltIn, TypeInner};

/// An argument of the entry point as a whole.
pub(super) fn of_argument(scope: Scope<'_>, argument: u32) -> Node {
    let Some(argument) = scope.function.arguments.get(argument as usize) else {
        return DIFFERENT;
    };
    match (&argument.binding, &scope.module.types[argument.ty].inner) {
        (Some(binding), _) => of_binding(Some(binding)),
        (None, TypeInner::Struct { members, .. }) => {
            let is_same = members
                .iter()
                .all(|member| of_binding(member.binding.as_ref()) == SAME);
            if is_same { SAME } else { DIFFERENT }
        }
        _ => DIFFERENT,
    }
}

/// A member of a structure that is an argument of the entry point; `None` where it is none.
pub(super) fn of_member(scope: Scope<'_>, argument: u32, index: u32) -> Option<Node> {
    let argument = scope.function.arguments.get(argument as usize)?;
    let TypeInner::Struct { members, .. } = &scope.module.types[argument.ty].inner else {
        return None;
    };
    Some(of_binding(members.get(index as usize)?.binding.as_ref()))
}

/// The size of a subgroup is one for all invocations of a compute shader, as in the WGSL specification.
fn of_binding(binding: Option<&Binding>) -> Node {
    match binding {
        Some(Binding::BuiltIn(
            BuiltIn::WorkGroupId
            | BuiltIn::WorkGroupSize
            | BuiltIn::NumWorkGroups
            | BuiltIn::NumSubgroups
            | BuiltIn::SubgroupSize,
        )) => SAME,
        _ => DIFFERENT,
    }
}
