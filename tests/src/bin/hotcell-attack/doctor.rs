//! The machine that was attacked on, and what `hotcell doctor` says of its walls.

use crate::Arguments;
use crate::stage::Place;
use anyhow::{Context, Result};
use hotcell::outcome::OutcomeKind;
use serde_json::Value;

/// How the command ends where a GPU is missing.
const GPU_EXIT: i32 = OutcomeKind::GpuLost.exit_code() as i32;

/// The machine, the command, and the walls.
pub(crate) struct Host {
    pub(crate) kernel: String,
    pub(crate) machine: String,
    pub(crate) cpu: String,
    pub(crate) cpus: usize,
    pub(crate) hotcell: String,
    pub(crate) isolation: String,
    /// What `hotcell doctor --json` printed; null where there are no walls to look at.
    pub(crate) doctor: Value,
    /// What is wrong with the walls.
    pub(crate) faults: Vec<String>,
    /// What `hotcell doctor --gpu` says of the GPU worker; else why there is none to attack.
    pub(crate) gpu: Result<Value, String>,
}

impl Host {
    pub(crate) fn of(arguments: &Arguments) -> Result<Self> {
        let (_, version) = output(arguments, &["--version".to_owned()])?;
        let name = rustix::system::uname();
        let mut host = Self {
            kernel: name.release().to_string_lossy().into_owned(),
            machine: name.machine().to_string_lossy().into_owned(),
            cpu: cpu_model(),
            cpus: std::thread::available_parallelism().map_or(1, usize::from),
            hotcell: version.trim().to_owned(),
            isolation: arguments.isolation.clone(),
            doctor: Value::Null,
            faults: Vec::new(),
            gpu: Err("they are of the isolation `confined`".to_owned()),
        };
        if arguments.isolation == "confined" {
            let mut words = vec!["doctor".to_owned(), "--json".to_owned()];
            words.extend(arguments.workers_options());
            let (code, text) = output(arguments, &words)?;
            host.doctor = serde_json::from_str(&text).unwrap_or_default();
            host.faults = faults(arguments, code, &host.doctor);
            host.gpu = gpu(arguments, words)?;
            host.faults.extend(host.gpu.iter().flat_map(gpu_faults));
        }
        Ok(host)
    }

    /// The tier, as `doctor` says.
    pub(crate) fn tier(&self) -> &str {
        self.doctor["tier"].as_str().unwrap_or("none")
    }

    /// Each worker with its layers: name, whether in force, what is said of it.
    pub(crate) fn layers(&self) -> Vec<(String, String, bool, String)> {
        let mut layers = Vec::new();
        let of_gpu = self.gpu.iter().map(|gpu| &gpu["worker"]);
        let workers = self.doctor["workers"].as_array().into_iter().flatten();
        for worker in workers.chain(of_gpu) {
            let kind = text(&worker["kind"]);
            for layer in worker["layers"].as_array().into_iter().flatten() {
                let state = &layer["state"];
                let absent = &state["absent"];
                let said = match absent.is_null() {
                    true => text(&state["enforced"]),
                    false => format!("{}; {}", text(&absent["why"]), text(&absent["remedy"])),
                };
                layers.push((kind.clone(), text(&layer["layer"]), absent.is_null(), said));
            }
        }
        layers
    }
}

/// What `doctor` says of the GPU worker.
fn gpu(arguments: &Arguments, mut words: Vec<String>) -> Result<Result<Value, String>> {
    words.push("--gpu".to_owned());
    let (code, text) = output(arguments, &words)?;
    let mut doctor: Value = serde_json::from_str(&text).unwrap_or_default();
    Ok(match doctor["gpu"].take() {
        Value::Null if code == Some(GPU_EXIT) => Err("the machine has no device".to_owned()),
        Value::Null => Err(format!("`doctor --gpu` ended with {code:?}")),
        gpu => Ok(gpu),
    })
}

/// What is wrong with a GPU worker's walls. What its driver cannot do without is no hole: its tier says so.
fn gpu_faults(gpu: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    if gpu["tier"] == "insecure" {
        faults.push("the GPU worker has a hole, or too few walls".to_owned());
    }
    if gpu["worker"]["probes"].as_array().is_none_or(Vec::is_empty) {
        faults.push("the GPU worker tried nothing".to_owned());
    }
    faults
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// What `doctor` found, or did not say as it must.
fn faults(arguments: &Arguments, code: Option<i32>, doctor: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let workers = doctor["workers"].as_array().map_or(0, Vec::len);
    if workers < 2 {
        faults.push(format!("doctor speaks of {workers} workers"));
    }
    let due = match doctor["tier"].as_str() {
        Some("full") => Some(0),
        Some("unprivileged") => Some(1),
        _ => Some(22),
    };
    if code != due {
        faults.push(format!(
            "doctor exits {code:?} at the tier {}",
            doctor["tier"]
        ));
    }
    let tier = doctor["tier"].as_str().and_then(|tier| tier.parse().ok());
    if tier < Some(arguments.tier) {
        faults.push(format!(
            "the tier is {}, not {}",
            doctor["tier"], arguments.tier
        ));
    }
    for worker in doctor["workers"].as_array().into_iter().flatten() {
        let probes = worker["probes"].as_array();
        if probes.is_none_or(Vec::is_empty) {
            faults.push(format!("{} tried nothing", worker["kind"]));
        }
        for probe in probes.into_iter().flatten() {
            if !probe["verdict"]["succeeded"].is_null() {
                faults.push(format!("{} could {}", worker["kind"], probe["probe"]));
            }
        }
    }
    faults
}

/// Runs the command; gives its exit code and standard output.
fn output(arguments: &Arguments, words: &[String]) -> Result<(Option<i32>, String)> {
    let place = Place::new()?;
    let status = place
        .command(&arguments.hotcell, words)?
        .status()
        .with_context(|| format!("cannot run {}", arguments.hotcell.display()))?;
    Ok((status.code(), place.stream("stdout")))
}

fn cpu_model() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = info.lines().find(|line| line.starts_with("model name"));
    let model = line.and_then(|line| line.split_once(':'));
    model
        .map_or("unknown", |(_, model)| model.trim())
        .to_owned()
}
