//! Units: how values are written and read.

use std::fmt::Write;

/// What a metric's values are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unit {
    /// A number of things.
    Count,
    /// A part of a whole, 0 to 1; written in per cent.
    Share,
    /// Milliseconds.
    Milliseconds,
    /// Seconds.
    Seconds,
    /// Decibels.
    Decibels,
    /// Decibels of a full-scale sine.
    FullScale,
    /// Hertz.
    Hertz,
    /// Pictures or anything else a second.
    PerSecond,
    /// Bits a second.
    BitRate,
}

impl Unit {
    /// What is written behind a value; nothing for counts.
    pub fn symbol(self) -> &'static str {
        match self {
            Unit::Count => "",
            Unit::Share => "%",
            Unit::Milliseconds => "ms",
            Unit::Seconds => "s",
            Unit::Decibels => "dB",
            Unit::FullScale => "dBFS",
            Unit::Hertz => "Hz",
            Unit::PerSecond => "/s",
            Unit::BitRate => "bit/s",
        }
    }

    /// What values of this unit may be written in, with the factor to the unit itself. The first is the default.
    fn accepted(self) -> &'static [(&'static str, f64)] {
        match self {
            Unit::Count => &[("", 1.0)],
            Unit::Share => &[("", 1.0), ("%", 0.01)],
            Unit::Milliseconds => &[("ms", 1.0), ("s", 1e3), ("us", 1e-3)],
            Unit::Seconds => &[("s", 1.0), ("ms", 1e-3), ("min", 60.0)],
            Unit::Decibels => &[("dB", 1.0)],
            Unit::FullScale => &[("dBFS", 1.0), ("dB", 1.0)],
            Unit::Hertz => &[("Hz", 1.0), ("kHz", 1e3)],
            Unit::PerSecond => &[("/s", 1.0), ("fps", 1.0), ("Hz", 1.0)],
            Unit::BitRate => {
                &[("bit/s", 1.0), ("kbit/s", 1e3), ("mbit/s", 1e6), ("kbit", 1e3), ("mbit", 1e6)]
            }
        }
    }

    /// A value for people: `0.4 %`, `30 dB`, `17`.
    pub fn write(self, value: f64) -> String {
        let shown = if self == Unit::Share { value * 100.0 } else { value };
        // Enough digits to tell a value from the threshold it is laid at, and none that say nothing.
        let digits = match shown.abs() {
            v if v >= 100.0 => 1,
            v if v >= 1.0 => 2,
            _ => 3,
        };
        let mut text = format!("{shown:.digits$}");
        if text.contains('.') {
            text.truncate(text.trim_end_matches('0').trim_end_matches('.').len());
        }
        if text == "-0" {
            text.remove(0);
        }
        if !self.symbol().is_empty() {
            // Writing to a string does not fail.
            let _ = write!(text, " {}", self.symbol());
        }
        text
    }

    /// Reads `30`, `30dB`, `1 %`: the value in this unit, and half of its last digit written. The error says what
    /// would be right.
    pub(crate) fn read(self, text: &str) -> Result<(f64, f64), String> {
        let text = text.trim();
        let numeric = |c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | '+');
        let end = text.find(|c| !numeric(c)).unwrap_or(text.len());
        let (number, unit) = text.split_at(end);
        let value: f64 = number.parse().map_err(|_| format!("{text} is no number{}", self.example()))?;
        let unit = unit.trim();
        let accepted = self.accepted();
        let factor = match unit {
            "" => accepted.first().map(|(_, factor)| *factor),
            unit => accepted.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)).map(|(_, f)| *f),
        };
        let Some(factor) = factor else {
            let names: Vec<&str> = accepted.iter().map(|(name, _)| *name).filter(|n| !n.is_empty()).collect();
            return Err(match names.is_empty() {
                true => format!("{unit} is no unit of a count: it has none"),
                false => format!("{unit} is no unit for this; use {}", names.join(", ")),
            });
        };
        if self == Unit::Share && unit.is_empty() && value > 1.0 {
            return Err(format!("{text} is more than everything: write {text}%, or a share of 0 to 1"));
        }
        let decimals = number.split_once('.').map_or(0, |(_, decimals)| decimals.len());
        let half = 0.5 * 10f64.powi(-i32::try_from(decimals).unwrap_or(9));
        Ok((value * factor, half * factor))
    }

    fn example(self) -> String {
        match self.symbol() {
            "" => ", for instance 5".into(),
            symbol => format!(", for instance 5{symbol}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_read_in_the_units_that_people_write() {
        let read = |unit: Unit, text: &str| unit.read(text).map(|(value, _)| value);
        assert_eq!(read(Unit::Share, "1%"), Ok(0.01));
        assert_eq!(read(Unit::Share, "0.05"), Ok(0.05));
        assert_eq!(read(Unit::Milliseconds, "1.5 s"), Ok(1500.0));
        assert_eq!(read(Unit::Decibels, "30db"), Ok(30.0));
        assert_eq!(read(Unit::BitRate, "2mbit"), Ok(2e6));
        assert_eq!(read(Unit::FullScale, "-18"), Ok(-18.0));
        assert!(read(Unit::Share, "5").unwrap_err().contains("5%"));
        assert!(read(Unit::Hertz, "5 dB").unwrap_err().contains("use Hz, kHz"));
        assert!(read(Unit::Count, "many").unwrap_err().contains("no number"));
    }

    #[test]
    fn values_are_written_short() {
        assert_eq!(Unit::Share.write(0.0042), "0.42 %");
        assert_eq!(Unit::Share.write(1.0), "100 %");
        assert_eq!(Unit::Milliseconds.write(1000.0), "1000 ms");
        assert_eq!(Unit::Decibels.write(30.25), "30.25 dB");
        assert_eq!(Unit::Count.write(17.0), "17");
        assert_eq!(Unit::Milliseconds.write(-0.0001), "0 ms");
    }
}
