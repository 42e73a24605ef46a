//! The path of a launch.
//!
//! ```text
//! request ─ audit.begin ─ authorize ─ prepare ─ run ─ settle ─ deliver ─ audit.finish
//!                         (permit)   (artifact) (runner)        (outputs) (report)
//! ```

pub(crate) mod about;
pub(crate) mod attempt;
pub(crate) mod bind;
mod charge;
mod describe;
mod digests;
mod foretold;
pub(crate) mod observed;
pub(crate) mod permit;
mod prepare;
mod settle;
mod spent;

use self::about::About;
use self::attempt::{OpenRecord, caught};
use self::bind::Bound;
use self::digests::{Clock, late};
use self::permit::{Permit, shaders};
use self::settle::{
    InputDigests, Settled, add_arguments, clock, result_reports, settle, unsettled,
};
use crate::array::{Array, NamedArray};
use crate::bell::{Bell, RingAtEnd};
use crate::cell::Cell;
use crate::component::Component;
use crate::request::Request;
use crate::request::delivery::Consignment;
use crate::thread_clock::ThreadClock;
use bytes::Bytes;
use hotcell_model::array::ArrayType;
use hotcell_model::audit::Verb;
use hotcell_model::files::FileLink;
use hotcell_model::job::{RunEnd, Source};
use hotcell_model::outcome::{Blame, Outcome, OutcomeKind};
use hotcell_model::report::{OutputsEnd, Report, Timings};
use hotcell_model::samples::Samples;
use hotcell_model::stop::StopSignal;
use hotcell_model::time::nanoseconds;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// How a launch ended: its outcome, its report, and the arrays that came out.
#[derive(Clone, Debug)]
pub struct Ended {
    /// How it ended.
    pub outcome: Outcome,
    /// What an operator reads.
    pub report: Report,
    /// The arrays that were written, in the manifest's order; empty unless the outcome keeps them.
    pub results: Vec<NamedArray>,
    /// Where the guest's time went, if the request asked for it and the launch got to run. Its author's to read: no record
    /// has it. From a confined runner it is a claim, of which no more is true than that it fits the time that was measured.
    pub samples: Option<Box<Samples>>,
}

impl Ended {
    /// The array of that name.
    pub fn array(&self, name: &str) -> Option<&Array> {
        self.results
            .iter()
            .find(|result| result.name == name)
            .map(|result| &result.array)
    }

    /// The part of the execution's time, from 0 to 1, in which the GPU had work of this launch; `None` if it had no GPU. What
    /// each dispatch spent is in the report's usage, where the request asked for a [GPU profile](Request::gpu_profile).
    pub fn gpu_busy(&self) -> Option<f64> {
        let usage = &self.report.usage;
        let busy_ns = usage.gpu.as_ref()?.time_ns;
        Some((busy_ns as f64 / usage.wall_ns.max(1) as f64).min(1.0))
    }
}

/// Whether a launch waits for others of its tenant, where the policy bounds how many run at once.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Waits {
    /// It is refused.
    Never,
    /// As long as the policy lets it.
    UntilCancelled,
}

/// A launch that runs on a thread of its own. Dropping it cancels the launch and waits for its end.
pub struct Launch {
    signal: Arc<StopSignal>,
    thread: Option<JoinHandle<Ended>>,
    /// Rings when the thread is done.
    ended: Arc<Bell>,
}

impl Launch {
    /// Asks the launch to stop, from any thread, in three steps:
    ///
    /// 1. *Ask*: a guest that polls `should-stop` is told, and has the request's
    ///    [`stop_grace`](Request::stop_grace) (100 ms unless set) to return what it has.
    /// 2. *Interrupt*: it traps at its next epoch check when the grace is over; one that has never polled,
    ///    at once.
    /// 3. *Kill*: a runner process that has not answered within the stop grace and the cell's
    ///    [`kill_grace`](crate::CellBuilder::kill_grace) (500 ms unless set) after the cancel is killed. In-process
    ///    isolation has no such step.
    ///
    /// A launch that waits, for a runner or for a compilation, stops waiting at once; a compilation that runs is
    /// killed at once. A timeout goes the same way, with the first step before the deadline, the second at it
    /// and the third a kill grace after it.
    pub fn cancel(&self) {
        self.signal.cancel();
    }

    /// A handle that can cancel the launch when this value is elsewhere.
    pub fn canceller(&self) -> impl Fn() + Send + Sync + use<> {
        let signal = Arc::clone(&self.signal);
        move || signal.cancel()
    }

    /// Waits for the end, calling `watch` every `interval` until then.
    pub fn wait_watching(self, interval: Duration, watch: impl Fn()) -> Ended {
        while !self.ended.wait_for(interval) {
            watch();
        }
        self.wait()
    }

    /// Waits for the end.
    pub fn wait(mut self) -> Ended {
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(ended)) => ended,
            // The thread catches panics of the launch itself; what is left is a broken host.
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            None => unreachable!("the thread is taken once, here"),
        }
    }
}

impl Drop for Launch {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            self.signal.cancel();
            let _ = thread.join();
        }
    }
}

impl Cell {
    /// Runs a kernel on the calling thread, to its end.
    pub fn run(&self, component: &Component, request: Request) -> Ended {
        self.run_until(component, request, &Arc::default())
    }

    /// Starts a kernel on a thread of its own. A request that is refused ends there, too.
    ///
    /// # Errors
    /// The operating system has no thread for it.
    pub fn start(&self, component: &Component, request: Request) -> Result<Launch, Box<Ended>> {
        let run = |cell: &Self, (component, request): (Component, Request), stop: &_| {
            cell.run_until(&component, request, stop)
        };
        self.on_thread((component.clone(), request), run).map_err(
            |((component, request), error)| {
                let about = self.about(&component, &request);
                let attempt = OpenRecord::begin(self, Verb::Launch, about);
                attempt.map_or_else(|ended| ended, |attempt| Box::new(attempt.refuse(error)))
            },
        )
    }

    /// Starts an authorized launch on a thread of its own.
    ///
    /// # Errors
    /// The operating system has no thread for it.
    pub fn start_permitted(&self, permit: Permit) -> Result<Launch, Box<Ended>> {
        self.on_thread(permit, |cell, permit, stop| cell.launch(permit, stop))
            .map_err(|(permit, error)| Box::new(permit.attempt.refuse(error)))
    }

    /// Checks a request. The permit says what will be written, so that a caller can prepare for it. It holds the launch's
    /// place among those of its tenant, and its budget, until it is used or dropped; for neither does this wait.
    ///
    /// # Errors
    /// The launch ends here, with a report that says why.
    pub fn authorize(&self, component: &Component, request: Request) -> Result<Permit, Box<Ended>> {
        self.try_authorize(component, request, &StopSignal::default(), Waits::Never)
    }

    /// Gives a permit back unused, with the caller's reason: the launch ends there.
    pub fn abandon(&self, permit: Permit, kind: OutcomeKind, message: impl Into<String>) -> Ended {
        let outcome = Outcome::failed(kind, Blame::Request, message);
        permit.attempt.refuse(outcome)
    }

    /// Ends a launch whose request could not even be put together: a component that cannot be read, say. The
    /// report and the audit trail have it like any other.
    pub fn reject(
        &self,
        component: Option<&Component>,
        request: &Request,
        kind: OutcomeKind,
        message: impl Into<String>,
    ) -> Ended {
        let mut about = self.about(component.unwrap_or(&Component::new(Bytes::new())), request);
        if component.is_none() {
            about.component.digest = None;
        }
        let outcome = Outcome::failed(kind, Blame::Request, message);
        match OpenRecord::begin(self, Verb::Launch, about) {
            Ok(attempt) => attempt.refuse(outcome),
            Err(ended) => *ended,
        }
    }

    /// Compiles a component for a metering mode and keeps the artifact, without running it.
    ///
    /// # Errors
    /// It is no kernel component, imports what is not granted, is over a limit, or does not load.
    pub fn prepare_only(
        &self,
        component: &Component,
        request: &Request,
    ) -> Result<Timings, Outcome> {
        let about = self.about(component, request);
        self.recorded(Verb::Compile, about, |attempt| {
            let stop = StopSignal::default();
            self.request_terms(&mut attempt.about, request)?;
            attempt.open_account(&stop)?;
            let about = &mut attempt.about;
            let description = self.described(component, about, &stop)?;
            self.check_entries(&description, request, about)?;
            about.component.name = description.manifest.component().name.clone();
            self.prepare(component, about, &stop)?;
            Ok(about.spent.timings.clone())
        })
    }

    /// Does something that is no launch, with a record of it.
    pub(crate) fn recorded<T>(
        &self,
        verb: Verb,
        about: About,
        work: impl FnOnce(&mut OpenRecord) -> Result<T, Outcome>,
    ) -> Result<T, Outcome> {
        let mut attempt = OpenRecord::begin(self, verb, about).map_err(|ended| ended.outcome)?;
        let result = attempt.part(work);
        let outcome = result.as_ref().err().cloned();
        attempt.refuse(outcome.unwrap_or_else(Outcome::done));
        result
    }

    /// Runs `work` on a thread of its own; gives it back, with the outcome, if there is none.
    fn on_thread<T: Send + 'static>(
        &self,
        work: T,
        run: impl FnOnce(&Self, T, &Arc<StopSignal>) -> Ended + Send + 'static,
    ) -> Result<Launch, (T, Outcome)> {
        let signal: Arc<StopSignal> = Arc::default();
        let (cell, stop) = (self.clone(), Arc::clone(&signal));
        let work = Arc::new(Mutex::new(Some(work)));
        let place = Arc::clone(&work);
        let taken = |place: &Mutex<Option<T>>| {
            let mut place = place.lock().unwrap_or_else(PoisonError::into_inner);
            place.take().expect("the thread alone takes it, or nobody")
        };
        let ended = Arc::<Bell>::default();
        let at_end = RingAtEnd(Arc::clone(&ended));
        let thread = std::thread::Builder::new()
            .name("hotcell-launch".to_owned())
            .spawn(move || {
                let _at_end = at_end;
                run(&cell, taken(&place), &stop)
            });
        match thread {
            Ok(thread) => Ok(Launch {
                signal,
                thread: Some(thread),
                ended,
            }),
            Err(error) => {
                let message = format!("no thread for the launch: {error}");
                let outcome = Outcome::failed(OutcomeKind::HostFault, Blame::Host, message);
                Err((taken(&work), outcome))
            }
        }
    }

    /// Runs a kernel on the calling thread, to its end or until `stop` is cancelled: [`Launch::cancel`] says how.
    pub fn run_until(
        &self,
        component: &Component,
        request: Request,
        stop: &Arc<StopSignal>,
    ) -> Ended {
        match self.try_authorize(component, request, stop, Waits::UntilCancelled) {
            Ok(permit) => self.launch(permit, stop),
            Err(ended) => *ended,
        }
    }

    /// The path of a launch, up to its permit.
    fn try_authorize(
        &self,
        component: &Component,
        mut request: Request,
        stop: &StopSignal,
        waits: Waits,
    ) -> Result<Permit, Box<Ended>> {
        let mut attempt = OpenRecord::begin(self, Verb::Launch, self.about(component, &request))?;
        let checked = attempt.part(|attempt| {
            self.request_terms(&mut attempt.about, &request)?;
            if waits == Waits::Never {
                attempt.about.allowance.waiting = 0;
            }
            attempt.open_account(stop)?;
            let about = &mut attempt.about;
            let description = self.described(component, about, stop)?;
            about.component.name = description.manifest.component().name.clone();
            let mut bound = self.check(&description, &mut request, about)?;
            bound.data.shaders = shaders(component, &description.shaders)?;
            let consignment = prepare_delivery(&request, &bound)?;
            Ok((bound, consignment))
        });
        match checked {
            Ok((bound, consignment)) => Ok(Permit {
                component: component.clone(),
                bound,
                attempt,
                observer: request.observer,
                consignment,
            }),
            Err(outcome) => Err(Box::new(attempt.refuse(outcome))),
        }
    }

    /// The path of a launch, from its permit on.
    pub(crate) fn launch(&self, mut permit: Permit, stop: &Arc<StopSignal>) -> Ended {
        let mut inputs = None;
        let clock = ThreadClock::start();
        let performed = caught(|| self.perform(&mut permit, &mut inputs, stop));
        let spent = &mut permit.attempt.about.spent;
        spent.host_cpu_ns = spent.host_cpu_ns.saturating_add(clock.elapsed_ns());
        let (end, settled) = performed.unwrap_or_else(|outcome| (RunEnd::not_run(outcome), None));
        let Permit { bound, attempt, .. } = permit;
        attempt.end(end, |ended| {
            add_arguments(&mut ended.report, &bound, inputs.as_ref());
            ended.report.outputs = Some(match &settled {
                Some(settled) => settled.end,
                None => OutputsEnd::Discarded,
            });
            if let Some(settled) = settled {
                ended.report.results = result_reports(&settled);
                ended.results = settled.results;
            }
        })
    }

    /// Does what a permit allows: prepare, run, settle, deliver.
    fn perform(
        &self,
        permit: &mut Permit,
        inputs: &mut Option<InputDigests>,
        stop: &Arc<StopSignal>,
    ) -> Result<(RunEnd<Source>, Option<Settled>), Outcome> {
        let Permit {
            component,
            bound,
            attempt,
            observer,
            consignment,
        } = permit;
        let about = &mut attempt.about;
        observer.begin(&about.limits);
        about
            .warnings
            .iter()
            .for_each(|warning| observer.warn(warning));
        let _held = self.inner.memory.hold(&about.tenant, bound.host_bytes())?;
        let inputs = inputs.insert(InputDigests::take(bound, about, stop)?);
        let loaded = self.prepare(component, about, stop)?;
        let ran = loaded.run(&bound.job, &bound.data, stop, observer);
        let mut end = about.spent.add_run(ran);
        conclude_files(bound, about, &mut end);
        if !end.outcome.keeps_outputs() {
            return Ok((end, None));
        }
        let (ran, never) = (end.usage.wall_ns, StopSignal::default());
        let ran = Duration::from_nanos(ran);
        let clock = clock(about, &end.outcome, ran, (stop, &never));
        let settled = caught(|| {
            let results = std::mem::take(&mut end.outputs);
            inputs.check_unchanged(bound, &clock, about)?;
            let settled = settle(bound, about, results, end.usage.bytes_out, &clock)?;
            let end = deliver(consignment.take(), &settled, &clock, about)?;
            Ok(Settled { end, ..settled })
        });
        about.spent.timings.settle_ns = nanoseconds(clock.elapsed());
        match settled {
            Ok(settled) => Ok((end, Some(settled))),
            // What was used stays in the report; what came out is discarded.
            Err(why) => {
                end.outcome = unsettled(&end.outcome, &why);
                Ok((end, None))
            }
        }
    }
}

/// Puts what was counted of files beside what the runner says, and before it.
fn conclude_files(bound: &Bound, about: &mut About, end: &mut RunEnd<Source>) {
    let usage = bound.files.as_ref().map(|files| files.usage());
    if let Some(usage) = &usage {
        let host = &mut about.spent.host_cpu_ns;
        *host = host.saturating_add(usage.cpu_ns);
    }
    end.usage.files = usage.map(Box::new);
    let breach = bound.files.as_ref().and_then(|files| files.breach());
    // Whoever was stopped by something else meanwhile was stopped by that.
    let is_kept = matches!(
        end.outcome.kind,
        OutcomeKind::Cancelled | OutcomeKind::Timeout
    );
    if let Some(breach) = breach.filter(|breach| end.outcome.breach() != Some(*breach) && !is_kept)
    {
        end.overrule(Outcome::breached(breach));
    }
}

fn prepare_delivery(
    request: &Request,
    bound: &Bound,
) -> Result<Option<Box<dyn Consignment>>, Outcome> {
    let outputs: Vec<(&str, &ArrayType)> = bound.outputs().collect();
    let delivery = request.delivery.as_ref();
    let prepared = delivery.map(|delivery| delivery.prepare(&outputs));
    Ok(prepared.transpose()?)
}

fn deliver(
    consignment: Option<Box<dyn Consignment>>,
    settled: &Settled,
    clock: &Clock<'_>,
    about: &About,
) -> Result<OutputsEnd, Outcome> {
    let Some(consignment) = consignment else {
        return Ok(OutputsEnd::Returned);
    };
    let go_on = || {
        let checked = clock.check();
        checked.map_err(|_| io::Error::other("the launch has no time left, or was cancelled"))
    };
    let delivered = consignment.deliver(&settled.results, &go_on);
    let delivered = delivered.map(|()| OutputsEnd::Delivered);
    delivered.map_err(|undelivered| match clock.check() {
        Err(unfinished) => {
            let what = "the outputs were delivered, none of which is";
            late(&unfinished, &about.limits, what, Blame::Request)
        }
        Ok(()) => undelivered.into(),
    })
}
