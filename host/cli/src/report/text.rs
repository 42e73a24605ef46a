//! A report as lines: the outcome first, then what was run, what it used of what it had, and what kept it in.

use crate::hint::{explain, explain_cause};
use crate::run::{approximate, human};
use hotcell::layer::{LayerReport, LayerState};
use hotcell::limit::{Limit, LimitSource, Unit};
use hotcell::outcome::Blame;
use hotcell::report::{ArrayReport, CacheOutcome, Report};
use std::fmt::Display;
use std::time::Duration;

/// What a text in a report is cut at.
const SHOWN_BYTES: usize = 2048;
/// The log lines that are shown; the report has the rest.
const SHOWN_LINES: usize = 10;

/// The whole summary.
pub(super) fn of(report: &Report) -> String {
    let mut text = outcome(report);
    for (title, lines) in [
        ("launch", launch(report)),
        ("usage", usage(report)),
        ("timings", timings(report)),
        ("walls", walls(report)),
        ("warnings", warnings(report)),
        ("alerts", alerts(report)),
        ("observed", observed(report)),
        ("arguments", arrays(&report.arguments)),
        ("results", arrays(&report.results)),
        ("log", log(report)),
    ] {
        if !lines.is_empty() {
            text += &format!("\n{title}\n");
            lines.iter().for_each(|line| text += &format!("  {line}\n"));
        }
    }
    text
}

/// Text from a report, which anybody may have written: nothing in it moves a cursor or breaks a line.
fn shown(text: &str) -> String {
    hotcell_model::text::clean(text, SHOWN_BYTES)
}

fn row(name: &str, value: impl Display) -> String {
    format!("{name:12} {value}")
}

fn outcome(report: &Report) -> String {
    let (component, outcome) = (&report.component, &report.outcome);
    let names = [
        component.entry.as_str(),
        component.name.as_str(),
        "the launch",
    ];
    let name = names.into_iter().find(|name| !name.is_empty());
    let mut text = format!("{}: {}", shown(name.unwrap_or_default()), outcome.kind);
    if let Some(blame) = outcome.blame {
        text += match blame {
            Blame::Guest => ", the kernel's doing",
            Blame::Request => ", by the request",
            Blame::Operator => ", by how the host is run",
            Blame::Host => ", the host's fault",
            Blame::Unknown => ", by whom is not known",
        };
    }
    text += "\n";
    let words = match &outcome.causes[..] {
        [] | [_] => vec![explain(outcome)],
        // The message has the words of all of them in one line.
        causes => causes.iter().map(explain_cause).collect(),
    };
    for words in words.iter().filter(|words| !words.is_empty()) {
        text += &format!("  {}\n", shown(words));
    }
    if outcome.partial {
        text += "  the results are partial: the kernel returned early\n";
    }
    if !outcome.reproducible {
        text += "  the same request may end differently\n";
    }
    for frame in &outcome.trace {
        text += &format!("    in {}\n", shown(&frame.to_string()));
    }
    text
}

fn launch(report: &Report) -> Vec<String> {
    let component = &report.component;
    let mut lines = vec![
        row("run", report.run_id),
        row("by", shown(&report.host)),
        row("for", format!("{} ({})", report.tenant, report.caller)),
        row("at", report.started),
    ];
    let path = component
        .path
        .as_deref()
        .map(|path| format!(" ({})", shown(path)));
    lines.push(row(
        "component",
        format!("{}{}", shown(&component.name), path.unwrap_or_default()),
    ));
    lines.extend(component.digest.map(|digest| row("digest", digest)));
    lines.push(row("metering", report.metering));
    lines.push(row("grants", &report.grants));
    lines.extend(report.seed.map(|seed| row("seed", seed)));
    let list = |pairs: Vec<String>| (!pairs.is_empty()).then(|| pairs.join(", "));
    let dims = report.dims.iter();
    let dims = dims.map(|(name, extent)| format!("{}={}", shown(name), extent));
    lines.extend(list(dims.collect()).map(|dims| row("dimensions", dims)));
    let scalars = report.scalars.iter();
    let scalars = scalars.map(|(name, value)| format!("{}={value}", shown(name)));
    lines.extend(list(scalars.collect()).map(|scalars| row("scalars", scalars)));
    lines
}

/// What was used, beside the limit on it.
fn usage(report: &Report) -> Vec<String> {
    let usage = &report.usage;
    let mut rows = Vec::new();
    rows.extend(usage.fuel_used.map(|fuel| (Limit::Fuel, fuel, "fuel_used")));
    rows.extend([
        (Limit::Timeout, usage.wall_ns, "wall_ns"),
        (Limit::CpuTime, usage.cpu_ns, "cpu_ns"),
        (Limit::Memory, usage.peak_memory_bytes, "peak_memory_bytes"),
        (Limit::BytesIn, usage.bytes_in, "bytes_in"),
        (Limit::BytesOut, usage.bytes_out, "bytes_out"),
        (Limit::HostCalls, usage.host_calls, "host_calls"),
        (Limit::LogBytes, usage.log_bytes, "log_bytes"),
    ]);
    if let Some(gpu) = &usage.gpu {
        rows.extend([
            (
                Limit::GpuFuel,
                gpu.fuel_static.saturating_add(gpu.fuel_dynamic),
                "gpu",
            ),
            (Limit::GpuTime, gpu.time_ns, "gpu"),
            (Limit::GpuBytes, gpu.peak_bytes, "gpu"),
            (Limit::GpuBuffers, gpu.buffers, "gpu"),
            (Limit::GpuPipelines, gpu.pipelines, "gpu"),
            (Limit::GpuBindSets, gpu.bind_sets, "gpu"),
            (Limit::GpuShaderBytes, gpu.shader_bytes, "gpu"),
            (Limit::GpuDispatches, gpu.dispatches, "gpu"),
            (Limit::GpuInvocations, gpu.invocations, "gpu"),
        ]);
    }
    let mut lines = vec![format!("{:16} {:>10}   {:>10}", "", "used", "limit")];
    lines.extend(rows.into_iter().map(|row| usage_row(report, row)));
    lines.push(format!("{:16} {:>10}", "instances", usage.instances));
    if usage.log_lines_dropped > 0 {
        lines.push(format!(
            "{:16} {:>10}",
            "lines dropped", usage.log_lines_dropped
        ));
    }
    let device = report.device.as_ref();
    lines.extend(device.map(|device| format!("GPU: {}", shown(device))));
    if !usage.claimed.is_empty() {
        lines.push("*: the worker's own word, which nothing here could check".to_owned());
    }
    lines
}

fn usage_row(report: &Report, (limit, used, field): (Limit, u64, &str)) -> String {
    let amount = |value| match limit.unit() {
        Unit::Ns => human(Duration::from_nanos(value)),
        Unit::Bytes => bytes(value),
        Unit::Fuel | Unit::Count => approximate(value),
    };
    let is_claimed = report.usage.claimed.iter().any(|claimed| claimed == field);
    let mark = if is_claimed { "*" } else { " " };
    let mut line = format!("{:16} {:>10}{mark}", limit.name(), amount(used));
    if let Some(found) = report.limits.get(limit.name()) {
        let source = match found.source {
            LimitSource::Default => "default",
            LimitSource::Manifest => "by the kernel's manifest",
            LimitSource::Policy => "by the host's policy",
            LimitSource::Profile => "by the host's policy for such kernels",
            LimitSource::Tenant => "by the host's policy for the tenant",
            LimitSource::Request => "as asked for",
        };
        line += &format!(
            "  {:>10}  {}, {source}",
            limit.unit().format(found.value),
            share(used, found.value)
        );
    }
    let breach = report.outcome.breach();
    if breach.is_some_and(|breach| breach.limit == limit) {
        line += "  <- reached";
    }
    line
}

/// How much of its limit that is.
fn share(used: u64, limit: u64) -> String {
    let percent = u128::from(used) * 100 / u128::from(limit.max(1));
    match percent {
        0 if used > 0 => "below 1 %".to_owned(),
        percent => format!("{percent} %"),
    }
}

/// Bytes with three digits.
fn bytes(value: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let float = value as f64;
    match value {
        0..1024 => format!("{value} B"),
        1024..0x10_0000 => format!("{:.1} KiB", float / 1024.0),
        0x10_0000..0x4000_0000 => format!("{:.1} MiB", float / f64::from(1 << 20)),
        _ => format!("{:.1} GiB", float / f64::from(1 << 30)),
    }
}

fn timings(report: &Report) -> Vec<String> {
    let timings = &report.timings;
    let ns = |value: u64| human(Duration::from_nanos(value));
    let mut lines = Vec::new();
    let compiled = match &timings.cache {
        Some(CacheOutcome::HitMemory) => Some("compiled before, still loaded".to_owned()),
        Some(CacheOutcome::Hit) => Some("compiled before, on disk".to_owned()),
        Some(CacheOutcome::Miss(why)) => {
            Some(format!("{} ({})", ns(timings.compile_ns), shown(why)))
        }
        Some(CacheOutcome::FailedBefore) => Some("failed a moment ago, not tried again".to_owned()),
        None if timings.compile_ns > 0 => Some(ns(timings.compile_ns)),
        None => None,
    };
    lines.extend(compiled.map(|compiled| row("compile", compiled)));
    if let Some(cost) = &timings.compilation {
        let cost = format!(
            "{} of CPU time, {} at most",
            ns(cost.cpu_ns),
            bytes(cost.peak_memory_bytes)
        );
        lines.push(row("  its process", cost));
    }
    for (name, value) in [
        ("load", timings.load_ns),
        ("instantiate", timings.instantiate_ns),
        ("call", timings.call_ns),
        ("  its body", timings.body_ns),
    ] {
        if value > 0 {
            lines.push(row(name, ns(value)));
        }
    }
    lines
}

fn walls(report: &Report) -> Vec<String> {
    let mut lines = vec![row("isolation", report.isolation)];
    let Some(walls) = &report.walls else {
        return lines;
    };
    lines.push(row(
        "tier",
        format!("{}, required {}", walls.tier, walls.required),
    ));
    for (worker, layers) in [
        ("runner", &walls.runner),
        ("compiler", &walls.compiler),
        ("gpu", &walls.gpu),
    ] {
        if !layers.is_empty() {
            let enforced = layers.iter().filter(|layer| layer.is_enforced()).count();
            lines.push(row(
                worker,
                format!("{enforced} of {} layers", layers.len()),
            ));
            lines.extend(layers.iter().filter_map(absence));
        }
    }
    lines
}

fn absence(report: &LayerReport) -> Option<String> {
    match &report.state {
        LayerState::Enforced(_) => None,
        LayerState::Absent { why, remedy } => {
            let (why, remedy) = (shown(why), shown(remedy));
            Some(format!("  without {}: {why}; {remedy}", report.layer))
        }
    }
}

/// What was expected before it ran.
fn warnings(report: &Report) -> Vec<String> {
    report.warnings.iter().map(ToString::to_string).collect()
}

/// What the policy's observed limits would have done.
fn observed(report: &Report) -> Vec<String> {
    let observed = report.observed.iter();
    observed
        .map(|breach| format!("enforced, it would have ended: {breach}"))
        .collect()
}

fn alerts(report: &Report) -> Vec<String> {
    let name = |alert: &hotcell::report::Alert| match serde_json::to_value(alert.kind) {
        Ok(serde_json::Value::String(name)) => name,
        _ => "alert".to_owned(),
    };
    let alerts = report.alerts.iter();
    let alerts = alerts.map(|alert| format!("{}: {}", name(alert), shown(&alert.message)));
    alerts.collect()
}

fn arrays(arrays: &[ArrayReport]) -> Vec<String> {
    let line = |array: &ArrayReport| {
        let shape: Vec<String> = array.shape.iter().map(u64::to_string).collect();
        let ty = format!("{}({})", array.dtype, shape.join(","));
        let digest = array.blake3.map(|digest| format!("  blake3 {digest}"));
        format!(
            "{:12} {ty:16}{}",
            shown(&array.name),
            digest.unwrap_or_default()
        )
    };
    arrays.iter().map(line).collect()
}

fn log(report: &Report) -> Vec<String> {
    let lines = report.log.iter().take(SHOWN_LINES);
    let lines = lines.map(|line| {
        format!(
            "{:5} {}",
            format!("{:?}", line.level).to_lowercase(),
            shown(&line.message)
        )
    });
    let mut lines: Vec<String> = lines.collect();
    if let Some(more) = report
        .log
        .len()
        .checked_sub(SHOWN_LINES)
        .filter(|more| *more > 0)
    {
        lines.push(format!("and {more} more"));
    }
    lines
}
