//! Making an offer (RFC 3264 sections 5 and 8).

use super::capabilities::Capabilities;
use super::dialect::softphone::{self, SectionText};
use super::dialect::{Dialect, Spoken};
use super::error::NegotiationError;
use super::exchange::{LocalMedia, OfferAnswer, Pending};
use super::extmap::ExtMap;
use super::format::{Encoding, Format, TelephoneEvent};
use super::matching::DTMF_EVENTS;
use super::negotiate::{Feedback, kind_of, packet_shape};
use super::session::{MediaDescription, SessionDescription};
use crate::frame::MediaKind;
use crate::io::Direction;
use std::net::IpAddr;

impl OfferAnswer {
    /// Makes an offer: the first of a call, or a new one that changes the session.
    ///
    /// A re-offer keeps order and number of the media sections of the last exchange. A medium that is no longer
    /// wanted has its section set to port 0; a new one takes the place of an unused section, or a place at the end.
    /// Payload types keep their meaning, and codecs that are in use come first.
    ///
    /// # Errors
    /// [`NegotiationError::NothingToOffer`] where none of the chosen media has a codec.
    pub fn offer(&mut self, media: &LocalMedia<'_>) -> Result<SessionDescription, NegotiationError> {
        let chosen: Vec<MediaKind> =
            [MediaKind::Audio, MediaKind::Video].into_iter().filter(|kind| media.wants(*kind)).collect();
        let wanted: Vec<MediaKind> =
            chosen.iter().copied().filter(|kind| has_codec(media.capabilities, *kind)).collect();
        if wanted.is_empty() && !chosen.is_empty() {
            return Err(NegotiationError::NothingToOffer { kinds: chosen });
        }
        let assigned_before = self.assigned_before();
        let session_address = media.stream(wanted.first().copied().unwrap_or(MediaKind::Audio)).rtp.ip();
        let agreed = self.agreed.as_ref().map(|agreed| &agreed.local);
        let dialect = match agreed {
            Some(before) => media.capabilities.dialect.of(before),
            None => &media.capabilities.dialect,
        };
        let before: Vec<MediaDescription> = agreed.map(|agreed| agreed.media.clone()).unwrap_or_default();
        let mut sections: Vec<MediaDescription> = before.iter().map(softphone::refused).collect();
        let (session_extensions, mut extensions) =
            self.extensions.offered(media.capabilities, dialect, &wanted);
        for (kind, place) in places(&before, &wanted) {
            let previous = before.get(place).filter(|s| s.port != 0 && kind_of(s) == Some(kind));
            let own = extensions.remove(&kind).unwrap_or_default();
            let section = self.offered_section(media, dialect, kind, previous, (session_address, own));
            match sections.get_mut(place) {
                Some(slot) => *slot = section,
                None => sections.push(section),
            }
        }
        let session_extensions = session_extensions.iter().map(ExtMap::line).collect();
        let description = self.seal(dialect, "0 0", (session_extensions, sections), session_address);
        self.pending = Some(Pending {
            description: description.clone(),
            capabilities: media.capabilities.clone(),
            audio: media.audio,
            video: media.video,
            assigned_before,
        });
        Ok(description)
    }

    fn offered_section(
        &mut self,
        media: &LocalMedia<'_>,
        dialect: &Dialect,
        kind: MediaKind,
        previous: Option<&MediaDescription>,
        (session_address, extensions): (IpAddr, Vec<ExtMap>),
    ) -> MediaDescription {
        let capabilities = media.capabilities;
        let formats = match dialect {
            Dialect::Softphone => self.offered_formats(capabilities, kind, previous),
            Dialect::Facetime2010(settings) => {
                let in_use = previous.map(|section| Spoken { section, dialect }.formats());
                let formats = in_use.unwrap_or_else(|| settings.offered(kind, capabilities));
                formats.iter().for_each(|format| self.assign(kind, format));
                formats
            }
        };
        let default_transport =
            if kind == MediaKind::Video && capabilities.feedback.avpf { "RTP/AVPF" } else { "RTP/AVP" };
        let transport = previous.map_or(default_transport, |section| section.transport.as_str());
        section_text(
            media,
            kind,
            &formats,
            Terms {
                dialect,
                known: previous,
                transport,
                session_address,
                direction: media.wanted_direction(kind),
                rtcp_mux: true,
                feedback: supported_feedback(capabilities, kind),
                extensions: &extensions,
            },
        )
    }

    /// The formats of a softphone's offer.
    fn offered_formats(
        &mut self,
        capabilities: &Capabilities,
        kind: MediaKind,
        previous: Option<&MediaDescription>,
    ) -> Vec<Format> {
        let dialect = &Dialect::Softphone;
        let in_use = previous.map(|section| Spoken { section, dialect }.formats()).unwrap_or_default();
        let is_in_use = |e: &Encoding| in_use.iter().any(|format| format.encoding.is_same_configuration(e));
        let mut encodings: Vec<Encoding> = match kind {
            MediaKind::Audio => {
                let offered = capabilities.offered_audio();
                let all = capabilities.audio.iter().map(|codec| codec.encoding(capabilities)).enumerate();
                all.filter(|(place, e)| *place < offered || is_in_use(e)).map(|(_, e)| e).collect()
            }
            MediaKind::Video => capabilities.video_encodings(),
        };
        encodings.sort_by_key(|encoding| {
            let place = in_use.iter().position(|format| format.encoding.is_same_configuration(encoding));
            place.unwrap_or(usize::MAX)
        });
        if kind == MediaKind::Audio && capabilities.telephone_event {
            encodings.extend(event_clocks(&encodings).into_iter().map(|clock_rate| {
                Encoding::TelephoneEvent(TelephoneEvent { clock_rate, events: DTMF_EVENTS.to_owned() })
            }));
        }
        encodings.iter().filter_map(|encoding| self.payload_type_for(kind, encoding)).collect()
    }
}

/// What a section of ours says beside its formats.
pub(super) struct Terms<'a> {
    pub(super) dialect: &'a Dialect,
    /// The section that named the payload types first, where they are not new: the offer's in an answer, else this
    /// side's own of before.
    pub(super) known: Option<&'a MediaDescription>,
    pub(super) transport: &'a str,
    pub(super) session_address: IpAddr,
    pub(super) direction: Direction,
    pub(super) rtcp_mux: bool,
    pub(super) feedback: Feedback,
    /// The header extensions that stand in the section itself.
    pub(super) extensions: &'a [ExtMap],
}

/// The text of a section in use.
pub(super) fn section_text(
    media: &LocalMedia<'_>,
    kind: MediaKind,
    formats: &[Format],
    terms: Terms<'_>,
) -> MediaDescription {
    let capabilities = media.capabilities;
    let stream = media.stream(kind);
    let (max_bitrate, framerate) = match kind {
        MediaKind::Audio => (capabilities.max_audio_bitrate, None),
        MediaKind::Video => {
            (capabilities.max_video_bitrate, capabilities.video.as_ref().and_then(|video| video.max_fps))
        }
    };
    let max_bitrate_with_headers = max_bitrate.zip(formats.first()).map(|(rate, format)| {
        let shape = packet_shape(&format.encoding, capabilities.ptime, capabilities.max_payload);
        shape.with_headers(u64::from(rate), Some(stream.rtp.ip()))
    });
    let mut formats = formats.to_vec();
    if !terms.direction.receives() {
        formats.iter_mut().for_each(|format| format.encoding.drop_receiver_capabilities());
    }
    let text = SectionText {
        media: kind.as_str(),
        transport: terms.transport,
        stream,
        session_address: terms.session_address,
        formats: &formats,
        direction: terms.direction,
        rtcp_mux: terms.rtcp_mux,
        feedback: terms.feedback,
        extensions: terms.extensions,
        cname: media.cname,
        max_bitrate,
        max_bitrate_with_headers,
        ptime: (kind == MediaKind::Audio).then_some(capabilities.ptime),
        framerate,
    };
    match terms.dialect {
        Dialect::Softphone => text.write(),
        Dialect::Facetime2010(settings) => {
            let rtcp_ports = [media.audio, media.video].map(|stream| stream.rtcp.port());
            settings.write(&text, terms.known, rtcp_ports)
        }
    }
}

/// The feedback that this side understands for a medium.
pub(super) fn supported_feedback(capabilities: &Capabilities, kind: MediaKind) -> Feedback {
    let offer = capabilities.feedback;
    match kind {
        MediaKind::Audio => Feedback::default(),
        MediaKind::Video => Feedback { nack: offer.nack, pli: offer.pli, fir: offer.fir },
    }
}

fn has_codec(capabilities: &Capabilities, kind: MediaKind) -> bool {
    match kind {
        MediaKind::Audio => !capabilities.audio.is_empty(),
        MediaKind::Video => !capabilities.video_encodings().is_empty(),
    }
}

/// The place of each wanted medium among the sections: that of its section in use, else that of an unused section
/// (of its own kind first, RFC 3264 section 8.1), else the next one at the end.
fn places(before: &[MediaDescription], wanted: &[MediaKind]) -> Vec<(MediaKind, usize)> {
    let mut places: Vec<(MediaKind, usize)> = Vec::new();
    let position = |taken: &[(MediaKind, usize)], test: &dyn Fn(&MediaDescription) -> bool| {
        let mut slots = before.iter().enumerate();
        slots.find(|(i, section)| test(section) && !taken.iter().any(|(_, p)| p == i)).map(|(i, _)| i)
    };
    for kind in wanted.iter().copied() {
        if let Some(i) = position(&places, &|s| s.port != 0 && kind_of(s) == Some(kind)) {
            places.push((kind, i));
        }
    }
    let mut end = before.len();
    for kind in wanted.iter().copied() {
        if places.iter().any(|(k, _)| *k == kind) {
            continue;
        }
        let place = position(&places, &|s| s.port == 0 && kind_of(s) == Some(kind))
            .or_else(|| position(&places, &|s| s.port == 0))
            .unwrap_or_else(|| {
                end += 1;
                end - 1
            });
        places.push((kind, place));
    }
    places.sort_by_key(|(_, place)| *place);
    places
}

/// The clocks that telephone events are offered on: each clock of the sound, so that both can share one RTP stream,
/// and 8000 Hz, the default of RFC 4733 section 2.1, which every peer has.
fn event_clocks(encodings: &[Encoding]) -> Vec<u32> {
    let mut clocks = Vec::new();
    for clock_rate in encodings.iter().map(Encoding::clock_rate).chain([8_000]) {
        if !clocks.contains(&clock_rate) {
            clocks.push(clock_rate);
        }
    }
    clocks
}
