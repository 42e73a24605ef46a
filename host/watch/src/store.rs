//! The file of baselines: `baselines.sqlite` in the state directory. Counters of short-lived processes are there too.

use crate::baseline::class::{self, Class, FIGURES, Key};
use crate::baseline::window::Value;
use hotcell_state::{Contents, Schema, StateError, StateFile};
use rusqlite::{Connection, OptionalExtension, params};
use std::path::Path;

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

/// What a class is stored with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// Compilations, or launches.
    pub(crate) kind: i64,
    /// What it is found by.
    pub(crate) key: Key,
    /// Whose it is.
    pub(crate) owner: i64,
}

/// The open file.
pub(crate) struct Store(StateFile);

impl Store {
    /// Opens the file in that directory, or makes it where there is none.
    pub(crate) fn open(directory: &Path) -> Result<Self, StateError> {
        StateFile::open(&directory.join(NAME), &SCHEMA).map(Self)
    }

    /// Reads a class.
    pub(crate) fn read(&mut self, kind: i64, key: &Key) -> Result<Option<Class>, StateError> {
        let values = self.0.look(|rows| read(rows, kind, key))?;
        Ok(values.map(|values| Class::of(&values)))
    }

    /// Joins classes with what others have stored meanwhile, in one transaction, and keeps at most so many of a kind. Returns
    /// what is stored now.
    pub(crate) fn merge(
        &mut self,
        classes: &[(Place, Class)],
        most: i64,
        now_s: i64,
    ) -> Result<Vec<[Vec<Value>; FIGURES]>, StateError> {
        self.0.change(|rows| {
            let merged = classes.iter().map(|(place, class)| {
                let stored = read(rows, place.kind, &place.key)?.unwrap_or_default();
                let merged = std::array::from_fn(|at| class.figures[at].merged(&stored[at]));
                rows.prepare_cached("REPLACE INTO class VALUES (?1, ?2, ?3, ?4, ?5)")?
                    .execute(params![
                        place.kind,
                        place.key.0,
                        place.owner,
                        now_s,
                        class::encode(&merged)
                    ])?;
                Ok(merged)
            });
            let merged = merged.collect::<rusqlite::Result<Vec<_>>>()?;
            let mut kinds: Vec<i64> = classes.iter().map(|(place, _)| place.kind).collect();
            kinds.sort_unstable();
            kinds.dedup();
            kinds
                .into_iter()
                .try_for_each(|kind| trim(rows, kind, most))?;
            Ok(merged)
        })
    }

    /// Adds to counters, and hands all that are stored to `then`, before anybody else can add.
    pub(crate) fn count<T>(
        &mut self,
        more: &[(String, u64)],
        then: impl FnOnce(&[(String, u64)]) -> T,
    ) -> Result<T, StateError> {
        self.0.change(|rows| {
            let mut add = rows.prepare_cached(
                "INSERT INTO counter VALUES (?1, ?2) ON CONFLICT (series) DO UPDATE SET value = value + excluded.value",
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
        })
    }

    /// How many classes of a kind there are.
    #[cfg(test)]
    pub(crate) fn classes(&mut self, kind: i64) -> Result<i64, StateError> {
        self.0.look(|rows| count(rows, kind))
    }
}

/// The values of a class. What is not to be read counts as nothing: it is learned anew.
fn read(
    rows: &Connection,
    kind: i64,
    key: &Key,
) -> rusqlite::Result<Option<[Vec<Value>; FIGURES]>> {
    let figures: Option<Vec<u8>> = rows
        .prepare_cached("SELECT figures FROM class WHERE kind = ?1 AND key = ?2")?
        .query_row(params![kind, key.0], |row| row.get(0))
        .optional()?;
    Ok(figures.and_then(|bytes| class::decode(&bytes)))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn class(level: i32) -> Class {
        let values = vec![Value { level, source: 0 }; 3];
        Class::of(&[values, Vec::new(), Vec::new(), Vec::new()])
    }

    fn place(owner: i64, number: u8) -> Place {
        Place {
            kind: 1,
            key: Key([number; 16]),
            owner,
        }
    }

    #[test]
    fn whoever_has_the_most_makes_room() {
        let base = tempfile::tempdir().unwrap();
        let mut store = Store::open(&base.path().join("state")).unwrap();
        let own: Vec<_> = (0..3).map(|at| (place(1, at), class(1))).collect();
        store.merge(&own, 8, 1).unwrap();
        for now in 0..10 {
            let flood = |at: u8| (place(2, 100 + 10 * at + now), class(1));
            let flood: Vec<_> = (0..10).map(flood).collect();
            store.merge(&flood, 8, 2 + i64::from(now)).unwrap();
        }
        assert_eq!(store.classes(1).unwrap(), 8);
        for (place, _) in own {
            assert!(store.read(1, &place.key).unwrap().is_some());
        }
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
        assert_eq!(store.count(&more[1..], <[_]>::len).unwrap(), 2);
    }
}
