//! What fuel costs: every kernel's dispatches in every form of their shaders, on the same buffers, in turns.

use super::direct::Direct;
use super::form::Form;
use super::kernels;
use super::replay::Replay;
use crate::measure::{Contender, geomean, interleaved};
use crate::table::{self, percent, time};
use anyhow::{Context, Result};
use hotcell_gpu::device::Device;
use hotcell_model::gpu::GpuDevice;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Duration;

/// Dispatches are repeated until one sample takes this long.
const SAMPLE: Duration = Duration::from_millis(5);
/// Samples for each form.
const SAMPLES: usize = 15;

/// One kernel's figures.
struct Cost {
    label: String,
    dispatches: usize,
    is_metered: bool,
    /// Seconds for all dispatches, in the order of [`Form::ALL`].
    medians: Vec<f64>,
}

impl Cost {
    /// Each form's time relative to the first.
    fn ratios(&self) -> impl Iterator<Item = f64> + '_ {
        self.medians.iter().map(|median| median / self.medians[0])
    }
}

/// Measures the GPU forms of all kernels, or of those `asked` for.
pub(super) fn measure(direct: &Direct, asked: &[String], quick: bool) -> Result<Value> {
    let device = Arc::new(Device::open(GpuDevice::Any)?);
    let mut costs = Vec::new();
    for name in kernels::names(asked)? {
        costs.push(kernel(direct, &device, &name, quick).with_context(|| name.clone())?);
    }
    print(&costs);
    Ok(Value::Object(costs.iter().map(numbers).collect()))
}

fn kernel(direct: &Direct, device: &Arc<Device>, name: &str, quick: bool) -> Result<Cost> {
    let (label, recording) = kernels::record(device, name)?;
    let replay = Replay::new(direct, &recording)?;
    drop(recording);
    for form in &Form::ALL[1..] {
        replay.check_same(Form::ALL[0], *form)?;
    }
    let times = repetitions(&replay)?;
    let contender = |form| -> Contender<'_> {
        let replay = &replay;
        Box::new(move || Ok(replay.run(form, times)? / times))
    };
    let mut contenders: Vec<_> = Form::ALL.into_iter().map(contender).collect();
    let medians = interleaved(&mut contenders, if quick { 3 } else { SAMPLES })?;
    drop(contenders);
    Ok(Cost {
        label,
        dispatches: replay.dispatches(),
        is_metered: replay.is_metered(),
        medians,
    })
}

/// How often the launch's dispatches make one sample.
fn repetitions(replay: &Replay<'_>) -> Result<u32> {
    let once = replay.run(Form::ALL[0], 1)?.max(Duration::from_micros(1));
    Ok(u32::try_from(SAMPLE.as_nanos().div_ceil(once.as_nanos()))?)
}

fn print(costs: &[Cost]) {
    let mut rows: Vec<_> = costs.iter().map(row).collect();
    let of_all = |name: &str, of: fn(&[f64]) -> f64| {
        let mut cells = vec![name.to_owned(), String::new(), String::new(), String::new()];
        for form in 1..Form::ALL.len() {
            let ratios = costs.iter().filter_map(|cost| cost.ratios().nth(form));
            cells.push(percent(of(&ratios.collect::<Vec<_>>())));
        }
        cells
    };
    rows.push(of_all("geomean", geomean));
    rows.push(of_all("most", |ratios| {
        ratios.iter().copied().fold(0.0, f64::max)
    }));
    let forms = Form::ALL.iter().map(|form| form.name());
    let columns = ["dispatches only", "count", "metered loops"];
    let columns: Vec<_> = columns.into_iter().chain(forms).collect();
    table::print("What GPU fuel costs", &columns, &rows);
}

fn row(cost: &Cost) -> Vec<String> {
    let is_metered = if cost.is_metered { "yes" } else { "none" };
    let ratios = cost.ratios().skip(1).map(percent);
    let cells = [
        cost.label.clone(),
        cost.dispatches.to_string(),
        is_metered.to_owned(),
        time(cost.medians[0]),
    ];
    cells.into_iter().chain(ratios).collect()
}

fn numbers(cost: &Cost) -> (String, Value) {
    let mut numbers = Map::new();
    numbers.insert("dispatches".into(), json!(cost.dispatches));
    numbers.insert("is_metered".into(), json!(cost.is_metered));
    for (form, median) in Form::ALL.iter().zip(&cost.medians) {
        numbers.insert(form.name().replace(' ', "_"), json!(median));
    }
    (cost.label.clone(), Value::Object(numbers))
}
