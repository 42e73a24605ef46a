//! `hotcell audit verify`

use super::{KeyArgument, LogsArgument, failed, own_key};
use crate::exit::CommandError;
use crate::say::print;
use anyhow::{Result, anyhow};
use clap::Args;
use hotcell::outcome::OutcomeKind;
use hotcell_audit::anchor::WitnessAnchor;
use hotcell_audit::note::VerifierKey;
use hotcell_audit::verify::LogVerification;
use hotcell_audit::{Against, Standing, Verification, verify};
use std::fmt::Write;
use std::path::PathBuf;

/// The exit code where nothing is wrong, and no anchor knows all of the log.
const UNPROVEN: u8 = 1;

/// The exit code where something is not as it was.
pub(super) const BROKEN: u8 = 23;

/// Say whether the log is what was signed of it, and where it is not.
///
/// Exit code 0 if an anchor knows every record and all are as they were; 1 if all is as it was signed, but no anchor knows the
/// last records; 23 if something is not as it was. Whoever has the key can sign another log: only what an anchor has, which they
/// cannot change, speaks against them. Whoever can write to the directory can put another key there: give the public one with
/// --key, as `hotcell audit key` printed it before.
#[derive(Args)]
pub(crate) struct VerifyCommand {
    /// Hold the log against the checkpoints in that file, which an anchor keeps
    #[arg(long, value_name = "FILE")]
    anchor: Vec<PathBuf>,
    /// Ask the witness at that address; its key follows with --witness-key
    #[arg(long, value_name = "URL", requires = "witness_key")]
    witness: Option<String>,
    /// The witness's public key
    #[arg(long, value_name = "KEY", requires = "witness")]
    witness_key: Option<VerifierKey>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    key: KeyArgument,
    #[command(flatten)]
    logs: LogsArgument,
}

impl VerifyCommand {
    /// Says what was found out; returns the exit code that it stands for.
    pub(crate) fn execute(self) -> Result<u8> {
        let directory = self.logs.directory()?;
        let witness = self.witness.as_deref().zip(self.witness_key);
        if let Some((url, _)) = witness
            .as_ref()
            .filter(|(url, _)| !url.starts_with("http://"))
        {
            let message = format!(
                "`{url}` is no address of a witness: one begins with http://, and its answers are signed"
            );
            return Err(CommandError::of(OutcomeKind::Usage, anyhow!(message)));
        }
        let key = self.key.given();
        if key.is_none() {
            own_key(&directory)?;
        }
        let against = Against {
            key,
            files: self.anchor,
            witnesses: witness
                .map(|(url, key)| WitnessAnchor::new(url, key))
                .into_iter()
                .collect(),
        };
        let found = verify(&directory, &against).map_err(failed)?;
        match self.json {
            true => print(format_args!("{}\n", serde_json::to_string_pretty(&found)?))?,
            false => print(text(&found))?,
        }
        Ok(match found.standing {
            Standing::Proven => 0,
            Standing::TailUnproven => UNPROVEN,
            Standing::Broken => BROKEN,
        })
    }
}

fn text(found: &Verification) -> String {
    let mut text = String::new();
    for log in &found.logs {
        text += &of_log(log);
    }
    for problem in &found.problems {
        let _ = writeln!(text, "wrong     {problem}");
    }
    for note in &found.notes {
        let _ = writeln!(text, "note      {note}");
    }
    if found.logs.is_empty() {
        text += "there are no logs\n";
    }
    text
}

fn of_log(log: &LogVerification) -> String {
    let standing = match log.standing {
        Standing::Proven => format!("proven: all {} records are known to an anchor", log.size),
        Standing::TailUnproven if log.anchored == 0 => {
            format!(
                "tail unproven: {} records are as they were signed, and no anchor says that there were no more",
                log.size
            )
        }
        Standing::TailUnproven => format!(
            "tail unproven: an anchor knows {} of {} records, and none says that there were no more",
            log.anchored, log.size
        ),
        Standing::Broken => "broken: something is not as it was".to_owned(),
    };
    let mut text = format!("{}  {standing}\n", log.log);
    for problem in &log.problems {
        let _ = writeln!(text, "wrong     {problem}");
    }
    for note in &log.notes {
        let _ = writeln!(text, "note      {note}");
    }
    let counts = [
        (log.unfinished, "have begun and have no end"),
        (
            log.unknown,
            "were closed as unknown: their writer was killed, or could not write their end",
        ),
        (log.gaps, "say that others could not be written"),
    ];
    for (count, what) in counts.into_iter().filter(|(count, _)| *count != 0) {
        let _ = writeln!(text, "note      {count} records {what}");
    }
    text
}
