//! The command line of `visavis inspect`.

use super::{ReportArgs, VerdictArgs};
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use visavis::capture::analysis::{Framing, PayloadOverride};

#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    /// The capture: pcap or pcapng; - for stdin.
    pub(crate) file: PathBuf,
    /// Write every stream and every body of a key exchange into this directory: H.264 as .264 and MP4, sound as WAV.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// A key for SRTP: SSRC:SUITE:inline:BASE64 (any for the SSRC where one key opens all), or a file of SDP with
    /// a=crypto, such as --export-keys writes. Keys in the capture's own signalling are found without this.
    #[arg(long, value_name = "KEY|FILE")]
    pub(crate) srtp_key: Vec<String>,
    /// What a payload type carries, whatever the signalling says: PT=CODEC/RATE[/CH][;fmtp], for instance
    /// 105=X-AAC_ELD/22050.
    #[arg(long, value_name = "PT=CODEC")]
    pub(crate) payload_type: Vec<PayloadOverride>,
    /// How AAC lies in its packets, whatever the signalling says.
    #[arg(long, value_enum)]
    pub(crate) audio_framing: Option<AudioFraming>,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
    #[command(flatten)]
    pub(crate) verdict: VerdictArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "lower")]
pub(crate) enum AudioFraming {
    /// One access unit in each packet, and nothing else.
    Raw,
    /// Behind AU headers (RFC 3640).
    Rfc3640,
    /// In LATM elements (RFC 6416).
    Latm,
}

impl From<AudioFraming> for Framing {
    fn from(framing: AudioFraming) -> Self {
        match framing {
            AudioFraming::Raw => Framing::Raw,
            AudioFraming::Rfc3640 => Framing::Rfc3640,
            AudioFraming::Latm => Framing::Latm,
        }
    }
}
