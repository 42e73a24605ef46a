//! The path of a launch.
//!
//! ```text
//! request ─ authorize ─ audit.begin ─ prepare ─ launch ─ settle ─ audit.finish
//!           (permit)                 (artifact) (runner) (report)
//! ```

use crate::array::{Array, NamedArray};
use crate::bind::Bound;
use crate::cell::{Cell, new_run_id};
use crate::component::Component;
use crate::isolation::{Evidence, Ran, not_run};
use crate::permit::{About, Permit, check, request_limits};
use crate::prepare::Preparation;
use crate::request::Request;
use crate::settle::{report, settle};
use bytes::Bytes;
use hotcell_model::job::Finished;
use hotcell_model::limit::Limits;
use hotcell_model::outcome::{Blame, Outcome, OutcomeKind};
use hotcell_model::report::{CacheOutcome, ComponentReport, Report, Timings};
use hotcell_model::stop::StopSignal;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How a launch ended: its outcome, its report, and the arrays that came out.
#[derive(Clone, Debug)]
pub struct Ended {
    /// How it ended.
    pub outcome: Outcome,
    /// What an operator reads.
    pub report: Report,
    /// The arrays that were written, in the manifest's order; empty unless the outcome keeps them.
    pub results: Vec<NamedArray>,
}

impl Ended {
    /// The array of that name.
    pub fn array(&self, name: &str) -> Option<&Array> {
        self.results
            .iter()
            .find(|result| result.name == name)
            .map(|result| &result.array)
    }
}

/// A launch that runs on a thread of its own. Dropping it cancels the launch and waits for its end.
pub struct Launch {
    signal: Arc<StopSignal>,
    thread: Option<JoinHandle<Ended>>,
    started: Instant,
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
    pub fn canceller(&self) -> impl Fn() + Send + Sync + 'static {
        let signal = Arc::clone(&self.signal);
        move || signal.cancel()
    }

    /// Waits for the end, calling `watch` every `interval` until then.
    pub fn wait_watching(self, interval: Duration, watch: impl Fn()) -> Ended {
        while self
            .thread
            .as_ref()
            .is_some_and(|thread| !thread.is_finished())
        {
            // Most launches are short: look often at first.
            let elapsed = self.started.elapsed();
            std::thread::park_timeout(interval.min(elapsed / 4 + Duration::from_micros(20)));
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
        match self.authorize(component, request) {
            Ok(permit) => self.launch(permit, &Arc::default()),
            Err(ended) => *ended,
        }
    }

    /// Starts a kernel on a thread of its own.
    ///
    /// # Errors
    /// The launch ended before it began: its request was refused, or there is no thread for it.
    pub fn start(&self, component: &Component, request: Request) -> Result<Launch, Box<Ended>> {
        let permit = self.authorize(component, request)?;
        self.start_permitted(permit)
    }

    /// Starts an authorized launch on a thread of its own.
    ///
    /// # Errors
    /// The operating system has no thread for it.
    pub fn start_permitted(&self, permit: Permit) -> Result<Launch, Box<Ended>> {
        let signal: Arc<StopSignal> = Arc::default();
        let (cell, stop) = (self.clone(), Arc::clone(&signal));
        let about = permit.about.clone();
        let thread = std::thread::Builder::new()
            .name("hotcell-launch".to_owned())
            .spawn(move || cell.launch(permit, &stop));
        match thread {
            Ok(thread) => Ok(Launch {
                signal,
                thread: Some(thread),
                started: Instant::now(),
            }),
            Err(error) => {
                let message = format!("no thread for the launch: {error}");
                let outcome = Outcome::failed(OutcomeKind::HostFault, Blame::Host, message);
                Err(Box::new(self.refuse(about, outcome)))
            }
        }
    }

    /// Checks a request. The permit says what will be written, so that a caller can prepare for it.
    ///
    /// # Errors
    /// The launch ends here, with a report that says why.
    pub fn authorize(&self, component: &Component, request: Request) -> Result<Permit, Box<Ended>> {
        let mut about = self.about(component, &request);
        about.limits = match request_limits(&request) {
            Ok(limits) => limits,
            Err(outcome) => return Err(Box::new(self.refuse(about, outcome))),
        };
        let worked = self.described(component, about.order(&StopSignal::default()));
        about.evidence.add(worked.evidence);
        let description = match worked.result {
            Ok(description) => description,
            Err(outcome) => {
                let cost = Timings {
                    cache: worked.is_remembered.then_some(CacheOutcome::FailedBefore),
                    compilation: worked.cost,
                    ..Timings::default()
                };
                return Err(Box::new(self.refuse_after(about, outcome, cost)));
            }
        };
        about.component.name = description.manifest.component().name.clone();
        match check(&description, &request, &mut about.limits, &mut about.grants) {
            Ok(bound) => {
                about.component.entry = bound.job.entry.clone();
                Ok(Permit {
                    component: component.clone(),
                    bound,
                    about,
                    observer: request.observer,
                })
            }
            Err((outcome, entry)) => {
                about.component.entry = entry;
                Err(Box::new(self.refuse(about, outcome)))
            }
        }
    }

    /// Gives a permit back unused, with the caller's reason: the launch ends there.
    pub fn abandon(&self, permit: Permit, kind: OutcomeKind, message: impl Into<String>) -> Ended {
        let outcome = Outcome::failed(kind, Blame::Request, message);
        self.refuse(permit.about, outcome)
    }

    /// Ends a launch whose request could not even be put together: an input that cannot be read, say. The
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
        self.refuse(about, Outcome::failed(kind, Blame::Request, message))
    }

    /// Compiles a component for a metering mode and keeps the artifact, without running it.
    ///
    /// # Errors
    /// It is no kernel component, is over a limit, or does not load.
    pub fn prepare_only(
        &self,
        component: &Component,
        request: &Request,
    ) -> Result<Timings, Outcome> {
        let about = About {
            limits: request_limits(request)?,
            ..self.about(component, request)
        };
        let stop = StopSignal::default();
        self.described(component, about.order(&stop)).result?;
        let mut taken = Preparation::default();
        self.prepare(component, &about, &stop, &mut taken)?;
        Ok(taken.timings)
    }

    fn about(&self, component: &Component, request: &Request) -> About {
        About {
            run_id: new_run_id(),
            component: ComponentReport {
                digest: Some(component.digest()),
                path: component.path().map(|path| path.display().to_string()),
                name: String::new(),
                entry: request.entry.as_deref().map(shown).unwrap_or_default(),
            },
            tenant: request.tenant.clone(),
            metering: request.metering,
            grants: request.grants.clone(),
            seed: request.seed,
            limits: Limits::defaults(Default::default()),
            isolation: self.isolation(),
            digests: request.digests,
            evidence: Evidence::default(),
        }
    }

    /// The path of a launch, from its permit on.
    pub(crate) fn launch(&self, mut permit: Permit, signal: &Arc<StopSignal>) -> Ended {
        if let Err(error) = self.inner.audit.begin(&permit) {
            let message = format!("no audit record could be made: {error}");
            let outcome = Outcome::failed(OutcomeKind::HostFault, Blame::Operator, message);
            return self.refuse(permit.about, outcome);
        }
        let mut taken = Preparation::default();
        let ran = caught(|| {
            let loaded = self.prepare(&permit.component, &permit.about, signal, &mut taken)?;
            let Bound { job, data, .. } = &permit.bound;
            Ok(loaded.run(job, data, signal, &permit.observer))
        })
        .unwrap_or_else(|outcome| Ran::from(not_run(outcome)));
        permit.about.evidence.add(taken.evidence);
        let required = self.inner.isolation.required_tier();
        let ended = settle(permit, ran, taken.timings, required);
        self.inner.audit.finish(&ended.report);
        ended
    }

    /// The end of a launch that did not begin.
    fn refuse(&self, about: About, outcome: Outcome) -> Ended {
        self.refuse_after(about, outcome, Timings::default())
    }

    /// The end of a launch that did not begin, after work that took that.
    fn refuse_after(&self, about: About, outcome: Outcome, timings: Timings) -> Ended {
        let finished = Finished {
            timings,
            ..not_run(outcome.clone())
        };
        let ended = Ended {
            report: report(about, &finished, self.inner.isolation.required_tier()),
            outcome,
            results: Vec::new(),
        };
        self.inner.audit.finish(&ended.report);
        ended
    }
}

/// Does a part of a launch; a panic of the host is an outcome like others, and the caller lives on.
fn caught<T>(part: impl FnOnce() -> Result<T, Outcome>) -> Result<T, Outcome> {
    catch_unwind(AssertUnwindSafe(part)).unwrap_or_else(|_| {
        let message = "the host panicked; please report it, with the component";
        Err(Outcome::failed(
            OutcomeKind::HostFault,
            Blame::Host,
            message,
        ))
    })
}

fn shown(text: &str) -> String {
    hotcell_model::text::escape(text, 256)
}
