//! Helpers for the tests of the four state tables.

use super::super::table::{Action, ClientInput, ServerInput};
use super::super::timer::Timer;
use std::fmt::Debug;

/// Every input of a client transaction.
pub(in super::super) fn client_inputs() -> Vec<ClientInput> {
    use ClientInput::{Failure, Fired, Provisional, Success, TransportError};
    [Provisional, Success, Failure, TransportError].into_iter().chain(Timer::ALL.map(Fired)).collect()
}

/// Every input of a server transaction.
pub(in super::super) fn server_inputs() -> Vec<ServerInput> {
    use ServerInput::{Ack, Failure, Fired, Provisional, Request, Success, TransportError};
    [Request, Ack, Provisional, Success, Failure, TransportError]
        .into_iter()
        .chain(Timer::ALL.map(Fired))
        .collect()
}

/// Asserts that each cell of a table is what `figure` says, actions as text, or changes nothing where that says
/// nothing.
pub(in super::super) fn assert_table<S: Copy + PartialEq + Debug, I: Copy + Debug>(
    states: &[S],
    inputs: &[I],
    step: impl Fn(S, I) -> (S, &'static [Action]),
    figure: impl Fn(S, I) -> Option<(S, &'static str)>,
) {
    for &state in states {
        for &input in inputs {
            let (next, actions) = step(state, input);
            let text: Vec<String> = actions.iter().map(|action| format!("{action:?}")).collect();
            let expected = figure(state, input).unwrap_or((state, ""));
            assert_eq!((next, text.join(" ").as_str()), expected, "{state:?} {input:?}");
        }
    }
}

/// Asserts that from each state some inputs lead to `end`, and that nothing leads out of `end`.
pub(in super::super) fn reaches_an_end_from_everywhere<S: Copy + PartialEq + Debug, I: Copy>(
    states: &[S],
    inputs: &[I],
    step: impl Fn(S, I) -> S,
    end: S,
) {
    for &start in states {
        let mut reached = vec![start];
        let mut at = 0;
        while let Some(&state) = reached.get(at) {
            for &input in inputs {
                let next = step(state, input);
                if !reached.contains(&next) {
                    reached.push(next);
                }
            }
            at += 1;
        }
        assert!(reached.contains(&end), "{start:?} never ends");
    }
    assert!(inputs.iter().all(|&i| step(end, i) == end));
}

#[test]
fn statuses_fall_into_their_classes() {
    for (status, client, server) in [
        (100, ClientInput::Provisional, ServerInput::Provisional),
        (199, ClientInput::Provisional, ServerInput::Provisional),
        (200, ClientInput::Success, ServerInput::Success),
        (299, ClientInput::Success, ServerInput::Success),
        (300, ClientInput::Failure, ServerInput::Failure),
        (699, ClientInput::Failure, ServerInput::Failure),
    ] {
        assert_eq!(ClientInput::response(status), client);
        assert_eq!(ServerInput::response(status), server);
    }
}
