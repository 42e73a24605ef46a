//! The cell that commands run in.

use crate::exit::CommandError;
use anyhow::Result;
use clap::{Args, ValueEnum};
use hotcell::grant::Grants;
use hotcell::outcome::OutcomeKind;
use hotcell::{Cell, CellBuilder, GpuDevice, Places, Terms, Tier};
use std::path::PathBuf;

/// How launches are kept apart from the host.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Isolation")]
pub(crate) struct HostArguments {
    #[command(flatten)]
    pub(crate) isolation: IsolationArguments,
    /// Neither read nor write the cache of compiled kernels
    #[arg(long, help_heading = "Isolation")]
    no_cache: bool,
}

/// What keeps a kernel apart from the host.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Isolation")]
pub(crate) struct IsolationArguments {
    /// What keeps the kernel apart from the host, besides the Wasm sandbox
    #[arg(long, value_enum, default_value = "confined")]
    isolation: IsolationName,
    /// The least that confined workers must have around them; `hotcell doctor` says what this machine gives
    #[arg(
        long,
        value_name = "full|unprivileged|insecure",
        default_value = "full"
    )]
    tier: Tier,
    /// Where hotcell-compiler, hotcell-runner and hotcell-gpu are [default: beside hotcell, or in ../libexec/hotcell]
    #[arg(long, value_name = "DIRECTORY")]
    workers: Option<PathBuf>,
    /// The device for kernels that are granted `gpu`: whatever there is, lavapipe alone, or none
    #[arg(long, value_name = "any|software|nothing", default_value = "any")]
    gpu_device: GpuDevice,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum IsolationName {
    /// Compiler and kernel each in a confined process
    Confined,
    /// Nothing: compiler and kernel share the command's process
    InProcess,
}

impl HostArguments {
    /// The cell these arguments ask for, which grants that.
    pub(crate) fn cell(&self, grants: Grants) -> Result<Cell> {
        let builder = self.isolation.builder().policy(Terms {
            grants,
            ..Terms::default()
        });
        let builder = if self.no_cache {
            builder
        } else {
            builder.cache(places()?)
        };
        build(builder)
    }
}

impl IsolationArguments {
    /// A cell without a cache.
    pub(crate) fn cell(&self) -> Result<Cell> {
        build(self.builder())
    }

    fn builder(&self) -> CellBuilder {
        let builder = match self.isolation {
            IsolationName::InProcess => Cell::in_process(),
            IsolationName::Confined => confined(self.workers.clone()).require_tier(self.tier),
        };
        builder.gpu(self.gpu_device).for_one_launch()
    }
}

/// A cell with confined workers.
pub(crate) fn confined(workers: Option<PathBuf>) -> CellBuilder {
    match workers {
        Some(directory) => Cell::confined().workers(directory),
        None => Cell::confined(),
    }
}

/// Sets a cell up; what stands in the way is the host's fault, but for workers that are not there.
pub(crate) fn build(builder: CellBuilder) -> Result<Cell> {
    builder.build().map_err(|error| match error {
        error @ hotcell::SetupError::Cache(_) => CommandError::of(
            OutcomeKind::HostFault,
            anyhow::Error::new(error).context(
                "the cache of compiled kernels cannot be used; mend it, or run with --no-cache",
            ),
        ),
        error => CommandError::of(OutcomeKind::Isolation, error),
    })
}

/// Where this user's cache and keys are.
pub(crate) fn places() -> Result<Places> {
    Places::from_environment().map_err(|error| CommandError::of(OutcomeKind::HostFault, error))
}
