//! Each bomb alone: how it ends, what it costs, and that its shape is the one it is meant to have.

use super::{MEMORY, WALL, tight, timed};
use hotcell::limit::{Limit, Limits};
use hotcell::outcome::{Blame, OutcomeKind};
use hotcell::report::{AlertKind, CacheOutcome};
use hotcell::{Cell, Ended, Isolation, Request};
use hotcell_tests::bombs::{BOMBS, Bomb};
use hotcell_tests::{Arena, honest_request};
use std::time::Duration;

/// What starting, stopping and reporting may take on a busy machine besides the limit itself. The exact
/// figures are in the table that is printed, and in the report of `cargo xtask attack`.
const AROUND: Duration = Duration::from_secs(3);

#[test]
fn every_bomb_passes_the_counts_and_is_at_the_edge_of_one() {
    let cell = Cell::in_process().build().unwrap();
    let limits = Limits::defaults(Default::default());
    for bomb in BOMBS {
        let described = cell.describe(&bomb.component(), &limits);
        let description = described.unwrap_or_else(|outcome| panic!("{}: {outcome:?}", bomb.name));
        let counts = &description.counts;
        let Some(edge) = bomb.edge else { continue };
        let count = match edge {
            Limit::ComponentBytes => counts.component_bytes,
            Limit::Functions => counts.functions,
            Limit::FunctionBytes => counts.largest_function_bytes,
            Limit::FunctionLocals => counts.most_locals,
            Limit::BrTableTargets => counts.most_br_table_targets,
            Limit::Nesting => counts.deepest_nesting,
            Limit::Types => counts.types,
            Limit::Items => counts.items,
            other => panic!("{}: {other} is no count", bomb.name),
        };
        let maximum = limits.get(edge);
        let is_at_the_edge = count > maximum / 10 * 8;
        assert!(
            is_at_the_edge,
            "{}: {count} {} of {maximum}",
            bomb.name, edge
        );
    }
}

#[test]
fn under_tight_limits_every_bomb_ends_in_time_and_within_its_memory() {
    explode_all(&tight(), WALL, MEMORY);
}

/// Wide enough that Cranelift gets to work on every shape. Under the defaults, which take minutes, `cargo xtask
/// attack` explodes them.
#[test]
fn under_wider_limits_every_bomb_ends_in_time_and_within_its_memory() {
    let (wall, memory) = (Duration::from_secs(2), 256 << 20);
    let wall_ns = 2_000_000_000;
    let request = honest_request()
        .limit(Limit::CompileWall, wall_ns)
        .limit(Limit::CompileCpu, wall_ns)
        .limit(Limit::CompileMemory, memory);
    explode_all(&request, wall, memory);
}

#[test]
fn a_bomb_that_failed_costs_nothing_the_second_time() {
    let arena = Arena::of(Isolation::Confined);
    let bomb = Bomb::named("live_values");
    // Its own CPU time ends it, however busy the machine is.
    let request = || tight().limit(Limit::CompileWall, 20_000_000_000);
    let (first, _) = explode(&arena, bomb, request());
    assert_eq!(
        first.outcome.kind,
        OutcomeKind::Limit,
        "{:?}",
        first.outcome
    );
    let (second, elapsed) = explode(&arena, bomb, request());
    assert_eq!(second.outcome.kind, OutcomeKind::Limit);
    assert_eq!(
        second.report.timings.cache,
        Some(CacheOutcome::FailedBefore)
    );
    assert_eq!(second.report.timings.compile_ns, 0);
    assert!(elapsed < WALL, "{elapsed:?}");
    // Whoever allows it more has another go.
    let (third, _) = explode(
        &arena,
        bomb,
        request().limit(Limit::CompileCpu, 900_000_000),
    );
    assert_ne!(third.report.timings.cache, Some(CacheOutcome::FailedBefore));
}

/// Runs every bomb in one cell, which still serves after each; prints a table, and panics with all that was wrong.
fn explode_all(request: &Request, wall: Duration, memory: u64) {
    let arena = Arena::of(Isolation::Confined);
    print_head();
    let mut faults = Vec::new();
    for bomb in BOMBS {
        let (ended, elapsed) = explode(&arena, bomb, request.clone());
        let checked = check(&ended, memory).and_then(|()| {
            // Reading a component and compiling it are held to the limit one after the other.
            (elapsed < 2 * wall + AROUND)
                .then_some(())
                .ok_or(format!("it took {elapsed:?}"))
        });
        faults.extend(checked.err().map(|fault| format!("{}: {fault}", bomb.name)));
        arena.assert_serves();
        // What costs far more than its size is said; nothing else may be.
        let odd = |kind: &AlertKind| *kind != AlertKind::CompilationCost;
        let odd: Vec<AlertKind> = arena.take_alerts().into_iter().filter(odd).collect();
        if !odd.is_empty() {
            faults.push(format!("{}: alerts {odd:?}", bomb.name));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

/// Runs a bomb, and prints what it cost.
fn explode(arena: &Arena, bomb: &Bomb, request: Request) -> (Ended, Duration) {
    let component = bomb.component();
    let (ended, elapsed) = timed(|| arena.cell.run(&component, request));
    print_row(bomb, &ended, elapsed);
    (ended, elapsed)
}

/// Checks how a bomb ended, and the memory of its compile process as it was measured from outside: within
/// the limit, the component and the artifact, which are not the process's own.
fn check(ended: &Ended, maximum: u64) -> Result<(), String> {
    let outcome = &ended.outcome;
    let blame = match outcome.kind {
        OutcomeKind::Done => None,
        OutcomeKind::InvalidComponent | OutcomeKind::Limit => Some(Blame::Guest),
        kind => return Err(format!("{kind}: {}", outcome.message)),
    };
    if outcome.blame != blame {
        return Err(format!(
            "the blame is {:?}: {}",
            outcome.blame, outcome.message
        ));
    }
    let compilation = ended.report.timings.compilation.as_ref();
    let peak = compilation.map_or(0, |compilation| compilation.peak_memory_bytes);
    let limits = Limits::defaults(Default::default());
    let around = limits.get(Limit::ComponentBytes) + limits.get(Limit::ArtifactBytes);
    if peak > maximum + around {
        return Err(format!("its compiler had {peak} bytes"));
    }
    Ok(())
}

fn print_head() {
    println!(
        "{:24} {:>9} {:>9} {:>9} {:>9}  end",
        "bomb", "MB", "wall ms", "CPU ms", "peak MiB"
    );
}

fn print_row(bomb: &Bomb, ended: &Ended, elapsed: Duration) {
    let compilation = ended.report.timings.compilation.clone().unwrap_or_default();
    let breach = ended.outcome.breach().map(|breach| breach.to_string());
    println!(
        "{:24} {:>9.1} {:>9} {:>9} {:>9}  {} {}",
        bomb.name,
        bomb.bytes().len() as f64 / 1e6,
        elapsed.as_millis(),
        compilation.cpu_ns / 1_000_000,
        compilation.peak_memory_bytes >> 20,
        ended.outcome.kind,
        breach.unwrap_or_default(),
    );
}
