//! What a batch may spend: the static part of each dispatch is charged at once, and what is left of the launch's
//! fuel is the pool from which the dispatches draw whose spending is not known before they run.
//!
//! What is in it depends on the launch's past alone, never on a clock. A batch is not admitted while the spending of an
//! earlier one is still unknown.

use super::quota::Quota;
use crate::device::Room;
use hotcell_model::gpu::GpuError;
use hotcell_shader::fuel::{FuelPool, MOST_ALLOWANCE, MOST_FUEL};

/// One dispatch, as admission sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Volume {
    /// Invocations over all workgroups.
    pub(super) invocations: u64,
    /// Fuel of one invocation that is known before it runs.
    pub(super) static_fuel: u64,
    /// Whether it may spend more.
    pub(super) has_meter: bool,
    /// The most that one invocation can spend of each of its counters, where that is known; else it draws.
    pub(super) allowance: Option<u64>,
    /// Whether it counts the invocations that come to their end.
    pub(super) is_counted: bool,
    /// Invocations of a workgroup.
    pub(super) workgroup: u64,
}

impl Volume {
    fn static_total(&self) -> u64 {
        self.static_fuel.saturating_mul(self.invocations)
    }

    /// The most of its invocations that are under way at once.
    fn at_once(&self, room: &Room) -> u64 {
        let most = room.workgroups.saturating_mul(self.workgroup);
        most.min(self.invocations)
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
    pub(super) pool: Option<FuelPool>,
    /// The units that an invocation begins with, for each of these.
    pub(super) credits: Vec<u32>,
    /// Whether that is all that it can spend.
    pub(super) is_all_given: bool,
}

impl Budgets {
    /// Gives a batch what is left of `fuel`. Charges nothing.
    pub(super) fn of_batch(
        volumes: &[Volume],
        fuel: &Quota,
        room: &Room,
    ) -> Result<Self, GpuError> {
        let static_fuel = volumes.iter().fold(0u64, |sum, volume| {
            sum.saturating_add(volume.static_total())
        });
        fuel.check(static_fuel)?;
        let metered: Vec<&Volume> = volumes
            .iter()
            .filter(|volume| volume.is_metered())
            .collect();
        let left = (fuel.left() - static_fuel).min(MOST_FUEL);
        let mut budgets = Self {
            static_fuel,
            bound: static_fuel,
            pool: None,
            credits: Vec::new(),
            is_all_given: false,
        };
        if !metered.is_empty() {
            budgets.bound = static_fuel.saturating_add(left);
            budgets.share(&metered, left, room);
        }
        Ok(budgets)
    }

    /// Shares `left` among dispatches, of which one runs after the other.
    fn share(&mut self, metered: &[&Volume], left: u64, room: &Room) {
        let counts = metered.iter().map(|volume| volume.invocations);
        let invocations = counts.fold(0, u64::saturating_add).max(1);
        let allowances: Option<Vec<u64>> = metered.iter().map(|volume| volume.allowance).collect();
        let Some(allowances) = allowances else {
            let (pool, credit) = FuelPool::to_draw_from(left, invocations, room.invocations);
            self.pool = Some(pool);
            self.credits = vec![credit; metered.len()];
            return;
        };
        // In whole units, and for each of two counters.
        let units = FuelPool::of_shares(left);
        let worst = |credits: &[u32]| {
            let of = |(volume, credit): (&&Volume, &u32)| {
                let given = units.given(*credit);
                volume.at_once(room).saturating_mul(given)
            };
            metered.iter().zip(credits).map(of).max().unwrap_or(0)
        };
        let all: Vec<u32> = allowances
            .iter()
            .map(|allowance| units.credit_for(*allowance))
            .collect();
        if let Some(pool) = FuelPool::to_keep_below(left, worst(&all)) {
            self.is_all_given = allowances.iter().all(|most| *most <= MOST_ALLOWANCE);
            (self.pool, self.credits) = (Some(pool), all);
            return;
        }
        // As much as those that run at once can have of half of it, or their shares where that is more.
        let at_once = metered.iter().map(|volume| volume.at_once(room)).max();
        let part = left / 4 / at_once.unwrap_or(1).max(1);
        let share = left / 2 / invocations;
        let credit = |allowance: u64| units.credit(allowance.min(part.max(share)));
        self.credits = allowances.into_iter().map(credit).collect();
        let kept = FuelPool::to_keep_below(left, worst(&self.credits));
        self.pool = Some(kept.filter(|_| part > share).unwrap_or(units));
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

    const ROOM: Room = Room {
        invocations: 8,
        workgroups: 2,
    };

    fn volume(invocations: u64, static_fuel: u64, has_meter: bool) -> Volume {
        Volume {
            invocations,
            static_fuel,
            has_meter,
            allowance: None,
            is_counted: true,
            workgroup: 4,
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
        let budgets = Budgets::of_batch(&volumes, &fuel(10_000, 1_000), &ROOM).unwrap();
        assert_eq!(budgets.static_fuel, 30 + 200 + 10);
        let (pool, credit) = FuelPool::to_draw_from(8760, 110, 8);
        assert_eq!(
            (budgets.pool, budgets.credits),
            (Some(pool), vec![credit; 2])
        );
        assert_eq!(budgets.bound, 9000);
        let none = Budgets::of_batch(&volumes[..1], &fuel(10_000, 1_000), &ROOM).unwrap();
        assert_eq!((none.pool, none.credits, none.bound), (None, vec![], 30));
    }

    #[test]
    fn who_cannot_spend_more_is_given_that_while_it_is_there() {
        let limited = |invocations, allowance| Volume {
            allowance: Some(allowance),
            ..volume(invocations, 0, true)
        };
        let given = |invocations, allowance| {
            let volumes = [limited(invocations, allowance), limited(1, 1)];
            Budgets::of_batch(&volumes, &fuel(10_000, 0), &ROOM).unwrap()
        };
        // Eight run at once, and may spend 2 · 300 each; 4800 of 10 000.
        let open = given(1000, 300);
        assert_eq!(open.pool, FuelPool::to_keep_below(10_000, 4800));
        assert_eq!((open.credits, open.is_all_given), (vec![300, 1], true));
        // 5600 are too many: what each is given is a part of half of it for each of two counters.
        let less = given(1000, 350);
        assert_eq!(less.pool, FuelPool::to_keep_below(10_000, 8 * 2 * 312));
        assert_eq!((less.credits, less.is_all_given), (vec![312, 1], false));
        // Where all run at once their shares are more.
        let shared = given(8, 1000);
        assert_eq!(shared.pool, Some(FuelPool::of_shares(10_000)));
        assert_eq!((shared.credits, shared.is_all_given), (vec![555, 1], false));
    }

    #[test]
    fn a_static_part_that_does_not_fit_is_refused_with_both_numbers() {
        for (invocations, static_fuel, requested) in [
            (101, 10, 1010),
            (u64::MAX, 1, u64::MAX),
            (2, u64::MAX, u64::MAX),
        ] {
            let refused = Budgets::of_batch(
                &[volume(invocations, static_fuel, true)],
                &fuel(1000, 0),
                &ROOM,
            );
            let expected = GpuError::Limit {
                limit: Limit::GpuFuel,
                requested,
                maximum: 1000,
            };
            assert_eq!(refused, Err(expected));
        }
        assert!(Budgets::of_batch(&[volume(100, 10, true)], &fuel(1000, 0), &ROOM).is_ok());
    }
}
