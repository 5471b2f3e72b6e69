//! GStreamer's payloader and depayloader for H.264 (RFC 6184) against ours.
//!
//! GStreamer has no SIP: the test answers the call, and holds the port that the answer names. What our endpoint
//! sends there goes to `udpsrc`, and what `udpsink` sends goes to our endpoint, as it would through a NAT.

use crate::harness::{A_CALL, Process, SOON, Scratch, Visavis, alone, free_port, need};
use crate::media::{assert_pattern, judge_film, pattern_mp4};
use crate::sip::{Callee, IncomingCall};
use crate::wire::{count, fields};
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The largest packet that GStreamer may send, octets of RTP.
const MTU: usize = 600;

/// Carries datagrams between the endpoint and GStreamer until it is dropped. RTCP has nowhere to go.
pub(crate) struct Relay {
    port: u16,
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Relay {
    pub(crate) fn start(endpoint: SocketAddr, gstreamer: SocketAddr) -> Self {
        let socket = UdpSocket::bind("127.0.0.43:0").expect("a loopback socket");
        socket.set_read_timeout(Some(Duration::from_millis(100))).expect("a time above zero");
        let port = socket.local_addr().expect("an address").port();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut buffer = [0; 2048];
            while !stopped.load(Ordering::Relaxed) {
                let Ok((length, from)) = socket.recv_from(&mut buffer) else { continue };
                let to = if from == endpoint { gstreamer } else { endpoint };
                // Either side may have gone already.
                let _ = socket.send_to(&buffer[..length], to);
            }
        });
        Relay { port, stop, thread: Some(thread) }
    }
}

impl Relay {
    /// Its port on 127.0.0.43.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// `gst-launch-1.0` with a pipeline.
pub(crate) fn launch(name: &str, pipeline: &str) -> Process {
    let mut command = Command::new("gst-launch-1.0");
    Process::start(name, command.arg("-e").args(pipeline.split_whitespace()))
}

fn sender(film: &Path, payload_type: &str, port: u16) -> Process {
    let film = film.display();
    launch(
        "GStreamer's sender",
        &format!(
            "filesrc location={film} ! qtdemux ! avdec_h264 ! videoconvert ! \
             x264enc tune=zerolatency speed-preset=veryfast bitrate=1000 key-int-max=30 bframes=0 ! \
             video/x-h264,profile=constrained-baseline ! \
             rtph264pay mtu={MTU} pt={payload_type} config-interval=-1 ! \
             udpsink host=127.0.0.43 port={port} sync=true"
        ),
    )
}

fn receiver(port: u16, payload_type: &str, out: &Path) -> Process {
    let out = out.display();
    launch(
        "GStreamer's receiver",
        &format!(
            "udpsrc address=127.0.0.44 port={port} \
             caps=application/x-rtp,media=video,clock-rate=90000,encoding-name=H264,payload={payload_type} ! \
             rtph264depay ! video/x-h264,stream-format=byte-stream,alignment=au ! \
             filesink location={out}"
        ),
    )
}

/// A call of ours, pictures alone, that rings, and the H.264 that it offers.
pub(crate) struct Ringing {
    pub(crate) caller: Visavis,
    pub(crate) call: IncomingCall,
    pub(crate) payload_type: String,
    pub(crate) parameters: String,
}

/// Lets us call `callee` for so long.
pub(crate) fn ring(callee: Callee, duration: &str, capture: &Path) -> Ringing {
    let uri = callee.uri();
    let capture = capture.to_str().expect("a path in UTF-8");
    let call = ["call", &uri, "--listen", "127.0.0.42:0", "--video-only"];
    let caller = Visavis::start(&[&call[..], &["--duration", duration, "--capture", capture]].concat());
    let call = callee.ring(SOON);
    let [offered] = call.offered("m=video ")[..] else { panic!("one video section in {}", call.offer()) };
    let payload_type = offered.split(' ').nth(2).expect("a payload type").to_owned();
    let parameters = call.offered(&format!("a=fmtp:{payload_type} "))[0].to_owned();
    Ringing { caller, call, payload_type, parameters }
}

#[test]
fn gstreamers_fragments_decode_here_and_ours_decode_there() {
    need("gst-launch-1.0", "gstreamer1.0-tools gstreamer1.0-plugins-{base,good,bad,ugly} gstreamer1.0-libav");
    let _alone = alone();
    let scratch = Scratch::new();
    let film = pattern_mp4(scratch.path(), (640, 480), 25, 8);
    let (seen, capture) = (scratch.file("seen.h264"), scratch.file("call.pcapng"));
    let callee = Callee::new("127.0.0.43");
    let Ringing { mut caller, call, payload_type, parameters } = ring(callee, "9s", &capture);
    assert!(parameters.contains("packetization-mode=1"), "{parameters}");
    let port = free_port("127.0.0.44");
    let mut receiver = receiver(port, &payload_type, &seen);
    // The first picture is the only one that it can begin with: without RTCP it cannot ask for another.
    receiver.wait_for("Setting pipeline to PLAYING", SOON);
    let relay = Relay::start(caller.address(), ([127, 0, 0, 44], port).into());
    let media = relay.port;
    let call = call.accept(&format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.43\r\ns=-\r\nc=IN IP4 127.0.0.43\r\nt=0 0\r\n\
         m=video {media} RTP/AVP {payload_type}\r\na=rtpmap:{payload_type} H264/90000\r\n\
         a=fmtp:{payload_type} {parameters}\r\n"
    ));
    let _sender = sender(&film, &payload_type, media);
    call.wait_for_bye(A_CALL);
    let outcome = caller.finish(SOON);
    receiver.interrupt();
    let ended = receiver.wait(SOON);
    assert!(ended.success(), "GStreamer's receiver: {ended}\n{}", receiver.output());

    // What GStreamer sent, in FU-A, was put together and decoded here.
    let theirs = format!("udp.srcport == {media}");
    assert_dissected(&capture, &theirs);
    assert!(count(&capture, &format!("{theirs} && h264.nal_unit_hdr == 28")) > 200, "FU-A from GStreamer");
    let sizes = fields(&capture, &format!("{theirs} && rtp && !rtcp"), &["udp.length"]);
    let sizes = sizes.iter().map(|row| row[0].parse::<usize>().expect("a length") - 8);
    assert!(sizes.clone().max().is_some_and(|most| (MTU / 2..=MTU).contains(&most)), "GStreamer's mtu");
    let judged = |field: &str| outcome.judged(&format!("/video/{field}")) as u64;
    let (received, read) = (judged("received"), judged("read") + judged("repeated"));
    assert!(received > 100, "{}", outcome.record);
    assert!(read * 100 >= received * 95, "{read} of {received} read: {}", outcome.record);

    // What we sent in mode 1 was put together and decoded there.
    let ours = format!("udp.dstport == {media} && h264.nal_unit_hdr");
    assert!(count(&capture, &format!("{ours} == 28 || {ours} == 24")) > 0, "FU-A or STAP-A from us");
    let report = judge_film(&seen);
    assert_pattern(&report, 150);
}

/// Asserts that tshark knows every packet. It reads the first fragment of an SEI NAL unit as if it were a whole one,
/// and x264's, with the encoder's settings in words, is longer than a packet: that one is excused.
fn assert_dissected(capture: &Path, theirs: &str) {
    let show = ["frame.number", "_ws.col.Info"];
    let unknown = fields(capture, "data", &show);
    assert!(unknown.is_empty(), "of no known protocol: {unknown:?}");
    let ours = fields(capture, &format!("_ws.malformed && !({theirs})"), &show);
    assert!(ours.is_empty(), "malformed: {ours:?}");
    let theirs = fields(capture, &format!("_ws.malformed && {theirs}"), &show);
    assert!(theirs.iter().all(|row| row[1].contains("FU-A Start:SEI")), "malformed: {theirs:?}");
}
