//! The last of everything, for a page that people look at: what runs, how requests ended, what was odd, what compilations took.
//!
//! Each list has a fixed length and its strings are used again, so that noting a launch allocates nothing once the lists are
//! full. Texts are escaped when they are handed out: control characters and what reorders or hides text. Whoever makes HTML of
//! them escapes for that too.

use hotcell_model::audit::{AuditRecord, Verb};
use hotcell_model::digest::RunId;
use hotcell_model::outcome::{Blame, OutcomeKind};
use hotcell_model::report::{Alert, AlertKind, Compilation, Report, Severity};
use hotcell_model::text;
use hotcell_model::time::Timestamp;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many of each are kept.
const KEPT: usize = 64;
/// How many compilations are kept.
const COMPILATIONS: usize = 256;
/// How many running requests are listed.
const RUNNING: usize = 256;
/// The longest text that is handed out.
const TEXT_BYTES: usize = 512;

/// A request that runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Running {
    /// Its id, in hexadecimal digits.
    pub run_id: String,
    /// What was asked for.
    pub verb: &'static str,
    /// Who is charged.
    pub tenant: String,
    /// Where the component was read from, if it was a file.
    pub path: String,
    /// The entry that was named.
    pub entry: String,
    /// When it began.
    pub started: Timestamp,
}

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Its id, in hexadecimal digits.
    pub run_id: String,
    /// What was asked for.
    pub verb: Verb,
    /// Who is charged.
    pub tenant: String,
    /// The name in the component's manifest.
    pub kernel: String,
    /// The entry.
    pub entry: String,
    /// When it began.
    pub started: Timestamp,
    /// The kind of end.
    pub outcome: OutcomeKind,
    /// Whose doing it was; absent when all went well.
    pub blame: Option<Blame>,
    /// What happened; empty when all went well.
    pub message: String,
    /// Wall-clock time of the execution.
    pub wall_ns: u64,
    /// CPU time of the execution.
    pub cpu_ns: u64,
}

/// An alert, and what it was about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecentAlert {
    /// When it was raised.
    pub at: Timestamp,
    /// What kind of thing.
    pub kind: AlertKind,
    /// How much it matters.
    pub severity: Severity,
    /// What was seen.
    pub message: String,
    /// Who is charged; empty if it is about no request.
    pub tenant: String,
    /// The name in the component's manifest.
    pub kernel: String,
    /// The request's id; empty if it is about none.
    pub run_id: String,
}

/// What one compilation took, beside what was usual.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompilationPoint {
    /// When it ended.
    pub at: Timestamp,
    /// Bytes of code.
    pub code_bytes: u64,
    /// CPU time.
    pub cpu_ns: u64,
    /// The CPU time that was usual for so much code.
    pub usual_cpu_ns: u64,
    /// Whether it was far off.
    pub is_far: bool,
}

/// The last of everything.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    running: Mutex<Slots>,
    ended: Mutex<VecDeque<(RunId, Ended)>>,
    alerts: Mutex<VecDeque<RecentAlert>>,
    compilations: Mutex<VecDeque<CompilationPoint>>,
}

/// Places that are used again: those before `used` are taken.
#[derive(Debug, Default)]
struct Slots {
    places: Vec<(RunIdOrNone, Running)>,
    used: usize,
}

type RunIdOrNone = Option<RunId>;

impl Recent {
    /// A request was begun.
    pub(crate) fn begun(&self, record: &AuditRecord) {
        let mut running = lock(&self.running);
        let used = running.used;
        if used >= RUNNING {
            return;
        }
        if running.places.len() == used {
            running.places.push(Default::default());
        }
        let (id, place) = &mut running.places[used];
        *id = Some(record.run_id);
        place.verb = record.verb.name();
        place.started = record.started;
        refill(&mut place.tenant, record.tenant.as_str());
        refill(&mut place.path, record.path.as_deref().unwrap_or(""));
        refill(&mut place.entry, &record.entry);
        running.used += 1;
    }

    /// It has ended.
    pub(crate) fn ended(&self, record: &AuditRecord, report: &Report) {
        self.no_longer_runs(record.run_id);
        let mut all = lock(&self.ended);
        let mut place = match all.len() >= KEPT {
            true => all.pop_front(),
            false => None,
        }
        .unwrap_or_else(|| (record.run_id, Ended::empty()));
        let (id, ended) = &mut place;
        *id = record.run_id;
        ended.verb = record.verb;
        ended.started = record.started;
        ended.outcome = report.outcome.kind;
        ended.blame = report.outcome.blame;
        ended.wall_ns = report.usage.wall_ns;
        ended.cpu_ns = report.usage.cpu_ns;
        refill(&mut ended.tenant, record.tenant.as_str());
        refill(&mut ended.kernel, &report.component.name);
        refill(&mut ended.entry, &report.component.entry);
        refill(&mut ended.message, &report.outcome.message);
        all.push_back(place);
    }

    fn no_longer_runs(&self, run_id: RunId) {
        let mut running = lock(&self.running);
        let used = running.used;
        let places = &mut running.places[..used];
        let Some(at) = places.iter().position(|(id, _)| *id == Some(run_id)) else {
            return;
        };
        places.swap(at, used - 1);
        running.used -= 1;
    }

    /// An alert was raised.
    pub(crate) fn alert(
        &self,
        at: Timestamp,
        alert: &Alert,
        about: Option<(&AuditRecord, &Report)>,
    ) {
        let recent = RecentAlert {
            at,
            kind: alert.kind,
            severity: alert.kind.severity(),
            message: clean(&alert.message),
            tenant: about.map_or(String::new(), |(record, _)| {
                record.tenant.as_str().to_owned()
            }),
            kernel: about.map_or(String::new(), |(_, report)| clean(&report.component.name)),
            run_id: about.map_or(String::new(), |(record, _)| record.run_id.to_string()),
        };
        push(&mut lock(&self.alerts), recent, KEPT);
    }

    /// A compilation was held against what is usual.
    pub(crate) fn compilation(
        &self,
        at: Timestamp,
        cost: &Compilation,
        usual_cpu_ns: u64,
        is_far: bool,
    ) {
        let point = CompilationPoint {
            at,
            code_bytes: cost.code_bytes,
            cpu_ns: cost.cpu_ns,
            usual_cpu_ns,
            is_far,
        };
        push(&mut lock(&self.compilations), point, COMPILATIONS);
    }

    /// What runs, oldest first.
    pub(crate) fn running(&self) -> Vec<Running> {
        let running = lock(&self.running);
        let shown = |(id, place): &(RunIdOrNone, Running)| Running {
            run_id: id.map(|id| id.to_string()).unwrap_or_default(),
            tenant: place.tenant.clone(),
            path: escape(&place.path),
            entry: clean(&place.entry),
            ..*place
        };
        let mut all: Vec<Running> = running.places[..running.used].iter().map(shown).collect();
        all.sort_by_key(|running| running.started);
        all
    }

    /// The last ends, newest first.
    pub(crate) fn latest(&self) -> Vec<Ended> {
        let shown = |(id, ended): &(RunId, Ended)| Ended {
            run_id: id.to_string(),
            tenant: ended.tenant.clone(),
            kernel: clean(&ended.kernel),
            entry: clean(&ended.entry),
            message: clean(&ended.message),
            ..*ended
        };
        lock(&self.ended).iter().rev().map(shown).collect()
    }

    /// The last alerts, newest first.
    pub(crate) fn alerts(&self) -> Vec<RecentAlert> {
        lock(&self.alerts).iter().rev().cloned().collect()
    }

    /// The last compilations, oldest first.
    pub(crate) fn compilations(&self) -> Vec<CompilationPoint> {
        lock(&self.compilations).iter().copied().collect()
    }
}

impl Ended {
    fn empty() -> Self {
        Self {
            run_id: String::new(),
            verb: Verb::Launch,
            tenant: String::new(),
            kernel: String::new(),
            entry: String::new(),
            started: Timestamp::default(),
            outcome: OutcomeKind::Done,
            blame: None,
            message: String::new(),
            wall_ns: 0,
            cpu_ns: 0,
        }
    }
}

fn lock<T>(all: &Mutex<T>) -> MutexGuard<'_, T> {
    all.lock().unwrap_or_else(PoisonError::into_inner)
}

fn push<T>(all: &mut VecDeque<T>, one: T, most: usize) {
    if all.len() >= most {
        all.pop_front();
    }
    all.push_back(one);
}

/// Puts a text into a string that is used again, cut where it is too long.
fn refill(place: &mut String, text: &str) {
    place.clear();
    place.push_str(&text[..text.floor_char_boundary(TEXT_BYTES)]);
}

/// A text of the host, in which guests' words were escaped already.
pub(crate) fn clean(text: &str) -> String {
    text::clean(text, TEXT_BYTES)
}

/// A text as its author chose it.
fn escape(text: &str) -> String {
    text::escape(text, TEXT_BYTES)
}
