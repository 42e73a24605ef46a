//! The state of one instance: what belongs to a store and goes with it, and what its guest can call.

pub(crate) mod capabilities;
mod clock;
mod control;
pub(crate) mod files;
pub(crate) mod gpu;
pub(crate) mod imports;
mod log;
pub(crate) mod random;
pub(crate) mod wasi;

use self::capabilities::InstanceCapabilities;
use crate::arrays::Charged;
use crate::lent::{Lent, LentRange};
use crate::limiter::Limiter;
use crate::mapping::{FilePlace, SharedMappings};
use crate::meter::{ChunkSpent, CpuClock, Meter};
use crate::output::OutputBuffer;
use crate::sampler::Sampling;
use crate::stop::Stop;
use hotcell_model::grant::{Capability, Grants};
use hotcell_model::limit::{Amount, Breach, Limit};
use std::sync::Arc;
use std::time::{Duration, Instant};
use wasmtime::component::ResourceTable;

/// One instance's state.
pub(crate) struct Guest {
    pub(crate) chunk: usize,
    pub(crate) meter: Arc<Meter>,
    pub(crate) limiter: Limiter,
    pub(crate) handles: ResourceTable,
    /// The bytes of each output, by the position that its handle names.
    pub(crate) outputs: Vec<OutputBuffer>,
    /// What of arrays is mapped into the instance's memory.
    pub(crate) mappings: SharedMappings,
    pub(crate) grants: Grants,
    pub(crate) capabilities: InstanceCapabilities,
    /// The guest's own words about why it is about to trap, escaped.
    pub(crate) explanation: Option<String>,
    pub(crate) body: BodyClock,
    pub(crate) cpu: CpuClock,
    /// Its part in sampling, if the launch is sampled.
    pub(crate) sampling: Option<Sampling>,
    /// What this run of the chunk was charged.
    pub(crate) spent: ChunkSpent,
    /// Lines that an earlier run of this chunk has logged already.
    pub(crate) lines_seen: u64,
    /// Bytes that crossed since it was last looked whether the launch is to end.
    pub(crate) unchecked_bytes: u64,
}

/// So many bytes cross at most before it is looked whether the launch is to end: code without loops meets no epoch
/// check, and could have gibibytes copied between two.
const CHECK_BYTES: u64 = 64 << 10;

impl Guest {
    /// Refuses a call of a capability's function where the launch does not have the capability.
    pub(crate) fn check_granted(&self, capability: Capability) -> Result<(), Stop> {
        match self.grants.has(capability) {
            true => Ok(()),
            false => Err(Stop::Denied { capability }),
        }
    }

    /// Counts one call of a capability's function, if the launch has the capability.
    pub(crate) fn charge_granted_call(&mut self, capability: Capability) -> Result<(), Stop> {
        self.check_granted(capability)?;
        self.charge_host_call()
    }

    /// Counts one call to the host.
    pub(crate) fn charge_host_call(&mut self) -> Result<(), Stop> {
        self.meter.charge_host_call(&mut self.spent)
    }

    /// Counts bytes before they are copied into the guest.
    pub(crate) fn charge_bytes_in(&mut self, bytes: u64) -> Result<(), Stop> {
        self.check_crossing(bytes)?;
        self.meter.charge_bytes_in(&mut self.spent, bytes)
    }

    /// Refuses to read what the guest's memory could not hold, before a buffer is made for it.
    pub(crate) fn check_can_hold(&self, bytes: u32) -> Result<(), Stop> {
        let maximum = self.meter.limits.get(Limit::Memory);
        if u64::from(bytes) <= maximum {
            return Ok(());
        }
        Err(Stop::Limit(Breach {
            limit: Limit::Memory,
            amount: Amount::Requested(bytes.into()),
            maximum,
        }))
    }

    /// A checked range of an array, for the guest.
    pub(crate) fn lend(&self, range: LentRange, len: u32, place: Option<FilePlace>) -> Lent {
        Lent {
            range,
            len: len as usize,
            place,
            mappings: self.mappings.clone(),
            meter: Arc::clone(&self.meter),
        }
    }

    /// A buffer of the host's, charged to the launch's memory while it lives.
    pub(crate) fn charged(&self, len: u32) -> Result<Charged, Stop> {
        Charged::zeroed(len, self.limiter.memory_bytes(), &self.meter)
    }

    /// Counts bytes before they are copied out of the guest.
    pub(crate) fn charge_bytes_out(&mut self, bytes: u64) -> Result<(), Stop> {
        self.check_crossing(bytes)?;
        self.meter.charge_bytes_out(&mut self.spent, bytes)
    }

    fn check_crossing(&mut self, bytes: u64) -> Result<(), Stop> {
        // What crossed before: the first range, however large, is looked at by the epoch check that precedes it.
        if self.unchecked_bytes >= CHECK_BYTES {
            self.unchecked_bytes = 0;
            self.meter.check(self.chunk, &mut self.cpu)?;
        }
        self.unchecked_bytes = self.unchecked_bytes.saturating_add(bytes);
        Ok(())
    }

    /// Notes a line; whether it is new, and not that of a run that has to be repeated.
    pub(crate) fn note_line(&mut self) -> bool {
        self.spent.lines += 1;
        self.spent.lines > self.lines_seen
    }
}

/// Measures the kernel's body from outside: from the moment the guest gave back its last input until it
/// writes its first output.
#[derive(Default)]
pub(crate) struct BodyClock {
    last_input_dropped: Option<Instant>,
    first_write: Option<Instant>,
}

impl BodyClock {
    pub(crate) fn input_dropped(&mut self) {
        if self.first_write.is_none() {
            self.last_input_dropped = Some(Instant::now());
        }
    }

    pub(crate) fn output_written(&mut self) {
        if self.first_write.is_none() {
            self.first_write = Some(Instant::now());
        }
    }

    /// The body's time, for a guest called at `called` that returned at `returned`.
    pub(crate) fn elapsed(&self, called: Instant, returned: Instant) -> Duration {
        let start = self.last_input_dropped.unwrap_or(called);
        let end = self.first_write.unwrap_or(returned);
        end.saturating_duration_since(start)
    }
}
