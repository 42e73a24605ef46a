//! An audit sink for every cell of the tests: at the cell's end each record that was begun must have been finished,
//! once, and nothing else have been.

use hotcell::report::Report;
use hotcell::{Audit, AuditRecord, Verb};
use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Counts records, and panics in its end if they do not balance.
#[derive(Debug, Default)]
pub struct Ledger {
    keeps_reports: bool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The ids of those that have begun and not ended.
    open: HashSet<String>,
    begun: HashMap<Verb, usize>,
    reports: Vec<(Verb, Report)>,
    /// What must not be, in words: a panic of a sink is its cell's to catch.
    broken: Vec<String>,
}

impl Ledger {
    /// One that keeps the reports, too.
    pub fn keeping_reports() -> Self {
        let mut ledger = Self::default();
        ledger.keeps_reports = true;
        ledger
    }

    /// How many records of that verb have begun.
    pub fn begun(&self, verb: Verb) -> usize {
        self.state().begun.get(&verb).copied().unwrap_or(0)
    }

    /// The reports of that verb, where they are kept.
    pub fn finished(&self, verb: Verb) -> Vec<Report> {
        let state = self.state();
        let of_verb = state.reports.iter().filter(|(known, _)| *known == verb);
        of_verb.map(|(_, report)| report.clone()).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Audit for Ledger {
    fn begin(&self, record: &AuditRecord) -> io::Result<()> {
        let mut state = self.state();
        *state.begun.entry(record.verb).or_default() += 1;
        if !state.open.insert(record.run_id.to_string()) {
            state.broken.push(format!("began twice: {record:?}"));
        }
        if record.end.is_some() {
            state
                .broken
                .push(format!("ended before it began: {record:?}"));
        }
        Ok(())
    }

    fn finish(&self, record: &AuditRecord, report: &Report) {
        let mut state = self.state();
        if !state.open.remove(&record.run_id.to_string()) || report.run_id != record.run_id {
            state
                .broken
                .push(format!("finished and not open: {record:?}"));
        }
        let end = record.end.as_ref();
        if end.is_none_or(|end| end.ended < record.started || end.outcome != report.outcome.kind) {
            state
                .broken
                .push(format!("finished without its end: {record:?}"));
        }
        if self.keeps_reports {
            state.reports.push((record.verb, report.clone()));
        }
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let state = self.state();
        assert!(state.broken.is_empty(), "{:?}", state.broken);
        assert!(state.open.is_empty(), "unfinished: {:?}", state.open);
    }
}
