//! An audit sink for every cell of the tests: at the cell's end each record that was begun must have been finished,
//! once, and nothing else have been.

use hotcell::report::Report;
use hotcell::{Audit, Begun, Verb};
use std::collections::HashMap;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Keeps records, and panics in its end if they do not balance.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Every record's verb, and the reports that finished it.
    records: Mutex<HashMap<String, (Verb, Vec<Report>)>>,
}

impl Ledger {
    /// How many records of that verb have begun.
    pub fn begun(&self, verb: Verb) -> usize {
        let records = self.records();
        records.values().filter(|(known, _)| *known == verb).count()
    }

    /// The reports of that verb.
    pub fn finished(&self, verb: Verb) -> Vec<Report> {
        let records = self.records();
        let of_verb = records.values().filter(|(known, _)| *known == verb);
        of_verb.flat_map(|(_, reports)| reports.clone()).collect()
    }

    fn records(&self) -> MutexGuard<'_, HashMap<String, (Verb, Vec<Report>)>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Audit for Ledger {
    fn begin(&self, begun: &Begun) -> io::Result<()> {
        let record = (begun.verb, Vec::new());
        let earlier = self.records().insert(begun.run_id.to_string(), record);
        assert!(earlier.is_none(), "a record began twice: {begun:?}");
        Ok(())
    }

    fn finish(&self, begun: &Begun, report: &Report) {
        let mut records = self.records();
        let record = records.get_mut(&begun.run_id.to_string());
        let (_, reports) = record.expect("what finishes has begun");
        assert_eq!(report.run_id, begun.run_id);
        reports.push(report.clone());
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        for (id, (verb, reports)) in self.records().iter() {
            let count = reports.len();
            assert_eq!(
                count, 1,
                "record {id} ({verb:?}) was finished {count} times"
            );
        }
    }
}
