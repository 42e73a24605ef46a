//! `hotcell audit`

mod find;
mod prove;
mod verify;

pub(crate) use find::{RangeArguments, check_range, each};

use crate::exit::CommandError;
use crate::host::places;
use crate::say::print;
use anyhow::{Result, anyhow};
use clap::{Args, Subcommand};
use hotcell::outcome::OutcomeKind;
use hotcell_audit::note::VerifierKey;
use hotcell_audit::{AuditError, HostKey};
use hotcell_desk::record::audit_directory;
use std::path::PathBuf;

/// Verify the audit log, prove what is in it, and find records.
#[derive(Args)]
pub(crate) struct AuditCommand {
    #[command(subcommand)]
    action: AuditAction,
}

#[derive(Subcommand)]
enum AuditAction {
    /// Say whether the log is what was signed of it, and where it is not
    Verify(Box<verify::VerifyCommand>),
    /// Print a proof that a record is in the log, which shows no other record
    Prove(prove::ProveCommand),
    /// Say whether a proof proves that its record is in the log
    CheckProof(prove::CheckProofCommand),
    /// Print the newest records
    Tail(find::TailCommand),
    /// Print the records that something holds for
    Query(find::QueryCommand),
    /// Print records for other programs, one a line
    Export(find::ExportCommand),
    /// Print the public key of each log, for whoever verifies it or witnesses its checkpoints
    Key {
        #[command(flatten)]
        logs: LogsArgument,
    },
}

/// Which logs.
#[derive(Args)]
pub(crate) struct LogsArgument {
    /// The directory of the logs [default: `audit` in hotcell's state directory]
    #[arg(long, value_name = "DIRECTORY")]
    directory: Option<PathBuf>,
}

impl LogsArgument {
    /// The directory, which is there.
    pub(crate) fn directory(&self) -> Result<PathBuf> {
        let directory = match &self.directory {
            Some(directory) => directory.clone(),
            None => audit_directory(&places()?),
        };
        match directory.is_dir() {
            true => Ok(directory),
            false => Err(CommandError::of(
                OutcomeKind::Io,
                anyhow!("there is no audit log at {}", directory.display()),
            )),
        }
    }
}

/// Whose logs they are.
#[derive(Args)]
pub(crate) struct KeyArgument {
    /// The public key of one of the host's logs, as `hotcell audit key` prints it there [default: the key beside the logs]
    #[arg(long, value_name = "KEY")]
    key: Option<VerifierKey>,
}

impl KeyArgument {
    /// The host's key, if one is given.
    fn given(&self) -> Option<HostKey> {
        self.key.as_ref().map(HostKey::of_verifier)
    }
}

impl AuditCommand {
    /// Does what is asked; returns the exit code.
    pub(crate) fn execute(self) -> Result<u8> {
        match self.action {
            AuditAction::Verify(command) => command.execute(),
            AuditAction::Prove(command) => command.execute().map(|()| 0),
            AuditAction::CheckProof(command) => command.execute(),
            AuditAction::Tail(command) => command.execute().map(|()| 0),
            AuditAction::Query(command) => command.execute().map(|()| 0),
            AuditAction::Export(command) => command.execute().map(|()| 0),
            AuditAction::Key { logs } => keys(&logs),
        }
    }
}

/// An error of the logs, with its exit code.
pub(crate) fn failed(error: AuditError) -> anyhow::Error {
    CommandError::of(OutcomeKind::Io, error)
}

fn keys(logs: &LogsArgument) -> Result<u8> {
    let directory = logs.directory()?;
    let key = own_key(&directory)?;
    for log in hotcell_audit::log::names(&directory).map_err(failed)? {
        if let Some(verifier) = key.verifier(&log) {
            print(format_args!("{verifier}\n"))?;
        }
    }
    Ok(0)
}

/// The key beside the logs.
fn own_key(directory: &std::path::Path) -> Result<HostKey> {
    let key = HostKey::of(directory).map_err(failed)?;
    key.ok_or_else(|| {
        let message = "there is no key beside the logs; give the public one with --key";
        CommandError::of(OutcomeKind::Usage, anyhow!(message))
    })
}
