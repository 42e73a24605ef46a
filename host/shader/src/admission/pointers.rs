//! Writes functions out for the variables that their pointers lead to.
//!
//! WGSL lets a function take a pointer into workgroup or storage memory; naga's validator and its back ends know no such
//! parameters. A function that has some is copied for each set of variables that it is given, and in its copy the
//! variables stand where the parameters stood: what bounds and measures them sees the variables themselves.

use super::place::ShaderText;
use super::refusal::{RefusalReason, ShaderRefusal};
use naga::{
    AddressSpace, Arena, Block, Expression, Function, GlobalVariable, Handle, Module, Span,
    Statement, Type, TypeInner,
};
use std::collections::{HashMap, HashSet};

/// Expressions of all copies together.
const EXPRESSIONS: u64 = 1 << 18;

/// For each parameter of a function the variable that takes its place, if one does.
type Given = Vec<Option<Handle<GlobalVariable>>>;

/// Replaces every parameter that points into workgroup or storage memory.
///
/// # Errors
/// A function is given something other than a pointer to a whole variable, or there are too many copies.
pub(super) fn write_out(source: ShaderText<'_>, module: &mut Module) -> Result<(), ShaderRefusal> {
    if !is_needed(module) {
        return Ok(());
    }
    let mut copies = Copies {
        source,
        module,
        wanted: vec![Vec::new(); module.functions.len()],
        seen: HashSet::new(),
        expressions: 0,
    };
    copies.collect()?;
    let (functions, points) = copies.written()?;
    module.functions = functions;
    for (point, function) in module.entry_points.iter_mut().zip(points) {
        point.function = function;
    }
    Ok(())
}

fn is_needed(module: &Module) -> bool {
    let mut functions = module.functions.iter();
    functions.any(|(_, function)| takes_shared(module, function))
}

fn takes_shared(module: &Module, function: &Function) -> bool {
    let mut arguments = function.arguments.iter();
    arguments.any(|argument| is_shared(module, argument.ty))
}

/// Whether a type is that of pointers into memory that others see.
fn is_shared(module: &Module, ty: Handle<Type>) -> bool {
    matches!(
        module.types[ty].inner.pointer_space(),
        Some(AddressSpace::WorkGroup | AddressSpace::Storage { .. } | AddressSpace::Uniform)
    )
}

/// The copies of a module's functions.
struct Copies<'a> {
    source: ShaderText<'a>,
    module: &'a Module,
    /// By a function's index: what its copies are given.
    wanted: Vec<Vec<Given>>,
    seen: HashSet<(Handle<Function>, Given)>,
    expressions: u64,
}

impl Copies<'_> {
    /// Finds out which copies are wanted. What calls a function comes after it.
    fn collect(&mut self) -> Result<(), ShaderRefusal> {
        let module = self.module;
        for point in &module.entry_points {
            self.want_callees_of(&point.function)?;
        }
        for (handle, function) in module.functions.iter().rev() {
            if !takes_shared(module, function) {
                self.wanted[handle.index()] = vec![vec![None; function.arguments.len()]];
            }
            for given in self.wanted[handle.index()].clone() {
                self.want_callees_of(&copy(function, &given))?;
            }
        }
        Ok(())
    }

    fn want_callees_of(&mut self, function: &Function) -> Result<(), ShaderRefusal> {
        let mut calls = Vec::new();
        collect_calls(&function.body, &mut calls);
        for (callee, arguments, place) in calls {
            let given = self.given(function, callee, arguments, place)?;
            if given.iter().all(Option::is_none) || !self.seen.insert((callee, given.clone())) {
                continue;
            }
            self.expressions += self.module.functions[callee].expressions.len() as u64;
            if self.expressions > EXPRESSIONS {
                return Err(ShaderRefusal::of_shader(RefusalReason::TooMany {
                    what: "expressions of functions, once for each variable that their pointers lead to",
                    counted: self.expressions,
                    maximum: EXPRESSIONS,
                }));
            }
            self.wanted[callee.index()].push(given);
        }
        Ok(())
    }

    /// What a call gives its callee.
    fn given(
        &self,
        caller: &Function,
        callee: Handle<Function>,
        arguments: &[Handle<Expression>],
        place: Span,
    ) -> Result<Given, ShaderRefusal> {
        let callee = &self.module.functions[callee];
        let pairs = callee.arguments.iter().zip(arguments);
        pairs
            .map(|(parameter, argument)| {
                if !is_shared(self.module, parameter.ty) {
                    return Ok(None);
                }
                let refused = |reason: fn(String) -> RefusalReason| {
                    // Variables have no place where they are used.
                    let span = match caller.expressions.get_span(*argument) {
                        Span::UNDEFINED => place,
                        span => span,
                    };
                    let name = callee.name.clone().unwrap_or_default();
                    self.source.refuse(span, reason(name))
                };
                match caller.expressions[*argument] {
                    Expression::GlobalVariable(variable) if self.fits(variable, parameter.ty) => {
                        Ok(Some(variable))
                    }
                    Expression::Access { .. } | Expression::AccessIndex { .. } => {
                        Err(refused(RefusalReason::PointerToPart))
                    }
                    _ => Err(refused(RefusalReason::PointerType)),
                }
            })
            .collect()
    }

    /// Whether a pointer to a variable is of a type.
    fn fits(&self, variable: Handle<GlobalVariable>, ty: Handle<Type>) -> bool {
        let variable = &self.module.global_variables[variable];
        let pointer = TypeInner::Pointer {
            base: variable.ty,
            space: variable.space,
        };
        self.module.types[ty].inner == pointer
    }

    /// All copies, and the entry points' functions that call them.
    fn written(&self) -> Result<(Arena<Function>, Vec<Function>), ShaderRefusal> {
        let mut functions = Arena::new();
        let mut made = HashMap::new();
        for (handle, function) in self.module.functions.iter() {
            for given in &self.wanted[handle.index()] {
                let mut copy = copy(function, given);
                self.redirect(&mut copy, &made)?;
                let span = self.module.functions.get_span(handle);
                made.insert((handle, given.clone()), functions.append(copy, span));
            }
        }
        let mut points = Vec::new();
        for point in &self.module.entry_points {
            let mut function = point.function.clone();
            self.redirect(&mut function, &made)?;
            points.push(function);
        }
        Ok((functions, points))
    }

    /// Has a function call the copies.
    fn redirect(&self, function: &mut Function, made: &Made) -> Result<(), ShaderRefusal> {
        let mut body = std::mem::take(&mut function.body);
        let mut calls = Vec::new();
        collect_calls_mut(&mut body, &mut calls);
        for (callee, arguments, result) in calls {
            let given = self.given(function, *callee, arguments, Span::UNDEFINED)?;
            let Some(copy) = made.get(&(*callee, given.clone())) else {
                return Err(ShaderRefusal::of_shader(RefusalReason::FrontEnd));
            };
            *callee = *copy;
            let mut is_kept = given
                .iter()
                .map(Option::is_none)
                .chain(std::iter::repeat(true));
            arguments.retain(|_| is_kept.next() == Some(true));
            if let Some(result) = *result {
                function.expressions[result] = Expression::CallResult(*copy);
            }
        }
        function.body = body;
        Ok(())
    }
}

/// The copies that were made.
type Made = HashMap<(Handle<Function>, Given), Handle<Function>>;

/// A function in which variables stand where parameters stood.
fn copy(function: &Function, given: &Given) -> Function {
    let mut copy = function.clone();
    let is_kept = |index: u32| given.get(index as usize).is_none_or(Option::is_none);
    for (_, expression) in copy.expressions.iter_mut() {
        if let Expression::FunctionArgument(index) = expression {
            *expression = match given.get(*index as usize) {
                Some(Some(variable)) => Expression::GlobalVariable(*variable),
                _ => {
                    let kept = (0..*index).filter(|before| is_kept(*before));
                    Expression::FunctionArgument(kept.map(|_| 1).sum())
                }
            };
        }
    }
    let mut position = 0..;
    copy.arguments
        .retain(|_| position.next().is_some_and(is_kept));
    copy
}

/// A call: whom, with what, and where.
type CallOf<'a> = (Handle<Function>, &'a [Handle<Expression>], Span);

fn collect_calls<'a>(block: &'a Block, calls: &mut Vec<CallOf<'a>>) {
    for (statement, place) in block.span_iter() {
        match statement {
            Statement::Call {
                function,
                arguments,
                ..
            } => calls.push((*function, arguments, *place)),
            other => super::skipped::inner(other)
                .into_iter()
                .for_each(|block| collect_calls(block, calls)),
        }
    }
}

/// A call: whom, with what, and where the result is.
type CallOfMut<'a> = (
    &'a mut Handle<Function>,
    &'a mut Vec<Handle<Expression>>,
    &'a Option<Handle<Expression>>,
);

fn collect_calls_mut<'a>(block: &'a mut Block, calls: &mut Vec<CallOfMut<'a>>) {
    for statement in block.iter_mut() {
        match statement {
            Statement::Call {
                function,
                arguments,
                result,
            } => calls.push((function, arguments, result)),
            Statement::Block(inner) => collect_calls_mut(inner, calls),
            Statement::If { accept, reject, .. } => {
                collect_calls_mut(accept, calls);
                collect_calls_mut(reject, calls);
            }
            Statement::Switch { cases, .. } => cases
                .iter_mut()
                .for_each(|case| collect_calls_mut(&mut case.body, calls)),
            Statement::Loop {
                body, continuing, ..
            } => {
                collect_calls_mut(body, calls);
                collect_calls_mut(continuing, calls);
            }
            _ => {}
        }
    }
}
