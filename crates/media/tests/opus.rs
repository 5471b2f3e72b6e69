//! Opus through encoder and decoder: tones, lag, rates, loss, packets of another encoder, hostile input.
#![cfg(feature = "opus")]

mod signal;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use signal::{audio_format, component, delay, frequency, left, rms, tone};
use visavis_media::Pcm;
use visavis_media::codec::{AudioEncoder, CodecError, open_audio_decoder, open_audio_encoder};
use visavis_proto::frame::{AudioFormat, Codec, ReceivedFrame, Rotation};
use visavis_proto::time::Time;

/// Formats of 20 ms at every rate.
fn formats() -> impl Iterator<Item = AudioFormat> {
    [8_000, 12_000, 16_000, 24_000, 48_000].into_iter().flat_map(|rate| {
        [1, 2].map(|channels| AudioFormat {
            clock_rate: 48_000,
            ..audio_format(Codec::Opus, rate, channels, rate / 50)
        })
    })
}

fn packets(format: &AudioFormat, samples: &[i16], bitrate: Option<u32>) -> Vec<Vec<u8>> {
    packets_of(open_audio_encoder(format, bitrate).unwrap().as_mut(), samples)
}

fn packets_of(encoder: &mut dyn AudioEncoder, samples: &[i16]) -> Vec<Vec<u8>> {
    let format = encoder.format().clone();
    let length = format.samples_per_frame as usize * usize::from(format.channels);
    let blocks = samples.chunks_exact(length);
    blocks
        .map(|block| Pcm::new(block.to_vec(), format.sample_rate, format.channels).unwrap())
        .map(|sound| encoder.encode(&sound).unwrap().unwrap())
        .inspect(|frame| assert_eq!(frame.duration, 960))
        .map(|frame| frame.data.to_vec())
        .collect()
}

fn decode(format: &AudioFormat, packets: &[Vec<u8>]) -> Vec<i16> {
    let mut decoder = open_audio_decoder(format).unwrap();
    packets.iter().flat_map(|packet| decoder.decode(packet).unwrap().samples().to_vec()).collect()
}

fn received(data: &[u8], lost_packets: u32) -> ReceivedFrame {
    ReceivedFrame {
        codec: Codec::Opus,
        payload_type: 96,
        data: data.to_vec().into(),
        timestamp: 0,
        received: Time::ZERO,
        play_at: Time::from_millis(100),
        keyframe: true,
        lost_packets,
        complete: true,
        rotation: Rotation::None,
    }
}

#[test]
fn a_tone_keeps_its_frequency_and_level() {
    for format in formats() {
        let sent = tone(440.0, &format, 60);
        let got = left(&decode(&format, &packets(&format, &sent, None)), &format);
        let steady = &got[got.len() / 4..];
        let heard = frequency(steady, 440.0, format.sample_rate);
        assert!((heard - 440.0).abs() < 1.0, "{heard} Hz in {format:?}");
        let level = 20.0 * (component(steady, 0, 440.0, format.sample_rate).0 / 8_000.0).log10();
        assert!(level.abs() < 1.0, "{level:.2} dB in {format:?}");
    }
}

#[test]
fn packets_of_libopus_decode_to_their_tone_at_every_rate() {
    // One second of 440 Hz at 24 kbit/s, coded by libopus 1.3.1, each packet behind its length.
    let mut rest = &include_bytes!("data/opus-440hz-libopus.bin")[..];
    let mut packets = Vec::new();
    while let Some((length, tail)) = rest.split_first_chunk() {
        let (packet, tail) = tail.split_at(u16::from_be_bytes(*length).into());
        packets.push(packet.to_vec());
        rest = tail;
    }
    assert!(packets.len() >= 50);
    for format in formats() {
        let got = left(&decode(&format, &packets), &format);
        assert_eq!(got.len(), packets.len() * format.samples_per_frame as usize);
        let steady = &got[got.len() / 4..got.len() * 3 / 4];
        let heard = frequency(steady, 440.0, format.sample_rate);
        assert!((heard - 440.0).abs() < 0.5, "{heard} Hz in {format:?}");
        let purity = component(steady, 0, 440.0, format.sample_rate).0 / 2f64.sqrt() / rms(steady);
        assert!(purity > 0.99, "{purity:.3} in {format:?}");
    }
}

#[test]
fn decoded_sound_lies_behind_by_the_lag_that_the_encoder_names() {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    for format in formats().filter(|f| f.sample_rate >= 16_000) {
        let white: Vec<f64> =
            (0..20 * format.samples_per_frame + 8).map(|_| f64::from(rng.next_u32() as i16)).collect();
        let smooth = white.windows(9).map(|w| (w.iter().sum::<f64>() / 9.0) as i16);
        let sent: Vec<i16> = smooth.flat_map(|s| vec![s; format.channels.into()]).collect();
        let got = decode(&format, &packets(&format, &sent, Some(128_000)));
        let lag = open_audio_encoder(&format, None).unwrap().lag() as usize;
        let measured = delay(&left(&sent, &format), &left(&got, &format));
        // The high-pass filter in front of the encoder leads by a few samples.
        assert!(measured.abs_diff(lag) <= 4, "{measured}, not {lag} in {format:?}");
    }
}

#[test]
fn a_new_bit_rate_holds_from_the_next_frames_on() {
    let format = AudioFormat { clock_rate: 48_000, ..audio_format(Codec::Opus, 48_000, 1, 960) };
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    let mut encoder = open_audio_encoder(&format, Some(64_000)).unwrap();
    for wanted in [64_000u32, 24_000, 96_000] {
        assert_eq!(encoder.set_bitrate(wanted).unwrap(), wanted);
        let mut octets = 0;
        for n in 0..110 {
            let noise = (0..960).map(|_| (rng.next_u32() as i16) / 8).collect();
            let frame = encoder.encode(&Pcm::new(noise, 48_000, 1).unwrap()).unwrap().unwrap();
            octets += if n < 10 { 0 } else { frame.data.len() };
        }
        let ratio = octets as f64 * 8.0 / 2.0 / f64::from(wanted);
        assert!((0.8..1.2).contains(&ratio), "{ratio:.2} of {wanted}");
    }
    let limited = AudioFormat { max_bitrate: Some(20_000), ..format };
    assert_eq!(open_audio_encoder(&limited, None).unwrap().set_bitrate(64_000).unwrap(), 20_000);
}

#[test]
fn a_lost_packet_is_recovered_from_the_next_one() {
    // Steps in level: what was lost cannot be guessed from before, only read from the redundancy.
    let format = AudioFormat { clock_rate: 48_000, ..audio_format(Codec::Opus, 16_000, 1, 320) };
    let mut sent = tone(300.0, &format, 60);
    sent[..30 * 320].iter_mut().for_each(|s| *s /= 50);
    let mut encoder = open_audio_encoder(&format, None).unwrap();
    encoder.set_lossy(true).unwrap();
    let packets = packets_of(encoder.as_mut(), &sent);
    let mut levels = [0.0; 2];
    for (with_help, level) in [true, false].into_iter().zip(&mut levels) {
        let mut decoder = open_audio_decoder(&format).unwrap();
        for packet in &packets[..30] {
            decoder.decode(packet).unwrap();
        }
        // Packet 30, the first loud one, is lost.
        let made_up = if with_help {
            let got = decoder.receive(&received(&packets[31], 1));
            assert_eq!((got.sound.len(), got.concealed), (2, 1));
            got.sound[0].clone()
        } else {
            decoder.conceal()
        };
        *level = rms(&left(made_up.samples(), &format));
    }
    assert!(levels[0] > 5.0 * levels[1], "{levels:?}");
}

#[test]
fn redundancy_is_sent_while_packets_are_lost() {
    let format = AudioFormat { clock_rate: 48_000, ..audio_format(Codec::Opus, 48_000, 1, 960) };
    let mut encoder = open_audio_encoder(&format, Some(40_000)).unwrap();
    for lossy in [false, true, false] {
        encoder.set_lossy(lossy).unwrap();
        let packets = packets_of(encoder.as_mut(), &tone(300.0, &format, 20));
        // RFC 6716 section 3.1: configurations from 16 on are CELT only, which has none.
        assert!(packets[10..].iter().all(|packet| (packet[0] >> 3 < 16) == lossy), "lossy: {lossy}");
    }
}

#[test]
fn lost_packets_are_filled_with_sound_and_a_decoder_without_any_gives_silence() {
    for format in formats() {
        let fresh = open_audio_decoder(&format).unwrap().conceal();
        assert_eq!(fresh.frames(), format.samples_per_frame as usize);
        let packets = packets(&format, &tone(300.0, &format, 30), None);
        let mut decoder = open_audio_decoder(&format).unwrap();
        for packet in &packets {
            decoder.decode(packet).unwrap();
        }
        let made_up = left(decoder.conceal().samples(), &format);
        assert_eq!(made_up.len(), format.samples_per_frame as usize);
        assert!(rms(&made_up) > 1_000.0, "{:.0} in {format:?}", rms(&made_up));
    }
}

#[test]
fn damaged_packets_never_harm_the_decoder() {
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    let format = AudioFormat { clock_rate: 48_000, ..audio_format(Codec::Opus, 48_000, 2, 960) };
    let mut good = packets(&format, &tone(500.0, &format, 20), Some(24_000));
    good.extend(packets(&format, &tone(500.0, &format, 20), Some(96_000)));
    let mut decoder = open_audio_decoder(&format).unwrap();
    let (mut decoded, mut refused) = (0, 0);
    for case in 0..10_000usize {
        let mut data = good[case % good.len()].clone();
        let mut pick = |n: usize| rng.next_u32() as usize % n.max(1);
        match pick(5) {
            0 => data.truncate(pick(data.len())),
            1 => (0..1 + pick(6)).for_each(|_| {
                let at = pick(data.len());
                data[at] ^= 1 << pick(8);
            }),
            2 => data[0] = pick(256) as u8,
            3 => data = (0..pick(400)).map(|_| pick(256) as u8).collect(),
            _ => {}
        }
        match decoder.decode(&data) {
            Ok(sound) => {
                assert!(sound.frames() <= 5_760);
                decoded += 1;
            }
            Err(CodecError::Data { .. }) => refused += 1,
            Err(other) => panic!("{other}"),
        }
        if case % 7 == 0 {
            decoder.recover(&data);
        }
    }
    assert!(decoded > 5_000 && refused > 500, "{decoded} decoded, {refused} refused");
}

#[test]
fn other_shapes_are_refused() {
    for bad in [
        audio_format(Codec::Opus, 44_100, 1, 882),
        audio_format(Codec::Opus, 48_000, 3, 960),
        audio_format(Codec::Opus, 48_000, 1, 961),
    ] {
        assert!(open_audio_encoder(&bad, None).is_err(), "{bad:?}");
    }
}
