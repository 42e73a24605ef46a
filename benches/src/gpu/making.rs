//! What has to be made before there is anything to measure: pipelines, and workers with a device.

use super::direct::Direct;
use super::form::Form;
use super::probe;
use crate::measure::{Contender, interleaved, median};
use crate::table::{self, time};
use anyhow::{Result, anyhow};
use hotcell::{Cell, Places, Tier};
use hotcell_model::gpu::GpuError;
use hotcell_shader::admission::admit;
use hotcell_shader::fuel::{self, FuelOptions};
use serde_json::{Value, json};
use std::cell::Cell as Counter;
use std::time::Instant;

/// A tiled matrix product with a seed, so that no driver has seen it before.
const SHADER: &str = include_str!("making.wgsl");

/// Measures both.
pub(super) fn measure(direct: &Direct, quick: bool) -> Result<Value> {
    let repetitions = if quick { 3 } else { 31 };
    let pipeline = pipeline(direct, repetitions)?;
    let [cold, warm] = workers(if quick { 3 } else { 15 })?;
    let rows = [
        ("admission and the fuel pass, one shader", pipeline[0]),
        ("the device's pipeline for it, unmetered", pipeline[1]),
        ("the device's pipeline for it, metered", pipeline[2]),
        ("first launch of a new cell, artifact on disk", cold),
        ("the same launch again", warm),
    ];
    let cells = rows.map(|(label, median)| vec![label.to_owned(), time(median)]);
    table::print("Pipelines and workers", &["", "median"], &cells);
    Ok(json!({
        "admit_and_instrument": pipeline[0], "pipeline": pipeline[1], "pipeline_metered": pipeline[2],
        "first_launch": cold, "next_launch": warm,
    }))
}

/// Admission and instrumentation, and the driver's part without and with fuel.
fn pipeline(direct: &Direct, repetitions: usize) -> Result<Vec<f64>> {
    let seed = Counter::new(0_u32);
    let limits = direct.admission_limits();
    let fresh = || {
        seed.set(seed.get() + 1);
        SHADER.replace("SEED", &format!("{}u", seed.get()))
    };
    let admitted = |wgsl: &str| {
        let admitted = admit(wgsl, "main", &[], &limits);
        admitted.map_err(|refusal| anyhow!("{}", GpuError::from(refusal)))
    };
    let compile = |form| -> Contender<'_> {
        let (fresh, admitted) = (&fresh, &admitted);
        Box::new(move || {
            let admitted = admitted(&fresh())?;
            let layout = direct.layout(&admitted);
            // The pass itself is in the first contender.
            let shader = direct.shader(&admitted, form)?;
            let began = Instant::now();
            direct.pipeline(shader, &layout, form)?;
            Ok(began.elapsed())
        })
    };
    let own: Contender<'_> = Box::new(|| {
        let wgsl = fresh();
        let began = Instant::now();
        let admitted = admitted(&wgsl)?;
        fuel::instrument(&admitted, FuelOptions::default())?;
        Ok(began.elapsed())
    });
    let mut contenders = [own, compile(Form::Plain), compile(Form::Fuel)];
    interleaved(&mut contenders, repetitions)
}

/// The first launch of a new cell, whose runner and GPU worker are started for it, and the one after it.
fn workers(repetitions: usize) -> Result<[f64; 2]> {
    let (folder, component) = (tempfile::tempdir()?, probe::component()?);
    let wgsl = "@group(0) @binding(0) var<storage, read_write> x: array<u32>;
        @compute @workgroup_size(64) fn main() { x[0] += 1u; }";
    let request = probe::request("repeat", wgsl, 64)?.scalar("times", 1_u32);
    let mut times = [Vec::new(), Vec::new()];
    // The very first compiles the component.
    for repetition in 0..=repetitions {
        let places = Places {
            state: folder.path().join("state"),
            cache: folder.path().join("cache"),
        };
        let cell = Cell::confined().require_tier(Tier::Unprivileged);
        let cell = cell.policy(probe::policy());
        let cell = cell.spares(false).cache(places).build()?;
        for times in &mut times {
            let began = Instant::now();
            probe::run(&cell, &component, &request)?;
            if repetition > 0 {
                times.push(began.elapsed().as_secs_f64());
            }
        }
    }
    Ok(times.map(|mut times| median(&mut times)))
}
