//! `hotcell-attack`: the regular penetration test of an installed `hotcell`.
//!
//! Every attack of the corpus runs as a user would start it, in a place of its own. Afterwards its exit code,
//! its report, its output and what is left of its processes are held against what must be. A dated report has
//! a row for each; the exit code is 1 if any did not end as it must.

mod date;
mod doctor;
mod judge;
mod report;
mod stage;

use anyhow::{Context, Result};
use clap::Parser;
use hotcell::Tier;
use hotcell_tests::corpus::{self, Group};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

/// Attack an installed hotcell with the whole corpus, and write a dated report.
#[derive(Parser)]
#[command(name = "hotcell-attack", version)]
pub(crate) struct Arguments {
    /// The hotcell to attack
    #[arg(long, value_name = "PATH")]
    hotcell: PathBuf,
    /// Where its workers are, if not where it looks by itself
    #[arg(long, value_name = "DIR")]
    workers: Option<PathBuf>,
    /// The isolation to attack: confined or in-process
    #[arg(long, value_name = "NAME", default_value = "confined")]
    isolation: String,
    /// The tier to insist on
    #[arg(long, value_name = "TIER", default_value = "full")]
    tier: Tier,
    /// Where the report goes
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,
    /// How far a compilation may go past its wall-clock limit, in milliseconds: 100 are for the kill, the rest for a machine that is busy
    /// with other things, where whoever kills and whoever is killed wait for a processor
    #[arg(long, value_name = "MS", default_value = "250")]
    leeway: u64,
    /// A handful of attacks alone
    #[arg(long)]
    quick: bool,
    /// Only attacks whose name, or whose group's name, contains this
    #[arg(long, value_name = "WORD")]
    only: Option<String>,
}

impl Arguments {
    /// The tier to insist on against that group. A GPU worker's best depends on its driver: with a software driver,
    /// which makes machine code, it is `unprivileged`.
    pub(crate) fn tier_of(&self, group: Group) -> Tier {
        match group {
            Group::Gpu => self.tier.min(Tier::Unprivileged),
            _ => self.tier,
        }
    }

    /// How far a compilation may go past its wall-clock limit.
    pub(crate) fn leeway(&self) -> Duration {
        Duration::from_millis(self.leeway)
    }

    /// The options that choose isolation, workers and tier.
    pub(crate) fn isolation_options(&self, group: Group) -> Vec<String> {
        let mut options = vec!["--isolation".to_owned(), self.isolation.clone()];
        options.extend(["--tier".to_owned(), self.tier_of(group).to_string()]);
        options.extend(self.workers_options());
        options
    }

    /// The option that says where the workers are.
    pub(crate) fn workers_options(&self) -> Vec<String> {
        let workers = self.workers.as_ref();
        let option = |workers: &PathBuf| ["--workers".to_owned(), workers.display().to_string()];
        workers.map(option).into_iter().flatten().collect()
    }
}

fn main() -> ExitCode {
    match attack(Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("hotcell-attack: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Runs the attacks; says whether all ended as they must.
fn attack(mut arguments: Arguments) -> Result<bool> {
    // Commands run in directories of their own.
    for path in [Some(&mut arguments.hotcell), arguments.workers.as_mut()]
        .into_iter()
        .flatten()
    {
        *path = std::fs::canonicalize(&path).with_context(|| path.display().to_string())?;
    }
    stage::adopt_orphans().context("cannot become the parent of orphans")?;
    let host = doctor::Host::of(&arguments)?;
    let mut attacks = match arguments.quick {
        true => corpus::quick_attacks(),
        false => corpus::attacks(),
    };
    if let Some(word) = &arguments.only {
        attacks.retain(|attack| attack.name.contains(word) || attack.group.name().contains(word));
    }
    if let Err(why) = &host.gpu {
        // Said again in the report.
        eprintln!("SKIPPED: attacks on the GPU: {why}");
        attacks.retain(|attack| attack.group != Group::Gpu);
    }
    let mut rows = Vec::new();
    for attack in &attacks {
        let seen = stage::run(&arguments, attack).with_context(|| attack.name.clone())?;
        let row = judge::judge(&arguments, attack, seen);
        eprintln!("{}", row.line());
        rows.push(row);
    }
    let report = report::Report {
        began: date::Date::of(SystemTime::now()),
        host,
        rows,
    };
    let path = report.write(&arguments.out)?;
    println!("{}", path.display());
    Ok(report.has_held())
}
