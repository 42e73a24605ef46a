//! `hotcell ps` and `hotcell cancel`

use crate::connect::{connect, failed};
use crate::exit::CommandError;
use crate::run::human;
use crate::say::{note, print};
use anyhow::{Result, anyhow};
use clap::Args;
use hotcell::Timestamp;
use hotcell::outcome::OutcomeKind;
use hotcell_serve::client::Client;
use hotcell_serve::protocol::{LaunchState, Stage};
use std::fmt::Write;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

/// How many digits of a launch's id are shown to people.
const SHOWN_DIGITS: usize = 12;

/// Which daemon.
#[derive(Args)]
pub(crate) struct DaemonArgument {
    /// The daemon's socket [default: where `hotcell serve` listens unless told otherwise]
    #[arg(long, value_name = "SOCKET")]
    connect: Option<PathBuf>,
}

impl DaemonArgument {
    /// A connection to it.
    pub(crate) fn client(&self) -> Result<Client> {
        connect(self.connect.as_deref())
    }
}

/// List the launches that a daemon runs: your tenant's, and everybody's for the operator
#[derive(Args)]
pub(crate) struct PsCommand {
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    daemon: DaemonArgument,
}

impl PsCommand {
    /// Prints the launches.
    pub(crate) fn execute(self) -> Result<()> {
        let launches = self.daemon.client()?.list().map_err(failed)?;
        if self.json {
            let json = serde_json::to_string_pretty(&launches)?;
            return print(format_args!("{json}\n"));
        }
        print(table(&launches, SystemTime::now().into()))
    }
}

fn table(launches: &[LaunchState], now: Timestamp) -> String {
    let mut text = String::new();
    let mut row = |cells: [&str; 6]| {
        let [launch, tenant, caller, stage, age, entry] = cells;
        let _ = writeln!(
            text,
            "{launch:<SHOWN_DIGITS$}  {tenant:<16}  {caller:<12}  {stage:<9}  {age:>8}  {entry}"
        );
    };
    row(["LAUNCH", "TENANT", "CALLER", "STAGE", "AGE", "KERNEL"]);
    for launch in launches {
        row([
            &shown_id(launch),
            launch.tenant.as_str(),
            &launch.caller.to_string(),
            stage(launch.stage),
            &age(launch, now),
            &kernel(launch),
        ]);
    }
    text
}

/// What people tell a launch by.
pub(crate) fn shown_id(launch: &LaunchState) -> String {
    let mut id = launch.launch.to_string();
    id.truncate(SHOWN_DIGITS);
    id
}

/// How far a launch is, in a word.
pub(crate) fn stage(stage: Stage) -> &'static str {
    match stage {
        Stage::Asked => "asked",
        Stage::Permitted => "permitted",
        Stage::Stopping => "stopping",
    }
}

/// Since when it is there.
pub(crate) fn age(launch: &LaunchState, now: Timestamp) -> String {
    let age = now.since(launch.started);
    match age < Duration::from_secs(1) {
        true => "0 s".to_owned(),
        false => human(age),
    }
}

/// Its entry, and the beginning of its component's digest.
pub(crate) fn kernel(launch: &LaunchState) -> String {
    let mut digest = launch.component.to_string();
    digest.truncate(SHOWN_DIGITS);
    match launch.entry.is_empty() {
        true => digest,
        false => format!("{} of {digest}", launch.entry),
    }
}

/// Cancel launches that a daemon runs
#[derive(Args)]
pub(crate) struct CancelCommand {
    /// The launches: ids as `hotcell ps` and reports have them, or as much of their beginning as tells them apart
    #[arg(required_unless_present = "all", value_name = "LAUNCH")]
    launches: Vec<String>,
    /// Cancel all that `hotcell ps` lists
    #[arg(long, conflicts_with = "launches")]
    all: bool,
    /// Print the ids of what was cancelled as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    daemon: DaemonArgument,
}

impl CancelCommand {
    /// Cancels what is named, or nothing where one is not to be found.
    pub(crate) fn execute(self) -> Result<()> {
        let mut client = self.daemon.client()?;
        let known = client.list().map_err(failed)?;
        let chosen = match self.all {
            true => known.iter().collect(),
            false => {
                let named = self
                    .launches
                    .iter()
                    .map(|beginning| find(&known, beginning));
                named.collect::<Result<Vec<_>>>()?
            }
        };
        let mut cancelled = Vec::new();
        for launch in chosen {
            match client.cancel(launch.launch) {
                Ok(()) => cancelled.push(launch.launch.to_string()),
                // It has ended in the meantime, which is what was wanted.
                Err(hotcell_serve::client::ClientError::Refused { .. }) => {}
                Err(error) => return Err(failed(error)),
            }
        }
        match self.json {
            true => note(serde_json::to_string(&cancelled)?),
            false => note(format_args!("cancelled: {}", cancelled.len())),
        }
    }
}

/// The launch whose id begins like that.
fn find<'a>(known: &'a [LaunchState], beginning: &str) -> Result<&'a LaunchState> {
    let mut found = known
        .iter()
        .filter(|launch| launch.launch.to_string().starts_with(beginning));
    match (found.next(), found.next()) {
        (Some(only), None) if !beginning.is_empty() => Ok(only),
        (Some(_), _) => Err(CommandError::of(
            OutcomeKind::Usage,
            anyhow!("several launches begin with `{beginning}`: write more of the id"),
        )),
        (None, _) => Err(CommandError::of(
            OutcomeKind::Usage,
            anyhow!(
                "no launch begins with `{beginning}`, or it has ended: `hotcell ps` lists them"
            ),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn launch(id: u8) -> LaunchState {
        LaunchState {
            launch: hotcell::RunId::from_bytes([id; 16]),
            tenant: "team".parse().unwrap(),
            caller: hotcell::Caller::Uid(1000),
            component: hotcell::Digest::from_bytes([0xab; 32]),
            entry: "saxpy".to_owned(),
            started: SystemTime::UNIX_EPOCH.into(),
            stage: Stage::Permitted,
        }
    }

    #[test]
    fn a_launch_is_found_by_its_beginning_if_that_is_its_alone() {
        let known = [launch(0xaa), launch(0xab)];
        assert_eq!(find(&known, "ab").unwrap(), &known[1]);
        for none in ["", "a", "b", "abb"] {
            assert!(find(&known, none).is_err(), "{none}");
        }
    }

    #[test]
    fn the_table_has_a_line_for_each() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_millis(2500);
        let table = table(&[launch(0xaa)], now.into());
        let lines: Vec<_> = table.lines().collect();
        assert_eq!(lines.len(), 2);
        let words: Vec<_> = lines[1].split_whitespace().collect();
        let expected = "aaaaaaaaaaaa team uid:1000 permitted 2.50 s saxpy of abababababab";
        assert_eq!(words.join(" "), expected);
    }
}
