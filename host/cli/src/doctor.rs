//! `hotcell doctor`

mod component;

use crate::exit::Exit;
use crate::host::{build, confined};
use anyhow::Result;
use clap::Args;
use hotcell::layer::{LayerReport, LayerState, Tier};
use hotcell::{Diagnosis, Verdict, WorkerDiagnosis};
use std::path::PathBuf;

/// Try to break out of real workers, and say how strong the walls are on this machine.
///
/// A worker of each kind locks itself in and is then asked to do, one after the other, what it must not be able
/// to. The exit code is 0 for the tier `full`, 1 for `unprivileged` and 22 for `insecure`.
#[derive(Args)]
pub(crate) struct DoctorCommand {
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Where hotcell-compiler and hotcell-runner are [default: beside hotcell, or in ../libexec/hotcell]
    #[arg(long, value_name = "DIRECTORY")]
    workers: Option<PathBuf>,
}

impl DoctorCommand {
    /// Prints the diagnosis, and returns the exit code that its tier stands for.
    pub(crate) fn execute(self) -> Result<u8> {
        let cell = build(confined(self.workers).require_tier(Tier::Insecure))?;
        let diagnosis = cell.doctor(&component::make()?).map_err(|outcome| {
            let words = anyhow::anyhow!("{}: {}", outcome.kind, outcome.message);
            Exit::of(outcome.kind, words)
        })?;
        if self.json {
            println!("{}", serde_json::to_string_pretty(&diagnosis)?);
        } else {
            print!("{}", table(&diagnosis));
        }
        Ok(match diagnosis.tier {
            Tier::Full => 0,
            Tier::Unprivileged => 1,
            Tier::Insecure => hotcell::outcome::OutcomeKind::Isolation.exit_code(),
        })
    }
}

fn table(diagnosis: &Diagnosis) -> String {
    let mut text = String::new();
    for worker in &diagnosis.workers {
        text += &worker_text(worker);
    }
    let consequence = match diagnosis.tier {
        Tier::Full => "kernels run by default",
        Tier::Unprivileged => {
            "kernels run with --tier unprivileged; docs/operating.md says how to get more"
        }
        Tier::Insecure => "kernels run only with --tier insecure, which no operator should choose",
    };
    text + &format!("tier: {}: {consequence}\n", diagnosis.tier)
}

fn worker_text(worker: &WorkerDiagnosis) -> String {
    let mut text = format!(
        "{} (build {}), {} system calls allowed\n",
        worker.kind.program(),
        worker.build,
        worker.allowed_calls
    );
    for layer in &worker.layers {
        text += &layer_text(layer);
    }
    let (held, holes): (Vec<_>, Vec<_>) = worker
        .probes
        .iter()
        .partition(|result| result.verdict.held());
    let is_death = |verdict: &Verdict| matches!(verdict, Verdict::Died(_));
    let deaths = held
        .iter()
        .filter(|result| is_death(&result.verdict))
        .count();
    text += &format!(
        "  attacks            {} tried: {deaths} killed the worker, {} were refused, {} SUCCEEDED\n",
        worker.probes.len(),
        held.len() - deaths,
        holes.len()
    );
    for hole in holes {
        text += &format!("    HOLE: it could {}\n", hole.probe.claim());
    }
    text + "\n"
}

fn layer_text(layer: &LayerReport) -> String {
    match &layer.state {
        LayerState::Enforced(detail) => format!("  {:18} enforced   {detail}\n", layer.layer),
        LayerState::Absent { why, remedy } => {
            let cause = format!("  {:18} ABSENT     {why}\n", layer.layer);
            cause + &format!("  {:18}            to get it: {remedy}\n", "")
        }
    }
}
