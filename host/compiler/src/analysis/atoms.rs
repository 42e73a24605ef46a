//! What is known of numbers that are not known: their names, where they come from, and what bounds them.
//!
//! A number that is no polynomial of others is an atom with polynomials below and above it. Bounds are found by putting those in
//! its place, the youngest atom first, since bounds speak of older ones alone.

use super::facts::Refined;
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
    /// A sum that is a factor: products of sums would grow.
    Sum(Rc<Poly>),
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
    /// Whether it, or one that it comes from, is open.
    rests_on_open: bool,
}

impl Atom {
    /// Whether it may be as large as a number of 32 bits can be, for all that is known of it.
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

/// Every atom of an analysis.
pub(super) struct Atoms {
    list: Vec<Atom>,
    known: HashMap<Origin, AtomId>,
    /// How many steps of elimination are left to find bounds.
    pub(super) effort: u32,
    /// How many are left to answer questions about signs.
    pub(super) questions: u32,
    /// How many questions about signs are open, each asked for another.
    asked: u32,
    /// How many atoms have been put at either of their ends, one inside the other.
    split: u32,
    /// Whether a constant is asked for: one that is as large as numbers get is none.
    is_asking: bool,
    /// Whether only constants are to decide questions about signs: to see what a loop changes, that is enough.
    pub(super) is_quick: bool,
    /// The bound of what nothing is known of.
    open: Rc<Poly>,
    /// Questions that were answered.
    answers: HashMap<Question, f64>,
}

/// What the greatest value of a number was asked for with: what a path says of it, and how many questions and cases it was one of.
#[derive(PartialEq, Eq, Hash)]
struct Question {
    poly: Poly,
    refined: u64,
    asked: u32,
    split: u32,
}

/// How many steps of elimination one run of a kernel may take to find bounds, and how many to answer questions.
const EFFORT: u32 = 4_000;
const QUESTIONS: u32 = 100_000;

/// Sums of so many terms have a name where they are factors.
const LONG: usize = 3;
/// The most questions about signs that are asked for one another.
const MAX_ASKED: u32 = 2;
/// The most atoms that are put at either end at once: each doubles the work.
const MAX_SPLIT: u32 = 3;

/// So many answers are kept at a time.
const MAX_ANSWERS: usize = 4096;

/// Numbers up to this may turn out not to be above 0 once each case is looked at by itself.
const NEAR: f64 = 1024.0;

/// The greatest number of 32 bits.
pub(super) const U32: f64 = 4_294_967_295.0;

impl Atoms {
    pub(super) fn new() -> Self {
        Self {
            list: Vec::new(),
            known: HashMap::new(),
            effort: EFFORT,
            questions: QUESTIONS,
            asked: 0,
            split: 0,
            is_asking: false,
            is_quick: false,
            open: Rc::new(Poly::constant(U32)),
            answers: HashMap::new(),
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

    /// Whether an atom stands in it of which nothing is known, or one that comes from such an atom.
    pub(super) fn rests_on_open(&self, poly: &Poly) -> bool {
        poly.atoms()
            .any(|atom| self.list[atom as usize].rests_on_open)
    }

    /// A bound of a number that may be as large as anything: the atom, and what it is not above on a path where `poly` is not negative.
    pub(super) fn bound_of_open(&self, poly: &Poly) -> Option<(AtomId, Poly)> {
        let (monomial, times) = poly.terms().iter().find(|(monomial, times)| {
            let atom = monomial.only();
            *times < 0.0 && atom.is_some_and(|atom| self.list[atom as usize].is_open())
        })?;
        let atom = monomial.only()?;
        let rest = poly.sub(&Poly::atom(atom).scaled(*times))?;
        let is_older = rest.atoms().all(|other| other < atom);
        (is_older && !self.rests_on_open(&rest)).then(|| (atom, rest.scaled(-1.0 / times)))
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
        let lower = lower.into_iter().map(Rc::new).collect();
        let upper = upper.into_iter().map(Rc::new).collect();
        let id = self.add(origin.clone(), taint, lower, upper);
        self.known.insert(origin, id);
        id
    }

    fn add(
        &mut self,
        origin: Origin,
        taint: Taint,
        lower: Vec<Rc<Poly>>,
        upper: Vec<Rc<Poly>>,
    ) -> AtomId {
        let id = self.len();
        let range_of = |poly: &Rc<Poly>| self.range(poly, None);
        let least = lower.iter().map(|p| range_of(p).0).fold(0.0, f64::max);
        let greatest = upper.iter().map(|p| range_of(p).1);
        let greatest = greatest.fold(f64::INFINITY, f64::min).max(least);
        let sample_of = |poly: &Rc<Poly>| self.sample(poly);
        let low = lower.iter().map(sample_of).fold(least, f64::max);
        let high = upper.iter().map(sample_of).fold(f64::INFINITY, f64::min);
        // Whole numbers that fit together, as those of a launch would.
        let between = if high.is_finite() {
            f64::midpoint(low, high.max(low)).floor()
        } else {
            low + 1000.0
        };
        let sample = match &origin {
            Origin::Named(_) => 100_000.0,
            Origin::Quotient(a, b) => match (sample_of(a), sample_of(b)) {
                (_, 0.0) => between,
                (a, b) => (a / b).floor(),
            },
            Origin::Remainder(a, b) => match (sample_of(a), sample_of(b)) {
                (_, 0.0) => between,
                (a, b) => a.rem_euclid(b),
            },
            Origin::Min(a, b) => sample_of(a).min(sample_of(b)),
            Origin::Max(a, b) => sample_of(a).max(sample_of(b)),
            Origin::IsNot0(of) => f64::from(u8::from(sample_of(of) != 0.0)),
            Origin::Sum(of) => sample_of(of),
            Origin::Fresh(_) | Origin::Of(..) => between,
        };
        let newest_of = |poly: &Poly| {
            poly.atoms()
                .filter_map(|atom| self.list[atom as usize].newest)
                .max()
        };
        let newest = match &origin {
            Origin::Named(_) => None,
            Origin::Fresh(_) => Some(id),
            Origin::IsNot0(of) | Origin::Sum(of) => newest_of(of),
            Origin::Quotient(a, b)
            | Origin::Remainder(a, b)
            | Origin::Min(a, b)
            | Origin::Max(a, b)
            | Origin::Of(_, a, b) => newest_of(a).max(newest_of(b)),
        };
        let operands: &[&Rc<Poly>] = match &origin {
            Origin::Named(_) | Origin::Fresh(_) => &[],
            Origin::IsNot0(of) | Origin::Sum(of) => &[of],
            Origin::Quotient(a, b)
            | Origin::Remainder(a, b)
            | Origin::Min(a, b)
            | Origin::Max(a, b)
            | Origin::Of(_, a, b) => &[a, b],
        };
        let mut all = operands.iter().copied().chain(&lower).chain(&upper);
        let rests_on_open = all.any(|poly| self.rests_on_open(poly));
        let mut atom = Atom {
            origin,
            taint,
            lower,
            upper,
            range: (least, greatest),
            sample,
            newest,
            rests_on_open,
        };
        atom.rests_on_open |= atom.is_open();
        self.list.push(atom);
        id
    }

    /// A number as a factor: a longer sum by a name, with what it is between as far as constants can be told.
    pub(super) fn factor(&mut self, poly: &Poly) -> Poly {
        if poly.terms().len() < LONG || self.is_quick {
            return poly.clone();
        }
        let sum = Rc::new(poly.clone());
        let origin = Origin::Sum(Rc::clone(&sum));
        if let Some(known) = self.known.get(&origin) {
            return Poly::atom(*known);
        }
        let nothing = Refined::new();
        let least = -self.greatest(&poly.scaled(-1.0), &nothing);
        // No atom is negative.
        if least < 0.0 {
            return poly.clone();
        }
        let greatest = self.greatest(poly, &nothing);
        let atom = self.make(
            origin,
            self.taint(poly),
            vec![poly.clone()],
            vec![poly.clone()],
        );
        let own = &mut self.list[atom as usize];
        own.range = (own.range.0.max(least), own.range.1.min(greatest));
        Poly::atom(atom)
    }

    /// A number without names for sums.
    pub(super) fn expanded(&self, poly: &Poly) -> Option<Poly> {
        let mut poly = poly.clone();
        loop {
            let named = poly
                .atoms()
                .find_map(|atom| match &self.list[atom as usize].origin {
                    Origin::Sum(sum) => Some((atom, Rc::clone(sum))),
                    _ => None,
                });
            let Some((atom, sum)) = named else {
                return Some(poly);
            };
            poly = poly.with(atom, &sum)?;
        }
    }

    fn is_sum(&self, atom: AtomId) -> bool {
        matches!(self.list[atom as usize].origin, Origin::Sum(_))
    }

    /// A number with the names of sums in the place of these, where one stands in it beside its own name.
    fn folded(&self, poly: &Poly) -> Poly {
        let mut poly = poly.clone();
        let named: Vec<AtomId> = poly.atoms().collect();
        for atom in named {
            let Origin::Sum(sum) = &self.list[atom as usize].origin else {
                continue;
            };
            let Some((of_poly, of_sum)) = poly.both_have(sum) else {
                continue;
            };
            let named = sum.scaled(-1.0).add(&Poly::atom(atom));
            let folded = named.and_then(|named| poly.add(&named.scaled(of_poly / of_sum)));
            if let Some(folded) = folded.filter(|folded| folded.terms().len() < poly.terms().len())
            {
                poly = folded;
            }
        }
        poly
    }

    /// A new atom with bounds.
    pub(super) fn fresh(&mut self, taint: Taint, lower: Vec<Poly>, upper: Vec<Poly>) -> AtomId {
        let lower = lower.into_iter().map(Rc::new).collect();
        let upper = upper.into_iter().map(Rc::new).collect();
        self.add(Origin::Fresh(self.len()), taint, lower, upper)
    }

    /// A new atom of which no more is known than how large it can be.
    pub(super) fn unknown(&mut self, taint: Taint, greatest: f64) -> AtomId {
        let most = match greatest {
            U32 => Rc::clone(&self.open),
            _ => Rc::new(Poly::constant(greatest)),
        };
        self.add(Origin::Fresh(self.len()), taint, Vec::new(), vec![most])
    }

    /// Says what an atom is at most, which was made before that was known.
    pub(super) fn bound(&mut self, atom: AtomId, upper: Vec<Poly>) {
        let range = upper.iter().map(|p| self.range(p, None).1);
        let greatest = range.fold(f64::INFINITY, f64::min);
        let sample = upper
            .iter()
            .map(|p| self.sample(p))
            .fold(f64::INFINITY, f64::min);
        self.answers.clear();
        if let Some(atom) = self.list.get_mut(atom as usize) {
            atom.upper = upper.into_iter().map(Rc::new).collect();
            atom.range.1 = greatest.max(atom.range.0);
            if sample.is_finite() {
                atom.sample = f64::midpoint(atom.range.0, sample.max(0.0)).floor();
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

    /// What a number is not above, in one atom and those that are older.
    pub(super) fn bound_in_older(
        &mut self,
        poly: &Poly,
        youngest: AtomId,
        refined: &Refined,
    ) -> Option<Poly> {
        let was_asking = std::mem::replace(&mut self.is_asking, true);
        let keep = |_: &Self, atom| atom <= youngest;
        let bound = self.eliminated(poly, Side::Upper, refined, &keep, Choice::Symbols);
        self.is_asking = was_asking;
        bound
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
                && refined.below(&youngest).is_none()
                && poly.terms().iter().any(|(monomial, coefficient)| {
                    (*coefficient > 0.0) == (side == Side::Upper) && monomial.has(youngest)
                })
            {
                return None;
            }
            let left = match self.is_asking {
                true => &mut self.questions,
                false => &mut self.effort,
            };
            *left = left.checked_sub(1)?;
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
        if side == Side::Upper {
            candidates.extend(refined.below(&atom).cloned());
        }
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
        if self.is_quick || poly.as_constant().is_some() {
            return self.range(poly, Some(refined)).1;
        }
        let question = Question {
            poly: self.folded(poly),
            refined: refined.sum(),
            asked: self.asked,
            split: self.split,
        };
        if let Some(answer) = self.answers.get(&question) {
            return *answer;
        }
        let answer = self.found_greatest(&question.poly, refined);
        if self.answers.len() >= MAX_ANSWERS {
            self.answers.clear();
        }
        self.answers.insert(question, answer);
        answer
    }

    fn found_greatest(&mut self, poly: &Poly, refined: &Refined) -> f64 {
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
        let mut greatest = poly.greatest_whole(greatest);
        // Close to the question that is asked.
        if (0.0..=NEAR).contains(&greatest) && self.split < MAX_SPLIT {
            self.split += 1;
            let has_sum = poly.atoms().any(|atom| self.is_sum(atom));
            let constants = has_sum.then_some(Choice::Constants);
            for choice in constants.into_iter().chain([Choice::Symbols]) {
                if let Some(split) = self.greatest_by_cases(poly, refined, choice) {
                    greatest = greatest.min(split);
                }
            }
            self.split -= 1;
            return poly.greatest_whole(greatest);
        }
        greatest
    }

    /// The greatest value where one of the atoms says whether another number is 0: the greater of both cases.
    fn greatest_by_cases(&mut self, poly: &Poly, refined: &Refined, choice: Choice) -> Option<f64> {
        let mut poly = poly.clone();
        let (atom, of) = loop {
            let youngest = poly.atoms().max()?;
            let own = &self.list[youngest as usize];
            match &own.origin {
                Origin::IsNot0(of) if own.upper.len() == 2 => break (youngest, Rc::clone(of)),
                _ => {}
            }
            self.questions = self.questions.checked_sub(1)?;
            poly = self.without(&poly, youngest, Side::Upper, refined, choice)?;
        };
        let none = poly.with(atom, &Poly::default())?;
        let none = none.where_0(&of).unwrap_or(none);
        let one = poly.with(atom, &Poly::constant(1.0))?;
        // The other number is 1 at least then.
        let more = of.plus(-1.0);
        let shared = of.atoms().filter(|atom| one.has(*atom)).max();
        let reduced = shared.and_then(|shared| {
            let of_shared = |poly: &Poly| match &poly.by_powers(shared)[..] {
                [_, factor] => factor.as_constant(),
                _ => None,
            };
            let times = -of_shared(&one)? / of_shared(&more)?;
            (times > 0.0).then(|| one.add(&more.scaled(times)))?
        });
        let mut of_one = self.greatest(&one, refined);
        if let Some(reduced) = reduced {
            of_one = of_one.min(self.greatest(&reduced, refined));
        }
        Some(of_one.max(self.greatest(&none, refined)))
    }
}
