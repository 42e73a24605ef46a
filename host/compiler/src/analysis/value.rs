//! Values, conditions and states of a function that is run without its arguments.

use super::atoms::Taint;
use super::facts::{Refined, Signs};
use super::poly::{AtomId, Poly};
use std::collections::HashMap;
use std::rc::Rc;

/// What is known of a value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// An integer.
    Int(Rc<Poly>),
    /// What a comparison gives.
    Is(Rc<Condition>),
    /// Two integers of 32 bits in one of 64, the lower first.
    Pair(Rc<Poly>, Rc<Poly>),
    /// A number of any type.
    Unknown(Taint),
}

/// The deepest that conditions stand in each other: what goes over them is recursive.
pub(super) const MAX_DEPTH: u32 = 6;

/// What decides a branch.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Condition {
    Known(bool),
    AtLeast0(Rc<Poly>),
    Is0(Rc<Poly>),
    IsNot0(Rc<Poly>),
    All(Rc<Condition>, Rc<Condition>),
    Any(Rc<Condition>, Rc<Condition>),
    Unknown(Taint),
}

impl Condition {
    pub(super) fn negated(&self) -> Self {
        match self {
            Self::Known(is) => Self::Known(!is),
            // Of integers: not p ≥ 0 is -p - 1 ≥ 0.
            Self::AtLeast0(poly) => Self::AtLeast0(Rc::new(poly.scaled(-1.0).plus(-1.0))),
            Self::Is0(poly) => Self::IsNot0(Rc::clone(poly)),
            Self::IsNot0(poly) => Self::Is0(Rc::clone(poly)),
            Self::All(a, b) => Self::Any(Rc::new(a.negated()), Rc::new(b.negated())),
            Self::Any(a, b) => Self::All(Rc::new(a.negated()), Rc::new(b.negated())),
            Self::Unknown(taint) => Self::Unknown(*taint),
        }
    }
}

impl Condition {
    /// How deep conditions stand in conditions: never deeper than [`MAX_DEPTH`].
    pub(super) fn depth(&self) -> u32 {
        match self {
            Self::All(a, b) | Self::Any(a, b) => 1 + a.depth().max(b.depth()),
            _ => 0,
        }
    }

    /// Whether it speaks of an atom.
    pub(super) fn has(&self, atom: AtomId) -> bool {
        match self {
            Self::AtLeast0(poly) | Self::Is0(poly) | Self::IsNot0(poly) => poly.has(atom),
            Self::All(a, b) | Self::Any(a, b) => a.has(atom) || b.has(atom),
            Self::Known(_) | Self::Unknown(_) => false,
        }
    }
}

/// What a path has cost: bounds of its fuel.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Spent {
    /// What is certain, on every path.
    pub(super) counted: f64,
    pub(super) lower: Poly,
    /// `None` where nothing bounds it.
    pub(super) upper: Option<Poly>,
}

impl Spent {
    pub(super) fn nothing() -> Self {
        Self {
            counted: 0.0,
            lower: Poly::default(),
            upper: Some(Poly::default()),
        }
    }

    pub(super) fn whole_lower(&self) -> Poly {
        self.lower.plus(self.counted)
    }

    pub(super) fn whole_upper(&self) -> Option<Poly> {
        Some(self.upper.as_ref()?.plus(self.counted))
    }
}

/// Memory cells of four bytes whose contents are known, by their addresses.
pub(super) type Cells = HashMap<Rc<Poly>, Value>;

/// A path that is being followed.
#[derive(Clone)]
pub(super) struct State {
    pub(super) locals: Vec<Value>,
    pub(super) globals: Rc<Vec<Value>>,
    pub(super) cells: Rc<Cells>,
    pub(super) stack: Vec<Value>,
    pub(super) spent: Spent,
    /// Conditions that hold since the innermost loop's body began, oldest first.
    pub(super) conditions: Vec<Rc<Condition>>,
    pub(super) refined: Rc<Refined>,
    pub(super) signs: Rc<Signs>,
    /// Whether the kernel has said that it failed.
    pub(super) has_failed: bool,
}
