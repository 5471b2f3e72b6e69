//! RTP header extensions (RFC 8285) with GStreamer, which gets our pictures and sends them back: its jitter buffer learns
//! from our `ntp-64` (RFC 6051) when each was captured, and its `rtphdrextntp64` says so of what goes back, where we read
//! it. GStreamer 1.22 has no element for the orientation of pictures.

use crate::gstreamer::{Relay, Ringing, launch, ring};
use crate::harness::{A_CALL, SOON, Scratch, Visavis, alone, free_port, need};
use crate::sip::Callee;
use crate::wire::{assert_clean, fields};

const NTP_64: &str = "urn:ietf:params:rtp-hdrext:ntp-64";
/// One tick of the RTP clock in units of 2^-32 s: either side rounds to whole ones.
const TICK: u64 = (1 << 32) / 90_000 + 1;

#[test]
fn gstreamer_reads_our_times_of_capture_and_we_read_what_it_writes() {
    need("gst-launch-1.0", "gstreamer1.0-tools gstreamer1.0-plugins-{base,good,bad,ugly} gstreamer1.0-libav");
    let _alone = alone();
    let scratch = Scratch::new();
    let capture = scratch.file("call.pcapng");
    let callee = Callee::new("127.0.0.45");
    let Ringing { mut caller, call, payload_type, parameters } = ring(callee, "6s", &capture);
    let extensions = call.offered("a=extmap:");
    let id = extensions.iter().find_map(|map| map.strip_suffix(NTP_64)).expect("ntp-64 is offered").trim();
    let id = id.to_owned();
    assert!(extensions.iter().any(|map| map.ends_with("urn:3gpp:video-orientation")), "{extensions:?}");

    let port = free_port("127.0.0.44");
    let relay = Relay::start(caller.address(), ([127, 0, 0, 44], port).into());
    let media = relay.port();
    let map = format!("extmap-{id}=(string){NTP_64}");
    let mut gstreamer = launch(
        "GStreamer's echo",
        &format!(
            "udpsrc address=127.0.0.44 port={port} \
             caps=application/x-rtp,media=video,clock-rate=90000,encoding-name=H264,payload={payload_type},{map} ! \
             rtpjitterbuffer latency=20 add-reference-timestamp-meta=true ! rtph264depay ! video/x-h264,stream-format=byte-stream,alignment=au ! \
             rtph264pay mtu=1200 pt={payload_type} config-interval=-1 ! application/x-rtp,{map} ! \
             udpsink host=127.0.0.43 port={media} sync=false"
        ),
    );
    gstreamer.wait_for("Setting pipeline to PLAYING", SOON);
    let call = call.accept(&format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.43\r\ns=-\r\nc=IN IP4 127.0.0.43\r\nt=0 0\r\n\
         m=video {media} RTP/AVP {payload_type}\r\na=rtpmap:{payload_type} H264/90000\r\n\
         a=fmtp:{payload_type} {parameters}\r\na=extmap:{id} {NTP_64}\r\n"
    ));
    call.wait_for_bye(A_CALL);
    let outcome = caller.finish(SOON);
    gstreamer.interrupt();
    gstreamer.wait(SOON);

    // Our own pattern came back, with our own times.
    let read = outcome.judged("/video/read");
    assert!(read > 60.0, "{read} pictures read: {}", outcome.record);
    let sections = outcome.record["sections"].as_array().expect("sections");
    let section = sections.iter().find(|s| s["kind"] == "video").expect("pictures");
    assert_eq!(section["synchronised_by"], "header extension", "{section}");
    assert_eq!(section["rotation_sent"], serde_json::Value::Null, "nobody there who would turn them");
    let times = |filter: &str| -> Vec<u64> {
        let filter = format!("{filter} && rtp.ext.rfc5285.id == {id}");
        let rows = fields(&capture, &filter, &["rtp.ext.profile", "rtp.ext.rfc5285.data"]);
        let time = |row: &Vec<String>| {
            assert_eq!(row[0].trim_start_matches("0x"), "bede", "the one-byte form");
            u64::from_str_radix(&row[1], 16).expect("a time")
        };
        rows.iter().map(time).collect()
    };
    let ours = times(&format!("udp.dstport == {media}"));
    let theirs = times(&format!("udp.srcport == {media}"));
    assert!(ours.len() >= 8, "the first pictures, then one a second: {ours:x?}");
    // It knows from the first of them when each picture was captured, and says so of all of them.
    assert!(theirs.len() > 60, "{theirs:x?} of {ours:x?}");
    for own in &ours[..ours.len() - 1] {
        let nearest = theirs.iter().map(|time| own.abs_diff(*time)).min().expect("there are some");
        assert!(nearest <= TICK, "{own:x} is none of {theirs:x?}");
    }
}

#[test]
fn tshark_finds_the_orientation_in_the_last_packet_of_pictures() {
    let _alone = alone();
    let scratch = Scratch::new();
    let capture = scratch.file("call.pcapng");
    let mut callee = Visavis::start(&["answer", "--listen", "127.0.0.46:0", "--max-calls", "1"]);
    let uri = format!("sip:callee@{}", callee.address());
    let mut caller = Visavis::start(&[
        "call",
        &uri,
        "--listen",
        "127.0.0.42:0",
        "--rotate",
        "270",
        "--duration",
        "3s",
        "--capture",
        capture.to_str().expect("a path in UTF-8"),
    ]);
    caller.finish(A_CALL);
    callee.finish(SOON);
    assert_clean(&capture);
    for (source, turned) in [("127.0.0.42", "03"), ("127.0.0.46", "00")] {
        let filter = format!("ip.src == {source} && rtp.ext.rfc5285.id == 2");
        let rows = fields(&capture, &filter, &["rtp.marker", "rtp.ext.rfc5285.data"]);
        assert!(!rows.is_empty(), "{source} says nothing");
        for row in rows {
            assert!(["1", "True"].contains(&row[0].as_str()), "not the last packet: {row:?}");
            assert_eq!(row[1].split(',').next_back(), Some(turned), "{source}");
        }
    }
}
