//! Figures in words, and lines that fit.

use std::net::SocketAddr;
use std::time::Duration;
use visavis::proto::Time;

/// Joins parts with commas into lines of at most `width` columns, all but the first of them indented by `indent`.
/// A part that is longer is cut between words.
pub(super) fn wrap(first: &str, indent: usize, width: usize, parts: &[String]) -> Vec<String> {
    let mut lines = vec![first.to_owned()];
    let mut is_fresh = true;
    for (index, part) in parts.iter().enumerate() {
        let comma = if index + 1 < parts.len() { "," } else { "" };
        let words: Vec<&str> = part.split(' ').collect();
        let length = part.chars().count() + comma.len();
        let fits_a_line = length + indent <= width;
        for (at, word) in words.iter().enumerate() {
            let word = if at + 1 == words.len() { format!("{word}{comma}") } else { (*word).to_owned() };
            let Some(line) = lines.last_mut() else { continue };
            // A part that fits into a line stays together.
            let needed = if at == 0 && fits_a_line { length } else { word.chars().count() };
            let full = line.chars().count() + 1 + needed > width;
            if full && !is_fresh {
                lines.push(format!("{}{word}", " ".repeat(indent)));
            } else {
                if !is_fresh {
                    line.push(' ');
                }
                line.push_str(&word);
            }
            is_fresh = false;
        }
    }
    lines
}

/// A text of at most so many columns.
pub(super) fn cut(text: &str, columns: usize) -> String {
    if text.chars().count() <= columns {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(columns.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

/// An address, or `unknown`.
pub(super) fn address(address: Option<SocketAddr>) -> String {
    address.map_or_else(|| "unknown".into(), |address| address.to_string())
}

/// A span of time as people say it.
pub(super) fn span(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds < 1.0 {
        format!("{:.1} ms", seconds * 1_000.0)
    } else if seconds < 120.0 {
        format!("{seconds:.1} s")
    } else {
        format!("{}:{:02} min", duration.as_secs() / 60, duration.as_secs() % 60)
    }
}

/// A number of octets.
pub(super) fn octets(count: u64) -> String {
    let count = count as f64;
    match count {
        ..1e4 => format!("{count} octets"),
        ..1e6 => format!("{:.1} kB", count / 1e3),
        ..1e9 => format!("{:.1} MB", count / 1e6),
        _ => format!("{:.2} GB", count / 1e9),
    }
}

/// Bits a second.
pub(super) fn bit_rate(rate: f64) -> String {
    if rate < 1e6 { format!("{:.1} kbit/s", rate / 1e3) } else { format!("{:.2} Mbit/s", rate / 1e6) }
}

/// `1 packet`, `2 packets`.
pub(super) fn some(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// A point of time in UTC: `2026-11-28 17:00:00.000`.
pub(super) fn date(time: Time) -> String {
    let nanos = time.unix_nanos();
    let seconds = nanos / 1_000_000_000;
    let (days, of_day) = (seconds / 86_400, seconds % 86_400);
    // Days since 1970 to a date, by eras of 400 years that begin in March.
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!(
        "{year}-{month:02}-{day:02} {:02}:{:02}:{:02}.{:03}",
        of_day / 3_600,
        of_day / 60 % 60,
        of_day % 60,
        nanos / 1_000_000 % 1_000
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_wrapped_between_them_and_long_ones_between_words() {
        let parts = ["one two".to_owned(), "three".to_owned(), "four five six".to_owned()];
        assert_eq!(wrap("  ", 2, 20, &parts), ["  one two, three,", "  four five six"]);
        assert_eq!(wrap("", 1, 8, &["aa bb cc dd ee".to_owned()]), ["aa bb cc", " dd ee"]);
        assert_eq!(cut("abcdef", 4), "abc…");
    }

    #[test]
    fn dates_and_sizes_read_as_people_write_them() {
        assert_eq!(date(Time::from_millis(1_287_649_371_500)), "2010-10-21 08:22:51.500");
        assert_eq!(date(Time::from_millis(951_782_400_000)), "2000-02-29 00:00:00.000");
        assert_eq!(octets(523_000_000), "523.0 MB");
        assert_eq!(span(Duration::from_millis(146)), "146.0 ms");
        assert_eq!(some(1, "packet"), "1 packet");
    }
}
