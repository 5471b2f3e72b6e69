//! Messages that are broken, in the spirit of RFC 4475 section 3.1.2 and 3.3: they must not be acted upon, and must
//! not harm whoever gets them.

use super::{said, still_there};
use crate::case::{Finding, ensure, table};
use crate::lab::{Draft, Lab};
use std::time::Duration;

table! {
    "invalid.no-call-id", "3261", "8.1.1",
    "Every request MUST have a Call-ID: one without is not carried out."
        => no_call_id;
    "invalid.no-cseq", "3261", "8.1.1",
    "Every request MUST have a CSeq: one without is not carried out."
        => no_cseq;
    "invalid.no-from", "3261", "8.1.1",
    "Every request MUST have a From: one without is not carried out."
        => no_from;
    "invalid.no-to", "3261", "8.1.1",
    "Every request MUST have a To: one without is not carried out."
        => no_to;
    "invalid.no-via", "3261", "8.1.1",
    "Every request MUST have a Via: one without is not carried out, and there is no way to answer it."
        => no_via;
    "invalid.two-froms", "3261", "7.3.1",
    "Several fields of a name that is no list MUST NOT be present: a request with two From fields is not carried out."
        => two_froms;
    "invalid.content-length-too-long", "3261", "18.3",
    "A datagram that ends before its body does is an error: the request SHOULD get 400."
        => too_long;
    "invalid.content-length-negative", "3261", "20.14",
    "Any Content-Length of zero or more is valid; a request with a negative one is not carried out."
        => negative;
    "invalid.cseq-too-large", "3261", "20.16",
    "The number in CSeq MUST be expressible in 32 bits: a request with a larger one is not carried out."
        => large_seq;
    "invalid.broken-start-line", "3261", "7.1",
    "A request line is Method SP Request-URI SP SIP-Version: what has other fields is not carried out."
        => start_line;
    "invalid.bad-uri", "3261", "21.4.1",
    "A Request-URI that breaks the syntax gets 400, or nothing: the request is not carried out."
        => bad_uri;
    "invalid.unterminated-quote", "3261", "25.1",
    "A quoted string has an end: an open quote in From is refused or read with good will, and harms nobody."
        => quote;
    "invalid.nul", "3261", "25.1",
    "NUL octets in a header field harm nobody: whatever the answer, the peer goes on."
        => nul;
    "invalid.not-utf8", "3261", "7",
    "SIP is UTF-8 text: octets that are none harm nobody, and the peer goes on."
        => not_utf8;
    "invalid.empty-datagram", "3261", "7.5",
    "An empty datagram, line ends and NULs alone, as keep-alives send them, get no answer and harm nobody."
        => empty;
    "invalid.garbage", "3261", "7",
    "What is no SIP message gets no response, and the peer goes on."
        => garbage;
    "invalid.stray-response", "3261", "18.1.2",
    "A response that matches no client transaction is dropped: it gets no answer and begins nothing."
        => stray_response;
    "invalid.cut-off", "3261", "7",
    "\"The empty line MUST be present\": a message that ends within its header, at any place, is not carried out."
        => cut_off;
}

/// Sends a broken INVITE: whatever comes back, it must not be accepted.
async fn not_accepted(lab: &mut Lab, draft: Draft, octets: &[u8]) -> Result<(), Finding> {
    let from = lab.seen.len();
    lab.send_as(&draft, octets).await?;
    lab.listen(Duration::from_millis(700)).await;
    let accepted = lab.seen.iter().skip(from).find_map(|seen| match &seen.message {
        visavis_proto::sip::Message::Response(response) if response.is_success() => Some(said(response)),
        _ => None,
    });
    ensure!(accepted.is_none(), "it was accepted with {}", accepted.unwrap_or_default());
    still_there(lab).await
}

async fn without(lab: &mut Lab, name: &str) -> Result<(), Finding> {
    let mut invite = lab.invite(&lab.sound());
    invite.remove(name);
    let octets = invite.bytes();
    not_accepted(lab, invite, &octets).await
}

async fn no_call_id(lab: &mut Lab) -> Result<(), Finding> {
    without(lab, "Call-ID").await
}

async fn no_cseq(lab: &mut Lab) -> Result<(), Finding> {
    without(lab, "CSeq").await
}

async fn no_from(lab: &mut Lab) -> Result<(), Finding> {
    without(lab, "From").await
}

async fn no_to(lab: &mut Lab) -> Result<(), Finding> {
    without(lab, "To").await
}

async fn no_via(lab: &mut Lab) -> Result<(), Finding> {
    without(lab, "Via").await
}

async fn two_froms(lab: &mut Lab) -> Result<(), Finding> {
    let mut invite = lab.invite(&lab.sound());
    invite.push("From", format!("<sip:other@{}>;tag={}", lab.local(), lab.token()));
    let octets = invite.bytes();
    not_accepted(lab, invite, &octets).await
}

/// An INVITE with this value in place of the right one.
async fn with(lab: &mut Lab, name: &str, value: &str) -> Result<(), Finding> {
    let mut invite = lab.invite(&lab.sound());
    invite.set(name, value);
    let octets = invite.bytes();
    not_accepted(lab, invite, &octets).await
}

async fn too_long(lab: &mut Lab) -> Result<(), Finding> {
    with(lab, "Content-Length", "9999").await
}

async fn negative(lab: &mut Lab) -> Result<(), Finding> {
    with(lab, "Content-Length", "-999").await
}

async fn large_seq(lab: &mut Lab) -> Result<(), Finding> {
    with(lab, "CSeq", "36893488147419103232 INVITE").await
}

async fn quote(lab: &mut Lab) -> Result<(), Finding> {
    let mut options = lab.request("OPTIONS");
    options.set("From", format!("\"open <sip:check@{}>;tag={}", lab.local(), lab.token()));
    lab.send(&options).await?;
    lab.listen(Duration::from_millis(500)).await;
    still_there(lab).await
}

async fn start_line(lab: &mut Lab) -> Result<(), Finding> {
    let invite = lab.invite(&lab.sound());
    let uri = lab.peer.uri.clone();
    for line in [format!("INVITE {uri} SIP/2.0 surplus"), format!("INVITE {uri}"), "INVITE".to_owned()] {
        let mut broken = invite.clone();
        let branch = format!("z9hG4bK{}", lab.token());
        broken.rebranch(&branch).start = line;
        let octets = broken.bytes();
        not_accepted(lab, broken, &octets).await?;
    }
    Ok(())
}

async fn bad_uri(lab: &mut Lab) -> Result<(), Finding> {
    let mut invite = lab.invite(&lab.sound());
    let octets = String::from_utf8_lossy(&invite.bytes()).into_owned();
    invite.start = "INVITE sip:[nowhere SIP/2.0".into();
    let (_, rest) = octets.split_once("\r\n").unwrap_or_default();
    let octets = format!("{}\r\n{rest}", invite.start);
    not_accepted(lab, invite, octets.as_bytes()).await
}

async fn nul(lab: &mut Lab) -> Result<(), Finding> {
    let mut options = lab.request("OPTIONS");
    options.push("Subject", b"before\0after").push("X-Nul", b"\0\0\0");
    lab.send(&options).await?;
    lab.listen(Duration::from_millis(500)).await;
    still_there(lab).await
}

async fn not_utf8(lab: &mut Lab) -> Result<(), Finding> {
    let mut options = lab.request("OPTIONS");
    options.push("Subject", b"\xff\xfe\x80\xc0\xaf").push("User-Agent", b"\xed\xa0\x80");
    let from = [b"\"\xc3\x28\xf0\x9f\" ".as_slice(), options.text("From").as_bytes()].concat();
    options.set("From", from);
    lab.send(&options).await?;
    lab.listen(Duration::from_millis(500)).await;
    still_there(lab).await
}

/// Sends what is no request: nothing may come back.
async fn nothing_for(lab: &mut Lab, octets: &[u8]) -> Result<(), Finding> {
    let from = lab.seen.len();
    lab.send_octets(octets).await?;
    lab.listen(Duration::from_millis(300)).await;
    let answers = lab.seen.len() - from;
    ensure!(answers == 0, "{answers} messages came in return");
    Ok(())
}

async fn empty(lab: &mut Lab) -> Result<(), Finding> {
    for octets in [&b""[..], b"\r\n\r\n", b"\0\0\0\0", b"\r\n"] {
        nothing_for(lab, octets).await?;
    }
    still_there(lab).await
}

async fn garbage(lab: &mut Lab) -> Result<(), Finding> {
    let noise: Vec<u8> = (0..900u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8 & 0x7f).collect();
    let html = b"GET / HTTP/1.1\r\nHost: nowhere\r\n\r\n";
    for octets in [&b"hello"[..], b"jaK ", b": \r\n\r\n", &noise] {
        nothing_for(lab, octets).await?;
    }
    lab.send_octets(html).await?;
    lab.listen(Duration::from_millis(200)).await;
    still_there(lab).await
}

async fn stray_response(lab: &mut Lab) -> Result<(), Finding> {
    let invite = lab.invite(&lab.sound());
    let mut response = invite.clone();
    response.start = "SIP/2.0 200 OK".into();
    let to = format!("{};tag={}", invite.text("To"), lab.token());
    response.set("To", to);
    nothing_for(lab, &response.bytes()).await?;
    still_there(lab).await
}

async fn cut_off(lab: &mut Lab) -> Result<(), Finding> {
    let invite = lab.invite(&lab.sound());
    let octets = invite.bytes();
    let header = octets.windows(4).position(|w| w == b"\r\n\r\n").unwrap_or(octets.len());
    for part in 1..10 {
        let mut piece = invite.clone();
        let branch = format!("z9hG4bK{}", lab.token());
        piece.rebranch(&branch);
        let octets = piece.bytes();
        lab.send_as(&piece, octets.get(..header * part / 10).unwrap_or_default()).await?;
    }
    lab.listen(Duration::from_millis(700)).await;
    let accepted = lab.finals(&invite).into_iter().find(|(_, r)| r.is_success());
    ensure!(accepted.is_none(), "a message that was cut off was accepted");
    still_there(lab).await
}
