//! `hotcell stats`

use crate::audit::{LogsArgument, RangeArguments, check_range, each};
use crate::run::{approximate, human};
use crate::say::print;
use anyhow::Result;
use clap::Args;
use hotcell::Tenant;
use hotcell::limit::Unit;
use hotcell_audit::statistics::{Distribution, KernelStatistics};
use hotcell_audit::{Query, Statistics};
use hotcell_model::text;
use std::fmt::Write;
use std::time::Duration;

/// Say what kernels took, from the audit log: calls, time, fuel and memory, what the cache saved, and how they failed
#[derive(Args)]
pub(crate) struct StatsCommand {
    /// Of that tenant
    #[arg(long)]
    tenant: Option<Tenant>,
    /// Of that kernel: the name of an entry or of a component
    #[arg(long, value_name = "NAME")]
    kernel: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    range: RangeArguments,
    #[command(flatten)]
    logs: LogsArgument,
}

impl StatsCommand {
    /// Prints the table.
    pub(crate) fn execute(self) -> Result<()> {
        let (since, until) = self.range.range();
        check_range((since, until))?;
        let query = Query {
            tenant: self.tenant,
            kernel: self.kernel,
            since,
            until,
            ..Query::default()
        };
        let mut statistics = Statistics::default();
        each(&self.logs, &query, |record| {
            statistics.add(&record.entry);
            Ok(())
        })?;
        let kernels = statistics.kernels();
        match self.json {
            true => print(format_args!(
                "{}\n",
                serde_json::to_string_pretty(&kernels)?
            )),
            false => print(table(&kernels)),
        }
    }
}

fn table(kernels: &[KernelStatistics]) -> String {
    if kernels.is_empty() {
        return "no launches\n".to_owned();
    }
    let mut text = String::new();
    for kernel in kernels {
        text += &of_kernel(kernel);
    }
    text
}

/// What was measured, its values, and how one is written.
type Row<'a> = (&'a str, Option<Distribution>, &'a dyn Fn(u64) -> String);

fn of_kernel(kernel: &KernelStatistics) -> String {
    let name = match kernel.entry.is_empty() {
        true => "(no entry)".to_owned(),
        false => text::clean(&kernel.entry, 40),
    };
    let component = kernel.component.map_or_else(String::new, |digest| {
        let digits = digest.to_string();
        format!(" of {}", &digits[..12])
    });
    let mut text = format!("{name}{component}: {} launches\n", kernel.calls);
    let time = |ns| human(Duration::from_nanos(ns));
    let bytes = |bytes| Unit::Bytes.format(bytes);
    let rows: [Row<'_>; 3] = [
        ("wall", kernel.wall_ns, &time),
        ("fuel", kernel.fuel, &approximate),
        ("memory", kernel.peak_memory_bytes, &bytes),
    ];
    if rows.iter().any(|(_, values, _)| values.is_some()) {
        let _ = writeln!(
            text,
            "  {:8} {:>10} {:>10} {:>10} {:>10} {:>10}",
            "", "min", "mean", "p50", "p99", "max"
        );
    }
    for (what, values, shown) in rows {
        if let Some(values) = values {
            let [min, mean, p50, p99, max] =
                [values.min, values.mean, values.p50, values.p99, values.max].map(shown);
            let _ = writeln!(
                text,
                "  {what:8} {min:>10} {mean:>10} {p50:>10} {p99:>10} {max:>10}"
            );
        }
    }
    let _ = writeln!(
        text,
        "  compiled {} times in {}; the cache saved {} in {} launches",
        kernel.compilations,
        time(kernel.compile_ns),
        time(kernel.saved_ns),
        kernel.cache_hits
    );
    if !kernel.failures.is_empty() {
        let failures = kernel.failures.iter();
        let failures: Vec<_> = failures
            .map(|(kind, count)| format!("{kind} {count}"))
            .collect();
        let _ = writeln!(text, "  failed   {}", failures.join(", "));
    }
    if kernel.alerts != 0 {
        let _ = writeln!(text, "  alerts   {}", kernel.alerts);
    }
    text
}
