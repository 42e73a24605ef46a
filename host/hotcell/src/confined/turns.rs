//! The fair queue: who gets what is scarce next, tenant by tenant.
//!
//! Compile processes, runners and GPU workers are handed out by this one queue. Each tenant that waits has a line
//! of its own. What becomes free goes to the tenant that holds the fewest; among those to the one that was served
//! in the fewest rounds, where who comes anew begins in the round that is; among those to the one that has waited
//! for its turn the longest. So of two tenants that both have work each gets half, however much one of them has
//! queued, and one that comes with a single launch waits for one launch of the other at most. A tenant that has
//! had more is passed over for those that come, but not for ever: after [`OVERTAKEN`] times it is next.
//!
//! Lines are bounded, each and all together. Where all together are full, the longest line gives up its last: no
//! tenant can keep others out by waiting.

use hotcell_model::tenant::Tenant;
use std::collections::{HashMap, VecDeque};

/// How often one who waits can be overtaken: a tenant by those that hold less, a launch by those of its own
/// tenant that want what is there.
const OVERTAKEN: u32 = 16;

/// How many there are to hand out, and how many may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// At once, in all.
    pub(crate) total: usize,
    /// At once, for one tenant.
    pub(crate) per_tenant: usize,
    /// The most of one tenant that wait.
    pub(crate) queue: usize,
    /// The most that wait.
    pub(crate) queue_in_all: usize,
}

/// Why there is no turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoTurn {
    /// As many launches of the tenant wait as may.
    Full(usize),
    /// As many launches wait as may, and no tenant has more of them.
    Crowded(usize),
    /// The launch was cancelled meanwhile.
    Cancelled,
}

/// Who waits, and who holds how many. `W` is one who waits.
pub(crate) struct Turns<W> {
    bounds: Bounds,
    /// In the order of their turns.
    lines: VecDeque<WaitingLine<W>>,
    waiting: usize,
    /// How many are held: in all, and by each tenant that holds any.
    held: usize,
    by_tenant: HashMap<Tenant, usize>,
    /// The round that is, and who has had a turn in it.
    round: u64,
    served: HashMap<Tenant, u64>,
}

/// The line of one tenant; never empty.
struct WaitingLine<W> {
    tenant: Tenant,
    waiting: VecDeque<QueuedWaiter<W>>,
    /// The round in which its turn is.
    round: u64,
    overtaken: u32,
}

struct QueuedWaiter<W> {
    waiter: W,
    overtaken: u32,
}

impl<W> Turns<W> {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            lines: VecDeque::new(),
            waiting: 0,
            held: 0,
            by_tenant: HashMap::new(),
            round: 0,
            served: HashMap::new(),
        }
    }

    /// Begins a turn of the tenant now, if nobody has to be waited for: whoever waits then waits for the sake of
    /// its own tenant's bound.
    pub(crate) fn begin(&mut self, tenant: &Tenant) -> bool {
        let may = self.has_room(tenant) && self.line(tenant).is_none();
        if may {
            self.hold(tenant, self.next_round(tenant));
        }
        may
    }

    /// Puts one at the end of its tenant's line; returns who has to give up for it.
    pub(crate) fn join(&mut self, tenant: &Tenant, waiter: W) -> Result<Option<W>, NoTurn> {
        let own = self.waiting_of(tenant);
        if own >= self.bounds.queue {
            return Err(NoTurn::Full(self.bounds.queue));
        }
        let out = match self.waiting >= self.bounds.queue_in_all {
            true => Some(self.give_up(own)?),
            false => None,
        };
        let waiting = QueuedWaiter {
            waiter,
            overtaken: 0,
        };
        self.waiting += 1;
        match self.line(tenant) {
            Some(position) => self.lines[position].waiting.push_back(waiting),
            None => self.lines.push_back(WaitingLine {
                tenant: tenant.clone(),
                waiting: VecDeque::from([waiting]),
                round: self.next_round(tenant),
                overtaken: 0,
            }),
        }
        Ok(out)
    }

    /// What those end with for whom there is no room in all lines together.
    pub(crate) fn crowded(&self) -> NoTurn {
        NoTurn::Crowded(self.bounds.queue_in_all)
    }

    /// Takes out the last of the longest line, if that is longer than one of `own` and one more.
    fn give_up(&mut self, own: usize) -> Result<W, NoTurn> {
        let crowded = self.crowded();
        let longest = self.lines.iter().enumerate();
        let longest = longest.max_by_key(|(_, line)| line.waiting.len());
        let (position, line) = longest.ok_or(crowded)?;
        if line.waiting.len() <= own + 1 {
            return Err(crowded);
        }
        let last = line.waiting.len() - 1;
        self.take(position, last).ok_or(crowded)
    }

    /// Begins the next turn, if one is free and somebody waits for it. Of that tenant's line the first goes who
    /// `wants` what is there, as long as nobody before it was overtaken too often, else its first.
    pub(crate) fn next(&mut self, wants: impl Fn(&W) -> bool) -> Option<(Tenant, W)> {
        let position = self.next_line()?;
        let (bounds, held) = (self.bounds, &self.by_tenant);
        let may = |line: &&mut WaitingLine<W>| held_by(held, &line.tenant) < bounds.per_tenant;
        let passed = self.lines.iter_mut().take(position).filter(may);
        passed.for_each(|line| line.overtaken += 1);
        let line = self.lines.get_mut(position)?;
        let (tenant, round, index) = (line.tenant.clone(), line.round, line.choose(wants));
        let waiter = self.take(position, index)?;
        self.hold(&tenant, round);
        // Whoever of the tenant still waits does so at the end.
        if let Some(position) = self.line(&tenant)
            && let Some(line) = self.lines.remove(position)
        {
            self.lines.push_back(WaitingLine {
                round: self.next_round(&tenant),
                overtaken: 0,
                ..line
            });
        }
        Some((tenant, waiter))
    }

    /// The line whose turn is next, of the tenants that may hold one more.
    fn next_line(&self) -> Option<usize> {
        let may = |(_, line): &(usize, &WaitingLine<W>)| self.has_room(&line.tenant);
        let lines = || self.lines.iter().enumerate().filter(may);
        let overdue = lines().find(|(_, line)| line.overtaken >= OVERTAKEN);
        let fewest = || lines().min_by_key(|(_, line)| (self.held_by(&line.tenant), line.round));
        let (position, _) = overdue.or_else(fewest)?;
        Some(position)
    }

    /// Ends a turn of the tenant.
    pub(crate) fn end(&mut self, tenant: &Tenant) {
        self.held = self.held.saturating_sub(1);
        if let Some(own) = self.by_tenant.get_mut(tenant) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                self.by_tenant.remove(tenant);
            }
        }
    }

    /// Takes one who waits no longer out of its tenant's line.
    pub(crate) fn leave(&mut self, tenant: &Tenant, is_it: impl Fn(&W) -> bool) {
        let Some(position) = self.line(tenant) else {
            return;
        };
        let mut waiting = self.lines[position].waiting.iter();
        if let Some(index) = waiting.position(|waiting| is_it(&waiting.waiter)) {
            self.take(position, index);
        }
    }

    /// How many wait, of all tenants.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting
    }

    /// How many of the tenant wait.
    pub(crate) fn waiting_of(&self, tenant: &Tenant) -> usize {
        let position = self.line(tenant);
        position.map_or(0, |position| self.lines[position].waiting.len())
    }

    fn take(&mut self, position: usize, index: usize) -> Option<W> {
        let line = self.lines.get_mut(position)?;
        let waiting = line.waiting.remove(index)?;
        if line.waiting.is_empty() {
            self.lines.remove(position);
        }
        self.waiting -= 1;
        Some(waiting.waiter)
    }

    fn line(&self, tenant: &Tenant) -> Option<usize> {
        self.lines.iter().position(|line| line.tenant == *tenant)
    }

    fn has_room(&self, tenant: &Tenant) -> bool {
        self.held < self.bounds.total && self.held_by(tenant) < self.bounds.per_tenant
    }

    fn held_by(&self, tenant: &Tenant) -> usize {
        held_by(&self.by_tenant, tenant)
    }

    /// The round of the tenant's next turn: this one, unless it has had its turn.
    fn next_round(&self, tenant: &Tenant) -> u64 {
        let served = self.served.get(tenant);
        served.map_or(self.round, |served| self.round.max(served + 1))
    }

    fn hold(&mut self, tenant: &Tenant, round: u64) {
        self.held += 1;
        *self.by_tenant.entry(tenant.clone()).or_default() += 1;
        if round > self.round {
            self.round = round;
            self.served.retain(|_, served| *served >= round);
        }
        self.served.insert(tenant.clone(), round);
    }
}

fn held_by(held: &HashMap<Tenant, usize>, tenant: &Tenant) -> usize {
    held.get(tenant).copied().unwrap_or(0)
}

impl<W> WaitingLine<W> {
    /// Who of the line is served.
    fn choose(&mut self, wants: impl Fn(&W) -> bool) -> usize {
        let wanted = |waiting: &QueuedWaiter<W>| wants(&waiting.waiter);
        let index = self.waiting.iter().position(wanted).unwrap_or(0);
        let mut before = self.waiting.iter_mut().take(index);
        if before.any(|waiting| waiting.overtaken >= OVERTAKEN) {
            return 0;
        }
        let before = self.waiting.iter_mut().take(index);
        before.for_each(|waiting| waiting.overtaken += 1);
        index
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(name: &str) -> Tenant {
        name.parse().unwrap()
    }

    fn turns(total: usize, queue: usize, queue_in_all: usize) -> Turns<(&'static str, u32)> {
        Turns::new(Bounds {
            total,
            per_tenant: total,
            queue,
            queue_in_all,
        })
    }

    fn join(turns: &mut Turns<(&'static str, u32)>, name: &'static str, number: u32) {
        assert_eq!(turns.join(&tenant(name), (name, number)), Ok(None));
    }

    /// Ends a turn of that tenant; who is next.
    fn after(turns: &mut Turns<(&'static str, u32)>, name: &str) -> Option<(&'static str, u32)> {
        turns.end(&tenant(name));
        turns.next(|_| false).map(|(_, waiter)| waiter)
    }

    #[test]
    fn a_single_launch_waits_for_one_of_a_thousand() {
        for total in [1, 2, 4] {
            let mut turns = turns(total, 1024, 4096);
            (0..total).for_each(|_| assert!(turns.begin(&tenant("a"))));
            assert!(!turns.begin(&tenant("a")));
            (0..1000).for_each(|number| join(&mut turns, "a", number));
            let mut running = vec!["a"; total];
            for number in 0..100 {
                join(&mut turns, "b", number);
                // The first that ends, and one of the other's if that was served meanwhile.
                let mut ended = 0;
                while !running.contains(&"b") {
                    let next = after(&mut turns, running.remove(0)).unwrap();
                    running.push(next.0);
                    ended += 1;
                }
                assert!(ended <= 1 + usize::from(number > 0), "{number}: {ended}");
                // It ends, and nobody of its tenant waits.
                running.retain(|name| *name != "b");
                running.push(after(&mut turns, "b").unwrap().0);
            }
            assert!(running.iter().all(|name| *name == "a"));
        }
    }

    #[test]
    fn tenants_with_work_get_equal_parts_and_none_holds_all() {
        let mut turns = turns(4, 1024, 4096);
        (0..4).for_each(|_| assert!(turns.begin(&tenant("a"))));
        (0..100).for_each(|number| join(&mut turns, "a", number));
        (0..100).for_each(|number| join(&mut turns, "b", number));
        // What a ends goes to b until each holds two; from then on each keeps what it has.
        for expected in [("b", 0), ("b", 1)] {
            assert_eq!(after(&mut turns, "a"), Some(expected));
        }
        assert_eq!(after(&mut turns, "a"), Some(("a", 0)));
        assert_eq!(after(&mut turns, "b"), Some(("b", 2)));
        assert_eq!(after(&mut turns, "a"), Some(("a", 1)));
        assert_eq!(turns.held, 4);
    }

    #[test]
    fn tenants_that_come_for_ever_overtake_nobody_for_ever() {
        let mut turns = turns(2, 1024, 4096);
        // One of a's runs for long.
        assert!(turns.begin(&tenant("a")) && turns.begin(&tenant("x")));
        join(&mut turns, "a", 7);
        let mut last = "x".to_owned();
        for number in 0..100 {
            let fresh = tenant(&format!("fresh{number}"));
            assert_eq!(turns.join(&fresh, ("fresh", number)), Ok(None));
            turns.end(&tenant(&last));
            let (served, waiter) = turns.next(|_| false).unwrap();
            if waiter == ("a", 7) {
                assert_eq!(number, OVERTAKEN);
                return;
            }
            last = served.to_string();
        }
        panic!("a was never served");
    }

    #[test]
    fn who_wants_what_is_there_goes_first_but_nobody_is_overtaken_for_ever() {
        let mut turns = turns(1, 1024, 4096);
        assert!(turns.begin(&tenant("a")));
        join(&mut turns, "a", 0);
        (1..40).for_each(|_| join(&mut turns, "a", 1));
        let mut order = Vec::new();
        for _ in 0..40 {
            turns.end(&tenant("a"));
            order.extend(turns.next(|waiter| waiter.1 == 1));
        }
        let served = order.iter().position(|(_, waiter)| waiter.1 == 0);
        assert_eq!(served, Some(OVERTAKEN as usize));
    }

    #[test]
    fn what_is_there_is_never_wanted_before_another_tenants_turn() {
        let mut turns = turns(1, 1024, 4096);
        assert!(turns.begin(&tenant("a")));
        join(&mut turns, "b", 0);
        join(&mut turns, "a", 1);
        turns.end(&tenant("a"));
        let next = turns.next(|waiter| waiter.1 == 1);
        assert_eq!(next.map(|(_, waiter)| waiter), Some(("b", 0)));
    }

    #[test]
    fn a_full_line_is_its_own_tenants_and_a_full_queue_the_longest_lines() {
        let mut turns = turns(1, 3, 5);
        assert!(turns.begin(&tenant("x")));
        (0..3).for_each(|number| join(&mut turns, "a", number));
        let full = turns.join(&tenant("a"), ("a", 3));
        assert_eq!(full, Err(NoTurn::Full(3)));
        (0..2).for_each(|number| join(&mut turns, "b", number));
        // All are full: the longest line gives up its last for whoever has fewer.
        assert_eq!(turns.join(&tenant("c"), ("c", 0)), Ok(Some(("a", 2))));
        assert_eq!(turns.waiting, 5);
        let crowded = turns.join(&tenant("b"), ("b", 2));
        assert_eq!(crowded, Err(NoTurn::Crowded(5)));
        let crowded = turns.join(&tenant("c"), ("c", 1));
        assert_eq!(crowded, Err(NoTurn::Crowded(5)));
        assert!(
            turns
                .join(&tenant("d"), ("d", 0))
                .is_ok_and(|out| out.is_some())
        );
    }

    #[test]
    fn a_tenant_at_its_bound_waits_and_holds_nobody_up() {
        let mut turns = Turns::new(Bounds {
            total: 2,
            per_tenant: 1,
            queue: 8,
            queue_in_all: 64,
        });
        assert!(turns.begin(&tenant("a")) && !turns.begin(&tenant("a")));
        join(&mut turns, "a", 0);
        assert!(turns.next(|_| false).is_none());
        assert!(turns.begin(&tenant("b")));
        assert_eq!(after(&mut turns, "a"), Some(("a", 0)));
        turns.leave(&tenant("a"), |_| true);
        turns.end(&tenant("a"));
        turns.end(&tenant("b"));
        assert_eq!((turns.held, turns.waiting), (0, 0));
        assert!(turns.by_tenant.is_empty() && turns.lines.is_empty());
    }
}
