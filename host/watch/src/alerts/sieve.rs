//! Which alerts are sent by themselves, and which are counted and told later.
//!
//! The first of a kind, component and tenant is sent at once. For some time from then on the same is counted, and when that time
//! is over one notice for each kind and tenant tells how many there were, with the last one's words. What is sent, for the first
//! time or to tell of what was counted, is bounded in each minute. Each severity is sieved apart from the other, so that no flood of
//! warnings hides what is critical. What is not sent is counted until it can be told.

use crate::alerts::notice::Notice;
use hotcell_model::digest::Digest;
use hotcell_model::report::{AlertKind, Severity};
use hotcell_model::tenant::Tenant;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// The longest time that the same is counted.
const LONGEST: Duration = Duration::from_secs(30 * 86_400);

/// How many different alerts of a severity are told apart at once.
const TOLD_APART: usize = 1024;

/// How many are told apart at once where components no longer are.
const TENANTS_TOLD_APART: usize = 4 * TOLD_APART;

type About = (AlertKind, Option<Digest>, Option<Tenant>);

/// What was sent lately, and what came since.
#[derive(Debug)]
struct Lately {
    until: Instant,
    repeated: u64,
    last: Option<Notice>,
}

impl Lately {
    /// Whether what comes now is counted here.
    fn is_counting(&self, now: Instant) -> bool {
        self.until > now || self.repeated > 0
    }
}

/// What becomes of an alert.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Sieved {
    /// It is sent.
    Sent(Box<Notice>),
    /// It is counted, since the same was sent lately.
    Repeated,
    /// It is counted, since too many were sent lately.
    TooMany,
    /// It is counted, since too many wait to be sent.
    NoRoom,
}

/// How many more notices of each severity can wait to be sent.
pub(crate) type Room = [usize; Severity::ALL.len()];

/// Tells alerts apart, and counts.
#[derive(Debug)]
pub(crate) struct Sieve {
    window: Duration,
    severities: [Kinds; Severity::ALL.len()],
}

/// The alerts of one severity.
#[derive(Debug)]
struct Kinds {
    rate: Rate,
    lately: HashMap<About, Lately>,
}

/// So many a minute.
#[derive(Debug)]
struct Rate {
    per_minute: u32,
    left: u32,
    begun: Option<Instant>,
}

impl Rate {
    const MINUTE: Duration = Duration::from_secs(60);

    fn try_take(&mut self, now: Instant) -> bool {
        let is_over = |begun: Instant| now.saturating_duration_since(begun) >= Self::MINUTE;
        if self.begun.is_none_or(is_over) {
            (self.left, self.begun) = (self.per_minute, Some(now));
        }
        let is_left = self.left > 0;
        self.left = self.left.saturating_sub(1);
        is_left
    }

    /// When there is one to take, where there is none now.
    fn next(&self) -> Option<Instant> {
        self.begun
            .filter(|_| self.left == 0)
            .map(|begun| begun + Self::MINUTE)
    }
}

impl Sieve {
    /// Nothing was sent yet.
    pub(crate) fn new(window: Duration, per_minute: u32) -> Self {
        let kinds = |_| Kinds {
            rate: Rate {
                per_minute,
                left: 0,
                begun: None,
            },
            lately: HashMap::new(),
        };
        Self {
            window: window.min(LONGEST),
            severities: std::array::from_fn(kinds),
        }
    }

    /// Says what becomes of an alert, where one more of its severity can or cannot wait to be sent.
    pub(crate) fn sieve(&mut self, notice: Notice, now: Instant, has_room: bool) -> Sieved {
        let kinds = &mut self.severities[notice.severity as usize];
        let about = kinds.about(&notice, now);
        if let Some(lately) = kinds.lately.get_mut(&about)
            && lately.is_counting(now)
        {
            lately.repeated += 1;
            lately.last = Some(notice);
            return Sieved::Repeated;
        }
        let is_sent = has_room && kinds.rate.try_take(now);
        let lately = Lately {
            until: now + self.window,
            repeated: u64::from(!is_sent),
            last: (!is_sent).then(|| notice.clone()),
        };
        kinds.lately.insert(about, lately);
        match (is_sent, has_room) {
            (true, _) => Sieved::Sent(Box::new(notice)),
            (false, true) => Sieved::TooMany,
            (false, false) => Sieved::NoRoom,
        }
    }

    /// When there is something to tell of what was counted; never where nothing was, or where there is no room for it.
    pub(crate) fn next(&self, room: Room) -> Option<Instant> {
        let severities = self.severities.iter().zip(room);
        let told = severities.filter(|(_, room)| *room > 0);
        told.filter_map(|(kinds, _)| kinds.next()).min()
    }

    /// What there is to tell of what was counted, until now and as far as there is room; all of it where it is the last time.
    pub(crate) fn due(&mut self, now: Instant, is_last: bool, room: Room) -> Vec<Notice> {
        let mut due = Vec::new();
        for (kinds, room) in self.severities.iter_mut().zip(room) {
            kinds.due(now, self.window, is_last, room, &mut due);
        }
        due.sort_by_key(|notice| notice.at);
        due
    }
}

impl Kinds {
    /// What an alert counts as.
    fn about(&mut self, notice: &Notice, now: Instant) -> About {
        let (component, tenant) = notice.about();
        let about = (notice.kind, component, tenant);
        if self.lately.contains_key(&about) || self.lately.len() < TOLD_APART {
            return about;
        }
        self.lately.retain(|_, lately| lately.is_counting(now));
        let (kind, component, tenant) = about;
        match self.lately.len() {
            ..TOLD_APART => (kind, component, tenant),
            // Whoever makes up components is told of as one, and hides nothing of others.
            TOLD_APART..TENANTS_TOLD_APART => (kind, None, tenant),
            _ => (kind, None, None),
        }
    }

    fn next(&self) -> Option<Instant> {
        let counted = self.lately.values().filter(|lately| lately.repeated > 0);
        let until = counted.map(|lately| lately.until).min()?;
        Some(self.rate.next().map_or(until, |next| next.max(until)))
    }

    fn due(
        &mut self,
        now: Instant,
        window: Duration,
        is_last: bool,
        room: usize,
        due: &mut Vec<Notice>,
    ) {
        self.lately.retain(|_, lately| lately.is_counting(now));
        let mut told: HashMap<(AlertKind, Option<Tenant>), Vec<&mut Lately>> = HashMap::new();
        for ((kind, _, tenant), lately) in &mut self.lately {
            if lately.repeated > 0 && (is_last || lately.until <= now) {
                let together = told.entry((*kind, tenant.clone())).or_default();
                together.push(lately);
            }
        }
        let mut told: Vec<Vec<&mut Lately>> = told.into_values().collect();
        // Whoever waits longest comes first.
        told.sort_by_key(|together| together.iter().map(|lately| lately.until).min());
        for (at, together) in told.into_iter().enumerate() {
            if !is_last && (at >= room || !self.rate.try_take(now)) {
                // It is counted on.
                return;
            }
            due.extend(tell(together, now + window));
        }
    }
}

/// One notice of all that was counted together, which is counted again until then.
fn tell(together: Vec<&mut Lately>, until: Instant) -> Option<Notice> {
    let mut repeated: u64 = 0;
    let mut told: Option<Notice> = None;
    for lately in together {
        repeated = repeated.saturating_add(std::mem::take(&mut lately.repeated));
        lately.until = until;
        let last = lately.last.take();
        told = [told, last].into_iter().flatten().max_by_key(|one| one.at);
    }
    told.map(|notice| Notice { repeated, ..notice })
}

#[cfg(test)]
mod tests {
    use super::*;
    use hotcell_model::report::Alert;
    use hotcell_model::time::Timestamp;

    const WINDOW: Duration = Duration::from_secs(600);
    const ROOM: Room = [256; Severity::ALL.len()];

    fn notice(kind: AlertKind, message: &str) -> Notice {
        let message = message.to_owned();
        Notice::of(Timestamp::default(), &Alert { kind, message }, None)
    }

    fn of(tenant: &str, kind: AlertKind, component: u16) -> Notice {
        let mut bytes = [0; 32];
        bytes[..2].copy_from_slice(&component.to_le_bytes());
        let mut notice = notice(kind, "");
        notice.request = Some(crate::alerts::notice::RequestNotice {
            run_id: String::new(),
            verb: hotcell_model::audit::Verb::Launch,
            tenant: tenant.parse().unwrap(),
            caller: String::new(),
            component: Some(Digest::from_bytes(bytes)),
            kernel: String::new(),
            entry: String::new(),
            outcome: hotcell_model::outcome::OutcomeKind::Done,
            blame: None,
        });
        notice
    }

    fn is_sent(sieved: &Sieved) -> bool {
        matches!(sieved, Sieved::Sent(_))
    }

    #[test]
    fn the_same_is_sent_once_and_told_with_its_number() {
        let mut sieve = Sieve::new(WINDOW, 30);
        let begun = Instant::now();
        let raised = |sieve: &mut Sieve, second: u64| {
            let at = begun + Duration::from_secs(second);
            let notice = notice(AlertKind::LaunchCost, &format!("at {second}"));
            sieve.sieve(notice, at, true)
        };
        assert!(is_sent(&raised(&mut sieve, 0)));
        assert_eq!(sieve.next(ROOM), None);
        for second in 1..=41 {
            assert_eq!(raised(&mut sieve, second), Sieved::Repeated);
        }
        assert_eq!(sieve.next(ROOM), Some(begun + WINDOW));
        assert_eq!(sieve.due(begun + WINDOW / 2, false, ROOM), []);
        let told = sieve.due(begun + WINDOW, false, ROOM);
        assert_eq!((told[0].repeated, told[0].message.as_str()), (41, "at 41"));
        assert_eq!(sieve.due(begun + 3 * WINDOW, false, ROOM), []);
        assert!(is_sent(&raised(&mut sieve, 2000)));
    }

    #[test]
    fn a_flood_of_warnings_hides_nothing_critical() {
        let mut sieve = Sieve::new(WINDOW, 3);
        let now = Instant::now();
        let warnings = [
            AlertKind::LaunchCost,
            AlertKind::CompilationCost,
            AlertKind::CompilationIo,
            AlertKind::RecompileStorm,
            AlertKind::WorkerDied,
        ];
        let sieved = warnings.map(|kind| sieve.sieve(notice(kind, ""), now, true));
        assert_eq!(sieved.iter().filter(|one| is_sent(one)).count(), 3);
        assert_eq!(sieved[4], Sieved::TooMany);
        assert!(is_sent(&sieve.sieve(
            notice(AlertKind::FilterKill, ""),
            now,
            true
        )));
        // What was too much is told at the end.
        assert_eq!(sieve.due(now, true, ROOM).len(), 2);
    }

    #[test]
    fn what_was_too_much_comes_out_within_the_rate_and_together() {
        for window in [Duration::ZERO, WINDOW] {
            let mut sieve = Sieve::new(window, 3);
            let begun = Instant::now();
            let mut told = 0;
            for component in 0..100 {
                let notice = of("flood", AlertKind::LaunchCost, component);
                told += u64::from(is_sent(&sieve.sieve(notice, begun, true)));
            }
            for number in 0..5 {
                let notice = of(&format!("t{number}"), AlertKind::LaunchCost, 0);
                assert_eq!(sieve.sieve(notice, begun, true), Sieved::TooMany);
            }
            assert_eq!(told, 3);
            assert_eq!(sieve.due(begun + window / 2, false, ROOM), []);
            let mut minutes = Vec::new();
            let mut at = begun;
            while let Some(next) = sieve.next(ROOM) {
                assert!(next > at, "it waits for something");
                at = next;
                let due = sieve.due(at, false, ROOM);
                told += due.iter().map(|notice| notice.repeated).sum::<u64>();
                minutes.push(due.len());
            }
            // Six tenants.
            assert_eq!(minutes, [3, 3]);
            assert_eq!(told, 105);
        }
    }

    #[test]
    fn what_there_is_no_room_for_is_not_as_if_sent() {
        let mut sieve = Sieve::new(WINDOW, 30);
        let now = Instant::now();
        let refused = sieve.sieve(notice(AlertKind::LaunchCost, ""), now, false);
        assert_eq!(refused, Sieved::NoRoom);
        assert_eq!(sieve.next([0; 2]), None);
        assert_eq!(sieve.due(now + WINDOW, false, [0; 2]), []);
        assert_eq!(sieve.due(now + WINDOW, false, ROOM)[0].repeated, 1);
    }

    #[test]
    fn what_is_told_apart_is_bounded_and_tenants_longest() {
        let mut sieve = Sieve::new(WINDOW, u32::MAX);
        let now = Instant::now();
        let mut sent = 0;
        for component in 0..4000 {
            let notice = of("flood", AlertKind::FilterKill, component);
            sent += u64::from(is_sent(&sieve.sieve(notice, now, true)));
        }
        assert_eq!(sent, 1025);
        // Nothing of another tenant is hidden by that, and nothing of another severity.
        let others = [
            of("alice", AlertKind::FilterKill, 1),
            of("bob", AlertKind::FilterKill, 1),
            of("flood", AlertKind::LaunchCost, 1),
            of("flood", AlertKind::LaunchCost, 2),
        ];
        for notice in others {
            assert!(is_sent(&sieve.sieve(notice, now, true)));
        }
        for number in 0..10_000 {
            let notice = of(&format!("t{number}"), AlertKind::FilterKill, number);
            let _ = sieve.sieve(notice, now, true);
        }
        let critical = &sieve.severities[Severity::Critical as usize];
        assert!(critical.lately.len() <= TENANTS_TOLD_APART + AlertKind::ALL.len());
    }
}
