//! The layers around a worker, what a worker says of each, and the tier that follows.
//!
//! A worker reports its layers before it has seen a hostile byte, so the report can be believed then; no
//! later one is. A layer that the machine lacks is a named absence, with what would bring it.

use crate::names::named;
use serde::{Deserialize, Serialize};

named! {
    /// One layer around a worker, in the order in which they are put on.
    #[derive(PartialOrd, Ord)]
    pub enum Layer, "layer" {
        /// No mapping ever becomes executable that was not, and none is both writable and executable (MDWE).
        WriteXorExecute = "write-xor-execute",
        /// No environment variable is left.
        Environment = "environment",
        /// No descriptor is open but the named ones.
        Descriptors = "descriptors",
        /// The worker is killed when its supervisor dies.
        ParentDeath = "parent-death",
        /// Limits of the operating system on memory, CPU time, files, processes and core dumps.
        ResourceLimits = "resource-limits",
        /// A cgroup of its own, whose counters the worker cannot touch.
        Cgroup = "cgroup",
        /// User, mount, network, IPC, UTS and cgroup namespaces of its own, and an empty root directory.
        Namespaces = "namespaces",
        /// No program can raise privileges.
        NoNewPrivileges = "no-new-privileges",
        /// No capability, in any set.
        Capabilities = "capabilities",
        /// No file, no TCP port, no signal or abstract socket outside.
        Landlock = "landlock",
        /// No core dump, and no tracing by processes of the same user.
        Undumpable = "undumpable",
        /// System calls by allow-list, while hostile bytes are loaded.
        LoadFilter = "load-filter",
        /// System calls by allow-list, from before the first guest instruction on.
        Filter = "filter",
    }
}

impl Layer {
    /// The best tier that can be had without the layer.
    fn tier_without(self) -> Tier {
        match self {
            // A last line under limits that are enforced elsewhere too.
            Self::Cgroup => Tier::Full,
            Self::Namespaces | Self::Landlock => Tier::Unprivileged,
            _ => Tier::Insecure,
        }
    }
}

/// Whether a layer is in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum LayerState {
    /// It is, in these words.
    Enforced(String),
    /// It is not.
    Absent {
        /// Why.
        why: String,
        /// What would bring it.
        remedy: String,
    },
}

/// What a worker says of one of its layers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerReport {
    /// The layer.
    pub layer: Layer,
    /// Whether it is in force.
    pub state: LayerState,
}

impl LayerReport {
    /// A layer in force.
    pub fn enforced(layer: Layer, detail: impl Into<String>) -> Self {
        let state = LayerState::Enforced(detail.into());
        Self { layer, state }
    }

    /// A layer that the machine lacks.
    pub fn absent(layer: Layer, why: impl Into<String>, remedy: impl Into<String>) -> Self {
        let (why, remedy) = (why.into(), remedy.into());
        let state = LayerState::Absent { why, remedy };
        Self { layer, state }
    }

    /// Whether it is in force.
    pub fn is_enforced(&self) -> bool {
        matches!(self.state, LayerState::Enforced(_))
    }
}

/// The kinds of worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WorkerKind {
    /// Reads, checks and compiles one component.
    Compiler,
    /// Runs one tenant's launches of one component.
    Runner,
    /// Does one tenant's GPU work on one device.
    Gpu,
    /// Runs one tenant's Python functions or program, with whatever native code these bring.
    Guarded,
}

impl WorkerKind {
    /// The file name of its program.
    pub fn program(self) -> &'static str {
        match self {
            Self::Compiler => "hotcell-compiler",
            Self::Runner => "hotcell-runner",
            Self::Gpu => "hotcell-gpu",
            Self::Guarded => "python",
        }
    }
}

named! {
    /// How strong the walls around a worker are, weakest first.
    #[derive(Default, PartialOrd, Ord)]
    pub enum Tier, "isolation tier" {
        /// A layer is missing that the walls rest on: a worker that is taken over can act.
        Insecure = "insecure",
        /// The system-call filter and what it rests on; namespaces or Landlock are missing.
        Unprivileged = "unprivileged",
        /// Every layer but the cgroup, which is a last line under limits that are enforced elsewhere too.
        #[default]
        Full = "full",
    }
}

impl Tier {
    /// The tier that those layers make around a compiler or a runner. A layer that is not spoken of is absent.
    pub fn of(layers: &[LayerReport]) -> Self {
        Self::with(layers, Layer::tier_without)
    }

    /// As [`Tier::of`], around a worker of that kind: a GPU worker whose driver makes machine code cannot do without
    /// memory that becomes executable, and runs no code of a guest's besides. A guarded process makes machine code as it likes:
    /// that its walls have none of that kind is what its isolation, `guarded`, says.
    pub fn of_worker(kind: WorkerKind, layers: &[LayerReport]) -> Self {
        Self::with(layers, |layer| match (kind, layer) {
            (WorkerKind::Gpu, Layer::WriteXorExecute) => Self::Unprivileged,
            (WorkerKind::Guarded, Layer::WriteXorExecute) => Self::Full,
            (_, layer) => layer.tier_without(),
        })
    }

    fn with(layers: &[LayerReport], without: impl Fn(Layer) -> Self) -> Self {
        let is_enforced = |layer: Layer| {
            let mut of_layer = layers.iter().filter(|report| report.layer == layer);
            let first = of_layer.next().is_some_and(LayerReport::is_enforced);
            first && of_layer.all(LayerReport::is_enforced)
        };
        Layer::ALL
            .into_iter()
            .filter(|layer| !is_enforced(*layer))
            .map(without)
            .min()
            .unwrap_or(Self::Full)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_but(missing: &[Layer]) -> Vec<LayerReport> {
        let report = |layer: Layer| match missing.contains(&layer) {
            true => LayerReport::absent(layer, "not here", "nothing"),
            false => LayerReport::enforced(layer, ""),
        };
        Layer::ALL.into_iter().map(report).collect()
    }

    #[test]
    fn the_weakest_absence_makes_the_tier() {
        for (missing, tier) in [
            (&[][..], Tier::Full),
            (&[Layer::Cgroup], Tier::Full),
            (&[Layer::Cgroup, Layer::Landlock], Tier::Unprivileged),
            (&[Layer::Namespaces], Tier::Unprivileged),
            (&[Layer::Landlock, Layer::Filter], Tier::Insecure),
            (&[Layer::WriteXorExecute], Tier::Insecure),
        ] {
            assert_eq!(Tier::of(&all_but(missing)), tier, "{missing:?}");
        }
    }

    #[test]
    fn a_gpu_worker_may_make_machine_code_and_lack_nothing_else() {
        let of_gpu = |missing| Tier::of_worker(WorkerKind::Gpu, &all_but(&[missing]));
        assert_eq!(of_gpu(Layer::WriteXorExecute), Tier::Unprivileged);
        assert_eq!(of_gpu(Layer::Filter), Tier::Insecure);
        assert_eq!(of_gpu(Layer::Cgroup), Tier::Full);
    }

    #[test]
    fn a_guarded_process_may_make_machine_code_and_lack_nothing_else() {
        let of_guarded = |missing| Tier::of_worker(WorkerKind::Guarded, &all_but(&[missing]));
        assert_eq!(of_guarded(Layer::WriteXorExecute), Tier::Full);
        assert_eq!(of_guarded(Layer::Namespaces), Tier::Unprivileged);
        assert_eq!(of_guarded(Layer::Filter), Tier::Insecure);
    }

    #[test]
    fn a_layer_that_is_not_spoken_of_is_absent() {
        assert_eq!(Tier::of(&[]), Tier::Insecure);
        let mut layers = all_but(&[]);
        layers.retain(|report| report.layer != Layer::Filter);
        assert_eq!(Tier::of(&layers), Tier::Insecure);
    }
}
