//! `visavis ticket`: what a peer needs to find the way to this machine.

use crate::Failure;
use crate::args::TicketArgs;
use crate::output::Output;
use crate::peer;
use serde_json::json;
use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};
use visavis::proto::nat::{CandidateKind, NatKind, gather};
use visavis::{Endpoint, Options, local_addresses};

pub(crate) async fn run(args: TicketArgs, output: &Output) -> Result<(), Failure> {
    let missing = |e: &dyn std::fmt::Display| Failure::Missing(e.to_string());
    let state = peer::state(args.place.state.as_deref())?;
    let fallback_ports = peer::ports_below(args.listen);
    let endpoint =
        Endpoint::start(Options { listen: args.listen, fallback_ports, ..Options::default() }).await?;
    let address = endpoint.local_addr();
    let (mapped, nat) = match args.place.stun.is_empty() {
        true => (Vec::new(), NatKind::Unknown),
        false => {
            let servers = peer::stun_servers(&args.place.stun, address).await?;
            let found = endpoint.classify(servers).await?;
            if found.mapped.is_empty() {
                return Err(Failure::Call(format!(
                    "no answer from the STUN server {}: {}",
                    args.place.stun.join(", "),
                    found.how
                )));
            }
            (found.mapped, found.kind)
        }
    };
    let locals: Vec<SocketAddr> =
        local_addresses(address).into_iter().map(|ip| SocketAddr::new(ip, address.port())).collect();
    let candidates = gather(&locals, &mapped);
    endpoint.shutdown().await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let identity = state.identity().map_err(|e| missing(&e))?.fingerprint().short();
    let ticket = visavis::ticket(&candidates, nat, Some(identity), now + args.valid.as_secs())
        .map_err(|e| Failure::Missing(format!("no ticket can be made: {e}")))?;
    state.keep_ticket(&ticket, address.port()).map_err(|e| missing(&e))?;
    let text = ticket.to_string();
    output.event("ticket", || {
        let candidates: Vec<String> = ticket.candidates.iter().map(ToString::to_string).collect();
        json!({ "ticket": text, "candidates": candidates, "expires": ticket.expires, "nat": ticket.nat.to_string() })
    });
    output.result(&text);
    for candidate in &ticket.candidates {
        output.note(format!("  {candidate}"));
    }
    if !ticket.candidates.iter().any(|c| c.kind == CandidateKind::Mapped) {
        output.note("  (addresses of this machine alone: through a NAT, add --stun SERVER)");
    }
    output.note(format!(
        "  good for {} minutes, one call, from port {}",
        args.valid.as_secs() / 60,
        address.port()
    ));
    Ok(())
}
