//! Which alerts are sent by themselves, and which are counted and told later.
//!
//! The first of a kind, component and tenant is sent at once. For some time from then on the same is counted, and when that time
//! is over one notice tells how many there were, with the last one's words. What is sent is bounded in each minute, apart
//! for each severity, so that no flood of warnings hides what is critical.

use crate::alerts::notice::Notice;
use hotcell_model::digest::Digest;
use hotcell_model::report::{AlertKind, Severity};
use hotcell_model::tenant::Tenant;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// The longest time that the same is counted.
const LONGEST: Duration = Duration::from_secs(30 * 86_400);

/// How many different alerts are told apart at once.
const TOLD_APART: usize = 1024;

type About = (AlertKind, Option<Digest>, Option<Tenant>);

/// What was sent lately, and what came since.
#[derive(Debug)]
struct Lately {
    until: Instant,
    repeated: u64,
    last: Option<Notice>,
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
}

/// Tells alerts apart, and counts.
#[derive(Debug)]
pub(crate) struct Sieve {
    window: Duration,
    rates: [Rate; Severity::ALL.len()],
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
}

impl Sieve {
    /// Nothing was sent yet.
    pub(crate) fn new(window: Duration, per_minute: u32) -> Self {
        let rate = || Rate {
            per_minute,
            left: 0,
            begun: None,
        };
        Self {
            window: window.min(LONGEST),
            rates: [rate(), rate()],
            lately: HashMap::new(),
        }
    }

    /// Says what becomes of an alert.
    pub(crate) fn sieve(&mut self, notice: Notice, now: Instant) -> Sieved {
        let (component, tenant) = notice.about();
        let mut about = (notice.kind, component, tenant);
        if !self.lately.contains_key(&about) && self.lately.len() >= TOLD_APART {
            self.lately
                .retain(|_, lately| lately.until > now || lately.repeated > 0);
            if self.lately.len() >= TOLD_APART {
                // Whoever makes up components is told of as one.
                about = (notice.kind, None, None);
            }
        }
        if let Some(lately) = self.lately.get_mut(&about)
            && (lately.until > now || lately.repeated > 0)
        {
            lately.repeated += 1;
            lately.last = Some(notice);
            return Sieved::Repeated;
        }
        let is_sent = self.rates[notice.severity as usize].try_take(now);
        let lately = Lately {
            until: now + self.window,
            repeated: u64::from(!is_sent),
            last: (!is_sent).then(|| notice.clone()),
        };
        self.lately.insert(about, lately);
        match is_sent {
            true => Sieved::Sent(Box::new(notice)),
            false => Sieved::TooMany,
        }
    }

    /// When there is something to tell of what was counted; never where nothing was.
    pub(crate) fn next(&self) -> Option<Instant> {
        let counted = self.lately.values().filter(|lately| lately.repeated > 0);
        counted.map(|lately| lately.until).min()
    }

    /// What there is to tell of what was counted, until now, or all of it.
    pub(crate) fn due(&mut self, now: Instant, is_last: bool) -> Vec<Notice> {
        let mut due = Vec::new();
        let window = self.window;
        self.lately.retain(|_, lately| {
            if lately.until > now && !is_last {
                return true;
            }
            let Some(mut notice) = lately.last.take() else {
                return false;
            };
            notice.repeated = std::mem::take(&mut lately.repeated);
            due.push(notice);
            // What goes on is counted again.
            lately.until = now + window;
            true
        });
        due.sort_by_key(|notice| notice.at);
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hotcell_model::report::Alert;
    use hotcell_model::time::Timestamp;

    const WINDOW: Duration = Duration::from_secs(600);

    fn notice(kind: AlertKind, message: &str) -> Notice {
        let message = message.to_owned();
        Notice::of(Timestamp::default(), &Alert { kind, message }, None)
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
            sieve.sieve(notice(AlertKind::LaunchCost, &format!("at {second}")), at)
        };
        assert!(is_sent(&raised(&mut sieve, 0)));
        assert_eq!(sieve.next(), None);
        for second in 1..=41 {
            assert_eq!(raised(&mut sieve, second), Sieved::Repeated);
        }
        assert_eq!(sieve.next(), Some(begun + WINDOW));
        assert_eq!(sieve.due(begun + WINDOW / 2, false), []);
        let told = sieve.due(begun + WINDOW, false);
        assert_eq!((told[0].repeated, told[0].message.as_str()), (41, "at 41"));
        assert_eq!(sieve.due(begun + 3 * WINDOW, false), []);
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
        let sieved = warnings.map(|kind| sieve.sieve(notice(kind, ""), now));
        assert_eq!(sieved.iter().filter(|one| is_sent(one)).count(), 3);
        assert_eq!(sieved[4], Sieved::TooMany);
        assert!(is_sent(
            &sieve.sieve(notice(AlertKind::FilterKill, ""), now)
        ));
        // What was too much is told at the end.
        assert_eq!(sieve.due(now, true).len(), 2);
    }

    #[test]
    fn what_is_told_apart_is_bounded() {
        let mut sieve = Sieve::new(WINDOW, u32::MAX);
        let now = Instant::now();
        let mut sent = 0;
        for number in 0..4000_u32 {
            let tenant: Tenant = format!("t{number}").parse().unwrap();
            let mut notice = notice(AlertKind::LaunchCost, "");
            notice.request = Some(crate::alerts::notice::RequestNotice {
                run_id: String::new(),
                verb: hotcell_model::audit::Verb::Launch,
                tenant,
                caller: String::new(),
                component: None,
                kernel: String::new(),
                entry: String::new(),
                outcome: hotcell_model::outcome::OutcomeKind::Done,
                blame: None,
            });
            sent += u64::from(is_sent(&sieve.sieve(notice, now)));
        }
        assert!(sent <= 1025, "{sent}");
        assert!(sieve.lately.len() <= TOLD_APART + AlertKind::ALL.len());
    }
}
