//! Starting guarded processes.

use super::Inner;
use super::place::Needs;
use crate::confined::guarded::{Folder, GuardedWorker, NotStarted, Standard, StartOrder, fault};
use hotcell_model::frame::{BeginRequest, GUARD_PATHS};
use hotcell_model::layer::{Layer, LayerReport, Tier};
use hotcell_model::stop::StopSignal;
use hotcell_sandbox::cgroup::{Cgroup, CgroupLimits};
use hotcell_sandbox::process::WorkerCommand;
use std::path::PathBuf;
use std::time::Instant;

impl Inner {
    /// Starts a process.
    pub(super) fn start(
        &self,
        needs: Needs,
        standard: Standard,
        deadline: Option<Instant>,
        stop: &StopSignal,
    ) -> Result<GuardedWorker, NotStarted> {
        let settings = &self.settings;
        let here = |error| NotStarted::Fault(fault(error));
        let folder = Folder::new().map_err(here)?;
        let paths = |paths: &[PathBuf]| -> Result<Vec<String>, NotStarted> {
            let text = |path: &PathBuf| match path.to_str() {
                Some(text) => Ok(text.to_owned()),
                None => Err(NotStarted::Imports(format!(
                    "the path {} is no text",
                    path.display()
                ))),
            };
            if paths.len() > GUARD_PATHS {
                return Err(NotStarted::Imports(format!(
                    "{} paths were given, at most {GUARD_PATHS} are supported",
                    paths.len()
                )));
            }
            paths.iter().map(text).collect()
        };
        let begin = BeginRequest {
            profiles: settings.profiles.clone(),
            read: paths(&settings.read)?,
            write: paths(&settings.write)?,
            folder: paths(&[folder.path().to_owned()])?.remove(0),
            scratch_bytes: needs.scratch_bytes,
            threads: needs.threads,
            setup: settings.setup.clone(),
        };
        let required = self.cell.inner.isolation.required_tier();
        GuardedWorker::start(StartOrder {
            command: &WorkerCommand {
                program: settings.interpreter.clone(),
                arguments: settings.arguments.clone(),
            },
            begin,
            folder,
            standard,
            required: required.unwrap_or(Tier::Full),
            cgroup: &|pid| self.cgroup(pid, needs),
            deadline,
            stop,
        })
    }

    pub(super) fn cgroup(&self, pid: u32, needs: Needs) -> Result<Cgroup, LayerReport> {
        let hierarchy = self.hierarchy.as_ref().map_err(Clone::clone)?;
        let limits = CgroupLimits {
            tasks: Some(needs.threads),
            ..CgroupLimits::default()
        };
        let entered = hierarchy
            .create(&limits)
            .and_then(|cgroup| cgroup.enter(pid).map(|()| cgroup));
        entered.map_err(|error| {
            let why = format!("the delegated hierarchy cannot be used: {error}");
            let remedy = "a delegated cgroup without inner processes";
            LayerReport::absent(Layer::Cgroup, why, remedy)
        })
    }
}
