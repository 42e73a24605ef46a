//! The cell that commands run in.

use crate::exit::Exit;
use anyhow::Result;
use clap::{Args, ValueEnum};
use hotcell::outcome::OutcomeKind;
use hotcell::{Cell, Places};

/// How launches are kept apart from the host.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Isolation")]
pub(crate) struct HostArguments {
    /// What keeps the kernel apart from the host, besides the Wasm sandbox
    #[arg(long, value_enum, default_value = "in-process")]
    isolation: IsolationName,
    /// Neither read nor write the cache of compiled kernels
    #[arg(long)]
    no_cache: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum IsolationName {
    /// Nothing: compiler and kernel share the command's process
    InProcess,
}

impl HostArguments {
    /// The cell these arguments ask for.
    pub(crate) fn cell(&self) -> Result<Cell> {
        let builder = match self.isolation {
            IsolationName::InProcess => Cell::in_process(),
        };
        let builder = if self.no_cache {
            builder
        } else {
            builder.cache(places()?)
        };
        builder.build().map_err(|error| {
            Exit::of(
                OutcomeKind::HostFault,
                anyhow::Error::new(error).context(
                    "the cache of compiled kernels cannot be used; mend it, or run with --no-cache",
                ),
            )
        })
    }
}

/// Where this user's cache and keys are.
pub(crate) fn places() -> Result<Places> {
    Places::from_environment().map_err(|error| Exit::of(OutcomeKind::HostFault, error))
}
