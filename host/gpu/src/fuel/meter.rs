//! The hidden buffer between the host and instrumented shaders: what there is to spend, and how it was settled.
//!
//! It begins with the pool ([`pool_words`]), from which all dispatches of a batch draw. A slot of
//! [`METER_STRIDE_BYTES`] for each dispatch follows ([`slot_words`]). The host writes both before a batch, and reads
//! them after it ([`read_pool`], [`read_slot`]).
//!
//! Fuel is drawn in units of two to the power of [`PoolWords::SHIFT`], the finest in which a batch's fuel fits into
//! 2³⁰. Whatever an invocation has left it gives back in whole units, so that it is charged less than one
//! unit too much.

/// The bind group of the meter: guests have the groups below.
pub const METER_GROUP: u32 = 4;
/// The slot of a dispatch's own words in that group, at a dynamic offset.
pub const METER_SLOT: u32 = 0;
/// The slot of the pool in that group.
pub const POOL_SLOT: u32 = 1;
/// From one dispatch's words to the next: what every device allows as a dynamic offset.
pub const METER_STRIDE_BYTES: u64 = 256;
/// Bytes of a dispatch's words.
pub const METER_BYTES: u64 = 4 * MeterWords::COUNT as u64;
/// Bytes of the pool.
pub const POOL_BYTES: u64 = 4 * PoolWords::COUNT as u64;

/// The most units of a pool. Draws that fail are added to what is taken: by however many invocations that happens at
/// once, the sum stays below 2³².
const MOST_UNITS: u64 = 1 << 30;
/// The most fuel that a batch can be given.
pub const MOST_FUEL: u64 = MOST_UNITS << 15;
/// The most fuel that is drawn at once, so that counters, which are `i32`, hold it beside what they had.
const MOST_DRAWN: u64 = 1 << 28;
/// The part of a batch's fuel that invocations are given before they draw.
const CREDIT_PART: u64 = 32;
/// The most of that for one invocation: most need no more, and what they do not need is others'.
const MOST_CREDIT: u64 = 1 << 20;
/// What a first draw is, unless more is needed.
const FIRST_DRAW: u64 = 1 << 12;

/// The words of a dispatch, by position.
pub struct MeterWords;

impl MeterWords {
    /// Units that each invocation begins with.
    pub const CREDIT: u32 = 0;
    /// Turns that the loop of the epilogue makes: on a driver that ends loops, it is cut where one before it was.
    pub const TURNS: u32 = 1;
    /// Invocations that came to their end.
    pub const SETTLED: u32 = 2;
    /// Set to 1 by an invocation that ran out.
    pub const EXHAUSTED: u32 = 3;
    /// Set to 1 by an invocation of which the driver has ended a loop.
    pub const CUT: u32 = 4;
    /// Low word of what was spent; only with [`super::FuelOptions::profile`].
    pub const EXACT_LOW: u32 = 5;
    /// High word of what was spent.
    pub const EXACT_HIGH: u32 = 6;
    /// Set to 1 by a shader that counts what was spent.
    pub const IS_EXACT: u32 = 7;
    /// How many there are.
    pub const COUNT: usize = 8;
}

/// The words of a pool, by position.
pub struct PoolWords;

impl PoolWords {
    /// Units that there are.
    pub const LIMIT: u32 = 0;
    /// A unit is two to this power.
    pub const SHIFT: u32 = 1;
    /// The most units that one invocation draws at once.
    pub const MOST: u32 = 2;
    /// The fewest that it draws, where there are enough.
    pub const FIRST: u32 = 3;
    /// Units that were taken, those of draws that failed among them.
    pub const TAKEN: u32 = 4;
    /// How many there are.
    pub const COUNT: usize = 5;
}

/// How fuel is given to the dispatches of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Units that there are.
    pub limit: u32,
    /// A unit is two to this power.
    pub shift: u32,
    /// Units that each invocation begins with.
    pub credit: u32,
    /// The most units of one draw.
    most: u32,
    /// Units that were given out before the batch.
    taken: u32,
}

impl Pool {
    /// Shares `fuel` among so many invocations, of which at most `abreast` can run at once.
    pub fn new(fuel: u64, invocations: u64, abreast: u64) -> Self {
        let fuel = fuel.min(MOST_FUEL);
        let shift = (0..15)
            .find(|shift| fuel >> shift <= MOST_UNITS)
            .unwrap_or(15);
        let limit = fuel >> shift;
        let credit = (limit / CREDIT_PART / invocations.max(1)).min(MOST_CREDIT >> shift);
        // All that run at once may fail at once.
        let most = (MOST_UNITS / abreast.max(1)).min(MOST_DRAWN >> shift);
        let word = |units: u64| u32::try_from(units).unwrap_or(u32::MAX);
        Self {
            limit: word(limit),
            shift,
            credit: word(credit),
            most: word(most.max(1)),
            taken: word(credit * invocations),
        }
    }

    /// Fuel of so many units.
    pub fn fuel(&self, units: u64) -> u64 {
        units << self.shift
    }

    /// The words that a batch's pool starts with.
    pub fn pool_words(&self) -> [u32; PoolWords::COUNT] {
        let first = u32::try_from(FIRST_DRAW >> self.shift).unwrap_or(1).max(1);
        [self.limit, self.shift, self.most, first, self.taken]
    }

    /// The words that each of its dispatches starts with.
    pub fn slot_words(&self) -> [u32; MeterWords::COUNT] {
        [self.credit, EPILOGUE_TURNS, 0, 0, 0, 0, 0, 0]
    }
}

/// Turns of the loop in the epilogue.
const EPILOGUE_TURNS: u32 = 2;

/// How a dispatch was settled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MeterReading {
    /// Invocations that came to their end.
    pub settled: u64,
    /// Whether an invocation ran out: the dispatch's results mean nothing.
    pub is_exhausted: bool,
    /// Whether the driver has ended a loop.
    pub is_cut: bool,
    /// What was spent, where the shader was made to count it.
    pub exact: Option<u64>,
}

/// Reads a dispatch's words after it. Those that are missing count as zero.
pub fn read_slot(slot: &[u8]) -> MeterReading {
    let word = |position| word(slot, position);
    let exact =
        u64::from(word(MeterWords::EXACT_HIGH)) << 32 | u64::from(word(MeterWords::EXACT_LOW));
    MeterReading {
        settled: u64::from(word(MeterWords::SETTLED)),
        is_exhausted: word(MeterWords::EXHAUSTED) != 0,
        is_cut: word(MeterWords::CUT) != 0,
        exact: (word(MeterWords::IS_EXACT) != 0).then_some(exact),
    }
}

/// Fuel that was taken from a pool and not given back. Draws that failed were for nothing.
pub fn read_pool(pool: &[u8]) -> u64 {
    let taken = word(pool, PoolWords::TAKEN).min(word(pool, PoolWords::LIMIT));
    u64::from(taken) << word(pool, PoolWords::SHIFT).min(31)
}

fn word(bytes: &[u8], position: u32) -> u32 {
    let mut words = bytes.chunks_exact(4).skip(position as usize);
    let bytes = words.next().and_then(|bytes| bytes.try_into().ok());
    u32::from_le_bytes(bytes.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(words: &[u32]) -> Vec<u8> {
        words.iter().copied().flat_map(u32::to_le_bytes).collect()
    }

    #[test]
    fn units_are_as_fine_as_they_can_be_and_nothing_overflows() {
        for fuel in [0, 1, 1000, 1 << 30, 50_000_000_000, 1 << 45, u64::MAX] {
            for invocations in [1, 64, 1 << 20, 1 << 40, u64::MAX] {
                for abreast in [1, 1 << 10, 1 << 20] {
                    let pool = Pool::new(fuel, invocations, abreast);
                    let fuel = fuel.min(MOST_FUEL);
                    assert!(u64::from(pool.limit) <= MOST_UNITS);
                    assert!(pool.shift == 0 || fuel >> (pool.shift - 1) > MOST_UNITS);
                    assert!(pool.fuel(pool.limit.into()) <= fuel);
                    assert!(pool.taken <= pool.limit / 32);
                    let failing = u64::from(pool.most) * abreast;
                    assert!(u64::from(pool.limit) + failing < 1 << 32);
                    assert!(pool.fuel(pool.most.into()) <= MOST_DRAWN);
                }
            }
        }
    }

    #[test]
    fn reading_puts_the_words_together() {
        let reading = read_slot(&bytes(&[9, 2, 128, 1, 1, 5, 2, 1]));
        assert!(reading.is_exhausted && reading.is_cut);
        assert_eq!(reading.settled, 128);
        assert_eq!(reading.exact, Some(2 << 32 | 5));
        assert_eq!(read_slot(&[]), MeterReading::default());
        assert_eq!(read_pool(&bytes(&[100, 3, 0, 0, 7])), 56);
        assert_eq!(read_pool(&bytes(&[100, 3, 0, 0, 700])), 800);
    }
}
