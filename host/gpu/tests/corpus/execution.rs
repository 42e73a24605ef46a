//! Hostile shaders on Mesa's lavapipe, each in a process of its own that is killed in the end.

use crate::child::{CHECKS, DEADLINE, OUTCOME, SHADER};
use crate::header::{Expected, Shader, load};
use hotcell_gpu::device::Device;
use hotcell_model::gpu::GpuDevice;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// Long enough for whatever has fuel.
const WITH_FUEL: Duration = Duration::from_secs(60);
/// The deadline of what only containment ends.
#[cfg(feature = "unchecked")]
const CONTAINED: Duration = Duration::from_secs(3);
/// What a session may take beyond its deadline.
#[cfg(feature = "unchecked")]
const GRACE: Duration = Duration::from_secs(1);
/// What a process may take beyond its session's deadline before it is killed unheard: for opening the device.
const WATCHDOG: Duration = Duration::from_secs(20);

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Outcome {
    /// How long its session took; zero if it never said.
    elapsed: Duration,
    /// What it said: see `child`. `silent` if it had to be killed, `died` if it died.
    what: String,
}

impl Outcome {
    fn unheard(what: &str) -> Self {
        Self {
            elapsed: Duration::ZERO,
            what: what.to_owned(),
        }
    }

    /// Reads the line that a child wrote.
    fn parse(line: &str) -> Option<Self> {
        let (elapsed, what) = line.strip_prefix(OUTCOME)?.split_once(' ')?;
        let elapsed = Duration::from_millis(elapsed.parse().ok()?);
        Some(Self {
            elapsed,
            what: what.to_owned(),
        })
    }
}

/// Runs one shader in a process of its own, which is gone when this returns.
fn run(shader: &Shader, checks: &str, deadline: Duration) -> Outcome {
    let program = std::env::current_exe().expect("this test is a program");
    let mut child = Command::new(program)
        .args([
            "--exact",
            "child::one_shader",
            "--include-ignored",
            "--nocapture",
        ])
        .env(SHADER, &shader.name)
        .env(CHECKS, checks)
        .env(DEADLINE, deadline.as_millis().to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("this program can be started");
    let (sender, lines) = channel();
    let output = BufReader::new(child.stdout.take().expect("it is a pipe"));
    let reader = std::thread::spawn(move || {
        let outcome = output
            .lines()
            .map_while(Result::ok)
            .find_map(|line| Outcome::parse(&line));
        // The other end is gone where the process was given up.
        let _ = sender.send(outcome);
    });
    let outcome = match lines.recv_timeout(deadline + WATCHDOG) {
        Ok(Some(outcome)) => outcome,
        Ok(None) | Err(RecvTimeoutError::Disconnected) => Outcome::unheard("died"),
        Err(RecvTimeoutError::Timeout) => Outcome::unheard("silent"),
    };
    child.kill().expect("it is ours and not yet waited for");
    child.wait().expect("it is ours");
    reader.join().expect("it only reads");
    outcome
}

/// Whether there is a device to run on. Without one, tests that need it say so and pass, unless
/// `HOTCELL_REQUIRE_ALL_TESTS` is set.
fn has_device() -> bool {
    match Device::open(GpuDevice::Software) {
        Ok(_) => true,
        Err(error) => {
            assert!(
                std::env::var_os("HOTCELL_REQUIRE_ALL_TESTS").is_none(),
                "{error}"
            );
            eprintln!("skipped: {error}");
            false
        }
    }
}

/// Runs shaders, as many at once as the machine has cores, and gathers what is wrong with their outcomes.
fn failures(
    shaders: Vec<Shader>,
    checks: &str,
    deadline: Duration,
    judge: impl Fn(&Shader, &Outcome) -> bool + Sync,
) -> Vec<String> {
    let (waiting, wrong) = (Mutex::new(shaders), Mutex::new(Vec::new()));
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let next = waiting.lock().expect("nobody panics with it").pop();
                    let Some(shader) = next else { break };
                    let outcome = run(&shader, checks, deadline);
                    println!("{}: {} in {:?}", shader.name, outcome.what, outcome.elapsed);
                    if !judge(&shader, &outcome) {
                        let line = format!("{}: {outcome:?}", shader.name);
                        wrong.lock().expect("nobody panics with it").push(line);
                    }
                }
            });
        }
    });
    wrong.into_inner().expect("nobody panicked with it")
}

fn is_expected(shader: &Shader, outcome: &Outcome) -> bool {
    let what = outcome.what.as_str();
    match Expected::of(shader) {
        Expected::Refused(part) => {
            (what.starts_with("refused") || what.starts_with("limit")) && what.contains(&part)
        }
        Expected::Limit(limit) => what == format!("limit {limit}"),
        // A driver may not let an invocation make as many turns as fuel would.
        Expected::Fuel => {
            what == "fuel"
                || what.starts_with("lost the driver ended loops")
                || what.contains("the loops of an invocation make")
        }
        Expected::Clamped | Expected::Ends => what == "done",
        Expected::Contained => what == "done" || what.starts_with("refused"),
    }
}

#[test]
fn hostile_shaders_end_as_they_say() {
    if !has_device() {
        return;
    }
    let mut shaders = load("hostile");
    shaders.retain(|shader| !Expected::of(shader).is_refused_at_admission(shader));
    let wrong = failures(shaders, "full", WITH_FUEL, is_expected);
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Without admission and fuel, only the session's deadline and the process are left.
///
/// Lavapipe gives up loops by itself once an invocation made 65 535 turns, so that single endless loops end on it;
/// what keeps it busy is their number.
#[cfg(feature = "unchecked")]
fn is_contained(shader: &Shader, outcome: &Outcome) -> bool {
    match shader.field("unchecked") {
        Some("timeout") => outcome.what == "timeout" && outcome.elapsed <= CONTAINED + GRACE,
        Some("ends") => outcome.what == "done",
        Some("ends or timeout") => {
            ["done", "timeout"].contains(&outcome.what.as_str())
                && outcome.elapsed <= CONTAINED + GRACE
        }
        _ => outcome.elapsed <= CONTAINED + GRACE,
    }
}

#[cfg(feature = "unchecked")]
#[test]
fn containment_alone_holds() {
    if !has_device() {
        return;
    }
    let mut shaders = load("hostile");
    shaders.retain(|shader| shader.field("unchecked") != Some("none"));
    let wrong = failures(shaders, "none", CONTAINED, is_contained);
    assert!(wrong.is_empty(), "{wrong:#?}");
}
