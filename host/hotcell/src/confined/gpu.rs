//! GPU workers: one tenant's GPU work on one device, in a process of its own, one launch at a time.
//!
//! The runner speaks to the worker itself, over a channel that is made here for each launch. The supervisor
//! keeps one end's twin: to hang up ends the launch's GPU work, from outside and at any moment. What the worker
//! says at the end is believed before what the runner says of it, where it can be: its figures are claims, held
//! against the launch's limits and the time that passed.

use super::claims::{can_be, mismatch};
use super::fault::Fault;
use super::parcel::Parcel;
use super::process::{Arrived, Process};
use super::reading::{GpuEnded, GpuReady, read_gpu_ended, read_gpu_ready};
use super::runner::OVERSLEPT;
use super::sessions::{Account, Seat, WorkerSession};
use super::supervisor::{GpuLease, RunnerLease, Supervisor};
use super::tier::check_tier;
use crate::bell::OnCancel;
use crate::isolation::{LoadFailure, Order, Ran};
use hotcell_model::frame::{GpuRequest, ToGpu};
use hotcell_model::gpu::{GpuEnd, GpuUsage, LEDGER_BYTES, NamedShader};
use hotcell_model::grant::Capability;
use hotcell_model::job::{Job, JobData, RunEnd, Source};
use hotcell_model::layer::{LayerReport, Tier, WorkerKind};
use hotcell_model::limit::{Amount, Breach, Limit};
use hotcell_model::outcome::{Blame, Cause, Outcome, OutcomeKind};
use hotcell_model::report::Alert;
use hotcell_model::stop::StopSignal;
use hotcell_model::time::nanoseconds;
use hotcell_sandbox::channel::{Channel, Wake};
use hotcell_sandbox::memory::{OutputMemory, SealedMemory};
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a worker may take to open and warm its device: drivers load large libraries.
const OPENING_WITHIN: Duration = Duration::from_secs(30);
/// How long a worker may take to let go of a launch, from the launch's deadline or its end, whichever is later.
const ENDING_WITHIN: Duration = Duration::from_millis(500);
/// The same from a cancel on: a session gives its device a second to come to rest.
const STOPPING_WITHIN: Duration = Duration::from_millis(1500);
/// Clocks are read at different moments.
const CLOCK_SLACK: Duration = Duration::from_millis(2);

/// A locked worker with its device open. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct GpuWorker {
    process: Process,
    layers: Arc<[LayerReport]>,
    driver: String,
    turns_limit: Option<u32>,
    launches: u64,
}

/// A launch's GPU work, from the supervisor's side.
struct GpuSession {
    lease: GpuLease,
    worker: GpuWorker,
    /// The runner's end, kept to hang up.
    channel: Channel,
    /// What the worker has used so far, by its word.
    ledger: OutputMemory,
    id: u64,
    begun: Instant,
    deadline: Instant,
}

/// How a launch's GPU work ended.
struct GpuAccount {
    lease: GpuLease,
    /// The worker, if it can serve another launch.
    worker: Option<GpuWorker>,
    driver: String,
    layers: Arc<[LayerReport]>,
    /// What the worker said; `None` once that is accounted for.
    told: Option<Result<(GpuUsage, Option<GpuEnd>), Fault>>,
    /// What it had used when nobody answered any more, as far as it is known.
    left: Option<GpuUsage>,
    /// From the request to the end.
    wall: Duration,
}

/// Why there is no worker.
pub(crate) enum NotOpened {
    /// There is no device.
    Unavailable(String),
    /// The walls are too low.
    Tier(Outcome, Vec<LayerReport>),
    /// The worker failed.
    Fault(Fault),
}

impl From<Fault> for NotOpened {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl NotOpened {
    /// The end of a launch that needed a GPU.
    pub(crate) fn outcome(&self) -> Outcome {
        match self {
            Self::Unavailable(why) => Outcome {
                reproducible: false,
                ..Outcome::failed(
                    OutcomeKind::GpuLost,
                    Blame::Operator,
                    format!("no GPU to run on: {why}"),
                )
            },
            Self::Tier(outcome, _) => outcome.clone(),
            Self::Fault(fault) => fault.outcome(),
        }
    }
}

impl GpuWorker {
    /// Waits until a started worker has opened its device and locked itself.
    pub(crate) fn open(mut process: Process, required: Tier) -> Result<Self, NotOpened> {
        let kind = WorkerKind::Gpu;
        match process.receive(Instant::now() + OPENING_WITHIN, None)? {
            Arrived::Frame => {}
            Arrived::TimedOut | Arrived::Woken => {
                return Err(Fault::Silent(kind, OPENING_WITHIN).into());
            }
        }
        let (frame, descriptors) = process.frame();
        let ready = read_gpu_ready(frame, descriptors)
            .map_err(|violation| Fault::Hostile(kind, violation))?;
        let (driver, turns_limit, layers) = match ready {
            GpuReady::Ready {
                driver,
                turns_limit,
                layers,
            } => (driver, turns_limit, layers),
            GpuReady::Unavailable(why) => return Err(NotOpened::Unavailable(why)),
        };
        process.add_layers(layers);
        check_tier(process.layers(), None, required, kind)
            .map_err(|outcome| NotOpened::Tier(outcome, process.layers().to_vec()))?;
        Ok(Self {
            layers: process.layers().into(),
            process,
            driver,
            turns_limit,
            launches: 0,
        })
    }

    /// The process, locked.
    pub(crate) fn into_process(self) -> Process {
        self.process
    }

    /// Its layers, in order.
    pub(crate) fn layers(&self) -> &[LayerReport] {
        &self.layers
    }

    /// The device and its driver in words.
    pub(crate) fn driver(&self) -> &str {
        &self.driver
    }

    /// The turns after which its device ends a loop by itself, if it was seen to.
    pub(crate) fn turns_limit(&self) -> Option<u32> {
        self.turns_limit
    }

    /// Whether it lives and has said nothing unasked.
    pub(crate) fn is_quiet(&mut self) -> bool {
        self.process.is_quiet()
    }

    /// Hands a launch to the worker.
    fn begin(
        mut self,
        lease: GpuLease,
        job: &Job,
        shaders: &[NamedShader],
        parcel: &Parcel,
    ) -> Result<GpuSession, Fault> {
        let (channel, other) = Channel::pair().map_err(Fault::Here)?;
        self.launches += 1;
        let id = self.launches;
        let timeout = job.limits.duration(Limit::Timeout);
        let shared = parcel.shared();
        let named = |shader: &NamedShader| (shader.name.clone(), shader.text.len() as u64);
        let request = ToGpu::Begin(Box::new(GpuRequest {
            id,
            limits: job.limits.clone(),
            time_ns: nanoseconds(timeout),
            has_profile: job.has_gpu_profile,
            has_text: job.grants.has(Capability::GpuText),
            shaders: shaders.iter().map(named).collect(),
            inputs: shared.inputs,
            outputs: shared.outputs,
        }));
        let ledger = OutputMemory::create(LEDGER_BYTES as u64).map_err(Fault::Here)?;
        let texts = texts(shaders).map_err(Fault::Here)?;
        let mut descriptors = vec![other.as_fd(), ledger.as_fd()];
        descriptors.extend(texts.as_ref().map(AsFd::as_fd));
        descriptors.extend(shared.descriptors);
        let begun = Instant::now();
        self.process.send(&request, &descriptors)?;
        Ok(GpuSession {
            lease,
            worker: self,
            channel,
            ledger,
            id,
            begun,
            deadline: Instant::now() + timeout,
        })
    }
}

/// A place for a GPU worker of the tenant's, if the launch was granted one.
pub(crate) fn prepare(
    supervisor: &Supervisor,
    job: &Job,
    ready: &mut Option<RunnerLease>,
    order: Order<'_>,
) -> Result<Option<Box<dyn Seat>>, LoadFailure> {
    if !job.grants.has(Capability::Gpu) {
        return Ok(None);
    }
    let lease = match supervisor.try_lease_gpu(order.tenant) {
        Some(lease) => lease,
        None => {
            if let Some(lease) = ready.take() {
                supervisor.give_up(lease);
            }
            supervisor.lease_gpu(order.tenant, order.stop)?
        }
    };
    Ok(Some(Box::new(GpuSeat(lease))))
}

/// A place for a GPU worker.
struct GpuSeat(GpuLease);

impl Seat for GpuSeat {
    fn capability(&self) -> Capability {
        Capability::Gpu
    }

    fn begin(
        self: Box<Self>,
        supervisor: &Arc<Supervisor>,
        job: &Job,
        data: &JobData,
        parcel: &Parcel,
    ) -> Result<Box<dyn WorkerSession>, LoadFailure> {
        let Self(mut lease) = *self;
        let worker = supervisor.gpu_worker(&mut lease)?;
        Ok(Box::new(worker.begin(lease, job, &data.shaders, parcel)?))
    }
}

impl WorkerSession for GpuSession {
    fn channel(&self) -> &Channel {
        &self.channel
    }

    /// A worker that does not let go is killed: the work of a launch that is not over by its deadline does not outlive
    /// it.
    fn end(self: Box<Self>, stop: &StopSignal) -> Box<dyn Account> {
        let Self {
            lease,
            mut worker,
            channel,
            ledger,
            id,
            begun,
            deadline,
        } = *self;
        // The worker may have hung up first.
        let _ = channel.shutdown();
        let until = Instant::now().max(deadline) + ENDING_WITHIN;
        let told = wait_ended(&mut worker.process, id, until, stop);
        let is_reusable = match &told {
            Ok((_, None | Some(GpuEnd::FuelExhausted { .. } | GpuEnd::Stopped))) => true,
            Ok((
                _,
                Some(
                    GpuEnd::Timeout { .. }
                    | GpuEnd::Deadline { .. }
                    | GpuEnd::NotCompiled { .. }
                    | GpuEnd::Lost(_),
                ),
            )) => false,
            Err(_) => false,
        };
        Box::new(GpuAccount {
            lease,
            driver: worker.driver.clone(),
            layers: Arc::clone(&worker.layers),
            // Killed at once otherwise, whatever its device does.
            worker: is_reusable.then_some(worker),
            left: told.is_err().then(|| peek(&ledger)).flatten(),
            told: Some(told),
            wall: begun.elapsed(),
        })
    }
}

/// The texts of shaders, one after the other, where nobody can change them; `None` without shaders.
fn texts(shaders: &[NamedShader]) -> io::Result<Option<SealedMemory>> {
    let texts: Vec<&[u8]> = shaders.iter().map(|shader| &*shader.text).collect();
    let texts = (!texts.is_empty()).then(|| SealedMemory::copy_of(&texts.concat()));
    texts.transpose()
}

/// What a worker had used when it wrote that the last time.
fn peek(ledger: &OutputMemory) -> Option<GpuUsage> {
    let mut bytes = [0; LEDGER_BYTES];
    ledger.peek(&mut bytes).ok()?;
    GpuUsage::of_ledger(&bytes)
}

fn wait_ended(
    process: &mut Process,
    id: u64,
    mut until: Instant,
    stop: &StopSignal,
) -> Result<(GpuUsage, Option<GpuEnd>), Fault> {
    let kind = WorkerKind::Gpu;
    let waiting = Instant::now();
    let wake = Arc::new(Wake::new().map_err(Fault::Here)?);
    let waker = Arc::clone(&wake);
    let _waking = OnCancel::call(stop, move || waker.wake());
    let mut is_extended = false;
    loop {
        match process.receive(until, Some(&wake))? {
            Arrived::Frame => break,
            // Nobody here could look: the worker may not have had the processor either.
            Arrived::TimedOut if !is_extended && until.elapsed() >= OVERSLEPT => {
                is_extended = true;
                until = Instant::now() + ENDING_WITHIN;
            }
            Arrived::TimedOut => return Err(Fault::Silent(kind, waiting.elapsed())),
            Arrived::Woken => {
                wake.clear();
                if stop.cancelled_at().is_some() {
                    until = until.min(Instant::now() + STOPPING_WITHIN);
                }
            }
        }
    }
    let (frame, descriptors) = process.frame();
    let GpuEnded { usage, end } = read_gpu_ended(frame, descriptors, id)
        .map_err(|violation| Fault::Hostile(kind, violation))?;
    Ok((usage, end))
}

impl Account for GpuAccount {
    fn conclude(&mut self, job: &Job, ran: &mut Ran) {
        ran.evidence.gpu = Arc::clone(&self.layers);
        ran.evidence.device = Some(self.driver.clone());
        match self.told.take() {
            Some(Ok((usage, end))) => self.conclude_told(usage, end, job, ran),
            Some(Err(fault)) => self.conclude_fault(&fault, job, ran),
            None => {}
        }
    }

    fn give_back(self: Box<Self>, supervisor: &Supervisor) {
        if let Some(worker) = self.worker {
            supervisor.give_back_gpu(self.lease, worker);
        }
    }
}

impl GpuAccount {
    /// The worker has told how its work ended.
    fn conclude_told(&self, usage: GpuUsage, mut told: Option<GpuEnd>, job: &Job, ran: &mut Ran) {
        let Ran { end, evidence } = ran;
        let untrue = untrue(&usage, told.as_ref(), job, self.wall);
        if let (Some(why), Some(said)) = (&untrue, &mut told) {
            *said = GpuEnd::Lost(why.clone());
        }
        evidence.alerts.extend(untrue.map(mismatch));
        report(usage, end);
        evidence.alerts.extend(unfounded(end, told.as_ref()));
        if let Some(outcome) = told.as_ref().and_then(GpuEnd::outcome) {
            end.overrule(outcome);
        } else if let (Some(GpuEnd::Stopped), true) = (&told, was_done(end)) {
            // It did not wait for the answer to what it asked for: what came of that is not known.
            let why = "the runner ended the launch in the middle of its GPU work";
            evidence.alerts.push(mismatch(why.to_owned()));
            end.overrule(Outcome {
                reproducible: false,
                ..Outcome::failed(OutcomeKind::GpuLost, Blame::Unknown, why)
            });
        }
    }

    /// The worker failed.
    fn conclude_fault(&mut self, fault: &Fault, job: &Job, ran: &mut Ran) {
        let Ran { end, evidence } = ran;
        evidence.alerts.extend(fault.alert());
        // What cannot be is nothing that is known.
        let left = self.left.take();
        let left = left.filter(|usage| untrue(usage, None, job, self.wall).is_none());
        if let Some(usage) = left {
            report(usage, end);
        }
        if end.outcome.kind != OutcomeKind::Cancelled {
            end.overrule(ended_by(fault, job, self.wall));
        }
    }
}

/// Puts what a GPU worker says that a launch used into its report.
fn report(usage: GpuUsage, end: &mut RunEnd<Source>) {
    end.usage.gpu = Some(Box::new(usage));
    end.usage.claimed.push("gpu".to_owned());
}

/// How a launch ends whose GPU worker failed. One that was killed since the launch's time was up names the timeout.
fn ended_by(fault: &Fault, job: &Job, wall: Duration) -> Outcome {
    let outcome = Outcome {
        kind: OutcomeKind::GpuLost,
        ..fault.outcome()
    };
    if !matches!(fault, Fault::Silent(..)) {
        return outcome;
    }
    let breach = Breach {
        limit: Limit::Timeout,
        amount: Amount::Used(nanoseconds(wall)),
        maximum: job.limits.get(Limit::Timeout),
    };
    let limit = can_be(&breach, job).then_some(breach);
    Outcome {
        kind: OutcomeKind::GpuTimeout,
        message: match limit {
            Some(breach) => format!("{breach}: {}", outcome.message),
            None => outcome.message.clone(),
        },
        ..outcome
    }
    .with(limit.map(Cause::from).into_iter().collect())
}

/// Whether the runner gives out its outputs as whole.
fn was_done(end: &RunEnd<Source>) -> bool {
    end.outcome.kind == OutcomeKind::Done
}

/// What cannot be of what a GPU worker says, in words.
fn untrue(usage: &GpuUsage, end: Option<&GpuEnd>, job: &Job, wall: Duration) -> Option<String> {
    let most_ns = nanoseconds(wall + CLOCK_SLACK);
    let breach = end.and_then(GpuEnd::breach);
    if let Some(breach) = breach.filter(|breach| !can_be(breach, job)) {
        return Some(format!(
            "the GPU worker claims a limit that is not in force: {breach}"
        ));
    }
    let waited_ns = breach
        .filter(|breach| matches!(breach.limit, Limit::GpuTime | Limit::Timeout))
        .map_or(0, |breach| breach.amount.value());
    let busy_ns = waited_ns.max(usage.time_ns);
    if busy_ns > most_ns {
        let (busy, passed) = (Duration::from_nanos(busy_ns), wall);
        return Some(format!(
            "the GPU worker claims {busy:?} of work, and only {passed:?} passed"
        ));
    }
    let charged = usage.fuel_static.saturating_add(usage.fuel_dynamic);
    let is_one = match end {
        Some(GpuEnd::FuelExhausted { used, .. }) => usage.is_fuel_exhausted && *used == charged,
        _ => !usage.is_fuel_exhausted,
    };
    if !is_one {
        return Some("the GPU worker contradicts itself about fuel that ran out".to_owned());
    }
    // Each is charged before it is given, so that none ever passes its limit.
    [
        (Limit::GpuDispatches, usage.dispatches),
        (Limit::GpuInvocations, usage.invocations),
        (Limit::GpuBytes, usage.peak_bytes),
        (Limit::GpuPipelines, usage.pipelines),
        (Limit::GpuBindSets, usage.bind_sets),
        (Limit::GpuShaderBytes, usage.shader_bytes),
    ]
    .into_iter()
    .map(|(limit, used)| Breach {
        limit,
        amount: Amount::Used(used),
        maximum: job.limits.get(limit),
    })
    .find(|breach| breach.amount.value() > breach.maximum)
    .map(|breach| format!("the GPU worker claims, and went on: {breach}"))
}

/// A runner that speaks of an end of the GPU work that the GPU worker does not know of.
fn unfounded(end: &RunEnd<Source>, told: Option<&GpuEnd>) -> Option<Alert> {
    let kind = end.outcome.kind;
    let is_claimed = matches!(
        kind,
        OutcomeKind::GpuFuelExhausted | OutcomeKind::GpuTimeout | OutcomeKind::GpuLost
    );
    (is_claimed && told.is_none()).then(|| {
        mismatch(format!(
            "the runner claims `{kind}`, and the GPU worker knows nothing of it"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::super::reading::Violation;
    use super::*;
    use hotcell_model::grant::{Capability, Grants};
    use hotcell_model::limit::{LimitSource, Limits};

    fn job() -> Job {
        Job {
            entry: "k".into(),
            dims: Vec::new(),
            scalars: Vec::new(),
            arrays: Vec::new(),
            split: None,
            limits: Limits::defaults(Default::default()),
            grants: Grants::none().with(Capability::Gpu),
            seed: None,
            threads: 1,
            stop_grace: Duration::ZERO,
            has_gpu_profile: false,
            sample_every: None,
        }
    }

    fn job_of(timeout: Duration) -> Job {
        let mut job = job();
        let set = job
            .limits
            .try_set(Limit::Timeout, nanoseconds(timeout), LimitSource::Request);
        set.unwrap();
        job
    }

    fn found(change: impl FnOnce(&mut GpuUsage), end: Option<GpuEnd>) -> Option<String> {
        let mut usage = GpuUsage::default();
        change(&mut usage);
        untrue(&usage, end.as_ref(), &job(), Duration::from_secs(1))
    }

    fn exhausted(used: u64, maximum: u64) -> Option<GpuEnd> {
        Some(GpuEnd::FuelExhausted { used, maximum })
    }

    fn spend(usage: &mut GpuUsage, fuel_static: u64, fuel_dynamic: u64) {
        (usage.fuel_static, usage.fuel_dynamic) = (fuel_static, fuel_dynamic);
        usage.is_fuel_exhausted = true;
    }

    fn overdue(used_ns: u64, maximum_ns: u64) -> Option<GpuEnd> {
        Some(GpuEnd::Deadline {
            used_ns,
            maximum_ns,
            was_compiling: false,
        })
    }

    fn timeout(waited_ns: u64, maximum_ns: u64) -> Option<GpuEnd> {
        Some(GpuEnd::Timeout {
            waited_ns,
            maximum_ns,
        })
    }

    #[test]
    fn what_an_honest_worker_says_can_be() {
        let fuel = job().limits.get(Limit::GpuFuel);
        let is_fine = |change: fn(&mut GpuUsage), end| assert_eq!(found(change, end), None);
        is_fine(|usage| usage.time_ns = 900_000_000, None);
        // Coarse steps may charge more than there was.
        is_fine(|usage| usage.fuel_dynamic = u64::MAX, None);
        is_fine(|usage| spend(usage, 1, u64::MAX), exhausted(u64::MAX, fuel));
        is_fine(|usage| spend(usage, 1, 7), exhausted(8, fuel));
        // The guest has lowered it.
        is_fine(|usage| spend(usage, 0, 8), exhausted(8, 7));
        is_fine(|_| {}, timeout(700_000_000, 700_000_000));
        let job = job_of(Duration::from_millis(500));
        let usage = GpuUsage::default();
        let overdue = overdue(500_000_001, 500_000_000);
        let wall = Duration::from_secs(1);
        assert_eq!(untrue(&usage, overdue.as_ref(), &job, wall), None);
        is_fine(|_| {}, Some(GpuEnd::Stopped));
        is_fine(|_| {}, Some(GpuEnd::Lost("x".into())));
    }

    #[test]
    fn every_number_that_cannot_be_is_found() {
        let fuel = job().limits.get(Limit::GpuFuel);
        let is_found = |change: fn(&mut GpuUsage), end| assert!(found(change, end).is_some());
        is_found(|usage| spend(usage, 1, 7), exhausted(8, fuel + 1));
        is_found(|usage| spend(usage, 1, 7), exhausted(9, fuel));
        is_found(|_| {}, exhausted(0, fuel));
        is_found(|usage| spend(usage, 1, 7), None);
        // The launch has a second, of which none is over.
        is_found(|_| {}, overdue(1_000_000_000, 1_000_000_000));
        is_found(|_| {}, overdue(u64::MAX, 10_000_000_000));
        is_found(|_| {}, timeout(2_000_000_000, 1));
        is_found(|_| {}, timeout(1, 2));
        is_found(|usage| usage.time_ns = 2_000_000_000, None);
        is_found(|usage| usage.dispatches = u64::MAX, None);
        is_found(|usage| usage.invocations = u64::MAX, None);
        is_found(|usage| usage.peak_bytes = u64::MAX, None);
        is_found(|usage| usage.pipelines = u64::MAX, None);
        is_found(|usage| usage.bind_sets = u64::MAX, None);
        is_found(|usage| usage.shader_bytes = u64::MAX, None);
    }

    #[test]
    fn a_worker_that_was_killed_when_the_time_was_up_names_the_timeout() {
        let job = job_of(Duration::from_millis(500));
        let silent = Fault::Silent(WorkerKind::Gpu, Duration::from_millis(700));
        let ended = |wall| ended_by(&silent, &job, Duration::from_millis(wall));
        let late = ended(700);
        assert_eq!(late.kind, OutcomeKind::GpuTimeout);
        assert_eq!(late.breach().unwrap().limit, Limit::Timeout);
        assert!(late.message.contains("killed") && !late.reproducible);
        assert_eq!(
            (ended(400).kind, ended(400).breach()),
            (OutcomeKind::GpuTimeout, None)
        );
        let garbled = Fault::Hostile(WorkerKind::Gpu, Violation::Layers);
        let lost = ended_by(&garbled, &job, Duration::from_millis(700));
        assert_eq!((lost.kind, lost.breach()), (OutcomeKind::GpuLost, None));
    }
}
