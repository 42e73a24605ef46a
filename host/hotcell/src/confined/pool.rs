//! A bounded pool of things that serve one caller at a time, each of one kind: runners, by what they loaded.
//!
//! A caller gets an idle one of its kind; else a place for a fresh one, if need be in place of the idle one
//! used longest ago; else it waits. Those who wait are served in order, but one that is given back goes to
//! the first who wants its kind, as long as nobody is overtaken too often: to start another costs more than
//! to wait a little.

use super::turns::NoTurn;
use crate::bell::{Bell, OnCancel};
use hotcell_model::stop::StopSignal;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How often one who waits can be overtaken.
const OVERTAKEN: u32 = 16;

/// A pool of `T`s of kinds `K`.
pub(crate) struct Pool<K, T> {
    /// The most that exist at once.
    max: usize,
    /// The most that wait.
    queue: usize,
    state: Mutex<State<K, T>>,
}

struct State<K, T> {
    /// How many exist, idle and lent.
    alive: usize,
    /// Those that are idle, longest ago first.
    idle: VecDeque<Idle<K, T>>,
    waiting: VecDeque<Arc<Waiter<K, T>>>,
}

struct Idle<K, T> {
    kind: K,
    since: Instant,
    item: T,
}

struct Waiter<K, T> {
    kind: K,
    bell: Arc<Bell>,
    turn: Mutex<Turn<T>>,
}

struct Turn<T> {
    /// A place, with an item of the kind if one was given back.
    place: Option<Option<T>>,
    overtaken: u32,
}

/// A place in the pool, with or without an item. Dropped with the item inside, that is gone.
pub(crate) struct Lease<'a, K: Clone + Eq, T> {
    pool: &'a Pool<K, T>,
    kind: K,
    item: Option<T>,
    /// What had to go, for the caller to end where it does not hold anybody up.
    evicted: Option<T>,
    /// Whether the place goes on without this lease.
    is_given_back: bool,
}

impl<K: Clone + Eq, T> Pool<K, T> {
    pub(crate) fn new(max: usize, queue: usize) -> Self {
        let state = State {
            alive: 0,
            idle: VecDeque::new(),
            waiting: VecDeque::new(),
        };
        Self {
            max,
            queue,
            state: Mutex::new(state),
        }
    }

    /// A place for an item of that kind; waits for it.
    pub(crate) fn take(&self, kind: &K, stop: &StopSignal) -> Result<Lease<'_, K, T>, NoTurn> {
        let waiter = {
            let mut state = self.lock();
            if state.waiting.is_empty()
                && let Some((item, evicted)) = state.find(kind, self.max)
            {
                return Ok(self.lease(kind, item, evicted));
            }
            if state.waiting.len() >= self.queue {
                return Err(NoTurn::Full(self.queue));
            }
            let waiter = Arc::new(Waiter {
                kind: kind.clone(),
                bell: Arc::default(),
                turn: Mutex::new(Turn {
                    place: None,
                    overtaken: 0,
                }),
            });
            state.waiting.push_back(Arc::clone(&waiter));
            waiter
        };
        let _ringing = OnCancel::ring(stop, &waiter.bell);
        loop {
            waiter.bell.wait();
            let mut state = self.lock();
            if let Some(item) = waiter.turn().place.take() {
                return Ok(self.lease(kind, item, None));
            }
            if stop.cancelled_at().is_some() {
                state.waiting.retain(|other| !Arc::ptr_eq(other, &waiter));
                return Err(NoTurn::Cancelled);
            }
        }
    }

    /// Takes out what has been idle for so long.
    pub(crate) fn expire(&self, now: Instant, after: Duration) -> Vec<T> {
        let mut state = self.lock();
        let is_old = |idle: &Idle<K, T>| now.saturating_duration_since(idle.since) >= after;
        let old = state.idle.iter().take_while(|idle| is_old(idle)).count();
        state.alive -= old;
        state.idle.drain(..old).map(|idle| idle.item).collect()
    }

    fn lease(&self, kind: &K, item: Option<T>, evicted: Option<T>) -> Lease<'_, K, T> {
        Lease {
            pool: self,
            kind: kind.clone(),
            item,
            evicted,
            is_given_back: false,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<K, T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq, T> State<K, T> {
    /// An idle item of the kind or a place for one, and what had to go for it.
    fn find(&mut self, kind: &K, max: usize) -> Option<(Option<T>, Option<T>)> {
        let of_kind = self.idle.iter().rposition(|idle| idle.kind == *kind);
        if let Some(idle) = of_kind.and_then(|position| self.idle.remove(position)) {
            return Some((Some(idle.item), None));
        }
        if self.alive < max {
            self.alive += 1;
            return Some((None, None));
        }
        // One goes and one comes: as many are alive as before.
        let oldest = self.idle.pop_front()?;
        Some((None, Some(oldest.item)))
    }

    /// Who is next, if a place with an item of that kind is free.
    fn next(&mut self, kind: Option<&K>) -> Option<Arc<Waiter<K, T>>> {
        let wants = |waiter: &Arc<Waiter<K, T>>| Some(&waiter.kind) == kind;
        let position = self.waiting.iter().position(wants).unwrap_or(0);
        let mut before = self.waiting.iter().take(position);
        let position = match before.all(|waiter| waiter.turn().overtaken < OVERTAKEN) {
            true => position,
            false => 0,
        };
        for waiter in self.waiting.iter().take(position) {
            waiter.turn().overtaken += 1;
        }
        self.waiting.remove(position)
    }
}

impl<K, T> Waiter<K, T> {
    fn turn(&self) -> MutexGuard<'_, Turn<T>> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, item: Option<T>) {
        self.turn().place = Some(item);
        self.bell.ring();
    }
}

impl<K: Clone + Eq, T> Lease<'_, K, T> {
    /// The item, if there is one.
    pub(crate) fn take_item(&mut self) -> Option<T> {
        self.item.take()
    }

    /// What had to go for this place.
    pub(crate) fn take_evicted(&mut self) -> Option<T> {
        self.evicted.take()
    }

    /// Gives an item back for others; returns what has to go instead.
    pub(crate) fn give_back(mut self, item: T) -> Option<T> {
        self.is_given_back = true;
        let kind = self.kind.clone();
        let mut state = self.pool.lock();
        match state.next(Some(&kind)) {
            None => {
                let since = Instant::now();
                state.idle.push_back(Idle { kind, since, item });
                None
            }
            Some(waiter) if waiter.kind == kind => {
                waiter.serve(Some(item));
                None
            }
            Some(waiter) => {
                waiter.serve(None);
                Some(item)
            }
        }
    }
}

impl<K: Clone + Eq, T> Drop for Lease<'_, K, T> {
    fn drop(&mut self) {
        if self.is_given_back {
            return;
        }
        let mut state = self.pool.lock();
        match state.next(None) {
            Some(waiter) => waiter.serve(None),
            None => state.alive -= 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Runners = Pool<&'static str, u32>;

    fn take<'a>(pool: &'a Runners, kind: &'static str) -> Lease<'a, &'static str, u32> {
        pool.take(&kind, &StopSignal::default()).unwrap()
    }

    fn until_waiting(pool: &Runners, count: usize) {
        while pool.lock().waiting.len() < count {
            std::thread::yield_now();
        }
    }

    #[test]
    fn an_idle_one_serves_its_kind_again_and_makes_room_for_others() {
        let pool = Runners::new(2, 4);
        assert_eq!(take(&pool, "a").give_back(1), None);
        assert_eq!(take(&pool, "b").give_back(2), None);
        let mut again = take(&pool, "a");
        assert_eq!(again.take_item(), Some(1));
        assert_eq!(again.give_back(1), None);
        let mut other = take(&pool, "c");
        assert_eq!((other.take_item(), other.take_evicted()), (None, Some(2)));
        assert_eq!(pool.lock().alive, 2);
        drop(other);
        assert_eq!(pool.lock().alive, 1);
    }

    #[test]
    fn a_place_is_waited_for_in_order_and_a_full_queue_refuses() {
        let pool = Runners::new(1, 2);
        let first = take(&pool, "a");
        std::thread::scope(|scope| {
            let same = scope.spawn(|| take(&pool, "a").take_item());
            until_waiting(&pool, 1);
            let stop = StopSignal::default();
            let other = scope.spawn(|| {
                let mut lease = take(&pool, "b");
                lease.take_item()
            });
            until_waiting(&pool, 2);
            assert_eq!(pool.take(&"c", &stop).err(), Some(NoTurn::Full(2)));
            assert_eq!(first.give_back(7), None);
            assert_eq!(same.join().unwrap(), Some(7));
            assert_eq!(other.join().unwrap(), None);
        });
        assert_eq!(pool.lock().alive, 0);
    }

    #[test]
    fn one_given_back_goes_to_its_kind_but_nobody_is_overtaken_for_ever() {
        let pool = Runners::new(1, 100);
        let first = take(&pool, "a");
        let order = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            let spawn = |kind: &'static str| {
                let (pool, order) = (&pool, &order);
                scope.spawn(move || {
                    let lease = take(pool, kind);
                    order.lock().unwrap().push(kind);
                    let _evicted = lease.give_back(1);
                })
            };
            spawn("b");
            until_waiting(&pool, 1);
            for waiting in 2..=40 {
                spawn("a");
                until_waiting(&pool, waiting);
            }
            assert_eq!(first.give_back(1), None);
        });
        let order = order.into_inner().unwrap();
        let served = order.iter().position(|kind| *kind == "b").unwrap();
        assert_eq!(served, OVERTAKEN as usize);
    }

    #[test]
    fn a_cancel_ends_the_wait_and_the_place_is_not_lost() {
        let pool = Runners::new(1, 4);
        let held = take(&pool, "a");
        let stop = StopSignal::default();
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| pool.take(&"a", &stop).err());
            until_waiting(&pool, 1);
            stop.cancel();
            assert_eq!(waiter.join().unwrap(), Some(NoTurn::Cancelled));
        });
        drop(held);
        assert_eq!(take(&pool, "a").give_back(1), None);
        assert_eq!(pool.lock().idle.len(), 1);
        let old = pool.expire(
            Instant::now() + Duration::from_secs(9),
            Duration::from_secs(5),
        );
        assert_eq!((old, pool.lock().alive), (vec![1], 0));
    }
}
