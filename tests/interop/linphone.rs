//! Calls with linphone: H.264 as single NAL units with a static picture of its own about once a second, Opus or
//! G.711, RTP on ports of its own for each medium, one payload number for both where it offers.
//!
//! Its console shows no video, so it never decodes ours: what we sent is judged from the capture.

use crate::harness::{A_CALL, Outcome, Process, SOON, Scratch, Visavis, beside_another, free_port, need};
use crate::{media, wire};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// How long each call lasts.
const LENGTH: Duration = Duration::from_secs(10);

/// linphone's console, answering every call, with files for a microphone and a loudspeaker.
pub(crate) struct Linphone {
    process: Process,
    sip: u16,
    audio: u16,
    video: u16,
    log: PathBuf,
    heard: PathBuf,
}

impl Linphone {
    /// Starts it with all it needs in `scratch`, with H.264 as its only video codec, or with no video at all.
    pub(crate) fn start(scratch: &Scratch, video: bool) -> Self {
        need("linphonec", "linphone-cli mediastreamer2-plugin-openh264");
        let [sip, audio, picture] = distinct_ports();
        std::fs::create_dir_all(scratch.file(".local/share/linphone")).expect("a new directory");
        let video_on = u8::from(video);
        let settings = scratch.write(
            "linphonerc",
            &format!(
                "[sip]\nbind_address=127.0.0.1\nsip_port={sip}\nsip_tcp_port=0\nsip_tls_port=0\n\
                 contact=sip:linphone@127.0.0.1\n\
                 [rtp]\nbind_address=127.0.0.1\naudio_rtp_port={audio}\nvideo_rtp_port={picture}\n\
                 [video]\ncapture={video_on}\ndisplay={video_on}\nautomatically_initiate={video_on}\n\
                 automatically_accept={video_on}\n"
            ),
        );
        let (log, heard) = (scratch.file("linphone.log"), scratch.file("heard.wav"));
        let mut command = Command::new("linphonec");
        command.env("HOME", scratch.path()).args(["-C", "-a", "-d", "5", "-l"]).arg(&log);
        let mut process = Process::start("linphonec", command.arg("-c").arg(settings));
        process.say("soundcard use files");
        process.wait_for("Using wav files instead of soundcard", SOON);
        let tone = media::tone_wav(scratch.path(), 48_000, 60);
        process.say(&format!("play {}", tone.display()));
        process.say(&format!("record {}", heard.display()));
        if video {
            process.say("webcam use 0");
            process.wait_for("Using video device StaticImage", SOON);
            process.say("vcodec disable 0");
            process.wait_for("VP8 (90000) disabled", SOON);
        }
        Linphone { process, sip, audio, video: picture, log, heard }
    }

    pub(crate) fn uri(&self) -> String {
        format!("sip:linphone@127.0.0.1:{}", self.sip)
    }

    fn call(&mut self, visavis: &Visavis) {
        self.process.say(&format!("call sip:visavis@{}", visavis.address()));
    }

    /// Ends it, so that its log and its recording are whole.
    fn quit(&mut self) {
        self.process.say("quit");
        self.process.wait(SOON);
    }

    /// A number out of the last statistics of a medium (`AUDIO`, `VIDEO`) in its log.
    fn counted(&self, medium: &str, name: &str) -> u64 {
        let log = std::fs::read(&self.log).expect("linphone's log");
        let log = String::from_utf8_lossy(&log);
        let (_, statistics) = log
            .rsplit_once(&format!("{medium} SESSION'S RTP STATISTICS"))
            .unwrap_or_else(|| panic!("linphone counted no {medium}\n{}", self.process.output()));
        let counted = statistics.lines().take(16).find_map(|line| {
            let (_, entry) = line.split_once("ortp-message-")?;
            let count = entry.strip_prefix(name)?.strip_suffix("packets")?;
            count.trim().parse().ok()
        });
        counted.unwrap_or_else(|| panic!("linphone counted no {name} {medium} packets:\n{statistics}"))
    }
}

/// Even ports, with the next one free as well, for SIP, sound and pictures.
fn distinct_ports() -> [u16; 3] {
    let mut ports = [0; 3];
    while ports[0] == ports[1] || ports[1] == ports[2] || ports[0] == ports[2] {
        ports = std::array::from_fn(|_| free_port("127.0.0.1"));
    }
    ports
}

/// One call, and everything that was left of it.
struct Call {
    scratch: Scratch,
    linphone: Linphone,
    outcome: Outcome,
}

/// Who does something.
#[derive(Clone, Copy, PartialEq)]
enum Side {
    Visavis,
    Linphone,
}

impl Call {
    /// Holds a call of [`LENGTH`] that `caller` begins and `ender` ends; `flags` go to `visavis`.
    fn hold(caller: Side, ender: Side, video: bool, flags: &[&str]) -> Call {
        Call::script(caller, ender, video, flags, |_| std::thread::sleep(LENGTH))
    }

    /// The same with something else to do in between; where linphone ends the call, `meanwhile` says when.
    fn script(
        caller: Side,
        ender: Side,
        video: bool,
        flags: &[&str],
        meanwhile: impl FnOnce(&mut Linphone),
    ) -> Call {
        let scratch = Scratch::new();
        let mut linphone = Linphone::start(&scratch, video);
        let capture = scratch.file("call.pcapng");
        let duration = if ender == Side::Visavis { "10s" } else { "0" };
        let uri = linphone.uri();
        let mut args = match caller {
            Side::Visavis => vec!["call", &uri],
            Side::Linphone => vec!["answer", "--max-calls", "1"],
        };
        let capture = capture.to_str().expect("a path in UTF-8");
        args.extend(["--listen", "127.0.0.1:0", "--duration", duration, "--capture", capture]);
        args.extend(flags);
        let mut visavis = Visavis::start(&args);
        if caller == Side::Linphone {
            linphone.call(&visavis);
        }
        visavis.event("established", SOON);
        if ender == Side::Linphone {
            meanwhile(&mut linphone);
            linphone.process.say("terminate");
        }
        let outcome = visavis.finish(A_CALL);
        linphone.process.wait_for("ended (No error)", SOON);
        linphone.quit();
        let end = if ender == Side::Visavis { "local-hangup" } else { "remote-hangup" };
        assert_eq!(outcome.record["end"], end, "{}", outcome.record);
        assert_eq!(outcome.record["incoming"], caller == Side::Linphone);
        assert_eq!(outcome.verdict["good"], true, "{}", outcome.verdict);
        Call { scratch, linphone, outcome }
    }

    fn capture(&self) -> PathBuf {
        self.scratch.file("call.pcapng")
    }

    /// Asserts that sound in this codec flowed both ways, by the counters of both sides and by what was heard.
    fn assert_sound(&self, codec: &str) {
        let audio = self.outcome.section("audio");
        assert_eq!((audio["sent_as"].as_str(), audio["received_as"].as_str()), (Some(codec), Some(codec)));
        self.outcome.assert_flowed("audio", LENGTH.as_secs());
        self.assert_agreement("audio", "AUDIO");
        let heard = self.outcome.judged("/audio/tone_hz");
        assert!((heard - media::TONE).abs() <= 1.0, "{heard} Hz arrived here: {}", self.outcome.record);
        assert!(self.outcome.judged("/audio/markers") >= 8.0, "{}", self.outcome.record["media"]);
        let there = media::judge_sound(&self.linphone.heard);
        media::assert_tone(&there);
        assert!(there.duration_s >= 9.0 && there.markers >= 8, "{there:?}");
    }

    /// Asserts that linphone's picture arrived, that linphone got ours, and that those can be read.
    fn assert_pictures(&self) {
        let video = self.outcome.section("video");
        assert_eq!(
            (video["sent_as"].as_str(), video["received_as"].as_str()),
            (Some("H.264"), Some("H.264"))
        );
        assert!(self.outcome.count("video", "frames_received") >= 7, "{video}");
        assert!(self.outcome.count("video", "frames_sent") >= 250, "{video}");
        for field in ["rtcp_sent", "rtcp_received"] {
            assert!(self.outcome.count("video", field) >= 1, "{video}");
        }
        let decoded = &self.outcome.record["media"];
        assert_eq!(decoded["decode_errors"], 0, "{decoded}");
        assert!(decoded["pictures_decoded"].as_u64().is_some_and(|n| n >= 7), "{decoded}");
        self.assert_agreement("video", "VIDEO");
        let film = self.scratch.file("sent.h264");
        wire::extract_h264(&self.capture(), &format!("udp.dstport == {}", self.linphone.video), &film);
        media::assert_pattern(&media::judge_film(&film), 250);
    }

    /// Asserts that nothing is lost between what each side says that it sent and the other that it received,
    /// and that RTCP went both ways.
    fn assert_agreement(&self, kind: &str, medium: &str) {
        let (ours, theirs) = (|f| self.outcome.count(kind, f), |f| self.linphone.counted(medium, f));
        // What is under way when the call ends arrives where nobody counts any more.
        assert!(ours("packets_sent").abs_diff(theirs("received ")) <= 4, "{}", self.outcome.section(kind));
        assert!(theirs("sent ").abs_diff(ours("packets_received")) <= 4, "{}", self.outcome.section(kind));
        assert_eq!((theirs("incoming cumulative lost"), theirs("incoming bad formatted")), (0, 0));
        let port = if kind == "audio" { self.linphone.audio } else { self.linphone.video };
        for direction in ["src", "dst"] {
            let filter =
                format!("rtcp && (udp.{direction}port == {port} || udp.{direction}port == {})", port + 1);
            assert!(wire::count(&self.capture(), &filter) > 0, "no RTCP with {direction} port {port}");
        }
    }
}

/// The capture of a call to it, with pictures and G.711.
pub(crate) fn capture(scratch: &Scratch) -> PathBuf {
    let call = Call::hold(Side::Visavis, Side::Visavis, true, &["--codecs", "h264,pcmu"]);
    let kept = scratch.file("linphone.pcapng");
    std::fs::copy(call.capture(), &kept).expect("room for the capture");
    kept
}

#[test]
fn linphone_answers_h264_and_g711_and_we_hang_up() {
    let _place = beside_another();
    let call = Call::hold(Side::Visavis, Side::Visavis, true, &["--codecs", "h264,pcmu"]);
    wire::assert_clean(&call.capture());
    call.assert_sound("PCMU 8000 Hz");
    call.assert_pictures();
}

#[test]
fn linphone_calls_with_h264_and_g711_and_hangs_up() {
    let _place = beside_another();
    let call = Call::hold(Side::Linphone, Side::Linphone, true, &["--codecs", "h264,pcma"]);
    wire::assert_clean(&call.capture());
    call.assert_sound("PCMA 8000 Hz");
    call.assert_pictures();
}

#[test]
fn linphone_answers_h264_and_opus_and_hangs_up() {
    let _place = beside_another();
    let call = Call::hold(Side::Visavis, Side::Linphone, true, &["--codecs", "h264,opus"]);
    wire::assert_clean(&call.capture());
    call.assert_sound("Opus 48000 Hz");
    call.assert_pictures();
}

#[test]
fn linphone_calls_with_one_payload_number_for_h264_and_opus_and_we_hang_up() {
    let _place = beside_another();
    let call = Call::hold(Side::Linphone, Side::Visavis, true, &["--codecs", "h264,opus"]);
    call.assert_sound("Opus 48000 Hz");
    call.assert_pictures();
    // Both media share our port as well as the number: tshark takes the sound for H.264.
    let sound = format!("udp.port == {}", call.linphone.audio);
    let unknown = format!("(_ws.malformed || data) && !({sound})");
    assert_eq!(wire::count(&call.capture(), &unknown), 0, "malformed frames");
    for port in [call.linphone.audio, call.linphone.video] {
        let rtp = format!("rtp.version == 2 && udp.srcport == {port}");
        let others = format!("{rtp} && rtp.p_type != 96");
        assert!(wire::count(&call.capture(), &rtp) > 0, "nothing from port {port}");
        assert_eq!(wire::count(&call.capture(), &others), 0, "linphone sent other payload types than 96");
    }
}

#[test]
fn linphone_answers_a_call_without_pictures() {
    let _place = beside_another();
    let call = Call::hold(Side::Visavis, Side::Visavis, true, &["--audio-only"]);
    wire::assert_clean(&call.capture());
    call.assert_sound("Opus 48000 Hz");
    assert_eq!(call.outcome.record["sections"].as_array().map(Vec::len), Some(1));
}

#[test]
fn linphone_without_video_calls() {
    let _place = beside_another();
    let call = Call::hold(Side::Linphone, Side::Linphone, false, &[]);
    wire::assert_clean(&call.capture());
    call.assert_sound("Opus 48000 Hz");
    assert_eq!(call.outcome.record["sections"].as_array().map(Vec::len), Some(1));
}

#[test]
fn linphone_pauses_and_resumes_and_gets_nothing_meanwhile() {
    let _place = beside_another();
    let a_while = || std::thread::sleep(Duration::from_secs(3));
    let call = Call::script(Side::Visavis, Side::Linphone, true, &["--codecs", "h264,opus"], |linphone| {
        linphone.process.wait_for("Media streams established", SOON);
        a_while();
        linphone.process.say("pause");
        linphone.process.wait_for("is now paused", SOON);
        a_while();
        linphone.process.say("resume");
        a_while();
    });
    let capture = call.capture();
    wire::assert_clean(&capture);
    let said = wire::fields(&capture, "sdp", &["frame.time_relative", "udp.srcport", "sdp.media_attr"]);
    let both = |row: &[String], way| row[2].split(',').filter(|attribute| *attribute == way).count() == 2;
    let theirs = call.linphone.sip.to_string();
    let hold = said.iter().position(|row| row[1] == theirs && both(row, "sendonly"));
    let [_, held, resume, resumed] = &said[hold.expect("linphone's offer of a hold")..] else {
        panic!("not a hold, its end, and an answer to each: {said:?}");
    };
    // Without a word it is sendrecv again.
    let still = ["recvonly", "sendonly", "inactive"].iter().any(|way| resumed[2].contains(way));
    assert!(both(held, "recvonly") && !still, "{said:?}");
    let (audio, video) = (call.linphone.audio, call.linphone.video);
    let sent = |window: &str| {
        let rtp = format!("rtp.version == 2 && (udp.dstport == {audio} || udp.dstport == {video})");
        wire::count(&capture, &format!("{rtp} && {window}"))
    };
    let (held, resume) = (&held[0], &resume[0]);
    assert!(sent(&format!("frame.time_relative < {held}")) > 100, "nothing before the hold");
    let during = sent(&format!("frame.time_relative > {held} && frame.time_relative < {resume}"));
    assert!(during <= 2, "{during} packets during the hold");
    assert!(sent(&format!("frame.time_relative > {resume}")) > 100, "nothing after the hold");
}
