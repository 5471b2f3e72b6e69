//! A recorded call is an MP4 file that ffmpeg has nothing to say about, of the right length and in sync.

#![cfg(feature = "aac")]

mod support;

use bytes::Bytes;
use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::time::Duration;
use support::{Scratch, ffmpeg, probe, received, video_format};
use visavis_media::codec::{
    AudioDecoder, AudioEncoder, VideoEncoder, open_audio_decoder, open_audio_encoder, open_video_encoder,
};
use visavis_media::judge::{Judge, JudgeConfig, Judgement};
use visavis_media::picture::Picture;
use visavis_media::pixel::upright;
use visavis_media::sink::mp4::Mp4Recorder;
use visavis_media::sound::Pcm;
use visavis_media::source::file::Playback;
use visavis_media::source::file::y4m::Y4mSource;
use visavis_media::source::pattern::PatternSource;
use visavis_media::source::tone::{Tone, ToneSource};
use visavis_media::source::{AudioSource, FrameRate, VideoSource};
use visavis_proto::frame::{AudioFormat, Codec, Rotation};
use visavis_proto::time::Time;

const UNIX: i64 = 1_700_000_000_000_000_000;

fn at(ms: u64) -> Time {
    Time::from_millis(ms).with_unix_offset(UNIX)
}

/// AAC-ELD, 44.1 kHz, 480 samples a frame.
fn eld() -> AudioFormat {
    AudioFormat {
        codec: Codec::AacEld,
        sample_rate: 44_100,
        clock_rate: 44_100,
        channels: 1,
        samples_per_frame: 480,
        config: Bytes::from_static(&[0xf8, 0xe8, 0x30, 0x00]),
        max_bitrate: None,
    }
}

/// One end of a call that is recorded: pattern and tone, coded, and their sound decoded.
struct Call {
    pictures: PatternSource,
    video: Box<dyn VideoEncoder>,
    tone: ToneSource,
    encoder: Box<dyn AudioEncoder>,
    decoder: Box<dyn AudioDecoder>,
    frames: u64,
    /// How much later the sound is played than the picture.
    sound_late: Duration,
}

impl Call {
    fn new(size: (u32, u32), sound_late: Duration) -> Self {
        Call {
            pictures: PatternSource::new(size.0, size.1, FrameRate::new(30, 1).unwrap()).unwrap(),
            video: open_video_encoder(&video_format(), 1_000_000, 30.0).unwrap(),
            tone: ToneSource::new(Tone::default()),
            encoder: open_audio_encoder(&eld(), Some(64_000)).unwrap(),
            decoder: open_audio_decoder(&eld()).unwrap(),
            frames: 0,
            sound_late,
        }
    }

    /// Records pictures from `from` to `until`, milliseconds.
    fn record_pictures(&mut self, recorder: &mut Mp4Recorder<impl Write + Seek>, from: u64, until: u64) {
        let mut now = at(from);
        while now < at(until) {
            if let Some(picture) = self.pictures.next(now)
                && let Some(frame) = self.video.encode(&picture).unwrap()
            {
                recorder
                    .picture(&received(Codec::H264, frame.data, 90_000, frame.captured, frame.captured))
                    .unwrap();
            }
            now = self.pictures.due().unwrap();
        }
    }

    /// Records sound that was captured up to `until`, milliseconds from the start.
    fn record_sound(&mut self, recorder: &mut Mp4Recorder<impl Write + Seek>, until: u64) {
        let format = eld();
        while self.frames * 480 * 1_000 < until * 44_100 {
            let captured = at(0) + Duration::from_nanos(self.frames * 480 * 1_000_000_000 / 44_100);
            let sound = self.tone.pull(captured, 44_100, 480).unwrap();
            let frame = self.encoder.encode(&sound).unwrap().expect("an access unit");
            // What the decoder gives lies behind what was encoded, and is played that much later.
            let play_at = captured + self.sound_late;
            let frame = received(Codec::AacEld, frame.data, 44_100, captured, play_at);
            recorder.received_sound(&frame, &format).unwrap();
            let [sound]: [Pcm; 1] = self.decoder.receive(&frame).sound.try_into().unwrap();
            recorder.sound(&sound).unwrap();
            self.frames += 1;
        }
    }
}

fn recorder(path: &str) -> Mp4Recorder<BufWriter<File>> {
    Mp4Recorder::new(BufWriter::new(File::create(path).unwrap())).unwrap()
}

/// When ffmpeg shows the pictures, seconds.
fn shown(file: &str) -> Vec<f64> {
    probe(file, "v", "frame=pts_time").lines().map(|time| time.parse().unwrap()).collect()
}

/// Decodes the file with ffmpeg and judges it by the times at which ffmpeg shows and plays it.
fn judge(scratch: &Scratch, file: &str, sound: &str) -> Judgement {
    let (pictures, wav) = (scratch.file("decoded.y4m"), scratch.file("decoded.wav"));
    ffmpeg(&["-i", file, "-map", "0:v", "-fps_mode", "passthrough", &pictures]);
    ffmpeg(&["-i", file, "-map", sound, "-af", "aresample=async=1:first_pts=0", &wav]);
    let mut judge = Judge::new(JudgeConfig::default());
    let mut source = Y4mSource::open(&pictures, Playback::Once).unwrap();
    for time in shown(file) {
        let shown = Time::from_nanos((time * 1e9) as u64);
        let now = source.due().unwrap_or(Time::ZERO);
        judge.picture(&source.next(now).expect("as many pictures as times").at(shown), shown);
    }
    let mut reader = hound::WavReader::open(&wav).unwrap();
    let samples: Vec<i16> = reader.samples().map(Result::unwrap).collect();
    judge.sound(&Pcm::new(samples, reader.spec().sample_rate, reader.spec().channels as u8).unwrap());
    judge.judgement(Time::ZERO)
}

fn seconds(text: &str) -> f64 {
    text.parse().unwrap_or_else(|_| panic!("no figure: {text}"))
}

/// The pictures of a file as ffmpeg shows them, I420, all of one size.
fn seen(scratch: &Scratch, input: &[&str], size: (u32, u32)) -> Vec<Picture> {
    let raw = scratch.file("seen.i420");
    let output = ["-map", "0:v", "-pix_fmt", "yuv420p", "-fps_mode", "passthrough", "-f", "rawvideo", &raw];
    ffmpeg(&[input, &output].concat());
    let octets = (size.0 * size.1 * 3 / 2) as usize;
    let file = std::fs::read(raw).unwrap();
    assert_eq!(file.len() % octets, 0);
    file.chunks(octets).map(|p| Picture::from_i420(size.0, size.1, p.to_vec()).unwrap()).collect()
}

#[test]
fn pictures_that_are_to_be_turned_are_turned_by_players() {
    for rotation in [Rotation::Clockwise90, Rotation::Clockwise180, Rotation::Clockwise270, Rotation::None] {
        let scratch = Scratch::new(&format!("turned-{}", rotation.degrees()));
        let path = scratch.file("call.mp4");
        let mut recorder = recorder(&path);
        let mut call = Call::new((320, 240), Duration::ZERO);
        let mut now = at(0);
        for number in 0..10 {
            let picture = call.pictures.next(now).unwrap();
            let frame = call.video.encode(&picture).unwrap().unwrap();
            let mut frame = received(Codec::H264, frame.data, 90_000, frame.captured, frame.captured);
            // The way of most of the pictures counts.
            frame.rotation = if number < 2 { Rotation::None } else { rotation };
            recorder.picture(&frame).unwrap();
            now = call.pictures.due().unwrap();
        }
        recorder.finish().unwrap();
        let size = if rotation.is_sideways() { (240, 320) } else { (320, 240) };
        let shown = seen(&scratch, &["-i", &path], size);
        let coded = seen(&scratch, &["-noautorotate", "-i", &path], (320, 240));
        assert_eq!((shown.len(), coded.len()), (10, 10));
        for (shown, coded) in shown.iter().zip(coded) {
            assert!(*shown == upright(&coded.rotated(rotation)), "{rotation:?}");
        }
    }
}

#[test]
fn a_call_plays_in_sync_and_keeps_the_received_sound() {
    let scratch = Scratch::new("mp4");
    let path = scratch.file("call.mp4");
    let mut recorder = recorder(&path);
    let mut call = Call::new((640, 480), Duration::from_millis(40));
    for second in 0..5 {
        call.record_sound(&mut recorder, second * 1_000 + 1_000);
        // The picture starts half a second behind the sound.
        call.record_pictures(
            &mut recorder,
            if second == 0 { 500 } else { second * 1_000 },
            second * 1_000 + 1_000,
        );
    }
    recorder.finish().unwrap();

    ffmpeg(&["-i", &path, "-map", "0", "-f", "null", "-"]);
    assert_eq!(probe(&path, "v", "stream=codec_name,width,height"), "h264\n640\n480");
    let sound = probe(&path, "a", "stream=codec_name,profile,sample_rate");
    assert_eq!(sound, "aac\nLC\n44100\naac\nELD\n44100");
    assert_eq!(probe(&path, "a", "stream_disposition=default"), "1\n0");
    // 460 sound frames, 460 * 480 / 44100 s; the pictures end before.
    let duration = seconds(&probe(&path, "v", "format=duration"));
    assert!((duration - 5.007).abs() < 0.002, "{duration}");

    // The decoded sound lies 240 samples behind what was encoded, on either track.
    let late = 40.0 + 240.0 / 44.1;
    for track in ["0:a:0", "0:a:1"] {
        let judgement = judge(&scratch, &path, track);
        let (video, audio) = (judgement.video, judgement.audio);
        assert_eq!((video.read, video.missing, video.restarts, video.unreadable), (135, 0, 0, 0), "{track}");
        assert!(video.psnr_db.unwrap().median > 35.0);
        assert_eq!((audio.markers, audio.dropouts), (5, 0), "{track}");
        assert!((audio.tone_hz.unwrap() - 997.0).abs() < 0.1);
        let offset = judgement.sync.unwrap().offset_ms;
        assert!(offset.count >= 4 && (offset.median - late).abs() < 2.0, "{track}: {offset:?}, not {late}");
        assert!(offset.max - offset.min < 2.0, "{track}: {offset:?}");
    }
}

#[test]
fn a_picture_that_starts_first_keeps_its_lead() {
    let scratch = Scratch::new("mp4-lead");
    let path = scratch.file("call.mp4");
    let mut recorder = recorder(&path);
    let mut call = Call::new((320, 240), Duration::from_millis(1_300));
    for second in 0..3 {
        call.record_pictures(&mut recorder, second * 1_000, second * 1_000 + 1_000);
        call.record_sound(&mut recorder, second * 1_000 + 1_000);
    }
    recorder.finish().unwrap();
    let offset = judge(&scratch, &path, "0:a:0").sync.unwrap().offset_ms;
    assert!((offset.median - 300.0 - 240.0 / 44.1).abs() < 2.0, "300 ms and a second: {offset:?}");
}

#[test]
fn uneven_picture_times_and_a_hole_in_the_sound_are_kept() {
    let scratch = Scratch::new("mp4-holes");
    let path = scratch.file("call.mp4");
    let mut recorder = recorder(&path);
    let mut call = Call::new((320, 240), Duration::ZERO);
    call.record_pictures(&mut recorder, 0, 1_000);
    call.record_sound(&mut recorder, 1_500);
    call.record_pictures(&mut recorder, 2_500, 4_000);
    call.frames += 92; // 1.001 s of sound that never came
    call.record_sound(&mut recorder, 4_000);
    recorder.finish().unwrap();
    let times = shown(&path);
    assert_eq!(times.len(), 75);
    assert!((times[29] - 0.967).abs() < 0.001 && (times[30] - 2.5).abs() < 0.001, "{:?}", &times[28..32]);
    let judgement = judge(&scratch, &path, "0:a:0");
    assert!((judgement.audio.longest_dropout_ms - 1_000.0).abs() < 15.0, "{:?}", judgement.audio);
    let offset = judgement.sync.unwrap().offset_ms;
    assert!(offset.max < 8.0 && offset.min > 3.0, "in sync before and behind the hole: {offset:?}");
    // The received sound has the hole in its times.
    let times = probe(&path, "a:1", "packet=pts_time");
    let times: Vec<f64> = times.lines().map(seconds).collect();
    let hole = times.windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f64::max);
    assert!((hole - 93.0 * 480.0 / 44_100.0).abs() < 0.001, "{hole}");
}

#[test]
fn a_change_of_the_sounds_rate_is_converted_and_stays_in_sync() {
    let scratch = Scratch::new("mp4-rate");
    let path = scratch.file("call.mp4");
    let mut recorder = recorder(&path);
    let mut tone = ToneSource::new(Tone::default());
    for (rate, from, until) in [(24_000, 0, 2_000), (8_000, 2_000, 4_000), (48_000, 4_000, 6_000)] {
        for ms in (from..until).step_by(20) {
            let sound = tone.pull(at(ms), rate, rate as usize / 50).unwrap();
            recorder.sound(&sound).unwrap();
        }
    }
    Call::new((320, 240), Duration::ZERO).record_pictures(&mut recorder, 0, 6_000);
    recorder.finish().unwrap();
    let judgement = judge(&scratch, &path, "0:a:0");
    assert_eq!(probe(&path, "a", "stream=sample_rate"), "24000");
    assert!((judgement.audio.tone_hz.unwrap() - 997.0).abs() < 0.1, "{:?}", judgement.audio);
    assert!(judgement.audio.markers >= 5 && judgement.audio.dropouts_ms <= 20.0, "{:?}", judgement.audio);
    let offset = judgement.sync.unwrap().offset_ms;
    // A converter starts up to 4 ms late; below 30 ms the sample count decides.
    assert!(offset.min > -5.0 && offset.max < 2.0, "{offset:?}");
}

#[test]
fn a_change_of_size_plays_on() {
    let scratch = Scratch::new("mp4-size");
    let path = scratch.file("call.mp4");
    let mut recorder = recorder(&path);
    Call::new((640, 480), Duration::ZERO).record_pictures(&mut recorder, 0, 1_000);
    Call::new((320, 240), Duration::ZERO).record_pictures(&mut recorder, 1_000, 2_000);
    Call::new((640, 480), Duration::ZERO).record_pictures(&mut recorder, 2_000, 3_000);
    recorder.finish().unwrap();
    ffmpeg(&["-i", &path, "-f", "null", "-"]);
    let sizes = probe(&path, "v", "frame=width");
    let sizes: Vec<&str> = sizes.lines().collect();
    assert_eq!(sizes, [vec!["640"; 30], vec!["320"; 30], vec!["640"; 30]].concat());
    // Every picture is right, not just there: scaled to one size, all of them are read.
    let decoded = scratch.file("decoded.y4m");
    ffmpeg(&["-i", &path, "-fps_mode", "passthrough", "-vf", "scale=320:240", &decoded]);
    let mut source = Y4mSource::open(&decoded, Playback::Once).unwrap();
    let mut judge = Judge::new(JudgeConfig::default());
    while let Some(picture) = source.next(source.due().unwrap_or(Time::ZERO)) {
        judge.picture(&picture, Time::ZERO);
    }
    let video = judge.judgement(Time::ZERO).video;
    assert_eq!((video.read, video.unreadable, video.no_pattern), (90, 0, 0));
}

#[test]
fn nothing_is_recorded_before_the_first_keyframe_nor_of_broken_pictures() {
    let scratch = Scratch::new("mp4-start");
    let path = scratch.file("call.mp4");
    let mut recorder = recorder(&path);
    let mut call = Call::new((320, 240), Duration::ZERO);
    let mut coded = Vec::new();
    let mut now = at(0);
    while coded.len() < 40 {
        if coded.len() == 10 || coded.len() == 30 {
            call.video.request_keyframe();
        }
        if let Some(picture) = call.pictures.next(now) {
            coded.extend(call.video.encode(&picture).unwrap());
        }
        now = call.pictures.due().unwrap();
    }
    for (index, frame) in coded.drain(1..).enumerate() {
        let mut frame = received(Codec::H264, frame.data, 90_000, frame.captured, frame.captured);
        frame.complete = index != 28;
        recorder.picture(&frame).unwrap();
    }
    recorder.finish().unwrap();
    let counters = recorder.counters();
    assert_eq!((counters.before_keyframe, counters.incomplete, counters.pictures), (9, 1, 29));
    ffmpeg(&["-i", &path, "-f", "null", "-"]);
    assert_eq!(shown(&path).len(), 29);
}

#[test]
fn a_recording_is_completed_by_its_drop_and_by_checkpoints_when_the_process_dies() {
    let scratch = Scratch::new("mp4-died");
    let (dropped, killed) = (scratch.file("dropped.mp4"), scratch.file("killed.mp4"));
    for path in [&dropped, &killed] {
        let mut recorder = recorder(path);
        let mut call = Call::new((320, 240), Duration::ZERO);
        for second in 0..18 {
            call.record_pictures(&mut recorder, second * 1_000, second * 1_000 + 1_000);
            call.record_sound(&mut recorder, second * 1_000 + 1_000);
        }
        if path == &killed {
            // Neither finished nor dropped, and what the buffered writer holds is lost with the process.
            std::mem::forget(recorder);
        }
    }
    for (path, least) in [(&dropped, 17.9), (&killed, 14.0)] {
        ffmpeg(&["-i", path, "-map", "0", "-f", "null", "-"]);
        let duration = seconds(&probe(path, "v", "format=duration"));
        assert!(duration > least && duration < 18.1, "{duration}");
        assert!(shown(path).len() as f64 > least * 30.0 - 2.0);
    }
}

/// A file on a disk that is full at some point.
struct FullDisk {
    file: File,
    position: u64,
    room: u64,
}

impl Write for FullDisk {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let fits = self.room.saturating_sub(self.position).min(data.len() as u64) as usize;
        if fits == 0 {
            return Err(io::Error::other("the disk is full"));
        }
        let written = self.file.write(&data[..fits])?;
        self.position += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for FullDisk {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.position = self.file.seek(to)?;
        Ok(self.position)
    }
}

#[test]
fn a_full_disk_is_an_error_and_leaves_what_was_recorded_up_to_the_last_checkpoint() {
    let scratch = Scratch::new("mp4-full");
    let path = scratch.file("call.mp4");
    let disk = FullDisk { file: File::create(&path).unwrap(), position: 0, room: 900_000 };
    let mut recorder = Mp4Recorder::new(disk).unwrap();
    let mut call = Call::new((320, 240), Duration::ZERO);
    let mut now = at(0);
    let mut errors = 0;
    while now < at(20_000) {
        if let Some(picture) = call.pictures.next(now)
            && let Some(frame) = call.video.encode(&picture).unwrap()
        {
            let frame = received(Codec::H264, frame.data, 90_000, frame.captured, frame.captured);
            errors += u32::from(recorder.picture(&frame).is_err());
        }
        now = call.pictures.due().unwrap();
    }
    assert!(errors > 0, "the disk was never full");
    assert!(recorder.finish().is_err());
    ffmpeg(&["-i", &path, "-f", "null", "-"]);
    let pictures = shown(&path).len();
    assert!(pictures >= 300, "{pictures}");
}
