//! The file's tables: buckets and places.

use crate::bucket::Bucket;
use crate::error::LedgerError;
use crate::process::Process;
use hotcell_model::budget::{Rate, Resource};
use hotcell_model::tenant::Tenant;
use hotcell_state::{Contents, Schema, StateFile};
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::path::Path;
use std::time::Duration;

/// What the file is. A bucket that is full has no row, and a process that holds no place has none.
const SCHEMA: Schema = Schema {
    // `htcl`.
    application: 0x6874_636c,
    version: 1,
    contents: Contents {
        what: "budgets",
        afresh: "budgets begin full",
    },
    is_synced_at_end: true,
    tables: "
        CREATE TABLE bucket (
            tenant TEXT NOT NULL,
            resource TEXT NOT NULL,
            level INTEGER NOT NULL,
            part INTEGER NOT NULL,
            at_ns INTEGER NOT NULL,
            size INTEGER NOT NULL,
            refill INTEGER NOT NULL,
            per_ns INTEGER NOT NULL,
            PRIMARY KEY (tenant, resource)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE place (
            tenant TEXT NOT NULL,
            kind TEXT NOT NULL,
            boot TEXT NOT NULL,
            namespace INTEGER NOT NULL,
            pid INTEGER NOT NULL,
            started INTEGER NOT NULL,
            instance INTEGER NOT NULL,
            held INTEGER NOT NULL,
            PRIMARY KEY (tenant, kind, boot, namespace, pid, started, instance)
        ) STRICT, WITHOUT ROWID;
    ",
};

/// How many rows one sweep looks at.
const SWEPT: usize = 256;

/// The open file.
pub(crate) struct Store(StateFile);

impl Store {
    /// Opens the file, or makes it where there is none.
    pub(crate) fn open(path: &Path) -> Result<Self, LedgerError> {
        Ok(Self(StateFile::open(path, &SCHEMA)?))
    }

    /// Changes the file in one transaction, which nobody else's comes between.
    pub(crate) fn change<T>(
        &mut self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, LedgerError> {
        Ok(self.0.change(work)?)
    }

    /// Looks at the file as it is at one moment.
    pub(crate) fn look<T>(
        &mut self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, LedgerError> {
        Ok(self.0.look(work)?)
    }

    /// Brings what was committed to the disk, where nobody is in the way.
    pub(crate) fn checkpoint(&self) -> Result<(), LedgerError> {
        Ok(self.0.checkpoint()?)
    }
}

/// A number as the file has it. None is larger: sizes, refills and periods are bounded, places are counted.
fn stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number that is not below zero.
fn count(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let number: i64 = row.get(column)?;
    u64::try_from(number).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, number))
}

/// Reads a bucket from six columns, the first at `from`.
fn bucket(row: &Row<'_>, from: usize) -> rusqlite::Result<Bucket> {
    let part = count(row, from + 1)?;
    let per_ns = count(row, from + 5)?;
    let rate = stored_rate(count(row, from + 3)?, count(row, from + 4)?, per_ns);
    let out_of_range = rusqlite::Error::IntegralValueOutOfRange(from + 5, stored(per_ns));
    Ok(Bucket {
        rate: rate.filter(|_| part < per_ns).ok_or(out_of_range)?,
        level: row.get(from)?,
        part,
        at_ns: row.get(from + 2)?,
    })
}

/// The bucket of a tenant; one that has no row is full.
pub(crate) fn read_bucket(
    rows: &Connection,
    tenant: &Tenant,
    resource: Resource,
) -> rusqlite::Result<Option<Bucket>> {
    rows.prepare_cached(
        "SELECT level, part, at_ns, size, refill, per_ns FROM bucket WHERE tenant = ?1 AND resource = ?2",
    )?
    .query_row(params![tenant.as_str(), resource.name()], |row| bucket(row, 0))
    .optional()
}

/// Writes the bucket of a tenant, as no row if it is full.
pub(crate) fn write_bucket(
    rows: &Connection,
    tenant: &Tenant,
    resource: Resource,
    bucket: &Bucket,
) -> rusqlite::Result<()> {
    if bucket.is_full() {
        return delete_bucket(rows, tenant.as_str(), resource.name());
    }
    rows.prepare_cached("REPLACE INTO bucket VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?
        .execute(params![
            tenant.as_str(),
            resource.name(),
            bucket.level,
            stored(bucket.part),
            bucket.at_ns,
            stored(bucket.rate.size()),
            stored(bucket.rate.refill()),
            stored(bucket.rate.per_ns()),
        ])
        .map(|_| ())
}

fn delete_bucket(rows: &Connection, tenant: &str, resource: &str) -> rusqlite::Result<()> {
    rows.prepare_cached("DELETE FROM bucket WHERE tenant = ?1 AND resource = ?2")?
        .execute([tenant, resource])
        .map(|_| ())
}

/// Deletes the rows of buckets that time has filled, some at a time: those after `from`. Says where to go on.
pub(crate) fn sweep(
    rows: &Connection,
    from: &(String, String),
    now_ns: i64,
) -> rusqlite::Result<(String, String)> {
    let mut all = rows.prepare_cached(
        "SELECT tenant, resource, level, part, at_ns, size, refill, per_ns FROM bucket
         WHERE (tenant, resource) > (?1, ?2) ORDER BY tenant, resource LIMIT ?3",
    )?;
    let read = |row: &Row<'_>| Ok(((row.get(0)?, row.get(1)?), bucket(row, 2)?));
    let found = all.query_map(params![from.0, from.1, stored(SWEPT as u64)], read)?;
    let found: Vec<((String, String), Bucket)> = found.collect::<Result<_, _>>()?;
    for ((tenant, resource), bucket) in &found {
        let mut bucket = *bucket;
        bucket.advance(now_ns);
        if bucket.is_full() {
            delete_bucket(rows, tenant, resource)?;
        }
    }
    let is_last = found.len() < SWEPT;
    let last = found.into_iter().next_back().filter(|_| !is_last);
    Ok(last.map(|(key, _)| key).unwrap_or_default())
}

/// Who holds places: a process may have the file open more than once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Holder {
    /// The process.
    pub(crate) process: Process,
    /// Which of those that it has open.
    pub(crate) instance: i64,
}

/// How many places of a kind each holder has.
pub(crate) fn read_places(
    rows: &Connection,
    tenant: &Tenant,
    kind: &str,
) -> rusqlite::Result<Vec<(Holder, u64)>> {
    rows.prepare_cached(
        "SELECT boot, namespace, pid, started, instance, held FROM place WHERE tenant = ?1 AND kind = ?2",
    )?
    .query_map([tenant.as_str(), kind], |row| Ok((holder(row)?, count(row, 5)?)))?
    .collect()
}

fn holder(row: &Row<'_>) -> rusqlite::Result<Holder> {
    Ok(Holder {
        process: Process {
            boot: row.get(0)?,
            namespace: row.get(1)?,
            pid: row.get(2)?,
            started: row.get(3)?,
        },
        instance: row.get(4)?,
    })
}

/// Writes how many places of a kind that holder has.
pub(crate) fn write_places(
    rows: &Connection,
    tenant: &Tenant,
    kind: &str,
    holder: &Holder,
    held: u64,
) -> rusqlite::Result<()> {
    let Holder { process, instance } = holder;
    let Process {
        boot,
        namespace,
        pid,
        started,
    } = process;
    let tenant = tenant.as_str();
    if held == 0 {
        return rows
            .prepare_cached(
                "DELETE FROM place WHERE tenant = ?1 AND kind = ?2 AND boot = ?3 AND namespace = ?4 AND pid = ?5
                 AND started = ?6 AND instance = ?7",
            )?
            .execute(params![tenant, kind, boot, namespace, pid, started, instance])
            .map(|_| ());
    }
    let held = stored(held);
    rows.prepare_cached("REPLACE INTO place VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?
        .execute(params![
            tenant, kind, boot, namespace, pid, started, instance, held
        ])
        .map(|_| ())
}

/// Deletes the places of processes that are no more, as `this` one sees them.
pub(crate) fn reap(rows: &Connection, this: &Process) -> rusqlite::Result<()> {
    let mut all =
        rows.prepare_cached("SELECT DISTINCT boot, namespace, pid, started, 0 FROM place")?;
    let holders = all.query_map([], holder)?;
    let holders: Vec<Holder> = holders.collect::<Result<_, _>>()?;
    for Holder { process, .. } in holders {
        if process == *this || process.lives(this) {
            continue;
        }
        rows.prepare_cached(
            "DELETE FROM place WHERE boot = ?1 AND namespace = ?2 AND pid = ?3 AND started = ?4",
        )?
        .execute(params![
            process.boot,
            process.namespace,
            process.pid,
            process.started
        ])?;
    }
    Ok(())
}
/// The rate that the file has; whatever it has that is none is `None`.
fn stored_rate(size: u64, refill: u64, per_ns: u64) -> Option<Rate> {
    Rate::new(size, refill, Duration::from_nanos(per_ns)).ok()
}
