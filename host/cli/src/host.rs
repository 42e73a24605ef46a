//! The cell that commands run in.

use crate::arguments::{GrantArguments, LimitArguments};
use crate::directories::DirectoryArguments;
use crate::exit::CommandError;
use crate::say::tell;
use anyhow::{Result, anyhow};
use clap::{Args, ValueEnum};
use hotcell::grant::Grants;
use hotcell::outcome::OutcomeKind;
use hotcell::{Cell, CellBuilder, GpuDevice, Isolation, Places, Request, Tenant, Tier};
use hotcell_desk::record::attach;
use hotcell_desk::{Lifetime, OnProblem, Required, furnish, lacking};
use hotcell_policy::{FilePolicy, LoadError};
use std::path::PathBuf;
use std::sync::Arc;

/// How launches are kept apart from the host.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Isolation")]
pub(crate) struct HostArguments {
    #[command(flatten)]
    pub(crate) isolation: IsolationArguments,
    /// Neither read nor write the cache of compiled kernels
    #[arg(long, help_heading = "Isolation")]
    no_cache: bool,
    #[command(flatten)]
    pub(crate) directories: DirectoryArguments,
    #[command(flatten)]
    pub(crate) policy: PolicyArguments,
}

/// Whose policy holds, and for whom.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Policy")]
pub(crate) struct PolicyArguments {
    #[command(flatten)]
    file: PolicyFileArgument,
    /// Who is charged [default: local]. A label: nobody checks it here
    #[arg(long, value_name = "NAME")]
    tenant: Option<Tenant>,
}

/// Whose policy holds.
#[derive(Args, Clone, Debug)]
pub(crate) struct PolicyFileArgument {
    /// The operator's policy [default: /etc/hotcell/hotcell.toml, else hotcell/hotcell.toml in the user's configuration,
    /// else the built-in one]
    #[arg(long, value_name = "FILE", help_heading = "Policy")]
    policy: Option<PathBuf>,
}

impl PolicyFileArgument {
    /// The policy that is named, or found where policies are; `None` where the built-in one holds.
    pub(crate) fn load(&self) -> Result<Option<FilePolicy>> {
        let found = match &self.policy {
            Some(file) => FilePolicy::load(file).map(Some),
            None => FilePolicy::find(),
        };
        found.map_err(|error| match error {
            error @ (LoadError::Unreadable { .. } | LoadError::NotOwn { .. }) => {
                CommandError::of(OutcomeKind::Io, error)
            }
            LoadError::Wrong(error) => CommandError::of(OutcomeKind::Usage, error),
        })
    }
}

impl PolicyArguments {
    /// As [`PolicyFileArgument::load`].
    pub(crate) fn load(&self) -> Result<Option<FilePolicy>> {
        self.file.load()
    }

    /// The tenant that was named.
    pub(crate) fn named_tenant(&self) -> Option<&Tenant> {
        self.tenant.as_ref()
    }

    /// Who is charged.
    pub(crate) fn tenant(&self) -> Tenant {
        self.tenant.clone().unwrap_or_default()
    }
}

/// What keeps a kernel apart from the host.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Isolation")]
pub(crate) struct IsolationArguments {
    /// What keeps the kernel apart from the host, besides the Wasm sandbox
    #[arg(long, value_enum, default_value = "confined")]
    isolation: IsolationName,
    /// The least that confined workers must have around them; `hotcell doctor` says what this machine gives [default:
    /// full, or what the policy has]
    #[arg(long, value_name = "full|unprivileged|insecure")]
    tier: Option<Tier>,
    /// Where hotcell-compiler, hotcell-runner and hotcell-gpu are [default: beside hotcell, or in ../libexec/hotcell]
    #[arg(long, value_name = "DIRECTORY")]
    workers: Option<PathBuf>,
    /// The device for kernels that are granted `gpu`: whatever there is, lavapipe alone, or none
    #[arg(long, value_name = "any|software|nothing", default_value = "any")]
    gpu_device: GpuDevice,
}

/// What a guarded program runs under.
#[derive(Args, Clone, Debug)]
pub(crate) struct GuardHostArguments {
    /// The least that the walls around the program must be; `hotcell doctor --guard` says what this machine gives [default:
    /// full, or what the policy has]
    #[arg(
        long,
        value_name = "full|unprivileged|insecure",
        help_heading = "Isolation"
    )]
    tier: Option<Tier>,
    /// Where hotcell-compiler, hotcell-runner and hotcell-gpu are [default: beside hotcell, or in ../libexec/hotcell]
    #[arg(long, value_name = "DIRECTORY", help_heading = "Isolation")]
    workers: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) policy: PolicyArguments,
}

impl GuardHostArguments {
    /// A cell for one program, under the policy.
    pub(crate) fn builder(&self, policy: Option<&FilePolicy>) -> Result<CellBuilder> {
        if let Some(policy) = policy
            && let Some(required) = lacking(policy, Isolation::Confined, self.tier)
        {
            let asked = self.tier.map(|tier| format!("`--tier {tier}`"));
            let (asked, name) = (asked.unwrap_or_default(), policy.name());
            let words = format!("{asked} was asked for, and {name} requires `{required}`");
            return Err(CommandError::of(OutcomeKind::Denied, anyhow!(words)));
        }
        let least = policy.map_or(Tier::Full, FilePolicy::tier);
        let builder = confined(self.workers.clone()).require_tier(self.tier.unwrap_or(least));
        Ok(builder.for_one_launch())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum IsolationName {
    /// Compiler and kernel each in a confined process
    Confined,
    /// Nothing: compiler and kernel share the command's process
    InProcess,
}

impl HostArguments {
    /// What every launch of a command asks for: its tenant, what it wants, its directories and limits.
    ///
    /// # Errors
    /// With the exit code: an argument makes no sense, or is the policy's to give.
    pub(crate) fn request(
        &self,
        policy: Option<&FilePolicy>,
        limits: &LimitArguments,
        grants: &GrantArguments,
    ) -> Result<Request> {
        let usage = |error: anyhow::Error| CommandError::of(OutcomeKind::Usage, error);
        let request = Request::new().tenant(self.policy.tenant());
        let request = grants.apply(request, policy);
        let request = self.directories.apply(request, policy)?;
        limits.apply(request).map_err(usage)
    }

    /// A cell under the policy that holds, and what every launch there asks for.
    ///
    /// # Errors
    /// With the exit code: arguments, the policy, or what the machine does not give.
    pub(crate) fn set_up(
        &self,
        limits: &LimitArguments,
        grants: &GrantArguments,
    ) -> Result<(Cell, Request)> {
        let policy = self.policy.load()?;
        let request = self.request(policy.as_ref(), limits, grants)?;
        Ok((self.cell(policy.as_ref(), grants.granted())?, request))
    }

    /// The cell these arguments ask for, under the policy; where there is none, it grants what the command line does.
    pub(crate) fn cell(&self, policy: Option<&FilePolicy>, grants: Grants) -> Result<Cell> {
        let builder = match policy {
            Some(policy) => self.isolation.within(policy)?,
            None => {
                let terms = self.directories.terms(grants);
                self.isolation.builder(Tier::Full).policy(terms)
            }
        };
        let builder = if self.no_cache {
            builder
        } else {
            builder.cache(places()?)
        };
        build(furnished(builder, policy)?)
    }
}

impl IsolationArguments {
    /// A cell without a cache.
    pub(crate) fn cell(&self) -> Result<Cell> {
        build(recorded(self.builder(Tier::Full))?)
    }

    /// As [`Self::builder`], if that is not less than the policy requires.
    pub(crate) fn within(&self, policy: &FilePolicy) -> Result<CellBuilder> {
        let isolation = match self.isolation {
            IsolationName::InProcess => Isolation::InProcess,
            IsolationName::Confined => Isolation::Confined,
        };
        let Some(required) = lacking(policy, isolation, self.tier) else {
            return Ok(self.builder(policy.tier()));
        };
        let asked = match (required, self.tier) {
            (Required::Tier(_), Some(tier)) => format!("`--tier {tier}`"),
            _ => format!("`--isolation {isolation}`"),
        };
        let name = policy.name();
        let words = format!("{asked} was asked for, and {name} requires `{required}`");
        Err(CommandError::of(OutcomeKind::Denied, anyhow!(words)))
    }

    /// A cell of that isolation; `tier` is the least where none is asked for.
    pub(crate) fn builder(&self, tier: Tier) -> CellBuilder {
        let tier = self.tier.unwrap_or(tier);
        let builder = match self.isolation {
            IsolationName::InProcess => Cell::in_process(),
            IsolationName::Confined => confined(self.workers.clone()).require_tier(tier),
        };
        builder.gpu(self.gpu_device).for_one_launch()
    }
}

/// Has what no policy bounds recorded all the same, as the policy says that is found where policies are.
pub(crate) fn recorded(builder: CellBuilder) -> Result<CellBuilder> {
    // One that is not taken is told of where it holds.
    let policy = FilePolicy::find().ok().flatten();
    let places = Places::from_environment().ok();
    Ok(attach(
        builder,
        policy.as_ref(),
        places.as_ref(),
        on_problem(),
    )?)
}

/// Has a cell for one launch be as the policy has it.
pub(crate) fn furnished(builder: CellBuilder, policy: Option<&FilePolicy>) -> Result<CellBuilder> {
    let places = Places::from_environment();
    let lifetime = Lifetime::OneLaunch;
    Ok(furnish(builder, policy, places, lifetime, on_problem())?)
}

fn on_problem() -> OnProblem {
    Arc::new(|problem: String| tell(format_args!("hotcell: {problem}")))
}

/// A cell with confined workers.
pub(crate) fn confined(workers: Option<PathBuf>) -> CellBuilder {
    match workers {
        Some(directory) => Cell::confined().workers(directory),
        None => match std::env::current_exe() {
            // Whoever can write to this program can have anything done in its user's name.
            Ok(program) => Cell::confined().workers_as_trusted_as(program),
            Err(_) => Cell::confined(),
        },
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
