//! What a launch costs besides its work on the GPU: the same WGSL through wgpu alone, in process and confined.
//!
//! *Large*: 4 MiB in and out and one dispatch that takes a good part of a second. The direct side writes the input into
//! a buffer that it has, dispatches and copies the result out; the other sides are whole warm launches, which
//! make their buffers and meter their loops. *Small* and *batch* are the slope over the number of repetitions within
//! one launch, so that what a launch costs once is not in them.

use super::direct::Direct;
use super::probe::{self, Shader};
use crate::measure::{Contender, interleaved};
use crate::table::{self, ratio, time};
use anyhow::{Context, Result};
use hotcell::{Cell, Component, Request, Tier};
use serde_json::{Map, Value, json};
use std::hint::black_box;
use std::time::Instant;

/// Words of the large work.
const LARGE: u32 = 1 << 20;
/// Words of the small work: one workgroup's.
const SMALL: u32 = 64;
/// Dispatches of a batch.
const BATCH: u32 = 100;

/// Loops of a known length, which are charged in advance.
const HASH: &str = "@group(0) @binding(0) var<storage, read_write> x: array<u32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    var h = x[id.x];
    for (var i = 0u; i < 500u; i++) {
        h = (h ^ (h >> 15u)) * 0x2c1b3c6du + i;
    }
    x[id.x] = h;
}";

/// A loop whose length depends on data: each turn is metered.
const COLLATZ: &str = "@group(0) @binding(0) var<storage, read_write> x: array<u32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    var n = x[id.x];
    var steps = 0u;
    while n != 1u && steps < 4000u {
        n = select(n / 2u, 3u * n + 1u, (n & 1u) == 1u);
        steps++;
    }
    x[id.x] = steps;
}";

/// As little as there can be.
const INCREMENT: &str = "@group(0) @binding(0) var<storage, read_write> x: array<u32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) { x[id.x] += 1u; }";

/// The sides of each comparison besides the direct one.
struct Sides {
    in_process: Cell,
    confined: Cell,
    probe: Component,
}

/// One row: the same work on each side, in seconds.
struct Row {
    label: String,
    direct: f64,
    in_process: f64,
    confined: f64,
}

/// Measures all of them.
pub(super) fn measure(direct: &Direct, quick: bool) -> Result<Value> {
    let sides = Sides {
        in_process: Cell::in_process().policy(probe::policy()).build()?,
        confined: Cell::confined()
            .require_tier(Tier::Unprivileged)
            .policy(probe::policy())
            .build()?,
        probe: probe::component()?,
    };
    let rows = [
        sides.large(direct, "loops of known length", HASH, quick)?,
        sides.large(direct, "loops as long as data say", COLLATZ, quick)?,
        sides.small(direct, quick)?,
        sides.batch(direct, quick)?,
    ];
    print(&rows);
    Ok(Value::Object(rows.iter().map(numbers).collect()))
}

impl Sides {
    /// Whole launches of a long dispatch.
    fn large(&self, direct: &Direct, what: &str, wgsl: &str, quick: bool) -> Result<Row> {
        let workgroups = LARGE / 64;
        let request = probe::request("shader", wgsl, LARGE)?
            .scalar("x_groups", workgroups)
            .scalar("y_groups", 1_u32)
            .scalar("z_groups", 1_u32);
        let shader = Shader::new(direct, wgsl, LARGE)?;
        let mut out = vec![0; shader.input.len()];
        let alone: Contender<'_> = Box::new(|| {
            let began = Instant::now();
            shader.fill();
            shader.dispatch_and_read(workgroups, &mut out)?;
            black_box(&out);
            Ok(began.elapsed())
        });
        let mut contenders = [
            alone,
            self.launch(&self.in_process, &request),
            self.launch(&self.confined, &request),
        ];
        let medians = interleaved(&mut contenders, if quick { 3 } else { 15 })?;
        Row::new(format!("large: {LARGE} words, {what}"), &medians)
    }

    /// One dispatch of one workgroup, read back.
    fn small(&self, direct: &Direct, quick: bool) -> Result<Row> {
        let times = if quick { 50 } else { 500 };
        let shader = Shader::new(direct, INCREMENT, SMALL)?;
        let mut out = vec![0; shader.input.len()];
        let alone: Contender<'_> = Box::new(|| {
            shader.fill();
            let began = Instant::now();
            for _ in 0..times {
                shader.dispatch_and_read(1, &mut out)?;
                black_box(&out);
            }
            Ok(began.elapsed())
        });
        let request = probe::request("repeat", INCREMENT, SMALL)?;
        let [none, all] = [0, times].map(|times| request.clone().scalar("times", times));
        let label = "small: one workgroup, read back";
        self.slope(label, alone, [&none, &all], times, quick)
    }

    /// A batch of dispatches of one workgroup each.
    fn batch(&self, direct: &Direct, quick: bool) -> Result<Row> {
        let times = if quick { 10 } else { 100 };
        let shader = Shader::new(direct, INCREMENT, SMALL)?;
        let alone: Contender<'_> = Box::new(|| {
            shader.fill();
            let began = Instant::now();
            for _ in 0..times {
                shader.dispatch(BATCH, 1)?;
            }
            Ok(began.elapsed())
        });
        let request = probe::request("batches", INCREMENT, SMALL)?.scalar("size", BATCH);
        let [none, all] = [0, times].map(|times| request.clone().scalar("times", times));
        let label = format!("batch: {BATCH} dispatches of one workgroup");
        self.slope(&label, alone, [&none, &all], times, quick)
    }

    /// Time for each repetition: of the direct side, and of launches without and with repetitions.
    fn slope(
        &self,
        label: &str,
        alone: Contender<'_>,
        [none, all]: [&Request; 2],
        times: u32,
        quick: bool,
    ) -> Result<Row> {
        let mut contenders = [
            alone,
            self.launch(&self.in_process, none),
            self.launch(&self.in_process, all),
            self.launch(&self.confined, none),
            self.launch(&self.confined, all),
        ];
        let medians = interleaved(&mut contenders, if quick { 3 } else { 15 })?;
        let [alone, none, all, confined_none, confined_all] = medians[..] else {
            anyhow::bail!("a median for each");
        };
        let sides = [alone, all - none, confined_all - confined_none];
        Row::new(label, &sides.map(|side| side / f64::from(times)))
    }

    fn launch<'a>(&'a self, cell: &'a Cell, request: &'a Request) -> Contender<'a> {
        Box::new(move || {
            let began = Instant::now();
            let ended = probe::run(cell, &self.probe, request)?;
            let out = ended.array("out").context("a result")?;
            black_box(out.bytes().context("a result in memory")?.to_vec());
            Ok(began.elapsed())
        })
    }
}

impl Row {
    fn new(label: impl Into<String>, sides: &[f64]) -> Result<Self> {
        let [direct, in_process, confined] = sides[..] else {
            anyhow::bail!("three sides");
        };
        Ok(Self {
            label: label.into(),
            direct,
            in_process,
            confined,
        })
    }
}

fn print(rows: &[Row]) {
    let cells = rows.iter().map(|row| {
        let added = row.confined - row.direct;
        let sign = if added < 0.0 { "-" } else { "+" };
        vec![
            row.label.clone(),
            time(row.direct),
            time(row.in_process),
            time(row.confined),
            format!("{sign}{}", time(added.abs())),
            ratio(row.confined / row.direct),
        ]
    });
    let columns = [
        "median",
        "wgpu alone",
        "in process",
        "confined",
        "added",
        "ratio",
    ];
    table::print(
        "The same WGSL through wgpu alone and in a launch",
        &columns,
        &cells.collect::<Vec<_>>(),
    );
}

fn numbers(row: &Row) -> (String, Value) {
    let mut numbers = Map::new();
    numbers.insert("direct".into(), json!(row.direct));
    numbers.insert("in_process".into(), json!(row.in_process));
    numbers.insert("confined".into(), json!(row.confined));
    (row.label.clone(), Value::Object(numbers))
}
