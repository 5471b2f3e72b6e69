//! `visavis check` against our own `answer`, baresip and linphone: ours fails no case, and theirs outlive them all.
//!
//! Which cases the others fail stands in docs/conformance.md with version and date. Here only that the pack goes
//! through to its end, finds what is beyond doubt, and leaves a capture and reports that agree.

use crate::harness::{Process, SOON, Scratch, VISAVIS, Visavis, beside_another, free_port, need};
use crate::{media, wire};
use serde_json::Value;
use std::process::{Command, Stdio};

/// A run of the pack that is over.
struct Checked {
    scratch: Scratch,
    code: Option<i32>,
    report: Value,
    said: String,
}

impl Checked {
    /// Runs the pack, or these cases of it.
    fn run(uri: &str, args: &[&str]) -> Checked {
        let scratch = Scratch::new();
        let dir = scratch.file("report");
        let mut command = Command::new(VISAVIS);
        command.args(["check", uri, "--report"]).arg(&dir).args(args).stdin(Stdio::null());
        let output = command.output().expect("visavis starts");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let json = std::fs::read(dir.join("check.json")).unwrap_or_else(|e| {
            panic!("no check.json: {e}\n{said}{}", String::from_utf8_lossy(&output.stderr))
        });
        let report = serde_json::from_slice(&json).expect("JSON");
        Checked { scratch, code: output.status.code(), report, said }
    }

    fn count(&self, what: &str) -> u64 {
        self.report["counts"][what].as_u64().expect("a count")
    }

    /// Names and reasons of the cases that ended so.
    fn ended(&self, verdict: &str) -> Vec<String> {
        let cases = self.report["cases"].as_array().expect("cases");
        let of = cases.iter().filter(|case| case["verdict"] == verdict);
        of.map(|case| format!("{}: {}", case["name"], case["reason"])).collect()
    }

    /// Asserts that nothing came to grief, and that page, JUnit and capture are of this run.
    fn assert_whole(&self) {
        let errors = self.ended("error");
        assert!(errors.is_empty(), "{errors:#?}\n{}", self.said);
        let total: u64 = ["pass", "fail", "not_applicable"].iter().map(|what| self.count(what)).sum();
        assert!(total >= 60 && self.count("pass") > 60, "{}", self.report["counts"]);
        assert_eq!(self.code, Some(i32::from(self.count("fail") > 0)), "{}", self.said);
        let read = |name: &str| {
            std::fs::read_to_string(self.scratch.file("report").join(name)).expect("a file of the report")
        };
        let junit = read("junit.xml");
        assert_eq!(junit.matches("<testcase ").count() as u64, total);
        assert_eq!(junit.matches("<failure ").count() as u64, self.count("fail"));
        assert_eq!(read("check.html").matches("<details id=").count() as u64, total);
        self.assert_frames();
    }

    /// Asserts that the frames that a case names in the capture are those of its exchange: its first message.
    fn assert_frames(&self) {
        let capture = self.scratch.file("report").join("check.pcapng");
        let case = self.report["cases"].as_array().expect("cases").iter().find(|c| !c["frames"].is_null());
        let case = case.expect("a case with frames");
        let entry = case["exchange"].as_array().and_then(|entries| entries.first()).expect("an exchange");
        let filter = format!("frame.number == {}", case["frames"][0]);
        let found = wire::fields(&capture, &filter, &["sip.Method", "udp.dstport"]);
        let line = entry["text"].as_str().expect("text").lines().next().unwrap_or_default();
        let [method, port] = &found[0][..] else { panic!("{found:?}") };
        assert!(line.starts_with(method.as_str()), "frame {found:?} is not {line}");
        assert!(
            entry["remote"].as_str().is_some_and(|r| r.ends_with(port.as_str())),
            "{found:?} and {entry}"
        );
    }
}

#[test]
fn our_own_answer_fails_no_case() {
    need("tshark", "tshark");
    let visavis = Visavis::start(&["answer", "--listen", "127.0.0.1:0"]);
    let checked = Checked::run(&format!("sip:visavis@{}", visavis.address()), &[]);
    checked.assert_whole();
    assert!(checked.ended("fail").is_empty(), "{:#?}", checked.ended("fail"));
}

#[test]
fn our_own_answer_fails_no_race_when_it_rings() {
    let visavis = Visavis::start(&["answer", "--listen", "127.0.0.1:0", "--ring", "700ms"]);
    let uri = format!("sip:visavis@{}", visavis.address());
    let checked = Checked::run(&uri, &["--case", "cancel", "--case", "glare.second-invite"]);
    assert_eq!((checked.code, checked.count("pass")), (Some(0), 6), "{}", checked.said);
}

#[test]
fn baresip_outlives_the_pack() {
    need("baresip", "baresip-core baresip-ffmpeg");
    let scratch = Scratch::new();
    let address = format!("127.0.0.1:{}", free_port("127.0.0.1"));
    let tone = media::tone_wav(scratch.path(), 8_000, 30);
    let config = format!(
        "poll_method epoll\nsip_listen {address}\nnet_interface 127.0.0.1\n\
         module_path /usr/lib/baresip/modules\n\
         module stdio.so\nmodule g711.so\nmodule aubridge.so\nmodule aufile.so\nmodule avcodec.so\n\
         module fakevideo.so\nmodule_tmp uuid.so\nmodule_tmp account.so\nmodule_app menu.so\n\
         audio_source aufile,{}\naudio_player aubridge,nil\naudio_alert aubridge,nil\n\
         ausrc_srate 8000\nauplay_srate 8000\nvideo_source fakevideo,nil\nvideo_display fakevideo,nil\n\
         video_size 320x240\nvideo_fps 10\nvideo_bitrate 200000\n",
        tone.display(),
    );
    scratch.write("config", &config);
    scratch.write("accounts", "<sip:lab@127.0.0.1>;regint=0;answermode=auto\n");
    scratch.write("contacts", "");
    let mut command = Command::new("baresip");
    let baresip = Process::start("baresip", command.arg("-4").arg("-f").arg(scratch.path()));
    baresip.wait_for("baresip is ready", SOON);
    let checked = Checked::run(&format!("sip:lab@{address}"), &[]);
    checked.assert_whole();
}

/// The groups that linphone 5.1 outlives: one case of `offer` kills it, two of `invalid` make it deaf for half a minute.
const HARMLESS: [&str; 11] = [
    "transaction",
    "dialog",
    "cancel",
    "glare",
    "method",
    "content",
    "reoffer",
    "rtp",
    "rtcp",
    "video",
    "torture",
];

#[test]
fn linphone_outlives_most_of_the_pack() {
    let _place = beside_another();
    let scratch = Scratch::new();
    let linphone = crate::linphone::Linphone::start(&scratch, true);
    let args: Vec<&str> = HARMLESS.iter().flat_map(|group| ["--case", *group]).collect();
    let checked = Checked::run(&linphone.uri(), &args);
    checked.assert_whole();
}

#[test]
fn a_case_that_kills_its_peer_is_blamed_for_it_and_the_others_are_not_run() {
    // One that ends by itself in the middle of the pack: finding out what it is takes one call.
    let visavis = Visavis::start(&["answer", "--listen", "127.0.0.1:0", "--max-calls", "3"]);
    let cases = ["dialog.bye", "dialog.bye-twice", "dialog.contact-in-2xx", "dialog.cseq-gap"];
    let mut args: Vec<&str> = cases.iter().flat_map(|case| ["--case", *case]).collect();
    args.extend(["--timeout", "2s", "--wait", "1s"]);
    let checked = Checked::run(&format!("sip:visavis@{}", visavis.address()), &args);
    let blamed = checked.ended("fail");
    let last = blamed.last().unwrap_or_else(|| panic!("nobody is blamed: {}", checked.said));
    assert!(last.contains("does not answer any more"), "{blamed:?}\n{}", checked.said);
    let not_run = checked.ended("error");
    assert!(!not_run.is_empty() && not_run.iter().all(|e| e.contains("not run")), "{not_run:?}");
    assert_eq!(checked.code, Some(1));
}
