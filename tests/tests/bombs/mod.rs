//! Components that are as dear to compile as their counts allow, against the compile process's limits.

mod beside;
mod shapes;

use hotcell::limit::Limit;
use hotcell::{Ended, Request};
use hotcell_tests::honest_request;
use std::time::{Duration, Instant};

/// The tight limits of these tests.
const WALL: Duration = Duration::from_millis(300);
const MEMORY: u64 = 128 << 20;

/// The honest request with little time and memory to compile in.
fn tight() -> Request {
    honest_request()
        .limit(Limit::CompileWall, 300_000_000)
        .limit(Limit::CompileCpu, 1_000_000_000)
        .limit(Limit::CompileMemory, MEMORY)
}

/// How long a launch took, with its end.
fn timed(run: impl FnOnce() -> Ended) -> (Ended, Duration) {
    let begin = Instant::now();
    let ended = run();
    (ended, begin.elapsed())
}
