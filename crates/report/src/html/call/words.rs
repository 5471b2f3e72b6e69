//! Numbers and times for people.

use crate::html::{Html, or_unknown};
use std::net::SocketAddr;
use visavis_proto::Time;

/// A figure with so many digits behind the point and its unit, or `unknown`.
pub(super) fn figure(value: Option<f64>, digits: usize, unit: &str) -> Html {
    or_unknown(value.map(|v| format!("{} {unit}", number(v, digits)).trim_end().to_owned()))
}

/// A share from 0 to 1 in per cent, or `unknown`.
pub(super) fn percent(share: Option<f64>) -> Html {
    figure(share.map(|s| s * 100.0), 1, "%")
}

/// A number; of a large one the thousands are set apart.
pub(super) fn number(value: f64, digits: usize) -> String {
    let plain = format!("{value:.digits$}");
    // Nothing below zero is left of what was rounded to it.
    let plain =
        if plain.contains(|c: char| ('1'..='9').contains(&c)) { plain } else { plain.replace('-', "") };
    let (sign, plain) = plain.strip_prefix('-').map_or(("", plain.as_str()), |rest| ("−", rest));
    let (whole, rest) = plain.split_at(plain.find('.').unwrap_or(plain.len()));
    if whole.len() < 5 {
        return format!("{sign}{whole}{rest}");
    }
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            grouped.push('\u{202f}');
        }
        grouped.push(digit);
    }
    format!("{sign}{grouped}{rest}")
}

/// A count.
pub(super) fn count(value: u64) -> String {
    number(value as f64, 0)
}

/// Seconds between two times by the wall clock; negative where the second one is earlier.
pub(super) fn seconds(from: Time, to: Time) -> f64 {
    (i128::from(to.unix_nanos()) - i128::from(from.unix_nanos())) as f64 / 1e9
}

/// The same as it stands at an event: `+0.006 s`.
pub(super) fn offset(from: Time, to: Time) -> String {
    let seconds = seconds(from, to);
    let sign = if seconds < 0.0 { "−" } else { "+" };
    format!("{sign}{:.3} s", seconds.abs())
}

/// A date and time of day: `2026-11-28 17:48:19 UTC`.
pub(super) fn date(time: Time) -> String {
    let [day, clock] = crate::unix::date(time);
    format!("{day} {clock} UTC")
}

/// An address, or `unknown`.
pub(super) fn address(address: Option<SocketAddr>) -> Html {
    or_unknown(address.map(|a| a.to_string()))
}

/// A text with what is too long taken out of its middle.
pub(super) fn shortened(text: &str, most: usize) -> String {
    let length = text.chars().count();
    if length <= most {
        return text.to_owned();
    }
    let half = most.saturating_sub(1) / 2;
    let head: String = text.chars().take(most.saturating_sub(1) - half).collect();
    let tail: String = text.chars().skip(length - half).collect();
    format!("{head}…{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well_and_long_texts_lose_their_middle() {
        assert_eq!(number(-1_234_567.25, 1), "−1\u{202f}234\u{202f}567.2");
        assert_eq!((number(-0.04, 1), number(-0.05, 1)), ("0.0".into(), "−0.1".into()));
        assert_eq!((number(1_234.0, 0), number(0.05, 1)), ("1234".into(), "0.1".into()));
        assert_eq!(shortened("0123456789", 5), "01…89");
        assert_eq!(shortened("short", 5), "short");
        let (a, b) = (Time::from_millis(1_000), Time::from_millis(994));
        assert_eq!((offset(a, b), offset(b, a)), ("−0.006 s".into(), "+0.006 s".into()));
    }
}
