//! The file: an SQLite database that every process of one user may have open.
//!
//! It is in WAL mode, `synchronous = NORMAL`. What is committed is in the kernel's hands, so that the end of a process,
//! by whatever signal, loses nothing. A power failure leaves the file whole and may lose what was committed since the last
//! checkpoint. `FULL` would lose nothing, and would wait for the disk in each change: milliseconds, for a moment after which
//! nothing that was running runs any more.

use crate::error::{Contents, StateError};
use crate::own::{self, FileNumber};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a process waits for another that has the file locked.
pub const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// What a file is.
#[derive(Clone, Copy, Debug)]
pub struct Schema {
    /// Which program's file it is. Source: `application_id` of SQLite's file format.
    pub application: i32,
    /// The tables' version.
    pub version: i64,
    /// What it holds, in words.
    pub contents: Contents,
    /// Whether the last that closes the file brings it to the disk, which others who open it then wait for.
    pub is_synced_at_end: bool,
    /// The statements that make the tables of a new file.
    pub tables: &'static str,
}

/// The open file.
pub struct StateFile {
    path: PathBuf,
    number: FileNumber,
    connection: Connection,
    contents: Contents,
}

impl StateFile {
    /// Opens the file, or makes it where there is none: mode 0600, in a directory of the caller's own.
    ///
    /// # Errors
    /// As [`StateError`] says; among them a path that is not the caller's own and a file that is not to be read.
    pub fn open(path: &Path, schema: &Schema) -> Result<Self, StateError> {
        let contents = schema.contents;
        let path = own_path(path)?;
        let number = match find(&path, contents)? {
            Some(number) => number,
            None => {
                create(&path, schema)?;
                find(&path, contents)?.ok_or_else(|| StateError::Replaced { path: path.clone() })?
            }
        };
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let opened = Connection::open_with_flags(&path, flags);
        let connection = opened.map_err(|error| explain(&path, contents, error))?;
        let store = Self {
            path,
            number,
            connection,
            contents: schema.contents,
        };
        store.set_up(schema)?;
        Ok(store)
    }

    fn set_up(&self, schema: &Schema) -> Result<(), StateError> {
        let failed = |error| explain(&self.path, self.contents, error);
        let connection = &self.connection;
        connection.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
        let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        if number("application_id").map_err(failed)? != i64::from(schema.application) {
            return Err(StateError::Foreign {
                path: self.path.clone(),
                contents: self.contents,
            });
        }
        let found = number("user_version").map_err(failed)?;
        if found > schema.version {
            return Err(StateError::Newer {
                path: self.path.clone(),
                found,
                known: schema.version,
            });
        }
        connection
            .set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)
            .and_then(|_| {
                let unsynced = !schema.is_synced_at_end;
                connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, unsynced)
            })
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
    ///
    /// # Errors
    /// The file cannot be used, or was replaced; nothing of the change is in it.
    pub fn change<T>(
        &mut self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StateError> {
        self.transact(TransactionBehavior::Immediate, work)
    }

    /// Looks at the file as it is at one moment.
    ///
    /// # Errors
    /// The file cannot be used, or was replaced.
    pub fn look<T>(
        &mut self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StateError> {
        self.transact(TransactionBehavior::Deferred, work)
    }

    fn transact<T>(
        &mut self,
        behavior: TransactionBehavior,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StateError> {
        // What others open by this path is to be what is written here.
        if own::file(&self.path)? != Some(self.number) {
            let path = self.path.clone();
            return Err(StateError::Replaced { path });
        }
        let transact = || {
            let transaction = self.connection.transaction_with_behavior(behavior)?;
            let done = work(&transaction)?;
            transaction.commit()?;
            Ok(done)
        };
        transact().map_err(|error| explain(&self.path, self.contents, error))
    }

    /// Brings what was committed to the disk, where nobody is in the way.
    ///
    /// # Errors
    /// The file cannot be used.
    pub fn checkpoint(&self) -> Result<(), StateError> {
        self.connection
            .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
            .map_err(|error| explain(&self.path, self.contents, error))
    }
}

/// The path with its directory resolved, which is the caller's own.
fn own_path(path: &Path) -> Result<PathBuf, StateError> {
    let io = |source| StateError::Io {
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
fn find(path: &Path, contents: Contents) -> Result<Option<FileNumber>, StateError> {
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
            return Err(StateError::Missing {
                path,
                beside,
                contents,
            });
        }
    }
    Ok(found)
}

/// Makes the file beside its place and links it there, so that nobody opens half of one and an empty file is never taken
/// for a new one. If another process was faster, its file is the one.
fn create(path: &Path, schema: &Schema) -> Result<(), StateError> {
    let io = |source| StateError::Io {
        path: path.to_owned(),
        source,
    };
    let directory = path.parent().unwrap_or(path);
    let nest = tempfile::Builder::new()
        .prefix(".new-")
        .tempdir_in(directory)
        .map_err(io)?;
    let new = nest.path().join("new");
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&new);
    drop(file.map_err(io)?);
    write_schema(&new, schema).map_err(|error| explain(path, schema.contents, error))?;
    match std::fs::hard_link(&new, path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(io(error)),
        _ => File::open(directory)
            .and_then(|directory| directory.sync_all())
            .map_err(io),
    }
}

fn write_schema(path: &Path, schema: &Schema) -> rusqlite::Result<()> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    let Schema {
        application,
        version,
        tables,
        ..
    } = schema;
    connection.execute_batch(&format!(
        "BEGIN; {tables} PRAGMA application_id = {application}; PRAGMA user_version = {version}; COMMIT;"
    ))?;
    connection.close().map_err(|(_, error)| error)
}

fn explain(path: &Path, contents: Contents, source: rusqlite::Error) -> StateError {
    let path = path.to_owned();
    match source.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => StateError::Foreign { path, contents },
        Some(ErrorCode::DatabaseCorrupt) => StateError::Damaged {
            path,
            contents,
            source,
        },
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StateError::Busy {
            path,
            waited: BUSY_TIMEOUT,
        },
        Some(_) => StateError::Sqlite { path, source },
        None if is_about_a_row(&source) => StateError::Damaged {
            path,
            contents,
            source,
        },
        None => StateError::Sqlite { path, source },
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
