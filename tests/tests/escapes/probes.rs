//! What real workers of each kind can do once they are locked: what their filter's table says, and nothing else.
//!
//! That every single rule holds is shown in `host/sandbox/tests`, on the same filters.

use hotcell_model::layer::WorkerKind;
use hotcell_model::probe::{Attempt, Attempted, Probe};
use hotcell_sandbox::filter::{Action, DriverKind, Filter};
use hotcell_sandbox::process::ExitKind;
use hotcell_tests::{Locked, Tried};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

/// GPU workers, whose walls depend on the driver, are tried in `host/gpu/tests` and here by [`Probe`] alone.
const KINDS: [WorkerKind; 2] = [WorkerKind::Compiler, WorkerKind::Runner];
/// The last call to try: beyond every one that there is.
const LAST_CALL: u32 = 600;
/// What tells calls of the x32 interface from others.
const X32: u32 = 0x4000_0000;
const SIGSYS: ExitKind = ExitKind::Signal(31);
/// "No such call".
const ENOSYS: i32 = 38;

const CLOSE: u32 = 3;
const RT_SIGRETURN: u32 = 15;
const EXIT_GROUP: u32 = 231;

/// `uretprobe` and `uprobe`: newer kernels ask no filter, and make nothing of them but in a probe that was set
/// from outside.
const BEYOND_FILTERS: [u32; 2] = [335, 336];

/// Calls that no worker can be asked to try, and why.
const UNTRIED: [(u32, [u64; 6], &str); 3] = [
    (
        CLOSE,
        [0; 6],
        "it is allowed, and closes the channel that the answer would come on",
    ),
    (
        RT_SIGRETURN,
        [0; 6],
        "it is allowed to a runner, and returns to wherever the stack says",
    ),
    (RT_SIGRETURN, [u64::MAX; 6], "the same"),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Allowed,
    Refused,
    Killed,
}

/// The filters that a locked worker is under; the strictest counts.
fn filters(kind: WorkerKind) -> Vec<Filter> {
    match kind {
        WorkerKind::Compiler => vec![Filter::compiler()],
        WorkerKind::Runner => vec![Filter::runner_load(), Filter::runner()],
        WorkerKind::Gpu => vec![Filter::gpu(DriverKind::Hardware)],
        WorkerKind::Guarded => vec![Filter::guarded(&[])],
    }
}

fn verdict(kind: WorkerKind, number: u32, arguments: &[u64; 6]) -> Verdict {
    let one = |filter: &Filter| {
        let mut rules = filter.rules();
        match rules
            .find(|rule| rule.matches(number.into(), arguments))
            .map(|rule| rule.action)
        {
            Some(Action::Allow) => Verdict::Allowed,
            Some(Action::Refuse | Action::Limit) => Verdict::Refused,
            None => Verdict::Killed,
        }
    };
    filters(kind)
        .iter()
        .map(one)
        .max()
        .expect("there is a filter")
}

/// Whether what happened is what the table says.
fn agrees(tried: Tried, verdict: Verdict) -> bool {
    match verdict {
        Verdict::Killed => tried == Tried::Ended(SIGSYS),
        Verdict::Refused => tried == Tried::Lived(Attempted::Refused(ENOSYS)),
        Verdict::Allowed => match tried {
            Tried::Lived(_) => true,
            Tried::Ended(ExitKind::Code(_)) => true,
            Tried::Ended(ExitKind::Signal(_)) => false,
        },
    }
}

/// Has workers of a kind try calls, on as many as there are threads, each until it dies; gives those whose end
/// is not the table's, and how many workers died.
fn try_calls(kind: WorkerKind, calls: &[(u32, [u64; 6])]) -> (Vec<String>, u32) {
    let (next, deaths) = (Mutex::new(calls.iter()), AtomicU32::new(0));
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut worker = None;
                while let Some(&(number, arguments)) = { next.lock().unwrap().next() } {
                    let locked = worker.get_or_insert_with(|| Locked::start(kind));
                    let tried = locked.attempt(Attempt::Call { number, arguments });
                    if let Tried::Ended(_) = tried {
                        deaths.fetch_add(1, Ordering::Relaxed);
                        worker = None;
                    }
                    let expected = verdict(kind, number, &arguments);
                    if !agrees(tried, expected) {
                        let line = format!(
                            "{kind:?}: call {number} {arguments:x?}: {tried:?}, not {expected:?}"
                        );
                        wrong.lock().unwrap().push(line);
                    }
                }
            });
        }
    });
    (wrong.into_inner().unwrap(), deaths.into_inner())
}

#[test]
fn a_locked_worker_can_do_nothing_that_a_compromised_one_would_want() {
    for kind in KINDS.into_iter().chain([WorkerKind::Gpu]) {
        let mut worker = Locked::start(kind);
        for &probe in Probe::ALL {
            match worker.attempt(Attempt::Probe(probe)) {
                Tried::Lived(Attempted::Refused(number)) => {
                    assert!(number > 0, "{kind:?}: {probe}")
                }
                Tried::Ended(SIGSYS) => worker = Locked::start(kind),
                other => panic!("{kind:?} could {probe}: {other:?}"),
            }
        }
    }
}

#[test]
fn every_system_call_by_number_is_what_the_filters_table_says() {
    for kind in KINDS {
        let mut calls = Vec::new();
        for number in 0..=LAST_CALL {
            calls.extend([
                (number, [0; 6]),
                (number, [u64::MAX; 6]),
                (number | X32, [0; 6]),
            ]);
        }
        calls.retain(|(number, arguments)| {
            let is_it =
                |(untried, with, _): &(u32, [u64; 6], &str)| (untried, with) == (number, arguments);
            !BEYOND_FILTERS.contains(number) && !UNTRIED.iter().any(is_it)
        });
        let (wrong, deaths) = try_calls(kind, &calls);
        assert!(wrong.is_empty(), "{wrong:#?}");
        let is_deadly = |(number, arguments): &&(u32, [u64; 6])| {
            *number == EXIT_GROUP || verdict(kind, *number, arguments) == Verdict::Killed
        };
        assert_eq!(
            deaths as usize,
            calls.iter().filter(is_deadly).count(),
            "{kind:?}"
        );
    }
}

#[test]
fn calls_that_the_operating_system_does_not_filter_do_nothing() {
    for (kind, number) in KINDS
        .into_iter()
        .flat_map(|kind| BEYOND_FILTERS.map(|call| (kind, call)))
    {
        let tried = Locked::start(kind).attempt(Attempt::Call {
            number,
            arguments: [0; 6],
        });
        let is_harmless = !matches!(tried, Tried::Lived(Attempted::Succeeded(_)));
        assert!(is_harmless, "{kind:?}: {number}: {tried:?}");
    }
}

#[test]
fn a_refused_call_on_any_thread_of_a_locked_runner_ends_all_of_it() {
    let mut worker = Locked::start(WorkerKind::Runner);
    let tasks = std::fs::read_dir(format!("/proc/{}/task", worker.pid()))
        .unwrap()
        .count();
    assert!(
        tasks >= 3,
        "threads that run guests, one that listens: {tasks}"
    );
    // `getpid`: harmless, and in no table.
    let harmless = Attempt::Call {
        number: 39,
        arguments: [0; 6],
    };
    assert_eq!(worker.attempt(harmless), Tried::Ended(SIGSYS));
}
