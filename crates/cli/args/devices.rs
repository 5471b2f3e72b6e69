//! What is typed for `visavis devices`.

use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, Args)]
pub(crate) struct DevicesArgs {
    /// Show the level of a microphone: its index in the list, its name or a part of it, or `default`.
    #[arg(long, value_name = "WHICH", num_args = 0..=1, default_missing_value = "default", group = "test")]
    pub(crate) test_mic: Option<String>,
    /// Play the test tone on a speaker.
    #[arg(long, value_name = "WHICH", num_args = 0..=1, default_missing_value = "default", group = "test")]
    pub(crate) test_speaker: Option<String>,
    /// Save a picture from a camera.
    #[arg(long, value_name = "WHICH", num_args = 0..=1, default_missing_value = "default", group = "test")]
    pub(crate) test_camera: Option<String>,
    /// How long microphone and speaker are tested, seconds (or 500ms, 2m).
    #[arg(long, default_value = "5s", value_parser = super::duration)]
    pub(crate) duration: Duration,
    /// Where the picture goes.
    #[arg(long, default_value = "camera.png", value_name = "FILE")]
    pub(crate) out: PathBuf,
}
