//! Real workers, stopped and killed at every phase of their lives: each launch ends within its deadlines, and the
//! cell goes on.

use super::{alerts, request_of};
use hotcell::limit::Limit;
use hotcell::outcome::OutcomeKind::{self, Cancelled, Done, HostFault, Timeout};
use hotcell::report::AlertKind::{WorkerDied, WorkerKilled};
use hotcell::report::LogLine;
use hotcell::{Cell, Component, Ended, Observer, Request};
use hotcell_tests::processes::{children, eventually, signal, status_number, workers_of};
use hotcell_tests::{
    Arena, Guest, alone, assert_breached, assert_ended, cell, honest_request, isolation_of,
};
use rustix::process::{Pid, Resource, Rlimit, Signal, prlimit};
use std::sync::Arc;
use std::time::{Duration, Instant};

const COMPILER: &str = "hotcell-compiler";
const RUNNER: &str = "hotcell-runner";
const MS: u64 = 1_000_000;

/// A cell whose deadlines are short; without spares, each process is there for a launch.
fn arena(spares: bool) -> Arena {
    let cell = cell(isolation_of("confined")).spares(spares).max_runners(1);
    Arena::with(cell.kill_grace(Duration::from_millis(100)).build().unwrap())
}

fn pids(program: &str) -> Vec<u32> {
    workers_of(std::process::id(), program)
}

/// A request that a spinning guest ends by a timeout.
fn short() -> Request {
    honest_request()
        .timeout(Duration::from_millis(300))
        .limit(Limit::CompileWall, 600 * MS)
}

/// A component that no cell has seen.
fn fresh(name: &str, number: u64) -> Component {
    Guest::named(name)
        .record(|record| record.doc = number.to_string())
        .component()
}

/// Runs a launch, and so long after the `nth` worker of that program has appeared, sends it a signal.
fn struck(
    cell: &Cell,
    component: &Component,
    request: Request,
    program: &str,
    nth: usize,
    (delay, what): (Duration, Signal),
) -> Ended {
    let mut seen = pids(program);
    let nth = seen.len() + nth;
    std::thread::scope(|scope| {
        let launch = scope.spawn(|| cell.run(component, request));
        // Or the launch ended without such a worker.
        eventually(Duration::from_secs(60), || {
            let fresh = pids(program).into_iter().filter(|pid| !seen.contains(pid));
            seen.extend(fresh.collect::<Vec<_>>());
            seen.len() > nth || launch.is_finished()
        });
        std::thread::sleep(delay);
        if let Some(pid) = seen.get(nth) {
            signal(*pid, what);
        }
        launch.join().expect("a launch does not panic")
    })
}

/// The moments at which workers are struck: from the first instruction to well into their work.
const DELAYS_US: [u64; 9] = [0, 300, 700, 1500, 3000, 6000, 12_000, 25_000, 60_000];

#[test]
fn a_compiler_killed_at_any_moment_fails_that_launch_at_most() {
    alone!(a_compiler_killed_at_any_moment_fails_that_launch_at_most);
    let (arena, mut died) = (arena(false), 0);
    // The first process describes, the second compiles.
    for (nth, delay) in [0, 1]
        .into_iter()
        .flat_map(|nth| DELAYS_US.map(|delay| (nth, delay)))
    {
        let component = fresh("honest", delay * 2 + nth as u64);
        let strike = (Duration::from_micros(delay), Signal::KILL);
        let ended = struck(&arena.cell, &component, short(), COMPILER, nth, strike);
        match ended.outcome.kind {
            Done => {}
            HostFault => assert_eq!(alerts(&ended), [WorkerDied], "{:?}", ended.outcome),
            _ => panic!("{nth}, {delay} µs: {:?}", ended.outcome),
        }
        died += u32::from(ended.outcome.kind == HostFault);
        let again = arena.cell.run(&component, short());
        assert_ended(&again, Done, None);
    }
    assert!(died >= 6, "only {died} strikes came in time");
    arena.assert_serves();
}

#[test]
fn a_compiler_stopped_at_any_moment_ends_at_the_limit_on_wall_time() {
    alone!(a_compiler_stopped_at_any_moment_ends_at_the_limit_on_wall_time);
    let (arena, mut breached) = (arena(false), 0);
    let moments = [(0, 3000), (1, 3000), (1, 10_000), (1, 30_000)];
    // How far a process is after so long differs: tried further until one was struck while it compiled.
    let further = [6000, 4000, 15_000, 20_000].map(|delay| (1, delay));
    for (round, (nth, delay)) in moments.into_iter().chain(further).enumerate() {
        if round >= moments.len() && breached > 0 {
            break;
        }
        let component = fresh("honest", delay);
        let begin = Instant::now();
        let strike = (Duration::from_micros(delay), Signal::STOP);
        let ended = struck(&arena.cell, &component, short(), COMPILER, nth, strike);
        // Stopped before it said hello, it has ten seconds.
        assert!(
            begin.elapsed() < Duration::from_secs(20),
            "{:?}",
            begin.elapsed()
        );
        match ended.outcome.kind {
            Done => {}
            HostFault => assert_eq!(alerts(&ended), [WorkerKilled]),
            _ => {
                assert!(assert_breached(&ended, Limit::CompileWall, 600 * MS) < 5000 * MS);
                breached += 1;
            }
        }
    }
    assert!(breached >= 1);
    arena.assert_serves();
}

#[test]
fn a_runner_killed_at_any_moment_fails_that_launch_at_most() {
    alone!(a_runner_killed_at_any_moment_fails_that_launch_at_most);
    let (arena, mut died) = (arena(false), 0);
    for delay in DELAYS_US {
        let component = fresh("endless_loop", delay);
        let strike = (Duration::from_micros(delay), Signal::KILL);
        let ended = struck(&arena.cell, &component, short(), RUNNER, 0, strike);
        match ended.outcome.kind {
            HostFault => assert_eq!(alerts(&ended), [WorkerDied], "{:?}", ended.outcome),
            Timeout => assert!(alerts(&ended).is_empty(), "{:?}", ended.report.alerts),
            _ => panic!("{delay} µs: {:?}", ended.outcome),
        }
        died += u32::from(ended.outcome.kind == HostFault);
        arena.assert_serves();
    }
    assert!(died >= 6, "only {died} strikes came in time");
}

#[test]
fn a_runner_stopped_while_a_guest_runs_is_killed_after_the_grace_and_the_launch_timed_out() {
    alone!(a_runner_stopped_while_a_guest_runs_is_killed_after_the_grace_and_the_launch_timed_out);
    let arena = arena(false);
    let strike = (Duration::from_millis(100), Signal::STOP);
    let ended = struck(
        &arena.cell,
        &fresh("endless_loop", 1),
        short(),
        RUNNER,
        0,
        strike,
    );
    let used = assert_breached(&ended, Limit::Timeout, 300 * MS);
    assert!(
        (400 * MS..500 * MS).contains(&used),
        "{used} ns: timeout and grace"
    );
    assert_eq!(alerts(&ended), [WorkerKilled]);
    arena.assert_serves();
}

#[test]
fn a_runner_stopped_for_a_moment_is_only_slow() {
    alone!(a_runner_stopped_for_a_moment_is_only_slow);
    let arena = arena(false);
    let component = fresh("endless_loop", 2);
    let request = honest_request().limit(Limit::Fuel, 300_000_000);
    let launch = arena.cell.start(&component, request).unwrap();
    assert!(eventually(Duration::from_secs(60), || !pids(RUNNER).is_empty()));
    for _ in 0..5 {
        let runner = pids(RUNNER);
        runner.iter().for_each(|pid| signal(*pid, Signal::STOP));
        std::thread::sleep(Duration::from_millis(20));
        runner.iter().for_each(|pid| signal(*pid, Signal::CONT));
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_ended(
        &launch.wait(),
        OutcomeKind::OutOfFuel,
        Some(hotcell::outcome::Blame::Guest),
    );
}

#[test]
fn a_launch_whose_runner_stops_at_any_moment_can_be_cancelled() {
    alone!(a_launch_whose_runner_stops_at_any_moment_can_be_cancelled);
    let arena = arena(false);
    for delay in DELAYS_US {
        let component = fresh("endless_loop", delay);
        let known = pids(RUNNER);
        let launch = arena.cell.start(&component, honest_request()).unwrap();
        assert!(eventually(Duration::from_secs(60), || pids(RUNNER)
            .iter()
            .any(|pid| !known.contains(pid))));
        std::thread::sleep(Duration::from_micros(delay));
        pids(RUNNER)
            .into_iter()
            .filter(|pid| !known.contains(pid))
            .for_each(|pid| signal(pid, Signal::STOP));
        std::thread::sleep(Duration::from_millis(50));
        let asked = Instant::now();
        launch.cancel();
        let ended = launch.wait();
        assert!(
            matches!(ended.outcome.kind, Cancelled | HostFault),
            "{delay} µs: {:?}",
            ended.outcome
        );
        // A worker that has not said hello has ten seconds; any other, the grace.
        let patience = if ended.outcome.kind == Cancelled {
            1
        } else {
            11
        };
        assert!(
            asked.elapsed() < Duration::from_secs(patience),
            "{delay} µs: {:?}",
            asked.elapsed()
        );
    }
    arena.assert_serves();
}

#[test]
fn an_idle_runner_that_dies_or_stops_costs_the_next_launch_no_more_than_its_timeout() {
    alone!(an_idle_runner_that_dies_or_stops_costs_the_next_launch_no_more_than_its_timeout);
    let arena = arena(false);
    let component = fresh("honest", 3);
    assert_ended(&arena.cell.run(&component, short()), Done, None);
    for pid in pids(RUNNER) {
        signal(pid, Signal::KILL);
    }
    std::thread::sleep(Duration::from_millis(20));
    assert_ended(&arena.cell.run(&component, short()), Done, None);
    pids(RUNNER)
        .into_iter()
        .for_each(|pid| signal(pid, Signal::STOP));
    let ended = arena.cell.run(&component, short());
    assert_breached(&ended, Limit::Timeout, 300 * MS);
    assert_eq!(alerts(&ended), [WorkerKilled]);
    assert_ended(&arena.cell.run(&component, short()), Done, None);
}

#[test]
fn spares_that_die_or_stop_are_replaced() {
    alone!(spares_that_die_or_stop_are_replaced);
    let arena = arena(true);
    // A stopped runner has a minute to load, which a cancel ends.
    let strikes = [
        (Signal::KILL, ""),
        (Signal::STOP, COMPILER),
        (Signal::KILL, RUNNER),
    ];
    for (round, (what, program)) in strikes.into_iter().enumerate() {
        arena.assert_serves();
        let are_there = || !pids(COMPILER).is_empty() && pids(RUNNER).len() == 2;
        assert!(
            eventually(Duration::from_secs(60), are_there),
            "{:?}",
            children()
        );
        for worker in children() {
            if program.is_empty() || worker.is_a(program) {
                signal(worker.pid, what);
            }
        }
        std::thread::sleep(Duration::from_millis(50));
        let mut number = 1000 * round as u64;
        let begin = Instant::now();
        let serves = || {
            number += 1;
            arena
                .cell
                .run(&fresh("honest", number), short())
                .outcome
                .kind
                == Done
        };
        assert!(
            eventually(Duration::from_secs(60), serves),
            "after {what:?}"
        );
        assert!(
            begin.elapsed() < Duration::from_secs(4),
            "{:?}",
            begin.elapsed()
        );
    }
}

/// Listens to a guest at its leisure.
struct Slow;

impl Observer for Slow {
    fn log(&self, _line: &LogLine) {
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_pipe_that_nobody_empties_holds_up_a_guest_and_not_its_deadline() {
    let arena = arena(false);
    let component = fresh("log_flood", 4);
    let request = short().observer(Arc::new(Slow));
    let begin = Instant::now();
    let ended = arena.cell.run(&component, request);
    assert!(
        begin.elapsed() < Duration::from_secs(5),
        "{:?}",
        begin.elapsed()
    );
    assert!(
        matches!(ended.outcome.kind, Timeout | Done),
        "{:?}",
        ended.outcome
    );
    // The runner had to wait for room to say that it had ended.
    assert!(ended.report.alerts.is_empty(), "{:?}", ended.report.alerts);
    arena.assert_serves();
}

/// One function that takes far more memory to compile than its bytes.
fn bomb() -> Component {
    let mut body = "(local.get 0)".to_owned();
    for step in 0..40_000 {
        body += &format!("(i32.rotl (local.get 0) (i32.const {step}))(i32.add)");
    }
    Guest::of(format!(
        "(func $attack) (func (param i32) (result i32) {body})"
    ))
    .component()
}

#[test]
fn a_compile_bomb_ends_at_its_memory_with_both_numbers() {
    alone!(a_compile_bomb_ends_at_its_memory_with_both_numbers);
    let (arena, maximum) = (arena(false), 64 << 20);
    let request = honest_request().limit(Limit::CompileMemory, maximum);
    let launch = arena.cell.start(&bomb(), request).unwrap();
    let peak_kib = std::cell::Cell::new(0);
    let ended = launch.wait_watching(Duration::from_millis(1), || {
        let seen = pids(COMPILER)
            .into_iter()
            .filter_map(|pid| status_number(&pid.to_string(), "VmHWM"));
        peak_kib.set(seen.fold(peak_kib.get(), u64::max));
    });
    let peak_kib = peak_kib.get();
    assert_breached(&ended, Limit::CompileMemory, maximum);
    assert!(
        (16 << 10..=maximum >> 10).contains(&peak_kib),
        "{peak_kib} KiB, seen from outside"
    );
    let cost = ended
        .report
        .timings
        .compilation
        .expect("what it took is known");
    let told = cost.peak_memory_bytes;
    assert!(told <= maximum, "{told} bytes in the report, of {maximum}");
    arena.assert_serves();
}

/// Grows by 400 pages and touches them, if its first input byte says so.
const GROWS_IF_TOLD: &str = "
(func $attack
  (call $read (global.get $in) (i64.const 0) (i32.const 1) (i32.const 40))
  (if (i32.load8_u (i32.load (i32.const 40)))
    (then
      (if (i32.eq (memory.grow (i32.const 400)) (i32.const -1)) (then unreachable))
      (memory.fill (i32.const 65536) (i32.const 1) (i32.const 26214400)))))";

#[test]
fn a_runner_out_of_memory_ends_plainly() {
    alone!(a_runner_out_of_memory_ends_plainly);
    let arena = arena(false);
    let component = Guest::of(GROWS_IF_TOLD).component();
    let run = |byte| {
        arena.cell.run(
            &component,
            request_of(byte, 64).timeout(Duration::from_secs(1)),
        )
    };
    assert_ended(&run(0), Done, None);
    let limit = Rlimit {
        current: Some(1 << 20),
        maximum: Some(1 << 20),
    };
    for pid in pids(RUNNER) {
        let pid = Pid::from_raw(i32::try_from(pid).unwrap());
        prlimit(pid, Resource::Data, limit).expect("its own supervisor may");
    }
    let ended = run(1);
    // A guest may see that its memory does not grow, and make of it what it will.
    let ends = [HostFault, OutcomeKind::MemoryLimit, OutcomeKind::Trap];
    assert!(ends.contains(&ended.outcome.kind), "{:?}", ended.outcome);
    assert!(!ended.outcome.message.is_empty());
    pids(RUNNER)
        .into_iter()
        .for_each(|pid| signal(pid, Signal::KILL));
    std::thread::sleep(Duration::from_millis(20));
    assert_ended(&run(1), Done, None);
}
