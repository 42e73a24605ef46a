//! The file of baselines: `baselines.sqlite` in the state directory. Counters of short-lived processes are there too.

use hotcell_model::tenant::Tenant;
use hotcell_state::{Contents, Schema, StateError, StateFile};
use rusqlite::{Connection, OptionalExtension, params};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, TryLockError};

/// The file's name.
const NAME: &str = "baselines.sqlite";

/// What the file is. Keys and owners are parts of digests: whoever reads it does not learn who ran what.
const SCHEMA: Schema = Schema {
    // `htwb`.
    application: 0x6874_7762,
    version: 1,
    contents: Contents {
        what: "baselines",
        afresh: "baselines are learned anew",
    },
    // A power failure costs what was learned lately, and commands that end at once do not wait for each other.
    is_synced_at_end: false,
    tables: "
        CREATE TABLE class (
            kind INTEGER NOT NULL,
            key BLOB NOT NULL,
            owner INTEGER NOT NULL,
            used_s INTEGER NOT NULL,
            figures BLOB NOT NULL,
            PRIMARY KEY (kind, key)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE counter (
            series TEXT NOT NULL PRIMARY KEY,
            value INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
    ",
};

/// How many classes go at once where there are too many.
const DROPPED: i64 = 64;

/// What a class is stored under.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// Classes of compilations, those of launches, or counts of compilations.
    pub(crate) kind: i64,
    /// What it is found by.
    pub(crate) key: [u8; 16],
    /// Whose it is.
    pub(crate) owner: i64,
}

/// The open file.
pub(crate) struct Store {
    file: StateFile,
    path: PathBuf,
}

impl Store {
    /// Opens the file in that directory, or makes it where there is none.
    pub(crate) fn open(directory: &Path) -> Result<Self, StateError> {
        let path = directory.join(NAME);
        let file = StateFile::open(&path, &SCHEMA)?;
        Ok(Self { file, path })
    }

    /// Opens the file again where it was replaced, so that only what was tried once is lost.
    fn again(&mut self, error: StateError) -> StateError {
        if matches!(error, StateError::Replaced { .. })
            && let Ok(file) = StateFile::open(&self.path, &SCHEMA)
        {
            self.file = file;
        }
        error
    }

    /// Reads the figures of a class.
    pub(crate) fn read(
        &mut self,
        kind: i64,
        key: &[u8; 16],
    ) -> Result<Option<Vec<u8>>, StateError> {
        let read = self.file.look(|rows| read(rows, kind, key));
        read.map_err(|error| self.again(error))
    }

    /// Joins the figures of classes with what others have stored meanwhile, in one transaction, and keeps at most so many
    /// classes of a kind. `join` is given the position of a class and what is stored of it.
    pub(crate) fn merge(
        &mut self,
        places: &[Place],
        most: i64,
        now_s: i64,
        mut join: impl FnMut(usize, Option<&[u8]>) -> Vec<u8>,
    ) -> Result<(), StateError> {
        let merged = self.file.change(|rows| {
            for (at, place) in places.iter().enumerate() {
                let stored = read(rows, place.kind, &place.key)?;
                let joined = join(at, stored.as_deref());
                rows.prepare_cached("REPLACE INTO class VALUES (?1, ?2, ?3, ?4, ?5)")?
                    .execute(params![place.kind, place.key, place.owner, now_s, joined])?;
            }
            let mut kinds: Vec<i64> = places.iter().map(|place| place.kind).collect();
            kinds.sort_unstable();
            kinds.dedup();
            kinds
                .into_iter()
                .try_for_each(|kind| trim(rows, kind, most))
        });
        merged.map_err(|error| self.again(error))
    }

    /// Adds to counters, and hands all that are stored to `then`, before anybody else can add.
    pub(crate) fn count<T>(
        &mut self,
        more: &[(String, u64)],
        then: impl FnOnce(&[(String, u64)]) -> T,
    ) -> Result<T, StateError> {
        let counted = self.file.change(|rows| {
            let mut add = rows.prepare_cached(
                "INSERT INTO counter VALUES (?1, ?2) ON CONFLICT (series) DO UPDATE SET value = min(9223372036854775807 - excluded.value, value) + excluded.value",
            )?;
            for (series, value) in more {
                add.execute(params![series, i64::try_from(*value).unwrap_or(i64::MAX)])?;
            }
            let mut all = rows.prepare_cached("SELECT series, value FROM counter")?;
            let row = |row: &rusqlite::Row<'_>| {
                let value: i64 = row.get(1)?;
                Ok((row.get(0)?, u64::try_from(value).unwrap_or(0)))
            };
            let all = all.query_map([], row)?.collect::<rusqlite::Result<Vec<_>>>()?;
            Ok(then(&all))
        });
        counted.map_err(|error| self.again(error))
    }

    /// How many classes of a kind there are.
    #[cfg(test)]
    pub(crate) fn classes(&mut self, kind: i64) -> Result<i64, StateError> {
        self.file.look(|rows| count(rows, kind))
    }
}

fn read(rows: &Connection, kind: i64, key: &[u8; 16]) -> rusqlite::Result<Option<Vec<u8>>> {
    rows.prepare_cached("SELECT figures FROM class WHERE kind = ?1 AND key = ?2")?
        .query_row(params![kind, key], |row| row.get(0))
        .optional()
}

fn count(rows: &Connection, kind: i64) -> rusqlite::Result<i64> {
    rows.prepare_cached("SELECT count(*) FROM class WHERE kind = ?1")?
        .query_row([kind], |row| row.get(0))
}

/// Has the classes go that were used longest ago, of whoever has the most, until no more than so many are left.
fn trim(rows: &Connection, kind: i64, most: i64) -> rusqlite::Result<()> {
    loop {
        let excess = count(rows, kind)? - most;
        if excess <= 0 {
            return Ok(());
        }
        let dropped = rows
            .prepare_cached(
                "DELETE FROM class WHERE kind = ?1 AND key IN (
                     SELECT key FROM class WHERE kind = ?1 AND owner = (
                         SELECT owner FROM class WHERE kind = ?1 GROUP BY owner ORDER BY count(*) DESC LIMIT 1
                     ) ORDER BY used_s LIMIT ?2
                 )",
            )?
            .execute(params![kind, excess.min(DROPPED)])?;
        if dropped == 0 {
            return Ok(());
        }
    }
}

/// The store, unless another thread uses it, which may take as long as other processes make it wait.
pub(crate) fn try_lock(store: &Mutex<Store>) -> Option<MutexGuard<'_, Store>> {
    match store.try_lock() {
        Ok(store) => Some(store),
        Err(TryLockError::Poisoned(store)) => Some(store.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

/// A tenant as a number that every process makes of its name, and from which no name comes back.
pub(crate) fn tenant_number(tenant: &Tenant) -> u32 {
    let digest = blake3::hash(tenant.as_str().as_bytes());
    let [a, b, c, d, ..] = *digest.as_bytes();
    u32::from_le_bytes([a, b, c, d])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(owner: i64, number: u8) -> Place {
        Place {
            kind: 1,
            key: [number; 16],
            owner,
        }
    }

    #[test]
    fn whoever_has_the_most_makes_room() {
        let base = tempfile::tempdir().unwrap();
        let mut store = Store::open(&base.path().join("state")).unwrap();
        let own: Vec<Place> = (0..3).map(|at| place(1, at)).collect();
        store
            .merge(&own, 8, 1, |at, _| vec![u8::try_from(at).unwrap()])
            .unwrap();
        for now in 0..10 {
            let flood: Vec<Place> = (0..10).map(|at| place(2, 100 + 10 * at + now)).collect();
            store
                .merge(&flood, 8, 2 + i64::from(now), |_, _| vec![9])
                .unwrap();
        }
        assert_eq!(store.classes(1).unwrap(), 8);
        for (at, place) in own.iter().enumerate() {
            let stored = store.read(1, &place.key).unwrap();
            assert_eq!(stored, Some(vec![u8::try_from(at).unwrap()]));
        }
    }

    #[test]
    fn what_is_joined_is_what_is_stored() {
        let base = tempfile::tempdir().unwrap();
        let mut store = Store::open(&base.path().join("state")).unwrap();
        let append = |_: usize, stored: Option<&[u8]>| {
            let mut joined = stored.unwrap_or_default().to_vec();
            joined.push(7);
            joined
        };
        for _ in 0..3 {
            store.merge(&[place(1, 1)], 8, 1, append).unwrap();
        }
        assert_eq!(store.read(1, &[1; 16]).unwrap(), Some(vec![7; 3]));
    }

    #[test]
    fn a_file_that_was_replaced_is_opened_again() {
        let base = tempfile::tempdir().unwrap();
        let directory = base.path().join("state");
        let mut store = Store::open(&directory).unwrap();
        for entry in std::fs::read_dir(&directory).unwrap() {
            std::fs::remove_file(entry.unwrap().path()).unwrap();
        }
        let lost = store.merge(&[place(1, 1)], 8, 1, |_, _| vec![7]);
        assert!(matches!(lost, Err(StateError::Replaced { .. })), "{lost:?}");
        store.merge(&[place(1, 1)], 8, 1, |_, _| vec![7]).unwrap();
        let mut other = Store::open(&directory).unwrap();
        assert_eq!(other.read(1, &[1; 16]).unwrap(), Some(vec![7]));
    }

    #[test]
    fn counters_add_up() {
        let base = tempfile::tempdir().unwrap();
        let mut store = Store::open(&base.path().join("state")).unwrap();
        let more = [("a".to_owned(), 2), ("b".to_owned(), u64::MAX)];
        store.count(&more[..1], |_| ()).unwrap();
        let all = store.count(&more[..1], <[_]>::to_vec).unwrap();
        assert_eq!(all, [("a".to_owned(), 4)]);
        // What is too large is as large as can be, and nothing fails.
        for _ in 0..2 {
            let all = store.count(&more[1..], <[_]>::to_vec).unwrap();
            let most = u64::try_from(i64::MAX).unwrap();
            assert_eq!(all, [("a".to_owned(), 4), ("b".to_owned(), most)]);
        }
    }
}
