//! How an agent is broken on purpose: by whoever stands between it and its socket.

use super::unchanged;
use bytes::Bytes;
use visavis_proto::io::PacketKind;
use visavis_proto::limits::Limits;
use visavis_proto::sip::{HeaderName, Message, Response};

/// What becomes of a datagram that came in.
pub(crate) enum Inbound {
    /// The agent gets it.
    Pass,
    /// Nobody does.
    Drop,
    /// The agent gets this one in its place.
    Instead(Vec<u8>),
    /// These go back, and the agent hears nothing.
    Answer(Vec<Vec<u8>>),
    /// The program ends.
    Die,
}

/// What is done with a datagram that comes in.
type Take = Box<dyn FnMut(&[u8]) -> Inbound + Send>;
/// What is sent in place of a datagram that goes out.
type Give = Box<dyn FnMut(&Bytes, PacketKind) -> Vec<Vec<u8>> + Send>;

/// Who stands between an agent and its socket.
pub(crate) struct Mischief {
    pub(crate) inbound: Take,
    pub(crate) outbound: Give,
    /// Sends media from another port.
    pub(crate) elsewhere: bool,
    /// Goes on sending media when the call is over.
    pub(crate) talks_on: bool,
    /// Sends RTCP to a port that is off by so much.
    pub(crate) port_shift: Option<i16>,
}

impl Mischief {
    /// One who does nothing.
    pub(crate) fn none() -> Self {
        Mischief {
            inbound: Box::new(|_| Inbound::Pass),
            outbound: Box::new(|data, _| unchanged(data)),
            elsewhere: false,
            talks_on: false,
            port_shift: None,
        }
    }

    pub(crate) fn inbound(act: impl FnMut(&[u8]) -> Inbound + Send + 'static) -> Self {
        Mischief { inbound: Box::new(act), ..Mischief::none() }
    }

    /// Edits the text of every SIP message that goes out.
    pub(crate) fn edit(mut edit: impl FnMut(String) -> String + Send + 'static) -> Self {
        Mischief::outbound(move |data, kind| match kind {
            PacketKind::Sip => vec![edit(text(data)).into_bytes()],
            _ => unchanged(data),
        })
    }

    /// The same for those that `chosen` holds for.
    pub(crate) fn edit_where(
        mut chosen: impl FnMut(&str) -> bool + Send + 'static,
        mut edit: impl FnMut(String) -> String + Send + 'static,
    ) -> Self {
        Mischief::edit(move |message| if chosen(&message) { edit(message) } else { message })
    }

    pub(crate) fn outbound(act: impl FnMut(&Bytes, PacketKind) -> Vec<Vec<u8>> + Send + 'static) -> Self {
        Mischief { outbound: Box::new(act), ..Mischief::none() }
    }

    /// Answers requests that `chosen` holds for with this status.
    pub(crate) fn reply(chosen: impl Fn(&str) -> bool + Send + 'static, status: u16) -> Self {
        Mischief::inbound(move |data| {
            let message = text(data);
            if chosen(&message) { answer(data, status, |_| {}) } else { Inbound::Pass }
        })
    }

    /// Ends at a request that `chosen` holds for.
    pub(crate) fn die(chosen: impl Fn(&[u8]) -> bool + Send + 'static) -> Self {
        let mut dead = false;
        Mischief::inbound(move |data| {
            dead |= chosen(data);
            if dead { Inbound::Die } else { Inbound::Pass }
        })
    }

    /// Edits RTP packets of one kind.
    pub(crate) fn media(kind: PacketKind, mut edit: impl FnMut(&mut Vec<u8>) + Send + 'static) -> Self {
        Mischief::outbound(move |data, found| {
            let mut data = data.to_vec();
            if found == kind {
                edit(&mut data);
            }
            vec![data]
        })
    }

    /// Drops what goes out.
    pub(crate) fn mute(mut dropped: impl FnMut(&[u8], PacketKind) -> bool + Send + 'static) -> Self {
        Mischief::outbound(move |data, kind| if dropped(data, kind) { Vec::new() } else { unchanged(data) })
    }
}

pub(crate) fn text(data: &[u8]) -> String {
    String::from_utf8_lossy(data).into_owned()
}

/// A response to a request, with a To tag.
pub(crate) fn answer(data: &[u8], status: u16, edit: impl FnOnce(&mut Response)) -> Inbound {
    let parsed = match Message::parse(data, &Limits::default()) {
        Ok(message) => message,
        Err(error) => match error.partial {
            Some(partial) => *partial,
            None => return Inbound::Drop,
        },
    };
    let Message::Request(request) = parsed else { return Inbound::Drop };
    let mut response = Response::to_request(&request, status);
    response.set_to_tag("wrong");
    edit(&mut response);
    Inbound::Answer(vec![Message::Response(response).to_bytes().to_vec()])
}

pub(crate) fn is(method: &'static str) -> impl Fn(&str) -> bool + Send {
    move |message| message.starts_with(&format!("{method} "))
}

/// A response to a request of this method, with this status.
pub(crate) fn to(method: &'static str, status: u16) -> impl Fn(&str) -> bool + Send {
    move |message| {
        let cseq = message.lines().find(|l| l.to_ascii_lowercase().starts_with("cseq:"));
        message.starts_with(&format!("SIP/2.0 {status} ")) && cseq.is_some_and(|l| l.trim().ends_with(method))
    }
}

/// Whether the request has a To tag.
pub(crate) fn in_dialog(message: &str) -> bool {
    message.lines().any(|l| l.starts_with("To:") && l.contains("tag="))
}

/// Takes out the lines of one header field.
pub(crate) fn without(message: String, name: &str) -> String {
    let prefix = format!("{}:", name.to_ascii_lowercase());
    let (head, body) = message.split_once("\r\n\r\n").unwrap_or((&message, ""));
    let lines: Vec<&str> =
        head.split("\r\n").filter(|l| !l.to_ascii_lowercase().starts_with(&prefix)).collect();
    format!("{}\r\n\r\n{body}", lines.join("\r\n"))
}

/// Edits the body, and Content-Length with it.
pub(crate) fn body(message: String, edit: impl FnOnce(String) -> String) -> String {
    let Some((head, body)) = message.split_once("\r\n\r\n") else { return message };
    if body.is_empty() {
        return message;
    }
    let body = edit(body.to_owned());
    let head = without(format!("{head}\r\n\r\n"), "content-length");
    format!("{}\r\nContent-Length: {}\r\n\r\n{body}", head.trim_end(), body.len())
}

/// Edits the descriptions in responses.
pub(crate) fn sdp(edit: impl Fn(String) -> String + Send + 'static) -> Mischief {
    Mischief::edit_where(|m| m.starts_with("SIP/2.0 2"), move |m| body(m, &edit))
}

/// Refuses INVITEs that `chosen` holds for with 400, as a parser does that does not know a form.
pub(crate) fn chokes(chosen: impl Fn(&str) -> bool + Send + 'static) -> Mischief {
    Mischief::reply(chosen, 400)
}

/// Lets a broken INVITE through as if it were whole: it is accepted.
pub(crate) fn lenient(chosen: impl Fn(&str) -> bool + Send + 'static) -> Mischief {
    Mischief::inbound(move |data| {
        let message = text(data);
        if !chosen(&message) {
            return Inbound::Pass;
        }
        let whole =
            b"INVITE sip:x@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\nFrom: <sip:a@h>;tag=1\r\n\
            To: <sip:b@h>\r\nCall-ID: whole\r\nCSeq: 1 INVITE\r\n\r\n";
        answer(whole, 200, |response| response.headers.push(HeaderName::Contact, "<sip:x@127.0.0.1>"))
    })
}

/// A request of the pack's INVITE cases that is broken in a way that `sign` tells.
pub(crate) fn broken(sign: impl Fn(&str) -> bool + Send + 'static) -> Mischief {
    lenient(move |m| m.starts_with("INVITE") && sign(m))
}

pub(crate) fn lacks(name: &'static str) -> impl Fn(&str) -> bool + Send {
    move |m| !m.contains(&format!("\r\n{name}:"))
}

/// An agent without one ability: it drops RTP, RTCP or STUN that are odd and stops sending sound then.
pub(crate) fn stops_at(odd: impl Fn(&[u8]) -> bool + Send + 'static) -> Mischief {
    let hurt = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let seen = std::sync::Arc::clone(&hurt);
    let order = std::sync::atomic::Ordering::Relaxed;
    Mischief {
        inbound: Box::new(move |data| {
            if odd(data) {
                seen.store(true, order);
            }
            Inbound::Pass
        }),
        ..Mischief::mute(move |_, kind| kind == PacketKind::Audio && hurt.load(order))
    }
}

pub(crate) fn is_rtcp(data: &[u8]) -> bool {
    data.len() > 1 && data[0] >> 6 == 2 && (192..224).contains(&data[1])
}

pub(crate) fn is_rtp(data: &[u8]) -> bool {
    data.len() >= 12 && data[0] >> 6 == 2 && !is_rtcp(data)
}
