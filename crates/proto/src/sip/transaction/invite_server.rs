//! The INVITE server transaction: RFC 3261 section 17.2.1 and figure 7, in the form of RFC 6026 section 8.6.

use super::table::{Action, ServerInput};
use super::timer::Timer;

/// The states of figure 7.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// The TU has the INVITE and has not sent a final response.
    Proceeding,
    /// The TU sent a 300-699 response; it is repeated until the ACK comes.
    Completed,
    /// The ACK came; its retransmissions are absorbed.
    Confirmed,
    /// The TU sent a 2xx response, which it repeats by itself; INVITE retransmissions are absorbed (RFC 6026).
    Accepted,
    /// Over.
    Terminated,
}

/// What a new transaction does, besides passing the INVITE to the TU: it starts in [`State::Proceeding`].
pub const ENTER: (State, &[Action]) = (State::Proceeding, &[Action::Start(Timer::Trying)]);

/// One cell of the table; an input that a state has no use for changes nothing.
pub fn step(state: State, input: ServerInput) -> (State, &'static [Action]) {
    use Action::{Double, Send, SendTrying, Start, Stop, Timeout, ToTu};
    use ServerInput::{Ack, Failure, Fired, Provisional, Request, Success, TransportError};
    use State::{Accepted, Completed, Confirmed, Proceeding, Terminated};
    match (state, input) {
        (Proceeding, Request) => (Proceeding, &[Send]),
        (Proceeding, Fired(Timer::Trying)) => (Proceeding, &[SendTrying]),
        (Proceeding, Provisional) => (Proceeding, &[Stop(Timer::Trying), Send]),
        (Proceeding, Success) => (Accepted, &[Stop(Timer::Trying), Send, Start(Timer::L)]),
        (Proceeding, Failure) => (Completed, &[Stop(Timer::Trying), Send, Start(Timer::G), Start(Timer::H)]),

        (Completed, Request) => (Completed, &[Send]),
        (Completed, Fired(Timer::G)) => (Completed, &[Send, Double(Timer::G)]),
        (Completed, Ack) => (Confirmed, &[Stop(Timer::G), Start(Timer::I)]),
        // RFC 6026's figure drops "Inform TU", but the text of section 17.2.1 still wants it.
        (Completed, Fired(Timer::H)) => (Terminated, &[Timeout]),

        (Confirmed, Fired(Timer::I)) => (Terminated, &[]),

        (Accepted, Ack) => (Accepted, &[ToTu]),
        (Accepted, Success) => (Accepted, &[Send]),
        (Accepted, Fired(Timer::L)) => (Terminated, &[]),

        // RFC 6026 section 7.1: state is kept, so that retransmissions are not taken for new requests.
        (Proceeding | Completed | Accepted, TransportError) => (state, &[Action::TransportError]),

        (state @ (Proceeding | Completed | Confirmed | Accepted | Terminated), _) => (state, &[]),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{assert_table, reaches_an_end_from_everywhere, server_inputs};
    use super::*;

    const STATES: [State; 5] =
        [State::Proceeding, State::Completed, State::Confirmed, State::Accepted, State::Terminated];

    /// The arrows of figure 7 (RFC 6026), written down a second time from the drawing, as text.
    fn figure(state: State, input: ServerInput) -> Option<(State, &'static str)> {
        use ServerInput as I;
        use State as S;
        Some(match (state, input) {
            (S::Proceeding, I::Request) => (S::Proceeding, "Send"),
            (S::Proceeding, I::Provisional) => (S::Proceeding, "Stop(Trying) Send"),
            (S::Proceeding, I::Fired(Timer::Trying)) => (S::Proceeding, "SendTrying"),
            (S::Proceeding, I::TransportError) => (S::Proceeding, "TransportError"),
            (S::Proceeding, I::Failure) => (S::Completed, "Stop(Trying) Send Start(G) Start(H)"),
            (S::Proceeding, I::Success) => (S::Accepted, "Stop(Trying) Send Start(L)"),
            (S::Completed, I::Request) => (S::Completed, "Send"),
            (S::Completed, I::Fired(Timer::G)) => (S::Completed, "Send Double(G)"),
            (S::Completed, I::TransportError) => (S::Completed, "TransportError"),
            (S::Completed, I::Fired(Timer::H)) => (S::Terminated, "Timeout"),
            (S::Completed, I::Ack) => (S::Confirmed, "Stop(G) Start(I)"),
            (S::Confirmed, I::Fired(Timer::I)) => (S::Terminated, ""),
            (S::Accepted, I::Ack) => (S::Accepted, "ToTu"),
            (S::Accepted, I::Success) => (S::Accepted, "Send"),
            (S::Accepted, I::TransportError) => (S::Accepted, "TransportError"),
            (S::Accepted, I::Fired(Timer::L)) => (S::Terminated, ""),
            _ => return None,
        })
    }

    #[test]
    fn every_cell_is_an_arrow_of_figure_7_or_changes_nothing() {
        assert_table(&STATES, &server_inputs(), step, figure);
    }

    #[test]
    fn it_starts_with_the_timer_that_sends_100() {
        assert_eq!(ENTER, (State::Proceeding, &[Action::Start(Timer::Trying)][..]));
    }

    #[test]
    fn no_state_but_the_last_is_without_a_way_out() {
        reaches_an_end_from_everywhere(&STATES, &server_inputs(), |s, i| step(s, i).0, State::Terminated);
    }
}
