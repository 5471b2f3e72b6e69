//! Where sound ends or begins in the middle: a tail that dies away, a start that swells up.

/// Length of a fade, milliseconds.
const FADE_MS: u32 = 5;

/// The newest sound of a stream, and the fades at its ends. Allocates when it is made, never after.
#[derive(Debug)]
pub(super) struct Seam {
    channels: usize,
    /// Frames that a fade lasts.
    length: usize,
    /// The newest sound, `length + 1` frames, the oldest first.
    newest: Box<[i16]>,
    /// What `newest` was where the sound broke off.
    broken: Box<[i16]>,
    /// The loudest of that: its tail is no louder.
    loudest: f32,
    /// Whether sound went by since the last break.
    sounding: bool,
    /// Frames of the tail that are still to come.
    tail: usize,
    /// Frames of the fade-in that are still to come.
    swell: usize,
}

impl Seam {
    /// A stream that begins in silence: what comes first swells up.
    pub(super) fn new(sample_rate: u32, channels: u8) -> Self {
        let length = (sample_rate * FADE_MS / 1_000) as usize;
        let channels = usize::from(channels);
        let newest: Box<[i16]> = vec![0; (length + 1) * channels].into();
        let broken = newest.clone();
        Seam { channels, length, newest, broken, loudest: 0.0, sounding: false, tail: 0, swell: length }
    }

    /// Real sound goes by: it swells up where it comes after a break, over the tail of what was before.
    pub(super) fn pass(&mut self, samples: &mut [i16]) {
        if samples.is_empty() {
            return;
        }
        self.sounding = true;
        for frame in samples.chunks_mut(self.channels) {
            if self.swell == 0 && self.tail == 0 {
                break;
            }
            let gain = (self.length - self.swell) as f32 / self.length as f32;
            for (channel, sample) in frame.iter_mut().enumerate() {
                let sum = f32::from(*sample) * gain + self.dying(channel);
                *sample = sum.round().clamp(-32_768.0, 32_767.0) as i16;
            }
            self.swell = self.swell.saturating_sub(1);
            self.tail = self.tail.saturating_sub(1);
        }
        self.remember(samples);
    }

    /// The sound breaks off here: begins the tail, and the next real sound swells up. Nothing happens where
    /// it is broken off already.
    pub(super) fn break_off(&mut self) {
        if !std::mem::take(&mut self.sounding) {
            return;
        }
        self.broken.copy_from_slice(&self.newest);
        self.loudest = self.broken.iter().map(|sample| sample.unsigned_abs()).max().map_or(0.0, f32::from);
        (self.tail, self.swell) = (self.length, self.length);
    }

    /// Something else ends the sound: no tail here, and the next real sound swells up.
    pub(super) fn restart(&mut self) {
        self.sounding = false;
        (self.tail, self.swell) = (0, self.length);
    }

    /// Fills a gap: what is left of the tail, then silence.
    pub(super) fn fill(&mut self, samples: &mut [i16]) {
        for frame in samples.chunks_mut(self.channels) {
            for (channel, sample) in frame.iter_mut().enumerate() {
                *sample = self.dying(channel).round() as i16;
            }
            self.tail = self.tail.saturating_sub(1);
        }
    }

    /// The tail's next sample: the newest sound turned around its last sample, so that neither its value nor
    /// its slope jumps, dying away. Turned around a peak it would be thrice as high.
    fn dying(&self, channel: usize) -> f32 {
        if self.tail == 0 {
            return 0.0;
        }
        let made = self.length - self.tail + 1;
        let last = self.broken.len() - self.channels + channel;
        let (value, mirrored) =
            (f32::from(self.broken[last]), f32::from(self.broken[last - made * self.channels]));
        let gain = (self.tail - 1) as f32 / self.length as f32;
        (2.0 * value - mirrored).clamp(-self.loudest, self.loudest) * gain * gain
    }

    fn remember(&mut self, samples: &[i16]) {
        let size = self.newest.len();
        if samples.len() >= size {
            self.newest.copy_from_slice(&samples[samples.len() - size..]);
        } else {
            self.newest.copy_within(samples.len().., 0);
            self.newest[size - samples.len()..].copy_from_slice(samples);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::tests::tone;

    #[test]
    fn a_break_of_any_length_has_no_step_in_it() {
        for gap in [0, 1, 30, 79, 80, 400] {
            let mut sound = tone(300.0, 16_000, 3_200, 8_000.0);
            let mut seam = Seam::new(16_000, 1);
            seam.swell = 0;
            let (before, rest) = sound.split_at_mut(1_613);
            seam.pass(before);
            seam.break_off();
            seam.fill(&mut rest[..gap]);
            for part in rest[gap..].chunks_mut(7) {
                seam.pass(part);
            }
            let step = sound.windows(2).map(|w| (i32::from(w[1]) - i32::from(w[0])).abs()).max();
            // The sine's own steepest step is 942.
            assert!(step < Some(1_400), "{gap}: {step:?}");
        }
    }

    #[test]
    fn a_tail_is_no_louder_than_what_was_before_it() {
        for end in 1_600..1_655 {
            let mut sound = tone(300.0, 16_000, 3_200, 8_000.0);
            let mut seam = Seam::new(16_000, 1);
            let (before, gap) = sound.split_at_mut(end);
            seam.pass(before);
            seam.break_off();
            seam.fill(gap);
            let loudest = sound.iter().map(|sample| sample.unsigned_abs()).max();
            assert!(loudest <= Some(8_000), "broken off at {end}: {loudest:?}");
        }
    }

    #[test]
    fn two_channels_fade_apart() {
        let mut seam = Seam::new(8_000, 2);
        let mut sound: Vec<i16> = (0..200).flat_map(|_| [1_000, -500]).collect();
        seam.pass(&mut sound);
        assert_eq!((sound[0], sound[398], sound[399]), (0, 1_000, -500));
        seam.break_off();
        let mut gap = [7; 100];
        seam.fill(&mut gap);
        assert!(gap[0] > 900 && gap[1] < -450, "{gap:?}");
        assert_eq!(gap[90..], [0; 10]);
    }
}
