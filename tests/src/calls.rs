//! The system calls of confined workers, as `strace` sees them from outside.
//!
//! A worker lets nobody look into it, but who started the process that started it has been attached since before
//! its first instruction. Arguments are read as numbers, the way a filter compares them.

use hotcell_sandbox::filter::FilterRule;
use std::collections::HashMap;
use std::path::Path;
use std::process::{Command, Stdio};

/// Which filter a worker's call met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// A locked compiler's.
    Compiler,
    /// That of a runner that loads.
    Load,
    /// A locked runner's final one, with the earlier one still behind it.
    Run,
}

/// A call of a confined worker.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Call {
    /// When it was made.
    pub phase: Phase,
    name: String,
    arguments: [u64; 6],
}

impl Call {
    /// Whether it is under that rule.
    pub fn is_under(&self, rule: &FilterRule) -> bool {
        self.name == rule.name() && rule.matches(rule.number, &self.arguments)
    }
}

/// Whether there is an `strace` that may trace.
pub fn can_trace() -> bool {
    let mut strace = strace(Path::new("/dev/null"));
    let status = strace.arg("true").stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// Begins a command that follows the program which is added to it, and writes down every call.
pub fn strace(trace: &Path) -> Command {
    let mut command = Command::new("strace");
    // One file, so that its lines are in order. Numbers for all but what says which program a process becomes.
    command.args(["-f", "-qq", "-e", "raw=!execve", "-s", "4096", "-o"]);
    command.arg(trace);
    command
}

/// The calls that workers made under a filter, each kind once, and how many workers there were: compilers and runners.
pub fn confined_calls(trace: &str) -> (HashMap<Call, usize>, [usize; 2]) {
    let mut workers = Workers::of(trace);
    let mut calls = HashMap::new();
    for (thread, event) in events(trace) {
        let Some(worker) = workers.of_thread(thread) else {
            continue;
        };
        if let Event::Called(name, arguments, _) = event
            && let Some(phase) = worker.phase()
        {
            let arguments = numbers(arguments);
            let name = name.to_owned();
            *calls
                .entry(Call {
                    phase,
                    name,
                    arguments,
                })
                .or_default() += 1;
        }
        // The call that puts a filter on is under the earlier one alone.
        worker.installed += usize::from(event.returned("seccomp") == Some(0));
    }
    (calls, workers.count())
}

/// A line of a trace.
#[derive(Clone, Copy)]
enum Event<'a> {
    /// A call: name, arguments, and what it returned if that is on the same line.
    Called(&'a str, &'a str, Option<u64>),
    /// An earlier call's return.
    Resumed(&'a str, Option<u64>),
}

impl Event<'_> {
    /// What the call of that name returned, if this says so.
    fn returned(&self, call: &str) -> Option<u64> {
        match *self {
            Event::Called(name, _, value) | Event::Resumed(name, value) if name == call => value,
            _ => None,
        }
    }
}

/// The calls and returns of a trace, each with its thread.
fn events(trace: &str) -> impl Iterator<Item = (u32, Event<'_>)> {
    trace.lines().filter_map(|line| {
        let (thread, line) = line.split_once(' ')?;
        let (thread, line) = (thread.parse().ok()?, line.trim_start());
        let value = line.rsplit_once(" = ").and_then(|(_, value)| number(value));
        if let Some(resumed) = line.strip_prefix("<... ") {
            let name = resumed.split_once(' ')?.0;
            return Some((thread, Event::Resumed(name, value)));
        }
        let (name, rest) = line.split_once('(')?;
        let is_name = name
            .bytes()
            .all(|byte| byte == b'_' || byte.is_ascii_alphanumeric());
        is_name.then_some((thread, Event::Called(name, rest, value)))
    })
}

/// The arguments of a call, missing ones as 0.
fn numbers(arguments: &str) -> [u64; 6] {
    let end = arguments.find([')', '<']).unwrap_or(arguments.len());
    let mut numbers = [0; 6];
    for (place, text) in numbers.iter_mut().zip(arguments[..end].split(',')) {
        *place = number(text).unwrap_or(0);
    }
    numbers
}

/// The number that a text begins with.
fn number(text: &str) -> Option<u64> {
    let word = text.split_whitespace().next()?;
    match word.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => word.parse().ok(),
    }
}

/// The workers of a trace, and whose each thread is.
struct Workers {
    workers: Vec<Worker>,
    threads: HashMap<u32, usize>,
}

struct Worker {
    is_runner: bool,
    /// How many programs it has put on; a filter is two.
    installed: usize,
}

impl Worker {
    fn phase(&self) -> Option<Phase> {
        match (self.is_runner, self.installed) {
            (_, ..2) => None,
            (false, _) => Some(Phase::Compiler),
            (true, ..4) => Some(Phase::Load),
            (true, _) => Some(Phase::Run),
        }
    }
}

impl Workers {
    /// A thread may be seen before the call that started it returns, so that all are looked for first.
    fn of(trace: &str) -> Self {
        let (mut workers, mut threads) = (Vec::new(), HashMap::new());
        for (thread, event) in events(trace) {
            if let Event::Called("execve", arguments, _) = event {
                let program = arguments.split('"').nth(1).unwrap_or_default();
                let is_runner = program.ends_with("/hotcell-runner");
                if is_runner || program.ends_with("/hotcell-compiler") {
                    threads.insert(thread, workers.len());
                    workers.push(Worker {
                        is_runner,
                        installed: 0,
                    });
                }
            }
            if let (Some(child), Some(&worker)) = (event.returned("clone"), threads.get(&thread))
                && let Ok(child) = child.try_into()
            {
                threads.insert(child, worker);
            }
        }
        Self { workers, threads }
    }

    fn of_thread(&mut self, thread: u32) -> Option<&mut Worker> {
        self.workers.get_mut(*self.threads.get(&thread)?)
    }

    fn count(&self) -> [usize; 2] {
        let runners = self
            .workers
            .iter()
            .filter(|worker| worker.is_runner)
            .count();
        [self.workers.len() - runners, runners]
    }
}
