//! `hotcell compile`

use crate::arguments::{GrantArguments, LimitArguments};
use crate::exit::CommandError;
use crate::hint::explain;
use crate::host::HostArguments;
use crate::run::human;
use crate::say::note;
use anyhow::Result;
use clap::Args;
use hotcell::outcome::OutcomeKind;
use hotcell::report::CacheOutcome;
use hotcell::{Component, Metering};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// Compile a component ahead of its first run, into the cache.
#[derive(Args)]
pub(crate) struct CompileCommand {
    /// The kernel component
    kernel: PathBuf,
    #[command(flatten)]
    limits: LimitArguments,
    #[command(flatten)]
    grants: GrantArguments,
    #[command(flatten)]
    host: HostArguments,
}

impl CompileCommand {
    /// Compiles, and says how long it took.
    pub(crate) fn execute(self) -> Result<()> {
        let (policy, tenant) = (self.host.policy.load()?, self.host.policy.tenant());
        let least = policy.as_ref().map_or(Metering::Fast, |policy| {
            policy
                .explain(&tenant, None, &BTreeMap::new(), None)
                .metering
        });
        let metering = self.limits.metering.unwrap_or(least.max(Metering::Strict));
        let request = self
            .host
            .request(policy.as_ref(), &self.limits, &self.grants)?;
        let component = Component::read(&self.kernel)
            .map_err(|error| CommandError::of(OutcomeKind::Io, error))?;
        let cell = self.host.cell(policy.as_ref(), self.grants.granted())?;
        let timings = cell.prepare_only(&component, &request).map_err(|outcome| {
            CommandError::of(
                outcome.kind,
                anyhow::anyhow!("{}: {}", outcome.kind, explain(&outcome)),
            )
        })?;
        let name = self.kernel.display();
        match &timings.cache {
            Some(CacheOutcome::Miss(why)) => {
                let took = human(Duration::from_nanos(timings.compile_ns));
                note(format_args!(
                    "{name}: compiled for {metering} metering in {took} ({why})"
                ))
            }
            _ => note(format_args!(
                "{name}: already compiled for {metering} metering"
            )),
        }
    }
}
