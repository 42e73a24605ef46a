//! The shaders of the kernels in this repository, and those of the corpus.

use hotcell_model::shader::{CostClass, ShaderCost, Trips};
use hotcell_shader::admission::{AdmissionLimits, Admitted, admit};
use hotcell_shader::fuel::{FuelOptions, instrument};
use hotcell_shader::static_cost;
use hotcell_shader::translation;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

fn folder(path: &str) -> Vec<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let entries = std::fs::read_dir(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// All compute entry points of a text, with values for the constants that have none.
fn entries(wgsl: &str) -> Vec<(String, Admitted)> {
    let names = wgsl
        .split("fn ")
        .skip(1)
        .filter_map(|rest| rest.split('(').next());
    let constants = match wgsl.contains("override LANES: u32;") {
        true => vec![("LANES".to_owned(), 32.0)],
        false => Vec::new(),
    };
    let admitted = |name: &str| {
        let limits = AdmissionLimits::by_default();
        Some((
            name.to_owned(),
            admit(wgsl, name, &constants, &limits).ok()?,
        ))
    };
    names.filter_map(admitted).collect()
}

/// The name, entry point and cost of every shader of the kernels.
fn kernels() -> Vec<(String, Admitted)> {
    let kernels = folder("../../kernels").into_iter();
    let texts = kernels
        .map(|kernel| kernel.join("gpu/src"))
        .filter(|path| path.is_dir());
    let mut all = Vec::new();
    for text in texts.flat_map(|path| folder(&path.to_string_lossy())) {
        if text
            .extension()
            .is_some_and(|extension| extension == "wgsl")
        {
            let wgsl = std::fs::read_to_string(&text).unwrap();
            let found = entries(&wgsl);
            assert!(!found.is_empty(), "{text:?}");
            let name = |entry| format!("{} {entry}", text.file_name().unwrap().to_string_lossy());
            all.extend(
                found
                    .into_iter()
                    .map(|(entry, admitted)| (name(entry), admitted)),
            );
        }
    }
    all
}

fn has_unknown(cost: &ShaderCost) -> bool {
    cost.loops
        .iter()
        .any(|one| matches!(one.trips, Trips::Unknown(_)))
}

#[test]
fn no_kernel_with_an_unknown_loop_is_called_light() {
    let kernels = kernels();
    assert!(kernels.len() >= 14, "{} kernels", kernels.len());
    for (name, admitted) in &kernels {
        let cost = static_cost(admitted);
        println!("{name}: {cost:#?}");
        assert_eq!(
            has_unknown(&cost),
            cost.class == CostClass::Unbounded,
            "{name}: {cost:?}"
        );
    }
}

#[test]
fn analysis_takes_less_than_translation() {
    let least = |work: &dyn Fn()| {
        let times = (0..5).map(|_| {
            let begun = Instant::now();
            work();
            begun.elapsed()
        });
        times.min().unwrap_or_default()
    };
    let (mut analysis, mut translated) = (Duration::ZERO, Duration::ZERO);
    for (name, admitted) in &kernels() {
        let metered = instrument(admitted, FuelOptions::default()).unwrap();
        let own = least(&|| drop(static_cost(admitted)));
        let other = least(&|| translation::check(&metered).unwrap());
        println!("{name}: {own:?} beside {other:?}");
        (analysis, translated) = (analysis + own, translated + other);
    }
    println!("together: {analysis:?} beside {translated:?}");
    assert!(
        analysis < translated,
        "{analysis:?}, and {translated:?} to translate"
    );
}
