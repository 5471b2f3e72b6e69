//! Reads what people write.

use super::{Impairment, Line, Outage, Profile, Traffic, Way};
use crate::link::{Jitter, Loss, Rate, Reorder};
use std::str::FromStr;
use std::time::Duration;

/// How much later a datagram comes that is held back, where nothing else is said.
const REORDER_BY: Duration = Duration::from_millis(20);
/// The longest wait before a bottleneck, where nothing else is said.
const QUEUE: Duration = Duration::from_millis(200);
/// No line is longer, and no outage.
const LONGEST: Duration = Duration::from_secs(3_600);

const OPTIONS: &str = "loss, burst, delay, jitter, reorder, duplicate, rate, queue, outage";

/// An impairment that cannot be read: which word is wrong, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImpairmentError(String);

impl std::fmt::Display for ImpairmentError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ImpairmentError {}

fn error<T>(text: impl Into<String>) -> Result<T, ImpairmentError> {
    Err(ImpairmentError(text.into()))
}

impl FromStr for Impairment {
    type Err = ImpairmentError;

    /// Reads `WAY[.KIND]:OPTION=VALUE,...;...`: `WAY` is `up`, `down` or `both`; `KIND` is `audio`, `video`, `rtp`,
    /// `rtcp`, `sip` or `stun`. The options are in `docs/guides/impairment.md`.
    fn from_str(text: &str) -> Result<Self, ImpairmentError> {
        let mut lines: Vec<Line> = Vec::new();
        for part in text.split(';').map(str::trim).filter(|part| !part.is_empty()) {
            let Some((name, options)) = part.split_once(':') else {
                return error(format!("{part}: write which way, a colon and what happens, as up:loss=2%"));
            };
            let (ways, traffic) = line(name.trim())?;
            let profile = profile(options)?;
            for way in ways {
                if lines.iter().any(|known| (known.way, known.traffic) == (*way, traffic)) {
                    return error(format!("{}: there is a line for it already; join the two", name.trim()));
                }
                lines.push(Line { way: *way, traffic, profile: profile.clone() });
            }
        }
        if lines.is_empty() {
            return error("nothing is impaired; write for instance up:loss=2%,delay=40ms");
        }
        Ok(Impairment { lines })
    }
}

fn line(name: &str) -> Result<(&'static [Way], Option<Traffic>), ImpairmentError> {
    let (way, kind) = name.split_once('.').map_or((name, None), |(way, kind)| (way, Some(kind)));
    let ways: &[Way] = match way {
        "up" => &[Way::Up],
        "down" => &[Way::Down],
        "both" => &Way::BOTH,
        _ => {
            return error(format!(
                "{way} is no way to go: use up (what this end sends), down (what it receives) or both"
            ));
        }
    };
    let Some(kind) = kind else { return Ok((ways, None)) };
    let named = Traffic::ALL.into_iter().find(|t| *t != Traffic::Other && t.as_str() == kind);
    match named {
        Some(traffic) => Ok((ways, Some(traffic))),
        None => error(format!("{name}: {kind} is no kind; use audio, video, rtp, rtcp, sip or stun")),
    }
}

/// The options of a line before they are put together.
#[derive(Default)]
struct Options<'a> {
    given: Vec<(&'a str, &'a str)>,
}

impl<'a> Options<'a> {
    fn get(&self, name: &str) -> Option<&'a str> {
        self.given.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }
}

fn profile(text: &str) -> Result<Profile, ImpairmentError> {
    let mut options = Options::default();
    for option in text.split(',').map(str::trim).filter(|option| !option.is_empty()) {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        let (name, value) = (name.trim(), value.trim());
        if !OPTIONS.split(", ").any(|known| known == name) {
            return error(format!("{name} is no impairment; use {OPTIONS}"));
        }
        if value.is_empty() {
            return error(format!("{name} needs a value: {}", example(name)));
        }
        if name != "outage" && options.get(name).is_some() {
            return error(format!("{name} stands twice in {text}"));
        }
        options.given.push((name, value));
    }
    if options.given.is_empty() {
        return error(format!("nothing happens behind the colon; use {OPTIONS}"));
    }
    let mut profile = Profile::default();
    profile.link.loss = loss(&options)?;
    (profile.link.delay, profile.link.jitter) = delay(&options)?;
    if let Some(value) = options.get("reorder") {
        let (part, by) = value.split_once('/').map_or((value, None), |(part, by)| (part, Some(by)));
        let by = by.map(|by| time("reorder", by)).transpose()?.unwrap_or(REORDER_BY);
        profile.link.reorder = Reorder { probability: share("reorder", part)?, by };
    }
    if let Some(value) = options.get("duplicate") {
        profile.link.duplicate = share("duplicate", value)?;
    }
    let queue = options.get("queue").map(|value| time("queue", value)).transpose()?;
    profile.link.rate = match (options.get("rate"), queue) {
        (Some(value), queue) => Some(Rate { bits_per_second: rate(value)?, queue: queue.unwrap_or(QUEUE) }),
        (None, Some(_)) => return error("queue goes with a rate: rate=1mbit,queue=200ms"),
        (None, None) => None,
    };
    for (_, value) in options.given.iter().filter(|(name, _)| *name == "outage") {
        let Some((after, length)) = value.split_once('+') else {
            return error(format!("outage={value}: write when and how long: {}", example("outage")));
        };
        profile.outages.push(Outage { after: time("outage", after)?, length: time("outage", length)? });
    }
    Ok(profile)
}

fn loss(options: &Options<'_>) -> Result<Loss, ImpairmentError> {
    let part = options.get("loss").map(|value| share("loss", value)).transpose()?;
    let burst = options.get("burst").map(number).transpose()?;
    match (part, burst) {
        (None, None) => Ok(Loss::None),
        (None, Some(_)) => error("burst goes with a loss: loss=2%,burst=5"),
        (Some(part), None) => Ok(if part > 0.0 { Loss::Independent(part) } else { Loss::None }),
        (Some(_), Some(burst)) if !(1.0..=1e6).contains(&burst) => {
            error(format!("burst={burst}: bursts are of 1 datagram or more on average"))
        }
        // Between two bursts at least one datagram gets through.
        (Some(part), Some(burst)) if part >= 1.0 || part / (1.0 - part) > burst => {
            error(format!("loss={}% in bursts of {burst} cannot be: make the bursts longer", part * 100.0))
        }
        (Some(0.0), Some(_)) => Ok(Loss::None),
        (Some(part), Some(burst)) => Ok(Loss::bursts(part, burst)),
    }
}

fn delay(options: &Options<'_>) -> Result<(Duration, Jitter), ImpairmentError> {
    let value = options.get("delay").unwrap_or("0ms");
    let jitter = options.get("jitter").map(|value| time("jitter", value)).transpose()?;
    let spread = value.split_once('±').or_else(|| value.split_once("+-"));
    match (spread, jitter) {
        (Some(_), Some(_)) => {
            error(format!("delay={value} varies already: leave out jitter, or what is behind ±"))
        }
        (Some((middle, by)), None) => {
            let (delay, by) = (time("delay", middle)?, time("delay", by)?);
            match delay.checked_sub(by) {
                Some(least) => Ok((least, Jitter::Uniform(by * 2))),
                None => error(format!("delay={value}: a delay cannot fall below zero")),
            }
        }
        (None, Some(deviation)) => Ok((time("delay", value)?, Jitter::Normal(deviation))),
        (None, None) => Ok((time("delay", value)?, Jitter::None)),
    }
}

fn number(text: &str) -> Result<f64, ImpairmentError> {
    let number = text.trim().parse().ok().filter(|n: &f64| n.is_finite());
    number.map_or_else(|| error(format!("{text} is no number")), Ok)
}

/// A number and its unit.
fn split(text: &str) -> (&str, &str) {
    let text = text.trim();
    let unit = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(unit);
    (number, unit.trim())
}

fn share(name: &str, text: &str) -> Result<f64, ImpairmentError> {
    let part = text.trim().strip_suffix('%').map(|number| number.trim().parse::<f64>());
    match part {
        Some(Ok(percent)) if (0.0..=100.0).contains(&percent) => Ok(percent / 100.0),
        Some(Ok(_)) => error(format!("{name}={text}: write a share from 0% to 100%")),
        _ => error(format!("{name}={text} is no share of the datagrams: {}", example(name))),
    }
}

fn time(name: &str, text: &str) -> Result<Duration, ImpairmentError> {
    let (number, unit) = split(text);
    let nanos = match unit {
        "ns" => 1.0,
        "us" | "µs" => 1e3,
        "ms" => 1e6,
        "s" => 1e9,
        "" if !number.is_empty() => return error(format!("{name}={text} needs a unit: us, ms or s")),
        _ => return error(format!("{name}={text} is no time: {}", example(name))),
    };
    let Ok(value) = number.parse::<f64>() else {
        return error(format!("{name}={text} is no time: {}", example(name)));
    };
    let time = Duration::from_nanos((value * nanos).round() as u64);
    if time > LONGEST { error(format!("{name}={text} is longer than an hour")) } else { Ok(time) }
}

fn rate(text: &str) -> Result<u64, ImpairmentError> {
    let (number, unit) = split(text);
    let bits = match unit {
        "bit" => 1.0,
        "kbit" => 1e3,
        "mbit" => 1e6,
        "gbit" => 1e9,
        _ => return error(format!("rate={text} is no rate: {}", example("rate"))),
    };
    let rate = number.parse::<f64>().map(|value| (value * bits).round());
    match rate {
        Ok(rate) if (1_000.0..=1e12).contains(&rate) => Ok(rate as u64),
        Ok(_) => error(format!("rate={text}: write a rate from 1kbit to 1000gbit")),
        Err(_) => error(format!("rate={text} is no rate: {}", example("rate"))),
    }
}

fn example(name: &str) -> &'static str {
    match name {
        "loss" => "write loss=2%",
        "burst" => "write burst=5, for losses of five in a row on average",
        "delay" => "write delay=40ms, or delay=40ms±10ms (in ASCII 40ms+-10ms)",
        "jitter" => "write jitter=5ms",
        "reorder" => "write reorder=1%, or reorder=1%/30ms for how much later",
        "duplicate" => "write duplicate=1%",
        "rate" => "write rate=500kbit or rate=1mbit",
        "queue" => "write queue=200ms",
        _ => "write outage=2s+500ms, for half a second two seconds after the first datagram",
    }
}
