//! The callee's side: messages 2 and 4.

use super::{Side, Suite, wire};
use crate::ske::{Body, Handler, Outcome, Outgoing, Role, State, Step};

#[derive(Debug)]
pub(super) struct Callee {
    side: Side,
    state: Progress,
}

#[derive(Debug)]
enum Progress {
    /// Message 1 is to come.
    Waiting,
    /// Message 3 is to come: messages 1 and 2 as they went, and what is to become of them.
    Replied {
        said: [Vec<u8>; 2],
        commit: wire::Commit,
        suite: Suite,
    },
    Over,
}

impl Callee {
    pub(super) fn new(side: Side) -> Self {
        Callee { side, state: Progress::Waiting }
    }

    fn reply(&mut self, message: &[u8]) -> Result<Step, String> {
        let commit = wire::read_commit(message).ok_or("message 1 is not one of this exchange")?;
        // The caller's order counts.
        let known = commit.suites.iter().filter_map(|number| Suite::of(*number));
        let Some(suite) = known.into_iter().find(|suite| self.side.suites.contains(suite)) else {
            return Ok(Step { send: Vec::new(), state: State::Declined("no SRTP suite in common".into()) });
        };
        let body = wire::reply(suite, &self.side.nonce, self.side.keys());
        self.state = Progress::Replied { said: [message.to_vec(), body.clone()], commit, suite };
        Ok(Step { send: vec![Outgoing { sequence: 2, body: body.into() }], state: State::Pending })
    }

    fn finish(
        &mut self,
        [first, second]: [Vec<u8>; 2],
        commit: &wire::Commit,
        suite: Suite,
        message: &[u8],
    ) -> Result<Step, String> {
        let (peer, proof) = wire::read_reveal(message).ok_or("message 3 is not one of this exchange")?;
        if peer.commitment(&commit.nonce) != commit.commitment {
            return Err(
                "the caller shows other keys than it promised: somebody may stand in the middle".into()
            );
        }
        self.side.check_pin(&peer)?;
        let shared = self.side.agree(&peer, [&first, &second, &peer.to_octets()])?;
        shared.check_proof(&proof, &peer, Role::Caller)?;
        let body = shared.proof(&self.side.identity, Role::Callee).to_vec().into();
        let secrets = shared.secrets(&self.side, &peer, Role::Callee, suite);
        Ok(Step { send: vec![Outgoing { sequence: 4, body }], state: State::Done(Outcome::Keys(secrets)) })
    }
}

impl Handler for Callee {
    fn begin(&mut self) -> Step {
        Step::pending()
    }

    fn message(&mut self, input: &Body<'_>) -> Step {
        let step = match (std::mem::replace(&mut self.state, Progress::Over), input.sequence) {
            (Progress::Waiting, 1) => self.reply(input.data),
            (Progress::Replied { said, commit, suite }, 3) => self.finish(said, &commit, suite, input.data),
            (Progress::Over, _) => Ok(Step::pending()),
            (_, sequence) => Err(format!("message {sequence} came out of turn")),
        };
        step.unwrap_or_else(Step::failed)
    }

    fn waits_for(&self) -> &'static str {
        match self.state {
            Progress::Waiting => "message 1 of the peer",
            Progress::Replied { .. } => "message 3 of the peer",
            Progress::Over => "nothing",
        }
    }
}
