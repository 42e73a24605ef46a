//! Turns at something scarce: so many at once in all, so many for one tenant, first come first served.

use crate::bell::{Bell, OnCancel};
use hotcell_model::stop::StopSignal;
use hotcell_model::tenant::Tenant;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Hands out turns.
pub(crate) struct Turns {
    /// At once, in all.
    total: usize,
    /// At once, for one tenant.
    per_tenant: usize,
    /// The most that wait.
    queue: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    taken: usize,
    by_tenant: HashMap<Tenant, usize>,
    waiting: VecDeque<Arc<Waiter>>,
}

struct Waiter {
    tenant: Tenant,
    bell: Arc<Bell>,
    has_turn: AtomicBool,
}

/// A turn, until dropped.
pub(crate) struct Turn<'a> {
    turns: &'a Turns,
    tenant: Tenant,
}

/// Why there is no turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoTurn {
    /// As many wait as may.
    Full(usize),
    /// The launch was cancelled meanwhile.
    Cancelled,
}

impl Turns {
    pub(crate) fn new(total: usize, per_tenant: usize, queue: usize) -> Self {
        Self {
            total,
            per_tenant,
            queue,
            state: Mutex::default(),
        }
    }

    /// A turn for a tenant; waits for it.
    pub(crate) fn take(&self, tenant: &Tenant, stop: &StopSignal) -> Result<Turn<'_>, NoTurn> {
        let turn = || Turn {
            turns: self,
            tenant: tenant.clone(),
        };
        let waiter = {
            let mut state = self.lock();
            // Who waits for another tenant's sake waits for nothing that is free now.
            if self.has_room(&state, tenant) {
                state.begin(tenant);
                return Ok(turn());
            }
            if state.waiting.len() >= self.queue {
                return Err(NoTurn::Full(self.queue));
            }
            let waiter = Arc::new(Waiter {
                tenant: tenant.clone(),
                bell: Arc::default(),
                has_turn: AtomicBool::new(false),
            });
            state.waiting.push_back(Arc::clone(&waiter));
            waiter
        };
        let _ringing = OnCancel::ring(stop, &waiter.bell);
        loop {
            waiter.bell.wait();
            let mut state = self.lock();
            if waiter.has_turn.load(Ordering::Relaxed) {
                return Ok(turn());
            }
            if stop.cancelled_at().is_some() {
                state.waiting.retain(|other| !Arc::ptr_eq(other, &waiter));
                return Err(NoTurn::Cancelled);
            }
        }
    }

    fn has_room(&self, state: &State, tenant: &Tenant) -> bool {
        let own = state.by_tenant.get(tenant).copied().unwrap_or(0);
        state.taken < self.total && own < self.per_tenant
    }

    /// Ends a turn, and gives what is free now to those who wait for it, in order.
    fn end(&self, tenant: &Tenant) {
        let mut state = self.lock();
        state.end(tenant);
        let mut position = 0;
        while let Some(waiter) = state.waiting.get(position).map(Arc::clone) {
            if self.has_room(&state, &waiter.tenant) {
                state.waiting.remove(position);
                state.begin(&waiter.tenant);
                waiter.has_turn.store(true, Ordering::Relaxed);
                waiter.bell.ring();
            } else {
                position += 1;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn begin(&mut self, tenant: &Tenant) {
        self.taken += 1;
        *self.by_tenant.entry(tenant.clone()).or_default() += 1;
    }

    fn end(&mut self, tenant: &Tenant) {
        self.taken = self.taken.saturating_sub(1);
        if let Some(own) = self.by_tenant.get_mut(tenant) {
            *own -= 1;
            if *own == 0 {
                self.by_tenant.remove(tenant);
            }
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.turns.end(&self.tenant);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn tenant(name: &str) -> Tenant {
        name.parse().unwrap()
    }

    #[test]
    fn one_tenant_leaves_a_turn_to_others() {
        let turns = Turns::new(2, 1, 8);
        let stop = StopSignal::default();
        let bomb = turns.take(&tenant("a"), &stop).unwrap();
        std::thread::scope(|scope| {
            let second = scope.spawn(|| turns.take(&tenant("a"), &stop).is_ok());
            // The second waits, and holds nobody up.
            while turns.lock().waiting.is_empty() {
                std::thread::yield_now();
            }
            assert!(turns.take(&tenant("b"), &stop).is_ok());
            assert!(!second.is_finished());
            drop(bomb);
            assert!(second.join().unwrap());
        });
        assert_eq!(turns.lock().taken, 0);
        assert!(turns.lock().by_tenant.is_empty());
    }

    #[test]
    fn a_full_queue_refuses_and_a_cancel_ends_the_wait() {
        let turns = Turns::new(1, 1, 1);
        let stop = StopSignal::default();
        let held = turns.take(&tenant("a"), &StopSignal::default()).unwrap();
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| turns.take(&tenant("b"), &stop).err());
            while turns.lock().waiting.is_empty() {
                std::thread::yield_now();
            }
            assert_eq!(turns.take(&tenant("c"), &stop).err(), Some(NoTurn::Full(1)));
            stop.cancel();
            assert_eq!(waiter.join().unwrap(), Some(NoTurn::Cancelled));
        });
        drop(held);
        assert_eq!(turns.lock().taken, 0);
    }

    #[test]
    fn many_take_turns_and_none_is_lost() {
        let turns = Turns::new(3, 2, 100);
        std::thread::scope(|scope| {
            for number in 0..30 {
                let turns = &turns;
                scope.spawn(move || {
                    let own = tenant(&format!("t{}", number % 4));
                    let _turn = turns.take(&own, &StopSignal::default()).unwrap();
                    assert!(turns.lock().taken <= 3);
                    std::thread::sleep(Duration::from_micros(200));
                });
            }
        });
        assert_eq!(turns.lock().taken, 0);
        assert!(turns.lock().waiting.is_empty());
    }
}
