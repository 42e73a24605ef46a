//! A bomb beside honest work: another tenant's compilations get through while it burns.

use super::timed;
use hotcell::limit::Limit;
use hotcell::outcome::{Outcome, OutcomeKind};
use hotcell::report::CacheOutcome;
use hotcell::{Isolation, Request};
use hotcell_tests::bombs::Bomb;
use hotcell_tests::{Arena, Guest, honest_request};
use std::time::{Duration, Instant};

#[test]
fn another_tenants_compilations_succeed_beside_a_bomb() {
    let arena = Arena::of(Isolation::Confined);
    let bomb = Bomb::named("locals").component();
    let burning = of_tenant("hostile").limit(Limit::CompileMemory, 4 << 30);
    let launch = arena.cell.start(&bomb, burning).expect("it starts");
    let begin = Instant::now();
    for number in 0..5 {
        let guest = Guest::of(format!("(func $attack (drop (i32.const {number})))"));
        let ended = arena.cell.run(&guest.component(), of_tenant("honest"));
        assert_eq!(ended.outcome, Outcome::done());
        let cache = ended.report.timings.cache;
        assert!(matches!(cache, Some(CacheOutcome::Miss(_))), "{cache:?}");
    }
    let beside = begin.elapsed();
    let ended = launch.wait();
    assert_eq!(
        ended.outcome.kind,
        OutcomeKind::Limit,
        "{:?}",
        ended.outcome
    );
    let burned = Duration::from_nanos(ended.report.timings.compile_ns);
    assert!(
        beside < burned,
        "nothing burned beside them: {beside:?}, {burned:?}"
    );
}

fn of_tenant(name: &str) -> Request {
    honest_request().tenant(name.parse().expect("it is a tenant's name"))
}

#[test]
fn a_bomb_that_is_cancelled_stops_burning() {
    let arena = Arena::of(Isolation::Confined);
    let bomb = Bomb::named("locals").component();
    let launch = arena
        .cell
        .start(&bomb, honest_request())
        .expect("it starts");
    std::thread::sleep(Duration::from_millis(500));
    launch.cancel();
    let (ended, elapsed) = timed(|| launch.wait());
    assert_eq!(
        ended.outcome.kind,
        OutcomeKind::Cancelled,
        "{:?}",
        ended.outcome
    );
    assert!(elapsed < Duration::from_secs(5), "{elapsed:?}");
    arena.assert_serves();
}
