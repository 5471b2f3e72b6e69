//! Playing given bodies in turn, for the study of what a peer makes of them.

use super::{Body, Context, Handler, Outcome, Outgoing, Role, Scheme, State, Step};
use bytes::Bytes;
use rand_core::RngCore;
use std::sync::Arc;

/// One message of the play.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Which end sends it.
    pub from: Role,
    /// Its sequence number.
    pub sequence: u64,
    /// What is sent. Of the other end's messages the contents do not matter.
    pub body: Bytes,
}

/// Plays a list of bodies: each end sends its own as soon as all before them have come. The media stay clear.
#[derive(Clone, Debug)]
pub struct Replay {
    entries: Arc<[Entry]>,
}

impl Replay {
    /// Plays these, in this order.
    pub fn new(entries: Vec<Entry>) -> Self {
        Replay { entries: entries.into() }
    }

    /// Plays these with the numbers 1, 2, 3 ...; the odd ones are the caller's.
    pub fn in_turn(bodies: impl IntoIterator<Item = Bytes>) -> Self {
        let entries = (1..).zip(bodies).map(|(sequence, body)| {
            let from = if sequence % 2 == 1 { Role::Caller } else { Role::Callee };
            Entry { from, sequence, body }
        });
        Replay::new(entries.collect())
    }

    /// Four messages of 785, 4, 170 and 4 octets, the sizes seen in the calls of 2010. The octets mean nothing.
    pub fn sizes_of_2010() -> Self {
        let filled = |size: usize| Bytes::from((0..size).map(|at| (at % 251) as u8).collect::<Vec<_>>());
        Replay::in_turn([785, 4, 170, 4].map(filled))
    }
}

impl Scheme for Replay {
    fn name(&self) -> &'static str {
        "replay"
    }

    fn encrypts(&self) -> bool {
        false
    }

    fn start(&self, context: &Context, _: &mut dyn RngCore) -> Box<dyn Handler> {
        Box::new(Player { role: context.role, entries: self.entries.clone(), at: 0 })
    }
}

#[derive(Debug)]
struct Player {
    role: Role,
    entries: Arc<[Entry]>,
    /// The next entry.
    at: usize,
}

impl Player {
    /// Sends what is ours up to the next message that is the peer's.
    fn play(&mut self) -> Step {
        let mut step = Step::pending();
        while let Some(entry) = self.entries.get(self.at).filter(|e| e.from == self.role) {
            step.send.push(Outgoing { sequence: entry.sequence, body: entry.body.clone() });
            self.at += 1;
        }
        if self.at >= self.entries.len() {
            step.state = State::Done(Outcome::Clear);
        }
        step
    }
}

impl Handler for Player {
    fn begin(&mut self) -> Step {
        self.play()
    }

    fn message(&mut self, input: &Body<'_>) -> Step {
        match self.entries.get(self.at) {
            Some(entry) if entry.sequence == input.sequence => {
                self.at += 1;
                self.play()
            }
            Some(entry) => {
                let (got, due) = (input.sequence, entry.sequence);
                Step::failed(format!("the peer sent message {got} of the key exchange where {due} was due"))
            }
            None => Step::pending(),
        }
    }
}
