//! What a path's conditions say: of atoms, and of numbers that are more than one.

use super::poly::{AtomId, Poly};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;

/// What a path's conditions say of atoms beside their own bounds.
#[derive(Clone, Debug, Default)]
pub(super) struct Refined {
    /// Between which constants they are.
    between: HashMap<AtomId, (f64, f64)>,
    /// Older numbers that they are not above.
    below: HashMap<AtomId, Rc<Poly>>,
    /// Of each entry a number, added up.
    sum: u64,
}

/// A number for an entry of [`Refined`].
fn digest(entry: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    entry.hash(&mut hasher);
    hasher.finish()
}

fn digest_of_between(atom: AtomId, (from, to): (f64, f64)) -> u64 {
    digest((atom, from.to_bits(), to.to_bits()))
}

impl Refined {
    pub(super) fn new() -> Self {
        Self::default()
    }

    pub(super) fn get(&self, atom: &AtomId) -> Option<&(f64, f64)> {
        self.between.get(atom)
    }

    pub(super) fn insert(&mut self, atom: AtomId, between: (f64, f64)) {
        let sum = self.sum.wrapping_add(digest_of_between(atom, between));
        let old = self.between.insert(atom, between);
        let old = old.map_or(0, |old| digest_of_between(atom, old));
        self.sum = sum.wrapping_sub(old);
    }

    pub(super) fn put_below(&mut self, atom: AtomId, most: Rc<Poly>) {
        if let Entry::Vacant(place) = self.below.entry(atom) {
            self.sum = self.sum.wrapping_add(digest((atom, &most)));
            place.insert(most);
        }
    }

    /// An older number that the atom is not above.
    pub(super) fn below(&self, atom: &AtomId) -> Option<&Rc<Poly>> {
        self.below.get(atom)
    }

    /// The same for all that say the same.
    pub(super) fn sum(&self) -> u64 {
        self.sum
    }

    /// What holds on two paths.
    pub(super) fn on_both(&self, other: &Self) -> Self {
        let between = self.between.iter().filter_map(|(atom, own)| {
            let other = other.between.get(atom)?;
            Some((*atom, (own.0.min(other.0), own.1.max(other.1))))
        });
        let below = self.below.iter();
        let below = below.filter(|(atom, most)| other.below.get(atom) == Some(most));
        let mut both = Self::default();
        for (atom, between) in between {
            both.insert(atom, between);
        }
        for (atom, most) in below {
            both.put_below(*atom, Rc::clone(most));
        }
        both
    }
}

/// What a path's conditions say of numbers that are more than one atom.
#[derive(Clone, Default)]
pub(super) struct Signs {
    pub(super) zeros: Vec<Poly>,
    /// Those that are not negative.
    pub(super) at_least_0: Vec<Poly>,
}
