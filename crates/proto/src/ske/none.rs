//! No exchange at all.

use super::{Body, Context, Handler, Outcome, Scheme, State, Step};
use rand_core::RngCore;

/// Sends nothing, wants nothing, and leaves the media clear.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoExchange;

impl Scheme for NoExchange {
    fn name(&self) -> &'static str {
        "none"
    }

    fn encrypts(&self) -> bool {
        false
    }

    fn start(&self, _: &Context, _: &mut dyn RngCore) -> Box<dyn Handler> {
        Box::new(Handled)
    }
}

#[derive(Debug)]
struct Handled;

impl Handler for Handled {
    fn begin(&mut self) -> Step {
        Step::done(Outcome::Clear)
    }

    fn message(&mut self, _: &Body<'_>) -> Step {
        Step {
            send: Vec::new(),
            state: State::Declined("the peer wants to exchange keys and we do not".into()),
        }
    }
}
