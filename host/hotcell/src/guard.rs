//! Guarded calls: Python functions and programs in a process of their own, for what cannot move into a cell.
//!
//! The same path as a launch's, with another executor: `audit.begin`, terms and limits, budgets, the call, its report,
//! `audit.finish`. Weaker than a cell, and said so in every report: isolation `guarded`. `docs/guard.md` says when to use which.

mod ending;
mod jit;
mod place;
mod start;

pub use place::Ticket;

use crate::cell::Cell;
use crate::confined::guarded::{Called, NotStarted, Order, Value, fault, own_standard};
use crate::launch::about::{About, shown};
use crate::launch::attempt::OpenRecord;
use crate::request::Request;
use bytes::Bytes;
use hotcell_model::array::ArrayType;
use hotcell_model::audit::Verb;
use hotcell_model::caller::Caller;
use hotcell_model::digest::Digest;
use hotcell_model::frame::GUARD_ARRAYS;
use hotcell_model::guard::GuardProfile;
use hotcell_model::job::{Observer, RunEnd, Source};
use hotcell_model::layer::LayerReport;
use hotcell_model::limit::Limit;
use hotcell_model::outcome::{Blame, Cause, Outcome, OutcomeKind};
use hotcell_model::profile::{Isolation, Metering};
use hotcell_model::report::{ArrayReport, ComponentReport, Report, Usage};
use hotcell_model::stop::StopSignal;
use hotcell_model::tenant::Tenant;
use hotcell_model::time::nanoseconds;
use hotcell_sandbox::cgroup::Hierarchy;
use hotcell_sandbox::process::PerProcess;
use place::{Needs, Place};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// What a guarded process is made of.
#[derive(Clone, Debug)]
pub struct GuardSettings {
    /// The Python interpreter.
    pub interpreter: PathBuf,
    /// What it is started with: what makes it a guarded process.
    pub arguments: Vec<OsString>,
    /// What it may ask of the operating system's kernel. None: what Python and NumPy need.
    pub profiles: Vec<GuardProfile>,
    /// Files and directories that it may read: the interpreter's, its packages', and what is granted.
    pub read: Vec<PathBuf>,
    /// Files and directories that it may write to as well.
    pub write: Vec<PathBuf>,
    /// What the interpreter is to do before it serves, in words of its two sides.
    pub setup: String,
    /// Who is charged.
    pub tenant: Tenant,
    /// Whether one more process is kept ready, for when the one that serves is killed.
    pub has_spare: bool,
}

/// A call of a function.
pub struct GuardCall {
    /// The function's name, for records.
    pub function: String,
    /// The file it is from, for records.
    pub path: Option<String>,
    /// The function, pickled.
    pub function_pickle: Bytes,
    /// Its arguments, pickled.
    pub arguments_pickle: Bytes,
    /// What that pickle is about besides: memory.
    pub buffers: Vec<Source>,
    /// The arrays among the arguments, for records.
    pub arrays: Vec<(String, ArrayType)>,
    /// Limits in place of the defaults.
    pub limits: BTreeMap<Limit, u64>,
    /// From being asked to stop to being killed.
    pub stop_grace: Duration,
    /// Who asks.
    pub caller: Caller,
    /// Who is told of log lines.
    pub observer: Arc<dyn Observer>,
    /// Its place among the calls of its process, where it was taken before: else it is taken when the call is made.
    pub ticket: Option<Ticket>,
}

impl GuardCall {
    /// From being asked to stop to being killed, unless told otherwise.
    pub const DEFAULT_STOP_GRACE: Duration = Request::DEFAULT_STOP_GRACE;
}

/// How a guarded call ended.
#[derive(Clone, Debug)]
pub struct GuardEnded {
    /// How it ended.
    pub outcome: Outcome,
    /// What an operator reads.
    pub report: Report,
    /// What it returned, if it did.
    pub returned: Option<Returned>,
    /// Where it raised, as Python prints that; empty where it did not.
    pub traceback: String,
}

/// What a guarded call returned: text and arrays, and nothing that does anything.
#[derive(Clone, Debug)]
pub struct Returned {
    /// The value as JSON, with the positions of arrays in their places.
    pub text: String,
    /// The arrays' types, and where each begins in the memory.
    pub arrays: Vec<(ArrayType, usize)>,
    /// The memory that they lie in.
    pub memory: Source,
}

/// A guarded process of a cell: its tenant's calls go through it one after the other, and find what earlier ones have left, unless it
/// was killed or has failed meanwhile. Started when it is first needed.
pub struct Guard {
    inner: Arc<Inner>,
}

struct Inner {
    cell: Cell,
    settings: GuardSettings,
    hierarchy: Result<Hierarchy, LayerReport>,
    /// A fork's child has processes of its own.
    place: PerProcess<Place>,
}

impl Cell {
    /// A guarded process under this cell's policy, budgets and records. Nothing is started yet.
    pub fn guard(&self, settings: GuardSettings) -> Guard {
        Guard {
            inner: Arc::new(Inner {
                cell: self.clone(),
                settings,
                hierarchy: Hierarchy::delegated(),
                place: PerProcess::new(),
            }),
        }
    }
}

impl Guard {
    /// Calls a function, and waits for its end; first for the end of calls before it.
    pub fn call(&self, mut call: GuardCall, stop: &StopSignal) -> GuardEnded {
        let ticket = call.ticket.take().unwrap_or_else(|| self.ticket());
        self.inner.call(&call, ticket, stop)
    }

    /// Takes a place among the calls of the process, for a call that is made on another thread.
    pub fn ticket(&self) -> Ticket {
        self.inner.ticket()
    }

    /// Ends the process after the call that has it, if one has: the next call has another. For whoever finds that it lies.
    pub fn renew(&self) {
        let idle = self.inner.lock().idle.take();
        drop(idle);
    }

    /// Starts the process in the background, where there is none.
    pub fn warm(&self) {
        let needs = {
            let about = self.inner.about(&Subject::default());
            match self.inner.terms(about, &BTreeMap::new()) {
                Ok(about) => Needs::of(&about),
                // Whoever calls is told.
                Err(_) => return,
            }
        };
        let state = self.inner.lock();
        if !state.is_busy && state.idle.is_none() {
            self.inner.start_spare(state, needs);
        }
    }

    /// Ends the process. A call that runs ends first; none begins any more.
    pub fn close(&self) {
        let idle = {
            let mut state = self.inner.lock();
            state.is_closed = true;
            state.idle.take()
        };
        drop(idle);
        self.inner.place.get().changed.notify_all();
        self.inner.end_spare();
    }

    /// The layers around the process that serves, if there is one and no call has it.
    pub fn layers(&self) -> Option<Arc<[LayerReport]>> {
        let state = self.inner.lock();
        let (_, worker) = state.idle.as_ref()?;
        Some(Arc::clone(worker.layers()))
    }

    /// Runs a whole program, whose standard input, output and error are the caller's own. `call` says what it is called in
    /// records, and has no pickles that are looked at.
    pub fn run(&self, call: GuardCall, stop: &StopSignal) -> GuardEnded {
        self.inner.run(&call, stop)
    }
}

/// What a record is about.
#[derive(Default)]
struct Subject {
    function: String,
    path: Option<String>,
    digest: Option<Digest>,
    caller: Caller,
}

impl Subject {
    fn of(call: &GuardCall) -> Self {
        Self {
            function: shown(&call.function),
            path: call.path.as_deref().map(shown),
            digest: Some(Digest::from_bytes(
                *blake3::hash(&call.function_pickle).as_bytes(),
            )),
            caller: call.caller,
        }
    }
}

impl Inner {
    fn about(&self, subject: &Subject) -> About {
        let request = Request::new()
            .tenant(self.settings.tenant.clone())
            .caller(subject.caller);
        let component = crate::component::Component::new(Bytes::new());
        let mut about = self.cell.about(&component, &request);
        about.component = ComponentReport {
            digest: subject.digest,
            path: subject.path.clone(),
            artifact: None,
            name: "python".to_owned(),
            entry: subject.function.clone(),
        };
        about.isolation = Isolation::Guarded;
        // Nothing in it counts fuel.
        about.metering = Metering::Fast;
        about
    }

    /// The policy's terms for it, and its limits.
    fn terms(&self, mut about: About, limits: &BTreeMap<Limit, u64>) -> Result<About, Outcome> {
        let mut request = Request::new().tenant(self.settings.tenant.clone());
        for (limit, value) in limits {
            request = request.limit(*limit, *value);
        }
        if !self.cell.terms(&about, None).guarded {
            let why = "the policy has no guarded processes (`guard = false`)".to_owned();
            return Err(Outcome::because(vec![Cause::Refused { why }]));
        }
        self.cell.request_terms(&mut about, &request)?;
        about.metering = Metering::Fast;
        Ok(about)
    }

    fn call(self: &Arc<Self>, call: &GuardCall, ticket: Ticket, stop: &StopSignal) -> GuardEnded {
        let subject = Subject::of(call);
        let mut record = match OpenRecord::begin(&self.cell, Verb::Guard, self.about(&subject)) {
            Ok(record) => record,
            Err(ended) => return GuardEnded::of(*ended),
        };
        let prepared = record.part(|record| {
            let about = self.terms(record.about.clone(), &call.limits)?;
            record.about = about;
            if call.buffers.len() > GUARD_ARRAYS {
                let message = format!(
                    "the arguments have {} buffers, at most {GUARD_ARRAYS} are supported",
                    call.buffers.len()
                );
                return Err(Outcome::failed(OutcomeKind::Usage, Blame::Request, message));
            }
            record.open_account(stop)
        });
        if let Err(outcome) = prepared {
            return GuardEnded::of(record.refuse(outcome));
        }
        call.observer.begin(&record.about.limits);
        let needs = Needs::of(&record.about);
        let mut worker = match self.take(needs, &record.about, ticket, stop) {
            Ok(worker) => worker,
            Err(outcome) => return GuardEnded::of(record.refuse(outcome)),
        };
        record.about.spent.evidence.guarded = Arc::clone(worker.layers());
        let order = Order {
            pickle: &[&call.function_pickle, &call.arguments_pickle],
            function_bytes: call.function_pickle.len() as u64,
            buffers: &call.buffers,
            limits: &record.about.limits.clone(),
            stop_grace: call.stop_grace,
            stop,
            observer: &*call.observer,
        };
        let called = worker.call(&order);
        self.give_back(needs, worker, called.is_well);
        self.settle(record, call, called)
    }

    /// Everything that a call came to becomes a report.
    fn settle(&self, mut record: OpenRecord, call: &GuardCall, mut called: Called) -> GuardEnded {
        jit::record(&self.cell, &mut record, &called);
        let (outcome, traceback, alerts) = ending::outcome(&called, &self.settings.profiles);
        record.about.spent.evidence.alerts.extend(alerts);
        let usage = Usage {
            wall_ns: nanoseconds(called.wall),
            cpu_ns: called.cpu.map_or(0, nanoseconds),
            peak_memory_bytes: called.usage.peak_memory_bytes,
            bytes_in: called.bytes_in,
            bytes_out: called.bytes_out,
            log_bytes: called.log_bytes,
            log_lines_dropped: called.lines_dropped,
            claimed: vec![
                "process.compile_cpu_ns".to_owned(),
                "process.refused_calls".to_owned(),
            ],
            process: Some(Box::new(called.usage)),
            ..Usage::default()
        };
        let mut end = RunEnd::not_run(outcome);
        end.usage = usage;
        end.log = std::mem::take(&mut called.lines);
        let jit = jit::reports(&called);
        let value = called.end.ok();
        let results = value.as_ref().map(shapes);
        let ended = record.end(end, |ended| {
            let report = &mut ended.report;
            report.arguments = call
                .arrays
                .iter()
                .map(|(name, ty)| array_report(name, ty))
                .collect();
            report.results = results.unwrap_or_default();
            report.jit = jit;
        });
        GuardEnded {
            returned: value.map(
                |Value {
                     text,
                     memory,
                     arrays,
                 }| Returned {
                    text,
                    arrays,
                    memory,
                },
            ),
            traceback,
            ..GuardEnded::of(ended)
        }
    }

    fn run(self: &Arc<Self>, call: &GuardCall, stop: &StopSignal) -> GuardEnded {
        let subject = Subject::of(call);
        let mut record = match OpenRecord::begin(&self.cell, Verb::Guard, self.about(&subject)) {
            Ok(record) => record,
            Err(ended) => return GuardEnded::of(*ended),
        };
        let prepared = record.part(|record| {
            let about = self.terms(record.about.clone(), &call.limits)?;
            record.about = about;
            record.open_account(stop)
        });
        if let Err(outcome) = prepared {
            return GuardEnded::of(record.refuse(outcome));
        }
        call.observer.begin(&record.about.limits);
        let needs = Needs::of(&record.about);
        let started = own_standard()
            .map_err(|error| NotStarted::Fault(fault(error)))
            .and_then(|own| self.start(needs, own, None, stop));
        let mut worker = match started {
            Ok(worker) => worker,
            Err(not_started) => return GuardEnded::of(record.refuse(not_started.outcome())),
        };
        record.about.spent.evidence.guarded = Arc::clone(worker.layers());
        let called = worker.call(&Order {
            pickle: &[&call.function_pickle, &call.arguments_pickle],
            function_bytes: call.function_pickle.len() as u64,
            buffers: &[],
            limits: &record.about.limits.clone(),
            stop_grace: call.stop_grace,
            stop,
            observer: &*call.observer,
        });
        drop(worker);
        self.settle(record, call, called)
    }
}

impl GuardEnded {
    fn of(ended: crate::launch::Ended) -> Self {
        Self {
            outcome: ended.outcome,
            report: ended.report,
            returned: None,
            traceback: String::new(),
        }
    }
}

fn shapes(value: &Value) -> Vec<ArrayReport> {
    let arrays = value.arrays.iter().enumerate();
    arrays
        .map(|(position, (ty, _))| array_report(&position.to_string(), ty))
        .collect()
}

fn array_report(name: &str, ty: &ArrayType) -> ArrayReport {
    ArrayReport {
        name: shown(name),
        dtype: ty.dtype(),
        shape: ty.shape().to_vec(),
        blake3: None,
    }
}
