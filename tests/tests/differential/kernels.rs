//! The kernels of the repository: at their listed sizes in both isolations, and many times on a busy machine.

use super::Pair;
use hotcell::limit::Limits;
use hotcell::outcome::OutcomeKind;
use hotcell::{Array, Component, Isolation, Request};
use hotcell_cases::{Arguments, Case, component, kernels};
use hotcell_tests::{Arena, skip};
use std::sync::atomic::{AtomicBool, Ordering};

fn request(arguments: &Arguments) -> Request {
    let mut request = Request::new().entry(arguments.kernel.name());
    for (name, extent) in &arguments.dims {
        request = request.dim(name.clone(), *extent);
    }
    for (name, value) in &arguments.scalars {
        request = request.scalar(name.clone(), *value);
    }
    for input in arguments.inputs() {
        let bytes = input.data.bytes().to_vec();
        let array = Array::new(input.ty.clone(), bytes).expect("the case's own bytes");
        request = request.input(input.name.clone(), array);
    }
    request
}

/// A kernel of the repository, and what its first case gives it.
struct Ready {
    name: String,
    component: Component,
    arguments: Arguments,
}

/// Every kernel; none where they are not built. No dimension is longer than `most`: what is longer is cut to it.
fn ready(arena: &Arena, most: u64) -> Vec<Ready> {
    let names = kernels().expect("the folder of the kernels");
    let read = |name: String| {
        let Ok(built) = Component::read(component(&name)) else {
            skip("target/kernels is not there: `cargo xtask kernels` builds it");
            return None;
        };
        let described = arena
            .cell
            .describe(&built, &Limits::defaults(Default::default()));
        let described = described.expect("a kernel of the repository");
        let mut case = Case::load(&name).expect("cases").remove(0);
        let extents = case.dims.values_mut();
        extents.for_each(|extent| *extent = (*extent).min(most));
        let entry = described.manifest.kernel(&case.entry).expect("the entry");
        let arguments = case.arguments(&name, entry).expect("the case");
        Some(Ready {
            name,
            component: built,
            arguments,
        })
    };
    names.into_iter().map_while(read).collect()
}

#[test]
fn every_kernel_ends_alike_in_both_isolations() {
    let pair = Pair::new();
    for kernel in ready(&pair.in_process, u64::MAX) {
        let request = || request(&kernel.arguments);
        let ended = pair.run(&kernel.name, &kernel.component, request);
        assert_eq!(ended.outcome.kind, OutcomeKind::Done, "{:?}", ended.outcome);
    }
}

/// How often each kernel runs; `HOTCELL_SOAK_RUNS` asks for more.
fn runs() -> u32 {
    let asked = std::env::var("HOTCELL_SOAK_RUNS").ok();
    asked.and_then(|runs| runs.parse().ok()).unwrap_or(3)
}

/// Keeps a processor busy until it is told that it is over.
fn burn(is_over: &AtomicBool) {
    while !is_over.load(Ordering::Relaxed) {
        std::hint::spin_loop();
    }
}

#[test]
fn soak_of_every_kernel_on_a_busy_machine_blames_none() {
    let arena = Arena::of(Isolation::Confined);
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let is_over = AtomicBool::new(false);
    // Large enough for several chunks, and small enough to be launched a thousand times.
    let kernels = ready(&arena, 1 << 16);
    std::thread::scope(|scope| {
        for _ in 0..processors {
            scope.spawn(|| burn(&is_over));
        }
        for kernel in &kernels {
            for run in 0..runs() {
                let ended = arena
                    .cell
                    .run(&kernel.component, request(&kernel.arguments));
                let (name, alerts) = (&kernel.name, &ended.report.alerts);
                if ended.outcome.kind != OutcomeKind::Done || !alerts.is_empty() {
                    is_over.store(true, Ordering::Relaxed);
                    panic!("{name}, run {run}: {:?} {alerts:?}", ended.outcome);
                }
            }
        }
        is_over.store(true, Ordering::Relaxed);
    });
}
