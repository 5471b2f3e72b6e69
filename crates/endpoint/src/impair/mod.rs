//! Impairment built in: what leaves and what arrives passes the simulator's lines first.
//!
//! The lines stand beyond this endpoint, where the network is. A capture taken here therefore holds what was sent,
//! though it may be lost later, and of what comes in only what got through, at the time at which it did. For the
//! agent too a datagram is received when the line lets it out: jitter that is imposed is measured as the network's.

mod queue;
mod sorter;

pub use visavis_sim::impair::{
    Counts, Entry, Fate, Impairment, ImpairmentError, Log as ImpairmentLog, Mark, Parcel, Traffic, Visible,
    Way,
};

use self::queue::Queue;
use self::sorter::Sorter;
use crate::socket::Received;
use bytes::Bytes;
use std::net::SocketAddr;
use visavis_proto::Time;
use visavis_proto::io::{PacketKind, Section, SocketId, Transmit};
use visavis_sim::impair::Impairer;

/// What is done to an endpoint's datagrams.
#[derive(Clone, Debug, PartialEq)]
pub struct Impair {
    /// The lines.
    pub lines: Impairment,
    /// Decides everything that is left to chance.
    pub seed: u64,
}

/// A datagram that arrives after its time on the line.
pub(crate) struct Arrived {
    pub(crate) socket: SocketId,
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
    pub(crate) received: Time,
    pub(crate) data: Bytes,
}

/// Lines in front of an endpoint's sockets, and what is on them.
pub(crate) struct Gate {
    impairer: Impairer,
    sorter: Sorter,
    up: Queue<Transmit>,
    down: Queue<Arrived>,
}

impl Gate {
    pub(crate) fn new(wanted: &Impair) -> Self {
        Gate {
            impairer: Impairer::new(&wanted.lines, wanted.seed),
            sorter: Sorter::default(),
            up: Queue::new(),
            down: Queue::new(),
        }
    }

    /// What the media sections of a call are now: by their payload types sound is told from pictures.
    pub(crate) fn sections(&mut self, sections: &[Section]) {
        self.sorter.learn(sections);
    }

    /// Puts a datagram on the line out.
    pub(crate) fn send(&mut self, now: Time, transmit: Transmit) {
        let traffic = match transmit.kind {
            PacketKind::Sip => Traffic::Sip,
            PacketKind::Stun => Traffic::Stun,
            PacketKind::Audio => Traffic::Audio,
            PacketKind::Video => Traffic::Video,
            PacketKind::Rtcp => Traffic::Rtcp,
        };
        let fate = self.impairer.send(now, Way::Up, Parcel::new(traffic, &transmit.data));
        for at in fate.arrivals() {
            if !self.up.push(at, transmit.data.len(), transmit.clone()) {
                self.impairer.overflow();
            }
        }
    }

    /// Puts a datagram on the line in.
    pub(crate) fn receive(&mut self, socket: SocketId, d: Received<'_>) {
        let traffic = self.sorter.sort(d.local.port(), d.data);
        let fate = self.impairer.send(d.received, Way::Down, Parcel::new(traffic, d.data));
        let (local, remote) = (d.local, d.remote);
        let data = Bytes::copy_from_slice(d.data);
        for received in fate.arrivals() {
            let arrived = Arrived { socket, local, remote, received, data: data.clone() };
            if !self.down.push(received, data.len(), arrived) {
                self.impairer.overflow();
            }
        }
    }

    /// The next datagram that has left the line out.
    pub(crate) fn sent(&mut self, now: Time) -> Option<Transmit> {
        self.up.pop(now)
    }

    /// The next datagram that has left the line in.
    pub(crate) fn received(&mut self, now: Time) -> Option<Arrived> {
        self.down.pop(now)
    }

    /// When there is something to do.
    pub(crate) fn due(&self) -> Option<Time> {
        self.up.due().into_iter().chain(self.down.due()).min()
    }

    /// Whether something is still on its way out.
    pub(crate) fn sends(&self) -> bool {
        self.up.due().is_some()
    }

    pub(crate) fn log(&self) -> &ImpairmentLog {
        self.impairer.log()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn gate(lines: &str) -> Gate {
        Gate::new(&Impair { lines: lines.parse().unwrap(), seed: 1 })
    }

    fn ms(ms: u64) -> Time {
        Time::from_millis(ms)
    }

    #[test]
    fn what_comes_in_counts_as_received_when_the_line_lets_it_out_and_not_when_somebody_looks() {
        let mut gate = gate("down:delay=20ms");
        let (local, remote) = ("10.0.0.1:1".parse().unwrap(), "10.0.0.2:2".parse().unwrap());
        let data = b"BYE sip:a SIP/2.0\r\n\r\n";
        gate.receive(SocketId(3), Received { local, remote, received: ms(100), data });
        assert_eq!(gate.due(), Some(ms(120)));
        assert!(gate.received(ms(119)).is_none() && !gate.sends());
        let arrived = gate.received(ms(135)).unwrap();
        assert_eq!((arrived.received, arrived.socket, &arrived.data[..]), (ms(120), SocketId(3), &data[..]));
        assert_eq!(gate.log().counts(Way::Down, Traffic::Sip).delay_max, Some(Duration::from_millis(20)));
        assert!(gate.due().is_none());
    }

    #[test]
    fn what_goes_out_waits_is_doubled_or_lost() {
        let packet = |kind, data: &'static [u8]| Transmit {
            socket: SocketId(0),
            local: None,
            remote: "10.0.0.2:2".parse().unwrap(),
            data: Bytes::from_static(data),
            kind,
        };
        let mut gate = gate("up.audio:loss=100%;up.video:duplicate=100%,delay=10ms");
        gate.send(ms(50), packet(PacketKind::Audio, &[0x80; 20]));
        assert!(!gate.sends());
        gate.send(ms(50), packet(PacketKind::Video, &[0x80; 20]));
        gate.send(ms(51), packet(PacketKind::Sip, b"ACK"));
        assert!(gate.sends());
        // SIP has no line: it is due at once, before the pictures that were sent earlier.
        assert_eq!(gate.sent(ms(51)).unwrap().kind, PacketKind::Sip);
        assert!(gate.sent(ms(59)).is_none());
        let out: Vec<PacketKind> = std::iter::from_fn(|| gate.sent(ms(60))).map(|t| t.kind).collect();
        assert_eq!(out, [PacketKind::Video; 2]);
        assert_eq!(gate.log().counts(Way::Up, Traffic::Audio).lost, 1);
    }
}
