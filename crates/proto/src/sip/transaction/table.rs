//! What the four state tables have in common: their inputs and their actions.

use super::timer::Timer;

/// What a client transaction reacts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ClientInput {
    /// A 1xx response.
    Provisional,
    /// A 2xx response.
    Success,
    /// A 300-699 response.
    Failure,
    /// A timer fired.
    Fired(Timer),
    /// The request could not be sent.
    TransportError,
}

impl ClientInput {
    /// The input that a response with this status is.
    pub fn response(status: u16) -> Self {
        match status {
            ..200 => ClientInput::Provisional,
            200..300 => ClientInput::Success,
            300.. => ClientInput::Failure,
        }
    }
}

/// What a server transaction reacts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ServerInput {
    /// The request came again.
    Request,
    /// An ACK came (INVITE only).
    Ack,
    /// The TU sends a 1xx response.
    Provisional,
    /// The TU sends a 2xx response.
    Success,
    /// The TU sends a 300-699 response.
    Failure,
    /// A timer fired.
    Fired(Timer),
    /// The response could not be sent.
    TransportError,
}

impl ServerInput {
    /// The input that a response with this status from the TU is.
    pub fn response(status: u16) -> Self {
        match status {
            ..200 => ServerInput::Provisional,
            200..300 => ServerInput::Success,
            300.. => ServerInput::Failure,
        }
    }
}

/// What a transition asks for. "The message" is the request of a client transaction, the latest response of a
/// server transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Send the message (again).
    Send,
    /// Send the ACK for a 300-699 response (RFC 3261 section 17.1.1.3), the same octets each time.
    SendAck,
    /// Send 100 (Trying), which becomes the message.
    SendTrying,
    /// Pass what came in to the TU.
    ToTu,
    /// Start a timer with its first duration.
    Start(Timer),
    /// Start a timer again, with its doubled duration.
    Double(Timer),
    /// Start a timer again, with T2.
    Slow(Timer),
    /// Stop a timer.
    Stop(Timer),
    /// Tell the TU that the other side stayed silent.
    Timeout,
    /// Tell the TU that the message could not be sent.
    TransportError,
}
