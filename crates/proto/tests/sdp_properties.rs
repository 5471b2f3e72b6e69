//! Properties of SDP: what is written is read back, any octets are survived, and both ends of an exchange come to
//! the same formats.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic in a helper of a test is a failure of the test"
)]

mod sdp_support;

use proptest::prelude::*;
use sdp_support::*;
use visavis_proto::io::MediaChoice;
use visavis_proto::limits::Limits;
use visavis_proto::sdp::asc::AudioSpecificConfig;
use visavis_proto::sdp::h264::{PacketizationMode, ProfileLevelId};
use visavis_proto::sdp::{
    AudioCodec, Capabilities, Format, Line, MediaDescription, NegotiationError, SessionDescription,
    VideoCapability,
};

fn line() -> impl Strategy<Value = Line> {
    let letter = prop::sample::select(vec!['a', 'b', 'i', 'k', 'o', 's', 't', 'x']);
    (letter, "[!-~é ]{0,40}").prop_map(|(letter, value)| Line::new(letter, value))
}

fn section() -> impl Strategy<Value = MediaDescription> {
    let formats = prop::collection::vec("[0-9a-zA-Z*-]{1,5}", 0..6);
    (
        "[a-z]{1,8}",
        any::<u16>(),
        any::<Option<u32>>(),
        "[A-Z/]{1,12}",
        formats,
        prop::collection::vec(line(), 0..8),
    )
        .prop_map(|(media, port, port_count, transport, formats, lines)| MediaDescription {
            media,
            port,
            port_count,
            transport,
            formats,
            lines,
        })
}

fn description() -> impl Strategy<Value = SessionDescription> {
    (prop::collection::vec(line(), 0..8), prop::collection::vec(section(), 0..5))
        .prop_map(|(lines, media)| SessionDescription { lines, media })
}

fn audio_codec() -> impl Strategy<Value = AudioCodec> {
    let names = [
        "opus",
        "g722",
        "pcmu",
        "pcma",
        "aac-eld/48000/480",
        "aac-eld/22050/512",
        "aac-ld/24000/480",
        "aac-ld/latm",
    ];
    prop::sample::select(names.map(|name| name.parse().unwrap()).to_vec())
}

fn capabilities() -> impl Strategy<Value = Capabilities> {
    let profile = prop::sample::select(vec!["42E01F", "42800D", "4D4015", "42F00B", "42E028", "64001F"]);
    let modes = prop::sample::subsequence(
        vec![PacketizationMode::NonInterleaved, PacketizationMode::SingleNal],
        0..=2,
    );
    let video = (profile, modes.prop_shuffle(), any::<bool>(), any::<Option<u16>>()).prop_map(
        |(profile, modes, level_asymmetry_allowed, max_fs)| VideoCapability {
            profile_level_id: profile.parse().unwrap(),
            modes,
            level_asymmetry_allowed,
            max_fs: max_fs.map(u32::from),
            ..VideoCapability::default()
        },
    );
    (prop::collection::vec(audio_codec(), 0..6), video, any::<bool>()).prop_map(|(audio, video, events)| {
        Capabilities { audio, video: Some(video), telephone_event: events, ..Capabilities::default() }
    })
}

fn end(port: u16, capabilities: Capabilities) -> End {
    let mut end = End::new(port);
    end.capabilities = capabilities;
    end
}

/// Runs one exchange and checks that both ends came to the same; whether there was one.
fn check_exchange(offerer: &mut End, answerer: &mut End) -> Result<bool, TestCaseError> {
    let offered = offerer.with(|state, media| state.offer(media));
    let offer = match offered {
        Ok(offer) => offer,
        Err(NegotiationError::NothingToOffer { .. }) => return Ok(false),
        Err(other) => return Err(TestCaseError::fail(other.to_string())),
    };
    let (answer, theirs) = match answerer.with(|state, media| state.answer(&offer, media)) {
        Ok(both) => both,
        Err(NegotiationError::NothingInCommon { .. }) => {
            offerer.state.offer_failed();
            return Ok(false);
        }
        Err(other) => return Err(TestCaseError::fail(other.to_string())),
    };
    prop_assert_eq!(answer.media.len(), offer.media.len());
    let ours = offerer.state.apply_answer(&answer).map_err(|e| TestCaseError::fail(e.to_string()))?;
    prop_assert_eq!(ours.sections.len(), theirs.sections.len());
    for (mine, yours) in ours.sections.iter().zip(&theirs.sections) {
        prop_assert_eq!(mine.is_active(), yours.is_active());
        prop_assert_eq!(mine.direction, yours.direction.reversed());
        prop_assert_eq!(&mine.send, &yours.receive);
        prop_assert_eq!(&mine.receive[..mine.send.len()], &yours.send[..]);
        prop_assert_eq!(mine.remote, yours.local);
        prop_assert_eq!(mine.local, yours.remote);
        prop_assert_eq!(&mine.feedback, &yours.feedback);
        prop_assert_eq!(mine.telephone_events.receive.first(), yours.telephone_events.send.as_ref());
        for format in &mine.send {
            prop_assert!(offer.media.iter().any(|m| m.payload_types().any(|pt| pt == format.payload_type)));
        }
    }
    Ok(true)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_description_is_read_as_it_was_written(sdp in description()) {
        // A c= line must make sense to be read, and the generator writes none.
        let read = SessionDescription::parse(&sdp.to_bytes(), &Limits::default()).unwrap();
        prop_assert_eq!(read, sdp);
    }

    #[test]
    fn any_octets_are_survived(octets in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = SessionDescription::parse(&octets, &Limits::default());
        let _ = AudioSpecificConfig::parse(&octets);
        let mut body = b"v=0\r\n".to_vec();
        body.extend_from_slice(&octets);
        if let Ok(sdp) = SessionDescription::parse(&body, &Limits::default()) {
            let mut end = End::new(4000);
            let _ = end.with(|state, media| state.answer(&sdp, media));
        }
    }

    #[test]
    fn a_known_offer_with_octets_changed_is_survived(
        which in 0..5_usize,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
    ) {
        let mut octets = [BARESIP, LINPHONE, ROOM_SYSTEM, PJSUA, BROWSER][which].as_bytes().to_vec();
        for (at, value) in changes {
            let at = at.index(octets.len());
            octets[at] = value;
        }
        if let Ok(sdp) = SessionDescription::parse(&octets, &Limits::default()) {
            let mut answering = End::new(4000);
            if let Ok((answer, media)) = answering.with(|state, media| state.answer(&sdp, media)) {
                prop_assert_eq!(answer.media.len(), sdp.media.len());
                prop_assert_eq!(media.sections.len(), sdp.media.len());
                let read = SessionDescription::parse(&answer.to_bytes(), &Limits::default());
                prop_assert_eq!(read.unwrap(), answer);
            }
            let mut offering = End::new(4000);
            offering.offer();
            let _ = offering.state.apply_answer(&sdp);
        }
    }

    #[test]
    fn both_ends_come_to_the_same(a in capabilities(), b in capabilities()) {
        check_exchange(&mut end(4000, a), &mut end(5000, b))?;
    }

    #[test]
    fn a_call_stays_consistent_over_many_offers(
        a in capabilities(),
        b in capabilities(),
        steps in prop::collection::vec((any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>()), 1..8),
    ) {
        let (mut a, mut b) = (end(4000, a), end(5000, b));
        let mut sections = 0;
        let mut meanings = std::collections::BTreeMap::new();
        for (by_a, audio, video, hold) in steps {
            let (offerer, answerer) = if by_a { (&mut a, &mut b) } else { (&mut b, &mut a) };
            offerer.choice = MediaChoice { audio, video };
            offerer.hold = hold;
            if !check_exchange(offerer, answerer)? {
                continue;
            }
            let local = offerer.state.local().unwrap();
            prop_assert!(local.media.len() >= sections, "a section vanished");
            sections = local.media.len();
            for (i, media) in local.media.iter().enumerate() {
                for map in media.attributes("rtpmap") {
                    let (number, name) = map.split_once(' ').unwrap();
                    let key = (i, media.media.clone(), number.to_owned());
                    let before = meanings.entry(key).or_insert_with(|| name.to_owned());
                    prop_assert_eq!(before.as_str(), name, "a payload type changed its meaning");
                }
            }
        }
    }

    #[test]
    fn a_format_is_read_as_it_was_written(capabilities in capabilities()) {
        let mut end = end(4000, capabilities);
        let Ok(offer) = end.with(|state, media| state.offer(media)) else { return Ok(()) };
        for media in &offer.media {
            for number in media.payload_types() {
                let of = |name| {
                    let mut values = media.attributes(name).filter_map(|v| v.split_once(' '));
                    values.find(|(n, _)| *n == number.to_string()).map(|(_, value)| value)
                };
                let format = Format::read(number, of("rtpmap"), of("fmtp").unwrap_or("")).unwrap();
                prop_assert_eq!(Some(format.rtpmap()), of("rtpmap").map(str::to_owned));
                prop_assert_eq!(format.fmtp(), of("fmtp").map(str::to_owned));
            }
        }
    }

    #[test]
    fn a_level_put_into_a_profile_is_read_back(profile in any::<[u8; 3]>(), other in any::<[u8; 3]>()) {
        let level = ProfileLevelId(other).level();
        let changed = ProfileLevelId(profile).with_level(level);
        prop_assert_eq!(changed.level(), level);
        prop_assert_eq!(changed.0[0], profile[0]);
    }
}
