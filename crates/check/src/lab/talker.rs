//! Media of our own: silence, and packets made to order.

use super::call::Call;
use super::{Lab, Which, usable};
use crate::case::Finding;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use visavis_capture::Direction;
use visavis_proto::rtp::packet::RtpHeader;
use visavis_proto::sdp::{Host, SessionDescription};

/// The interval of our packets.
const INTERVAL: Duration = Duration::from_millis(20);

impl Call {
    /// Where the peer takes media of a kind; `None` where it takes none.
    pub(crate) fn remote(&self, which: Which) -> Option<SocketAddr> {
        remote(&self.answer, self.index(which)?)
    }

    /// The same for RTCP: `a=rtcp`, the port of RTP where both share one, or the one above (RFC 3605, RFC 5761).
    pub(crate) fn remote_rtcp(&self, which: Which) -> Option<SocketAddr> {
        let section = self.answer.media.get(self.index(which)?)?;
        let mut address = self.remote(which)?;
        let named = section.attributes("rtcp").next().and_then(|v| v.split(' ').next()?.parse().ok());
        let muxed = section.attributes("rtcp-mux").next().is_some();
        let port = named.unwrap_or(if muxed { address.port() } else { address.port().saturating_add(1) });
        address.set_port(port);
        Some(address)
    }

    /// What media of a kind are sent as: payload type, name, clock rate.
    pub(crate) fn format(&self, which: Which) -> Option<(u8, String, u32)> {
        let index = self.index(which)?;
        usable(self.offer.sections.get(index)?, self.answer.media.get(index)?)
    }

    fn index(&self, which: Which) -> Option<usize> {
        let media = match which {
            Which::Audio => "audio",
            Which::Video => "video",
        };
        let found = self.offer.sections.iter().zip(&self.answer.media);
        found.into_iter().position(|(offer, answer)| offer.media == media && answer.port != 0)
    }
}

/// Where a section of a description takes media.
pub(crate) fn remote(description: &SessionDescription, index: usize) -> Option<SocketAddr> {
    let section = description.media.get(index).filter(|s| s.port != 0)?;
    let ip = description.section_connections(section).into_iter().find_map(|c| match c.host {
        Host::Ip(ip) => Some(ip),
        Host::Name(_) => None,
    });
    Some(SocketAddr::new(ip?, section.port))
}

impl Lab {
    /// Sends silence to the peer from now on, until the script ends or [`Lab::silence`].
    pub(crate) fn talk(&mut self, call: &Call) -> Result<(), Finding> {
        let Some((payload_type, name, rate)) = call.format(Which::Audio) else {
            return Err(Finding::NotApplicable("the peer takes no sound".into()));
        };
        let remote = self.media_address(call.remote(Which::Audio))?;
        let payload = silence(&name);
        let line = &self.lines[Which::Audio as usize];
        let (socket, local, sent) = (Arc::clone(&line.rtp_socket), line.local(), Arc::clone(&line.sent));
        let (wire, ssrc) = (Arc::clone(&self.wire), self.ssrc);
        self.talkers.push(tokio::spawn(async move {
            let mut clock = tokio::time::interval(INTERVAL);
            let mut header = RtpHeader { marker: true, payload_type, seq: 1000, timestamp: 90_000, ssrc };
            loop {
                clock.tick().await;
                let mut octets = Vec::new();
                header.with_payload(&payload).write(&mut octets);
                wire.record(Direction::Outbound, local, remote, &octets);
                // A port that is closed is a finding for the script, not for this.
                let _ = socket.send_to(&octets, remote).await;
                sent.fetch_add(1, Ordering::Relaxed);
                header.marker = false;
                header.seq = header.seq.wrapping_add(1);
                header.timestamp = header.timestamp.wrapping_add(rate / 50);
            }
        }));
        Ok(())
    }

    /// Stops all media of ours.
    pub(crate) fn silence(&mut self) {
        self.talkers.drain(..).for_each(|task| task.abort());
    }

    /// Sends a packet made to order to the peer's port of RTP or RTCP.
    pub(crate) async fn send_media(
        &mut self,
        which: Which,
        remote: Option<SocketAddr>,
        rtcp: bool,
        octets: &[u8],
    ) -> Result<(), Finding> {
        let remote = self.media_address(remote)?;
        let line = &self.lines[which as usize];
        let socket = Arc::clone(if rtcp { &line.rtcp_socket } else { &line.rtp_socket });
        let local = socket.local_addr().map_err(|e| Finding::Error(e.to_string()))?;
        line.sent.fetch_add(1, Ordering::Relaxed);
        let frame = self.wire.record(Direction::Outbound, local, remote, octets);
        let what = if rtcp { "RTCP" } else { "RTP" };
        let frame = frame.map_or(String::new(), |n| format!(" frame {n}"));
        self.note(format!(
            "{what} to {remote}{frame}: {} octets, {}",
            octets.len(),
            super::media::hex(octets)
        ));
        // As above.
        let _ = socket.send_to(octets, remote).await;
        Ok(())
    }

    /// Media go nowhere but to the machine that is tested.
    fn media_address(&self, address: Option<SocketAddr>) -> Result<SocketAddr, Finding> {
        let address = address.ok_or_else(|| Finding::NotApplicable("the peer takes no such media".into()))?;
        let same = |a: IpAddr, b: IpAddr| a == b || a.is_loopback() && b.is_loopback();
        if same(address.ip(), self.peer.address.ip()) {
            return Ok(address);
        }
        // A peer behind a NAT, or with several addresses, names one that is not for us.
        Ok(SocketAddr::new(self.peer.address.ip(), address.port()))
    }
}

/// 20 ms of silence.
fn silence(name: &str) -> Vec<u8> {
    match name {
        "PCMU" => vec![0xff; 160],
        "PCMA" => vec![0xd5; 160],
        // A frame of 20 ms without any energy (RFC 6716 section 3.1).
        "OPUS" => vec![0xf8, 0xff, 0xfe],
        _ => vec![0; 160],
    }
}
