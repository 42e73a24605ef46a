//! Values that come from outside of a function: from memory, and from the dispatch.

use super::{Evaluator, Known, Value};
use crate::admission::{FunctionId, Scope};
use crate::fuel::trips::Values;
use crate::static_cost::names::Sources;
use hotcell_model::text;
use naga::{AddressSpace, Binding, BuiltIn, Expression, GlobalVariable, Handle, Type, TypeInner};

/// The longest name of a value, in bytes.
const NAME_BYTES: usize = 48;
/// The most steps from a value to the variable that it is a part of.
const STEPS: usize = 16;
/// The most workgroups of a dispatch along an axis: what WebGPU promises, and devices seldom pass.
const WORKGROUPS: i64 = 65535;

/// A name of a guest's, no longer than names here are.
pub(super) fn short(name: &str) -> String {
    text::escape(name, NAME_BYTES - '…'.len_utf8())
}

/// Where a value stands: the variable, or the value, that it is a part of, and the way to it from there.
struct Path {
    root: Handle<Expression>,
    /// `None` for an element that is computed.
    steps: Vec<Option<u32>>,
}

impl Evaluator<'_, '_> {
    /// A component, a member or an element of a value.
    pub(super) fn part(&mut self, handle: Handle<Expression>, values: Values) -> Value {
        let Some(path) = self.path(handle) else {
            return self.unknown(values, "a part of something large");
        };
        match (&self.function().expressions[path.root], &path.steps[..]) {
            (Expression::Load { .. } | Expression::GlobalVariable(_), _) => {
                self.place(handle, values)
            }
            (Expression::FunctionArgument(position), steps)
                if self.subject.outline.id == FunctionId::Entry =>
            {
                self.built_in(*position, steps, values)
            }
            (Expression::Compose { components, .. }, [Some(index)])
                if self.is_made_of(components.len(), path.root) =>
            {
                let component = components.get(*index as usize).copied();
                match component {
                    Some(component) => self.of(component),
                    None => self.unknown(values, "nothing"),
                }
            }
            (
                Expression::Compose { .. }
                | Expression::FunctionArgument(_)
                | Expression::CallResult(_),
                _,
            ) if !matches!(self.inner(path.root), TypeInner::Vector { .. }) => {
                self.unknown(values, "a part of a value that is not followed")
            }
            // What is known of a vector is known of each of its components.
            _ => self.of(path.root).converted(values),
        }
    }

    /// Whether a vector is made of its components one by one, and not of shorter vectors.
    fn is_made_of(&self, components: usize, vector: Handle<Expression>) -> bool {
        match self.inner(vector) {
            TypeInner::Vector { size, .. } => components == *size as usize,
            TypeInner::Array { .. } | TypeInner::Struct { .. } => true,
            _ => false,
        }
    }

    /// A value in memory.
    pub(super) fn place(&mut self, pointer: Handle<Expression>, values: Values) -> Value {
        let scope = self.subject.scope;
        let root = self.root(pointer);
        let words = match root.map(|root| &scope.function.expressions[root]) {
            Some(Expression::GlobalVariable(global)) => {
                let variable = &scope.module.global_variables[*global];
                if variable.space == AddressSpace::Uniform {
                    let name = self.name_of(pointer).unwrap_or_default();
                    let known = Known::By(Sources::named(self.names.of(name)));
                    return Value::any(values, known).exactly();
                }
                format!("values of `{}`", self.global_name(*global))
            }
            Some(Expression::LocalVariable(local)) => {
                let name = scope.function.local_variables[*local].name.as_deref();
                format!("values of `{}`", short(name.unwrap_or("a variable")))
            }
            Some(Expression::FunctionArgument(position)) => {
                let argument = scope.function.arguments.get(*position as usize);
                let name = argument.and_then(|argument| argument.name.as_deref());
                format!("what `{}` points to", short(name.unwrap_or("an argument")))
            }
            _ => "a value in memory".to_owned(),
        };
        self.unknown(values, &words)
    }

    /// A built-in value, or a component of one.
    pub(super) fn built_in(
        &mut self,
        position: u32,
        steps: &[Option<u32>],
        values: Values,
    ) -> Value {
        let (built_in, steps) = match built_in(self.subject.scope, position, steps) {
            Some(found) => found,
            None => return self.unknown(values, "an argument"),
        };
        let axis = steps.first().copied().flatten();
        let size = self.workgroup_size(axis);
        let lanes = self.subject.scope.module.entry_points[0].workgroup_size;
        let lanes: i64 = lanes.iter().map(|axis| i64::from(*axis)).product();
        let groups = |evaluator: &mut Self| {
            let words = match axis {
                Some(axis) => format!("num_workgroups.{}", component(axis)),
                None => "num_workgroups".to_owned(),
            };
            Known::By(Sources::named(evaluator.names.of(words)))
        };
        match built_in {
            BuiltIn::NumWorkGroups => Value {
                known: groups(self),
                ..Value::within(1, WORKGROUPS)
            }
            .exactly(),
            BuiltIn::WorkGroupId => Value {
                known: groups(self),
                ..Value::within(0, WORKGROUPS - 1)
            },
            BuiltIn::GlobalInvocationId => Value {
                known: groups(self),
                ..Value::within(0, WORKGROUPS * size - 1)
            },
            BuiltIn::WorkGroupSize => Value::within(size.min(1), size).exactly(),
            BuiltIn::LocalInvocationId => Value::within(0, size - 1),
            BuiltIn::LocalInvocationIndex => Value::within(0, lanes - 1),
            BuiltIn::SubgroupSize | BuiltIn::NumSubgroups => Value::within(1, lanes.max(128)),
            BuiltIn::SubgroupId | BuiltIn::SubgroupInvocationId => {
                Value::within(0, lanes.max(128) - 1)
            }
            _ => self.unknown(values, "an argument"),
        }
        .converted(values)
    }

    /// Invocations of a workgroup along an axis; along any, at most.
    fn workgroup_size(&self, axis: Option<u32>) -> i64 {
        let sizes = self.subject.scope.module.entry_points[0].workgroup_size;
        let along = axis.and_then(|axis| sizes.get(axis as usize)).copied();
        let most = sizes.iter().copied().max();
        along.or(most).unwrap_or(1).max(1).into()
    }

    /// The name of a value that stands in a variable of the module, as its author writes it: without what comes after an
    /// element of an array.
    pub(super) fn name_of(&self, handle: Handle<Expression>) -> Option<String> {
        let module = self.subject.scope.module;
        let path = self.path_to_memory(handle)?;
        let Expression::GlobalVariable(global) = self.function().expressions[path.root] else {
            return None;
        };
        let mut name = self.global_name(global);
        let mut ty = module.global_variables[global].ty;
        for step in path.steps {
            let Some((member, inner)) =
                step.and_then(|step| member_of(&module.types[ty].inner, step))
            else {
                break;
            };
            name = name + "." + &member;
            match inner {
                Some(inner) => ty = inner,
                None => break,
            }
        }
        Some(short(&name))
    }

    fn global_name(&self, global: Handle<GlobalVariable>) -> String {
        let variable = &self.subject.scope.module.global_variables[global];
        short(variable.name.as_deref().unwrap_or("a buffer"))
    }

    /// The variable or argument that a place is in.
    fn root(&self, handle: Handle<Expression>) -> Option<Handle<Expression>> {
        Some(self.path_to_memory(handle)?.root)
    }

    /// The way to a value from what it is a part of; `None` where it is too long.
    fn path(&self, handle: Handle<Expression>) -> Option<Path> {
        self.path_through(handle, false)
    }

    /// The same, from the variable that it was loaded from.
    fn path_to_memory(&self, handle: Handle<Expression>) -> Option<Path> {
        self.path_through(handle, true)
    }

    fn path_through(&self, mut handle: Handle<Expression>, loads: bool) -> Option<Path> {
        let mut steps = Vec::new();
        for _ in 0..STEPS {
            handle = match self.function().expressions[handle] {
                Expression::AccessIndex { base, index } => {
                    steps.push(Some(index));
                    base
                }
                Expression::Access { base, .. } => {
                    steps.push(None);
                    base
                }
                Expression::Load { pointer } if loads => pointer,
                _ => {
                    steps.reverse();
                    return Some(Path {
                        root: handle,
                        steps,
                    });
                }
            };
        }
        None
    }
}

/// The built-in value that an argument of the entry point is, or has as a member, and the way on from there.
fn built_in<'s>(
    scope: Scope<'_>,
    position: u32,
    steps: &'s [Option<u32>],
) -> Option<(BuiltIn, &'s [Option<u32>])> {
    let argument = scope.function.arguments.get(position as usize)?;
    let (binding, steps) = match (&argument.binding, &scope.module.types[argument.ty].inner) {
        (Some(binding), _) => (binding, steps),
        (None, TypeInner::Struct { members, .. }) => {
            let (first, rest) = steps.split_first()?;
            let member = members.get((*first)? as usize)?;
            (member.binding.as_ref()?, rest)
        }
        _ => return None,
    };
    match binding {
        Binding::BuiltIn(built_in) => Some((*built_in, steps)),
        Binding::Location { .. } => None,
    }
}

/// A member's name, and its type if it has parts of its own with names.
fn member_of(inner: &TypeInner, step: u32) -> Option<(String, Option<Handle<Type>>)> {
    match inner {
        TypeInner::Struct { members, .. } => {
            let member = members.get(step as usize)?;
            Some((short(member.name.as_deref()?), Some(member.ty)))
        }
        TypeInner::Vector { .. } => Some((component(step).to_owned(), None)),
        _ => None,
    }
}

fn component(step: u32) -> &'static str {
    match step {
        0 => "x",
        1 => "y",
        2 => "z",
        _ => "w",
    }
}
