//! SRTP with two implementations of others, octet for octet and both ways: libsrtp, inside GStreamer, for all suites,
//! and FFmpeg's own for those with AES-128 in counter mode. What the vectors of the RFCs leave open is settled here:
//! the keys of SRTCP, and how AES-GCM derives its keys.

use crate::gstreamer::launch;
use crate::harness::{Process, SOON, Scratch, alone, free_port, need};
use std::net::UdpSocket;
use std::process::Command;
use std::time::Duration;
use visavis::proto::rtp::srtp::{MasterKey, Profile, Receiver, Sender};
use visavis::proto::rtp::{RtpHeader, RtpPacket};

const SSRC: u32 = 0x1122_3344;
const OURS: &str = "127.0.0.45";
const THEIRS: &str = "127.0.0.46";
/// Octets of mu-law sound in a packet: 20 ms.
const SOUND: usize = 160;

fn key(profile: Profile) -> MasterKey {
    MasterKey::new(
        profile,
        &key_octets(profile)[..profile.key_len()],
        &key_octets(profile)[profile.key_len()..],
    )
    .expect("the lengths fit")
}

fn key_octets(profile: Profile) -> Vec<u8> {
    (0..profile.key_len() + profile.salt_len()).map(|i| (i * 73 + 5) as u8).collect()
}

fn rtp(number: usize) -> Vec<u8> {
    // The sequence number rolls over on the way.
    let seq = (65_450 + number) as u16;
    let header =
        RtpHeader { marker: false, payload_type: 0, seq, timestamp: (number * SOUND) as u32, ssrc: SSRC };
    let mut out = Vec::new();
    header.with_payload(&sound(number)).write(&mut out);
    out
}

/// Noise that tells which packet it is of.
fn sound(number: usize) -> Vec<u8> {
    (0..SOUND).map(|i| ((number * SOUND + i).wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

/// A sender report without report blocks.
fn report(number: u8) -> Vec<u8> {
    [&[0x80, 200, 0, 6], &SSRC.to_be_bytes()[..], &[number; 20]].concat()
}

fn socket(address: &str, port: u16) -> UdpSocket {
    let socket = UdpSocket::bind((address, port)).expect("a loopback socket");
    socket.set_read_timeout(Some(Duration::from_secs(10))).expect("a time above zero");
    socket
}

fn port(socket: &UdpSocket) -> u16 {
    socket.local_addr().expect("an address").port()
}

fn receive(socket: &UdpSocket) -> Option<Vec<u8>> {
    let mut buffer = [0; 2048];
    let length = socket.recv(&mut buffer).ok()?;
    Some(buffer[..length].to_vec())
}

/// GStreamer's names for the cipher and the two authentications of a suite.
fn gstreamer_names(profile: Profile) -> (&'static str, &'static str, &'static str) {
    match profile {
        Profile::Aes128CmHmacSha1_80 => ("aes-128-icm", "hmac-sha1-80", "hmac-sha1-80"),
        Profile::Aes128CmHmacSha1_32 => ("aes-128-icm", "hmac-sha1-32", "hmac-sha1-80"),
        Profile::Aes256CmHmacSha1_80 => ("aes-256-icm", "hmac-sha1-80", "hmac-sha1-80"),
        Profile::AeadAes128Gcm => ("aes-128-gcm", "null", "null"),
        Profile::AeadAes256Gcm => ("aes-256-gcm", "null", "null"),
    }
}

fn need_gstreamer() {
    need("gst-launch-1.0", "gstreamer1.0-tools gstreamer1.0-plugins-{base,good,bad}");
}

/// Two ports of GStreamer's and two sockets of ours, for RTP and RTCP, with the ends of its pipelines.
struct Bench {
    rtp: UdpSocket,
    rtcp: UdpSocket,
    port: u16,
    hex: String,
}

impl Bench {
    fn new(profile: Profile) -> Self {
        let hex = key_octets(profile).iter().map(|octet| format!("{octet:02x}")).collect();
        Bench { rtp: socket(OURS, 0), rtcp: socket(OURS, 0), port: free_port(THEIRS), hex }
    }

    /// A pipeline between them, and a process that runs it.
    fn launch(
        &self,
        caps: [String; 2],
        element: &str,
        [rtp_in, rtp_out, rtcp_in, rtcp_out]: [&str; 4],
    ) -> Process {
        let source = |port: u16, caps: &str| format!("udpsrc address={THEIRS} port={port} caps={caps}");
        let sink = |port: u16| format!("udpsink host={OURS} port={port} sync=false async=false");
        let pipeline = format!(
            "{} ! s.{rtp_in} {} ! s.{rtcp_in} {element} name=s s.{rtp_out} ! {} s.{rtcp_out} ! {}",
            source(self.port, &caps[0]),
            source(self.port + 1, &caps[1]),
            sink(port(&self.rtp)),
            sink(port(&self.rtcp)),
        );
        let process = launch("GStreamer", &pipeline);
        process.wait_for("Setting pipeline to PLAYING", SOON);
        process
    }

    /// Sends a packet through the RTP branch, and gives what comes out at the other end.
    fn rtp(&self, packet: &[u8], patience: Duration) -> Option<Vec<u8>> {
        through(&self.rtp, packet, self.port, patience)
    }

    fn rtcp(&self, packet: &[u8], patience: Duration) -> Option<Vec<u8>> {
        through(&self.rtcp, packet, self.port + 1, patience)
    }
}

fn through(socket: &UdpSocket, packet: &[u8], port: u16, patience: Duration) -> Option<Vec<u8>> {
    socket.send_to(packet, (THEIRS, port)).expect("it is sent");
    socket.set_read_timeout(Some(patience)).expect("a time above zero");
    receive(socket)
}

/// Packets that are given through one after the other: GStreamer may lose some while it starts, and none after the
/// first that came. Fails where fewer than `least` come.
fn assert_flow<T>(
    what: &str,
    least: usize,
    numbers: std::ops::Range<usize>,
    mut give: impl FnMut(usize, Duration) -> Option<T>,
) {
    let mut came = 0;
    for number in numbers {
        let patience = if came == 0 { Duration::from_millis(300) } else { SOON };
        match give(number, patience) {
            Some(_) => came += 1,
            None => assert_eq!(came, 0, "{what} {number} is lost"),
        }
    }
    assert!(came >= least, "only {came} of {what}");
}

#[test]
fn libsrtp_opens_what_we_seal_with_every_suite() {
    need_gstreamer();
    let _alone = alone();
    for profile in Profile::ALL {
        let bench = Bench::new(profile);
        let (cipher, rtp_auth, rtcp_auth) = gstreamer_names(profile);
        let caps = ["x-srtp", "x-srtcp"].map(|media| {
            format!(
                "application/{media},ssrc=(uint){SSRC},srtp-key=(buffer){},srtp-cipher=(string){cipher},\
                 srtp-auth=(string){rtp_auth},srtcp-cipher=(string){cipher},srtcp-auth=(string){rtcp_auth}",
                bench.hex
            )
        });
        let gstreamer = bench.launch(caps, "srtpdec", ["rtp_sink", "rtp_src", "rtcp_sink", "rtcp_src"]);
        let mut sender = Sender::new(&key(profile));
        assert_flow(&format!("{profile} RTP"), 70, 0..120, |number, patience| {
            let opened = bench.rtp(&sender.rtp(&rtp(number)).expect("it is sealed"), patience)?;
            assert_eq!(opened, rtp(number), "RTP {number} of {profile}\n{}", gstreamer.output());
            Some(opened)
        });
        assert_flow(&format!("{profile} RTCP"), 5, 0..20, |number, patience| {
            let opened = bench.rtcp(&sender.rtcp(&report(number as u8)).expect("it is sealed"), patience)?;
            assert_eq!(opened, report(number as u8), "RTCP {number} of {profile}\n{}", gstreamer.output());
            Some(opened)
        });
    }
}

#[test]
fn we_open_what_libsrtp_seals_with_every_suite() {
    need_gstreamer();
    let _alone = alone();
    for profile in Profile::ALL {
        let bench = Bench::new(profile);
        let (cipher, rtp_auth, rtcp_auth) = gstreamer_names(profile);
        let caps = [
            format!(
                "application/x-rtp,media=audio,clock-rate=8000,encoding-name=PCMU,payload=0,ssrc=(uint){SSRC}"
            ),
            "application/x-rtcp".to_owned(),
        ];
        let element = format!(
            "srtpenc key={} rtp-cipher={cipher} rtp-auth={rtp_auth} rtcp-cipher={cipher} rtcp-auth={rtcp_auth}",
            bench.hex
        );
        let pads = ["rtp_sink_0", "rtp_src_0", "rtcp_sink_0", "rtcp_src_0"];
        let gstreamer = bench.launch(caps, &element, pads);
        let mut receiver = Receiver::new(&key(profile));
        assert_flow(&format!("{profile} RTP"), 70, 0..120, |number, patience| {
            let sealed = bench.rtp(&rtp(number), patience)?;
            let what = format!("RTP {number} of {profile}\n{}", gstreamer.output());
            assert_eq!(sealed.len(), rtp(number).len() + profile.rtp_overhead(), "{what}");
            assert_eq!(receiver.rtp(&sealed).as_deref(), Ok(&rtp(number)[..]), "{what}");
            Some(())
        });
        assert_flow(&format!("{profile} RTCP"), 5, 0..20, |number, patience| {
            let sealed = bench.rtcp(&report(number as u8), patience)?;
            let what = format!("RTCP {number} of {profile}\n{}", gstreamer.output());
            assert_eq!(receiver.rtcp(&sealed).as_deref(), Ok(&report(number as u8)[..]), "{what}");
            Some(())
        });
    }
}

/// The suites that FFmpeg has, and its names for those of DTLS: by the name of RFC 4568 it cuts the tag of SRTCP to 32
/// bits as well (`libavformat/srtp.c` of 5.1), against the table in section 6.2.
const FFMPEG: [(Profile, &str); 2] = [
    (Profile::Aes128CmHmacSha1_80, "SRTP_AES128_CM_HMAC_SHA1_80"),
    (Profile::Aes128CmHmacSha1_32, "SRTP_AES128_CM_HMAC_SHA1_32"),
];

fn ffmpeg() -> Command {
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-hide_banner", "-loglevel", "error"]);
    command
}

#[test]
fn ffmpeg_opens_what_we_seal() {
    need("ffmpeg", "ffmpeg");
    let _alone = alone();
    for (profile, _) in FFMPEG {
        let scratch = Scratch::new();
        let (port, heard) = (free_port("0.0.0.0"), scratch.file("heard.ul"));
        let crypto = key(profile).to_crypto_attribute(1);
        let description = scratch.write(
            "call.sdp",
            &format!(
                "v=0\r\no=- 1 1 IN IP4 {OURS}\r\ns=-\r\nc=IN IP4 {OURS}\r\nt=0 0\r\n\
                 m=audio {port} RTP/SAVP 0\r\na=crypto:{crypto}\r\n"
            ),
        );
        let mut command = ffmpeg();
        command.args(["-protocol_whitelist", "file,udp,rtp,srtp,crypto", "-i"]).arg(description);
        command.args(["-t", "1", "-c", "copy", "-f", "mulaw"]).arg(&heard);
        let mut listener = Process::start("ffmpeg", &mut command);
        let (mut sender, ours) = (Sender::new(&key(profile)), socket(OURS, 0));
        let sent: Vec<u8> = (0..750)
            .flat_map(|number| {
                let sealed = sender.rtp(&rtp(number)).expect("it is sealed");
                // Before it listens, and after it has heard enough, nobody is there.
                let _ = ours.send_to(&sealed, (OURS, port));
                std::thread::sleep(Duration::from_millis(10));
                sound(number)
            })
            .collect();
        let status = listener.wait(SOON);
        assert!(status.success() && listener.output().is_empty(), "{profile}: {}", listener.output());
        let heard = std::fs::read(heard).expect("what was heard");
        assert!(heard.len() >= 7_000, "{profile}: {} octets of sound", heard.len());
        assert!(sent.windows(heard.len()).any(|part| part == heard), "{profile}: other sound than was sent");
    }
}

#[test]
fn we_open_what_ffmpeg_seals() {
    need("ffmpeg", "ffmpeg");
    let _alone = alone();
    for (profile, suite) in FFMPEG {
        let scratch = Scratch::new();
        let film = scratch.file("film.ul");
        let said: Vec<u8> = (0..100).flat_map(sound).collect();
        std::fs::write(&film, &said).expect("a file in the scratch directory");
        let port = free_port(OURS);
        let (media, control) = (socket(OURS, port), socket(OURS, port + 1));
        let inline = key(profile).to_inline();
        let mut command = ffmpeg();
        command.args(["-re", "-f", "mulaw", "-ar", "8000", "-ac", "1", "-i"]).arg(film);
        command.args(["-c", "copy", "-f", "rtp", "-srtp_out_suite", suite, "-srtp_out_params"]);
        command.arg(inline.trim_start_matches("inline:")).arg(format!("srtp://{OURS}:{port}"));
        let mut speaker = Process::start("ffmpeg", &mut command);
        let mut receiver = Receiver::new(&key(profile));
        let mut heard = Vec::new();
        while heard.len() < said.len() {
            let Some(sealed) = receive(&media) else {
                panic!("{profile} ends after {} octets\n{}", heard.len(), speaker.output())
            };
            let opened = receiver.rtp(&sealed).unwrap_or_else(|e| panic!("{profile}: {e}"));
            heard.extend_from_slice(RtpPacket::parse(&opened).expect("it is RTP").payload());
        }
        assert_eq!(heard, said, "{profile}");
        let report = receiver.rtcp(&receive(&control).expect("a report"));
        let report = report.unwrap_or_else(|e| panic!("{profile}: {e}"));
        assert_eq!(report[..2], [0x80, 200], "{profile}: a sender report");
        assert!(speaker.wait(SOON).success(), "{profile}: {}", speaker.output());
    }
}
