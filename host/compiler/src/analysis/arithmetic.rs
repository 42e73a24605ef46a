//! Integer arithmetic on values of which only bounds may be known.
//!
//! It takes numbers that follow from shapes for what they are, not for what is left of them in 32 bits: a launch whose
//! arrays fit in memory has none that wrap.

use super::atoms::{Atoms, Origin, Taint, U32};
use super::facts::Refined;
use super::poly::Poly;
use super::value::{Condition, MAX_DEPTH, Value};
use std::rc::Rc;

/// Atoms, and what is known of them on the path.
pub(super) struct Arithmetic<'a> {
    pub(super) atoms: &'a mut Atoms,
    pub(super) refined: &'a Refined,
}

/// Masks of fewer bits are part of a computation, those of more of the machine's.
const WRAPS_FROM: f64 = 16_777_216.0;

fn constant(value: f64) -> Poly {
    Poly::constant(value)
}

fn int(poly: Poly) -> Value {
    Value::Int(Rc::new(poly))
}

impl Arithmetic<'_> {
    /// A value as a number, with an atom for what is none yet.
    pub(super) fn number(&mut self, value: &Value) -> Rc<Poly> {
        match value {
            Value::Int(poly) => Rc::clone(poly),
            Value::Unknown(taint) => Rc::new(Poly::atom(self.atoms.unknown(*taint, U32))),
            Value::Pair(low, high) => {
                let sum = low.add(&high.scaled(U32 + 1.0));
                Rc::new(sum.unwrap_or_else(|| self.any(&[low, high])))
            }
            Value::Is(condition) => match &self.known(Condition::clone(condition)) {
                Condition::Known(is) => Rc::new(constant(f64::from(u8::from(*is)))),
                Condition::IsNot0(poly) => Rc::new(self.is_not_0(poly)),
                Condition::Is0(poly) => Rc::new(self.is_not_0(poly).scaled(-1.0).plus(1.0)),
                other => {
                    let taint = self.taint_of(other);
                    Rc::new(Poly::atom(self.atoms.unknown(taint, 1.0)))
                }
            },
        }
    }

    fn taint_of(&self, condition: &Condition) -> Taint {
        match condition {
            Condition::Known(_) => Taint::Shape,
            Condition::AtLeast0(p) | Condition::Is0(p) | Condition::IsNot0(p) => {
                self.atoms.taint(p)
            }
            Condition::All(a, b) | Condition::Any(a, b) => self.taint_of(a).max(self.taint_of(b)),
            Condition::Unknown(taint) => *taint,
        }
    }

    /// 1 where a number is not 0.
    fn is_not_0(&mut self, poly: &Rc<Poly>) -> Poly {
        let nothing = Refined::new();
        // What is found out here stays with the atom.
        let was_quick = std::mem::take(&mut self.atoms.is_quick);
        // One of a number and its negative that is not negative, where that is known: it is not less than the answer.
        let signs = [Rc::clone(poly), Rc::new(poly.scaled(-1.0))];
        let mut signs = signs.into_iter();
        let known = signs.find(|poly| self.atoms.is_at_least_0(poly, &nothing));
        let of = known.as_ref().unwrap_or(poly);
        let (mut lower, mut upper) = (Vec::new(), vec![constant(1.0)]);
        if known.is_some() {
            let greatest = self.atoms.greatest(of, &nothing);
            if greatest.is_finite() && greatest >= 1.0 {
                lower.push(of.scaled(1.0 / greatest));
            }
            upper.push(Poly::clone(of));
        }
        self.atoms.is_quick = was_quick;
        let taint = self.atoms.taint(poly);
        let origin = Origin::IsNot0(Rc::clone(of));
        Poly::atom(self.atoms.make(origin, taint, lower, upper))
    }

    /// A number of which only this is known: what it depends on.
    fn any(&mut self, of: &[&Poly]) -> Poly {
        let taint = of.iter().map(|poly| self.atoms.taint(poly)).max();
        Poly::atom(self.atoms.unknown(taint.unwrap_or(Taint::Shape), U32))
    }

    fn or_any(&mut self, result: Option<Poly>, of: &[&Poly]) -> Value {
        int(result.unwrap_or_else(|| self.any(of)))
    }

    pub(super) fn add(&mut self, a: &Value, b: &Value) -> Value {
        let (a, b) = (self.number(a), self.number(b));
        self.or_any(a.add(&b), &[&a, &b])
    }

    pub(super) fn sub(&mut self, a: &Value, b: &Value) -> Value {
        let (a, b) = (self.number(a), self.number(b));
        self.or_any(a.sub(&b), &[&a, &b])
    }

    pub(super) fn mul(&mut self, a: &Value, b: &Value) -> Value {
        let (a, b) = (self.number(a), self.number(b));
        if a.as_constant().is_some() || b.as_constant().is_some() {
            return self.or_any(a.mul(&b), &[&a, &b]);
        }
        let [x, y] = [&a, &b].map(|side| self.atoms.factor(side));
        self.or_any(x.mul(&y), &[&a, &b])
    }

    /// The quotient of two numbers of which the second divides the first.
    fn divided(&self, a: &Poly, b: &Poly) -> Option<Poly> {
        a.divided(b).or_else(|| {
            let [a, b] = [a, b].map(|side| self.atoms.expanded(side));
            a?.divided(&b?)
        })
    }

    pub(super) fn shl(&mut self, a: &Value, b: &Value, bits: f64) -> Value {
        let (a, b) = (self.number(a), self.number(b));
        match b.as_constant() {
            Some(by) => int(a.scaled(by.rem_euclid(bits).exp2())),
            None => int(self.any(&[&a, &b])),
        }
    }

    /// A shift to the right, of a number that is not negative.
    pub(super) fn shr(&mut self, a: &Value, b: &Value, bits: f64) -> Value {
        if let (Value::Pair(_, high), Value::Int(by)) = (a, b)
            && by.as_constant() == Some(32.0)
        {
            return Value::Int(Rc::clone(high));
        }
        let (a, b) = (self.number(a), self.number(b));
        match b.as_constant() {
            Some(by) => int(self.quotient(&a, by.rem_euclid(bits).exp2())),
            None => int(self.any(&[&a, &b])),
        }
    }

    /// A number that is not negative, divided by a positive one and rounded down.
    fn quotient(&mut self, poly: &Rc<Poly>, unit: f64) -> Poly {
        let parts = |is_multiple: bool| {
            let terms = poly.terms().iter();
            let terms = terms.filter(|(_, c)| ((c / unit).fract() == 0.0) == is_multiple);
            Poly::of(terms.cloned().collect()).unwrap_or_default()
        };
        let (whole, rest) = (parts(true).scaled(1.0 / unit), parts(false));
        let constant_part = rest.constant_term();
        let mut of_constant = (constant_part / unit).floor();
        // Close to the end of the addresses it is a number below 0.
        if unit >= WRAPS_FROM && constant_part - of_constant * unit > unit / 2.0 {
            of_constant += 1.0;
        }
        let (whole, rest) = (whole.plus(of_constant), rest.plus(-of_constant * unit));
        if rest.as_constant().is_some() {
            return whole;
        }
        let (least, greatest) = self.interval(&rest);
        if least >= 0.0 && greatest < unit {
            return whole;
        }
        let taint = self.atoms.taint(&rest);
        let lower = vec![rest.plus(1.0 - unit).scaled(1.0 / unit)];
        let upper = vec![rest.scaled(1.0 / unit)];
        let origin = Origin::Quotient(Rc::new(rest), Rc::new(constant(unit)));
        let atom = Poly::atom(self.atoms.make(origin, taint, lower, upper));
        whole.add(&atom).unwrap_or_else(|| self.any(&[poly]))
    }

    /// What a mask of the bits below `unit`, a power of two, leaves.
    fn low(&mut self, poly: &Rc<Poly>, unit: f64) -> Poly {
        if unit <= 1.0 {
            return Poly::default();
        }
        let whole = self.quotient(poly, unit).scaled(unit);
        poly.sub(&whole).unwrap_or_else(|| self.any(&[poly]))
    }

    /// The least and the greatest value that can be told.
    fn interval(&mut self, poly: &Poly) -> (f64, f64) {
        let refined = self.refined;
        let greatest = self.atoms.greatest(poly, refined);
        (-self.atoms.greatest(&poly.scaled(-1.0), refined), greatest)
    }

    pub(super) fn and(&mut self, a: &Value, b: &Value) -> Value {
        if let (Value::Is(a), Value::Is(b)) = (a, b)
            && a.depth().max(b.depth()) < MAX_DEPTH
        {
            return Value::Is(Rc::new(Condition::All(Rc::clone(a), Rc::clone(b))));
        }
        let (a, b) = (self.number(a), self.number(b));
        let (of, mask) = match (a.as_whole(), b.as_whole()) {
            (Some(x), Some(y)) => return int(constant((x & y) as f64)),
            (_, Some(mask)) => (a, mask),
            (Some(mask), _) => (b, mask),
            (None, None) => return int(self.any(&[&a, &b])),
        };
        // A run of ones, with whatever stands below the number's own lowest bit.
        // Ones up to the top cut nothing off there.
        let mask = mask.cast_unsigned();
        if mask == 0 {
            return int(Poly::default());
        }
        let from = mask.trailing_zeros();
        let filled = mask | ((1_u64 << mask.trailing_zeros()) - 1);
        if filled & filled.wrapping_add(1) != 0 {
            let taint = self.atoms.taint(&of);
            return int(Poly::atom(self.atoms.unknown(taint, mask as f64)));
        }
        let top = 64 - filled.leading_zeros();
        let below = self.low(&of, f64::from(from).exp2());
        let whole = match top {
            32.. => Poly::clone(&of),
            _ => self.low(&of, f64::from(top).exp2()),
        };
        let result = whole.sub(&below);
        self.or_any(result, &[&of])
    }

    pub(super) fn or(&mut self, a: &Value, b: &Value) -> Value {
        if let (Value::Is(a), Value::Is(b)) = (a, b)
            && a.depth().max(b.depth()) < MAX_DEPTH
        {
            return Value::Is(Rc::new(Condition::Any(Rc::clone(a), Rc::clone(b))));
        }
        let (a, b) = (self.number(a), self.number(b));
        if let (Some(x), Some(y)) = (a.as_whole(), b.as_whole()) {
            return int(constant((x | y) as f64));
        }
        for (a, b) in [(&a, &b), (&b, &a)] {
            if !a.is_multiple_of(2.0) && b.as_constant().is_none() {
                continue;
            }
            // Of what memory holds, constants say what can be told.
            let (least, greatest) = match self.atoms.rests_on_open(b) {
                true => self.atoms.range(b, Some(self.refined)),
                false => self.interval(b),
            };
            // Bits that the other has not.
            if least >= 0.0 && a.is_multiple_of((greatest + 1.0).log2().ceil().exp2()) {
                return self.or_any(a.add(b), &[a, b]);
            }
        }
        int(self.any(&[&a, &b]))
    }

    pub(super) fn xor(&mut self, a: &Value, b: &Value) -> Value {
        let (a, b) = (self.number(a), self.number(b));
        if let (Some(x), Some(y)) = (a.as_whole(), b.as_whole()) {
            return int(constant((x ^ y) as f64));
        }
        match (a.as_constant(), b.as_constant()) {
            (_, Some(-1.0)) => int(a.scaled(-1.0).plus(-1.0)),
            // All bits but those below the number's lowest.
            (_, Some(mask))
                if mask < 0.0
                    && mask.abs().log2().fract() == 0.0
                    && a.is_multiple_of(mask.abs()) =>
            {
                int(a.scaled(-1.0).plus(mask))
            }
            _ => int(self.any(&[&a, &b])),
        }
    }

    pub(super) fn div(&mut self, a: &Value, b: &Value) -> Value {
        let (a, b) = (self.number(a), self.number(b));
        if let (Some(x), Some(y)) = (a.as_constant(), b.as_constant())
            && y != 0.0
        {
            return int(constant((x / y).floor()));
        }
        if let Some(quotient) = self.divided(&a, &b).filter(|_| b.as_constant().is_none()) {
            return int(quotient);
        }
        if let Some(by) = b.as_constant().filter(|by| *by > 0.0) {
            return int(self.quotient(&a, by));
        }
        let taint = self.atoms.taint(&a).max(self.atoms.taint(&b));
        let upper = vec![Poly::clone(&a)];
        let origin = Origin::Quotient(a, b);
        int(Poly::atom(self.atoms.make(
            origin,
            taint,
            Vec::new(),
            upper,
        )))
    }

    pub(super) fn rem(&mut self, a: &Value, b: &Value) -> Value {
        let (a, b) = (self.number(a), self.number(b));
        if let (Some(x), Some(y)) = (a.as_constant(), b.as_constant())
            && y != 0.0
        {
            return int(constant(x.rem_euclid(y)));
        }
        if let Some(by) = b.as_constant().filter(|by| *by > 0.0) {
            return int(self.low(&a, by));
        }
        if self
            .divided(&a, &b)
            .is_some_and(|quotient| quotient.is_multiple_of(1.0))
        {
            return int(Poly::default());
        }
        let taint = self.atoms.taint(&a).max(self.atoms.taint(&b));
        let upper = vec![b.plus(-1.0), Poly::clone(&a)];
        let origin = Origin::Remainder(a, b);
        int(Poly::atom(self.atoms.make(
            origin,
            taint,
            Vec::new(),
            upper,
        )))
    }

    /// An operation of which only its greatest result is known.
    pub(super) fn other(
        &mut self,
        name: &'static str,
        operands: &[&Value],
        greatest: f64,
    ) -> Value {
        let numbers: Vec<_> = operands.iter().map(|value| self.number(value)).collect();
        let taint = numbers.iter().map(|poly| self.atoms.taint(poly)).max();
        let taint = taint.unwrap_or(Taint::Data);
        let nothing = || Rc::new(Poly::default());
        let [a, b] = [0, 1].map(|at| numbers.get(at).cloned().unwrap_or_else(nothing));
        let upper = vec![constant(greatest)];
        let origin = Origin::Of(name, a, b);
        int(Poly::atom(self.atoms.make(
            origin,
            taint,
            Vec::new(),
            upper,
        )))
    }

    /// `a` less than `b` by `by` at least.
    pub(super) fn less(&mut self, a: &Value, b: &Value, by: f64, unsigned: bool) -> Condition {
        let (mut a, mut b) = (self.number(a), self.number(b));
        if unsigned {
            for side in [&mut a, &mut b] {
                if let Some(value) = side.as_constant().filter(|value| *value < 0.0) {
                    *side = Rc::new(constant(value + U32 + 1.0));
                }
            }
        }
        match b.sub(&a) {
            Some(difference) => self.plain(Condition::AtLeast0(Rc::new(difference.plus(-by)))),
            None => Condition::Unknown(self.atoms.taint(&a).max(self.atoms.taint(&b))),
        }
    }

    pub(super) fn equal(&mut self, a: &Value, b: &Value) -> Condition {
        let (a, b) = (self.number(a), self.number(b));
        match b.sub(&a) {
            Some(difference) => self.plain(Condition::Is0(Rc::new(difference))),
            None => Condition::Unknown(self.atoms.taint(&a).max(self.atoms.taint(&b))),
        }
    }

    pub(super) fn condition(&mut self, value: &Value) -> Condition {
        match value {
            Value::Is(condition) => Condition::clone(condition),
            Value::Unknown(taint) => Condition::Unknown(*taint),
            value => {
                let number = self.number(value);
                self.plain(Condition::IsNot0(number))
            }
        }
    }

    /// The condition, or whether it holds where constants say so: what it comes to is asked where it matters.
    fn plain(&self, condition: Condition) -> Condition {
        let range = |poly: &Rc<Poly>| self.atoms.range(poly, Some(self.refined));
        let is_0 = |poly: &Rc<Poly>| match range(poly) {
            (least, greatest) if self.cannot_be_0(poly, least, greatest) => Some(false),
            (0.0, 0.0) => Some(true),
            _ => None,
        };
        let certain = match &condition {
            Condition::AtLeast0(poly) => match range(poly) {
                (0.0.., _) => Some(true),
                (_, ..0.0) => Some(false),
                _ => None,
            },
            Condition::Is0(poly) => is_0(poly),
            Condition::IsNot0(poly) => is_0(poly).map(|is| !is),
            _ => None,
        };
        certain.map_or(condition, Condition::Known)
    }

    /// The condition, or whether it holds where that is certain.
    pub(super) fn known(&mut self, condition: Condition) -> Condition {
        let condition = self.simpler(condition);
        let refined = self.refined;
        let certain = match &condition {
            Condition::AtLeast0(poly) => {
                let (least, greatest) = self.atoms.range(poly, Some(refined));
                if least >= 0.0 || self.atoms.is_at_least_0(poly, refined) {
                    Some(true)
                } else if greatest < 0.0 || self.atoms.greatest(poly, refined) < 0.0 {
                    Some(false)
                } else {
                    None
                }
            }
            Condition::Is0(poly) => self.is_0(poly),
            Condition::IsNot0(poly) => self.is_0(poly).map(|is| !is),
            Condition::All(a, b) | Condition::Any(a, b) => {
                let stops = matches!(condition, Condition::Any(..));
                let [a, b] = [a, b].map(|part| match self.known(Condition::clone(part)) {
                    Condition::Known(is) => Some(is),
                    _ => None,
                });
                match (a, b) {
                    (Some(is), _) | (_, Some(is)) if is == stops => Some(stops),
                    (Some(_), Some(_)) => Some(!stops),
                    _ => None,
                }
            }
            Condition::Known(is) => Some(*is),
            Condition::Unknown(_) => None,
        };
        certain.map_or(condition, Condition::Known)
    }

    /// What is left of a number after as much of it as fits is nothing where all of it fits.
    pub(super) fn simpler(&self, condition: Condition) -> Condition {
        let (poly, is_0) = match &condition {
            Condition::Is0(poly) => (poly, true),
            Condition::IsNot0(poly) => (poly, false),
            _ => return condition,
        };
        for sign in [1.0, -1.0] {
            let poly = poly.scaled(sign);
            for atom in poly.atoms() {
                let Some((a, b)) = self.atoms.less_of(&Poly::atom(atom)) else {
                    continue;
                };
                let Some(rest) = poly.add(&Poly::atom(atom)) else {
                    continue;
                };
                for (own, other) in [(&a, &b), (&b, &a)] {
                    if rest == **own
                        && let Some(over) = own.sub(other)
                    {
                        return match is_0 {
                            true => Condition::AtLeast0(Rc::new(over.scaled(-1.0))),
                            false => Condition::AtLeast0(Rc::new(over.plus(-1.0))),
                        };
                    }
                }
            }
        }
        condition
    }

    /// Whether a number between those is not 0. One that rests on a number of which nothing is known may have wrapped: what counts up from
    /// below 0 is 2³² less than its bits say.
    fn cannot_be_0(&self, poly: &Poly, least: f64, greatest: f64) -> bool {
        let wraps = self.atoms.rests_on_open(poly);
        least > 0.0 && (greatest <= U32 || !wraps) || greatest < 0.0 && (least >= -U32 || !wraps)
    }

    fn is_0(&mut self, poly: &Poly) -> Option<bool> {
        if let Some(value) = poly.as_constant() {
            return Some(value == 0.0);
        }
        let (least, greatest) = self.interval(poly);
        if self.cannot_be_0(poly, least, greatest) {
            return Some(false);
        }
        if least == 0.0 && greatest == 0.0 {
            return Some(true);
        }
        None
    }

    /// One of two values: the less or the greater, where the condition compares them.
    pub(super) fn select(&mut self, a: &Value, b: &Value, condition: &Condition) -> Value {
        match condition {
            Condition::Known(true) => return a.clone(),
            Condition::Known(false) => return b.clone(),
            _ => {}
        }
        if a == b {
            return a.clone();
        }
        if matches!((a, b), (Value::Unknown(_), _) | (_, Value::Unknown(_))) {
            return Value::Unknown(Taint::Data);
        }
        let (a, b) = (self.number(a), self.number(b));
        let taint = self.atoms.taint(&a).max(self.atoms.taint(&b));
        let taint = taint.max(self.taint_of(condition));
        if let Condition::AtLeast0(difference) = condition {
            // Chosen is `a` where the difference is not negative.
            let less = b.sub(&a).is_some_and(|d| close(&d, difference));
            let greater = a.sub(&b).is_some_and(|d| close(&d, difference));
            if less || greater {
                // One of them may be the less in every case.
                let refined = self.refined;
                let mut is_less = |a: &Rc<Poly>, b: &Rc<Poly>| {
                    let above = b.sub(a);
                    above.is_some_and(|above| self.atoms.is_at_least_0(&above, refined))
                };
                if is_less(&a, &b) {
                    return Value::Int(if less { a } else { b });
                }
                if is_less(&b, &a) {
                    return Value::Int(if less { b } else { a });
                }
            }
            if less {
                let upper = vec![Poly::clone(&a), Poly::clone(&b)];
                let atom = self.atoms.make(Origin::Min(a, b), taint, Vec::new(), upper);
                return int(Poly::atom(atom));
            }
            if greater {
                let lower = vec![Poly::clone(&a), Poly::clone(&b)];
                let atom = self.atoms.make(Origin::Max(a, b), taint, lower, Vec::new());
                return int(Poly::atom(atom));
            }
        }
        int(self.one_of(&[a, b], taint))
    }

    /// A number that is one of several.
    pub(super) fn one_of(&mut self, numbers: &[Rc<Poly>], taint: Taint) -> Poly {
        let mut bounds = [Vec::new(), Vec::new()];
        for candidate in numbers {
            let differs = |other: &Rc<Poly>| other.sub(candidate);
            let differences: Option<Vec<Poly>> = numbers.iter().map(differs).collect();
            let Some(differences) = differences else {
                continue;
            };
            let refined = self.refined;
            if differences
                .iter()
                .all(|d| self.atoms.is_at_least_0(d, refined))
            {
                bounds[0].push(Poly::clone(candidate));
            }
            if differences
                .iter()
                .all(|d| self.atoms.is_at_least_0(&d.scaled(-1.0), refined))
            {
                bounds[1].push(Poly::clone(candidate));
            }
        }
        let ranges: Vec<_> = numbers
            .iter()
            .map(|poly| self.atoms.range(poly, Some(self.refined)))
            .collect();
        let least = ranges
            .iter()
            .map(|range| range.0)
            .fold(f64::INFINITY, f64::min);
        let greatest = ranges.iter().map(|range| range.1).fold(0.0, f64::max);
        let [mut lower, mut upper] = bounds;
        if least.is_finite() && least > 0.0 {
            lower.push(constant(least));
        }
        if greatest.is_finite() {
            upper.push(constant(greatest));
        }
        Poly::atom(self.atoms.fresh(taint, lower, upper))
    }
}

/// Whether two differences are the same but for how the equal case is chosen.
fn close(a: &Poly, b: &Poly) -> bool {
    a.sub(b)
        .and_then(|d| d.as_constant())
        .is_some_and(|d| d.abs() <= 1.0)
}
