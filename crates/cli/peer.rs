//! The other end of a call that is named by ticket, and what this machine keeps for such calls.

use crate::Failure;
use crate::args::{FacetimeArgs, MediaArgs, PeerArgs, Profile, Ske};
use bytes::Bytes;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use visavis::proto::agent::{Admission, Config};
use visavis::proto::nat::Ticket;
use visavis::proto::sdp::Dialect;
use visavis::proto::ske::{Fingerprint, FingerprintError, Lab, Replay, Scheme, Tap};
use visavis::{PeerTickets, StateDir};

/// The port of the profile, and the pool below it that is tried where it is taken.
const PORT: u16 = 16_402;
const LAST_PORT: u16 = 16_393;
/// STUN's own port, RFC 8489 section 18.6.
const STUN_PORT: u16 = 3_478;

/// Ports to try after that of `listen`, where nobody said otherwise.
pub(crate) fn ports_below(listen: SocketAddr) -> Vec<u16> {
    if listen.port() == PORT { (LAST_PORT..PORT).rev().collect() } else { Vec::new() }
}

/// The STUN servers that were named, resolved: one address each, of the family of `bound`.
pub(crate) async fn stun_servers(names: &[String], bound: SocketAddr) -> Result<Vec<SocketAddr>, Failure> {
    let mut servers = Vec::new();
    for name in names {
        let has_port = name.rsplit_once(':').is_some_and(|(host, port)| {
            port.parse::<u16>().is_ok() && (!host.contains(':') || host.ends_with(']'))
        });
        let with_port = if has_port { name.clone() } else { format!("{name}:{STUN_PORT}") };
        let found = tokio::net::lookup_host(&with_port).await;
        let found = found.map_err(|e| Failure::Usage(format!("--stun {name}: {e}")))?;
        let address = found.into_iter().find(|a| a.is_ipv4() == bound.is_ipv4());
        servers.push(address.ok_or_else(|| {
            Failure::Usage(format!("--stun {name}: it has no address of the kind that {bound} can reach"))
        })?);
    }
    Ok(servers)
}

/// The directory where tickets and the identity are kept.
pub(crate) fn state(dir: Option<&Path>) -> Result<StateDir, Failure> {
    StateDir::open(dir).map_err(|e| Failure::Missing(e.to_string()))
}

/// The tickets of both ends; `None` where the peer is not named by one.
pub(crate) fn tickets(args: &PeerArgs, media: &MediaArgs) -> Result<Option<PeerTickets>, Failure> {
    let Some(peer) = args.peer.clone() else { return Ok(None) };
    let own = match &args.ticket {
        Some(own) => own.clone(),
        None => kept_ticket(args)?,
    };
    if own.nonce == peer.nonce {
        return Err(Failure::Usage(
            "--peer is our own ticket: give this side the one that the other machine printed".into(),
        ));
    }
    Ok(Some(PeerTickets { own, peer, keyed: !media.facetime.emulate }))
}

fn kept_ticket(args: &PeerArgs) -> Result<Ticket, Failure> {
    let state = state(args.place.state.as_deref())?;
    let kept = state.own_ticket().map_err(|e| Failure::Missing(e.to_string()))?;
    kept.ok_or_else(|| {
        Failure::Missing(
            "no ticket of our own is kept here: run visavis ticket first, and give the peer what it prints"
                .into(),
        )
    })
}

/// The address to listen on: with the ticket that is kept here, the port that it was made for.
pub(crate) fn listen(args: &PeerArgs, listen: SocketAddr) -> Result<SocketAddr, Failure> {
    if args.peer.is_none() || args.ticket.is_some() || listen.port() != PORT {
        return Ok(listen);
    }
    let kept = state(args.place.state.as_deref())?.own_ticket_port();
    let port = kept.map_err(|e| Failure::Missing(e.to_string()))?.unwrap_or(PORT);
    Ok(SocketAddr::new(listen.ip(), port))
}

/// Sets an agent up for the profile that was asked for.
pub(crate) fn profile(media: &MediaArgs) -> Result<Config, Failure> {
    let facetime = &media.facetime;
    if media.profile == Profile::Facetime2010 {
        return Ok(Config::facetime2010(facetime.emulate));
    }
    let only = [
        (facetime.emulate, "--emulate"),
        (facetime.ske.is_some(), "--ske"),
        (facetime.peer_key.is_some(), "--peer-key"),
        (facetime.export_keys.is_some(), "--export-keys"),
    ];
    match only.iter().find(|(given, _)| *given) {
        Some((_, name)) => Err(Failure::Usage(format!("{name} needs --profile facetime2010"))),
        None => Ok(Config::default()),
    }
}

/// Decides how keys are agreed on, and who may call.
pub(crate) fn arm(
    agent: &mut Config,
    media: &MediaArgs,
    tickets: Option<&PeerTickets>,
    state_dir: Option<&Path>,
) -> Result<(), Failure> {
    if media.profile != Profile::Facetime2010 {
        return Ok(());
    }
    let facetime = &media.facetime;
    if tickets.is_some() {
        agent.admission = Admission::Expected { window: visavis::proto::agent::ARMED };
    }
    let default = if tickets.is_some() && !facetime.emulate { Ske::Lab } else { Ske::None };
    let scheme = facetime.ske.clone().unwrap_or(default);
    agent.key_exchange = key_exchange(&scheme, facetime, tickets, state_dir)?;
    agent.key_exchange_timeout = facetime.ske_timeout;
    announce(agent);
    Ok(())
}

/// Says in the session description whether media are to be encrypted.
pub(crate) fn announce(agent: &mut Config) {
    if let Dialect::Facetime2010(settings) = &mut agent.capabilities.dialect {
        settings.encryption = agent.key_exchange.as_ref().is_some_and(|scheme| scheme.encrypts());
    }
}

pub(crate) fn key_exchange(
    scheme: &Ske,
    facetime: &FacetimeArgs,
    tickets: Option<&PeerTickets>,
    state_dir: Option<&Path>,
) -> Result<Option<Arc<dyn Scheme>>, Failure> {
    if facetime.peer_key.is_some() && *scheme != Ske::Lab {
        return Err(Failure::Usage("--peer-key needs --ske lab: no other scheme shows an identity".into()));
    }
    Ok(match scheme {
        Ske::None => None,
        Ske::Tap(dir) => {
            std::fs::create_dir_all(dir)
                .map_err(|e| Failure::Missing(format!("cannot make {}: {e}", dir.display())))?;
            Some(Arc::new(Tap))
        }
        Ske::Replay(dir) => Some(Arc::new(Replay::in_turn(bodies(dir)?))),
        Ske::Lab => {
            let identity = state(state_dir)?.identity().map_err(|e| Failure::Missing(e.to_string()))?;
            let pin = match (&facetime.peer_key, tickets.and_then(|t| t.peer.identity)) {
                (Some(text), _) => Some(
                    text.parse()
                        .map_err(|e: FingerprintError| Failure::Usage(format!("--peer-key {text}: {e}")))?,
                ),
                (None, Some(short)) => Some(Fingerprint::from(short)),
                (None, None) => None,
            };
            Some(Arc::new(Lab::new(identity, pin)))
        }
    })
}

/// The bodies to play, each in a file of its own, in the order of the files' names.
fn bodies(dir: &Path) -> Result<Vec<Bytes>, Failure> {
    let failed =
        |path: &Path, e: std::io::Error| Failure::Missing(format!("cannot read {}: {e}", path.display()));
    let mut paths: Vec<PathBuf> = std::fs::read_dir(dir)
        .map_err(|e| failed(dir, e))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.is_file())
        .collect();
    paths.sort();
    if paths.is_empty() {
        return Err(Failure::Missing(format!("{} has no files to play", dir.display())));
    }
    paths.iter().map(|path| std::fs::read(path).map(Bytes::from).map_err(|e| failed(path, e))).collect()
}
