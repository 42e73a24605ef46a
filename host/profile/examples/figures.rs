//! How well models and limits fit this repository's kernels: the table of `docs/profiling.md`.
//!
//! `cargo run --release -p hotcell-profile --example figures -- WORKERS KERNELS [HONEST [FOLDER]]`: the directory of the worker
//! programs, that of the built kernels, how many honest launches there are of each entry, and where profiles and pages are left.

use hotcell::manifest::Cost;
use hotcell::{Cell, Component, Request, Tier};
use hotcell_profile::fit::Quantity;
use hotcell_profile::inputs::Given;
use hotcell_profile::record::write_whole;
use hotcell_profile::subject::Subject;
use hotcell_profile::suggest::{Margin, suggest};
use hotcell_profile::{Profile, Settings, page, take};
use std::collections::BTreeMap;
use std::error::Error;
use std::ops::ControlFlow;
use std::path::Path;

/// A component, its entry, what is swept, what is fixed, scalars, and what is in its arrays; each separated by spaces.
type Case = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
);

const CASES: [Case; 24] = [
    ("saxpy", "saxpy", "n=1k..1M", "", "a=2.5", ""),
    ("dot", "dot", "n=1k..1M", "", "", ""),
    ("sum", "sum", "n=1k..1M", "", "", ""),
    ("sum", "sum_stream", "n=1k..1M", "", "", ""),
    ("prefix_scan", "prefix_scan", "n=1k..1M", "", "", ""),
    ("radix_sort", "radix_sort", "n=1k..256k", "", "", ""),
    ("sha256", "sha256", "n=1k..1M", "", "", ""),
    (
        "histogram",
        "histogram",
        "n=1k..256k",
        "bins=64",
        "",
        "radius=0..100",
    ),
    ("gemm", "gemm", "m=16..256 k=16..256 n=16..256", "", "", ""),
    (
        "jacobi_2d",
        "jacobi_2d",
        "h=16..256 w=16..256",
        "",
        "steps=20",
        "",
    ),
    ("jacobi_2d", "jacobi_2d", "steps=2..80", "h=64 w=64", "", ""),
    ("edges", "edges", "h=16..512 w=16..512", "", "", ""),
    ("nbody", "nbody", "n=16..512", "m=n", "", ""),
    (
        "softmax",
        "softmax",
        "n=1..4 h=1..4 r=8..64 c=8..128",
        "",
        "",
        "",
    ),
    ("layernorm", "layernorm", "r=16..512 c=16..512", "", "", ""),
    (
        "attention",
        "attention",
        "m=16..128 n=16..128",
        "d=32 e=32",
        "",
        "",
    ),
    ("julia", "julia", "t=1..4 h=16..96 w=16..96", "", "", ""),
    (
        "mandelbrot",
        "mandelbrot",
        "h=16..256 w=16..256",
        "",
        "",
        "",
    ),
    ("fft", "fft", "n=256..131072*2", "", "", ""),
    (
        "floyd_warshall",
        "floyd_warshall",
        "n=8..160",
        "",
        "",
        "dist=0..=1000",
    ),
    (
        "spmv",
        "spmv",
        "r=64..16k",
        "r1=r+1 nnz=8*r n=r",
        "",
        "offsets=ascending:0..=nnz columns=uniform:0..n",
    ),
    ("monte_carlo", "hits", "blocks=1..48", "", "", ""),
    ("monte_carlo", "estimate", "blocks=16..4k", "", "", ""),
    (
        "mpm88",
        "mpm88",
        "n=256..4k",
        "",
        "steps=2",
        "x=0.1..0.9 v=zeros c=zeros j=ones",
    ),
];

fn pairs<T>(
    text: &str,
    read: impl Fn(&str) -> Result<T, Box<dyn Error>>,
) -> Result<BTreeMap<String, T>, Box<dyn Error>> {
    let pairs = text
        .split_whitespace()
        .filter_map(|pair| pair.split_once('='));
    pairs
        .map(|(name, value)| Ok((name.to_owned(), read(value)?)))
        .collect()
}

fn profile(
    cell: &Cell,
    kernels: &str,
    case: &Case,
    honest: u32,
) -> Result<Profile, Box<dyn Error>> {
    let (component, entry, sweeps, dims, scalars, fills) = case;
    let component = Component::read(Path::new(kernels).join(format!("{component}.wasm")))?;
    let request = Request::new();
    let described = cell.describe_for(&component, &request);
    let description = described.map_err(|outcome| outcome.message)?;
    let kernel = description.manifest.kernel(entry).ok_or("no such entry")?;
    let fixed = pairs(dims, |text| Ok(Cost::parse(text)?))?;
    let scalars = pairs(scalars, |text| Ok(text.to_owned()))?;
    let settings = Settings {
        sweeps: sweeps
            .split_whitespace()
            .map(str::parse)
            .collect::<Result<_, _>>()?,
        given: pairs(fills, |text| Ok(text.parse::<Given>()?))?,
        honest,
        ..Settings::default()
    };
    let mut subject = Subject::new(cell, &component, kernel, request, fixed, scalars)?;
    Ok(take(&mut subject, &settings, "figures", &mut |_| {
        ControlFlow::Continue(())
    })?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [workers, kernels, more @ ..] = &arguments[..] else {
        return Err("give the directories of the workers and of the kernels".into());
    };
    let honest = more.first().map_or(Ok(1000), |text| text.parse())?;
    let cell = Cell::confined()
        .workers(workers)
        .require_tier(Tier::Insecure)
        .build()?;
    println!("| entry | swept | fuel | error | memory | time | worst | stopped | by size |");
    println!("|---|---|---|--:|--:|--:|--:|--:|--:|");
    for case in &CASES {
        let profile = match profile(&cell, kernels, case, honest) {
            Ok(profile) => profile,
            Err(error) => {
                println!("| `{}` | {} | {error} |", case.1, case.2);
                continue;
            }
        };
        let margin = Margin::default();
        let suggestion = suggest(&profile, &[], margin);
        let error = |quantity: Quantity| {
            let model = profile.model(quantity)?;
            let percent = match quantity {
                Quantity::Time => model.held_out.median_percent,
                Quantity::Fuel | Quantity::Memory => model.held_out.max_percent,
            };
            let irregular = if model.is_regular() {
                ""
            } else {
                ", irregular"
            };
            Some(format!("{percent:.2} %{irregular}"))
        };
        let [fuel, memory, time] =
            Quantity::ALL.map(|quantity| error(quantity).unwrap_or_default());
        let stops = suggestion.as_ref().map(|one| one.false_stops);
        let by_size = profile.false_stops_by_size(margin);
        println!(
            "| `{}` | {} | `{}` | {fuel} | {memory} | {time} | {:.2} | {} of {} | {} |",
            profile.entry,
            case.2,
            profile
                .model(Quantity::Fuel)
                .map_or("", |model| &model.text),
            profile
                .worst
                .as_ref()
                .map_or(0.0, |worst| worst.ratio_to_median),
            stops.map_or(0, |stops| stops.stopped),
            stops.map_or(0, |stops| stops.runs),
            by_size.stopped,
        );
        if let Some(folder) = more.get(1) {
            let place = Path::new(folder).join(format!("{}.wasm", profile.entry));
            profile.write(&Profile::beside(&place))?;
            let page = page(&profile, suggestion.as_ref(), margin, None);
            write_whole(&place.with_extension("html"), page.as_bytes())?;
        }
    }
    Ok(())
}
