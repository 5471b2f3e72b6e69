//! What each broken agent does wrong: one thing for each case, by the name of the case.

use super::Manners;
use super::mischief::{
    Inbound, Mischief, answer, body, broken, chokes, in_dialog, is, is_rtcp, is_rtp, lacks, sdp, stops_at,
    text, to, without,
};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use visavis_proto::io::PacketKind;
use visavis_proto::stun;

/// What the peer must be like for a case to apply.
pub(crate) fn manners(case: &str) -> Manners {
    let ring = matches!(case, "cancel.before-final" | "cancel.same-to-tag" | "glare.second-invite");
    Manners { ring: ring.then_some(Duration::from_millis(700)), reinvites: case == "glare.reinvite-491" }
}

/// What is between the agent and its socket where it is right.
pub(crate) fn right(case: &str) -> Mischief {
    if case == "glare.update-while-offering" { updates(491) } else { Mischief::none() }
}

/// What the peer is like where it is wrong.
pub(crate) fn wrong_manners(case: &str) -> Manners {
    if case == "transaction.first-response" {
        return Manners { ring: Some(Duration::from_millis(700)), ..Manners::default() };
    }
    manners(case)
}

/// What is between the agent and its socket where it is wrong.
pub(crate) fn wrong(case: &str) -> Mischief {
    match case.split('.').next().unwrap_or_default() {
        "transaction" => transaction(case),
        "dialog" => dialog(case),
        "cancel" | "glare" => race(case),
        "method" => method(case),
        "content" => content(case),
        "offer" => offer(case),
        "reoffer" => reoffer(case),
        "torture" => torture(case),
        "invalid" => invalid(case),
        "rtp" => rtp(case),
        "rtcp" => rtcp(case),
        "video" => video(case),
        "stun" => stun_case(case),
        _ => unknown(case),
    }
}

fn unknown(case: &str) -> ! {
    panic!("no agent is known that fails {case}: add one to misdeeds.rs")
}

/// Acts on what comes a second time, by `key`.
fn second(
    key: impl Fn(&str) -> Option<String> + Send + 'static,
    act: impl Fn(&[u8]) -> Inbound + Send + 'static,
) -> Mischief {
    let mut seen = BTreeSet::new();
    Mischief::inbound(move |data| {
        let again = key(&text(data)).is_some_and(|key| !seen.insert(key));
        if again { act(data) } else { Inbound::Pass }
    })
}

fn branch(message: &str) -> String {
    message
        .split("branch=")
        .nth(1)
        .unwrap_or_default()
        .split([';', '\r', ','])
        .next()
        .unwrap_or_default()
        .into()
}

/// The first line, and the branch, of requests of this method.
fn request(method: &'static str) -> impl Fn(&str) -> Option<String> + Send {
    move |m| m.starts_with(&format!("{method} ")).then(|| branch(m))
}

/// Lets the first of some messages out, and no other.
fn once(chosen: impl Fn(&str) -> bool + Send + 'static) -> Mischief {
    let mut out = false;
    Mischief::mute(move |data, kind| {
        let again = kind == PacketKind::Sip && chosen(&text(data)) && out;
        out |= kind == PacketKind::Sip && chosen(&text(data));
        again
    })
}

/// Once a request was seen that `sign` holds for, the dialog is unknown.
fn forgets_at(sign: impl Fn(&str) -> bool + Send + 'static, status: Option<u16>) -> Mischief {
    let mut gone = false;
    Mischief::inbound(move |data| {
        let message = text(data);
        if sign(&message) {
            gone = true;
            return status.map_or(Inbound::Pass, |status| answer(data, status, |_| {}));
        }
        if gone && message.starts_with("OPTIONS") && in_dialog(&message) {
            return answer(data, 481, |_| {});
        }
        Inbound::Pass
    })
}

/// Edits what comes in, as text.
fn misreads(edit: impl Fn(String) -> String + Send + 'static) -> Mischief {
    Mischief::inbound(move |data| {
        if data.first().is_some_and(u8::is_ascii_uppercase) {
            Inbound::Instead(edit(text(data)).into_bytes())
        } else {
            Inbound::Pass
        }
    })
}

/// A To tag that is another one.
fn retag(message: String) -> String {
    let Some((before, rest)) = message.split_once("\r\nTo:") else { return message };
    let (to, after) = rest.split_once("\r\n").unwrap_or((rest, ""));
    let to = to.split(";tag=").next().unwrap_or(to);
    format!("{before}\r\nTo:{to};tag=other\r\n{after}")
}

fn transaction(case: &str) -> Mischief {
    match case {
        "transaction.invite-retransmission" => second(request("INVITE"), |data| answer(data, 200, |_| {})),
        "transaction.2xx-retransmitted" => once(to("INVITE", 200)),
        "transaction.ack-stops-2xx" | "transaction.ack-stops-non-2xx" => {
            Mischief::inbound(|data| if is("ACK")(&text(data)) { Inbound::Drop } else { Inbound::Pass })
        }
        "transaction.non-invite-retransmission" => second(request("OPTIONS"), |_| Inbound::Drop),
        "transaction.non-2xx-retransmitted" => once(to("INVITE", 420)),
        "transaction.merged-request" => {
            let call_id = |m: &str| m.lines().find(|l| l.starts_with("Call-ID")).map(str::to_owned);
            let key = move |m: &str| if is("INVITE")(m) { call_id(m) } else { None };
            second(key, |data| answer(data, 500, |_| {}))
        }
        "transaction.rfc2543-branch" => Mischief::inbound(|data| match branch(&text(data)) {
            branch if branch.starts_with("z9hG4bK") => Inbound::Pass,
            _ => Inbound::Drop,
        }),
        "transaction.via-received" => Mischief::edit(|m| m.replace(";received=", ";x=")),
        "transaction.rport" => Mischief::edit(|m| m.replace(";rport=", ";rport;x=")),
        "transaction.via-copied" => Mischief::edit(|m| {
            m.split("\r\n").filter(|l| !l.contains("third.invalid")).collect::<Vec<_>>().join("\r\n")
        }),
        "transaction.response-fields" => Mischief::edit(|m| m.replace(";x=y", "")),
        "transaction.to-tag-stable" => Mischief::edit_where(|m| m.starts_with("SIP/2.0 180"), retag),
        "transaction.first-response" => Mischief::mute(|data, _| text(data).starts_with("SIP/2.0 1")),
        "transaction.ack-gets-no-response" => Mischief::reply(is("ACK"), 481),
        _ => unknown(case),
    }
}

fn dialog(case: &str) -> Mischief {
    match case {
        "dialog.contact-in-2xx" => Mischief::edit_where(to("INVITE", 200), |m| without(m, "Contact")),
        "dialog.to-tag-unique" => Mischief::edit_where(to("INVITE", 200), retag),
        "dialog.record-route-copied" => Mischief::edit(|m| without(m, "Record-Route")),
        "dialog.cseq-lower" => Mischief::reply(|m| m.contains("CSeq: 300 "), 200),
        "dialog.cseq-gap" => Mischief::reply(|m| m.contains("CSeq: 4002 BYE"), 500),
        "dialog.bye-unknown" | "dialog.bye-wrong-from-tag" => Mischief::reply(is("BYE"), 200),
        "dialog.bye" => Mischief::reply(is("BYE"), 403),
        "dialog.bye-twice" => {
            second(|m| m.starts_with("BYE").then(String::new), |data| answer(data, 200, |_| {}))
        }
        "dialog.bye-retransmission" => second(request("BYE"), |_| Inbound::Drop),
        "dialog.options-in-dialog" => Mischief::reply(|m| is("OPTIONS")(m) && in_dialog(m), 481),
        "dialog.unknown-method-in-dialog" => forgets_at(is("FROBNICATE"), None),
        "dialog.ack-lost" => once(to("INVITE", 200)),
        "dialog.display-change" => Mischief::reply(|m| m.contains("Somebody else"), 481),
        _ => unknown(case),
    }
}

/// One who takes UPDATE, and answers it with this status.
fn updates(status: u16) -> Mischief {
    let takes = Mischief::reply(is("UPDATE"), status);
    let says = Mischief::edit(|m| m.replace("Allow: INVITE", "Allow: UPDATE, INVITE"));
    Mischief { inbound: takes.inbound, ..says }
}

fn race(case: &str) -> Mischief {
    let another_invite = |m: &str| is("INVITE")(m) && in_dialog(m);
    match case {
        "cancel.before-final" | "cancel.unknown" => Mischief::reply(is("CANCEL"), 200),
        "cancel.same-to-tag" => Mischief::edit_where(to("CANCEL", 200), retag),
        "cancel.after-final" => forgets_at(is("CANCEL"), Some(200)),
        "cancel.retransmission" => second(request("CANCEL"), |_| Inbound::Drop),
        "glare.reinvite-491" => Mischief::reply(another_invite, 500),
        "glare.second-invite" => Mischief::reply(another_invite, 481),
        "glare.update-while-offering" => updates(200),
        _ => unknown(case),
    }
}

fn method(case: &str) -> Mischief {
    match case {
        "method.unknown" => Mischief::reply(is("FROBNICATE"), 200),
        "method.register" => Mischief::reply(is("REGISTER"), 200),
        "method.require-unknown" | "method.require-options" => {
            Mischief::edit_where(|m| m.starts_with("SIP/2.0 420"), |m| without(m, "Unsupported"))
        }
        "method.supported-unknown" => Mischief::reply(|m| m.contains("Supported: visavis-nonesuch"), 420),
        "method.version" => Mischief::reply(|m| m.contains(" SIP/7.0"), 200),
        "method.uri-scheme" => Mischief::reply(|m| m.contains("nobodyknows"), 200),
        "method.cseq-mismatch" => Mischief::reply(|m| m.contains("CSeq: 8 INVITE"), 200),
        "method.max-forwards-0" => Mischief::reply(|m| m.contains("Max-Forwards: 0"), 483),
        "method.options-allow" => Mischief::edit(|m| without(m, "Allow")),
        "method.options-accept" => Mischief::edit(|m| without(m, "Accept")),
        "method.options-supported" => Mischief::edit(|m| without(m, "Supported")),
        "method.message" => Mischief::edit_where(to("MESSAGE", 200), |m| {
            m.replace("\r\n\r\n", "\r\nContact: <sip:x@127.0.0.1>\r\n\r\n")
        }),
        "method.info-unknown-package" => Mischief::reply(is("INFO"), 200),
        _ => unknown(case),
    }
}

fn content(case: &str) -> Mischief {
    match case {
        "content.unknown-type" => Mischief::edit(|m| without(m, "Accept")),
        "content.unknown-encoding" => Mischief::edit(|m| without(m, "Accept-Encoding")),
        "content.optional" => Mischief::reply(|m| m.contains("handling=optional"), 415),
        "content.multipart" => Mischief::reply(|m| m.contains("multipart/mixed"), 415),
        "content.type-parameters" => Mischief::reply(|m| m.contains("Application/SDP"), 415),
        "content.broken-sdp" => Mischief::reply(|m| m.contains("this is no line"), 200),
        "content.sdp-line-ends" => Mischief::reply(|m| m.contains("v=0\no="), 400),
        _ => unknown(case),
    }
}

/// The sections of a description: what stands before the first m=, and each m= with what follows it.
fn sections(text: &str) -> Vec<String> {
    let mut found = vec![String::new()];
    for line in text.split_inclusive('\n') {
        if line.starts_with("m=") {
            found.push(String::new());
        }
        found.last_mut().expect("there is one").push_str(line);
    }
    found
}

fn without_last(text: String) -> String {
    let found = sections(&text);
    if found.len() < 3 { text } else { found[..found.len() - 1].concat() }
}

fn swapped(text: String) -> String {
    let mut found = sections(&text);
    if found.len() > 2 {
        found.swap(1, 2);
    }
    found.concat()
}

fn offer(case: &str) -> Mischief {
    let lines = |drop: &'static str| {
        move |text: String| text.split_inclusive('\n').filter(|l| !l.starts_with(drop)).collect::<String>()
    };
    let replaced = |from: &'static str, to: &'static str| sdp(move |text| text.replace(from, to));
    let refuses = |sign: &'static str| Mischief::reply(move |m| is("INVITE")(m) && m.contains(sign), 488);
    match case {
        "offer.m-line-count" => sdp(without_last),
        "offer.m-line-order" => sdp(swapped),
        "offer.unknown-media" => replaced("m=x-visavis 0 ", "m=x-visavis 4000 "),
        "offer.unknown-transport" => replaced("m=audio 0 ", "m=audio 4000 "),
        "offer.offered-port-0" => replaced("m=video 0 ", "m=video 4000 "),
        "offer.common-format" => replaced("RTP/AVP ", "RTP/AVP 77\r\na=was:"),
        "offer.payload-number" => {
            sdp(|t| t.replace("rtpmap:115 ", "rtpmap:99 ").replace("rtpmap:101 ", "rtpmap:98 "))
        }
        "offer.rtpmap-in-answer" => sdp(lines("a=rtpmap")),
        "offer.sendonly" | "offer.session-direction" => replaced("a=recvonly", "a=sendrecv"),
        "offer.recvonly" => replaced("a=sendonly", "a=sendrecv"),
        "offer.inactive" => replaced("a=inactive", "a=sendrecv"),
        "offer.no-common-codec" => Mischief::inbound(|data| {
            if !text(data).contains("visavis-nonesuch/8000") {
                return Inbound::Pass;
            }
            let body = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 110\r\n";
            answer(data, 200, |response| response.set_body("application/sdp", body.to_owned()))
        }),
        "offer.time" => replaced("t=0 0", "t=1 2"),
        "offer.valid-answer" => sdp(lines("s=")),
        "offer.unknown-attributes" => refuses("a=flagofnobody"),
        "offer.bandwidth" => refuses("b=X-NOBODY"),
        "offer.ptime" => refuses("a=ptime:37"),
        "offer.late" => Mischief::reply(|m| is("INVITE")(m) && !m.contains("v=0"), 488),
        "offer.late-answer-in-ack" => Mischief::mute(|_, kind| kind == PacketKind::Audio),
        "offer.hold-address" => misreads(|m| body(m, |b| b.replace("IP4 0.0.0.0", "IP4 127.0.0.1"))),
        _ => unknown(case),
    }
}

fn reoffer(case: &str) -> Mischief {
    let again = |m: &str| is("INVITE")(m) && in_dialog(m);
    match case {
        "reoffer.same" => Mischief::reply(again, 488),
        "reoffer.version" => sdp(|text| {
            let fixed = |line: &str| {
                let mut words: Vec<&str> = line.split(' ').collect();
                if line.starts_with("o=") {
                    words[2] = "1";
                }
                words.join(" ")
            };
            text.split_inclusive('\n').map(fixed).collect()
        }),
        "reoffer.stream-added" => sdp(without_last),
        "reoffer.stream-removed" => sdp(|t| t.replace("m=video 0 ", "m=video 4000 ")),
        "reoffer.hold" => misreads(|m| body(m, |b| b.replace("a=sendonly", "a=sendrecv"))),
        "reoffer.hold-address" => misreads(|m| body(m, |b| b.replace("IP4 0.0.0.0", "IP4 127.0.0.1"))),
        "reoffer.resume" => stops_at(|data| text(data).contains("a=sendonly")),
        "reoffer.port-change" => {
            let mut first: Option<String> = None;
            Mischief::inbound(move |data| {
                let message = text(data);
                let Some(line) = message.lines().find(|l| l.starts_with("m=audio")).map(str::to_owned) else {
                    return Inbound::Pass;
                };
                let old = first.get_or_insert(line.clone());
                Inbound::Instead(body(message, |b| b.replace(&line, old)).into_bytes())
            })
        }
        "reoffer.refused-keeps-call" => forgets_at(move |m| again(m) && m.contains("nonesuch"), Some(488)),
        "reoffer.late" => Mischief::reply(move |m| again(m) && !m.contains("v=0"), 400),
        _ => unknown(case),
    }
}

fn torture(case: &str) -> Mischief {
    let chokes_on = |sign: &'static str| chokes(move |m| m.contains(sign));
    let deaf_to = |sign: fn(&[u8]) -> bool| {
        Mischief::inbound(move |data| if sign(data) { Inbound::Drop } else { Inbound::Pass })
    };
    match case {
        "torture.folding" => chokes_on("\r\n ;branch"),
        "torture.white-space" => chokes_on("Via  :"),
        "torture.compact-forms" => chokes_on("\r\nv:"),
        "torture.name-case" => chokes_on("\r\nVIA:"),
        "torture.order" => chokes(|m| m.lines().nth(1).is_some_and(|l| l.starts_with("User-Agent"))),
        "torture.unknown-headers" => chokes_on("NewFangledHeader"),
        "torture.comma-lists" => chokes_on("a.invalid;"),
        "torture.quoted-display" => chokes_on("Come here"),
        "torture.escaped-uri" => chokes_on("INVITE sip:%"),
        "torture.uri-parameters" => chokes_on("visavis-nonesuch=1"),
        "torture.foreign-schemes" => chokes_on("isbn:"),
        "torture.utf8" => chokes_on("Zo\u{eb}"),
        "torture.long-values" => deaf_to(|data| data.len() > 1800),
        "torture.large-message" => deaf_to(|data| data.len() > 4000),
        "torture.leading-crlf" => deaf_to(|data| data.starts_with(b"\r\n")),
        "torture.no-content-length" => chokes(|m| is("INVITE")(m) && lacks("Content-Length")(m)),
        "torture.trailing-octets" => chokes_on("beyond the end"),
        "torture.unknown-authorization" => chokes_on("NoOneKnowsThisScheme"),
        "torture.many-vias" => Mischief::edit(|m| {
            m.split("\r\n").filter(|l| !l.contains("hop29.invalid")).collect::<Vec<_>>().join("\r\n")
        }),
        _ => unknown(case),
    }
}

fn invalid(case: &str) -> Mischief {
    let takes = |sign: &'static str| broken(move |m| m.contains(sign));
    match case {
        "invalid.no-call-id" => broken(lacks("Call-ID")),
        "invalid.no-cseq" => broken(lacks("CSeq")),
        "invalid.no-from" => broken(lacks("From")),
        "invalid.no-to" => broken(lacks("To")),
        "invalid.no-via" => broken(lacks("Via")),
        "invalid.two-froms" => broken(|m| m.matches("\r\nFrom:").count() == 2),
        "invalid.content-length-too-long" => takes("Content-Length: 9999"),
        "invalid.content-length-negative" => takes("Content-Length: -999"),
        "invalid.cseq-too-large" => takes("CSeq: 36893488147419103232"),
        "invalid.broken-start-line" => takes(" surplus\r\n"),
        "invalid.bad-uri" => takes("sip:[nowhere"),
        "invalid.unterminated-quote" => Mischief::die(|data| text(data).contains("\"open <")),
        "invalid.nul" => Mischief::die(|data| data.starts_with(b"OPTIONS") && data.contains(&0)),
        "invalid.not-utf8" => Mischief::die(|data| data.starts_with(b"OPTIONS") && data.contains(&0xff)),
        "invalid.empty-datagram" => Mischief::die(<[u8]>::is_empty),
        "invalid.garbage" => Mischief::inbound(|data| match data {
            b"hello" => Inbound::Answer(vec![b"SIP/2.0 400 Bad Request\r\n\r\n".to_vec()]),
            _ => Inbound::Pass,
        }),
        "invalid.stray-response" => Mischief::inbound(|data| {
            if !data.starts_with(b"SIP/2.0 200") {
                return Inbound::Pass;
            }
            let ack = "ACK sip:x@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\nFrom: <sip:a@h>;tag=1\r\n\
                To: <sip:b@h>;tag=2\r\nCall-ID: c\r\nCSeq: 1 ACK\r\n\r\n";
            Inbound::Answer(vec![ack.into()])
        }),
        "invalid.cut-off" => {
            Mischief::die(|data| data.starts_with(b"INVITE") && !data.windows(4).any(|w| w == b"\r\n\r\n"))
        }
        _ => unknown(case),
    }
}

fn halves(data: &mut [u8], at: usize, edit: impl Fn(u32) -> u32) {
    if let Some(field) = data.get_mut(at..at + 4) {
        let value = u32::from_be_bytes([field[0], field[1], field[2], field[3]]);
        field.copy_from_slice(&edit(value).to_be_bytes());
    }
}

fn rtp(case: &str) -> Mischief {
    let audio = |edit: fn(&mut Vec<u8>)| Mischief::media(PacketKind::Audio, edit);
    match case {
        "rtp.flows" => Mischief::mute(|_, kind| kind == PacketKind::Audio),
        "rtp.payload-type" => audio(|data| data[1] = data[1] & 0x80 | 77),
        "rtp.payload-swap" => audio(|data| data[1] = data[1] & 0x80 | 8),
        "rtp.sequence" => audio(|data| {
            let seq = u16::from_be_bytes([data[2], data[3]]).wrapping_mul(2);
            data[2..4].copy_from_slice(&seq.to_be_bytes());
        }),
        "rtp.timestamp-rate" => audio(|data| halves(data, 4, |t| t.wrapping_mul(2))),
        "rtp.one-ssrc" => audio(|data| data[8] = data[3] & 0xf0),
        "rtp.ssrc-after-reinvite" => {
            let changed = Arc::new(AtomicBool::new(false));
            let seen = Arc::clone(&changed);
            let takes = Mischief::inbound(move |data| {
                let message = text(data);
                seen.fetch_or(is("INVITE")(&message) && in_dialog(&message), Ordering::Relaxed);
                Inbound::Pass
            });
            let sends = Mischief::media(PacketKind::Audio, move |data| {
                if changed.load(Ordering::Relaxed) {
                    data[8] ^= 0xff;
                }
            });
            Mischief { inbound: takes.inbound, ..sends }
        }
        "rtp.symmetric" => Mischief { elsewhere: true, ..Mischief::none() },
        "rtp.stops-after-bye" => Mischief::reply(is("BYE"), 200),
        "rtp.takes-padding-and-extension" => stops_at(|data| is_rtp(data) && data[0] & 0x20 != 0),
        "rtp.takes-unknown-payload-types" => stops_at(|data| is_rtp(data) && data[1] == 127),
        "rtp.takes-reordering" => stops_at(|data| is_rtp(data) && data[2..4] == [0, 2]),
        "rtp.takes-garbage" => stops_at(|data| data == b"\x80"),
        _ => unknown(case),
    }
}

fn rtcp(case: &str) -> Mischief {
    let edit = |edit: fn(&mut Vec<u8>)| Mischief::media(PacketKind::Rtcp, edit);
    match case {
        "rtcp.sent" => Mischief::mute(|_, kind| kind == PacketKind::Rtcp),
        "rtcp.compound" => edit(|data| {
            let first = (usize::from(u16::from_be_bytes([data[2], data[3]])) + 1) * 4;
            data.truncate(first);
        }),
        "rtcp.sender-report" => edit(|data| halves(data, 20, |count| count + 5000)),
        "rtcp.reception-report" => edit(|data| {
            let block = if data[1] == 200 { 28 } else { 8 };
            if data[0] & 0x1f > 0 {
                halves(data, block, |_| 0);
            }
        }),
        "rtcp.one-cname" => {
            let mut count = 0;
            Mischief::media(PacketKind::Rtcp, move |data| {
                let first = (usize::from(u16::from_be_bytes([data[2], data[3]])) + 1) * 4;
                if let Some(letter) = data.get_mut(first + 10) {
                    *letter = b'a' + count;
                    count = (count + 1) % 26;
                }
            })
        }
        "rtcp.mux" => Mischief { port_shift: Some(1), ..Mischief::none() },
        "rtcp.no-mux-unasked" => Mischief { port_shift: Some(-1), ..Mischief::none() },
        "rtcp.takes-garbage" => stops_at(|data| data.len() == 500),
        "rtcp.takes-bye" => stops_at(|data| is_rtcp(data) && data.windows(2).any(|w| w == [0x81, 203])),
        "rtcp.takes-unknown-types" => stops_at(|data| data.ends_with(b"visa")),
        _ => unknown(case),
    }
}

fn video(case: &str) -> Mischief {
    let pictures = |edit: fn(&mut Vec<u8>)| Mischief::media(PacketKind::Video, edit);
    match case {
        "video.flows" => Mischief::mute(|_, kind| kind == PacketKind::Video),
        "video.marker" => pictures(|data| data[1] &= 0x7f),
        "video.packetization-mode" => pictures(|data| data[12] = data[12] & 0xe0 | 28),
        "video.timestamp-rate" => pictures(|data| halves(data, 4, |t| t.wrapping_mul(2))),
        "video.pli" | "video.fir" => Mischief::inbound(|data| {
            let feedback = is_rtcp(data) && data.windows(2).any(|w| matches!(w, [0x81 | 0x84, 206]));
            if feedback { Inbound::Drop } else { Inbound::Pass }
        }),
        "video.info-fast-update" => Mischief::reply(|m| m.contains("picture_fast_update"), 200),
        _ => unknown(case),
    }
}

fn stun_case(case: &str) -> Mischief {
    let edit = |edit: fn(&mut Vec<u8>)| Mischief::media(PacketKind::Stun, edit);
    match case {
        "stun.binding" => edit(|data| data[27] ^= 0x55),
        "stun.fingerprint" => edit(|data| {
            if let Some(last) = data.last_mut() {
                *last ^= 0x55;
            }
        }),
        "stun.unknown-attribute" => Mischief::inbound(|data| {
            let Ok(request) = stun::Message::parse(data) else { return Inbound::Pass };
            if request.unknown_required().is_empty() {
                return Inbound::Pass;
            }
            let seen = ([127, 0, 0, 1], 9).into();
            Inbound::Answer(vec![stun::binding_success(&request, seen, None).to_vec()])
        }),
        "stun.takes-garbage" => stops_at(|data| data.len() == 19 && data[0] == 0),
        _ => unknown(case),
    }
}
