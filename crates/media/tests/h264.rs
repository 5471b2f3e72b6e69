//! H.264 through encoder and decoder: quality, loss, rates, slices, sizes and hostile input.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use visavis_media::Picture;
use visavis_media::codec::h264::{NAL_IDR, NAL_PPS, NAL_SPS, SpsInfo, nal_type, nal_units};
use visavis_media::codec::h264_decoder::{DEFAULT_MAX_MACROBLOCKS, H264Decoder};
use visavis_media::codec::h264_encoder::{H264Encoder, H264Settings};
use visavis_media::codec::{CodecError, VideoDecoder, VideoEncoder, open_video_decoder, open_video_encoder};
use visavis_media::picture::Component;
use visavis_proto::frame::{Codec, EncodedFrame, ReceivedFrame, Rotation, VideoFormat};
use visavis_proto::time::Time;

fn format() -> VideoFormat {
    VideoFormat {
        codec: Codec::H264,
        profile_level_id: [0x42, 0xe0, 0x1f],
        max_fs: 8_160,
        max_mbps: 245_760,
        max_size: None,
        max_fps: None,
        max_bitrate: None,
        max_nal: None,
    }
}

fn encoder(settings: impl FnOnce(&mut H264Settings)) -> H264Encoder {
    let mut chosen = H264Settings::new(&format(), 1_000_000, 30.0);
    settings(&mut chosen);
    H264Encoder::new(&format(), chosen).unwrap()
}

fn decoder() -> H264Decoder {
    H264Decoder::new(DEFAULT_MAX_MACROBLOCKS).unwrap()
}

/// Picture `n` at 30 a second: a textured ground that drifts, and a square that crosses it.
fn moving(width: u32, height: u32, n: u64) -> Picture {
    let mut picture = Picture::new(width, height).unwrap();
    let shift = n as f32;
    for component in Component::ALL {
        let (columns, chroma) = match component {
            Component::Y => (width as usize, false),
            _ => (width.div_ceil(2) as usize, true),
        };
        for (i, sample) in picture.plane_mut(component).iter_mut().enumerate() {
            let scale = if chroma { 2.0 } else { 1.0 };
            let (x, y) = ((i % columns) as f32 * scale, (i / columns) as f32 * scale);
            let ground = 30.0 * ((x + shift) / 17.0).sin() + 30.0 * ((y - shift / 2.0) / 11.0).cos();
            let inside = (x - 3.0 * shift).abs() < 40.0 && (y - 60.0).abs() < 40.0;
            let level = if inside { 200.0 } else { 120.0 + ground };
            *sample = if chroma { 128.0 + ground / 2.0 } else { level } as u8;
        }
    }
    picture.at(Time::from_nanos(n * 1_000_000_000 / 30)).numbered(n)
}

fn noise(width: u32, height: u32, n: u64, rng: &mut ChaCha20Rng) -> Picture {
    let mut picture = Picture::new(width, height).unwrap();
    Component::ALL.into_iter().for_each(|component| rng.fill_bytes(picture.plane_mut(component)));
    picture.at(Time::from_nanos(n * 1_000_000_000 / 30))
}

fn received(data: &[u8]) -> ReceivedFrame {
    ReceivedFrame {
        codec: Codec::H264,
        payload_type: 96,
        data: data.to_vec().into(),
        timestamp: 0,
        received: Time::ZERO,
        play_at: Time::from_millis(7),
        keyframe: false,
        lost_packets: 0,
        complete: true,
        rotation: Rotation::None,
    }
}

fn psnr(a: &Picture, b: &Picture) -> f64 {
    assert_eq!(a.size(), b.size());
    let (a, b) = (a.plane(Component::Y), b.plane(Component::Y));
    let error: f64 = a.data.iter().zip(b.data).map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2)).sum();
    10.0 * (255.0f64.powi(2) / (error / a.data.len() as f64).max(1e-9)).log10()
}

fn types(frame: &EncodedFrame) -> Vec<u8> {
    nal_units(&frame.data).map(nal_type).collect()
}

fn without(frame: &EncodedFrame, index: usize) -> Vec<u8> {
    let kept = nal_units(&frame.data).enumerate().filter(|(i, _)| *i != index);
    kept.flat_map(|(_, nal)| [&[0, 0, 0, 1], nal].concat()).collect()
}

#[test]
fn a_moving_picture_comes_back_at_44_db_or_better() {
    let mut encoder = open_video_encoder(&format(), 1_500_000, 30.0).unwrap();
    let mut decoder = open_video_decoder(Codec::H264).unwrap();
    assert!(decoder.needs_keyframe());
    let mut worst = f64::MAX;
    for n in 0..60 {
        let picture = moving(640, 360, n);
        let Some(frame) = encoder.encode(&picture).unwrap() else { continue };
        assert_eq!(frame.captured, picture.captured);
        assert_eq!(frame.keyframe, n == 0);
        let out = decoder.decode(&received(&frame.data)).unwrap().expect("a picture without delay");
        assert!(!out.concealed && !decoder.needs_keyframe());
        assert_eq!(out.picture.captured, Time::from_millis(7));
        worst = worst.min(psnr(&picture, &out.picture));
    }
    assert!(worst > 44.0, "{worst} dB");
}

#[test]
fn parameter_sets_stand_before_every_keyframe_with_the_same_ids_and_keyframes_come_on_demand() {
    let mut encoder = encoder(|_| ());
    let mut sets = Vec::new();
    for n in 0..40 {
        if n == 17 || n == 31 {
            encoder.request_keyframe();
        }
        let Some(frame) = encoder.encode(&moving(320, 240, n)).unwrap() else { continue };
        let kinds = types(&frame);
        assert_eq!(frame.keyframe, matches!(n, 0 | 17 | 31), "picture {n}");
        assert_eq!(frame.keyframe, kinds.contains(&NAL_IDR));
        if frame.keyframe {
            assert_eq!(kinds[..2], [NAL_SPS, NAL_PPS]);
            sets.push(nal_units(&frame.data).take(2).map(<[u8]>::to_vec).collect::<Vec<_>>());
        }
    }
    assert_eq!(sets.len(), 3);
    assert!(sets.iter().all(|set| *set == sets[0]), "the sets changed: {sets:x?}");
    let sps = SpsInfo::parse(&sets[0][0]).unwrap();
    assert_eq!((sps.width, sps.height, sps.ref_frames), (320, 240, 1));
    // Baseline with constraint_set1_flag: constrained baseline.
    assert_eq!((sps.profile_level_id[0], sps.profile_level_id[1] & 0x40), (66, 0x40));
}

#[test]
fn keyframes_come_as_often_as_the_interval_says() {
    let mut encoder = encoder(|s| s.keyframe_interval = Some(std::time::Duration::from_secs(1)));
    let frames: Vec<_> = (0..75).filter_map(|n| encoder.encode(&moving(160, 128, n)).unwrap()).collect();
    let keyframes: Vec<u64> = frames
        .iter()
        .filter(|f| f.keyframe)
        .map(|f| (f.captured.nanos() + 500_000_000) / 1_000_000_000)
        .collect();
    assert_eq!(keyframes, [0, 1, 2]);
}

#[test]
fn a_new_bit_rate_holds_from_the_next_pictures_on() {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let mut encoder = encoder(|s| s.bits_per_second = 2_000_000);
    let mut n = 0;
    let mut measure = |encoder: &mut H264Encoder, seconds: u64| {
        let mut bits = 0;
        for _ in 0..seconds * 30 {
            let mut picture = moving(640, 360, n);
            // A quarter of noise keeps the encoder short of bits.
            let luma = picture.plane_mut(Component::Y);
            let quarter = luma.len() / 4;
            rng.fill_bytes(&mut luma[..quarter]);
            bits += encoder.encode(&picture).unwrap().map_or(0, |frame| frame.data.len() * 8);
            n += 1;
        }
        bits as f64 / seconds as f64
    };
    measure(&mut encoder, 1);
    for target in [2_000_000u32, 400_000, 1_000_000] {
        encoder.set_rates(target, 30.0).unwrap();
        // Rate control works off what it overspent at first.
        measure(&mut encoder, 2);
        let measured = measure(&mut encoder, 4);
        let ratio = measured / f64::from(target);
        assert!((0.7..1.15).contains(&ratio), "{measured:.0} bits a second for {target}");
    }
}

#[test]
fn rates_are_held_to_what_the_peer_takes() {
    let limited = VideoFormat { max_bitrate: Some(300_000), max_fps: Some(15), ..format() };
    let mut encoder = H264Encoder::new(&limited, H264Settings::new(&limited, 5_000_000, 30.0)).unwrap();
    assert_eq!((encoder.settings().bits_per_second, encoder.settings().frames_per_second), (300_000, 15.0));
    encoder.set_rates(200_000, 60.0).unwrap();
    assert_eq!((encoder.settings().bits_per_second, encoder.settings().frames_per_second), (200_000, 15.0));
    encoder.set_rates(1, f32::NAN).unwrap();
    assert!(encoder.encode(&moving(160, 128, 0)).unwrap().is_some());
}

#[test]
fn pictures_beyond_the_peer_are_refused_in_words() {
    let limited = VideoFormat { max_fs: 396, max_size: Some((320, 240)), ..format() };
    let mut encoder = H264Encoder::new(&limited, H264Settings::new(&limited, 500_000, 30.0)).unwrap();
    for (width, height) in [(352, 288), (336, 240), (14, 64)] {
        let error = encoder.encode(&moving(width, height, 0)).unwrap_err();
        assert!(
            matches!(&error, CodecError::Input { what, .. } if what.contains(&width.to_string())),
            "{error}"
        );
    }
    assert!(encoder.encode(&moving(320, 240, 0)).unwrap().is_some());
}

#[test]
fn the_level_in_the_stream_is_never_above_the_peers() {
    // Level 1.1 cannot hold VGA; a peer that raises max-fs beside it still expects level 1.1 in the SPS.
    for (flags, level) in [(0xe0, 11), (0xf0, 11), (0xe0, 31)] {
        let raised = VideoFormat { profile_level_id: [0x42, flags, level], ..format() };
        let mut encoder = H264Encoder::new(&raised, H264Settings::new(&raised, 500_000, 30.0)).unwrap();
        let frame = encoder.encode(&moving(640, 480, 0)).unwrap().unwrap();
        let sps = nal_units(&frame.data).find_map(SpsInfo::parse).unwrap();
        assert!(sps.profile_level_id[2] <= level, "{:x?}", sps.profile_level_id);
        assert_eq!(sps.profile_level_id[1] & 0x10, if level == 11 { flags & 0x10 } else { 0 });
        assert!(decoder().decode(&received(&frame.data)).unwrap().is_some());
    }
}

#[test]
fn no_nal_unit_is_above_the_limit_even_for_noise_at_720p() {
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    for max_nal in [1_200, 700] {
        let mut encoder = encoder(|s| (s.bits_per_second, s.max_nal) = (4_000_000, Some(max_nal)));
        let mut decoder = decoder();
        for n in 0..20 {
            let picture = if n % 4 == 3 { moving(1_280, 720, n) } else { noise(1_280, 720, n, &mut rng) };
            let Some(frame) = encoder.encode(&picture).unwrap() else { continue };
            let largest = nal_units(&frame.data).map(<[u8]>::len).max().unwrap();
            assert!(largest <= max_nal as usize, "picture {n}: {largest} octets");
            let out = decoder.decode(&received(&frame.data)).unwrap().unwrap();
            assert!(!out.concealed);
        }
    }
    let small = encoder(|_| ()).settings().clone();
    let error = H264Encoder::new(&format(), H264Settings { max_nal: Some(300), ..small }).err().unwrap();
    assert!(error.to_string().contains("500 are needed"), "{error}");
}

#[test]
fn after_a_lost_slice_pictures_are_shown_marked_until_the_next_keyframe() {
    let mut encoder = encoder(|s| s.max_nal = Some(1_200));
    let mut decoder = decoder();
    let mut marked = Vec::new();
    for n in 0..40 {
        if n == 30 {
            encoder.request_keyframe();
        }
        let picture = moving(640, 360, n);
        let frame = encoder.encode(&picture).unwrap().expect("enough bits for every picture");
        let slices = types(&frame).len();
        let mut input = received(&frame.data);
        if n == 10 {
            assert!(slices > 2, "{slices} slices");
            input = ReceivedFrame { complete: false, lost_packets: 1, ..received(&without(&frame, 1)) };
        }
        let out = decoder.decode(&input).unwrap().expect("concealed, not withheld");
        assert_eq!(decoder.needs_keyframe(), out.concealed);
        let quality = psnr(&picture, &out.picture);
        assert!(quality > if out.concealed { 22.0 } else { 38.0 }, "picture {n}: {quality:.1} dB");
        marked.push(out.concealed);
    }
    let expected: Vec<bool> = (0..40).map(|n| (10..30).contains(&n)).collect();
    assert_eq!(marked, expected);
    assert_eq!(decoder.counters().concealed, 20);
}

#[test]
fn a_lost_access_unit_breaks_pictures_until_the_next_keyframe() {
    let mut encoder = encoder(|_| ());
    let mut decoder = decoder();
    for n in 0..20 {
        if n == 15 {
            encoder.request_keyframe();
        }
        let frame = encoder.encode(&moving(320, 240, n)).unwrap().unwrap();
        if n == 5 {
            continue;
        }
        // The jitter buffer may not know: the decoder must see it by itself.
        let out = decoder.decode(&received(&frame.data)).unwrap();
        assert!(out.is_some(), "picture {n}");
        assert_eq!(decoder.needs_keyframe(), (6..15).contains(&n), "picture {n}");
    }
}

#[test]
fn nothing_is_shown_before_the_first_keyframe() {
    let mut encoder = encoder(|_| ());
    let mut decoder = decoder();
    for n in 0..6 {
        if n == 4 {
            encoder.request_keyframe();
        }
        let frame = encoder.encode(&moving(320, 240, n)).unwrap().unwrap();
        if n > 0 {
            let shown = decoder.decode(&received(&frame.data)).unwrap().is_some();
            assert_eq!(shown, n >= 4, "picture {n}");
            assert_eq!(decoder.needs_keyframe(), n < 4);
        }
    }
}

#[test]
fn sizes_change_in_mid_stream_and_odd_ones_lose_their_last_column() {
    let mut encoder = encoder(|_| ());
    let mut decoder = decoder();
    let sizes = [(640, 360), (322, 182), (161, 97), (16, 16), (1_280, 720), (640, 360)];
    for (i, (width, height)) in sizes.into_iter().enumerate() {
        for n in 0..3 {
            let picture = moving(width, height, i as u64 * 3 + n);
            let Some(frame) = encoder.encode(&picture).unwrap() else { continue };
            assert_eq!(frame.keyframe, n == 0, "{width} x {height}, picture {n}");
            let out = decoder.decode(&received(&frame.data)).unwrap().unwrap();
            assert_eq!(out.picture.size(), (width & !1, height & !1));
            assert!(!out.concealed);
        }
    }
}

#[test]
fn threads_make_slices_and_the_same_picture() {
    let mut encoder = encoder(|s| s.threads = 2);
    let mut decoder = decoder();
    for n in 0..10 {
        let picture = moving(1_280, 720, n);
        let Some(frame) = encoder.encode(&picture).unwrap() else { continue };
        let slices = types(&frame).iter().filter(|t| matches!(t, 1 | 5)).count();
        assert_eq!(slices, 2);
        let out = decoder.decode(&received(&frame.data)).unwrap().unwrap();
        assert!(psnr(&picture, &out.picture) > 30.0);
    }
}

#[test]
fn a_picture_size_beyond_the_bound_is_refused_before_memory_is_taken() {
    let frame = encoder(|_| ()).encode(&moving(640, 480, 0)).unwrap().unwrap();
    let mut small = H264Decoder::new(396).unwrap();
    let error = small.decode(&received(&frame.data)).unwrap_err();
    assert!(error.to_string().contains("640 x 480, at most 396 macroblocks"), "{error}");
    assert_eq!(small.counters().errors, 1);
}

/// Three streams of x264, twelve pictures of 96 x 80 in two slices each; the sums are of FFmpeg's pictures.
#[test]
fn streams_of_another_encoder_decode_exactly_and_without_delay_in_every_profile() {
    let streams: [(&[u8], u8, u32); 3] = [
        (include_bytes!("data/x264-baseline.264"), 66, 0x462d_af21),
        (include_bytes!("data/x264-main.264"), 77, 0xd2ca_4987),
        (include_bytes!("data/x264-high.264"), 100, 0xa270_6b5c),
    ];
    for (stream, profile, sum) in streams {
        // An access unit delimiter (type 9) stands before each picture.
        let mut units: Vec<Vec<u8>> = Vec::new();
        for nal in nal_units(stream) {
            if nal_type(nal) == 9 {
                units.push(Vec::new());
            }
            units.last_mut().unwrap().extend([&[0, 0, 0, 1], nal].concat());
        }
        let sps = nal_units(stream).find_map(SpsInfo::parse).unwrap();
        assert_eq!((sps.profile_level_id[0], sps.width, sps.height), (profile, 96, 80));
        let mut decoder = decoder();
        let mut hasher = crc32fast::Hasher::new();
        assert_eq!(units.len(), 12);
        for unit in units {
            let out = decoder.decode(&received(&unit)).unwrap().expect("a picture for each access unit");
            assert!(!out.concealed);
            hasher.update(out.picture.as_i420());
        }
        assert_eq!(hasher.finalize(), sum, "profile {profile}");
    }
}

/// 20,000 damaged access units: bits flipped, cut short, pieces swapped, pure noise.
#[test]
fn damaged_access_units_never_harm_the_decoder() {
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    let mut encoder = encoder(|s| s.max_nal = Some(600));
    let good: Vec<EncodedFrame> = (0..60)
        .filter_map(|n| {
            if n % 20 == 0 {
                encoder.request_keyframe();
            }
            encoder.encode(&moving(176, 144, n)).unwrap()
        })
        .collect();
    let mut decoder = decoder();
    let mut shown = 0;
    for case in 0..20_000usize {
        let mut data = good[case % good.len()].data.to_vec();
        let mut pick = |n: usize| rng.next_u32() as usize % n.max(1);
        match pick(6) {
            0 => data.truncate(pick(data.len())),
            1 | 2 => {
                for _ in 0..1 + pick(8) {
                    let at = pick(data.len());
                    data[at] ^= 1 << pick(8);
                }
            }
            3 => {
                let (from, to) = (pick(data.len()), pick(data.len()));
                data[to] = data[from];
                data.rotate_left(from % 64);
            }
            4 => {
                let length = pick(300);
                data = vec![0, 0, 0, 1, [0x67, 0x68, 0x65, 0x41, 0x06][pick(5)]];
                data.extend((0..length).map(|_| pick(256) as u8));
            }
            _ => {}
        }
        shown += usize::from(decoder.decode(&received(&data)).is_ok_and(|picture| picture.is_some()));
    }
    assert!(shown > 5_000, "{shown} pictures");
    // And it still works.
    encoder.request_keyframe();
    let picture = moving(176, 144, 100);
    let frame = encoder.encode(&picture).unwrap().unwrap();
    let out = decoder.decode(&received(&frame.data)).unwrap().unwrap();
    assert!(!out.concealed && psnr(&picture, &out.picture) > 30.0);
}
