//! Microphone, speaker and camera of a call, as they are typed.

use clap::Args;

#[derive(Debug, Default, Args)]
pub(crate) struct LiveArgs {
    /// Send the sound of a microphone: its index in the list of `visavis devices`, its name or a part of it.
    #[arg(long, value_name = "WHICH", num_args = 0..=1, require_equals = true, default_missing_value = "default",
          conflicts_with_all = ["audio_file", "echo", "no_media"])]
    pub(crate) mic: Option<String>,
    /// Play what arrives on a speaker.
    #[arg(long, value_name = "WHICH", num_args = 0..=1, require_equals = true, default_missing_value = "default",
          conflicts_with = "no_media")]
    pub(crate) speaker: Option<String>,
    /// Send the pictures of a camera.
    #[arg(long, value_name = "WHICH", num_args = 0..=1, require_equals = true, default_missing_value = "default",
          conflicts_with_all = ["video_file", "echo", "no_media"])]
    pub(crate) camera: Option<String>,
    /// Begin with a silent microphone (unmute in docs/scripting.md).
    #[arg(long, requires = "mic")]
    pub(crate) mute: bool,
    /// Leave in the microphone's sound what the speaker played.
    #[arg(long, requires = "mic")]
    pub(crate) no_echo_cancel: bool,
    /// Leave steady noise in it.
    #[arg(long, requires = "mic")]
    pub(crate) no_noise_suppression: bool,
    /// Leave its level as it is.
    #[arg(long, requires = "mic")]
    pub(crate) no_gain_control: bool,
}

impl LiveArgs {
    /// Whether any device is asked for.
    pub(crate) fn any(&self) -> bool {
        self.mic.is_some() || self.speaker.is_some() || self.camera.is_some()
    }
}
