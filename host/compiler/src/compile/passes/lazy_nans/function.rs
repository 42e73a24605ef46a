//! One function: what is known of its values, and the code that settles those that are seen.

use super::graph::{Graph, SETTLED};
use super::rules::{Rule, arithmetic};
use super::settle::{Scratch, settle};
use super::value::{Value, Width};
use super::walk::{Action, Function, Step, can_be_lazy, has_node, words};
use super::webs::Webs;
use crate::compile::passes::splice::{Edits, encode_as_long};
use wasmparser::{FuncToValidate, FuncValidatorAllocations, FunctionBody, ValidatorResources};

/// The most locals, parameters included, and the most bytes of a function that wasmtime takes.
const LOCALS: usize = 50_000;
const BYTES: usize = 7_654_321;

/// Adds what has to change of a function to `edits`.
pub(super) fn rewrite(
    body: &FunctionBody<'_>,
    function: &FuncToValidate<ValidatorResources>,
    allocations: &mut FuncValidatorAllocations,
    edits: &mut Edits,
) -> Result<(), String> {
    let function = Function::new(body, function);
    if !has_arithmetic(&function)? {
        return Ok(());
    }
    let (validator, parameters) = function.validator(std::mem::take(allocations))?;
    let locals = validator.len_locals();
    let lazy = |local| can_be_lazy(validator.get_local_type(local));
    let webs = Webs::find(function.operators()?, parameters, lazy).map_err(words)?;
    *allocations = validator.into_allocations();
    let graph = understand(&function, webs.as_ref(), allocations)?;
    let mut writer = Writer {
        graph: &graph,
        scratch: Scratch::new(locals),
        edits,
        bytes: body.range().len(),
        seen: Vec::new(),
    };
    function.walk(webs.as_ref(), allocations, |step| writer.step(step))?;
    writer.declare(body)
}

fn has_arithmetic(function: &Function<'_>) -> Result<bool, String> {
    for operator in function.operators()? {
        if arithmetic(&operator.map_err(words)?).is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What is known of the function's values.
fn understand(
    function: &Function<'_>,
    webs: Option<&Webs>,
    allocations: &mut FuncValidatorAllocations,
) -> Result<Graph, String> {
    let mut graph = Graph::new(webs.map_or(0, |webs| webs.count));
    for parameter in webs.iter().flat_map(|webs| &webs.parameters) {
        graph.write(SETTLED, Graph::web(*parameter));
    }
    function.walk(webs, allocations, |step| {
        match step.action {
            Action::Write(web) if web != SETTLED => graph.write(step.operands[0], web),
            Action::Take(rule) if has_node(rule) => graph.add(rule, step.operands),
            _ => {}
        }
        Ok(())
    })?;
    graph.solve();
    Ok(graph)
}

/// Writes what has to be added to a function.
struct Writer<'a> {
    graph: &'a Graph,
    scratch: Scratch,
    edits: &'a mut Edits,
    /// How long the function is by now.
    bytes: usize,
    /// The operands of an instruction that have to be settled, the deepest first.
    seen: Vec<(usize, Width)>,
}

impl Writer<'_> {
    fn step(&mut self, step: &Step<'_>) -> Result<(), String> {
        self.find_seen(step);
        if self.seen.is_empty() {
            return Ok(());
        }
        let Self {
            scratch,
            edits,
            seen,
            ..
        } = self;
        let write = |code: &mut Vec<u8>| settle(code, scratch, step, seen);
        self.bytes += edits.replace(step.at..step.at, write)?;
        Ok(())
    }

    /// Finds out which operands of an instruction have to be settled.
    fn find_seen(&mut self, step: &Step<'_>) {
        self.seen.clear();
        let state = |node: &u32| self.graph.state(*node);
        match step.action {
            Action::Take(Rule::Blind) => {}
            Action::Write(web) => {
                let is_lazy = self.graph.state(web).lazy().is_some();
                if !is_lazy && let Some(width) = state(&step.operands[0]).lazy() {
                    self.seen.push((0, width));
                }
            }
            Action::Take(Rule::Bits) => {
                let lazy = step.operands.iter().enumerate();
                let lazy = lazy.filter_map(|(at, node)| Some((at, state(node).lazy()?)));
                self.seen.extend(lazy);
            }
            Action::Take(rule) => {
                let mut after = [Value::BOTTOM; 3];
                let after = &mut after[..step.operands.len()];
                for (value, node) in after.iter_mut().zip(step.operands) {
                    *value = state(node);
                }
                rule.apply(after);
                let both = step.operands.iter().map(state).zip(after);
                let settled = both.enumerate().filter_map(|(at, (before, after))| {
                    let width = before.lazy()?;
                    (after.lazy().is_none()).then_some((at, width))
                });
                self.seen.extend(settled);
            }
        }
    }

    /// Declares the scratch locals.
    fn declare(mut self, body: &FunctionBody<'_>) -> Result<(), String> {
        let (declarations, groups) = self.scratch.declarations();
        if groups == 0 {
            return self.check();
        }
        let mut reader = body.get_binary_reader();
        let begin = reader.original_position();
        let declared = reader.read_var_u32().map_err(words)?;
        let count = begin..reader.original_position();
        let operators = body.get_binary_reader_for_operators().map_err(words)?;
        let end = operators.original_position();
        self.bytes += self.edits.replace(count.clone(), |bytes| {
            encode_as_long(u64::from(declared + groups), count.len(), bytes);
            Ok::<_, String>(())
        })?;
        self.bytes += self.edits.replace(end..end, |bytes| {
            bytes.extend_from_slice(&declarations);
            Ok::<_, String>(())
        })?;
        self.check()
    }

    /// Checks what wasmtime would.
    fn check(&self) -> Result<(), String> {
        let locals = self.scratch.locals();
        if locals > LOCALS {
            return Err(format!(
                "a function needs {locals} locals, at most {LOCALS} are possible"
            ));
        }
        if self.bytes > BYTES {
            let bytes = self.bytes;
            return Err(format!(
                "a function gets {bytes} bytes long, at most {BYTES} are possible"
            ));
        }
        Ok(())
    }
}
