//! What time it is.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

/// The clock that budgets fill by: the machine's, or a test's.
///
/// It is asked while the file is locked, so that the times that processes write come in the order in which they write them,
/// however long each of them was stopped before.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The time of the wall clock.
    fn now(&self) -> SystemTime;
}

/// The machine's wall clock, which all processes and boots share.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}

/// Nanoseconds since 1970, as the file has them. What is before that is 1970, what is after 2262 is then.
pub(crate) fn nanoseconds(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn what_the_file_cannot_have_is_the_nearest_that_it_can() {
        assert_eq!(nanoseconds(UNIX_EPOCH - Duration::from_secs(1)), 0);
        assert_eq!(nanoseconds(UNIX_EPOCH + Duration::from_nanos(7)), 7);
        let late = UNIX_EPOCH + Duration::from_secs(1 << 40);
        assert_eq!(nanoseconds(late), i64::MAX);
    }
}
