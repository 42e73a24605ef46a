//! What a shader is to the compiler of a driver.
//!
//! lavapipe's takes a time that grows with the square of how often memory is touched at places that are computed, once
//! every call is inlined; straight code and branches cost next to nothing beside. Each of these weighs 1: a word that is
//! loaded or stored at such a place, an atomic operation, a word of a private or local array (it begins as zeros, one store
//! each), a word of an array value that is indexed. A loop weighs [`LOOP`]. Measured on Mesa 22.3 with two busy
//! processors, *n* of them take 10 to 30 µs · *n*² (`docs/gpu.md`).

use super::FunctionId;
use super::cost::{Cost, Scope};
use naga::valid::ModuleInfo;
use naga::{
    AddressSpace, ArraySize, Block, Expression, Function, Handle, Module, Statement, Type,
    TypeInner,
};

/// The most that a shader may weigh, whatever the launch's limits.
pub const DRIVER_WEIGHT: u64 = 600;
/// A loop.
const LOOP: u64 = 3;

/// The weight of a valid module with one entry point; `None` where it has none.
pub(super) fn weigh(module: &Module, info: &ModuleInfo, cost: &Cost) -> Option<u64> {
    let mut weights = Weights {
        cost,
        functions: Vec::with_capacity(module.functions.len()),
    };
    for (handle, _) in module.functions.iter() {
        let scope = Scope::new(module, info, FunctionId::Function(handle))?;
        weights.functions.push(weights.of_function(scope));
    }
    let private = module
        .global_variables
        .iter()
        .filter(|(_, variable)| variable.space == AddressSpace::Private)
        .map(|(_, variable)| weights.of_variable(module, variable.ty));
    let private = private.fold(0, u64::saturating_add);
    let entry = weights.of_function(Scope::new(module, info, FunctionId::Entry)?);
    Some(entry.saturating_add(private))
}

/// The weights of the functions so far: what is called comes before what calls it.
struct Weights<'a> {
    cost: &'a Cost,
    functions: Vec<u64>,
}

impl Weights<'_> {
    fn of_function(&self, scope: Scope<'_>) -> u64 {
        let locals = scope.function.local_variables.iter();
        let locals = locals.map(|(_, local)| self.of_variable(scope.module, local.ty));
        locals.fold(
            self.of_block(scope, &scope.function.body),
            u64::saturating_add,
        )
    }

    fn of_variable(&self, module: &Module, ty: Handle<Type>) -> u64 {
        if has_array(module, ty) {
            self.cost.words(ty)
        } else {
            0
        }
    }

    fn of_block(&self, scope: Scope<'_>, block: &Block) -> u64 {
        let statements = block.iter().map(|statement| {
            let inner = super::skipped::inner(statement).into_iter();
            let inner = inner.map(|block| self.of_block(scope, block));
            inner.fold(self.of_statement(scope, statement), u64::saturating_add)
        });
        statements.fold(0, u64::saturating_add)
    }

    fn of_statement(&self, scope: Scope<'_>, statement: &Statement) -> u64 {
        match *statement {
            Statement::Emit(ref range) => range
                .clone()
                .map(|handle| self.of_expression(scope, handle))
                .fold(0, u64::saturating_add),
            Statement::Store { pointer, value } if is_computed(scope.function, pointer) => {
                self.words(scope, value)
            }
            Statement::Atomic { .. } => 1,
            Statement::Loop { .. } => LOOP,
            Statement::Call { function, .. } => self
                .functions
                .get(function.index())
                .copied()
                .unwrap_or(u64::MAX),
            _ => 0,
        }
    }

    fn of_expression(&self, scope: Scope<'_>, handle: Handle<Expression>) -> u64 {
        match scope.function.expressions[handle] {
            Expression::Load { pointer } if is_computed(scope.function, pointer) => {
                self.words(scope, handle)
            }
            Expression::Access { base, .. } => {
                match scope.info[base].ty.inner_with(&scope.module.types) {
                    TypeInner::Array { .. } => self.words(scope, base),
                    _ => 0,
                }
            }
            _ => 0,
        }
    }

    fn words(&self, scope: Scope<'_>, value: Handle<Expression>) -> u64 {
        self.cost.words_of(scope, value)
    }
}

/// Whether a pointer's place depends on an index that is computed.
fn is_computed(function: &Function, mut pointer: Handle<Expression>) -> bool {
    loop {
        pointer = match function.expressions[pointer] {
            Expression::Access { .. } => return true,
            Expression::AccessIndex { base, .. } => base,
            _ => return false,
        };
    }
}

fn has_array(module: &Module, ty: Handle<Type>) -> bool {
    match module.types[ty].inner {
        TypeInner::Array {
            size: ArraySize::Constant(_) | ArraySize::Pending(_),
            ..
        } => true,
        TypeInner::Struct { ref members, .. } => {
            members.iter().any(|member| has_array(module, member.ty))
        }
        _ => false,
    }
}
