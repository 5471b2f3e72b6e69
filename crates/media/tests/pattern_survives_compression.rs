//! The test pattern is read back, and its quality measured, behind hard compression and scaling.

mod support;

use support::{Scratch, ffmpeg, received, video_format};
use visavis_media::codec::{open_video_decoder, open_video_encoder};
use visavis_media::judge::{Judge, JudgeConfig, Judgement};
use visavis_media::sink::VideoSink;
use visavis_media::sink::y4m::Y4mSink;
use visavis_media::source::file::Playback;
use visavis_media::source::file::y4m::Y4mSource;
use visavis_media::source::pattern::PatternSource;
use visavis_media::source::{FrameRate, VideoSource};
use visavis_proto::frame::Codec;
use visavis_proto::time::Time;

const START: Time = Time::from_nanos(0).with_unix_offset(1_700_000_000_000_000_000);

fn rate(fps: u32) -> FrameRate {
    FrameRate::new(fps, 1).unwrap()
}

/// Writes `count` pictures of the pattern.
fn film(scratch: &Scratch, size: (u32, u32), fps: u32, count: u64) -> String {
    let path = scratch.file("pattern.y4m");
    let mut source = PatternSource::new(size.0, size.1, rate(fps)).unwrap();
    let mut sink = Y4mSink::new(std::io::BufWriter::new(std::fs::File::create(&path).unwrap()), rate(fps));
    let mut now = START;
    for _ in 0..count {
        sink.show(&source.next(now).expect("a picture when it is due")).unwrap();
        now = source.due().unwrap()
    }
    sink.finish().unwrap();
    path
}

/// Judges a film as if every picture had been decoded 40 ms after it was due.
fn judge(path: &str, sent_size: Option<(u32, u32)>) -> Judgement {
    let mut source = Y4mSource::open(path, Playback::Once).unwrap();
    let mut judge = Judge::new(JudgeConfig { clocks_agree: true, sent_size, ..JudgeConfig::default() });
    let mut now = START;
    while let Some(picture) = source.next(now) {
        judge.picture(&picture, now + std::time::Duration::from_millis(40));
        let Some(due) = source.due() else { break };
        now = due
    }
    judge.judgement(now)
}

#[test]
fn x264_at_64_kbit_s_leaves_every_vga_picture_readable() {
    let scratch = Scratch::new("x264-64k");
    let film = film(&scratch, (640, 480), 15, 150);
    let (coded, decoded) = (scratch.file("coded.mp4"), scratch.file("decoded.y4m"));
    ffmpeg(&[
        "-i",
        &film,
        "-c:v",
        "libx264",
        "-preset",
        "veryfast",
        "-tune",
        "zerolatency",
        "-b:v",
        "64k",
        "-maxrate",
        "64k",
        "-bufsize",
        "64k",
        "-profile:v",
        "baseline",
        &coded,
    ]);
    ffmpeg(&["-i", &coded, &decoded]);
    let video = judge(&decoded, None).video;
    assert_eq!((video.received, video.read, video.unreadable, video.missing), (150, 150, 0, 0));
    let psnr = video.psnr_db.unwrap();
    assert!(psnr.median > 20.0 && psnr.median < 45.0, "{psnr:?}");
    assert_eq!(video.latency_ms.unwrap().median.round(), 40.0);
}

#[test]
fn pictures_scaled_down_to_half_are_readable_and_their_psnr_is_unknown() {
    let scratch = Scratch::new("scaled");
    let film = film(&scratch, (640, 480), 15, 30);
    let (coded, decoded) = (scratch.file("coded.mp4"), scratch.file("decoded.y4m"));
    ffmpeg(&["-i", &film, "-c:v", "libx264", "-b:v", "200k", "-tune", "zerolatency", &coded]);
    ffmpeg(&["-i", &coded, "-vf", "scale=320:240", &decoded]);
    let video = judge(&decoded, Some((640, 480))).video;
    assert_eq!((video.read, video.size, video.psnr_db), (30, Some((320, 240)), None));
}

#[test]
fn pictures_between_black_bars_are_readable() {
    let scratch = Scratch::new("bars");
    let film = film(&scratch, (640, 480), 15, 30);
    for bars in ["scale=960:720,pad=1280:720:160:0", "scale=352:264,pad=352:288:0:12"] {
        let (coded, decoded) = (scratch.file("coded.mp4"), scratch.file("decoded.y4m"));
        let rate = ["-c:v", "libx264", "-b:v", "200k", "-tune", "zerolatency"];
        ffmpeg(&[&["-i", &film, "-vf", bars], &rate[..], &[&coded]].concat());
        ffmpeg(&["-i", &coded, &decoded]);
        let video = judge(&decoded, None).video;
        assert_eq!((video.read, video.unreadable, video.psnr_db), (30, 0, None), "{bars}");
    }
}

#[test]
fn openh264_at_64_kbit_s_leaves_every_vga_picture_that_it_codes_readable() {
    let mut encoder = open_video_encoder(&video_format(), 64_000, 30.0).unwrap();
    let mut decoder = open_video_decoder(Codec::H264).unwrap();
    let mut source = PatternSource::new(640, 480, rate(30)).unwrap();
    let mut judge = Judge::new(JudgeConfig { clocks_agree: true, ..JudgeConfig::default() });
    let (mut now, mut octets, mut coded) = (START, 0, 0);
    for _ in 0..300 {
        let picture = source.next(now).expect("a picture when it is due");
        if let Some(frame) = encoder.encode(&picture).unwrap() {
            octets += frame.data.len();
            coded += 1;
            let received = received(Codec::H264, frame.data, 90_000, frame.captured, now);
            if let Some(decoded) = decoder.decode(&received).unwrap() {
                judge.picture(&decoded.picture, now);
            }
        }
        now = source.due().unwrap()
    }
    let video = judge.judgement(now).video;
    assert!(octets < 110_000, "{octets} octets in 10 s");
    assert!(coded >= 50, "{coded} pictures");
    assert_eq!((video.read, video.unreadable, video.no_pattern), (coded, 0, 0));
}
