//! The messages of connectivity checks: Binding requests with or without the short-term credential of RFC 8489
//! section 9.1, and the answers to them.

use crate::nat::Key;
use crate::stun::{
    Builder, Class, Dialect, Integrity, Message, TransactionId, binding_error, binding_success,
};
use bytes::Bytes;
use rand_core::RngCore;
use std::net::SocketAddr;

/// What checks are made and judged with.
#[derive(Clone, Debug)]
pub(in crate::nat) struct Credential {
    /// The secret.
    pub(in crate::nat) key: Key,
    /// The name that we go by.
    pub(in crate::nat) own: String,
    /// The name that the peer goes by.
    pub(in crate::nat) peer: String,
}

/// What a request is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::nat) enum Worth {
    /// It is the peer's.
    Good,
    /// It carries no credential, or half of one (RFC 8489 section 9.1.3: 400).
    Bare,
    /// It is for others, or signed with another secret (401).
    Wrong,
}

/// A check, with its transaction.
pub(in crate::nat) fn request(
    dialect: Dialect,
    credential: Option<&Credential>,
    nominate: bool,
    rng: &mut dyn RngCore,
) -> (TransactionId, Bytes) {
    let id = TransactionId::random(dialect, rng);
    let mut builder = Builder::binding(Class::Request, id);
    if let Some(credential) = credential {
        // RFC 8445 section 7.2.2: the peer's name first.
        builder = builder.username(format!("{}:{}", credential.peer, credential.own).as_bytes());
    }
    if nominate {
        builder = builder.use_candidate();
    }
    (id, builder.finish(credential.map(|c| c.key.as_bytes())))
}

/// Judges a request.
pub(in crate::nat) fn judge(message: &Message, credential: Option<&Credential>) -> Worth {
    let Some(credential) = credential else { return Worth::Good };
    match (message.username(), message.integrity(credential.key.as_bytes())) {
        (None, _) | (_, Integrity::Absent) => Worth::Bare,
        (Some(name), Integrity::Valid) if is_to_us(name, credential) => Worth::Good,
        _ => Worth::Wrong,
    }
}

/// Whether a USERNAME is the one that the peer gives us.
fn is_to_us(name: &[u8], credential: &Credential) -> bool {
    name == format!("{}:{}", credential.own, credential.peer).as_bytes()
}

/// Whether a USERNAME is meant for us, whoever sent it.
pub(in crate::nat) fn names_us(message: &Message, credential: &Credential) -> bool {
    let name = message.username().unwrap_or_default();
    name.strip_prefix(credential.own.as_bytes()).is_some_and(|rest| rest.first() == Some(&b':'))
}

/// The answer to a request of this worth: where it was seen to come from, or why it is refused.
pub(in crate::nat) fn answer(
    message: &Message,
    worth: Worth,
    remote: SocketAddr,
    credential: Option<&Credential>,
) -> Bytes {
    let key = credential.map(|c| c.key.as_bytes());
    let unknown = message.unknown_required();
    match worth {
        // RFC 8489 section 9.1.3: these two are not signed.
        Worth::Bare => binding_error(message, 400, "Bad Request", &[], None),
        Worth::Wrong => binding_error(message, 401, "Unauthorized", &[], None),
        // RFC 8489 section 6.3.1.
        Worth::Good if !unknown.is_empty() => binding_error(message, 420, "Unknown Attribute", &unknown, key),
        Worth::Good => binding_success(message, remote, key),
    }
}
