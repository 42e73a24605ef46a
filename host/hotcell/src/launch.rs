//! The path of a launch.
//!
//! ```text
//! request ─ authorize ─ audit.begin ─ prepare ─ launch ─ settle ─ audit.finish
//!           (permit)                 (artifact) (runner) (report)
//! ```

use crate::array::{Array, NamedArray};
use crate::artifacts::{Origin, VerifiedArtifact};
use crate::bind::Bound;
use crate::cell::{Cell, LoadedKey, Prepared, new_run_id};
use crate::component::Component;
use crate::isolation::{LoadFailure, Loaded};
use crate::permit::{About, Permit, check, refused, request_limits};
use crate::request::{Digests, Request};
use bytes::Bytes;
use hotcell_model::array::ArrayType;
use hotcell_model::digest::Digest;
use hotcell_model::job::{Finished, Source};
use hotcell_model::limit::{Amount, Breach, Limit, Limits};
use hotcell_model::outcome::{Blame, Outcome, OutcomeKind};
use hotcell_model::report::{
    ArrayReport, CacheOutcome, ComponentReport, Count, OutcomeReport, Report, SCHEMA, Timings,
};
use hotcell_model::stop::StopSignal;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};
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
    /// Asks the launch to stop, from any thread: a guest that polls `should-stop` has the request's grace
    /// period to return what it has, any other is interrupted within a tick.
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
        let limits = request_limits(&request);
        let described = limits.and_then(|limits| {
            let described = self
                .describe(component, &limits)
                .map_err(|refusal| refused(&refusal));
            about.limits = limits;
            described
        });
        let description = match described {
            Ok(description) => description,
            Err(outcome) => return Err(Box::new(self.refuse(about, outcome))),
        };
        about.component.name = description.manifest.component().name.clone();
        match check(&description, &request, &mut about.limits) {
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
        let limits = request_limits(request)?;
        self.describe(component, &limits)
            .map_err(|refusal| refused(&refusal))?;
        let about = self.about(component, request);
        let mut timings = Timings::default();
        self.prepare(component, &About { limits, ..about }, &mut timings)?;
        Ok(timings)
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
        }
    }

    /// The path of a launch, from its permit on.
    pub(crate) fn launch(&self, permit: Permit, signal: &Arc<StopSignal>) -> Ended {
        if let Err(error) = self.inner.audit.begin(&permit) {
            let message = format!("no audit record could be made: {error}");
            let outcome = Outcome::failed(OutcomeKind::HostFault, Blame::Operator, message);
            return self.refuse(permit.about, outcome);
        }
        let mut timings = Timings::default();
        let finished = caught(|| {
            let loaded = self.prepare(&permit.component, &permit.about, &mut timings)?;
            let Bound { job, data, .. } = &permit.bound;
            Ok(loaded.run(job, data, signal, &permit.observer))
        })
        .unwrap_or_else(not_run);
        let ended = settle(permit, finished, timings);
        self.inner.audit.finish(&ended.report);
        ended
    }

    /// A loaded kernel: from memory, from disk, or compiled. Callers that want the same one at the same
    /// time wait for the first.
    fn prepare(
        &self,
        component: &Component,
        about: &About,
        timings: &mut Timings,
    ) -> Result<Arc<dyn Loaded>, Outcome> {
        let key = LoadedKey {
            component: component.digest(),
            tenant: about.tenant.clone(),
            metering: about.metering,
            grants: about.grants.clone(),
        };
        let place = self.inner.loaded.get_or_insert(&key, Default::default);
        let mut held = place.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(prepared) = &*held {
            check_artifact(prepared.artifact_bytes, &about.limits)?;
            timings.cache = Some(CacheOutcome::HitMemory);
            return Ok(Arc::clone(&prepared.loaded));
        }
        let prepared = self.prepare_fresh(component, about, timings)?;
        let loaded = Arc::clone(&prepared.loaded);
        *held = Some(prepared);
        Ok(loaded)
    }

    fn prepare_fresh(
        &self,
        component: &Component,
        about: &About,
        timings: &mut Timings,
    ) -> Result<Prepared, Outcome> {
        let origin = Origin {
            component: component.digest(),
            profile: self.inner.isolation.profile(about.metering),
            tenant: about.tenant.clone(),
        };
        let begin = Instant::now();
        let cache = self.inner.cache.as_ref().map_err(Clone::clone);
        let mut why = match cache.and_then(|cache| cache.find(&origin)) {
            Ok(artifact) => match self.load(about, &artifact) {
                Ok(loaded) => {
                    let artifact_bytes = artifact.bytes().len() as u64;
                    check_artifact(artifact_bytes, &about.limits)?;
                    timings.cache = Some(CacheOutcome::Hit);
                    timings.load_ns = nanoseconds(begin.elapsed());
                    return Ok(Prepared {
                        loaded,
                        artifact_bytes,
                    });
                }
                Err(LoadFailure::Ended(outcome)) => return Err(*outcome),
                Err(LoadFailure::Stale(why)) => {
                    self.inner
                        .cache
                        .iter()
                        .for_each(|cache| cache.remove(&origin));
                    why
                }
            },
            Err(why) => why,
        };
        let begin = Instant::now();
        let artifact =
            self.inner
                .isolation
                .compile(component.bytes(), about.metering, &about.limits)?;
        timings.compile_ns = nanoseconds(begin.elapsed());
        if let Ok(cache) = &self.inner.cache
            && let Err(error) = cache.store(&origin, &artifact)
        {
            // The launch does not depend on it; the report tells.
            why = format!("{why}; it could not be kept: {error}");
        }
        timings.cache = Some(CacheOutcome::Miss(why));
        let artifact_bytes = artifact.len() as u64;
        let begin = Instant::now();
        let loaded = self.load(about, &VerifiedArtifact::fresh(artifact));
        timings.load_ns = nanoseconds(begin.elapsed());
        let prepared = |loaded| Prepared {
            loaded,
            artifact_bytes,
        };
        loaded.map(prepared).map_err(|failure| match failure {
            LoadFailure::Ended(outcome) => *outcome,
            LoadFailure::Stale(why) => {
                let message = format!("a fresh artifact does not load: {why}");
                Outcome::failed(OutcomeKind::HostFault, Blame::Host, message)
            }
        })
    }

    fn load(
        &self,
        about: &About,
        artifact: &VerifiedArtifact,
    ) -> Result<Arc<dyn Loaded>, LoadFailure> {
        self.inner
            .isolation
            .load(&about.tenant, about.metering, artifact, &about.grants)
    }

    /// The end of a launch that did not begin.
    fn refuse(&self, about: About, outcome: Outcome) -> Ended {
        let ended = Ended {
            report: report(about, &not_run(outcome.clone())),
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

/// Holds an artifact that may have been made under other limits against these.
fn check_artifact(requested: u64, limits: &Limits) -> Result<(), Outcome> {
    let limit = Limit::ArtifactBytes;
    let maximum = limits.get(limit);
    if requested <= maximum {
        return Ok(());
    }
    Err(Outcome::breached(Breach {
        limit,
        amount: Amount::Requested(requested),
        maximum,
    }))
}

fn not_run(outcome: Outcome) -> Finished {
    Finished {
        outcome,
        results: Vec::new(),
        usage: Default::default(),
        timings: Timings::default(),
        log: Vec::new(),
    }
}

/// Puts together what was asked, what happened and what was used.
fn settle(permit: Permit, mut finished: Finished, prepared: Timings) -> Ended {
    let Permit { bound, about, .. } = permit;
    let digests = about.digests;
    finished.timings = Timings {
        compile_ns: prepared.compile_ns,
        cache: prepared.cache,
        load_ns: prepared.load_ns,
        ..finished.timings
    };
    let mut report = report(about, &finished);
    report.dims = bound
        .job
        .dims
        .iter()
        .map(|(name, extent)| (name.clone(), Count(*extent)))
        .collect();
    report.scalars = bound.job.scalars.iter().cloned().collect();
    let argument = |(name, array): &(String, Array)| ArrayReport {
        name: name.clone(),
        dtype: array.ty().dtype(),
        shape: array.ty().shape().to_vec(),
        blake3: digest(array.source(), digests),
    };
    report.arguments = bound.arguments.iter().map(argument).collect();
    let results = name_results(&bound, std::mem::take(&mut finished.results));
    report.results = results
        .iter()
        .map(|result| argument(&(result.name.clone(), result.array.clone())))
        .collect();
    Ended {
        outcome: finished.outcome,
        report,
        results,
    }
}

/// Gives the bytes that came out their types.
fn name_results(bound: &Bound, results: Vec<hotcell_model::job::ResultArray>) -> Vec<NamedArray> {
    let typed = |result: hotcell_model::job::ResultArray| {
        let position = bound
            .job
            .arrays
            .iter()
            .position(|array| array.name == result.name)?;
        let ty: &ArrayType = &bound.types[position];
        let array = Array::new(ty.clone(), result.bytes).ok()?;
        Some(NamedArray {
            name: result.name,
            array,
        })
    };
    results.into_iter().filter_map(typed).collect()
}

fn report(about: About, finished: &Finished) -> Report {
    Report {
        schema: SCHEMA,
        run_id: about.run_id,
        host: concat!("hotcell ", env!("CARGO_PKG_VERSION")).to_owned(),
        component: about.component,
        arguments: Vec::new(),
        scalars: Default::default(),
        dims: Default::default(),
        results: Vec::new(),
        outcome: OutcomeReport::from(&finished.outcome),
        usage: finished.usage.clone(),
        timings: finished.timings.clone(),
        limits: about.limits.to_report(),
        grants: about.grants,
        metering: about.metering,
        seed: about.seed.map(Count),
        isolation: about.isolation,
        log: finished.log.clone(),
    }
}

/// A source's digest; `None` where none is wanted, or a file can no longer be read.
fn digest(source: &Source, digests: Digests) -> Option<Digest> {
    if digests == Digests::None {
        return None;
    }
    let hash = match source {
        Source::Memory(bytes) => hash_memory(bytes),
        Source::File {
            file,
            offset_bytes,
            len_bytes,
        } => hash_file(file, *offset_bytes, *len_bytes).ok()?,
    };
    Some(Digest::from_bytes(*hash.as_bytes()))
}

fn hash_memory(bytes: &Bytes) -> blake3::Hash {
    blake3::hash(bytes)
}

fn hash_file(file: &std::fs::File, mut offset: u64, len: u64) -> std::io::Result<blake3::Hash> {
    use std::os::unix::fs::FileExt;
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 1 << 20];
    let end = offset + len;
    while offset < end {
        let want = usize::try_from(end - offset)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        file.read_exact_at(&mut buffer[..want], offset)?;
        hasher.update(&buffer[..want]);
        offset += want as u64;
    }
    Ok(hasher.finalize())
}

fn nanoseconds(duration: Duration) -> Count {
    Count(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
}

fn shown(text: &str) -> String {
    hotcell_model::text::escape(text, 256)
}
