//! `hotcell cache`

use crate::exit::CommandError;
use crate::host::places;
use crate::say::{note, print};
use anyhow::Result;
use clap::{Args, Subcommand};
use hotcell::limit::Unit;
use hotcell::outcome::OutcomeKind;
use hotcell::{ArtifactCache, CacheError, Timestamp};

/// Look at or clear the cache of compiled kernels.
#[derive(Args)]
pub(crate) struct CacheCommand {
    #[command(subcommand)]
    action: CacheAction,
}

#[derive(Subcommand)]
enum CacheAction {
    /// List what is in it, least recently used first
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Remove what was used longest ago until the rest is small enough
    Prune {
        /// The size to get down to
        #[arg(long, value_name = "BYTES", default_value = "1GiB")]
        to: String,
    },
    /// Remove everything
    Clear,
    /// Print its directory
    Path,
}

impl CacheCommand {
    /// Does what is asked.
    pub(crate) fn execute(self) -> Result<()> {
        let io = |error: CacheError| CommandError::of(OutcomeKind::Io, error);
        let cache =
            ArtifactCache::open(&places()?, ArtifactCache::DEFAULT_MAX_BYTES).map_err(io)?;
        match self.action {
            CacheAction::List { json: true } => {
                let json = serde_json::to_string_pretty(&cache.entries().map_err(io)?)?;
                print(format_args!("{json}\n"))?;
            }
            CacheAction::List { json: false } => print(list(&cache).map_err(io)?)?,
            CacheAction::Prune { to } => {
                let to = Unit::Bytes
                    .parse(&to)
                    .map_err(|error| CommandError::of(OutcomeKind::Usage, error))?;
                note(format_args!("{} removed", cache.prune_to(to).map_err(io)?))?;
            }
            CacheAction::Clear => note(format_args!("{} removed", cache.prune_to(0).map_err(io)?))?,
            CacheAction::Path => print(format_args!("{}\n", cache.directory().display()))?,
        }
        Ok(())
    }
}

fn list(cache: &ArtifactCache) -> Result<String, CacheError> {
    let entries = cache.entries()?;
    let mut text = format!(
        "{:20} {:16} {:13} {:10} {:>10}  {}\n",
        "name", "component", "metering", "tenant", "KiB", "last used (UTC)"
    );
    for entry in &entries {
        let digest = entry.component.to_string();
        text += &format!(
            "{:20} {:16} {:13} {:10} {:>10}  {}\n",
            shown(&entry.name),
            &digest[..16],
            entry.profile.metering,
            entry.tenant,
            entry.bytes.div_ceil(1024),
            Timestamp::from_seconds(entry.last_used).minute()
        );
    }
    let total: u64 = entries.iter().map(|entry| entry.bytes).sum();
    text += &format!(
        "{} artifacts, {} KiB of at most {}\n",
        entries.len(),
        total.div_ceil(1024),
        Unit::Bytes.format(cache.max_bytes())
    );
    Ok(text)
}

/// The name that a component gave itself.
fn shown(name: &str) -> String {
    match name {
        "" => "(no name)".to_owned(),
        name => hotcell_model::text::escape(name, 40),
    }
}
