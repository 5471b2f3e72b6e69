//! AAC-LD, AAC-ELD and AAC-LC through encoder and decoder: configs, tones, lag, rates, loss, hostile input.
#![cfg(feature = "aac")]

mod signal;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use signal::{audio_format as format, component, delay, frequency, left, rms, tone};
use visavis_media::Pcm;
use visavis_media::codec::aac::{AacEncoder, LowDelayDecoder, LowDelayEncoder};
use visavis_media::codec::aac_config::{AacConfig, AacObject};
use visavis_media::codec::{AudioEncoder, CodecError, open_audio_decoder, open_audio_encoder};
use visavis_proto::frame::{AudioFormat, Codec};
use visavis_proto::time::Time;

/// Every format that a call may ask for.
fn formats() -> impl Iterator<Item = AudioFormat> {
    let rates = [16_000, 22_050, 24_000, 44_100, 48_000];
    [Codec::AacLd, Codec::AacEld].into_iter().flat_map(move |codec| {
        rates.into_iter().flat_map(move |rate| {
            [(1, 480), (1, 512), (2, 480), (2, 512)].map(|(channels, n)| format(codec, rate, channels, n))
        })
    })
}

/// Encodes and decodes; what `lose` names is concealed instead of decoded.
fn through(format: &AudioFormat, samples: &[i16], lose: impl Fn(usize) -> bool) -> Vec<i16> {
    let mut encoder = open_audio_encoder(format, None).unwrap();
    let mut decoder = open_audio_decoder(format).unwrap();
    let length = format.samples_per_frame as usize * usize::from(format.channels);
    let mut out = Vec::new();
    for (n, block) in samples.chunks_exact(length).enumerate() {
        let sound = Pcm::new(block.to_vec(), format.sample_rate, format.channels).unwrap();
        let frame = encoder.encode(&sound).unwrap().expect("an access unit for every frame");
        assert_eq!(frame.duration, format.samples_per_frame);
        let decoded = if lose(n) { decoder.conceal() } else { decoder.decode(&frame.data).unwrap() };
        assert_eq!((decoded.sample_rate(), decoded.channels()), (format.sample_rate, format.channels));
        assert_eq!(decoded.frames(), format.samples_per_frame as usize);
        out.extend_from_slice(decoded.samples());
    }
    out
}

#[test]
fn configs_are_those_known_from_the_wire_and_those_that_our_writer_makes() {
    // Mono: 16000, 22050, 24000, 44100 and 48000 Hz.
    let table: [(Codec, u32, [u32; 5]); 4] = [
        (Codec::AacLd, 480, [0xbc0d00, 0xbb8d00, 0xbb0d00, 0xba0d00, 0xb98d00]),
        (Codec::AacLd, 512, [0xbc0900, 0xbb8900, 0xbb0900, 0xba0900, 0xb98900]),
        (Codec::AacEld, 480, [0xf8f03000, 0xf8ee3000, 0xf8ec3000, 0xf8e83000, 0xf8e63000]),
        (Codec::AacEld, 512, [0xf8f02000, 0xf8ee2000, 0xf8ec2000, 0xf8e82000, 0xf8e62000]),
    ];
    for (codec, granule, configs) in table {
        for (rate, wanted) in [16_000, 22_050, 24_000, 44_100, 48_000].into_iter().zip(configs) {
            let format = format(codec, rate, 1, granule);
            let made = LowDelayEncoder::new(&format, None).unwrap().config_bytes();
            let wanted = wanted.to_be_bytes();
            assert_eq!(&made[..], &wanted[4 - made.len()..], "{codec} {rate} {granule}");
        }
    }
    for format in formats() {
        let made = LowDelayEncoder::new(&format, None).unwrap().config_bytes();
        assert_eq!(AacConfig::parse(&made).unwrap().to_bytes(), made, "{format:?}");
    }
    let stereo = LowDelayEncoder::new(&format(Codec::AacEld, 44_100, 2, 480), None).unwrap();
    assert_eq!(&stereo.config_bytes()[..], [0xf8, 0xe8, 0x50, 0x00]);
}

#[test]
fn a_tone_keeps_its_frequency_within_a_tenth_of_a_hertz_and_its_level_within_half_a_decibel() {
    for format in formats() {
        let hz = 1_000.0;
        let sent = tone(hz, &format, 60);
        let got = left(&through(&format, &sent, |_| false), &format);
        let steady = &got[10 * format.samples_per_frame as usize..];
        let heard = frequency(steady, hz, format.sample_rate);
        assert!((heard - hz).abs() < 0.1, "{heard} Hz in {format:?}");
        let level = 20.0 * (component(steady, 0, hz, format.sample_rate).0 / 8_000.0).log10();
        assert!(level.abs() < 0.5, "{level:.2} dB in {format:?}");
    }
}

#[test]
fn decoded_sound_lies_behind_by_the_lag_that_the_encoder_names() {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    for format in formats() {
        // Noise below the codec's upper band edge: a running mean of white noise.
        let white: Vec<f64> =
            (0..20 * format.samples_per_frame + 8).map(|_| f64::from(rng.next_u32() as i16)).collect();
        let smooth = white.windows(9).map(|w| (w.iter().sum::<f64>() / 9.0) as i16);
        let sent: Vec<i16> = smooth.flat_map(|s| vec![s; format.channels.into()]).collect();
        let got = through(&format, &sent, |_| false);
        let lag = LowDelayEncoder::new(&format, None).unwrap().lag() as usize;
        let ratio = if format.codec == Codec::AacLd { 1 } else { 2 };
        assert_eq!(lag, format.samples_per_frame as usize / ratio);
        assert_eq!(delay(&left(&sent, &format), &left(&got, &format)), lag, "{format:?}");
    }
}

#[test]
fn lost_frames_are_filled_with_sound_that_fades() {
    for format in formats().filter(|f| matches!(f.sample_rate, 22_050 | 44_100)) {
        let granule = format.samples_per_frame as usize;
        let sent = tone(1_000.0, &format, 60);
        let got = left(&through(&format, &sent, |n| n == 30 || n >= 50), &format);
        let level = |n: usize| rms(&got[n * granule..(n + 1) * granule]) / (8_000.0 / 2f64.sqrt());
        let shown: Vec<f64> = (28..34).map(level).collect();
        assert!(level(30) > 0.5, "one lost frame: {shown:.2?} in {format:?}");
        assert!(level(35) > 0.9, "five frames later: {:.2} in {format:?}", level(35));
        assert!(level(59) < 0.1, "ten lost frames in: {:.2} in {format:?}", level(59));
    }
}

#[test]
fn concealment_before_any_frame_is_silence() {
    for format in formats() {
        let pcm = open_audio_decoder(&format).unwrap().conceal();
        assert_eq!(pcm.frames(), format.samples_per_frame as usize);
        assert!(pcm.samples().iter().all(|&s| s == 0));
    }
}

#[test]
fn a_new_bit_rate_holds_at_once_and_without_a_break_in_the_tone() {
    for codec in [Codec::AacLd, Codec::AacEld] {
        let format = format(codec, 24_000, 1, 480);
        let mut encoder = open_audio_encoder(&format, Some(64_000)).unwrap();
        let mut decoder = open_audio_decoder(&format).unwrap();
        let sent = tone(1_000.0, &format, 300);
        let mut got = Vec::new();
        let mut octets = [0; 3];
        for (n, block) in sent.chunks(480).enumerate() {
            match n {
                100 => assert_eq!(encoder.set_bitrate(32_000).unwrap(), 32_000),
                200 => assert_eq!(encoder.set_bitrate(96_000).unwrap(), 96_000),
                _ => {}
            }
            let sound = Pcm::new(block.to_vec(), 24_000, 1).unwrap().at(Time::from_millis(20 * n as u64));
            let frame = encoder.encode(&sound).unwrap().unwrap();
            assert_eq!(frame.captured, sound.captured);
            octets[n / 100] += frame.data.len();
            got.extend(left(decoder.decode(&frame.data).unwrap().samples(), &format));
        }
        for (octets, wanted) in octets.into_iter().zip([64_000.0, 32_000.0, 96_000.0]) {
            let measured = octets as f64 * 8.0 / 2.0;
            assert!((measured / wanted - 1.0).abs() < 0.05, "{codec}: {measured} bits a second for {wanted}");
        }
        // Against the tone that was sent, shifted by the lag: a click would stand out of the difference.
        let lag = encoder.lag() as usize;
        let wanted = left(&sent, &format);
        let worst = (4_800..got.len() - lag).map(|i| (got[i + lag] - wanted[i]).abs()).fold(0.0, f64::max);
        assert!(worst < 800.0, "{codec}: off by {worst:.0}");
    }
}

#[test]
fn the_peers_limit_holds_the_bit_rate_down() {
    let limited = AudioFormat { max_bitrate: Some(24_000), ..format(Codec::AacEld, 22_050, 1, 480) };
    let mut encoder = open_audio_encoder(&limited, Some(64_000)).unwrap();
    assert_eq!(encoder.set_bitrate(100_000).unwrap(), 24_000);
}

#[test]
fn a_config_that_does_not_match_is_refused_in_words() {
    let with = |config: &[u8]| AudioFormat {
        config: config.to_vec().into(),
        ..format(Codec::AacEld, 44_100, 1, 480)
    };
    for (config, wanted) in [
        (&[0xba, 0x0d, 0x00][..], "is of Ld"),
        (&[0x2b, 0x92], "audio object type 5"),
        (&[0xf8], "breaks off"),
    ] {
        let error = open_audio_decoder(&with(config)).err().unwrap();
        assert!(error.to_string().contains(wanted), "{error}");
        assert!(open_audio_encoder(&with(config), None).is_err());
    }
    // A decoder goes by the config; an encoder must not contradict it.
    let other_granule = with(&[0xf8, 0xe8, 0x20, 0x00]);
    assert_eq!(open_audio_decoder(&other_granule).unwrap().conceal().frames(), 512);
    assert!(matches!(open_audio_encoder(&other_granule, None), Err(CodecError::Format { .. })));
    assert!(LowDelayDecoder::new(&format(Codec::AacLd, 44_100, 1, 1_024)).is_err());
}

#[test]
fn damaged_access_units_never_harm_the_decoder() {
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    for format in [format(Codec::AacLd, 24_000, 2, 512), format(Codec::AacEld, 22_050, 1, 480)] {
        let mut encoder = open_audio_encoder(&format, None).unwrap();
        let sent = tone(700.0, &format, 20);
        let length = 20 * usize::from(format.channels) * format.samples_per_frame as usize / 20;
        let good: Vec<Vec<u8>> = sent
            .chunks(length)
            .map(|block| Pcm::new(block.to_vec(), format.sample_rate, format.channels).unwrap())
            .map(|sound| encoder.encode(&sound).unwrap().unwrap().data.to_vec())
            .collect();
        let mut decoder = open_audio_decoder(&format).unwrap();
        let (mut decoded, mut refused) = (0, 0);
        for case in 0..20_000usize {
            let mut data = good[case % good.len()].clone();
            let mut pick = |n: usize| rng.next_u32() as usize % n.max(1);
            match pick(5) {
                0 => data.truncate(pick(data.len())),
                1 | 2 => {
                    for _ in 0..1 + pick(6) {
                        let at = pick(data.len());
                        data[at] ^= 1 << pick(8);
                    }
                }
                3 => data = (0..pick(400)).map(|_| pick(256) as u8).collect(),
                _ => {}
            }
            match decoder.decode(&data) {
                Ok(_) => decoded += 1,
                Err(CodecError::Data { .. }) => {
                    refused += 1;
                    assert_eq!(decoder.conceal().frames(), format.samples_per_frame as usize);
                }
                Err(other) => panic!("{other}"),
            }
        }
        assert!(decoded > 4_000 && refused > 1_000, "{decoded} decoded, {refused} refused");
        assert!(decoder.decode(&vec![0xff; 100_000]).is_err());
        let after = good.iter().filter(|data| decoder.decode(data).is_ok()).count();
        assert_eq!(after, good.len());
    }
}

#[test]
fn low_complexity_is_there_for_recordings() {
    let config =
        AacConfig { object: AacObject::Lc, sample_rate: 48_000, channels: 2, granule: 1_024, sbr: false };
    let mut encoder = AacEncoder::new(config, 128_000).unwrap();
    assert_eq!(&encoder.config_bytes()[..], config.to_bytes());
    let octets: usize = (0..100).map(|_| encoder.encode(&[1_000; 2_048]).unwrap().len()).sum();
    assert!(octets > 0 && (octets as f64 * 8.0 * 48_000.0 / 102_400.0) < 130_000.0);
    assert_eq!(encoder.lag(), 2_048);
    assert!(AacEncoder::new(AacConfig { channels: 3, ..config }, 128_000).is_err());
}
