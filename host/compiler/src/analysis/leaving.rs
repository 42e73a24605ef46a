//! Leaving a loop: what all turns took together, and what is known behind it.

use super::atoms::{Side, Taint};
use super::code::Body;
use super::loops::Trips;
use super::poly::{AtomId, Poly};
use super::run::{Label, Run};
use super::value::{Spent, State, Value};
use std::rc::Rc;

/// The paths that leave a loop.
pub(super) struct Exits {
    pub(super) fell: Option<State>,
    pub(super) out: Vec<(usize, State)>,
}

impl<'a> Run<'_, 'a> {
    /// The paths out of a loop with what all turns cost, and the one that falls out.
    #[expect(
        clippy::too_many_arguments,
        reason = "one step of `repeat`, which has them all"
    )]
    pub(super) fn leave(
        &mut self,
        body: &Rc<Body<'a>>,
        at: usize,
        end: usize,
        entry: &State,
        back: Vec<State>,
        exits: Exits,
        counter: AtomId,
        mark: AtomId,
        (count, trips): (Poly, Trips),
        labels: &mut [Label],
    ) -> Option<State> {
        self.note(body, at, end, &trips);
        self.depth -= 1;
        let rounds = count.plus(-1.0);
        // Every turn but the last ends in a way back, and has another after it.
        self.atoms.bound(counter, vec![count.plus(-2.0)]);
        let back = self.meet(back, None);
        let each = back.map_or_else(Spent::nothing, |back| back.spent);
        let lower = self.outside(&each.whole_lower(), Side::Lower, counter, mark, entry);
        let lower = lower
            .and_then(|each| total(&each, counter, &rounds))
            .unwrap_or_default();
        // What every path through the body takes is a bound, too.
        let certain = total(&Poly::constant(each.counted), counter, &rounds).unwrap_or_default();
        let lower = self.greater(lower, certain);
        let upper = each.whole_upper();
        let upper = upper.and_then(|each| self.outside(&each, Side::Upper, counter, mark, entry));
        let upper = upper.and_then(|each| total(&each, counter, &rounds));
        let upper = upper.filter(|_| trips.upper.is_some());
        self.atoms.bound(counter, vec![rounds.clone()]);
        let mut fell = None;
        let fell_out = exits.fell.into_iter().map(|state| (None, state));
        let exits: Vec<_> = fell_out
            .chain(exits.out.into_iter().map(|(l, s)| (Some(l), s)))
            .collect();
        for (label, mut state) in exits {
            self.at_the_end(
                &mut state,
                entry,
                counter,
                mark,
                &rounds,
                &lower,
                upper.as_ref(),
            );
            match label {
                Some(label) => labels[label].incoming.push(state),
                None => fell = Some(state),
            }
        }
        fell
    }

    /// Makes of a path out of the body one out of the loop.
    #[expect(
        clippy::too_many_arguments,
        reason = "one step of `leave`, which has them all"
    )]
    fn at_the_end(
        &mut self,
        state: &mut State,
        entry: &State,
        counter: AtomId,
        mark: AtomId,
        rounds: &Poly,
        lower: &Poly,
        upper: Option<&Poly>,
    ) {
        let last = state.spent.clone();
        let end = |run: &mut Self, poly: Poly, side| {
            let poly = run.outside(&poly, side, counter, mark, entry)?;
            poly.with(counter, rounds)
        };
        let last_lower = end(self, last.whole_lower(), Side::Lower).unwrap_or_default();
        let last_lower = self.greater(last_lower, Poly::constant(last.counted));
        let last_upper = last
            .whole_upper()
            .and_then(|poly| end(self, poly, Side::Upper));
        let sum = |a: &Poly, b: &Poly, c: &Poly| a.add(b)?.add(c);
        state.spent = Spent {
            counted: entry.spent.counted,
            lower: sum(&entry.spent.lower, lower, &last_lower).unwrap_or_default(),
            upper: entry
                .spent
                .upper
                .as_ref()
                .and_then(|own| sum(own, upper?, &last_upper?)),
        };
        let settle = |value: &mut Value| match value {
            Value::Int(poly) if poly.has(counter) => {
                *value = match poly.with(counter, rounds) {
                    Some(poly) => Value::Int(Rc::new(poly)),
                    None => Value::Unknown(Taint::Data),
                };
            }
            Value::Is(is) if is.has(counter) => *value = Value::Unknown(Taint::Data),
            _ => {}
        };
        state.locals.iter_mut().for_each(settle);
        state.stack.iter_mut().for_each(settle);
        Rc::make_mut(&mut state.globals).iter_mut().for_each(settle);
        if state.cells.iter().any(|(address, value)| {
            address.has(counter) || matches!(value, Value::Int(poly) if poly.has(counter))
        }) {
            let cells = Rc::make_mut(&mut state.cells);
            cells.retain(|address, _| !address.has(counter));
            cells.values_mut().for_each(settle);
        }
        state.conditions.clone_from(&entry.conditions);
        state.refined = Rc::clone(&entry.refined);
        state.signs = Rc::clone(&entry.signs);
    }

    /// A bound in what is known outside of the loop, and the turn's number.
    fn outside(
        &mut self,
        poly: &Poly,
        side: Side,
        counter: AtomId,
        mark: AtomId,
        entry: &State,
    ) -> Option<Poly> {
        self.atoms
            .bound_of(poly, side, &entry.refined, &|atoms, atom| {
                atom == counter || atoms.is_invariant(&Poly::atom(atom), mark)
            })
    }

    /// The one of two bounds that is the greater for shapes as they are likely to be.
    fn greater(&self, a: Poly, b: Poly) -> Poly {
        match self.atoms.sample(&a) >= self.atoms.sample(&b) {
            true => a,
            false => b,
        }
    }
}

/// The sum of a polynomial in the turn's number over so many turns, from the zeroth on.
fn total(each: &Poly, counter: AtomId, turns: &Poly) -> Option<Poly> {
    let mut sum = Poly::default();
    for (power, factor) in each.by_powers(counter).iter().enumerate() {
        let n = turns;
        let less = n.plus(-1.0);
        let of_powers = match power {
            0 => n.clone(),
            1 => n.mul(&less)?.scaled(0.5),
            2 => n
                .mul(&less)?
                .mul(&n.scaled(2.0).plus(-1.0))?
                .scaled(1.0 / 6.0),
            3 => {
                let half = n.mul(&less)?;
                half.mul(&half)?.scaled(0.25)
            }
            _ => return None,
        };
        sum = sum.add(&factor.mul(&of_powers)?)?;
    }
    Some(sum)
}
