use super::*;

fn parse(text: &str) -> Result<SessionDescription, SdpError> {
    SessionDescription::parse(text.as_bytes(), &Limits::default())
}

/// An offer of a video-call system of 2010, with attributes of its own and an fmtp keyed by a codec's name.
const VIDEO_CALL_2010: &str = "v=0
o=caller 0 0 IN IP4 192.168.20.198
s=1021
c=IN IP4 192.168.20.198
b=AS:250
t=0 0
a=FLS;VRA:0;RVRA:1;AS:2
a=hwi:17412:2:2800
a=multipoint:1
a=bandwidthDetection:NO
m=audio 16402 RTP/AVP 105 0
a=rtcp:16402
a=rtpmap:105 X-AAC_ELD/22050
a=rtpmap:0 PCMU/8000
a=rtpID:1261706994
a=fmtp:AAC SamplesPerBlock 480
m=video 16402 RTP/AVP 123 126 34
a=rtcp:16402
a=rtpmap:123 H264/90000
a=rtpmap:126 X-H264/90000
a=rtpmap:34 H263/90000
a=fmtp:34 imagesize 0
a=framerate:15
a=RTCP:AUDIO 16402 VIDEO 16402
a=fmtp:126 imagesize 0 rules 15:320:240:320:240:15
a=fmtp:123 imagesize 0 rules 15:320:240:320:240:15
a=rtpID:1085110790
";

#[test]
fn no_line_is_lost_whatever_it_says() {
    let sdp = parse(VIDEO_CALL_2010).unwrap();
    assert_eq!(sdp.to_string(), VIDEO_CALL_2010.replace('\n', "\r\n"));
    let keyed_by_name: Vec<_> = sdp.media[0].attributes("fmtp").collect();
    assert_eq!(keyed_by_name, ["AAC SamplesPerBlock 480"]);
    assert_eq!(sdp.media[1].attributes("rtpID").collect::<Vec<_>>(), ["1085110790"]);
    let answer = "v=0\no=x 0 0 IN IP4 192.0.2.210\ns=1004\nc=IN IP4 192.0.2.210\nb=AS:2147483647\nt=0 0\n\
                  a=hwi:1056:2:2300\na=bandwidthDetection:YES\nm=audio 25060 RTP/AVP 110\na=rtcp:25060\n\
                  a=rtpmap:110 X-AAC_LD/22050\na=rtpID:187\n";
    assert_eq!(parse(answer).unwrap().to_string(), answer.replace('\n', "\r\n"));
}

#[test]
fn missing_lines_and_huge_numbers_are_read() {
    let sdp =
        parse("v=0\no=- 99999999999999999999 18446744073709551616 IN IP4 a\nm=audio 9 RTP/AVP 0").unwrap();
    assert_eq!(sdp.origin().unwrap().session_version, "18446744073709551616");
    assert_eq!(sdp.connection(), None);
    assert_eq!(sdp.media[0].payload_types().collect::<Vec<_>>(), [0]);
    assert_eq!(parse("v=0\na=inactive \n").unwrap().direction(), Some(Direction::Inactive));
    assert!(parse("v=0\r\nb=nonsense\r\no=-\r\n\r\n").is_ok());
}

#[test]
fn errors_name_the_line_and_what_is_wrong_with_it() {
    for (text, line, what) in [
        ("", 0, "SDP line 0: the body is empty"),
        ("o=x\n", 1, "SDP line 1: a session description begins with v=0, this one with \"o=x\""),
        ("v=0\nv=0\n", 2, "SDP line 2: a second v= line: more than one session description"),
        ("v=0\r\ns=-\r\nm=audio x RTP/AVP 0\r\n", 3, "SDP line 3: m= cannot be read: \"audio x RTP/AVP 0\""),
        ("v=0\nc=IN IP4\n", 2, "SDP line 2: c= cannot be read: \"IN IP4\""),
        ("v=0\nhello\n", 2, "SDP line 2: not of the form x=value: \"hello\""),
        ("v=0\nm=audio 70000 RTP/AVP 0\n", 2, "SDP line 2: m= cannot be read: \"audio 70000 RTP/AVP 0\""),
    ] {
        let error = parse(text).unwrap_err();
        assert_eq!((error.line, error.to_string()), (line, what.to_owned()), "{text:?}");
    }
}

#[test]
fn limits_bound_octets_sections_and_lines() {
    let limits = Limits { sdp_body: 200, sdp_media: 2, sdp_attributes: 4, ..Limits::default() };
    let parse = |text: &str| SessionDescription::parse(text.as_bytes(), &limits).map_err(|e| e.kind);
    assert_eq!(parse(&" ".repeat(201)), Err(SdpErrorKind::BodyTooLarge(201, 200)));
    let sections = |n| format!("v=0\n{}", "m=audio 0 RTP/AVP 0\n".repeat(n));
    assert!(parse(&sections(2)).is_ok());
    assert_eq!(parse(&sections(3)), Err(SdpErrorKind::TooManySections(2)));
    assert!(parse(&format!("v=0\n{}", "a=\n".repeat(51))).is_ok());
    assert_eq!(parse(&format!("v=0\n{}", "a=\n".repeat(52))), Err(SdpErrorKind::TooManyLines(52)));
}

#[test]
fn direction_and_address_of_the_session_hold_for_its_sections() {
    let sdp = parse(
        "v=0\nc=IN IP6 [2001:db8::1%eth0]\na=recvonly\nm=audio 2 RTP/AVP 0\nm=video 4/2 RTP/AVP 96\n\
         c=IN IP4 233.252.0.1/127\nc=IN IP4 192.0.2.1\na=sendonly\n",
    )
    .unwrap();
    let [audio, video] = sdp.media.as_slice() else { panic!() };
    assert_eq!(sdp.section_direction(audio), Direction::RecvOnly);
    assert_eq!(sdp.section_direction(video), Direction::SendOnly);
    assert_eq!(video.port_count, Some(2));
    let hosts = |section| sdp.section_connections(section).into_iter().map(|c| c.host).collect::<Vec<_>>();
    let ip = |text: &str| Host::Ip(text.parse().unwrap());
    assert_eq!(hosts(audio), [ip("2001:db8::1")]);
    assert_eq!(hosts(video), [ip("233.252.0.1"), ip("192.0.2.1")]);
}

#[test]
fn a_lone_carriage_return_ends_a_line() {
    let sdp = parse("v=0\rt=0 0\ra=x:1\r\n").unwrap();
    assert_eq!(sdp.time(), Some("0 0"));
    assert_eq!(sdp.attributes("x").collect::<Vec<_>>(), ["1"]);
}
