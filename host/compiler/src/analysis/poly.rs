//! Polynomials over atoms: the form in which numbers are known that depend on a launch's shapes.
//!
//! Coefficients are `f64`: sums and products of the integers and powers of two that occur are exact. A polynomial that grows
//! beyond [`MAX_TERMS`] or [`MAX_DEGREE`] is given up by whoever makes it, so the work for hostile code stays bounded.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

/// A number that is not known: see [`Atoms`](super::atoms::Atoms).
pub(super) type AtomId = u32;

/// The most terms of one polynomial.
const MAX_TERMS: usize = 120;
/// The most factors of one term.
const MAX_DEGREE: usize = 8;

/// A product of atoms, each as often as its power says.
///
/// They stand in order at the end, counted from 1; before them is 0. So what has no atoms comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(super) struct Monomial([AtomId; MAX_DEGREE]);

impl Monomial {
    fn of(atom: AtomId) -> Self {
        let mut atoms = [0; MAX_DEGREE];
        atoms[MAX_DEGREE - 1] = atom + 1;
        Self(atoms)
    }

    pub(super) fn atoms(self) -> impl Iterator<Item = AtomId> {
        self.0
            .into_iter()
            .filter(|atom| *atom != 0)
            .map(|atom| atom - 1)
    }

    pub(super) fn degree(self) -> usize {
        self.0.iter().filter(|atom| **atom != 0).count()
    }

    pub(super) fn is_constant(self) -> bool {
        self.0[MAX_DEGREE - 1] == 0
    }

    pub(super) fn has(self, atom: AtomId) -> bool {
        self.0.contains(&(atom + 1))
    }

    /// The atom that it is, where it is one alone.
    pub(super) fn only(self) -> Option<AtomId> {
        let is_one = self.0[MAX_DEGREE - 2] == 0;
        self.0[MAX_DEGREE - 1].checked_sub(1).filter(|_| is_one)
    }

    fn times(self, other: Self) -> Option<Self> {
        if self.degree() + other.degree() > MAX_DEGREE {
            return None;
        }
        let mut product = self.0;
        for (place, atom) in product.iter_mut().zip(other.0.into_iter().rev()) {
            // Where the other has atoms this one has none: together they fit.
            *place = (*place).max(atom);
        }
        product.sort_unstable();
        Some(Self(product))
    }

    /// The rest after so many of an atom as it has, and how many they are.
    fn without(self, atom: AtomId) -> (Self, usize) {
        let mut rest = self.0;
        let mut power = 0;
        for place in &mut rest {
            if *place == atom + 1 {
                *place = 0;
                power += 1;
            }
        }
        rest.sort_unstable();
        (Self(rest), power)
    }

    fn over(self, divisor: Self) -> Option<Self> {
        let mut rest = self.0;
        for atom in divisor.atoms() {
            let place = rest.iter_mut().find(|place| **place == atom + 1)?;
            *place = 0;
        }
        rest.sort_unstable();
        Some(Self(rest))
    }
}

/// A sum of terms in order, none of them zero.
#[derive(Clone, Debug, PartialEq, Default)]
pub(super) struct Poly(Vec<(Monomial, f64)>);

impl Eq for Poly {}

impl Hash for Poly {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for (monomial, coefficient) in &self.0 {
            monomial.hash(state);
            coefficient.to_bits().hash(state);
        }
    }
}

/// The greatest whole number that divides two; less than 1 where one of them is not whole.
fn common(a: f64, b: f64) -> f64 {
    let (mut a, mut b) = (a.abs(), b.abs());
    while b >= 1.0 {
        (a, b) = (b, a % b);
    }
    match b == 0.0 {
        true => a,
        false => b,
    }
}

/// Whole numbers below it are held exactly.
const EXACT: f64 = 9_007_199_254_740_992.0;

impl Poly {
    pub(super) fn constant(value: f64) -> Self {
        if value == 0.0 {
            return Self::default();
        }
        Self(vec![(Monomial::default(), value)])
    }

    pub(super) fn atom(atom: AtomId) -> Self {
        Self(vec![(Monomial::of(atom), 1.0)])
    }

    pub(super) fn terms(&self) -> &[(Monomial, f64)] {
        &self.0
    }

    /// A polynomial of these terms, in any order; `None` where there are too many.
    pub(super) fn of(mut terms: Vec<(Monomial, f64)>) -> Option<Self> {
        terms.sort_unstable_by_key(|(monomial, _)| *monomial);
        terms.dedup_by(|(next, more), (last, total)| {
            let is_same = next == last;
            if is_same {
                *total += *more;
            }
            is_same
        });
        terms.retain(|(_, coefficient)| *coefficient != 0.0);
        let fits = terms.len() <= MAX_TERMS && terms.iter().all(|(_, c)| c.is_finite());
        fits.then_some(Self(terms))
    }

    pub(super) fn as_constant(&self) -> Option<f64> {
        match &self.0[..] {
            [] => Some(0.0),
            [(monomial, value)] if monomial.is_constant() => Some(*value),
            _ => None,
        }
    }

    /// The whole number that it is, if it is one that is held exactly.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "whole and of fewer bits than the fraction of an f64"
    )]
    pub(super) fn as_whole(&self) -> Option<i64> {
        let constant = self.as_constant()?;
        (constant.fract() == 0.0 && constant.abs() < EXACT).then_some(constant as i64)
    }

    /// The term without atoms.
    pub(super) fn constant_term(&self) -> f64 {
        match self.0.first() {
            Some((monomial, value)) if monomial.is_constant() => *value,
            _ => 0.0,
        }
    }

    pub(super) fn add(&self, other: &Self) -> Option<Self> {
        self.merged(other, 1.0)
    }

    pub(super) fn sub(&self, other: &Self) -> Option<Self> {
        self.merged(other, -1.0)
    }

    /// The sum with so many times another.
    fn merged(&self, other: &Self, times: f64) -> Option<Self> {
        let mut terms = Vec::with_capacity(self.0.len() + other.0.len());
        let (mut own, mut others) = (self.0.iter().peekable(), other.0.iter().peekable());
        loop {
            let order = match (own.peek(), others.peek()) {
                (Some((a, _)), Some((b, _))) => a.cmp(b),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => break,
            };
            let a = own.next_if(|_| order.is_le());
            let b = others.next_if(|_| order.is_ge());
            let Some((monomial, _)) = a.or(b) else { break };
            let sum = a.map_or(0.0, |(_, c)| *c) + b.map_or(0.0, |(_, c)| times * c);
            if sum != 0.0 {
                terms.push((*monomial, sum));
            }
        }
        let fits = terms.len() <= MAX_TERMS && terms.iter().all(|(_, c)| c.is_finite());
        fits.then_some(Self(terms))
    }

    /// An order among polynomials that says nothing of their values.
    pub(super) fn order(&self, other: &Self) -> Ordering {
        let terms = self.0.iter().zip(&other.0);
        let unequal = terms.map(|((a, x), (b, y))| a.cmp(b).then(x.total_cmp(y)));
        let mut unequal = unequal.filter(|order| order.is_ne());
        let shorter = || self.0.len().cmp(&other.0.len());
        unequal.next().unwrap_or_else(shorter)
    }

    /// The sum with a constant.
    pub(super) fn plus(&self, value: f64) -> Self {
        let mut sum = self.0.clone();
        match sum.first_mut() {
            Some((monomial, constant)) if monomial.is_constant() => *constant += value,
            _ => sum.insert(0, (Monomial::default(), value)),
        }
        sum.retain(|(_, coefficient)| *coefficient != 0.0);
        Self(sum)
    }

    pub(super) fn scaled(&self, by: f64) -> Self {
        if by == 0.0 {
            return Self::default();
        }
        Self(self.0.iter().map(|(m, c)| (*m, c * by)).collect())
    }

    pub(super) fn mul(&self, other: &Self) -> Option<Self> {
        if let Some(by) = other.as_constant() {
            return Some(self.scaled(by));
        }
        if let Some(by) = self.as_constant() {
            return Some(other.scaled(by));
        }
        if self.0.len() * other.0.len() > 4 * MAX_TERMS {
            return None;
        }
        let mut terms = Vec::with_capacity(self.0.len() * other.0.len());
        for (a, x) in &self.0 {
            for (b, y) in &other.0 {
                terms.push((a.times(*b)?, x * y));
            }
        }
        Self::of(terms)
    }

    pub(super) fn atoms(&self) -> impl Iterator<Item = AtomId> {
        self.0.iter().flat_map(|(monomial, _)| monomial.atoms())
    }

    pub(super) fn has(&self, atom: AtomId) -> bool {
        self.0.iter().any(|(monomial, _)| monomial.has(atom))
    }

    /// Whether every coefficient is a multiple of `unit`, so that the value is.
    pub(super) fn is_multiple_of(&self, unit: f64) -> bool {
        self.0.iter().all(|(_, c)| (c / unit).fract() == 0.0)
    }

    /// The greatest value up to a bound, as atoms are whole numbers.
    pub(super) fn greatest_whole(&self, bound: f64) -> f64 {
        let constant = self.constant_term();
        let unit = self
            .0
            .iter()
            .filter(|(monomial, _)| !monomial.is_constant())
            .fold(0.0, |unit, (_, coefficient)| common(unit, *coefficient));
        match unit >= 1.0 && bound.abs() < EXACT {
            true => constant + unit * ((bound - constant) / unit + 1e-9).floor(),
            false => bound,
        }
    }

    /// With another polynomial in an atom's place.
    pub(super) fn with(&self, atom: AtomId, instead: &Self) -> Option<Self> {
        if !self.has(atom) {
            return Some(self.clone());
        }
        let mut powers = self.by_powers(atom).into_iter().rev();
        let mut sum = powers.next()?;
        for power in powers {
            sum = sum.mul(instead)?.add(&power)?;
        }
        Some(sum)
    }

    /// What stands before each power of an atom, from the zeroth on.
    pub(super) fn by_powers(&self, atom: AtomId) -> Vec<Self> {
        let mut powers = vec![Vec::new()];
        for (monomial, coefficient) in &self.0 {
            let (rest, power) = monomial.without(atom);
            if powers.len() <= power {
                powers.resize(power + 1, Vec::new());
            }
            powers[power].push((rest, *coefficient));
        }
        let sorted = |mut terms: Vec<(Monomial, f64)>| {
            terms.sort_unstable_by_key(|(monomial, _)| *monomial);
            Self(terms)
        };
        powers.into_iter().map(sorted).collect()
    }

    /// The quotient, where nothing is left over.
    pub(super) fn divided(&self, by: &Self) -> Option<Self> {
        let (divisor, scale) = *by.leading()?;
        let mut terms = Vec::with_capacity(self.0.len());
        if by.0.len() == 1 {
            for (monomial, coefficient) in &self.0 {
                terms.push((monomial.over(divisor)?, coefficient / scale));
            }
            return Self::of(terms);
        }
        let mut rest = self.clone();
        while let Some((monomial, coefficient)) = rest.leading() {
            let term = (monomial.over(divisor)?, coefficient / scale);
            if terms.len() == MAX_TERMS {
                return None;
            }
            terms.push(term);
            rest = rest.sub(&by.mul(&Self(vec![term]))?)?;
        }
        Self::of(terms)
    }

    /// The term of the highest degree; of several the one with the youngest atoms, so that the leading term of a product is
    /// that of the leading terms.
    fn leading(&self) -> Option<&(Monomial, f64)> {
        self.0.iter().max_by_key(|(monomial, _)| {
            let mut youngest_first = monomial.0;
            youngest_first.reverse();
            (monomial.degree(), youngest_first)
        })
    }

    /// Of each term the greater coefficient of two, or the less: a bound of both where no atom is negative.
    pub(super) fn by_terms(&self, other: &Self, choose: fn(f64, f64) -> f64) -> Option<Self> {
        let of = |poly: &Self, monomial: &Monomial| {
            let found = poly.0.iter().find(|(own, _)| own == monomial);
            found.map_or(0.0, |(_, coefficient)| *coefficient)
        };
        let mut terms = Vec::new();
        for (monomial, coefficient) in &self.0 {
            terms.push((*monomial, choose(*coefficient, of(other, monomial))));
        }
        for (monomial, coefficient) in &other.0 {
            if !self.0.iter().any(|(own, _)| own == monomial) {
                terms.push((*monomial, choose(0.0, *coefficient)));
            }
        }
        Self::of(terms)
    }

    /// The same number, where another is 0: without what that says about its youngest atom.
    pub(super) fn where_0(&self, zero: &Self) -> Option<Self> {
        if let [(factors, _)] = &zero.0[..] {
            let holds = |monomial: &Monomial| monomial.over(*factors).is_some();
            let terms = self.0.iter().filter(|(monomial, _)| !holds(monomial));
            return Self::of(terms.cloned().collect());
        }
        if self.divided(zero).is_some() {
            return Some(Self::default());
        }
        let youngest = zero.atoms().max()?;
        match &zero.by_powers(youngest)[..] {
            [rest, slope] => {
                let instead = rest.scaled(-1.0 / slope.as_constant()?);
                self.with(youngest, &instead)
            }
            _ => None,
        }
    }

    /// The coefficients that a product has in both, where there is one that both have.
    pub(super) fn both_have(&self, other: &Self) -> Option<(f64, f64)> {
        let products = self
            .0
            .iter()
            .filter(|(monomial, _)| !monomial.is_constant());
        let mut pairs = products.filter_map(|(monomial, own)| {
            let mut same = other.0.iter().filter(|(other, _)| other == monomial);
            same.next().map(|(_, other)| (*own, *other))
        });
        pairs.next()
    }

    /// The sum with another number, so often that the youngest atom of both is not in it; `None` if that would take something away.
    pub(super) fn with_less_by(&self, other: &Self) -> Option<Self> {
        let shared = other.atoms().filter(|atom| self.has(*atom)).max()?;
        let slope = |poly: &Self| match &poly.by_powers(shared)[..] {
            [_, slope] => slope.as_constant(),
            _ => None,
        };
        let times = -slope(self)? / slope(other)?;
        (times > 0.0).then(|| self.add(&other.scaled(times)))?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `constant + Σ coefficient · atoms`.
    fn poly(terms: &[(f64, &[AtomId])]) -> Poly {
        let terms = terms.iter().map(|(coefficient, atoms)| {
            let product = atoms.iter().try_fold(Monomial::default(), |product, atom| {
                product.times(Monomial::of(*atom))
            });
            (product.unwrap(), *coefficient)
        });
        Poly::of(terms.collect()).unwrap()
    }

    #[test]
    fn a_product_divided_by_a_factor_is_the_other() {
        let a = poly(&[(256.0, &[]), (1.0, &[0]), (-256.0, &[3]), (-256.0, &[4])]);
        let b = poly(&[(1.0, &[7]), (1.0, &[8]), (-3.0, &[])]);
        let product = a.mul(&b).unwrap();
        assert_eq!(product.divided(&a).as_ref(), Some(&b));
        assert_eq!(product.divided(&b).as_ref(), Some(&a));
        assert_eq!(product.plus(1.0).divided(&a), None);
        assert_eq!(a.divided(&Poly::default()), None);
    }

    #[test]
    fn what_is_a_multiple_of_nothing_is_nothing() {
        let zero = poly(&[(1.0, &[0, 1]), (-1.0, &[])]);
        let multiple = zero.mul(&poly(&[(2.0, &[5]), (1.0, &[])])).unwrap();
        assert_eq!(multiple.where_0(&zero), Some(Poly::default()));
    }

    #[test]
    fn the_greatest_value_is_one_that_whole_numbers_have() {
        let of = poly(&[(256.0, &[]), (-256.0, &[0]), (-256.0, &[1])]);
        assert_eq!(of.greatest_whole(192.0), 0.0);
        assert_eq!(of.greatest_whole(256.0), 256.0);
        assert_eq!(of.greatest_whole(f64::INFINITY), f64::INFINITY);
        let halves = poly(&[(0.5, &[0])]);
        assert_eq!(halves.greatest_whole(0.75), 0.75);
        let endless = poly(&[(f64::MAX, &[0]), (1.0, &[1])]);
        assert!(endless.greatest_whole(1e300) >= 0.0);
    }
}
