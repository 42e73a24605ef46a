//! A bucket's size and refill, as an operator gives them.

use super::resource::Resource;
use hotcell_manifest::units;
use std::time::Duration;

/// How much a bucket holds and how fast it fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    size: u64,
    refill: u64,
    per_ns: u64,
}

/// Numbers that are no rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RateError {
    /// A bucket that holds nothing refuses everything.
    #[error("a budget's size of 0 refuses every launch: give at least 1, or no grant")]
    NoSize,
    /// A bucket that does not fill refuses everything once it is empty.
    #[error("a budget's refill of 0 never gives anything back: give at least 1")]
    NoRefill,
    /// A size or refill that cannot be kept exactly.
    #[error("a budget's size or refill of {requested} is too large: at most {maximum}")]
    TooMuch {
        /// What was asked for.
        requested: u64,
        /// The most.
        maximum: u64,
    },
    /// A refill that comes in too short or too long a time.
    #[error(
        "a budget's refill in {} is out of range: from {} to {}",
        units::format_duration(*requested),
        units::format_duration(Rate::SHORTEST),
        units::format_duration(Rate::LONGEST)
    )]
    Period {
        /// What was asked for.
        requested: Duration,
    },
}

impl Rate {
    /// The most that a bucket holds, and the most that a refill is: what a signed 64-bit number of the file keeps, with
    /// room for debt, and what keeps the arithmetic of 128 bits exact.
    pub const LARGEST: u64 = 1 << 62;
    /// The shortest time that a refill is stated for.
    pub const SHORTEST: Duration = Duration::from_millis(1);
    /// The longest: a year.
    pub const LONGEST: Duration = Duration::from_secs(366 * 86_400);

    /// A bucket that holds at most `size` and is refilled by `refill` in each `per`, evenly over that time. `size` and
    /// `refill` are in the resource's unit.
    ///
    /// # Errors
    /// `size` or `refill` is 0 or above [`LARGEST`](Self::LARGEST), or `per` is not from [`SHORTEST`](Self::SHORTEST) to
    /// [`LONGEST`](Self::LONGEST).
    pub fn new(size: u64, refill: u64, per: Duration) -> Result<Self, RateError> {
        let maximum = Self::LARGEST;
        let requested = size.max(refill);
        match u64::try_from(per.as_nanos()) {
            _ if size == 0 => Err(RateError::NoSize),
            _ if refill == 0 => Err(RateError::NoRefill),
            _ if requested > maximum => Err(RateError::TooMuch { requested, maximum }),
            Ok(per_ns) if (Self::SHORTEST..=Self::LONGEST).contains(&per) => Ok(Self {
                size,
                refill,
                per_ns,
            }),
            _ => Err(RateError::Period { requested: per }),
        }
    }

    /// The most that the bucket holds: what a burst may take.
    pub const fn size(self) -> u64 {
        self.size
    }

    /// How much comes in each period.
    pub const fn refill(self) -> u64 {
        self.refill
    }

    /// The period.
    pub const fn per(self) -> Duration {
        Duration::from_nanos(self.per_ns)
    }

    /// The period in nanoseconds.
    pub const fn per_ns(self) -> u64 {
        self.per_ns
    }
}

/// A tenant's budgets. What has none is not bounded over time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Budgets([Option<Rate>; Resource::COUNT]);

impl Budgets {
    /// No budget for anything.
    pub const fn new() -> Self {
        Self([None; Resource::COUNT])
    }

    /// The same, with that budget.
    #[must_use]
    pub const fn with(mut self, resource: Resource, rate: Rate) -> Self {
        self.0[resource as usize] = Some(rate);
        self
    }

    /// The budget of a resource, if it has one.
    pub const fn get(&self, resource: Resource) -> Option<Rate> {
        self.0[resource as usize]
    }

    /// The resources that have a budget, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Resource, Rate)> {
        let all = Resource::ALL.into_iter().zip(self.0);
        all.filter_map(|(resource, rate)| Some((resource, rate?)))
    }
}

impl FromIterator<(Resource, Rate)> for Budgets {
    fn from_iter<I: IntoIterator<Item = (Resource, Rate)>>(rates: I) -> Self {
        let mut all = Self::new();
        for (resource, rate) in rates {
            all = all.with(resource, rate);
        }
        all
    }
}

impl Rate {
    /// A rate as fine as a test likes.
    #[doc(hidden)]
    pub const fn unchecked(size: u64, refill: u64, per_ns: u64) -> Self {
        Self {
            size,
            refill,
            per_ns,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_are_no_rate_are_refused_with_words() {
        let second = Duration::from_secs(1);
        for (size, refill, per, says) in [
            (0, 1, second, "size of 0"),
            (1, 0, second, "refill of 0"),
            (u64::MAX, 1, second, "at most 4611686018427387904"),
            (1, Rate::LARGEST + 1, second, "at most 4611686018427387904"),
            (1, 1, Duration::from_micros(999), "from 1ms to 527040m"),
            (1, 1, Duration::MAX, "is out of range"),
        ] {
            let error = Rate::new(size, refill, per).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
        assert!(Rate::new(1, Rate::LARGEST, Rate::LONGEST).is_ok());
        assert!(Rate::new(Rate::LARGEST, 1, Rate::SHORTEST).is_ok());
    }

    #[test]
    fn only_what_has_a_budget_is_listed() {
        let rate = Rate::new(10, 1, Duration::from_secs(1)).unwrap();
        let budgets = Budgets::new().with(Resource::Fuel, rate);
        assert_eq!(budgets.iter().collect::<Vec<_>>(), [(Resource::Fuel, rate)]);
        assert_eq!(budgets.iter().collect::<Budgets>(), budgets);
        assert_eq!(budgets.get(Resource::Bytes), None);
    }
}
