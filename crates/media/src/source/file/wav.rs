//! Sound from a WAV file at whatever rate is asked for.

use super::{FileError, Playback};
use crate::resample::Resampler;
use crate::sound::{Pcm, SAMPLE_RATES};
use crate::source::AudioSource;
use hound::{SampleFormat, WavReader};
use std::collections::VecDeque;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use visavis_proto::time::Time;

/// Sound of a WAV file (integers of 8 to 32 bits or floating point, mono or stereo, 8 to 96 kHz).
pub struct WavSource {
    /// `None` after the end.
    reader: Option<WavReader<BufReader<File>>>,
    playback: Playback,
    channels: u8,
    sample_rate: u32,
    /// The rate that was asked for last, and the converter to it where the file has another.
    resampler: Option<(u32, Option<Resampler>)>,
    /// Converted samples that were not asked for yet.
    ready: VecDeque<i16>,
}

impl WavSource {
    /// Opens a file.
    ///
    /// # Errors
    /// [`FileError::Io`] from the file, [`FileError::Format`] for what is no WAV file of that kind.
    pub fn open(path: impl AsRef<Path>, playback: Playback) -> Result<Self, FileError> {
        let reader = WavReader::new(BufReader::new(File::open(path)?)).map_err(|error| match error {
            hound::Error::IoError(error) if error.kind() != std::io::ErrorKind::Other => FileError::Io(error),
            other => FileError::Format(format!("no WAV file that can be read: {other}")),
        })?;
        let spec = reader.spec();
        let channels = match spec.channels {
            channels @ 1..=2 => channels as u8,
            channels => {
                return Err(FileError::Format(format!(
                    "{channels} channels are not read; make them two: ffmpeg -i FILE -ac 2 NEW.wav"
                )));
            }
        };
        if !SAMPLE_RATES.contains(&spec.sample_rate) {
            return Err(FileError::Format(format!("a sample rate of {} Hz is not read", spec.sample_rate)));
        }
        let (sample_rate, ready) = (spec.sample_rate, VecDeque::new());
        Ok(WavSource { reader: Some(reader), playback, channels, sample_rate, resampler: None, ready })
    }

    /// Some 20 ms of the file as they are, `None` at its end.
    fn read(&mut self) -> Option<Vec<i16>> {
        let wanted = self.sample_rate as usize / 50 * usize::from(self.channels);
        for fresh in [false, true] {
            let reader = self.reader.as_mut()?;
            let samples = read_samples(reader, wanted, self.channels.into());
            if !samples.is_empty() {
                return Some(samples);
            }
            let again = self.playback == Playback::Loop && !fresh && reader.seek(0).is_ok();
            if !again {
                self.reader = None;
            }
        }
        self.reader = None;
        None
    }

    /// Makes more of the file ready at `rate`; `false` once nothing more will come.
    fn fill(&mut self, rate: u32) -> bool {
        self.more(rate).inspect(|sound| self.ready.extend(sound.samples())).is_some()
    }

    fn more(&mut self, rate: u32) -> Option<Pcm> {
        self.reader.as_ref()?;
        if self.resampler.as_ref().is_none_or(|(to, _)| *to != rate) {
            self.ready.clear();
            let (from, to) = ((self.sample_rate, self.channels), (rate, self.channels));
            let resampler = if from == to { None } else { Some(Resampler::new(from, to).ok()?) };
            self.resampler = Some((rate, resampler));
        }
        let samples = self.read();
        let sound = |samples| Pcm::new(samples, self.sample_rate, self.channels).ok();
        let Some((_, Some(resampler))) = &mut self.resampler else { return sound(samples?) };
        // Behind the end, silence brings out what the converter holds back.
        let silence = || {
            let frames = resampler.latency().as_secs_f64() * f64::from(self.sample_rate);
            vec![0; (frames.ceil() as usize + 1) * usize::from(self.channels)]
        };
        let sound = sound(samples.unwrap_or_else(silence))?;
        resampler.process(&sound).ok()
    }
}

impl AudioSource for WavSource {
    fn pull(&mut self, captured: Time, sample_rate: u32, frames: usize) -> Option<Pcm> {
        let wanted = frames * usize::from(self.channels);
        while self.ready.len() < wanted && self.fill(sample_rate) {}
        if self.ready.is_empty() {
            return None;
        }
        let mut samples: Vec<i16> = self.ready.drain(..wanted.min(self.ready.len())).collect();
        samples.resize(wanted, 0);
        Pcm::new(samples, sample_rate, self.channels).ok().map(|sound| sound.at(captured))
    }

    fn channels(&self) -> u8 {
        self.channels
    }
}

/// Up to `wanted` samples as 16-bit integers, whole frames of `channels` alone; a damaged file ends where the
/// damage begins.
fn read_samples(reader: &mut WavReader<BufReader<File>>, wanted: usize, channels: usize) -> Vec<i16> {
    let spec = reader.spec();
    let mut samples: Vec<i16> = match spec.sample_format {
        SampleFormat::Float => {
            let samples = reader.samples::<f32>().take(wanted).map_while(Result::ok);
            samples.map(|sample| (sample * 32_767.0).round() as i16).collect()
        }
        SampleFormat::Int => {
            let shift = 32 - u32::from(spec.bits_per_sample.clamp(1, 32));
            let samples = reader.samples::<i32>().take(wanted).map_while(Result::ok);
            samples.map(|sample| (sample << shift >> 16) as i16).collect()
        }
    };
    samples.truncate(samples.len() / channels * channels);
    samples
}

#[cfg(test)]
mod tests {
    use super::*;
    use hound::{WavSpec, WavWriter};
    use tempfile::NamedTempFile;

    fn file<S: hound::Sample>(spec: (u16, u32, u16, SampleFormat), samples: Vec<S>) -> NamedTempFile {
        let file = NamedTempFile::new().unwrap();
        let (channels, sample_rate, bits_per_sample, sample_format) = spec;
        let spec = WavSpec { channels, sample_rate, bits_per_sample, sample_format };
        let mut writer = WavWriter::new(file.reopen().unwrap(), spec).unwrap();
        samples.into_iter().for_each(|sample| writer.write_sample(sample).unwrap());
        writer.finalize().unwrap();
        file
    }

    fn sine(rate: u32, hz: f64, frames: usize) -> Vec<i16> {
        let step = std::f64::consts::TAU * hz / f64::from(rate);
        (0..frames).map(|i| (10_000.0 * (step * i as f64).sin()) as i16).collect()
    }

    /// Everything that the source gives in stretches of 20 ms.
    fn all(source: &mut WavSource, rate: u32, most: usize) -> Vec<i16> {
        let mut samples = Vec::new();
        while samples.len() < most
            && let Some(sound) = source.pull(Time::from_millis(7), rate, rate as usize / 50)
        {
            assert_eq!((sound.captured, sound.sample_rate()), (Time::from_millis(7), rate));
            samples.extend_from_slice(sound.samples());
        }
        samples
    }

    #[test]
    fn sound_at_the_files_own_rate_is_the_files_sound() {
        for samples in [sine(16_000, 440.0, 1_600), sine(16_000, 440.0, 1_500)] {
            let file = file((1, 16_000, 16, SampleFormat::Int), samples.clone());
            let mut source = WavSource::open(file.path(), Playback::Once).unwrap();
            let heard = all(&mut source, 16_000, usize::MAX);
            assert_eq!(heard.len(), 1_600);
            assert_eq!(heard[..samples.len()], samples);
            assert!(heard[samples.len()..].iter().all(|&sample| sample == 0), "silence behind it");
        }
    }

    #[test]
    fn every_sample_format_is_read_at_its_level() {
        let formats = [
            file((2, 8_000, 8, SampleFormat::Int), vec![64_i8; 3_200]),
            file((2, 8_000, 24, SampleFormat::Int), vec![1 << 22; 3_200]),
            file((2, 8_000, 32, SampleFormat::Int), vec![1 << 30; 3_200]),
            file((2, 8_000, 32, SampleFormat::Float), vec![0.5_f32; 3_200]),
        ];
        for file in formats {
            let mut source = WavSource::open(file.path(), Playback::Once).unwrap();
            assert_eq!(source.channels(), 2);
            let middle = all(&mut source, 8_000, 2_000)[1_000];
            assert!((middle - 16_384).abs() < 40, "{middle}");
        }
    }

    #[test]
    fn another_rate_keeps_the_pitch_and_a_loop_never_ends() {
        let file = file((1, 44_100, 16, SampleFormat::Int), sine(44_100, 441.0, 44_100));
        let mut source = WavSource::open(file.path(), Playback::Loop).unwrap();
        let heard = all(&mut source, 24_000, 72_000);
        assert_eq!(heard.len(), 72_000);
        // 441 Hz for three seconds, 100 samples a turn where the file starts again: no seam.
        let turns = heard.windows(2).filter(|pair| pair[0] < 0 && pair[1] >= 0).count();
        assert!((1_321..=1_324).contains(&turns), "{turns}");
    }

    #[test]
    fn a_converted_file_comes_out_whole() {
        let file = file((2, 48_000, 16, SampleFormat::Int), vec![8_000_i16; 9_600]);
        let mut source = WavSource::open(file.path(), Playback::Once).unwrap();
        let heard = all(&mut source, 16_000, usize::MAX);
        // 100 ms, stereo, and at the most one stretch more.
        assert!((3_200..=3_840).contains(&heard.len()), "{}", heard.len());
        assert!(heard[640..2_560].iter().all(|sample| (sample - 8_000).abs() < 20));
    }

    #[test]
    fn what_is_no_sound_says_so() {
        let file = file((3, 8_000, 16, SampleFormat::Int), vec![0_i16; 30]);
        let error = WavSource::open(file.path(), Playback::Once).err().unwrap().to_string();
        assert!(error.contains("-ac 2"), "{error}");
        std::fs::write(file.path(), b"not a RIFF file at all").unwrap();
        assert!(matches!(WavSource::open(file.path(), Playback::Once), Err(FileError::Format(_))));
        let empty = self::file((1, 8_000, 16, SampleFormat::Int), Vec::<i16>::new());
        let mut source = WavSource::open(empty.path(), Playback::Loop).unwrap();
        assert_eq!(source.pull(Time::ZERO, 8_000, 160), None);
    }
}
