//! One call of a guarded process, from its request to its end: deadlines, the CPU clock, memory, what its compilers do.

use super::log::Log;
use super::parcel::Parcel;
use super::{GuardedWorker, KIND};
use crate::bell::OnCancel;
use crate::confined::fault::Fault;
use crate::confined::process::Arrived;
use crate::confined::reading::{CallReading, Returning, Said, Violation};
use crate::sealed;
use bytes::Bytes;
use hotcell_model::array::ArrayType;
use hotcell_model::frame::{CallRequest, Raised, ToGuarded};
use hotcell_model::gpu::Payload;
use hotcell_model::guard::{JitEnd, JitEvent, JitSystem};
use hotcell_model::job::{Observer, Source};
use hotcell_model::limit::{Amount, Breach, Limit, Limits};
use hotcell_model::report::{DiskUsage, LogLine, ProcessUsage};
use hotcell_model::stop::StopSignal;
use hotcell_model::time::nanoseconds;
use hotcell_sandbox::lockdown::Refusal;
use hotcell_sandbox::memory::{OutputMemory, SealError};
use hotcell_sandbox::process::Signal;
use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often a call that takes long is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// The first look: what is over by then is not looked at.
const FIRST_LOOK: Duration = Duration::from_millis(2);
/// The most compilations of one call that are told of one by one, each with a record of its own.
const MOST_JIT: usize = 256;
/// The most compilations that are under way at once.
const MOST_OPEN: usize = 256;

/// A call.
pub(crate) struct Order<'a> {
    /// The pickle: the function, and so many bytes of it, then its arguments.
    pub(crate) pickle: &'a [&'a [u8]],
    pub(crate) function_bytes: u64,
    /// What the pickle is about besides.
    pub(crate) buffers: &'a [Source],
    pub(crate) limits: &'a Limits,
    pub(crate) stop_grace: Duration,
    pub(crate) stop: &'a StopSignal,
    pub(crate) observer: &'a dyn Observer,
}

/// How a call ended, with what was measured from outside.
pub(crate) struct Called {
    pub(crate) end: Result<Value, Stopped>,
    pub(crate) wall: Duration,
    pub(crate) cpu: Option<Duration>,
    pub(crate) usage: ProcessUsage,
    pub(crate) limits: Limits,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
    pub(crate) lines: Vec<LogLine>,
    pub(crate) log_bytes: u64,
    pub(crate) lines_dropped: u64,
    /// What it was refused: a claim.
    pub(crate) refused: Vec<Refusal>,
    pub(crate) jit: Vec<JitSeen>,
    /// Compilations that are not told of one by one.
    pub(crate) more_jit: u64,
    /// Whether the process can be called again.
    pub(crate) is_well: bool,
}

/// What a call returned.
#[derive(Clone, Debug)]
pub(crate) struct Value {
    /// As JSON, with positions in place of arrays.
    pub(crate) text: String,
    /// What the arrays lie in, the text before them.
    pub(crate) memory: Source,
    pub(crate) arrays: Vec<(ArrayType, usize)>,
}

/// Why a call has returned nothing.
pub(crate) enum Stopped {
    /// It raised by itself.
    Raised(Raised),
    /// A limit was reached, and what it raised then.
    Limit(Breach, Option<Raised>),
    /// It was cancelled.
    Cancelled,
    /// The process failed.
    Fault(Fault),
}

impl From<Fault> for Stopped {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// A compilation: its own word, but for the CPU time.
#[derive(Clone, Debug)]
pub(crate) struct JitSeen {
    pub(crate) system: JitSystem,
    pub(crate) function: String,
    /// `None` for one that did not come to its end.
    pub(crate) end: Option<JitEnd>,
    /// How long it took, as seen from here.
    pub(crate) wall: Duration,
    pub(crate) cpu: Duration,
}

/// A compilation that is under way.
struct Open {
    system: JitSystem,
    function: String,
    since: Instant,
    cpu: Duration,
}

/// Why the process was asked to stop.
#[derive(Clone, Copy)]
enum Asked {
    Limit(Breach),
    Cancel,
}

impl GuardedWorker {
    /// Calls a function, and stays with the call to its end.
    pub(crate) fn call(&mut self, order: &Order<'_>) -> Called {
        self.calls += 1;
        let waker = Arc::clone(&self.wake);
        let waking = OnCancel::call(order.stop, move || waker.wake());
        let started = Instant::now();
        let mut watch = Watch {
            order,
            id: self.calls,
            started,
            reading: CallReading::new(self.calls),
            cpu_at_start: self.process.worker().cpu_time().unwrap_or_default(),
            asked: None,
            kill_at: None,
            next_look: started + FIRST_LOOK,
            log: Log::within(order.limits),
            has_pipe: self.pipe.is_some(),
            usage: ProcessUsage::default(),
            memory: None,
            bytes_in: 0,
            bytes_out: 0,
            open: HashMap::new(),
            compiling: Duration::ZERO,
            seen: Vec::new(),
            more: 0,
            private_bytes: 0,
        };
        let end = watch.run(self);
        let wall = started.elapsed();
        drop(waking);
        self.wake.clear();
        self.conclude(watch, end, wall)
    }

    fn conclude(
        &mut self,
        mut watch: Watch<'_>,
        mut end: Result<Value, Stopped>,
        wall: Duration,
    ) -> Called {
        if let Some(pipe) = self.pipe.as_ref() {
            watch.log.drain(pipe);
            watch.log.close();
            watch.tell_log();
        }
        // To look at a short one would cost as much as it does; what it left is seen with the next.
        if wall >= FIRST_LOOK {
            watch.look(self);
        }
        if watch.private_bytes > 0 {
            self.rest_bytes = watch.private_bytes;
        }
        let after = self.process.worker().cpu_time();
        let after = after.or_else(|| self.process.exit().map(|exit| exit.cpu));
        let cpu = self.rested_at.zip(after);
        self.rested_at = after;
        // What a short one moved is counted with the next that takes longer: to look costs as much as a short call does.
        if wall >= LOOK_EVERY {
            let disk = self.process.worker().disk_bytes();
            let moved = self.disk_at.zip(disk);
            watch.usage.disk = moved.map(|(before, after)| DiskUsage {
                read_bytes: after.0.saturating_sub(before.0),
                written_bytes: after.1.saturating_sub(before.1),
            });
            self.disk_at = disk;
        }
        let now = Instant::now();
        let at = after.unwrap_or_default();
        let unfinished = std::mem::take(&mut watch.open);
        if let Some(first) = unfinished.values().map(|open| open.cpu).min() {
            watch.compiling += at.saturating_sub(first);
        }
        for open in unfinished.into_values() {
            watch.keep(JitSeen {
                wall: now.saturating_duration_since(open.since),
                cpu: at.saturating_sub(open.cpu),
                system: open.system,
                function: open.function,
                end: None,
            });
        }
        watch.usage.compile_cpu_ns = nanoseconds(watch.compiling);
        let (count, refused) = self
            .refusals
            .since(self.refused)
            .unwrap_or((self.refused, Vec::new()));
        watch.usage.refused_calls = count.wrapping_sub(self.refused).into();
        self.refused = count;
        // One that died of being asked to stop has stopped, if not well.
        if watch.asked.is_some() && matches!(end, Err(Stopped::Fault(Fault::Died(..)))) {
            end = Err(watch.stopped(None));
        }
        // Of one that died where it had next to no room for memory, that is why.
        if let Err(Stopped::Fault(Fault::Died(_, exit))) = &end
            && let Some(breach) = watch.starved(*exit)
        {
            end = Err(Stopped::Limit(breach, None));
        }
        let is_well = match &end {
            Ok(_) | Err(Stopped::Raised(_)) => true,
            Err(Stopped::Limit(..) | Stopped::Cancelled) => watch.has_answered(),
            Err(Stopped::Fault(_)) => false,
        };
        Called {
            end,
            wall,
            cpu: cpu.map(|(before, after)| after.saturating_sub(before)),
            usage: watch.usage,
            limits: watch.order.limits.clone(),
            bytes_in: watch.bytes_in,
            bytes_out: watch.bytes_out,
            log_bytes: watch.log.bytes,
            lines_dropped: watch.log.dropped,
            lines: watch.log.lines,
            refused,
            jit: watch.seen,
            more_jit: watch.more,
            is_well,
        }
    }
}

struct Watch<'a> {
    order: &'a Order<'a>,
    id: u64,
    started: Instant,
    reading: CallReading,
    cpu_at_start: Duration,
    asked: Option<Asked>,
    /// When it is killed, once it was asked to stop; `None` again once it has answered.
    kill_at: Option<Instant>,
    next_look: Instant,
    log: Log,
    has_pipe: bool,
    usage: ProcessUsage,
    /// Where results go.
    memory: Option<OutputMemory>,
    bytes_in: u64,
    bytes_out: u64,
    open: HashMap<u64, Open>,
    /// CPU time while at least one compilation was under way.
    compiling: Duration,
    seen: Vec<JitSeen>,
    more: u64,
    /// What it had at the last look; zero before.
    private_bytes: u64,
}

impl Watch<'_> {
    fn run(&mut self, worker: &mut GuardedWorker) -> Result<Value, Stopped> {
        self.send(worker)?;
        let deadline = self.started + self.order.limits.duration(Limit::Timeout);
        loop {
            let now = Instant::now();
            let until = match self.kill_at {
                Some(kill_at) => kill_at.min(self.next_look),
                None => deadline.min(self.next_look),
            };
            let pipe = worker.pipe.as_ref().filter(|_| self.has_pipe);
            let pipe = pipe.map(AsFd::as_fd);
            match worker
                .process
                .receive_beside(until.max(now), &worker.wake, pipe)?
            {
                Some(Arrived::Frame) => {
                    if let Some(end) = self.hear(worker)? {
                        return end;
                    }
                }
                None => {
                    if let Some(pipe) = worker.pipe.as_ref() {
                        self.has_pipe &= !self.log.drain(pipe);
                        self.tell_log();
                    }
                }
                Some(Arrived::Woken) => {
                    worker.wake.clear();
                    if self.asked.is_none() && self.order.stop.cancelled_at().is_some() {
                        self.ask(worker, Asked::Cancel);
                    }
                }
                Some(Arrived::TimedOut) => {}
            }
            let now = Instant::now();
            if now >= self.next_look {
                self.look(worker);
                self.next_look = now + LOOK_EVERY;
                if let Some(breach) = self.overspent(worker) {
                    self.ask(worker, Asked::Limit(breach));
                }
            }
            if now >= deadline && self.asked.is_none() {
                self.ask(worker, Asked::Limit(self.late()));
            }
            if self.kill_at.is_some_and(|kill_at| now >= kill_at) {
                worker.process.worker().kill();
                return Err(self.stopped(None));
            }
        }
    }

    fn late(&self) -> Breach {
        Breach {
            limit: Limit::Timeout,
            amount: Amount::Used(nanoseconds(self.started.elapsed())),
            maximum: self.order.limits.get(Limit::Timeout),
        }
    }

    /// Whether the process has said how the call ended, and so lives.
    fn has_answered(&self) -> bool {
        self.asked.is_none() || self.kill_at.is_none()
    }

    fn send(&mut self, worker: &mut GuardedWorker) -> Result<(), Stopped> {
        let limits = self.order.limits;
        let had = worker
            .base
            .private_bytes
            .saturating_add(worker.kept_bytes());
        let room = had.saturating_add(limits.get(Limit::ProcessMemory));
        let bounded = worker.process.worker().limit_data_for_now(room);
        bounded.map_err(Fault::Here)?;
        let parcel = Parcel::pack(self.order).map_err(Fault::Here)?;
        self.bytes_in = parcel.bytes;
        let maximum = limits.get(Limit::BytesIn);
        if parcel.bytes > maximum {
            let amount = Amount::Requested(parcel.bytes);
            let limit = Limit::BytesIn;
            return Err(Stopped::Limit(
                Breach {
                    limit,
                    amount,
                    maximum,
                },
                None,
            ));
        }
        // Shared memory is charged to who touches it first.
        let with_results = limits.get(Limit::BytesOut).saturating_add(room);
        worker.process.limit_cgroup(with_results)?;
        let request = ToGuarded::Call(CallRequest {
            id: self.id,
            parcel: parcel.inline.map(|bytes| Payload(bytes.into())),
            parcel_bytes: parcel.parcel_bytes,
            function_bytes: self.order.function_bytes,
            pickle_bytes: parcel.pickle_bytes,
            buffers: parcel.places,
        });
        let beside: Vec<BorrowedFd<'_>> = parcel.memories.iter().map(AsFd::as_fd).collect();
        Ok(worker.process.send(&request, &beside)?)
    }

    /// Reads a frame; the end, if it is one.
    fn hear(
        &mut self,
        worker: &mut GuardedWorker,
    ) -> Result<Option<Result<Value, Stopped>>, Stopped> {
        let (frame, descriptors) = worker.process.frame();
        let said = self.reading.read(frame, descriptors);
        match said.map_err(|violation| Fault::Hostile(KIND, violation))? {
            Said::Needs(bytes) => {
                let maximum = self.order.limits.get(Limit::BytesOut);
                if bytes > maximum {
                    let (limit, amount) = (Limit::BytesOut, Amount::Requested(bytes));
                    self.asked.get_or_insert(Asked::Limit(Breach {
                        limit,
                        amount,
                        maximum,
                    }));
                    self.kill_at
                        .get_or_insert(Instant::now() + self.order.stop_grace);
                    worker
                        .process
                        .send(&ToGuarded::NoMemory { id: self.id }, &[])?;
                    return Ok(None);
                }
                let memory = OutputMemory::create(bytes).map_err(Fault::Here)?;
                let word = ToGuarded::Memory { id: self.id };
                worker.process.send(&word, &[memory.as_fd()])?;
                self.memory = Some(memory);
                Ok(None)
            }
            Said::Jit(event) => {
                self.compiler(worker, event);
                Ok(None)
            }
            Said::Returned(returning) => {
                self.kill_at = None;
                if self.asked.is_some() {
                    return Ok(Some(Err(self.stopped(None))));
                }
                Ok(Some(self.take(returning)))
            }
            Said::Raised(raised) => {
                self.kill_at = None;
                Ok(Some(Err(match self.asked {
                    Some(_) => self.stopped(Some(raised)),
                    None => Stopped::Raised(raised),
                })))
            }
        }
    }

    fn stopped(&self, raised: Option<Raised>) -> Stopped {
        match self.asked {
            Some(Asked::Limit(mut breach)) => {
                if breach.limit == Limit::Timeout {
                    breach = self.late();
                }
                Stopped::Limit(breach, raised)
            }
            Some(Asked::Cancel) | None => Stopped::Cancelled,
        }
    }

    /// Takes what was returned: text that is text, memory that nobody writes to any more.
    fn take(&mut self, returning: Returning) -> Result<Value, Stopped> {
        let hostile = |violation| Stopped::Fault(Fault::Hostile(KIND, violation));
        let memory = match returning.inline {
            Some(inline) => Source::Memory(Bytes::from(inline)),
            None => {
                let memory = self
                    .memory
                    .take()
                    .ok_or_else(|| hostile(Violation::Outputs))?;
                let sealed = memory.seal().map_err(|error| match error {
                    SealError::StillMapped => hostile(Violation::Memory(
                        "results are still mapped for writing after the end".to_owned(),
                    )),
                    SealError::Forestalled => hostile(Violation::Memory(
                        "results were sealed against the supervisor's seal".to_owned(),
                    )),
                    SealError::Io(error) => Fault::Here(error).into(),
                })?;
                sealed::source(sealed).map_err(Fault::Here)?
            }
        };
        let (Source::Memory(bytes) | Source::Sealed { bytes, .. }) = &memory else {
            return Err(hostile(Violation::Outputs));
        };
        let text = bytes
            .get(..returning.value_bytes)
            .and_then(|text| std::str::from_utf8(text).ok());
        let text = text.ok_or_else(|| hostile(Violation::Outputs))?.to_owned();
        self.bytes_out = bytes.len() as u64;
        let maximum = self.order.limits.get(Limit::BytesOut);
        if self.bytes_out > maximum {
            let (limit, amount) = (Limit::BytesOut, Amount::Requested(self.bytes_out));
            return Err(Stopped::Limit(
                Breach {
                    limit,
                    amount,
                    maximum,
                },
                None,
            ));
        }
        Ok(Value {
            text,
            memory,
            arrays: returning.arrays,
        })
    }

    /// Asks the process to stop. It has the grace to say how the call ended.
    fn ask(&mut self, worker: &GuardedWorker, why: Asked) {
        if self.asked.is_some() {
            return;
        }
        self.asked = Some(why);
        self.kill_at = Some(Instant::now() + self.order.stop_grace);
        // One that is dead already says so by its channel.
        let _ = worker.process.worker().signal(Signal::INT);
    }

    /// Looks at the process from outside.
    fn look(&mut self, worker: &GuardedWorker) {
        if let Some(status) = worker.process.worker().status() {
            self.private_bytes = status.private_bytes;
            let had = worker
                .base
                .private_bytes
                .saturating_add(worker.kept_bytes());
            let grown = status.private_bytes.saturating_sub(had);
            let usage = &mut self.usage;
            usage.peak_memory_bytes = usage.peak_memory_bytes.max(grown);
            usage.peak_resident_bytes = usage.peak_resident_bytes.max(status.resident_bytes);
            usage.peak_threads = usage.peak_threads.max(status.threads);
        }
    }

    /// The limit on CPU time or threads that it is over, if it is.
    fn overspent(&self, worker: &GuardedWorker) -> Option<Breach> {
        let now = worker.process.worker().cpu_time().unwrap_or_default();
        let cpu = nanoseconds(now.saturating_sub(self.cpu_at_start));
        let over = [
            (Limit::CpuTime, cpu),
            (Limit::Threads, self.usage.peak_threads),
        ];
        let over = over.into_iter().find_map(|(limit, used)| {
            let maximum = self.order.limits.get(limit);
            (used > maximum).then_some(Breach {
                limit,
                amount: Amount::Used(used),
                maximum,
            })
        });
        over.filter(|_| self.asked.is_none())
    }

    /// That it had next to no memory left, if a process that ended so had.
    fn starved(&self, exit: hotcell_sandbox::process::ExitKind) -> Option<Breach> {
        use hotcell_sandbox::process::ExitKind;
        const FAULTS: [i32; 4] = [
            Signal::ABORT.as_raw(),
            Signal::SEGV.as_raw(),
            Signal::BUS.as_raw(),
            Signal::TRAP.as_raw(),
        ];
        let maximum = self.order.limits.get(Limit::ProcessMemory);
        let used = self.usage.peak_memory_bytes;
        let is_fault = matches!(exit, ExitKind::Signal(signal) if FAULTS.contains(&signal));
        let said = self.log.lines.iter().rev().take(64).any(|line| {
            const WORDS: [&str; 7] = [
                "memory allocation",
                "bad_alloc",
                "out of memory",
                "cannot allocate",
                "can't allocate",
                "failed to allocate",
                "allocation failed",
            ];
            let line = line.message.to_lowercase();
            WORDS.iter().any(|words| line.contains(words))
        });
        (is_fault && (said || used >= maximum - maximum / 8)).then_some(Breach {
            limit: Limit::ProcessMemory,
            amount: Amount::Used(used),
            maximum,
        })
    }

    fn tell_log(&mut self) {
        for line in self.log.fresh() {
            self.order.observer.log(line);
        }
    }

    fn compiler(&mut self, worker: &GuardedWorker, event: JitEvent) {
        let now = Instant::now();
        let cpu = worker.process.worker().cpu_time().unwrap_or_default();
        match event {
            JitEvent::Begin {
                id,
                system,
                function,
            } => {
                if self.open.len() < MOST_OPEN {
                    self.open.entry(id).or_insert(Open {
                        system,
                        function,
                        since: now,
                        cpu,
                    });
                }
            }
            JitEvent::End(end) => {
                let open = self.open.remove(&end.id);
                let (since, at) = open.map_or((now, cpu), |open| (open.since, open.cpu));
                // Where several are under way at once, the time counts once.
                if self.open.values().all(|other| other.cpu >= at) {
                    let first = self.open.values().map(|other| other.cpu).min();
                    self.compiling += first.unwrap_or(cpu).saturating_sub(at);
                }
                self.keep(JitSeen {
                    system: end.system,
                    function: end.function.clone(),
                    wall: now.saturating_duration_since(since),
                    cpu: cpu.saturating_sub(at),
                    end: Some(end),
                });
            }
        }
    }

    fn keep(&mut self, seen: JitSeen) {
        match self.seen.len() < MOST_JIT {
            true => self.seen.push(seen),
            false => self.more += 1,
        }
    }
}
