//! baresip: H.264 with Opus or G.711 both ways, sound alone, and what it says to pictures alone.
//!
//! It plays a film of our test pattern and our tone, and records what it hears; what it sees, it cannot record,
//! so our pictures are taken from the wire.

use crate::harness::{
    A_CALL, Outcome, Process, SOON, Scratch, VISAVIS, Visavis, beside_another, free_port, need,
};
use crate::{media, wire};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const THEIRS: &str = "127.0.0.1";
/// baresip binds its media ports to every address: told to use this one, it still sends from [`THEIRS`].
const THEIRS_TOO: &str = "127.0.0.77";
const OURS: &str = "127.0.0.78";
/// How long each call lasts.
const CALL: Duration = Duration::from_secs(10);
/// How long the film and the sound that it plays last: more than a call.
const FILM_SECONDS: u64 = 15;
const SIZE: (u32, u32) = (640, 480);
const FPS: u32 = 30;
/// What a machine with other things to do still manages of the 300 pictures of a call.
const LEAST_PICTURES: u64 = 200;

/// What the two sides agree on.
#[derive(Clone, Copy)]
pub(crate) struct Sound {
    /// Its name in `--codecs`.
    codec: &'static str,
    /// The same in the record.
    agreed: &'static str,
    /// baresip's module that has it.
    module: &'static str,
    sample_rate: u32,
}

pub(crate) const PCMU: Sound =
    Sound { codec: "pcmu", agreed: "PCMU 8000 Hz", module: "g711", sample_rate: 8_000 };
const PCMA: Sound = Sound { codec: "pcma", agreed: "PCMA 8000 Hz", module: "g711", sample_rate: 8_000 };
const OPUS: Sound = Sound { codec: "opus", agreed: "Opus 48000 Hz", module: "opus", sample_rate: 48_000 };

/// How H.264 lies in RTP packets (RFC 6184 section 6).
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Video {
    /// `packetization-mode=0`: every NAL unit in a packet of its own.
    SingleNal,
    /// `packetization-mode=1`: NAL units together in a packet, or in pieces.
    NonInterleaved,
}

#[derive(Clone, Copy, PartialEq)]
enum Side {
    Us,
    Baresip,
}

/// A call to hold.
#[derive(Clone, Copy)]
struct Plan {
    /// The address that baresip names in its signalling and its descriptions.
    host: &'static str,
    caller: Side,
    ender: Side,
    sound: Sound,
    video: Option<Video>,
}

/// baresip, answering by itself and steered through its stdin.
pub(crate) struct Baresip {
    process: Process,
    address: String,
    recordings: PathBuf,
}

impl Baresip {
    pub(crate) fn start(scratch: &Scratch, host: &str, sound: Sound, video: Option<Video>) -> Self {
        need("baresip", "baresip-core baresip-ffmpeg");
        let (address, recordings) = (format!("{host}:{}", free_port(host)), scratch.file("recordings"));
        std::fs::create_dir(&recordings).expect("a new directory");
        let tone = media::tone_wav(scratch.path(), sound.sample_rate, FILM_SECONDS);
        let (rate, module) = (sound.sample_rate, sound.module);
        let mut config = format!(
            "poll_method epoll\nsip_listen {address}\nnet_interface {host}\n\
             module_path /usr/lib/baresip/modules\n\
             module stdio.so\nmodule {module}.so\nmodule aubridge.so\nmodule aufile.so\nmodule sndfile.so\n\
             module_tmp uuid.so\nmodule_tmp account.so\nmodule_app menu.so\n\
             audio_source aufile,{}\naudio_player aubridge,nil\naudio_alert aubridge,nil\n\
             ausrc_srate {rate}\nauplay_srate {rate}\nopus_stereo no\nsnd_path {}\n",
            tone.display(),
            recordings.display(),
        );
        if video.is_some() {
            let film = media::pattern_mp4(scratch.path(), SIZE, FPS, FILM_SECONDS);
            config += &format!(
                "module avcodec.so\nmodule avformat.so\nmodule fakevideo.so\n\
                 video_source avformat,{}\nvideo_display fakevideo,nil\n\
                 video_size {}x{}\nvideo_fps {FPS}\nvideo_bitrate 1000000\n",
                film.display(),
                SIZE.0,
                SIZE.1,
            );
        }
        scratch.write("config", &config);
        // Its list of codecs has both modes; by name it takes the first, which is mode 0.
        let codecs = if video == Some(Video::SingleNal) { ";video_codecs=h264" } else { "" };
        scratch.write("accounts", &format!("<sip:lab@{host}>;regint=0;answermode=auto{codecs}\n"));
        scratch.write("contacts", "");
        let mut command = Command::new("baresip");
        command.arg("-4").arg("-f").arg(scratch.path());
        let process = Process::start("baresip", &mut command);
        process.wait_for("baresip is ready", SOON);
        Baresip { process, address, recordings }
    }

    /// Where it is called.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Ends it.
    fn quit_unheard(mut self) {
        self.process.say("q");
        self.process.wait(SOON);
    }

    /// Ends it, and gives the recording of what it heard.
    fn quit(mut self) -> PathBuf {
        self.process.say("q");
        self.process.wait(SOON);
        let files = std::fs::read_dir(&self.recordings).expect("the directory of recordings");
        let mut heard = files.map(|file| file.expect("a file").path());
        let heard = heard.find(|path| path.to_string_lossy().ends_with("-dec.wav"));
        heard.unwrap_or_else(|| panic!("nothing was recorded: {}", self.process.output()))
    }
}

/// What is left of a call that was held.
struct Held {
    outcome: Outcome,
    /// What baresip recorded.
    heard: PathBuf,
    capture: PathBuf,
}

/// Holds a call of ten seconds, with more flags on our side.
fn hold(scratch: &Scratch, plan: Plan, flags: &[&str]) -> Held {
    let Plan { host, caller, ender, sound, video } = plan;
    let mut baresip = Baresip::start(scratch, host, sound, video);
    let capture = scratch.file("call.pcapng");
    let listen = format!("{OURS}:{}", free_port(OURS));
    let codecs = format!("h264,{}", sound.codec);
    let duration = if ender == Side::Us { format!("{}s", CALL.as_secs()) } else { "0".into() };
    let common = ["--listen", &listen, "--codecs", &codecs, "--duration", &duration];
    let common = [&common[..], &["--capture", capture.to_str().expect("a path in UTF-8")], flags].concat();
    let mut visavis = match caller {
        Side::Us => {
            let uri = format!("sip:lab@{}", baresip.address);
            let medium: &[&str] = if video.is_some() { &[] } else { &["--audio-only"] };
            Visavis::start(&[&["call", &uri], medium, &common].concat())
        }
        Side::Baresip => {
            let visavis = Visavis::start(&[&["answer", "--max-calls", "1"][..], &common].concat());
            baresip.process.say(&format!("/dial sip:us@{}", visavis.address()));
            visavis
        }
    };
    visavis.event("established", SOON);
    baresip.process.wait_for("Call established", SOON);
    if ender == Side::Baresip {
        std::thread::sleep(CALL);
        baresip.process.say("b");
    }
    let outcome = visavis.finish(A_CALL);
    baresip.process.wait_for("terminated (duration:", SOON);
    let end = if ender == Side::Us { "local-hangup" } else { "remote-hangup" };
    assert_eq!(outcome.record["end"], end, "{}", outcome.record);
    Held { outcome, heard: baresip.quit(), capture }
}

/// The capture of a call to it, with fragmented pictures and Opus.
pub(crate) fn capture(scratch: &Scratch) -> PathBuf {
    let video = Some(Video::NonInterleaved);
    let plan = Plan { host: THEIRS, caller: Side::Us, ender: Side::Us, sound: OPUS, video };
    hold(scratch, plan, &[]).capture
}

/// Holds a call and asserts that all of it went well, as seen from both sides and from the wire.
fn assert_call(plan: Plan) {
    assert_call_with(plan, &[]);
}

/// The same with more flags on our side.
fn assert_call_with(plan: Plan, flags: &[&str]) {
    let _place = beside_another();
    let scratch = Scratch::new();
    let Held { outcome, heard, capture } = hold(&scratch, plan, flags);
    assert_eq!(outcome.verdict["good"], true, "{}", outcome.verdict);

    outcome.assert_flowed("audio", CALL.as_secs());
    assert_eq!(outcome.section("audio")["sent_as"], plan.sound.agreed);
    assert_eq!(outcome.section("audio")["received_as"], plan.sound.agreed);
    let tone = outcome.judged("/audio/tone_hz");
    assert!((tone - media::TONE).abs() <= 1.0, "baresip's tone is {tone} Hz");
    let heard = media::judge_sound(&heard);
    media::assert_tone(&heard);
    assert!(heard.duration_s > 9.0 && heard.markers >= 8, "baresip heard {heard:?}");

    wire::assert_clean(&capture);
    for source in [OURS, THEIRS] {
        let reports = wire::count(&capture, &format!("rtcp.pt == 200 && ip.src == {source}"));
        assert!(reports > 0, "no sender reports from {source}");
    }
    match plan.video {
        Some(mode) => {
            assert_packets(&capture, mode);
            assert_pictures(&outcome, &capture, &scratch);
        }
        None => assert_eq!(wire::count(&capture, "h264"), 0, "pictures in a call of sound alone"),
    }
}

/// Asserts that both sides keep to the packetization mode.
fn assert_packets(capture: &Path, mode: Video) {
    for source in [OURS, THEIRS] {
        let pieces = wire::count(capture, &format!("h264.nal_unit_hdr >= 24 && ip.src == {source}"));
        match mode {
            Video::SingleNal => assert_eq!(pieces, 0, "{source} sends more than single NAL units"),
            Video::NonInterleaved => assert!(pieces >= 200, "{source} sends but {pieces} FU-A and STAP-A"),
        }
    }
}

/// Asserts that our judge could read the film that baresip played, and ffmpeg decode what we sent.
fn assert_pictures(outcome: &Outcome, capture: &Path, scratch: &Scratch) {
    outcome.assert_flowed("video", CALL.as_secs());
    assert_eq!(outcome.section("video")["sent_as"], "H.264");
    let count = |field: &str| outcome.judged(&format!("/video/{field}")) as u64;
    let (received, read) = (count("received"), count("read") + count("repeated"));
    assert!(received >= LEAST_PICTURES, "only {received} pictures from baresip");
    assert!(read * 100 >= received * 95, "only {read} of baresip's {received} pictures show the pattern");

    let (stream, own) = (scratch.file("ours.h264"), format!("h264 && ip.src == {OURS}"));
    wire::extract_h264(capture, &own, &stream);
    let ours = media::judge_film(&stream);
    // What is still in the pacer when the call ends is not sent.
    let sent = outcome.count("video", "frames_sent");
    assert!((sent.saturating_sub(3)..=sent).contains(&ours.received), "of {sent} pictures sent: {ours:?}");
    media::assert_pattern(&ours, LEAST_PICTURES);
}

#[test]
fn baresip_calls_with_single_nal_units_and_g711_and_hangs_up() {
    assert_call(Plan {
        host: THEIRS,
        caller: Side::Baresip,
        ender: Side::Baresip,
        sound: PCMU,
        video: Some(Video::SingleNal),
    });
}

#[test]
fn baresip_gets_its_film_and_its_tone_back_decoded_and_coded_again() {
    let video = Some(Video::NonInterleaved);
    let plan = Plan { host: THEIRS, caller: Side::Baresip, ender: Side::Us, sound: OPUS, video };
    assert_call_with(plan, &["--echo=decoded"]);
}

#[test]
fn baresip_is_called_with_single_nal_units_and_g711_and_we_hang_up() {
    assert_call(Plan {
        host: THEIRS,
        caller: Side::Us,
        ender: Side::Us,
        sound: PCMU,
        video: Some(Video::SingleNal),
    });
}

#[test]
fn baresip_calls_with_fragmented_nal_units_and_opus_and_we_hang_up() {
    assert_call(Plan {
        host: THEIRS,
        caller: Side::Baresip,
        ender: Side::Us,
        sound: OPUS,
        video: Some(Video::NonInterleaved),
    });
}

#[test]
fn baresip_is_called_with_fragmented_nal_units_and_opus_and_hangs_up() {
    assert_call(Plan {
        host: THEIRS,
        caller: Side::Us,
        ender: Side::Baresip,
        sound: OPUS,
        video: Some(Video::NonInterleaved),
    });
}

#[test]
fn baresip_without_a_camera_calls_with_sound_alone() {
    assert_call(Plan { host: THEIRS, caller: Side::Baresip, ender: Side::Us, sound: PCMA, video: None });
}

#[test]
fn baresip_is_called_with_sound_alone_sends_it_from_an_address_it_never_named_and_hangs_up() {
    assert_call(Plan { host: THEIRS_TOO, caller: Side::Us, ender: Side::Baresip, sound: OPUS, video: None });
}

#[test]
fn baresip_refuses_pictures_alone_and_we_say_so() {
    let _place = beside_another();
    let scratch = Scratch::new();
    let baresip = Baresip::start(&scratch, THEIRS, PCMU, Some(Video::NonInterleaved));
    let (uri, listen) = (format!("sip:lab@{}", baresip.address), format!("{OURS}:{}", free_port(OURS)));
    let mut visavis = Visavis::start(&["call", &uri, "--listen", &listen, "--video-only"]);
    let outcome = visavis.finish(SOON);
    assert_eq!(outcome.record["end"], "refused", "{}", outcome.record);
    let reasons = outcome.verdict["reasons"].to_string();
    assert!(reasons.contains("the peer answered 488"), "{reasons}");
}

#[test]
fn a_script_leads_a_call_through_hold_keys_messages_and_key_frames() {
    let _place = beside_another();
    let scratch = Scratch::new();
    let baresip = Baresip::start(&scratch, THEIRS_TOO, OPUS, Some(Video::NonInterleaved));
    let (uri, listen) = (format!("sip:lab@{}", baresip.address), format!("{OURS}:{}", free_port(OURS)));
    let capture = scratch.file("call.pcapng");
    let file = capture.to_str().expect("a path in UTF-8");
    let call = ["call", &uri, "--control", "--listen", &listen, "--codecs", "h264,opus", "--capture", file];
    let mut visavis = Visavis::start(&call);
    visavis.event("established", SOON);
    let direction = |direction: &'static str| {
        move |media: &Value| media["sections"].as_array().is_some_and(|s| s[0]["direction"] == direction)
    };
    assert_eq!(visavis.done(json!({ "command": "hold" }))["status"], 200);
    visavis.event_where("media", direction("sendonly"));
    assert_eq!(visavis.done(json!({ "command": "resume" }))["status"], 200);
    assert_eq!(visavis.done(json!({ "command": "message", "text": "hello" }))["status"], 200);
    baresip.process.wait_for("hello", SOON);
    let refused =
        visavis.command(json!({ "command": "message", "content_type": "application/ske", "base64": "AA==" }));
    assert_eq!((&refused["event"], &refused["status"]), (&json!("failed"), &json!(415)));
    visavis.done(json!({ "command": "dtmf", "keys": "5", "ms": 100 }));
    visavis.stats_until(|sections| sections[1]["frames_received"].as_u64() > Some(0));
    let how = visavis.done(json!({ "command": "keyframe" }))["how"].clone();
    visavis.done(json!({ "command": "wait", "seconds": 1 }));
    visavis.done(json!({ "command": "hangup" }));
    let outcome = visavis.finish(SOON);
    assert_eq!(outcome.record["end"], "local-hangup", "{}", outcome.record);
    baresip.quit_unheard();
    assert!(wire::count(&capture, "rtpevent.event_id == 5") >= 3, "no key went out");
    let asked = match how.as_str() {
        Some("PLI") => "rtcp.psfb.fmt == 1",
        _ => "sip.Method == INFO",
    };
    assert!(wire::count(&capture, asked) >= 1, "nothing on the wire asks for a key frame by {how}");
}

#[test]
fn a_probe_finds_what_baresip_can_do_and_the_largest_request_that_it_reads() {
    let _place = beside_another();
    let scratch = Scratch::new();
    let baresip = Baresip::start(&scratch, THEIRS_TOO, OPUS, Some(Video::NonInterleaved));
    let args = ["--json", "probe", &format!("sip:lab@{}", baresip.address), "--listen", "127.0.0.78:0"];
    let mut probe = Process::start("visavis probe", Command::new(VISAVIS).args(args));
    assert_eq!(probe.wait(A_CALL).code(), Some(0), "{}", probe.output());
    let event: Value = serde_json::from_str(&probe.wait_for(r#""event":"probe""#, SOON)).expect("JSON");
    assert_eq!(event["status"], 200, "{event}");
    assert!(event["agent"].as_str().is_some_and(|agent| agent.contains("baresip")), "{event}");
    let allowed = event["allow"].as_array().expect("methods");
    assert!(allowed.contains(&json!("INVITE")) && allowed.contains(&json!("MESSAGE")), "{event}");
    let media = event["media"].as_array().expect("media");
    let has = |kind: &str, name: &str| {
        let sections = media.iter().filter(|section| section["kind"] == kind);
        sections.flat_map(|section| section["formats"].as_array()).flatten().any(|f| f == name)
    };
    assert!(has("audio", "opus/48000/2") && has("video", "H264/90000"), "{event}");
    // It reads datagrams of 8192 octets and cuts larger ones short.
    let path = json!({ "bound": "unanswered", "largest_request": 8_192, "mtu": 8_220 });
    assert_eq!(event["path"], path);
    baresip.quit_unheard();
}
