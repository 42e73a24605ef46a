//! What a session has used so far, in memory that the supervisor can read when nobody answers any more.
//!
//! The figures stand between two copies of a number that grows: where the copies differ, the writer was ended in
//! the middle, and nothing is known.

use super::GpuUsage;

/// Figures of a ledger.
const FIGURES: usize = 12;
/// The number, the figures, the number.
const WORDS: usize = FIGURES + 2;
/// The size of a ledger.
pub const LEDGER_BYTES: usize = 8 * WORDS;

impl GpuUsage {
    /// The figures as they stand in a ledger whose number is `number`, from 1. A profile is not kept.
    pub fn to_ledger(&self, number: u64) -> [u8; LEDGER_BYTES] {
        let words: [u64; WORDS] = [
            number,
            self.fuel_bound,
            self.fuel_static,
            self.fuel_dynamic,
            u64::from(self.is_fuel_exhausted),
            self.dispatches,
            self.invocations,
            self.peak_bytes,
            self.buffers,
            self.pipelines,
            self.bind_sets,
            self.shader_bytes,
            self.time_ns,
            number,
        ];
        let mut ledger = [0; LEDGER_BYTES];
        for (place, word) in ledger.chunks_exact_mut(8).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        ledger
    }

    /// What a ledger says; `None` where nothing was written yet, or not to its end.
    pub fn of_ledger(ledger: &[u8; LEDGER_BYTES]) -> Option<Self> {
        let mut words = [0; WORDS];
        for (word, bytes) in words.iter_mut().zip(ledger.as_chunks::<8>().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        let [
            before,
            fuel_bound,
            fuel_static,
            fuel_dynamic,
            exhausted,
            dispatches,
            invocations,
            peak_bytes,
            buffers,
            pipelines,
            bind_sets,
            shader_bytes,
            time_ns,
            after,
        ] = words;
        (before == after && before > 0).then_some(Self {
            fuel_bound,
            fuel_static,
            fuel_dynamic,
            is_fuel_exhausted: exhausted != 0,
            dispatches,
            invocations,
            peak_bytes,
            buffers,
            pipelines,
            bind_sets,
            shader_bytes,
            time_ns,
            profile: Vec::new(),
            kernels: Vec::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_that_was_written_whole_says_what_it_was_told() {
        let usage = GpuUsage {
            fuel_bound: 1,
            fuel_static: 2,
            fuel_dynamic: 3,
            is_fuel_exhausted: true,
            dispatches: 4,
            invocations: 5,
            peak_bytes: 6,
            buffers: 7,
            pipelines: 8,
            bind_sets: 9,
            shader_bytes: 10,
            time_ns: u64::MAX,
            profile: Vec::new(),
            kernels: Vec::new(),
        };
        let mut ledger = usage.to_ledger(3);
        assert_eq!(GpuUsage::of_ledger(&ledger), Some(usage));
        ledger[0] = 4;
        assert_eq!(GpuUsage::of_ledger(&ledger), None);
        assert_eq!(GpuUsage::of_ledger(&[0; LEDGER_BYTES]), None);
    }
}
