//! What somebody asks for, before anything is checked.

pub(crate) mod delivery;
pub(crate) mod forecaster;

use self::delivery::Delivery;
use self::forecaster::Forecaster;
use crate::array::Array;
use hotcell_model::caller::Caller;
use hotcell_model::digest::RunId;
use hotcell_model::grant::{Capability, Wants};
use hotcell_model::job::Observer;
use hotcell_model::limit::Limit;
use hotcell_model::manifest::ScalarValue;
use hotcell_model::outcome::{Blame, Outcome, OutcomeKind};
use hotcell_model::profile::Metering;
use hotcell_model::samples::SAMPLING_TICK;
use hotcell_model::tenant::Tenant;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Whether a report carries digests of the arrays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Digests {
    /// BLAKE3 of every array: the report is a receipt that a rerun can check.
    #[default]
    Full,
    /// None: large arrays are not read once more.
    None,
}

/// Whether a kernel with a split dimension is cut into chunks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cutting {
    /// As its cost and its shapes say.
    #[default]
    Chunks,
    /// Not at all: one instance computes the whole. A kernel whose results differ then depends on where it
    /// is cut.
    Whole,
}

/// A scalar as it was given.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum GivenScalar {
    Value(ScalarValue),
    /// To be read as the parameter's type.
    Text(String),
}

/// Why an input cannot be read: words that say what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InputError(pub String);

/// Reads an input.
type InputReader = Arc<dyn Fn() -> Result<Array, InputError> + Send + Sync>;

fn shown(name: &str) -> String {
    hotcell_model::text::escape(name, 256)
}

/// One request to run a kernel. Everything has a default but the kernel's own arguments.
#[derive(Clone)]
pub struct Request {
    pub(crate) entry: Option<String>,
    pub(crate) inputs: BTreeMap<String, Array>,
    readers: BTreeMap<String, InputReader>,
    pub(crate) scalars: BTreeMap<String, GivenScalar>,
    pub(crate) dims: BTreeMap<String, u64>,
    pub(crate) limits: BTreeMap<Limit, u64>,
    /// What is asked for; the cell's policy says what holds where nothing is.
    pub(crate) metering: Option<Metering>,
    pub(crate) wants: Wants,
    pub(crate) seed: Option<u64>,
    pub(crate) threads: usize,
    pub(crate) cutting: Cutting,
    pub(crate) stop_grace: Duration,
    pub(crate) has_gpu_profile: bool,
    pub(crate) sample_every: Option<Duration>,
    pub(crate) tenant: Tenant,
    pub(crate) caller: Caller,
    /// The launch's id where the caller has to know it beforehand.
    pub(crate) run_id: Option<RunId>,
    pub(crate) digests: Digests,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) forecaster: Option<Arc<dyn Forecaster>>,
    pub(crate) delivery: Option<Arc<dyn Delivery>>,
}

impl Default for Request {
    fn default() -> Self {
        Self::new()
    }
}

/// The longest grace period: the ceiling of timeouts.
pub(crate) const LONGEST_GRACE: Duration = Duration::from_secs(3600);

impl Request {
    /// The time a guest that polls `should-stop` has before it is interrupted.
    pub const DEFAULT_STOP_GRACE: Duration = Duration::from_millis(100);

    /// A request with no arguments, the component's only entry, default limits and metering, the
    /// built-in wants, no seed, one thread per core, no sampling, and digests in the report.
    pub fn new() -> Self {
        Self {
            entry: None,
            inputs: BTreeMap::new(),
            readers: BTreeMap::new(),
            scalars: BTreeMap::new(),
            dims: BTreeMap::new(),
            limits: BTreeMap::new(),
            metering: None,
            wants: Wants::default(),
            seed: None,
            threads: cores(),
            cutting: Cutting::default(),
            stop_grace: Self::DEFAULT_STOP_GRACE,
            has_gpu_profile: false,
            sample_every: None,
            tenant: Tenant::default(),
            caller: Caller::default(),
            run_id: None,
            digests: Digests::Full,
            observer: Arc::new(()),
            forecaster: None,
            delivery: None,
        }
    }

    /// The entry to run; needed where a component has several.
    #[must_use]
    pub fn entry(mut self, name: impl Into<String>) -> Self {
        self.entry = Some(name.into());
        self
    }

    /// An array that the kernel reads.
    #[must_use]
    pub fn input(mut self, name: impl Into<String>, array: Array) -> Self {
        self.inputs.insert(name.into(), array);
        self
    }

    /// An array that is read inside the launch: after its record has begun, and once the kernel is known to have an
    /// input of that name.
    #[must_use]
    pub fn input_from(
        mut self,
        name: impl Into<String>,
        read: impl Fn() -> Result<Array, InputError> + Send + Sync + 'static,
    ) -> Self {
        self.readers.insert(name.into(), Arc::new(read));
        self
    }

    /// Where the outputs go, within the launch. Default nowhere: they are results alone.
    #[must_use]
    pub fn deliver_to(mut self, delivery: Arc<dyn Delivery>) -> Self {
        self.delivery = Some(delivery);
        self
    }

    /// The names of the arrays that are given.
    pub(crate) fn input_names(&self) -> impl Iterator<Item = &str> {
        let given = self.inputs.keys().chain(self.readers.keys());
        given.map(String::as_str)
    }

    /// Reads the inputs that are to be read inside the launch.
    pub(crate) fn read_inputs(&mut self) -> Result<(), Outcome> {
        for (name, read) in std::mem::take(&mut self.readers) {
            let array = read().map_err(|error| {
                let message = format!("input `{}`: {error}", shown(&name));
                Outcome::failed(OutcomeKind::Io, Blame::Request, message)
            })?;
            self.inputs.insert(name, array);
        }
        Ok(())
    }

    /// A scalar parameter.
    #[must_use]
    pub fn scalar(mut self, name: impl Into<String>, value: impl Into<ScalarValue>) -> Self {
        self.scalars
            .insert(name.into(), GivenScalar::Value(value.into()));
        self
    }

    /// A scalar parameter as text, read as the type that the manifest declares.
    #[must_use]
    pub fn scalar_text(mut self, name: impl Into<String>, text: impl Into<String>) -> Self {
        self.scalars
            .insert(name.into(), GivenScalar::Text(text.into()));
        self
    }

    /// The extent of a dimension that no input fixes.
    #[must_use]
    pub fn dim(mut self, name: impl Into<String>, extent: u64) -> Self {
        self.dims.insert(name.into(), extent);
        self
    }

    /// A limit in place of the default or the manifest's.
    #[must_use]
    pub fn limit(mut self, limit: Limit, value: u64) -> Self {
        self.limits.insert(limit, value);
        self
    }

    /// The wall-clock timeout.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        let ns = u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
        self.limit(Limit::Timeout, ns)
    }

    /// The metering mode. Default [`Metering::Strict`], or what the cell's policy requires where that is more.
    #[must_use]
    pub fn metering(mut self, metering: Metering) -> Self {
        self.metering = Some(metering);
        self
    }

    /// Wants one more capability, besides `log` and `control`. It is had where the cell's policy grants it.
    #[must_use]
    pub fn want(mut self, capability: Capability) -> Self {
        self.wants = self.wants.with(capability);
        self
    }

    /// Wants those capabilities and no others.
    #[must_use]
    pub fn wants(mut self, wants: impl IntoIterator<Item = Capability>) -> Self {
        self.wants = wants.into_iter().collect();
        self
    }

    /// The seed of the capability `random`.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// How many chunks may run at once; at least 1. Results do not depend on it.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads.max(1);
        self
    }

    /// Whether a kernel that allows it is cut into chunks. Default [`Cutting::Chunks`].
    #[must_use]
    pub fn cutting(mut self, cutting: Cutting) -> Self {
        self.cutting = cutting;
        self
    }

    /// How long a guest that polls `should-stop` has to return what it has.
    #[must_use]
    pub fn stop_grace(mut self, grace: Duration) -> Self {
        self.stop_grace = grace.min(LONGEST_GRACE);
        self
    }

    /// Counts the fuel of every GPU dispatch for the report, and times it, which makes dispatches slower: each is waited for by itself.
    /// Default off.
    #[must_use]
    pub fn gpu_profile(mut self) -> Self {
        self.has_gpu_profile = true;
        self
    }

    /// Has the launch be warned of by what is known of launches before it: where that foretells more fuel or memory than the limits
    /// have. Default none; what the kernel's code says warns in any case.
    #[must_use]
    pub fn foretold_by(mut self, forecaster: Arc<dyn Forecaster>) -> Self {
        self.forecaster = Some(forecaster);
        self
    }

    /// Looks at the guest's stack that often while it runs, for [`Ended::samples`](crate::Ended::samples). Default never, which costs
    /// nothing.
    ///
    /// No more often than every millisecond, and less often where a look takes long: looking takes a tenth of the launch's
    /// CPU time at most, to which it is charged. Results and fuel are the same with it and without.
    #[must_use]
    pub fn sample_every(mut self, period: Duration) -> Self {
        self.sample_every = Some(period.max(SAMPLING_TICK));
        self
    }

    /// Who the launch is charged to. Default `local`.
    #[must_use]
    pub fn tenant(mut self, tenant: Tenant) -> Self {
        self.tenant = tenant;
        self
    }

    /// Who asked, where somebody vouches for it. Default [`Caller::Unauthenticated`].
    #[must_use]
    pub fn caller(mut self, caller: Caller) -> Self {
        self.caller = caller;
        self
    }

    /// The launch's id, from [`new_run_id`](crate::new_run_id). Default a fresh one, which its report tells.
    #[must_use]
    pub fn run_id(mut self, run_id: RunId) -> Self {
        self.run_id = Some(run_id);
        self
    }

    /// Whether the report carries digests of the arrays. Default [`Digests::Full`].
    #[must_use]
    pub fn digests(mut self, digests: Digests) -> Self {
        self.digests = digests;
        self
    }

    /// Who hears log lines and progress while the launch runs.
    #[must_use]
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = observer;
        self
    }
}

/// The processors that this process may use, as they were when it was first asked: each answer takes reading the files of
/// its control group, which would be a good part of a small launch.
fn cores() -> usize {
    // No lock that a fork could leave behind: two threads that ask first get the same answer.
    static CORES: AtomicUsize = AtomicUsize::new(0);
    match CORES.load(Ordering::Relaxed) {
        0 => {
            let cores = std::thread::available_parallelism().map_or(1, usize::from);
            CORES.store(cores, Ordering::Relaxed);
            cores
        }
        cores => cores,
    }
}
