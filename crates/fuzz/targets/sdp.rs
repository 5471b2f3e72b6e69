//! SDP: a description that is read is written line for line; whatever is offered gets an answer or a reason,
//! and whatever comes as an answer leaves this side in order.

#![no_main]

use libfuzzer_sys::fuzz_target;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use visavis_proto::io::MediaChoice;
use visavis_proto::limits::Limits;
use visavis_proto::sdp::{
    Capabilities, Facetime2010, LocalMedia, LocalStream, Negotiated, OfferAnswer, SessionDescription,
};

const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));

fuzz_target!(|data: &[u8]| {
    let limits = Limits::default();
    let description = match SessionDescription::parse(data, &limits) {
        Ok(description) => description,
        Err(error) => {
            let _ = error.to_string();
            return;
        }
    };
    look(&description);
    let large = Limits { sdp_body: usize::MAX, ..limits };
    assert_eq!(SessionDescription::parse(&description.to_bytes(), &large).as_ref(), Ok(&description));

    let facetime = |emulate| Capabilities::facetime2010(Facetime2010 { emulate, ..Facetime2010::default() });
    for capabilities in [Capabilities::default(), facetime(true), facetime(false)] {
        converse(&description, &capabilities, data.len().is_multiple_of(7), &large);
    }
});

/// The description as an offer, as an answer and as a re-offer.
fn converse(description: &SessionDescription, capabilities: &Capabilities, hold: bool, large: &Limits) {
    let stream = |ssrc| LocalStream::one_port(SocketAddr::new(ADDRESS, 16_402), Some(ssrc));
    let media = LocalMedia {
        capabilities,
        choice: MediaChoice::BOTH,
        hold,
        audio: stream(1),
        video: stream(2),
        cname: "lab",
    };
    let mut answerer = OfferAnswer::new(1, ADDRESS);
    match answerer.answer(description, &media) {
        Ok((answer, negotiated)) => {
            assert_eq!(answer.media.len(), description.media.len());
            for (ours, theirs) in answer.media.iter().zip(&description.media) {
                assert!(ours.media.eq_ignore_ascii_case(&theirs.media));
                assert!(theirs.port != 0 || ours.port == 0, "a refused section came back");
            }
            assert_eq!(SessionDescription::parse(&answer.to_bytes(), large), Ok(answer));
            agreed(&negotiated);
        }
        Err(error) => {
            let _ = error.to_string();
            assert!(answerer.local().is_none());
        }
    }

    // The same description as the answer to our own offer, and then as a re-offer.
    let mut offerer = OfferAnswer::new(2, ADDRESS);
    offerer.offer(&media).expect("an offer can always be made");
    match offerer.apply_answer(description) {
        Ok(negotiated) => agreed(&negotiated),
        Err(error) => {
            let _ = error.to_string();
        }
    }
    assert!(!offerer.is_offer_pending());
    if let Ok((_, negotiated)) = offerer.answer(description, &media) {
        agreed(&negotiated);
    }
    let again = offerer.offer(&media).expect("nothing is pending");
    assert!(SessionDescription::parse(&again.to_bytes(), large).is_ok());
}

/// Reads everything that has a type.
fn look(description: &SessionDescription) {
    let _ = (description.origin(), description.time(), description.connection(), description.direction());
    let _ = description.bandwidths().count();
    for section in &description.media {
        let _ = (section.payload_types().count(), section.bandwidths().count());
        let _ = (description.section_direction(section), description.section_connections(section));
    }
}

/// Looks at what media would be sent and expected.
fn agreed(negotiated: &Negotiated) {
    assert_eq!(negotiated.to_sections().len(), negotiated.sections.len());
    for section in &negotiated.sections {
        let _ = section.to_section();
        if section.is_active() {
            assert!(section.send_format().is_some() || section.receive_format().is_some());
        }
        for format in section.send.iter().chain(&section.receive) {
            let _ = (section.sent_as(format), section.received_as(format));
        }
        for format in &section.receive {
            assert_eq!(
                section.received(format.payload_type).map(|f| f.payload_type),
                Some(format.payload_type)
            );
        }
    }
}
