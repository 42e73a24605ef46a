//! Workers as walls: what a locked one can do, what becomes of one that turns hostile, stops or dies, and that
//! nothing leaks however long it goes on.

mod compilers;
mod gpus;
mod needed;
mod orphans;
mod outside;
mod phases;
mod probes;
mod reading;
mod runners;
mod soak;

use hotcell::report::AlertKind;
use hotcell::{Array, Ended, Request};
use hotcell_tests::Hostile;

/// A cell whose runner misbehaves, after a real compiler.
fn hostile_runner(behaviour: &str) -> Hostile {
    Hostile::runner(env!("CARGO_BIN_EXE_hostile-worker"), behaviour)
}

/// A cell whose compiler misbehaves, before a real runner.
fn hostile_compiler(behaviour: &str) -> Hostile {
    Hostile::compiler(env!("CARGO_BIN_EXE_hostile-worker"), behaviour)
}

/// A request of that many bytes, each of that value.
fn request_of(byte: u8, bytes: usize) -> Request {
    let x = Array::from_slice(&vec![byte; bytes], [bytes as u64]).expect("the shape fits");
    Request::new().input("x", x)
}

/// The kinds of the alerts of a launch.
fn alerts(ended: &Ended) -> Vec<AlertKind> {
    ended.report.alerts.iter().map(|alert| alert.kind).collect()
}
