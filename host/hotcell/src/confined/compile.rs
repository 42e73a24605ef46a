//! One compile process, one request: describe a component or compile it, watched from outside.
//!
//! The process is bounded before it sees a byte of the component: memory by the operating system, CPU and
//! wall time from here, by its clock and ours. Whatever comes of it, it is killed and reaped in the end, and
//! what it took is on record.

use super::fault::Fault;
use super::process::{Arrived, Process};
use super::reading::{CompileAnswer, CompileTask, Violation, read_compiled};
use crate::bell::OnCancel;
use crate::component::Component;
use crate::isolation::{Order, cancelled};
use hotcell_model::frame::{CompileRequest, Phases, ToCompiler, WireDescription};
use hotcell_model::limit::{Amount, Breach, Limit, Limits};
use hotcell_model::outcome::Outcome;
use hotcell_model::profile::Metering;
use hotcell_model::report::{Alert, Compilation};
use hotcell_model::time::nanoseconds;
use hotcell_sandbox::channel::Wake;
use hotcell_sandbox::memory::{Mapped, OutputMemory};
use hotcell_sandbox::process::{Exit, ExitKind, Signal};
use hotcell_sandbox::worker::EXIT_MEMORY;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The program itself, which its memory includes.
const PROGRAM_BYTES: u64 = 16 << 20;
/// The least that is left for the work: below it not even an answer is to be had.
const LEAST_BYTES: u64 = 8 << 20;
/// Address space besides memory: the program, its stack, what allocators reserve.
const RESERVED_BYTES: u64 = 128 << 20;
/// How often the CPU clock is looked at, at least.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What a compile process wrote: the memory, which nobody can change any more, and how much of it counts.
pub(crate) struct WrittenAnswer {
    memory: Mapped,
    bytes: usize,
}

impl WrittenAnswer {
    pub(crate) fn bytes(&self) -> &[u8] {
        // The length was held against the memory's when it was claimed.
        self.memory.get(..self.bytes).unwrap_or_default()
    }
}

/// What came of the work, and what it took.
pub(crate) struct Compiled {
    pub(crate) result: Result<WrittenAnswer, Outcome>,
    pub(crate) cost: Compilation,
    pub(crate) alert: Option<Alert>,
}

/// A compile process at work.
pub(crate) struct Compiling<'a> {
    process: Process,
    order: Order<'a>,
    asked: CompileTask,
    /// The size of the memory for the answer.
    room: u64,
    started: Instant,
    phases: Phases,
    peak_bytes: Option<u64>,
}

/// Why there is no answer.
enum NoAnswer {
    Fault(Fault),
    Breach(Breach),
    Cancelled,
    /// The component is not accepted.
    Refused(Outcome),
}

impl From<Fault> for NoAnswer {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl<'a> Compiling<'a> {
    pub(crate) fn new(process: Process, asked: CompileTask, order: Order<'a>) -> Self {
        let room = match asked {
            CompileTask::Describe => WireDescription::MAX_BYTES,
            CompileTask::Compile => order.limits.get(Limit::ArtifactBytes),
        };
        Self {
            process,
            order,
            asked,
            room,
            started: Instant::now(),
            phases: Phases::default(),
            peak_bytes: None,
        }
    }

    /// Asks, waits, and ends the process.
    pub(crate) fn run(mut self, component: &Component, metering: Metering) -> Compiled {
        let result = self.exchange(component, metering);
        self.look_at_memory();
        let limits = self.order.limits;
        let (phases, peak_bytes) = (self.phases, self.peak_bytes);
        let exit = self.process.bury();
        let cost = cost(phases, peak_bytes, exit, limits);
        let failed = |outcome| (Err(outcome), None);
        let (result, alert) = match result {
            Ok(written) => (Ok(written), None),
            Err(NoAnswer::Refused(outcome)) => failed(outcome),
            Err(NoAnswer::Cancelled) => failed(cancelled("it was compiled")),
            Err(NoAnswer::Breach(breach)) => failed(Outcome::breached(breach)),
            Err(NoAnswer::Fault(fault)) => match breach_of(&fault, &cost, limits) {
                Some(breach) => failed(Outcome::breached(breach)),
                None => (Err(fault.outcome()), fault.alert()),
            },
        };
        Compiled {
            result,
            cost,
            alert,
        }
    }

    fn exchange(
        &mut self,
        component: &Component,
        metering: Metering,
    ) -> Result<WrittenAnswer, NoAnswer> {
        let input = component.sealed().map_err(Fault::Here)?;
        let output = OutputMemory::create(self.room).map_err(Fault::Here)?;
        self.bound(input.len())?;
        let request = CompileRequest {
            metering,
            limits: self.order.limits.clone(),
            component_bytes: input.len(),
            output_bytes: self.room,
        };
        let request = match self.asked {
            CompileTask::Describe => ToCompiler::Describe(request),
            CompileTask::Compile => ToCompiler::Compile(request),
        };
        let wake = Arc::new(Wake::new().map_err(Fault::Here)?);
        let waker = Arc::clone(&wake);
        let _waking = OnCancel::call(self.order.stop, move || waker.wake());
        self.started = Instant::now();
        self.process
            .send(&request, &[input.as_fd(), output.as_fd()])?;
        self.wait(&wake)?;
        self.answer(output)
    }

    /// Bounds the process before it sees anything hostile.
    fn bound(&mut self, component_bytes: u64) -> Result<(), Fault> {
        let maximum = self.order.limits.get(Limit::CompileMemory);
        let own = maximum
            .saturating_sub(PROGRAM_BYTES)
            .saturating_sub(component_bytes)
            .max(LEAST_BYTES);
        let all = maximum
            .saturating_add(component_bytes)
            .saturating_add(self.room)
            .saturating_add(RESERVED_BYTES);
        let worker = self.process.worker();
        let cpu = self.order.limits.duration(Limit::CompileCpu);
        let bounded = worker
            .limit_memory(own, Some(all))
            .and_then(|()| worker.limit_cpu_seconds(cpu.as_secs() + 2));
        bounded.map_err(|error| Fault::Start(self.process.kind(), error))?;
        self.process.limit_cgroup(all)
    }

    /// Waits for the answer within the limits on CPU and wall time.
    fn wait(&mut self, wake: &Wake) -> Result<(), NoAnswer> {
        let before = self.process.worker().cpu_time().unwrap_or_default();
        let deadline = self.started + self.order.limits.duration(Limit::CompileWall);
        loop {
            let now = Instant::now();
            if now >= deadline {
                let used = now - self.started;
                return Err(NoAnswer::Breach(spent(
                    Limit::CompileWall,
                    used,
                    self.order.limits,
                )));
            }
            let cpu = self.process.worker().cpu_time().unwrap_or(before) - before;
            let cpu_left = self
                .order
                .limits
                .duration(Limit::CompileCpu)
                .checked_sub(cpu);
            let Some(cpu_left) = cpu_left.filter(|left| !left.is_zero()) else {
                return Err(NoAnswer::Breach(spent(
                    Limit::CompileCpu,
                    cpu,
                    self.order.limits,
                )));
            };
            // It has one thread, so that it cannot spend what is left any sooner.
            let look = now + cpu_left.clamp(Duration::from_millis(1), LOOK_EVERY);
            match self.process.receive(look.min(deadline), Some(wake))? {
                Arrived::Frame => return Ok(()),
                Arrived::TimedOut => self.look_at_memory(),
                Arrived::Woken => wake.clear(),
            }
            if self.order.stop.cancelled_at().is_some() {
                return Err(NoAnswer::Cancelled);
            }
        }
    }

    /// Notes the most memory that the process has had: exact, but to be seen only while it lives.
    fn look_at_memory(&mut self) {
        let seen = self.process.worker().peak_resident_bytes();
        self.peak_bytes = self.peak_bytes.max(seen);
    }

    /// Reads the answer, and makes sure that it stays what it is.
    fn answer(&mut self, output: OutputMemory) -> Result<WrittenAnswer, NoAnswer> {
        // It ends itself after its answer.
        self.look_at_memory();
        let kind = self.process.kind();
        let hostile = |violation| NoAnswer::Fault(Fault::Hostile(kind, violation));
        let (frame, descriptors) = self.process.frame();
        let limits = self.order.limits;
        let answer = read_compiled(frame, descriptors, self.asked, self.room, limits);
        match answer.map_err(hostile)? {
            CompileAnswer::Written { bytes, phases } => {
                self.phases = phases;
                let sealed = output.seal();
                let sealed =
                    sealed.map_err(|error| hostile(Violation::Memory(error.to_string())))?;
                Ok(WrittenAnswer {
                    memory: sealed.map().map_err(Fault::Here)?,
                    bytes: usize::try_from(bytes)
                        .map_err(|error| Fault::Here(io::Error::other(error)))?,
                })
            }
            CompileAnswer::Refused(refusal) => Err(NoAnswer::Refused(refusal.outcome())),
            CompileAnswer::Failed(why) => Err(NoAnswer::Fault(Fault::Failed(kind, why))),
        }
    }
}

/// What the work took: phases as the process says, totals as they were measured.
fn cost(
    phases: Phases,
    peak_bytes: Option<u64>,
    exit: Option<Exit>,
    limits: &Limits,
) -> Compilation {
    // Of a process that died unseen two bounds are known: what the operating system counted, which may be the
    // supervisor's own peak, and what it could have.
    let at_most = exit.map_or(0, |exit| exit.peak_resident_bytes);
    let at_most = at_most.min(limits.get(Limit::CompileMemory));
    Compilation {
        describe_ns: phases.describe_ns,
        setup_ns: phases.setup_ns,
        compile_ns: phases.compile_ns,
        cpu_ns: exit.map_or(0, |exit| nanoseconds(exit.cpu)),
        peak_memory_bytes: peak_bytes.unwrap_or(at_most),
        disk_read_bytes: exit.map_or(0, |exit| exit.disk_read_bytes),
        disk_written_bytes: exit.map_or(0, |exit| exit.disk_written_bytes),
        processes: 1,
        ..Compilation::default()
    }
}

/// The limit that a process died of, if its death says so.
fn breach_of(fault: &Fault, cost: &Compilation, limits: &Limits) -> Option<Breach> {
    let (limit, used) = match *fault {
        // What was refused came on top of what it had.
        Fault::Died(_, ExitKind::Code(EXIT_MEMORY)) => {
            (Limit::CompileMemory, cost.peak_memory_bytes)
        }
        Fault::Died(_, ExitKind::Signal(number)) if number == Signal::XCPU.as_raw() => {
            (Limit::CompileCpu, cost.cpu_ns)
        }
        _ => return None,
    };
    let maximum = limits.get(limit);
    let amount = Amount::Used(used.max(maximum));
    Some(Breach {
        limit,
        amount,
        maximum,
    })
}

fn spent(limit: Limit, used: Duration, limits: &Limits) -> Breach {
    Breach {
        limit,
        amount: Amount::Used(nanoseconds(used)),
        maximum: limits.get(limit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hotcell_model::layer::WorkerKind;
    use hotcell_model::outcome::OutcomeKind;

    #[test]
    fn deaths_by_a_limit_are_told_from_others() {
        let limits = Limits::defaults(Default::default());
        let exit = |status| Exit {
            status,
            cpu: Duration::from_secs(21),
            peak_resident_bytes: 5 << 30,
            disk_read_bytes: 0,
            disk_written_bytes: 0,
        };
        let breach = |status| {
            let fault = Fault::Died(WorkerKind::Compiler, status);
            let cost = cost(Phases::default(), None, Some(exit(status)), &limits);
            breach_of(&fault, &cost, &limits)
        };
        let memory = breach(ExitKind::Code(EXIT_MEMORY)).unwrap();
        assert_eq!(memory.limit, Limit::CompileMemory);
        // Not the supervisor's own peak.
        assert_eq!(memory.amount, Amount::Used(memory.maximum));
        let cpu = breach(ExitKind::Signal(Signal::XCPU.as_raw())).unwrap();
        assert_eq!(cpu.amount, Amount::Used(21_000_000_000));
        assert_eq!(Outcome::breached(cpu).kind, OutcomeKind::Limit);
        assert_eq!(breach(ExitKind::Signal(Signal::SEGV.as_raw())), None);
        assert_eq!(breach(ExitKind::Code(0)), None);
    }
}
