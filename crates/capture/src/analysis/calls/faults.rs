//! What an offer and its answer come to, and what is wrong with them: RFC 3264 sections 6 and 8, RFC 4568 section 5.

use crate::findings::SectionFindings;
use visavis_proto::io::Direction;
use visavis_proto::sdp::{SectionView, SessionDescription, View};

/// The most faults of one exchange that are named.
const MAX_FAULTS: usize = 32;

/// What came of each section of an offer.
pub(super) fn sections(
    offer: &SessionDescription,
    answer: Option<&SessionDescription>,
) -> Vec<SectionFindings> {
    let offer = View::new(offer, false);
    let answer = answer.map(|answer| View::new(answer, false));
    let mut answers = answer.iter().flat_map(View::sections);
    offer.sections().map(|section| one(&section, answers.next().as_ref())).collect()
}

fn one(offer: &SectionView<'_>, answer: Option<&SectionView<'_>>) -> SectionFindings {
    let description = offer.description();
    let accepted = answer.is_some_and(|answer| description.port != 0 && answer.description().port != 0);
    let crypto = answer.filter(|_| accepted).and_then(|answer| answer.crypto().next());
    SectionFindings {
        media: description.media.clone(),
        transport: description.transport.clone(),
        accepted,
        offered: formats(offer),
        answered: answer.map(formats).unwrap_or_default(),
        direction: answer.map(|answer| joined(offer.direction(), answer.direction()).as_str().to_owned()),
        offerer: offer.rtp(),
        answerer: answer.and_then(SectionView::rtp),
        crypto: crypto.map(|line| line.suite.to_owned()),
    }
}

/// Formats as `96 H264/90000`, or the number alone where nothing describes it.
fn formats(section: &SectionView<'_>) -> Vec<String> {
    let described = |format: &String| {
        let payload_type: Option<u8> = format.parse().ok();
        let name = payload_type.and_then(|pt| section.rtpmap(pt).or_else(|| static_name(pt)));
        name.map_or_else(|| format.clone(), |name| format!("{format} {name}"))
    };
    section.description().formats.iter().map(described).collect()
}

fn static_name(payload_type: u8) -> Option<&'static str> {
    crate::analysis::streams::static_types::of(payload_type).map(|known| known.rtpmap)
}

/// Which way media flow, seen from the offerer.
fn joined(offer: Direction, answer: Direction) -> Direction {
    Direction::new(offer.sends() && answer.receives(), offer.receives() && answer.sends())
}

/// What is wrong with an answer.
pub(super) fn of_answer(offer: &SessionDescription, answer: &SessionDescription) -> Vec<String> {
    let mut faults = Vec::new();
    let (offered, answered) = (offer.media.len(), answer.media.len());
    if offered != answered {
        faults.push(format!("{answered} media sections answer {offered} (RFC 3264 section 6)"));
    }
    let (offer, answer) = (View::new(offer, false), View::new(answer, false));
    for (index, (offer, answer)) in offer.sections().zip(answer.sections()).enumerate() {
        faults.extend(
            of_section(&offer, &answer).into_iter().map(|fault| format!("section {}: {fault}", index + 1)),
        );
    }
    faults.truncate(MAX_FAULTS);
    faults
}

fn of_section(offer: &SectionView<'_>, answer: &SectionView<'_>) -> Vec<String> {
    let (asked, said) = (offer.description(), answer.description());
    let mut faults = Vec::new();
    if !asked.media.eq_ignore_ascii_case(&said.media) {
        faults.push(format!("{} answers {} (RFC 3264 section 6.1)", said.media, asked.media));
    }
    if said.port == 0 {
        return faults;
    }
    if asked.port == 0 {
        faults.push("has a port in the answer, and none in the offer".to_owned());
        return faults;
    }
    if !asked.transport.eq_ignore_ascii_case(&said.transport) {
        faults.push(format!("{} answers {}", said.transport, asked.transport));
    }
    let (wanted, taken) = (offer.direction(), answer.direction());
    if (taken.sends() && !wanted.receives()) || (taken.receives() && !wanted.sends()) {
        faults.push(format!("{} answers {} (RFC 3264 section 6.1)", taken.as_str(), wanted.as_str()));
    }
    if offer.is_rtp() && !has_common_format(offer, answer) {
        faults.push("no format of the answer was offered (RFC 3264 section 6.1)".to_owned());
    }
    if !answer.has_connection() {
        faults.push("the answer has no c= line (RFC 8866 section 5.7)".to_owned());
    }
    for line in answer.crypto() {
        if offer.crypto().all(|offered| offered.tag != line.tag || offered.suite != line.suite) {
            faults.push(format!(
                "a=crypto:{} {} was not offered (RFC 4568 section 5.1.2)",
                line.tag, line.suite
            ));
        }
    }
    if offer.crypto().next().is_some() && answer.is_secure() && answer.crypto().next().is_none() {
        faults.push("the answer has no a=crypto (RFC 4568 section 5.1.2)".to_owned());
    }
    faults
}

/// Whether one format of both means the same: by its encoding name, or by number where nothing names it.
fn has_common_format(offer: &SectionView<'_>, answer: &SectionView<'_>) -> bool {
    let names = |section: &SectionView<'_>| -> Vec<String> {
        let names = section.description().payload_types().map(|pt| {
            let name = section.rtpmap(pt).or_else(|| static_name(pt)).map(str::to_ascii_lowercase);
            // One channel need not be written (RFC 8866 section 6.6).
            name.map_or_else(
                || pt.to_string(),
                |name| name.strip_suffix("/1").map_or(name.clone(), str::to_owned),
            )
        });
        names.collect()
    };
    let offered = names(offer);
    names(answer).iter().any(|name| offered.contains(name))
}

/// What is wrong with a description after an earlier one of the same side (RFC 3264 section 8).
pub(super) fn of_repeated(before: &SessionDescription, now: &SessionDescription) -> Vec<String> {
    let mut faults = Vec::new();
    if now.media.len() < before.media.len() {
        faults.push(format!(
            "the offer has {} media sections, the one before had {} (RFC 3264 section 8)",
            now.media.len(),
            before.media.len()
        ));
    }
    let (Some(old), Some(new)) = (before.origin(), now.origin()) else { return faults };
    let numbers = old.session_version.parse::<u64>().ok().zip(new.session_version.parse::<u64>().ok());
    let one_up = numbers.is_none_or(|(old, new)| old.checked_add(1) == Some(new));
    if before != now && old.session_id == new.session_id && !one_up {
        faults.push(format!(
            "the version in o= went from {} to {} with a changed description (RFC 3264 section 8)",
            old.session_version, new.session_version
        ));
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;
    use visavis_proto::limits::Limits;

    fn parse(text: &str) -> SessionDescription {
        SessionDescription::parse(text.as_bytes(), &Limits::default()).unwrap()
    }

    const HEAD: &str = "v=0\no=a 1 1 IN IP4 192.0.2.1\nc=IN IP4 192.0.2.1\n";

    fn faults(offer: &str, answer: &str) -> Vec<String> {
        of_answer(&parse(&format!("{HEAD}{offer}")), &parse(&format!("{HEAD}{answer}")))
    }

    #[test]
    fn a_proper_answer_has_no_fault() {
        let offer = "m=audio 4000 RTP/AVP 0 96\na=rtpmap:96 opus/48000/2\na=sendonly\nm=video 4002 RTP/AVP 97\na=rtpmap:97 H264/90000\n";
        let answer =
            "m=audio 5000 RTP/AVP 111\na=rtpmap:111 OPUS/48000/2\na=recvonly\nm=video 0 RTP/AVP 97\n";
        assert_eq!(faults(offer, answer), Vec::<String>::new());
        let sections = sections(&parse(&format!("{HEAD}{offer}")), Some(&parse(&format!("{HEAD}{answer}"))));
        assert_eq!(sections[0].direction.as_deref(), Some("sendonly"));
        assert_eq!((sections[0].accepted, sections[1].accepted), (true, false));
        assert_eq!(sections[0].offered, ["0 PCMU/8000", "96 opus/48000/2"]);
        assert_eq!(sections[0].answerer, Some("192.0.2.1:5000".parse().unwrap()));
    }

    #[test]
    fn each_fault_is_named() {
        let audio = "m=audio 4000 RTP/AVP 0\n";
        for (offer, answer, word) in [
            (audio, "", "0 media sections answer 1"),
            (audio, "m=video 5000 RTP/AVP 0\n", "video answers audio"),
            (audio, "m=audio 5000 RTP/AVP 8\n", "no format of the answer was offered"),
            ("m=audio 4000 RTP/AVP 0\na=sendonly\n", "m=audio 5000 RTP/AVP 0\n", "sendrecv answers sendonly"),
            ("m=audio 0 RTP/AVP 0\n", "m=audio 5000 RTP/AVP 0\n", "has a port in the answer"),
            (audio, "m=audio 5000 RTP/SAVP 0\n", "RTP/SAVP answers RTP/AVP"),
            (
                "m=audio 4000 RTP/SAVP 0\na=crypto:1 A inline:x\n",
                "m=audio 5000 RTP/SAVP 0\na=crypto:2 B inline:x\n",
                "a=crypto:2 B was not offered",
            ),
            ("m=audio 4000 RTP/SAVP 0\na=crypto:1 A inline:x\n", "m=audio 5000 RTP/SAVP 0\n", "no a=crypto"),
        ] {
            let found = faults(offer, answer).join("; ");
            assert!(found.contains(word), "{word}: {found}");
        }
    }

    #[test]
    fn an_offer_after_another_keeps_its_sections_and_counts_its_version_up_by_one() {
        let first = parse(&format!("{HEAD}m=audio 1 RTP/AVP 0\nm=video 2 RTP/AVP 96\n"));
        let fewer = parse("v=0\no=a 1 3 IN IP4 192.0.2.1\nm=audio 1 RTP/AVP 0\n");
        assert_eq!(of_repeated(&first, &fewer).len(), 2);
        assert_eq!(of_repeated(&first, &first), Vec::<String>::new());
        let next = parse("v=0\no=a 1 2 IN IP4 192.0.2.1\nm=audio 1 RTP/AVP 0\nm=video 0 RTP/AVP 96\n");
        assert_eq!(of_repeated(&first, &next), Vec::<String>::new());
    }
}
