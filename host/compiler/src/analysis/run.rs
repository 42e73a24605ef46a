//! Running a function without its arguments: every path at once, with bounds of what it costs.
//!
//! Where a condition is open both ways are followed and meet again where the block ends. Loops are in
//! [`loops`](super::loops).

use super::arithmetic::Arithmetic;
use super::atoms::{Atoms, Side, Taint, U32};
use super::code::{Body, Code, Live, Runtime};
use super::facts::{Refined, Signs};
use super::loops::LoopRecord;
use super::poly::Poly;
use super::value::{Cells, Condition, Spent, State, Value};
use hotcell_model::analysis::Gap;
use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;
use wasmparser::{BlockType, Operator, ValType};

/// The deepest calls that are followed.
const MAX_CALLS: usize = 24;
/// The most blocks that are open at once: each takes some kilobytes of the stack.
const MAX_OPEN: u32 = 100;
/// So many numbers of either kind are kept of what a path says of signs.
const MAX_SIGNS: usize = 16;

/// A block that is open: where its paths meet.
pub(super) struct Label {
    pub(super) incoming: Vec<State>,
    /// How many values a branch to it carries.
    arity: usize,
    /// How many values stand below those.
    height: usize,
    /// Whether nothing but a trap is behind it: such paths are not followed.
    is_doomed: bool,
}

/// An analysis of one entry.
pub(super) struct Run<'c, 'a> {
    pub(super) code: &'c Code<'a>,
    pub(super) atoms: Atoms,
    /// How many operators may be looked at yet.
    pub(super) steps: u32,
    /// Functions that are being run, the innermost last.
    calls: Vec<u32>,
    pub(super) loops: BTreeMap<(u32, u32), LoopRecord>,
    /// Cells that loops that are being run have written.
    pub(super) written: Vec<HashSet<Rc<Poly>>>,
    pub(super) gaps: Vec<Gap>,
    /// Where the kernel says how it failed.
    pub(super) failure: Option<Rc<Poly>>,
    /// How deep the loop at hand is.
    pub(super) depth: u32,
    pub(super) reached: HashSet<u32>,
    /// How many blocks are open, over all calls.
    open: u32,
    /// Whether only what changes is asked for, and not what it costs.
    pub(super) is_light: bool,
}

/// The least and the most that a function of the runtime takes, but for the bytes that it fills or moves: the most is
/// measured for the SDK's allocator, with memory in a thousand pieces.
const MIN_RUNTIME: f64 = 5.0;
const MAX_RUNTIME: f64 = 1000.0;

impl<'c, 'a> Run<'c, 'a> {
    pub(super) fn new(code: &'c Code<'a>, steps: u32) -> Self {
        Self {
            code,
            atoms: Atoms::new(),
            steps,
            calls: Vec::new(),
            loops: BTreeMap::new(),
            written: Vec::new(),
            gaps: Vec::new(),
            failure: None,
            depth: 0,
            reached: HashSet::new(),
            open: 0,
            is_light: false,
        }
    }

    /// The state before anything has run.
    pub(super) fn beginning(&mut self) -> State {
        let globals = self.code.globals.clone();
        let globals = globals.into_iter().map(|value| match value {
            Some(value) => Value::Int(Rc::new(Poly::constant(value as f64))),
            None => Value::Unknown(Taint::Data),
        });
        State {
            locals: Vec::new(),
            globals: Rc::new(globals.collect()),
            cells: Rc::new(Cells::new()),
            stack: Vec::new(),
            spent: Spent::nothing(),
            conditions: Vec::new(),
            refined: Rc::new(Refined::new()),
            signs: Rc::default(),
            has_failed: false,
        }
    }

    pub(super) fn arithmetic<'s>(&'s mut self, state: &'s State) -> Arithmetic<'s> {
        Arithmetic {
            atoms: &mut self.atoms,
            refined: &state.refined,
        }
    }

    /// Runs a function on a state whose stack ends in its arguments; what it leaves, or nothing where it never
    /// returns.
    pub(super) fn call(&mut self, function: u32, mut state: State) -> Option<State> {
        let ty = self.code.type_of(function)?;
        let (parameters, results) = (ty.params().len(), ty.results().to_vec());
        let below = state.stack.len().checked_sub(parameters)?;
        self.reached.insert(function);
        if let Some(known) = self.code.runtime(function) {
            return self.runtime(known, function, below, state);
        }
        let body = self.code.body(function);
        let is_open = self.calls.contains(&function);
        let is_own = self.code.import(function).is_none();
        let too_deep = self.calls.len() >= MAX_CALLS || self.steps == 0 || is_own && body.is_none();
        let (Some(body), false) = (body, is_open || too_deep) else {
            if is_open {
                self.gaps.push(Gap::Recursion);
            } else if too_deep {
                self.gaps.push(Gap::TooLarge);
            }
            let arguments = state.stack.split_off(below);
            if is_open || too_deep {
                state.spent.upper = None;
                self.forget_all(&mut state);
            } else {
                self.forget_answered(&mut state, &arguments);
            }
            state
                .stack
                .extend(results.iter().map(|_| Value::Unknown(Taint::Data)));
            return Some(state);
        };
        // A function's own entry is one unit.
        state.spent.counted += 1.0;
        let arguments = state.stack.split_off(below);
        let zero = |ty: &ValType| match ty {
            ValType::I32 | ValType::I64 => Value::Int(Rc::new(Poly::default())),
            _ => Value::Unknown(Taint::Shape),
        };
        let locals = arguments.into_iter().chain(body.locals.iter().map(zero));
        let callers = std::mem::replace(&mut state.locals, locals.collect());
        let stack = std::mem::take(&mut state.stack);
        self.calls.push(function);
        let mut labels = vec![Label {
            incoming: Vec::new(),
            arity: results.len(),
            height: 0,
            is_doomed: false,
        }];
        let whole = 0..body.operators.len().saturating_sub(1);
        let fell = self.block(&body, whole, state, &mut labels);
        let returned = labels.pop().map(|label| label.incoming).unwrap_or_default();
        self.calls.pop();
        let mut left = self.meet(returned.into_iter().chain(fell).collect(), None)?;
        left.locals = callers;
        let values = left
            .stack
            .split_off(left.stack.len().saturating_sub(results.len()));
        left.stack = stack;
        left.stack.extend(values);
        Some(left)
    }

    /// A function of the language's own runtime, whose cost is known from elsewhere.
    fn runtime(
        &mut self,
        known: Runtime,
        function: u32,
        below: usize,
        mut state: State,
    ) -> Option<State> {
        let arguments = state.stack.split_off(below);
        let results = self.code.type_of(function)?.results().len();
        let len = match (known, &arguments[..]) {
            (Runtime::AllocateZeroed, [len, ..]) => Some(self.arithmetic(&state).number(len)),
            (Runtime::Reallocate, [_, len, ..]) => Some(self.arithmetic(&state).number(len)),
            _ => None,
        };
        state.spent.counted += MIN_RUNTIME;
        // What memory held before is known on this path alone, if at all.
        let more = len.map_or(Some(Poly::default()), |len| {
            let keep = |atoms: &Atoms, atom| !atoms.rests_on_open(&Poly::atom(atom));
            self.atoms
                .bound_of(&len, Side::Upper, &state.refined, &keep)
        });
        let more = more.map(|more| more.plus(MAX_RUNTIME - MIN_RUNTIME));
        let upper = state.spent.upper.as_ref();
        state.spent.upper = upper.and_then(|upper| upper.add(&more?));
        // Kernels put text together to say why they failed.
        state.has_failed |= known == Runtime::Format;
        let pointer = || Value::Int(Rc::new(Poly::atom(self.atoms.unknown(Taint::Shape, U32))));
        state
            .stack
            .extend(std::iter::repeat_with(pointer).take(results));
        Some(state)
    }

    /// Runs operators in order; the path that falls out at their end, if there is one. Blocks in blocks are given up where they
    /// would take too much of the stack.
    pub(super) fn block(
        &mut self,
        body: &Rc<Body<'a>>,
        range: std::ops::Range<usize>,
        mut state: State,
        labels: &mut Vec<Label>,
    ) -> Option<State> {
        if self.open >= MAX_OPEN {
            self.gaps.push(Gap::TooLarge);
            state.spent.upper = None;
            return Some(state);
        }
        self.open += 1;
        let left = self.follow(body, range, state, labels);
        self.open -= 1;
        left
    }

    fn follow(
        &mut self,
        body: &Rc<Body<'a>>,
        range: std::ops::Range<usize>,
        state: State,
        labels: &mut Vec<Label>,
    ) -> Option<State> {
        let mut state = state;
        let mut at = range.start;
        while at < range.end {
            if self.steps == 0 {
                self.gaps.push(Gap::TooLarge);
                state.spent.upper = None;
                return Some(state);
            }
            self.steps -= 1;
            if let Some(passage) = body.passages[at] {
                state.spent.counted += f64::from(passage.cost);
                if passage.leaves {
                    state.stack.push(Value::Unknown(Taint::Data));
                }
                at = passage.last + 1;
                continue;
            }
            match &body.operators[at] {
                Operator::Block { blockty } => {
                    let (end, _) = body.ends[&at];
                    state = self.open(body, at..end, state, *blockty, labels)?;
                    at = end;
                }
                Operator::Loop { blockty } => {
                    let (end, _) = body.ends[&at];
                    let (parameters, results) = self.arity(*blockty);
                    let height = state.stack.len().saturating_sub(parameters);
                    state = self.repeat(body, at, end, state, parameters, labels)?;
                    let values = state
                        .stack
                        .split_off(state.stack.len().saturating_sub(results));
                    state.stack.truncate(height);
                    state.stack.extend(values);
                    at = end;
                }
                Operator::If { blockty } => {
                    let (end, other) = body.ends[&at];
                    state.spent.counted += 1.0;
                    let value = state.stack.pop()?;
                    let condition = self.arithmetic(&state).condition(&value);
                    let (_, results) = self.arity(*blockty);
                    let (parameters, _) = self.arity(*blockty);
                    let height = state.stack.len().saturating_sub(parameters);
                    labels.push(Label {
                        incoming: Vec::new(),
                        arity: results,
                        height,
                        is_doomed: body.doomed.contains(&at),
                    });
                    let [yes, no] = self.ways(state, &condition);
                    let then_end = other.unwrap_or(end);
                    let yes = yes.and_then(|s| self.block(body, at + 1..then_end, s, labels));
                    let no = no.and_then(|s| match other {
                        Some(other) => self.block(body, other + 1..end, s, labels),
                        None => Some(s),
                    });
                    let mut incoming = labels.pop()?.incoming;
                    incoming.extend(yes);
                    incoming.extend(no);
                    state = self.meet(incoming, body.live.get(&at))?;
                    at = end;
                }
                Operator::Br { relative_depth } => {
                    state.spent.counted += 1.0;
                    self.branch(state, *relative_depth, labels);
                    return None;
                }
                Operator::BrIf { relative_depth } => {
                    state.spent.counted += 1.0;
                    let value = state.stack.pop()?;
                    let condition = self.arithmetic(&state).condition(&value);
                    let [taken, on] = self.ways(state, &condition);
                    if let Some(taken) = taken {
                        self.branch(taken, *relative_depth, labels);
                    }
                    state = on?;
                }
                Operator::BrTable { targets } => {
                    state.spent.counted += 1.0;
                    let value = state.stack.pop()?;
                    self.switch(state, &value, targets, labels);
                    return None;
                }
                Operator::Return => {
                    let outermost = u32::try_from(labels.len() - 1).ok()?;
                    self.branch(state, outermost, labels);
                    return None;
                }
                Operator::Unreachable => return None,
                Operator::Call { function_index } => {
                    state.spent.counted += 1.0;
                    // What never returns is a trap's way of explaining itself.
                    if matches!(body.operators.get(at + 1), Some(Operator::Unreachable)) {
                        return None;
                    }
                    state = self.call(*function_index, state)?;
                }
                Operator::CallIndirect { type_index, .. } => {
                    state.spent.counted += 1.0;
                    let place = state.stack.pop()?;
                    let place = self.arithmetic(&state).number(&place).as_whole();
                    if matches!(body.operators.get(at + 1), Some(Operator::Unreachable)) {
                        return None;
                    }
                    let place = place.and_then(|place| u32::try_from(place).ok());
                    let known = place.and_then(|place| self.code.in_table(place));
                    match known {
                        Some(function) => state = self.call(function, state)?,
                        None => {
                            self.gaps.push(Gap::IndirectCall);
                            state.spent.upper = None;
                            let ty = self.code.type_at(*type_index)?;
                            let below = state.stack.len().checked_sub(ty.params().len())?;
                            state.stack.truncate(below);
                            self.forget_all(&mut state);
                            let results = ty.results().iter();
                            state
                                .stack
                                .extend(results.map(|_| Value::Unknown(Taint::Data)));
                        }
                    }
                }
                operator => self.operator(operator, &mut state)?,
            }
            at += 1;
        }
        Some(state)
    }

    fn open(
        &mut self,
        body: &Rc<Body<'a>>,
        range: std::ops::Range<usize>,
        state: State,
        ty: BlockType,
        labels: &mut Vec<Label>,
    ) -> Option<State> {
        let (parameters, results) = self.arity(ty);
        labels.push(Label {
            incoming: Vec::new(),
            arity: results,
            height: state.stack.len().saturating_sub(parameters),
            is_doomed: body.doomed.contains(&range.start),
        });
        let live = body.live.get(&range.start);
        let fell = self.block(body, range.start + 1..range.end, state, labels);
        let incoming = labels.pop()?.incoming;
        self.meet(incoming.into_iter().chain(fell).collect(), live)
    }

    /// The function that is being run.
    pub(super) fn innermost(&self) -> u32 {
        self.calls.last().copied().unwrap_or_default()
    }

    pub(super) fn label(&self, state: &State, parameters: usize) -> Label {
        Label {
            incoming: Vec::new(),
            arity: parameters,
            height: state.stack.len().saturating_sub(parameters),
            is_doomed: false,
        }
    }

    fn arity(&self, ty: BlockType) -> (usize, usize) {
        match ty {
            BlockType::Empty => (0, 0),
            BlockType::Type(_) => (0, 1),
            BlockType::FuncType(index) => match self.code.type_at(index) {
                Some(ty) => (ty.params().len(), ty.results().len()),
                None => (0, 0),
            },
        }
    }

    fn branch(&mut self, mut state: State, depth: u32, labels: &mut [Label]) {
        let Some(at) = labels.len().checked_sub(1 + depth as usize) else {
            return;
        };
        let label = &mut labels[at];
        if label.is_doomed {
            return;
        }
        let values = state
            .stack
            .split_off(state.stack.len().saturating_sub(label.arity));
        state.stack.truncate(label.height);
        state.stack.extend(values);
        label.incoming.push(state);
    }

    fn switch(
        &mut self,
        state: State,
        value: &Value,
        targets: &wasmparser::BrTable<'_>,
        labels: &mut [Label],
    ) {
        let number = self.arithmetic(&state).number(value);
        let depths: Vec<u32> = targets.targets().flatten().collect();
        if let Some(at) = number.as_whole() {
            let at = usize::try_from(at).ok();
            let chosen = at.and_then(|at| depths.get(at)).copied();
            return self.branch(state, chosen.unwrap_or(targets.default()), labels);
        }
        let mut seen = HashSet::new();
        for depth in depths.into_iter().chain([targets.default()]) {
            if seen.insert(depth) {
                let taint = self.atoms.taint(&number);
                let open = Condition::Unknown(taint);
                let taken = self.along(state.clone(), open);
                self.branch(taken, depth, labels);
            }
        }
    }

    /// The path on which a condition holds, and the one on which it does not: those that there are.
    pub(super) fn ways(&mut self, state: State, condition: &Condition) -> [Option<State>; 2] {
        let condition = self.arithmetic(&state).known(condition.clone());
        if let Condition::Known(is) = condition {
            return match is {
                true => [Some(state), None],
                false => [None, Some(state)],
            };
        }
        let other = self.arithmetic(&state).simpler(condition.negated());
        [
            Some(self.along(state.clone(), condition)),
            Some(self.along(state, other)),
        ]
    }

    /// The path on which an open condition holds.
    fn along(&mut self, mut state: State, condition: Condition) -> State {
        self.refine(&mut state, &condition);
        state.conditions.push(Rc::new(condition));
        state
    }

    fn refine(&mut self, state: &mut State, condition: &Condition) {
        match condition {
            Condition::All(a, b) => {
                self.refine(state, a);
                self.refine(state, b);
            }
            Condition::AtLeast0(poly) => {
                if let Some((atom, most)) = self.atoms.bound_of_open(poly) {
                    Rc::make_mut(&mut state.refined).put_below(atom, Rc::new(most));
                }
                if poly.atoms().nth(1).is_some() && state.signs.at_least_0.len() < MAX_SIGNS {
                    Rc::make_mut(&mut state.signs)
                        .at_least_0
                        .push(Poly::clone(poly));
                }
                refine_to(state, poly, false);
            }
            Condition::Is0(poly) => {
                if poly.atoms().nth(1).is_some() && state.signs.zeros.len() < MAX_SIGNS {
                    Rc::make_mut(&mut state.signs).zeros.push(Poly::clone(poly));
                }
                refine_to(state, poly, false);
                refine_to(state, &poly.scaled(-1.0), false);
            }
            Condition::IsNot0(poly) => refine_to(state, poly, true),
            _ => {}
        }
    }

    /// One state for several paths that meet, with the locals that are read later.
    pub(super) fn meet(
        &mut self,
        mut states: Vec<State>,
        live: Option<&Rc<Live>>,
    ) -> Option<State> {
        // A launch that fails is not one whose cost is asked for.
        if states.iter().any(|state| !state.has_failed) {
            states.retain(|state| !state.has_failed);
        }
        // The dearest first: what holds on the others may make its bounds theirs.
        if !self.is_light && states.len() > 2 {
            let cost = |state: &State| self.atoms.sample(&state.spent.whole_lower());
            states.sort_by(|a, b| cost(b).total_cmp(&cost(a)));
        }
        let mut states = states.into_iter();
        let mut met = states.next()?;
        for state in states {
            met = self.meet_two(met, state, live);
        }
        Some(met)
    }

    fn meet_two(&mut self, a: State, b: State, live: Option<&Rc<Live>>) -> State {
        let spent = self.spent_of_either(&a, &b);
        let refined = Rc::clone(&a.refined);
        let both = refined.on_both(&b.refined);
        let on = [&a, &b].map(|state| (Rc::clone(&state.refined), Rc::clone(&state.signs)));
        let join = |run: &mut Self, x: &Value, y: &Value| run.one_of(x, y, &on, &both);
        let locals = a.locals.iter().zip(&b.locals).enumerate();
        let locals = locals.map(|(at, (x, y))| match live {
            Some(live) if live.has(at) => join(self, x, y),
            _ => Value::Unknown(Taint::Data),
        });
        let locals = locals.collect();
        let stack = a
            .stack
            .iter()
            .zip(&b.stack)
            .map(|(x, y)| join(self, x, y))
            .collect();
        let globals = if Rc::ptr_eq(&a.globals, &b.globals) {
            a.globals
        } else {
            let pairs = a.globals.iter().zip(b.globals.iter());
            Rc::new(pairs.map(|(x, y)| join(self, x, y)).collect())
        };
        let cells = if Rc::ptr_eq(&a.cells, &b.cells) {
            a.cells
        } else {
            let mut cells = Cells::new();
            for (address, x) in a.cells.iter() {
                if let Some(y) = b.cells.get(address) {
                    cells.insert(Rc::clone(address), join(self, x, y));
                }
            }
            Rc::new(cells)
        };
        let common = a.conditions.iter().zip(&b.conditions);
        let common = common
            .take_while(|(x, y)| Rc::ptr_eq(x, y) || x == y)
            .count();
        let mut conditions = a.conditions;
        // What stands on both paths, wherever it stands, holds on both.
        let later: Vec<_> = conditions.split_off(common);
        conditions.extend(
            later
                .into_iter()
                .filter(|c| b.conditions[common..].contains(c)),
        );
        let signs = self.signs_of_both(&on);
        State {
            locals,
            globals,
            cells,
            stack,
            spent,
            conditions,
            refined: Rc::new(both),
            signs: Rc::new(signs),
            has_failed: a.has_failed,
        }
    }

    /// What the conditions of two paths say that holds on both.
    fn signs_of_both(&mut self, on: &[Facts; 2]) -> Signs {
        let mut both = Signs::default();
        if self.is_light {
            return both;
        }
        for (own, other) in [(&on[0], &on[1]), (&on[1], &on[0])] {
            for zero in &own.1.zeros {
                if !both.zeros.contains(zero)
                    && (other.1.zeros.contains(zero)
                        || self.greatest_of(zero, other) <= 0.0
                            && self.greatest_of(&zero.scaled(-1.0), other) <= 0.0)
                {
                    both.zeros.push(zero.clone());
                }
            }
            let kept = own.1.at_least_0.iter();
            let kept = kept.filter(|number| other.1.at_least_0.contains(number));
            for number in kept {
                if !both.at_least_0.contains(number) {
                    both.at_least_0.push(number.clone());
                }
            }
        }
        both
    }

    fn one_of(&mut self, a: &Value, b: &Value, on: &[Facts; 2], refined: &Refined) -> Value {
        if a == b {
            return a.clone();
        }
        // What one path gives may be what the other gives too, where that is taken.
        if let (Value::Int(x), Value::Int(y)) = (a, b)
            && !self.is_light
            && let Some(difference) = x.sub(y)
        {
            for (other, facts) in [(b, &on[0]), (a, &on[1])] {
                if self.greatest_of(&difference, facts) <= 0.0
                    && self.greatest_of(&difference.scaled(-1.0), facts) <= 0.0
                {
                    return other.clone();
                }
            }
        }
        if self.is_light || matches!((a, b), (Value::Unknown(_), _) | (_, Value::Unknown(_))) {
            return Value::Unknown(Taint::Data);
        }
        let mut arithmetic = Arithmetic {
            atoms: &mut self.atoms,
            refined,
        };
        let numbers = [arithmetic.number(a), arithmetic.number(b)];
        let taint = numbers
            .iter()
            .map(|poly| arithmetic.atoms.taint(poly))
            .max();
        let poly = arithmetic.one_of(&numbers, taint.unwrap_or(Taint::Data));
        Value::Int(Rc::new(poly))
    }

    /// Bounds for whichever of two paths was taken.
    fn spent_of_either(&mut self, a: &State, b: &State) -> Spent {
        if self.is_light {
            return a.spent.clone();
        }
        let counted = a.spent.counted.min(b.spent.counted);
        let [mut x, mut y] = [a, b].map(|state| Spent {
            counted: state.spent.counted - counted,
            ..state.spent.clone()
        });
        for spent in [&mut x, &mut y] {
            spent.lower = spent.whole_lower();
            spent.upper = spent.whole_upper();
            spent.counted = 0.0;
        }
        let lower = self
            .either(Side::Lower, (&x.lower, a), (&y.lower, b))
            .unwrap_or_default();
        let upper = match (&x.upper, &y.upper) {
            (Some(x), Some(y)) => self.either(Side::Upper, (x, a), (y, b)),
            _ => None,
        };
        Spent {
            counted,
            lower,
            upper,
        }
    }

    /// The greatest value that can be told of a number on a path.
    fn greatest_on(&mut self, poly: &Poly, on: &State) -> f64 {
        self.greatest_of(poly, &(Rc::clone(&on.refined), Rc::clone(&on.signs)))
    }

    fn greatest_of(&mut self, poly: &Poly, (refined, signs): &Facts) -> f64 {
        let mut least = self.atoms.greatest(poly, refined);
        let mut reduced = poly.clone();
        for zero in &signs.zeros {
            if let Some(poly) = reduced.where_0(zero) {
                least = least.min(self.atoms.greatest(&poly, refined));
                reduced = poly;
            }
        }
        // What comes of a number that a condition speaks of is bounded by that first.
        let spoken = signs.zeros.iter().map(|zero| (zero, true));
        let spoken = spoken.chain(signs.at_least_0.iter().map(|number| (number, false)));
        for (number, is_zero) in spoken {
            let Some(youngest) = number.atoms().max().filter(|_| least > 0.0) else {
                continue;
            };
            let Some(bound) = self.atoms.bound_in_older(poly, youngest, refined) else {
                continue;
            };
            let more = match is_zero {
                true => bound.where_0(number),
                // No less than it, by what is not negative.
                false => bound.with_less_by(number),
            };
            if let Some(more) = more {
                least = least.min(poly.greatest_whole(self.atoms.greatest(&more, refined)));
            }
        }
        least
    }

    fn either(
        &mut self,
        side: Side,
        (x, of_x): (&Poly, &State),
        (y, of_y): (&Poly, &State),
    ) -> Option<Poly> {
        if x == y {
            return Some(x.clone());
        }
        let sign = match side {
            Side::Lower => 1.0,
            Side::Upper => -1.0,
        };
        // Where the other path's bound holds on this one too, but for a constant, it is a bound of both.
        let mut candidates = Vec::new();
        for (own, on, other) in [(x, of_x, y), (y, of_y, x)] {
            let difference = other.sub(own)?.scaled(sign);
            let above = self.greatest_on(&difference, on);
            if above <= 0.0 {
                candidates.push(other.clone());
            } else if above.is_finite() && above < U32 {
                candidates.push(other.plus(-sign * above));
            }
        }
        let choose: fn(f64, f64) -> f64 = match side {
            Side::Lower => f64::min,
            Side::Upper => f64::max,
        };
        candidates.extend(x.by_terms(y, choose));
        let ranked = candidates
            .into_iter()
            .map(|poly| (self.atoms.sample(&poly) * sign, poly));
        ranked
            .max_by(|(a, _), (b, _)| a.total_cmp(b))
            .map(|(_, poly)| poly)
    }
}

/// What `poly ≥ 0`, or `poly ≠ 0`, says of its only atom.
fn refine_to(state: &mut State, poly: &Poly, is_not_0: bool) {
    let constant = poly.constant_term();
    let mut terms = poly
        .terms()
        .iter()
        .filter(|(monomial, _)| !monomial.is_constant());
    let (Some((monomial, coefficient)), None) = (terms.next(), terms.next()) else {
        return;
    };
    let Some(atom) = monomial.only() else { return };
    let at = -constant / coefficient;
    let known = state.refined.get(&atom).copied();
    let (mut least, mut greatest) = known.unwrap_or((0.0, f64::INFINITY));
    if is_not_0 {
        if at == least {
            least += 1.0;
        } else if at == greatest {
            greatest -= 1.0;
        }
    } else if *coefficient > 0.0 {
        least = least.max(at.ceil());
    } else {
        greatest = greatest.min(at.floor());
    }
    Rc::make_mut(&mut state.refined).insert(atom, (least, greatest));
}

/// Locals that a range of operators sets.
pub(super) fn set_in(body: &Body<'_>, range: std::ops::Range<usize>) -> Vec<u32> {
    let mut set: Vec<u32> = body.operators[range]
        .iter()
        .filter_map(|operator| match operator {
            Operator::LocalSet { local_index } | Operator::LocalTee { local_index } => {
                Some(*local_index)
            }
            _ => None,
        })
        .collect();
    set.sort_unstable();
    set.dedup();
    set
}

/// What a path says of atoms: within which constants they are, and which numbers are 0 or not negative.
type Facts = (Rc<Refined>, Rc<Signs>);
