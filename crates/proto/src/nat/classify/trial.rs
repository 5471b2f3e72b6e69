//! One question to one server, asked again until it is answered or its time is over.

use crate::stun::{Builder, Class, Message, TransactionId};
use crate::time::Time;
use bytes::Bytes;
use std::net::SocketAddr;
use std::time::Duration;

/// The longest time between two requests of a trial. RFC 8489 section 6.2.1 would go on doubling; but silence is a
/// result here, and loss on the way must not be taken for a filter.
const LONGEST: Duration = Duration::from_secs(1);

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Question {
    /// How do you see us?
    Mapped,
    /// Can you reach us from your other address and port? (RFC 5780 section 4.4, test II)
    OtherAddress,
    /// Can you reach us from your other port? (RFC 5780 section 4.4, test III)
    OtherPort,
    /// Do we reach ourselves? (RFC 5780 section 3.4)
    Hairpin,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Pending,
    /// Answered, with our mapped address where it was in it.
    Answered(Option<SocketAddr>),
    /// The server can not do what was asked: an error, or an answer from an address that was not asked for.
    Refused,
    Silent,
    /// Another server has made it needless.
    Dropped,
}

#[derive(Clone, Debug)]
pub(super) struct Trial {
    pub(super) question: Question,
    pub(super) to: SocketAddr,
    /// Where the answer should come from.
    pub(super) from: SocketAddr,
    pub(super) transaction: TransactionId,
    pub(super) outcome: Outcome,
    data: Bytes,
    sent: u32,
    pub(super) next: Time,
    ends: Time,
}

impl Trial {
    pub(super) fn new(
        question: Question,
        (to, from): (SocketAddr, SocketAddr),
        transaction: TransactionId,
        (begins, ends): (Time, Time),
    ) -> Self {
        let request = Builder::binding(Class::Request, transaction);
        let request = match question {
            Question::Mapped | Question::Hairpin => request,
            Question::OtherAddress => request.change_request(true, true),
            Question::OtherPort => request.change_request(false, true),
        };
        let data = request.finish(None);
        Trial {
            question,
            to,
            from,
            transaction,
            outcome: Outcome::Pending,
            data,
            sent: 0,
            next: begins,
            ends,
        }
    }

    pub(super) fn is_pending(&self) -> bool {
        self.outcome == Outcome::Pending
    }

    /// The request, where it is time for it; at its end a trial falls silent.
    pub(super) fn poll(&mut self, now: Time, rto: Duration) -> Option<(SocketAddr, Bytes)> {
        if !self.is_pending() || now < self.next {
            return None;
        }
        if now >= self.ends {
            self.outcome = Outcome::Silent;
            return None;
        }
        let wait = (rto * (1 << self.sent.min(8))).min(LONGEST.max(rto));
        self.sent += 1;
        self.next = (now + wait).min(self.ends);
        Some((self.to, self.data.clone()))
    }

    /// Takes a message of its transaction.
    pub(super) fn handle(&mut self, message: &Message, remote: SocketAddr) {
        if !self.is_pending() {
            return;
        }
        let is_moved = (remote.ip() != self.to.ip(), remote.port() != self.to.port());
        self.outcome = match (self.question, message.class) {
            // Our own request: the NAT has sent it back. Nobody else knows the transaction.
            (Question::Hairpin, Class::Request) => Outcome::Answered(None),
            (Question::Hairpin, _) | (_, Class::Request | Class::Indication) => return,
            (_, Class::Error) if is_moved == (false, false) => Outcome::Refused,
            (_, Class::Error) => return,
            (question, Class::Success) => match (question, is_moved) {
                (Question::Mapped, (false, false)) => Outcome::Answered(message.mapped_address()),
                (Question::Mapped, _) => return,
                // Whether a server names its other address rightly or not, this came from it.
                (Question::OtherAddress, (true, true)) | (Question::OtherPort, (false, true)) => {
                    Outcome::Answered(message.mapped_address())
                }
                _ => Outcome::Refused,
            },
        };
    }
}
