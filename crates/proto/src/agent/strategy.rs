//! How an agent comes by a strategy for each peer.

use crate::nat::{HolePunch, PunchConfig, Role, Strategy, Ticket};
use rand_chacha::ChaCha20Rng;
use std::fmt::Debug;

/// Makes a [`Strategy`] for each peer that is named by ticket.
pub trait StrategyFactory: Debug + Send + Sync {
    /// One for a peer. With `keyed`, checks are to be signed with the key that both tickets make.
    fn strategy(
        &self,
        role: Role,
        own: &Ticket,
        peer: &Ticket,
        keyed: bool,
        rng: ChaCha20Rng,
    ) -> Box<dyn Strategy>;
}

/// Hole punching (RFC 5128 section 3.3), in its usual settings.
#[derive(Clone, Copy, Debug, Default)]
pub struct HolePunching;

impl StrategyFactory for HolePunching {
    fn strategy(
        &self,
        role: Role,
        own: &Ticket,
        peer: &Ticket,
        keyed: bool,
        rng: ChaCha20Rng,
    ) -> Box<dyn Strategy> {
        let config = if keyed {
            PunchConfig::keyed(role, own, peer)
        } else {
            let bare = PunchConfig::bare(role, peer.candidates.clone());
            PunchConfig { own_nat: own.nat, peer_nat: peer.nat, ..bare }
        };
        Box::new(HolePunch::new(config, rng))
    }
}
