//! Whether an attack ended as it must.

use crate::Arguments;
use crate::stage::{End, OLD, Seen};
use hotcell::limit::Limit;
use hotcell::outcome::OutcomeKind;
use hotcell_model::report::{AlertKind, Report, SCHEMA};
use hotcell_tests::corpus::{Attack, BYTES, Expected, Group, Signal};
use std::time::Duration;

/// The most memory that reading a hostile file may take of the command itself.
const READER_BYTES: u64 = 256 << 20;
/// What a launch may take besides what its limits speak of: starting, reading files, reporting.
const AROUND: Duration = Duration::from_secs(5);

/// An attack with its verdict.
pub(crate) struct Row {
    pub(crate) group: Group,
    pub(crate) name: String,
    pub(crate) command: String,
    pub(crate) expected: String,
    pub(crate) got: String,
    pub(crate) wall: Duration,
    pub(crate) cost: Cost,
    /// What was wrong; empty if all was right.
    pub(crate) faults: Vec<String>,
}

/// What an attack cost, as far as it is known.
#[derive(Default)]
pub(crate) struct Cost {
    /// Of the command itself.
    pub(crate) supervisor_peak_bytes: u64,
    /// Of the kernel.
    pub(crate) run_cpu_ns: Option<u64>,
    pub(crate) run_peak_bytes: Option<u64>,
    /// Of the process that compiled.
    pub(crate) compile_wall_ns: Option<u64>,
    pub(crate) compile_cpu_ns: Option<u64>,
    pub(crate) compile_peak_bytes: Option<u64>,
}

impl Row {
    /// One line for who watches.
    pub(crate) fn line(&self) -> String {
        let verdict = if self.faults.is_empty() {
            "ok  "
        } else {
            "FAIL"
        };
        let (name, got, ms) = (&self.name, &self.got, self.wall.as_millis());
        let line = format!("{verdict} {name:32} {got:28} {ms:>6} ms");
        self.faults
            .iter()
            .fold(line, |line, fault| format!("{line}\n     {fault}"))
    }
}

/// Holds what was seen against what must be.
pub(crate) fn judge(arguments: &Arguments, attack: &Attack, seen: Seen) -> Row {
    let mut faults = Vec::new();
    let report = report_of(attack, &seen, &mut faults);
    check_end(attack, &seen, report.as_ref(), &mut faults);
    check_left_behind(attack, &seen, report.as_ref(), &mut faults);
    if let Some(report) = &report {
        check_walls(arguments, attack.group, report, &mut faults);
        check_compilation(arguments, attack, report, &mut faults);
    }
    check_bounds(attack, &seen, &mut faults);
    Row {
        group: attack.group,
        name: attack.name.clone(),
        command: attack.arguments.clone(),
        expected: words_of(&attack.expected),
        got: got(&seen, report.as_ref()),
        wall: seen.wall,
        cost: cost(&seen, report.as_ref()),
        faults,
    }
}

/// The report, where one is due.
fn report_of(attack: &Attack, seen: &Seen, faults: &mut Vec<String>) -> Option<Report> {
    if !attack.has_report() {
        return None;
    }
    let Some(bytes) = &seen.report else {
        faults.push("there is no report".to_owned());
        return None;
    };
    match serde_json::from_slice::<Report>(bytes) {
        Ok(report) if report.schema == SCHEMA => Some(report),
        Ok(report) => {
            faults.push(format!("the report is of schema {}", report.schema));
            None
        }
        Err(error) => {
            faults.push(format!("the report is not valid: {error}"));
            None
        }
    }
}

fn check_end(attack: &Attack, seen: &Seen, report: Option<&Report>, faults: &mut Vec<String>) {
    let code = |kind: OutcomeKind| End::Code(i32::from(kind.exit_code()));
    let is_expected = match &attack.expected {
        Expected::Outcome(kinds, _) => kinds.iter().any(|kind| code(*kind) == seen.end),
        Expected::NoLaunch(kind) => code(*kind) == seen.end,
        Expected::Killed => seen.end == End::Signal(rustix::process::Signal::KILL.as_raw()),
    };
    if !is_expected {
        let said = seen.stderr.lines().next().unwrap_or("nothing was said");
        let said: String = said.chars().take(300).collect();
        faults.push(format!("it ended otherwise: {said}"));
    }
    let (Some(report), Expected::Outcome(_, blame)) = (report, &attack.expected) else {
        return;
    };
    if code(report.outcome.kind) != seen.end {
        faults.push(format!("the report says {}", report.outcome.kind));
    }
    if is_expected && blame.is_some() && report.outcome.blame != *blame {
        faults.push(format!("the blame is {:?}", report.outcome.blame));
    }
}

fn check_left_behind(
    attack: &Attack,
    seen: &Seen,
    report: Option<&Report>,
    faults: &mut Vec<String>,
) {
    for process in &seen.left_processes {
        faults.push(format!("{process} outlived the command"));
    }
    let was_killed = attack
        .disturbance
        .is_some_and(|sent| sent.signal == Signal::Kill);
    if !was_killed {
        // A command that is killed cannot clear away its temporary files.
        let files = seen.left_files.iter();
        faults.extend(files.map(|file| format!("it left {file} behind")));
    }
    let is_whole = seen.out.starts_with(b"\x93NUMPY") && seen.out.len() == 128 + BYTES;
    let writes = attack.arguments.contains("out=@out.npy");
    let keeps = report
        .is_some_and(|report| report.outcome.kind == OutcomeKind::Done || report.outcome.partial);
    let is_right = match (was_killed, keeps && writes) {
        (true, _) => is_whole || seen.out == OLD,
        // A mutated kernel may have another shape in mind.
        (false, true) => is_whole || attack.group == Group::Component && seen.out != OLD,
        (false, false) => seen.out == OLD,
    };
    if !is_right {
        let len = seen.out.len();
        faults.push(format!(
            "out.npy has {len} bytes and is neither the old nor the new one"
        ));
    }
}

fn check_walls(arguments: &Arguments, group: Group, report: &Report, faults: &mut Vec<String>) {
    if report.isolation.to_string() != arguments.isolation {
        faults.push(format!("the isolation was {}", report.isolation));
    }
    let is_confined = arguments.isolation == "confined";
    match &report.walls {
        Some(walls) if walls.tier < arguments.tier_of(group) => {
            faults.push(format!("the walls were {}", walls.tier));
        }
        None if is_confined && report.outcome.kind == OutcomeKind::Done => {
            faults.push("the report has no walls".to_owned());
        }
        _ => {}
    }
    for alert in &report.alerts {
        // The corpus attacks with components and files: its workers are ours, and stay so.
        if matches!(
            alert.kind,
            AlertKind::HostileWorker
                | AlertKind::ClaimMismatch
                | AlertKind::FilterKill
                | AlertKind::WorkerDied
        ) {
            faults.push(format!("alert: {}", alert.message));
        }
    }
}

/// Holds a compilation against its limits, as measured from outside.
fn check_compilation(
    arguments: &Arguments,
    attack: &Attack,
    report: &Report,
    faults: &mut Vec<String>,
) {
    let is_confined = arguments.isolation == "confined";
    let Some((wall_ns, memory)) = attack.compile_limits.filter(|_| is_confined) else {
        return;
    };
    let took = Duration::from_nanos(report.timings.compile_ns);
    let most = Duration::from_nanos(wall_ns) + arguments.leeway();
    if took > most {
        faults.push(format!("it compiled for {took:?}, more than {most:?}"));
    }
    let Some(compilation) = &report.timings.compilation else {
        return;
    };
    let limit = |limit: Limit| limit.default_value(Default::default());
    let around = limit(Limit::ComponentBytes) + limit(Limit::ArtifactBytes);
    let peak = compilation.peak_memory_bytes;
    if peak > memory + around {
        faults.push(format!(
            "its compiler had {peak} bytes, with a limit of {memory}"
        ));
    }
}

fn check_bounds(attack: &Attack, seen: &Seen, faults: &mut Vec<String>) {
    if seen.end == End::Never {
        faults.push(format!("it did not end within {:?}", attack.patience));
    }
    if seen.end == End::Signal(rustix::process::Signal::KILL.as_raw())
        && seen.wall > AROUND + AROUND
    {
        faults.push("it was killed late".to_owned());
    }
    let reads = matches!(
        attack.group,
        Group::Input | Group::Component | Group::Options
    );
    if reads && seen.supervisor_peak_bytes > READER_BYTES {
        let peak = seen.supervisor_peak_bytes;
        faults.push(format!("the command itself had {peak} bytes"));
    }
}

fn words_of(expected: &Expected) -> String {
    match expected {
        Expected::Outcome(kinds, blame) => {
            let mut kinds: Vec<_> = kinds.iter().map(ToString::to_string).collect();
            if kinds.len() > 4 {
                kinds = vec!["any end but the host's".to_owned()];
            }
            let blame = blame.map(|blame| format!(", blame {blame:?}").to_lowercase());
            format!("{}{}", kinds.join(" or "), blame.unwrap_or_default())
        }
        Expected::NoLaunch(kind) => format!("{kind}, no launch"),
        Expected::Killed => "killed, nothing left".to_owned(),
    }
}

fn got(seen: &Seen, report: Option<&Report>) -> String {
    match (seen.end, report) {
        (End::Code(_), Some(report)) => {
            let outcome = &report.outcome;
            let breach = outcome.breach();
            let limit = breach.map(|breach| format!(" ({})", breach.limit));
            format!("{}{}", outcome.kind, limit.unwrap_or_default())
        }
        (End::Code(code), None) => format!("exit code {code}"),
        (End::Signal(signal), _) => format!("signal {signal}"),
        (End::Never, _) => "no end".to_owned(),
    }
}

fn cost(seen: &Seen, report: Option<&Report>) -> Cost {
    let mut cost = Cost {
        supervisor_peak_bytes: seen.supervisor_peak_bytes,
        ..Cost::default()
    };
    let Some(report) = report else {
        return cost;
    };
    let positive = |value: u64| Some(value).filter(|value| *value > 0);
    cost.run_cpu_ns = positive(report.usage.cpu_ns);
    cost.run_peak_bytes = positive(report.usage.peak_memory_bytes);
    cost.compile_wall_ns = positive(report.timings.compile_ns);
    if let Some(compilation) = &report.timings.compilation {
        cost.compile_cpu_ns = positive(compilation.cpu_ns);
        cost.compile_peak_bytes = positive(compilation.peak_memory_bytes);
    }
    cost
}
