//! The page for people who look rather than read: what runs, what is left, how things ended, what was odd, what compilations
//! took, and how the audit log is. Whatever a tenant or a guest has named is text here, and never markup.

use super::plot::{Point, scatter};
use crate::protocol::{LaunchState, Stage, Status};
use hotcell_audit::LogState;
use hotcell_model::manifest::units::{format_bytes, format_count, format_duration};
use hotcell_model::report::Severity;
use hotcell_model::time::Timestamp;
use hotcell_watch::{CompilationPoint, Ended, RecentAlert};
use maud::{DOCTYPE, Markup, html};
use std::time::Duration;

/// What the page shows.
pub(crate) struct View {
    pub(crate) now: Timestamp,
    /// The policy's name.
    pub(crate) policy: String,
    pub(crate) status: Status,
    /// Newest first.
    pub(crate) latest: Vec<Ended>,
    /// Newest first.
    pub(crate) alerts: Vec<RecentAlert>,
    /// Oldest first.
    pub(crate) compilations: Vec<CompilationPoint>,
    /// Absent where nothing is recorded.
    pub(crate) audit: Option<LogState>,
}

/// The most rows of a table.
const ROWS: usize = 32;

/// The page.
pub(crate) fn page(view: &View) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "hotcell" }
                link rel="stylesheet" href="/style.css";
            }
            body {
                h1 { "hotcell" }
                p.dim { "under " (view.policy) ", since " (moment(view.status.since)) ", as of " (moment(view.now)) }
                (alerts(&view.alerts))
                (running(view))
                (workers(&view.status))
                (budgets(&view.status))
                (latest(&view.latest))
                (compilations(&view.compilations))
                (audit(view.audit.as_ref()))
            }
        }
    };
    page.into_string()
}

fn alerts(alerts: &[RecentAlert]) -> Markup {
    html! {
        h2 { "Alerts" }
        @if alerts.is_empty() { p.none { "Nothing was odd." } } @else {
            table #alerts {
                tr { th { "when" } th { "what" } th { "seen" } th { "tenant" } th { "kernel" } th { "launch" } }
                @for alert in alerts.iter().take(ROWS) {
                    tr {
                        td { (moment(alert.at)) }
                        td class=(severity(alert.severity)) { (alert.kind.name()) }
                        td.words { (alert.message) }
                        td { (alert.tenant) }
                        td { (alert.kernel) }
                        td { code { (alert.run_id) } }
                    }
                }
            }
        }
    }
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Warning => "warning",
        Severity::Critical => "critical",
    }
}

fn running(view: &View) -> Markup {
    let launches = &view.status.launches;
    html! {
        h2 { "Running" }
        @if launches.is_empty() { p.none { "Nothing runs." } } @else {
            table #running {
                tr { th { "launch" } th { "tenant" } th { "caller" } th { "component" } th { "entry" } th { "stage" } th.number { "for" } }
                @for launch in launches.iter().take(ROWS) { (launch_row(launch, view.now)) }
            }
            @if launches.len() > ROWS { p.dim { "and " (launches.len() - ROWS) " more" } }
        }
    }
}

fn launch_row(launch: &LaunchState, now: Timestamp) -> Markup {
    let stage = match launch.stage {
        Stage::Asked => "asked",
        Stage::Permitted => "permitted",
        Stage::Stopping => "stopping",
    };
    let component = launch.component.to_string();
    html! {
        tr {
            td { code { (launch.launch.to_string()) } }
            td { (launch.tenant.as_str()) }
            td { (launch.caller.to_string()) }
            td { code { (component.get(..12).unwrap_or(&component)) } }
            td { (launch.entry) }
            td { (stage) }
            td.number { (duration(now.since(launch.started))) }
        }
    }
}

fn workers(status: &Status) -> Markup {
    html! {
        h2 { "Workers" }
        table {
            tr { th { "kind" } th.number { "busy" } th.number { "kept" } th.number { "at most" } th.number { "waiting" } }
            @for pool in &status.pools {
                tr {
                    td { (pool.name) }
                    td.number { (pool.busy) }
                    td.number { (pool.idle) }
                    td.number { (pool.most) }
                    td.number { (pool.waiting) }
                }
            }
        }
        p.dim { (status.connections) " clients are connected." }
    }
}

fn budgets(status: &Status) -> Markup {
    let budgets = status.tenants.iter().flat_map(|tenant| {
        let budgets = tenant.budgets.iter();
        budgets.map(move |budget| (tenant.tenant.as_str(), budget))
    });
    let budgets: Vec<_> = budgets.collect();
    html! {
        h2 { "Budgets" }
        @if budgets.is_empty() { p.none { "No tenant that is named or runs anything has any." } } @else {
            table {
                tr { th { "tenant" } th { "budget" } th { "left" } th.number { } th.number { "of" } }
                @for (tenant, budget) in budgets {
                    @let left = u64::try_from(budget.left).unwrap_or(0);
                    @let unit = budget.resource.unit();
                    tr {
                        td { (tenant) }
                        td { (budget.resource.name()) }
                        td { meter min="0" max=(budget.size) value=(left) {} }
                        td.number {
                            @if budget.left < 0 { span.bad { "owes " (unit.format(budget.left.unsigned_abs())) } } @else { (unit.format(left)) }
                        }
                        td.number { (unit.format(budget.size)) }
                    }
                }
            }
        }
    }
}

fn latest(latest: &[Ended]) -> Markup {
    html! {
        h2 { "Latest" }
        @if latest.is_empty() { p.none { "Nothing has ended yet." } } @else {
            table #latest {
                tr { th { "when" } th { "tenant" } th { "asked for" } th { "kernel" } th { "end" } th { "blame" } th { "" } th.number { "took" } }
                @for ended in latest.iter().take(ROWS) {
                    tr {
                        td { (moment(ended.started)) }
                        td { (ended.tenant) }
                        td { (ended.verb.name()) }
                        td { (kernel(ended)) }
                        td class=(if ended.blame.is_some() { "bad" } else { "good" }) { (ended.outcome.name()) }
                        td { (ended.blame.map_or("", |blame| blame.name())) }
                        td.words { (ended.message) }
                        td.number { @if ended.wall_ns > 0 { (duration(Duration::from_nanos(ended.wall_ns))) } }
                    }
                }
            }
        }
    }
}

fn kernel(ended: &Ended) -> String {
    match (ended.kernel.is_empty(), ended.entry.is_empty()) {
        (true, _) => ended.entry.clone(),
        (_, true) => ended.kernel.clone(),
        _ if ended.kernel == ended.entry => ended.kernel.clone(),
        _ => format!("{} · {}", ended.kernel, ended.entry),
    }
}

fn compilations(compilations: &[CompilationPoint]) -> Markup {
    #[expect(
        clippy::cast_precision_loss,
        reason = "a picture shows no more than three digits"
    )]
    let point = |seen: &CompilationPoint| Point {
        x: seen.code_bytes as f64,
        y: seen.cpu_ns as f64,
        usual: seen.usual_cpu_ns as f64,
        is_far: seen.is_far,
    };
    let points: Vec<Point> = compilations.iter().map(point).collect();
    html! {
        h2 { "Compilations" }
        @if points.is_empty() { p.none { "Nothing was compiled." } } @else {
            p.dim { "Processor time by size of code; a dash is what is usual." }
            (scatter(
                "processor time of compilations by size of code, beside what is usual",
                &points,
                |bytes| format_bytes(whole(bytes)),
                |nanoseconds| duration(Duration::from_nanos(whole(nanoseconds))),
            ))
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it saturates"
)]
fn whole(value: f64) -> u64 {
    value as u64
}

fn audit(state: Option<&LogState>) -> Markup {
    html! {
        h2 { "Audit log" }
        @match state {
            None => { p.none { "Nothing is recorded." } }
            Some(state) => {
                p {
                    (format_count(state.size)) " records in " code { (state.log) } ", " (format_bytes(state.bytes)) @if state.open > 0 { ", " (state.open) " not finished" } "."
                }
                @match &state.checkpoint {
                    Some(checkpoint) => {
                        p { "Signed up to record " (checkpoint.size) @if let Some(synced) = state.synced { ", " (moment(synced)) } "." }
                    }
                    None => { p { "Nothing is signed yet." } }
                }
                @if state.missing > 0 { p.critical { (state.missing) " records could not be written." } }
                @if let Some(trouble) = &state.trouble { p.warning { "It cannot be written now: " (trouble) } }
                p.dim { "Whether it is whole, " code { "hotcell audit verify" } " says." }
            }
        }
    }
}

/// A moment, to the second.
fn moment(at: Timestamp) -> String {
    let text = at.to_string();
    text.get(..19).unwrap_or(&text).replace('T', " ")
}

/// A duration of three digits or so.
fn duration(duration: Duration) -> String {
    let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    let unit = match nanoseconds {
        0..10_000 => 1,
        10_000..10_000_000 => 1_000,
        10_000_000..10_000_000_000 => 1_000_000,
        _ => 1_000_000_000,
    };
    format_duration(Duration::from_nanos(nanoseconds / unit * unit))
}
