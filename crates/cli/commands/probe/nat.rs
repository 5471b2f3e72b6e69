//! `visavis probe --nat`: what the network around this machine lets through.

use crate::Failure;
use crate::args::ProbeArgs;
use crate::output::Output;
use crate::peer;
use serde_json::json;
use visavis::proto::nat::{Classification, NatKind};
use visavis::{Endpoint, Options};

pub(super) async fn run(args: &ProbeArgs, output: &Output) -> Result<(), Failure> {
    let fallback_ports = peer::ports_below(args.listen);
    let endpoint =
        Endpoint::start(Options { listen: args.listen, fallback_ports, ..Options::default() }).await?;
    let servers = peer::stun_servers(&args.place.stun, endpoint.local_addr()).await?;
    let found = endpoint.classify(servers).await?;
    endpoint.shutdown().await;
    let mapped: Vec<String> = found.mapped.iter().map(ToString::to_string).collect();
    output.event("nat", || {
        json!({
            "kind": found.kind.to_string(), "mapping": found.mapping.to_string(), "filtering": found.filtering.to_string(),
            "hairpin": found.hairpin, "preserves_port": found.preserves_port, "mapped": mapped, "how": found.how,
        })
    });
    say(output, &found, &mapped);
    if mapped.is_empty() { Err(Failure::Bad) } else { Ok(()) }
}

fn say(output: &Output, found: &Classification, mapped: &[String]) {
    let yes = |known: Option<bool>| match known {
        Some(true) => "yes",
        Some(false) => "no",
        None => "unknown",
    };
    let seen = if mapped.is_empty() { "unknown".to_owned() } else { mapped.join(", ") };
    for (name, value) in [
        ("seen from outside as", seen.as_str()),
        ("kind", &found.kind.to_string()),
        ("mapping (RFC 4787)", &found.mapping.to_string()),
        ("filtering (RFC 4787)", &found.filtering.to_string()),
        ("keeps the port", yes(found.preserves_port)),
        ("hairpinning", yes(found.hairpin)),
        ("how it was found", &found.how),
    ] {
        output.say(format!("  {name:22} {value}"));
    }
    output.say(format!("  {:22} {}", "what it means", meaning(found.kind)));
}

fn meaning(kind: NatKind) -> &'static str {
    match kind {
        NatKind::Open => "peers reach this machine as it is",
        NatKind::FullCone => "any peer can be met",
        NatKind::AddressRestricted => {
            "any peer can be met, with signed checks even one behind a symmetric NAT"
        }
        NatKind::PortRestricted => "peers can be met, but for those behind a symmetric NAT",
        NatKind::Symmetric => "only peers whose NAT filters by address at the most can be met",
        NatKind::Blocked => "UDP does not get out: nobody can be met",
        NatKind::Unknown => "not enough was learnt to tell",
    }
}
