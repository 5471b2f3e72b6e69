//! The page of a call, made from what a capture might show and ends might log.

use std::net::SocketAddr;
use visavis_capture::findings::*;
use visavis_proto::Time;
use visavis_report::html::call_page;
use visavis_report::{
    CallRecord, End, Evidence, MediaReport, Role, SectionRecord, Shown, Step, Timeline, Verdict,
};

/// What somebody might write into headers and session descriptions to harm a reader of reports.
const HOSTILE: &str =
    "\"><script>alert(1)</script><img src=x onerror=alert(2)>' \u{202e}gnp.exe\u{0}\u{1b}[31m&lt;";

fn at(ms: u64) -> Time {
    Time::from_millis(1_790_000_000_000 + ms)
}

fn address(text: &str) -> Option<SocketAddr> {
    Some(text.parse().expect("an address"))
}

fn message(packet: u64, ms: u64, from_caller: bool, summary: &str, text: &str) -> MessageFindings {
    let (caller, callee) = (address("127.0.0.1:5060"), address("127.0.0.1:16402"));
    let (source, destination) = if from_caller { (caller, callee) } else { (callee, caller) };
    MessageFindings {
        packet,
        time: at(ms),
        source,
        destination,
        summary: summary.into(),
        text: text.into(),
        content_type: text.contains("v=0").then(|| "application/sdp".into()),
        ..MessageFindings::default()
    }
}

fn stream(ssrc: u32, kind: &'static str, to_callee: bool, seconds: usize) -> StreamFindings {
    let (caller, callee) = (address("127.0.0.1:5060"), address("127.0.0.1:16402"));
    let (source, destination) = if to_callee { (caller, callee) } else { (callee, caller) };
    let second = |n: usize| StreamSecond {
        packets: 100,
        octets: 100_000 + n as u64,
        lost: n.is_multiple_of(7).into(),
        jitter_ms: Some(1.5),
        frames: 30,
        longest_gap_ms: Some(40.0),
        round_trip_ms: n.is_multiple_of(5).then_some(0.4),
    };
    StreamFindings {
        ssrc,
        source,
        destination,
        call: Some(0),
        kind: Some(kind),
        codec: Some(if kind == "video" { "H.264".into() } else { "Opus".into() }),
        packets: 100 * seconds as u64,
        first: Some(at(30)),
        last: Some(at(30 + 1_000 * seconds as u64)),
        seconds: (0..seconds).map(second).collect(),
        step_s: 1,
        ..StreamFindings::default()
    }
}

fn findings(words: &str, messages: usize, seconds: usize) -> Findings {
    let sdp = format!("v=0\r\ns={words}\r\nm=video 5060 RTP/AVP 96\r\na=x:{words}\r\n");
    let mut list = vec![
        message(1, 0, true, "INVITE", &format!("INVITE sip:b SIP/2.0\r\nSubject: {words}\r\n\r\n{sdp}")),
        message(2, 4, false, &format!("200 {words}"), &format!("SIP/2.0 200 {words}\r\n\r\n{sdp}")),
    ];
    list.extend((0..messages).map(|n| message(3 + n as u64, 5, true, "MESSAGE", words)));
    let section = SectionFindings {
        media: words.into(),
        accepted: true,
        offered: vec![words.into()],
        crypto: Some(words.into()),
        ..SectionFindings::default()
    };
    let exchange = ExchangeFindings {
        offerer: address("127.0.0.1:5060"),
        offer_packet: 1,
        answer_packet: Some(2),
        offer: sdp.clone(),
        answer: Some(sdp),
        sections: vec![section],
        faults: vec![words.into()],
    };
    let call = CallFindings {
        call_id: words.into(),
        from: words.into(),
        to: words.into(),
        caller: address("127.0.0.1:5060"),
        callee: address("127.0.0.1:16402"),
        caller_agent: Some(words.into()),
        callee_agent: Some(words.into()),
        invited: Some(at(0)),
        answered: Some(at(4)),
        acknowledged: Some(at(6)),
        ended: Some(at(6_000)),
        outcome: Outcome::CallerHungUp,
        status: Some(200),
        messages: list,
        exchanges: vec![exchange],
        streams: vec![0, 1, 2, 3],
        ..CallFindings::default()
    };
    let streams = vec![
        stream(1, "video", true, seconds),
        stream(2, "video", false, seconds),
        stream(3, "audio", true, seconds),
        stream(4, "audio", false, seconds),
    ];
    let stun = StunFindings { client: address("127.0.0.1:5060"), ..StunFindings::default() };
    Findings { calls: vec![call], streams, stun: vec![stun], ..Findings::default() }
}

fn record(words: &str, steps: usize) -> CallRecord {
    let step = Step { pictures: 30, latency_max_ms: Some(12.0), psnr_min_db: Some(41.0), ..Step::default() };
    let timeline =
        Timeline { start: Some(at(40)), step_s: 1, steps: vec![step; steps], pictures: Vec::new() };
    let mut record = CallRecord::outgoing(words);
    record.media = MediaReport { timeline: Some(timeline), ..MediaReport::default() };
    record.sections = vec![SectionRecord { kind: Some("video"), ..SectionRecord::default() }];
    record.end_text = Some(words.into());
    record.log.note(at(1), "progress", words);
    record
}

fn page(words: &str, messages: usize, seconds: usize) -> String {
    let (findings, record) = (findings(words, messages, seconds), record(words, seconds.min(512)));
    let verdict = Verdict { good: false, reasons: vec![words.into()], ..Verdict::default() };
    call_page(&Evidence {
        made_by: words,
        ends: vec![End { role: Role::Callee, record: &record }],
        verdict: Some(&verdict),
        capture: Some(Shown { file: words, findings: &findings, call: Some(0) }),
        counters: vec![(words, 3)],
    })
}

#[test]
fn hostile_headers_and_descriptions_stay_text() {
    let page = page(HOSTILE, 3, 6);
    let body = page.split("<body>").nth(1).expect("a body");
    assert_eq!(body.matches("<script").count(), 1, "only the page's own");
    assert!(!body.contains("<img"), "no picture was given");
    for c in ['\u{202e}', '\u{0}', '\u{1b}'] {
        assert!(!page.contains(c), "{c:?} is in the page");
    }
    assert!(page.contains("[U+202E]") && page.contains("[U+001B]"));
    assert!(page.matches("&lt;script&gt;alert(1)").count() > 10, "they are shown, as text");
    // In no tag is any of it outside of the quotes of an attribute.
    for tag in body.split('<').skip(1) {
        let tag = tag.split('>').next().unwrap_or_default();
        let names: String = tag.split('"').step_by(2).collect();
        assert!(!names.contains("onerror") && !names.contains("alert"), "{tag}");
        assert!(tag.split('"').count() % 2 == 1, "{tag}");
    }
}

#[test]
fn a_long_call_makes_a_page_of_bounded_size_that_says_what_it_left_out() {
    let short = page("plain words", 50_000, 3_600);
    assert!(short.len() < 1_500_000, "{} octets", short.len());
    assert!(short.contains("49\u{202f}802 more messages left out."));
    assert!(short.contains("each point stands for 16 s"));
}

#[test]
fn of_a_bare_capture_what_nobody_measured_is_unknown() {
    let findings = findings("words", 0, 6);
    let shown = Shown { file: "a.pcap", findings: &findings, call: Some(0) };
    let page = call_page(&Evidence { made_by: "visavis", capture: Some(shown), ..Evidence::default() });
    assert!(page.contains("no verdict"));
    assert_eq!(page.matches("unknown: a bare capture cannot tell").count(), 7);
    assert!(page.contains("video, caller → callee"));
}

#[test]
fn with_nothing_at_all_there_is_still_a_page() {
    let page = call_page(&Evidence::default());
    assert!(page.contains("no verdict") && page.contains("its messages are unknown"));
    let findings = Findings::default();
    for call in [None, Some(7)] {
        let shown = Shown { file: "empty.pcap", findings: &findings, call };
        let page = call_page(&Evidence { capture: Some(shown), ..Evidence::default() });
        assert!(page.contains("No RTP stream is in the capture."));
    }
}

#[test]
fn the_same_evidence_makes_the_same_page_and_json() {
    assert_eq!(page("words", 3, 6), page("words", 3, 6));
    let record = record("words", 2);
    let ends = vec![End { role: Role::Callee, record: &record }];
    let json = Evidence { ends, ..Evidence::default() }.to_json();
    assert_eq!(json["v"], 1);
    assert_eq!(json["callee"]["timeline"]["steps"][1]["pictures"], 30);
    assert_eq!(json["callee"]["log"]["entries"][0]["at"], 1_790_000_000.001);
    assert!(json["caller"].is_null() && json["capture"].is_null());
    // Of a call that is not the first one of its capture, places are those of its own file.
    let mut findings = findings("words", 0, 1);
    findings.calls.insert(0, CallFindings::default());
    findings.streams.iter_mut().for_each(|stream| stream.call = Some(1));
    findings.streams.insert(0, StreamFindings { call: Some(0), ..StreamFindings::default() });
    let shown = Shown { file: "a.pcap", findings: &findings, call: Some(1) };
    let json = Evidence { capture: Some(shown), ..Evidence::default() }.to_json();
    assert_eq!(json["capture"]["call"]["streams"], serde_json::json!([0, 1, 2, 3]));
    assert_eq!(json["capture"]["streams"][3]["call"], 0);
    assert_eq!(json["capture"]["streams"][0]["ssrc"], 1);
}
