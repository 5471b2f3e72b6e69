//! What is typed about scripts.

use clap::Args;

#[derive(Clone, Copy, Debug, Default, Args)]
pub(crate) struct ControlArgs {
    /// Take commands from stdin, one JSON object a line, and print JSON events as --json does (docs/scripting.md). At
    /// the end of stdin calls go on.
    #[arg(long)]
    pub(crate) control: bool,
}
