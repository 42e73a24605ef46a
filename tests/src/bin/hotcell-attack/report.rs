//! The dated report, for people and for programs.

use crate::date::Date;
use crate::doctor::Host;
use crate::judge::Row;
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Everything that was found.
pub(crate) struct Report {
    pub(crate) began: Date,
    pub(crate) host: Host,
    pub(crate) rows: Vec<Row>,
}

impl Report {
    /// Whether everything ended as it must.
    pub(crate) fn has_held(&self) -> bool {
        self.host.faults.is_empty() && self.rows.iter().all(|row| row.faults.is_empty())
    }

    /// Writes both forms into a directory; gives the readable one's path.
    pub(crate) fn write(&self, directory: &Path) -> Result<PathBuf> {
        let path = |ending: &str| directory.join(format!("attack-{}.{ending}", self.began));
        std::fs::create_dir_all(directory).with_context(|| directory.display().to_string())?;
        let json = serde_json::to_string_pretty(&self.json())?;
        for (ending, text) in [("json", json), ("md", self.markdown())] {
            let path = path(ending);
            std::fs::write(&path, text).with_context(|| path.display().to_string())?;
        }
        Ok(path("md"))
    }

    fn failed(&self) -> usize {
        self.rows
            .iter()
            .filter(|row| !row.faults.is_empty())
            .count()
    }

    fn markdown(&self) -> String {
        let mut text = format!("# Attack of {}\n\n", self.began);
        text += &self.summary();
        text += &self.walls();
        let mut group = None;
        for row in &self.rows {
            if group != Some(row.group) {
                group = Some(row.group);
                text += &format!("\n## {}\n\n{HEAD}", row.group.name());
            }
            text += &markdown_row(row);
        }
        text
    }

    fn summary(&self) -> String {
        let host = &self.host;
        let (all, failed) = (self.rows.len(), self.failed());
        let mut text = format!("{all} attacks, {failed} of which did not end as they must.\n\n");
        let _ = writeln!(
            text,
            "- command: {}, isolation {}",
            host.hotcell, host.isolation
        );
        let _ = writeln!(
            text,
            "- machine: Linux {}, {}, {} CPUs ({})",
            host.kernel, host.machine, host.cpus, host.cpu
        );
        let _ = writeln!(text, "- tier: {}", host.tier());
        let gpu = match &host.gpu {
            Ok(gpu) => format!(
                "{}, tier {}",
                gpu["driver"].as_str().unwrap_or_default(),
                gpu["tier"].as_str().unwrap_or_default()
            ),
            Err(why) => format!("not attacked: {why}"),
        };
        let _ = writeln!(text, "- GPU: {}", plain(&gpu));
        for fault in &host.faults {
            let _ = writeln!(text, "- **wrong**: {}", plain(fault));
        }
        text
    }

    fn walls(&self) -> String {
        let layers = self.host.layers();
        if layers.is_empty() {
            return String::new();
        }
        let mut text = "\n## Walls\n\n| worker | layer | | |\n|---|---|---|---|\n".to_owned();
        for (worker, layer, is_enforced, said) in layers {
            let state = if is_enforced {
                "enforced"
            } else {
                "**absent**"
            };
            let _ = writeln!(text, "| {worker} | {layer} | {state} | {} |", plain(&said));
        }
        text
    }

    fn json(&self) -> Value {
        let rows: Vec<Value> = self.rows.iter().map(json_row).collect();
        let host = &self.host;
        json!({
            "schema": 1,
            "date": self.began.to_string(),
            "held": self.has_held(),
            "host": {
                "kernel": host.kernel,
                "machine": host.machine,
                "cpu": host.cpu,
                "cpus": host.cpus,
                "hotcell": host.hotcell,
                "isolation": host.isolation,
                "doctor": host.doctor,
                "gpu": host.gpu.as_ref().ok(),
                "faults": host.faults,
            },
            "attacks": rows,
        })
    }
}

const HEAD: &str = "| attack | expected | got | wall | run: CPU, memory | compile: wall, CPU, memory | command's memory | verdict |\n|---|---|---|--:|--:|--:|--:|---|\n";

fn markdown_row(row: &Row) -> String {
    let cost = &row.cost;
    let run = [ms(cost.run_cpu_ns), mib(cost.run_peak_bytes)];
    let compile = [
        ms(cost.compile_wall_ns),
        ms(cost.compile_cpu_ns),
        mib(cost.compile_peak_bytes),
    ];
    let verdict = match row.faults.is_empty() {
        true => "ok".to_owned(),
        false => format!("**{}**", plain(&row.faults.join("; "))),
    };
    format!(
        "| {} | {} | {} | {} | {} | {} | {} | {verdict} |\n",
        row.name,
        row.expected,
        row.got,
        ms(Some(nanoseconds(row.wall))),
        run.join(", "),
        compile.join(", "),
        mib(Some(cost.supervisor_peak_bytes)),
    )
}

fn json_row(row: &Row) -> Value {
    let cost = &row.cost;
    json!({
        "group": row.group.name(),
        "name": row.name,
        "command": row.command,
        "expected": row.expected,
        "got": row.got,
        "wall_ns": nanoseconds(row.wall),
        "supervisor_peak_bytes": cost.supervisor_peak_bytes,
        "run_cpu_ns": cost.run_cpu_ns,
        "run_peak_bytes": cost.run_peak_bytes,
        "compile_wall_ns": cost.compile_wall_ns,
        "compile_cpu_ns": cost.compile_cpu_ns,
        "compile_peak_bytes": cost.compile_peak_bytes,
        "faults": row.faults,
    })
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn ms(ns: Option<u64>) -> String {
    ns.map_or("–".to_owned(), |ns| format!("{:.1} ms", ns as f64 / 1e6))
}

fn mib(bytes: Option<u64>) -> String {
    bytes.map_or("–".to_owned(), |bytes| {
        format!("{:.1} MiB", bytes as f64 / 1_048_576.0)
    })
}

/// Words that may be a guest's, so that they stay within their cell of a table.
fn plain(text: &str) -> String {
    let text = text.chars().take(400);
    text.map(|c| match c {
        '|' | '<' | '`' | '*' => '·',
        c if c.is_control() => ' ',
        c => c,
    })
    .collect()
}
