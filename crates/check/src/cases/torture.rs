//! Messages that are odd and valid, in the spirit of RFC 4475: RFC 3261 sections 7, 18 and 25.

use super::{as_plain, said};
use crate::case::{Finding, applies, ensure, table};
use crate::lab::{Draft, Lab};
use visavis_proto::sip::HeaderName;

table! {
    "torture.folding", "3261", "7.3.1",
    "A line that begins with white space continues the header field above it, and stands for a single space."
        => folding;
    "torture.white-space", "3261", "7.3.1",
    "White space may stand on both sides of the colon, and around separators within values."
        => white_space;
    "torture.compact-forms", "3261", "7.3.3",
    "An implementation MUST accept the compact form of a header field name as well as the long one."
        => compact;
    "torture.name-case", "3261", "7.3.1",
    "Header field names are compared without regard to case."
        => case;
    "torture.order", "3261", "7.3.1",
    "The order of header fields with different names is not significant: Via and all others may stand last."
        => order;
    "torture.unknown-headers", "3261", "8.2.2",
    "A header field that is not understood MUST be ignored, and so SHOULD be one that is malformed and not needed."
        => unknown_headers;
    "torture.comma-lists", "3261", "7.3.1",
    "Several values in one field, divided by commas, are the same as several fields with one value each."
        => comma_lists;
    "torture.quoted-display", "3261", "25.1",
    "In a quoted display name <, >, ;, comma and escaped quotes are text, and say nothing of tags and URIs."
        => quoted;
    "torture.escaped-uri", "3261", "19.1.4",
    "A character in a URI is equivalent to its %-encoding, which the user part may use."
        => escaped;
    "torture.uri-parameters", "3261", "19.1.1",
    "Any URI parameters may stand in a SIP URI, and elements MUST silently ignore those that they do not understand."
        => parameters;
    "torture.foreign-schemes", "3261", "8.2.2.1",
    "A UAS is RECOMMENDED to accept requests whose To has a URI scheme that it does not know; From likewise."
        => schemes;
    "torture.utf8", "3261", "7.3.1",
    "Values may hold UTF-8 text, in display names as elsewhere."
        => utf8;
    "torture.long-values", "3261", "25.1",
    "The grammar sets no bound to tokens, display names and parameters: hundreds of octets are as good as ten."
        => long_values;
    "torture.large-message", "3261", "18.1.1",
    "Implementations MUST be able to handle messages up to the maximum datagram size, 65535 octets."
        => large;
    "torture.leading-crlf", "3261", "7.5",
    "Implementations SHOULD ignore any CRLF before the start line."
        => leading;
    "torture.no-content-length", "3261", "18.3",
    "Without Content-Length the body ends with the datagram: an offer in it is taken."
        => no_length;
    "torture.trailing-octets", "3261", "18.3",
    "Octets beyond Content-Length MUST be discarded: the rest is a message as any other."
        => trailing;
    "torture.unknown-authorization", "3261", "22.1",
    "Credentials that nobody asked for, in a scheme that nobody knows, do not matter to one who needs none."
        => authorization;
    "torture.many-vias", "3261", "8.2.6.2",
    "However many Via values a request has, all of them come back in the response."
        => many_vias;
}

/// An OPTIONS request that `edit` has changed, answered as a plain one is.
async fn odd(lab: &mut Lab, edit: impl FnOnce(&mut Draft, &Lab)) -> Result<(), Finding> {
    let mut options = lab.request("OPTIONS");
    edit(&mut options, lab);
    let octets = options.bytes();
    as_plain(lab, &options, &octets).await.map(|_| ())
}

/// The same where only the octets change.
async fn rewritten(lab: &mut Lab, edit: impl FnOnce(String) -> String) -> Result<(), Finding> {
    let options = lab.request("OPTIONS");
    let text = String::from_utf8_lossy(&options.bytes()).into_owned();
    let octets = edit(text).into_bytes();
    as_plain(lab, &options, &octets).await.map(|_| ())
}

async fn folding(lab: &mut Lab) -> Result<(), Finding> {
    rewritten(lab, |text| {
        text.replace(";branch=", "\r\n ;branch=")
            .replace("From: \"visavis check\" ", "From:\r\n  \"visavis check\"\r\n\t")
            .replace("CSeq: 1 ", "CSeq: 1\r\n  ")
    })
    .await
}

async fn white_space(lab: &mut Lab) -> Result<(), Finding> {
    rewritten(lab, |text| {
        text.replace("Via: SIP/2.0/UDP ", "Via  :  SIP / 2.0 / UDP   ")
            .replace(";branch=", " ; branch=")
            .replace(";tag=", " ;  tag=")
            .replace("CSeq: ", "CSeq\t: \t")
            .replace("Max-Forwards: 70", "Max-Forwards:70 ")
    })
    .await
}

async fn compact(lab: &mut Lab) -> Result<(), Finding> {
    let names = [
        ("Via:", "v:"),
        ("From:", "f:"),
        ("To:", "t:"),
        ("Call-ID:", "i:"),
        ("Contact:", "m:"),
        ("Content-Length:", "l:"),
        ("Content-Type:", "c:"),
    ];
    let invite = lab.invite(&lab.sound());
    let mut text = String::from_utf8_lossy(&invite.bytes()).into_owned();
    for (long, short) in names {
        text = text.replacen(&format!("\n{long}"), &format!("\n{short}"), 1);
    }
    takes_calls(lab)?;
    let response = lab.transact_as(&invite, text.as_bytes()).await?;
    ensure!(response.is_success(), "an INVITE in compact form got {}", said(&response));
    Ok(())
}

async fn case(lab: &mut Lab) -> Result<(), Finding> {
    rewritten(lab, |text| {
        text.replace("\nVia:", "\nVIA:")
            .replace("\nFrom:", "\nfrom:")
            .replace("\nTo:", "\nTO:")
            .replace("\nCall-ID:", "\ncALL-iD:")
            .replace("\nCSeq:", "\ncseq:")
            .replace("\nMax-Forwards:", "\nMAX-FORWARDS:")
            .replace("\nContent-Length:", "\ncontent-LENGTH:")
    })
    .await
}

async fn order(lab: &mut Lab) -> Result<(), Finding> {
    odd(lab, |options, _| options.fields.reverse()).await
}

async fn unknown_headers(lab: &mut Lab) -> Result<(), Finding> {
    odd(lab, |options, _| {
        options.push("X-Visavis-Nonesuch", "a;b=\"c,d\" <sip:x@y>").push("P", "q").push("X-Empty", "");
        options.push("Date", "the day before yesterday").push("Expires", "soon").push("Retry-After", "?");
        options.push("NewFangledHeader!%*_+`'~", "newfangled value");
    })
    .await
}

async fn comma_lists(lab: &mut Lab) -> Result<(), Finding> {
    let mut options = lab.request("OPTIONS");
    let via = options.text("Via");
    options.set(
        "Via",
        format!("{via},SIP/2.0/UDP a.invalid;branch=z9hG4bKa ,\tSIP/2.0/UDP b.invalid;branch=z9hG4bKb"),
    );
    options.push("Accept", "application/sdp;level=1,text/plain , message/sip").push("Accept", "text/html");
    let octets = options.bytes();
    let response = as_plain(lab, &options, &octets).await?;
    let vias = response.headers.values(HeaderName::Via).count();
    ensure!(vias == 3, "three Via values went out in one field, {vias} came back");
    Ok(())
}

async fn quoted(lab: &mut Lab) -> Result<(), Finding> {
    let tag = lab.token();
    let mut options = lab.request("OPTIONS");
    let name = "\"Watson \\\\\\\" <sip:x@y>;tag=wrong, Come here\"";
    options.set("From", format!("{name}<sip:check@{}>;tag={tag}", lab.local()));
    let octets = options.bytes();
    let response = as_plain(lab, &options, &octets).await?;
    let back = response.headers.from().ok().and_then(|from| from.tag().map(<[u8]>::to_vec));
    ensure!(back.as_deref() == Some(tag.as_bytes()), "From came back as {:?}", response.headers.text("From"));
    Ok(())
}

/// Some cases need a call to be accepted.
fn takes_calls(lab: &Lab) -> Result<(), Finding> {
    applies!(lab.facts.refusal.is_none(), "the peer takes no calls");
    Ok(())
}

/// An INVITE whose Request-URI is the peer's own in another form.
async fn invited_as(lab: &mut Lab, uri: &str) -> Result<(), Finding> {
    takes_calls(lab)?;
    let mut invite = lab.invite(&lab.sound());
    invite.start = format!("INVITE {uri} SIP/2.0");
    let response = lab.transact(&invite).await?;
    ensure!(response.is_success(), "an INVITE to {uri} got {}", said(&response));
    Ok(())
}

/// The peer's URI with its first user character escaped; as it is where it has no user part.
fn escaped_uri(uri: &str) -> String {
    let (scheme, rest) = uri.split_at(uri.find(':').map_or(0, |at| at + 1));
    match rest.chars().next() {
        Some(first) if rest.contains('@') && first.is_ascii_alphanumeric() => {
            format!("{scheme}%{:02X}{}", first as u32, rest.get(1..).unwrap_or_default())
        }
        _ => uri.to_owned(),
    }
}

async fn escaped(lab: &mut Lab) -> Result<(), Finding> {
    let uri = escaped_uri(&lab.peer.uri);
    invited_as(lab, &uri).await
}

async fn parameters(lab: &mut Lab) -> Result<(), Finding> {
    let uri = format!("{};visavis-nonesuch=1;other;transport=udp", lab.peer.uri);
    invited_as(lab, &uri).await
}

async fn schemes(lab: &mut Lab) -> Result<(), Finding> {
    odd(lab, |options, lab| {
        options.set("To", "isbn:2983792873");
        options.set("From", format!("<tel:+1-201-555-0123>;tag={}", lab.token()));
    })
    .await
}

async fn utf8(lab: &mut Lab) -> Result<(), Finding> {
    odd(lab, |options, lab| {
        options.set(
            "From",
            format!("\"Zo\u{eb} \u{6d4b}\u{8bd5}\" <sip:check@{}>;tag={}", lab.local(), lab.token()),
        );
        options.push("Subject", "\u{1f4f9} \u{d6}l");
    })
    .await
}

async fn long_values(lab: &mut Lab) -> Result<(), Finding> {
    odd(lab, |options, lab| {
        let long = "a".repeat(300);
        options.set("Call-ID", format!("{}{long}@{long}", lab.token()));
        options.set(
            "From",
            format!("\"{long}\" <sip:{long}@{}>;tag={}{long};{long}={long}", lab.local(), lab.token()),
        );
        options.push(&format!("X-{long}"), &long);
    })
    .await
}

async fn large(lab: &mut Lab) -> Result<(), Finding> {
    odd(lab, |options, _| {
        for n in 0..20 {
            options.push(&format!("X-Padding-{n}"), "p".repeat(400));
        }
    })
    .await
}

async fn leading(lab: &mut Lab) -> Result<(), Finding> {
    rewritten(lab, |text| format!("\r\n\r\n{text}")).await
}

async fn no_length(lab: &mut Lab) -> Result<(), Finding> {
    takes_calls(lab)?;
    let mut invite = lab.invite(&lab.sound());
    invite.length = false;
    let response = lab.transact(&invite).await?;
    ensure!(response.is_success(), "an INVITE without Content-Length got {}", said(&response));
    let answer = crate::lab::description(&response)?;
    ensure!(answer.media.len() == 1, "one m= line was offered, {} are in the answer", answer.media.len());
    Ok(())
}

async fn trailing(lab: &mut Lab) -> Result<(), Finding> {
    rewritten(lab, |text| format!("{text}INVITE sip:nobody@nowhere SIP/2.0\r\nthis is beyond the end\r\n"))
        .await
}

async fn authorization(lab: &mut Lab) -> Result<(), Finding> {
    odd(lab, |options, _| {
        options.push("Authorization", "NoOneKnowsThisScheme opaque-data=here");
    })
    .await
}

async fn many_vias(lab: &mut Lab) -> Result<(), Finding> {
    let mut options = lab.request("OPTIONS");
    for n in 0..30 {
        options.push("Via", format!("SIP/2.0/UDP hop{n}.invalid:5060;branch=z9hG4bKhop{n}"));
    }
    let octets = options.bytes();
    let response = as_plain(lab, &options, &octets).await?;
    let back = response.headers.values(HeaderName::Via).count();
    ensure!(back == 31, "31 Via values went out, {back} came back");
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_first_character_of_the_user_is_escaped() {
        assert_eq!(super::escaped_uri("sip:lab@127.0.0.1:5060"), "sip:%6Cab@127.0.0.1:5060");
        assert_eq!(super::escaped_uri("sip:127.0.0.1"), "sip:127.0.0.1");
    }
}
