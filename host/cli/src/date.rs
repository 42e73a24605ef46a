//! Dates as people read them.

const SECONDS_A_DAY: u64 = 86_400;

/// A point in time, in seconds since 1970, to the minute, in UTC: `2026-11-28 16:05`.
pub(crate) fn minute(since_1970: u64) -> String {
    let (day, second) = (since_1970 / SECONDS_A_DAY, since_1970 % SECONDS_A_DAY);
    let (year, month, day) = civil(day);
    let (hour, minute) = (second / 3600, second / 60 % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}")
}

/// Year, month and day of a day since 1970. Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms",
/// `civil_from_days`, for days that are not negative.
fn civil(day: u64) -> (u64, u64, u64) {
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
            assert_eq!(minute(seconds), expected);
        }
    }

    #[test]
    fn no_number_of_seconds_is_too_large() {
        assert!(minute(u64::MAX).starts_with("584"));
    }
}
