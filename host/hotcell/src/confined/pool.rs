//! A bounded pool of things that serve one caller at a time, each of one kind: runners by what they loaded, GPU
//! workers by their tenant, compile processes, of which none is kept.
//!
//! A caller gets an idle one of its kind; else a place for a fresh one, if need be in place of an idle one: of the
//! tenant that has the most of those, the one used longest ago. Else it waits, in the fair queue ([`super::turns`]).
//! One that is given back goes to whoever wants its kind, of the tenant whose turn it is: to start another costs
//! more than to wait a little.

use super::turns::{Bounds, NoTurn, Turns};
use crate::bell::{Bell, OnCancel};
use crate::isolation::PoolUse;
use crate::kept::{Owned, next_to_go};
use hotcell_model::stop::StopSignal;
use hotcell_model::tenant::Tenant;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A pool of `T`s of kinds `K`.
pub(crate) struct Pool<K, T>(Arc<PoolInner<K, T>>);

struct PoolInner<K, T>(Mutex<PoolState<K, T>>);

struct PoolState<K, T> {
    /// The most that exist at once.
    max: usize,
    /// How many exist, idle and lent.
    alive: usize,
    /// Those that are idle, longest ago first.
    idle: VecDeque<Idle<K, T>>,
    turns: Turns<Arc<Waiter<K, T>>>,
}

struct Idle<K, T> {
    kind: K,
    since: Instant,
    item: T,
}

struct Waiter<K, T> {
    kind: K,
    bell: Arc<Bell>,
    served: Mutex<Option<Served<T>>>,
}

/// What comes of waiting.
enum Served<T> {
    /// A place, with an item of the kind if one was given back.
    Place(Option<T>),
    /// The tenant's line was too long for the others.
    GaveUp(NoTurn),
}

/// A place in the pool, with or without an item. Dropped with the item inside, that is gone.
pub(crate) struct Lease<K: Owned + Clone + Eq, T> {
    pool: Arc<PoolInner<K, T>>,
    kind: K,
    item: Option<T>,
    /// What had to go, for the caller to end where it does not hold anybody up.
    evicted: Option<T>,
    /// Whether the place goes on without this lease.
    is_given_back: bool,
}

impl<K: Owned + Clone + Eq, T> Pool<K, T> {
    pub(crate) fn new(bounds: Bounds) -> Self {
        let state = PoolState {
            max: bounds.total,
            alive: 0,
            idle: VecDeque::new(),
            turns: Turns::new(bounds),
        };
        Self(Arc::new(PoolInner(Mutex::new(state))))
    }

    /// A place for an item of that kind, if one is free and nobody waits for it.
    pub(crate) fn try_take(&self, kind: &K) -> Option<Lease<K, T>> {
        let mut state = self.0.lock();
        let (item, evicted) = state.begin(kind)?;
        Some(self.lease(kind, item, evicted))
    }

    /// A place for an item of that kind; waits for it.
    pub(crate) fn take(&self, kind: &K, stop: &StopSignal) -> Result<Lease<K, T>, NoTurn> {
        let waiter = {
            let mut state = self.0.lock();
            if let Some((item, evicted)) = state.begin(kind) {
                return Ok(self.lease(kind, item, evicted));
            }
            let waiter = Arc::new(Waiter {
                kind: kind.clone(),
                bell: Arc::default(),
                served: Mutex::new(None),
            });
            let last = state.turns.join(kind.tenant(), Arc::clone(&waiter))?;
            if let Some(last) = last {
                last.serve(Served::GaveUp(state.turns.crowded()));
            }
            waiter
        };
        let _ringing = OnCancel::ring(stop, &waiter.bell);
        loop {
            waiter.bell.wait();
            let is_cancelled = stop.cancelled_at().is_some();
            let mut state = self.0.lock();
            match waiter.served().take() {
                Some(Served::Place(item)) => return Ok(self.lease(kind, item, None)),
                Some(Served::GaveUp(why)) => return Err(why),
                None => {}
            }
            if is_cancelled {
                let is_it = |other: &Arc<Waiter<K, T>>| Arc::ptr_eq(other, &waiter);
                state.turns.leave(kind.tenant(), is_it);
                return Err(NoTurn::Cancelled);
            }
        }
    }

    /// Takes out what has been idle for so long.
    pub(crate) fn expire(&self, now: Instant, after: Duration) -> Vec<T> {
        let mut state = self.0.lock();
        let is_old = |idle: &Idle<K, T>| now.saturating_duration_since(idle.since) >= after;
        let old = state.idle.iter().take_while(|idle| is_old(idle)).count();
        state.alive -= old;
        state.idle.drain(..old).map(|idle| idle.item).collect()
    }

    /// How busy it is.
    pub(crate) fn use_of_it(&self) -> PoolUse {
        let state = self.0.lock();
        PoolUse {
            most: state.max,
            busy: state.alive - state.idle.len(),
            idle: state.idle.len(),
            waiting: state.turns.waiting(),
        }
    }

    /// How many of the tenant's launches wait.
    pub(crate) fn waiting_of(&self, tenant: &Tenant) -> usize {
        self.0.lock().turns.waiting_of(tenant)
    }

    fn lease(&self, kind: &K, item: Option<T>, evicted: Option<T>) -> Lease<K, T> {
        Lease {
            pool: Arc::clone(&self.0),
            kind: kind.clone(),
            item,
            evicted,
            is_given_back: false,
        }
    }
}

impl<K, T> PoolInner<K, T> {
    fn lock(&self) -> MutexGuard<'_, PoolState<K, T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Owned + Clone + Eq, T> PoolState<K, T> {
    /// Begins a turn, if one is free: an idle item of the kind or a place for one, and what had to go for it.
    fn begin(&mut self, kind: &K) -> Option<(Option<T>, Option<T>)> {
        if !self.turns.begin(kind.tenant()) {
            return None;
        }
        if let Some(item) = self.take_idle(kind) {
            return Some((Some(item), None));
        }
        if self.grow() {
            return Some((None, None));
        }
        // One goes and one comes: as many are alive as before.
        Some((None, self.evict()))
    }

    /// Ends a turn of that kind, and begins the next one; returns what has to go.
    fn end(&mut self, kind: &K, item: Option<T>) -> Option<T> {
        self.turns.end(kind.tenant());
        let has_item = item.is_some();
        let is_wanted = |waiter: &Arc<Waiter<K, T>>| has_item && waiter.kind == *kind;
        let Some((_, waiter)) = self.turns.next(is_wanted) else {
            self.rest(kind, item);
            return None;
        };
        if waiter.kind == *kind {
            waiter.serve(Served::Place(item));
            return None;
        }
        if let Some(idle) = self.take_idle(&waiter.kind) {
            waiter.serve(Served::Place(Some(idle)));
            self.rest(kind, item);
            return None;
        }
        waiter.serve(Served::Place(None));
        if has_item && self.grow() {
            self.rest(kind, item);
            return None;
        }
        item
    }

    /// Keeps an item, or gives its place up if there is none.
    fn rest(&mut self, kind: &K, item: Option<T>) {
        match item {
            Some(item) => self.idle.push_back(Idle {
                kind: kind.clone(),
                since: Instant::now(),
                item,
            }),
            None => self.alive -= 1,
        }
    }

    /// Makes one more place, if there may be one.
    fn grow(&mut self) -> bool {
        let may = self.alive < self.max;
        self.alive += usize::from(may);
        may
    }

    fn take_idle(&mut self, kind: &K) -> Option<T> {
        let position = self.idle.iter().rposition(|idle| idle.kind == *kind)?;
        self.idle.remove(position).map(|idle| idle.item)
    }

    /// Takes an idle item out that makes room for others.
    fn evict(&mut self) -> Option<T> {
        let idle = self.idle.iter().enumerate();
        let position = next_to_go(idle.map(|(used, idle)| (idle.kind.tenant(), 1, used as u64)))?;
        self.idle.remove(position).map(|idle| idle.item)
    }
}

impl<K, T> Waiter<K, T> {
    fn served(&self) -> MutexGuard<'_, Option<Served<T>>> {
        self.served.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, served: Served<T>) {
        *self.served() = Some(served);
        self.bell.ring();
    }
}

impl<K: Owned + Clone + Eq, T> Lease<K, T> {
    /// The item, if there is one.
    pub(crate) fn take_item(&mut self) -> Option<T> {
        self.item.take()
    }

    /// Keeps an item for when the lease is used.
    pub(crate) fn hold(&mut self, item: T) {
        self.item = Some(item);
    }

    /// What had to go for this place.
    pub(crate) fn take_evicted(&mut self) -> Option<T> {
        self.evicted.take()
    }

    /// Gives an item back for others; returns what has to go instead.
    pub(crate) fn give_back(mut self, item: T) -> Option<T> {
        self.is_given_back = true;
        let kind = self.kind.clone();
        self.pool.lock().end(&kind, Some(item))
    }
}

impl<K: Owned + Clone + Eq, T> Drop for Lease<K, T> {
    fn drop(&mut self) {
        if !self.is_given_back {
            self.pool.lock().end(&self.kind, None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Runners = Pool<Runs, u32>;

    /// A component of a tenant.
    #[derive(Clone, Debug, PartialEq, Eq)]
    struct Runs(Tenant, &'static str);

    impl Owned for Runs {
        fn tenant(&self) -> &Tenant {
            &self.0
        }
    }

    fn runs(tenant: &str, component: &'static str) -> Runs {
        Runs(tenant.parse().unwrap(), component)
    }

    fn pool(total: usize, queue: usize) -> Runners {
        Pool::new(Bounds {
            total,
            per_tenant: total,
            queue,
            queue_in_all: 4 * queue,
        })
    }

    /// A place for a component of one tenant.
    fn take(pool: &Runners, component: &'static str) -> Lease<Runs, u32> {
        take_of(pool, "one", component)
    }

    fn take_of(pool: &Runners, tenant: &str, component: &'static str) -> Lease<Runs, u32> {
        let taken = pool.take(&runs(tenant, component), &StopSignal::default());
        taken.ok().unwrap()
    }

    fn until_waiting(pool: &Runners, tenant: &str, count: usize) {
        let tenant = tenant.parse().unwrap();
        while pool.waiting_of(&tenant) < count {
            std::thread::yield_now();
        }
    }

    #[test]
    fn an_idle_one_serves_its_kind_again_and_makes_room_for_others() {
        let pool = pool(2, 4);
        assert_eq!(take(&pool, "a").give_back(1), None);
        assert_eq!(take(&pool, "b").give_back(2), None);
        let mut again = take(&pool, "a");
        assert_eq!(again.take_item(), Some(1));
        assert_eq!(again.give_back(1), None);
        let mut other = take(&pool, "c");
        assert_eq!((other.take_item(), other.take_evicted()), (None, Some(2)));
        assert_eq!(pool.0.lock().alive, 2);
        drop(other);
        assert_eq!(pool.0.lock().alive, 1);
    }

    #[test]
    fn who_has_the_most_idle_ones_makes_room() {
        let pool = pool(3, 4);
        assert_eq!(take_of(&pool, "two", "x").give_back(1), None);
        let held = [take(&pool, "a"), take(&pool, "b")];
        for lease in held {
            assert_eq!(lease.give_back(2), None);
        }
        let mut other = take_of(&pool, "three", "y");
        assert_eq!(other.take_evicted(), Some(2));
        assert_eq!(take_of(&pool, "two", "x").take_item(), Some(1));
    }

    #[test]
    fn a_place_is_waited_for_in_order_and_a_full_line_refuses_its_tenant_alone() {
        let pool = pool(1, 2);
        let first = take(&pool, "a");
        std::thread::scope(|scope| {
            let same = scope.spawn(|| take(&pool, "a").take_item());
            until_waiting(&pool, "one", 1);
            let stop = StopSignal::default();
            let other = scope.spawn(|| take(&pool, "b").take_item());
            until_waiting(&pool, "one", 2);
            let refused = pool.take(&runs("one", "c"), &stop).err();
            assert_eq!(refused, Some(NoTurn::Full(2)));
            let another = scope.spawn(|| take_of(&pool, "two", "a").take_item());
            until_waiting(&pool, "two", 1);
            // The other tenant first, and it gets nothing of the first one's.
            assert_eq!(first.give_back(7), Some(7));
            assert_eq!(another.join().unwrap(), None);
            assert_eq!(same.join().unwrap(), None);
            assert_eq!(other.join().unwrap(), None);
        });
        assert_eq!(pool.0.lock().alive, 0);
    }

    #[test]
    fn one_given_back_goes_to_its_kind() {
        let pool = pool(1, 100);
        let first = take(&pool, "a");
        std::thread::scope(|scope| {
            let other = scope.spawn(|| take(&pool, "b").take_item());
            until_waiting(&pool, "one", 1);
            let same = scope.spawn(|| take(&pool, "a").take_item());
            until_waiting(&pool, "one", 2);
            assert_eq!(first.give_back(7), None);
            assert_eq!(same.join().unwrap(), Some(7));
            assert_eq!(other.join().unwrap(), None);
        });
    }

    #[test]
    fn a_tenant_at_its_bound_finds_its_idle_ones_and_leaves_a_place_free() {
        let pool: Runners = Pool::new(Bounds {
            total: 2,
            per_tenant: 1,
            queue: 4,
            queue_in_all: 16,
        });
        assert_eq!(take(&pool, "a").give_back(1), None);
        let held = take(&pool, "b");
        assert!(pool.try_take(&runs("one", "a")).is_none());
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| take(&pool, "a").take_item());
            until_waiting(&pool, "one", 1);
            assert_eq!(held.give_back(2), None);
            assert_eq!(waits.join().unwrap(), Some(1));
        });
        assert!(pool.try_take(&runs("two", "x")).is_some());
        assert_eq!(take(&pool, "b").take_item(), Some(2));
    }

    #[test]
    fn who_has_the_longest_line_gives_up_for_others() {
        let pool: Runners = Pool::new(Bounds {
            total: 1,
            per_tenant: 1,
            queue: 8,
            queue_in_all: 3,
        });
        let held = take(&pool, "a");
        let stop = StopSignal::default();
        std::thread::scope(|scope| {
            let waiters: Vec<_> = (1..=3)
                .map(|count| {
                    let waiter = scope.spawn(|| {
                        let taken = pool.take(&runs("one", "a"), &StopSignal::default());
                        taken.err()
                    });
                    until_waiting(&pool, "one", count);
                    waiter
                })
                .collect();
            let other = scope.spawn(|| pool.take(&runs("two", "a"), &stop).err());
            until_waiting(&pool, "two", 1);
            drop(held);
            let ends: Vec<_> = waiters.into_iter().map(|w| w.join().unwrap()).collect();
            assert_eq!(ends, [None, None, Some(NoTurn::Crowded(3))]);
            assert_eq!(other.join().unwrap(), None);
        });
    }

    #[test]
    fn a_cancel_ends_the_wait_and_the_place_is_not_lost() {
        let pool = pool(1, 4);
        let held = take(&pool, "a");
        let stop = StopSignal::default();
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| pool.take(&runs("one", "a"), &stop).err());
            until_waiting(&pool, "one", 1);
            stop.cancel();
            assert_eq!(waiter.join().unwrap(), Some(NoTurn::Cancelled));
        });
        drop(held);
        assert_eq!(take(&pool, "a").give_back(1), None);
        assert_eq!(pool.0.lock().idle.len(), 1);
        let old = pool.expire(
            Instant::now() + Duration::from_secs(9),
            Duration::from_secs(5),
        );
        assert_eq!((old, pool.0.lock().alive), (vec![1], 0));
    }

    #[test]
    fn many_take_turns_and_none_is_lost() {
        let pool: Pool<Tenant, u32> = Pool::new(Bounds {
            total: 3,
            per_tenant: 2,
            queue: 100,
            queue_in_all: 400,
        });
        std::thread::scope(|scope| {
            for number in 0..30 {
                let pool = &pool;
                scope.spawn(move || {
                    let own = format!("t{}", number % 4).parse().unwrap();
                    let turn = pool.take(&own, &StopSignal::default()).ok().unwrap();
                    assert!(pool.0.lock().alive <= 3);
                    std::thread::sleep(Duration::from_micros(200));
                    match number % 2 {
                        0 => drop(turn),
                        _ => drop(turn.give_back(number)),
                    }
                });
            }
        });
        let state = pool.0.lock();
        assert_eq!(state.alive, state.idle.len());
    }
}
