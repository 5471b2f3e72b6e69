//! What a call must be like.

use super::MediaArgs;
use crate::Failure;
use clap::Args;
use std::path::PathBuf;
use visavis::media_codecs::source::tone::Tone;
use visavis::report::verdict::read_thresholds;
use visavis::{Expectation, Requirement, Tones};

#[derive(Debug, Args)]
pub(crate) struct VerdictArgs {
    /// What must hold of each call (of a capture: of each stream), for instance 'video.psnr_db>=30' or 'audio.loss<1%' (repeatable);
    /// docs/metrics.md lists what is measured. What was not measured fails.
    #[arg(long, value_name = "METRIC>=N")]
    pub(crate) require: Vec<Requirement>,
    /// Read requirements from this TOML file: video.psnr_db = ">= 30".
    #[arg(long, value_name = "FILE")]
    pub(crate) thresholds: Option<PathBuf>,
}

/// What the peer is known to send.
#[derive(Debug, Args)]
pub(crate) struct PeerMediaArgs {
    /// The peer sends the test pattern and its tone: without them the verdict is bad.
    #[arg(long)]
    pub(crate) expect_pattern: bool,
    /// The tone that the peer plays, Hz: another one makes the verdict bad, and our own is named as swapped sound.
    #[arg(long, value_name = "HZ", value_parser = super::tone)]
    pub(crate) expect_tone: Option<f64>,
}

impl VerdictArgs {
    /// Everything that is required, the file's first.
    pub(crate) fn requirements(&self) -> Result<Vec<Requirement>, Failure> {
        let mut all = Vec::new();
        if let Some(path) = &self.thresholds {
            let text = std::fs::read_to_string(path)
                .map_err(|e| Failure::Missing(format!("cannot read {}: {e}", path.display())))?;
            let read = read_thresholds(&text);
            all = read.map_err(|e| Failure::Usage(format!("{}: {e}", path.display())))?;
        }
        all.extend(self.require.iter().copied());
        Ok(all)
    }

    /// What a call with somebody is measured against.
    pub(crate) fn expectation(
        &self,
        media: &MediaArgs,
        peer: &PeerMediaArgs,
    ) -> Result<Expectation, Failure> {
        let own = media.plays().map(|hz| (hz, "our own".to_owned()));
        let tones = Tones { expected: peer.expect_tone, others: own.into_iter().collect() };
        let require = self.requirements()?;
        Ok(Expectation { media: !media.no_media, pattern: peer.expect_pattern, tones, require })
    }
}

impl MediaArgs {
    /// The pitch of the test tone, Hz.
    pub(crate) fn pitch(&self) -> f64 {
        self.tone.unwrap_or(Tone::default().frequency)
    }

    /// The pitch that is sent; `None` where something else is sent.
    pub(crate) fn plays(&self) -> Option<f64> {
        (self.echo.is_none() && !self.no_media && self.audio_file.is_none()).then(|| self.pitch())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        verdict: VerdictArgs,
    }

    #[test]
    fn requirements_come_from_flags_and_from_a_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "[audio]\nloss = \"< 1%\"\n").unwrap();
        let path = file.path().to_str().unwrap();
        let line = ["x", "--require", "video.psnr_db>=30", "--require", "setup_ms<500", "--thresholds", path];
        let all = Line::try_parse_from(line).unwrap().verdict.requirements().unwrap();
        let names: Vec<String> = all.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["audio.loss < 1 %", "video.psnr_db >= 30 dB", "setup_ms < 500 ms"]);
        let error = Line::try_parse_from(["x", "--require", "video.psnr>=30"]).unwrap_err().to_string();
        assert!(error.contains("did you mean video.psnr_db?"), "{error}");
        std::fs::write(file.path(), "video.psnr_db = 30").unwrap();
        let error = Line::try_parse_from(["x", "--thresholds", path]).unwrap().verdict.requirements();
        let error = error.unwrap_err();
        assert!(error.code() == 2 && error.to_string().contains(">= 30"), "{error}");
    }
}
