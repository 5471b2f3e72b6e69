//! `visavis load`.

use super::{ImpairArgs, VerdictArgs, duration, listen, size};
use clap::{Args, ValueEnum};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, Args)]
pub(crate) struct LoadArgs {
    /// Whom to call: sip:user@host:port, or host:port. Loopback and private addresses only.
    pub(crate) uri: String,
    /// Calls that begin in a second: 10, or 10..200 with --ramp.
    #[arg(long, default_value = "10", value_parser = rates, value_name = "R|FROM..TO")]
    pub(crate) rate: Rates,
    /// How long it takes to get from the first rate to the second.
    #[arg(long, value_parser = duration, value_name = "TIME")]
    pub(crate) ramp: Option<Duration>,
    /// How many calls are placed.
    #[arg(long, default_value_t = 100, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub(crate) calls: u64,
    /// How long each call is held, from its ACK to its BYE.
    #[arg(long, default_value = "1s", value_parser = duration, value_name = "TIME")]
    pub(crate) hold: Duration,
    /// What is sent in each call: nothing, sound, or sound and pictures, coded once for all calls.
    #[arg(long, value_enum, default_value_t = LoadMedia::None)]
    pub(crate) media: LoadMedia,
    /// Codecs to offer, in order of preference. Default: what a call offers; without media PCMU alone.
    #[arg(long, value_delimiter = ',', value_name = "LIST")]
    pub(crate) codecs: Vec<String>,
    /// Size of the test pattern.
    #[arg(long, default_value = "640x480", value_parser = size)]
    pub(crate) size: (u32, u32),
    /// Pictures a second of the test pattern.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=60))]
    pub(crate) fps: u32,
    /// Bits a second for pictures, thousands.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(32..=50_000))]
    pub(crate) video_kbps: u32,
    /// Decode and judge every N-th call; 0: none.
    #[arg(long, default_value_t = 20, value_name = "N")]
    pub(crate) sample: u64,
    #[command(flatten)]
    pub(crate) verdict: VerdictArgs,
    #[command(flatten)]
    pub(crate) impair: ImpairArgs,
    /// How many calls may fail, or be judged bad, before the whole is bad (exit code 1).
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub(crate) max_failures: u64,
    /// Give a call up that was not answered after this long.
    #[arg(long, default_value = "32s", value_parser = duration, value_name = "TIME")]
    pub(crate) setup_timeout: Duration,
    /// Begin no call after this long, and end those that are up.
    #[arg(long, default_value = "10m", value_parser = duration, value_name = "TIME")]
    pub(crate) time_limit: Duration,
    /// Threads to call from, each with a socket of its own.
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=256))]
    pub(crate) workers: u64,
    /// The UDP address to call from. Default: a free port of the address that reaches the peer.
    #[arg(long, value_parser = listen)]
    pub(crate) listen: Option<SocketAddr>,
    /// Write a line for each second (in a search: for each step) into this file.
    #[arg(long, value_name = "FILE")]
    pub(crate) csv: Option<PathBuf>,
    /// Write a line for each call into this file.
    #[arg(long, value_name = "FILE", conflicts_with = "search")]
    pub(crate) calls_csv: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) search: SearchArgs,
    /// The host has a public address, and whoever runs it agrees to be loaded.
    #[arg(long)]
    pub(crate) i_may_load_this_host: bool,
}

/// The search for the highest clean rate.
#[derive(Debug, Args)]
pub(crate) struct SearchArgs {
    /// Find the highest rate that is clean, between these two: double until a step fails, then halve the gap.
    #[arg(long, num_args = 0..=1, default_missing_value = "10..10000", value_parser = rates,
          value_name = "LOW..HIGH", conflicts_with_all = ["rate", "ramp", "calls"])]
    pub(crate) search: Option<Rates>,
    /// How long calls begin in a step of the search.
    #[arg(long, default_value = "5s", value_parser = duration, value_name = "TIME", requires = "search")]
    pub(crate) step: Duration,
    /// How near to come to the highest clean rate, per cent of it.
    #[arg(long, default_value_t = 5.0, value_name = "PERCENT", requires = "search")]
    pub(crate) precision: f64,
    /// A rate that fails is tried again until it has failed this often in a row.
    #[arg(long, default_value_t = 2, value_name = "N", requires = "search", value_parser = clap::value_parser!(u32).range(1..=10))]
    pub(crate) tries: u32,
    /// The least share of calls that succeed in a clean step, per cent.
    #[arg(long, default_value_t = 99.9, value_name = "PERCENT", requires = "search")]
    pub(crate) clean_success: f64,
    /// The most SIP messages sent again in a clean step, per cent of its calls.
    #[arg(long, default_value_t = 0.1, value_name = "PERCENT", requires = "search")]
    pub(crate) clean_retransmissions: f64,
}

/// What is sent in the calls of a load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LoadMedia {
    /// Signalling alone.
    None,
    /// Sound.
    Audio,
    /// Sound and pictures.
    Video,
}

/// One rate, or two.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rates {
    pub(crate) from: f64,
    pub(crate) to: f64,
}

/// The highest rate that is taken, calls a second.
const MOST: f64 = 100_000.0;

fn rates(text: &str) -> Result<Rates, String> {
    let number = |text: &str| {
        let rate: f64 = text.trim().parse().map_err(|_| format!("{text} is no rate; try 10, or 10..200"))?;
        if rate > 0.0 && rate <= MOST {
            Ok(rate)
        } else {
            Err(format!("{text} is out of range: above 0, to {MOST}"))
        }
    };
    match text.split_once("..") {
        Some((from, to)) => Ok(Rates { from: number(from)?, to: number(to)? }),
        None => number(text).map(|rate| Rates { from: rate, to: rate }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_one_or_two_numbers_above_nothing() {
        assert_eq!(rates("10"), Ok(Rates { from: 10.0, to: 10.0 }));
        assert_eq!(rates("0.5..200"), Ok(Rates { from: 0.5, to: 200.0 }));
        for bad in ["0", "-1", "x", "1..", "..5", "1..0", "nan", "inf", "1e9"] {
            assert!(rates(bad).is_err(), "{bad}");
        }
    }
}
