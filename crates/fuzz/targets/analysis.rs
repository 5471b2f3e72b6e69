//! The analysis of captures: whatever datagrams come in whatever order, it ends, keeps to its bounds, and finds no more
//! than was there.

#![no_main]

use libfuzzer_sys::fuzz_target;
use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use visavis_capture::Datagram;
use visavis_capture::analysis::{
    Analysis, AnalysisLimits, AnalysisOptions, Extracted, FrameSink, Framing, StreamId,
};
use visavis_capture::findings::Transport;
use visavis_fuzz::Octets;
use visavis_proto::Time;
use visavis_proto::frame::ReceivedFrame;
use visavis_proto::io::MediaFormat;
use visavis_proto::limits::Limits;
use visavis_proto::rtp::RtpHeader;

/// Counts what it is given.
struct Counting(Rc<Cell<u64>>);

impl FrameSink for Counting {
    fn frame(&mut self, _: &StreamId, _: &MediaFormat, frame: &ReceivedFrame) {
        assert!(!frame.data.is_empty() && frame.data.len() <= limits().parsing.access_unit);
        self.0.set(self.0.get() + 1);
    }

    fn finish(&mut self, _: &StreamId) -> Extracted {
        Extracted::default()
    }
}

fn limits() -> AnalysisLimits {
    AnalysisLimits {
        calls: 4,
        messages: 8,
        text: 4_096,
        message_text: 512,
        streams: 6,
        candidates: 4,
        stun: 4,
        parsing: Limits { access_unit: 20_000, ..Limits::default() },
    }
}

fuzz_target!(|data: &[u8]| {
    let mut octets = Octets(data);
    let options = octets.octet();
    let audio_framing = match options & 0x03 {
        0 => Some(Framing::Raw),
        1 => Some(Framing::Rfc3640),
        2 => Some(Framing::Latm),
        _ => None,
    };
    let given = ["105=X-AAC_ELD/22050", "96=H264/90000", "97=opus/48000/2"];
    let payload_types =
        given.iter().filter(|_| options & 0x04 != 0).filter_map(|text| text.parse().ok()).collect();
    let key = "any:AES_CM_128_HMAC_SHA1_80:inline:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".parse().ok();
    let options = AnalysisOptions {
        payload_types,
        keys: key.into_iter().filter(|_| options & 0x08 != 0).collect(),
        audio_framing,
        limits: limits(),
    };
    let frames = Rc::new(Cell::new(0));
    let mut analysis = Analysis::with_sink(options, Box::new(Counting(frames.clone())));
    let addresses: Vec<SocketAddr> =
        (1..=4).map(|i| SocketAddr::from(([192, 0, 2, i % 2], 4_000 + u16::from(i / 2)))).collect();
    let (mut packet, mut time, mut seq, mut timestamp) =
        (0u64, Time::from_millis(1_000), [0u16; 8], [0u32; 8]);
    let mut rtp = 0u64;
    while !octets.is_empty() {
        packet += 1;
        let control = octets.octet();
        let ends = octets.octet();
        time = match ends >> 4 {
            0 => time.saturating_sub(Duration::from_millis(u64::from(control))),
            15 => time + Duration::from_secs(u64::from(control)),
            step => time + Duration::from_millis(u64::from(step)),
        };
        let body = octets.data();
        let which = usize::from(ends & 0x07);
        let made = match control & 0x03 {
            0 => body.to_vec(),
            1 => message(control, body),
            // A stream that goes on, mostly.
            _ => {
                let step = if control & 0x80 == 0 { 1 } else { u16::from(control >> 2) << 5 };
                seq[which] = seq[which].wrapping_add(step);
                timestamp[which] = timestamp[which].wrapping_add(u32::from(control >> 2) * 160);
                let header = RtpHeader {
                    marker: control & 0x04 != 0,
                    payload_type: [96, 97, 105, 0, 9, 101, 123, 34][which],
                    seq: seq[which],
                    timestamp: timestamp[which],
                    ssrc: which as u32,
                };
                let mut out = Vec::new();
                header.with_payload(body).write(&mut out);
                out
            }
        };
        rtp += u64::from(made.first().is_some_and(|first| first >> 6 == 2));
        let cut = if control & 0x7c == 0x7c { made.len() / 2 } else { made.len() };
        analysis.push(&Datagram {
            packet,
            time,
            source: addresses[usize::from(ends & 0x03)],
            destination: addresses[usize::from(ends >> 2 & 0x03)],
            transport: if control & 0x40 != 0 && control & 0x03 == 1 {
                Transport::Tcp
            } else {
                Transport::Udp
            },
            data: &made[..cut],
            length: made.len(),
            direction: None,
        });
    }
    let findings = analysis.finish();
    let limits = limits();
    assert!(findings.calls.len() <= limits.calls && findings.stun.len() <= limits.stun);
    assert!(findings.streams.len() <= limits.streams);
    let text: usize =
        findings.calls.iter().flat_map(|call| &call.messages).map(|message| message.text.len()).sum();
    assert!(text <= limits.text + 64 * limits.calls * limits.messages, "{text} octets of text");
    for call in &findings.calls {
        assert!(call.messages.len() <= limits.messages);
        assert!(call.streams.iter().all(|&stream| stream < findings.streams.len()));
    }
    let packets: u64 = findings.streams.iter().map(|stream| stream.packets).sum();
    assert!(packets <= rtp, "{packets} packets in streams, {rtp} were sent");
    for stream in &findings.streams {
        assert!(stream.seconds.len() <= 601, "{} steps", stream.seconds.len());
        assert!(stream.frames_incomplete <= stream.frames);
        assert!(stream.loss.is_none_or(|loss| (0.0..=1.0).contains(&loss)), "{:?}", stream.loss);
    }
    let counted: u64 = findings.streams.iter().map(|stream| stream.frames).sum();
    assert!(frames.get() <= counted, "{} frames given out, {counted} counted", frames.get());
});

/// A message of one of three calls, with the fuzzer's octets as its body or in its place.
fn message(control: u8, body: &[u8]) -> Vec<u8> {
    let call = control >> 2 & 0x03;
    let (start, method) = match control >> 4 & 0x07 {
        0 | 1 => ("INVITE sip:b@h SIP/2.0", "INVITE"),
        2 | 3 => ("SIP/2.0 200 OK", "INVITE"),
        4 => ("ACK sip:b@h SIP/2.0", "ACK"),
        5 => ("BYE sip:b@h SIP/2.0", "BYE"),
        6 => ("MESSAGE sip:b@h SIP/2.0", "MESSAGE"),
        _ => return body.to_vec(),
    };
    let (kind, extra) = if method == "MESSAGE" { ("ske", "SKESeq: 1;0\r\n") } else { ("sdp", "") };
    let head = format!(
        "{start}\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK{}\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>;tag=2\r\n\
         Call-ID: {call}\r\nCSeq: 1 {method}\r\n{extra}Content-Type: application/{kind}\r\nContent-Length: {}\r\n\r\n",
        body.len(),
        body.len()
    );
    [head.as_bytes(), body].concat()
}
