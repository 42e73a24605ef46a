//! The worker side, and the test's side of it.
//!
//! It stops at a phase and then does what it is asked: single system calls, raw or as probes.

use hotcell_model::frame;
use hotcell_model::layer::{LayerReport, WorkerKind};
use hotcell_model::probe::{Attempt, Attempted};
use hotcell_sandbox::channel::{Channel, Received};
use hotcell_sandbox::filter::DriverKind;
use hotcell_sandbox::lockdown::{Birth, Confined, ResourceLimits};
use hotcell_sandbox::process::{Exit, Worker, WorkerCommand};
use std::process::ExitCode;
use std::sync::mpsc;

pub(crate) const ARGUMENT: &str = "--as-worker";

pub(crate) const LIMITS: ResourceLimits = ResourceLimits {
    data_bytes: 256 << 20,
    address_space_bytes: None,
    cpu_seconds: Some(60),
    threads: None,
};

/// Where a worker stops to be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// After `begin`.
    Born,
    /// After `wall`: a compile process has no filter yet, a runner that of its load phase.
    Walled,
    /// After `lock`.
    Locked,
}

impl Phase {
    const ALL: [(&'static str, Self); 3] = [
        ("born", Self::Born),
        ("walled", Self::Walled),
        ("locked", Self::Locked),
    ];
}

/// Every kind. A GPU worker has no driver here, and is locked as one whose driver is of hardware.
pub(crate) const KINDS: [WorkerKind; 3] =
    [WorkerKind::Compiler, WorkerKind::Runner, WorkerKind::Gpu];

/// Has a GPU worker be locked as one with a software driver.
pub(crate) const SOFTWARE: &str = "software";

/// Starts a worker of that kind that stops at that phase, and waits until it is there.
pub(crate) fn start(kind: WorkerKind, phase: Phase) -> (Worker, Vec<LayerReport>) {
    start_with(kind, phase, &[])
}

/// As [`start`], with further words.
pub(crate) fn start_with(
    kind: WorkerKind,
    phase: Phase,
    words: &[&str],
) -> (Worker, Vec<LayerReport>) {
    let name = Phase::ALL
        .iter()
        .find(|(_, named)| *named == phase)
        .unwrap()
        .0;
    let words = [&[kind.program(), name], words].concat();
    let worker = command(&words).spawn().unwrap();
    let layers = answer(&worker).expect("a worker that gets there");
    (worker, layers)
}

/// The command for this very program as a worker.
pub(crate) fn command(arguments: &[&str]) -> WorkerCommand {
    WorkerCommand {
        program: std::env::current_exe().unwrap(),
        arguments: [ARGUMENT]
            .iter()
            .chain(arguments)
            .map(|text| (*text).into())
            .collect(),
    }
}

/// What the worker says, unless it is gone.
pub(crate) fn answer<T: serde::de::DeserializeOwned>(worker: &Worker) -> Option<T> {
    let (mut buffer, mut descriptors) = (Vec::new(), Vec::new());
    match worker
        .channel
        .receive(&mut buffer, &mut descriptors)
        .unwrap()
    {
        Received::Frame => Some(frame::decode(&buffer).unwrap()),
        _ => None,
    }
}

/// Asks for an attempt: what came of it, or how the worker ended.
pub(crate) fn ask(worker: Worker, attempt: Attempt) -> Result<(Attempted, Worker), Exit> {
    let mut buffer = Vec::new();
    frame::encode(&attempt, &mut buffer).unwrap();
    // One that is dead already does not answer either.
    let _ = worker.channel.send(&buffer, &[]);
    match answer(&worker) {
        Some(attempted) => Ok((attempted, worker)),
        None => Err(worker.wait().unwrap()),
    }
}

/// The worker's `main`.
pub(crate) fn main(arguments: &[String]) -> ExitCode {
    let named = |kind: &&WorkerKind| arguments.first().is_some_and(|name| name == kind.program());
    let kind = *KINDS.iter().find(named).unwrap();
    let phase = Phase::ALL
        .iter()
        .find(|(name, _)| arguments.get(1).is_some_and(|given| given == name));
    let phase = phase.unwrap().1;
    let has = |wanted: &str| arguments.iter().any(|argument| argument == wanted);
    if has("threads") {
        std::thread::spawn(|| std::thread::sleep(std::time::Duration::from_secs(60)));
    }
    let handler: extern "C" fn(i32) = on_signal;
    // SAFETY: the handler does nothing.
    unsafe { libc::signal(libc::SIGUSR1, handler as libc::sighandler_t) };
    let birth = match Birth::begin(kind) {
        Ok(birth) => birth,
        Err(_) => return ExitCode::from(3),
    };
    let channel = Channel::from_standard_input().unwrap();
    if phase == Phase::Born {
        serve(&channel, &Vec::<LayerReport>::new(), raw);
        return ExitCode::SUCCESS;
    }
    let walled = birth.wall(&LIMITS).unwrap();
    let mut layers = walled.layers().to_vec();
    if phase == Phase::Walled {
        if has("tries") {
            say(&channel, &layers);
            let tried = match kind {
                WorkerKind::Gpu => crate::driver::tries(),
                _ => crate::walls::tries(),
            };
            say(&channel, &tried);
            return ExitCode::SUCCESS;
        }
        serve(&channel, &layers, raw);
        return ExitCode::SUCCESS;
    }
    // A thread from before the lock is under the filter like the rest.
    let (to_thread, requests) = mpsc::channel();
    let (to_main, answers) = mpsc::channel();
    if kind == WorkerKind::Runner {
        let (to_lock, is_up) = mpsc::channel();
        std::thread::spawn(move || {
            to_lock.send(()).unwrap();
            requests
                .iter()
                .try_for_each(|attempt: Attempt| to_main.send(raw(attempt)))
        });
        is_up.recv().unwrap();
    }
    let confined: Confined = match has(SOFTWARE) {
        true => walled.lock_driver(DriverKind::Software).unwrap(),
        false => walled.lock().unwrap(),
    };
    layers.extend_from_slice(confined.layers());
    let mut is_thread = has("in-thread");
    serve(&channel, &layers, |attempt| {
        if std::mem::take(&mut is_thread) {
            to_thread.send(attempt).unwrap();
            return answers.recv().unwrap();
        }
        confined.attempt(attempt)
    });
    ExitCode::SUCCESS
}

/// Only to be returned from.
extern "C" fn on_signal(_: i32) {}

/// Says where it is, and makes attempts until the channel is closed.
fn serve(channel: &Channel, layers: &Vec<LayerReport>, mut make: impl FnMut(Attempt) -> Attempted) {
    let mut buffer = Vec::with_capacity(frame::MAX_BYTES);
    let mut descriptors = Vec::new();
    say(channel, layers);
    while channel.receive(&mut buffer, &mut descriptors).unwrap() == Received::Frame {
        say(channel, &make(frame::decode(&buffer).unwrap()));
    }
}

fn say(channel: &Channel, value: &impl serde::Serialize) {
    let mut buffer = Vec::new();
    frame::encode(value, &mut buffer).unwrap();
    channel.send(&buffer, &[]).unwrap();
}

/// A system call with nothing around it, where there is no [`Confined`] to ask.
pub(crate) fn raw(attempt: Attempt) -> Attempted {
    let Attempt::Call {
        number,
        arguments: [a, b, c, d, e, f],
    } = attempt
    else {
        return Attempted::Refused(0);
    };
    // SAFETY: the test chooses arguments that do no harm to this process, or means to.
    let result = unsafe { libc::syscall(number.into(), a, b, c, d, e, f) };
    match result {
        -1 => Attempted::Refused(std::io::Error::last_os_error().raw_os_error().unwrap()),
        _ => Attempted::Succeeded(result),
    }
}
