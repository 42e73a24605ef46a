//! What is known of numbers that are not known: their names, where they come from, and what bounds them.
//!
//! A number that is no polynomial of others is an atom with polynomials below and above it. Bounds are found by putting those in
//! its place, the youngest atom first, since bounds speak of older ones alone.

use super::poly::{AtomId, Poly};
use std::collections::HashMap;
use std::rc::Rc;

/// What a number depends on. The greater is the less known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Taint {
    /// Nothing, or the shapes of the arrays.
    Shape,
    /// A scalar argument, or where a chunk begins.
    Argument,
    /// What is in the arrays, or what the host says.
    Data,
}

/// Which way a bound goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Lower,
    Upper,
}

impl Side {
    fn other(self) -> Self {
        match self {
            Self::Lower => Self::Upper,
            Self::Upper => Self::Lower,
        }
    }
}

/// Which of several bounds is put in an atom's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice {
    /// One in other atoms, where there is one: they may cancel out.
    Symbols,
    /// The one that is closest by the constants that are known.
    Constants,
}

/// Where an atom comes from: two of the same are one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Origin {
    /// An argument of the kernel, by its place in the list of names.
    Named(usize),
    /// Made for one place in one run.
    Fresh(AtomId),
    Quotient(Rc<Poly>, Rc<Poly>),
    Remainder(Rc<Poly>, Rc<Poly>),
    Min(Rc<Poly>, Rc<Poly>),
    Max(Rc<Poly>, Rc<Poly>),
    /// 1 where the number is not 0.
    IsNot0(Rc<Poly>),
    /// An operation of which nothing is known but its operands.
    Of(&'static str, Rc<Poly>, Rc<Poly>),
}

struct Atom {
    origin: Origin,
    taint: Taint,
    lower: Vec<Rc<Poly>>,
    upper: Vec<Rc<Poly>>,
    /// The least and the greatest value as far as constants say.
    range: (f64, f64),
    /// A value like any other, by which bounds are compared.
    sample: f64,
    /// The youngest atom that was made for one place, of those that it comes from.
    newest: Option<AtomId>,
}

impl Atom {
    /// Whether it may be as large as a number of 32 bits can be.
    fn is_open(&self) -> bool {
        matches!(self.origin, Origin::Fresh(_))
            && self.range.1 >= U32
            && self.upper.len() <= 1
            && self
                .upper
                .first()
                .is_none_or(|upper| upper.as_constant().is_some())
    }
}

/// What a path's conditions say of atoms beside their own bounds.
pub(super) type Refined = HashMap<AtomId, (f64, f64)>;

/// Every atom of an analysis.
pub(super) struct Atoms {
    list: Vec<Atom>,
    known: HashMap<Origin, AtomId>,
    /// How many steps of elimination are left.
    pub(super) effort: u32,
    /// How many questions about signs are open, each asked for another.
    asked: u32,
    /// How many atoms have been put at either of their ends, one inside the other.
    split: u32,
    /// Whether a constant is asked for: one that is as large as numbers get is none.
    is_asking: bool,
}

/// How many steps of elimination one run of a kernel may take.
const EFFORT: u32 = 40_000;

/// The most questions about signs that are asked for one another.
const MAX_ASKED: u32 = 2;
/// The most atoms that are put at either end at once: each doubles the work.
const MAX_SPLIT: u32 = 3;

/// The greatest number of 32 bits.
pub(super) const U32: f64 = 4_294_967_295.0;

impl Atoms {
    pub(super) fn new() -> Self {
        Self {
            list: Vec::new(),
            known: HashMap::new(),
            effort: EFFORT,
            asked: 0,
            split: 0,
            is_asking: false,
        }
    }

    /// Whether an atom stands in it once that may be an address: indices stand there as often as elements have bytes.
    pub(super) fn has_address(&self, poly: &Poly) -> bool {
        poly.terms().iter().any(|(monomial, times)| {
            let atom = monomial
                .only()
                .and_then(|atom| self.list.get(atom as usize));
            times.abs() == 1.0 && atom.is_some_and(Atom::is_open)
        })
    }

    pub(super) fn len(&self) -> AtomId {
        AtomId::try_from(self.list.len()).unwrap_or(AtomId::MAX)
    }

    /// An atom of that origin with what bounds it; the one that there is, if there is one.
    pub(super) fn make(
        &mut self,
        origin: Origin,
        taint: Taint,
        lower: Vec<Poly>,
        upper: Vec<Poly>,
    ) -> AtomId {
        if let Some(known) = self.known.get(&origin) {
            return *known;
        }
        let id = self.len();
        let range_of = |poly: &Poly| self.range(poly, None);
        let least = lower.iter().map(|p| range_of(p).0).fold(0.0, f64::max);
        let greatest = upper.iter().map(|p| range_of(p).1);
        let greatest = greatest.fold(f64::INFINITY, f64::min).max(least);
        let sample_of = |poly: &Poly| self.sample(poly);
        let low = lower.iter().map(sample_of).fold(least, f64::max);
        let high = upper.iter().map(sample_of).fold(f64::INFINITY, f64::min);
        let sample = if matches!(origin, Origin::Named(_)) {
            100_000.0
        } else if high.is_finite() {
            f64::midpoint(low, high.max(low))
        } else {
            low + 1000.0
        };
        let newest_of = |poly: &Poly| {
            poly.atoms()
                .filter_map(|atom| self.list[atom as usize].newest)
                .max()
        };
        let newest = match &origin {
            Origin::Named(_) => None,
            Origin::Fresh(_) => Some(id),
            Origin::IsNot0(of) => newest_of(of),
            Origin::Quotient(a, b)
            | Origin::Remainder(a, b)
            | Origin::Min(a, b)
            | Origin::Max(a, b)
            | Origin::Of(_, a, b) => newest_of(a).max(newest_of(b)),
        };
        self.known.insert(origin.clone(), id);
        self.list.push(Atom {
            origin,
            taint,
            lower: lower.into_iter().map(Rc::new).collect(),
            upper: upper.into_iter().map(Rc::new).collect(),
            range: (least, greatest),
            sample,
            newest,
        });
        id
    }

    /// A new atom with bounds.
    pub(super) fn fresh(&mut self, taint: Taint, lower: Vec<Poly>, upper: Vec<Poly>) -> AtomId {
        self.make(Origin::Fresh(self.len()), taint, lower, upper)
    }

    /// A new atom of which no more is known than how large it can be.
    pub(super) fn unknown(&mut self, taint: Taint, greatest: f64) -> AtomId {
        self.fresh(taint, Vec::new(), vec![Poly::constant(greatest)])
    }

    /// Says what an atom is at most, which was made before that was known.
    pub(super) fn bound(&mut self, atom: AtomId, upper: Vec<Poly>) {
        let range = upper.iter().map(|p| self.range(p, None).1);
        let greatest = range.fold(f64::INFINITY, f64::min);
        let sample = upper
            .iter()
            .map(|p| self.sample(p))
            .fold(f64::INFINITY, f64::min);
        if let Some(atom) = self.list.get_mut(atom as usize) {
            atom.upper = upper.into_iter().map(Rc::new).collect();
            atom.range.1 = greatest.max(atom.range.0);
            if sample.is_finite() {
                atom.sample = f64::midpoint(atom.range.0, sample.max(0.0));
            }
        }
    }

    /// The atom of an argument: its place in the list of names.
    pub(super) fn named(&self, atom: AtomId) -> Option<usize> {
        match self.list.get(atom as usize)?.origin {
            Origin::Named(at) => Some(at),
            _ => None,
        }
    }

    /// Of which two numbers it is the less.
    pub(super) fn less_of(&self, poly: &Poly) -> Option<(Rc<Poly>, Rc<Poly>)> {
        let [(monomial, 1.0)] = poly.terms() else {
            return None;
        };
        let atom = monomial.only()?;
        match &self.list.get(atom as usize)?.origin {
            Origin::Min(a, b) => Some((Rc::clone(a), Rc::clone(b))),
            _ => None,
        }
    }

    pub(super) fn taint(&self, poly: &Poly) -> Taint {
        let taints = poly.atoms().map(|atom| self.list[atom as usize].taint);
        taints.max().unwrap_or(Taint::Shape)
    }

    /// Whether a number stays the same while atoms from `mark` on change.
    pub(super) fn is_invariant(&self, poly: &Poly, mark: AtomId) -> bool {
        let mut newest = poly
            .atoms()
            .filter_map(|atom| self.list[atom as usize].newest);
        newest.all(|newest| newest < mark)
    }

    /// The least and the greatest value as far as constants say.
    pub(super) fn range(&self, poly: &Poly, refined: Option<&Refined>) -> (f64, f64) {
        let (mut least, mut greatest) = (0.0, 0.0);
        for (monomial, coefficient) in poly.terms() {
            let (mut low, mut high) = (1.0, 1.0);
            for atom in monomial.atoms() {
                let (mut from, mut to) = self.list[atom as usize].range;
                if let Some((above, below)) = refined.and_then(|known| known.get(&atom)) {
                    (from, to) = (from.max(*above), to.min(*below));
                }
                low *= from;
                high = if high == 0.0 || to == 0.0 {
                    0.0
                } else {
                    high * to
                };
            }
            if *coefficient >= 0.0 {
                least += coefficient * low;
                greatest += coefficient * high;
            } else {
                least += coefficient * high;
                greatest += coefficient * low;
            }
        }
        (least, greatest)
    }

    /// The value at the point by which bounds are compared.
    pub(super) fn sample(&self, poly: &Poly) -> f64 {
        let terms = poly.terms().iter();
        let values = terms.map(|(monomial, coefficient)| {
            let atoms = monomial.atoms().map(|atom| self.list[atom as usize].sample);
            coefficient * atoms.product::<f64>()
        });
        values.sum()
    }

    /// A bound of a number in the atoms that `keep` names; `None` where there is none that can be told.
    pub(super) fn bound_of(
        &mut self,
        poly: &Poly,
        side: Side,
        refined: &Refined,
        keep: &dyn Fn(&Self, AtomId) -> bool,
    ) -> Option<Poly> {
        self.eliminated(poly, side, refined, keep, Choice::Symbols)
    }

    fn eliminated(
        &mut self,
        poly: &Poly,
        side: Side,
        refined: &Refined,
        keep: &dyn Fn(&Self, AtomId) -> bool,
        choice: Choice,
    ) -> Option<Poly> {
        let mut poly = poly.clone();
        loop {
            let atoms = poly.atoms().filter(|atom| !keep(self, *atom));
            let Some(youngest) = atoms.max() else {
                return Some(poly);
            };
            // Nothing bounds what the guest's memory holds, and nothing younger is left to cancel it.
            if self.is_asking
                && self.list[youngest as usize].is_open()
                && poly.terms().iter().any(|(monomial, coefficient)| {
                    (*coefficient > 0.0) == (side == Side::Upper) && monomial.has(youngest)
                })
            {
                return None;
            }
            self.effort = self.effort.checked_sub(1)?;
            poly = self.without(&poly, youngest, side, refined, choice)?;
        }
    }

    /// A bound of a number without an atom, term by term: no atom is negative.
    fn without(
        &mut self,
        poly: &Poly,
        atom: AtomId,
        side: Side,
        refined: &Refined,
        choice: Choice,
    ) -> Option<Poly> {
        // Where all that stands before it has one sign, one bound serves, and what is left can cancel out.
        if let [rest, factor] = &poly.by_powers(atom)[..] {
            let signs = |sign: f64| factor.terms().iter().any(|(_, c)| c * sign > 0.0);
            if signs(1.0) && signs(-1.0) && self.asked < MAX_ASKED {
                self.asked += 1;
                let is_positive = self.is_at_least_0(factor, refined);
                let is_negative = !is_positive && self.greatest(factor, refined) <= 0.0;
                self.asked -= 1;
                if is_positive || is_negative {
                    let bound = if is_positive { side } else { side.other() };
                    let bound = self.best(atom, bound, refined, choice)?;
                    return rest.add(&factor.mul(&bound)?);
                }
            }
        }
        let of_sign = |poly: &Poly, positive: bool| {
            let terms = poly.terms().iter();
            let terms = terms.filter(|(m, c)| m.has(atom) && (*c > 0.0) == positive);
            Poly::of(terms.cloned().collect())
        };
        let rest = poly.terms().iter().filter(|(m, _)| !m.has(atom));
        let mut sum = Poly::of(rest.cloned().collect())?;
        for (positive, side) in [(true, side), (false, side.other())] {
            let part = of_sign(poly, positive)?;
            if part.as_constant().is_none() {
                let bound = self.best(atom, side, refined, choice)?;
                sum = sum.add(&part.with(atom, &bound)?)?;
            }
        }
        Some(sum)
    }

    /// The bound of an atom that is the closest, as far as can be told.
    fn best(
        &mut self,
        atom: AtomId,
        side: Side,
        refined: &Refined,
        choice: Choice,
    ) -> Option<Poly> {
        let own = &self.list[atom as usize];
        let (origin, range) = (own.origin.clone(), own.range);
        let mut candidates = match side {
            Side::Lower => own.lower.clone(),
            Side::Upper => own.upper.clone(),
        };
        let (mut least, mut greatest) = range;
        if let Some((above, below)) = refined.get(&atom) {
            (least, greatest) = (least.max(*above), greatest.min(*below));
        }
        match (side, &origin) {
            (Side::Lower, Origin::Min(a, b)) | (Side::Upper, Origin::Max(a, b))
                if self.asked < MAX_ASKED =>
            {
                self.asked += 1;
                let difference = b.sub(a).unwrap_or_default();
                let a_is_less = self.is_at_least_0(&difference, refined);
                let b_is_less = !a_is_less && self.is_at_least_0(&difference.scaled(-1.0), refined);
                let wants_less = side == Side::Lower;
                if a_is_less || b_is_less {
                    candidates.push(Rc::clone(if a_is_less == wants_less { a } else { b }));
                } else if side == Side::Upper {
                    candidates.extend(a.by_terms(b, f64::max).map(Rc::new));
                }
                self.asked -= 1;
            }
            _ => {}
        }
        let constant = match side {
            Side::Lower => least,
            Side::Upper => greatest,
        };
        let constant = constant.is_finite().then(|| Poly::constant(constant));
        let constant = constant.filter(|poly| {
            side == Side::Lower || poly.as_constant().is_some_and(|most| most < U32 / 2.0)
        });
        let mut candidates: Vec<Poly> = candidates.iter().map(|poly| Poly::clone(poly)).collect();
        if choice == Choice::Constants {
            // Atoms are integers: what bounds one is one too, where it is a constant.
            let ranges = candidates
                .iter()
                .map(|poly| self.range(poly, Some(refined)));
            let known = ranges.map(|(least, greatest)| match side {
                Side::Lower => (least - 1e-9).ceil(),
                Side::Upper => (greatest + 1e-9).floor(),
            });
            let known: Vec<f64> = known
                .filter(|constant| constant.abs() < U32 / 2.0)
                .collect();
            candidates.extend(known.into_iter().map(Poly::constant));
        }
        if choice == Choice::Constants || candidates.is_empty() {
            candidates.extend(constant);
        }
        let value = |poly: &Poly| match (choice, side) {
            (Choice::Symbols, _) => self.sample(poly),
            (Choice::Constants, Side::Lower) => self.range(poly, Some(refined)).0,
            (Choice::Constants, Side::Upper) => self.range(poly, Some(refined)).1,
        };
        let ranked = candidates.into_iter().map(|poly| (value(&poly), poly));
        let closest = match side {
            Side::Lower => ranked.max_by(|(a, _), (b, _)| a.total_cmp(b)),
            Side::Upper => ranked.min_by(|(a, _), (b, _)| a.total_cmp(b)),
        };
        closest.map(|(_, poly)| poly)
    }

    /// Whether a number is certainly not negative.
    pub(super) fn is_at_least_0(&mut self, poly: &Poly, refined: &Refined) -> bool {
        self.range(poly, Some(refined)).0 >= 0.0
            || self.greatest(&poly.scaled(-1.0), refined) <= 0.0
    }

    /// The greatest value that can be told of a number.
    pub(super) fn greatest(&mut self, poly: &Poly, refined: &Refined) -> f64 {
        // What a path's conditions have made nearly a constant is greatest at one of its ends, where it is no square.
        let narrow = poly.atoms().find(|atom| {
            let known = refined
                .get(atom)
                .is_some_and(|(from, to)| to - from <= 64.0);
            known && poly.by_powers(*atom).len() == 2
        });
        let narrow = narrow.filter(|_| self.split < MAX_SPLIT);
        if let Some((atom, (from, to))) = narrow.and_then(|atom| Some((atom, *refined.get(&atom)?)))
        {
            self.split += 1;
            let ends = [from, to].map(|end| poly.with(atom, &Poly::constant(end)));
            let ends =
                ends.map(|end| end.map_or(f64::INFINITY, |end| self.greatest(&end, refined)));
            self.split -= 1;
            return ends[0].max(ends[1]);
        }
        let (_, mut greatest) = self.range(poly, Some(refined));
        for choice in [Choice::Symbols, Choice::Constants] {
            if poly.as_constant().is_none() {
                let was_asking = std::mem::replace(&mut self.is_asking, true);
                let bound = self.eliminated(poly, Side::Upper, refined, &|_, _| false, choice);
                self.is_asking = was_asking;
                if let Some(bound) = bound.and_then(|bound| bound.as_constant()) {
                    greatest = greatest.min(bound);
                }
            }
        }
        greatest
    }
}
