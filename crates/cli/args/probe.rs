//! What is typed for `visavis probe`.

use super::{PlaceArgs, duration, listen};
use clap::Args;
use std::net::SocketAddr;
use std::time::Duration;

#[derive(Debug, Args)]
pub(crate) struct ProbeArgs {
    /// Whom to ask (OPTIONS): sip:user@host:port, or host:port.
    #[arg(required_unless_present = "nat")]
    pub(crate) uri: Option<String>,
    /// Tell how the NAT in front of this machine maps and filters (RFC 4787); needs --stun.
    #[arg(long, requires = "stun")]
    pub(crate) nat: bool,
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
    /// The UDP address to ask from: address:port, an address, or :port.
    #[arg(long, default_value = "0.0.0.0:16402", value_parser = listen)]
    pub(crate) listen: SocketAddr,
    /// Measure the round trip by this many requests.
    #[arg(long, default_value_t = 5, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) count: u32,
    /// How long an answer may take, seconds (or 500ms, 2m).
    #[arg(long, default_value = "2s", value_parser = duration)]
    pub(crate) timeout: Duration,
    /// The largest request to try for the path MTU, octets; 0: do not try.
    #[arg(long, default_value_t = 65_507, value_name = "OCTETS", value_parser = clap::value_parser!(u32).range(0..=65_507))]
    pub(crate) largest: u32,
}
