//! What is typed behind `visavis check`.

use super::duration;
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// Whom to test: sip:user@host:port, or host:port.
    #[arg(required_unless_present = "list")]
    pub(crate) uri: Option<String>,
    /// Run this case alone, or this group of cases; may be given several times.
    #[arg(long = "case", value_name = "NAME")]
    pub(crate) cases: Vec<String>,
    /// Print the cases, each with its section and what is asked for there, and end.
    #[arg(long)]
    pub(crate) list: bool,
    /// Write check.html, check.json, junit.xml and check.pcapng into this directory.
    #[arg(long, value_name = "DIR")]
    pub(crate) report: Option<PathBuf>,
    /// Write every packet to this pcapng file.
    #[arg(long, value_name = "FILE", conflicts_with = "report")]
    pub(crate) capture: Option<PathBuf>,
    /// Print the whole exchange with each case that failed.
    #[arg(long)]
    pub(crate) exchange: bool,
    /// How long a final response may take.
    #[arg(long, default_value = "5s", value_parser = duration)]
    pub(crate) timeout: Duration,
    /// Wait this long for a peer that stopped answering, and that something may start again.
    #[arg(long, default_value = "10s", value_parser = duration)]
    pub(crate) wait: Duration,
    /// Send at most this many messages a second.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=500))]
    pub(crate) rate: u16,
    /// Test a host with a public address: you have its owner's word.
    #[arg(long)]
    pub(crate) i_may_test_this_host: bool,
}
