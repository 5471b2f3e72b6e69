//! An impairment as it is written.

use super::{Impairment, Profile};
use crate::link::{Jitter, Loss};
use std::fmt;
use std::time::Duration;

impl fmt::Display for Impairment {
    /// In a form that reads as the same impairment.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, line) in self.lines.iter().enumerate() {
            let before = if index > 0 { ";" } else { "" };
            write!(f, "{before}{}", line.way.as_str())?;
            if let Some(traffic) = line.traffic {
                write!(f, ".{}", traffic.as_str())?;
            }
            write!(f, ":{}", options(&line.profile).join(","))?;
        }
        Ok(())
    }
}

fn options(profile: &Profile) -> Vec<String> {
    let mut options = Vec::new();
    let link = &profile.link;
    match link.loss {
        Loss::None => {}
        Loss::Independent(share) => options.push(format!("loss={}", percent(share))),
        Loss::GilbertElliott { to_good, .. } => {
            options.push(format!("loss={}", percent(link.loss.mean())));
            options.push(format!("burst={}", tidy(1.0 / to_good)));
        }
    }
    match link.jitter {
        Jitter::None if link.delay.is_zero() => {}
        Jitter::None => options.push(format!("delay={}", time(link.delay))),
        Jitter::Uniform(most) => {
            let (middle, by) = (link.delay + most / 2, most / 2);
            options.push(format!("delay={}±{}", time(middle), time(by)));
        }
        Jitter::Normal(deviation) => {
            options.push(format!("delay={}", time(link.delay)));
            options.push(format!("jitter={}", time(deviation)));
        }
    }
    if link.reorder.probability > 0.0 {
        options.push(format!("reorder={}/{}", percent(link.reorder.probability), time(link.reorder.by)));
    }
    if link.duplicate > 0.0 {
        options.push(format!("duplicate={}", percent(link.duplicate)));
    }
    if let Some(rate) = link.rate {
        options.push(format!("rate={}", bits(rate.bits_per_second)));
        options.push(format!("queue={}", time(rate.queue)));
    }
    options.extend(profile.outages.iter().map(|o| format!("outage={}+{}", time(o.after), time(o.length))));
    if options.is_empty() {
        // A line that does nothing: of its own, and so kept from the one for everything.
        options.push("loss=0%".into());
    }
    options
}

fn percent(share: f64) -> String {
    format!("{}%", tidy(share * 100.0))
}

/// Without the last bits that arithmetic leaves.
fn tidy(value: f64) -> f64 {
    (value * 1e9).round() / 1e9
}

fn time(time: Duration) -> String {
    match time.as_nanos() {
        nanos if nanos.is_multiple_of(1_000_000) => format!("{}ms", nanos / 1_000_000),
        nanos if nanos.is_multiple_of(1_000) => format!("{}us", nanos / 1_000),
        nanos => format!("{nanos}ns"),
    }
}

fn bits(rate: u64) -> String {
    match rate {
        rate if rate.is_multiple_of(1_000_000) => format!("{}mbit", rate / 1_000_000),
        rate if rate.is_multiple_of(1_000) => format!("{}kbit", rate / 1_000),
        rate => format!("{rate}bit"),
    }
}
