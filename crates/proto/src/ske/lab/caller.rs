//! The caller's side: messages 1 and 3.

use super::{Side, wire};
use crate::ske::{Body, Handler, Outcome, Outgoing, Role, State, Step};

#[derive(Debug)]
pub(super) struct Caller {
    side: Side,
    state: Progress,
}

enum Progress {
    /// Message 1 as it was sent; message 2 is to come.
    Committed(Vec<u8>),
    /// Message 4 is to come.
    Revealed {
        shared: super::Shared,
        peer: super::Keys,
        suite: super::Suite,
    },
    Over,
}

impl std::fmt::Debug for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Progress::Committed(_) => "Committed",
            Progress::Revealed { .. } => "Revealed",
            Progress::Over => "Over",
        })
    }
}

impl Caller {
    pub(super) fn new(side: Side) -> Self {
        let commitment = side.keys().commitment(&side.nonce);
        let message = wire::commit(&side.suites, &side.nonce, &commitment);
        Caller { side, state: Progress::Committed(message) }
    }

    fn reveal(&mut self, commit: &[u8], reply: &[u8]) -> Result<Step, String> {
        let read = wire::read_reply(reply).ok_or("message 2 is not one of this exchange")?;
        if !self.side.suites.contains(&read.suite) {
            return Err("the peer chose a suite that was not offered".into());
        }
        self.side.check_pin(&read.keys)?;
        let keys = self.side.keys();
        let shared = self.side.agree(&read.keys, [commit, reply, &keys.to_octets()])?;
        let proof = shared.proof(&self.side.identity, Role::Caller);
        let body = wire::reveal(keys, &proof).into();
        self.state = Progress::Revealed { shared, peer: read.keys, suite: read.suite };
        Ok(Step { send: vec![Outgoing { sequence: 3, body }], state: State::Pending })
    }
}

impl Handler for Caller {
    fn begin(&mut self) -> Step {
        let send = match &self.state {
            Progress::Committed(message) => vec![Outgoing { sequence: 1, body: message.clone().into() }],
            _ => Vec::new(),
        };
        Step { send, state: State::Pending }
    }

    fn message(&mut self, input: &Body<'_>) -> Step {
        match (std::mem::replace(&mut self.state, Progress::Over), input.sequence) {
            (Progress::Committed(commit), 2) => self.reveal(&commit, input.data).unwrap_or_else(Step::failed),
            (Progress::Revealed { shared, peer, suite }, 4) => {
                let checked =
                    input.data.try_into().map_err(|_| "message 4 is not one of this exchange".to_owned());
                match checked.and_then(|proof| shared.check_proof(proof, &peer, Role::Callee)) {
                    Ok(()) => {
                        Step::done(Outcome::Keys(shared.secrets(&self.side, &peer, Role::Caller, suite)))
                    }
                    Err(why) => Step::failed(why),
                }
            }
            (Progress::Over, _) => Step::pending(),
            (_, sequence) => Step::failed(format!("message {sequence} came out of turn")),
        }
    }

    fn waits_for(&self) -> &'static str {
        match self.state {
            Progress::Committed(_) => "message 2 of the peer",
            Progress::Revealed { .. } => "message 4 of the peer",
            Progress::Over => "nothing",
        }
    }
}
