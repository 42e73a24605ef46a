//! What the supervisor and a runner say to each other.

use super::{INLINE_ARRAYS, WireLimits, WireOutcome, WireScalar, bounded};
use crate::grant::Grants;
use crate::job::{Job, JobArray, Split};
use crate::layer::{Layer, LayerReport};
use crate::probe::{Attempt, Attempted};
use crate::report::{Count, LogLevel, Timings, Usage};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// To a runner, on its first socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToRunner {
    /// Load an artifact and lock. Once, and first. Beside it: the artifact, sealed.
    Load(LoadRequest),
    /// Run a launch. Beside it: the inputs and outputs that are not inside, in their order.
    Launch(Box<LaunchRequest>),
    /// Try something after lockdown.
    Attempt(Attempt),
}

/// What a runner needs besides the artifact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadRequest {
    /// The artifact's size.
    pub artifact_bytes: u64,
    /// The capabilities to link.
    pub grants: Grants,
}

/// A launch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaunchRequest {
    /// The launch's number, counted by the supervisor; answers carry it.
    pub id: u64,
    /// What is to be run.
    pub job: WireJob,
    /// Whether the launch may use a GPU: its channel is the first descriptor, and arrays in memory are shared with
    /// the GPU worker.
    pub has_gpu: bool,
    /// Where each array that is read lies, in the job's order.
    pub inputs: Vec<InputPlace>,
    /// Where each array that is written goes, in the job's order.
    pub outputs: Vec<OutputPlace>,
}

/// Where an input lies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum InputPlace {
    /// In the frame.
    Inline(#[serde(with = "serde_bytes")] Vec<u8>),
    /// In the next descriptor: sealed memory of the array's size.
    Memory,
    /// In the next descriptor: a file, open for reading, from that offset on.
    File {
        /// Where the array begins.
        offset_bytes: u64,
    },
}

/// Where an output goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OutputPlace {
    /// Into the answer.
    Inline,
    /// Into the next descriptor: memory of the array's size.
    Memory,
}

/// On a runner's second socket: stop that launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cancel {
    /// The launch's number.
    pub id: u64,
}

/// From a runner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromRunner {
    /// The artifact is loaded and every thread is locked: these layers were added.
    Ready(
        #[serde(deserialize_with = "bounded::list::<_, _, { Layer::ALL.len() }>")] Vec<LayerReport>,
    ),
    /// The artifact is another engine's.
    Stale(String),
    /// The component does not fit this host's interfaces.
    Misfit(String),
    /// The runner itself failed.
    Failed(String),
    /// A piece of a log line.
    Log(WireLine),
    /// How far the launch is.
    Progress {
        /// The launch.
        id: u64,
        /// So much is done,
        done: u64,
        /// of so much.
        total: u64,
    },
    /// The launch ended.
    Finished(Box<WireUsed>),
    /// An attempt was survived.
    Attempted(Attempted),
}

/// A piece of a log line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WireLine {
    /// The launch.
    pub id: u64,
    /// How much it matters.
    pub level: LogLevel,
    /// The piece, at most [`super::LINE_BYTES`].
    pub text: String,
    /// Whether the line ends here.
    pub is_end: bool,
}

/// How a launch ended and what it used, as its runner says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WireUsed {
    /// The launch.
    pub id: u64,
    /// How it ended.
    pub outcome: WireOutcome,
    /// What it used.
    pub usage: WireUsage,
    /// Where the time went.
    pub timings: WireTimings,
    /// The outputs that are inside the frame, in their order; none if the outcome does not keep them.
    #[serde(deserialize_with = "bounded::list::<_, _, INLINE_ARRAYS>")]
    pub inline: Vec<serde_bytes::ByteBuf>,
}

/// What a launch used, as its runner says. As [`Usage`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of `Usage`")]
pub struct WireUsage {
    pub fuel_used: Option<u64>,
    pub wall_ns: u64,
    pub cpu_ns: u64,
    pub peak_memory_bytes: u64,
    pub bytes_in: u64,
    pub bytes_out: u64,
    pub host_calls: u64,
    pub log_bytes: u64,
    pub log_lines_dropped: u64,
    pub instances: u64,
}

impl From<&Usage> for WireUsage {
    fn from(usage: &Usage) -> Self {
        Self {
            fuel_used: usage.fuel_used.map(|fuel| fuel.0),
            wall_ns: usage.wall_ns.0,
            cpu_ns: usage.cpu_ns.0,
            peak_memory_bytes: usage.peak_memory_bytes.0,
            bytes_in: usage.bytes_in.0,
            bytes_out: usage.bytes_out.0,
            host_calls: usage.host_calls.0,
            log_bytes: usage.log_bytes.0,
            log_lines_dropped: usage.log_lines_dropped.0,
            instances: usage.instances.0,
        }
    }
}

impl From<WireUsage> for Usage {
    fn from(usage: WireUsage) -> Self {
        Self {
            fuel_used: usage.fuel_used.map(Count),
            wall_ns: Count(usage.wall_ns),
            cpu_ns: Count(usage.cpu_ns),
            peak_memory_bytes: Count(usage.peak_memory_bytes),
            bytes_in: Count(usage.bytes_in),
            bytes_out: Count(usage.bytes_out),
            host_calls: Count(usage.host_calls),
            log_bytes: Count(usage.log_bytes),
            log_lines_dropped: Count(usage.log_lines_dropped),
            instances: Count(usage.instances),
            ..Self::default()
        }
    }
}

/// Where the time of a launch went, as its runner says, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WireTimings {
    instantiate: u64,
    call: u64,
    body: u64,
}

impl From<&Timings> for WireTimings {
    fn from(timings: &Timings) -> Self {
        Self {
            instantiate: timings.instantiate_ns.0,
            call: timings.call_ns.0,
            body: timings.body_ns.0,
        }
    }
}

impl From<WireTimings> for Timings {
    fn from(timings: WireTimings) -> Self {
        Self {
            instantiate_ns: Count(timings.instantiate),
            call_ns: Count(timings.call),
            body_ns: Count(timings.body),
            ..Self::default()
        }
    }
}

/// A [`Job`] as it crosses. Grants are those that the runner was loaded with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WireJob {
    entry: String,
    dims: Vec<(String, u64)>,
    scalars: Vec<(String, WireScalar)>,
    arrays: Vec<WireArray>,
    split: Option<(u32, Vec<u64>)>,
    limits: WireLimits,
    seed: Option<u64>,
    threads: u32,
    stop_grace_ns: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct WireArray {
    name: String,
    is_read: bool,
    is_written: bool,
    size_bytes: u64,
    split_stride_bytes: Option<u64>,
    halo: u64,
}

impl From<&Job> for WireJob {
    fn from(job: &Job) -> Self {
        let array = |array: &JobArray| WireArray {
            name: array.name.clone(),
            is_read: array.is_read,
            is_written: array.is_written,
            size_bytes: array.size_bytes,
            split_stride_bytes: array.split_stride_bytes,
            halo: array.halo,
        };
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        Self {
            entry: job.entry.clone(),
            dims: job.dims.clone(),
            scalars: job
                .scalars
                .iter()
                .map(|(name, value)| (name.clone(), (*value).into()))
                .collect(),
            arrays: job.arrays.iter().map(array).collect(),
            split: job
                .split
                .as_ref()
                .map(|split| (count(split.dim), split.bounds.clone())),
            limits: WireLimits::from(&job.limits),
            seed: job.seed,
            threads: count(job.threads),
            stop_grace_ns: u64::try_from(job.stop_grace.as_nanos()).unwrap_or(u64::MAX),
        }
    }
}

impl WireJob {
    /// The job, run with those grants; `None` if its limits are not this build's.
    pub fn to_job(self, grants: Grants) -> Option<Job> {
        let array = |array: WireArray| JobArray {
            name: array.name,
            is_read: array.is_read,
            is_written: array.is_written,
            size_bytes: array.size_bytes,
            split_stride_bytes: array.split_stride_bytes,
            halo: array.halo,
        };
        Some(Job {
            entry: self.entry,
            dims: self.dims,
            scalars: self
                .scalars
                .into_iter()
                .map(|(name, value)| (name, value.into()))
                .collect(),
            arrays: self.arrays.into_iter().map(array).collect(),
            split: self.split.map(|(dim, bounds)| Split {
                dim: dim as usize,
                bounds,
            }),
            limits: self.limits.to_limits()?,
            grants,
            seed: self.seed,
            threads: self.threads as usize,
            stop_grace: Duration::from_nanos(self.stop_grace_ns),
            // The GPU worker hears of it; the runner has no part in it.
            has_gpu_profile: false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::Limits;
    use hotcell_manifest::ScalarValue;

    #[test]
    fn a_job_crosses_unchanged() {
        let job = Job {
            entry: "k".into(),
            dims: vec![("n".into(), 7)],
            scalars: vec![("a".into(), ScalarValue::F32(f32::INFINITY))],
            arrays: vec![JobArray {
                name: "x".into(),
                is_read: true,
                is_written: false,
                size_bytes: 28,
                split_stride_bytes: Some(4),
                halo: 2,
            }],
            split: Some(Split {
                dim: 0,
                bounds: vec![0, 3, 7],
            }),
            limits: Limits::defaults(Default::default()),
            grants: Grants::built_in(),
            seed: Some(9),
            threads: 2,
            stop_grace: Duration::from_millis(100),
            has_gpu_profile: false,
        };
        let back = WireJob::from(&job).to_job(Grants::built_in()).unwrap();
        assert_eq!(WireJob::from(&back), WireJob::from(&job));
        assert_eq!(
            (back.entry, back.split, back.scalars),
            (job.entry, job.split, job.scalars)
        );
    }
}
