//! What one picture and one frame of sound cost: `cargo bench -p visavis-media --bench codec`.

use divan::{Bencher, black_box};
use visavis_media::codec::{open_audio_decoder, open_audio_encoder, open_video_decoder, open_video_encoder};
use visavis_media::picture::Component;
use visavis_media::resample::Resampler;
use visavis_media::scale::Scaler;
use visavis_media::{Pcm, Picture};
use visavis_proto::frame::{AudioFormat, Codec, EncodedFrame, ReceivedFrame, Rotation, VideoFormat};
use visavis_proto::time::Time;

fn main() {
    divan::main();
}

/// Pictures at 30 a second in which everything moves.
fn pictures(width: u32, height: u32) -> Vec<Picture> {
    let wave = |x: f32, period: f32| 50.0 * (x / period).sin();
    let picture = |n: u64| {
        let mut picture = Picture::new(width, height).unwrap();
        for component in Component::ALL {
            let columns = picture.plane(component).width;
            let shift = 3.0 * n as f32;
            for (i, sample) in picture.plane_mut(component).iter_mut().enumerate() {
                let (x, y) = ((i % columns) as f32, (i / columns) as f32);
                *sample = (128.0 + wave(x + shift, 17.0) + wave(y - shift, 11.0)) as u8;
            }
        }
        picture.at(Time::from_nanos(n * 1_000_000_000 / 30))
    };
    (0..30).map(picture).collect()
}

fn video() -> VideoFormat {
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

fn received(frame: EncodedFrame) -> ReceivedFrame {
    ReceivedFrame {
        codec: Codec::H264,
        payload_type: 96,
        data: frame.data,
        timestamp: 0,
        received: Time::ZERO,
        play_at: Time::ZERO,
        keyframe: frame.keyframe,
        lost_packets: 0,
        complete: true,
        rotation: Rotation::None,
    }
}

#[divan::bench(args = [(320, 240), (640, 480), (1280, 720)])]
fn h264_encode(bencher: Bencher<'_, '_>, (width, height): (u32, u32)) {
    let pictures = pictures(width, height);
    let mut encoder = open_video_encoder(&video(), 1_500_000, 30.0).unwrap();
    let mut next = pictures.iter().cycle();
    bencher.bench_local(|| encoder.encode(next.next().unwrap()).unwrap().map(|frame| frame.data.len()));
}

#[divan::bench(args = [(320, 240), (640, 480), (1280, 720)])]
fn h264_decode(bencher: Bencher<'_, '_>, (width, height): (u32, u32)) {
    let mut encoder = open_video_encoder(&video(), 1_500_000, 30.0).unwrap();
    let pictures = pictures(width, height);
    let frames: Vec<_> = pictures.iter().filter_map(|p| encoder.encode(p).unwrap()).map(received).collect();
    let mut decoder = open_video_decoder(Codec::H264).unwrap();
    let mut next = frames.iter().cycle();
    bencher.bench_local(|| decoder.decode(next.next().unwrap()).unwrap().is_some());
}

const SOUND: [(Codec, u32, u32); 6] = [
    (Codec::AacLd, 24_000, 480),
    (Codec::AacEld, 22_050, 480),
    (Codec::AacEld, 44_100, 480),
    (Codec::Opus, 48_000, 960),
    (Codec::G722, 16_000, 320),
    (Codec::Pcmu, 8_000, 160),
];

fn sound(codec: Codec, rate: u32, samples: u32) -> (AudioFormat, Vec<Pcm>) {
    let format = AudioFormat {
        codec,
        sample_rate: rate,
        clock_rate: if codec == Codec::G722 { 8_000 } else { rate },
        channels: 1,
        samples_per_frame: samples,
        config: Default::default(),
        max_bitrate: None,
    };
    let level = |i: u32| (8_000.0 * (i as f32 * i as f32 / 3e5).sin()) as i16;
    let block = |n: u32| Pcm::new((n * samples..(n + 1) * samples).map(level).collect(), rate, 1).unwrap();
    (format, (0..50).map(block).collect())
}

#[divan::bench(args = SOUND)]
fn sound_encode(bencher: Bencher<'_, '_>, (codec, rate, samples): (Codec, u32, u32)) {
    let (format, blocks) = sound(codec, rate, samples);
    let mut encoder = open_audio_encoder(&format, None).unwrap();
    let mut next = blocks.iter().cycle();
    bencher.bench_local(|| encoder.encode(next.next().unwrap()).unwrap().map(|frame| frame.data.len()));
}

#[divan::bench(args = SOUND)]
fn sound_decode(bencher: Bencher<'_, '_>, (codec, rate, samples): (Codec, u32, u32)) {
    let (format, blocks) = sound(codec, rate, samples);
    let mut encoder = open_audio_encoder(&format, None).unwrap();
    let frames: Vec<_> = blocks.iter().map(|block| encoder.encode(block).unwrap().unwrap().data).collect();
    let mut decoder = open_audio_decoder(&format).unwrap();
    let mut next = frames.iter().cycle();
    bencher.bench_local(|| decoder.decode(next.next().unwrap()).unwrap().frames());
}

#[divan::bench(args = [(22_050, 48_000), (48_000, 8_000), (44_100, 48_000)])]
fn resample_20_ms(bencher: Bencher<'_, '_>, (from, to): (u32, u32)) {
    let block = sound(Codec::Pcmu, from, from / 50).1.remove(0);
    let mut resampler = Resampler::new((from, 1), (to, 1)).unwrap();
    bencher.bench_local(|| resampler.process(&block).unwrap().frames());
}

#[divan::bench(args = [(640, 360), (1280, 720), (1920, 1080)])]
fn scale_from_720p_or_1080p(bencher: Bencher<'_, '_>, size: (u32, u32)) {
    let source = if size == (1280, 720) { (1920, 1080) } else { (1280, 720) };
    let picture = pictures(source.0, source.1).remove(0);
    let mut scaler = Scaler::new();
    bencher.bench_local(|| black_box(scaler.scale(&picture, size).unwrap()).width());
}
