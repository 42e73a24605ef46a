//! Where pointers point.

use naga::{
    AddressSpace, Expression, Function, Handle, LocalVariable, Module, StorageAccess, TypeInner,
};

/// What a pointer expression begins at. Pointers are never chosen at run time, so the text says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Root {
    /// A local variable.
    Local(Handle<LocalVariable>),
    /// What an argument points to, in memory of the invocation's own functions.
    Argument(u32),
    /// Memory that nobody writes while the shader runs; through the argument of that number, if any.
    Constant(Option<u32>),
    /// Everything else; through the argument of that number, if any.
    Shared(Option<u32>),
}

/// A pointer: its root, and what its indices are.
#[derive(Debug)]
pub(super) struct Pointer {
    pub(super) root: Root,
    /// Computed indices on the way.
    pub(super) indices: Vec<Handle<Expression>>,
    /// Whether it is the root itself and not a part of it.
    pub(super) is_whole: bool,
}

/// Follows a pointer expression to its root.
pub(super) fn follow(
    module: &Module,
    function: &Function,
    mut handle: Handle<Expression>,
) -> Pointer {
    let mut pointer = Pointer {
        root: Root::Shared(None),
        indices: Vec::new(),
        is_whole: true,
    };
    loop {
        match function.expressions[handle] {
            Expression::Access { base, index } => {
                pointer.is_whole = false;
                pointer.indices.push(index);
                handle = base;
            }
            Expression::AccessIndex { base, .. } => {
                pointer.is_whole = false;
                handle = base;
            }
            Expression::LocalVariable(local) => {
                pointer.root = Root::Local(local);
                return pointer;
            }
            Expression::GlobalVariable(global) => {
                pointer.root = match module.global_variables[global].space {
                    space if is_constant(space) => Root::Constant(None),
                    _ => Root::Shared(None),
                };
                return pointer;
            }
            Expression::FunctionArgument(argument) => {
                pointer.root = root_of_argument(module, function, argument);
                return pointer;
            }
            _ => return pointer,
        }
    }
}

/// Where the pointer that is an argument points.
fn root_of_argument(module: &Module, function: &Function, argument: u32) -> Root {
    match space_of_argument(module, function, argument) {
        Some(AddressSpace::Function) => Root::Argument(argument),
        Some(space) if is_constant(space) => Root::Constant(Some(argument)),
        _ => Root::Shared(Some(argument)),
    }
}

fn space_of_argument(module: &Module, function: &Function, argument: u32) -> Option<AddressSpace> {
    let argument = function.arguments.get(argument as usize)?;
    module.types[argument.ty].inner.pointer_space()
}

/// Whether an argument of that type is a pointer.
pub(super) fn is_pointer(inner: &TypeInner) -> bool {
    inner.pointer_space().is_some()
}

fn is_constant(space: AddressSpace) -> bool {
    match space {
        AddressSpace::Uniform => true,
        AddressSpace::Storage { access } => {
            !access.intersects(StorageAccess::STORE | StorageAccess::ATOMIC)
        }
        _ => false,
    }
}
