//! The state of one instance: what belongs to a store and goes with it.

use crate::limiter::Limiter;
use crate::meter::{CpuClock, Meter, Spent};
use crate::stop::Stop;
use bytes::BytesMut;
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
    pub(crate) outputs: Vec<BytesMut>,
    pub(crate) random: Random,
    /// The guest's own words about why it is about to trap, escaped.
    pub(crate) explanation: Option<String>,
    pub(crate) body: BodyClock,
    pub(crate) cpu: CpuClock,
    /// What this run of the chunk was charged.
    pub(crate) spent: Spent,
    /// Lines that an earlier run of this chunk has logged already.
    pub(crate) lines_seen: u64,
}

impl Guest {
    /// Counts one call to the host.
    pub(crate) fn charge_host_call(&mut self) -> Result<(), Stop> {
        self.meter.charge_host_call(&mut self.spent)
    }

    /// Counts bytes before they are copied into the guest.
    pub(crate) fn charge_bytes_in(&mut self, bytes: u64) -> Result<(), Stop> {
        self.meter.charge_bytes_in(&mut self.spent, bytes)
    }

    /// Counts bytes before they are copied out of the guest.
    pub(crate) fn charge_bytes_out(&mut self, bytes: u64) -> Result<(), Stop> {
        self.meter.charge_bytes_out(&mut self.spent, bytes)
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

/// The instance's random bytes.
pub(crate) enum Random {
    /// A stream that is a function of the seed and the chunk.
    Seeded(Box<blake3::OutputReader>),
    /// The operating system's.
    System,
}

impl Random {
    /// The stream of a chunk: BLAKE3 in its extendable-output mode over seed and chunk.
    pub(crate) fn new(seed: Option<u64>, chunk: usize) -> Self {
        match seed {
            None => Self::System,
            Some(seed) => {
                let mut hasher = blake3::Hasher::new_derive_key("hotcell 2026 guest random stream");
                hasher.update(&seed.to_le_bytes());
                hasher.update(&(chunk as u64).to_le_bytes());
                Self::Seeded(Box::new(hasher.finalize_xof()))
            }
        }
    }

    /// Fills `buffer`; fails only where the operating system gives no random bytes.
    pub(crate) fn fill(&mut self, buffer: &mut [u8]) -> std::io::Result<()> {
        match self {
            Self::Seeded(stream) => stream.fill(buffer),
            Self::System => {
                let mut rest = buffer;
                while !rest.is_empty() {
                    let flags = rustix::rand::GetRandomFlags::empty();
                    let filled = rustix::rand::getrandom(&mut *rest, flags)?;
                    rest = &mut rest[filled..];
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(seed: Option<u64>, chunk: usize) -> [u8; 32] {
        let mut buffer = [0; 32];
        Random::new(seed, chunk).fill(&mut buffer).unwrap();
        buffer
    }

    #[test]
    fn seeded_streams_depend_on_seed_and_chunk_alone() {
        assert_eq!(bytes(Some(1), 0), bytes(Some(1), 0));
        assert_ne!(bytes(Some(1), 0), bytes(Some(1), 1));
        assert_ne!(bytes(Some(1), 0), bytes(Some(2), 0));
        assert_ne!(bytes(None, 0), bytes(None, 0));
    }
}
