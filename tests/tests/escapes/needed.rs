//! Every rule of every filter is needed: what workers call in honest and in hostile work, as `strace` sees it,
//! against the tables. A rule that nothing needs is a way to the operating system's kernel for nothing.

use super::request_of;
use hotcell::grant::Capability;
use hotcell::limit::Limit;
use hotcell::outcome::OutcomeKind::{self, Cancelled, Done, Timeout};
use hotcell::{Array, ArrayType, Cell, Component, Ended, GpuDevice, Metering, Request, Source};
use hotcell_model::layer::WorkerKind::{Compiler, Runner};
use hotcell_model::manifest::DType;
use hotcell_sandbox::filter::{Filter, FilterRule};
use hotcell_sandbox::process::ExitKind;
use hotcell_tests::bombs::Bomb;
use hotcell_tests::calls::{self, Call, Phase};
use hotcell_tests::gpu::{DOUBLE, shader_request};
use hotcell_tests::processes::{signal, workers_of};
use hotcell_tests::{Guest, Locked, cell, checkout, honest_request, isolation_of, skip};
use rustix::process::Signal;
use std::sync::Arc;
use std::time::Duration;

/// Set in the process whose workers are traced.
const TRACED: &str = "HOTCELL_TEST_TRACED";

const COMPILER: &str = "compiler";
const LOADING: &str = "runner, loading";
const RUNNER: &str = "runner";

/// Rules that this work need not show: of which filter, what, and why it is there all the same.
const EXCUSED: &[(&str, &str, &str)] = &[
    (COMPILER, "clock_gettime(argument 0 = 0x1)", NO_VDSO),
    (COMPILER, "fcntl(argument 1 = 0x1)", DEBUG),
    (LOADING, "fcntl(argument 1 = 0x1)", DEBUG),
    (RUNNER, "fcntl(argument 1 = 0x1)", DEBUG),
    (LOADING, "futex(argument 1 = 0x80)", CHANCE),
    (RUNNER, "futex(argument 1 = 0x80)", CHANCE),
    (LOADING, "ioctl(argument 1 = 0xc0606610)", RECENT),
    (RUNNER, "ioctl(argument 1 = 0xc0606610)", RECENT),
    (RUNNER, "sched_getaffinity()", EXHAUSTED),
];
const NO_VDSO: &str = "only machines whose clock cannot be read without a call";
const DEBUG: &str = "only debug builds";
const CHANCE: &str = "the allocator's locks, where two threads happen to meet";
const RECENT: &str = "only Linux 6.7 and later";
const EXHAUSTED: &str = "an allocator of many threads that has no more memory";

#[test]
fn every_rule_of_every_filter_is_needed() {
    if std::env::var_os(TRACED).is_some() {
        return work();
    }
    if !Filter::is_supported() {
        return skip("there are no filters for this architecture");
    }
    if !calls::can_trace() {
        return skip("there is no strace that may trace: apt-get install strace");
    }
    let (calls, [compilers, runners]) = calls::confined_calls(&trace());
    assert!(
        compilers > 20 && runners > 20,
        "{compilers} compilers, {runners} runners"
    );
    let mut unneeded = Vec::new();
    for (name, filter, phase) in filters() {
        let is_excused = |what: &str| EXCUSED.iter().any(|&(of, is, _)| (of, is) == (name, what));
        for rule in filter.rules() {
            let is_needed = calls.keys().any(|call| needs(call, rule, phase));
            if !is_needed && !is_excused(&described(rule)) {
                unneeded.push(format!("{name}: {} for {}", described(rule), rule.site));
            }
        }
    }
    assert!(unneeded.is_empty(), "nothing needs {unneeded:#?}");
}

#[test]
fn what_is_excused_is_in_the_tables() {
    for (of, what, why) in EXCUSED {
        let is_there = filters().iter().any(|(name, filter, _)| {
            name == of && filter.rules().any(|rule| described(rule) == *what)
        });
        assert!(is_there, "{of}: {what}: {why}");
    }
}

/// The filters, and the phase that begins with each.
fn filters() -> [(&'static str, Filter, Phase); 3] {
    [
        (COMPILER, Filter::compiler(), Phase::Compiler),
        (LOADING, Filter::runner_load(), Phase::Load),
        (RUNNER, Filter::runner(), Phase::Run),
    ]
}

/// Whether a call needs a rule of the filter of that phase. The filter that a runner loads under stays on: what the
/// final one does with a call, the earlier one has to let it do.
fn needs(call: &Call, rule: &FilterRule, phase: Phase) -> bool {
    let is_final = |last: &FilterRule| last.action == rule.action && call.is_under(last);
    let counts = match (phase, call.phase) {
        (Phase::Load, Phase::Run) => Filter::runner().rules().any(is_final),
        (of_filter, of_call) => of_filter == of_call,
    };
    counts && call.is_under(rule)
}

fn described(rule: &FilterRule) -> String {
    let conditions: Vec<_> = rule.conditions.iter().map(ToString::to_string).collect();
    format!("{}({})", rule.name(), conditions.join(", "))
}

/// What `strace` wrote down of the work, done in a process of its own.
fn trace() -> String {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let file = folder.path().join("trace");
    let module = module_path!()
        .split_once("::")
        .map_or("", |(_, below)| below);
    let output = calls::strace(&file)
        .arg(std::env::current_exe().expect("a test knows its executable"))
        .args(["--nocapture", "--exact"])
        .arg(format!("{module}::every_rule_of_every_filter_is_needed"))
        .env(TRACED, "1")
        .output()
        .expect("strace starts");
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}{errors}"
    );
    let trace = std::fs::read(&file).expect("strace has written");
    String::from_utf8_lossy(&trace).into_owned()
}

/// Something of everything that makes a difference to the calls of workers.
fn work() {
    for metering in Metering::ALL {
        attacks(&confined(), metering);
    }
    chunks(&confined());
    arrays(&confined());
    compilations(&confined());
    interruptions(&confined());
    gpu();
    ends();
}

/// A launch with a GPU worker beside its runner.
fn gpu() {
    let cell = cell(isolation_of("confined")).gpu(GpuDevice::Nothing);
    let cell = cell.build().expect("a cell without a cache");
    let probe = checkout().join("target/kernels/gpu-probe.wasm");
    let probe = Component::read(probe).expect("`cargo xtask kernels` builds it");
    let request = shader_request(DOUBLE, &[1; 4])
        .want(Capability::Gpu)
        .want(Capability::GpuText);
    assert_kind(&cell.run(&probe, request), Done);
}

fn confined() -> Cell {
    let cell = cell(isolation_of("confined")).runner_threads(4);
    cell.build().expect("a cell without a cache")
}

#[track_caller]
fn assert_kind(ended: &Ended, kind: OutcomeKind) {
    assert_eq!(ended.outcome.kind, kind, "{:?}", ended.outcome);
}

/// Guests that trap, grow, flood, spin: what each ends in is the matter of other tests.
fn attacks(cell: &Cell, metering: Metering) {
    for name in [
        "honest",
        "divides_by_zero",
        "endless_recursion",
        "endless_loop",
        "log_flood",
        "reports_progress",
        "memory_in_many_steps",
        "memory_fill",
        "many_memories",
        "table_growth",
        "giant_list",
        "wants_clock",
        "wants_random",
        "start_traps",
    ] {
        let component = Guest::named(name).component();
        for _ in 0..2 {
            let request = honest_request()
                .metering(metering)
                .want(Capability::Clock)
                .want(Capability::Random)
                .timeout(Duration::from_millis(300))
                .limit(Limit::Memory, 64 << 20);
            cell.run(&component, request);
        }
    }
}

/// Launches that several threads share.
fn chunks(cell: &Cell) {
    for name in [
        "honest",
        "fails_by_chunk",
        "wants_most_memory",
        "divides_by_zero",
    ] {
        let component = Guest::named(name).split().component();
        for threads in [1, 2, 4] {
            cell.run(&component, request_of(7, 16).threads(threads));
        }
    }
}

/// Small arrays, large ones, some that are mapped, one in a file; and a pause, after which the threads have to be woken.
fn arrays(cell: &Cell) {
    let mapping = Guest::named("maps_arrays").component();
    assert_kind(&cell.run(&mapping, request_of(0, 1 << 20)), Done);
    let honest = Guest::named("honest").component();
    for bytes in [0, 4096, 100_000, 8 << 20, 64 << 20] {
        assert_kind(&cell.run(&honest, request_of(1, bytes)), Done);
        std::thread::sleep(Duration::from_millis(150));
    }
    let len_bytes = 1 << 20;
    let file = tempfile::tempfile().expect("a temporary file");
    file.set_len(len_bytes).expect("it grows");
    let source = Source::File {
        file: Arc::new(file),
        offset_bytes: 0,
        len_bytes,
    };
    let ty = ArrayType::new(DType::U8, [len_bytes]).expect("a shape");
    let x = Array::from_source(ty, source).expect("a source of that size");
    assert_kind(&cell.run(&honest, Request::new().input("x", x)), Done);
}

/// Components that are dear to compile, with and without the memory for it.
fn compilations(cell: &Cell) {
    for name in ["live_values", "small_functions", "signatures", "globals"] {
        let component = Bomb::named(name).component();
        for memory in [64 << 20, 1 << 30] {
            let request = honest_request()
                .limit(Limit::CompileMemory, memory)
                .limit(Limit::CompileWall, 1_500_000_000);
            cell.run(&component, request);
        }
    }
}

/// A launch that is cancelled, and one whose runner is stopped for a while: its ticker's sleep is begun again.
fn interruptions(cell: &Cell) {
    let spinning = Guest::named("endless_loop").component();
    let start = |request| {
        let launch = cell.start(&spinning, request);
        launch.unwrap_or_else(|ended| panic!("{:?}", ended.outcome))
    };
    let launch = start(honest_request().metering(Metering::Fast));
    std::thread::sleep(Duration::from_millis(300));
    launch.cancel();
    assert_kind(&launch.wait(), Cancelled);

    let launch = start(
        honest_request()
            .metering(Metering::Fast)
            .timeout(Duration::from_secs(3)),
    );
    std::thread::sleep(Duration::from_millis(300));
    for _ in 0..10 {
        let runners = workers_of(std::process::id(), Runner.program());
        runners.iter().for_each(|pid| signal(*pid, Signal::STOP));
        std::thread::sleep(Duration::from_millis(10));
        runners.iter().for_each(|pid| signal(*pid, Signal::CONT));
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_kind(&launch.wait(), Timeout);
}

/// Workers whose supervisor has gone, as one channel or the other tells.
fn ends() {
    let over = ExitKind::Code(0);
    for locked in [
        Locked::greeted(Compiler),
        Locked::greeted(Runner),
        Locked::start(Runner),
    ] {
        assert_eq!(locked.hang_up(|worker| &mut worker.channel), over);
    }
    for locked in [Locked::greeted(Runner), Locked::start(Runner)] {
        assert_eq!(locked.hang_up(|worker| &mut worker.control), over);
    }
}
