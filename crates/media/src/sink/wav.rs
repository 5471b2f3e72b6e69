//! Decoded sound as a WAV file of 16-bit samples.

use super::AudioSink;
use super::convert::Convert;
use crate::sound::Pcm;
use hound::{SampleFormat, WavSpec, WavWriter};
use std::io::{self, Seek, Write};
use std::time::Duration;
use visavis_proto::time::Time;

/// Holes up to this long are filled with silence, so that the file runs along with the clock; a longer one (a
/// call on hold) is left out.
pub const LONGEST_HOLE: Duration = Duration::from_secs(60);
/// Play times may be off the sample count by this much before they count as a hole.
const SLACK: Duration = Duration::from_millis(5);

/// Writes sound as it is played.
///
/// The first stretch sets sample rate and channels; what comes with others later is converted. The header is right after [`AudioSink::finish`], and after
/// a drop without it.
pub struct WavSink<W: Write + Seek> {
    state: State<W>,
}

enum State<W: Write + Seek> {
    Waiting(W),
    Writing(Track<W>),
    Finished,
}

struct Track<W: Write + Seek> {
    writer: WavWriter<W>,
    sample_rate: u32,
    channels: u8,
    convert: Convert,
    /// When the next sample would be heard without a hole, nanoseconds of the sound's clock.
    next: Option<Time>,
}

impl<W: Write + Seek> WavSink<W> {
    /// A sink that writes to `out` (give a buffered writer). Nothing is written before the first sound.
    pub fn new(out: W) -> Self {
        WavSink { state: State::Waiting(out) }
    }
}

impl<W: Write + Seek + Send> AudioSink for WavSink<W> {
    fn play(&mut self, sound: &Pcm) -> io::Result<()> {
        let mut track = match std::mem::replace(&mut self.state, State::Finished) {
            State::Waiting(out) => Track::new(out, sound)?,
            State::Writing(track) => track,
            State::Finished => return Err(io::Error::other("the WAV file is finished")),
        };
        let written = track.write(sound);
        self.state = State::Writing(track);
        written
    }

    fn finish(&mut self) -> io::Result<()> {
        match std::mem::replace(&mut self.state, State::Finished) {
            State::Writing(track) => track.writer.finalize().map_err(error),
            State::Waiting(_) | State::Finished => Ok(()),
        }
    }
}

impl<W: Write + Seek> Track<W> {
    fn new(out: W, sound: &Pcm) -> io::Result<Self> {
        let (sample_rate, channels) = (sound.sample_rate(), sound.channels());
        let convert = Convert::like(sound);
        let spec = WavSpec {
            channels: channels.into(),
            sample_rate,
            bits_per_sample: 16,
            sample_format: SampleFormat::Int,
        };
        Ok(Track {
            writer: WavWriter::new(out, spec).map_err(error)?,
            sample_rate,
            channels,
            convert,
            next: None,
        })
    }

    fn write(&mut self, sound: &Pcm) -> io::Result<()> {
        let sound = self.convert.convert(sound).map_err(io::Error::other)?;
        let hole = self.next.map_or(Duration::ZERO, |next| sound.captured - next);
        if hole > SLACK && hole <= LONGEST_HOLE {
            let frames = hole.as_nanos() * u128::from(self.sample_rate) / 1_000_000_000;
            for _ in 0..frames * u128::from(self.channels) {
                self.writer.write_sample(0_i16).map_err(error)?;
            }
        }
        for &sample in sound.samples() {
            self.writer.write_sample(sample).map_err(error)?;
        }
        self.next = Some(sound.captured + sound.duration());
        Ok(())
    }
}

fn error(error: hound::Error) -> io::Error {
    match error {
        hound::Error::IoError(error) => error,
        other => io::Error::other(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hound::WavReader;
    use std::io::Cursor;

    fn sound(ms: u64, value: i16, frames: usize) -> Pcm {
        Pcm::new(vec![value; 2 * frames], 8_000, 2).unwrap().at(Time::from_millis(ms))
    }

    /// What a file holds after these stretches of sound.
    fn file(sounds: &[Pcm]) -> Vec<i16> {
        let mut file = Cursor::new(Vec::new());
        let mut sink = WavSink::new(&mut file);
        sounds.iter().for_each(|sound| sink.play(sound).unwrap());
        sink.finish().unwrap();
        assert!(sink.play(&sounds[0]).is_err(), "nothing may follow");
        drop(sink);
        file.set_position(0);
        let reader = WavReader::new(file).unwrap();
        assert_eq!((reader.spec().sample_rate, reader.spec().channels), (8_000, 2));
        reader.into_samples().map(|sample| sample.unwrap()).collect()
    }

    #[test]
    fn sound_is_written_as_it_comes_and_small_shifts_leave_no_trace() {
        let samples = file(&[sound(0, 1, 160), sound(23, 2, 160), sound(41, 3, 160)]);
        assert_eq!(samples, [[1; 320], [2; 320], [3; 320]].concat());
    }

    #[test]
    fn holes_become_silence_unless_the_call_was_on_hold() {
        let samples = file(&[sound(0, 1, 80), sound(30, 2, 80), sound(120_000, 3, 80)]);
        assert_eq!(samples, [vec![1; 160], vec![0; 320], vec![2; 160], vec![3; 160]].concat());
    }

    #[test]
    fn sound_of_another_rate_is_converted() {
        let wide = |ms: u64| Pcm::new(vec![2; 320], 16_000, 1).unwrap().at(Time::from_millis(ms));
        let sounds = [vec![sound(0, 2, 160)], (1..50).map(|i| wide(i * 20)).collect()].concat();
        let samples = file(&sounds);
        assert!((2 * 7_840..=2 * 8_000).contains(&samples.len()), "a second, but for what is held back");
        assert!(samples.iter().filter(|&&sample| sample == 2).count() > samples.len() * 9 / 10);
    }

    #[test]
    fn a_sink_without_sound_writes_nothing() {
        let mut file = Cursor::new(Vec::new());
        WavSink::new(&mut file).finish().unwrap();
        assert!(file.into_inner().is_empty());
    }
}
