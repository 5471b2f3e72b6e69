//! How the lines of a description are laid out, and how they are read back.
//!
//! [`softphone`] is what RFC 8866 and the payload format RFCs describe, [`facetime2010`] what the FaceTime calls of 2010
//! made of it. A dialect reads and writes [`Format`]s and transport facts; what is agreed on is the same for all.

pub mod facetime2010;
pub mod softphone;

use super::format::Format;
use super::negotiate::{RemoteSource, VideoLimits};
use super::session::{MediaDescription, SessionDescription};
pub use facetime2010::Facetime2010;

/// How this side lays its descriptions out.
///
/// A side that offers as in FaceTime 2010 still answers a softphone's offer as softphones do, and reads whatever a
/// peer says in the dialect that the peer says it in.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Dialect {
    /// As SIP softphones do.
    #[default]
    Softphone,
    /// As the FaceTime calls of 2010 did.
    Facetime2010(Facetime2010),
}

impl Dialect {
    /// The dialect in which to read a description, and to answer it if it is an offer.
    pub(in crate::sdp) fn of(&self, description: &SessionDescription) -> &Dialect {
        match self {
            Dialect::Facetime2010(_) if facetime2010::is_spoken_in(description) => self,
            Dialect::Facetime2010(_) | Dialect::Softphone => &Dialect::Softphone,
        }
    }

    /// The settings of FaceTime 2010, where this is that dialect.
    pub(in crate::sdp) fn facetime(&self) -> Option<&Facetime2010> {
        match self {
            Dialect::Facetime2010(settings) => Some(settings),
            Dialect::Softphone => None,
        }
    }
}

/// A media section, and the dialect to read it in.
#[derive(Clone, Copy, Debug)]
pub(in crate::sdp) struct Spoken<'a> {
    pub(in crate::sdp) section: &'a MediaDescription,
    pub(in crate::sdp) dialect: &'a Dialect,
}

impl Spoken<'_> {
    /// The known formats of the section, in its order of preference, each payload type once.
    pub(in crate::sdp) fn formats(&self) -> Vec<Format> {
        softphone::formats(self.section, |payload_type| self.format(payload_type))
    }

    /// A payload type in words, for error texts: what is known of it, else its encoding name, else its number.
    pub(in crate::sdp) fn describe(&self, payload_type: u8) -> String {
        let known = self.format(payload_type).map(|format| format.encoding.describe());
        known.unwrap_or_else(|| softphone::name(self.section, payload_type))
    }

    fn format(&self, payload_type: u8) -> Option<Format> {
        match self.dialect {
            Dialect::Softphone => softphone::format(self.section, payload_type),
            Dialect::Facetime2010(settings) => settings.format(self.section, payload_type),
        }
    }

    /// Whether RTP and RTCP are to share the section's port.
    pub(in crate::sdp) fn rtcp_mux(&self) -> bool {
        let is_said = self.section.attributes("rtcp-mux").next().is_some();
        is_said || (self.dialect.facetime().is_some() && facetime2010::shares_port(self.section))
    }

    /// The sources that the section announces, each once.
    pub(in crate::sdp) fn sources(&self) -> Vec<RemoteSource> {
        let sources = softphone::sources(self.section);
        match self.dialect {
            Dialect::Softphone => sources,
            Dialect::Facetime2010(_) => facetime2010::with_rtp_id(self.section, sources),
        }
    }

    /// The pictures that the section's side takes when they are sent under this payload type.
    pub(in crate::sdp) fn video_limits(&self, payload_type: u8) -> Option<VideoLimits> {
        self.dialect.facetime()?;
        facetime2010::video_limits(self.section, payload_type)
    }
}
