//! What does a datagram carry that comes in? RTP alone does not say whether it is sound or pictures: the payload
//! types that were agreed on do.

use super::Traffic;
use std::collections::HashMap;
use visavis_proto::demux::{Kind, classify};
use visavis_proto::frame::MediaKind;
use visavis_proto::io::{MediaFormat, Section};

/// Payload types that are remembered: more than a port has in any sensible call.
const MOST: usize = 4_096;

/// Payload types by local port, as the calls agreed on them. Calls that give one payload type of one port to sound
/// and to pictures cannot be told apart: the last one holds.
#[derive(Default)]
pub(super) struct Sorter {
    payloads: HashMap<(u16, u8), MediaKind>,
}

impl Sorter {
    pub(super) fn learn(&mut self, sections: &[Section]) {
        for section in sections.iter().filter(|s| s.active) {
            let Some(local) = section.local else { continue };
            for (payload_type, format) in &section.receive {
                let kind = match format {
                    MediaFormat::Audio(_) => MediaKind::Audio,
                    MediaFormat::Video(_) => MediaKind::Video,
                };
                let place = (local.port(), *payload_type);
                if self.payloads.len() < MOST || self.payloads.contains_key(&place) {
                    self.payloads.insert(place, kind);
                }
            }
        }
    }

    pub(super) fn sort(&self, port: u16, data: &[u8]) -> Traffic {
        match classify(data) {
            Kind::Rtp => {
                let payload_type = data.get(1).map(|octet| octet & 0x7f);
                match payload_type.and_then(|pt| self.payloads.get(&(port, pt))) {
                    Some(MediaKind::Audio) => Traffic::Audio,
                    Some(MediaKind::Video) => Traffic::Video,
                    None => Traffic::Rtp,
                }
            }
            Kind::Rtcp => Traffic::Rtcp,
            Kind::Sip => Traffic::Sip,
            Kind::Stun => Traffic::Stun,
            Kind::KeepAlive | Kind::Dtls | Kind::Zrtp | Kind::TurnChannel | Kind::Unknown => Traffic::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use visavis_proto::frame::{AudioFormat, Codec};
    use visavis_proto::io::Direction;

    #[test]
    fn rtp_is_told_by_the_payload_types_that_were_agreed_on() {
        let format = MediaFormat::Audio(AudioFormat {
            codec: Codec::Opus,
            sample_rate: 48_000,
            clock_rate: 48_000,
            channels: 2,
            samples_per_frame: 960,
            config: Default::default(),
            max_bitrate: None,
        });
        let section = Section {
            kind: Some(MediaKind::Audio),
            active: true,
            direction: Direction::SendRecv,
            send: Some(format.clone()),
            receive: vec![(96, format)],
            local: Some("10.0.0.1:4000".parse().unwrap()),
            remote: None,
            takes_rotation: false,
        };
        let mut sorter = Sorter::default();
        let rtp = [&[0x80, 0x80 | 96][..], &[0; 12]].concat();
        assert_eq!(sorter.sort(4000, &rtp), Traffic::Rtp);
        sorter.learn(&[section]);
        assert_eq!(sorter.sort(4000, &rtp), Traffic::Audio);
        assert_eq!(sorter.sort(4002, &rtp), Traffic::Rtp);
        assert_eq!(sorter.sort(4000, &[0x80, 200, 0, 1, 0, 0, 0, 0]), Traffic::Rtcp);
        assert_eq!(sorter.sort(4000, b"BYE sip:a SIP/2.0\r\n\r\n"), Traffic::Sip);
        assert_eq!(sorter.sort(4000, &[]), Traffic::Other);
    }
}
