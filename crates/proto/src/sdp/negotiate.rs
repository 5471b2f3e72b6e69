//! What two descriptions agree on: the outcome of an offer and its answer (RFC 3264 sections 6 and 7).

use super::bandwidth::{Bounds, PacketShape};
use super::capabilities::Capabilities;
use super::dialect::{Spoken, softphone};
use super::exchange::{LocalStream, intersect};
use super::extmap::{self, HeaderExtension, NegotiatedExtension};
use super::format::{Encoding, Format, TelephoneEvent};
use super::matching::Pairing;
use super::session::{Host, MediaDescription, SessionDescription};
use crate::frame::MediaKind;
use crate::io::{Direction, MediaFormat, Section};
use std::net::{IpAddr, SocketAddr};

/// The bit rate that sound of a codec without a fixed one is given when a bound on the whole session has to be
/// shared with pictures, bit/s.
const SHARED_AUDIO_BITRATE: u64 = 64_000;

/// The outcome of one offer/answer exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Negotiated {
    /// One entry for each `m=` line of the offer, in order.
    pub sections: Vec<NegotiatedSection>,
    /// What the peer says of the session as a whole.
    pub session: SessionFacts,
}

/// What a peer of FaceTime 2010 says of a session as a whole; everything absent for any other.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct SessionFacts {
    /// `a=iChatEncryption`: whether it wants media to be encrypted.
    pub encryption_wanted: Option<bool>,
    /// `a=bandwidthDetection`: whether it wants to measure the path first.
    pub bandwidth_detection: Option<bool>,
    /// What stands behind `a=FLS;`; its meaning is not public.
    pub fls: Option<String>,
    /// `a=hwi`: model, processors and clock.
    pub hwi: Option<String>,
}

/// The pictures that one side takes at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VideoLimits {
    /// Pixels across.
    pub width: u16,
    /// Pixels down.
    pub height: u16,
    /// Pictures a second.
    pub fps: u16,
}

/// One media section after an exchange. Everything is seen from this side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NegotiatedSection {
    /// Sound or pictures; `None` for a media type that this side does not know.
    pub kind: Option<MediaKind>,
    /// Why the section is not in use; `None` for one that is.
    pub refused: Option<String>,
    /// Which way media flow.
    pub direction: Direction,
    /// The formats to send, with the peer's payload types and within the peer's limits; the first is the one to
    /// use. Telephone events are not among them.
    pub send: Vec<Format>,
    /// The formats to expect, with this side's payload types, the preferred one first. A payload type stands
    /// here once. Telephone events are not among them.
    pub receive: Vec<Format>,
    /// Telephone events.
    pub telephone_events: TelephoneEvents,
    /// Where this side receives RTP.
    pub local: Option<SocketAddr>,
    /// Where this side receives RTCP.
    pub local_rtcp: Option<SocketAddr>,
    /// Where to send RTP; `None` while the peer gives no address to send to (`c=` with 0.0.0.0).
    pub remote: Option<SocketAddr>,
    /// Where to send RTCP; `None` as for RTP.
    pub remote_rtcp: Option<SocketAddr>,
    /// Whether both sides agreed to RTP and RTCP on one port (RFC 5761).
    pub rtcp_mux: bool,
    /// The SSRCs that the peer announced (RFC 5576, or `a=rtpID`); empty where it named none.
    pub remote_sources: Vec<RemoteSource>,
    /// The packet time to send, milliseconds: the peer's wish within its maximum, else 20.
    pub ptime: u32,
    /// The packet time that this side asked for, milliseconds.
    pub receive_ptime: u32,
    /// Pictures a second that the peer wants to receive, where it said so.
    pub max_fps: Option<u16>,
    /// The pictures that the peer takes at most, where it named a size (`rules` of FaceTime 2010).
    pub video_limits: Option<VideoLimits>,
    /// The RTCP feedback that both sides understand.
    pub feedback: Feedback,
    /// The most RTP payload to send, bit/s: the least of what the peer's `b=` lines (section and session), its
    /// codec parameters and its H.264 level allow; `None` where nothing bounds it. G.711 and G.722 cannot go
    /// below their 64,000 bit/s: with a lower bound they are used only where there is no other codec.
    pub max_bitrate: Option<u32>,
    /// The largest RTP payload to send, octets.
    pub max_payload: u32,
    /// The RTP header extensions that both sides agreed on.
    pub extensions: Vec<NegotiatedExtension>,
}

/// The payload types of telephone events (RFC 4733).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct TelephoneEvents {
    /// What to send them with: payload type and RTP clock, where possible the clock of the sound.
    pub send: Option<(u8, TelephoneEvent)>,
    /// What to expect.
    pub receive: Vec<(u8, TelephoneEvent)>,
}

/// A source that the peer announced with `a=ssrc` (RFC 5576), or with `a=rtpID` in FaceTime 2010.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteSource {
    /// Its SSRC.
    pub ssrc: u32,
    /// Its canonical name, where given.
    pub cname: Option<String>,
}

/// RTCP feedback messages (RFC 4585, RFC 5104).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Feedback {
    /// Generic NACK.
    pub nack: bool,
    /// Picture loss indication.
    pub pli: bool,
    /// Full intra request.
    pub fir: bool,
}

impl Feedback {
    pub(super) fn and(self, other: Feedback) -> Feedback {
        Feedback { nack: self.nack && other.nack, pli: self.pli && other.pli, fir: self.fir && other.fir }
    }
}

impl Negotiated {
    /// The sections as [`Event::Media`](crate::io::Event::Media) reports them.
    pub fn to_sections(&self) -> Vec<Section> {
        self.sections.iter().map(NegotiatedSection::to_section).collect()
    }
}

impl NegotiatedSection {
    /// Whether the section is in use.
    pub fn is_active(&self) -> bool {
        self.refused.is_none()
    }

    /// The format for an encoder; `None` where the section is not in use.
    pub fn send_format(&self) -> Option<MediaFormat> {
        self.send.first().and_then(|format| self.sent_as(format))
    }

    /// The format of the payload type that the peer is expected to send; `None` where the section is not in use.
    pub fn receive_format(&self) -> Option<MediaFormat> {
        self.receive.first().and_then(|format| self.received_as(format))
    }

    /// What an encoder of one of the formats in `send` must be set to; `None` for a telephone event.
    pub fn sent_as(&self, format: &Format) -> Option<MediaFormat> {
        let mut sent = format.encoding.media_format(self.ptime, self.max_payload)?;
        match &mut sent {
            MediaFormat::Audio(audio) => audio.max_bitrate = self.max_bitrate,
            MediaFormat::Video(video) => {
                video.max_bitrate = self.max_bitrate;
                video.max_fps = self.video_limits.map(|limits| limits.fps).or(self.max_fps);
                video.max_size = self.video_limits.map(|limits| (limits.width, limits.height));
            }
        }
        Some(sent)
    }

    /// What a decoder of one of the formats in `receive` must be set to; `None` for a telephone event.
    pub fn received_as(&self, format: &Format) -> Option<MediaFormat> {
        format.encoding.media_format(self.receive_ptime, self.max_payload)
    }

    /// What a payload type carries when it arrives; `None` for one that was not agreed on, and for telephone
    /// events.
    pub fn received(&self, payload_type: u8) -> Option<&Format> {
        self.receive.iter().find(|format| format.payload_type == payload_type)
    }

    /// Whether what is sent may carry this header extension.
    pub fn sends_extension(&self, extension: HeaderExtension) -> bool {
        self.extensions.iter().any(|e| e.extension == extension && e.direction.sends())
    }

    /// The section as [`Event::Media`](crate::io::Event::Media) reports it.
    pub fn to_section(&self) -> Section {
        Section {
            kind: self.kind,
            active: self.is_active(),
            direction: self.direction,
            send: self.send_format(),
            receive: self
                .receive
                .iter()
                .filter_map(|f| Some((f.payload_type, self.received_as(f)?)))
                .collect(),
            local: self.local,
            remote: self.remote,
            takes_rotation: self.sends_extension(HeaderExtension::VideoOrientation),
        }
    }

    pub(super) fn refused(section: &MediaDescription, reason: impl Into<String>) -> Self {
        NegotiatedSection {
            kind: kind_of(section),
            refused: Some(reason.into()),
            direction: Direction::Inactive,
            send: Vec::new(),
            receive: Vec::new(),
            telephone_events: TelephoneEvents::default(),
            local: None,
            local_rtcp: None,
            remote: None,
            remote_rtcp: None,
            rtcp_mux: false,
            remote_sources: Vec::new(),
            ptime: DEFAULT_PTIME,
            receive_ptime: DEFAULT_PTIME,
            max_fps: None,
            video_limits: None,
            feedback: Feedback::default(),
            max_bitrate: None,
            max_payload: 0,
            extensions: Vec::new(),
        }
    }
}

/// The packet time where nobody asked for another, milliseconds (RFC 3551 section 4.5 table 1).
const DEFAULT_PTIME: u32 = 20;

/// The medium of a section, where this side knows it.
pub(super) fn kind_of(section: &MediaDescription) -> Option<MediaKind> {
    [MediaKind::Audio, MediaKind::Video]
        .into_iter()
        .find(|kind| kind.as_str().eq_ignore_ascii_case(&section.media))
}

/// Where a peer wants to receive, as its section says.
pub(super) struct Destination {
    /// `None`: nothing is to be sent.
    rtp: Option<SocketAddr>,
    rtcp: Option<SocketAddr>,
}

impl Destination {
    /// Reads `c=`, `m=` and `a=rtcp`. Of several `c=` lines the first of our own address family counts.
    pub(super) fn read(
        description: &SessionDescription,
        section: &MediaDescription,
        local: IpAddr,
        rtcp_mux: bool,
    ) -> Result<Self, String> {
        let connections = description.section_connections(section);
        let addresses: Vec<IpAddr> = connections
            .iter()
            .filter_map(|connection| match connection.host {
                Host::Ip(ip) => Some(ip),
                Host::Name(_) => None,
            })
            .collect();
        let same_family = addresses.iter().find(|ip| ip.is_ipv4() == local.is_ipv4());
        let Some(ip) = same_family.or(addresses.first()).copied() else {
            return Err(match connections.first().map(|connection| &connection.host) {
                Some(Host::Name(name)) => format!("c= names a host ({name:?}), not an address"),
                _ => "there is no c= line".to_owned(),
            });
        };
        if ip.is_multicast() {
            return Err(format!("{ip} is a multicast address"));
        }
        if ip.is_unspecified() {
            return Ok(Destination { rtp: None, rtcp: None });
        }
        let rtp = SocketAddr::new(ip, section.port);
        let rtcp = match (rtcp_mux, softphone::rtcp(section)) {
            (true, _) => Some(rtp),
            (false, Some((port, address))) => Some(SocketAddr::new(address.unwrap_or(ip), port)),
            (false, None) => section.port.checked_add(1).map(|port| SocketAddr::new(ip, port)),
        };
        let rtcp = rtcp.filter(|address| !address.ip().is_multicast() && !address.ip().is_unspecified());
        Ok(Destination { rtp: Some(rtp), rtcp })
    }

    /// Whether the peer gave 0.0.0.0: the hold of RFC 2543 (RFC 3264 section 8.4).
    pub(super) fn is_held(&self) -> bool {
        self.rtp.is_none()
    }
}

/// What a section was agreed on with.
pub(super) struct Agreement<'a> {
    pub(super) kind: MediaKind,
    pub(super) pairing: Pairing,
    pub(super) destination: Destination,
    pub(super) direction: Direction,
    pub(super) local: LocalStream,
    pub(super) rtcp_mux: bool,
    pub(super) feedback: Feedback,
    pub(super) remote: Spoken<'a>,
    pub(super) capabilities: &'a Capabilities,
    /// Each with its own direction; what the section's leaves of it counts.
    pub(super) extensions: Vec<NegotiatedExtension>,
}

impl Agreement<'_> {
    /// The section that comes of it, without the bounds on the whole session.
    pub(super) fn into_section(self) -> NegotiatedSection {
        let Agreement { kind, pairing, destination, direction, local, remote: spoken, capabilities, .. } =
            self;
        let mut extensions = self.extensions;
        let remote = spoken.section;
        let Pairing { mut send, receive, mut events } = pairing;
        let ptime = softphone::number(remote, "ptime").unwrap_or(DEFAULT_PTIME);
        let ptime = ptime.min(softphone::number(remote, "maxptime").unwrap_or(u32::MAX));
        let bounds = Bounds::read(remote.bandwidths());
        let remote_ip = destination.rtp.map(|address| address.ip());
        let bound_for = |format: &Format| {
            let shape = packet_shape(&format.encoding, ptime, capabilities.max_payload);
            least(bounds.for_payload(shape, remote_ip), format.encoding.receiver_bound())
        };
        // A codec that cannot keep to the bound gives way to one that can.
        send.sort_by_key(|format| {
            bound_for(format)
                .is_some_and(|bound| format.encoding.fixed_bitrate().is_some_and(|rate| rate > bound))
        });
        let max_bitrate = send.first().and_then(bound_for);
        if let Some(clock_rate) = send.first().map(|format| format.encoding.clock_rate()) {
            events.prefer_clock(clock_rate);
        }
        let video_limits = send.first().and_then(|format| spoken.video_limits(format.payload_type));
        let may_send = max_bitrate != Some(0) && destination.rtp.is_some();
        let direction = if may_send { direction } else { intersect(direction, Direction::RecvOnly) };
        // Whether or not media flow now: what was agreed on stays so when they do again.
        let max_payload = capabilities.max_payload.saturating_sub(extmap::room(&extensions));
        extensions.iter_mut().for_each(|e| e.direction = intersect(e.direction, direction));
        NegotiatedSection {
            kind: Some(kind),
            refused: None,
            direction,
            send,
            receive,
            telephone_events: events.into_events(),
            local: Some(local.rtp),
            local_rtcp: Some(local.rtcp),
            remote: destination.rtp,
            remote_rtcp: destination.rtcp,
            rtcp_mux: self.rtcp_mux,
            remote_sources: spoken.sources(),
            ptime,
            receive_ptime: capabilities.ptime,
            video_limits,
            max_fps: softphone::number(remote, "framerate").and_then(|fps| u16::try_from(fps).ok()),
            feedback: self.feedback,
            max_bitrate: max_bitrate.and_then(|bound| u32::try_from(bound).ok()),
            max_payload,
            extensions,
        }
    }
}

/// Brings the sections under the peer's session-level bounds. Sound comes first: with pictures beside it, it gets
/// its fixed rate, or the least of its own bound, 64 kbit/s and half of the whole; pictures get the rest.
pub(super) fn apply_session_bounds(sections: &mut [NegotiatedSection], remote: &SessionDescription) {
    let bounds = Bounds::read(remote.bandwidths());
    let has_video = sections.iter().any(|s| s.is_active() && s.kind == Some(MediaKind::Video));
    let has_audio = sections.iter().any(|s| s.is_active() && s.kind == Some(MediaKind::Audio));
    let mut left = bounds;
    for kind in [MediaKind::Audio, MediaKind::Video] {
        for section in sections.iter_mut().filter(|s| s.is_active() && s.kind == Some(kind)) {
            let Some(format) = section.send.first() else { continue };
            let shape = packet_shape(&format.encoding, section.ptime, section.max_payload);
            let remote_ip = section.remote.map(|address| address.ip());
            let whole = left.for_payload(shape, remote_ip);
            let Some(whole) = whole else { continue };
            let mut share = section.max_bitrate.map_or(whole, |own| whole.min(u64::from(own)));
            if kind == MediaKind::Audio && has_video {
                share = match format.encoding.fixed_bitrate() {
                    Some(rate) => share.min(rate),
                    None => share.min(SHARED_AUDIO_BITRATE).min(whole / 2),
                };
            }
            if has_audio && kind == MediaKind::Audio {
                left = left.without(shape, share, remote_ip);
            }
            section.max_bitrate = u32::try_from(share).ok();
            if share == 0 {
                section.direction = intersect(section.direction, Direction::RecvOnly);
            }
        }
    }
}

/// How a stream of this encoding fills its packets.
pub(super) fn packet_shape(encoding: &Encoding, ptime: u32, max_payload: u32) -> PacketShape {
    match encoding.media_format(ptime, max_payload) {
        Some(MediaFormat::Audio(audio)) => {
            let frame = u64::from(audio.samples_per_frame.max(1));
            PacketShape::Rate((u64::from(audio.sample_rate) * 1_000).div_ceil(frame))
        }
        // The last packet of each picture is only partly filled.
        Some(MediaFormat::Video(_)) | None => PacketShape::Size(u64::from(max_payload / 2)),
    }
}

fn least(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
