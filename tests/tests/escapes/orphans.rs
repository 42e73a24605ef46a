//! No worker outlives the command that started it, whenever that is killed and whatever the worker is doing.

use hotcell_tests::processes::{Process, children_of, eventually, signal, status_number};
use hotcell_tests::{Command, Guest, npy, tier};
use rustix::process::Signal;
use std::time::Duration;

/// How long the operating system may take to do what it was told, on a machine with other work.
const PATIENCE: Duration = Duration::from_secs(60);

/// A guest whose compilation takes a while.
fn slow_to_compile() -> Guest {
    let mut fields = String::from("(func $attack)");
    for function in 0..400 {
        fields += &format!("(func (param i32) (result i32) (local.get 0) (i32.const {function})");
        for step in 0..500 {
            fields += &format!("(i32.add) (i32.rotl (local.get 0) (i32.const {step}))");
        }
        fields += "(i32.add))";
    }
    Guest::of(fields)
}

/// A place with `x.npy`, a kernel that never ends, and one that takes long to compile.
fn place() -> Command {
    let command = Command::new();
    command.write("x.npy", npy("|u1", &[4096], &[1; 4096]));
    command.guest("spins", &Guest::named("endless_loop"));
    command.guest("slow", &slow_to_compile());
    command
}

/// Stops a command after a while, so that it starts nobody any more, kills it, and checks that its workers go.
/// Gives the names of those that there were.
fn kill_after(command: &Command, kernel: &str, delay: Duration, also_stopped: bool) -> Vec<String> {
    let running = command.start(&format!(
        "run {kernel}.wasm --in x=@x.npy --metering fast --quiet --no-cache --tier {}",
        tier()
    ));
    std::thread::sleep(delay);
    signal(running.id(), Signal::STOP);
    let is_stopped =
        || Process::of(running.id()).is_none_or(|process| matches!(process.state, 'T' | 'Z'));
    assert!(eventually(PATIENCE, is_stopped), "it does not stop");
    let workers = children_of(running.id());
    if also_stopped {
        workers
            .iter()
            .for_each(|worker| signal(worker.pid, Signal::STOP));
        // One that has not yet asked to die with its parent, which comes before it gives up privileges, looks for it
        // when it goes on.
        let has_asked = |worker: &&Process| {
            status_number(&worker.pid.to_string(), "NoNewPrivs").is_none_or(|set| set == 1)
        };
        let early = workers.iter().filter(|worker| !has_asked(worker));
        signal(running.id(), Signal::KILL);
        early.for_each(|worker| signal(worker.pid, Signal::CONT));
    }
    signal(running.id(), Signal::KILL);
    let gone = || !workers.iter().any(|worker| Process::is_alive(worker.pid));
    assert!(
        eventually(PATIENCE, gone),
        "{kernel} after {delay:?}: {workers:?}"
    );
    running.wait();
    workers.into_iter().map(|worker| worker.name).collect()
}

#[test]
fn no_worker_outlives_a_command_that_is_killed() {
    let command = place();
    let (mut compilers, mut runners) = (0, 0);
    for also_stopped in [false, true] {
        for delay in [0, 1, 2, 4, 8, 16, 32, 64, 128, 400] {
            for kernel in ["spins", "slow"] {
                let seen = kill_after(&command, kernel, Duration::from_millis(delay), also_stopped);
                compilers += seen
                    .iter()
                    .filter(|name| name.starts_with("hotcell-comp"))
                    .count();
                runners += seen.iter().filter(|name| *name == "hotcell-runner").count();
            }
        }
    }
    assert!(
        compilers >= 10 && runners >= 10,
        "{compilers} compilers and {runners} runners were seen"
    );
}

#[test]
fn a_command_that_ends_by_itself_leaves_no_worker() {
    let command = place();
    let running = command.start(&format!(
        "run spins.wasm --in x=@x.npy --timeout 300ms --quiet --no-cache --tier {}",
        tier()
    ));
    let mut workers = Vec::new();
    eventually(PATIENCE, || {
        let found = children_of(running.id());
        workers.extend(found.iter().map(|worker| worker.pid));
        found.is_empty() && !workers.is_empty()
    });
    running.wait().exits(13);
    assert!(!workers.is_empty());
    let gone = || !workers.iter().any(|pid| Process::is_alive(*pid));
    assert!(eventually(PATIENCE, gone), "{workers:?}");
}
