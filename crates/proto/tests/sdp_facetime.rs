//! The dialect of the FaceTime calls of 2010: what the public record shows is read and answered, and offered again in
//! the same shape.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic in a helper of a test is a failure of the test"
)]

mod sdp_support;

use sdp_support::*;
use visavis_proto::frame::{AudioFormat, Codec, VideoFormat};
use visavis_proto::io::{Direction, MediaFormat};
use visavis_proto::sdp::format::AacPacking;
use visavis_proto::sdp::h264::PacketizationMode;
use visavis_proto::sdp::{
    Capabilities, Dialect, Encoding, Facetime2010, Negotiated, NegotiatedSection, SessionDescription,
    VideoLimits,
};

/// The description of the INVITE of October 2010, 666 octets.
const RECORD: &str = "v=0\r
o=thiago 0 0 IN IP4 192.168.20.198\r
s=1021\r
c=IN IP4 192.168.20.198\r
b=AS:250\r
t=0 0\r
a=FLS;VRA:0;RVRA:1;AS:2\r
a=hwi:17412:2:2800\r
a=multipoint:1\r
a=iChatEncryption:YES\r
a=bandwidthDetection:NO\r
m=audio 16402 RTP/AVP 105 0\r
a=rtcp:16402\r
a=rtpmap:105 X-AAC_ELD/22050\r
a=rtpmap:0 PCMU/8000\r
a=rtpID:1261706994\r
a=fmtp:AAC SamplesPerBlock 480\r
m=video 16402 RTP/AVP 123 126 34\r
a=rtcp:16402\r
a=rtpmap:123 H264/90000\r
a=rtpmap:126 X-H264/90000\r
a=rtpmap:34 H263/90000\r
a=fmtp:34 imagesize 0\r
a=framerate:15\r
a=RTCP:AUDIO 16402 VIDEO 16402\r
a=fmtp:126 imagesize 0 rules 15:320:240:320:240:15\r
a=fmtp:123 imagesize 0 rules 15:320:240:320:240:15\r
a=rtpID:1085110790\r
";

/// Sound alone, as a reply of November 2012 has it; the record names neither the caller nor all of the SSRC.
const SOUND_ALONE: &str = "v=0
o=name 0 0 IN IP4 38.104.187.210
s=1004
c=IN IP4 38.104.187.210
b=AS:2147483647
t=0 0
a=hwi:1056:2:2300
a=bandwidthDetection:YES
m=audio 25060 RTP/AVP 110
a=rtcp:25060
a=rtpmap:110 X-AAC_LD/22050
a=rtpID:1876
";

fn end(settings: Facetime2010) -> End {
    let mut end = End::new(16402);
    end.capabilities = Capabilities::facetime2010(settings);
    end
}

fn emulating() -> Facetime2010 {
    Facetime2010 { emulate: true, ..Facetime2010::default() }
}

fn offer(end: &mut End) -> SessionDescription {
    end.with(|state, media| state.offer(media)).expect("an offer")
}

fn answer(end: &mut End, offer: &SessionDescription) -> (SessionDescription, Negotiated) {
    end.with(|state, media| state.answer(offer, media)).expect("an answer")
}

fn apply(end: &mut End, answer: &SessionDescription) -> Negotiated {
    end.with(|state, _| state.apply_answer(answer)).expect("an outcome")
}

fn numbers(section: &NegotiatedSection) -> Vec<u8> {
    section.send.iter().map(|format| format.payload_type).collect()
}

fn sound(section: &NegotiatedSection) -> AudioFormat {
    let Some(MediaFormat::Audio(format)) = section.send_format() else { panic!("no sound") };
    format
}

fn pictures(section: &NegotiatedSection) -> VideoFormat {
    let Some(MediaFormat::Video(format)) = section.send_format() else { panic!("no pictures") };
    format
}

/// The lines of a description with the figures of this call made alike.
fn shape(text: &str) -> Vec<String> {
    text.split_terminator("\r\n")
        .map(|line| {
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            match name {
                "a=rtpID" => format!("{name}:{}", value.parse::<u32>().map_or("?", |_| "SSRC")),
                _ => line.replace("192.168.20.198", "ADDRESS").replace("127.0.0.1", "ADDRESS"),
            }
        })
        .collect()
}

#[test]
fn the_record_is_read_without_loss_and_answered() {
    assert_eq!(RECORD.len(), 666);
    let record = parse(RECORD);
    assert_eq!(record.to_string(), RECORD);
    let (answer, agreed) = answer(&mut end(emulating()), &record);
    assert_eq!(agreed.session.encryption_wanted, Some(true));
    assert_eq!(agreed.session.bandwidth_detection, Some(false));
    assert_eq!(agreed.session.fls.as_deref(), Some("VRA:0;RVRA:1;AS:2"));
    assert_eq!(agreed.session.hwi.as_deref(), Some("17412:2:2800"));
    let [audio, video] = agreed.sections.as_slice() else { panic!() };

    assert_eq!(numbers(audio), [105]);
    let format = sound(audio);
    assert_eq!((format.codec, format.sample_rate, format.clock_rate), (Codec::AacEld, 22_050, 22_050));
    assert_eq!((format.channels, format.samples_per_frame), (1, 480));
    assert_eq!(format.config.as_ref(), [0xf8, 0xee, 0x30, 0x00]);
    assert!(audio.rtcp_mux && video.rtcp_mux);
    assert_eq!(audio.remote, audio.remote_rtcp);
    assert_eq!([audio, video].map(|s| s.remote_sources[0].ssrc), [1_261_706_994, 1_085_110_790]);

    assert_eq!(numbers(video), [123], "one of the two names");
    assert_eq!(video.video_limits, Some(VideoLimits { width: 320, height: 240, fps: 15 }));
    let format = pictures(video);
    assert_eq!((format.max_size, format.max_fps, format.max_nal), (Some((320, 240)), Some(15), None));
    assert_eq!(format.max_fs, 3_600, "not the 99 macroblocks of level 1");
    // 250 kbit/s with the headers of both, of which sound takes its share first.
    let (a, v) = (audio.max_bitrate.unwrap(), video.max_bitrate.unwrap());
    assert_eq!(a, 64_000);
    assert!((120_000..190_000).contains(&v), "{v}");

    let text = answer.to_string();
    assert!(text.starts_with("v=0\r\no=GKVoiceChatService 0 0 IN IP4 "), "{text}");
    assert!(text.contains("m=audio 16402 RTP/AVP 105\r\n"), "{text}");
    assert!(text.contains("m=video 16402 RTP/AVP 123\r\n"), "{text}");
    assert!(!text.contains("rtcp-mux"), "{text}");
}

#[test]
fn emulation_offers_line_for_line_what_the_record_shows() {
    let mut settings = emulating();
    settings.encryption = true;
    settings.session_name = Some("1021".into());
    settings.fls = Some("VRA:0;RVRA:1;AS:2".into());
    settings.hwi = Some("17412:2:2800".into());
    let offer = offer(&mut end(settings)).to_string();
    // Of the record less what only the multi-party program offered, with what the telephone's is known to have had.
    let wanted = RECORD
        .replace("o=thiago ", "o=GKVoiceChatService ")
        .replace("a=multipoint:1\r\n", "")
        .replace("AVP 105 0", "AVP 105 110 0")
        .replace("X-AAC_ELD/22050\r\n", "X-AAC_ELD/22050\r\na=rtpmap:110 X-AAC_LD/22050\r\n")
        .replace("123 126 34", "123 126")
        .replace("a=rtpmap:34 H263/90000\r\na=fmtp:34 imagesize 0\r\n", "");
    assert_eq!(shape(&offer), shape(&wanted));
}

#[test]
fn settings_with_line_ends_bring_no_lines_of_their_own() {
    let lines = |settings| offer(&mut end(settings)).to_string().split("\r\n").count();
    let with = |end: &str| Facetime2010 {
        fls: Some(format!("VRA:0{end}")),
        hwi: Some(format!("17412:2:2800{end}")),
        session_name: Some(format!("1021{end}")),
        origin_name: Some(format!("thiago{end}")),
        ..emulating()
    };
    let wanted = lines(with(""));
    for end in ["\r\na=injected", "\na=injected", "\ra=injected", "\0a=injected"] {
        let text = offer(&mut self::end(with(end))).to_string();
        assert_eq!(lines(with(end)), wanted, "{text}");
        assert!(!text.contains("injected") && !text.contains('\0'), "{text}");
        assert!(text.contains("\r\ns=1021\r\n") && text.contains("\r\na=hwi:17412:2:2800\r\n"), "{text}");
        assert!(text.contains("\r\na=FLS;VRA:0\r\n"), "{text}");
    }
    // An empty `s=` is no description (RFC 8866 section 5.3).
    let nameless = Facetime2010 { session_name: Some("\n".into()), ..emulating() };
    assert!(offer(&mut end(nameless)).to_string().contains("\r\ns=-\r\n"));
}

#[test]
fn a_reply_with_sound_alone_is_read() {
    let mut caller = end(emulating());
    caller.choice.video = false;
    offer(&mut caller);
    let agreed = apply(&mut caller, &parse(SOUND_ALONE));
    let [audio] = agreed.sections.as_slice() else { panic!() };
    assert_eq!(numbers(audio), [110]);
    let format = sound(audio);
    assert_eq!((format.codec, format.config.as_ref()), (Codec::AacLd, [0xbb, 0x8d, 0x00].as_slice()));
    assert_eq!(audio.max_bitrate, None, "2147483647 is no limit");
    assert!(audio.rtcp_mux);
    assert_eq!(agreed.session.bandwidth_detection, Some(true));
    assert_eq!(agreed.session.encryption_wanted, None);
}

#[test]
fn two_ends_agree_in_every_pairing_of_form() {
    for (first, second) in [(true, true), (true, false), (false, true), (false, false)] {
        let form = |emulate| Facetime2010 { emulate, ..Facetime2010::default() };
        let (mut caller, mut callee) = (end(form(first)), end(form(second)));
        let offered = offer(&mut caller);
        let (answered, theirs) = answer(&mut callee, &offered);
        let ours = apply(&mut caller, &answered);
        for agreed in [&ours, &theirs] {
            let [audio, video] = agreed.sections.as_slice() else { panic!() };
            assert_eq!((numbers(audio), numbers(video)), (vec![105], vec![123]), "{offered}{answered}");
            assert!(audio.rtcp_mux && video.rtcp_mux, "{offered}{answered}");
            assert_eq!(video.direction, Direction::SendRecv);
            let Encoding::Aac(aac) = &audio.send[0].encoding else { panic!() };
            assert_eq!(aac.packing, AacPacking::Facetime { au_headers: false });
            assert_eq!(pictures(video).max_size, Some((320, 240)), "{offered}{answered}");
            let Encoding::H264(h264) = &video.send[0].encoding else { panic!() };
            assert_eq!(h264.packetization_mode, PacketizationMode::NonInterleaved);
            assert_eq!(audio.remote_sources.len(), 1);
        }
    }
}

#[test]
fn a_softphone_takes_the_offer_and_is_answered_in_its_own_words() {
    for emulate in [true, false] {
        let mut caller = end(Facetime2010 { emulate, ..Facetime2010::default() });
        let mut softphone = End::new(16404);
        let offered = offer(&mut caller);
        let (answered, theirs) = answer(&mut softphone, &offered);
        let ours = apply(&mut caller, &answered);
        let expected = if emulate { 0 } else { 96 };
        for agreed in [&ours, &theirs] {
            let [audio, video] = agreed.sections.as_slice() else { panic!() };
            assert_eq!((numbers(audio)[0], numbers(video)), (expected, vec![123]), "{offered}{answered}");
        }
        if !emulate {
            let level = pictures(&ours.sections[1]);
            assert_eq!((level.max_fs, level.max_nal), (3_600, None));
            assert_eq!(sound(&ours.sections[0]).config.as_ref(), [0xf8, 0xee, 0x30, 0x00]);
        }

        let mut softphone = End::new(16404);
        let mut callee = end(Facetime2010 { emulate, ..Facetime2010::default() });
        let offered = offer(&mut softphone);
        let (answered, agreed) = answer(&mut callee, &offered);
        let text = answered.to_string();
        assert!(text.contains("\r\ns=-\r\n") && !text.contains("iChat") && !text.contains("rtpID"), "{text}");
        assert!(text.contains("a=rtcp-mux"), "{text}");
        let [audio, video] = agreed.sections.as_slice() else { panic!() };
        assert_eq!(audio.send[0].encoding.codec(), Some(Codec::Opus));
        assert_eq!(video.video_limits, None);
        apply(&mut softphone, &answered);
        // In a call of softphones it goes on as one.
        let again = offer(&mut callee).to_string();
        assert!(!again.contains("X-") && again.contains("a=rtpmap:96 opus/48000/2"), "{again}");
    }
}

#[test]
fn an_offer_leaves_room_for_its_headers() {
    let mut lab = end(Facetime2010::default());
    let long = offer(&mut lab);
    // With the 447 octets of headers of the record below the 1,300 of RFC 3261 section 18.1.1. The addresses, the
    // number of the session and the SSRCs of a real call are longer, by 12, 14 and 10 octets.
    let octets = long.to_bytes().len() + 36;
    assert!(octets <= 1_300 - 447, "{octets}: {long}");
    let mut short = end(emulating());
    let octets = offer(&mut short).to_bytes().len() + 36;
    assert!(octets <= 700, "{octets}");
}

#[test]
fn a_re_offer_keeps_payload_types_and_their_names() {
    let (mut caller, mut callee) = (end(emulating()), end(emulating()));
    let (answered, _) = answer(&mut callee, &parse(&RECORD.replace("123", "99")));
    assert!(answered.to_string().contains("a=rtpmap:99 H264/90000\r\n"));
    let again = offer(&mut callee).to_string();
    assert!(again.contains("m=video 16402 RTP/AVP 99\r\n"), "{again}");
    assert!(again.contains("a=rtpmap:99 H264/90000\r\n"), "{again}");

    let prefixed = RECORD.replace("AVP 123 126 34", "AVP 126");
    let (answered, agreed) = answer(&mut caller, &parse(&prefixed));
    assert_eq!(numbers(&agreed.sections[1]), [126]);
    assert!(answered.to_string().contains("a=rtpmap:126 X-H264/90000\r\n"), "{answered}");
    caller.hold = true;
    let held = offer(&mut caller).to_string();
    assert!(held.contains("a=rtpmap:126 X-H264/90000\r\n") && held.contains("a=sendonly"), "{held}");
}

#[test]
fn what_peers_write_otherwise_is_read_all_the_same() {
    for (from, to, wanted) in [
        ("rules 15:320:240:320:240:15", "rules 20:640:480:640:480:20:", (640, 480, 15)),
        ("imagesize 0 rules 15:320:240:320:240:15", "imagesize 1 rules 30:352:288", (352, 288, 15)),
        ("a=framerate:15\r\n", "a=framerate:12.50\r\n", (320, 240, 12)),
        ("a=framerate:15\r\n", "", (320, 240, 15)),
        ("rules 15:320:240:320:240:15", "rules 15:640:480:320:240:30", (320, 240, 15)),
    ] {
        let (_, agreed) =
            answer(&mut end(emulating()), &parse(&RECORD.replace(from, to).replace("\r\n", "\n")));
        let (width, height, fps) = wanted;
        assert_eq!(agreed.sections[1].video_limits, Some(VideoLimits { width, height, fps }), "{to}");
    }
    for broken in [
        "rules",
        "rules 15:320",
        "rules 0:320:240",
        "rules 15:0:0:320:240:15",
        "rules a:b:c",
        "rules 15:320:240:1",
    ] {
        let text = RECORD.replace("rules 15:320:240:320:240:15", broken);
        let (_, agreed) = answer(&mut end(emulating()), &parse(&text));
        assert_eq!(agreed.sections[1].video_limits, None, "{broken}");
        assert!(agreed.sections[1].is_active(), "{broken}");
    }
    let blocks = |n: &str| {
        let text = RECORD.replace("SamplesPerBlock 480", n);
        let (_, agreed) = answer(&mut end(emulating()), &parse(&text));
        let first = &agreed.sections[0].send[0];
        first.encoding.codec().map(|codec| (codec, sound(&agreed.sections[0]).samples_per_frame))
    };
    assert_eq!(blocks("SamplesPerBlock 512"), Some((Codec::AacEld, 512)));
    assert_eq!(blocks("Unknown"), Some((Codec::AacEld, 480)));
    assert_eq!(blocks("SamplesPerBlock 1024").map(|(codec, _)| codec), Some(Codec::Pcmu));
}

#[test]
fn a_softphone_profile_reads_the_record_as_far_as_it_goes() {
    let mut softphone = End::new(16402);
    assert_eq!(softphone.capabilities.dialect, Dialect::Softphone);
    let (_, agreed) = answer(&mut softphone, &parse(RECORD));
    let [audio, video] = agreed.sections.as_slice() else { panic!() };
    assert_eq!((numbers(audio), numbers(video)), (vec![0], vec![123]));
    assert!(!audio.rtcp_mux);
    assert_eq!(video.video_limits, None);
}
