//! In-process isolation: compiler and runner inside the caller's process.
//!
//! The Wasm sandbox is the only wall. It is chosen explicitly and named in every report.

use crate::artifacts::VerifiedArtifact;
use crate::isolation::{Isolate, LoadFailure, Loaded};
use hotcell_compiler::{CompileError, Compiler, Parallelism};
use hotcell_model::component::{Description, Refusal};
use hotcell_model::grant::Grants;
use hotcell_model::job::{Finished, Job, JobData, Observer};
use hotcell_model::limit::Limits;
use hotcell_model::outcome::{Blame, Outcome, OutcomeKind};
use hotcell_model::profile::{EngineProfile, Isolation, Metering};
use hotcell_model::stop::StopSignal;
use hotcell_model::tenant::Tenant;
use hotcell_runner::{LoadError, LoadedKernel, Runner, RunnerConfig};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Compilers and runners of this process. No two tenants share a runner, and so none shares a pool.
pub(crate) struct InProcess {
    config: RunnerConfig,
    compilers: [OnceLock<Result<Compiler, String>>; Metering::ALL.len()],
    runners: Mutex<HashMap<(Tenant, Metering), Arc<Runner>>>,
}

impl InProcess {
    pub(crate) fn new(config: RunnerConfig) -> Self {
        Self {
            config,
            compilers: Default::default(),
            runners: Mutex::default(),
        }
    }

    fn runner(&self, tenant: &Tenant, metering: Metering) -> Result<Arc<Runner>, Outcome> {
        let mut runners = self.runners.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (tenant.clone(), metering);
        if let Some(runner) = runners.get(&key) {
            return Ok(Arc::clone(runner));
        }
        let runner = Runner::new(metering, self.config).map_err(|error| host_fault(&error))?;
        let runner = Arc::new(runner);
        runners.insert(key, Arc::clone(&runner));
        Ok(runner)
    }
}

impl Isolate for InProcess {
    fn kind(&self) -> Isolation {
        Isolation::InProcess
    }

    fn describe(&self, component: &[u8], limits: &Limits) -> Result<Description, Refusal> {
        hotcell_compiler::describe(component, limits)
    }

    fn profile(&self, metering: Metering) -> EngineProfile {
        hotcell_engine::profile(metering)
    }

    fn compile(
        &self,
        component: &[u8],
        metering: Metering,
        limits: &Limits,
    ) -> Result<Vec<u8>, Outcome> {
        let compiler = self.compilers[metering as usize].get_or_init(|| {
            Compiler::new(metering, Parallelism::AllCores).map_err(|error| error.to_string())
        });
        let compiler = compiler.as_ref().map_err(host_fault)?;
        compiler
            .compile(component, limits)
            .map_err(|error| match error {
                CompileError::TooMuch(breach) => Outcome::breached(breach),
                CompileError::Refused(_) => {
                    let message = hotcell_model::text::escape(&error.to_string(), 2048);
                    Outcome::failed(OutcomeKind::InvalidComponent, Blame::Guest, message)
                }
                CompileError::Setup(_) => host_fault(&error),
            })
    }

    fn load(
        &self,
        tenant: &Tenant,
        metering: Metering,
        artifact: &VerifiedArtifact,
        grants: &Grants,
    ) -> Result<Arc<dyn Loaded>, LoadFailure> {
        let runner = self.runner(tenant, metering);
        let runner = runner.map_err(|outcome| LoadFailure::Ended(Box::new(outcome)))?;
        // SAFETY: a `VerifiedArtifact` is what this host's compiler returned: either just now, or it was
        // read back and its keyed digest checked over the very bytes passed here.
        let kernel = unsafe { runner.load(artifact.bytes(), grants) };
        let kernel = kernel.map_err(|error| match error {
            LoadError::Mismatch(why) => LoadFailure::Stale(why),
            LoadError::Interfaces(_) => {
                let message = hotcell_model::text::escape(&error.to_string(), 2048);
                LoadFailure::Ended(Box::new(Outcome::failed(
                    OutcomeKind::InvalidComponent,
                    Blame::Guest,
                    message,
                )))
            }
        })?;
        Ok(Arc::new(LoadedInProcess { runner, kernel }))
    }
}

struct LoadedInProcess {
    runner: Arc<Runner>,
    kernel: LoadedKernel,
}

impl Loaded for LoadedInProcess {
    fn run(
        &self,
        job: &Job,
        data: &JobData,
        signal: &Arc<StopSignal>,
        observer: &Arc<dyn Observer>,
    ) -> Finished {
        self.runner.run(&self.kernel, job, data, signal, observer)
    }
}

fn host_fault(error: &impl ToString) -> Outcome {
    Outcome::failed(OutcomeKind::HostFault, Blame::Host, error.to_string())
}
