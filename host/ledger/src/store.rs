//! The file: an SQLite database that every process of one user may have open.
//!
//! It is in WAL mode, `synchronous = NORMAL`. What is committed is in the kernel's hands, so that the end of a process,
//! by whatever signal, loses nothing. A power failure leaves the file whole and may lose what was committed since the last
//! checkpoint; budgets are then as they were at that time. `FULL` would lose nothing, and would wait for the disk
//! in each draw: milliseconds, for a moment after which nothing that was running runs any more.

use crate::bucket::Bucket;
use crate::error::LedgerError;
use crate::own::{self, FileNumber};
use crate::process::Process;
use hotcell_model::budget::{Rate, Resource};
use hotcell_model::tenant::Tenant;
use rusqlite::config::DbConfig;
use rusqlite::{
    Connection, ErrorCode, OpenFlags, OptionalExtension, Row, TransactionBehavior, params,
};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a process waits for another that has the file locked.
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// `htcl`: which program's file it is. Source: `application_id` of SQLite's file format.
const APPLICATION: i64 = 0x6874_636c;

/// The tables' version.
const VERSION: i64 = 1;

/// A bucket that is full has no row, and a process that holds no place has none.
const SCHEMA: &str = "
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
";

/// How many rows one sweep looks at.
const SWEPT: usize = 256;

/// The open file.
pub(crate) struct Store {
    path: PathBuf,
    number: FileNumber,
    connection: Connection,
}

impl Store {
    /// Opens the file, or makes it where there is none.
    pub(crate) fn open(path: &Path) -> Result<Self, LedgerError> {
        let path = own_path(path)?;
        let number = match find(&path)? {
            Some(number) => number,
            None => {
                create(&path)?;
                find(&path)?.ok_or_else(|| LedgerError::Replaced { path: path.clone() })?
            }
        };
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let opened = Connection::open_with_flags(&path, flags);
        let connection = opened.map_err(|error| explain(&path, error))?;
        let store = Self {
            path,
            number,
            connection,
        };
        store.set_up()?;
        Ok(store)
    }

    fn set_up(&self) -> Result<(), LedgerError> {
        let failed = |error| explain(&self.path, error);
        let connection = &self.connection;
        connection.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
        let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        if number("application_id").map_err(failed)? != APPLICATION {
            return Err(LedgerError::Foreign {
                path: self.path.clone(),
            });
        }
        let found = number("user_version").map_err(failed)?;
        if found > VERSION {
            return Err(LedgerError::Newer {
                path: self.path.clone(),
                found,
                known: VERSION,
            });
        }
        connection
            .set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)
            .and_then(|_| {
                connection.execute_batch(
                    "PRAGMA trusted_schema = OFF;
                     PRAGMA synchronous = NORMAL;
                     PRAGMA journal_size_limit = 1048576;",
                )
            })
            .map_err(failed)
    }

    /// Changes the file in one transaction, which nobody else's comes between.
    pub(crate) fn change<T>(
        &mut self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, LedgerError> {
        self.transact(TransactionBehavior::Immediate, work)
    }

    /// Looks at the file as it is at one moment.
    pub(crate) fn look<T>(
        &mut self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, LedgerError> {
        self.transact(TransactionBehavior::Deferred, work)
    }

    fn transact<T>(
        &mut self,
        behavior: TransactionBehavior,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, LedgerError> {
        // What others open by this path is to be what is written here.
        if own::file(&self.path)? != Some(self.number) {
            let path = self.path.clone();
            return Err(LedgerError::Replaced { path });
        }
        let transact = || {
            let transaction = self.connection.transaction_with_behavior(behavior)?;
            let done = work(&transaction)?;
            transaction.commit()?;
            Ok(done)
        };
        transact().map_err(|error| explain(&self.path, error))
    }

    /// Brings what was committed to the disk, where nobody is in the way.
    pub(crate) fn checkpoint(&self) -> Result<(), LedgerError> {
        self.connection
            .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
            .map_err(|error| explain(&self.path, error))
    }
}

/// The path with its directory resolved, which is the caller's own.
fn own_path(path: &Path) -> Result<PathBuf, LedgerError> {
    let io = |source| LedgerError::Io {
        path: path.to_owned(),
        source,
    };
    let name = path.file_name();
    let name = name.ok_or_else(|| io(io::ErrorKind::InvalidInput.into()))?;
    let path = std::path::absolute(path).map_err(io)?;
    let directory = path.parent().unwrap_or(&path);
    own::directory(directory)?;
    Ok(directory.canonicalize().map_err(io)?.join(name))
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut beside = path.as_os_str().to_owned();
    beside.push(suffix);
    beside.into()
}

/// The file, if it and what is beside it is the caller's own.
fn find(path: &Path) -> Result<Option<FileNumber>, LedgerError> {
    let mut found = own::file(path)?;
    for suffix in own::BESIDE {
        let beside = beside(path, suffix);
        if own::file(&beside)?.is_none() || found.is_some() {
            continue;
        }
        // Another process may have made both meanwhile. It made the file first.
        found = own::file(path)?;
        if found.is_none() {
            let path = path.to_owned();
            return Err(LedgerError::Missing { path, beside });
        }
    }
    Ok(found)
}

/// Makes the file beside its place and links it there, so that nobody opens half of one and an empty file is never taken
/// for a new one. If another process was faster, its file is the one.
fn create(path: &Path) -> Result<(), LedgerError> {
    let io = |source| LedgerError::Io {
        path: path.to_owned(),
        source,
    };
    let directory = path.parent().unwrap_or(path);
    let nest = tempfile::Builder::new()
        .prefix(".budgets-")
        .tempdir_in(directory)
        .map_err(io)?;
    let new = nest.path().join("new");
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&new);
    drop(file.map_err(io)?);
    write_schema(&new).map_err(|error| explain(path, error))?;
    match std::fs::hard_link(&new, path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(io(error)),
        _ => File::open(directory)
            .and_then(|directory| directory.sync_all())
            .map_err(io),
    }
}

fn write_schema(path: &Path) -> rusqlite::Result<()> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    connection.execute_batch(&format!(
        "BEGIN; {SCHEMA} PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION}; COMMIT;"
    ))?;
    connection.close().map_err(|(_, error)| error)
}

fn explain(path: &Path, source: rusqlite::Error) -> LedgerError {
    let path = path.to_owned();
    match source.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => LedgerError::Foreign { path },
        Some(ErrorCode::DatabaseCorrupt) => LedgerError::Damaged { path, source },
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => LedgerError::Busy {
            path,
            waited: BUSY_TIMEOUT,
        },
        Some(_) => LedgerError::Sqlite { path, source },
        None if is_about_a_row(&source) => LedgerError::Damaged { path, source },
        None => LedgerError::Sqlite { path, source },
    }
}

/// Whether a row has what is never written.
fn is_about_a_row(error: &rusqlite::Error) -> bool {
    use rusqlite::Error as E;
    matches!(
        error,
        E::FromSqlConversionFailure(..)
            | E::IntegralValueOutOfRange(..)
            | E::InvalidColumnType(..)
            | E::Utf8Error(..)
    )
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
