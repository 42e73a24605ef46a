//! The audit trail: begun before anything is looked at, finished with how it ended, whatever happens between.

use hotcell::limit::Limits;
use hotcell::outcome::{Blame, OutcomeKind};
use hotcell::report::Report;
use hotcell::{
    ArrayType, Audit, AuditRecord, Cell, Component, Consignment, Delivery, NamedArray, Undelivered,
    Verb,
};
use hotcell_tests::{Guest, Ledger, assert_ended, cell, honest_request, isolation};
use std::io;
use std::sync::Arc;

fn honest() -> Component {
    Guest::named("honest").component()
}

fn garbage() -> Component {
    Component::new(b"not wasm".to_vec())
}

fn defaults() -> Limits {
    Limits::defaults(Default::default())
}

fn kept() -> (Cell, Arc<Ledger>) {
    let ledger = Arc::new(Ledger::keeping_reports());
    let cell = cell(isolation!()).audit(ledger.clone()).build();
    (cell.unwrap(), ledger)
}

/// A sink that is full.
struct Full;

impl Audit for Full {
    fn begin(&self, _record: &AuditRecord) -> io::Result<()> {
        Err(io::ErrorKind::StorageFull.into())
    }

    fn finish(&self, record: &AuditRecord, _report: &Report) {
        panic!("what did not begin does not finish: {record:?}");
    }
}

#[test]
fn without_a_record_nothing_is_read_compiled_or_run() {
    let cell = cell(isolation!()).audit(Arc::new(Full)).build().unwrap();
    // Were it looked at, this would be an invalid component.
    let ended = cell.run(&garbage(), honest_request());
    assert_ended(&ended, OutcomeKind::HostFault, Some(Blame::Operator));
    let refusals = [
        cell.describe(&garbage(), &defaults()).err(),
        cell.prepare_only(&garbage(), &honest_request()).err(),
        cell.doctor(&garbage()).err(),
        cell.doctor_gpu().err(),
    ];
    for refusal in refusals {
        assert_eq!(refusal.unwrap().kind, OutcomeKind::HostFault);
    }
}

#[test]
fn every_verb_has_a_record_and_failures_have_theirs() {
    let (cell, ledger) = kept();
    for component in [honest(), garbage()] {
        let _ = cell.describe(&component, &defaults());
        let _ = cell.prepare_only(&component, &honest_request());
        let _ = cell.run(&component, honest_request());
    }
    for verb in [Verb::Describe, Verb::Compile, Verb::Launch] {
        let reports = ledger.finished(verb);
        let mut kinds: Vec<_> = reports.iter().map(|report| report.outcome.kind).collect();
        kinds.sort_by_key(|kind| kind.exit_code());
        let expected = [OutcomeKind::Done, OutcomeKind::InvalidComponent];
        assert_eq!(kinds, expected, "{verb:?}");
    }
}

#[test]
fn a_permit_that_is_dropped_ends_its_record() {
    let (cell, ledger) = kept();
    let permit = cell.authorize(&honest(), honest_request()).ok().unwrap();
    assert_eq!(ledger.begun(Verb::Launch), 1);
    assert!(ledger.finished(Verb::Launch).is_empty());
    drop(permit);
    let reports = ledger.finished(Verb::Launch);
    assert_eq!(reports[0].outcome.kind, OutcomeKind::Cancelled);
}

type Send = fn() -> Result<(), Undelivered>;

/// Delivers as its function says.
struct Sending(Send);

impl Delivery for Sending {
    fn prepare(&self, outputs: &[(&str, &ArrayType)]) -> Result<Box<dyn Consignment>, Undelivered> {
        assert_eq!(outputs[0].0, "out");
        Ok(Box::new(Self(self.0)))
    }
}

impl Consignment for Sending {
    fn deliver(
        self: Box<Self>,
        results: &[NamedArray],
        go_on: &dyn Fn() -> io::Result<()>,
    ) -> Result<(), Undelivered> {
        assert_eq!(results[0].name, "out");
        go_on().expect("there is time left");
        self.0()
    }
}

#[test]
fn a_record_says_done_only_of_what_was_delivered() {
    let (cell, ledger) = kept();
    let sendings: [(Send, OutcomeKind); 3] = [
        (|| Ok(()), OutcomeKind::Done),
        (
            || Err(Undelivered::Io("no space".to_owned())),
            OutcomeKind::Io,
        ),
        (
            || panic!("a delivery that is broken"),
            OutcomeKind::HostFault,
        ),
    ];
    for (sending, kind) in sendings {
        let request = honest_request().deliver_to(Arc::new(Sending(sending)));
        let ended = cell.run(&honest(), request);
        assert_eq!(ended.outcome.kind, kind, "{:?}", ended.outcome);
        assert_eq!(ended.results.is_empty(), kind != OutcomeKind::Done);
        assert_eq!(ended.report.results.is_empty(), kind != OutcomeKind::Done);
        // What it cost is known all the same.
        assert_eq!(ended.report.usage.instances, 1);
        assert!(ledger.finished(Verb::Launch).contains(&ended.report));
    }
}

#[test]
fn what_cannot_be_delivered_is_refused_before_anything_runs() {
    struct Nowhere;
    impl Delivery for Nowhere {
        fn prepare(&self, _: &[(&str, &ArrayType)]) -> Result<Box<dyn Consignment>, Undelivered> {
            Err(Undelivered::Usage("there is no output `y`".to_owned()))
        }
    }
    let (cell, _ledger) = kept();
    let ended = cell.run(&honest(), honest_request().deliver_to(Arc::new(Nowhere)));
    assert_ended(&ended, OutcomeKind::Usage, Some(Blame::Request));
    assert_eq!(ended.report.usage.instances, 0);
}
