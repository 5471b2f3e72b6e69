//! Session descriptions of our own, in a form that lets a case spoil whatever it likes.

use super::{Lab, Which};
use std::fmt::Write;
use std::net::IpAddr;
use visavis_proto::sdp::MediaDescription;

/// A description to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Offer {
    /// The numbers in `o=`.
    pub(crate) id: u64,
    pub(crate) version: u64,
    /// The address in `o=` and `c=`.
    pub(crate) address: IpAddr,
    /// What stands in `c=` in place of the address.
    pub(crate) connection: Option<String>,
    /// What stands in `t=`.
    pub(crate) time: String,
    /// More lines of the session: `b=` goes before `t=`, `a=` behind it.
    pub(crate) lines: Vec<String>,
    pub(crate) sections: Vec<SectionOffer>,
}

/// One `m=` line with what follows it.
#[derive(Clone, Debug)]
pub(crate) struct SectionOffer {
    pub(crate) media: String,
    pub(crate) port: u16,
    pub(crate) transport: String,
    pub(crate) formats: Vec<String>,
    pub(crate) lines: Vec<String>,
}

impl Offer {
    pub(crate) fn text(&self) -> String {
        let family = if self.address.is_ipv4() { "IP4" } else { "IP6" };
        let address = self.address;
        let (id, version) = (self.id, self.version);
        let mut out = format!("v=0\r\no=visavis-check {id} {version} IN {family} {address}\r\ns=-\r\n");
        let connection = self.connection.clone().unwrap_or_else(|| format!("IN {family} {address}"));
        let _ = write!(out, "c={connection}\r\n");
        let (before, behind): (Vec<&String>, Vec<&String>) =
            self.lines.iter().partition(|l| l.starts_with("b="));
        before.into_iter().for_each(|line| {
            let _ = write!(out, "{line}\r\n");
        });
        let _ = write!(out, "t={}\r\n", self.time);
        behind.into_iter().for_each(|line| {
            let _ = write!(out, "{line}\r\n");
        });
        for section in &self.sections {
            let SectionOffer { media, port, transport, formats, lines } = section;
            let _ = write!(out, "m={media} {port} {transport} {}\r\n", formats.join(" "));
            lines.iter().for_each(|line| {
                let _ = write!(out, "{line}\r\n");
            });
        }
        out
    }

    /// The next version of the same session.
    pub(crate) fn next(&self) -> Offer {
        Offer { version: self.version + 1, ..self.clone() }
    }

    /// With this attribute on every section.
    pub(crate) fn with(mut self, line: &str) -> Offer {
        self.sections.iter_mut().for_each(|s| s.lines.push(line.to_owned()));
        self
    }
}

impl SectionOffer {
    pub(crate) fn new(media: &str, port: u16, transport: &str, formats: &[&str], lines: &[&str]) -> Self {
        let own = |list: &[&str]| list.iter().map(|&s| s.to_owned()).collect();
        SectionOffer {
            media: media.into(),
            port,
            transport: transport.into(),
            formats: own(formats),
            lines: own(lines),
        }
    }

    /// Name and clock rate of a payload type, as this section maps it.
    pub(crate) fn encoding(&self, format: &str) -> Option<(String, u32)> {
        let prefix = format!("a=rtpmap:{format} ");
        let mapped = self.lines.iter().find_map(|line| line.strip_prefix(&prefix));
        let mapped = mapped.or(match format {
            "0" => Some("PCMU/8000"),
            "8" => Some("PCMA/8000"),
            "9" => Some("G722/8000"),
            _ => None,
        })?;
        let mut parts = mapped.split('/');
        Some((parts.next()?.to_ascii_uppercase(), parts.next()?.parse().ok()?))
    }
}

/// The payload type that media are sent with, with its name and clock rate: the first format that both sides
/// list, key presses aside.
pub(crate) fn usable(offer: &SectionOffer, answer: &MediaDescription) -> Option<(u8, String, u32)> {
    if answer.port == 0 {
        return None;
    }
    answer.formats.iter().filter(|f| offer.formats.contains(f)).find_map(|format| {
        let (name, rate) = offer.encoding(format)?;
        let media = !matches!(name.as_str(), "TELEPHONE-EVENT" | "RED" | "CN");
        media.then_some((format.parse().ok()?, name, rate))
    })
}

impl Lab {
    /// An offer of these sections.
    pub(crate) fn offer(&self, sections: Vec<SectionOffer>) -> Offer {
        let id = u64::from_str_radix(&self.token(), 16).unwrap_or_default() >> 8;
        Offer {
            id,
            version: 1,
            address: self.peer.local,
            connection: None,
            time: "0 0".into(),
            lines: Vec::new(),
            sections,
        }
    }

    /// An offer of sound.
    pub(crate) fn sound(&self) -> Offer {
        self.offer(vec![self.sound_section()])
    }

    /// An offer of sound and pictures.
    pub(crate) fn sound_and_pictures(&self) -> Offer {
        self.offer(vec![self.sound_section(), self.picture_section()])
    }

    /// Sound in every codec that is common.
    pub(crate) fn sound_section(&self) -> SectionOffer {
        SectionOffer::new(
            "audio",
            self.lines[Which::Audio as usize].port(),
            "RTP/AVP",
            &["0", "8", "9", "96", "101"],
            &[
                "a=rtpmap:0 PCMU/8000",
                "a=rtpmap:8 PCMA/8000",
                "a=rtpmap:9 G722/8000",
                "a=rtpmap:96 opus/48000/2",
                "a=rtpmap:101 telephone-event/8000",
                "a=fmtp:101 0-16",
            ],
        )
    }

    /// H.264 in both packetization modes, with the means to ask for a key frame.
    pub(crate) fn picture_section(&self) -> SectionOffer {
        SectionOffer::new(
            "video",
            self.lines[Which::Video as usize].port(),
            "RTP/AVP",
            &["97", "98"],
            &[
                "a=rtpmap:97 H264/90000",
                "a=fmtp:97 profile-level-id=42e01f;packetization-mode=1",
                "a=rtpmap:98 H264/90000",
                "a=fmtp:98 profile-level-id=42e01f;packetization-mode=0",
                "a=rtcp-fb:* nack pli",
                "a=rtcp-fb:* ccm fir",
            ],
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offer_is_written_in_the_order_of_rfc_8866() {
        let section = SectionOffer::new("audio", 4000, "RTP/AVP", &["0"], &["a=sendonly"]);
        let offer = Offer {
            id: 1,
            version: 2,
            address: [127, 0, 0, 1].into(),
            connection: None,
            time: "0 0".into(),
            lines: vec!["a=tool:x".into(), "b=AS:64".into()],
            sections: vec![section],
        };
        assert_eq!(
            offer.text(),
            "v=0\r\no=visavis-check 1 2 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nb=AS:64\r\nt=0 0\r\n\
             a=tool:x\r\nm=audio 4000 RTP/AVP 0\r\na=sendonly\r\n"
        );
        assert_eq!(offer.next().version, 3);
    }
}
