//! The arithmetic of one bucket: exact, in whole numbers, and of the time that it is told.
//!
//! A level is kept as units and *parts*, of which as many make a unit as its period has nanoseconds. So each nanosecond
//! adds `refill` parts, whole, and nothing is rounded however often the level is looked at.

use hotcell_model::budget::Rate;
use std::time::Duration;

/// How far a clock may go back and the bucket waits for it to come again: clocks are put right by seconds, and no span is to
/// be refilled twice. A clock that goes back further would be waited for too long.
const SET_BACK_NS: i64 = 10_000_000_000;

/// What is in a bucket at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bucket {
    /// Its size and refill.
    pub(crate) rate: Rate,
    /// Whole units; below zero is debt.
    pub(crate) level: i64,
    /// Parts of a unit beyond the level, fewer than the period has nanoseconds.
    pub(crate) part: u64,
    /// When that was, in nanoseconds since 1970.
    pub(crate) at_ns: i64,
}

impl Bucket {
    /// A full one.
    pub(crate) fn full(rate: Rate, now_ns: i64) -> Self {
        let mut bucket = Self {
            rate,
            level: 0,
            part: 0,
            at_ns: now_ns,
        };
        bucket.set(bucket.most());
        bucket
    }

    /// Everything in parts. Below 2^118: a level has 63 bits and a year's nanoseconds 55.
    fn parts(&self) -> i128 {
        i128::from(self.level) * i128::from(self.rate.per_ns()) + i128::from(self.part)
    }

    /// The parts of a full one.
    fn most(&self) -> i128 {
        i128::from(self.rate.size()) * i128::from(self.rate.per_ns())
    }

    /// Sets it to so many parts, at most full. Debt beyond what 63 bits hold stays there.
    fn set(&mut self, parts: i128) {
        let parts = parts.min(self.most());
        let per = i128::from(self.rate.per_ns());
        self.level = i64::try_from(parts.div_euclid(per)).unwrap_or(i64::MIN);
        self.part = u64::try_from(parts.rem_euclid(per)).unwrap_or(0);
    }

    /// Lets time pass. A clock that went back a little is waited for; from one that went back by far refilling goes on.
    pub(crate) fn advance(&mut self, now_ns: i64) {
        let elapsed = now_ns.saturating_sub(self.at_ns);
        if elapsed < 0 {
            if elapsed < -SET_BACK_NS {
                self.at_ns = now_ns;
            }
            return;
        }
        // At most 2^62 times 2^63.
        let refilled = i128::from(elapsed) * i128::from(self.rate.refill());
        self.set(self.parts() + refilled);
        self.at_ns = now_ns;
    }

    /// Takes another rate and keeps the level, at most full. Time until now is to have passed at the old one.
    pub(crate) fn adopt(&mut self, rate: Rate) {
        let part = u128::from(self.part) * u128::from(rate.per_ns());
        let part = part / u128::from(self.rate.per_ns());
        // Less than the new period, since the old part was less than the old one.
        self.part = u64::try_from(part).unwrap_or(0);
        self.rate = rate;
        self.set(self.parts());
    }

    /// Takes out so much, below zero if there is less.
    pub(crate) fn take(&mut self, amount: u64) {
        self.set(self.parts() - i128::from(amount) * i128::from(self.rate.per_ns()));
    }

    /// Puts back so much; what does not fit is lost.
    pub(crate) fn put_back(&mut self, amount: u64) {
        self.set(self.parts() + i128::from(amount) * i128::from(self.rate.per_ns()));
    }

    /// How long from `now_ns` until `amount` is in it, rounded up to a nanosecond; `None` if it is. The bucket has to have
    /// advanced to that time. Saturates.
    pub(crate) fn wait_for(&self, amount: u64, now_ns: i64) -> Option<Duration> {
        let missing = i128::from(amount) * i128::from(self.rate.per_ns()) - self.parts();
        let missing = u128::try_from(missing)
            .ok()
            .filter(|missing| *missing > 0)?;
        let refilling = missing.div_ceil(u128::from(self.rate.refill()));
        // Nothing comes before the last time, which may lie a little ahead.
        let ahead = u128::try_from(self.at_ns.saturating_sub(now_ns)).unwrap_or(0);
        Some(duration(refilling + ahead))
    }

    /// How long until it is full, zero if it is.
    pub(crate) fn full_in(&self, now_ns: i64) -> Duration {
        self.wait_for(self.rate.size(), now_ns).unwrap_or_default()
    }

    /// Whether it holds all that it can: a bucket that is not in the file at all.
    pub(crate) fn is_full(&self) -> bool {
        self.parts() >= self.most()
    }

    /// Takes `needed`, which has to be in it, and a sixteenth of what is then left, for a lease. Says how much that is.
    ///
    /// Of what is left rather than of the size, so that the last of it is not held by whoever came first.
    pub(crate) fn lease(&mut self, needed: u64) -> u64 {
        self.take(needed);
        let ahead = u64::try_from(self.level).unwrap_or(0) / 16;
        self.take(ahead);
        ahead
    }
}

fn duration(nanoseconds: u128) -> Duration {
    const SECOND: u128 = 1_000_000_000;
    let seconds = u64::try_from(nanoseconds / SECOND).unwrap_or(u64::MAX);
    let rest = u32::try_from(nanoseconds % SECOND).unwrap_or(0);
    Duration::new(seconds, rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers by chance, the same ones for the same seed. Source: Steele, Lea and Flood, "Fast splittable pseudorandom
    /// number generators", `SplitMix64`.
    struct Chance(u64);

    impl Chance {
        fn next(&mut self) -> u64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        }

        fn below(&mut self, bound: u64) -> u64 {
            self.next() % bound
        }

        fn rate(&mut self, largest: u64) -> Rate {
            let mut one = || 1 + self.below(largest);
            Rate::unchecked(one(), one(), one())
        }
    }

    /// The bucket by its definition: nanosecond by nanosecond, in fractions of a unit.
    struct Model {
        rate: Rate,
        fraction: u128,
        debt: u128,
    }

    impl Model {
        fn pass(&mut self, ns: u64) {
            let per = u128::from(self.rate.per_ns());
            for _ in 0..ns {
                let refill = u128::from(self.rate.refill());
                let paid = refill.min(self.debt);
                self.debt -= paid;
                let most = u128::from(self.rate.size()) * per;
                self.fraction = (self.fraction + refill - paid).min(most);
            }
        }

        fn take(&mut self, amount: u64) {
            let amount = u128::from(amount) * u128::from(self.rate.per_ns());
            let had = amount.min(self.fraction);
            self.fraction -= had;
            self.debt += amount - had;
        }

        fn has(&self, amount: u64) -> bool {
            self.debt == 0 && self.fraction >= u128::from(amount) * u128::from(self.rate.per_ns())
        }

        fn units(&self) -> i128 {
            let parts = i128::try_from(self.fraction).unwrap() - i128::try_from(self.debt).unwrap();
            parts.div_euclid(i128::from(self.rate.per_ns()))
        }
    }

    #[test]
    fn refilling_is_exact_and_never_above_the_size() {
        for seed in 0..300 {
            let mut chance = Chance(seed);
            let rate = chance.rate(60);
            let mut bucket = Bucket::full(rate, 0);
            let fraction = u128::from(rate.size()) * u128::from(rate.per_ns());
            let mut model = Model {
                rate,
                fraction,
                debt: 0,
            };
            let mut now = 0;
            for _ in 0..200 {
                let ns = chance.below(40);
                now += i64::try_from(ns).unwrap();
                bucket.advance(now);
                model.pass(ns);
                let amount = chance.below(2 * rate.size());
                let wait = bucket.wait_for(amount, now);
                assert_eq!(wait.is_none(), model.has(amount), "seed {seed}");
                if wait.is_none() || chance.below(8) == 0 {
                    bucket.take(amount);
                    model.take(amount);
                }
                assert_eq!(i128::from(bucket.level), model.units(), "seed {seed}");
                assert!(bucket.parts() <= bucket.most(), "seed {seed}");
            }
        }
    }

    #[test]
    fn a_wait_is_right_to_the_nanosecond() {
        for seed in 0..3000 {
            let mut chance = Chance(seed);
            let rate = chance.rate(1 << (1 + seed % 50));
            let mut bucket = Bucket::full(rate, 5);
            // A debt now and then.
            bucket.take(chance.below(2 * rate.size()));
            let amount = 1 + chance.below(rate.size());
            let Some(wait) = bucket.wait_for(amount, 5) else {
                continue;
            };
            let Ok(wait) = i64::try_from(wait.as_nanos()) else {
                continue;
            };
            let after = |ns: i64| {
                let mut later = bucket;
                later.advance(5 + ns);
                later.wait_for(amount, 5 + ns)
            };
            assert_eq!(after(wait), None, "seed {seed}");
            let one = Some(Duration::from_nanos(1));
            assert_eq!(after(wait - 1), one, "seed {seed}");
        }
    }

    #[test]
    fn many_looks_add_up_to_one() {
        let rate = Rate::new(1_000_000, 7, Duration::from_secs(3)).unwrap();
        let mut often = Bucket::full(rate, 0);
        often.take(1_000_000);
        let mut once = often;
        for now in 0..100_000 {
            often.advance(now * 12_347);
        }
        once.advance(99_999 * 12_347);
        assert_eq!(often, once);
    }

    #[test]
    fn a_clock_that_goes_back_refills_nothing_and_refuses_for_no_longer_than_seconds() {
        let rate = Rate::new(100, 1, Duration::from_secs(1)).unwrap();
        let second = 1_000_000_000;
        let mut bucket = Bucket::full(rate, 1000 * second);
        bucket.take(100);
        // A little: the same span is not refilled again.
        bucket.advance(995 * second);
        let wait = bucket.wait_for(1, 995 * second);
        assert_eq!(wait, Some(Duration::from_secs(6)));
        bucket.advance(1000 * second);
        assert_eq!(bucket.level, 0);
        // By far: it goes on from there.
        bucket.advance(10 * second);
        assert_eq!(bucket.level, 0);
        bucket.advance(13 * second);
        assert_eq!(bucket.level, 3);
    }

    #[test]
    fn a_clock_that_jumps_ahead_fills_it_and_no_more() {
        let rate = Rate::new(Rate::LARGEST, Rate::LARGEST, Rate::SHORTEST).unwrap();
        let mut bucket = Bucket::full(rate, 0);
        for _ in 0..3 {
            bucket.take(u64::MAX);
        }
        bucket.advance(i64::MAX);
        assert!(bucket.is_full());
        assert_eq!(bucket.full_in(i64::MAX), Duration::ZERO);
    }

    #[test]
    fn extremes_saturate() {
        let rate = Rate::new(Rate::LARGEST, 1, Rate::LONGEST).unwrap();
        let mut bucket = Bucket::full(rate, 0);
        for _ in 0..8 {
            bucket.take(u64::MAX);
        }
        assert_eq!(bucket.level, i64::MIN);
        let wait = bucket.wait_for(Rate::LARGEST, i64::MIN).unwrap();
        assert_eq!(wait.as_secs(), u64::MAX);
    }

    #[test]
    fn another_rate_keeps_the_level_within_the_new_size() {
        let minute = Duration::from_secs(60);
        let mut bucket = Bucket::full(Rate::new(100, 60, minute).unwrap(), 0);
        bucket.take(40);
        bucket.advance(500_000_000);
        bucket.adopt(Rate::new(1000, 1, Duration::from_millis(10)).unwrap());
        assert_eq!((bucket.level, bucket.part), (60, 5_000_000));
        bucket.adopt(Rate::new(20, 1, minute).unwrap());
        assert!(bucket.is_full());
        bucket.take(50);
        bucket.adopt(Rate::new(1000, 1, minute).unwrap());
        assert_eq!(bucket.level, -30);
    }

    #[test]
    fn a_lease_is_what_is_needed_and_a_sixteenth_of_what_is_left() {
        let mut bucket = Bucket::full(Rate::unchecked(1000, 1, 1), 0);
        assert_eq!(bucket.lease(200), 50);
        assert_eq!(bucket.level, 750);
        assert_eq!(bucket.lease(740), 0);
        assert_eq!(bucket.level, 10);
    }
}
