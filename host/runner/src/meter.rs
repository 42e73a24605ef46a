//! What a launch has used, counted over all of its chunks and checked before it is given.

use crate::stop::{Deadline, Interruption, Stop};
use hotcell_model::job::Observer;
use hotcell_model::limit::{Amount, Breach, Limit, Limits};
use hotcell_model::report::{LogLevel, LogLine};
use hotcell_model::stop::StopSignal;
use hotcell_model::text;
use hotcell_model::time::nanoseconds;
use rustix::time::{ClockId, clock_gettime};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The longest explanation kept of a guest's failure.
pub(crate) const EXPLANATION_BYTES: usize = 4096;

/// The accounts of one launch, shared by its chunks.
pub(crate) struct Meter {
    pub(crate) limits: Limits,
    pub(crate) deadline: Deadline,
    pub(crate) signal: Arc<StopSignal>,
    pub(crate) memory: SharedAmount,
    pub(crate) table_elements: SharedAmount,
    host_calls: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    cpu_ns: AtomicU64,
    log: Mutex<Log>,
    observer: Arc<dyn Observer>,
    progress: Mutex<Vec<(u64, u64)>>,
    /// The first chunk that failed: chunks after it do not matter any more.
    first_failed: AtomicUsize,
}

#[derive(Default)]
struct Log {
    lines: Vec<LogLine>,
    kept_bytes: u64,
    seen_bytes: u64,
    dropped: u64,
}

/// What the log held at the end.
pub(crate) struct LogSummary {
    pub(crate) lines: Vec<LogLine>,
    pub(crate) seen_bytes: u64,
    pub(crate) dropped: u64,
}

impl Meter {
    pub(crate) fn new(
        limits: Limits,
        grace: Duration,
        signal: Arc<StopSignal>,
        observer: Arc<dyn Observer>,
        chunks: usize,
    ) -> Self {
        Self {
            deadline: Deadline::new(Instant::now(), limits.duration(Limit::Timeout), grace),
            signal,
            memory: SharedAmount::new(Limit::Memory, &limits),
            table_elements: SharedAmount::new(Limit::TableElements, &limits),
            limits,
            host_calls: AtomicU64::new(0),
            bytes_in: AtomicU64::new(0),
            bytes_out: AtomicU64::new(0),
            cpu_ns: AtomicU64::new(0),
            log: Mutex::default(),
            observer,
            progress: Mutex::new(vec![(0, 0); chunks]),
            first_failed: AtomicUsize::new(usize::MAX),
        }
    }

    /// Counts one call from the guest.
    pub(crate) fn charge_host_call(&self, spent: &mut ChunkSpent) -> Result<(), Stop> {
        self.charge(&self.host_calls, 1, Limit::HostCalls)?;
        spent.host_calls += 1;
        Ok(())
    }

    /// Counts bytes before they are copied into the guest.
    pub(crate) fn charge_bytes_in(&self, spent: &mut ChunkSpent, bytes: u64) -> Result<(), Stop> {
        self.charge(&self.bytes_in, bytes, Limit::BytesIn)?;
        spent.bytes_in += bytes;
        Ok(())
    }

    /// Counts bytes before they are copied out of the guest.
    pub(crate) fn charge_bytes_out(&self, spent: &mut ChunkSpent, bytes: u64) -> Result<(), Stop> {
        self.charge(&self.bytes_out, bytes, Limit::BytesOut)?;
        spent.bytes_out += bytes;
        Ok(())
    }

    /// Takes back what a chunk was charged that will run again, so that the launch's totals do not tell
    /// how many threads there were.
    pub(crate) fn refund(&self, spent: &ChunkSpent) {
        self.host_calls
            .fetch_sub(spent.host_calls, Ordering::Relaxed);
        self.bytes_in.fetch_sub(spent.bytes_in, Ordering::Relaxed);
        self.bytes_out.fetch_sub(spent.bytes_out, Ordering::Relaxed);
    }

    fn charge(&self, account: &AtomicU64, amount: u64, limit: Limit) -> Result<(), Stop> {
        let before = account.fetch_add(amount, Ordering::Relaxed);
        let (requested, maximum) = (before.saturating_add(amount), self.limits.get(limit));
        if requested <= maximum {
            return Ok(());
        }
        // What is refused does not count as used.
        account.fetch_sub(amount, Ordering::Relaxed);
        let amount = Amount::Requested(requested);
        Err(Stop::Limit(Breach {
            limit,
            amount,
            maximum,
        }))
    }

    /// Looks whether a chunk has to end now. Called at every epoch check; `cpu` is the thread's clock.
    pub(crate) fn check(&self, chunk: usize, cpu: &mut CpuClock) -> Result<(), Stop> {
        if self.is_superseded(chunk) {
            return Err(Stop::Superseded);
        }
        match self.deadline.interruption(&self.signal, Instant::now()) {
            Some(Interruption::Cancelled) => return Err(Stop::Cancelled),
            Some(Interruption::TimedOut(elapsed)) => return Err(self.timed_out(elapsed)),
            None => {}
        }
        self.charge_cpu(cpu);
        self.check_cpu()
    }

    /// Looks whether the launch has used more CPU time than it may.
    pub(crate) fn check_cpu(&self) -> Result<(), Stop> {
        let used = self.cpu_ns.load(Ordering::Relaxed);
        let maximum = self.limits.get(Limit::CpuTime);
        if used > maximum {
            let limit = Limit::CpuTime;
            let amount = Amount::Used(used);
            return Err(Stop::Limit(Breach {
                limit,
                amount,
                maximum,
            }));
        }
        Ok(())
    }

    /// Whether the launch was cancelled or its deadline has passed.
    pub(crate) fn is_over(&self) -> bool {
        self.signal.cancelled_at().is_some()
            || self.deadline.started.elapsed() >= self.deadline.timeout
    }

    /// Why a wait on the host's side was cut short, where whoever cut it says no more than that.
    pub(crate) fn cut_short(&self) -> Stop {
        match self.signal.cancelled_at() {
            Some(_) => Stop::Cancelled,
            // Another clock may have been a little ahead of this deadline.
            None => {
                let elapsed = self.deadline.started.elapsed();
                self.timed_out(elapsed.max(self.deadline.timeout))
            }
        }
    }

    fn timed_out(&self, elapsed: Duration) -> Stop {
        Stop::Limit(Breach {
            limit: Limit::Timeout,
            amount: Amount::Used(nanoseconds(elapsed)),
            maximum: self.limits.get(Limit::Timeout),
        })
    }

    /// Adds what a thread has used since it last looked.
    pub(crate) fn charge_cpu(&self, cpu: &mut CpuClock) {
        self.cpu_ns.fetch_add(cpu.lap_ns(), Ordering::Relaxed);
    }

    /// Notes that a chunk failed, so that later ones need not go on.
    pub(crate) fn note_failure(&self, chunk: usize) {
        self.first_failed.fetch_min(chunk, Ordering::Relaxed);
    }

    /// Whether a chunk before this one has failed.
    pub(crate) fn is_superseded(&self, chunk: usize) -> bool {
        chunk > self.first_failed.load(Ordering::Relaxed)
    }

    /// Keeps, escapes and passes on a guest's line, or drops and counts it.
    pub(crate) fn log(&self, level: LogLevel, message: &str) {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.seen_bytes = log.seen_bytes.saturating_add(message.len() as u64);
        let room = self
            .limits
            .get(Limit::LogBytes)
            .saturating_sub(log.kept_bytes);
        if log.lines.len() as u64 >= self.limits.get(Limit::LogLines) || room == 0 {
            log.dropped += 1;
            return;
        }
        let message = text::escape(message, usize::try_from(room).unwrap_or(usize::MAX));
        let line = LogLine { level, message };
        log.kept_bytes += line.message.len() as u64;
        self.observer.log(&line);
        log.lines.push(line);
    }

    /// Notes a chunk's progress and passes on the sum over the chunks.
    pub(crate) fn progress(&self, chunk: usize, done: u64, total: u64) {
        let mut chunks = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        let count = chunks.len() as u64;
        if let Some(slot) = chunks.get_mut(chunk) {
            *slot = (done.min(total), total);
        }
        // Chunks that have not spoken yet count as large as this one.
        let done = chunks
            .iter()
            .fold(0u64, |sum, (done, _)| sum.saturating_add(*done));
        self.observer
            .progress(done, total.saturating_mul(count).max(done));
    }

    pub(crate) fn take_log(&self) -> LogSummary {
        let log = std::mem::take(&mut *self.log.lock().unwrap_or_else(PoisonError::into_inner));
        LogSummary {
            lines: log.lines,
            seen_bytes: log.seen_bytes,
            dropped: log.dropped,
        }
    }

    pub(crate) fn totals(&self) -> Totals {
        let load = |account: &AtomicU64| account.load(Ordering::Relaxed);
        Totals {
            host_calls: load(&self.host_calls),
            bytes_in: load(&self.bytes_in),
            bytes_out: load(&self.bytes_out),
            cpu_ns: load(&self.cpu_ns),
        }
    }
}

/// What one run of a chunk was charged.
#[derive(Default)]
pub(crate) struct ChunkSpent {
    host_calls: u64,
    bytes_in: u64,
    bytes_out: u64,
    /// Lines that it logged.
    pub(crate) lines: u64,
}

/// The sums of a launch.
pub(crate) struct Totals {
    pub(crate) host_calls: u64,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
    pub(crate) cpu_ns: u64,
}

/// An amount that the chunks alive at one time hold together.
pub(crate) struct SharedAmount {
    limit: Limit,
    maximum: u64,
    held: AtomicU64,
    peak: AtomicU64,
}

/// Why a shared amount was not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Denied {
    /// The chunk alone would pass the limit.
    Over(Breach),
    /// It would fit if other chunks did not hold theirs.
    Contended,
}

impl SharedAmount {
    fn new(limit: Limit, limits: &Limits) -> Self {
        Self {
            limit,
            maximum: limits.get(limit),
            held: AtomicU64::new(0),
            peak: AtomicU64::new(0),
        }
    }

    /// Why a chunk that holds `own` could not have `more` even alone.
    pub(crate) fn breach(&self, own: u64, more: u64) -> Option<Breach> {
        let requested = own.saturating_add(more);
        (requested > self.maximum).then_some(Breach {
            limit: self.limit,
            amount: Amount::Requested(requested),
            maximum: self.maximum,
        })
    }

    /// Gives `more` to a chunk that holds `own`.
    pub(crate) fn try_take(&self, own: u64, more: u64) -> Result<(), Denied> {
        if let Some(breach) = self.breach(own, more) {
            return Err(Denied::Over(breach));
        }
        let fits = |held: u64| held.checked_add(more).filter(|sum| *sum <= self.maximum);
        match self
            .held
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits)
        {
            Ok(before) => {
                self.peak.fetch_max(before + more, Ordering::Relaxed);
                Ok(())
            }
            Err(_) => Err(Denied::Contended),
        }
    }

    /// Takes back what a chunk held.
    pub(crate) fn give_back(&self, own: u64) {
        self.held.fetch_sub(own, Ordering::Relaxed);
    }

    /// What the chunks that are alive hold together.
    pub(crate) fn held(&self) -> u64 {
        self.held.load(Ordering::Relaxed)
    }

    pub(crate) fn peak(&self) -> u64 {
        self.peak.load(Ordering::Relaxed)
    }
}

/// The calling thread's CPU clock, read in laps.
pub(crate) struct CpuClock(Duration);

impl CpuClock {
    pub(crate) fn start() -> Self {
        Self(thread_cpu_time())
    }

    /// What the thread has used since the last lap, in nanoseconds.
    pub(crate) fn lap_ns(&mut self) -> u64 {
        let now = thread_cpu_time();
        let lap = now.saturating_sub(std::mem::replace(&mut self.0, now));
        nanoseconds(lap)
    }
}

fn thread_cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hotcell_model::limit::LimitSource;
    use hotcell_model::manifest::Weight;

    fn meter(limit: Limit, value: u64) -> Meter {
        let mut limits = Limits::defaults(Weight::Normal);
        limits.try_set(limit, value, LimitSource::Request).unwrap();
        Meter::new(limits, Duration::ZERO, Arc::default(), Arc::new(()), 2)
    }

    #[test]
    fn a_total_is_charged_before_it_is_given_and_refused_with_both_numbers() {
        let meter = meter(Limit::BytesIn, 100);
        let spent = &mut ChunkSpent::default();
        meter.charge_bytes_in(spent, 60).unwrap();
        let refused = meter.charge_bytes_in(spent, 60).unwrap_err().to_string();
        assert_eq!(
            refused,
            "limit bytes_in: 120B requested, at most 100B allowed"
        );
        meter.charge_bytes_in(spent, 40).unwrap();
        assert!(meter.charge_bytes_in(spent, u64::MAX).is_err());
        assert_eq!(meter.totals().bytes_in, 100);
        meter.refund(spent);
        assert_eq!(meter.totals().bytes_in, 0);
    }

    #[test]
    fn memory_is_shared_and_contention_is_not_a_breach() {
        let meter = meter(Limit::Memory, 100);
        meter.memory.try_take(0, 70).unwrap();
        assert_eq!(meter.memory.try_take(0, 40), Err(Denied::Contended));
        assert!(matches!(
            meter.memory.try_take(70, 40),
            Err(Denied::Over(_))
        ));
        meter.memory.give_back(70);
        meter.memory.try_take(0, 100).unwrap();
        assert_eq!(meter.memory.peak(), 100);
    }

    #[test]
    fn a_log_flood_is_cut_and_counted() {
        let meter = meter(Limit::LogBytes, 10);
        meter.log(LogLevel::Info, "123456\n");
        meter.log(LogLevel::Info, "abcdef");
        meter.log(LogLevel::Info, "more");
        let log = meter.take_log();
        assert_eq!(log.lines[0].message, "123456\\n");
        assert_eq!(log.lines[1].message, "ab…");
        assert_eq!((log.lines.len(), log.dropped, log.seen_bytes), (2, 1, 17));
    }
}
