//! RTP header extensions in offers and answers: RFC 8285 sections 5 and 7.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic in a helper of a test is a failure of the test"
)]

mod sdp_support;

use sdp_support::*;
use visavis_proto::io::{Direction, MediaChoice};
use visavis_proto::limits::Limits;
use visavis_proto::sdp::{
    Capabilities, Facetime2010, HeaderExtension, Negotiated, NegotiatedSection, SessionDescription,
};

const NTP_64: &str = "urn:ietf:params:rtp-hdrext:ntp-64";
const NTP_56: &str = "urn:ietf:params:rtp-hdrext:ntp-56";
const CVO: &str = "urn:3gpp:video-orientation";

fn parse(text: &str) -> SessionDescription {
    SessionDescription::parse(text.as_bytes(), &Limits::default()).expect("a description")
}

fn lines(sdp: &SessionDescription) -> Vec<String> {
    sdp.to_string().lines().filter(|l| l.starts_with("a=extmap") || l.starts_with("m=")).map(short).collect()
}

fn short(line: &str) -> String {
    line.split(" RTP/").next().unwrap().replace("a=extmap:", "")
}

/// An offer of sound and pictures with these lines at session level and in each section.
fn offer(session: &str, sound: &str, pictures: &str) -> SessionDescription {
    parse(&format!(
        "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n{session}\
         m=audio 4000 RTP/AVP 0\r\n{sound}m=video 4002 RTP/AVP 97\r\na=rtpmap:97 H264/90000\r\n\
         a=fmtp:97 profile-level-id=42e01f;packetization-mode=1\r\n{pictures}"
    ))
}

fn answer(end: &mut End, offer: &SessionDescription) -> (SessionDescription, Negotiated) {
    end.with(|state, media| state.answer(offer, media)).expect("an answer")
}

fn agreed(section: &NegotiatedSection) -> Vec<(u8, HeaderExtension, Direction)> {
    section.extensions.iter().map(|e| (e.id, e.extension, e.direction)).collect()
}

#[test]
fn an_offer_names_them_once_for_the_session_and_both_ends_agree() {
    let (mut a, mut b) = (End::new(16402), End::new(26402));
    let offered = a.offer();
    assert_eq!(
        lines(&offered),
        [format!("1 {NTP_64}"), format!("2 {CVO}"), "m=audio 16402".into(), "m=video 16402".into()]
    );
    let (answered, of_b) = answer(&mut b, &parse(&offered.to_string()));
    assert_eq!(
        lines(&answered),
        [
            "m=audio 26402".into(),
            format!("1 {NTP_64}"),
            "m=video 26402".into(),
            format!("1 {NTP_64}"),
            format!("2 {CVO}")
        ]
    );
    let of_a = a.state.apply_answer(&parse(&answered.to_string())).unwrap();
    for negotiated in [&of_a, &of_b] {
        let [sound, pictures] = negotiated.sections.as_slice() else { panic!() };
        let both = Direction::SendRecv;
        assert_eq!(agreed(sound), [(1, HeaderExtension::Ntp64, both)]);
        assert_eq!(
            agreed(pictures),
            [(1, HeaderExtension::Ntp64, both), (2, HeaderExtension::VideoOrientation, both)]
        );
        assert!(pictures.to_section().takes_rotation && !sound.to_section().takes_rotation);
        assert_eq!(
            (sound.max_payload, pictures.max_payload),
            (1_184, 1_184),
            "16 octets for the largest one"
        );
    }
}

#[test]
fn sound_alone_offers_no_orientation() {
    let mut end = End::new(16402);
    end.choice = MediaChoice { audio: true, video: false };
    assert_eq!(lines(&end.offer()), [format!("1 {NTP_64}"), "m=audio 16402".into()]);
}

#[test]
fn a_peer_that_answers_without_them_or_under_other_numbers_agrees_to_none() {
    for theirs in
        ["", "a=extmap:3 urn:ietf:params:rtp-hdrext:ntp-64\r\n", "a=extmap:1 urn:3gpp:video-orientation\r\n"]
    {
        let mut end = End::new(16402);
        let formats = end.offer().media[0].formats.join(" ");
        let text = format!(
            "v=0\r\nc=IN IP4 192.0.2.9\r\nm=audio 4000 RTP/AVP {formats}\r\n{theirs}m=video 0 RTP/AVP 0\r\n"
        );
        let media = end.state.apply_answer(&parse(&text)).unwrap();
        assert_eq!(agreed(&media.sections[0]), []);
        assert_eq!(media.sections[0].max_payload, 1_200);
    }
}

#[test]
fn an_answer_has_what_was_offered_under_its_numbers_and_with_its_direction() {
    let mut end = End::new(16402);
    let offered = offer(
        "",
        "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level vad=on\r\n\
         a=extmap:7/sendonly urn:ietf:params:rtp-hdrext:ntp-64\r\na=extmap:8 urn:3gpp:video-orientation\r\n",
        "a=extmap:3/recvonly urn:3gpp:video-orientation\r\na=extmap:200 urn:ietf:params:rtp-hdrext:ntp-56\r\n\
         a=extmap:4/inactive urn:ietf:params:rtp-hdrext:ntp-64\r\n",
    );
    let (answered, media) = answer(&mut end, &offered);
    assert_eq!(
        lines(&answered),
        [
            "m=audio 16402".into(),
            format!("7/recvonly {NTP_64}"),
            "m=video 16402".into(),
            format!("3/sendonly {CVO}"),
            format!("200 {NTP_56}"),
            format!("4/inactive {NTP_64}"),
        ]
    );
    let [sound, pictures] = media.sections.as_slice() else { panic!() };
    assert_eq!(agreed(sound), [(7, HeaderExtension::Ntp64, Direction::RecvOnly)]);
    assert_eq!(
        agreed(pictures),
        [
            (3, HeaderExtension::VideoOrientation, Direction::SendOnly),
            (200, HeaderExtension::Ntp56, Direction::SendRecv),
            (4, HeaderExtension::Ntp64, Direction::Inactive),
        ]
    );
    assert_eq!(sound.max_payload, 1_200, "nothing is sent");
    assert_eq!(pictures.max_payload, 1_200 - 16, "two octets in front of each element: 3 + 9");
}

#[test]
fn a_direction_that_the_section_does_not_have_is_not_answered() {
    let mut end = End::new(16402);
    let offered = offer(
        "a=sendonly\r\n",
        "a=extmap:1/recvonly urn:ietf:params:rtp-hdrext:ntp-64\r\n",
        "a=extmap:1/sendrecv urn:ietf:params:rtp-hdrext:ntp-64\r\n",
    );
    let (answered, media) = answer(&mut end, &offered);
    let expected = ["m=audio 16402".into(), "m=video 16402".into(), format!("1/recvonly {NTP_64}")];
    assert_eq!(lines(&answered), expected);
    assert_eq!(agreed(&media.sections[1]), [(1, HeaderExtension::Ntp64, Direction::RecvOnly)]);
}

#[test]
fn numbers_of_the_extended_range_get_a_free_one_and_alternatives_one_choice() {
    let mut end = End::new(16402);
    let offered = offer(
        "",
        "",
        "a=extmap:1 urn:x\r\na=extmap:4096 urn:ietf:params:rtp-hdrext:ntp-56\r\n\
         a=extmap:4096 urn:ietf:params:rtp-hdrext:ntp-64\r\na=extmap:4097 urn:3gpp:video-orientation\r\n\
         a=extmap:4352 urn:y\r\na=extmap:15 urn:z\r\na=extmap:256 urn:w\r\n",
    );
    let (answered, media) = answer(&mut end, &offered);
    let expected =
        ["m=audio 16402".into(), "m=video 16402".into(), format!("2 {NTP_56}"), format!("3 {CVO}")];
    assert_eq!(lines(&answered), expected);
    assert_eq!(agreed(&media.sections[1]).len(), 2);
}

#[test]
fn an_offer_after_an_answer_keeps_the_numbers_of_each_section() {
    let mut end = End::new(16402);
    let sound = "a=extmap:5 urn:ietf:params:rtp-hdrext:ntp-64\r\n";
    let pictures = "a=extmap:2 urn:ietf:params:rtp-hdrext:ntp-64\r\na=extmap:5 urn:x\r\n";
    answer(&mut end, &offer("", sound, pictures));
    let again = end.offer();
    assert_eq!(
        lines(&again),
        [
            "m=audio 16402".into(),
            format!("5 {NTP_64}"),
            "m=video 16402".into(),
            format!("2 {NTP_64}"),
            format!("1 {CVO}"),
        ]
    );
}

#[test]
fn an_offer_again_says_the_same() {
    let (mut a, mut b) = (End::new(16402), End::new(26402));
    let first = a.offer();
    let (answered, _) = answer(&mut b, &first);
    a.state.apply_answer(&answered).unwrap();
    assert_eq!(lines(&a.offer()), lines(&first));
    // The other side too: where the numbers are the same in all sections, they stand above them.
    assert_eq!(lines(&b.offer())[..2], [format!("1 {NTP_64}"), format!("2 {CVO}")]);
}

#[test]
fn facetime_2010_offers_none_and_answers_what_is_offered_to_it() {
    let facetime = || {
        let mut end = End::new(16402);
        end.capabilities =
            Capabilities::facetime2010(Facetime2010 { emulate: true, ..Facetime2010::default() });
        end
    };
    let mut a = facetime();
    let own = a.offer();
    assert!(!own.to_string().contains("extmap"), "{own}");
    let mut b = facetime();
    let mut offered = own.to_string();
    offered.push_str("a=extmap:4 urn:3gpp:video-orientation\r\n");
    let (answered, media) = answer(&mut b, &parse(&offered));
    assert_eq!(lines(&answered).last(), Some(&format!("4 {CVO}")));
    assert_eq!(agreed(&media.sections[1]), [(4, HeaderExtension::VideoOrientation, Direction::SendRecv)]);
    // What was agreed on stays when this side offers.
    assert_eq!(lines(&b.offer()).last(), Some(&format!("4 {CVO}")));
    // A softphone gets its answer from it as well.
    let (answered, _) = answer(&mut facetime(), &offer("", "", "a=extmap:9 urn:3gpp:video-orientation\r\n"));
    assert_eq!(lines(&answered).last(), Some(&format!("9 {CVO}")));
}
