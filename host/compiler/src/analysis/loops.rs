//! Loops: what changes from turn to turn, how many turns there are, and what they cost together.
//!
//! The body is run three times: once with what it changes unknown, to see by how much it changes; once with the turn's number in
//! its place, to see when the loop ends; and once more with that known.

use super::atoms::{Side, Taint, U32};
use super::code::Body;
use super::facts::Refined;
use super::leaving::Exits;
use super::poly::{AtomId, Poly};
use super::run::{Label, Run, set_in};
use super::value::{Condition, Spent, State, Value};
use std::collections::HashSet;
use std::rc::Rc;

/// Loops in more loops than this do not have their last turn looked at by itself: each that has doubles the work.
const PEELED: u32 = 2;

/// Bounds that are off by more are none.
const LOST: f64 = 1000.0;

/// How often a loop's body runs, each time that the loop is come to.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Trips {
    pub(super) lower: Poly,
    /// `None` where nothing bounds it.
    pub(super) upper: Option<Poly>,
    /// What the number depends on.
    pub(super) taint: Taint,
}

/// What was found out about one loop of the code.
#[derive(Clone, Debug)]
pub(super) struct LoopRecord {
    pub(super) depth: u32,
    pub(super) trips: Trips,
    /// The operators of the loop, in its function.
    pub(super) range: (usize, usize),
}

/// Something that a loop changes.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Place {
    Local(u32),
    Global(usize),
    Cell(Rc<Poly>),
}

/// How it changes from one turn to the next.
enum Change {
    /// By the same amount.
    Step(Poly),
    /// By an amount between two constants.
    Between(f64, f64),
    /// Down by a constant, and at last by what is left.
    Drain(Poly, f64),
    /// In another way.
    Unknown,
}

/// The paths that left one run of a body.
struct Turns {
    /// To the next turn.
    back: Vec<State>,
    /// Out of the loop, by falling out of its end.
    fell: Option<State>,
    /// Out of the loop and of blocks around it: which label, and the path.
    out: Vec<(usize, State)>,
}

impl<'a> Run<'_, 'a> {
    /// Runs a loop; the path that falls out of its end, if there is one.
    pub(super) fn repeat(
        &mut self,
        body: &Rc<Body<'a>>,
        at: usize,
        end: usize,
        entry: State,
        parameters: usize,
        labels: &mut Vec<Label>,
    ) -> Option<State> {
        let range = at + 1..end;
        // What is looked at of the body as a whole counts, too.
        let looked_at = u32::try_from(range.len() / 16).unwrap_or(u32::MAX);
        self.steps = self.steps.saturating_sub(looked_at);
        let mark = self.atoms.len();
        let live = body.live.get(&at);
        let is_live = |local: &u32| live.is_some_and(|live| live.has(*local as usize));
        let set = set_in(body, range.clone());
        let mut places: Vec<Place> = set.into_iter().filter(is_live).map(Place::Local).collect();
        self.depth += 1;

        // With what it changes unknown, and once more where it turns out to change more.
        let (turns, unknowns) = loop {
            let probe = self.probe(body, range.clone(), &entry, &places, parameters, labels);
            let (turns, unknowns, written) = probe;
            let globals = (0..entry.globals.len()).map(Place::Global);
            // In an order of their own: what is found out is the same every time.
            let mut written: Vec<_> = written.into_iter().collect();
            written.sort_unstable_by(|a, b| a.order(b));
            let cells = written.into_iter().map(Place::Cell);
            let more = globals.chain(cells).filter(|place| {
                let first = get(&entry, place);
                let is_changed = |state: &State| get(state, place) != first;
                first.is_some() && !places.contains(place) && turns.back.iter().any(is_changed)
            });
            let more: Vec<Place> = more.collect();
            if more.is_empty() {
                break (turns, unknowns);
            }
            places.extend(more);
        };
        if turns.back.is_empty() {
            return self.run_once(body, range, entry, parameters, labels);
        }
        if self.is_light {
            self.depth -= 1;
            return self.pass_over(&entry, &places, turns, labels);
        }
        let mut changes: Vec<Change> = Vec::new();
        let mut drained = Vec::new();
        for (place, unknown) in places.iter().zip(&unknowns) {
            // Whatever it was, each turn makes of it what it is before the first.
            let before = constant_of(&entry, place);
            let stays = before.is_some()
                && turns
                    .back
                    .iter()
                    .all(|state| constant_of(state, place) == before);
            let change = match stays {
                true => Change::Step(Poly::default()),
                false => self.change(place, *unknown, &turns.back, mark, &drained),
            };
            if let Change::Drain(by, most) = &change {
                drained.push((by.clone(), *most));
            }
            changes.push(change);
        }
        // What moves by as much as another is drained by.
        for ((place, unknown), change) in places.iter().zip(&unknowns).zip(&mut changes) {
            if matches!(change, Change::Unknown) && !drained.is_empty() {
                *change = self.change(place, *unknown, &turns.back, mark, &drained);
            }
        }

        // What a first turn settles for all others, such as a flag that says whether it is the first, is settled by that turn.
        let settles = |(place, change): (&Place, &Change)| {
            matches!(change, Change::Unknown) && settled(place, &entry, &turns.back)
        };
        if places.iter().zip(&changes).any(settles) {
            self.depth -= 1;
            let (first, _) = self.turn(body, range, entry, parameters, labels);
            for (label, state) in first.out {
                labels[label].incoming.push(state);
            }
            let others = self.meet(first.back, None);
            let others =
                others.and_then(|entry| self.repeat(body, at, end, entry, parameters, labels));
            return self.meet(first.fell.into_iter().chain(others).collect(), None);
        }

        // With the turn's number, to see how many there are.
        let counter = self.atoms.fresh(Taint::Shape, Vec::new(), Vec::new());
        let state = self.begin(&entry, &places, &changes, &Poly::atom(counter));
        let is_simple = self.is_simple(body, &range);
        self.is_light = !is_simple;
        let (turns, _) = self.turn(body, range.clone(), state, parameters, labels);
        self.is_light = false;
        if turns.back.is_empty() {
            return self.run_once(body, range, entry, parameters, labels);
        }
        let found = self.trips(&turns, counter, mark, &entry);
        let rounds = found.0.plus(-1.0);
        if self.atoms.greatest(&rounds, &entry.refined) < 0.0 {
            // It would have ended before its first turn: nobody comes here.
            self.depth -= 1;
            return None;
        }
        if is_simple {
            self.atoms.bound(counter, vec![rounds.clone()]);
            let exits = Exits {
                fell: turns.fell,
                out: turns.out,
            };
            return self.leave(
                body, at, end, &entry, turns.back, exits, counter, mark, found, labels,
            );
        }
        // Deep inside, one turn stands for all.
        if self.depth > PEELED {
            let counter = self
                .atoms
                .fresh(Taint::Shape, Vec::new(), vec![rounds.clone()]);
            let state = self.begin(&entry, &places, &changes, &Poly::atom(counter));
            let (turns, _) = self.turn(body, range, state, parameters, labels);
            let exits = Exits {
                fell: turns.fell,
                out: turns.out,
            };
            return self.leave(
                body, at, end, &entry, turns.back, exits, counter, mark, found, labels,
            );
        }
        // Once more for every turn but the last, and for the last.
        let counter = self
            .atoms
            .fresh(Taint::Shape, Vec::new(), vec![rounds.plus(-1.0)]);
        let state = self.begin(&entry, &places, &changes, &Poly::atom(counter));
        let (first, _) = self.turn(body, range.clone(), state, parameters, labels);
        let state = self.begin(&entry, &places, &changes, &rounds);
        let (last, _) = self.turn(body, range, state, parameters, labels);
        let exits = Exits {
            fell: last.fell,
            out: last.out,
        };
        self.leave(
            body, at, end, &entry, first.back, exits, counter, mark, found, labels,
        )
    }

    /// A loop that never comes back: a block.
    fn run_once(
        &mut self,
        body: &Rc<Body<'a>>,
        range: std::ops::Range<usize>,
        entry: State,
        parameters: usize,
        labels: &mut Vec<Label>,
    ) -> Option<State> {
        self.depth -= 1;
        let (turns, _) = self.turn(body, range, entry, parameters, labels);
        for (label, state) in turns.out {
            labels[label].incoming.push(state);
        }
        turns.fell
    }

    /// Whether the turn's greatest number plays no part inside the body: nothing in it branches but its end.
    fn is_simple(&self, body: &Body<'_>, range: &std::ops::Range<usize>) -> bool {
        use wasmparser::Operator as O;
        let branches = body.operators[range.clone()].iter().filter(|operator| {
            matches!(
                operator,
                O::BrIf { .. }
                    | O::If { .. }
                    | O::Loop { .. }
                    | O::BrTable { .. }
                    | O::Call { .. }
                    | O::CallIndirect { .. }
                    | O::MemoryCopy { .. }
                    | O::MemoryFill { .. }
            )
        });
        branches.count() <= 1
    }

    fn probe(
        &mut self,
        body: &Rc<Body<'a>>,
        range: std::ops::Range<usize>,
        entry: &State,
        places: &[Place],
        parameters: usize,
        labels: &mut Vec<Label>,
    ) -> (Turns, Vec<AtomId>, HashSet<Rc<Poly>>) {
        let mut state = fresh(entry);
        let unknowns: Vec<AtomId> = places
            .iter()
            .map(|place| {
                let atom = self.atoms.unknown(Taint::Data, U32);
                if is_followed(&state, place) {
                    set(&mut state, place, Value::Int(Rc::new(Poly::atom(atom))));
                }
                atom
            })
            .collect();
        let records = self.loops.clone();
        let gaps = self.gaps.clone();
        let was_light = std::mem::replace(&mut self.is_light, true);
        let was_quick = std::mem::replace(&mut self.atoms.is_quick, true);
        let (turns, written) = self.turn(body, range, state, parameters, labels);
        self.is_light = was_light;
        self.atoms.is_quick = was_quick;
        self.loops = records;
        self.gaps = gaps;
        (turns, unknowns, written)
    }

    /// The paths out of a loop of which only what it changes is asked for: that is unknown behind it.
    fn pass_over(
        &mut self,
        entry: &State,
        places: &[Place],
        turns: Turns,
        labels: &mut [Label],
    ) -> Option<State> {
        let settle = |mut state: State| {
            for place in places {
                if get(&state, place).is_some() {
                    set(&mut state, place, Value::Unknown(Taint::Data));
                }
            }
            state.spent = entry.spent.clone();
            state.conditions.clone_from(&entry.conditions);
            state.refined = Rc::clone(&entry.refined);
            state.signs = Rc::clone(&entry.signs);
            state
        };
        for (label, state) in turns.out {
            labels[label].incoming.push(settle(state));
        }
        turns.fell.map(settle)
    }

    /// Runs the body once.
    fn turn(
        &mut self,
        body: &Rc<Body<'a>>,
        range: std::ops::Range<usize>,
        state: State,
        parameters: usize,
        labels: &mut Vec<Label>,
    ) -> (Turns, HashSet<Rc<Poly>>) {
        let before: Vec<usize> = labels.iter().map(|label| label.incoming.len()).collect();
        labels.push(self.label(&state, parameters));
        self.written.push(HashSet::new());
        let fell = self.block(body, range, state, labels);
        let written = self.written.pop().unwrap_or_default();
        let back = labels.pop().map(|label| label.incoming).unwrap_or_default();
        let mut out = Vec::new();
        for (at, (label, before)) in labels.iter_mut().zip(before).enumerate() {
            out.extend(
                label
                    .incoming
                    .split_off(before)
                    .into_iter()
                    .map(|state| (at, state)),
            );
        }
        (Turns { back, fell, out }, written)
    }

    fn change(
        &self,
        place: &Place,
        unknown: AtomId,
        back: &[State],
        mark: AtomId,
        drained: &[(Poly, f64)],
    ) -> Change {
        let own = Poly::atom(unknown);
        let mut steps: Vec<Poly> = Vec::new();
        for state in back {
            let Some(Value::Int(value)) = get(state, place) else {
                return Change::Unknown;
            };
            let Some(step) = value.sub(&own) else {
                return Change::Unknown;
            };
            let taken = step.scaled(-1.0);
            if let ([_], Some((a, b))) = (back, self.atoms.less_of(&taken)) {
                let most = if *a == own {
                    b.as_constant()
                } else {
                    a.as_constant()
                };
                if (*a == own || *b == own)
                    && let Some(most) = most.filter(|most| *most >= 1.0)
                {
                    return Change::Drain(taken, most);
                }
            }
            // Every turn that has another after it takes the most.
            let step = drained.iter().fold(step, |step, (by, most)| {
                let atom = by.atoms().next();
                let instead = Poly::constant(*most);
                atom.and_then(|atom| step.with(atom, &instead))
                    .unwrap_or(step)
            });
            if !self.atoms.is_invariant(&step, mark) {
                return Change::Unknown;
            }
            if !steps.contains(&step) {
                steps.push(step);
            }
        }
        let constants: Option<Vec<f64>> = steps.iter().map(Poly::as_constant).collect();
        match (&steps[..], constants) {
            ([step], _) => Change::Step(step.clone()),
            (_, Some(constants)) => Change::Between(
                constants.iter().copied().fold(f64::INFINITY, f64::min),
                constants.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            ),
            _ => Change::Unknown,
        }
    }

    /// The state at the beginning of a turn.
    fn begin(&mut self, entry: &State, places: &[Place], changes: &[Change], turn: &Poly) -> State {
        let mut state = fresh(entry);
        for (place, change) in places.iter().zip(changes) {
            let Some(first) = get(entry, place).cloned() else {
                continue;
            };
            if !is_followed(entry, place) {
                set(&mut state, place, Value::Unknown(Taint::Data));
                continue;
            }
            let first = self.arithmetic(entry).number(&first);
            let mut moved = |by: &Poly| {
                let by = self.atoms.factor(by);
                by.mul(turn).and_then(|by| first.add(&by))
            };
            let value = match change {
                Change::Step(step) => moved(step),
                Change::Drain(_, most) => moved(&Poly::constant(-most)),
                Change::Between(least, greatest) => {
                    let lower = moved(&Poly::constant(*least));
                    let upper = moved(&Poly::constant(*greatest));
                    lower.zip(upper).map(|(lower, upper)| {
                        Poly::atom(self.atoms.fresh(Taint::Data, vec![lower], vec![upper]))
                    })
                }
                Change::Unknown => None,
            };
            let value = value.map_or(Value::Unknown(Taint::Data), |value| {
                Value::Int(Rc::new(value))
            });
            set(&mut state, place, value);
        }
        state
    }

    /// How many turns there are: as one polynomial, and as bounds.
    fn trips(
        &mut self,
        turns: &Turns,
        counter: AtomId,
        mark: AtomId,
        entry: &State,
    ) -> (Poly, Trips) {
        let mut taint = Taint::Shape;
        // Nothing ends before the first turn in which a way out can be open.
        let mut first_ends = Vec::new();
        let mut is_open = false;
        for state in turns
            .fell
            .iter()
            .chain(turns.out.iter().map(|(_, state)| state))
        {
            let mut known = false;
            for condition in &state.conditions {
                taint_of(&self.atoms, condition, &mut taint, counter, mark);
                if let Some(first) = self.first(condition, counter, mark, entry) {
                    first_ends.push(first);
                    known = true;
                    break;
                }
            }
            is_open |= !known;
        }
        // It goes on at most as long as what all ways back demand.
        let mut last_ends: Vec<Poly> = Vec::new();
        // What is left of a number after so many steps may pass 0 by: of several that are looked at for that, one comes to it.
        let mut in_parts: Vec<Poly> = Vec::new();
        if let Some((one, others)) = turns.back.split_first() {
            for condition in &one.conditions {
                let is_everywhere = others
                    .iter()
                    .all(|other| other.conditions.contains(condition));
                let ending = condition.negated();
                if is_everywhere && let Some((_, end)) = self.first(&ending, counter, mark, entry) {
                    match ending {
                        Condition::Is0(_) if !end.is_multiple_of(1.0) => in_parts.push(end),
                        _ => last_ends.push(end),
                    }
                }
            }
        }
        last_ends.extend(self.greatest_of_all(in_parts, &entry.refined));
        let uppers: Vec<Poly> = last_ends.iter().map(|upper| upper.plus(1.0)).collect();
        if !is_open
            && let [(lower, upper)] = &first_ends[..]
            && lower == upper
            && uppers.contains(&upper.plus(1.0))
        {
            let exact = upper.plus(1.0);
            taint = taint.max(self.atoms.taint(&exact));
            let trips = Trips {
                lower: exact.clone(),
                upper: Some(exact.clone()),
                taint,
            };
            // A loop that is come to has a turn, whatever is known of the numbers that say how many.
            if self.atoms.greatest(&exact.scaled(-1.0), &entry.refined) > LOST {
                let lower = vec![exact.clone(), Poly::constant(1.0)];
                let atom = self.atoms.fresh(taint, lower, vec![exact]);
                return (Poly::atom(atom), trips);
            }
            return (exact, trips);
        }
        let mut lower = Vec::new();
        if !is_open {
            let firsts: Vec<Rc<Poly>> = first_ends
                .iter()
                .map(|(lower, _)| Rc::new(lower.plus(1.0)))
                .collect();
            match &firsts[..] {
                [first] => lower.push(Poly::clone(first)),
                firsts => {
                    for candidate in firsts {
                        let is_least = firsts.iter().all(|other| {
                            other
                                .sub(candidate)
                                .is_some_and(|d| self.atoms.is_at_least_0(&d, &entry.refined))
                        });
                        if is_least {
                            lower.push(Poly::clone(candidate));
                        }
                    }
                }
            }
        } else {
            taint = Taint::Data;
        }
        lower.push(Poly::constant(1.0));
        for poly in uppers.iter().chain(&lower) {
            taint = taint.max(self.atoms.taint(poly));
        }
        let atom = self.atoms.fresh(taint, lower.clone(), uppers.clone());
        let trips = Trips {
            lower: lower.remove(0),
            upper: uppers
                .into_iter()
                .min_by(|a, b| self.atoms.sample(a).total_cmp(&self.atoms.sample(b))),
            taint: if last_ends.is_empty() {
                Taint::Data
            } else {
                taint
            },
        };
        (Poly::atom(atom), trips)
    }

    /// A number that is not less than any of several: one of them, if that can be told.
    fn greatest_of_all(&mut self, numbers: Vec<Poly>, refined: &Refined) -> Option<Poly> {
        let mut numbers = numbers.into_iter();
        let mut greatest = numbers.next()?;
        for number in numbers {
            let more = number.sub(&greatest)?;
            if self.atoms.is_at_least_0(&more, refined) {
                greatest = number;
            } else if !self.atoms.is_at_least_0(&more.scaled(-1.0), refined) {
                greatest = greatest.by_terms(&number, f64::max)?;
            }
        }
        Some(greatest)
    }

    /// The first turn in which a condition holds: between which two numbers.
    fn first(
        &mut self,
        condition: &Condition,
        counter: AtomId,
        mark: AtomId,
        entry: &State,
    ) -> Option<(Poly, Poly)> {
        let (poly, is_equal) = match condition {
            Condition::Is0(poly) => (poly, true),
            Condition::AtLeast0(poly) => (poly, false),
            Condition::Any(a, b) => {
                let a = self.first(a, counter, mark, entry);
                let b = self.first(b, counter, mark, entry);
                return match (a, b) {
                    (Some((lower, upper)), Some((other, _))) if lower == other => {
                        Some((lower, upper))
                    }
                    (Some((_, upper)), _) | (_, Some((_, upper))) => Some((Poly::default(), upper)),
                    _ => None,
                };
            }
            _ => return None,
        };
        let powers = poly.by_powers(counter);
        let [start, slope] = &powers[..] else {
            return None;
        };
        if !self.atoms.is_invariant(slope, mark) || !self.atoms.is_invariant(start, mark) {
            return self.first_of_bounds(start, slope, is_equal, counter, entry);
        }
        let distance = start.scaled(-1.0);
        if is_equal {
            let turn = distance.divided(slope)?;
            return Some((turn.clone(), turn));
        }
        match slope.as_constant() {
            Some(slope) if slope > 0.0 => {
                let lower = distance.scaled(1.0 / slope);
                let whole = lower.is_multiple_of(1.0);
                let upper = if whole {
                    lower.clone()
                } else {
                    distance.plus(slope - 1.0).scaled(1.0 / slope)
                };
                if whole && self.atoms.is_at_least_0(&lower, &entry.refined) {
                    return Some((lower.clone(), lower));
                }
                let upper = self.at_least_0(&upper, &entry.refined)?;
                Some((lower, upper))
            }
            Some(_) => None,
            None => {
                // So many steps and nothing left, or so many and one element more.
                let quotient = |of: &Poly| {
                    let [of, slope] = [of, slope].map(|poly| self.atoms.expanded(poly));
                    let turns = of?.divided(&slope?)?;
                    turns.is_multiple_of(1.0).then_some(turns)
                };
                let whole = quotient(&distance).map(|turns| (turns, 0.0));
                let over = || Some((quotient(&distance.plus(-1.0))?, 1.0));
                let Some((turns, more)) = whole.or_else(over) else {
                    let upper = self.at_least_0(&distance, &entry.refined)?;
                    return Some((Poly::default(), upper.plus(1.0)));
                };
                let turn = turns.plus(more);
                // A step of nothing never leads there.
                let moves = self.atoms.is_at_least_0(&slope.plus(-1.0), &entry.refined);
                match moves && self.atoms.is_at_least_0(&turn, &entry.refined) {
                    true => Some((turn.clone(), turn)),
                    false => Some((
                        Poly::default(),
                        self.at_least_0(&turns, &entry.refined)?.plus(1.0),
                    )),
                }
            }
        }
    }

    /// As [`Self::first`], where what stands beside the turn's number changes too, between bounds.
    fn first_of_bounds(
        &mut self,
        start: &Poly,
        slope: &Poly,
        is_equal: bool,
        counter: AtomId,
        entry: &State,
    ) -> Option<(Poly, Poly)> {
        let slope = slope
            .as_constant()
            .filter(|slope| *slope > 0.0 && !is_equal)?;
        let least = self
            .atoms
            .bound_of(start, Side::Lower, &entry.refined, &|atoms, atom| {
                atom < counter && atoms.is_invariant(&Poly::atom(atom), counter)
            })?;
        let upper = least.scaled(-1.0).plus(slope - 1.0).scaled(1.0 / slope);
        let upper = self.at_least_0(&upper, &entry.refined)?;
        Some((Poly::default(), upper))
    }

    /// A number, or 0 where that is more: what is not less than either. As little is left out of what is taken away as has to be, the
    /// youngest first.
    fn at_least_0(&mut self, poly: &Poly, refined: &Refined) -> Option<Poly> {
        let mut more = poly.clone();
        loop {
            if self.atoms.is_at_least_0(&more, refined) {
                return Some(more);
            }
            let taken = more.terms().iter().filter(|(_, times)| *times < 0.0);
            let youngest = taken.max_by_key(|(monomial, _)| monomial.atoms().max());
            let Some((monomial, times)) = youngest else {
                return Some(more);
            };
            more = more.add(&Poly::of(vec![(*monomial, -times)])?)?;
        }
    }

    pub(super) fn note(&mut self, body: &Body<'a>, at: usize, end: usize, trips: &Trips) {
        let function = self.innermost();
        let key = (function, body.offsets[at]);
        let depth = self.depth;
        let record = self.loops.entry(key).or_insert_with(|| LoopRecord {
            depth,
            trips: trips.clone(),
            range: (at, end),
        });
        record.depth = record.depth.max(depth);
        record.trips.taint = record.trips.taint.max(trips.taint);
        let sample = |run: &super::atoms::Atoms, poly: &Poly| run.sample(poly);
        match (&record.trips.upper, &trips.upper) {
            (Some(old), Some(new)) if sample(&self.atoms, new) > sample(&self.atoms, old) => {
                record.trips.upper = Some(new.clone());
            }
            (_, None) => record.trips.upper = None,
            _ => {}
        }
        if sample(&self.atoms, &trips.lower) < sample(&self.atoms, &record.trips.lower) {
            record.trips.lower = trips.lower.clone();
        }
    }
}

/// The state in which a body begins: nothing spent, no condition yet.
fn fresh(entry: &State) -> State {
    State {
        spent: Spent::nothing(),
        conditions: Vec::new(),
        ..entry.clone()
    }
}

/// Whether a place has one constant before a loop, and another one after each turn.
fn settled(place: &Place, entry: &State, back: &[State]) -> bool {
    let after = back.first().and_then(|state| constant_of(state, place));
    let before = constant_of(entry, place);
    before.is_some()
        && after.is_some()
        && before != after
        && back.iter().all(|state| constant_of(state, place) == after)
}

/// The constant that a place holds, if it is one.
fn constant_of(state: &State, place: &Place) -> Option<f64> {
    match get(state, place)? {
        Value::Int(number) => number.as_constant(),
        _ => None,
    }
}

fn get<'s>(state: &'s State, place: &Place) -> Option<&'s Value> {
    match place {
        Place::Local(at) => state.locals.get(*at as usize),
        Place::Global(at) => state.globals.get(*at),
        Place::Cell(address) => state.cells.get(address),
    }
}

fn set(state: &mut State, place: &Place, value: Value) {
    match place {
        Place::Local(at) => state.locals[*at as usize] = value,
        Place::Global(at) => Rc::make_mut(&mut state.globals)[*at] = value,
        Place::Cell(address) => {
            Rc::make_mut(&mut state.cells).insert(Rc::clone(address), value);
        }
    }
}

/// Whether a place holds an integer that is followed.
fn is_followed(state: &State, place: &Place) -> bool {
    matches!(get(state, place), Some(Value::Int(_) | Value::Is(_)))
}

/// What the conditions of a way out depend on.
fn taint_of(
    atoms: &super::atoms::Atoms,
    condition: &Condition,
    taint: &mut Taint,
    _counter: AtomId,
    _mark: AtomId,
) {
    match condition {
        Condition::AtLeast0(poly) | Condition::Is0(poly) | Condition::IsNot0(poly) => {
            *taint = (*taint).max(atoms.taint(poly));
        }
        Condition::All(a, b) | Condition::Any(a, b) => {
            taint_of(atoms, a, taint, _counter, _mark);
            taint_of(atoms, b, taint, _counter, _mark);
        }
        Condition::Unknown(own) => *taint = (*taint).max(*own),
        Condition::Known(_) => {}
    }
}
