//! The non-INVITE client transaction: RFC 3261 section 17.1.2 and figure 6.

use super::table::{Action, ClientInput};
use super::timer::Timer;

/// The states of figure 6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// The request is out, nothing came back.
    Trying,
    /// A provisional response came; the request is repeated at intervals of T2.
    Proceeding,
    /// The final response came; its retransmissions are absorbed.
    Completed,
    /// Over.
    Terminated,
}

/// What a new transaction does: it starts in [`State::Trying`].
pub const ENTER: (State, &[Action]) =
    (State::Trying, &[Action::Send, Action::Start(Timer::E), Action::Start(Timer::F)]);

/// One cell of the table; an input that a state has no use for changes nothing.
pub fn step(state: State, input: ClientInput) -> (State, &'static [Action]) {
    use Action::{Double, Send, Slow, Start, Stop, Timeout, ToTu};
    use ClientInput::{Failure, Fired, Provisional, Success, TransportError};
    use State::{Completed, Proceeding, Terminated, Trying};
    match (state, input) {
        (Trying, Fired(Timer::E)) => (Trying, &[Send, Double(Timer::E)]),
        (Trying, Provisional) => (Proceeding, &[ToTu]),
        (Proceeding, Fired(Timer::E)) => (Proceeding, &[Send, Slow(Timer::E)]),
        (Proceeding, Provisional) => (Proceeding, &[ToTu]),

        (Trying | Proceeding, Fired(Timer::F)) => (Terminated, &[Timeout]),
        (Trying | Proceeding, TransportError) => (Terminated, &[Action::TransportError]),
        (Trying | Proceeding, Success | Failure) => (Completed, &[Stop(Timer::E), Start(Timer::K), ToTu]),

        (Completed, Fired(Timer::K)) => (Terminated, &[]),

        (state @ (Trying | Proceeding | Completed | Terminated), _) => (state, &[]),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{assert_table, client_inputs, reaches_an_end_from_everywhere};
    use super::*;

    const STATES: [State; 4] = [State::Trying, State::Proceeding, State::Completed, State::Terminated];

    /// The arrows of figure 6, written down a second time from the drawing, as text.
    fn figure(state: State, input: ClientInput) -> Option<(State, &'static str)> {
        use ClientInput as I;
        use State as S;
        Some(match (state, input) {
            (S::Trying, I::Fired(Timer::E)) => (S::Trying, "Send Double(E)"),
            (S::Trying, I::Fired(Timer::F)) => (S::Terminated, "Timeout"),
            (S::Trying, I::TransportError) => (S::Terminated, "TransportError"),
            (S::Trying, I::Provisional) => (S::Proceeding, "ToTu"),
            (S::Trying, I::Success) => (S::Completed, "Stop(E) Start(K) ToTu"),
            (S::Trying, I::Failure) => (S::Completed, "Stop(E) Start(K) ToTu"),
            (S::Proceeding, I::Fired(Timer::E)) => (S::Proceeding, "Send Slow(E)"),
            (S::Proceeding, I::Fired(Timer::F)) => (S::Terminated, "Timeout"),
            (S::Proceeding, I::TransportError) => (S::Terminated, "TransportError"),
            (S::Proceeding, I::Provisional) => (S::Proceeding, "ToTu"),
            (S::Proceeding, I::Success) => (S::Completed, "Stop(E) Start(K) ToTu"),
            (S::Proceeding, I::Failure) => (S::Completed, "Stop(E) Start(K) ToTu"),
            (S::Completed, I::Fired(Timer::K)) => (S::Terminated, ""),
            _ => return None,
        })
    }

    #[test]
    fn every_cell_is_an_arrow_of_figure_6_or_changes_nothing() {
        assert_table(&STATES, &client_inputs(), step, figure);
    }

    #[test]
    fn it_starts_by_sending_with_timers_e_and_f() {
        let (state, actions) = ENTER;
        assert_eq!(state, State::Trying);
        assert_eq!(actions, [Action::Send, Action::Start(Timer::E), Action::Start(Timer::F)]);
    }

    #[test]
    fn no_state_but_the_last_is_without_a_way_out() {
        reaches_an_end_from_everywhere(&STATES, &client_inputs(), |s, i| step(s, i).0, State::Terminated);
    }
}
