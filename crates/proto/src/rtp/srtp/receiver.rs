//! SRTP and SRTCP that arrive.

use super::cipher::{Cipher, session};
use super::index::Indices;
use super::{MasterKey, SrtpError, rtcp_ssrc, rtp_header};
use crate::limits::Limits;
use bytes::Bytes;
use std::collections::BTreeMap;

/// Checks and opens what arrives under one master key. Nothing about an SSRC is kept before a packet of it was
/// authentic, so that forged packets change nothing.
pub struct Receiver {
    rtp: Box<dyn Cipher>,
    rtcp: Box<dyn Cipher>,
    max_sources: usize,
    sources: BTreeMap<u32, Source>,
    counters: ReceiverCounters,
}

/// What a receiver has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReceiverCounters {
    /// Packets opened.
    pub opened: u64,
    /// Packets that were no RTP or RTCP.
    pub malformed: u64,
    /// Packets made with another key, or changed on the way.
    pub unauthentic: u64,
    /// Packets that came twice, or too late to tell.
    pub replayed: u64,
    /// Packets of more SSRCs than are kept.
    pub sources: u64,
}

#[derive(Default)]
struct Source {
    rtp: Indices,
    rtcp: Indices,
}

impl Receiver {
    /// A receiver that has not received anything.
    pub fn new(master: &MasterKey) -> Self {
        Receiver::with_limits(master, &Limits::default())
    }

    /// The same with [`Limits::srtp_sources`] of one's own.
    pub fn with_limits(master: &MasterKey, limits: &Limits) -> Self {
        let [rtp, rtcp] = session(master);
        let counters = ReceiverCounters::default();
        Receiver { rtp, rtcp, max_sources: limits.srtp_sources, sources: BTreeMap::new(), counters }
    }

    /// The RTP packet in an SRTP packet.
    ///
    /// # Errors
    /// [`SrtpError`]; it is counted too.
    pub fn rtp(&mut self, packet: &[u8]) -> Result<Bytes, SrtpError> {
        let opened = self.open_rtp(packet);
        self.count(opened)
    }

    /// The compound RTCP packet in an SRTCP packet.
    ///
    /// # Errors
    /// [`SrtpError`]; it is counted too.
    pub fn rtcp(&mut self, packet: &[u8]) -> Result<Bytes, SrtpError> {
        let opened = self.open_rtcp(packet);
        self.count(opened)
    }

    /// What was counted since the start.
    pub fn counters(&self) -> ReceiverCounters {
        self.counters
    }

    fn open_rtp(&mut self, packet: &[u8]) -> Result<Vec<u8>, SrtpError> {
        let (header, ssrc, seq) = rtp_header(packet).ok_or(SrtpError::Malformed)?;
        let known = self.known(ssrc)?;
        let (mut index, fresh) = (known.rtp.guess(seq)?, known.rtp.is_fresh());
        if !known.rtp.is_new(index) {
            return Err(SrtpError::Replayed);
        }
        let mut opened = self.rtp.open_rtp(packet, header, ssrc, index);
        // All packets from before the first rollover may have been lost: RFC 3711 section 3.3.1 leaves that open.
        if fresh && seq < 0x8000 && opened == Err(SrtpError::Authentication) {
            index += 0x1_0000;
            opened = self.rtp.open_rtp(packet, header, ssrc, index);
        }
        let opened = opened?;
        self.sources.entry(ssrc).or_default().rtp.note(index);
        Ok(opened)
    }

    fn open_rtcp(&mut self, packet: &[u8]) -> Result<Vec<u8>, SrtpError> {
        let ssrc = rtcp_ssrc(packet).ok_or(SrtpError::Malformed)?;
        let index = u64::from(self.rtcp.rtcp_index(packet).ok_or(SrtpError::Malformed)?);
        if !self.known(ssrc)?.rtcp.is_new(index) {
            return Err(SrtpError::Replayed);
        }
        let opened = self.rtcp.open_rtcp(packet, ssrc)?;
        self.sources.entry(ssrc).or_default().rtcp.note(index);
        Ok(opened)
    }

    fn known(&self, ssrc: u32) -> Result<&Source, SrtpError> {
        const NEW: &Source = &Source { rtp: Indices::NEW, rtcp: Indices::NEW };
        match self.sources.get(&ssrc) {
            Some(source) => Ok(source),
            None if self.sources.len() < self.max_sources => Ok(NEW),
            None => Err(SrtpError::Sources(self.max_sources)),
        }
    }

    fn count(&mut self, opened: Result<Vec<u8>, SrtpError>) -> Result<Bytes, SrtpError> {
        let counters = &mut self.counters;
        let counter = match &opened {
            Ok(_) => &mut counters.opened,
            Err(SrtpError::Authentication) => &mut counters.unauthentic,
            Err(SrtpError::Replayed | SrtpError::Exhausted) => &mut counters.replayed,
            Err(SrtpError::Sources(_)) => &mut counters.sources,
            Err(SrtpError::Malformed) => &mut counters.malformed,
        };
        *counter += 1;
        opened.map(Bytes::from)
    }
}
