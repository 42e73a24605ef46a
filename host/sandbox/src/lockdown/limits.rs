//! Limits of the operating system: a last line under hotcell's own.

use super::{LockStep, LockdownError};
use hotcell_model::frame::MAX_DESCRIPTORS;
use hotcell_model::layer::{Layer, LayerReport, WorkerKind};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fmt::Write;

/// Descriptors that a worker has besides those of one frame.
const OWN_DESCRIPTORS: u64 = 32;

/// Descriptors that a driver may have.
const DRIVER_DESCRIPTORS: u64 = 512;

/// Descriptors that a Python program may have.
const GUARDED_DESCRIPTORS: u64 = 1024;

/// Limits that differ from worker to worker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResourceLimits {
    /// Private writable memory.
    pub data_bytes: u64,
    /// All address space. Not for a runner: guard pages reserve far more than is ever used.
    pub address_space_bytes: Option<u64>,
    /// CPU time over the worker's life.
    pub cpu_seconds: Option<u64>,
    /// Threads, of kinds that have no number of their own.
    pub threads: Option<u64>,
}

pub(super) fn apply(
    kind: WorkerKind,
    limits: &ResourceLimits,
) -> Result<LayerReport, LockdownError> {
    let (descriptors, tasks, file_bytes) = match kind {
        WorkerKind::Compiler => (OWN_DESCRIPTORS, Some(0), 0),
        // Threads count as tasks, of all processes of the user: the filter bounds them.
        // Copy-on-write images count as files, and are no larger than what they are images of.
        WorkerKind::Runner => (
            OWN_DESCRIPTORS + MAX_DESCRIPTORS as u64,
            None,
            limits.data_bytes,
        ),
        // What it returns counts as a file, and its folder has a size of its own.
        WorkerKind::Guarded => (GUARDED_DESCRIPTORS, None, u64::MAX),
        // A driver keeps descriptors for devices, fences and memory that it shares with them, which is a file's.
        WorkerKind::Gpu => (
            DRIVER_DESCRIPTORS + MAX_DESCRIPTORS as u64,
            None,
            limits.data_bytes,
        ),
    };
    let table = [
        (Resource::Data, "data", Some(limits.data_bytes)),
        (Resource::As, "address space", limits.address_space_bytes),
        (Resource::Cpu, "CPU seconds", limits.cpu_seconds),
        (Resource::Fsize, "file bytes", Some(file_bytes)),
        (Resource::Nofile, "descriptors", Some(descriptors)),
        (Resource::Nproc, "further tasks", tasks),
        (Resource::Core, "core dump", Some(0)),
        (Resource::Memlock, "locked memory", Some(0)),
        (Resource::Msgqueue, "message queues", Some(0)),
        (Resource::Nice, "nice", Some(0)),
        (Resource::Rtprio, "real-time priority", Some(0)),
    ];
    // A soft limit of the parent's is for the parent; the hard one cannot be had off.
    let had = getrlimit(Resource::As).maximum;
    let lifted = Rlimit {
        current: had,
        maximum: had,
    };
    setrlimit(Resource::As, lifted).step(
        Layer::ResourceLimits,
        "lift the soft limit on address space",
    )?;
    let mut words = String::new();
    for (resource, name, value) in table {
        let Some(value) = value else { continue };
        let value = lower(resource, value).step(Layer::ResourceLimits, "lower a limit")?;
        let separator = if words.is_empty() { "" } else { ", " };
        // Writing to a string does not fail.
        let _ = write!(words, "{separator}{name} {value}");
    }
    Ok(LayerReport::enforced(Layer::ResourceLimits, words))
}

/// Threads of a runner: chunks, and those that wait for words and ticks.
const TASKS: u64 = 64;
/// Threads of a GPU worker: drivers start some for every processor.
const DRIVER_TASKS: u64 = 256;

/// Bounds the tasks of a worker in a user namespace of its own, where those of nobody else count.
pub(super) fn bound_tasks(kind: WorkerKind, limits: &ResourceLimits) -> Result<(), LockdownError> {
    let tasks = match kind {
        // Its limit is there already, and lower.
        WorkerKind::Compiler => return Ok(()),
        WorkerKind::Runner => TASKS,
        WorkerKind::Gpu => DRIVER_TASKS,
        WorkerKind::Guarded => limits.threads.unwrap_or(DRIVER_TASKS),
    };
    lower(Resource::Nproc, tasks).step(Layer::ResourceLimits, "bound the tasks")?;
    Ok(())
}

/// Lowers a limit for good; one that is lower already stays.
fn lower(resource: Resource, value: u64) -> rustix::io::Result<u64> {
    let value = getrlimit(resource)
        .maximum
        .map_or(value, |had| had.min(value));
    setrlimit(
        resource,
        Rlimit {
            current: Some(value),
            maximum: Some(value),
        },
    )?;
    Ok(value)
}
