//! Capabilities in a runner: one table of what each links, and what launches and instances have of them.
//!
//! A capability has its file beside this one, with the functions that a guest calls, and a line in [`LINKS`]. What it
//! keeps between calls is a field here, made in one place for a launch and in one for an instance.

use super::gpu::{GpuAccess, Line};
use super::imports::LinkInterface;
use super::random::{Random, RandomSource};
use super::{clock, control, gpu, log, random};
use crate::meter::Meter;
use hotcell_model::grant::Capability;
use hotcell_model::job::JobData;
use hotcell_model::limit::Breach;
use std::sync::Arc;

/// Every capability's functions.
pub(super) const LINKS: [(Capability, LinkInterface); Capability::ALL.len()] = [
    (Capability::Log, log::link),
    (Capability::Control, control::link),
    (Capability::Clock, clock::link),
    (Capability::Random, random::link),
    (Capability::Gpu, gpu::link),
    (Capability::GpuText, gpu::link_text),
];

/// What the instances of a launch share.
pub(crate) struct LaunchCapabilities {
    random: RandomSource,
    /// The way to the launch's GPU session, where it has one.
    gpu: Option<Arc<Line>>,
}

impl LaunchCapabilities {
    /// For a launch: sessions are taken out of its data.
    pub(crate) fn begin(random: RandomSource, data: &mut JobData, meter: &Arc<Meter>) -> Self {
        let line = |link| Arc::new(Line::new(link, Arc::clone(meter)));
        Self {
            random,
            gpu: data.gpu.take().map(line),
        }
    }

    /// Whether chunks share something that they cannot use side by side: what one is refused would depend on when
    /// others run.
    pub(crate) fn are_serial(&self) -> bool {
        self.gpu.is_some()
    }
}

/// What one instance has.
pub(crate) struct InstanceCapabilities {
    pub(super) random: Random,
    pub(super) gpu: GpuAccess,
}

impl InstanceCapabilities {
    /// For the chunk of that index.
    pub(crate) fn new(launch: &LaunchCapabilities, chunk: usize) -> Self {
        Self {
            random: Random::new(launch.random, chunk),
            gpu: GpuAccess::new(launch.gpu.clone()),
        }
    }

    /// Those of a guest that a test makes, with that way to a session.
    #[cfg(test)]
    pub(super) fn of_gpu(line: Arc<Line>) -> Self {
        let launch = LaunchCapabilities {
            random: RandomSource::Seeded(0),
            gpu: Some(line),
        };
        Self::new(&launch, 0)
    }

    /// A limit that refused a capability's work, where nothing was given since: a guest that gives up afterwards gave up
    /// because of it.
    pub(crate) fn denied(&self) -> Option<Breach> {
        self.gpu.denied()
    }
}
