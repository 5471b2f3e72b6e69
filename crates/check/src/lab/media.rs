//! Ports for sound and for pictures, and what came in on them.

use super::exchange::{Entry, Way};
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::UdpSocket;
use visavis_proto::rtp::packet::RtpPacket;
use visavis_proto::rtp::rtcp::{Compound, Packet};

/// Which medium.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    Audio = 0,
    Video = 1,
}

/// One RTP packet.
#[derive(Clone, Debug)]
pub(crate) struct Rtp {
    pub(crate) at: Duration,
    pub(crate) from: SocketAddr,
    pub(crate) frame: Option<u64>,
    pub(crate) payload_type: u8,
    pub(crate) marker: bool,
    pub(crate) seq: u16,
    pub(crate) timestamp: u32,
    pub(crate) ssrc: u32,
    pub(crate) payload: Vec<u8>,
}

/// One datagram of RTCP.
#[derive(Clone, Debug)]
pub(crate) struct Rtcp {
    pub(crate) at: Duration,
    pub(crate) from: SocketAddr,
    pub(crate) frame: Option<u64>,
    /// Whether it came to the port of RTP.
    pub(crate) muxed: bool,
    pub(crate) data: Vec<u8>,
}

/// A pair of ports.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) rtp_socket: Arc<UdpSocket>,
    pub(crate) rtcp_socket: Arc<UdpSocket>,
    port: u16,
    local: SocketAddr,
    pub(crate) rtp: Vec<Rtp>,
    pub(crate) rtcp: Vec<Rtcp>,
    /// STUN and whatever else came: when, from where, what.
    pub(crate) others: Vec<(Duration, SocketAddr, Vec<u8>)>,
    pub(crate) sent: Arc<AtomicU64>,
}

impl Line {
    /// Binds an even port and the one above it.
    pub(crate) async fn open(ip: IpAddr, tries: usize) -> io::Result<Line> {
        let mut last = io::Error::from(io::ErrorKind::AddrInUse);
        for _ in 0..tries * 4 {
            let rtp_socket = UdpSocket::bind((ip, 0)).await?;
            let local = rtp_socket.local_addr()?;
            let Some(above) = local.port().checked_add(1).filter(|_| local.port().is_multiple_of(2)) else {
                continue;
            };
            match UdpSocket::bind((ip, above)).await {
                Ok(rtcp_socket) => {
                    return Ok(Line {
                        rtp_socket: Arc::new(rtp_socket),
                        rtcp_socket: Arc::new(rtcp_socket),
                        port: local.port(),
                        local,
                        rtp: Vec::new(),
                        rtcp: Vec::new(),
                        others: Vec::new(),
                        sent: Arc::default(),
                    });
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// The port of RTP.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The address of RTP.
    pub(crate) fn local(&self) -> SocketAddr {
        self.local
    }

    /// The packets that came since a moment.
    pub(crate) fn since(&self, moment: Duration) -> impl Iterator<Item = &Rtp> {
        self.rtp.iter().filter(move |packet| packet.at >= moment)
    }

    pub(crate) fn take(
        &mut self,
        at: Duration,
        from: SocketAddr,
        rtcp: bool,
        frame: Option<u64>,
        data: Vec<u8>,
    ) {
        let second = data.get(1).copied().unwrap_or_default();
        let rtp_or_rtcp = data.first().is_some_and(|octet| (128..192).contains(octet));
        // RFC 5761 section 4: packet types of RTCP, which payload types keep clear of.
        if rtp_or_rtcp && (192..224).contains(&second) {
            return self.rtcp.push(Rtcp { at, from, frame, muxed: !rtcp, data });
        }
        match RtpPacket::parse(&data) {
            Ok(packet) if rtp_or_rtcp => self.rtp.push(Rtp {
                at,
                from,
                frame,
                payload_type: packet.payload_type,
                marker: packet.marker,
                seq: packet.seq,
                timestamp: packet.timestamp,
                ssrc: packet.ssrc,
                payload: packet.payload().get(..64.min(packet.payload().len())).unwrap_or_default().to_vec(),
            }),
            _ => self.others.push((at, from, data)),
        }
    }

    /// What came and went, in a line for each stream.
    pub(crate) fn summaries(&mut self) -> Vec<Entry> {
        let mut streams: BTreeMap<(SocketAddr, u32, u8), Vec<&Rtp>> = BTreeMap::new();
        for packet in &self.rtp {
            streams.entry((packet.from, packet.ssrc, packet.payload_type)).or_default().push(packet);
        }
        let mut entries = Vec::new();
        for ((from, ssrc, payload_type), packets) in streams {
            let (Some(first), Some(last)) = (packets.first(), packets.last()) else { continue };
            let text = format!(
                "RTP: {} packets in {:.3} s, payload type {payload_type}, SSRC {ssrc:#010x}, sequence numbers {} to \
                 {}, timestamps {} to {}, frames {}",
                packets.len(),
                (last.at - first.at).as_secs_f64(),
                first.seq,
                last.seq,
                first.timestamp,
                last.timestamp,
                frames(first.frame, last.frame),
            );
            entries.push(self.entry(first.at, Way::Received, first.frame, from, text));
        }
        for packet in &self.rtcp {
            let text = format!(
                "RTCP: {}{}",
                kinds(&packet.data),
                if packet.muxed { ", on the port of RTP" } else { "" }
            );
            entries.push(self.entry(packet.at, Way::Received, packet.frame, packet.from, text));
        }
        for (at, from, data) in &self.others {
            let text = format!("neither RTP nor RTCP: {} octets, {}", data.len(), hex(data));
            entries.push(self.entry(*at, Way::Received, None, *from, text));
        }
        let sent = self.sent.load(Ordering::Relaxed);
        if sent > 0
            && let Some(first) = self.rtp.first()
        {
            let text = format!("RTP and RTCP sent meanwhile: {sent} packets");
            entries.push(self.entry(first.at, Way::Sent, None, first.from, text));
        }
        entries
    }

    fn entry(&self, at: Duration, way: Way, frame: Option<u64>, remote: SocketAddr, text: String) -> Entry {
        Entry { at_s: at.as_secs_f64(), way, frame, local: Some(self.local), remote: Some(remote), text }
    }
}

fn frames(first: Option<u64>, last: Option<u64>) -> String {
    match (first, last) {
        (Some(first), Some(last)) => format!("{first} to {last}"),
        _ => "unknown".into(),
    }
}

/// The beginning of something, in hexadecimal.
pub(crate) fn hex(data: &[u8]) -> String {
    data.iter().take(32).map(|octet| format!("{octet:02x}")).collect()
}

/// The packets of a compound by name.
fn kinds(data: &[u8]) -> String {
    let compound = match Compound::parse(data) {
        Ok(compound) => compound,
        Err(error) => return format!("broken ({error}), {}", hex(data)),
    };
    let name = |packet| match packet {
        Ok(Packet::SenderReport(_)) => "SR".to_owned(),
        Ok(Packet::ReceiverReport(_)) => "RR".into(),
        Ok(Packet::Sdes(_)) => "SDES".into(),
        Ok(Packet::Bye(_)) => "BYE".into(),
        Ok(Packet::TransportFeedback(_)) => "RTPFB".into(),
        Ok(Packet::PayloadFeedback(_)) => "PSFB".into(),
        Ok(Packet::Other { packet_type, .. }) => format!("type {packet_type}"),
        Err(error) => format!("broken ({error})"),
    };
    compound.packets().map(name).collect::<Vec<_>>().join(" ")
}
