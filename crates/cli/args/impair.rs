//! What is done to the datagrams of an endpoint.

use clap::Args;
use std::path::PathBuf;
use visavis::{Impair, Impairment};

/// The seed where none is given: a run can be repeated without asking for one.
const SEED: u64 = 1;

#[derive(Debug, Args)]
pub(crate) struct ImpairArgs {
    /// Lose, delay, reorder, double and queue datagrams, for instance
    /// 'up:loss=2%,delay=40ms±10ms,reorder=1%,rate=1mbit;down.audio:delay=100ms'. Up is what is sent from here, down
    /// what arrives; docs/guides/impairment.md has all options.
    #[arg(long, value_name = "LINES")]
    pub(crate) impair: Option<Impairment>,
    /// Decides everything that --impair leaves to chance.
    #[arg(long, value_name = "N", default_value_t = SEED, requires = "impair")]
    pub(crate) impair_seed: u64,
    /// Write what became of each datagram to this file, one JSON object per line.
    #[arg(long, value_name = "FILE", requires = "impair")]
    pub(crate) impair_log: Option<PathBuf>,
}

impl ImpairArgs {
    /// What an endpoint is to be told.
    pub(crate) fn impair(&self) -> Option<Impair> {
        self.impair.clone().map(|lines| Impair { lines, seed: self.impair_seed })
    }
}
