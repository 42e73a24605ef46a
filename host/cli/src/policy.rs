//! `hotcell policy`

mod suggest;

use crate::arguments::LimitArguments;
use crate::exit::CommandError;
use crate::hint;
use crate::host::{IsolationArguments, PolicyArguments};
use crate::inspect::ceilings;
use crate::say::{note, print};
use anyhow::{Result, anyhow};
use clap::{Args, Subcommand};
use hotcell::description::{Description, Need};
use hotcell::limit::Limit;
use hotcell::manifest::Kernel;
use hotcell::outcome::OutcomeKind;
use hotcell::{Component, Metering, Tenant};
use hotcell_policy::explain::Explanation;
use hotcell_policy::{BUILT_IN, FilePolicy, LoadError, reference, schema};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

/// Check the operator's policy, and say what it comes to.
#[derive(Args)]
pub(crate) struct PolicyCommand {
    #[command(subcommand)]
    action: PolicyAction,
}

#[derive(Subcommand)]
enum PolicyAction {
    /// Say everything that is wrong with policy files
    Check {
        /// The files
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Print the built-in policy, to begin one with
    Default,
    /// Print the JSON Schema of policy files, for editors
    Schema,
    /// Print every key with what it does, in Markdown
    Reference,
    /// Print each limit, grant and refusal that somebody would have, and which line it comes from
    Explain(Box<ExplainCommand>),
    /// Print limits that fit what kernels took when they were profiled, as a policy's text
    Suggest(Box<suggest::SuggestCommand>),
}

/// Print what somebody would have, and which line of the policy it comes from.
#[derive(Args)]
struct ExplainCommand {
    /// The kernel component that it is about [default: what holds before a kernel is known]
    kernel: Option<PathBuf>,
    /// The entry, where the component has several [default: each]
    #[arg(requires = "kernel")]
    entry: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    limits: LimitArguments,
    #[command(flatten)]
    policy: PolicyArguments,
    #[command(flatten)]
    isolation: IsolationArguments,
}

impl PolicyCommand {
    /// Does what is asked; returns the exit code.
    pub(crate) fn execute(self) -> Result<u8> {
        match self.action {
            PolicyAction::Check { files } => return check(&files),
            PolicyAction::Default => print(BUILT_IN)?,
            PolicyAction::Schema => {
                let json = serde_json::to_string_pretty(&schema::json())?;
                print(format_args!("{json}\n"))?;
            }
            PolicyAction::Reference => print(reference::markdown())?,
            PolicyAction::Explain(command) => command.execute()?,
            PolicyAction::Suggest(command) => command.execute()?,
        }
        Ok(0)
    }
}

/// Tells of all files, and ends as the first that is wrong would.
fn check(files: &[PathBuf]) -> Result<u8> {
    let mut code = 0;
    for file in files {
        let kind = match FilePolicy::load(file) {
            Ok(_) => {
                note(format_args!("{}: in order", file.display()))?;
                continue;
            }
            Err(error) => {
                let kind = match error {
                    LoadError::Unreadable { .. } | LoadError::NotOwn { .. } => OutcomeKind::Io,
                    LoadError::Wrong(_) => OutcomeKind::Usage,
                };
                crate::say::tell(format_args!("{:#}", anyhow::Error::new(error)));
                kind
            }
        };
        if code == 0 {
            code = kind.exit_code();
        }
    }
    Ok(code)
}

/// What is printed of one kernel, or of none.
#[derive(Serialize)]
struct Explained {
    #[serde(flatten)]
    explanation: Explanation,
    /// Capabilities that the kernel wants and is not granted, with what would grant them.
    denied: BTreeMap<String, String>,
    /// Imports that this host does not offer to anybody.
    not_offered: Vec<String>,
}

impl ExplainCommand {
    fn execute(&self) -> Result<()> {
        let usage = |error: anyhow::Error| CommandError::of(OutcomeKind::Usage, error);
        let (policy, tenant) = (self.policy.load()?, self.policy.tenant());
        let policy = match policy {
            Some(policy) => policy,
            None => FilePolicy::read("the built-in policy", BUILT_IN)?,
        };
        let asked = self.limits.asked().map_err(usage)?;
        let explained = match &self.kernel {
            None => vec![Explained {
                explanation: policy.explain(&tenant, None, &asked, self.limits.metering),
                denied: BTreeMap::new(),
                not_offered: Vec::new(),
            }],
            Some(file) => {
                let component = Component::read(file)
                    .map_err(|error| CommandError::of(OutcomeKind::Io, error))?;
                let cell = crate::host::build(self.isolation.within(&policy)?)?;
                let described = cell.describe(&component, &ceilings());
                let description = described.map_err(|outcome| {
                    CommandError::of(outcome.kind, anyhow!(hint::explain(&outcome)))
                })?;
                let kernels = description.manifest.kernels().iter();
                let named = self.entry.as_deref();
                let wanted = kernels.filter(|one| named.is_none_or(|name| name == one.name()));
                let explained: Vec<_> = wanted
                    .map(|kernel| {
                        explain(
                            &policy,
                            &tenant,
                            (&component, &description),
                            kernel,
                            (&asked, self.limits.metering),
                        )
                    })
                    .collect();
                if explained.is_empty() {
                    let known = description.manifest.kernels().iter().map(Kernel::name);
                    let known: Vec<_> = known.collect();
                    let words = format!("there is no such entry; there are: {}", known.join(", "));
                    return Err(usage(anyhow!(words)));
                }
                explained
            }
        };
        if self.json {
            let json = serde_json::to_string_pretty(&explained)?;
            return print(format_args!("{json}\n"));
        }
        let texts: Vec<String> = explained.iter().map(|one| text(&policy, one)).collect();
        print(texts.join("\n"))
    }
}

fn explain(
    policy: &FilePolicy,
    tenant: &Tenant,
    (component, description): (&Component, &Description),
    kernel: &Kernel,
    (asked, metering): (&BTreeMap<Limit, u64>, Option<Metering>),
) -> Explained {
    let about = Some((component.digest(), kernel));
    let explanation = policy.explain(tenant, about, asked, metering);
    let (mut denied, mut not_offered) = (BTreeMap::new(), Vec::new());
    let wants = |name: &str| {
        let wanted = kernel.wants();
        wanted.is_none_or(|wanted| wanted.iter().any(|one| one == name))
    };
    for import in &description.imports {
        match import.needs {
            Need::Grant(capability)
                if wants(capability.name()) && !explanation.grants.has(capability) =>
            {
                let line = policy.line_that_grants(tenant, about, capability);
                denied.insert(capability.name().to_owned(), line.unwrap_or_default());
            }
            Need::AnotherHost => not_offered.push(hotcell_model::text::escape(&import.name, 256)),
            _ => {}
        }
    }
    Explained {
        explanation,
        denied,
        not_offered,
    }
}

fn text(policy: &FilePolicy, explained: &Explained) -> String {
    let Explained {
        explanation,
        denied,
        not_offered,
    } = explained;
    let mut text = format!(
        "policy    {}\ntenant    {}\n",
        policy.name(),
        explanation.tenant
    );
    if let (Some(kernel), Some(profile)) = (&explanation.kernel, &explanation.profile) {
        let _ = writeln!(text, "kernel    {kernel}, profile {profile}");
    }
    if let Some(why) = &explanation.refused {
        let _ = writeln!(text, "refused   {why}");
        return text;
    }
    let _ = writeln!(
        text,
        "isolation {}, tier {}",
        policy.isolation(),
        policy.tier()
    );
    let (least, metering) = (explanation.metering, explanation.metering_in_force);
    let _ = writeln!(text, "metering  {metering}, at least {least}");
    if let Some(running) = explanation.running {
        let waiting = explanation.waiting;
        let _ = writeln!(text, "launches  {running} at once, {waiting} wait");
    }
    for budget in &explanation.budgets {
        let _ = writeln!(
            text,
            "budget    {}: at most {}, and {} in each {}",
            budget.resource, budget.size, budget.refill, budget.per
        );
    }
    let _ = writeln!(text, "grants    {}", explanation.grants);
    for directory in &explanation.directories {
        let _ = writeln!(text, "directory {directory}");
    }
    for (capability, line) in denied {
        let _ = writeln!(
            text,
            "denied    {capability}, which the kernel wants; {line}"
        );
    }
    for import in not_offered {
        let _ = writeln!(text, "denied    {import}, which this host does not offer");
    }
    for wrong in &explanation.wrong {
        let _ = writeln!(text, "refused   {wrong}");
    }
    let _ = writeln!(
        text,
        "\n{:22} {:>10}  {:34} {:>10}  from",
        "limit", "value", "from", "ceiling"
    );
    for limit in &explanation.limits {
        let _ = writeln!(
            text,
            "{:22} {:>10}  {:34} {:>10}  {}",
            limit.limit, limit.text, limit.from, limit.ceiling, limit.ceiling_from
        );
        if let Some((value, key)) = &limit.observed {
            let _ = writeln!(text, "{:22} {value:>10}  {key}, observed only", "");
        }
    }
    text
}
