//! What a batch may spend: the static part of each dispatch is charged at once, and what is left of the launch's
//! fuel is the pool from which the dispatches draw whose spending is not known before they run.
//!
//! What is in it depends on the launch's past alone, never on a clock. A batch is not admitted while the spending of an
//! earlier one is still unknown.

use super::quota::Quota;
use crate::fuel::{MOST_FUEL, Pool};
use hotcell_model::gpu::GpuError;

/// One dispatch, as admission sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Volume {
    /// Invocations over all workgroups.
    pub(super) invocations: u64,
    /// Fuel of one invocation that is known before it runs.
    pub(super) static_fuel: u64,
    /// Whether it may spend more.
    pub(super) has_meter: bool,
}

impl Volume {
    fn static_total(&self) -> u64 {
        self.static_fuel.saturating_mul(self.invocations)
    }

    /// Whether it needs a budget: one that does nothing needs none.
    pub(super) fn is_metered(&self) -> bool {
        self.has_meter && self.invocations > 0
    }
}

/// What a batch is charged and may spend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Budgets {
    /// The static parts of all dispatches.
    pub(super) static_fuel: u64,
    /// The static parts and the pool: what the batch can spend at most.
    pub(super) bound: u64,
    /// What its metered dispatches share, where there are any.
    pub(super) pool: Option<Pool>,
    /// How many these are.
    pub(super) metered: u64,
}

impl Budgets {
    /// Gives a batch what is left of `fuel`. Charges nothing. At most `abreast` invocations run at once.
    pub(super) fn of_batch(
        volumes: &[Volume],
        fuel: &Quota,
        abreast: u64,
    ) -> Result<Self, GpuError> {
        let static_fuel = volumes.iter().fold(0u64, |sum, volume| {
            sum.saturating_add(volume.static_total())
        });
        fuel.check(static_fuel)?;
        let metered = || volumes.iter().filter(|volume| volume.is_metered());
        let invocations =
            metered().fold(0u64, |sum, volume| sum.saturating_add(volume.invocations));
        let left = (fuel.left() - static_fuel).min(MOST_FUEL);
        let pool = (invocations > 0).then(|| Pool::new(left, invocations, abreast));
        Ok(Self {
            static_fuel,
            bound: static_fuel.saturating_add(pool.map_or(0, |_| left)),
            pool,
            metered: metered().count() as u64,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::quota::Quotas;
    use hotcell_model::limit::{Limit, LimitSource, Limits};
    use hotcell_model::manifest::Weight;

    fn fuel(maximum: u64, used: u64) -> Quota {
        let mut limits = Limits::defaults(Weight::Heavy);
        limits
            .try_set(Limit::GpuFuel, maximum, LimitSource::Request)
            .unwrap();
        let mut fuel = Quotas::new(&limits).fuel;
        fuel.charge(used).unwrap();
        fuel
    }

    fn volume(invocations: u64, static_fuel: u64, has_meter: bool) -> Volume {
        Volume {
            invocations,
            static_fuel,
            has_meter,
        }
    }

    #[test]
    fn what_is_left_is_what_metered_dispatches_share() {
        let volumes = [
            volume(10, 3, false),
            volume(100, 2, true),
            volume(0, 5, true),
            volume(10, 1, true),
        ];
        let budgets = Budgets::of_batch(&volumes, &fuel(10_000, 1_000), 8).unwrap();
        assert_eq!(budgets.static_fuel, 30 + 200 + 10);
        assert_eq!(budgets.metered, 2);
        assert_eq!(budgets.pool, Some(Pool::new(8760, 110, 8)));
        assert_eq!(budgets.bound, 9000);
        let none = Budgets::of_batch(&volumes[..1], &fuel(10_000, 1_000), 8).unwrap();
        assert_eq!((none.pool, none.metered, none.bound), (None, 0, 30));
    }

    #[test]
    fn a_static_part_that_does_not_fit_is_refused_with_both_numbers() {
        for (invocations, static_fuel, requested) in [
            (101, 10, 1010),
            (u64::MAX, 1, u64::MAX),
            (2, u64::MAX, u64::MAX),
        ] {
            let refused =
                Budgets::of_batch(&[volume(invocations, static_fuel, true)], &fuel(1000, 0), 8);
            let expected = GpuError::Limit {
                limit: Limit::GpuFuel,
                requested,
                maximum: 1000,
            };
            assert_eq!(refused, Err(expected));
        }
        assert!(Budgets::of_batch(&[volume(100, 10, true)], &fuel(1000, 0), 8).is_ok());
    }
}
