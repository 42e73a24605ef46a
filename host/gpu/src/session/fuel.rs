//! What a batch may spend: the static part of each dispatch is charged at once, and what is left of the launch's
//! fuel is the pool from which the dispatches draw whose spending is not known before they run.
//!
//! What is in it depends on the launch's past alone, never on a clock. A batch is not admitted while the spending of an
//! earlier one is still unknown.

use super::quota::Quota;
use crate::device::Room;
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
    /// The units that an invocation begins with, for each of these.
    pub(super) credits: Vec<u32>,
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
        let (pool, credits) = match metered.is_empty() {
            true => (None, Vec::new()),
            false => share(&metered, left, room),
        };
        Ok(Self {
            static_fuel,
            bound: static_fuel.saturating_add(pool.map_or(0, |_| left)),
            pool,
            credits,
        })
    }
}

/// Shares `left` among dispatches, of which one runs after the other.
fn share(metered: &[&Volume], left: u64, room: &Room) -> (Option<Pool>, Vec<u32>) {
    let sum = |of: fn(&Volume) -> u64| {
        metered
            .iter()
            .map(|volume| of(volume))
            .fold(0, u64::saturating_add)
    };
    let invocations = sum(|volume| volume.invocations);
    let Some(allowances) = metered
        .iter()
        .map(|volume| volume.allowance)
        .collect::<Option<Vec<u64>>>()
    else {
        let (pool, credit) = Pool::to_draw_from(left, invocations, room.invocations);
        return (Some(pool), vec![credit; metered.len()]);
    };
    // What is given, in whole units, for each of two counters.
    let shares = Pool::of_shares(left);
    let given = |allowance| shares.fuel(shares.credit_for(allowance).into());
    let worst = metered.iter().zip(&allowances).map(|(volume, allowance)| {
        let at_once = room
            .workgroups
            .saturating_mul(volume.workgroup)
            .min(volume.invocations);
        at_once.saturating_mul(2).saturating_mul(given(*allowance))
    });
    if let Some(pool) = Pool::to_keep_below(left, worst.max().unwrap_or(0)) {
        let credits = allowances
            .into_iter()
            .map(|allowance| pool.credit_for(allowance));
        return (Some(pool), credits.collect());
    }
    let share = left / invocations.max(1) / 2;
    let credits = allowances
        .into_iter()
        .map(|allowance| shares.credit(share.min(allowance)));
    (Some(shares), credits.collect())
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
        let (pool, credit) = Pool::to_draw_from(8760, 110, 8);
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
        let limited = |allowance| Volume {
            allowance: Some(allowance),
            ..volume(1000, 0, true)
        };
        let given = |allowance| {
            let volumes = [limited(allowance), limited(1)];
            Budgets::of_batch(&volumes, &fuel(10_000, 0), &ROOM).unwrap()
        };
        // Eight run at once, and may spend 2 · 300 each; 4800 of 10 000.
        let open = given(300);
        assert_eq!(open.pool, Pool::to_keep_below(10_000, 4800));
        assert_eq!(open.credits, [300, 1]);
        // 5600 are too many: what each is given is half of its share for each of two counters.
        let strict = given(350);
        assert_eq!(strict.pool, Some(Pool::of_shares(10_000)));
        assert_eq!(strict.credits, [2, 1]);
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
