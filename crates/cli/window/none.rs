//! What stands for the window in a build without it.

use crate::Failure;
use crate::ask::Typed;
use crate::control::Calls;
use crate::live::Live;
use crate::output::Output;
use crate::session::Watch;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};
use visavis::{CallRecord, Options, Verdict};

/// There is none.
#[derive(Clone, Debug)]
pub(crate) enum Show {}

/// Says how to get one.
pub(crate) fn beside(
    _: &str,
    _: (u32, u32),
    _: impl FnOnce(Show) -> Result<(), Failure> + Send,
) -> Result<(), Failure> {
    Err(Failure::Missing(
        "this build knows no windows; build it with `cargo build --release --features window`".into(),
    ))
}

impl Show {
    pub(crate) fn arm(&self, _: &mut Options, _: bool) {
        match *self {}
    }

    pub(crate) fn follow(&self, _: &mut Live) {
        match *self {}
    }

    pub(crate) fn watch(&self) -> Arc<dyn Watch> {
        match *self {}
    }

    pub(crate) fn serve(&self, _: Calls, _: Option<mpsc::Sender<Typed>>, _: watch::Sender<bool>, _: &Output) {
        match *self {}
    }

    pub(crate) fn idle(&self, _: String) {
        match *self {}
    }

    #[allow(clippy::unused_async, reason = "with a window it waits for whoever reads it")]
    pub(crate) async fn over(&self, _: u64, _: &CallRecord, _: &Verdict) {
        match *self {}
    }
}
