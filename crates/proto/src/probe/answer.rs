//! What a peer says of itself in its answer to OPTIONS. RFC 3261 section 11.2.

use crate::limits::Limits;
use crate::sdp::{MediaDescription, SessionDescription};
use crate::sip::{HeaderName, Response};
use std::net::SocketAddr;

/// The answer to OPTIONS. A list that the peer did not give is `None`, which says nothing about what it can do; an
/// empty one says that there is nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The final status. 200 says that the peer would take a call now, 486 that it is busy (section 11.2).
    pub status: u16,
    /// Its reason phrase.
    pub reason: String,
    /// Its Server header, or User-Agent where there is none.
    pub agent: Option<String>,
    /// The methods of Allow.
    pub allow: Option<Vec<String>>,
    /// The media ranges of Accept.
    pub accept: Option<Vec<String>>,
    /// The codings of Accept-Encoding.
    pub accept_encoding: Option<Vec<String>>,
    /// The extensions of Supported.
    pub supported: Option<Vec<String>>,
    /// The media sections of the session description in its body, where there was one that could be read.
    pub media: Option<Vec<MediaLine>>,
    /// The address that the request came from as the peer saw it: `received` and `rport` of Via (RFC 3581 section 4).
    pub seen_as: Option<SocketAddr>,
}

/// A media section that the peer describes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaLine {
    /// The media type: `audio`, `video`.
    pub kind: String,
    /// The transport: `RTP/AVP`.
    pub transport: String,
    /// Its formats in order: `opus/48000/2`.
    pub formats: Vec<String>,
}

impl Answer {
    pub(super) fn read(response: &Response, limits: &Limits) -> Self {
        let headers = &response.headers;
        let list = |name: HeaderName<'static>| {
            let text = |value: &[u8]| String::from_utf8_lossy(value).trim().to_owned();
            let values = headers.values(name).map(text).filter(|value| !value.is_empty());
            headers.contains(name).then(|| values.take(limits.sip_list_values).collect())
        };
        let is_sdp = matches!(headers.content_type(), Ok(Some(t)) if t.is("application", "sdp"));
        let described = is_sdp.then(|| SessionDescription::parse(&response.body, limits).ok()).flatten();
        Answer {
            status: response.status,
            reason: response.reason_text(),
            agent: headers.text(HeaderName::Server).or_else(|| headers.text(HeaderName::UserAgent)),
            allow: list(HeaderName::Allow),
            accept: list(HeaderName::Accept),
            accept_encoding: list(HeaderName::AcceptEncoding),
            supported: list(HeaderName::Supported),
            media: described.map(|session| session.media.iter().map(MediaLine::read).collect()),
            seen_as: headers
                .via()
                .ok()
                .and_then(|via| Some(SocketAddr::new(via.received()?, via.rport().flatten()?))),
        }
    }
}

impl MediaLine {
    fn read(section: &MediaDescription) -> Self {
        let maps: Vec<(&str, &str)> =
            section.attributes("rtpmap").filter_map(|map| map.trim().split_once(' ')).collect();
        let name = |format: &String| {
            let map = maps.iter().find(|(number, _)| number == format);
            let name = map.map(|(_, name)| *name).or_else(|| static_name(format));
            name.map_or_else(|| format.clone(), |name| name.trim().to_owned())
        };
        MediaLine {
            kind: section.media.clone(),
            transport: section.transport.clone(),
            formats: section.formats.iter().map(name).collect(),
        }
    }
}

/// The payload types of RFC 3551 section 6 that softphones still offer without an `rtpmap`.
fn static_name(number: &str) -> Option<&'static str> {
    Some(match number {
        "0" => "PCMU/8000",
        "3" => "GSM/8000",
        "4" => "G723/8000",
        "8" => "PCMA/8000",
        "9" => "G722/8000",
        "18" => "G729/8000",
        "26" => "JPEG/90000",
        "31" => "H261/90000",
        "34" => "H263/90000",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::Message;

    fn read(text: &str) -> Answer {
        let limits = Limits::default();
        let Ok(Message::Response(response)) = Message::parse(text.replace('\n', "\r\n").as_bytes(), &limits)
        else {
            panic!("a response")
        };
        Answer::read(&response, &limits)
    }

    const FIXED: &str = "SIP/2.0 200 OK\nVia: SIP/2.0/UDP 10.0.0.1:16402;rport=40000;received=192.0.2.9;branch=z9hG4bK1\n\
        From: <sip:a@10.0.0.1>;tag=1\nTo: <sip:b@192.0.2.2>;tag=2\nCall-ID: c\nCSeq: 1 OPTIONS\n";

    #[test]
    fn everything_that_was_said_is_there() {
        let body = "v=0\no=- 1 1 IN IP4 192.0.2.2\ns=-\nc=IN IP4 192.0.2.2\nt=0 0\nm=audio 9 RTP/AVP 96 0 99\n\
            a=rtpmap:96 opus/48000/2\nm=video 0 RTP/AVP 97\na=rtpmap:97 H264/90000\n";
        let octets = body.len() + body.matches('\n').count();
        let answer = read(&format!(
            "{FIXED}Server: peer 1.0\nAllow: INVITE,ACK\nAllow: BYE\nAccept: application/sdp\nSupported:\n\
             Content-Type: application/sdp\nContent-Length: {octets}\n\n{body}"
        ));
        let list = |values: &[&str]| Some(values.iter().map(|v| (*v).to_owned()).collect::<Vec<_>>());
        assert_eq!((answer.status, answer.agent.as_deref()), (200, Some("peer 1.0")));
        assert_eq!(answer.allow, list(&["INVITE", "ACK", "BYE"]));
        assert_eq!((answer.supported, answer.accept_encoding), (list(&[]), None));
        assert_eq!(answer.seen_as, "192.0.2.9:40000".parse().ok());
        let media = answer.media.unwrap();
        assert_eq!(media[0].formats, ["opus/48000/2", "PCMU/8000", "99"]);
        assert_eq!((media[1].kind.as_str(), media[1].formats[0].as_str()), ("video", "H264/90000"));
    }

    #[test]
    fn what_was_not_said_is_unknown() {
        let text = FIXED.replace(";rport=40000;received=192.0.2.9", "");
        let answer = read(&format!("{text}Content-Type: application/sdp\nContent-Length: 5\n\nbad\n"));
        assert_eq!(answer, Answer { status: 200, reason: "OK".into(), ..Answer::default() });
    }
}
