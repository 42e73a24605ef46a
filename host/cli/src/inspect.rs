//! `hotcell inspect`

mod costs;
mod shaders;

use crate::arguments::GrantArguments;
use crate::exit::CommandError;
use crate::hint::explain;
use crate::host::IsolationArguments;
use crate::say::print;
use anyhow::Result;
use clap::Args;
use hotcell::Component;
use hotcell::description::{Description, Extent, Need};
use hotcell::grant::Grants;
use hotcell::limit::{Ceilings, Limit, Limits, Unit};
use hotcell::manifest::{Kernel, Role, Weight};
use hotcell::outcome::OutcomeKind;
use hotcell::shader::Shader;
use serde::Serialize;
use std::path::PathBuf;

/// Show what a component says of itself and asks for; runs nothing.
#[derive(Args)]
pub(crate) struct InspectCommand {
    /// The kernel component
    kernel: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    grants: GrantArguments,
    #[command(flatten)]
    isolation: IsolationArguments,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Inspection<'a> {
    schema: u32,
    digest: String,
    name: &'a str,
    version: &'a str,
    kernels: Vec<&'a hotcell::manifest::KernelRecord>,
    costs: Vec<costs::CostLine<'a>>,
    imports: Vec<ImportLine<'a>>,
    shaders: &'a [Shader],
    counts: &'a hotcell::description::Counts,
}

#[derive(Serialize)]
struct ImportLine<'a> {
    name: &'a str,
    needs: Need,
    granted: bool,
}

impl InspectCommand {
    /// Prints the inspection.
    pub(crate) fn execute(self) -> Result<()> {
        let component = Component::read(&self.kernel)
            .map_err(|error| CommandError::of(OutcomeKind::Io, error))?;
        let cell = self.isolation.cell()?;
        let limits = ceilings();
        let description = cell.describe(&component, &limits).map_err(|outcome| {
            CommandError::of(outcome.kind, anyhow::anyhow!(explain(&outcome)))
        })?;
        let grants = self.grants.granted();
        if self.json {
            let inspection = inspection(&component, &description, &grants);
            let json = serde_json::to_string_pretty(&inspection)?;
            print(format_args!("{json}\n"))
        } else {
            print(table(&component, &description, &grants))
        }
    }
}

/// Inspection goes to the ceilings, so that what is refused by default can still be looked at.
pub(crate) fn ceilings() -> Limits {
    let mut limits = Limits::defaults(Weight::Normal);
    for limit in Limit::ALL {
        let _ = limits.try_set(
            *limit,
            limit.ceiling(),
            hotcell::limit::LimitSource::Request,
        );
    }
    limits
}

fn imports<'a>(description: &'a Description, grants: &Grants) -> Vec<ImportLine<'a>> {
    let line = |import: &'a hotcell::description::Import| ImportLine {
        name: &import.name,
        needs: import.needs,
        granted: match import.needs {
            Need::Nothing => true,
            Need::Grant(capability) => grants.has(capability),
            Need::AnotherHost => false,
        },
    };
    description.imports.iter().map(line).collect()
}

fn inspection<'a>(
    component: &Component,
    description: &'a Description,
    grants: &Grants,
) -> Inspection<'a> {
    Inspection {
        schema: 1,
        digest: component.digest().to_string(),
        name: &description.manifest.component().name,
        version: &description.manifest.component().version,
        kernels: description
            .manifest
            .kernels()
            .iter()
            .map(Kernel::record)
            .collect(),
        costs: description
            .costs
            .iter()
            .filter_map(|cost| {
                let kernel = description.manifest.kernels().get(cost.kernel as usize)?;
                Some(costs::CostLine::of(kernel, cost))
            })
            .collect(),
        imports: imports(description, grants),
        shaders: &description.shaders,
        counts: &description.counts,
    }
}

fn table(component: &Component, description: &Description, grants: &Grants) -> String {
    let about = description.manifest.component();
    let mut text = format!(
        "{} {}\n  digest   {}\n",
        if about.name.is_empty() {
            "(no name)"
        } else {
            &about.name
        },
        about.version,
        component.digest()
    );
    for (place, kernel) in description.manifest.kernels().iter().enumerate() {
        text += &kernel_text(kernel);
        if let Some(cost) = description.cost_of(place) {
            text += &costs::lines(kernel, cost);
        }
    }
    text += "\nimports\n";
    for line in imports(description, grants) {
        let state = match (line.needs, line.granted) {
            (Need::Nothing, _) => "part of every launch".to_owned(),
            (Need::Grant(_), true) => "granted".to_owned(),
            (Need::Grant(capability), false) => format!("NOT granted; --grant {capability}"),
            (Need::AnotherHost, _) => "not offered by this host".to_owned(),
        };
        let name = hotcell_model::text::escape(line.name, 256);
        text += &format!("  {name:32} {state}\n");
    }
    text + &shaders::table(&description.shaders) + &counts_text(description)
}

fn kernel_text(kernel: &Kernel) -> String {
    let record = kernel.record();
    let mut text = format!("\n{}  {}\n", kernel.name(), kernel.signature());
    let doc = hotcell_model::text::escape(record.doc.lines().next().unwrap_or(""), 200);
    if !doc.is_empty() {
        text += &format!("  {doc}\n");
    }
    for parameter in &record.parameters {
        let role = match parameter.role {
            Role::Input => "input",
            Role::Output => "output",
            Role::Inout => "in-out",
            Role::Scalar => "scalar",
        };
        let default = parameter
            .default
            .map(|value| format!(" = {value}"))
            .unwrap_or_default();
        text += &format!(
            "  {role:7} {}: {}{default}{}\n",
            parameter.name,
            parameter.dtype,
            halo(parameter.halo)
        );
    }
    let facts = [
        ("split", kernel.split().map(str::to_owned)),
        ("cost", kernel.cost().map(|c| c.to_string())),
        ("wants", kernel.wants().map(wants)),
    ];
    for (name, fact) in facts {
        if let Some(fact) = fact {
            text += &format!("  {name:7} {fact}\n");
        }
    }
    let mut limits = Limits::defaults(kernel.weight());
    let above = limits.set_by_manifest(kernel, &Ceilings::default());
    if above.is_empty() {
        let shown = |limit: Limit| limit.unit().format(limits.get(limit));
        text += &format!(
            "  limits  fuel {}, timeout {}, memory {}\n",
            shown(Limit::Fuel),
            shown(Limit::Timeout),
            shown(Limit::Memory)
        );
    }
    text
}

/// What a chunk gets of an input beside its own part.
fn halo(rows: u32) -> String {
    match rows {
        0 => String::new(),
        rows => format!(", halo {rows}"),
    }
}

fn wants(names: &[String]) -> String {
    match names {
        [] => "nothing that needs a grant".to_owned(),
        names => names.join(", "),
    }
}

fn counts_text(description: &Description) -> String {
    let counts = &description.counts;
    let bytes = |value| Unit::Bytes.format(value);
    let extents = |extents: &[Extent], unit: &str| match extents {
        [] => "none".to_owned(),
        extents => {
            let one = |extent: &Extent| match extent.maximum {
                Some(maximum) => format!("{} to {maximum} {unit}", extent.initial),
                None => format!("{} {unit}, may grow", extent.initial),
            };
            extents.iter().map(one).collect::<Vec<_>>().join("; ")
        }
    };
    format!(
        "\nsize\n  component {}, code {} in {} functions, data {}, names and debug information {}\n  memories  {}\n  tables    {}\n",
        bytes(counts.component_bytes),
        bytes(counts.code_bytes),
        counts.functions,
        bytes(counts.data_bytes),
        bytes(counts.custom_bytes),
        extents(&counts.memories, "pages of 64KiB"),
        extents(&counts.tables, "elements"),
    )
}
