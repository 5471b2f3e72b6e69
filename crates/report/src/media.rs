//! What was seen and heard of a call.

use crate::timeline::Timeline;
use serde::Serialize;
use std::path::PathBuf;
use visavis_media::judge::Judgement;

/// What the decoders, the judge and the recorder of a call have to say. What was not measured is `None`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct MediaReport {
    /// What the judge measured; `None` where there was none.
    pub judgement: Option<Judgement>,
    /// The recording, where there is one.
    pub recording: Option<PathBuf>,
    /// Why the recording is missing or not whole.
    pub recording_error: Option<String>,
    /// Pictures that the decoder gave.
    pub pictures_decoded: u64,
    /// Pictures with parts that were lost and made up.
    pub pictures_concealed: u64,
    /// Frames of sound made up in place of lost ones.
    pub sound_concealed: u64,
    /// Frames that could not be decoded.
    pub decode_errors: u64,
    /// The same second by second, where a report was asked for. In `call.json` it stands beside the record.
    #[serde(skip)]
    pub timeline: Option<Timeline>,
}
