//! `hotcell doctor`

mod component;
mod guard;

use crate::exit::CommandError;
use crate::hint::explain;
use crate::host::{build, confined, recorded};
use crate::say::print;
use anyhow::Result;
use clap::Args;
use guard::GuardDiagnosis;
use hotcell::layer::{LayerReport, LayerState, Tier};
use hotcell::outcome::Outcome;
use hotcell::{Diagnosis, GpuDiagnosis, TrialVerdict, WorkerDiagnosis};
use serde::Serialize;
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
    /// Look at the GPU worker too: its walls depend on the driver, and its tier counts like the others'
    #[arg(long)]
    gpu: bool,
    /// Have a guarded interpreter try too, by native code inside it [default: python3, which needs the package hotcell]
    #[arg(long, value_name = "PYTHON", num_args = 0..=1, default_missing_value = crate::guard::PYTHON)]
    guard: Option<String>,
    /// Where hotcell-compiler, hotcell-runner and hotcell-gpu are [default: beside hotcell, or in ../libexec/hotcell]
    #[arg(long, value_name = "DIRECTORY")]
    workers: Option<PathBuf>,
}

impl DoctorCommand {
    /// Prints the diagnosis, and returns the exit code that its tier stands for.
    pub(crate) fn execute(self) -> Result<u8> {
        let cell = build(recorded(
            confined(self.workers).require_tier(Tier::Insecure),
        )?)?;
        let failed = |outcome: Outcome| {
            let words = anyhow::anyhow!("{}: {}", outcome.kind, explain(&outcome));
            CommandError::of(outcome.kind, words)
        };
        let workers = cell.doctor(&component::make()?).map_err(failed)?;
        let gpu = match self.gpu {
            true => Some(cell.doctor_gpu().map_err(failed)?),
            false => None,
        };
        let guarded = self.guard.as_deref();
        let guarded = guarded
            .map(|python| guard::diagnose(&cell, python))
            .transpose()?;
        let found = DoctorFindings {
            workers,
            gpu,
            guarded,
        };
        if self.json {
            let json = serde_json::to_string_pretty(&found)?;
            print(format_args!("{json}\n"))?;
        } else {
            print(table(&found))?;
        }
        Ok(match found.tier() {
            Tier::Full => 0,
            Tier::Unprivileged => 1,
            Tier::Insecure => hotcell::outcome::OutcomeKind::Isolation.exit_code(),
        })
    }
}

/// What was found out.
#[derive(Serialize)]
struct DoctorFindings {
    #[serde(flatten)]
    workers: Diagnosis,
    #[serde(skip_serializing_if = "Option::is_none")]
    gpu: Option<GpuDiagnosis>,
    #[serde(skip_serializing_if = "Option::is_none")]
    guarded: Option<GuardDiagnosis>,
}

impl DoctorFindings {
    /// The tier of the weakest worker that was looked at.
    fn tier(&self) -> Tier {
        let gpu = self.gpu.iter().map(|gpu| gpu.tier);
        let guarded = self
            .guarded
            .iter()
            .map(|guarded| match guarded.holes().next() {
                None => guarded.tier,
                Some(_) => Tier::Insecure,
            });
        gpu.chain(guarded).fold(self.workers.tier, Tier::min)
    }
}

fn table(found: &DoctorFindings) -> String {
    let mut text = String::new();
    for worker in &found.workers.workers {
        text += &worker_text(worker);
    }
    if let Some(gpu) = &found.gpu {
        text += &format!("device: {}\n{}", gpu.driver, loops_text(gpu));
        text += &worker_text(&gpu.worker);
    }
    if let Some(guarded) = &found.guarded {
        text += &guarded_text(guarded);
    }
    let tier = found.tier();
    let consequence = match tier {
        Tier::Full => "kernels run by default",
        Tier::Unprivileged => {
            "kernels run with --tier unprivileged; docs/operating.md says how to get more"
        }
        Tier::Insecure => "kernels run only with --tier insecure, which no operator should choose",
    };
    text + &format!("tier: {tier}: {consequence}\n")
}

/// What the device was seen to do with a long loop.
fn loops_text(gpu: &GpuDiagnosis) -> String {
    match gpu.turns_limit {
        Some(turns) => {
            format!("loops: the device ends them after {turns} turns, and says nothing\n")
        }
        None => "loops: the device ends none by itself, as far as was measured\n".to_owned(),
    }
}

fn guarded_text(found: &GuardDiagnosis) -> String {
    let profiles: Vec<&str> = found.profiles.iter().map(|one| one.name()).collect();
    let mut text = format!(
        "guarded {} (profiles {})\n",
        found.interpreter,
        profiles.join(", ")
    );
    for layer in &found.layers {
        text += &layer_text(layer);
    }
    let mut groups: Vec<&str> = found
        .attacks
        .iter()
        .map(|attack| attack.group.as_str())
        .collect();
    groups.sort_unstable();
    groups.dedup();
    for group in groups {
        let of_group = || found.attacks.iter().filter(|attack| attack.group == group);
        let holes = of_group().filter(|attack| attack.succeeded).count();
        text += &format!(
            "  attacks on {group:11} {} tried: {} were refused, {holes} SUCCEEDED\n",
            of_group().count(),
            of_group().count() - holes,
        );
    }
    for hole in found.holes() {
        text += &format!("    HOLE: it could {}: {}\n", hole.what, hole.detail);
    }
    text + "\n"
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
    let is_death = |verdict: &TrialVerdict| matches!(verdict, TrialVerdict::Died(_));
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
        text += &match worker.admits(hole.probe) {
            true => format!("    as its driver must, it could {}\n", hole.probe.claim()),
            false => format!("    HOLE: it could {}\n", hole.probe.claim()),
        };
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
