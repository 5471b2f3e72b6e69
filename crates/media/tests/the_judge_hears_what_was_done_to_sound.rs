//! What is done to the tone on purpose is what the judge reports, behind every codec.

use bytes::Bytes;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use std::time::Duration;
use visavis_media::codec::{open_audio_decoder, open_audio_encoder};
use visavis_media::judge::{AudioReport, Judge, JudgeConfig, Judgement};
use visavis_media::sound::Pcm;
use visavis_media::source::AudioSource;
use visavis_media::source::pattern::{Pattern, Stamp};
use visavis_media::source::tone::{Tone, ToneSource};
use visavis_proto::frame::{AudioFormat, Codec};
use visavis_proto::time::Time;

/// When the first sample is captured by the sender's clock, nanoseconds since the Unix epoch.
const SENT: u64 = 1_700_000_000_300_000_000;
/// What our clock is ahead of the sender's.
const AHEAD: Duration = Duration::from_millis(123_456);

fn captured(nanos: u64) -> Time {
    Time::from_nanos(nanos).with_unix_offset(SENT as i64)
}

/// When that is on our clock.
fn here(nanos: u64) -> Time {
    captured(nanos) + AHEAD
}

/// `seconds` of the tone in stretches of 20 ms, each with the time at which it is played.
fn tone(tone: Tone, rate: u32, seconds: u64) -> Vec<Pcm> {
    let mut source = ToneSource::new(tone);
    let frames = rate as usize / 50;
    (0..seconds * 50)
        .map(|i| source.pull(captured(i * 20_000_000), rate, frames).unwrap().at(here(i * 20_000_000)))
        .collect()
}

fn judge(sounds: &[Pcm]) -> Judgement {
    let mut judge = Judge::new(JudgeConfig::default());
    sounds.iter().for_each(|sound| judge.sound(sound));
    judge.judgement(Time::ZERO)
}

fn hear(sounds: &[Pcm]) -> AudioReport {
    judge(sounds).audio
}

fn change(sounds: &mut [Pcm], mut f: impl FnMut(i16) -> f64) {
    for sample in sounds.iter_mut().flat_map(Pcm::samples_mut) {
        *sample = f(*sample).clamp(-32_768.0, 32_767.0) as i16;
    }
}

#[test]
fn the_raw_tone_is_heard_within_a_tenth_of_a_hertz_and_a_decibel() {
    for rate in [8_000, 16_000, 24_000, 44_100, 48_000] {
        for (frequency, level) in [(440.0, -18.0), (997.0, -18.0), (1_000.3, -40.0), (300.0, -6.0)] {
            let heard = hear(&tone(Tone { frequency, level, ..Tone::default() }, rate, 4));
            let what = format!("{frequency} Hz at {level} dBFS, {rate}: {heard:?}");
            assert!((heard.tone_hz.unwrap() - frequency).abs() < 0.1, "{what}");
            assert!((heard.level_dbfs.unwrap() - level).abs() < 0.1, "{what}");
            assert_eq!((heard.dropouts, heard.markers, heard.silence_share), (0, 4, Some(0.0)), "{what}");
            assert_eq!((heard.tonal_share, heard.clipped_share), (Some(1.0), Some(0.0)), "{what}");
            assert!((heard.duration_s - 4.0).abs() < 1e-6 && heard.sample_rate == Some(rate), "{what}");
        }
    }
}

fn format(codec: Codec, rate: u32, frame: u32, config: &'static [u8]) -> AudioFormat {
    AudioFormat {
        codec,
        sample_rate: rate,
        clock_rate: if codec == Codec::G722 { 8_000 } else { rate },
        channels: 1,
        samples_per_frame: frame,
        config: Bytes::from_static(config),
        max_bitrate: None,
    }
}

fn formats() -> Vec<AudioFormat> {
    vec![
        format(Codec::Pcmu, 8_000, 160, &[]),
        format(Codec::Pcma, 8_000, 160, &[]),
        format(Codec::G722, 16_000, 320, &[]),
        #[cfg(feature = "opus")]
        format(Codec::Opus, 48_000, 960, &[]),
        #[cfg(feature = "aac")]
        format(Codec::AacLd, 44_100, 480, &[0xba, 0x0d, 0x00]),
        #[cfg(feature = "aac")]
        format(Codec::AacLd, 24_000, 512, &[0xbb, 0x09, 0x00]),
        #[cfg(feature = "aac")]
        format(Codec::AacEld, 44_100, 480, &[0xf8, 0xe8, 0x30, 0x00]),
        #[cfg(feature = "aac")]
        format(Codec::AacEld, 24_000, 480, &[0xf8, 0xec, 0x30, 0x00]),
    ]
}

/// The tone behind a codec, played at the time of its capture with the codec's own lag taken off.
fn coded(format: &AudioFormat, seconds: u64) -> Vec<Pcm> {
    let mut encoder = open_audio_encoder(format, None).unwrap();
    let mut decoder = open_audio_decoder(format).unwrap();
    let mut source = ToneSource::new(Tone::default());
    let (rate, frame) = (u64::from(format.sample_rate), u64::from(format.samples_per_frame));
    let lag = u64::from(encoder.lag()) * 1_000_000_000 / rate;
    let mut out = Vec::new();
    for index in 0..seconds * rate / frame {
        let nanos = index * frame * 1_000_000_000 / rate;
        let sound = source.pull(captured(nanos), format.sample_rate, frame as usize).unwrap();
        if let Some(coded) = encoder.encode(&sound).unwrap() {
            out.push(
                decoder
                    .decode(&coded.data)
                    .unwrap()
                    .at(here(nanos).saturating_sub(Duration::from_nanos(lag))),
            );
        }
    }
    out
}

#[test]
fn behind_every_codec_the_tone_is_within_a_hertz_and_the_markers_within_two_milliseconds() {
    for format in formats() {
        let sounds = coded(&format, 6);
        for late in [-80, 0, 80] {
            let judgement = with_pictures(&sounds, late);
            let (heard, what) =
                (&judgement.audio, format!("{} {}: {judgement:?}", format.codec, format.sample_rate));
            assert!((heard.tone_hz.unwrap() - 997.0).abs() < 1.0, "{what}");
            assert!((heard.level_dbfs.unwrap() + 18.0).abs() < 0.5, "{what}");
            assert!((5..=6).contains(&heard.markers) && heard.dropouts == 0, "{what}");
            let offset = judgement.sync.unwrap().offset_ms;
            assert!((offset.median - f64::from(late)).abs() < 2.0, "{late} ms: {what}");
            assert!(offset.max - offset.min < 2.0, "{what}");
        }
    }
}

/// Judges sound together with pictures at 15 a second, the sound `late` milliseconds later than they.
fn with_pictures(sounds: &[Pcm], late: i32) -> Judgement {
    let mut judge = Judge::new(JudgeConfig::default());
    let pattern = Pattern::new(128, 96).unwrap();
    let delay = Duration::from_millis(200);
    for number in 0..90_u32 {
        let nanos = u64::from(number) * 1_000_000_000 / 15;
        let shown = here(nanos) + delay;
        judge.picture(&pattern.draw(Stamp::new(number, captured(nanos))).at(shown), shown);
    }
    for sound in sounds {
        let played = sound.captured + delay;
        let apart = Duration::from_millis(u64::from(late.unsigned_abs()));
        let played = if late < 0 { played.saturating_sub(apart) } else { played + apart };
        judge.sound(&sound.clone().at(played));
    }
    judge.judgement(Time::ZERO)
}

#[test]
fn without_markers_or_pictures_the_offset_is_unknown() {
    assert_eq!(judge(&tone(Tone::default(), 8_000, 3)).sync, None);
    let silent: Vec<Pcm> =
        (0..150).map(|i| Pcm::silence(160, 8_000, 1).unwrap().at(here(i * 20_000_000))).collect();
    assert_eq!(with_pictures(&silent, 0).sync, None);
}

#[test]
fn silence_has_no_tone_and_never_began() {
    let silent: Vec<Pcm> =
        (0..100).map(|i| Pcm::silence(480, 24_000, 1).unwrap().at(here(i * 20_000_000))).collect();
    let judgement = judge(&silent);
    let heard = &judgement.audio;
    assert_eq!(
        (heard.silence_share, heard.tone_hz, heard.level_dbfs, heard.tonal_share),
        (Some(1.0), None, None, None)
    );
    assert_eq!((heard.dropouts, heard.markers), (0, 0));
    assert_eq!(hear(&[]), AudioReport::default());
}

#[test]
fn dropouts_are_counted_and_measured_whether_silent_or_missing() {
    let mut sounds = tone(Tone::default(), 16_000, 4);
    change(&mut sounds[30..33], |_| 0.0); // 60 ms of silence
    change(&mut sounds[90..91], |sample| f64::from(sample) / 30.0); // 20 ms, 30 dB down
    sounds.drain(160..165); // 100 ms that never came
    let heard = hear(&sounds);
    assert_eq!(heard.dropouts, 3);
    assert!((heard.dropouts_ms - 180.0).abs() <= 15.0, "{heard:?}");
    assert!((heard.longest_dropout_ms - 100.0).abs() <= 5.0, "{heard:?}");
    assert!((heard.duration_s - 4.0).abs() < 0.01, "{heard:?}");
    assert!((heard.tone_hz.unwrap() - 997.0).abs() < 0.1, "{heard:?}");

    // What has stopped is a dropout up to now.
    let mut stopped = tone(Tone::default(), 16_000, 2);
    change(&mut stopped[80..], |_| 0.0);
    assert_eq!(hear(&stopped).longest_dropout_ms, 400.0);
    // A hole too long for a pause in the same sound is a dropout of its own length.
    let mut hold = tone(Tone::default(), 16_000, 20);
    hold.drain(100..800);
    let heard = hear(&hold);
    assert_eq!((heard.dropouts, heard.longest_dropout_ms.round()), (1, 14_000.0), "{heard:?}");
}

#[test]
fn a_wrong_tone_noise_and_clipping_are_told_apart() {
    let good = tone(Tone::default(), 24_000, 4);
    let fast = tone(Tone { frequency: 1_085.2, ..Tone::default() }, 24_000, 4);
    assert!((hear(&fast).tone_hz.unwrap() - 1_085.2).abs() < 0.1);

    let mut random = ChaCha20Rng::seed_from_u64(1);
    let mut noise = good.clone();
    change(&mut noise, |_| f64::from(random.next_u32() as i16) / 8.0);
    let judgement = judge(&noise);
    assert!(judgement.audio.tonal_share.unwrap() < 0.1, "{judgement:?}");
    assert_eq!((judgement.audio.markers, judgement.audio.tone_hz), (0, None));

    let mut noisy = good.clone();
    change(&mut noisy, |sample| f64::from(sample) + f64::from(random.next_u32() as i16) / 32.0);
    let heard = hear(&noisy);
    // Uniform noise of +-1024 has a power of 1024^2 / 3, the tone of 4125^2 / 2.
    assert!((heard.over_noise_db.unwrap().median - 13.9).abs() < 0.5, "{heard:?}");
    assert_eq!((heard.markers, heard.dropouts), (4, 0));

    let mut loud = good.clone();
    change(&mut loud, |sample| f64::from(sample) * 12.0);
    let share = hear(&loud).clipped_share.unwrap();
    assert!(share > 0.2, "{share}");
}

#[test]
fn speech_like_sound_has_no_markers() {
    // Bursts of noise at the marker's pitch and elsewhere, of many lengths.
    let mut random = ChaCha20Rng::seed_from_u64(7);
    let mut sounds = tone(Tone::default(), 16_000, 60);
    let (mut left, mut level) = (0, 0.0);
    let mut smooth = [0.0_f64; 2];
    change(&mut sounds, |_| {
        if left == 0 {
            left = 320 + random.next_u32() % 6_400;
            level = f64::from(random.next_u32() % 3) * 4_000.0;
        }
        left -= 1;
        // A resonance near 2500 Hz, fed with noise.
        let next =
            1.05 * smooth[0] - 0.9 * smooth[1] + level * (f64::from(random.next_u32() as i16) / 32_768.0);
        smooth = [next, smooth[0]];
        next
    });
    let heard = hear(&sounds);
    assert!(heard.markers <= 2, "{heard:?}");
}

#[test]
fn a_change_of_rate_goes_on() {
    let mut sounds = tone(Tone::default(), 8_000, 3);
    sounds.extend(tone(Tone::default(), 24_000, 6).drain(150..));
    let heard = hear(&sounds);
    assert_eq!((heard.markers, heard.dropouts, heard.sample_rate), (6, 0, Some(24_000)));
    assert!((heard.tone_hz.unwrap() - 997.0).abs() < 0.1);
}
