//! The seam between the supervisor and what compiles and runs hostile code.
//!
//! In-process isolation implements it by calling; confined workers will implement it by sending. The
//! supervisor's side of a launch knows nothing else of either.

use crate::artifacts::VerifiedArtifact;
use hotcell_model::component::{Description, Refusal};
use hotcell_model::grant::Grants;
use hotcell_model::job::{Finished, Job, JobData, Observer};
use hotcell_model::limit::Limits;
use hotcell_model::outcome::Outcome;
use hotcell_model::profile::{EngineProfile, Isolation, Metering};
use hotcell_model::stop::StopSignal;
use hotcell_model::tenant::Tenant;
use std::sync::Arc;

/// Compiles and runs components, apart from the supervisor.
pub(crate) trait Isolate: Send + Sync {
    /// What it is called in reports.
    fn kind(&self) -> Isolation;

    /// Reads a component without running it.
    fn describe(&self, component: &[u8], limits: &Limits) -> Result<Description, Refusal>;

    /// What artifacts of this isolation depend on besides their component.
    fn profile(&self, metering: Metering) -> EngineProfile;

    /// Compiles a component that was described.
    fn compile(
        &self,
        component: &[u8],
        metering: Metering,
        limits: &Limits,
    ) -> Result<Vec<u8>, Outcome>;

    /// Makes an artifact runnable for a tenant.
    fn load(
        &self,
        tenant: &Tenant,
        metering: Metering,
        artifact: &VerifiedArtifact,
        grants: &Grants,
    ) -> Result<Arc<dyn Loaded>, LoadFailure>;
}

/// Why an artifact was not loaded.
pub(crate) enum LoadFailure {
    /// It is stale: made by another version or for another machine.
    Stale(String),
    /// The launch ends.
    Ended(Box<Outcome>),
}

/// A component that can be launched.
pub(crate) trait Loaded: Send + Sync {
    /// Runs one launch to its end.
    fn run(
        &self,
        job: &Job,
        data: &JobData,
        signal: &Arc<StopSignal>,
        observer: &Arc<dyn Observer>,
    ) -> Finished;
}
