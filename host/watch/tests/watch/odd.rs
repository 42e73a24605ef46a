//! What is odd about compilations, and what an adversary can teach.

use crate::harness::{Request, watcher};
use hotcell_model::report::{Alert, AlertKind, CacheOutcome, Compilation};
use hotcell_watch::Watcher;

const KIB: u64 = 1 << 10;
const MS: u64 = 1_000_000;

/// A compilation of 80 KiB of code, which the seed expects to take 224 ms.
fn of_cpu(cpu_ns: u64) -> Compilation {
    Compilation {
        cpu_ns,
        peak_memory_bytes: 60 << 20,
        processes: 2,
        code_bytes: 80 * KIB,
        artifact_bytes: 160 * KIB,
        ..Compilation::default()
    }
}

fn compile(watcher: &Watcher, tenant: &str, component: u8, compilation: Compilation) -> Vec<Alert> {
    let wall_ns = compilation.cpu_ns;
    Request::of(tenant)
        .compiled(component, compilation, wall_ns)
        .watch(watcher)
}

fn kinds(alerts: &[Alert]) -> Vec<AlertKind> {
    alerts.iter().map(|alert| alert.kind).collect()
}

#[test]
fn ten_times_the_seed_is_an_alert_before_anything_is_known() {
    let watcher = watcher();
    assert_eq!(compile(&watcher, "a", 1, of_cpu(2200 * MS)), []);
    let alerts = compile(&watcher, "a", 1, of_cpu(2300 * MS));
    assert_eq!(kinds(&alerts), [AlertKind::CompilationCost]);
    for number in ["2300ms", "80KiB", "224ms"] {
        assert!(alerts[0].message.contains(number), "{}", alerts[0].message);
    }
}

#[test]
fn disk_io_is_an_alert_above_what_starting_the_program_takes() {
    let watcher = watcher();
    let io = |read: u64, written: u64| {
        let compilation = Compilation {
            disk_read_bytes: read,
            disk_written_bytes: written,
            ..of_cpu(200 * MS)
        };
        kinds(&compile(&watcher, "a", 1, compilation))
    };
    // As measured: a program that no memory had, with the note of when it was read.
    assert_eq!(io(18_493_440, 4096), []);
    assert_eq!(io(0, (16 << 10) + 512), [AlertKind::CompilationIo]);
    assert_eq!(io((64 << 20) + 512, 0), [AlertKind::CompilationIo]);
}

#[test]
fn a_slow_ramp_ends_at_ten_times_the_seed() {
    let watcher = watcher();
    let mut cpu_ns = 200 * MS;
    for step in 0..10_000_u32 {
        let alerts = compile(&watcher, "ramp", 1, of_cpu(cpu_ns));
        let is_far = kinds(&alerts).contains(&AlertKind::CompilationCost);
        assert_eq!(is_far, cpu_ns > 2240 * MS, "step {step}: {cpu_ns}");
        if is_far {
            return;
        }
        cpu_ns += cpu_ns / 500;
    }
    panic!("a ramp without end is never an alert");
}

#[test]
fn a_tenant_does_not_teach_others_that_its_compilations_are_usual() {
    let watcher = watcher();
    for _ in 0..200 {
        let _ = compile(&watcher, "honest", 1, of_cpu(200 * MS));
    }
    // Within what is never far off, and in a flood.
    for _ in 0..5000 {
        let _ = compile(&watcher, "flood", 2, of_cpu(550 * MS));
    }
    let alerts = compile(&watcher, "flood", 2, of_cpu(1400 * MS));
    assert!(kinds(&alerts).contains(&AlertKind::CompilationCost));
    // Nor that honest ones are far off.
    for _ in 0..5000 {
        let _ = compile(&watcher, "flood", 2, of_cpu(30 * MS));
    }
    assert_eq!(compile(&watcher, "honest", 1, of_cpu(220 * MS)), []);
}

#[test]
fn what_is_compiled_over_and_over_is_a_storm_with_the_reasons() {
    let watcher = watcher();
    let mut storms = Vec::new();
    for at in 0..12 {
        let mut request = Request::of("a").compiled(9, of_cpu(200 * MS), 200 * MS);
        if at % 3 == 0 {
            let why = "compiled before in metering mode fast, now strict";
            request.report.timings.cache = Some(CacheOutcome::Miss(why.into()));
        }
        storms.extend(request.watch(&watcher));
    }
    assert_eq!(kinds(&storms), [AlertKind::RecompileStorm]);
    let says = "nothing was kept of before (5), compiler, CPU or metering mode had changed (3)";
    assert!(storms[0].message.contains(says), "{}", storms[0].message);
}

#[test]
fn a_compilation_that_was_stopped_teaches_nothing() {
    let watcher = watcher();
    for _ in 0..100 {
        let stopped = Compilation {
            artifact_bytes: 0,
            ..of_cpu(2000 * MS)
        };
        let _ = compile(&watcher, "a", 1, stopped);
    }
    let history = watcher.compile_history();
    assert_eq!(history.len(), 100);
    assert!(
        history
            .iter()
            .all(|point| point.usual_cpu_ns == 224_320_000),
        "{:?}",
        history[99]
    );
}
