//! What this process holds of one tenant: leases, places, and debts that are still to be written.
//!
//! Nothing here is a file's or a clock's. What is taken out of an account is put back by whoever took it if it could not be
//! written, so that each amount is in one place at any time.

use hotcell_model::budget::{Amounts, Budgets, PlaceKind, Rate, Resource};
use hotcell_model::tenant::Tenant;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What a process may hold of a bucket ahead of need.
fn share(rate: Rate) -> u64 {
    rate.size() / 16
}

/// One tenant in this process.
#[derive(Debug)]
pub(crate) struct Account {
    /// Whose it is.
    pub(crate) tenant: Tenant,
    holdings: Mutex<Holdings>,
}

impl Account {
    /// One that holds nothing.
    pub(crate) fn new(tenant: Tenant) -> Self {
        Self {
            tenant,
            holdings: Mutex::default(),
        }
    }

    /// What it holds. Whoever has this waits for nothing.
    pub(crate) fn holdings(&self) -> MutexGuard<'_, Holdings> {
        self.holdings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What this process holds of a tenant.
#[derive(Debug, Default)]
pub(crate) struct Holdings {
    /// The leases, less what running launches have reserved.
    held: Amounts,
    /// Which leases were used since the last look.
    is_used: [bool; Resource::COUNT],
    /// What could not be written yet.
    owed: Amounts,
    /// The budgets that it is owed under.
    owed_under: Budgets,
    places: [Places; PlaceKind::ALL.len()],
}

/// The places of one kind.
#[derive(Clone, Copy, Debug, Default)]
struct Places {
    held: u64,
    used: u64,
    /// The most that were used since the last look.
    most_used: u64,
}

/// A reservation that needs more than the lease has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim {
    /// What it takes of the lease.
    pub(crate) taken: Amounts,
    /// What it needs beside that.
    pub(crate) needed: Amounts,
    /// What has to be paid first.
    pub(crate) owed: Amounts,
}

/// Which of what is held goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    /// What was not used since the last look.
    Idle,
    /// All that no launch has.
    All,
}

/// What goes back, and the debts that go with it.
pub(crate) struct Surplus {
    /// Of the leases.
    pub(crate) leases: Amounts,
    /// Debts.
    pub(crate) owed: Amounts,
    /// The budgets that those are under.
    pub(crate) owed_under: Budgets,
    /// How many places of each kind stay, where some go.
    places_left: [Option<u64>; PlaceKind::ALL.len()],
    places: [u64; PlaceKind::ALL.len()],
}

impl Surplus {
    /// The kinds of which places go, with how many stay.
    pub(crate) fn places_left(&self) -> impl Iterator<Item = (PlaceKind, u64)> {
        let all = PlaceKind::ALL.into_iter().zip(self.places_left);
        all.filter_map(|(kind, left)| Some((kind, left?)))
    }

    /// Whether nothing goes.
    pub(crate) fn is_empty(&self) -> bool {
        self.leases.is_zero() && self.owed.is_zero() && self.places.iter().all(|n| *n == 0)
    }
}

impl Holdings {
    /// Takes all that is wanted from the leases, or nothing. What is owed comes first.
    pub(crate) fn try_reserve(&mut self, budgets: &Budgets, wanted: &Amounts) -> bool {
        let is_there = budgets.iter().all(|(resource, rate)| {
            let wanted = wanted.get(resource);
            wanted <= self.held.get(resource).min(rate.size()) && self.owed.get(resource) == 0
        });
        if is_there {
            for (resource, _) in budgets.iter() {
                self.use_lease(resource, wanted.get(resource));
            }
        }
        is_there
    }

    /// Takes what is there of what is wanted.
    pub(crate) fn claim(&mut self, budgets: &Budgets, wanted: &Amounts) -> Claim {
        let mut claim = Claim {
            taken: Amounts::new(),
            needed: Amounts::new(),
            owed: Amounts::new(),
        };
        for (resource, _) in budgets.iter() {
            let wanted = wanted.get(resource);
            let taken = wanted.min(self.held.get(resource));
            self.use_lease(resource, taken);
            self.is_used[resource as usize] |= wanted > 0;
            claim.taken = claim.taken.with(resource, taken);
            claim.needed = claim.needed.with(resource, wanted - taken);
            let owed = std::mem::take(self.owed.get_mut(resource));
            claim.owed = claim.owed.with(resource, owed);
        }
        claim
    }

    fn use_lease(&mut self, resource: Resource, amount: u64) {
        *self.held.get_mut(resource) -= amount;
        self.is_used[resource as usize] |= amount > 0;
    }

    /// Adds to the leases.
    pub(crate) fn hold(&mut self, more: &Amounts) {
        for (resource, more) in more.iter() {
            let held = self.held.get_mut(resource);
            *held = held.saturating_add(more);
        }
    }

    /// What this process holds of its leases.
    pub(crate) fn held(&self) -> Amounts {
        self.held
    }

    /// Settles a launch: what it did not use goes back to the lease, what it used more comes off the lease and then is owed.
    /// Says what the lease has too much of now, which is no longer in it.
    pub(crate) fn settle(
        &mut self,
        budgets: &Budgets,
        reserved: &Amounts,
        used: &Amounts,
    ) -> Amounts {
        let mut surplus = Amounts::new();
        for (resource, rate) in budgets.iter() {
            let (reserved, used) = (reserved.get(resource), used.get(resource));
            self.is_used[resource as usize] |= reserved > 0;
            let held = self.held.get_mut(resource);
            let more = used.saturating_sub(reserved);
            let covered = more.min(*held);
            *held = (*held - covered).saturating_add(reserved.saturating_sub(used));
            let most = share(rate).max(reserved);
            let over = held.saturating_sub(most);
            *held -= over;
            surplus = surplus.with(resource, over);
            self.owe_one(resource, more - covered, budgets);
        }
        surplus
    }

    fn owe_one(&mut self, resource: Resource, amount: u64, budgets: &Budgets) {
        if let (1.., Some(rate)) = (amount, budgets.get(resource)) {
            let owed = self.owed.get_mut(resource);
            *owed = owed.saturating_add(amount);
            self.owed_under = self.owed_under.with(resource, rate);
        }
    }

    /// Whether something is still to be written.
    pub(crate) fn owes(&self) -> bool {
        !self.owed.is_zero()
    }

    /// Takes what is still to be written, and the budgets that it is under.
    pub(crate) fn take_owed(&mut self) -> (Amounts, Budgets) {
        (std::mem::take(&mut self.owed), self.owed_under)
    }

    /// Owes again what could not be written.
    pub(crate) fn owe(&mut self, owed: &Amounts, budgets: &Budgets) {
        for (resource, amount) in owed.iter() {
            self.owe_one(resource, amount, budgets);
        }
    }

    /// Takes what goes back.
    pub(crate) fn take_surplus(&mut self, which: Which) -> Surplus {
        let mut leases = Amounts::new();
        for resource in Resource::ALL {
            let is_used = std::mem::take(&mut self.is_used[resource as usize]);
            if !is_used || which == Which::All {
                let held = std::mem::take(self.held.get_mut(resource));
                leases = leases.with(resource, held);
            }
        }
        let mut places = [0; PlaceKind::ALL.len()];
        let mut places_left = [None; PlaceKind::ALL.len()];
        for (kind, own) in self.places.iter_mut().enumerate() {
            let stay = match which {
                Which::Idle => own.most_used,
                Which::All => own.used,
            };
            own.most_used = own.used;
            if own.held > stay {
                places[kind] = own.held - stay;
                places_left[kind] = Some(stay);
                own.held = stay;
            }
        }
        let (owed, owed_under) = self.take_owed();
        Surplus {
            leases,
            owed,
            owed_under,
            places_left,
            places,
        }
    }

    /// Keeps what could not be put back.
    pub(crate) fn keep(&mut self, surplus: &Surplus) {
        self.hold(&surplus.leases);
        self.owe(&surplus.owed, &surplus.owed_under);
        for (own, more) in self.places.iter_mut().zip(surplus.places) {
            own.held += more;
        }
    }

    /// Takes a place if one is held that nobody has.
    pub(crate) fn try_enter(&mut self, kind: PlaceKind, maximum: u64) -> bool {
        let own = &mut self.places[kind as usize];
        let is_free = own.used < own.held.min(maximum);
        if is_free {
            own.used += 1;
            own.most_used = own.most_used.max(own.used);
        }
        is_free
    }

    /// How many places of that kind this process holds.
    pub(crate) fn places(&self, kind: PlaceKind) -> u64 {
        self.places[kind as usize].held
    }

    /// Holds so many places more.
    pub(crate) fn hold_places(&mut self, kind: PlaceKind, more: u64) {
        self.places[kind as usize].held += more;
    }

    /// Frees a place.
    pub(crate) fn leave(&mut self, kind: PlaceKind) {
        let own = &mut self.places[kind as usize];
        own.used = own.used.saturating_sub(1);
    }

    /// Whether nothing would be lost with it.
    pub(crate) fn is_empty(&self) -> bool {
        let has_places = self.places.iter().any(|own| own.held > 0);
        self.held.is_zero() && self.owed.is_zero() && !has_places
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hotcell_model::budget::Rate;

    const FUEL: Resource = Resource::Fuel;

    fn budgets() -> Budgets {
        Budgets::new().with(FUEL, Rate::unchecked(160, 1, 1))
    }

    fn fuel(amount: u64) -> Amounts {
        Amounts::new().with(FUEL, amount)
    }

    #[test]
    fn what_a_launch_did_not_use_stays_within_what_a_process_may_hold() {
        let mut holdings = Holdings::default();
        assert!(holdings.settle(&budgets(), &fuel(8), &fuel(0)).is_zero());
        assert_eq!(holdings.held(), fuel(8));
        // At most a sixteenth, or what the launch itself had reserved.
        assert_eq!(holdings.settle(&budgets(), &fuel(7), &fuel(3)), fuel(2));
        assert_eq!(holdings.held(), fuel(10));
        assert_eq!(holdings.settle(&budgets(), &fuel(25), &fuel(1)), fuel(9));
        assert_eq!(holdings.held(), fuel(25));
    }

    #[test]
    fn what_a_launch_used_more_comes_off_the_lease_and_then_is_owed() {
        let mut holdings = Holdings::default();
        holdings.hold(&fuel(10));
        holdings.settle(&budgets(), &fuel(5), &fuel(9));
        assert_eq!((holdings.held(), holdings.owes()), (fuel(6), false));
        holdings.settle(&budgets(), &fuel(5), &fuel(20));
        assert!(!holdings.try_reserve(&budgets(), &fuel(0)));
        assert_eq!(holdings.take_owed().0, fuel(9));
    }

    #[test]
    fn a_claim_takes_what_is_there_and_is_kept_whole() {
        let mut holdings = Holdings::default();
        holdings.hold(&fuel(10));
        assert!(!holdings.try_reserve(&budgets(), &fuel(11)));
        let claim = holdings.claim(&budgets(), &fuel(30));
        assert_eq!((claim.taken, claim.needed), (fuel(10), fuel(20)));
        assert!(holdings.is_empty());
    }

    #[test]
    fn only_what_was_not_used_since_the_last_look_is_idle() {
        let mut holdings = Holdings::default();
        holdings.hold(&fuel(10));
        assert!(holdings.try_reserve(&budgets(), &fuel(4)));
        assert!(holdings.take_surplus(Which::Idle).is_empty());
        let surplus = holdings.take_surplus(Which::Idle);
        assert_eq!(surplus.leases, fuel(6));
        holdings.keep(&surplus);
        assert_eq!(holdings.take_surplus(Which::All).leases, fuel(6));
    }

    #[test]
    fn places_that_were_not_used_since_the_last_look_are_idle() {
        let mut holdings = Holdings::default();
        let kind = PlaceKind::Running;
        holdings.hold_places(kind, 3);
        assert!(holdings.try_enter(kind, 3) && holdings.try_enter(kind, 3));
        assert!(!holdings.try_enter(kind, 2));
        holdings.leave(kind);
        let left = |holdings: &mut Holdings| {
            holdings
                .take_surplus(Which::Idle)
                .places_left()
                .find(|(one, _)| *one == kind)
                .map(|(_, left)| left)
        };
        assert_eq!(left(&mut holdings), Some(2));
        assert_eq!(left(&mut holdings), Some(1));
        assert_eq!(left(&mut holdings), None);
        holdings.leave(kind);
        assert!(!holdings.is_empty());
    }
}
