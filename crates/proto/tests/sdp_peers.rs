//! Offers and answers as known peers lay them out.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic in a helper of a test is a failure of the test"
)]

mod sdp_support;

use sdp_support::*;
use std::net::SocketAddr;
use visavis_proto::frame::{Codec, MediaKind};
use visavis_proto::io::{Direction, MediaFormat};
use visavis_proto::sdp::h264::PacketizationMode;
use visavis_proto::sdp::{Encoding, Negotiated, NegotiatedSection, NegotiationError, SessionDescription};

fn answer(end: &mut End, offer: &str) -> (SessionDescription, Negotiated) {
    let offer = parse(offer);
    end.with(|state, media| state.answer(&offer, media)).expect("an answer")
}

fn address(text: &str) -> Option<SocketAddr> {
    Some(text.parse().unwrap())
}

fn codecs(section: &NegotiatedSection) -> Vec<(u8, Codec)> {
    section.send.iter().map(|f| (f.payload_type, f.encoding.codec().unwrap())).collect()
}

fn video(section: &NegotiatedSection) -> visavis_proto::frame::VideoFormat {
    let Some(MediaFormat::Video(format)) = section.send_format() else { panic!("no video") };
    format
}

fn audio(section: &NegotiatedSection) -> visavis_proto::frame::AudioFormat {
    let Some(MediaFormat::Audio(format)) = section.send_format() else { panic!("no audio") };
    format
}

#[test]
fn baresip_is_answered_in_mode_1_with_its_own_numbers() {
    let (answer, media) = answer(&mut End::new(16402), BARESIP);
    let [sound, pictures] = media.sections.as_slice() else { panic!() };
    assert_eq!(codecs(sound), [(96, Codec::Opus), (0, Codec::Pcmu), (8, Codec::Pcma)]);
    assert_eq!((sound.remote, sound.remote_rtcp), (address("127.0.0.77:18234"), address("127.0.0.77:18235")));
    assert_eq!(audio(sound).channels, 2);
    assert_eq!(sound.telephone_events.send.as_ref().map(|(pt, e)| (*pt, e.clock_rate)), Some((101, 8_000)));
    assert_eq!(codecs(pictures), [(98, Codec::H264)]);
    assert_eq!(video(pictures).max_nal, None);
    assert_eq!(video(pictures).max_fps, Some(30));
    assert!(pictures.feedback.pli && !pictures.feedback.fir && !pictures.feedback.nack);
    let text = answer.to_string();
    assert!(text.contains("m=audio 16402 RTP/AVP 96 0 8 101\r\n"), "{text}");
    assert!(text.contains("m=video 16402 RTP/AVP 98\r\n"), "{text}");
    assert!(text.contains("a=fmtp:98 profile-level-id=42801F;packetization-mode=1\r\n"), "{text}");
    assert_eq!(text.matches("a=rtcp:16402\r\n").count(), 2, "{text}");
    assert!(!text.contains("rtcp-mux"), "{text}");
    assert_eq!(text.matches("a=rtcp-fb:").count(), 1, "{text}");
}

#[test]
fn a_bound_in_kilobits_leaves_room_for_headers() {
    let (_, media) = answer(&mut End::new(16402), BARESIP);
    let bound = media.sections[1].max_bitrate.unwrap();
    // 500 kbit/s in packets that are half full: 600 of 640 octets are payload.
    assert_eq!(bound, 468_750);
    assert_eq!(video(&media.sections[1]).max_bitrate, Some(bound));
}

#[test]
fn linphone_may_use_one_number_for_both_media() {
    let (answer, media) = answer(&mut End::new(16402), LINPHONE);
    let [sound, pictures] = media.sections.as_slice() else { panic!() };
    assert_eq!(codecs(sound), [(96, Codec::Opus), (0, Codec::Pcmu), (8, Codec::Pcma)]);
    assert_eq!(codecs(pictures), [(96, Codec::H264)]);
    assert_eq!(sound.remote, address("127.0.0.1:7078"));
    assert_eq!(sound.remote_rtcp, address("127.0.0.1:7079"));
    assert_eq!(sound.telephone_events.send.as_ref().map(|(pt, _)| *pt), Some(101), "the clock of Opus");
    assert_eq!(video(pictures).max_nal, Some(1_200), "mode 0: no fragments");
    assert!(pictures.feedback.pli && pictures.feedback.fir);
    let text = answer.to_string();
    assert!(text.contains("m=video 16402 RTP/AVPF 96\r\n"), "{text}");
    assert!(text.contains("profile-level-id=42801F\r\n"), "{text}");
}

#[test]
fn a_bound_on_the_session_is_shared_by_its_sections() {
    let (_, media) = answer(&mut End::new(16402), LINPHONE);
    let [sound, pictures] = media.sections.as_slice() else { panic!() };
    let (sound, pictures) = (u64::from(sound.max_bitrate.unwrap()), u64::from(pictures.max_bitrate.unwrap()));
    assert_eq!(sound, 64_000);
    // 50 packets of sound a second with 40 octets of headers each.
    let left = 380_000 - (sound + 50 * 320);
    assert_eq!(pictures, left * 600 / 640);
}

#[test]
fn a_room_system_gets_pcmu_while_its_latm_and_main_profile_are_not_configured() {
    let (answer, media) = answer(&mut End::new(16402), ROOM_SYSTEM);
    let [sound, pictures, floor] = media.sections.as_slice() else { panic!() };
    assert_eq!(codecs(sound), [(0, Codec::Pcmu)]);
    assert_eq!(sound.max_bitrate, Some(64_000));
    assert!(pictures.refused.as_ref().unwrap().contains("offered: H264 4D0028 mode 1"), "{pictures:?}");
    assert_eq!((floor.kind, floor.is_active()), (None, false));
    let ports: Vec<u16> = answer.media.iter().map(|m| m.port).collect();
    assert_eq!(ports, [16402, 0, 0]);
    assert_eq!(answer.media[2].to_string(), "m=application 0 UDP/BFCP *\r\n");
}

#[test]
fn a_room_system_gets_its_latm_where_the_stream_may_configure_it() {
    let mut end = End::new(16402).with_audio(&["aac-ld/latm", "pcmu"]);
    end.capabilities.aac.latm_in_band_config = true;
    let (answer, media) = answer(&mut end, ROOM_SYSTEM);
    let sound = audio(&media.sections[0]);
    assert_eq!((sound.codec, sound.sample_rate, sound.clock_rate), (Codec::AacLd, 48_000, 90_000));
    assert_eq!((sound.samples_per_frame, sound.config.as_ref()), (480, [0xb9, 0x8d, 0x00].as_slice()));
    let text = answer.to_string();
    assert!(text.contains("a=rtpmap:96 MP4A-LATM/90000\r\n"), "{text}");
    assert!(text.contains("a=fmtp:96 bitrate=64000;profile-level-id=24;object=23\r\n"), "{text}");
}

#[test]
fn pjsua_is_answered_in_its_profile_at_the_lower_level() {
    let (answer, media) = answer(&mut End::new(16402), PJSUA);
    let [sound, pictures] = media.sections.as_slice() else { panic!() };
    // G.711 comes before G.722 in this offer, and its order counts.
    assert_eq!(codecs(sound), [(0, Codec::Pcmu), (8, Codec::Pcma), (9, Codec::G722)]);
    assert_eq!(sound.remote_sources[0].ssrc, 1_349_455_989);
    assert_eq!(sound.remote_sources[0].cname.as_deref(), Some("0f2a16ad3c2f0f7d"));
    let format = video(pictures);
    assert_eq!(format.profile_level_id, [0x42, 0xe0, 0x1e]);
    assert_eq!((format.max_fs, format.max_mbps), (3_600, 108_000), "max-fs and max-mbps extend level 3");
    assert!(format.max_bitrate.unwrap() <= 256_000);
    assert!(answer.to_string().contains("profile-level-id=42E01E;packetization-mode=1\r\n"), "{answer}");
}

#[test]
fn a_browser_with_dtls_alone_is_refused_with_the_reason() {
    let offer = parse(BROWSER);
    let mut end = End::new(16402);
    let error = end.with(|state, media| state.answer(&offer, media)).unwrap_err();
    let NegotiationError::NothingInCommon { reasons } = &error else { panic!("{error}") };
    assert_eq!(reasons.len(), 2);
    assert!(error.to_string().contains("audio: transport UDP/TLS/RTP/SAVPF is not supported"), "{error}");
    assert_eq!(end.state.local(), None, "a refused offer leaves no session");
}

#[test]
fn linphone_answers_in_baseline_without_a_packetization_mode() {
    let mut end = End::new(16402);
    let offer = end.offer();
    let [sound, pictures] = [&offer.media[0], &offer.media[1]];
    let opus = &sound.formats[0];
    let mode_1 = &pictures.formats[0];
    let answer = format!(
        "v=0\r\no=b 1 1 IN IP4 127.0.0.1\r\ns=Talk\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
         m=audio 7078 RTP/AVP {opus} 101\r\na=rtpmap:{opus} opus/48000/2\r\n\
         m=video 9078 RTP/AVP {mode_1}\r\na=rtpmap:{mode_1} H264/90000\r\na=fmtp:{mode_1} profile-level-id=42801F\r\n"
    );
    let media = end.state.apply_answer(&parse(&answer)).unwrap();
    let Encoding::H264(sent) = &media.sections[1].send[0].encoding else { panic!() };
    assert_eq!(sent.packetization_mode, PacketizationMode::SingleNal);
    assert_eq!(video(&media.sections[1]).max_nal, Some(1_200));
    assert_eq!(media.sections[1].receive[0].payload_type.to_string(), *mode_1);
}

#[test]
fn an_answer_with_too_few_sections_refuses_the_rest() {
    let mut end = End::new(16402);
    end.offer();
    let answer = "v=0\no=sipp 1 1 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 6000 RTP/AVP 0\na=rtpmap:0 PCMU/8000\n";
    let media = end.state.apply_answer(&parse(answer)).unwrap();
    let [sound, pictures] = media.sections.as_slice() else { panic!() };
    assert_eq!(codecs(sound), [(0, Codec::Pcmu)]);
    assert_eq!(sound.telephone_events.send, None);
    assert!(!pictures.is_active());
    assert_eq!(pictures.refused.as_deref(), Some("the answer has no section for video"));
    assert_eq!(pictures.kind, Some(MediaKind::Video));
    // And the next offer still has both.
    assert_eq!(end.offer().media.len(), 2);
}

#[test]
fn an_answer_may_use_numbers_of_its_own() {
    let mut end = End::new(16402).with_audio(&["opus", "pcmu"]);
    let offer = end.offer();
    let ours: u8 = offer.media[0].formats[0].parse().unwrap();
    let answer = "v=0\no=x 1 1 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\n\
                  m=audio 6000 RTP/AVP 120\na=rtpmap:120 OPUS/48000/2\n";
    let media = end.state.apply_answer(&parse(answer)).unwrap();
    let sound = &media.sections[0];
    assert_eq!(codecs(sound), [(120, Codec::Opus)], "sent with the answer's number");
    for number in [ours, 120, 0] {
        assert!(sound.received(number).is_some(), "{number} is expected");
    }
}

#[test]
fn a_static_type_needs_no_rtpmap() {
    let offer = "v=0\no=x 1 1 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 6000 RTP/AVP 9 8 0\n";
    let (_, media) = answer(&mut End::new(16402), offer);
    assert_eq!(codecs(&media.sections[0]), [(9, Codec::G722), (8, Codec::Pcma), (0, Codec::Pcmu)]);
    let sound = audio(&media.sections[0]);
    assert_eq!((sound.sample_rate, sound.clock_rate, sound.samples_per_frame), (16_000, 8_000, 320));
}

#[test]
fn hold_by_an_empty_address_stops_sending() {
    let held = BARESIP.replace("c=IN IP4 127.0.0.77", "c=IN IP4 0.0.0.0");
    let (answer, media) = answer(&mut End::new(16402), &held);
    for section in &media.sections {
        assert!(section.is_active());
        assert_eq!(section.direction, Direction::RecvOnly);
        assert_eq!((section.remote, section.remote_rtcp), (None, None));
    }
    assert_eq!(answer.to_string().matches("a=recvonly\r\n").count(), 2);
}

#[test]
fn a_bandwidth_of_zero_stops_sending() {
    let offer = BARESIP.replace("b=AS:500", "b=AS:0");
    let (_, media) = answer(&mut End::new(16402), &offer);
    assert_eq!(media.sections[1].direction, Direction::RecvOnly);
    assert_eq!(media.sections[0].direction, Direction::SendRecv);
}

#[test]
fn a_codec_that_cannot_keep_to_the_bound_gives_way() {
    let offer =
        BARESIP.replace("m=audio 18234 RTP/AVP 96 0 8 101", "m=audio 18234 RTP/AVP 0 96 8 101\nb=AS:48");
    let (_, media) = answer(&mut End::new(16402), &offer);
    assert_eq!(codecs(&media.sections[0])[0], (96, Codec::Opus));
    // 50 packets a second with 40 octets of headers take 16 kbit/s of the 48.
    assert_eq!(media.sections[0].max_bitrate, Some(32_000));
}
