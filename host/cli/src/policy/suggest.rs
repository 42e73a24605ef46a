//! `hotcell policy suggest`

use crate::audit::{LogsArgument, RangeArguments, check_range, each};
use crate::exit::CommandError;
use crate::say::print;
use anyhow::{Result, anyhow};
use clap::Args;
use hotcell::manifest::{Dim, Signature};
use hotcell::outcome::OutcomeKind;
use hotcell::{Digest, Verb};
use hotcell_audit::Query;
use hotcell_audit::entry::{End, Shape};
use hotcell_profile::Profile;
use hotcell_profile::fit::Sizes;
use hotcell_profile::suggest::{Margin, Recorded, Style, policy_text, suggest};
use std::path::PathBuf;

/// Print limits that fit what kernels took when they were profiled.
#[derive(Args)]
pub(super) struct SuggestCommand {
    /// What `hotcell profile` wrote
    #[arg(required = true, value_name = "PROFILE")]
    profiles: Vec<PathBuf>,
    /// How far above the most that was seen limits are, in percent
    #[arg(long, value_name = "PERCENT", default_value = "50")]
    margin: Margin,
    /// Have requests not ask for more: ceilings of the same values
    #[arg(long, conflicts_with = "observe")]
    ceilings: bool,
    /// Have the limits only observed, to see first whom they would stop
    #[arg(long)]
    observe: bool,
    /// Take launches into account that the audit log has
    #[arg(long)]
    recorded: bool,
    #[command(flatten)]
    range: RangeArguments,
    #[command(flatten)]
    logs: LogsArgument,
}

impl SuggestCommand {
    /// Prints them.
    pub(super) fn execute(self) -> Result<()> {
        let range = self.range.range();
        check_range(range)?;
        let read = |path: &PathBuf| {
            Profile::read(path).map_err(|error| CommandError::of(OutcomeKind::Io, error))
        };
        let profiles = self.profiles.iter().map(read).collect::<Result<Vec<_>>>()?;
        let mut launches: Vec<(Digest, String, Recorded)> = Vec::new();
        if self.recorded {
            let query = Query {
                verb: Some(Verb::Launch),
                outcome: Some(OutcomeKind::Done),
                since: range.0,
                until: range.1,
                ..Query::default()
            };
            each(&self.logs, &query, |record| {
                let said = record.entry.said();
                let (Some(component), Some(end)) = (said.component, &said.end) else {
                    return Ok(());
                };
                let of = |profile: &&Profile| {
                    profile.component == component && profile.entry == end.entry
                };
                if let Some(profile) = profiles.iter().find(of) {
                    launches.push((component, end.entry.clone(), recorded(profile, end)));
                }
                Ok(())
            })?;
        }
        let mut suggestions = Vec::new();
        for (profile, path) in profiles.iter().zip(&self.profiles) {
            let own = launches.iter().filter(|(component, entry, _)| {
                *component == profile.component && *entry == profile.entry
            });
            let own: Vec<Recorded> = own.map(|(_, _, launch)| launch.clone()).collect();
            let suggestion = suggest(profile, &own, self.margin).ok_or_else(|| {
                let words = format!(
                    "{} has no launch that was done; take it again",
                    path.display()
                );
                CommandError::of(OutcomeKind::Io, anyhow!(words))
            });
            suggestions.push(suggestion?);
        }
        let style = match (self.observe, self.ceilings) {
            (true, _) => Style::Observe,
            (_, true) => Style::Ceilings,
            _ => Style::Limits,
        };
        print(policy_text(&suggestions, self.margin, style))
    }
}

/// A launch as its record has it; its sizes are those that its arrays show.
fn recorded(profile: &Profile, end: &End) -> Recorded {
    let mut sizes = Sizes::new();
    if let Ok(signature) = Signature::parse(&profile.shape.signature) {
        let mut match_all = |arrays: &[Vec<Dim>], shapes: &[Shape]| {
            for (dims, shape) in arrays.iter().zip(shapes) {
                for (dim, extent) in dims.iter().zip(&shape.shape) {
                    if let Dim::Name(name) = dim {
                        sizes.insert(name.clone(), *extent);
                    }
                }
            }
        };
        match_all(&signature.inputs, &end.arguments);
        match_all(&signature.outputs, &end.results);
    }
    Recorded {
        sizes,
        fuel: end.usage.fuel_used,
        memory_bytes: end.usage.peak_memory_bytes,
        wall_ns: end.usage.wall_ns,
        observed: end.observed.clone(),
    }
}
