//! Opening SRTP: the key of a stream is the one that opens its packets.

use crate::findings::{Protection, ProtectionVerdict};
use bytes::Bytes;
use visavis_proto::rtp::srtp::{MasterKey, Receiver, SrtpError};

/// The most keys that are tried on one stream.
const MAX_KEYS: usize = 64;
/// Packets on which all keys are tried; later, one in as many is.
const TRIED: u64 = 64;

/// The keys that may open one stream.
#[derive(Default)]
pub(super) struct Opener {
    keys: Vec<(MasterKey, Receiver)>,
    /// The key that opened a packet last.
    current: Option<usize>,
    packets: u64,
    opened: u64,
    refused: u64,
    suite: Option<String>,
}

impl std::fmt::Debug for Opener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opener")
            .field("keys", &self.keys.len())
            .field("opened", &self.opened)
            .finish_non_exhaustive()
    }
}

/// What became of a packet.
pub(super) enum Opened {
    /// There is no key: the packet is taken as it is.
    NoKey,
    /// The RTP or RTCP in it.
    Clear(Bytes),
    /// It was opened before.
    Repeated,
    /// No key opens it.
    Refused,
}

impl Opener {
    /// Adds a key, unless it is there.
    pub(super) fn add(&mut self, key: &MasterKey) {
        if self.keys.len() < MAX_KEYS && self.keys.iter().all(|(known, _)| known != key) {
            self.keys.push((key.clone(), Receiver::new(key)));
        }
    }

    /// Whether any packet could be opened.
    pub(super) fn has_opened(&self) -> bool {
        self.opened > 0
    }

    pub(super) fn rtp(&mut self, packet: &[u8]) -> Opened {
        self.open(|receiver| receiver.rtp(packet))
    }

    pub(super) fn rtcp(&mut self, packet: &[u8]) -> Opened {
        self.open(|receiver| receiver.rtcp(packet))
    }

    /// What is in a packet, without taking notice of it.
    pub(super) fn peek(&self, packet: &[u8]) -> Option<Bytes> {
        self.keys.iter().find_map(|(key, _)| Receiver::new(key).rtp(packet).ok())
    }

    fn open(&mut self, open: impl Fn(&mut Receiver) -> Result<Bytes, SrtpError>) -> Opened {
        if self.keys.is_empty() {
            return Opened::NoKey;
        }
        self.packets += 1;
        let all = self.packets <= TRIED || self.packets.is_multiple_of(TRIED);
        let order =
            self.current.into_iter().chain((0..self.keys.len()).filter(|i| all && Some(*i) != self.current));
        for index in order.collect::<Vec<_>>() {
            let Some((key, receiver)) = self.keys.get_mut(index) else { continue };
            match open(receiver) {
                Ok(clear) => {
                    if self.current != Some(index) {
                        self.suite = Some(key.profile().name().to_owned());
                    }
                    self.current = Some(index);
                    self.opened += 1;
                    return Opened::Clear(clear);
                }
                Err(SrtpError::Replayed) if self.current == Some(index) => return Opened::Repeated,
                Err(_) => {}
            }
        }
        self.refused += 1;
        Opened::Refused
    }

    /// Adds to a verdict what the keys came to.
    pub(super) fn conclude(self, mut protection: Protection) -> Protection {
        (protection.opened, protection.refused) = (self.opened, self.refused);
        if self.opened > 0 {
            protection.verdict = ProtectionVerdict::Opened;
            protection.suite = self.suite;
            protection.reasons = vec![format!("{} packets opened with a key that was there", self.opened)];
            if self.refused > 0 {
                protection.reasons.push(format!("{} packets were refused", self.refused));
            }
        } else if self.refused > 0 && protection.verdict != ProtectionVerdict::LooksClear {
            protection
                .reasons
                .push(format!("none of the keys that are there ({}) opens it", self.keys.len()));
        }
        protection
    }
}
