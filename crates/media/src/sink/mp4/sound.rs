//! The sound track of a recording: decoded sound, encoded again as AAC-LC.

use super::file::Mp4File;
use super::timeline::SLACK_MS;
use super::track::Track;
use super::{RecordError, sound_entry};
use crate::codec::aac::{AacEncoder, AacError};
use crate::codec::aac_config::{AacConfig, AacObject};
use crate::sink::convert::Convert;
use crate::sound::Pcm;
use std::io::{Seek, Write};
use std::num::NonZeroU32;

/// Samples per channel in an access unit.
const GRANULE: u32 = 1_024;
/// Bits a second per channel: what AAC-LC takes to sound like its source at any rate that calls have.
const BITRATE: u32 = 96_000;
/// Holes up to this long become silence; behind a longer one the track just goes on later.
const LONGEST_SILENCE_MS: u64 = 5_000;

impl From<AacError> for RecordError {
    fn from(error: AacError) -> Self {
        RecordError::Sound(error.to_string())
    }
}

pub(super) struct SoundTrack {
    track: usize,
    encoder: AacEncoder,
    sample_rate: u32,
    channels: u8,
    convert: Convert,
    /// When the first sample is played, nanoseconds.
    starts: u64,
    /// Samples per channel given to the track, its long holes included.
    reach: u64,
    /// Where on the track the next access unit belongs, samples.
    next: u64,
    /// Samples that do not fill an access unit yet.
    pending: Vec<i16>,
}

impl SoundTrack {
    pub(super) fn new<W: Write + Seek>(file: &mut Mp4File<W>, sound: &Pcm) -> Result<Self, RecordError> {
        let (sample_rate, channels) = (sound.sample_rate(), sound.channels());
        let config = AacConfig { object: AacObject::Lc, sample_rate, channels, granule: GRANULE, sbr: false };
        let encoder = AacEncoder::new(config, BITRATE * u32::from(channels))?;
        let starts = sound.captured.nanos();
        let entry = sound_entry(&encoder.config_bytes(), sample_rate, channels);
        // An encoder with a rate of 0 was refused.
        let timescale = NonZeroU32::new(sample_rate).unwrap_or(NonZeroU32::MIN);
        let mut track = Track::new(false, timescale, starts, entry);
        track.priming = encoder.lag();
        let track = file.add(track, sound.captured);
        Ok(SoundTrack {
            track,
            encoder,
            sample_rate,
            channels,
            convert: Convert::like(sound),
            starts,
            reach: 0,
            next: 0,
            pending: Vec::new(),
        })
    }

    /// Adds a stretch of sound where it belongs on the track.
    pub(super) fn write<W: Write + Seek>(
        &mut self,
        file: &mut Mp4File<W>,
        sound: &Pcm,
    ) -> Result<(), RecordError> {
        let sound = self.convert.convert(sound).map_err(|error| RecordError::Sound(error.to_string()))?;
        let rate = u64::from(self.sample_rate);
        let nanos = u128::from(sound.captured.nanos().saturating_sub(self.starts));
        let belongs = (nanos * u128::from(rate) / 1_000_000_000) as u64;
        let samples = |ms: u64| ms * rate / 1_000;
        let mut skip = 0;
        if belongs > self.reach + samples(SLACK_MS) {
            let hole = belongs - self.reach;
            if hole <= samples(LONGEST_SILENCE_MS) {
                self.push(file, &vec![0; hole as usize * usize::from(self.channels)])?;
            } else {
                self.flush(file)?;
                self.next = self.next.max(belongs);
                self.reach = self.next;
            }
        } else if belongs + samples(SLACK_MS) < self.reach {
            skip = (self.reach - belongs) as usize * usize::from(self.channels);
        }
        self.push(file, sound.samples().get(skip..).unwrap_or_default())
    }

    /// Brings out what the encoder still holds, and says how much of the track's end is not sound.
    pub(super) fn finish<W: Write + Seek>(mut self, file: &mut Mp4File<W>) -> Result<(), RecordError> {
        let end = self.reach;
        let lag = self.encoder.lag();
        let written = self.push(file, &vec![0; lag as usize * usize::from(self.channels)]);
        let written = written.and_then(|()| self.flush(file));
        let padding = self.next.saturating_sub(end + u64::from(lag));
        file.tracks[self.track].padding = padding as u32;
        written
    }

    fn push<W: Write + Seek>(&mut self, file: &mut Mp4File<W>, samples: &[i16]) -> Result<(), RecordError> {
        self.pending.extend_from_slice(samples);
        self.reach += samples.len() as u64 / u64::from(self.channels);
        let whole = GRANULE as usize * usize::from(self.channels);
        while self.pending.len() >= whole {
            let granule: Vec<i16> = self.pending.drain(..whole).collect();
            let data = self.encoder.encode(&granule)?;
            let time = self.next;
            self.next += u64::from(GRANULE);
            file.write(self.track, time, &data, true)?;
        }
        Ok(())
    }

    /// Fills the last access unit with silence.
    fn flush<W: Write + Seek>(&mut self, file: &mut Mp4File<W>) -> Result<(), RecordError> {
        let whole = GRANULE as usize * usize::from(self.channels);
        let missing = if self.pending.is_empty() { 0 } else { whole - self.pending.len() };
        self.push(file, &vec![0; missing])
    }
}
