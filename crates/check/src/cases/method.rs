//! Methods, versions, extensions and what OPTIONS tells: RFC 3261 sections 8.2, 11 and 21, RFC 3428, RFC 6086.

use super::{said, still_there};
use crate::case::{Finding, applies, ensure, table};
use crate::lab::Lab;
use visavis_proto::sip::{HeaderName, Response};

table! {
    "method.unknown", "3261", "8.2.1",
    "A method that the UAS does not know or support gets 405 with Allow, or 501 where no server would know it."
        => unknown;
    "method.register", "3261", "8.2.1",
    "A user agent that is no registrar refuses REGISTER, and a 405 MUST have an Allow header field."
        => register;
    "method.require-unknown", "3261", "8.2.2.3",
    "An option tag in Require that is not understood MUST get 420 with that tag in Unsupported."
        => require;
    "method.require-options", "3261", "8.2.2.3",
    "Require is examined in every request, OPTIONS too: 420, and all unknown tags in Unsupported."
        => require_options;
    "method.supported-unknown", "3261", "20.37",
    "Supported lists what the sender can do: unknown option tags in it are no reason to refuse."
        => supported;
    "method.version", "3261", "21.5.6",
    "A version of SIP that is not supported gets 505 (Version Not Supported)."
        => version;
    "method.uri-scheme", "3261", "8.2.2.1",
    "A Request-URI with a scheme that is not supported SHOULD get 416 (Unsupported URI Scheme)."
        => scheme;
    "method.cseq-mismatch", "3261", "8.1.1.5",
    "The method in CSeq MUST match that of the request: one that does not match is not acted upon."
        => mismatch;
    "method.max-forwards-0", "3261", "8.1.1.6",
    "483 is for a Max-Forwards that reaches 0 \"before the request reaches its destination\": the destination answers as ever."
        => max_forwards;
    "method.options-allow", "3261", "11.2",
    "A 200 to OPTIONS SHOULD have Allow, and INVITE and BYE stand in it where calls are taken."
        => options_allow;
    "method.options-accept", "3261", "11.2",
    "A 200 to OPTIONS SHOULD have Accept, with application/sdp in it."
        => options_accept;
    "method.options-supported", "3261", "11.2",
    "A 200 to OPTIONS SHOULD have Supported; empty where no extension is supported."
        => options_supported;
    "method.message", "3428", "7",
    "A 2xx to MESSAGE MUST NOT have a body or a Contact; one who supports MESSAGE MUST take text/plain."
        => message;
    "method.info-unknown-package", "6086", "4.2.2",
    "An INFO with an Info Package that was not agreed on MUST get 469 with a Recv-Info header field."
        => info;
}

async fn unknown(lab: &mut Lab) -> Result<(), Finding> {
    let odd = lab.request("FROBNICATE");
    let response = lab.transact(&odd).await?;
    ensure!(matches!(response.status, 405 | 501), "the method FROBNICATE got {}", said(&response));
    allow_with_405(&response)
}

async fn register(lab: &mut Lab) -> Result<(), Finding> {
    let register = lab.request("REGISTER");
    let response = lab.transact(&register).await?;
    ensure!(response.status >= 400, "a REGISTER got {}", said(&response));
    allow_with_405(&response)
}

fn allow_with_405(response: &Response) -> Result<(), Finding> {
    let allow = response.headers.allow().count();
    ensure!(response.status != 405 || allow > 0, "the 405 has no Allow");
    Ok(())
}

/// The response that refuses two option tags.
fn unsupported(response: &Response, tags: &[&str]) -> Result<(), Finding> {
    ensure!(response.status == 420, "Require with unknown option tags got {}", said(response));
    let listed: Vec<String> = response
        .headers
        .values(HeaderName::Unsupported)
        .map(|value| String::from_utf8_lossy(value).into_owned())
        .collect();
    let missing = tags.iter().find(|tag| !listed.iter().any(|l| l == **tag));
    ensure!(missing.is_none(), "Unsupported of the 420 is {listed:?}, without {missing:?}");
    Ok(())
}

async fn require(lab: &mut Lab) -> Result<(), Finding> {
    let mut invite = lab.invite(&lab.sound());
    invite.push("Require", "visavis-nonesuch");
    let response = lab.transact(&invite).await?;
    unsupported(&response, &["visavis-nonesuch"])
}

async fn require_options(lab: &mut Lab) -> Result<(), Finding> {
    let mut options = lab.request("OPTIONS");
    options.push("Require", "visavis-nonesuch, visavis-other");
    let response = lab.transact(&options).await?;
    unsupported(&response, &["visavis-nonesuch", "visavis-other"])
}

async fn supported(lab: &mut Lab) -> Result<(), Finding> {
    let mut call = lab
        .call_with(lab.sound(), |invite| {
            invite.push("Supported", "visavis-nonesuch, visavis-other");
        })
        .await
        .map_err(|finding| match finding {
            Finding::Error(why) => Finding::Fail(why),
            other => other,
        })?;
    lab.still_up(&mut call).await
}

async fn version(lab: &mut Lab) -> Result<(), Finding> {
    let mut options = lab.request("OPTIONS");
    options.start = options.start.replace("SIP/2.0", "SIP/7.0");
    let response = lab.transact(&options).await?;
    ensure!(response.status == 505, "a request of SIP/7.0 got {}", said(&response));
    Ok(())
}

async fn scheme(lab: &mut Lab) -> Result<(), Finding> {
    let mut options = lab.request("OPTIONS");
    options.start = "OPTIONS nobodyknowsthisscheme:total-gibberish SIP/2.0".into();
    let response = lab.transact(&options).await?;
    ensure!(response.status == 416, "an unknown scheme in the Request-URI got {}", said(&response));
    Ok(())
}

async fn mismatch(lab: &mut Lab) -> Result<(), Finding> {
    let mut options = lab.request("OPTIONS");
    options.set("CSeq", "8 INVITE");
    lab.send(&options).await?;
    // The response names the transaction of the one method or of the other.
    let mut other = options.clone();
    other.start = other.start.replace("OPTIONS", "INVITE");
    let either = [options, other];
    let found = move |s: &crate::lab::Seen| either.iter().find_map(|d| s.response_to(d)).cloned();
    let answer = lab.find(0, std::time::Duration::from_secs(1), found).await;
    if let Some(response) = answer {
        ensure!(response.status >= 400, "an OPTIONS whose CSeq says INVITE got {}", said(&response));
    }
    still_there(lab).await
}

async fn max_forwards(lab: &mut Lab) -> Result<(), Finding> {
    let mut options = lab.request("OPTIONS");
    options.set("Max-Forwards", "0");
    let octets = options.bytes();
    super::as_plain(lab, &options, &octets).await.map(|_| ())
}

/// The 200 to an OPTIONS request.
async fn capabilities(lab: &mut Lab) -> Result<Response, Finding> {
    let options = lab.request("OPTIONS");
    let response = lab.transact(&options).await?;
    applies!(response.is_success(), "OPTIONS gets {}", said(&response));
    Ok(response)
}

async fn options_allow(lab: &mut Lab) -> Result<(), Finding> {
    let response = capabilities(lab).await?;
    let allow: Vec<String> =
        response.headers.allow().map(|m| String::from_utf8_lossy(m).into_owned()).collect();
    ensure!(!allow.is_empty(), "the 200 to OPTIONS has no Allow");
    for method in ["INVITE", "ACK", "CANCEL", "BYE", "OPTIONS"] {
        ensure!(allow.iter().any(|m| m == method), "Allow is {allow:?}, without {method}");
    }
    Ok(())
}

async fn options_accept(lab: &mut Lab) -> Result<(), Finding> {
    let response = capabilities(lab).await?;
    ensure!(response.headers.contains(HeaderName::Accept), "the 200 to OPTIONS has no Accept");
    let sdp = response.headers.accept().flatten().any(|t| t.is("application", "sdp"));
    ensure!(sdp, "Accept is {:?}, without application/sdp", response.headers.text(HeaderName::Accept));
    Ok(())
}

async fn options_supported(lab: &mut Lab) -> Result<(), Finding> {
    let response = capabilities(lab).await?;
    ensure!(response.headers.contains(HeaderName::Supported), "the 200 to OPTIONS has no Supported");
    Ok(())
}

async fn message(lab: &mut Lab) -> Result<(), Finding> {
    let mut message = lab.request("MESSAGE");
    message.body("text/plain", "Good morning.");
    let response = lab.transact(&message).await?;
    let why = said(&response);
    applies!(!matches!(response.status, 405 | 501 | 403 | 404 | 488), "the peer takes no MESSAGE: {why}");
    ensure!(response.is_success(), "a MESSAGE of text/plain got {why}");
    ensure!(response.body.is_empty(), "the {why} to MESSAGE has a body");
    ensure!(!response.headers.contains(HeaderName::Contact), "the {why} to MESSAGE has a Contact");
    Ok(())
}

async fn info(lab: &mut Lab) -> Result<(), Finding> {
    let mut call = lab.call().await?;
    let mut info = call.next(lab, "INFO");
    info.push("Info-Package", "visavis-nonesuch").push("Content-Disposition", "Info-Package");
    info.body("application/x-nonesuch", "x");
    let response = lab.transact(&info).await?;
    let why = said(&response);
    applies!(!matches!(response.status, 405 | 501), "the peer takes no INFO: {why}");
    ensure!(response.status == 469, "an INFO with an unknown package got {why}");
    ensure!(response.headers.contains(HeaderName::Other("Recv-Info")), "the 469 has no Recv-Info");
    lab.still_up(&mut call).await
}
