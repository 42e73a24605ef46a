//! What a batch may spend: the static part of each dispatch is charged at once, and what is left of the launch's
//! fuel is shared out to the dispatches whose spending is not known before they run.
//!
//! The shares depend on the launch's past alone, never on a clock. A batch is not admitted while the spending of an
//! earlier one is still unknown.

use super::quota::Quota;
use crate::fuel::MAX_BUDGET;
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
    /// The static parts and every budget: what the batch can spend at most.
    pub(super) bound: u64,
    /// For each metered dispatch, in order, what one invocation may spend beyond its static part.
    pub(super) per_invocation: Vec<u32>,
}

impl Budgets {
    /// Shares out what is left of `fuel`. Charges nothing.
    pub(super) fn of_batch(volumes: &[Volume], fuel: &Quota) -> Result<Self, GpuError> {
        let static_fuel = volumes.iter().fold(0u64, |sum, volume| {
            sum.saturating_add(volume.static_total())
        });
        fuel.check(static_fuel)?;
        let metered: Vec<_> = volumes
            .iter()
            .filter(|volume| volume.is_metered())
            .collect();
        let share = (fuel.left() - static_fuel) / (metered.len() as u64).max(1);
        let mut bound = static_fuel;
        let mut per_invocation = Vec::with_capacity(metered.len());
        for volume in metered {
            let budget = (share / volume.invocations).min(u64::from(MAX_BUDGET));
            bound = bound.saturating_add(budget.saturating_mul(volume.invocations));
            per_invocation.push(u32::try_from(budget).unwrap_or(MAX_BUDGET));
        }
        Ok(Self {
            static_fuel,
            bound,
            per_invocation,
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
    fn what_is_left_is_shared_by_the_metered_dispatches() {
        let volumes = [
            volume(10, 3, false),
            volume(100, 2, true),
            volume(0, 5, true),
            volume(10, 1, true),
        ];
        let budgets = Budgets::of_batch(&volumes, &fuel(10_000, 1_000)).unwrap();
        assert_eq!(budgets.static_fuel, 30 + 200 + 10);
        // 8760 are left, 4380 for each.
        assert_eq!(budgets.per_invocation, [43, 438]);
        assert_eq!(budgets.bound, 240 + 4300 + 4380);
    }

    #[test]
    fn a_static_part_that_does_not_fit_is_refused_with_both_numbers() {
        for (invocations, static_fuel, requested) in [
            (101, 10, 1010),
            (u64::MAX, 1, u64::MAX),
            (2, u64::MAX, u64::MAX),
        ] {
            let refused =
                Budgets::of_batch(&[volume(invocations, static_fuel, true)], &fuel(1000, 0));
            let expected = GpuError::Limit {
                limit: Limit::GpuFuel,
                requested,
                maximum: 1000,
            };
            assert_eq!(refused, Err(expected));
        }
        assert!(Budgets::of_batch(&[volume(100, 10, true)], &fuel(1000, 0)).is_ok());
    }

    #[test]
    fn a_budget_never_leaves_its_counter_and_may_be_nothing() {
        let budgets = Budgets::of_batch(&[volume(1, 0, true)], &fuel(1 << 50, 0)).unwrap();
        assert_eq!(budgets.per_invocation, [MAX_BUDGET]);
        let budgets = Budgets::of_batch(&[volume(1000, 1, true)], &fuel(1999, 0)).unwrap();
        assert_eq!((budgets.per_invocation, budgets.bound), (vec![0], 1000));
    }
}
