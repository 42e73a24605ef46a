//! Capabilities in a runner: one table of what each links, and what launches and instances have of them.
//!
//! A capability has its file beside this one, with the functions that a guest calls, and a line in [`LINKS`]. What it
//! keeps between calls is a field here, made in one place for a launch and in one for an instance.

use super::files::FileLine;
use super::gpu::{GpuAccess, Line};
use super::imports::LinkInterface;
use super::random::{Random, RandomSource, SeededSource};
use super::wasi::WasiState;
use super::{clock, control, gpu, log, random};
use crate::meter::Meter;
use hotcell_model::grant::Capability;
use hotcell_model::job::JobData;
use hotcell_model::limit::Breach;
use std::sync::Arc;

/// What a capability links.
pub(super) enum Link {
    /// An interface of this host's own, of its name.
    Own(LinkInterface),
    /// Those of WASI.
    Wasi,
    /// None: it is more of what another links.
    Nothing,
}

/// Every capability's functions.
pub(super) const LINKS: [(Capability, Link); Capability::ALL.len()] = [
    (Capability::Log, Link::Own(log::link)),
    (Capability::Control, Link::Own(control::link)),
    (Capability::Clock, Link::Own(clock::link)),
    (Capability::Random, Link::Own(random::link)),
    (Capability::Gpu, Link::Own(gpu::link)),
    (Capability::GpuText, Link::Own(gpu::link_text)),
    (Capability::Wasi, Link::Wasi),
    (Capability::Files, Link::Nothing),
];

/// What the instances of a launch share.
pub(crate) struct LaunchCapabilities {
    random: RandomSource,
    /// The way to the launch's GPU session, where it has one.
    gpu: Option<Arc<Line>>,
    /// The way to its files, where it has any.
    files: Option<Arc<FileLine>>,
}

impl LaunchCapabilities {
    /// For a launch: sessions are taken out of its data.
    pub(crate) fn begin(random: RandomSource, data: &mut JobData, meter: &Arc<Meter>) -> Self {
        let line = |link| Arc::new(Line::new(link, Arc::clone(meter)));
        let files = |link| Arc::new(FileLine::new(link, Arc::clone(meter)));
        Self {
            random,
            gpu: data.gpu.take().map(line),
            files: data.files.take().map(files),
        }
    }

    /// Whether chunks share something that they cannot use side by side: what one is refused would depend on when
    /// others run.
    pub(crate) fn are_serial(&self) -> bool {
        self.gpu.is_some() || self.files.is_some()
    }
}

/// What one instance has.
pub(crate) struct InstanceCapabilities {
    pub(super) random: Random,
    pub(super) gpu: GpuAccess,
    pub(super) files: Option<Arc<FileLine>>,
    /// What random bytes come from where they are not granted.
    pub(super) seeded: SeededSource,
    pub(super) wasi: WasiState,
}

impl InstanceCapabilities {
    /// For the chunk of that index.
    pub(crate) fn new(launch: &LaunchCapabilities, chunk: usize) -> Self {
        Self {
            random: Random::new(launch.random, chunk),
            gpu: GpuAccess::new(launch.gpu.clone()),
            files: launch.files.clone(),
            seeded: launch.random.without_secret(),
            wasi: WasiState::default(),
        }
    }

    /// Those of a guest that a test makes, with that way to a session.
    #[cfg(test)]
    pub(super) fn of_gpu(line: Arc<Line>) -> Self {
        let launch = LaunchCapabilities {
            random: RandomSource::Seeded(0),
            gpu: Some(line),
            files: None,
        };
        Self::new(&launch, 0)
    }

    /// A limit that refused a capability's work, where nothing was given since: a guest that gives up afterwards gave up
    /// because of it.
    pub(crate) fn denied(&self) -> Option<Breach> {
        self.gpu.denied()
    }
}
