//! A cell to attack, and what the end of an attack is checked for.

use crate::guest::Guest;
use crate::ledger::Ledger;
use hotcell::limit::{Amount, Limit};
use hotcell::outcome::{Blame, Outcome, OutcomeKind};
use hotcell::report::{Alert, AlertKind, LogLine, Report};
use hotcell::{
    Array, Audit, AuditRecord, Cell, CellBuilder, Component, Ended, Isolation, Launch, Observer,
    Request, Terms, Tier,
};
use std::path::PathBuf;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

/// How many bytes the honest request carries.
const BYTES: u64 = 4096;

/// A cell that must survive whatever runs in it, and whose workers are honest: when it is dropped, no launch may have
/// had an alert that the test has not asked for.
pub struct Arena {
    /// The cell.
    pub cell: Cell,
    honest: Component,
    alarm: Arc<Alarm>,
}

/// Hears the alerts of every launch.
#[derive(Default)]
pub(crate) struct Alarm {
    alerts: Mutex<Vec<Alert>>,
    /// Records have to balance, too.
    ledger: Ledger,
}

impl Alarm {
    /// The alerts so far, each once.
    fn take(&self) -> Vec<Alert> {
        std::mem::take(&mut *self.alerts.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Checks that there is no alert that nobody has taken.
    #[track_caller]
    pub(crate) fn assert_silent(&self) {
        let alerts = self.take();
        // A test that fails already has more to say.
        assert!(
            alerts.is_empty() || std::thread::panicking(),
            "nothing here is hostile but guests: {alerts:?}"
        );
    }
}

impl Audit for Alarm {
    fn begin(&self, begun: &AuditRecord) -> std::io::Result<()> {
        self.ledger.begin(begun)
    }

    fn finish(&self, begun: &AuditRecord, report: &Report) {
        self.ledger.finish(begun, report);
        let mut alerts = self.alerts.lock().unwrap_or_else(PoisonError::into_inner);
        alerts.extend(report.alerts.iter().cloned());
    }
}

/// An [`Arena`] of the isolation that the calling module is a test of: a module whose path has `confined` in it
/// gets confined workers. So one file of tests serves for both.
#[macro_export]
macro_rules! arena {
    () => {
        $crate::Arena::of($crate::isolation!())
    };
}

/// The isolation that the calling module is a test of.
#[macro_export]
macro_rules! isolation {
    () => {
        $crate::isolation_of(module_path!())
    };
}

/// The isolation that the module of that path is a test of.
pub fn isolation_of(module_path: &str) -> Isolation {
    match module_path.contains("confined") {
        true => Isolation::Confined,
        false => Isolation::InProcess,
    }
}

/// Begins a cell of that isolation, which grants whatever a request wants, and whose audit records must balance at its
/// end.
pub fn cell(isolation: Isolation) -> CellBuilder {
    let builder = match isolation {
        Isolation::InProcess => Cell::in_process(),
        Isolation::Confined | Isolation::Guarded => {
            Cell::confined().workers(workers()).require_tier(tier())
        }
    };
    let policy = Terms::default().with_all_grants();
    builder.policy(policy).audit(Arc::new(Ledger::default()))
}

/// Tells when the first line is heard.
struct FirstWord(Mutex<Option<Sender<()>>>);

impl Observer for FirstWord {
    fn log(&self, _: &LogLine) {
        let mut sender = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = sender.take() {
            let _ = sender.send(());
        }
    }
}

/// Where the worker programs are that were built with this test.
///
/// # Panics
/// They were not built.
pub fn workers() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its executable");
    test.ancestors()
        .map(|folder| folder.join("libexec/hotcell"))
        .find(|folder| folder.join("hotcell-runner").is_file())
        .expect("build the workers first: cargo xtask workers")
}

/// The tier that tests ask for: where nothing may be skipped, the full one.
pub fn tier() -> Tier {
    match crate::skip::is_forbidden() {
        true => Tier::Full,
        false => Tier::Insecure,
    }
}

impl Arena {
    /// A cell of its own, without a cache on disk.
    pub fn of(isolation: Isolation) -> Self {
        let alarm = Arc::<Alarm>::default();
        let cell = cell(isolation).audit(alarm.clone()).build();
        let cell = cell.expect("a cell without a cache is always to be had");
        Self::heard(cell, alarm)
    }

    /// Starts a launch of a guest that says a word once it has begun, and waits until it has: from here on it runs,
    /// however slow the machine.
    ///
    /// # Panics
    /// It ended without a word.
    pub fn begun(&self, guest: &Guest, request: Request) -> Launch {
        let (sender, first) = channel();
        let observer = Arc::new(FirstWord(Mutex::new(Some(sender))));
        let launch = self
            .cell
            .start(&guest.component(), request.observer(observer))
            .unwrap_or_else(|ended| panic!("it does not start: {:?}", ended.outcome));
        match first.recv() {
            Ok(()) => launch,
            Err(_) => panic!("it ended without a word: {:?}", launch.wait().outcome),
        }
    }

    /// Uses that cell. What its launches have for alerts is the test's to look at.
    pub fn with(cell: Cell) -> Self {
        Self::heard(cell, Arc::default())
    }

    fn heard(cell: Cell, alarm: Arc<Alarm>) -> Self {
        let honest = Guest::named("honest").component();
        Self {
            cell,
            honest,
            alarm,
        }
    }

    /// The kinds of the alerts since the last look: these are asked for.
    pub fn take_alerts(&self) -> Vec<AlertKind> {
        let alerts = self.alarm.take();
        alerts.into_iter().map(|alert| alert.kind).collect()
    }

    /// Runs a hostile guest, then an honest one that must work as if nothing had been.
    #[track_caller]
    pub fn run(&self, guest: &Guest, request: Request) -> Ended {
        let ended = self.cell.run(&guest.component(), request);
        self.assert_serves();
        ended
    }

    /// Runs the hostile guest of that name with the honest request.
    #[track_caller]
    pub fn attack(&self, name: &str) -> Ended {
        self.run(&Guest::named(name), honest_request())
    }

    /// Runs the honest guest and checks its every byte.
    #[track_caller]
    pub fn assert_serves(&self) {
        let ended = self.cell.run(&self.honest, honest_request());
        assert_eq!(
            ended.outcome,
            Outcome::done(),
            "an honest kernel does not work any more"
        );
        let out = ended
            .array("out")
            .expect("a launch that is done has its output");
        assert_eq!(
            out.to_vec::<u8>().expect("the output is u8"),
            honest_bytes()
        );
        assert_eq!(ended.report.usage.bytes_out, BYTES);
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        self.alarm.assert_silent();
    }
}

/// A request that every guest's default manifest accepts: 4096 bytes.
pub fn honest_request() -> Request {
    let x = Array::from_slice(&honest_bytes(), [BYTES]).expect("the shape is that of the bytes");
    Request::new().input("x", x)
}

fn honest_bytes() -> Vec<u8> {
    (0..=u8::MAX).cycle().take(4096).collect()
}

/// Checks an end's kind and blame, that the report says the same, and that a failed launch has no results.
#[track_caller]
pub fn assert_ended(ended: &Ended, kind: OutcomeKind, blame: Option<Blame>) {
    let (outcome, report) = (&ended.outcome, &ended.report.outcome);
    assert_eq!((outcome.kind, outcome.blame), (kind, blame), "{outcome:?}");
    assert_eq!((report.kind, report.blame), (kind, blame));
    assert_eq!(report.message, outcome.message);
    assert_eq!(
        outcome.message.is_empty(),
        kind == OutcomeKind::Done,
        "{outcome:?}"
    );
    assert!(
        !outcome.message.chars().any(char::is_control),
        "a message must be one plain line: {:?}",
        outcome.message
    );
    assert_eq!(ended.results.is_empty(), !outcome.keeps_outputs());
}

/// Checks that an end was by `limit` of `maximum`, with blame, kind and both numbers; returns the amount.
#[track_caller]
pub fn assert_breached(ended: &Ended, limit: Limit, maximum: u64) -> u64 {
    let kind = match limit {
        Limit::Fuel => OutcomeKind::OutOfFuel,
        Limit::Timeout | Limit::CpuTime => OutcomeKind::Timeout,
        Limit::Memory | Limit::TableElements => OutcomeKind::MemoryLimit,
        _ => OutcomeKind::Limit,
    };
    assert_ended(ended, kind, Some(Blame::Guest));
    let breach = ended.outcome.breach();
    let breach = breach.unwrap_or_else(|| panic!("{:?}", ended.outcome));
    assert_eq!((breach.limit, breach.maximum), (limit, maximum));
    assert_eq!(ended.report.outcome, ended.outcome);
    match breach.amount {
        Amount::Requested(value) => assert!(value > maximum, "{breach}"),
        Amount::Used(value) => assert!(value >= maximum, "{breach}"),
    }
    breach.amount.value()
}
