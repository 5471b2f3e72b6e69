//! STUN on the port of media: RFC 8489, where ICE was agreed on or the peer answers of its own accord.

use super::rtp::{goes_on, talked};
use crate::case::{Finding, applies, ensure, table};
use crate::lab::{Call, Lab, Which};
use std::time::Duration;
use visavis_proto::stun::{Builder, Class, Fingerprint, Message, TransactionId};

table! {
    "stun.binding", "8489", "6.3.1",
    "A Binding request is answered by a success response with the same transaction id and XOR-MAPPED-ADDRESS."
        => binding;
    "stun.fingerprint", "8489", "14.7",
    "\"When present, the FINGERPRINT attribute MUST be the last attribute\", with the CRC-32 of all before it."
        => fingerprint;
    "stun.unknown-attribute", "8489", "6.3.1",
    "An unknown attribute that must be understood gets an error response 420 with UNKNOWN-ATTRIBUTES."
        => unknown_attribute;
    "stun.takes-garbage", "8489", "6.3",
    "What is no well-formed STUN message is silently discarded."
        => garbage;
}

const AUDIO: usize = Which::Audio as usize;

/// A transaction id of the day's dialect.
fn transaction(lab: &Lab) -> TransactionId {
    let mut id = [0; 16];
    id[..4].copy_from_slice(&visavis_proto::stun::COOKIE);
    let token = lab.token();
    id[4..].copy_from_slice(&token.as_bytes()[..12]);
    TransactionId(id)
}

/// Sends a request, three times if need be, and gives the message that answers it.
async fn ask(
    lab: &mut Lab,
    call: &Call,
    request: &[u8],
    id: TransactionId,
) -> Result<Option<Message>, Finding> {
    let remote = call.remote(Which::Audio);
    for _ in 0..3 {
        lab.send_media(Which::Audio, remote, false, request).await?;
        let answer = move |lab: &Lab| answer(lab, id);
        if lab.until(Duration::from_millis(500), |lab| answer(lab).is_some()).await {
            return Ok(self::answer(lab, id));
        }
    }
    Ok(None)
}

fn answer(lab: &Lab, id: TransactionId) -> Option<Message> {
    let messages = lab.lines[AUDIO].others.iter().filter_map(|(_, _, data)| Message::parse(data).ok());
    messages.into_iter().find(|m| m.transaction == id && matches!(m.class, Class::Success | Class::Error))
}

/// A call with sound and the answer to a plain request; the case does not apply to a peer that answers none and
/// agreed on no ICE.
async fn answered(lab: &mut Lab) -> Result<(Call, TransactionId, Message), Finding> {
    let call = talked(lab, Duration::from_millis(200)).await?;
    let id = transaction(lab);
    let request = Builder::binding(Class::Request, id).finish(None);
    let found = ask(lab, &call, &request, id).await?;
    let Some(message) = found else {
        return Err(Finding::NotApplicable(
            "the peer answers no STUN on the port of media, and offered none".into(),
        ));
    };
    Ok((call, id, message))
}

async fn binding(lab: &mut Lab) -> Result<(), Finding> {
    let (_, _, message) = answered(lab).await?;
    // One that wants credentials of ICE has answered as well, and says so.
    if message.class == Class::Error {
        let code = message.error_code();
        ensure!(matches!(code, Some(400 | 401)), "the Binding request got error {code:?}");
        return Err(Finding::NotApplicable("the peer wants credentials, and ICE was not agreed on".into()));
    }
    let mapped = message.mapped_address();
    let ours = lab.lines[AUDIO].local();
    ensure!(mapped == Some(ours), "XOR-MAPPED-ADDRESS is {mapped:?}, the request came from {ours}");
    Ok(())
}

async fn fingerprint(lab: &mut Lab) -> Result<(), Finding> {
    let (_, _, message) = answered(lab).await?;
    let found = message.fingerprint();
    applies!(found != Fingerprint::Absent, "the response has no FINGERPRINT");
    ensure!(
        found == Fingerprint::Valid,
        "the FINGERPRINT of the response is wrong, or not the last attribute"
    );
    Ok(())
}

async fn unknown_attribute(lab: &mut Lab) -> Result<(), Finding> {
    let (call, _, message) = answered(lab).await?;
    applies!(message.class == Class::Success, "the peer answers no request without credentials");
    let id = transaction(lab);
    let request = Builder::binding(Class::Request, id).attribute(0x7f55, b"what?").finish(None);
    let Some(message) = ask(lab, &call, &request, id).await? else {
        return Err(Finding::Fail("a request with an unknown attribute gets no answer".into()));
    };
    let code = message.error_code();
    ensure!(code == Some(420), "an unknown attribute got {code:?} ({:?})", message.class);
    use visavis_proto::stun::attribute::UNKNOWN_ATTRIBUTES;
    let listed = message.get(UNKNOWN_ATTRIBUTES).unwrap_or_default();
    ensure!(listed.starts_with(&[0x7f, 0x55]), "UNKNOWN-ATTRIBUTES lists {listed:02x?}");
    Ok(())
}

async fn garbage(lab: &mut Lab) -> Result<(), Finding> {
    let mut call = talked(lab, Duration::from_millis(300)).await?;
    let id = transaction(lab);
    let whole = Builder::binding(Class::Request, id).attribute(0x0006, b"name").finish(None);
    let mut long = whole.to_vec();
    long[2..4].copy_from_slice(&0xfff0u16.to_be_bytes());
    let remote = call.remote(Which::Audio);
    for octets in
        [&whole[..19], &long, &[0, 1, 0, 3, 0x21, 0x12, 0xa4, 0x42, 0, 0, 0], &[0x00; 20], &[0x3f; 40]]
    {
        lab.send_media(Which::Audio, remote, false, octets).await?;
        lab.listen(Duration::from_millis(20)).await;
    }
    let answered = answer(lab, id).is_some();
    ensure!(!answered, "a broken request got an answer");
    goes_on(lab, &mut call).await
}
