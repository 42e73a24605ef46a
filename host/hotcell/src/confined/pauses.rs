//! What a machine's pauses may have added to a runner's CPU time.
//!
//! A virtual machine whose host gives its processors to somebody else for a while counts the pause, where its kernel is not
//! told of it, as CPU time of whichever thread ran. Usually that is a guest's, and so it is claimed. It may be the runner's
//! clock, whose time nobody claims: then an honest runner claims less than was measured. On a quiet machine the longest
//! such pause in 150 s was 7 ms; on one that was crowded, 102 ms were seen once.
//!
//! What is excused is bounded over time and not by the launch, so that who claims too little again and again is found out.

use std::time::{Duration, Instant};

/// What is excused in a [`PERIOD`].
const MOST: Duration = Duration::from_millis(150);
/// From the first excuse on.
const PERIOD: Duration = Duration::from_secs(60);

/// What a runner may still be excused.
#[derive(Debug, Default)]
pub(crate) struct Pauses {
    excused: Duration,
    since: Option<Instant>,
}

impl Pauses {
    /// CPU time that may be missing in a claim now.
    pub(crate) fn left(&self, now: Instant) -> Duration {
        match self.is_over(now) {
            true => MOST,
            false => MOST.saturating_sub(self.excused),
        }
    }

    /// Notes that so much was missing, and excused.
    pub(crate) fn excuse(&mut self, missing: Duration, now: Instant) {
        if missing.is_zero() {
            return;
        }
        if self.is_over(now) {
            (self.excused, self.since) = (Duration::ZERO, Some(now));
        }
        self.excused = self.excused.saturating_add(missing);
    }

    fn is_over(&self, now: Instant) -> bool {
        self.since
            .is_none_or(|since| now.saturating_duration_since(since) >= PERIOD)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_long_pause_is_excused_and_many_are_not() {
        let (mut pauses, start) = (Pauses::default(), Instant::now());
        assert_eq!(pauses.left(start), MOST);
        pauses.excuse(Duration::ZERO, start);
        pauses.excuse(Duration::from_millis(102), start);
        let soon = start + Duration::from_secs(59);
        assert_eq!(pauses.left(soon), Duration::from_millis(48));
        pauses.excuse(Duration::from_millis(100), soon);
        assert_eq!(pauses.left(soon), Duration::ZERO);
        assert_eq!(pauses.left(start + PERIOD), MOST);
    }
}
