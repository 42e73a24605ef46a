//! The hidden buffer between the host and instrumented shaders: what there is to spend, and how it was settled.
//!
//! It begins with the pool ([`Pool::pool_words`]) that all dispatches of a batch share. A slot of
//! [`METER_STRIDE_BYTES`] for each dispatch follows ([`slot_words`]). The host writes both before a batch, and reads
//! them after it ([`read_pool`], [`read_slot`]).
//!
//! Fuel is counted in units of two to the power of [`PoolWords::SHIFT`], the finest in which a batch's fuel fits into
//! 2³⁰, so that an invocation is charged less than one unit too much. How it is given depends on the device.
//!
//! * Where invocations may turn as often as they like, they begin with a little, draw more from the pool, and give back
//!   what is left ([`Pool::to_draw_from`]).
//! * Where the driver ends the loops of an invocation after so many turns, it cannot spend more than that many of its
//!   dearest turns. Each begins with as much, while the pool is open, and adds what it spent at its end
//!   ([`Pool::to_keep_below`]). The pool closes when no more is left than what those that run at once may have.

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
/// The most fuel that an invocation is given for each of its counters.
const MOST_ALLOWANCE: u64 = 1 << 30;
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
    /// Units that there are, or from which on no invocation is given any.
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

/// What the metered dispatches of a batch share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Units that there are.
    limit: u32,
    /// A unit is two to this power.
    shift: u32,
    /// The most units of one draw.
    most: u32,
    /// Units that were given out before the batch.
    taken: u32,
}

impl Pool {
    fn new(limit_fuel: u64, shift: u32) -> Self {
        Self {
            limit: word(limit_fuel >> shift),
            shift,
            most: 0,
            taken: 0,
        }
    }

    /// A pool for `invocations` of which at most `abreast` can run at once, and the units that each begins with.
    pub fn to_draw_from(fuel: u64, invocations: u64, abreast: u64) -> (Self, u32) {
        let (fuel, shift) = unit(fuel);
        let pool = Self::new(fuel, shift);
        let credit = u64::from(pool.limit) / CREDIT_PART / invocations.max(1);
        let credit = credit.min(MOST_CREDIT >> shift);
        // All that run at once may fail at once.
        let most = (MOST_UNITS / abreast.max(1)).min(MOST_DRAWN >> shift);
        let pool = Self {
            most: word(most.max(1)),
            taken: word(credit * invocations),
            ..pool
        };
        (pool, word(credit))
    }

    /// A pool that is open while it holds what those that run at once may have: `worst` in all. `None` if that is most of
    /// it, so that what each is given has to be its share.
    pub fn to_keep_below(fuel: u64, worst: u64) -> Option<Self> {
        let (fuel, shift) = unit(fuel);
        (worst <= fuel / 2).then(|| Self::new(fuel - worst, shift))
    }

    /// A pool that never closes, for those who are given their shares of it.
    pub fn of_shares(fuel: u64) -> Self {
        let (fuel, shift) = unit(fuel);
        Self {
            limit: u32::MAX,
            ..Self::new(fuel, shift)
        }
    }

    /// So much fuel in whole units that each invocation begins with, as far as a counter holds it.
    pub fn credit(&self, fuel: u64) -> u32 {
        word(fuel.min(MOST_ALLOWANCE) >> self.shift)
    }

    /// At least so much fuel, in units that each invocation begins with, as far as a counter holds it.
    pub fn credit_for(&self, fuel: u64) -> u32 {
        word(fuel.min(MOST_ALLOWANCE).div_ceil(1 << self.shift))
    }

    /// Fuel of so many units.
    pub fn fuel(&self, units: u64) -> u64 {
        units << self.shift
    }

    /// The words that a batch's pool starts with.
    pub fn pool_words(&self) -> [u32; PoolWords::COUNT] {
        let first = word(FIRST_DRAW >> self.shift).max(1);
        [self.limit, self.shift, self.most, first, self.taken]
    }
}

/// The words that a dispatch starts with whose invocations begin with so many units.
pub fn slot_words(credit: u32) -> [u32; MeterWords::COUNT] {
    [credit, EPILOGUE_TURNS, 0, 0, 0, 0, 0, 0]
}

/// How much of so much fuel a batch can be given, and the power of two that is its unit.
fn unit(fuel: u64) -> (u64, u32) {
    let fuel = fuel.min(MOST_FUEL);
    let fits = |shift: &u32| fuel >> shift <= MOST_UNITS;
    (fuel, (0..15).find(fits).unwrap_or(15))
}

fn word(units: u64) -> u32 {
    u32::try_from(units).unwrap_or(u32::MAX)
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
    let word = |position| word_at(slot, position);
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
    let word = |position| word_at(pool, position);
    let taken = word(PoolWords::TAKEN);
    // Only those draw who have the most of a draw.
    let taken = match word(PoolWords::MOST) {
        0 => taken,
        _ => taken.min(word(PoolWords::LIMIT)),
    };
    u64::from(taken) << word(PoolWords::SHIFT).min(31)
}

fn word_at(bytes: &[u8], position: u32) -> u32 {
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
                    let (pool, credit) = Pool::to_draw_from(fuel, invocations, abreast);
                    let fuel = fuel.min(MOST_FUEL);
                    assert!(u64::from(pool.limit) <= MOST_UNITS);
                    assert!(pool.shift == 0 || fuel >> (pool.shift - 1) > MOST_UNITS);
                    assert!(pool.fuel(pool.limit.into()) <= fuel);
                    assert!(pool.taken <= pool.limit / 32);
                    assert!(credit <= pool.limit);
                    let failing = u64::from(pool.most) * abreast;
                    assert!(u64::from(pool.limit) + failing < 1 << 32);
                    assert!(pool.fuel(pool.most.into()) <= MOST_DRAWN);
                }
            }
        }
    }

    #[test]
    fn a_pool_closes_while_those_that_run_can_be_paid() {
        for (fuel, worst) in [
            (1000, 0),
            (1000, 500),
            (50_000_000_000, 1 << 32),
            (u64::MAX, 1 << 40),
        ] {
            let pool = Pool::to_keep_below(fuel, worst).unwrap();
            let fuel = fuel.min(MOST_FUEL);
            assert!(pool.fuel(pool.limit.into()) + worst <= fuel);
            assert!(pool.fuel(u64::from(pool.limit) + 1) + worst > fuel);
        }
        assert_eq!(Pool::to_keep_below(1000, 501), None);
        assert_eq!(Pool::of_shares(1000).credit(77), 77);
        assert_eq!(Pool::of_shares(1 << 40).credit(u64::MAX), 1 << 20);
    }

    #[test]
    fn reading_puts_the_words_together() {
        let reading = read_slot(&bytes(&[9, 2, 128, 1, 1, 5, 2, 1]));
        assert!(reading.is_exhausted && reading.is_cut);
        assert_eq!(reading.settled, 128);
        assert_eq!(reading.exact, Some(2 << 32 | 5));
        assert_eq!(read_slot(&[]), MeterReading::default());
        assert_eq!(read_pool(&bytes(&[100, 3, 1, 0, 7])), 56);
        assert_eq!(read_pool(&bytes(&[100, 3, 1, 0, 700])), 800);
        // What was spent is spent, also by those that ran when the pool closed.
        assert_eq!(read_pool(&bytes(&[100, 3, 0, 0, 700])), 5600);
    }
}
