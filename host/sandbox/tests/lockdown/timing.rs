//! What a start costs, by phase: printed with `--timing`, for the record and not as a test.

use crate::worker::{KINDS, Phase, start};
use hotcell_model::layer::WorkerKind;
use std::process::ExitCode;
use std::time::{Duration, Instant};

pub(crate) const ARGUMENT: &str = "--timing";

const ROUNDS: usize = 200;

pub(crate) fn print() -> ExitCode {
    for kind in KINDS {
        for phase in [Phase::Born, Phase::Walled, Phase::Locked] {
            let mut times: Vec<Duration> = (0..ROUNDS).map(|_| once(kind, phase)).collect();
            times.sort_unstable();
            let [best, median, late] =
                [0, ROUNDS / 2, ROUNDS * 99 / 100].map(|at| times[at].as_micros());
            println!(
                "{kind:?} spawned to {phase:?}: best {best} µs, median {median} µs, p99 {late} µs"
            );
        }
    }
    ExitCode::SUCCESS
}

fn once(kind: WorkerKind, phase: Phase) -> Duration {
    let begin = Instant::now();
    let worker = start(kind, phase);
    let time = begin.elapsed();
    drop(worker);
    time
}
