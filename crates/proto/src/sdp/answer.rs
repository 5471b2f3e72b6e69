//! Answering an offer (RFC 3264 section 6), and reading the answer to ours (section 7).

use super::capabilities::Capabilities;
use super::dialect::{Spoken, softphone};
use super::error::NegotiationError;
use super::exchange::{Agreed, LocalMedia, LocalStream, OfferAnswer, Pending, intersect};
use super::extmap::{self, ExtMap, NegotiatedExtension};
use super::format::Format;
use super::matching::{self, Pairing};
use super::negotiate::{
    Agreement, Destination, Feedback, Negotiated, NegotiatedSection, SessionFacts, apply_session_bounds,
    kind_of,
};
use super::offer::{Terms, section_text, supported_feedback};
use super::session::{MediaDescription, SessionDescription};
use crate::frame::MediaKind;
use crate::io::Direction;

impl OfferAnswer {
    /// Answers an offer. Sections of unknown media or transports, of media that are not wanted and of a second
    /// section of a medium are refused with port 0; the rest keeps the offer's payload types.
    ///
    /// # Errors
    /// [`NegotiationError::NothingInCommon`] (488) where every section that the offer wanted would be refused, and
    /// [`NegotiationError::OfferPending`] (491). The session then stays as it was.
    pub fn answer(
        &mut self,
        offer: &SessionDescription,
        media: &LocalMedia<'_>,
    ) -> Result<(SessionDescription, Negotiated), NegotiationError> {
        self.check_no_pending()?;
        let dialect = media.capabilities.dialect.of(offer);
        let mut accepted: Vec<MediaKind> = Vec::new();
        let mut plans = Vec::with_capacity(offer.media.len());
        for section in &offer.media {
            let plan = plan_section(offer, Spoken { section, dialect }, media, &accepted);
            if let Ok(plan) = &plan {
                accepted.push(plan.kind);
            }
            plans.push(plan);
        }
        let wanted = offer.media.iter().any(|section| section.port != 0);
        if wanted && accepted.is_empty() {
            let reasons = offer
                .media
                .iter()
                .zip(&plans)
                .filter(|(section, _)| section.port != 0)
                .filter_map(|(_, plan)| plan.as_ref().err().cloned())
                .collect();
            return Err(NegotiationError::NothingInCommon { reasons });
        }
        self.reserve(offer);
        let session_address = media.stream(accepted.first().copied().unwrap_or(MediaKind::Audio)).rtp.ip();
        let mut written = Vec::with_capacity(plans.len());
        let mut sections = Vec::with_capacity(plans.len());
        for (section, plan) in offer.media.iter().zip(plans) {
            match plan {
                Err(reason) => {
                    written.push(softphone::refused(section));
                    sections.push(NegotiatedSection::refused(section, reason));
                }
                Ok(plan) => {
                    plan.formats.iter().for_each(|format| self.assign(plan.kind, format));
                    let (extensions, agreed) = self.extensions.answered(
                        &ExtMap::of_section(offer, section),
                        plan.kind,
                        media.capabilities,
                        plan.direction,
                    );
                    written.push(section_text(
                        media,
                        plan.kind,
                        &plan.formats,
                        Terms {
                            dialect,
                            known: Some(section),
                            transport: &section.transport,
                            session_address,
                            direction: plan.direction,
                            rtcp_mux: plan.writes_rtcp_mux,
                            feedback: plan.feedback,
                            extensions: &extensions,
                        },
                    ));
                    sections.push(plan.into_section(
                        Spoken { section, dialect },
                        media.capabilities,
                        media.stream_of(section),
                        agreed,
                    ));
                }
            }
        }
        apply_session_bounds(&mut sections, offer);
        // The time of a session is not negotiated (RFC 3264 section 6).
        let time = offer.time().unwrap_or("0 0").to_owned();
        let answer = self.seal(dialect, &time, (Vec::new(), written), session_address);
        self.agreed = Some(Agreed { local: answer.clone(), remote: offer.clone() });
        Ok((answer, Negotiated { sections, session: SessionFacts::read(offer) }))
    }

    /// Takes the answer to the pending offer. Sections that the answer lacks count as refused.
    ///
    /// # Errors
    /// [`NegotiationError::NothingInCommon`] where every offered section is refused or cannot be used,
    /// [`NegotiationError::TooManySections`], and [`NegotiationError::NoPendingOffer`]. The session then stays as it
    /// was; the offer is no longer pending.
    pub fn apply_answer(&mut self, answer: &SessionDescription) -> Result<Negotiated, NegotiationError> {
        let pending = self.pending.take().ok_or(NegotiationError::NoPendingOffer)?;
        let outcome = read_answer(&pending, answer);
        let Pending { description: offer, assigned_before, .. } = pending;
        let mut sections = outcome.inspect_err(|_| self.forget_from(assigned_before))?;
        self.reserve(answer);
        apply_session_bounds(&mut sections, answer);
        self.agreed = Some(Agreed { local: offer, remote: answer.clone() });
        Ok(Negotiated { sections, session: SessionFacts::read(answer) })
    }
}

/// The sections that come of an answer, without the bounds on the whole session.
fn read_answer(
    pending: &Pending,
    answer: &SessionDescription,
) -> Result<Vec<NegotiatedSection>, NegotiationError> {
    let Pending { description: offer, capabilities, audio, video, .. } = pending;
    let (offered, answered) = (offer.media.len(), answer.media.len());
    if answered > offered {
        return Err(NegotiationError::TooManySections { answered, offered });
    }
    let mut reasons = Vec::new();
    let mut sections = Vec::with_capacity(offered);
    for (index, ours) in offer.media.iter().enumerate() {
        let local = if kind_of(ours) == Some(MediaKind::Video) { *video } else { *audio };
        let theirs = answer.media.get(index);
        let outcome = read_section((offer, ours), (answer, theirs), capabilities, local);
        sections.push(outcome.unwrap_or_else(|reason| {
            if ours.port != 0 {
                reasons.push(reason.clone());
            }
            NegotiatedSection::refused(ours, reason)
        }));
    }
    if !reasons.is_empty() && !sections.iter().any(NegotiatedSection::is_active) {
        return Err(NegotiationError::NothingInCommon { reasons });
    }
    Ok(sections)
}

/// A section of an offer that will be accepted.
struct Plan {
    kind: MediaKind,
    formats: Vec<Format>,
    pairing: Pairing,
    destination: Destination,
    direction: Direction,
    rtcp_mux: bool,
    /// Whether the answer says so: only where the offer did in the words of RFC 5761 section 5.1.1.
    writes_rtcp_mux: bool,
    feedback: Feedback,
}

impl Plan {
    fn into_section(
        self,
        remote: Spoken<'_>,
        capabilities: &Capabilities,
        local: LocalStream,
        extensions: Vec<NegotiatedExtension>,
    ) -> NegotiatedSection {
        Agreement {
            kind: self.kind,
            pairing: self.pairing,
            destination: self.destination,
            direction: self.direction,
            local,
            rtcp_mux: self.rtcp_mux,
            feedback: self.feedback,
            remote,
            capabilities,
            extensions,
        }
        .into_section()
    }
}

/// How to answer one section, or why to refuse it.
fn plan_section(
    offer: &SessionDescription,
    spoken: Spoken<'_>,
    media: &LocalMedia<'_>,
    accepted: &[MediaKind],
) -> Result<Plan, String> {
    let section = spoken.section;
    if section.port == 0 {
        return Err("not in use (port 0)".to_owned());
    }
    let kind = kind_of(section).ok_or_else(|| format!("media type {:?} is not supported", section.media))?;
    check_transport(section)?;
    if accepted.contains(&kind) {
        return Err(format!("a second {} section is not supported", kind.as_str()));
    }
    if !media.wants(kind) {
        return Err(format!("{} is not wanted", kind.as_str()));
    }
    let rtcp_mux = spoken.rtcp_mux();
    let writes_rtcp_mux = section.attributes("rtcp-mux").next().is_some();
    let local = media.stream(kind);
    let destination = Destination::read(offer, section, local.rtp.ip(), rtcp_mux)
        .map_err(|reason| format!("{}: {reason}", kind.as_str()))?;
    let (formats, mut pairing) = matching::answer(spoken, kind, media.capabilities)?;
    let offered = peer_direction(offer, section, &destination);
    let direction = intersect(media.wanted_direction(kind), offered.reversed());
    if !direction.receives() {
        // Nor will the answer name them.
        pairing.receive.iter_mut().for_each(|format| format.encoding.drop_receiver_capabilities());
    }
    let feedback =
        softphone::feedback(section, &pairing.send).and(supported_feedback(media.capabilities, kind));
    Ok(Plan { kind, formats, pairing, destination, direction, rtcp_mux, writes_rtcp_mux, feedback })
}

/// What comes of one section that this side offered, or why nothing does.
fn read_section(
    (offer, ours): (&SessionDescription, &MediaDescription),
    (answer, theirs): (&SessionDescription, Option<&MediaDescription>),
    capabilities: &Capabilities,
    local: LocalStream,
) -> Result<NegotiatedSection, String> {
    let name = &ours.media;
    let (Some(kind), true) = (kind_of(ours), ours.port != 0) else {
        return Err("not in use (port 0)".to_owned());
    };
    let theirs = theirs.ok_or_else(|| format!("the answer has no section for {name}"))?;
    if !theirs.media.eq_ignore_ascii_case(name) {
        return Err(format!("the answer to {name} is a section of {}", theirs.media));
    }
    if theirs.port == 0 {
        return Err(format!("the peer refused {name}"));
    }
    check_transport(theirs)?;
    let dialect = &capabilities.dialect;
    let offered = Spoken { section: ours, dialect: dialect.of(offer) };
    let answered = Spoken { section: theirs, dialect: dialect.of(answer) };
    let rtcp_mux = offered.rtcp_mux() && answered.rtcp_mux();
    let destination = Destination::read(answer, theirs, local.rtp.ip(), rtcp_mux)
        .map_err(|reason| format!("{name}: {reason}"))?;
    let pairing = matching::accept(offered, answered)?;
    let wanted = peer_direction(answer, theirs, &destination);
    let direction = intersect(offer.section_direction(ours), wanted.reversed());
    let feedback = softphone::feedback(theirs, &pairing.send).and(supported_feedback(capabilities, kind));
    let agreement = Agreement {
        kind,
        pairing,
        destination,
        direction,
        local,
        rtcp_mux,
        feedback,
        remote: answered,
        capabilities,
        extensions: extmap::accepted(
            &ExtMap::of_section(offer, ours),
            &ExtMap::of_section(answer, theirs),
            kind,
        ),
    };
    Ok(agreement.into_section())
}

fn check_transport(section: &MediaDescription) -> Result<(), String> {
    let known = softphone::TRANSPORTS.iter().any(|known| known.eq_ignore_ascii_case(&section.transport));
    if known {
        Ok(())
    } else {
        Err(format!("{}: transport {} is not supported", section.media, section.transport))
    }
}

/// The direction that the peer wants, seen from the peer.
fn peer_direction(
    description: &SessionDescription,
    section: &MediaDescription,
    destination: &Destination,
) -> Direction {
    let direction = description.section_direction(section);
    if destination.is_held() { intersect(direction, Direction::SendOnly) } else { direction }
}
