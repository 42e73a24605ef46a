//! Every rule of every filter, every system-call number, every probe.

use crate::worker::{KINDS, Phase, SOFTWARE, ask, start, start_with};
use hotcell_model::frame;
use hotcell_model::layer::WorkerKind;
use hotcell_model::probe::{Attempt, Attempted, Probe};
use hotcell_sandbox::channel::Received;
use hotcell_sandbox::filter::{
    Action, ArgumentTest, Condition, DriverKind, Filter, FilterRule, TRAP_EXIT_CODE, trapped_call,
};
use hotcell_sandbox::process::{Exit, ExitKind, Signal, Worker};
use std::collections::BTreeSet;

/// No descriptor, process or aligned address: what is let through then fails by itself.
const NOTHING: u64 = 1_000_000;
/// `uretprobe` and `uprobe`: Linux 6.14 and later ask no filter, and fail outside of a probe that was set from
/// outside.
const BEYOND_FILTERS: [i64; 2] = [335, 336];
/// Where numbers of the x32 interface begin.
const X32: u32 = 0x4000_0000;

/// Where a filter is in force: a worker, at a phase, started with further words.
type Place = (WorkerKind, Phase, &'static [&'static str]);

/// A filter, and where it is in force.
fn filters() -> [(Filter, Place); 5] {
    let (compiler, runner, gpu) = (WorkerKind::Compiler, WorkerKind::Runner, WorkerKind::Gpu);
    let gpu_of = Filter::gpu;
    [
        (Filter::compiler(), (compiler, Phase::Locked, &[])),
        (Filter::runner_load(), (runner, Phase::Walled, &[])),
        (Filter::runner(), (runner, Phase::Locked, &[])),
        (gpu_of(DriverKind::Hardware), (gpu, Phase::Locked, &[])),
        (
            gpu_of(DriverKind::Software),
            (gpu, Phase::Locked, &[SOFTWARE]),
        ),
    ]
}

pub(crate) fn every_probe_is_refused_or_kills() {
    for kind in KINDS {
        for probe in Probe::ALL {
            match ask(start(kind, Phase::Locked).0, Attempt::Probe(*probe)) {
                Ok((Attempted::Refused(_), _)) => {}
                Ok((Attempted::Succeeded(_), _)) => panic!("a {kind:?} could {probe}"),
                Err(exit) => assert!(
                    exit.status.is_refused_call(),
                    "{kind:?}, {probe}: {}",
                    exit.status
                ),
            }
        }
    }
}

pub(crate) fn every_rule_holds() {
    for (filter, place) in filters() {
        for rule in filter.rules() {
            let outcome = call_at(place, rule.number, satisfying(rule));
            assert_eq!(
                outcome.action(),
                Some(rule.action),
                "{place:?} {}: {outcome:?}",
                rule.name()
            );
            for arguments in violating(&filter, rule) {
                let outcome = call_at(place, rule.number, arguments);
                assert_eq!(
                    outcome.action(),
                    None,
                    "{place:?} {} {arguments:x?}",
                    rule.name()
                );
            }
        }
    }
}

pub(crate) fn a_software_driver_makes_code_and_nothing_else_is_let_through() {
    let makes_code = [Probe::MakeExecutable, Probe::MakeCodeWritable];
    for probe in Probe::ALL {
        let (worker, _) = start_with(WorkerKind::Gpu, Phase::Locked, &[SOFTWARE]);
        match ask(worker, Attempt::Probe(*probe)) {
            Ok((Attempted::Succeeded(_), _)) => assert!(makes_code.contains(probe), "{probe}"),
            Ok((Attempted::Refused(_), _)) => {}
            Err(exit) => assert!(exit.status.is_refused_call(), "{probe}: {}", exit.status),
        }
    }
}

pub(crate) fn only_the_listed_calls_survive() {
    for (filter, place) in filters() {
        let listed: BTreeSet<_> = filter.rules().map(|rule| rule.number).collect();
        let mut survived = BTreeSet::new();
        let mut spare = None;
        for number in 0..=600 {
            let rule = filter.rules().find(|rule| rule.number == number);
            let arguments = rule.map_or([NOTHING, 0, 0, 0, 0, 0], satisfying);
            for (number, is_native) in [(number, true), (number | i64::from(X32), false)] {
                let worker = spare.take().unwrap_or_else(|| start_at(place));
                let (outcome, alive) = call_in(worker, number, arguments);
                // One that something worked in may not be whole: a thread without a stack.
                spare =
                    alive.filter(|_| matches!(outcome, Outcome::Answered(Attempted::Refused(_))));
                if BEYOND_FILTERS.contains(&number) {
                    assert!(
                        !matches!(outcome, Outcome::Answered(Attempted::Succeeded(_))),
                        "{number}"
                    );
                } else if outcome.action().is_some() {
                    assert!(is_native, "{place:?}: x32 {number:#x} survives");
                    survived.insert(number);
                }
            }
        }
        assert_eq!(survived, listed, "{place:?}");
    }
}

pub(crate) fn a_fault_ends_a_compiler_as_a_fault() {
    // And not as a refused call, which a handler that restores the default would be.
    for signal in [Signal::SEGV, Signal::BUS] {
        let (worker, _) = start(WorkerKind::Compiler, Phase::Locked);
        worker.signal(signal).unwrap();
        let expected = ExitKind::Signal(signal.as_raw());
        assert_eq!(worker.wait().unwrap().status, expected);
    }
}

pub(crate) fn threads_and_handlers() {
    // The filter is on the threads from before the lock, too.
    let worker = crate::worker::command(&["hotcell-runner", "locked", "in-thread"])
        .spawn()
        .unwrap();
    let _: Vec<hotcell_model::layer::LayerReport> = crate::worker::answer(&worker).unwrap();
    let (outcome, _) = call_in(worker, libc::SYS_getppid, [0; 6]);
    assert_eq!(outcome.action(), None);
    let handler = [10, 0, 0, 8, 0, 0];
    for (phase, expected) in [(Phase::Walled, Some(Action::Allow)), (Phase::Locked, None)] {
        let outcome = call(WorkerKind::Runner, phase, libc::SYS_rt_sigaction, handler);
        assert_eq!(outcome.action(), expected, "{phase:?}");
    }
}

pub(crate) fn code_is_mapped_before_the_lock_only() {
    let executable = (libc::PROT_READ | libc::PROT_EXEC) as u64;
    let in_place = (libc::MAP_PRIVATE | libc::MAP_FIXED) as u64;
    let from_file = [0x1000_0000, 4096, executable, in_place, NOTHING, 0];
    let anonymous = [
        0,
        4096,
        executable,
        (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as u64,
        u64::MAX,
        0,
    ];
    let runner =
        |phase, arguments| call(WorkerKind::Runner, phase, libc::SYS_mmap, arguments).action();
    assert_eq!(runner(Phase::Walled, from_file), Some(Action::Allow));
    assert_eq!(runner(Phase::Walled, anonymous), None);
    assert_eq!(runner(Phase::Locked, from_file), None);
    assert_eq!(runner(Phase::Locked, anonymous), None);
}

pub(crate) fn refused_calls_are_named() {
    let expected = ExitKind::Code(TRAP_EXIT_CODE);
    for (number, kind, phase) in [
        (libc::SYS_read, WorkerKind::Compiler, Phase::Locked),
        (libc::SYS_getpid, WorkerKind::Runner, Phase::Walled),
        (
            libc::SYS_landlock_create_ruleset,
            WorkerKind::Runner,
            Phase::Locked,
        ),
    ] {
        let (worker, _) = start(kind, phase);
        let number = u32::try_from(number).unwrap();
        let attempt = Attempt::Call {
            number,
            arguments: [0; 6],
        };
        let mut buffer = Vec::new();
        frame::encode(&attempt, &mut buffer).unwrap();
        worker.channel.send(&buffer, &[]).unwrap();
        let received = worker
            .channel
            .receive(&mut buffer, &mut Vec::new())
            .unwrap();
        assert_eq!(
            (received, trapped_call(&buffer)),
            (Received::Frame, Some(number))
        );
        assert_eq!(worker.wait().unwrap().status, expected);
    }
}

/// What came of a call.
#[derive(Debug)]
enum Outcome {
    Answered(Attempted),
    Ended(Exit),
}

impl Outcome {
    /// What the filter did with it; `None` if it killed.
    fn action(&self) -> Option<Action> {
        match self {
            Self::Answered(Attempted::Refused(libc::ENOSYS)) => Some(Action::Refuse),
            Self::Answered(_) => Some(Action::Allow),
            // Ended by the call itself: the end, a thread without a stack.
            Self::Ended(exit) => (!exit.status.is_refused_call()).then_some(Action::Allow),
        }
    }
}

fn call(kind: WorkerKind, phase: Phase, number: i64, arguments: [u64; 6]) -> Outcome {
    call_at((kind, phase, &[]), number, arguments)
}

fn call_at(place: Place, number: i64, arguments: [u64; 6]) -> Outcome {
    call_in(start_at(place), number, arguments).0
}

fn start_at((kind, phase, words): Place) -> Worker {
    start_with(kind, phase, words).0
}

fn call_in(worker: Worker, number: i64, arguments: [u64; 6]) -> (Outcome, Option<Worker>) {
    let (number, arguments) = match number {
        // Returns to where no handler was called from end anywhere: one is called, and then something harmless.
        libc::SYS_rt_sigreturn => {
            worker.signal(Signal::USR1).unwrap();
            (libc::SYS_close, [NOTHING, 0, 0, 0, 0, 0])
        }
        number => (number, arguments),
    };
    let number = u32::try_from(number).unwrap();
    match ask(worker, Attempt::Call { number, arguments }) {
        Ok((attempted, worker)) => (Outcome::Answered(attempted), Some(worker)),
        Err(exit) => (Outcome::Ended(exit), None),
    }
}

/// Arguments that a rule lets through, and that do nothing.
fn satisfying(rule: &FilterRule) -> [u64; 6] {
    let mut arguments = [NOTHING, 0, 0, 0, 0, 0];
    for Condition { argument, test } in rule.conditions {
        arguments[usize::from(*argument)] = match *test {
            ArgumentTest::Is(value)
            | ArgumentTest::AtMost(value)
            | ArgumentTest::Masked(_, value) => value.into(),
            ArgumentTest::AtLeast(value) => NOTHING.max(value.into()),
            ArgumentTest::Null => 0,
            ArgumentTest::OwnProcess => std::process::id().into(),
        };
    }
    arguments
}

/// For each condition of a rule, arguments that break it and are under no other rule.
fn violating(filter: &Filter, rule: &FilterRule) -> Vec<[u64; 6]> {
    let mut violations = Vec::new();
    for Condition { argument, test } in rule.conditions {
        let at = usize::from(*argument);
        let values = match *test {
            ArgumentTest::Is(value) => {
                vec![value ^ 1, value ^ 2, value ^ 0x40, value | 0x8000_0000]
            }
            ArgumentTest::AtMost(value) => vec![value + 1, value | 0x10, u32::MAX],
            ArgumentTest::AtLeast(value) => vec![value - 1, 0],
            // Only guarded processes have rules of these, and their own tests.
            ArgumentTest::Null | ArgumentTest::OwnProcess => vec![1],
            // One bit of the mask more, each.
            ArgumentTest::Masked(mask, value) => (0..32)
                .map(|bit| value | 1 << bit)
                .filter(|more| more & mask != value)
                .collect(),
        };
        let broken = values.into_iter().map(|value| {
            let mut arguments = satisfying(rule);
            arguments[at] = value.into();
            arguments
        });
        let before = violations.len();
        let of_call = |arguments: &[u64; 6]| {
            !filter
                .rules()
                .any(|other| other.matches(rule.number, arguments))
        };
        violations.extend(broken.filter(of_call));
        assert!(
            violations.len() > before,
            "{}: a condition that refuses nothing",
            rule.name()
        );
    }
    violations
}
