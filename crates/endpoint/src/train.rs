//! Datagrams that leave together.

use bytes::{Bytes, BytesMut};
use std::net::{IpAddr, SocketAddr};
use visavis_proto::io::{PacketKind, SocketId, Transmit};

/// The largest datagrams that travel in trains, octets: the kernel refuses to cut a train to more than the path takes.
const LARGEST: usize = 1_400;

/// Datagrams of one size for one peer, to be sent by one system call.
#[derive(Default)]
pub(crate) struct Train {
    head: Option<Transmit>,
    joined: BytesMut,
    segment: usize,
    count: usize,
    closed: bool,
}

/// A train that leaves.
pub(crate) struct Departure {
    pub(crate) socket: SocketId,
    pub(crate) local: Option<IpAddr>,
    pub(crate) remote: SocketAddr,
    pub(crate) kind: PacketKind,
    pub(crate) data: Bytes,
    pub(crate) segment: Option<usize>,
}

impl Train {
    /// Whether a datagram may join, where at most `most` may travel together.
    pub(crate) fn joins(&self, next: &Transmit, most: usize) -> bool {
        match &self.head {
            None => true,
            Some(head) => {
                !self.closed
                    && self.count < most.min(32)
                    && next.data.len() <= self.segment
                    && self.segment <= LARGEST
                    && !next.data.is_empty()
                    && (self.count + 1) * self.segment <= 60_000
                    && (head.socket, head.local, head.remote) == (next.socket, next.local, next.remote)
            }
        }
    }

    pub(crate) fn add(&mut self, next: Transmit) {
        self.count += 1;
        let Some(head) = &self.head else {
            self.segment = next.data.len();
            self.closed = self.segment == 0;
            self.head = Some(next);
            return;
        };
        if self.joined.is_empty() {
            self.joined.extend_from_slice(&head.data);
        }
        self.joined.extend_from_slice(&next.data);
        // Only the last datagram of a train may be shorter than the others.
        self.closed = next.data.len() < self.segment;
    }

    /// What has gathered; nothing where nothing has.
    pub(crate) fn take(&mut self) -> Option<Departure> {
        let head = self.head.take()?;
        let joined = std::mem::take(&mut self.joined);
        let many = self.count > 1;
        self.count = 0;
        self.closed = false;
        Some(Departure {
            socket: head.socket,
            local: head.local,
            remote: head.remote,
            kind: head.kind,
            data: if many { joined.freeze() } else { head.data },
            segment: many.then_some(self.segment),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(octets: usize, remote: &str) -> Transmit {
        Transmit {
            socket: SocketId(0),
            local: None,
            remote: remote.parse().unwrap(),
            data: vec![octets as u8; octets].into(),
            kind: PacketKind::Video,
        }
    }

    #[test]
    fn a_train_takes_equal_datagrams_for_one_peer_and_one_shorter_at_its_end() {
        let mut train = Train::default();
        for octets in [9, 9, 4] {
            let next = packet(octets, "127.0.0.1:9");
            assert!(train.joins(&next, 64));
            train.add(next);
        }
        assert!(!train.joins(&packet(4, "127.0.0.1:9"), 64));
        let departure = train.take().unwrap();
        assert_eq!((departure.data.len(), departure.segment), (22, Some(9)));
        train.add(packet(3, "127.0.0.1:9"));
        assert!(!train.joins(&packet(9, "127.0.0.1:9"), 64));
        assert!(!train.joins(&packet(3, "127.0.0.1:8"), 64));
        assert!(!train.joins(&packet(3, "127.0.0.1:9"), 1));
        assert_eq!(train.take().unwrap().segment, None);
        assert!(train.take().is_none());
        train.add(packet(LARGEST + 1, "127.0.0.1:9"));
        assert!(!train.joins(&packet(LARGEST + 1, "127.0.0.1:9"), 64), "the path may not take it");
    }
}
