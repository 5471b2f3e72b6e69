//! Times by the wall clock: seconds since the Unix epoch in JSON, dates for people.

use serde::Serializer;
use visavis_proto::Time;

/// The time by the wall clock, seconds since the Unix epoch, rounded to a microsecond.
pub(crate) fn seconds(time: Time) -> f64 {
    (time.unix_nanos() / 1_000) as f64 / 1e6
}

pub(crate) fn time<S: Serializer>(time: &Time, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(seconds(*time))
}

pub(crate) fn option<S: Serializer>(at: &Option<Time>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => time(at, serializer),
        None => serializer.serialize_none(),
    }
}

/// The date and the time of day, UTC: `2026-11-28` and `17:48:19`.
pub(crate) fn date(time: Time) -> [String; 2] {
    let seconds = time.unix_nanos() / 1_000_000_000;
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Days since 0000-03-01 in eras of 400 years, so that a leap day is the last day of its year.
    let shifted = days + 719_468;
    let (era, day) = (shifted / 146_097, shifted % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = era * 400 + year + carry;
    let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
    [format!("{year:04}-{month:02}-{day_of_month:02}"), format!("{hour:02}:{minute:02}:{second:02}")]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        let at = |seconds: u64| date(Time::from_nanos(seconds * 1_000_000_000)).join(" ");
        assert_eq!(at(0), "1970-01-01 00:00:00");
        assert_eq!(at(951_782_400), "2000-02-29 00:00:00");
        assert_eq!(at(1_287_649_371), "2010-10-21 08:22:51");
        assert_eq!(at(4_107_542_399), "2100-02-28 23:59:59");
        assert_eq!(at(4_107_542_400), "2100-03-01 00:00:00");
    }
}
