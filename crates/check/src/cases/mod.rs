//! The cases, by group. Each file has a table of them and the scripts below.

mod cancel;
mod content;
mod dialog;
mod glare;
mod invalid;
mod method;
mod offer;
mod reoffer;
mod rtcp;
mod rtp;
mod stun;
mod torture;
mod transaction;
mod video;

use crate::case::{Case, Finding, ensure};
use crate::lab::{Draft, Lab};
use visavis_proto::sip::Response;

/// Every group, in the order in which they run.
pub(crate) const GROUPS: [&[Case]; 14] = [
    transaction::CASES,
    dialog::CASES,
    cancel::CASES,
    glare::CASES,
    method::CASES,
    content::CASES,
    offer::CASES,
    reoffer::CASES,
    rtp::CASES,
    rtcp::CASES,
    video::CASES,
    stun::CASES,
    torture::CASES,
    // Last: a peer that takes what is broken may keep calls that nobody can end.
    invalid::CASES,
];

/// Status and reason phrase, for a person.
fn said(response: &Response) -> String {
    format!("{} {}", response.status, response.reason_text())
}

/// Sends an odd but valid OPTIONS request: it must be answered as a plain one is.
async fn as_plain(lab: &mut Lab, draft: &Draft, octets: &[u8]) -> Result<Response, Finding> {
    let plain = lab.request("OPTIONS");
    let expected = lab.transact(&plain).await?;
    let response = lab.transact_as(draft, octets).await?;
    ensure!(
        response.status == expected.status,
        "a plain OPTIONS request gets {}, this one {}",
        said(&expected),
        said(&response)
    );
    Ok(response)
}

/// The exchange after a request that asks for no answer, or for any: the peer must still be there.
async fn still_there(lab: &mut Lab) -> Result<(), Finding> {
    let method = if lab.facts.options { "OPTIONS" } else { "BYE" };
    let mut ping = lab.request(method);
    if method == "BYE" {
        let to = format!("{};tag={}", ping.text("To"), lab.token());
        ping.set("To", to);
    }
    let octets = ping.bytes();
    let answer = lab.outcome_as(&ping, &octets).await?;
    ensure!(answer.is_some(), "the peer does not answer any more");
    Ok(())
}
