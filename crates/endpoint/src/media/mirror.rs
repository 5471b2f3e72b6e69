//! What a call receives, decoded, on its way back: to encoders of the same call.
//!
//! Nothing here waits for a time to play at, and times of capture are those of arrival: playout times of sound and
//! pictures are not in step before the peer's first RTCP reports. A picture is coded again when it is decoded; where
//! the encoder is behind, the newest one replaces the one that waits. Sound is coded again as soon as there is enough
//! of it for a frame.

use super::pool::Address;
use super::send::{Outlet, aim, open_encoder};
use super::{MediaActor, Work};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use visavis_media::codec::{AudioEncoder, CodecError};
use visavis_media::picture::Picture;
use visavis_media::resample::Resampler;
use visavis_media::sound::{Pcm, Reblock};
use visavis_media::source::VideoSource;
use visavis_proto::Time;
use visavis_proto::frame::AudioFormat;
use visavis_proto::io::{EncoderTarget, MediaFormat};

/// The size and the pictures a second that are assumed until some have come.
const ASSUMED: ((u32, u32), f64) = ((640, 480), 30.0);
/// Pictures between which the rate is measured.
const COUNTED: u32 = 15;

/// The decoder's end of a way back.
#[derive(Clone)]
pub(crate) enum Back {
    Pictures(Slot, Address<MediaActor>),
    Sound(Address<MediaActor>),
}

/// The picture that waits for the encoder.
#[derive(Clone, Default)]
pub(crate) struct Slot(Arc<Mutex<Option<Picture>>>);

impl Slot {
    /// Puts a picture in; gives the one that it replaces.
    fn put(&self, picture: Picture) -> Option<Picture> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).replace(picture)
    }

    fn take(&self) -> Option<Picture> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Back {
    /// The way to the encoder of this format, which takes its pictures out of `slot`.
    pub(super) fn new(format: &MediaFormat, slot: Slot, encoder: Address<MediaActor>) -> Self {
        match format {
            MediaFormat::Audio(_) => Back::Sound(encoder),
            MediaFormat::Video(_) => Back::Pictures(slot, encoder),
        }
    }

    /// Hands over a picture, stamped with its arrival.
    pub(super) fn picture(&self, picture: Picture) {
        let Back::Pictures(slot, encoder) = self else { return };
        // Where one waits, the encoder has been woken for it.
        if slot.put(picture).is_none() {
            encoder.send(Work::Wake);
        }
    }

    /// Hands sound over, stamped with its arrival; an encoder that is too far behind takes no more.
    pub(super) fn sound(&self, sound: Pcm) {
        let Back::Sound(encoder) = self else { return };
        encoder.offer(Work::Sound(sound));
    }
}

/// The encoder's end: gives each picture as soon as it is there, and never says when the next one will be.
pub(super) struct MirrorSource {
    slot: Slot,
    size: (u32, u32),
    fps: f64,
    /// When the pictures that are counted began to come, and how many have come since.
    counted: Option<(Time, u32)>,
}

impl MirrorSource {
    pub(super) fn new(slot: Slot) -> Self {
        let (size, fps) = ASSUMED;
        MirrorSource { slot, size, fps, counted: None }
    }

    fn count(&mut self, arrived: Time) {
        match &mut self.counted {
            Some((since, count)) if *since < arrived && arrived - *since < Duration::from_secs(5) => {
                *count += 1;
                if *count == COUNTED {
                    self.fps = f64::from(*count) / (arrived - *since).as_secs_f64();
                    self.counted = Some((arrived, 0));
                }
            }
            counted => *counted = Some((arrived, 0)),
        }
    }
}

impl VideoSource for MirrorSource {
    fn next(&mut self, _: Time) -> Option<Picture> {
        let picture = self.slot.take()?;
        self.size = picture.size();
        self.count(picture.captured);
        Some(picture)
    }

    fn due(&self) -> Option<Time> {
        None
    }

    fn size(&self) -> (u32, u32) {
        self.size
    }

    fn fps(&self) -> f64 {
        self.fps
    }
}

/// Encodes the sound that comes back.
pub(crate) struct MirrorSound {
    encoder: Box<dyn AudioEncoder>,
    format: AudioFormat,
    /// From this rate and these channels.
    resampler: Option<((u32, u8), Resampler)>,
    reblock: Reblock,
    outlet: Outlet,
}

impl MirrorSound {
    pub(super) fn new(
        format: AudioFormat,
        target: Option<&EncoderTarget>,
        outlet: Outlet,
    ) -> Result<Self, CodecError> {
        let encoder = open_encoder(&format, target)?;
        let reblock = Reblock::new(format.samples_per_frame as usize);
        Ok(MirrorSound { encoder, format, resampler: None, reblock, outlet })
    }

    pub(super) fn handle(&mut self, work: Work) {
        match work {
            Work::Sound(sound) => self.sound(&sound),
            Work::Target(target) => aim(self.encoder.as_mut(), &target),
            _ => {}
        }
    }

    fn sound(&mut self, sound: &Pcm) {
        let Some(sound) = self.convert(sound) else { return };
        self.reblock.push(&sound);
        while let Some(frame) = self.reblock.pull() {
            match self.encoder.encode(&frame) {
                Ok(Some(frame)) => self.outlet.send(frame),
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, "a frame of sound was not sent back"),
            }
        }
    }

    /// Sound as the encoder takes it.
    fn convert(&mut self, sound: &Pcm) -> Option<Pcm> {
        let (from, to) =
            ((sound.sample_rate(), sound.channels()), (self.format.sample_rate, self.format.channels));
        if from == to {
            return Some(sound.clone());
        }
        if self.resampler.as_ref().is_none_or(|(known, _)| *known != from) {
            self.resampler = Resampler::new(from, to).ok().map(|resampler| (from, resampler));
        }
        self.resampler.as_mut()?.1.process(sound).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(number: u64) -> Picture {
        Picture::new(320, 240).unwrap().numbered(number).at(Time::from_millis(100 * number))
    }

    #[test]
    fn the_newest_picture_replaces_the_one_that_waits_and_only_the_first_one_wakes() {
        let slot = Slot::default();
        let woken = (0..5).filter(|&n| slot.put(picture(n)).is_none()).count();
        let mut source = MirrorSource::new(slot.clone());
        assert_eq!(woken, 1);
        assert_eq!(source.next(Time::ZERO).map(|p| p.sequence), Some(4));
        assert!(source.next(Time::ZERO).is_none());
        assert!(slot.put(picture(5)).is_none(), "the next one wakes again");
    }

    #[test]
    fn size_and_rate_are_those_of_what_comes() {
        let slot = Slot::default();
        let mut source = MirrorSource::new(slot.clone());
        for n in 0..40 {
            slot.put(picture(n));
            source.next(Time::ZERO);
        }
        assert_eq!(source.size(), (320, 240));
        assert!((source.fps() - 10.0).abs() < 0.01, "{}", source.fps());
    }
}
