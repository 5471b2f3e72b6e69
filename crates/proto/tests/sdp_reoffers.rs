//! Two ends of a call, over several offers: hold, media that come and go, and offers that fail.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic in a helper of a test is a failure of the test"
)]

mod sdp_support;

use sdp_support::*;
use visavis_proto::frame::Codec;
use visavis_proto::io::{Direction, MediaChoice, MediaFormat};
use visavis_proto::limits::Limits;
use visavis_proto::sdp::{AAC_FIRST_AUDIO, Negotiated, NegotiationError, SessionDescription};

/// One exchange over the wire: `a` offers, `b` answers.
fn exchange(a: &mut End, b: &mut End) -> (SessionDescription, SessionDescription, Negotiated, Negotiated) {
    let wire = |sdp: &SessionDescription| {
        SessionDescription::parse(&sdp.to_bytes(), &Limits::default()).expect("what we write can be read")
    };
    let offer = a.offer();
    let (answer, of_b) = b.with(|state, media| state.answer(&wire(&offer), media)).expect("an answer");
    let of_a = a.state.apply_answer(&wire(&answer)).expect("a good answer");
    (offer, answer, of_a, of_b)
}

fn ends() -> (End, End) {
    (End::new(16402), End::new(26402))
}

fn version(sdp: &SessionDescription) -> u64 {
    sdp.origin().unwrap().session_version.parse().unwrap()
}

fn directions(media: &Negotiated) -> Vec<Direction> {
    media.sections.iter().map(|s| s.direction).collect()
}

const AUDIO: MediaChoice = MediaChoice { audio: true, video: false };
const VIDEO: MediaChoice = MediaChoice { audio: false, video: true };

#[test]
fn two_ends_agree_on_both_media_on_one_port() {
    let (mut a, mut b) = ends();
    let (offer, _, of_a, of_b) = exchange(&mut a, &mut b);
    assert_eq!(offer.to_string().matches("a=rtcp-mux\r\n").count(), 2);
    assert_eq!(offer.to_string().matches("a=rtcp:16402\r\n").count(), 2);
    for (ours, theirs) in of_a.sections.iter().zip(&of_b.sections) {
        assert!(ours.rtcp_mux && theirs.rtcp_mux);
        assert_eq!((ours.remote, ours.remote_rtcp), (theirs.local, theirs.local));
        assert_eq!(theirs.remote, ours.local);
        assert_eq!(ours.send, theirs.receive);
        assert_eq!(ours.receive[..ours.send.len()], theirs.send);
        assert_eq!(ours.remote_sources.len(), 1);
        assert_eq!(ours.direction, Direction::SendRecv);
    }
    let Some(MediaFormat::Audio(sound)) = of_a.sections[0].send_format() else { panic!() };
    assert_eq!((sound.codec, sound.samples_per_frame), (Codec::Opus, 960));
    let Some(MediaFormat::Video(pictures)) = of_a.sections[1].send_format() else { panic!() };
    assert_eq!((pictures.max_fs, pictures.max_mbps, pictures.max_nal), (3_600, 108_000, None));
    assert!(of_a.sections[1].feedback.pli && of_b.sections[1].feedback.fir);
    assert_eq!(of_a.to_sections().len(), 2);
}

#[test]
fn payload_types_are_unique_over_the_whole_offer() {
    let (mut a, _) = ends();
    let offer = a.offer();
    let mut numbers: Vec<u8> = offer.media.iter().flat_map(|m| m.payload_types()).collect();
    assert!(numbers.iter().all(|n| !(64..96).contains(n)), "{numbers:?}");
    let all = numbers.len();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), all);
}

#[test]
fn aac_eld_first_in_the_list_is_what_two_ends_use() {
    let (mut a, mut b) = ends();
    a.capabilities.audio = AAC_FIRST_AUDIO.to_vec();
    let (_, _, of_a, of_b) = exchange(&mut a, &mut b);
    for media in [of_a, of_b] {
        let Some(MediaFormat::Audio(sound)) = media.sections[0].send_format() else { panic!() };
        assert_eq!((sound.codec, sound.sample_rate, sound.samples_per_frame), (Codec::AacEld, 48_000, 480));
        assert_eq!(sound.config.as_ref(), [0xf8, 0xe6, 0x30, 0x00]);
    }
}

#[test]
fn an_aac_configuration_within_the_limits_is_agreed_to() {
    let (a, mut b) = ends();
    let mut a = a.with_audio(&["aac-eld/22050/512", "aac-ld/24000/480"]);
    let (_, _, of_a, _) = exchange(&mut a, &mut b);
    let rates: Vec<u32> = of_a.sections[0].send.iter().map(|f| f.encoding.clock_rate()).collect();
    assert_eq!(rates, [22_050, 24_000]);
    b.capabilities.aac.sample_rates = vec![48_000];
    let refused = b.with(|state, media| state.answer(a.state.local().unwrap(), media)).unwrap();
    assert!(!refused.1.sections[0].is_active());
}

#[test]
fn latm_is_configured_by_the_description_between_two_ends() {
    let (a, b) = ends();
    let (mut a, mut b) = (a.with_audio(&["aac-ld/latm"]), b.with_audio(&["aac-ld/latm"]));
    let (offer, _, of_a, _) = exchange(&mut a, &mut b);
    assert!(offer.to_string().contains("object=23;cpresent=0;config=40"), "{offer}");
    assert!(of_a.sections[0].is_active());
}

#[test]
fn the_answerers_own_order_counts_where_it_is_configured_so() {
    let (a, b) = ends();
    let (mut a, mut b) = (a.with_audio(&["pcmu", "pcma", "g722"]), b.with_audio(&["g722", "pcma"]));
    b.capabilities.answer_order = visavis_proto::sdp::AnswerOrder::Own;
    let (_, answer, of_a, _) = exchange(&mut a, &mut b);
    assert_eq!(answer.media[0].formats[..2], ["9", "8"]);
    assert_eq!(of_a.sections[0].send[0].encoding.codec(), Some(Codec::G722));
}

#[test]
fn hold_and_resume_change_the_direction_and_nothing_else() {
    let (mut a, mut b) = ends();
    let (first, _, _, _) = exchange(&mut a, &mut b);
    a.hold = true;
    let (held, answer, of_a, of_b) = exchange(&mut a, &mut b);
    assert_eq!(directions(&of_a), [Direction::SendOnly; 2]);
    assert_eq!(directions(&of_b), [Direction::RecvOnly; 2]);
    assert_eq!(answer.to_string().matches("a=recvonly").count(), 2);
    assert_eq!(version(&held), version(&first) + 1);
    assert_eq!(held.origin().unwrap().session_id, first.origin().unwrap().session_id);
    assert_eq!(
        held.to_string().replace("a=sendonly\r\n", "").lines().skip(2).collect::<Vec<_>>(),
        first.to_string().lines().skip(2).collect::<Vec<_>>()
    );
    // Both hold: nothing flows.
    b.hold = true;
    let (_, _, of_b, of_a) = exchange(&mut b, &mut a);
    assert_eq!(
        (directions(&of_a), directions(&of_b)),
        (vec![Direction::Inactive; 2], vec![Direction::Inactive; 2])
    );
    (a.hold, b.hold) = (false, false);
    let (_, _, of_a, of_b) = exchange(&mut a, &mut b);
    assert_eq!(directions(&of_a), [Direction::SendRecv; 2]);
    assert_eq!(directions(&of_b), [Direction::SendRecv; 2]);
}

#[test]
fn the_same_offer_again_keeps_its_version() {
    let (mut a, mut b) = ends();
    let (first, answer, _, _) = exchange(&mut a, &mut b);
    let (again, answer_again, _, _) = exchange(&mut a, &mut b);
    assert_eq!(first, again);
    assert_eq!(answer, answer_again);
}

#[test]
fn video_is_added_removed_and_added_in_the_same_place() {
    let (mut a, mut b) = ends();
    a.choice = AUDIO;
    let (first, _, _, _) = exchange(&mut a, &mut b);
    assert_eq!(first.media.len(), 1);
    a.choice = MediaChoice::BOTH;
    let (second, _, of_a, _) = exchange(&mut a, &mut b);
    assert_eq!(second.media.len(), 2);
    assert_eq!(second.media[0], first.media[0]);
    assert!(of_a.sections[1].is_active());
    a.choice = AUDIO;
    let (third, answer, of_a, of_b) = exchange(&mut a, &mut b);
    assert_eq!(third.media.iter().map(|m| m.port).collect::<Vec<_>>(), [16402, 0]);
    assert_eq!(answer.media.iter().map(|m| m.port).collect::<Vec<_>>(), [26402, 0]);
    assert!(!of_a.sections[1].is_active() && !of_b.sections[1].is_active());
    // The other side brings it back, under the numbers that it had.
    let (fourth, _, _, of_a) = exchange(&mut b, &mut a);
    assert_eq!(fourth.media.len(), 2);
    assert!(!of_a.sections[1].is_active(), "a does not want video now");
    a.choice = MediaChoice::BOTH;
    let (fifth, _, _, _) = exchange(&mut b, &mut a);
    assert_eq!(fifth.media[1].formats[0], second.media[1].formats[0]);
}

#[test]
fn an_unused_section_of_another_kind_is_used_again() {
    let (mut a, mut b) = ends();
    (a.choice, b.choice) = (AUDIO, AUDIO);
    exchange(&mut a, &mut b);
    // Nothing of audio remains, its place is taken by video.
    (a.choice, b.choice) = (VIDEO, VIDEO);
    let (offer, _, of_a, _) = exchange(&mut a, &mut b);
    let kinds: Vec<_> = offer.media.iter().map(|m| (m.media.as_str(), m.port)).collect();
    assert_eq!(kinds, [("audio", 0), ("video", 16402)]);
    assert!(of_a.sections[1].is_active());
    (a.choice, b.choice) = (AUDIO, AUDIO);
    let (offer, _, _, _) = exchange(&mut a, &mut b);
    let kinds: Vec<_> = offer.media.iter().map(|m| (m.media.as_str(), m.port)).collect();
    assert_eq!(kinds, [("audio", 16402), ("video", 0)]);
}

#[test]
fn an_answerer_that_offers_keeps_the_numbers_and_the_codec_in_use() {
    let (a, b) = ends();
    let (mut a, mut b) = (
        a.with_audio(&["pcmu", "aac-eld/48000/480", "opus"]),
        b.with_audio(&["opus", "aac-eld/48000/480", "pcmu"]),
    );
    let (first, answer, _, _) = exchange(&mut a, &mut b);
    let (second, _, _, _) = exchange(&mut b, &mut a);
    assert_eq!(second.media[0].formats[..3], answer.media[0].formats[..3]);
    assert_eq!(second.media[0].formats[..3], first.media[0].formats[..3]);
    // Mode 1 was agreed on under the offerer's number; mode 0 keeps the number that it was offered under too.
    assert_eq!(second.media[1].formats[0], first.media[1].formats[0]);
    let meanings = |sdp: &SessionDescription| -> std::collections::BTreeMap<String, String> {
        let maps = sdp.media.iter().flat_map(|m| m.attributes("rtpmap"));
        maps.filter_map(|m| m.split_once(' ')).map(|(n, name)| (n.to_owned(), name.to_owned())).collect()
    };
    for (number, name) in meanings(&second) {
        if let Some(before) = meanings(&first).get(&number) {
            assert_eq!(*before, name, "payload type {number} changed its meaning");
        }
    }
}

#[test]
fn a_failed_offer_leaves_the_session_as_it_was() {
    let (mut a, mut b) = ends();
    a.choice = AUDIO;
    let (first, _, _, _) = exchange(&mut a, &mut b);
    a.choice = MediaChoice::BOTH;
    let lost = a.offer();
    assert!(a.state.is_offer_pending());
    let glare = a.with(|state, media| state.answer(&lost, media)).unwrap_err();
    assert_eq!(glare, NegotiationError::OfferPending);
    a.state.offer_failed();
    assert_eq!(a.state.local(), Some(&first));
    a.choice = AUDIO;
    let (next, _, _, _) = exchange(&mut a, &mut b);
    assert!(version(&next) > version(&lost), "a version stands for one description only");
}

#[test]
fn a_late_offer_is_an_offer_in_the_200_and_its_answer_in_the_ack() {
    let (mut a, mut b) = ends();
    // The INVITE of `a` brings none: `b` offers.
    let (_, _, of_b, of_a) = exchange(&mut b, &mut a);
    assert!(of_a.sections.iter().chain(&of_b.sections).all(|s| s.is_active()));
}

#[test]
fn answers_out_of_turn_and_answers_too_long_are_errors() {
    let (mut a, mut b) = ends();
    let (_, answer, _, _) = exchange(&mut a, &mut b);
    assert_eq!(a.state.apply_answer(&answer), Err(NegotiationError::NoPendingOffer));
    a.offer();
    let mut long = answer.clone();
    long.media.push(long.media[0].clone());
    assert_eq!(
        a.state.apply_answer(&long),
        Err(NegotiationError::TooManySections { answered: 3, offered: 2 })
    );
    assert_eq!(a.state.remote(), Some(&answer));
}

#[test]
fn an_answer_that_refuses_everything_says_what_it_refused() {
    let (mut a, _) = ends();
    a.offer();
    let refusal = "v=0\no=x 1 1 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 0 RTP/AVP 0\nm=video 0 RTP/AVP 96\n";
    let error = a.state.apply_answer(&parse(refusal)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "no media section can be used: the peer refused audio; the peer refused video"
    );
}

#[test]
fn what_is_not_configured_cannot_be_offered() {
    let (mut a, _) = ends();
    a.capabilities.video = None;
    assert_eq!(a.offer().media.len(), 1, "audio alone remains");
    a.choice = VIDEO;
    let error = a.with(|state, media| state.offer(media)).unwrap_err();
    assert_eq!(error.to_string(), "nothing to offer: no codec is configured for video");
}

#[test]
fn an_offer_without_sections_is_answered_without_sections() {
    let (mut a, _) = ends();
    let empty = parse("v=0\no=x 1 1 IN IP4 127.0.0.1\ns=-\nt=3034423619 3042462419\n");
    let (answer, media) = a.with(|state, media| state.answer(&empty, media)).unwrap();
    assert!(media.sections.is_empty() && answer.media.is_empty());
    assert_eq!(answer.time(), Some("3034423619 3042462419"), "the time of the offer is that of the answer");
}

#[test]
fn a_bound_of_ours_stands_in_the_description_with_and_without_headers() {
    let (mut a, mut b) = ends();
    a.capabilities.max_video_bitrate = Some(600_000);
    let (offer, _, _, of_b) = exchange(&mut a, &mut b);
    let text = offer.media[1].to_string();
    assert!(text.contains("b=AS:640\r\nb=TIAS:600000\r\n"), "{text}");
    assert_eq!(of_b.sections[1].max_bitrate, Some(600_000));
}

#[test]
fn levels_are_common_unless_both_allow_asymmetry() {
    for (asymmetry, level_of_a, level_of_b) in [(true, 0x1f, 0x0d), (false, 0x0d, 0x0d)] {
        let (mut a, mut b) = ends();
        b.capabilities.video.as_mut().unwrap().profile_level_id = "42E00D".parse().unwrap();
        b.capabilities.video.as_mut().unwrap().level_asymmetry_allowed = asymmetry;
        let (_, _, of_a, of_b) = exchange(&mut a, &mut b);
        let level = |format: Option<MediaFormat>| match format {
            Some(MediaFormat::Video(video)) => video.profile_level_id[2],
            other => panic!("{other:?}"),
        };
        assert_eq!(level(of_a.sections[1].send_format()), level_of_b);
        assert_eq!(level(of_a.sections[1].receive_format()), level_of_a);
        assert_eq!(level(of_b.sections[1].send_format()), level_of_a);
        assert_eq!(level(of_b.sections[1].receive_format()), level_of_b);
    }
}

#[test]
fn separate_addresses_are_written_where_they_differ() {
    let mut a = End::new(16402);
    let offer = a.with(|state, media| {
        let mut media = *media;
        media.audio.rtcp = "127.0.0.5:9000".parse().unwrap();
        media.video.rtp = "[::1]:7000".parse().unwrap();
        media.video.rtcp = "[::1]:7001".parse().unwrap();
        state.offer(&media).unwrap()
    });
    let text = offer.to_string();
    assert!(text.contains("a=rtcp:9000 IN IP4 127.0.0.5\r\n"), "{text}");
    assert!(offer.media[1].to_string().contains("c=IN IP6 ::1\r\n"), "{text}");
    assert!(offer.media[1].to_string().contains("a=rtcp:7001\r\n"), "{text}");
}
