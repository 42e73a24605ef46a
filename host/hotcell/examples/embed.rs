//! Embedding hotcell: load a kernel, launch it, read the report; and cancel one from another thread.
//!
//! `cargo xtask kernels && cargo xtask workers && cargo run --release -p hotcell --example embed`

use hotcell::outcome::OutcomeKind;
use hotcell::{Array, Cell, Component, Metering, Places, Request};
use std::time::{Duration, Instant};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // An installed program finds the workers by itself; this one lies elsewhere.
    let cell = Cell::confined()
        .workers("target/libexec/hotcell")
        .cache(Places::from_environment()?)
        .build()?;
    let kernels = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "target/kernels".to_owned());

    let saxpy = Component::read(format!("{kernels}/saxpy.wasm"))?;
    let (x, y) = ([1.0f32, 2.0, 3.0], [10.0f32, 20.0, 30.0]);
    let request = Request::new()
        .scalar("a", 2.5f32)
        .input("x", Array::from_slice(&x, [3])?)
        .input("y", Array::from_slice(&y, [3])?)
        .metering(Metering::Deterministic);
    let ended = cell.run(&saxpy, request);
    assert_eq!(
        ended.outcome.kind,
        OutcomeKind::Done,
        "{}",
        ended.outcome.message
    );
    let out: Vec<f32> = ended.array("out").ok_or("no output")?.to_vec()?;
    println!("2.5 * {x:?} + {y:?} = {out:?}");
    println!("{}", serde_json::to_string_pretty(&ended.report.usage)?);

    // A launch of a minute and more, cancelled from here.
    let mpm88 = Component::read(format!("{kernels}/mpm88.wasm"))?;
    let request = Request::new()
        .entry("frames")
        .dim("t", 2000)
        .dim("h", 64)
        .dim("w", 64);
    let launch = cell
        .start(&mpm88, request)
        .map_err(|ended| ended.outcome.message)?;
    std::thread::sleep(Duration::from_millis(500));
    let asked = Instant::now();
    launch.cancel();
    let ended = launch.wait();
    println!(
        "{} after {:?}: {}",
        ended.outcome.kind,
        asked.elapsed(),
        ended.outcome.message
    );
    println!(
        "partial: {}, results kept: {}",
        ended.outcome.partial,
        ended.results.len()
    );
    Ok(())
}
