//! What it costs in GPU fuel to set, move and make bytes: that keeps a device busy as dispatches do.
//!
//! The figures are those of lavapipe on two processors, beside some 0.7 ns for a unit of fuel in a dispatch: a step
//! takes 1 to 3 µs whatever its length, a word 0.7 ns to clear, 1.2 ns to copy and 2 to 5 ns between host and device.

/// Of every step, and of every buffer.
const STEP_FUEL: u64 = 4096;
/// Of a word that is set to zero.
const CLEARED_WORD_FUEL: u64 = 1;
/// Of a word that is read from one place and written to another.
const MOVED_WORD_FUEL: u64 = 2;

/// Fuel for setting so many bytes to zero, those of a fresh buffer too.
pub(super) fn of_clear(bytes: u64) -> u64 {
    STEP_FUEL.saturating_add(bytes.div_ceil(4).saturating_mul(CLEARED_WORD_FUEL))
}

/// Fuel for moving so many bytes: on the device, to it or from it.
pub(super) fn of_move(bytes: u64) -> u64 {
    STEP_FUEL.saturating_add(bytes.div_ceil(4).saturating_mul(MOVED_WORD_FUEL))
}
