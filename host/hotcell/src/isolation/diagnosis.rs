//! What real workers could and could not do when they were asked to try.

use hotcell_model::layer::{Layer, LayerReport, Tier, WorkerKind};
use hotcell_model::probe::Probe;
use serde::Serialize;
use std::fmt;

/// The walls of this machine, tried by real workers of each kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnosis {
    /// The tier that the weakest worker has; `insecure` if any worker could do what it must not.
    pub tier: Tier,
    /// Each kind of worker.
    pub workers: Vec<WorkerDiagnosis>,
}

/// The walls of a GPU worker on this machine's device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GpuDiagnosis {
    /// The tier that it has; `insecure` if it could do what it must not.
    pub tier: Tier,
    /// The device and its driver in words.
    pub driver: String,
    /// The turns after which the device ended a loop by itself, measured; `null` where it let it go on.
    pub turns_limit: Option<u32>,
    /// What it tried.
    pub worker: WorkerDiagnosis,
}

/// One kind of worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WorkerDiagnosis {
    /// The kind.
    pub kind: WorkerKind,
    /// The build that supervisor and worker share, in hexadecimal.
    pub build: String,
    /// The layers, as the worker reported them, in order.
    pub layers: Vec<LayerReport>,
    /// How many system calls the locked worker is allowed.
    pub allowed_calls: usize,
    /// What was tried, in the order of [`Probe::ALL`].
    pub probes: Vec<ProbeResult>,
}

impl WorkerDiagnosis {
    /// Whether a worker that says which layer it lacks can do that for want of it: a GPU worker whose driver makes
    /// machine code. Its tier says so; it is no hole besides.
    pub fn admits(&self, probe: Probe) -> bool {
        let lacks = |layer: Layer| {
            let mut layers = self.layers.iter();
            layers.any(|report| report.layer == layer && !report.is_enforced())
        };
        self.kind == WorkerKind::Gpu
            && matches!(probe, Probe::MakeExecutable | Probe::MakeCodeWritable)
            && lacks(Layer::WriteXorExecute)
    }
}

/// One thing that a locked worker tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProbeResult {
    /// What it tried.
    pub probe: Probe,
    /// What came of it.
    pub verdict: TrialVerdict,
}

/// What came of trying.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrialVerdict {
    /// The call was refused, with that error number.
    Refused(i32),
    /// The worker died of it, in that way.
    Died(String),
    /// It worked: the walls have a hole. The call returned that.
    Succeeded(i64),
}

impl TrialVerdict {
    /// Whether the walls held.
    pub fn held(&self) -> bool {
        !matches!(self, Self::Succeeded(_))
    }
}

impl fmt::Display for TrialVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(number) => write!(f, "refused (error {number})"),
            Self::Died(how) => write!(f, "killed ({how})"),
            Self::Succeeded(_) => f.write_str("SUCCEEDED"),
        }
    }
}

#[cfg(feature = "confined")]
impl Diagnosis {
    /// The diagnosis of those workers.
    pub(crate) fn new(workers: Vec<WorkerDiagnosis>) -> Self {
        let tier_of = |worker: &WorkerDiagnosis| {
            let mut probes = worker.probes.iter();
            let has_held =
                probes.all(|result| result.verdict.held() || worker.admits(result.probe));
            match has_held {
                true => Tier::of_worker(worker.kind, &worker.layers),
                false => Tier::Insecure,
            }
        };
        let tier = workers.iter().map(tier_of).min().unwrap_or(Tier::Insecure);
        Self { tier, workers }
    }
}

#[cfg(all(test, feature = "confined"))]
mod tests {
    use super::*;

    fn worker(verdict: TrialVerdict) -> WorkerDiagnosis {
        let layers = Layer::ALL.map(|layer| LayerReport::enforced(layer, ""));
        WorkerDiagnosis {
            kind: WorkerKind::Runner,
            build: String::new(),
            layers: layers.to_vec(),
            allowed_calls: 15,
            probes: vec![ProbeResult {
                probe: Probe::Fork,
                verdict,
            }],
        }
    }

    #[test]
    fn one_hole_makes_the_whole_insecure() {
        let refused = || worker(TrialVerdict::Refused(1));
        let died = worker(TrialVerdict::Died("SIGSYS".into()));
        assert_eq!(Diagnosis::new(vec![refused(), died]).tier, Tier::Full);
        let hole = worker(TrialVerdict::Succeeded(7));
        assert_eq!(Diagnosis::new(vec![refused(), hole]).tier, Tier::Insecure);
        assert_eq!(Diagnosis::new(Vec::new()).tier, Tier::Insecure);
    }

    #[test]
    fn a_diagnosis_is_json_that_a_program_can_read() {
        let json = serde_json::to_value(Diagnosis::new(vec![worker(TrialVerdict::Refused(13))]));
        let json = json.unwrap();
        assert_eq!(json["workers"][0]["probes"][0]["verdict"]["refused"], 13);
        assert_eq!(json["workers"][0]["kind"], "runner");
    }
}
