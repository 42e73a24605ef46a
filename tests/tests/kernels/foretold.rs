//! What kernels' code says of their cost is held against what launches take: shapes at random, from one element on.

use hotcell::analysis::{Turns, class_name};
use hotcell::limit::{Limit, LimitSource, Limits};
use hotcell::shader::CostClass;
use hotcell::{Cell, Component, Isolation, Metering, Request};
use hotcell_model::manifest::Kernel;
use hotcell_profile::fit::Sizes;
use hotcell_profile::inputs::{Fill, Kind, Recipe};
use hotcell_tests::cell;
use std::collections::BTreeMap;

/// A kernel, its entry, and each dimension or scalar with the greatest value that it gets; `a=b` is as large as another.
type Swept = (&'static str, &'static str, &'static [(&'static str, u64)]);

/// Those whose bounds are to be there and close: `docs/performance.md` says how close.
const SWEPT: [Swept; 12] = [
    ("saxpy", "saxpy", &[("n", 200_000)]),
    ("dot", "dot", &[("n", 200_000)]),
    ("sum", "sum", &[("n", 200_000)]),
    ("prefix_scan", "prefix_scan", &[("n", 100_000)]),
    ("histogram", "histogram", &[("n", 50_000), ("bins", 2_000)]),
    (
        "jacobi_2d",
        "jacobi_2d",
        &[("h", 200), ("w", 200), ("steps", 20)],
    ),
    ("edges", "edges", &[("h", 200), ("w", 200)]),
    ("gemm", "gemm", &[("m", 400), ("k", 700), ("n", 300)]),
    ("nbody", "nbody", &[("n", 500)]),
    (
        "softmax",
        "softmax",
        &[("n", 4), ("h", 4), ("r", 40), ("c", 300)],
    ),
    (
        "julia",
        "julia",
        &[("t", 2), ("h", 100), ("w", 100), ("limit", 80)],
    ),
    (
        "mandelbrot",
        "mandelbrot",
        &[("h", 100), ("w", 100), ("limit", 80)],
    ),
];

/// Numbers as good as random, the same each time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// From 1 to `most`, small ones as often as large ones.
    fn size(&mut self, most: u64) -> u64 {
        let bits = 1 + self.next() % u64::from(u64::BITS - most.leading_zeros());
        1 + self.next() % (1_u64 << bits).min(most)
    }
}

fn description(
    cell: &Cell,
    component: &Component,
) -> std::sync::Arc<hotcell::description::Description> {
    let mut limits = Limits::defaults(Default::default());
    for limit in Limit::ALL {
        let _ = limits.try_set(*limit, limit.ceiling(), LimitSource::Request);
    }
    cell.describe(component, &limits).unwrap()
}

/// What one launch took, and what was foretold of it.
struct Taken {
    fuel: u64,
    at_least: u64,
    at_most: Option<u64>,
}

fn launch(
    cell: &Cell,
    component: &Component,
    kernel: &Kernel,
    sizes: &Sizes,
    metering: Metering,
) -> Taken {
    let fills = kernel
        .arrays()
        .iter()
        .map(|array| (array.name.clone(), Fill::of(Kind::Uniform)));
    let recipe = Recipe {
        seed: 7,
        fills: fills.collect::<BTreeMap<_, _>>(),
    };
    let mut request = Request::new()
        .entry(kernel.name())
        .metering(metering)
        .threads(1);
    let read = kernel.arrays().iter().filter(|array| array.role.is_read());
    let fixed: Vec<String> = read
        .flat_map(|array| &array.dims)
        .map(ToString::to_string)
        .collect();
    for (name, size) in sizes {
        if kernel.scalars().iter().any(|scalar| scalar.name == *name) {
            request = request.scalar_text(name, size.to_string());
        } else if !fixed.contains(name) {
            request = request.dim(name, *size);
        }
    }
    let unsaid = kernel
        .scalars()
        .iter()
        .filter(|scalar| scalar.default.is_none());
    for scalar in unsaid.filter(|scalar| !sizes.contains_key(&scalar.name)) {
        request = request.scalar_text(&scalar.name, "1");
    }
    for (name, array) in recipe.make(kernel, sizes).unwrap() {
        request = request.input(name, array);
    }
    let ended = cell.run(component, request);
    assert!(
        ended.outcome.keeps_outputs(),
        "{sizes:?}: {}",
        ended.outcome.message
    );
    let foretold = ended.report.foretold.expect("something is foretold");
    Taken {
        fuel: ended.report.usage.fuel_used.unwrap(),
        at_least: foretold.at_least,
        at_most: foretold.at_most,
    }
}

#[test]
fn bounds_are_never_on_the_wrong_side_of_what_is_taken() {
    let own = cell(Isolation::InProcess).build().unwrap();
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for (name, entry, dims) in SWEPT {
        let component = Component::read(hotcell_cases::component(name)).unwrap();
        let description = description(&own, &component);
        let kernel = description.manifest.kernel(entry).unwrap();
        let (mut close_below, mut close_above, mut bounded) = (0, 0, 0);
        const LAUNCHES: u32 = 60;
        for at in 0..LAUNCHES {
            let mut sizes: Sizes = dims
                .iter()
                .map(|(dim, most)| ((*dim).to_owned(), random.size(*most)))
                .collect();
            if name == "nbody" {
                sizes.insert("m".to_owned(), sizes["n"]);
            }
            let metering = match at % 4 {
                0 => Metering::Deterministic,
                _ => Metering::Strict,
            };
            let taken = launch(&own, &component, kernel, &sizes, metering);
            let Taken {
                fuel,
                at_least,
                at_most,
            } = taken;
            assert!(
                at_least <= fuel,
                "{name} {sizes:?} {metering}: {fuel} taken, at least {at_least} foretold"
            );
            assert!(
                at_most.is_none_or(|most| fuel <= most),
                "{name} {sizes:?} {metering}: {fuel} taken, at most {at_most:?} foretold"
            );
            close_below += u32::from(fuel <= 4 * at_least);
            bounded += u32::from(at_most.is_some());
            close_above += u32::from(at_most.is_some_and(|most| most <= 4 * fuel));
        }
        println!(
            "{name}: within 4 times from below {close_below} of {LAUNCHES}, from above {close_above}, bounded {bounded}"
        );
    }
}

/// Every kernel of the repository whose loops are not all told by its shapes is not called light.
#[test]
fn no_kernel_with_a_loop_that_depends_on_data_is_light() {
    let own = cell(Isolation::InProcess).build().unwrap();
    let mut light = Vec::new();
    for name in hotcell_cases::kernels().unwrap() {
        let component = Component::read(hotcell_cases::component(&name)).unwrap();
        let description = description(&own, &component);
        assert_eq!(
            description.costs.len(),
            description.manifest.kernels().len(),
            "{name}"
        );
        for (place, kernel) in description.manifest.kernels().iter().enumerate() {
            let cost = description.cost_of(place).unwrap();
            let (class, reasons) = cost.class(kernel);
            let contradictions = cost.contradictions(kernel);
            assert!(contradictions.is_empty(), "{name}: {}", contradictions[0]);
            assert!(!reasons.is_empty());
            println!("{name} {}: {}", kernel.name(), class_name(class));
            if class == CostClass::Light {
                let known = cost.loops.iter().all(|one| one.turns <= Turns::Shapes);
                assert!(
                    known && cost.loops_left_out == 0,
                    "{name} {}",
                    kernel.name()
                );
                light.push(kernel.name().to_owned());
            }
        }
    }
    // What turns as often as the data or an argument says.
    for entry in [
        "julia",
        "mandelbrot",
        "hits",
        "spmv",
        "radix_sort",
        "histogram",
    ] {
        assert!(
            !light.iter().any(|name| name == entry),
            "{entry} is not light"
        );
    }
    for entry in ["saxpy", "dot", "sum", "prefix_scan"] {
        assert!(
            light.iter().any(|name| name == entry),
            "{entry} is light: {light:?}"
        );
    }
}

/// A launch that cannot end within its fuel is refused before it takes any.
#[test]
fn what_certainly_takes_too_much_is_refused_and_nothing_runs() {
    let own = cell(Isolation::InProcess).build().unwrap();
    let component = Component::read(hotcell_cases::component("prefix_scan")).unwrap();
    let array = hotcell::Array::from_slice(&vec![1_u32; 1 << 20][..], [1 << 20]).unwrap();
    let request = Request::new().input("x", array);
    let ended = own.run(
        &component,
        request
            .clone()
            .limit(Limit::Fuel, 1_000_000)
            .metering(Metering::Strict),
    );
    assert_eq!(ended.outcome.kind, hotcell::outcome::OutcomeKind::OutOfFuel);
    assert!(
        ended.outcome.message.contains("takes at least"),
        "{}",
        ended.outcome.message
    );
    assert_eq!(
        ended.report.usage.fuel_used.unwrap_or(0),
        0,
        "nothing has run"
    );
    assert_eq!(ended.report.usage.instances, 0);
    // Without fuel there is none to have too little of.
    let ended = own.run(
        &component,
        request
            .limit(Limit::Fuel, 1_000_000)
            .metering(Metering::Fast),
    );
    assert!(ended.outcome.keeps_outputs(), "{}", ended.outcome.message);
}

/// Arrays that cannot fit cost nothing, not even a compilation; a kernel that streams its array needs no room for it.
#[test]
fn arrays_that_cannot_fit_are_refused_before_anything_is_compiled_and_streams_are_not() {
    let own = cell(Isolation::InProcess).build().unwrap();
    let component = Component::read(hotcell_cases::component("sum")).unwrap();
    let array = hotcell::Array::from_slice(&vec![1.0_f32; 1 << 20][..], [1 << 20]).unwrap();
    let run = |entry: &str, memory: u64| {
        let request = Request::new().entry(entry).input("x", array.clone());
        own.run(&component, request.limit(Limit::Memory, memory))
    };
    let refused = run("sum", 3 << 20);
    let outcome = &refused.outcome;
    assert_eq!(outcome.kind, hotcell::outcome::OutcomeKind::MemoryLimit);
    assert_eq!(outcome.blame, Some(hotcell::outcome::Blame::Request));
    let breach = outcome.breach().unwrap();
    assert_eq!(breach.limit, Limit::Memory);
    // The array and the sum, as much as there is of both in one chunk.
    assert!(
        (4 << 20..5 << 20).contains(&breach.amount.value()),
        "{breach}"
    );
    assert_eq!(refused.report.timings.cache, None, "nothing was compiled");
    assert_eq!(refused.report.usage.instances, 0);
    assert_eq!(
        refused.report.dims["n"],
        1 << 20,
        "a refusal is of known shapes"
    );
    for (entry, memory) in [("sum", 64 << 20), ("sum_stream", 3 << 20)] {
        let ended = run(entry, memory);
        assert!(ended.outcome.keeps_outputs(), "{}", ended.outcome.message);
    }
    let foretold = run("sum_stream", 3 << 20).report.foretold.unwrap();
    assert_eq!(foretold.memory_bytes_at_least, None);
}
