//! What an admitted shader costs an invocation, as far as its text tells: for whoever decides what to grant it.
//!
//! Every loop is told of with how often it turns: a constant number of times; as often as values say that are known
//! before a dispatch and the same for all invocations; or nobody knows. What fuel knows of loops ([`crate::fuel`]) is the
//! ground; what is added only says more, since nothing is rewritten or charged by it.
//!
//! Functions are looked at twice. From the callees up: what they return, and what they do outside of their loops. From
//! the entry point down: what they are given, how deep in loops, how often. A function that is called in several
//! places is looked at once, for any of them. The time grows with the size of the shader, and with that of what is in
//! its loops once for each loop around it, as in admission and the fuel pass.

mod class;
mod evaluate;
mod exits;
mod names;
mod outline;
mod turns;
mod value;
mod work;

use crate::admission::{Admitted, FunctionId};
use crate::fuel::facts;
use crate::fuel::locals::Locals;
use crate::panics::caught;
use evaluate::{Evaluator, Subject};
use exits::Exits;
use hotcell_model::shader::{LOOP_WORDS_BYTES, ShaderCost, ShaderLoop, Trips};
use hotcell_model::text;
use naga::{AddressSpace, Function, FunctionArgument, Handle, Span};
use names::{Names, Sources};
use outline::Outline;
use turns::{Counted, Turns};
use value::{ANY, Known, Value};
use work::{AllWork, FunctionWork};

/// What an admitted shader costs. Where that cannot be found out, which would be a fault of this host, nothing bounds it.
pub fn static_cost(admitted: &Admitted) -> ShaderCost {
    caught(|| of_admitted(admitted)).unwrap_or_else(|_| class::of_failure())
}

fn of_admitted(admitted: &Admitted) -> ShaderCost {
    let (functions, entry) = AllWork::of(admitted);
    let mut descent = Descent::into(admitted);
    descent.take(&functions, &entry);
    class::of_loops(descent.loops, entry.outside, workgroup_bytes(admitted))
}

/// Bytes of workgroup memory.
fn workgroup_bytes(admitted: &Admitted) -> u64 {
    let module = admitted.module();
    let variables = module.global_variables.iter();
    let shared = variables.filter(|(_, variable)| variable.space == AddressSpace::WorkGroup);
    let bytes = shared.map(|(_, variable)| {
        let inner = &module.types[variable.ty].inner;
        inner.try_size(module.to_ctx()).map_or(0, u64::from)
    });
    bytes.fold(0, u64::saturating_add)
}

/// A loop, with how often it turns in an invocation if that is always so often.
struct CountedLoop {
    shown: ShaderLoop,
    in_all: Option<u64>,
}

/// How a function is called, from wherever it is.
#[derive(Clone, Debug)]
struct Called {
    /// What it is given, one of several.
    arguments: Vec<Value>,
    /// In how many loops at most.
    depth: u32,
    /// How often in an invocation, if that is always so often.
    times: Option<u64>,
}

/// A function that was looked at.
struct Looked {
    /// Its loops, in the order of the text, an outer loop before those inside.
    sites: Vec<Site>,
    /// How often each of them turns.
    trips: Vec<Counted>,
    calls: Vec<GivenCall>,
}

/// A loop of a function that was looked at.
struct Site {
    span: Span,
    /// The loop around it.
    parent: Option<usize>,
    depth: u32,
}

/// A call in a function that was looked at.
struct GivenCall {
    callee: Handle<Function>,
    /// The innermost loop around it.
    home: Option<usize>,
    given: Vec<Value>,
}

/// The way from the entry point down.
struct Descent<'a> {
    admitted: &'a Admitted,
    names: Names,
    /// By the function's index: what it returns, depending on its own arguments.
    results: Vec<Value>,
    /// By the function's index, where some caller was looked at.
    called: Vec<Option<Called>>,
    loops: Vec<CountedLoop>,
}

impl<'a> Descent<'a> {
    /// Finds out what functions return, from the callees up.
    fn into(admitted: &'a Admitted) -> Self {
        let functions = &admitted.module().functions;
        let mut descent = Self {
            admitted,
            names: Names::default(),
            results: Vec::with_capacity(functions.len()),
            called: vec![None; functions.len()],
            loops: Vec::new(),
        };
        for (handle, function) in functions.iter() {
            let result = descent.result(handle, function);
            descent.results.push(result);
        }
        descent
    }

    /// What a function returns, with stand-ins for its arguments.
    fn result(&mut self, handle: Handle<Function>, function: &'a Function) -> Value {
        let module = self.admitted.module();
        let stand_in = |(argument, position): (&FunctionArgument, u32)| {
            let inner = &module.types[argument.ty].inner;
            let values = evaluate::values_of(inner.scalar_kind());
            let sources = Sources::argument(position).unwrap_or_default();
            Value::any(values, Known::By(sources)).exactly()
        };
        let arguments = function.arguments.iter().zip(0..).map(stand_in);
        let id = FunctionId::Function(handle);
        let returned = self.with(id, arguments.collect(), |evaluator| evaluator.returned());
        returned.unwrap_or_else(|| Value::any(ANY, Known::By(Sources::default())))
    }

    /// Asks about a function that is given these arguments.
    fn with<T>(
        &mut self,
        id: FunctionId,
        arguments: Vec<Value>,
        ask: impl FnOnce(&mut Evaluator<'_, '_>) -> T,
    ) -> Option<T> {
        let scope = self.admitted.scope(id)?;
        let locals = Locals::of(scope.module, scope.function);
        let subject = Subject {
            scope,
            outline: &Outline::of(id, scope.function),
            facts: &facts::all_of_function(scope.module, scope.function, &locals),
            locals: &locals,
            results: &self.results,
        };
        Some(ask(&mut Evaluator::new(
            subject,
            arguments,
            &mut self.names,
        )))
    }

    /// Looks at the loops of all functions that are called, callers first.
    fn take(&mut self, functions: &[FunctionWork], entry: &FunctionWork) {
        let first = Called {
            arguments: Vec::new(),
            depth: 0,
            times: Some(1),
        };
        self.function(FunctionId::Entry, first, entry);
        for (handle, _) in self.admitted.module().functions.iter().rev() {
            let called = self.called[handle.index()].take();
            if let (Some(called), Some(work)) = (called, functions.get(handle.index())) {
                self.function(FunctionId::Function(handle), called, work);
            }
        }
    }

    fn function(&mut self, id: FunctionId, called: Called, work: &FunctionWork) {
        let (depth, times) = (called.depth, called.times);
        let Some(looked) = self.with(id, called.arguments, Looked::at) else {
            return;
        };
        // How often each loop turns in an invocation.
        let mut in_all: Vec<Option<u64>> = Vec::with_capacity(looked.sites.len());
        for (number, (site, trips)) in looked.sites.iter().zip(&looked.trips).enumerate() {
            let around = site.parent.map_or(times, |parent| in_all[parent]);
            in_all.push(match trips.turns {
                Turns::Constant(turns) => around.map(|around| around.saturating_mul(turns)),
                _ => None,
            });
            self.loops.push(CountedLoop {
                shown: ShaderLoop {
                    line: self.admitted.place(site.span).0,
                    depth: depth.saturating_add(site.depth),
                    trips: self.shown(trips.turns),
                    at_most: trips.at_most,
                    is_uniform: self.admitted.uniformity().loop_is_uniform(id, number),
                    turn: work.turns.get(number).copied().unwrap_or_default(),
                },
                in_all: in_all[number],
            });
        }
        for call in looked.calls {
            let home = call
                .home
                .map(|home| (looked.sites[home].depth + 1, in_all[home]));
            let (inside, times) = home.unwrap_or((0, times));
            self.call(
                call.callee,
                Called {
                    arguments: call.given,
                    depth: depth.saturating_add(inside),
                    times,
                },
            );
        }
    }

    /// One more call of a function.
    fn call(&mut self, callee: Handle<Function>, more: Called) {
        let called = &mut self.called[callee.index()];
        *called = Some(match called.take() {
            None => more,
            Some(before) => Called {
                arguments: before
                    .arguments
                    .into_iter()
                    .zip(more.arguments)
                    .map(|(one, other)| one.or(other))
                    .collect(),
                depth: before.depth.max(more.depth),
                times: before
                    .times
                    .zip(more.times)
                    .map(|(one, other)| one.saturating_add(other)),
            },
        });
    }

    fn shown(&self, turns: Turns) -> Trips {
        let short = |words: &str| text::escape(words, LOOP_WORDS_BYTES - '…'.len_utf8());
        match turns {
            Turns::Constant(turns) => Trips::Constant(turns),
            Turns::By(sources) => Trips::Shape(short(&sources.words(&self.names))),
            Turns::Data(name) => {
                Trips::Unknown(short(&format!("it depends on {}", self.names.words(name))))
            }
            Turns::Unclear(why) => Trips::Unknown(why.to_owned()),
        }
    }
}

impl Looked {
    fn at(evaluator: &mut Evaluator<'_, '_>) -> Self {
        let subject = evaluator.subject();
        let outline = subject.outline;
        let mut sites = Vec::with_capacity(outline.loops.len());
        let mut trips = Vec::with_capacity(outline.loops.len());
        for (number, site) in outline.loops.iter().enumerate() {
            trips.push(counts(evaluator, number));
            sites.push(Site {
                span: site.span,
                parent: site.parent,
                depth: site.depth,
            });
        }
        let calls = outline.calls.iter().map(|call| GivenCall {
            callee: call.callee,
            home: call.home,
            given: call
                .arguments
                .iter()
                .map(|argument| evaluator.of(*argument))
                .collect(),
        });
        let calls = calls.collect();
        Self {
            sites,
            trips,
            calls,
        }
    }
}

/// How often a loop turns: as the end says that says most.
fn counts(evaluator: &mut Evaluator<'_, '_>, number: usize) -> Counted {
    let subject = evaluator.subject();
    let exits = Exits::of(number, subject);
    let facts = subject.facts.loops.get(number).and_then(turns::of_facts);
    let exits = exits.into_iter();
    let ends = exits.filter_map(|exit| turns::of_exit(evaluator, number, exit));
    let ends: Vec<Counted> = ends.collect();
    let counted = ends.into_iter().chain(facts).reduce(Counted::tighter);
    counted.unwrap_or(Counted {
        turns: Turns::Unclear("no counter leads to its end"),
        at_most: true,
    })
}
