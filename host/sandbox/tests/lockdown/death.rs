//! Ends: of a supervisor, and of workers that it lets go of.

use crate::worker::{ARGUMENT, KINDS, Phase, command, start};
use hotcell_model::layer::WorkerKind;
use hotcell_sandbox::process::{ExitKind, Signal, WorkerCommand};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

pub(crate) const SUPERVISOR: &str = "--as-supervisor";

const PATIENCE: Duration = Duration::from_secs(60);

/// Starts a worker at every phase, stops half of them, says their numbers, and waits to be killed.
pub(crate) fn supervise() -> ExitCode {
    let mut workers = Vec::new();
    for kind in KINDS {
        for phase in [Phase::Born, Phase::Walled, Phase::Locked] {
            for is_stopped in [false, true] {
                let (worker, _) = start(kind, phase);
                if is_stopped {
                    worker.signal(Signal::STOP).unwrap();
                }
                workers.push(worker);
            }
        }
    }
    let mut out = std::io::stdout();
    for worker in &workers {
        writeln!(out, "{}", worker.pid()).unwrap();
    }
    writeln!(out, "ready").unwrap();
    loop {
        std::thread::park();
    }
}

pub(crate) fn a_worker_dies_with_its_supervisor() {
    let mut supervisor = Command::new(std::env::current_exe().unwrap())
        .arg(SUPERVISOR)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(supervisor.stdout.take().unwrap()).lines();
    let workers: Vec<u32> = lines.map_while(|line| line.unwrap().parse().ok()).collect();
    assert_eq!(workers.len(), 18);
    assert!(workers.iter().all(|pid| is_alive(*pid)));
    supervisor.kill().unwrap();
    supervisor.wait().unwrap();
    let deadline = Instant::now() + PATIENCE;
    while workers.iter().any(|pid| is_alive(*pid)) {
        assert!(Instant::now() < deadline, "orphans are left");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Whether a process runs: one that is dead and not reaped yet does not.
fn is_alive(pid: u32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return false;
    };
    let state = stat
        .rsplit(')')
        .next()
        .and_then(|rest| rest.trim().chars().next());
    state.is_some_and(|state| !"ZX".contains(state))
}

pub(crate) fn a_worker_that_is_dropped_is_reaped() {
    for kind in KINDS {
        for phase in [Phase::Born, Phase::Walled, Phase::Locked] {
            let (mut worker, _) = start(kind, phase);
            assert_eq!(worker.wait_deadline(Instant::now()).unwrap(), None);
            worker.signal(Signal::STOP).unwrap();
            worker.kill();
            let exit = worker
                .wait_deadline(Instant::now() + PATIENCE)
                .unwrap()
                .unwrap();
            assert_eq!(exit.status, ExitKind::Signal(libc::SIGKILL));
            assert_eq!(
                worker.try_wait().unwrap(),
                Some(exit),
                "an end is remembered"
            );
            assert!(worker.signal(Signal::CONT).is_err());
        }
    }
    let pid = start(WorkerKind::Runner, Phase::Locked).0.pid();
    assert!(
        !fs::exists(format!("/proc/{pid}")).unwrap(),
        "no zombie is left"
    );
}

/// What a forked process does to its parent's worker, and with workers of its own: 0 if all is as it must be.
fn in_a_fork(worker: hotcell_sandbox::process::Worker) -> i32 {
    let is_left_alone = !worker.is_own() && worker.signal(Signal::KILL).is_err();
    drop(worker);
    let own = command(&["hotcell-compiler", "born"]).spawn();
    let starts_its_own = own.is_ok_and(|own| own.is_own());
    hotcell_sandbox::process::end_all();
    i32::from(!is_left_alone || !starts_its_own)
}

pub(crate) fn a_forked_process_does_not_kill_its_parents_workers() {
    let (mut worker, _) = start(WorkerKind::Runner, Phase::Locked);
    // SAFETY: no other thread of this process holds a lock: the one that starts workers waits for a request.
    let child = match unsafe { libc::fork() } {
        0 => {
            let code = in_a_fork(worker);
            hotcell_sandbox::end::end_now(code);
        }
        child => child,
    };
    let mut status = 0;
    // SAFETY: the pointer is valid for the call.
    assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
    assert_eq!(status, 0, "the fork killed a worker or could start none");
    assert_eq!(worker.try_wait().unwrap(), None, "the worker lives on");
}

pub(crate) fn a_thousand_workers_leak_nothing() {
    let open = || fs::read_dir("/proc/self/fd").unwrap().count();
    let threads = || fs::read_dir("/proc/self/task").unwrap().count();
    // The spawning thread is there from the first on.
    drop(start(WorkerKind::Compiler, Phase::Born));
    let before = (open(), threads());
    for round in 0..1000 {
        // Most are let go of before they have said a word.
        let worker = command(&["hotcell-compiler", "born"]).spawn().unwrap();
        if round % 2 == 0 {
            worker.kill();
            worker.wait().unwrap();
        }
    }
    assert_eq!((open(), threads()), before);
    let children = fs::read_dir("/proc/self/task")
        .unwrap()
        .map(|task| fs::read_to_string(task.unwrap().path().join("children")).unwrap_or_default());
    assert_eq!(children.collect::<String>(), "", "no child is left");
}

pub(crate) fn a_missing_program_is_an_error() {
    let missing = WorkerCommand {
        program: "/nonexistent".into(),
        arguments: vec![ARGUMENT.into()],
    };
    let open = || fs::read_dir("/proc/self/fd").unwrap().count();
    let before = open();
    assert_eq!(
        missing.spawn().unwrap_err().kind(),
        std::io::ErrorKind::NotFound
    );
    assert_eq!(open(), before);
}
