//! Bodies: RFC 3261 sections 8.2.3 and 20.11, RFC 5621.

use super::said;
use crate::case::{Finding, applies, ensure, table};
use crate::lab::{Lab, description};
use visavis_proto::sip::HeaderName;

table! {
    "content.unknown-type", "3261", "8.2.3",
    "A body whose type is not understood MUST get 415 with an Accept header field that lists what is."
        => unknown_type;
    "content.unknown-encoding", "3261", "8.2.3",
    "A content encoding that is not understood MUST get 415 with an Accept-Encoding header field."
        => unknown_encoding;
    "content.optional", "3261", "8.2.3",
    "A type that is not understood makes a UAS refuse where \"that body part is not optional\": with handling=optional it goes on."
        => optional;
    "content.multipart", "5621", "4.2",
    "User agents MUST support multipart bodies: an INVITE whose offer is a part of multipart/mixed is taken."
        => multipart;
    "content.type-parameters", "3261", "7.4.1",
    "Content-Type may have parameters, and types are compared without regard to case."
        => parameters;
    "content.broken-sdp", "3261", "13.3.1",
    "An offer that cannot be read is refused: the call must not come about by it."
        => broken;
    "content.sdp-line-ends", "8866", "5",
    "Parsers SHOULD be tolerant and also accept lines that are terminated with a single newline."
        => line_ends;
}

async fn unknown_type(lab: &mut Lab) -> Result<(), Finding> {
    let mut invite = lab.request("INVITE");
    invite.body("application/x-visavis-nonesuch", "who reads this?");
    let response = lab.transact(&invite).await?;
    ensure!(response.status == 415, "an INVITE with a body of an unknown type got {}", said(&response));
    ensure!(response.headers.contains(HeaderName::Accept), "the 415 has no Accept");
    Ok(())
}

async fn unknown_encoding(lab: &mut Lab) -> Result<(), Finding> {
    let mut invite = lab.invite(&lab.sound());
    invite.push("Content-Encoding", "visavis-nonesuch");
    let response = lab.transact(&invite).await?;
    ensure!(response.status == 415, "an INVITE with an unknown Content-Encoding got {}", said(&response));
    ensure!(response.headers.contains(HeaderName::AcceptEncoding), "the 415 has no Accept-Encoding");
    Ok(())
}

async fn optional(lab: &mut Lab) -> Result<(), Finding> {
    let mut invite = lab.request("INVITE");
    invite.push("Content-Disposition", "signal;handling=optional");
    invite.body("application/x-visavis-nonesuch", "who reads this?");
    let response = lab.transact(&invite).await?;
    ensure!(response.is_success(), "an INVITE with a body that is optional got {}", said(&response));
    // What is left is an INVITE without an offer.
    description(&response).map(|_| ())
}

async fn multipart(lab: &mut Lab) -> Result<(), Finding> {
    let offer = lab.sound();
    let body = format!(
        "--part\r\nContent-Type: application/sdp\r\n\r\n{}\r\n--part\r\nContent-Type: text/plain\r\n\
         Content-Disposition: render;handling=optional\r\n\r\nhello\r\n--part--\r\n",
        offer.text()
    );
    let mut invite = lab.request("INVITE");
    invite.body("multipart/mixed;boundary=part", body);
    let response = lab.transact(&invite).await?;
    ensure!(response.is_success(), "an offer in multipart/mixed got {}", said(&response));
    let answer = description(&response)?;
    ensure!(answer.media.len() == 1, "one m= line was offered, {} are in the answer", answer.media.len());
    Ok(())
}

async fn parameters(lab: &mut Lab) -> Result<(), Finding> {
    let offer = lab.sound();
    let mut invite = lab.request("INVITE");
    invite.body("Application/SDP ; charset=\"utf-8\";x=y", offer.text());
    let response = lab.transact(&invite).await?;
    ensure!(response.is_success(), "an offer of the type Application/SDP;charset got {}", said(&response));
    Ok(())
}

async fn broken(lab: &mut Lab) -> Result<(), Finding> {
    let port = lab.sound_section().port;
    let texts = [
        "v=0\r\no=broken\r\nthis is no line of SDP\r\nm=audio\r\n".to_owned(),
        format!(
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {port}\r\n"
        ),
    ];
    for text in texts {
        let mut invite = lab.request("INVITE");
        invite.body("application/sdp", &text);
        let response = lab.transact(&invite).await?;
        ensure!(!response.is_success(), "a broken offer got {}: {text:?}", said(&response));
    }
    super::still_there(lab).await
}

async fn line_ends(lab: &mut Lab) -> Result<(), Finding> {
    let offer = lab.sound();
    let mut invite = lab.request("INVITE");
    invite.body("application/sdp", offer.text().replace("\r\n", "\n"));
    let response = lab.transact(&invite).await?;
    applies!(lab.facts.refusal.is_none(), "the peer takes no calls");
    ensure!(response.is_success(), "an offer with bare line feeds got {}", said(&response));
    let answer = description(&response)?;
    ensure!(answer.media.first().is_some_and(|m| m.port != 0), "its sound is rejected");
    Ok(())
}
