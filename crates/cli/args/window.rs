//! What is typed about the window.

use clap::Args;

#[derive(Clone, Copy, Debug, Default, Args)]
pub(crate) struct WindowArgs {
    /// Show the peer's pictures and our own in a window; its keys mute, turn the camera off and hang up (? lists them).
    #[arg(long, conflicts_with = "no_media")]
    pub(crate) window: bool,
}
