//! Confined isolation: each component compiled in a process of its own, and run in others, none of which can
//! reach anything but its supervisor's socket.
//!
//! The supervisor's side of `docs/threat-model.md`: it starts workers ([`starter`]), looks at their walls before
//! they see a hostile byte ([`tier`]), bounds and watches them from outside ([`compile`], [`runner`]), hands
//! arrays over as sealed memory ([`parcel`]), believes nothing ([`reading`], [`claims`]), and kills what does not
//! stop. A runner belongs to one tenant and one component and is used again ([`pool`]) unless it gave reason for
//! an alert. What is scarce goes round by tenant ([`turns`]).

mod acceptance;
mod claims;
mod compile;
mod doctor;
mod fault;
mod files;
mod gpu;
pub(crate) mod guarded;
mod keeper;
mod kernel;
mod parcel;
mod pauses;
mod pool;
mod process;
mod programs;
pub(crate) mod reading;
mod runner;
mod sessions;
mod settings;
mod spare;
mod starter;
mod supervisor;
mod tier;
mod turns;

pub use programs::ProgramError;
pub(crate) use settings::{Settings, Spares};

use crate::artifacts::VerifiedArtifact;
use crate::component::Component;
use crate::isolation::diagnosis::{Diagnosis, GpuDiagnosis};
use crate::isolation::{
    Isolate, LoadFailure, Loaded, LoadedKey, Order, Pools, Waiting, WorkResult,
};
use fault::Fault;
use hotcell_model::component::Description;
use hotcell_model::frame::WireDescription;
use hotcell_model::layer::{Tier, WorkerKind};
use hotcell_model::limit::Limit;
use hotcell_model::outcome::Outcome;
use hotcell_model::profile::{EngineProfile, Isolation, Metering};
use hotcell_model::tenant::Tenant;
use kernel::ConfinedKernel;
use programs::Programs;
use reading::{CompileTask, Violation};
use std::sync::Arc;
use supervisor::Supervisor;

/// Compile processes and runners of one cell.
pub(crate) struct ConfinedIsolation(Arc<Supervisor>);

impl ConfinedIsolation {
    /// Looks for the worker programs, and has spares started in the background.
    pub(crate) fn start(settings: Settings) -> Result<Self, ProgramError> {
        let programs = Programs::find(settings.workers.as_deref(), settings.trusted.as_deref())?;
        Ok(Self(Supervisor::start(programs, settings)))
    }
}

impl Isolate for ConfinedIsolation {
    fn kind(&self) -> Isolation {
        Isolation::Confined
    }

    fn required_tier(&self) -> Option<Tier> {
        Some(self.0.settings.required)
    }

    fn describe(&self, component: &Component, order: Order<'_>) -> WorkResult<Description> {
        let metering = Metering::default();
        let worked = self
            .0
            .compile(component, CompileTask::Describe, metering, order);
        let mut alert = None;
        let mut described = worked.and_then(|written| {
            match WireDescription::read(written.bytes(), order.limits.get(Limit::Items)) {
                Ok(described) => described.map_err(|refusal| refusal.outcome()),
                // The process claimed that it is a description.
                Err(error) => {
                    let fault = Fault::Hostile(WorkerKind::Compiler, Violation::Frame(error));
                    alert = fault.alert();
                    Err(fault.outcome())
                }
            }
        });
        described.evidence.alerts.extend(alert);
        described
    }

    fn profile(&self, metering: Metering) -> EngineProfile {
        hotcell_engine::profile(metering)
    }

    fn compile(
        &self,
        component: &Component,
        metering: Metering,
        order: Order<'_>,
    ) -> WorkResult<VerifiedArtifact> {
        let worked = self
            .0
            .compile(component, CompileTask::Compile, metering, order);
        // A copy, so that the memory that runners get holds the artifact and nothing else.
        worked.and_then(|written| {
            VerifiedArtifact::fresh(written.bytes()).map_err(|error| Fault::Here(error).outcome())
        })
    }

    fn load(
        &self,
        key: &LoadedKey,
        artifact: &Arc<VerifiedArtifact>,
        order: Order<'_>,
    ) -> Result<Arc<dyn Loaded>, LoadFailure> {
        let kernel = Arc::new(ConfinedKernel {
            supervisor: Arc::clone(&self.0),
            key: key.clone(),
            artifact: Arc::clone(artifact),
        });
        kernel.load(order)
    }

    fn waiting(&self, tenant: &Tenant) -> Waiting {
        self.0.waiting(tenant)
    }

    fn pools(&self) -> Pools {
        self.0.pools()
    }

    fn diagnose(&self, component: &Component) -> Result<Diagnosis, Outcome> {
        doctor::diagnose(&self.0, component)
    }

    fn diagnose_gpu(&self) -> Result<GpuDiagnosis, Outcome> {
        doctor::diagnose_gpu(&self.0)
    }
}
