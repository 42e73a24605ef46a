//! One launch: its chunks handed out to threads, and their ends put together.
//!
//! What comes out never depends on the number of threads: chunks are cut by shape alone, the failure that
//! counts is that of the first chunk in order, and a chunk that finds the memory taken by others runs
//! again alone.

use crate::arrays::{Input, Output, as_index, part};
use crate::chunk::{self, ChunkEnd, ChunkFailure, ChunkPart, LaunchPlan};
use crate::crew::Work;
use crate::end::outcome_of_stop;
use crate::engine::{LoadedKernel, Runner};
use crate::entries::{ChunkRange, Dimension, Scalar};
use crate::guest::capabilities::LaunchCapabilities;
use crate::guest::random::RandomSource;
use crate::mapping::PageFile;
use crate::meter::Meter;
use crate::output::OutputBuffer;
use crate::sampler::Sampler;
use hotcell_model::job::{Job, JobArray, JobData, Observer, RunEnd, Source};
use hotcell_model::limit::{Amount, Breach, Limit};
use hotcell_model::outcome::{Blame, Outcome, OutcomeKind};
use hotcell_model::report::{Timings, Usage};
use hotcell_model::stop::StopSignal;
use hotcell_model::time::nanoseconds;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

impl Runner {
    /// Runs a launch to its end on the calling thread and up to `job.threads - 1` others.
    ///
    /// `data` has one source for each array that is read, of that array's size, and `outputs` a zeroed buffer
    /// for each that is written. A launch with a GPU runs its chunks one after the other.
    pub fn run(
        &self,
        kernel: &Arc<LoadedKernel>,
        job: Arc<Job>,
        mut data: JobData,
        outputs: Vec<OutputBuffer>,
        signal: Arc<StopSignal>,
        observer: Arc<dyn Observer>,
    ) -> RunEnd<OutputBuffer> {
        let _ticking = self.ticker.keep_ticking();
        let chunks = job.split.as_ref().map_or(1, |split| split.chunks());
        let meter = Meter::new(job.limits.clone(), job.stop_grace, signal, observer, chunks);
        let random = match job.seed {
            Some(seed) => RandomSource::Seeded(seed),
            None => RandomSource::Secret {
                secret: self.secret,
                launch: self.launches.fetch_add(1, Ordering::Relaxed),
            },
        };
        let meter = Arc::new(meter);
        let plan = LaunchPlan {
            capabilities: LaunchCapabilities::begin(random, &mut data, &meter),
            engine: self.engine.clone(),
            kernel: Arc::clone(kernel),
            meter,
            has_fuel: self.metering.has_fuel(),
            map_from_bytes: self.map_from_bytes,
            entry: job.entry.as_str().into(),
            scalars: scalars(&job),
            grants: job.grants.clone(),
            sampler: job
                .sample_every
                .map(|period| Arc::new(Sampler::every(period))),
        };
        if let Err(outcome) = check_sizes(&job, &data, &outputs) {
            return finish(&plan, outcome, Vec::new(), Sums::default());
        }
        let threads = match plan.capabilities.are_serial() {
            true => 1,
            false => job.threads,
        };
        let helpers = threads.min(chunks).saturating_sub(1);
        let launch = Arc::new(ChunkedLaunch::new(plan, job, data, outputs, chunks));
        self.crew.work(helpers, &launch);
        launch.run_contended();
        match Arc::try_unwrap(launch) {
            Ok(launch) => launch.join(),
            // The crew gives its handles back before `work` returns.
            Err(launch) => finish(&launch.plan, not_run(), Vec::new(), Sums::default()),
        }
    }
}

/// Whether the arrays have the sizes that the job speaks of.
fn check_sizes(job: &Job, data: &JobData, outputs: &[OutputBuffer]) -> Result<(), Outcome> {
    let read = job.arrays.iter().filter(|array| array.is_read);
    let written = job.arrays.iter().filter(|array| array.is_written);
    let fits = read
        .map(|array| array.size_bytes)
        .eq(data.sources.iter().map(Source::len_bytes))
        && written
            .map(|array| array.size_bytes)
            .eq(outputs.iter().map(|output| output.len() as u64));
    if fits {
        return Ok(());
    }
    let message = "the arrays do not have the sizes that the launch was checked for";
    Err(Outcome::failed(
        OutcomeKind::HostFault,
        Blame::Host,
        message,
    ))
}

fn scalars(job: &Job) -> Vec<Scalar> {
    let scalar = |(name, value): &(String, _)| Scalar {
        name: name.as_str().into(),
        value: hotcell_model::manifest::ScalarValue::into(*value),
    };
    job.scalars.iter().map(scalar).collect()
}

/// The parts of a launch, and what became of them.
struct ChunkedLaunch {
    plan: LaunchPlan,
    job: Arc<Job>,
    names: Vec<Arc<str>>,
    dims: Vec<Arc<str>>,
    /// The arrays that are read: their position in the job, and their bytes.
    sources: Vec<(usize, Source)>,
    /// The outputs of each chunk, taken when it runs and put back when it ends.
    slots: Vec<Mutex<Slot>>,
    next: AtomicUsize,
}

/// One chunk's outputs and end.
#[derive(Default)]
struct Slot {
    outputs: Vec<OutputBuffer>,
    end: Option<ChunkEnd>,
}

#[derive(Default)]
struct Sums {
    fuel: u64,
    instances: u64,
    instantiate: Duration,
    call: Duration,
    body: Duration,
}

impl Work for ChunkedLaunch {
    /// Runs chunks until none is left.
    fn work(&self) {
        loop {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            if index >= self.slots.len() || self.plan.meter.is_superseded(index) {
                return;
            }
            self.run_chunk(index, self.slots.len() > 1);
        }
    }
}

impl ChunkedLaunch {
    fn new(
        plan: LaunchPlan,
        job: Arc<Job>,
        data: JobData,
        outputs: Vec<OutputBuffer>,
        chunks: usize,
    ) -> Self {
        let arrays = job.arrays.iter().enumerate();
        let reads = arrays.filter(|(_, array)| array.is_read);
        let positions = reads.map(|(position, _)| position);
        let shared = |name: &String| Arc::from(name.as_str());
        Self {
            names: job.arrays.iter().map(|array| shared(&array.name)).collect(),
            dims: job.dims.iter().map(|(name, _)| shared(name)).collect(),
            sources: positions.zip(data.sources).collect(),
            slots: make_slots(&job, outputs, chunks),
            next: AtomicUsize::new(0),
            plan,
            job,
        }
    }

    /// Runs the chunks again, alone, that found the memory taken.
    fn run_contended(&self) {
        for index in 0..self.slots.len() {
            if self.is_contended(index) {
                self.run_chunk(index, false);
            }
        }
    }

    fn run_chunk(&self, index: usize, is_shared: bool) {
        let plan = &self.plan;
        let taken = std::mem::take(&mut *self.slot(index));
        let lines_seen = match taken.end.map(|end| end.result) {
            Some(Err(ChunkFailure::Contended(lines))) => lines,
            _ => 0,
        };
        let mut end = chunk::run(plan, self.part(index, taken.outputs, lines_seen, is_shared));
        let mut outputs = std::mem::take(&mut end.outputs);
        match &end.result {
            Err(ChunkFailure::Ended(_)) => plan.meter.note_failure(index),
            Err(ChunkFailure::Contended(_)) => outputs
                .iter_mut()
                .for_each(|output| output.as_mut_slice().fill(0)),
            Ok(()) | Err(ChunkFailure::Superseded) => {}
        }
        *self.slot(index) = Slot {
            outputs,
            end: Some(end),
        };
    }

    fn is_contended(&self, index: usize) -> bool {
        let slot = self.slot(index);
        matches!(&slot.end, Some(end) if matches!(end.result, Err(ChunkFailure::Contended(_))))
    }

    fn slot(&self, index: usize) -> std::sync::MutexGuard<'_, Slot> {
        self.slots[index]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// What the chunk of that index gets.
    fn part(
        &self,
        index: usize,
        outputs: Vec<OutputBuffer>,
        lines_seen: u64,
        is_shared: bool,
    ) -> ChunkPart {
        let range = range(&self.job, index);
        let dim = |(position, name): (usize, &Arc<str>)| {
            let is_split = self
                .job
                .split
                .as_ref()
                .is_some_and(|split| split.dim == position);
            Dimension {
                name: Arc::clone(name),
                extent: if is_split {
                    range.len
                } else {
                    self.job.dims[position].1
                },
            }
        };
        let source = |(position, (in_job, source)): (usize, &(usize, Source))| {
            let array = &self.job.arrays[*in_job];
            let cut = array.split_stride_bytes.map(|stride| {
                let rows = rows(&range, array.halo);
                (rows.start * stride, (rows.end - rows.start) * stride)
            });
            let input = Input {
                source: match cut {
                    Some((start, len)) => part(source, start, len),
                    None => source.clone(),
                },
                pages: pages(source),
                position,
                start_bytes: cut.map_or(0, |(start, _)| start),
            };
            (Arc::clone(&self.names[*in_job]), input)
        };
        let arrays = self.job.arrays.iter().zip(&self.names);
        let written = arrays.filter(|(array, _)| array.is_written).enumerate();
        let destination = |(position, (array, name)): (usize, (&JobArray, &Arc<str>))| {
            let start_bytes = range.start * array.split_stride_bytes.unwrap_or(0);
            let output = Output {
                position,
                start_bytes,
            };
            (Arc::clone(name), output)
        };
        ChunkPart {
            index,
            range,
            dims: self.dims.iter().enumerate().map(dim).collect(),
            sources: self.sources.iter().enumerate().map(source).collect(),
            destinations: written.map(destination).collect(),
            outputs,
            lines_seen,
            is_shared,
        }
    }

    /// Puts the chunks' ends together.
    fn join(self) -> RunEnd<OutputBuffer> {
        let (plan, job) = (&self.plan, &self.job);
        let mut sums = Sums::default();
        let mut outcome = None;
        let mut whole: Vec<OutputBuffer> = Vec::new();
        for (index, slot) in self.slots.into_iter().enumerate() {
            let slot = slot.into_inner().unwrap_or_else(PoisonError::into_inner);
            let result = match slot.end {
                Some(end) => {
                    sums.add(&end);
                    end.result
                }
                None => Err(ChunkFailure::Superseded),
            };
            // In order: what comes after the first failure does not matter.
            if outcome.is_none() {
                outcome = failure_of(result).map(|outcome| located(job, index, outcome));
            }
            append(&mut whole, slot.outputs);
        }
        let outcome = outcome.unwrap_or_else(|| completed(plan, &sums));
        let outputs = match outcome.keeps_outputs() {
            true => whole,
            false => Vec::new(),
        };
        finish(plan, outcome, outputs, sums)
    }
}

/// The file of a source's pages, where it is one whose size nobody can change.
fn pages(source: &Source) -> Option<PageFile> {
    match source {
        Source::Sealed { file, .. } => Some(Arc::clone(file) as PageFile),
        Source::Memory(_) | Source::File { .. } => None,
    }
}

/// The indices of the split dimension that a chunk gets of an input: its own, and its neighbours' as far as
/// the halo reaches and there are any.
fn rows(range: &ChunkRange, halo: u64) -> std::ops::Range<u64> {
    let end = range.start + range.len;
    range.start.saturating_sub(halo)..end.saturating_add(halo).min(range.total)
}

/// The outcome of a launch that ended with a chunk, if that chunk failed.
fn failure_of(result: Result<(), ChunkFailure>) -> Option<Outcome> {
    match result {
        Ok(()) => None,
        Err(ChunkFailure::Ended(outcome)) => Some(*outcome),
        // Neither can be the first failure; to call it done would be a lie.
        Err(ChunkFailure::Contended(_) | ChunkFailure::Superseded) => Some(not_run()),
    }
}

/// What went wrong in one chunk of several says which, so that its author can run it alone. A limit is the whole
/// launch's, and says so by itself.
fn located(job: &Job, index: usize, mut outcome: Outcome) -> Outcome {
    let Some(split) = job.split.as_ref().filter(|split| split.chunks() > 1) else {
        return outcome;
    };
    if matches!(outcome.kind, OutcomeKind::KernelError | OutcomeKind::Trap) {
        let range = range(job, index);
        outcome.message += &format!(
            " (in chunk {} of {}: `{}` from {} to {})",
            index + 1,
            split.chunks(),
            job.dims[split.dim].0,
            range.start,
            range.start + range.len - 1
        );
    }
    outcome
}

fn not_run() -> Outcome {
    let message = "a chunk of the launch was not run to its end";
    Outcome::failed(OutcomeKind::HostFault, Blame::Host, message)
}

/// The outcome of a launch of which no chunk failed.
fn completed(plan: &LaunchPlan, sums: &Sums) -> Outcome {
    let meter = &plan.meter;
    let maximum = meter.limits.get(Limit::Fuel);
    if plan.has_fuel && sums.fuel > maximum {
        let amount = Amount::Used(sums.fuel);
        return Outcome::breached(Breach {
            limit: Limit::Fuel,
            amount,
            maximum,
        });
    }
    // What a guest does after its last check is seen here: one bulk operation runs whole.
    if let Err(stop) = meter.check_cpu() {
        return outcome_of_stop(&stop);
    }
    if !meter.deadline.was_told() {
        return Outcome::done();
    }
    let (kind, blame, message) = match meter.signal.cancelled_at() {
        Some(_) => (
            OutcomeKind::Cancelled,
            Blame::Request,
            "cancelled; the results are partial",
        ),
        None => (
            OutcomeKind::Timeout,
            Blame::Guest,
            "returned early because its timeout was near; the results are partial",
        ),
    };
    Outcome {
        partial: true,
        reproducible: false,
        ..Outcome::failed(kind, blame, message)
    }
}

fn finish(
    plan: &LaunchPlan,
    outcome: Outcome,
    outputs: Vec<OutputBuffer>,
    sums: Sums,
) -> RunEnd<OutputBuffer> {
    let meter = &plan.meter;
    let (totals, log) = (meter.totals(), meter.take_log());
    let duration = |duration: Duration| nanoseconds(duration);
    RunEnd {
        outcome,
        outputs,
        usage: Usage {
            fuel_used: plan.has_fuel.then_some(sums.fuel),
            wall_ns: duration(meter.deadline.started.elapsed()),
            cpu_ns: totals.cpu_ns,
            peak_memory_bytes: meter.memory.peak(),
            bytes_in: totals.bytes_in,
            bytes_out: totals.bytes_out,
            host_calls: totals.host_calls,
            log_bytes: log.seen_bytes,
            log_lines_dropped: log.dropped,
            instances: sums.instances,
            // The session knows, and says so to whoever began it.
            gpu: None,
            files: None,
            process: None,
            claimed: Vec::new(),
        },
        timings: Timings {
            instantiate_ns: duration(sums.instantiate),
            call_ns: duration(sums.call),
            body_ns: duration(sums.body),
            ..Timings::default()
        },
        log: log.lines,
        samples: plan
            .sampler
            .as_ref()
            .map(|sampler| Box::new(sampler.take())),
    }
}

impl Sums {
    fn add(&mut self, end: &ChunkEnd) {
        self.fuel = self.fuel.saturating_add(end.fuel_used);
        self.instances += 1;
        self.instantiate += end.instantiate;
        self.call += end.call;
        self.body += end.body;
    }
}

/// The indices of the split dimension that belong to a chunk.
fn range(job: &Job, index: usize) -> ChunkRange {
    match &job.split {
        None => ChunkRange {
            start: 0,
            len: 1,
            total: 1,
        },
        Some(split) => {
            let (start, end) = (split.bounds[index], split.bounds[index + 1]);
            let total = job.dims[split.dim].1;
            ChunkRange {
                start,
                len: end - start,
                total,
            }
        }
    }
}

/// The outputs, cut for the chunks.
fn make_slots(job: &Job, outputs: Vec<OutputBuffer>, chunks: usize) -> Vec<Mutex<Slot>> {
    let mut slots: Vec<Vec<OutputBuffer>> = (0..chunks).map(|_| Vec::new()).collect();
    let written = job.arrays.iter().filter(|array| array.is_written);
    for (array, mut rest) in written.zip(outputs) {
        for (index, slot) in slots.iter_mut().enumerate() {
            let len = range(job, index).len * array.split_stride_bytes.unwrap_or(0);
            let is_last = index + 1 == chunks;
            slot.push(if is_last {
                std::mem::take(&mut rest)
            } else {
                rest.split_to(as_index(len))
            });
        }
    }
    let slot = |outputs| Mutex::new(Slot { outputs, end: None });
    slots.into_iter().map(slot).collect()
}

/// Joins a chunk's outputs to those before it; they lie side by side, so nothing is copied.
fn append(whole: &mut Vec<OutputBuffer>, outputs: Vec<OutputBuffer>) {
    if whole.is_empty() {
        *whole = outputs;
        return;
    }
    for (whole, part) in whole.iter_mut().zip(outputs) {
        whole.unsplit(part);
    }
}
