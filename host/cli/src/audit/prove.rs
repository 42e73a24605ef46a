//! `hotcell audit prove` and `hotcell audit check-proof`

use super::verify::BROKEN;
use super::{KeyArgument, LogsArgument, own_key};
use crate::exit::CommandError;
use crate::say::{note, print};
use anyhow::{Context, Result, anyhow};
use clap::Args;
use hotcell::outcome::OutcomeKind;
use hotcell_audit::prove::{Proof, ProveError, RecordId, prove};
use hotcell_formats::open_regular;
use std::io::Read;
use std::path::{Path, PathBuf};

/// A proof is small; a larger file is none.
const PROOF_BYTES: u64 = 1 << 20;

/// Print a proof that a record is in the log, which shows no other record.
///
/// It is JSON with the record, its place, the hashes beside its path to the root of the tree, and the signed root.
#[derive(Args)]
pub(crate) struct ProveCommand {
    /// The id of a launch as reports have it, of which the last record is proven, or a place as `log-0001:17`
    record: RecordId,
    /// Print it as C2SP's tlog-proof, with the record as its extra data
    #[arg(long)]
    tlog_proof: bool,
    #[command(flatten)]
    key: KeyArgument,
    #[command(flatten)]
    logs: LogsArgument,
}

impl ProveCommand {
    /// Prints the proof.
    pub(crate) fn execute(self) -> Result<()> {
        let directory = self.logs.directory()?;
        let key = match self.key.given() {
            Some(key) => key,
            None => own_key(&directory)?,
        };
        let proof = prove(&directory, &key, &self.record).map_err(|error| {
            let kind = match &error {
                ProveError::NotFound(_) => OutcomeKind::Usage,
                ProveError::Audit(_) | ProveError::Unsigned(_) => OutcomeKind::Io,
            };
            CommandError::of(kind, error)
        })?;
        match self.tlog_proof {
            true => print(proof.to_tlog_proof()),
            false => print(format_args!("{}\n", serde_json::to_string_pretty(&proof)?)),
        }
    }
}

/// Say whether a proof proves that its record is in the log of the host whose public key is given.
///
/// Exit code 0 if it does, 23 if it does not.
#[derive(Args)]
pub(crate) struct CheckProofCommand {
    /// The proof, or - for the standard input
    #[arg(value_name = "FILE|-")]
    proof: PathBuf,
    #[command(flatten)]
    key: KeyArgument,
    #[command(flatten)]
    logs: LogsArgument,
}

impl CheckProofCommand {
    /// Says it.
    pub(crate) fn execute(self) -> Result<u8> {
        let key = match self.key.given() {
            Some(key) => key,
            None => own_key(&self.logs.directory()?)?,
        };
        let proof = read(&self.proof)
            .with_context(|| format!("cannot read the proof {}", self.proof.display()))
            .map_err(|error| CommandError::of(OutcomeKind::Io, error))?;
        match proof.check(&key) {
            Ok(checkpoint) => {
                note(format_args!(
                    "proven: record {} of {} records of {}",
                    proof.index, checkpoint.size, checkpoint.origin
                ))?;
                Ok(0)
            }
            Err(error) => Err(CommandError {
                code: BROKEN,
                source: anyhow!(error).context("not proven"),
            }
            .into()),
        }
    }
}

fn read(path: &Path) -> Result<Proof> {
    let mut json = Vec::new();
    match path.as_os_str() == "-" {
        true => std::io::stdin()
            .lock()
            .take(PROOF_BYTES)
            .read_to_end(&mut json)?,
        false => open_regular(path)?
            .take(PROOF_BYTES)
            .read_to_end(&mut json)?,
    };
    Ok(serde_json::from_slice(&json)?)
}
