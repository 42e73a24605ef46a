//! GPU work inside the calling process: the same sessions as the GPU worker's, with no process around them.
//!
//! Each tenant has a device of its own. One that was lost, or that did not finish in time, is let go of and opened
//! anew for the next launch; work that still hangs on it goes on hanging in its driver's threads, which is why
//! confined isolation exists.

use crate::isolation::Ran;
use crate::kept::Kept;
use hotcell_gpu::device::Device;
use hotcell_gpu::session::{Checks, Session, SessionEnd, SessionOrder};
use hotcell_model::gpu::{GpuAnswer, GpuCommand, GpuDevice, GpuEnd, GpuLink, NamedShader};
use hotcell_model::grant::Capability;
use hotcell_model::job::Job;
use hotcell_model::limit::Limit;
use hotcell_model::outcome::{Blame, Outcome, OutcomeKind};
use hotcell_model::stop::StopSignal;
use hotcell_model::tenant::Tenant;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// The most devices that are kept open, as many as confined isolation has GPU workers unless told otherwise.
const DEVICES: u64 = 4;

/// The devices of this process, by tenant.
pub(crate) struct Gpus {
    choice: GpuDevice,
    devices: Kept<Tenant, Device>,
}

impl Gpus {
    pub(crate) fn new(choice: GpuDevice) -> Self {
        Self {
            choice,
            devices: Kept::of_count(DEVICES),
        }
    }

    /// Begins a launch's GPU work.
    pub(crate) fn begin(
        &self,
        tenant: &Tenant,
        job: &Job,
        shaders: &[NamedShader],
        signal: &Arc<StopSignal>,
    ) -> Result<Arc<InProcessLink>, Outcome> {
        let device = self.device(tenant)?;
        let written = job.arrays.iter().filter(|array| array.is_written).count();
        let read = job.arrays.iter().filter(|array| array.is_read).count();
        let order = SessionOrder {
            limits: job.limits.clone(),
            deadline: Instant::now() + job.limits.duration(Limit::Timeout),
            signal: Arc::clone(signal),
            has_profile: job.has_gpu_profile,
            shaders: shaders.to_vec(),
            has_text: job.grants.has(Capability::GpuText),
            // Arrays are in this process: the runner hands them over without a copy.
            inputs: (0..read).map(|_| None).collect(),
            outputs: (0..written).map(|_| None).collect(),
            checks: Checks::Full,
        };
        Ok(Arc::new(InProcessLink {
            session: Mutex::new(Some(Session::begin(&device, order))),
            driver: device.driver().to_owned(),
        }))
    }

    fn device(&self, tenant: &Tenant) -> Result<Arc<Device>, Outcome> {
        if let Some(lost) = self.devices.get(tenant).filter(|device| device.is_lost()) {
            self.devices.forget(tenant, &lost);
        }
        self.devices.get_or_try_insert(tenant, || self.open())
    }

    fn open(&self) -> Result<Device, Outcome> {
        let device = Device::open(self.choice);
        device.map_err(|error| Outcome {
            reproducible: false,
            ..Outcome::failed(
                OutcomeKind::GpuLost,
                Blame::Operator,
                format!("no GPU to run on: {error}"),
            )
        })
    }
}

/// A launch's session.
pub(crate) struct InProcessLink {
    /// Gone once the launch is over.
    session: Mutex<Option<Session>>,
    driver: String,
}

impl InProcessLink {
    fn session(&self) -> MutexGuard<'_, Option<Session>> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the GPU work, and puts what it came to beside what the runner says.
    pub(crate) fn conclude(&self, ran: &mut Ran) {
        let Some(session) = self.session().take() else {
            return;
        };
        let SessionEnd { usage, end } = session.finish();
        ran.end.usage.gpu = Some(Box::new(usage));
        ran.evidence.device = Some(self.driver.clone());
        if let Some(outcome) = end.as_ref().and_then(GpuEnd::outcome) {
            ran.end.overrule(outcome);
        }
    }
}

impl GpuLink for InProcessLink {
    fn call(&self, command: GpuCommand) -> GpuAnswer {
        match self.session().as_mut() {
            Some(session) => session.command(command),
            None => GpuAnswer::Ended(GpuEnd::Stopped),
        }
    }
}
