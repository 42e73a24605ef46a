//! The classes in memory: at most so many, and no tenant can have those of others go.
//!
//! What is asked for and is not here is read from the store once. What was learned is written back in batches, joined there with
//! what other processes learned meanwhile.

use crate::baseline::class::{self, Class, FIGURES, Key};
use crate::baseline::track::Known;
use crate::store::{self, Place, Store};
use hotcell_state::StateError;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Which classes: those of compilations, which all tenants share, or those of launches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// Compilations.
    Compilation = 0,
    /// Launches.
    Launch = 1,
}

impl Kind {
    /// How many are kept, in memory and in the store.
    const fn most(self) -> usize {
        match self {
            Self::Compilation => 512,
            Self::Launch => 2048,
        }
    }
}

struct Entry {
    class: Class,
    owner: i64,
    used: u64,
}

#[derive(Default)]
struct Classes {
    entries: HashMap<Key, Entry>,
    owners: HashMap<i64, usize>,
    clock: u64,
}

/// The classes of one kind.
pub(crate) struct Table {
    kind: Kind,
    classes: Mutex<Classes>,
}

impl Table {
    /// None yet.
    pub(crate) fn new(kind: Kind) -> Self {
        Self {
            kind,
            classes: Mutex::default(),
        }
    }

    /// Works on a class, which is read from the store if it is not here and nobody uses the store. That it cannot be read is told to
    /// `failed`.
    pub(crate) fn with<T>(
        &self,
        key: Key,
        owner: i64,
        store: Option<&Mutex<Store>>,
        failed: impl FnOnce(StateError),
        work: impl FnOnce(&mut Class) -> T,
    ) -> T {
        let mut classes = self.classes();
        if let Some(entry) = classes.touch(&key) {
            return work(&mut entry.class);
        }
        drop(classes);
        let stored = store.map_or(Ok(None), |store| {
            // Nobody waits for a store that is in use. What is learned from nothing is joined with what is stored.
            let store = store::try_lock(store);
            store.map_or(Ok(None), |mut store| store.read(self.kind as i64, &key.0))
        });
        let stored = stored.unwrap_or_else(|error| {
            failed(error);
            None
        });
        // What is not to be read counts as nothing: it is learned anew.
        let known = stored.and_then(|bytes| class::decode(&bytes));
        let class = known.map(|known| Class::of(&known));
        let mut classes = self.classes();
        // Another thread may have been faster.
        if classes.touch(&key).is_none() {
            classes.insert(key, class.unwrap_or_default(), owner, self.kind.most());
        }
        match classes.touch(&key) {
            Some(entry) => work(&mut entry.class),
            None => work(&mut Class::default()),
        }
    }

    /// Writes what was learned, and says whether there was something. What cannot be written is kept, and written another time.
    pub(crate) fn flush(&self, store: &Mutex<Store>, now_s: i64) -> Result<bool, StateError> {
        let fresh = self.classes().fresh(self.kind);
        if fresh.is_empty() {
            return Ok(false);
        }
        let (places, written): (Vec<Place>, Vec<Class>) = fresh.into_iter().unzip();
        let most = i64::try_from(self.kind.most()).unwrap_or(i64::MAX);
        let mut joined: Vec<[Known; FIGURES]> = Vec::with_capacity(places.len());
        let mut store = store.lock().unwrap_or_else(PoisonError::into_inner);
        store.merge(&places, most, now_s, |at, stored| {
            let stored = stored.and_then(class::decode).unwrap_or_default();
            let figures = &written[at].figures;
            let known = std::array::from_fn(|at| figures[at].merged(&stored[at]));
            let bytes = class::encode(&known);
            joined.push(known);
            bytes
        })?;
        let mut classes = self.classes();
        for ((place, written), known) in places.iter().zip(&written).zip(&joined) {
            let Some(entry) = classes.entries.get_mut(&Key(place.key)) else {
                continue;
            };
            let figures = entry.class.figures.iter_mut().zip(&written.figures);
            for ((figure, written), known) in figures.zip(known) {
                figure.stored(known, written);
            }
        }
        Ok(true)
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u64 {
        u64::try_from(self.classes().entries.len()).unwrap_or(u64::MAX)
    }

    fn classes(&self) -> MutexGuard<'_, Classes> {
        self.classes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Classes {
    fn touch(&mut self, key: &Key) -> Option<&mut Entry> {
        self.clock += 1;
        let entry = self.entries.get_mut(key)?;
        entry.used = self.clock;
        Some(entry)
    }

    fn insert(&mut self, key: Key, class: Class, owner: i64, most: usize) {
        if self.entries.len() >= most {
            self.make_room();
        }
        let used = self.clock;
        let entry = Entry { class, owner, used };
        if self.entries.insert(key, entry).is_none() {
            *self.owners.entry(owner).or_default() += 1;
        }
    }

    /// Forgets an eighth of the classes of whoever has the most: those used longest ago.
    fn make_room(&mut self) {
        let most = self.owners.iter().max_by_key(|(_, count)| **count);
        let Some((owner, count)) = most.map(|(owner, count)| (*owner, *count)) else {
            return;
        };
        let own = self
            .entries
            .iter()
            .filter(|(_, entry)| entry.owner == owner);
        let mut own: Vec<(u64, Key)> = own.map(|(key, entry)| (entry.used, *key)).collect();
        own.sort_unstable();
        own.truncate(count.div_ceil(8));
        for (_, key) in &own {
            self.entries.remove(key);
        }
        match self.owners.get_mut(&owner) {
            Some(left) if *left > own.len() => *left -= own.len(),
            _ => {
                self.owners.remove(&owner);
            }
        }
    }

    fn fresh(&self, kind: Kind) -> Vec<(Place, Class)> {
        let place = |key: &Key, entry: &Entry| Place {
            kind: kind as i64,
            key: key.0,
            owner: entry.owner,
        };
        let fresh = self
            .entries
            .iter()
            .filter(|(_, entry)| entry.class.is_fresh());
        fresh
            .map(|(key, entry)| (place(key, entry), entry.class.clone()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::baseline::track::{Rule, Verdict};

    const RULE: Rule = Rule {
        ratio: 1623,
        excess: 0,
    };

    fn key(number: u64) -> Key {
        let mut key = [0; 16];
        key[..8].copy_from_slice(&number.to_le_bytes());
        Key(key)
    }

    fn learn(
        table: &Table,
        store: Option<&Mutex<Store>>,
        number: u64,
        owner: i64,
        amount: u64,
    ) -> Verdict {
        let failed = |error| panic!("{error}");
        table.with(key(number), owner, store, failed, |class| {
            class.figures[0].judge(amount, 1, 0, RULE)
        })
    }

    #[test]
    fn a_tenant_who_makes_up_classes_forgets_its_own() {
        let table = Table::new(Kind::Launch);
        for number in 0..100 {
            learn(&table, None, number, 1, 5);
        }
        for number in 1000..20_000 {
            learn(&table, None, number, 2, 5);
        }
        assert!(table.count() <= 2048);
        let classes = table.classes();
        assert!((0..100).all(|number| classes.entries.contains_key(&key(number))));
        let owned = classes.owners.values().sum::<usize>();
        assert_eq!(owned, classes.entries.len());
    }

    #[test]
    fn processes_that_share_a_state_directory_learn_from_each_other() {
        let base = tempfile::tempdir().unwrap();
        let directory = base.path().join("state");
        let open = || Mutex::new(Store::open(&directory).unwrap());
        let (one, other) = (open(), open());
        let (first, second) = (Table::new(Kind::Launch), Table::new(Kind::Launch));
        for _ in 0..10 {
            learn(&first, Some(&one), 1, 1, 100);
            learn(&second, Some(&other), 1, 1, 100);
        }
        first.flush(&one, 1).unwrap();
        second.flush(&other, 1).unwrap();
        let third = Table::new(Kind::Launch);
        let verdict = learn(&third, Some(&one), 1, 1, 1000);
        let Verdict::Far(usual) = verdict else {
            panic!("{verdict:?}");
        };
        assert_eq!(usual.values, 20);
        // A store that is in use is waited for by nobody, and what is there is joined later.
        let fourth = Table::new(Kind::Launch);
        let held = one.lock().unwrap();
        let verdict = learn(&fourth, Some(&one), 1, 1, 100);
        drop(held);
        assert_eq!(verdict, Verdict::Usual);
        fourth.flush(&one, 2).unwrap();
        let Verdict::Far(usual) = learn(&fourth, Some(&one), 1, 1, 1000) else {
            panic!("it knows now");
        };
        assert_eq!(usual.values, 21);
        // Nothing fresh, nothing written twice.
        second.flush(&other, 2).unwrap();
        assert_eq!(second.classes().fresh(Kind::Launch).len(), 0);
    }
}
