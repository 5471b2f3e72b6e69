//! What both our reader and webrtc-sdp accept, they read alike.
//!
//! The descriptions are generated line by line from valid and from odd values; a quarter of them has characters
//! changed. Where only one of the two accepts a description there is nothing to compare; that most are accepted
//! by both is a test of its own, so that agreement is never vacuous.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic in a helper of a test is a failure of the test"
)]

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use std::cell::Cell;
use std::net::IpAddr;
use visavis_proto::io::Direction;
use visavis_proto::limits::Limits;
use visavis_proto::sdp::{BandwidthKind, Encoding, Format, Host, MediaDescription, SessionDescription};
use webrtc_sdp::address::ExplicitlyTypedAddress;
use webrtc_sdp::attribute_type::{SdpAttribute, SdpAttributeType};
use webrtc_sdp::media_type::{SdpFormatList, SdpMedia};
use webrtc_sdp::{SdpBandwidth, SdpConnection, SdpSession};

fn pick(values: &[&'static str]) -> impl Strategy<Value = String> + use<> {
    prop::sample::select(values.to_vec()).prop_map(str::to_owned)
}

fn section_line() -> impl Strategy<Value = String> {
    let number = prop_oneof![Just(0_u8), Just(8), Just(9), 96..=127_u8];
    let rtpmap = (
        number.clone(),
        pick(&[
            "PCMU/8000",
            "opus/48000/2",
            "H264/90000",
            "h264/90000",
            "G722/8000",
            "telephone-event/8000",
            "VP8/90000",
        ]),
    )
        .prop_map(|(n, map)| format!("a=rtpmap:{n} {map}"));
    let fmtp = (
        number,
        pick(&[
            "profile-level-id=42e01f;packetization-mode=1;level-asymmetry-allowed=1",
            "profile-level-id=42801F",
            "packetization-mode=0;profile-level-id=64001f;max-fs=3600;max-mbps=108000;max-br=2000",
            "maxplaybackrate=16000;stereo=1;useinbandfec=1",
            "maxaveragebitrate=20000;usedtx=1;cbr=1",
            "0-15",
        ]),
    )
        .prop_map(|(n, value)| format!("a=fmtp:{n} {value}"));
    let other = pick(&[
        "a=sendonly",
        "a=recvonly",
        "a=inactive",
        "a=sendrecv",
        "a=rtcp-mux",
        "a=rtcp:4001",
        "a=rtcp:53020 IN IP4 192.0.2.9",
        "a=rtcp:53020 IN IP6 2001:db8::9",
        "a=ptime:20",
        "a=maxptime:60",
        "a=framerate:30",
        "a=mid:1",
        "a=x-unknown:1 2 3",
        "a=ssrc:4294967295 cname:x@y",
        "a=ssrc:7 cname:z",
        "a=rtcp-fb:* nack pli",
        "a=rtcp-fb:96 ccm fir",
        "b=AS:500",
        "b=TIAS:256000",
        "b=CT:1000",
        "b=X-YZ:5",
        "c=IN IP4 192.0.2.8",
        "c=IN IP6 2001:db8::8",
        "i=text",
    ]);
    prop_oneof![3 => rtpmap, 2 => fmtp, 4 => other]
}

fn section() -> impl Strategy<Value = String> {
    let media = pick(&["audio", "video"]);
    let transport = pick(&["RTP/AVP", "RTP/AVPF", "RTP/SAVPF", "UDP/TLS/RTP/SAVPF"]);
    let formats = prop::collection::vec(prop_oneof![Just(0_u8), Just(8), 96..=127_u8], 1..5);
    (media, any::<u16>(), transport, formats, prop::collection::vec(section_line(), 0..10)).prop_map(
        |(media, port, transport, formats, lines)| {
            let formats: Vec<String> = formats.iter().map(u8::to_string).collect();
            let mut text = format!("m={media} {port} {transport} {}\r\n", formats.join(" "));
            for line in lines {
                text.push_str(&line);
                text.push_str("\r\n");
            }
            text
        },
    )
}

fn description() -> impl Strategy<Value = String> {
    let session =
        pick(&["a=recvonly\r\n", "b=AS:380\r\n", "", "", "a=ice-lite\r\n", "a=tool:some thing\r\n"]);
    let address =
        pick(&["IN IP4 192.0.2.1", "IN IP6 2001:db8::1", "IN IP4 0.0.0.0", "IN IP4 host.example.com"]);
    let body = (any::<u64>(), any::<u32>(), address, session, prop::collection::vec(section(), 0..4))
        .prop_map(|(id, version, address, session, sections)| {
            format!(
                "v=0\r\no=- {id} {version} {address}\r\ns=-\r\nc={address}\r\nt=0 0\r\n{session}{}",
                sections.concat()
            )
        });
    let changes = prop::collection::vec((any::<prop::sample::Index>(), "[ -~]"), 1..4);
    (body, prop::option::weighted(0.25, changes)).prop_map(|(body, changes)| {
        let mut octets = body.into_bytes();
        for (at, value) in changes.unwrap_or_default() {
            let at = at.index(octets.len());
            octets[at] = value.as_bytes()[0];
        }
        String::from_utf8(octets).unwrap()
    })
}

/// What both accept without a warning: webrtc-sdp drops the lines, or sections, that it warns about.
///
/// Line letters are case-sensitive (RFC 8866 section 5), and here attribute names are too: `a=RTCP:AUDIO 16402` is no
/// `a=rtcp`. webrtc-sdp folds both, so that lines with capitals there are left out.
fn read_both(text: &str) -> Option<(SessionDescription, SdpSession)> {
    let has_capitals = |line: &str| {
        let name = line.strip_prefix("a=").and_then(|rest| rest.split(':').next());
        line.starts_with(|c: char| c.is_ascii_uppercase())
            || name.is_some_and(|name| name.contains(|c: char| c.is_ascii_uppercase()))
    };
    if text.lines().any(has_capitals) {
        return None;
    }
    Some((read_ours(text)?, webrtc_sdp::parse_sdp(text, true).ok()?))
}

fn read_ours(text: &str) -> Option<SessionDescription> {
    SessionDescription::parse(text.as_bytes(), &Limits::default()).ok()
}

/// What ours reads and webrtc-sdp reads with or without warnings.
fn read_loosely(text: &str) -> (SessionDescription, SdpSession) {
    (
        read_ours(text).expect("ours reads it"),
        webrtc_sdp::parse_sdp(text, false).expect("webrtc-sdp reads it"),
    )
}

fn host(address: &ExplicitlyTypedAddress) -> Host {
    match address {
        ExplicitlyTypedAddress::Fqdn { domain, .. } => Host::Name(domain.clone()),
        ExplicitlyTypedAddress::Ip(ip) => Host::Ip(*ip),
    }
}

/// The `b=` lines that webrtc-sdp kept, in our terms.
fn bandwidth(theirs: &SdpBandwidth) -> (BandwidthKind, u64) {
    match theirs {
        SdpBandwidth::As(n) => (BandwidthKind::As, u64::from(*n)),
        SdpBandwidth::Ct(n) => (BandwidthKind::Ct, u64::from(*n)),
        SdpBandwidth::Tias(n) => (BandwidthKind::Tias, u64::from(*n)),
        SdpBandwidth::Unknown(name, n) => (BandwidthKind::Other(name.clone()), u64::from(*n)),
    }
}

/// webrtc-sdp reads hosts as URLs do, where 000.0.0 and 192.0.2.8. are addresses.
fn is_address_in_urls_only(name: &str) -> bool {
    let last = name.trim_end_matches('.').rsplit('.').next();
    name.parse::<IpAddr>().is_err() && last.is_some_and(|last| last.starts_with(|c: char| c.is_ascii_digit()))
}

fn compare_connection(ours: Option<Host>, theirs: &Option<SdpConnection>) -> Result<(), TestCaseError> {
    if matches!(&ours, Some(Host::Name(name)) if is_address_in_urls_only(name)) {
        return Ok(());
    }
    // webrtc-sdp writes names in lower case, which is the same name.
    let ours = ours.map(|host| match host {
        Host::Name(name) => Host::Name(name.to_ascii_lowercase()),
        ip => ip,
    });
    prop_assert_eq!(ours, theirs.as_ref().map(|c| host(&c.address)));
    Ok(())
}

fn compare_section(
    sdp: &SessionDescription,
    ours: &MediaDescription,
    theirs: &SdpMedia,
    session: &SdpSession,
) -> Result<(), TestCaseError> {
    prop_assert_eq!(ours.media.to_ascii_lowercase(), theirs.get_type().to_string().to_ascii_lowercase());
    prop_assert_eq!(u32::from(ours.port), theirs.get_port());
    prop_assert_eq!(ours.transport.to_ascii_uppercase(), theirs.get_proto().to_string());
    if let SdpFormatList::Integers(numbers) = theirs.get_formats() {
        let of_ours: Vec<u32> = ours.formats.iter().map(|f| f.parse().unwrap()).collect();
        prop_assert_eq!(&of_ours, numbers);
    }
    let own_connection = ours.lines.iter().any(|line| line.letter == 'c');
    if own_connection {
        let last = sdp.section_connections(ours).pop().map(|c| c.host);
        compare_connection(last, theirs.get_connection())?;
    }
    let of_ours: Vec<_> = ours.bandwidths().map(|b| (b.kind, b.value)).collect();
    prop_assert_eq!(of_ours, theirs.get_bandwidth().iter().map(bandwidth).collect::<Vec<_>>());
    let directions: Vec<Direction> = theirs
        .get_attributes()
        .iter()
        .filter_map(|attribute| match attribute {
            SdpAttribute::Sendrecv => Some(Direction::SendRecv),
            SdpAttribute::Sendonly => Some(Direction::SendOnly),
            SdpAttribute::Recvonly => Some(Direction::RecvOnly),
            SdpAttribute::Inactive => Some(Direction::Inactive),
            _ => None,
        })
        .collect();
    prop_assert_eq!(ours.direction(), directions.first().copied());
    if directions.is_empty() && session.get_attribute(SdpAttributeType::Recvonly).is_some() {
        prop_assert_eq!(sdp.section_direction(ours), Direction::RecvOnly);
    }
    let muxed = theirs.get_attribute(SdpAttributeType::RtcpMux).is_some();
    prop_assert_eq!(ours.attributes("rtcp-mux").next().is_some(), muxed);
    compare_rtcp(ours, theirs)?;
    compare_formats(ours, theirs)
}

fn compare_rtcp(ours: &MediaDescription, theirs: &SdpMedia) -> Result<(), TestCaseError> {
    let hosts = ours.attributes("rtcp").filter_map(|value| value.split_ascii_whitespace().nth(3));
    if hosts.into_iter().any(is_address_in_urls_only) {
        return Ok(());
    }
    let of_theirs: Vec<(u16, Option<IpAddr>)> = theirs
        .get_attributes_of_type(SdpAttributeType::Rtcp)
        .into_iter()
        .filter_map(|attribute| match attribute {
            SdpAttribute::Rtcp(rtcp) => Some((
                rtcp.port,
                match &rtcp.unicast_addr {
                    Some(ExplicitlyTypedAddress::Ip(ip)) => Some(*ip),
                    _ => None,
                },
            )),
            _ => None,
        })
        .collect();
    let of_ours: Vec<(u16, Option<IpAddr>)> = ours
        .attributes("rtcp")
        .filter_map(|value| {
            let mut words = value.split_ascii_whitespace();
            let port = words.next()?.parse().ok()?;
            Some((port, words.nth(2).and_then(|ip| ip.parse().ok())))
        })
        .collect();
    prop_assert_eq!(of_ours, of_theirs);
    Ok(())
}

/// The formats that both know: H.264 and Opus with their parameters.
fn compare_formats(ours: &MediaDescription, theirs: &SdpMedia) -> Result<(), TestCaseError> {
    let only = |number: u8, name: &str| {
        let of_number = |v: &&str| v.split_once(' ').is_some_and(|(n, _)| n.parse() == Ok(number));
        let mut values =
            ours.attributes(name).filter(of_number).map(|v| v.split_once(' ').unwrap().1.to_owned());
        (values.next(), values.next().is_none())
    };
    for attribute in theirs.get_attributes_of_type(SdpAttributeType::Rtpmap) {
        let SdpAttribute::Rtpmap(map) = attribute else { continue };
        // Of two maps, or two parameter lists, for one number each side may take another.
        let ((Some(rtpmap), true), (fmtp, true)) =
            (only(map.payload_type, "rtpmap"), only(map.payload_type, "fmtp"))
        else {
            continue;
        };
        let Some(format) = Format::read(map.payload_type, Some(&rtpmap), fmtp.as_deref().unwrap_or(""))
        else {
            continue;
        };
        let name = format.rtpmap();
        prop_assert!(name.to_ascii_lowercase().starts_with(&map.codec_name.to_ascii_lowercase()), "{name}");
        prop_assert_eq!(format.encoding.clock_rate(), map.frequency);
        let parameters =
            theirs.get_attributes_of_type(SdpAttributeType::Fmtp).into_iter().find_map(|a| match a {
                SdpAttribute::Fmtp(fmtp) if fmtp.payload_type == map.payload_type => Some(&fmtp.parameters),
                _ => None,
            });
        let Some(parameters) = parameters else { continue };
        match &format.encoding {
            Encoding::H264(h264) => {
                prop_assert_eq!(u32::from(h264.packetization_mode.number()), parameters.packetization_mode);
                prop_assert_eq!(h264.level_asymmetry_allowed, parameters.level_asymmetry_allowed);
                let [idc, iop, level] = h264.profile_level_id.0;
                let id = u32::from_be_bytes([0, idc, iop, level]);
                // webrtc-sdp takes 420010, not the 42000A of RFC 6184, where the parameter is missing.
                if parameters.profile_level_id != 0x42_0010 {
                    prop_assert_eq!(id, parameters.profile_level_id);
                }
                prop_assert_eq!(h264.max_fs.unwrap_or(0), parameters.max_fs);
                prop_assert_eq!(h264.max_mbps.unwrap_or(0), parameters.max_mbps);
                prop_assert_eq!(h264.max_br.unwrap_or(0), parameters.max_br);
            }
            Encoding::Opus(opus) => {
                prop_assert_eq!(opus.stereo, parameters.stereo);
                prop_assert_eq!(opus.use_inband_fec, parameters.useinbandfec);
                prop_assert_eq!(opus.use_dtx, parameters.usedtx);
                prop_assert_eq!(opus.cbr, parameters.cbr);
            }
            _ => {}
        }
    }
    Ok(())
}

proptest! {
    // The same descriptions in every run, so that a red run means a change; PROPTEST_CASES gives more of them.
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(8866),
        ..ProptestConfig::default()
    })]

    #[test]
    fn what_both_accept_both_read_alike(text in description()) {
        let Some((ours, theirs)) = read_both(&text) else { return Ok(()) };
        let origin = ours.origin().unwrap();
        prop_assert_eq!(origin.session_id.parse::<u64>().ok(), Some(theirs.get_origin().session_id));
        prop_assert_eq!(origin.session_version.parse::<u64>().ok(), Some(theirs.get_origin().session_version));
        compare_connection(ours.connection().map(|c| c.host), theirs.get_connection())?;
        prop_assert_eq!(ours.media.len(), theirs.media.len());
        for (mine, yours) in ours.media.iter().zip(&theirs.media) {
            compare_section(&ours, mine, yours, &theirs)?;
        }
    }
}

#[test]
fn most_of_the_generated_descriptions_are_accepted_by_both() {
    let (both, all) = (Cell::new(0), Cell::new(0));
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    runner
        .run(&description(), |text| {
            all.set(all.get() + 1);
            both.set(both.get() + i32::from(read_both(&text).is_some()));
            Ok(())
        })
        .unwrap();
    assert!(both.get() * 2 > all.get(), "{} of {}", both.get(), all.get());
}

/// The lines that webrtc-sdp loses, rewrites or refuses, and that peers of this project write: why it is an oracle
/// and not our parser (docs/decisions/0002-own-sdp-typing.md).
#[test]
fn what_webrtc_sdp_cannot_keep_is_kept_here() {
    let head = "v=0\r\no=- 0 0 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n";
    let audio = "m=audio 16402 RTP/AVP 104\r\n";
    for lost in [
        "a=hwi:17412:2:2800\r\n",
        "a=rtpID:1261706994\r\n",
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x\r\n",
    ] {
        let text = format!("{head}{audio}{lost}");
        let (ours, theirs) = read_loosely(&text);
        assert_eq!(ours.to_string(), text);
        assert!(!theirs.to_string().contains(lost.trim_end()), "{theirs}");
    }
    let rewritten = format!("{head}{audio}a=rtpmap:104 X-AAC_ELD/22050\r\na=fmtp:104 sbr;block 480\r\n");
    let (ours, theirs) = read_loosely(&rewritten);
    assert_eq!(ours.to_string(), rewritten);
    assert!(!theirs.to_string().contains("sbr;block 480"), "{theirs}");
    let whole = format!("{head}{audio}");
    for refused in [
        whole.replace("s=-\r\n", ""),
        whole.replace("t=0 0\r\n", ""),
        whole.replace("c=IN IP4 192.0.2.1\r\n", ""),
        format!("{whole}a=RTCP:VIDEO 16402\r\n"),
    ] {
        assert!(read_ours(&refused).is_some());
        assert!(webrtc_sdp::parse_sdp(&refused, false).is_err(), "{refused}");
    }
    let image = format!("{whole}m=image 5000 udptl t38\r\na=T38FaxVersion:0\r\n");
    let (ours, theirs) = read_loosely(&image);
    assert_eq!((ours.media.len(), theirs.media.len()), (2, 1));
}
