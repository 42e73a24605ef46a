//! What a kernel will cost, told from its code: nothing runs.
//!
//! A component of the SDK exports each kernel's function under a name of its own, with the dimensions as plain integers. That function is run
//! with symbols in the place of its arguments: integers are polynomials in the dimensions where they can be ([`poly`]), numbers with bounds
//! where they cannot ([`atoms`], [`arithmetic`]); both ways of an open branch are followed and meet again ([`run`]); a loop's body is run to see
//! what it changes, and how many turns there are follows from its ways out ([`loops`]). What it costs is counted as the engine counts fuel.
//!
//! It holds for a launch that ends well: ways that end in a trap, or in the kernel's own failure, are left out. And it takes
//! safe Rust at its word: stores go where the kernel has memory. Work is bounded by steps, not by the code's size.

mod arithmetic;
mod atoms;
mod code;
mod facts;
mod leaving;
mod lines;
mod loops;
mod operators;
mod passages;
mod poly;
mod run;
mod value;

use self::atoms::{Atoms, Origin, Side, Taint, U32};
use self::code::{Body, Code};
use self::facts::Refined;
use self::lines::Lines;
use self::loops::LoopRecord;
use self::poly::Poly;
use self::run::Run;
use self::value::{Cells, State, Value};
use hotcell_model::analysis::{
    Bounds, EntryCost, Formula, Gap, Interface, KernelLoop, KernelWork, LISTED_ENTRIES,
    LISTED_LOOPS, LISTED_NAME_BYTES, LISTED_POWERS, LISTED_TERMS, Term, Turns, variables,
};
use hotcell_model::component::ENTRIES;
use hotcell_model::manifest::{ArrayParameter, DType, Dim, Kernel, Parameter, Role};
use std::rc::Rc;
use wasmparser::{Operator, ValType};

/// The prefixes of kernels' functions among a module's exports: the SDK's, which take extents first, and those of objects.
const KERNEL: &str = "hotcell-kernel:";
const PLAIN_KERNEL: &str = "hotcell-plain-kernel:";
/// The greatest size of an array, as of anything in Rust on a machine of 32 bits.
const ARRAY_BYTES: f64 = 2_147_483_647.0;
/// How many operators are looked at for one kernel, over all that is asked of it, and for one component.
const KERNEL_STEPS: u32 = 100_000;
const COMPONENT_STEPS: u32 = 300_000;
/// For which shapes bounds are found by themselves, in that order.
const RANGES: [Range; 3] = [
    Range {
        from_extent: 1,
        unless_close: None,
    },
    // Without the code for what is left over of small arrays.
    Range {
        from_extent: 64,
        unless_close: Some((256, 1.25)),
    },
    // Without what is only there for arrays that have no inside.
    Range {
        from_extent: 8,
        unless_close: Some((24, 4.0)),
    },
];
/// A kernel that took more steps, and has an upper bound, is not looked at for further shapes.
const DEAR_STEPS: u32 = 40_000;
/// A coefficient of an upper bound that is larger says nothing: some number was not known at all.
const NO_BOUND: f64 = 1e7;
/// The same for a bound without variables, which has all that shapes say in it.
const NO_CONSTANT_BOUND: f64 = 1e13;

/// What the code says of each kernel's cost, in the manifest's order. The component is valid.
pub(crate) fn analyse(component: &[u8], kernels: &[Kernel]) -> Vec<EntryCost> {
    let is_launch = |name: &str| name.starts_with(ENTRIES) && name.ends_with("#launch");
    let Some(code) = Code::find(component, is_launch) else {
        return Vec::new();
    };
    let lines = Lines::of(&code);
    let mut left = COMPONENT_STEPS;
    let numbered = (0..).zip(kernels).take(LISTED_ENTRIES);
    numbered
        .map(|(at, kernel)| {
            let find = |(prefix, interface)| {
                let name = format!("{prefix}{}", kernel.name());
                let function = code.exports.get(name.as_str())?;
                Some((*function, interface))
            };
            let kinds = [(KERNEL, Interface::Sdk), (PLAIN_KERNEL, Interface::Plain)];
            match kinds.into_iter().find_map(find) {
                Some(function) => cost_of(&code, &lines, at, kernel, function, &mut left),
                None => unknown(at),
            }
        })
        .collect()
}

/// Shapes whose bounds are found by themselves.
struct Range {
    /// All extents are at least this.
    from_extent: u32,
    /// Where those bounds that there are are within that many times of each other with that value for every variable, these are not asked for.
    unless_close: Option<(u64, f64)>,
}

fn unknown(kernel: u32) -> EntryCost {
    EntryCost {
        kernel,
        interface: Interface::Sdk,
        gaps: vec![Gap::NotTheSdks],
        bounds: Vec::new(),
        loops: Vec::new(),
        loops_left_out: 0,
        functions: 0,
        outside: KernelWork::default(),
    }
}

fn cost_of(
    code: &Code<'_>,
    lines: &Lines,
    at: u32,
    kernel: &Kernel,
    (function, interface): (u32, Interface),
    left: &mut u32,
) -> EntryCost {
    let mut cost = unknown(at);
    cost.interface = interface;
    cost.gaps.clear();
    let mut steps = KERNEL_STEPS.min(*left);
    let before = steps;
    for Range {
        from_extent,
        unless_close,
    } in RANGES
    {
        let has_upper = cost.bounds.iter().any(|bounds| bounds.upper.is_some());
        let is_dear = before - steps > DEAR_STEPS && has_upper;
        let is_close =
            unless_close.is_some_and(|(at, times)| Bounds::are_close(&cost.bounds, at, times));
        if is_dear || is_close {
            continue;
        }
        let mut run = Run::new(code, steps);
        let begun = match interface {
            Interface::Sdk => begin(&mut run, kernel, function, from_extent),
            Interface::Plain => begin_plain(&mut run, kernel, function, from_extent),
        };
        let Some(state) = begun else {
            return unknown(at);
        };
        let refined = Rc::clone(&state.refined);
        let end = run.call(function, state);
        // What was not looked at to its end is not bounded by what was.
        let is_whole = !run.gaps.contains(&Gap::TooLarge);
        if let Some(end) = end.filter(|_| is_whole) {
            cost.bounds
                .push(bounds(&mut run, &end, &refined, from_extent));
        }
        steps = run.steps;
        // The more shapes, the more code there is that a launch may come to.
        if run.reached.len() as u64 > cost.functions {
            cost.functions = run.reached.len() as u64;
            cost.outside = outside(&run);
            cost.gaps.extend(&run.gaps);
            cost.gaps.sort_unstable();
            cost.gaps.dedup();
        }
        if is_whole {
            list_loops(&mut run, lines, from_extent, &mut cost);
        }
    }
    cost.bounds.sort_by_key(|bounds| bounds.from_extent);
    let listed = cost.loops.len().min(LISTED_LOOPS);
    cost.loops_left_out = (cost.loops.len() - listed) as u64;
    cost.loops.truncate(listed);
    *left -= before - steps;
    cost
}

fn bounds(run: &mut Run<'_, '_>, end: &State, refined: &Rc<Refined>, from_extent: u32) -> Bounds {
    let keep = |atoms: &Atoms, atom| atoms.named(atom).is_some();
    let lower = end.spent.whole_lower();
    let lower = run.atoms.bound_of(&lower, Side::Lower, refined, &keep);
    let lower = lower.filter(is_listed);
    let certain = Poly::constant(end.spent.counted);
    let lower = match lower {
        Some(lower) if run.atoms.sample(&lower) > end.spent.counted => lower,
        _ => certain,
    };
    let upper = end.spent.whole_upper();
    let upper = upper.and_then(|upper| run.atoms.bound_of(&upper, Side::Upper, refined, &keep));
    let says_something = |upper: &Poly| match upper.as_constant() {
        Some(constant) => constant < NO_CONSTANT_BOUND,
        None => upper.terms().iter().all(|(_, times)| *times < NO_BOUND),
    };
    let upper = upper.filter(|upper| is_listed(upper) && says_something(upper));
    Bounds {
        from_extent: from_extent.into(),
        lower: formula(&run.atoms, &lower, Side::Lower),
        upper: upper.map(|upper| formula(&run.atoms, &upper, Side::Upper)),
    }
}

fn is_listed(poly: &Poly) -> bool {
    let mut terms = poly.terms().iter();
    poly.terms().len() <= LISTED_TERMS
        && terms.all(|(monomial, _)| monomial.degree() <= LISTED_POWERS)
}

/// A polynomial in names alone, rounded so that it stays the bound that it is.
fn formula(atoms: &Atoms, poly: &Poly, side: Side) -> Formula {
    let terms = poly.terms().iter().filter_map(|(monomial, coefficient)| {
        let scaled = coefficient * 1024.0;
        let nearest = scaled.round();
        let rounded = match side {
            // What is off by less comes of the arithmetic.
            _ if (scaled - nearest).abs() < 1e-6 => nearest,
            Side::Lower => scaled.floor(),
            Side::Upper => scaled.ceil(),
        };
        let variables = monomial
            .atoms()
            .map(|atom| u8::try_from(atoms.named(atom)?).ok());
        Some(Term {
            #[expect(clippy::cast_possible_truncation, reason = "a cast saturates")]
            in_1024ths: rounded as i64,
            variables: variables.collect::<Option<_>>()?,
        })
    });
    Formula(terms.collect())
}

/// The loops that the kernel comes to. What larger extents tell of one is told in the place of what is known of it before: there are fewer ways
/// to it then.
fn list_loops(run: &mut Run<'_, '_>, lines: &Lines, from_extent: u32, cost: &mut EntryCost) {
    let keep = |atoms: &Atoms, atom| atoms.named(atom).is_some();
    let nothing = Refined::new();
    let records: Vec<_> = run
        .loops
        .iter()
        .map(|(place, record)| (*place, record.clone()))
        .collect();
    for ((function, offset), record) in records {
        let least = run
            .atoms
            .bound_of(&record.trips.lower, Side::Lower, &nothing, &keep);
        let least = least.filter(|least| is_listed(least) && run.atoms.sample(least) >= 1.0);
        let most = record.trips.upper.as_ref();
        let most = most.and_then(|most| run.atoms.bound_of(most, Side::Upper, &nothing, &keep));
        let most =
            most.filter(|most| is_listed(most) && most.terms().iter().all(|(_, c)| *c < NO_BOUND));
        // Turns are whole.
        let most = most.map(|most| match most.as_constant() {
            Some(constant) => Poly::constant(constant.floor()),
            None => most,
        });
        let is_constant = most
            .as_ref()
            .is_some_and(|most| most.as_constant().is_some());
        let turns = match (record.trips.taint, &most) {
            (_, None) => Turns::Unbounded,
            (Taint::Shape, _) if is_constant => Turns::Constant,
            (Taint::Shape, _) => Turns::Shapes,
            (Taint::Argument, _) => Turns::Arguments,
            (Taint::Data, _) => Turns::Data,
        };
        let least = least.unwrap_or_else(|| Poly::constant(1.0));
        let found = KernelLoop {
            function: name_of(run.code, function),
            offset_bytes: offset.into(),
            source: lines.at(offset),
            depth: record.depth - 1,
            turns,
            least: formula(&run.atoms, &least, Side::Lower),
            most: most.map(|most| formula(&run.atoms, &most, Side::Upper)),
            turn: turn(run.code, function, &record),
        };
        match cost
            .loops
            .binary_search_by_key(&found.offset_bytes, |one| one.offset_bytes)
        {
            Ok(known) => {
                let own = &cost.loops[known].turns;
                // What is known of larger shapes stays, unless more is known of all.
                if found.turns < *own || found.turns == *own && from_extent > 0 {
                    cost.loops[known] = found;
                }
            }
            Err(place) => cost.loops.insert(place, found),
        }
    }
}

/// A function's name as the component has it, or its number.
fn name_of(code: &Code<'_>, function: u32) -> String {
    let Some(name) = code.names.get(&function) else {
        return format!("function {function}");
    };
    let mut name = rustc_demangle::demangle(name).to_string();
    name.truncate(name.floor_char_boundary(LISTED_NAME_BYTES));
    name
}

/// What stands in a loop's body, without loops inside.
fn turn(code: &Code<'_>, function: u32, record: &LoopRecord) -> KernelWork {
    let mut work = KernelWork::default();
    if let Some(body) = code.body(function) {
        count(code, &body, record.range.0 + 1..record.range.1, &mut work);
    }
    work
}

/// What the functions that a kernel reaches do outside of loops.
fn outside(run: &Run<'_, '_>) -> KernelWork {
    let mut work = KernelWork::default();
    for function in &run.reached {
        if let Some(body) = run.code.body(*function) {
            count(run.code, &body, 0..body.operators.len(), &mut work);
        }
    }
    work
}

fn count(code: &Code<'_>, body: &Body<'_>, range: std::ops::Range<usize>, work: &mut KernelWork) {
    let mut at = range.start;
    while at < range.end {
        let operator = &body.operators[at];
        match operator {
            Operator::Loop { .. } => {
                at = body.ends.get(&at).map_or(at, |(end, _)| *end);
            }
            Operator::Call { function_index } if code.import(*function_index).is_some() => {
                work.host_calls += 1;
            }
            Operator::MemoryGrow { .. } => work.grows += 1,
            operator => kind(operator, work),
        }
        at += 1;
    }
}

/// Counts an operator by its name in the specification: what the type is that it works on stands at its beginning.
fn kind(operator: &Operator<'_>, work: &mut KernelWork) {
    let mut name = format!("{operator:?}");
    name.truncate(name.find([' ', '(']).unwrap_or(name.len()));
    let has = |what: &str| name.contains(what);
    let is_vector = ["V128", "8x16", "16x8", "32x4", "64x2"]
        .into_iter()
        .any(has);
    let is_memory = ["Load", "Store", "MemoryCopy", "MemoryFill"]
        .into_iter()
        .any(has);
    let is_plain = ["Const", "Local", "Global", "Select", "Drop"]
        .into_iter()
        .any(has);
    if is_plain {
        return;
    }
    if is_memory {
        work.memory += 1;
    } else if name.starts_with('F') {
        work.floating += 1;
    } else if name.starts_with('I') || name.starts_with("V128") {
        work.integer += 1;
    } else {
        return;
    }
    work.vector += u64::from(is_vector);
}

/// The state in which a kernel's function of the SDK's begins: dimensions and integer scalars by name, everything else unknown.
///
/// A launch is taken as a whole: its chunk is all of the split dimension.
fn begin(run: &mut Run<'_, '_>, kernel: &Kernel, function: u32, from_extent: u32) -> Option<State> {
    let mut state = run.beginning();
    let ty = run.code.type_of(function)?.clone();
    let types = ty.params();
    let extents = Extents::of(run, kernel, from_extent);
    state.stack.extend(extents.values());
    let parameters = &kernel.record().parameters;
    // What a chunk gets of its neighbours' rows: of the whole there are none.
    for parameter in parameters.iter().filter(|parameter| parameter.halo > 0) {
        let array = kernel
            .arrays()
            .iter()
            .find(|array| array.name == parameter.name)?;
        let Dim::Name(name) = array.dims.first()? else {
            return None;
        };
        state.stack.push(Value::Int(extents.of_dim(name)?));
    }
    let first = state.stack.len();
    let body = run.code.body(function)?;
    let places = Places::find(types, first, parameters, &body)?;
    let mut parameters = parameters.iter();
    for (at, ty) in types.iter().enumerate().skip(first) {
        let parameter = match Some(at) == places.chunk || Some(at) == places.failure {
            true => None,
            false => Some(parameters.next()?),
        };
        if let Some(parameter) = parameter.filter(|parameter| parameter.role == Role::Scalar) {
            state.stack.push(scalar(run, kernel, parameter, *ty));
            continue;
        }
        let address = Rc::new(Poly::atom(run.atoms.unknown(Taint::Shape, U32)));
        if Some(at) == places.chunk {
            let len = kernel.split().and_then(|dim| extents.of_dim(dim));
            let len = len.unwrap_or_else(|| Rc::new(Poly::constant(1.0)));
            let fields = [Rc::new(Poly::default()), Rc::clone(&len), len];
            let offsets = [0.0, 4.0, 8.0].map(|offset| Rc::new(address.plus(offset)));
            let cells = offsets.into_iter().zip(fields.map(Value::Int));
            state.cells = Rc::new(cells.collect::<Cells>());
        } else if Some(at) == places.failure {
            run.failure = Some(Rc::clone(&address));
        }
        state.stack.push(Value::Int(address));
    }
    state.refined = Rc::new(extents.refined);
    Some(state)
}

/// The same of an object's function: its parameters, the extents, and where its chunk begins of how many indices.
fn begin_plain(
    run: &mut Run<'_, '_>,
    kernel: &Kernel,
    function: u32,
    from_extent: u32,
) -> Option<State> {
    let mut state = run.beginning();
    let ty = run.code.type_of(function)?.clone();
    let types = ty.params();
    let extents = Extents::of(run, kernel, from_extent);
    for (parameter, ty) in kernel.record().parameters.iter().zip(types) {
        let value = match parameter.role {
            Role::Scalar => scalar(run, kernel, parameter, *ty),
            _ => Value::Int(Rc::new(Poly::atom(run.atoms.unknown(Taint::Shape, U32)))),
        };
        state.stack.push(value);
    }
    state.stack.extend(extents.values());
    if state.stack.len() < types.len() {
        let total = extents.of_dim(kernel.split()?)?;
        state.stack.push(Value::Int(Rc::new(Poly::default())));
        state.stack.push(Value::Int(total));
    }
    state.refined = Rc::new(extents.refined);
    (state.stack.len() == types.len()).then_some(state)
}

/// A scalar argument: by its name where it is whole.
fn scalar(run: &mut Run<'_, '_>, kernel: &Kernel, parameter: &Parameter, ty: ValType) -> Value {
    let mut names = variables(kernel);
    let place = names.position(|name| name == parameter.name);
    match place.filter(|_| matches!(ty, ValType::I32 | ValType::I64)) {
        Some(place) => {
            let most = vec![Poly::constant(U32)];
            let origin = Origin::Named(place);
            let atom = run.atoms.make(origin, Taint::Argument, Vec::new(), most);
            Value::Int(Rc::new(Poly::atom(atom)))
        }
        None => Value::Unknown(Taint::Argument),
    }
}

/// The extents of a kernel's dimensions, by name.
struct Extents<'k> {
    dims: Vec<(&'k str, Rc<Poly>)>,
    /// The least that they are taken to be.
    refined: Refined,
}

impl<'k> Extents<'k> {
    fn of(run: &mut Run<'_, '_>, kernel: &'k Kernel, from_extent: u32) -> Self {
        let mut extents = Self {
            dims: Vec::new(),
            refined: Refined::new(),
        };
        for (place, dim) in kernel.dims().iter().enumerate() {
            let most = vec![Poly::constant(greatest_extent(kernel, dim))];
            let origin = Origin::Named(place);
            let atom = run.atoms.make(origin, Taint::Shape, Vec::new(), most);
            if from_extent > 0 {
                let least = (from_extent.into(), f64::INFINITY);
                extents.refined.insert(atom, least);
            }
            extents.dims.push((dim, Rc::new(Poly::atom(atom))));
        }
        extents
    }

    fn values(&self) -> impl Iterator<Item = Value> {
        self.dims
            .iter()
            .map(|(_, extent)| Value::Int(Rc::clone(extent)))
    }

    fn of_dim(&self, name: &str) -> Option<Rc<Poly>> {
        let found = self.dims.iter().find(|(dim, _)| *dim == name);
        found.map(|(_, extent)| Rc::clone(extent))
    }
}

/// The most indices that a dimension can have: an array of them fits in memory.
#[expect(clippy::cast_precision_loss, reason = "elements have few bytes")]
fn greatest_extent(kernel: &Kernel, dim: &str) -> f64 {
    let has = |array: &&ArrayParameter| {
        let mut dims = array.dims.iter();
        dims.any(|own| matches!(own, Dim::Name(name) if name == dim))
    };
    let arrays = kernel.arrays().iter().filter(has);
    let most = arrays.map(|array| (ARRAY_BYTES / array.dtype.size_bytes() as f64).floor());
    most.fold(ARRAY_BYTES, f64::min)
}

/// Which of a kernel function's parameters are not in its record.
struct Places {
    chunk: Option<usize>,
    failure: Option<usize>,
}

impl Places {
    /// Finds them by the types of the others, and by how the function reads a chunk.
    fn find(
        types: &[ValType],
        first: usize,
        parameters: &[Parameter],
        body: &Body<'_>,
    ) -> Option<Self> {
        let more = types.len().checked_sub(first + parameters.len())?;
        let fits = |chunk: usize| {
            let others = types
                .iter()
                .enumerate()
                .skip(first)
                .filter(|(at, _)| *at != chunk);
            let mut others = others.map(|(_, ty)| *ty);
            types[chunk] == ValType::I32
                && parameters
                    .iter()
                    .all(|parameter| others.next() == Some(expected(parameter)))
        };
        let is_read = |chunk: usize| {
            body.operators.windows(2).any(|pair| match pair {
                [
                    Operator::LocalGet { local_index },
                    Operator::I32Load { memarg } | Operator::I64Load { memarg },
                ] => *local_index as usize == chunk && memarg.offset <= 8,
                _ => false,
            })
        };
        let candidates = first..types.len() - more.min(1).saturating_sub(usize::from(more < 2));
        let chunk = (more > 0).then(|| candidates.into_iter().find(|at| fits(*at) && is_read(*at)));
        let chunk = chunk.flatten();
        let failure = (more > usize::from(chunk.is_some())).then(|| types.len() - 1);
        Some(Self { chunk, failure })
    }
}

/// The type of a parameter of the record in the function.
fn expected(parameter: &Parameter) -> ValType {
    match (parameter.role, parameter.dtype) {
        (Role::Scalar, DType::I64 | DType::U64) => ValType::I64,
        (Role::Scalar, DType::F32) => ValType::F32,
        (Role::Scalar, DType::F64) => ValType::F64,
        _ => ValType::I32,
    }
}

#[cfg(test)]
mod tests;
