//! The hidden buffers between the host and instrumented shaders: what there is to spend, and how it was settled.
//!
//! The host lays down the terms of each dispatch ([`FuelPool::terms`]), which shaders only read: a uniform buffer, which
//! drivers read once for many invocations. What they write is the pool that all dispatches of a batch share
//! ([`FuelPool::start`]), and what each dispatch says at its end ([`read_slot`]).
//!
//! Fuel is counted in units of two to the power of [`TermWords::SHIFT`], the finest in which a batch's fuel fits into
//! 2³⁰, so that an invocation is charged less than one unit too much. How it is given depends on the device.
//!
//! * Where invocations may turn as often as they like, they begin with a little, draw more from the pool, and give back
//!   what is left ([`FuelPool::to_draw_from`]).
//! * Where the driver ends the loops of an invocation after so many turns, it cannot spend more than that many of its
//!   dearest turns. Each begins with as much, while the pool is open, and adds what it spent at its end
//!   ([`FuelPool::to_keep_below`]). The pool closes when no more is left than what those that run at once may have.
//!   Processors that take a word from each other for every addition wait for it longer than many loops take: each
//!   workgroup adds to one of [`PoolWords::STRIPES`], and whoever fills a grain there adds it to the pool's own word.

/// The bind group of the meter: guests have the groups below.
pub const METER_GROUP: u32 = 4;
/// The slot of a dispatch's own words in that group, at a dynamic offset.
pub const METER_SLOT: u32 = 0;
/// The slot of the pool in that group.
pub const POOL_SLOT: u32 = 1;
/// The slot of a dispatch's terms in that group, at a dynamic offset.
pub const TERMS_SLOT: u32 = 2;
/// From one dispatch's words to the next: what every device allows as a dynamic offset.
pub const METER_STRIDE_BYTES: u64 = 256;
/// Bytes of a dispatch's words.
pub const METER_BYTES: u64 = 4 * MeterWords::COUNT as u64;
/// Bytes of the pool.
pub const POOL_BYTES: u64 = 4 * PoolWords::COUNT as u64;
/// Bytes of a dispatch's terms.
pub const TERMS_BYTES: u64 = 4 * TermWords::COUNT as u64;

/// The most units of a pool. Draws that fail are added to what is taken: by however many invocations that happens at
/// once, the sum stays below 2³².
const MOST_UNITS: u64 = 1 << 30;
/// The most fuel that a batch can be given.
pub const MOST_FUEL: u64 = MOST_UNITS << 15;
/// The most fuel that is drawn at once, so that counters, which are `i32`, hold it beside what they had.
const MOST_DRAWN: u64 = 1 << 28;
/// The most fuel that an invocation is given for each of its counters.
pub const MOST_ALLOWANCE: u64 = 1 << 30;
/// The part of a batch's fuel that invocations are given before they draw.
const CREDIT_PART: u64 = 32;
/// The most of that for one invocation: most need no more, and what they do not need is others'.
const MOST_CREDIT: u64 = 1 << 20;
/// What a first draw is, unless more is needed.
const FIRST_DRAW: u64 = 1 << 12;

/// The words of a dispatch, by position: zeros, before it.
pub struct MeterWords;

impl MeterWords {
    /// Bits that invocations set: the constants below.
    pub const FLAGS: u32 = 0;
    /// Low word of what was spent; only with [`super::FuelOptions::profile`].
    pub const EXACT_LOW: u32 = 1;
    /// High word of what was spent.
    pub const EXACT_HIGH: u32 = 2;
    /// How many there are.
    pub const COUNT: usize = 4;

    /// An invocation ran out.
    pub const EXHAUSTED: u32 = 1;
    /// The driver has ended a loop of an invocation.
    pub const CUT: u32 = 2;
    /// What was spent is counted.
    pub const EXACT: u32 = 4;
}

/// The words of the pool, by position. After its own come those of the stripes, each in a line of a processor's memory
/// to itself.
pub struct PoolWords;

impl PoolWords {
    /// Units that were taken, those of draws that failed among them; where there are stripes, only whole grains.
    pub const TAKEN: u32 = 0;
    /// Invocations that came to their end. In each stripe too, and only there, where there are any.
    pub const SETTLED: u32 = 1;
    /// How many stripes there are, and no more processors that run shaders at once are known of.
    pub const STRIPES: u32 = 64;
    /// From one stripe's words to the next one's, as a power of two.
    pub const STRIPE_SHIFT: u32 = 4;
    /// How many words there are.
    pub const COUNT: usize = ((Self::STRIPES + 1) << Self::STRIPE_SHIFT) as usize;
}

/// The words of a dispatch's terms, by position.
pub struct TermWords;

impl TermWords {
    /// Units that each invocation begins with.
    pub const CREDIT: u32 = 0;
    /// Turns that the loop of the epilogue makes: on a driver that ends loops, it is cut where one before it was.
    pub const TURNS: u32 = 1;
    /// Units that there are, or from which on no invocation is given any.
    pub const LIMIT: u32 = 2;
    /// A unit is two to this power.
    pub const SHIFT: u32 = 3;
    /// The most units that one invocation draws at once.
    pub const MOST: u32 = 4;
    /// The fewest that it draws, where there are enough.
    pub const FIRST: u32 = 5;
    /// What a stripe gathers before it is added to the pool: so many units, as a power of two.
    pub const GRAIN: u32 = 6;
    /// How many there are, in whole vectors of four.
    pub const COUNT: usize = 8;
}

/// What the metered dispatches of a batch share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FuelPool {
    /// Units that there are.
    limit: u32,
    /// A unit is two to this power.
    shift: u32,
    /// The most units of one draw. Nothing is drawn where it is none.
    most: u32,
    /// Units that were given out before the batch.
    taken: u32,
}

impl FuelPool {
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

    /// A pool that is open while it holds what those that run at once may have, `worst` in all, and what stripes may
    /// hold. `None` if that is most of it, so that what each is given has to be its share.
    pub fn to_keep_below(fuel: u64, worst: u64) -> Option<Self> {
        let (fuel, shift) = unit(fuel);
        let gathered = fuel.div_ceil(GATHERED_PART.into());
        (worst <= fuel / 2).then(|| Self::new((fuel - worst).saturating_sub(gathered), shift))
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

    /// The most fuel that an invocation which begins with so many units may spend and has to tell of only at its end: as
    /// much of each of two counters. Nothing where it has drawn what it has.
    pub fn given(&self, credit: u32) -> u64 {
        match self.most {
            0 => 2 * self.fuel(credit.into()),
            _ => 0,
        }
    }

    /// Fuel of so many units.
    pub fn fuel(&self, units: u64) -> u64 {
        units << self.shift
    }

    /// The terms of a dispatch whose invocations begin with so many units.
    pub fn terms(&self, credit: u32) -> [u32; TermWords::COUNT] {
        let first = word(FIRST_DRAW >> self.shift).max(1);
        let (limit, shift, most) = (self.limit, self.shift, self.most);
        let grain = limit / PoolWords::STRIPES / GATHERED_PART;
        let grain = grain.checked_ilog2().unwrap_or(0);
        [credit, EPILOGUE_TURNS, limit, shift, most, first, grain, 0]
    }

    /// The word that the pool starts with, and zeros after it.
    pub fn start(&self) -> u32 {
        self.taken
    }

    /// What the pool's words say after a batch. Those that are missing count as zero.
    pub fn read(&self, pool: &[u8]) -> PoolReading {
        let word = |position| u64::from(word_at(pool, position));
        let stripes = (0..=PoolWords::STRIPES).map(|place| place << PoolWords::STRIPE_SHIFT);
        let settled = stripes.clone().map(|at| word(at + PoolWords::SETTLED));
        let limit = u64::from(self.limit);
        let taken = word(PoolWords::TAKEN);
        let state = match (self.most, self.limit) {
            (1.., _) => FuelPoolState::Drawn,
            (0, u32::MAX) => FuelPoolState::Shared,
            (0, _) if taken < limit => FuelPoolState::Open,
            (0, _) => FuelPoolState::Closed,
        };
        let spent = match state {
            // Draws that failed were for nothing.
            FuelPoolState::Drawn => taken.min(limit),
            // What was spent is spent, also by those that ran when the pool closed.
            _ => stripes.skip(1).map(|at| word(at + PoolWords::TAKEN)).sum(),
        };
        PoolReading {
            spent: self.fuel(spent),
            settled: settled.sum(),
            state,
        }
    }
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

/// The part of a pool that stripes may hold together.
const GATHERED_PART: u32 = 64;

/// Turns of the loop in the epilogue.
const EPILOGUE_TURNS: u32 = 2;

/// How a batch was settled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolReading {
    /// Fuel that was taken and not given back.
    pub spent: u64,
    /// Invocations that came to their end, of those that are counted. Counters of 32 bits wrap.
    pub settled: u64,
    /// What became of the pool.
    pub state: FuelPoolState,
}

/// What a pool is, after a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FuelPoolState {
    /// It was drawn from: who ran out did so for want of fuel.
    #[default]
    Drawn,
    /// Each was given a share of it: the same.
    Shared,
    /// Each was given all that it can spend: who ran out wanted more turns than the driver lets it make.
    Open,
    /// Whoever came late was given nothing.
    Closed,
}

/// How a dispatch was settled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MeterReading {
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
    let is = |flag| word(MeterWords::FLAGS) & flag != 0;
    let exact =
        u64::from(word(MeterWords::EXACT_HIGH)) << 32 | u64::from(word(MeterWords::EXACT_LOW));
    MeterReading {
        is_exhausted: is(MeterWords::EXHAUSTED),
        is_cut: is(MeterWords::CUT),
        exact: is(MeterWords::EXACT).then_some(exact),
    }
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
                    let (pool, credit) = FuelPool::to_draw_from(fuel, invocations, abreast);
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
            let pool = FuelPool::to_keep_below(fuel, worst).unwrap();
            let fuel = fuel.min(MOST_FUEL);
            let grain = u64::from(pool.terms(0)[TermWords::GRAIN as usize]);
            let gathered = u64::from(PoolWords::STRIPES) * ((1 << grain) - 1);
            assert!(pool.fuel(u64::from(pool.limit) + gathered) + worst <= fuel);
            let least = fuel - fuel.div_ceil(GATHERED_PART.into());
            assert!(pool.fuel(u64::from(pool.limit) + 1) + worst > least);
        }
        assert_eq!(FuelPool::to_keep_below(1000, 501), None);
        assert_eq!(FuelPool::of_shares(1000).credit(77), 77);
        assert_eq!(FuelPool::of_shares(1 << 40).credit(u64::MAX), 1 << 20);
    }

    #[test]
    fn reading_puts_the_words_together() {
        let reading = read_slot(&bytes(&[7, 5, 2]));
        assert!(reading.is_exhausted && reading.is_cut);
        assert_eq!(reading.exact, Some(2 << 32 | 5));
        assert_eq!(read_slot(&[]), MeterReading::default());
        let (drawn, _) = FuelPool::to_draw_from(1 << 33, 1, 1);
        let reading = |spent, settled, state| PoolReading {
            spent,
            settled,
            state,
        };
        let read = drawn.read(&bytes(&[7, 128]));
        assert_eq!(read, reading(56, 128, FuelPoolState::Drawn));
        let overdrawn = drawn.read(&bytes(&[u32::MAX, 1]));
        assert_eq!(overdrawn, reading(1 << 33, 1, FuelPoolState::Drawn));
        assert_eq!(drawn.read(&[]), PoolReading::default());
        let kept = FuelPool::to_keep_below(1 << 33, 1 << 32).unwrap();
        let mut words = [0; PoolWords::COUNT];
        words[0] = 1 << 30;
        (words[16], words[17], words[32], words[1025]) = (1 << 29, 3, 1 << 29, 4);
        let read = kept.read(&bytes(&words));
        assert_eq!(read, reading(1 << 33, 7, FuelPoolState::Closed));
        words[0] = 1 << 28;
        let read = kept.read(&bytes(&words));
        assert_eq!(read, reading(1 << 33, 7, FuelPoolState::Open));
        let shared = FuelPool::of_shares(1 << 33);
        let read = shared.read(&bytes(&words));
        assert_eq!(read, reading(1 << 33, 7, FuelPoolState::Shared));
    }
}
