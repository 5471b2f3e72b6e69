//! FFmpeg hears our AAC: its own decoder, of which not a line is shared with our encoder, reads the RTP that a call
//! sends, described by the SDP that the call offered (RFC 3640 section 4.1).
//!
//! FFmpeg takes AAC-LD of 480 samples without a complaint, and puts it through the transform and windows of 512
//! samples all the same (`imdct_and_windowing_ld` in the source of 5.1): what comes out is sound of the right length,
//! but no tone. So there it is the judge of the bit stream alone, as long as that is so.

use crate::harness::{A_CALL, Process, SOON, Scratch, Visavis, alone, free_port, need};
use crate::media::{assert_tone, judge_sound};
use crate::sip::Callee;
use std::process::Command;
use visavis::media_codecs::judge::AudioReport;

/// A call of this length, seconds, with the sound of its middle judged.
const DURATION: &str = "8";
/// What ffmpeg is to write, seconds.
const HEARD: &str = "4";

/// Makes a call with this codec, whose configuration is known, and lets ffmpeg hear it: it must have nothing to say
/// about the stream. Gives what the judge makes of the sound.
fn hear(codec: &str, config: &str) -> AudioReport {
    need("ffmpeg", "ffmpeg");
    let _alone = alone();
    let scratch = Scratch::new();
    let callee = Callee::new("127.0.0.41");
    let uri = callee.uri();
    let call =
        ["call", &uri, "--listen", "127.0.0.42:0", "--audio-only", "--codecs", codec, "--duration", DURATION];
    let mut caller = Visavis::start(&call);
    let call = callee.ring(SOON);

    // What the call offered first: one payload type and what is said of it.
    let [offered] = call.offered("m=audio ")[..] else { panic!("one audio section in {}", call.offer()) };
    let payload_type = offered.split(' ').nth(2).expect("a payload type");
    let about = |line: &&str| {
        ["a=rtpmap:", "a=fmtp:"].iter().any(|name| line.starts_with(&format!("{name}{payload_type} ")))
    };
    let format = call.offer().lines().filter(about).collect::<Vec<_>>().join("\r\n");
    assert!(format.contains(&format!("config={config};")), "{format}");
    let port = free_port("0.0.0.0");
    let sdp = format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.41\r\ns=-\r\nc=IN IP4 127.0.0.41\r\nt=0 0\r\n\
         m=audio {port} RTP/AVP {payload_type}\r\n{format}\r\n"
    );
    let (description, wav) = (scratch.write("call.sdp", &sdp), scratch.file("heard.wav"));
    let mut listener = Command::new("ffmpeg");
    listener.args(["-nostdin", "-hide_banner", "-loglevel", "warning"]);
    listener.args(["-protocol_whitelist", "file,udp,rtp", "-analyzeduration", "1000000"]);
    listener.arg("-i").arg(description).args(["-t", HEARD]).arg(&wav);
    let mut listener = Process::start("ffmpeg", &mut listener);

    let call = call.accept(&sdp);
    let status = listener.wait(A_CALL);
    assert!(status.success(), "ffmpeg: {status}\n{}", listener.output());
    call.wait_for_bye(A_CALL);
    let outcome = caller.finish(SOON);
    assert!(outcome.count("audio", "packets_sent") > 300, "{}", outcome.record);
    assert_eq!(listener.output(), "", "what ffmpeg says of {codec}");
    judge_sound(&wav)
}

fn ffmpeg_hears(codec: &str, config: &str) {
    let heard = hear(codec, config);
    assert_tone(&heard);
    assert!(heard.duration_s > 3.0 && heard.dropouts == 0, "{heard:?}");
}

#[test]
fn ffmpeg_reads_our_aac_ld_of_480_samples() {
    let heard = hear("aac-ld/48000/480", "B98D00");
    assert!(heard.duration_s > 3.0 && heard.silence_share < Some(0.1), "{heard:?}");
}

#[test]
fn ffmpeg_decodes_our_aac_ld_of_512_samples() {
    ffmpeg_hears("aac-ld/48000/512", "B98900");
}

#[test]
fn ffmpeg_decodes_our_aac_eld_of_480_samples() {
    ffmpeg_hears("aac-eld/48000/480", "F8E63000");
}

#[test]
fn ffmpeg_decodes_our_aac_eld_of_512_samples() {
    ffmpeg_hears("aac-eld/48000/512", "F8E62000");
}

#[test]
fn ffmpeg_decodes_our_aac_ld_at_24_khz() {
    ffmpeg_hears("aac-ld/24000/512", "BB0900");
}

#[test]
fn ffmpeg_decodes_our_aac_eld_at_24_khz() {
    ffmpeg_hears("aac-eld/24000/480", "F8EC3000");
}
