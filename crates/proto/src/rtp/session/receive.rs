//! RTP in: validation of sources (RFC 3550 appendix A.1), which of them plays, and collisions of our SSRC
//! (section
//! 8.2).
//!
//! The first source of a section plays from its first packet on. Another one takes over when it has shown two
//! packets in sequence; the first of these has been held back, and comes with the second. A source that was
//! superseded plays again only when the one that plays has been silent for a second, so that two sources do
//! not take turns. Source addresses are left to whoever owns the transport: they matter here only for telling
//! a loop of our own packets from a collision.

use super::remote::Held;
use super::{Delivery, Dropped, Session};
use crate::rtp::source::Arrival;
use crate::rtp::{MediaPacket, RtpPacket};
use crate::time::Time;
use bytes::Bytes;
use std::net::SocketAddr;
use std::time::Duration;

/// A source that has been silent for this long can be superseded by one that was superseded before.
const SILENCE: Duration = Duration::from_secs(1);
/// The time after which a conflicting address is forgotten: ten report intervals (section 8.2).
const CONFLICT_MEMORY: Duration = Duration::from_secs(50);
/// The most conflicting addresses kept. A flood of them is no reason to change the SSRC again and again.
const MAX_CONFLICTS: usize = 8;

/// An address that sent packets with our SSRC.
#[derive(Debug)]
pub(super) struct Conflict {
    from: SocketAddr,
    channel: Channel,
    last: Time,
}

/// What came from a conflicting address: the two are tracked apart (section 8.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Channel {
    Rtp,
    Rtcp,
}

impl Session {
    pub(super) fn accept(
        &mut self,
        received: Time,
        from: SocketAddr,
        data: &[u8],
    ) -> Result<Delivery, Dropped> {
        let packet = RtpPacket::parse(data)?;
        let RtpPacket { ssrc, seq, payload_type, .. } = packet;
        if ssrc == self.sender.ssrc() {
            return Err(self.collide(received, from, Channel::Rtp));
        }
        let clock_rate = self.clock_rate(payload_type).ok_or(Dropped::PayloadType { ssrc, payload_type })?;
        let active = self.remotes.active;
        let extensions = packet.extension().map(|parts| self.extensions.read(parts)).unwrap_or_default();
        let silent = self.remotes.active().is_none_or(|r| r.last_rtp.is_none_or(|t| received - t >= SILENCE));

        let remote = self.remotes.entry(ssrc, received);
        remote.last_rtp = remote.last_rtp.max(Some(received));
        let (seq_extended, timestamp, restarted) = match remote.source.receive(received, &packet, clock_rate)
        {
            Arrival::Duplicate => return Err(Dropped::Duplicate { ssrc, seq }),
            Arrival::Jumped => {
                remote.held = Some(Held::new(&packet, extensions, received, clock_rate, true));
                return Err(Dropped::SequenceJump { ssrc, seq });
            }
            Arrival::Accepted { seq, timestamp, restarted } => (seq, timestamp, restarted),
        };
        let valid = remote.source.is_valid();
        let plays = match active {
            Some(active) if active == ssrc => true,
            Some(_) => valid && (!remote.played || silent),
            None => valid || !remote.said_bye,
        };
        if !plays && !valid {
            remote.held = Some(Held::new(&packet, extensions, received, clock_rate, false));
            return Err(Dropped::Probation { ssrc, seq });
        }
        if !plays {
            return Err(Dropped::Superseded { ssrc });
        }

        let begins = restarted || active != Some(ssrc);
        let held = remote.held.take().filter(|held| begins && held.seq.wrapping_add(1) == seq);
        if let Some(held) = held.as_ref().filter(|held| held.jumped) {
            remote.source.reclaim(held.payload.len());
        }
        remote.said_bye &= !valid;
        let first = !std::mem::replace(&mut remote.played, true) && active.is_none();
        self.remotes.active = Some(ssrc);
        if begins && !(first && self.generation.is_none()) {
            self.generation = Some(self.generation.unwrap_or(0).wrapping_add(1));
        }
        let packet = MediaPacket {
            generation: *self.generation.get_or_insert(0),
            ssrc,
            seq: seq_extended,
            timestamp,
            payload_type,
            clock_rate,
            marker: packet.marker,
            received,
            payload: Bytes::copy_from_slice(packet.payload()),
            extensions,
        };
        if held.as_ref().is_some_and(|held| !held.jumped) {
            self.counters.probation = self.counters.probation.saturating_sub(1);
        }
        Ok(Delivery { held: held.map(|held| held.before(&packet)), packet })
    }

    /// Someone else's packet carries our SSRC.
    pub(super) fn collide(&mut self, now: Time, from: SocketAddr, channel: Channel) -> Dropped {
        let old = self.sender.ssrc();
        self.conflicts.retain(|c| now - c.last <= CONFLICT_MEMORY);
        if let Some(known) = self.conflicts.iter_mut().find(|c| c.from == from && c.channel == channel) {
            known.last = now;
            return Dropped::Loop { ssrc: old };
        }
        if self.conflicts.len() >= MAX_CONFLICTS {
            return Dropped::Loop { ssrc: old };
        }
        self.conflicts.push(Conflict { from, channel, last: now });
        let new = self.unused_ssrc();
        if self.has_spoken() {
            self.byes.push((old, now));
        }
        self.sender.change_ssrc(new);
        Dropped::Collision { old, new }
    }

    fn clock_rate(&self, payload_type: u8) -> Option<u32> {
        let found = self.payload_types.iter().find(|t| t.number == payload_type)?;
        Some(if found.clock_rate == 0 { 8_000 } else { found.clock_rate })
    }
}
