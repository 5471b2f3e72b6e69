//! Listening to the exchange of a peer without a part in it.

use super::{Body, Context, Handler, Outcome, Scheme, Step};
use rand_core::RngCore;

/// Sends nothing and takes every body, so that it can be recorded; the media stay clear.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tap;

impl Scheme for Tap {
    fn name(&self) -> &'static str {
        "tap"
    }

    fn encrypts(&self) -> bool {
        false
    }

    fn start(&self, _: &Context, _: &mut dyn RngCore) -> Box<dyn Handler> {
        Box::new(Listening)
    }
}

#[derive(Debug)]
struct Listening;

impl Handler for Listening {
    fn begin(&mut self) -> Step {
        Step::done(Outcome::Clear)
    }

    fn message(&mut self, _: &Body<'_>) -> Step {
        Step::pending()
    }
}
