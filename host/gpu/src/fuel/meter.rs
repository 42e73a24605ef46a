//! The hidden buffer between the host and an instrumented shader: budgets in, what was spent out.
//!
//! One slot of [`METER_STRIDE_BYTES`] belongs to one dispatch. The host writes [`meter_words`] before it and
//! reads [`read_meter`] after it; the shader's epilogue ([`super::entry`]) does the rest.

/// The bind group of the meter: guests have the groups below.
pub const METER_GROUP: u32 = 4;
/// The meter's slot in its group.
pub const METER_SLOT: u32 = 0;
/// From one dispatch's slot to the next: what every device allows as a dynamic offset.
pub const METER_STRIDE_BYTES: u64 = 256;
/// Bytes of a slot that are used.
pub const METER_BYTES: u64 = 4 * MeterWords::COUNT as u64;
/// The most that one invocation can be given: counters are `i32`, and the heaviest weight,
/// `super::plan::MAX_WEIGHT`, must never fit.
pub const MAX_BUDGET: u32 = (1 << 31) - 2;

/// The words of a slot, by position.
pub struct MeterWords;

impl MeterWords {
    /// Budget of an invocation for loops in uniform control flow.
    pub const BUDGET_UNIFORM: u32 = 0;
    /// Budget of an invocation for all other loops. Where a shader has both kinds, each gets half.
    pub const BUDGET: u32 = 1;
    /// [`Self::SPENT`] counts in units of two to this power.
    pub const SHIFT: u32 = 2;
    /// Set to 1 by an invocation that ran out.
    pub const EXHAUSTED: u32 = 3;
    /// What invocations spent, each rounded down to whole units.
    pub const SPENT: u32 = 4;
    /// Low word of what was spent exactly; only with [`super::FuelOptions::profile`].
    pub const EXACT_LOW: u32 = 5;
    /// High word of what was spent exactly.
    pub const EXACT_HIGH: u32 = 6;
    /// Set to 1 by a shader that counts exactly.
    pub const IS_EXACT: u32 = 7;
    /// How many there are.
    pub const COUNT: usize = 8;
}

/// What a dispatch said of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MeterReading {
    /// Whether an invocation ran out: the dispatch's results mean nothing.
    pub exhausted: bool,
    /// What was spent, each invocation rounded down to the slot's unit.
    pub spent: u64,
    /// The slot's unit.
    pub unit: u64,
    /// What was spent to the unit, where the shader was made to count it.
    pub exact: Option<u64>,
}

/// The words that a slot starts with.
///
/// `budget_per_invocation` is cut to [`MAX_BUDGET`]; the unit of [`MeterWords::SPENT`] is the finest in which
/// the sum over `invocations` cannot overflow.
pub fn meter_words(budget_per_invocation: u32, invocations: u64) -> [u32; MeterWords::COUNT] {
    let budget = budget_per_invocation.min(MAX_BUDGET);
    let fits = |shift: &u32| {
        let most = u64::from(budget >> shift).checked_mul(invocations);
        most.is_some_and(|most| most <= u64::from(u32::MAX))
    };
    let shift = (0..31).find(fits).unwrap_or(31);
    [budget, budget, shift, 0, 0, 0, 0, 0]
}

/// Reads a slot after its dispatch. Words that are missing count as zero.
pub fn read_meter(slot: &[u8]) -> MeterReading {
    let word = |position: u32| {
        let mut words = slot.chunks_exact(4).skip(position as usize);
        let bytes = words.next().and_then(|bytes| bytes.try_into().ok());
        u32::from_le_bytes(bytes.unwrap_or_default())
    };
    let exact =
        u64::from(word(MeterWords::EXACT_HIGH)) << 32 | u64::from(word(MeterWords::EXACT_LOW));
    MeterReading {
        exhausted: word(MeterWords::EXHAUSTED) != 0,
        spent: u64::from(word(MeterWords::SPENT)) << word(MeterWords::SHIFT).min(31),
        unit: 1 << word(MeterWords::SHIFT).min(31),
        exact: (word(MeterWords::IS_EXACT) != 0).then_some(exact),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_in_the_chosen_unit_never_overflow_and_are_as_fine_as_they_can_be() {
        for budget in [0, 1, 1000, 1 << 20, MAX_BUDGET, u32::MAX] {
            for invocations in [1, 64, 1 << 20, 1 << 40, u64::MAX] {
                let [given, _, shift, ..] = meter_words(budget, invocations);
                let most = |shift: u32| u128::from(given >> shift) * u128::from(invocations);
                assert!(
                    most(shift) <= u128::from(u32::MAX),
                    "{budget} {invocations}"
                );
                assert!(shift == 0 || most(shift - 1) > u128::from(u32::MAX));
                assert!(given <= MAX_BUDGET);
            }
        }
    }

    #[test]
    fn reading_puts_the_words_together() {
        let bytes: Vec<u8> = [0, 0, 3, 1, 7, 5, 2, 1_u32]
            .into_iter()
            .flat_map(u32::to_le_bytes)
            .collect();
        let reading = read_meter(&bytes);
        assert!(reading.exhausted);
        assert_eq!(reading.spent, 56);
        assert_eq!(reading.exact, Some(2 << 32 | 5));
        assert_eq!(reading.unit, 8);
        let short = read_meter(&bytes[..8]);
        assert_eq!((short.spent, short.unit, short.exhausted), (0, 1, false));
    }
}
