//! The non-INVITE server transaction: RFC 3261 section 17.2.2 and figure 8, amended by RFC 4320 section 4 and
//! RFC 6026 section 8.8.

use super::table::{Action, ServerInput};
use super::timer::Timer;

/// The states of figure 8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// The TU has the request and has sent nothing.
    Trying,
    /// A 100 was sent.
    Proceeding,
    /// The TU sent the final response, which answers each retransmission of the request.
    Completed,
    /// Over.
    Terminated,
}

/// What a new transaction does, besides passing the request to the TU: it starts in [`State::Trying`].
pub const ENTER: (State, &[Action]) =
    (State::Trying, &[Action::Start(Timer::LateTrying), Action::Start(Timer::Unanswered)]);

/// One cell of the table; an input that a state has no use for changes nothing.
pub fn step(state: State, input: ServerInput) -> (State, &'static [Action]) {
    use Action::{Send, SendTrying, Start, Stop, Timeout};
    use ServerInput::{Failure, Fired, Provisional, Request, Success, TransportError};
    use State::{Completed, Proceeding, Terminated, Trying};
    match (state, input) {
        (Trying, Fired(Timer::LateTrying)) => (Proceeding, &[SendTrying]),
        (Trying, Provisional) => (Proceeding, &[Stop(Timer::LateTrying), Send]),
        (Proceeding, Provisional | Request) => (Proceeding, &[Send]),

        (Trying | Proceeding, Success | Failure) => {
            (Completed, &[Stop(Timer::LateTrying), Send, Start(Timer::J)])
        }
        // RFC 4320 section 4.2: a response would come too late, so there is none.
        (Trying | Proceeding, Fired(Timer::Unanswered)) => (Terminated, &[Timeout]),

        (Completed, Request) => (Completed, &[Send]),
        (Completed, Fired(Timer::J)) => (Terminated, &[]),

        // RFC 6026 section 8.8 against figure 8: state is kept.
        (Proceeding | Completed, TransportError) => (state, &[Action::TransportError]),

        (state @ (Trying | Proceeding | Completed | Terminated), _) => (state, &[]),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{assert_table, reaches_an_end_from_everywhere, server_inputs};
    use super::*;

    const STATES: [State; 4] = [State::Trying, State::Proceeding, State::Completed, State::Terminated];

    /// The arrows of figure 8, written down a second time from the drawing, as text.
    fn figure(state: State, input: ServerInput) -> Option<(State, &'static str)> {
        use ServerInput as I;
        use State as S;
        Some(match (state, input) {
            (S::Trying, I::Provisional) => (S::Proceeding, "Stop(LateTrying) Send"),
            (S::Trying, I::Success) => (S::Completed, "Stop(LateTrying) Send Start(J)"),
            (S::Trying, I::Failure) => (S::Completed, "Stop(LateTrying) Send Start(J)"),
            (S::Trying, I::Fired(Timer::LateTrying)) => (S::Proceeding, "SendTrying"),
            (S::Trying, I::Fired(Timer::Unanswered)) => (S::Terminated, "Timeout"),
            (S::Proceeding, I::Request) => (S::Proceeding, "Send"),
            (S::Proceeding, I::Provisional) => (S::Proceeding, "Send"),
            (S::Proceeding, I::Success) => (S::Completed, "Stop(LateTrying) Send Start(J)"),
            (S::Proceeding, I::Failure) => (S::Completed, "Stop(LateTrying) Send Start(J)"),
            (S::Proceeding, I::TransportError) => (S::Proceeding, "TransportError"),
            (S::Proceeding, I::Fired(Timer::Unanswered)) => (S::Terminated, "Timeout"),
            (S::Completed, I::Request) => (S::Completed, "Send"),
            (S::Completed, I::TransportError) => (S::Completed, "TransportError"),
            (S::Completed, I::Fired(Timer::J)) => (S::Terminated, ""),
            _ => return None,
        })
    }

    #[test]
    fn every_cell_is_an_arrow_of_figure_8_or_changes_nothing() {
        assert_table(&STATES, &server_inputs(), step, figure);
    }

    #[test]
    fn it_starts_with_the_timers_that_send_100_and_give_up() {
        let (state, actions) = ENTER;
        assert_eq!(state, State::Trying);
        assert_eq!(actions, [Action::Start(Timer::LateTrying), Action::Start(Timer::Unanswered)]);
    }

    #[test]
    fn no_state_but_the_last_is_without_a_way_out() {
        reaches_an_end_from_everywhere(&STATES, &server_inputs(), |s, i| step(s, i).0, State::Terminated);
    }
}
