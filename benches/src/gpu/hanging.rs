//! A shader that runs on past its launch's deadline: how late the launch ends, and when the next one is served.
//!
//! Nobody can stop a shader that runs. The worker is killed with it, and the next launch opens another.

use super::probe;
use crate::measure::median;
use crate::table::{self, time};
use anyhow::{Result, ensure};
use hotcell::outcome::OutcomeKind;
use hotcell::{Cell, Tier};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// The deadline.
const TIMEOUT: Duration = Duration::from_millis(500);

/// Without end but for its fuel, which is as much as a launch can have: the dispatch takes minutes. What each turn does
/// to memory keeps a compiler from seeing where the loop ends and leaving it out.
const ENDLESS: &str = "@group(0) @binding(0) var<storage, read_write> x: array<u32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    var h = id.x;
    loop {
        h = h * 747796405u + x[h & 63u];
        x[(h >> 8u) & 63u] = h | 1u;
        if h == 0u && x[0] == 0u { break; }
    }
}";
const NOTHING: &str = "@group(0) @binding(0) var<storage, read_write> x: array<u32>;
@compute @workgroup_size(64) fn main() { x[0] += 1u; }";

/// Measures launches one after the other: one that hangs, and one that does not.
pub(super) fn measure(quick: bool) -> Result<Value> {
    let cell = Cell::confined()
        .require_tier(Tier::Unprivileged)
        .policy(probe::policy())
        .build()?;
    let component = probe::component()?;
    let request = |wgsl, groups: u32| {
        let request = probe::request("shader", wgsl, 64)?.scalar("x_groups", groups);
        anyhow::Ok(request.scalar("y_groups", 1_u32).scalar("z_groups", 1_u32))
    };
    let next = request(NOTHING, 1)?;
    let hanging = request(ENDLESS, 65_535)?.timeout(TIMEOUT);
    probe::run(&cell, &component, &next)?;
    let (mut late, mut served) = (Vec::new(), Vec::new());
    for _ in 0..if quick { 3 } else { 15 } {
        let began = Instant::now();
        let ended = cell.run(&component, hanging.clone());
        late.push(began.elapsed().saturating_sub(TIMEOUT).as_secs_f64());
        let (kind, message) = (ended.outcome.kind, &ended.outcome.message);
        let is_timeout = matches!(kind, OutcomeKind::Timeout | OutcomeKind::GpuTimeout);
        ensure!(is_timeout, "no timeout: {message}");
        probe::run(&cell, &component, &next)?;
        served.push(began.elapsed().saturating_sub(TIMEOUT).as_secs_f64());
    }
    let rows = [
        ("the launch is over", &mut late),
        ("the next launch is served", &mut served),
    ];
    let rows = rows.map(|(label, times)| {
        let middle = median(times);
        let most = times.last().copied().unwrap_or(0.0);
        (label, middle, most)
    });
    let cells = rows.map(|(label, middle, most)| vec![label.to_owned(), time(middle), time(most)]);
    let title = format!("After a deadline of {TIMEOUT:?} that a dispatch does not meet");
    table::print(
        &title,
        &["from the deadline until", "median", "most"],
        &cells,
    );
    let number = |(_, median, most): (_, f64, f64)| json!({ "median": median, "most": most });
    Ok(json!({ "over": number(rows[0]), "next": number(rows[1]) }))
}
