//! Time as reports and records carry it: instants of the calendar in UTC, to the microsecond, and durations in nanoseconds.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Nanoseconds, saturating at 584 years.
pub fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

const SECONDS_A_DAY: u64 = 86_400;
const MICROSECONDS: u64 = 1_000_000;

/// A point in time, in microseconds since 1970. In text as RFC 3339 has it: `2026-11-28T16:05:03.000250Z`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(u64);

impl Timestamp {
    /// From seconds since 1970.
    pub const fn from_seconds(seconds: u64) -> Self {
        Self(seconds.saturating_mul(MICROSECONDS))
    }

    /// The time that passed from `earlier` to this.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// For people, to the minute: `2026-11-28 16:05`.
    pub fn minute(self) -> String {
        let [year, month, day, hour, minute, _] = self.civil();
        format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}")
    }

    fn civil(self) -> [u64; 6] {
        let seconds = self.0 / MICROSECONDS;
        let (day, second) = (seconds / SECONDS_A_DAY, seconds % SECONDS_A_DAY);
        let (year, month, day) = date(day);
        [
            year,
            month,
            day,
            second / 3600,
            second / 60 % 60,
            second % 60,
        ]
    }
}

impl From<SystemTime> for Timestamp {
    /// What is before 1970 is 1970.
    fn from(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [year, month, day, hour, minute, second] = self.civil();
        let fraction = self.0 % MICROSECONDS;
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:06}Z"
        )
    }
}

/// A text that is no timestamp.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a time as `2026-11-28T16:05:03.000250Z`")]
pub struct NotATimestamp;

impl FromStr for Timestamp {
    type Err = NotATimestamp;

    /// Reads what [`Display`](fmt::Display) writes, and no other form.
    fn from_str(text: &str) -> Result<Self, NotATimestamp> {
        let digits = |range| {
            let digits: Option<&str> = text.get(range);
            let digits = digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
            digits
                .and_then(|digits| digits.parse().ok())
                .ok_or(NotATimestamp)
        };
        let days = days(digits(0..4)?, digits(5..7)?, digits(8..10)?).ok_or(NotATimestamp)?;
        let second = digits(11..13)? * 3600 + digits(14..16)? * 60 + digits(17..19)?;
        let read = Self((days * SECONDS_A_DAY + second) * MICROSECONDS + digits(20..26)?);
        // What stands between the digits, and days that a month does not have.
        (read.to_string() == text)
            .then_some(read)
            .ok_or(NotATimestamp)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match serializer.is_human_readable() {
            true => serializer.collect_str(self),
            false => self.0.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match deserializer.is_human_readable() {
            true => String::deserialize(deserializer)?
                .parse()
                .map_err(de::Error::custom),
            false => u64::deserialize(deserializer).map(Self),
        }
    }
}

/// Year, month and day of a day since 1970. Source, here and below: Howard Hinnant, "chrono-Compatible Low-Level Date
/// Algorithms", `civil_from_days` and `days_from_civil`, for days that are not negative.
fn date(day: u64) -> (u64, u64, u64) {
    let day = day.saturating_add(719_468);
    let (era, day) = (day / 146_097, day % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    // Months from March on.
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + 400 * era + u64::from(month <= 2), month, day)
}

/// Days since 1970; `None` for what is before, or no month or day.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1..=12).contains(&month) || day == 0 {
        return None;
    }
    let year = if month <= 2 {
        year.checked_sub(1)?
    } else {
        year
    };
    let (era, of_era) = (year / 400, year % 400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    days.checked_sub(719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, expected) in [
            (0, "1970-01-01 00:00"),
            (951_782_399, "2000-02-28 23:59"),
            (951_782_400, "2000-02-29 00:00"),
            (951_868_800, "2000-03-01 00:00"),
            (1_709_208_000, "2024-02-29 12:00"),
            (1_798_761_599, "2026-12-31 23:59"),
            (4_107_542_400, "2100-03-01 00:00"),
        ] {
            let time = Timestamp::from_seconds(seconds);
            assert_eq!(time.minute(), expected);
            assert_eq!(time.to_string().parse(), Ok(time), "{time}");
        }
    }

    #[test]
    fn no_number_of_seconds_is_too_large() {
        assert!(Timestamp(u64::MAX).minute().starts_with("586"));
        assert_eq!(Timestamp::from_seconds(u64::MAX), Timestamp(u64::MAX));
    }

    #[test]
    fn what_is_no_time_is_not_read() {
        for text in [
            "",
            "2026-11-28",
            "2026-11-28T16:05:03Z",
            "2026-02-30T00:00:00.000000Z",
            "2026-13-01T00:00:00.000000Z",
            "1969-12-31T23:59:59.000000Z",
            "2026-11-28T24:00:00.000000Z",
            "2026-11-28T16:05:03.000250+",
            "+026-11-28T16:05:03.000250Z",
        ] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_time_is_text_in_json() {
        let time = Timestamp(1_798_761_599_000_250);
        let json = serde_json::to_string(&time).unwrap();
        assert_eq!(json, "\"2026-12-31T23:59:59.000250Z\"");
        assert_eq!(serde_json::from_str::<Timestamp>(&json).unwrap(), time);
    }
}
