//! Runners that turned hostile: every message out of turn, out of shape or untrue, and every way to die.
//!
//! Each row is a fake runner behind a real compiler. It must end in its outcome within its time, with the alert
//! that an operator should see, and leave neither process nor descriptor behind.

use super::{alerts, hostile_runner, request_of};
use hotcell::limit::Limit;
use hotcell::outcome::{Blame, OutcomeKind};
use hotcell::report::AlertKind::{
    self, ClaimMismatch, FilterKill, HostileWorker, WorkerDied, WorkerKilled,
};
use hotcell::{Ended, Request, Tier};
use hotcell_tests::processes::{children, descriptors, eventually};
use hotcell_tests::{
    Arena, Guest, alone, assert_breached, assert_ended, honest_request, isolation_of,
};
use std::time::{Duration, Instant};

/// Runs the honest guest in a cell of fakes; checks that nothing is left of them.
#[track_caller]
fn run(behaviour: &str, request: Request) -> Ended {
    let hostile = hostile_runner(behaviour);
    let begin = Instant::now();
    let cell = hostile
        .cell()
        .kill_grace(Duration::from_millis(100))
        .build()
        .unwrap();
    let ended = cell.run(&Guest::named("honest").component(), request);
    assert!(
        begin.elapsed() < Duration::from_secs(14),
        "{behaviour}: {:?}",
        begin.elapsed()
    );
    drop(cell);
    ended
}

/// Checks that a launch ended as the host's fault, which nobody can pin on anyone, with that alert.
#[track_caller]
fn assert_faulted(behaviour: &str, ended: &Ended, alert: AlertKind) {
    let seen = (ended.outcome.kind, ended.outcome.blame, alerts(ended));
    let expected = (OutcomeKind::HostFault, Some(Blame::Unknown), vec![alert]);
    assert_eq!(
        seen, expected,
        "{behaviour}: {:?} {:?}",
        ended.outcome, ended.report.alerts
    );
    assert_ended(ended, OutcomeKind::HostFault, Some(Blame::Unknown));
    assert!(!ended.outcome.reproducible, "{behaviour}");
    let alerts = &ended.report.alerts;
    assert!(
        !alerts
            .iter()
            .any(|alert| alert.message.chars().any(char::is_control)),
        "{alerts:?}"
    );
}

/// Runs each behaviour; all must be seen as the worker's hostility.
fn all_hostile(behaviours: &[&str]) {
    for behaviour in behaviours {
        assert_faulted(behaviour, &run(behaviour, honest_request()), HostileWorker);
    }
    arena().assert_serves();
}

/// A cell of real workers.
fn arena() -> Arena {
    Arena::of(isolation_of("confined"))
}

#[test]
fn a_greeting_out_of_shape_is_hostile() {
    all_hostile(&[
        "wrong-kind",
        "layers-twice",
        "hello-cut",
        "hello-and-more",
        "hello-with-descriptors",
        "babbles spawned",
        "shouts spawned",
        "mumbles spawned",
        "smuggles spawned",
    ]);
}

#[test]
fn an_answer_to_the_artifact_out_of_shape_or_turn_is_hostile() {
    all_hostile(&[
        "progress-for-ready",
        "ready-with-other-layers",
        "babbles load",
        "shouts load",
        "mumbles load",
        "smuggles load",
    ]);
}

#[test]
fn an_end_out_of_shape_or_for_another_launch_is_hostile() {
    all_hostile(&[
        "answers-for-another",
        "answer-cut",
        "answer-and-more",
        "answer-with-descriptors",
        "logs-for-another",
        "babbles launch",
        "shouts launch",
        "mumbles launch",
        "smuggles launch",
    ]);
}

#[test]
fn an_end_that_contradicts_itself_or_the_request_is_hostile() {
    all_hostile(&[
        "too-many-outputs",
        "too-few-outputs",
        "short-output",
        "long-output",
        "trap-with-outputs",
        "done-with-blame",
        "partial-and-done",
        "denied",
        "isolation",
        "says-nothing",
        "blames the-operator",
        "blames the-request",
        "blames nobody",
    ]);
}

#[test]
fn an_end_that_cannot_be_is_not_believed() {
    for (behaviour, words) in [
        ("blames the-file", "none is a file"),
        ("blames the-gpu", "had no GPU"),
        ("blames the-cancel", "nobody did"),
    ] {
        let ended = run(behaviour, honest_request());
        assert_faulted(behaviour, &ended, ClaimMismatch);
        let message = &ended.outcome.message;
        assert!(message.contains(words), "{behaviour}: {message}");
    }
}

#[test]
fn a_runner_that_says_it_was_the_host_is_ended_and_nobody_is_blamed() {
    let ended = run("blames the-host", honest_request());
    assert_faulted("blames the-host", &ended, WorkerKilled);
}

#[test]
fn a_flood_is_cut_at_what_the_launch_may_say() {
    for behaviour in ["floods-log", "floods-lines", "floods-progress"] {
        let request = honest_request().limit(Limit::HostCalls, 1000);
        let ended = run(behaviour, request);
        assert_faulted(behaviour, &ended, HostileWorker);
        let bytes: usize = ended.report.log.iter().map(|line| line.message.len()).sum();
        assert!(
            bytes <= 64 << 10 && ended.report.log.len() <= 1000,
            "{behaviour}: {bytes}"
        );
    }
}

#[test]
fn a_log_line_is_the_guests_whatever_is_in_it() {
    let ended = run("forges-log", honest_request());
    assert_ended(&ended, OutcomeKind::Done, None);
    let [line] = &ended.report.log[..] else {
        panic!("one line stays one: {:?}", ended.report.log);
    };
    assert!(line.message.starts_with("fine\\n2026"), "{}", line.message);
    assert!(
        !line
            .message
            .chars()
            .any(|c| c.is_control() || c == '\u{202e}'),
        "{}",
        line.message
    );
}

#[test]
fn an_answer_before_the_question_is_never_taken_for_one() {
    for behaviour in ["answers-before-asked", "ready-before-asked"] {
        let ended = run(behaviour, honest_request());
        let kind = ended.outcome.kind;
        assert_eq!(
            kind,
            OutcomeKind::HostFault,
            "{behaviour}: {:?}",
            ended.outcome
        );
        assert!(ended.results.is_empty());
    }
    arena().assert_serves();
}

#[test]
fn a_second_answer_is_never_taken_for_the_next_launchs() {
    let hostile = hostile_runner("answers-twice");
    let cell = hostile.build();
    let component = Guest::named("honest").component();
    for bytes in [4096, 2048, 1024] {
        let ended = cell.run(&component, request_of(1, bytes));
        assert_ended(&ended, OutcomeKind::Done, None);
        let out = ended.array("out").unwrap().to_vec::<u8>().unwrap();
        assert_eq!(
            out,
            vec![7; bytes],
            "the answer to this launch, and to no other"
        );
        // The second comes before the next launch does.
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_runner_of_another_build_or_without_walls_runs_nothing_and_the_operator_is_told() {
    let ended = run("wrong-build", honest_request());
    assert_ended(&ended, OutcomeKind::HostFault, Some(Blame::Operator));
    assert!(
        ended.outcome.message.contains("xtask workers"),
        "{}",
        ended.outcome.message
    );
    for behaviour in ["no-walls", "ready-without-lock"] {
        let hostile = hostile_runner(behaviour);
        let cell = hostile.cell_of_tier(Tier::Unprivileged);
        let ended = cell.run(&Guest::named("honest").component(), honest_request());
        assert_ended(&ended, OutcomeKind::Isolation, Some(Blame::Operator));
    }
}

#[test]
fn words_of_a_runner_that_cannot_load_are_one_plain_line() {
    for (behaviour, kind) in [
        ("stale", OutcomeKind::HostFault),
        ("failed", OutcomeKind::HostFault),
        ("misfit", OutcomeKind::InvalidComponent),
    ] {
        let ended = run(behaviour, honest_request());
        assert_eq!(ended.outcome.kind, kind, "{behaviour}: {:?}", ended.outcome);
        assert!(
            !ended.outcome.message.chars().any(char::is_control),
            "{}",
            ended.outcome.message
        );
    }
}

#[test]
fn a_runner_that_dies_is_a_host_fault_in_every_phase() {
    for phase in ["spawned", "hello", "load", "ready", "launch"] {
        for (way, words) in [
            ("exits", "exit code 3"),
            ("faults", "SIGSEGV"),
            ("calls", "SIGSYS"),
        ] {
            let behaviour = format!("{way} {phase}");
            let ended = run(&behaviour, honest_request());
            let kind = match words {
                "SIGSYS" => FilterKill,
                _ => WorkerDied,
            };
            assert_faulted(&behaviour, &ended, kind);
            assert!(
                ended.outcome.message.contains(words),
                "{behaviour}: {}",
                ended.outcome.message
            );
        }
    }
}

#[test]
fn a_runner_that_dies_after_its_answer_has_answered() {
    for way in ["exits", "faults", "calls"] {
        let hostile = hostile_runner(&format!("{way} answered"));
        let cell = hostile.build();
        for _ in 0..3 {
            let ended = cell.run(&Guest::named("honest").component(), honest_request());
            assert_ended(&ended, OutcomeKind::Done, None);
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

#[test]
fn a_runner_that_ignores_the_timeout_is_killed_and_the_launch_timed_out() {
    // In the first, it reads the launch; in the second, it reads nothing any more.
    for behaviour in ["hangs launch", "hangs ready", "stops launch", "stops ready"] {
        let begin = Instant::now();
        let ended = run(
            behaviour,
            honest_request().timeout(Duration::from_millis(200)),
        );
        assert_breached(&ended, Limit::Timeout, 200_000_000);
        assert_eq!(alerts(&ended), [WorkerKilled], "{behaviour}");
        let elapsed = begin.elapsed();
        assert!(
            elapsed >= Duration::from_millis(300) && elapsed < Duration::from_secs(3),
            "{elapsed:?}"
        );
    }
    arena().assert_serves();
}

#[test]
fn a_runner_that_ignores_a_cancel_is_killed_and_the_launch_cancelled() {
    for behaviour in ["hangs launch", "stops launch"] {
        let hostile = hostile_runner(behaviour);
        let cell = hostile
            .cell()
            .kill_grace(Duration::from_millis(100))
            .build()
            .unwrap();
        // Compiled before, so that what is cancelled has a runner.
        let honest = Guest::named("honest").component();
        cell.prepare_only(&honest, &honest_request()).unwrap();
        let launch = cell.start(&honest, honest_request()).unwrap();
        std::thread::sleep(Duration::from_millis(300));
        let asked = Instant::now();
        launch.cancel();
        let ended = launch.wait();
        assert_ended(&ended, OutcomeKind::Cancelled, Some(Blame::Request));
        assert_eq!(alerts(&ended), [WorkerKilled], "{behaviour}");
        assert!(
            asked.elapsed() < Duration::from_secs(2),
            "{:?}",
            asked.elapsed()
        );
    }
}

#[test]
fn a_runner_that_claims_less_than_it_burnt_is_charged_what_it_burnt() {
    let ended = run("burns-and-denies", honest_request());
    assert_ended(&ended, OutcomeKind::Done, None);
    assert_eq!(alerts(&ended), [ClaimMismatch]);
    let cpu = ended.report.usage.cpu_ns;
    assert!(
        (350_000_000..600_000_000).contains(&cpu),
        "{cpu} ns of 400 ms"
    );
    assert!(ended.report.usage.wall_ns >= 350_000_000);
}

#[test]
fn figures_beyond_all_measure_overflow_nothing_and_stand_as_claims() {
    let ended = run("claims-the-most", honest_request());
    let usage = &ended.report.usage;
    assert!(
        usage.cpu_ns < 10_000_000_000 && usage.wall_ns < 10_000_000_000,
        "{usage:?}"
    );
    for figure in [
        "fuel_used",
        "bytes_in",
        "bytes_out",
        "host_calls",
        "peak_memory_bytes",
    ] {
        assert!(
            usage.claimed.iter().any(|claimed| claimed == figure),
            "{figure}: {:?}",
            usage.claimed
        );
    }
    assert!(
        alerts(&ended).contains(&ClaimMismatch),
        "{:?}",
        ended.report.alerts
    );
}

#[test]
fn samples_out_of_turn_or_shape_are_hostile() {
    let sampled = || honest_request().sample_every(Duration::from_millis(1));
    for (behaviour, request) in [
        ("samples", honest_request()),
        ("samples-twice", sampled()),
        ("samples-for-another", sampled()),
        ("samples-of-nothing-named", sampled()),
    ] {
        let ended = run(behaviour, request);
        assert_faulted(behaviour, &ended, HostileWorker);
        assert_eq!(ended.samples, None, "{behaviour}");
    }
}

#[test]
fn samples_are_escaped_and_those_for_which_there_was_no_time_are_an_alert() {
    let sampled = || honest_request().sample_every(Duration::from_millis(1));
    let ended = run("samples", sampled());
    assert_ended(&ended, OutcomeKind::Done, None);
    assert!(alerts(&ended).is_empty(), "{:?}", ended.report.alerts);
    let samples = ended.samples.expect("they were asked for");
    let stack = samples.stacks().next().unwrap();
    let name = stack.functions[0].function.as_deref();
    assert_eq!(name, Some("\\u{1b}[2J"));
    let ended = run("samples-of-years", sampled());
    assert_ended(&ended, OutcomeKind::Done, None);
    assert_eq!(alerts(&ended), [ClaimMismatch; 2]);
}

#[test]
fn output_memory_that_stays_mapped_is_hostile_and_is_not_read() {
    let ended = run("keeps-memory-mapped", request_of(1, 1 << 20));
    assert_faulted("keeps-memory-mapped", &ended, HostileWorker);
    assert!(
        ended.outcome.message.contains("mapped"),
        "{}",
        ended.outcome.message
    );
}

#[test]
fn output_memory_cannot_be_written_once_the_supervisor_reads_it() {
    let hostile = hostile_runner("writes-afterwards");
    let cell = hostile.build();
    let ended = cell.run(&Guest::named("honest").component(), request_of(1, 1 << 20));
    assert_ended(&ended, OutcomeKind::Done, None);
    let out = ended.array("out").unwrap();
    let first = out.to_vec::<u8>().unwrap();
    std::thread::sleep(Duration::from_millis(60));
    assert_eq!(
        first,
        out.to_vec::<u8>().unwrap(),
        "what was read stays as it was"
    );
    assert_eq!(first[64..], vec![7; (1 << 20) - 64]);
}

#[test]
fn a_worker_that_never_says_hello_is_given_up() {
    let begin = Instant::now();
    std::thread::scope(|scope| {
        for behaviour in ["hangs spawned", "stops spawned"] {
            scope.spawn(move || {
                assert_faulted(behaviour, &run(behaviour, honest_request()), WorkerKilled)
            });
        }
    });
    assert!(
        begin.elapsed() < Duration::from_secs(12),
        "{:?}",
        begin.elapsed()
    );
}

#[test]
fn a_runner_that_never_loads_can_be_cancelled() {
    for behaviour in ["hangs hello", "hangs load", "stops load"] {
        let hostile = hostile_runner(behaviour);
        let cell = hostile.build();
        let launch = cell
            .start(&Guest::named("honest").component(), honest_request())
            .unwrap();
        std::thread::sleep(Duration::from_millis(400));
        let asked = Instant::now();
        launch.cancel();
        assert_ended(&launch.wait(), OutcomeKind::Cancelled, Some(Blame::Request));
        assert!(
            asked.elapsed() < Duration::from_secs(3),
            "{behaviour}: {:?}",
            asked.elapsed()
        );
    }
}

#[test]
fn hostile_runners_leave_no_process_and_no_descriptor() {
    alone!(hostile_runners_leave_no_process_and_no_descriptor);
    let behaviours = [
        "answer-with-descriptors",
        "smuggles launch",
        "smuggles load",
        "smuggles spawned",
        "floods-log",
        "keeps-memory-mapped",
        "shouts launch",
        "exits launch",
        "answers-twice",
        "mumbles ready",
    ];
    // What is made once and kept is made by the first round.
    run("traps", request_of(1, 1 << 20));
    let before = descriptors();
    for behaviour in behaviours {
        run(
            behaviour,
            request_of(1, 1 << 20).timeout(Duration::from_secs(1)),
        );
        let is_clean = || children().is_empty() && descriptors() <= before;
        assert!(
            eventually(Duration::from_secs(60), is_clean),
            "{behaviour}: {:?}, {} descriptors after {before}",
            children(),
            descriptors()
        );
    }
}
