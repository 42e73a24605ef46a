//! `hotcell-bench`: what is fast and what it costs.
//!
//! Everything that is compared is measured in this one process, in turns, and what is printed are
//! medians: a machine that slows down slows all sides. `cargo xtask bench` builds what is run here.

mod bare;
mod compiling;
mod copies;
mod daemon;
mod gpu;
mod kernels;
mod latency;
mod launches;
mod measure;
mod record;
mod starting;
mod table;
mod timeouts;
mod walls;

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};
use serde_json::{Map, Value};
use std::path::PathBuf;

/// Measure hotcell against native code and bare wasmtime.
#[derive(Parser)]
struct Bench {
    /// Measure only these
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Topic>,
    /// Of the kernels, only these
    #[arg(long, value_delimiter = ',')]
    kernel: Vec<String>,
    /// Write the numbers as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// A few repetitions only: to see that everything runs
    #[arg(long)]
    quick: bool,
    /// Print two medians, measured on one CPU: for the topic `walls`, which starts this program again
    #[arg(long, hide = true)]
    same_cpu: bool,
}

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Topic {
    /// Every kernel against its native twins, in every metering mode
    Kernels,
    /// A launch of a tiny kernel against bare wasmtime
    Latency,
    /// Arrays into and out of the guest against memcpy
    Copies,
    /// Compile time per KiB of code
    Compiling,
    /// A new process, from start to result
    Starting,
    /// How late a timeout ends a spinning kernel
    Timeouts,
    /// Confined workers against the same work in one process
    Walls,
    /// Launches through the daemon against the caller's own supervisor
    Daemon,
    /// What it costs a launch to be recorded and watched
    Record,
    /// What GPU fuel costs, and GPU launches against wgpu alone
    Gpu,
}

fn main() -> Result<()> {
    let bench = Bench::parse();
    if bench.same_cpu {
        return walls::measure_same_cpu(bench.quick);
    }
    let mut numbers = Map::new();
    for topic in Topic::value_variants() {
        if !bench.only.is_empty() && !bench.only.contains(topic) {
            continue;
        }
        let measured = match topic {
            Topic::Kernels => kernels::measure(&bench.kernel, bench.quick),
            Topic::Latency => latency::measure(bench.quick),
            Topic::Copies => copies::measure(bench.quick),
            Topic::Compiling => compiling::measure(&bench.kernel, bench.quick),
            Topic::Starting => starting::measure(bench.quick),
            Topic::Timeouts => timeouts::measure(bench.quick),
            Topic::Walls => walls::measure(bench.quick),
            Topic::Daemon => daemon::measure(bench.quick),
            Topic::Record => record::measure(bench.quick),
            Topic::Gpu => gpu::measure(&bench.kernel, bench.quick),
        };
        let name = format!("{topic:?}").to_lowercase();
        numbers.insert(name.clone(), measured.context(name)?);
    }
    if let Some(path) = &bench.json {
        let text = serde_json::to_string_pretty(&Value::Object(numbers))?;
        std::fs::write(path, text).with_context(|| path.display().to_string())?;
    }
    Ok(())
}
