//! Starting workers: their programs, their settings, their cgroups.

use super::fault::Fault;
use super::process::Process;
use super::programs::Programs;
use super::settings::Settings;
use hotcell_model::gpu::GpuDevice;
use hotcell_model::layer::{Layer, LayerReport, WorkerKind};
use hotcell_model::limit::Limit;
use hotcell_model::manifest::Weight;
use hotcell_model::profile::Metering;
use hotcell_sandbox::cgroup::{Cgroup, CgroupLimits, Hierarchy};
use hotcell_sandbox::process::WorkerCommand;

/// Bytes of each slot's memory that a runner keeps mapped between launches, as in-process isolation does.
const KEEP_RESIDENT_BYTES: u64 = 64 << 20;
/// Memory of a runner besides guests': stacks, tables, the engine, the artifact's metadata.
const RUNNER_BYTES: u64 = 256 << 20;
/// Memory of a GPU worker besides what launches hold on a software device: the driver, and its compiler at work.
const GPU_WORKER_BYTES: u64 = 2 << 30;
/// The most threads that a worker's cgroup holds: chunks, and those that wait for words and ticks.
const TASKS: u64 = 32;

/// Starts workers.
pub(crate) struct Starter {
    programs: Programs,
    threads: usize,
    map_from_bytes: usize,
    gpu: GpuDevice,
    cgroups: Result<Hierarchy, LayerReport>,
}

/// What a worker is started as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Compiler,
    Runner(Metering),
    Gpu,
}

impl Role {
    pub(crate) fn kind(self) -> WorkerKind {
        match self {
            Self::Compiler => WorkerKind::Compiler,
            Self::Runner(_) => WorkerKind::Runner,
            Self::Gpu => WorkerKind::Gpu,
        }
    }
}

impl Starter {
    pub(crate) fn new(programs: Programs, settings: &Settings) -> Self {
        Self {
            programs,
            threads: settings.runner_threads,
            map_from_bytes: settings.map_from_bytes,
            gpu: settings.gpu,
            cgroups: Hierarchy::delegated(),
        }
    }

    /// Starts a worker and waits for its greeting. It has seen nothing of anybody's yet.
    pub(crate) fn start(&self, role: Role) -> Result<Process, Fault> {
        let kind = role.kind();
        let command = self.command(role);
        let worker = command.spawn().map_err(|error| Fault::Start(kind, error))?;
        let cgroup = self.cgroup(worker.pid());
        Process::greet(worker, kind, cgroup)
    }

    /// The bound on a runner's private memory for guests that may have that much.
    pub(crate) fn runner_data_bytes(&self, guest_bytes: u64) -> u64 {
        RUNNER_BYTES + self.threads as u64 * KEEP_RESIDENT_BYTES + guest_bytes
    }

    fn command(&self, role: Role) -> WorkerCommand {
        let (program, settings) = match role {
            Role::Compiler => (&self.programs.compiler, Vec::new()),
            Role::Runner(metering) => {
                let threads = self.threads.to_string();
                // What any load can ask for: a limit can be lowered from outside, and not raised.
                let data_bytes = self.runner_data_bytes(Limit::Memory.ceiling())
                    + Limit::ArtifactBytes.ceiling();
                let settings = vec![
                    ("--metering", metering.name().to_owned()),
                    ("--slots", threads.clone()),
                    ("--threads", threads),
                    ("--keep-resident-bytes", KEEP_RESIDENT_BYTES.to_string()),
                    ("--map-from-bytes", self.map_from_bytes.to_string()),
                    ("--data-bytes", data_bytes.to_string()),
                ];
                (&self.programs.runner, settings)
            }
            Role::Gpu => {
                // A software device is in the process itself, with all of its memory.
                let data_bytes = GPU_WORKER_BYTES + Limit::GpuBytes.default_value(Weight::Heavy);
                let settings = vec![
                    ("--device", self.gpu.name().to_owned()),
                    ("--data-bytes", data_bytes.to_string()),
                ];
                (&self.programs.gpu, settings)
            }
        };
        let pair = |(name, value): (&str, String)| [name.into(), value.into()];
        WorkerCommand {
            program: program.clone(),
            arguments: settings.into_iter().flat_map(pair).collect(),
        }
    }

    pub(crate) fn cgroup(&self, pid: u32) -> Result<Cgroup, LayerReport> {
        let hierarchy = self.cgroups.as_ref().map_err(Clone::clone)?;
        let limits = CgroupLimits {
            tasks: Some(TASKS),
            ..CgroupLimits::default()
        };
        let entered = hierarchy
            .create(&limits)
            .and_then(|cgroup| cgroup.enter(pid).map(|()| cgroup));
        entered.map_err(|error| {
            let why = format!("the delegated hierarchy cannot be used: {error}");
            LayerReport::absent(
                Layer::Cgroup,
                why,
                "a delegated cgroup without inner processes",
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn workers() -> Starter {
        let programs = Programs {
            compiler: PathBuf::from("/nowhere/hotcell-compiler"),
            runner: PathBuf::from("/nowhere/hotcell-runner"),
            gpu: PathBuf::from("/nowhere/hotcell-gpu"),
        };
        Starter::new(programs, &Settings::default())
    }

    #[test]
    fn a_runner_is_told_every_setting_and_a_compiler_none() {
        let workers = workers();
        assert!(workers.command(Role::Compiler).arguments.is_empty());
        let runner = workers.command(Role::Runner(Metering::Fast)).arguments;
        assert_eq!(runner.len(), 12);
        assert_eq!(runner[..2], ["--metering", "fast"]);
        assert!(runner.iter().all(|argument| !argument.is_empty()));
    }

    #[test]
    fn a_program_that_is_gone_is_a_fault_with_words() {
        let fault = workers().start(Role::Compiler).unwrap_err();
        let outcome = fault.outcome();
        assert!(
            outcome.message.contains("could not be started"),
            "{}",
            outcome.message
        );
    }
}
