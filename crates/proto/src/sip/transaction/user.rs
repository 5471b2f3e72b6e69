//! What passes between the transaction layer and its user, the TU (RFC 3261 section 17).

use super::store::Key;
use crate::io::{PacketKind, Protocol, SocketId, Transmit};
use crate::sip::{Request, Response};
use bytes::Bytes;
use std::net::{IpAddr, SocketAddr};

/// The two ends of the way that a message came or goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// The transport protocol.
    pub protocol: Protocol,
    /// The local socket.
    pub socket: SocketId,
    /// The local address and port.
    pub local: SocketAddr,
    /// The sent-by of the Via of our requests: the local address, or what a NAT makes of it.
    pub sent_by: SocketAddr,
    /// The peer's address and port.
    pub remote: SocketAddr,
}

impl Endpoint {
    /// Over UDP.
    pub fn udp(socket: SocketId, local: SocketAddr, remote: SocketAddr) -> Self {
        Endpoint { protocol: Protocol::Udp, socket, local, sent_by: local, remote }
    }

    /// Whether the transport delivers by itself, so that nothing need be sent twice.
    pub fn is_reliable(&self) -> bool {
        self.protocol != Protocol::Udp
    }

    /// A SIP message as a datagram to the remote end.
    pub fn datagram(&self, data: Bytes) -> Transmit {
        let ip: IpAddr = self.local.ip();
        Transmit {
            socket: self.socket,
            local: (!ip.is_unspecified()).then_some(ip),
            remote: self.remote,
            data,
            kind: PacketKind::Sip,
        }
    }
}

/// Names a client transaction, until its [`TuEvent::ClientTerminated`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientKey(pub(super) Key);

/// Names a server transaction, until its [`TuEvent::ServerTerminated`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServerKey(pub(super) Key);

/// What became of a request that arrived. Responses that it causes at once are queued for
/// [`Transactions::poll`](super::Transactions::poll).
#[derive(Debug)]
pub enum Incoming {
    /// A new request: the TU owes it a response (RFC 3261 section 8.2).
    New(ServerKey, Request),
    /// A CANCEL for an INVITE whose server transaction still exists. The TU answers the CANCEL with 200 and, if
    /// it has not sent a final response to the INVITE, the INVITE with 487 (section 9.2). CANCELs that match
    /// nothing, or another method, are answered here and never seen by the TU.
    Cancel {
        /// The CANCEL's own transaction.
        cancel: ServerKey,
        /// The CANCEL.
        request: Request,
        /// The transaction that it is to cancel.
        invite: ServerKey,
    },
    /// An ACK that no transaction absorbs: for a 2xx (section 13.3.1.4), or a stray. Its dialog and CSeq number
    /// say for which.
    AckFor2xx(Request),
    /// An ACK that ended the retransmissions of a 300-699 response of this transaction.
    Ack(ServerKey),
    /// Nothing for the TU: a retransmission, a merged request (answered 482, section 8.2.2.2), a CANCEL that
    /// matches nothing, or new work past a limit (answered 503). Each kind has a counter.
    Absorbed,
}

/// What the layer tells the TU.
#[derive(Debug)]
pub enum TuEvent {
    /// A response came: every provisional one, the first final one, and of 2xx to INVITE every one, repeated
    /// or forked (RFC 6026 section 7.2).
    Response(ClientKey, Response),
    /// No final response came in time (timer B or F, or 64*T1 after a CANCEL). The TU takes it for a 408 (RFC
    /// 3261 section 8.1.3.1).
    Timeout(ClientKey),
    /// The request could not be sent. The TU takes it for a 503 (section 8.1.3.1).
    TransportError(ClientKey),
    /// A client transaction is over. Exactly one for each, and nothing after it.
    ClientTerminated(ClientKey),
    /// No ACK came for a 300-699 response (timer H), or the TU left a request unanswered for 64*T1.
    ServerTimeout(ServerKey),
    /// A response could not be sent; the transaction lives on (RFC 6026 section 7.1).
    ServerTransportError(ServerKey),
    /// A server transaction is over. Exactly one for each, and nothing after it.
    ServerTerminated(ServerKey),
}

/// What the layer wants done.
#[derive(Debug)]
pub enum Output {
    /// Send a message; for UDP by [`Endpoint::datagram`].
    Transmit(Endpoint, Bytes),
    /// Tell the TU.
    Event(TuEvent),
}

/// Why [`Transactions::send_request`](super::Transactions::send_request) sent nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The limit on transactions is reached.
    #[error("{0} SIP transactions are open, no more are allowed")]
    TooMany(usize),
    /// ACK for a 2xx is sent by [`Transactions::send_ack`](super::Transactions::send_ack), ACK for any other
    /// response and CANCEL are made by the layer.
    #[error("ACK and CANCEL are not sent as requests of their own")]
    Method,
}

/// Why [`Transactions::respond`](super::Transactions::respond) sent nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RespondError {
    /// The transaction is over.
    #[error("the server transaction is over")]
    Over,
    /// A final response was sent already (of a 2xx to INVITE only another 2xx may follow).
    #[error("{0} after a final response")]
    Answered(u16),
    /// RFC 4320 section 4 keeps this status from requests other than INVITE: 101-199, and 408; 100 on UDP
    /// comes from the layer when it is due.
    #[error("{0} is no response to a request other than INVITE (RFC 4320 section 4)")]
    Status(u16),
}

/// What was counted since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Requests that became a server transaction.
    pub requests: u64,
    /// Requests that a server transaction knew already.
    pub request_retransmissions: u64,
    /// ACKs for 300-699 responses, first and repeated ones.
    pub acks: u64,
    /// CANCELs that matched no INVITE.
    pub cancels_unmatched: u64,
    /// Merged requests, answered 482.
    pub merged: u64,
    /// Requests past a limit, answered 503.
    pub refused: u64,
    /// Requests too damaged to be matched or answered.
    pub malformed: u64,
    /// Responses that matched a client transaction.
    pub responses: u64,
    /// Responses that matched none, or came with another Via than ours.
    pub stray_responses: u64,
    /// Messages sent again: requests, responses and ACKs.
    pub retransmissions: u64,
    /// Transactions that ended by timers B, F or H or were never answered.
    pub timeouts: u64,
}
