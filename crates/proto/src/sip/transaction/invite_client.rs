//! The INVITE client transaction: RFC 3261 section 17.1.1 and figure 5, in the form of RFC 6026 section 8.4.

use super::table::{Action, ClientInput};
use super::timer::Timer;

/// The states of figure 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// The INVITE is out, nothing came back.
    Calling,
    /// A provisional response came.
    Proceeding,
    /// A 300-699 response came; its retransmissions are answered with the ACK.
    Completed,
    /// A 2xx response came; further ones go to the TU (RFC 6026).
    Accepted,
    /// Over.
    Terminated,
}

/// What a new transaction does: it starts in [`State::Calling`].
pub const ENTER: (State, &[Action]) =
    (State::Calling, &[Action::Send, Action::Start(Timer::A), Action::Start(Timer::B)]);

/// One cell of the table; an input that a state has no use for changes nothing.
pub fn step(state: State, input: ClientInput) -> (State, &'static [Action]) {
    use Action::{Double, Send, SendAck, Start, Stop, Timeout, ToTu};
    use ClientInput::{Failure, Fired, Provisional, Success, TransportError};
    use State::{Accepted, Calling, Completed, Proceeding, Terminated};
    match (state, input) {
        (Calling, Fired(Timer::A)) => (Calling, &[Send, Double(Timer::A)]),
        (Calling, Fired(Timer::B)) => (Terminated, &[Timeout]),
        (Calling, TransportError) => (Terminated, &[Action::TransportError]),
        (Calling, Provisional) => (Proceeding, &[Stop(Timer::A), Stop(Timer::B), ToTu]),
        (Calling, Success) => (Accepted, &[Stop(Timer::A), Start(Timer::M), ToTu]),
        (Calling, Failure) => (Completed, &[Stop(Timer::A), Start(Timer::D), SendAck, ToTu]),

        (Proceeding, Provisional) => (Proceeding, &[ToTu]),
        (Proceeding, Success) => (Accepted, &[Start(Timer::M), ToTu]),
        (Proceeding, Failure) => (Completed, &[Start(Timer::D), SendAck, ToTu]),
        // Section 9.1, not in the figure: the CANCEL went unheeded, or its 487 was never sent.
        (Proceeding, Fired(Timer::Cancelled)) => (Terminated, &[Timeout]),

        (Completed, Failure) => (Completed, &[SendAck]),
        (Completed, TransportError) => (Terminated, &[Action::TransportError]),
        (Completed, Fired(Timer::D)) => (Terminated, &[]),

        (Accepted, Success) => (Accepted, &[ToTu]),
        (Accepted, Fired(Timer::M)) => (Terminated, &[]),

        (state @ (Calling | Proceeding | Completed | Accepted | Terminated), _) => (state, &[]),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{assert_table, client_inputs, reaches_an_end_from_everywhere};
    use super::*;

    const STATES: [State; 5] =
        [State::Calling, State::Proceeding, State::Completed, State::Accepted, State::Terminated];

    /// The arrows of figure 5 (RFC 6026), written down a second time from the drawing, as text.
    fn figure(state: State, input: ClientInput) -> Option<(State, &'static str)> {
        use ClientInput as I;
        use State as S;
        Some(match (state, input) {
            (S::Calling, I::Fired(Timer::A)) => (S::Calling, "Send Double(A)"),
            (S::Calling, I::Fired(Timer::B)) => (S::Terminated, "Timeout"),
            (S::Calling, I::TransportError) => (S::Terminated, "TransportError"),
            (S::Calling, I::Provisional) => (S::Proceeding, "Stop(A) Stop(B) ToTu"),
            (S::Calling, I::Success) => (S::Accepted, "Stop(A) Start(M) ToTu"),
            (S::Calling, I::Failure) => (S::Completed, "Stop(A) Start(D) SendAck ToTu"),
            (S::Proceeding, I::Provisional) => (S::Proceeding, "ToTu"),
            (S::Proceeding, I::Success) => (S::Accepted, "Start(M) ToTu"),
            (S::Proceeding, I::Failure) => (S::Completed, "Start(D) SendAck ToTu"),
            (S::Proceeding, I::Fired(Timer::Cancelled)) => (S::Terminated, "Timeout"),
            (S::Completed, I::Failure) => (S::Completed, "SendAck"),
            (S::Completed, I::TransportError) => (S::Terminated, "TransportError"),
            (S::Completed, I::Fired(Timer::D)) => (S::Terminated, ""),
            (S::Accepted, I::Success) => (S::Accepted, "ToTu"),
            (S::Accepted, I::Fired(Timer::M)) => (S::Terminated, ""),
            _ => return None,
        })
    }

    #[test]
    fn every_cell_is_an_arrow_of_figure_5_or_changes_nothing() {
        assert_table(&STATES, &client_inputs(), step, figure);
    }

    #[test]
    fn it_starts_by_sending_with_timers_a_and_b() {
        let (state, actions) = ENTER;
        assert_eq!(state, State::Calling);
        assert_eq!(actions, [Action::Send, Action::Start(Timer::A), Action::Start(Timer::B)]);
    }

    #[test]
    fn no_state_but_the_last_is_without_a_way_out() {
        reaches_an_end_from_everywhere(&STATES, &client_inputs(), |s, i| step(s, i).0, State::Terminated);
    }
}
