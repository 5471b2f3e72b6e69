//! RTP and RTCP on their way out.

use super::cipher::{Cipher, session};
use super::index::Indices;
use super::{MasterKey, SrtpError, rtcp_ssrc, rtp_header};
use crate::limits::Limits;
use bytes::Bytes;
use std::collections::BTreeMap;

/// RTCP packets that one key protects for one SSRC: RFC 3711 section 9.2.
const RTCP_LIFETIME: u32 = 1 << 31;

/// Protects what is sent under one master key.
pub struct Sender {
    rtp: Box<dyn Cipher>,
    rtcp: Box<dyn Cipher>,
    max_sources: usize,
    sources: BTreeMap<u32, Source>,
}

#[derive(Default)]
struct Source {
    rtp: Indices,
    rtcp: u32,
}

impl Sender {
    /// A sender that has not sent anything. A key must not serve two of them: they would use one keystream twice.
    pub fn new(master: &MasterKey) -> Self {
        Sender::with_limits(master, &Limits::default())
    }

    /// The same with [`Limits::srtp_sources`] of one's own.
    pub fn with_limits(master: &MasterKey, limits: &Limits) -> Self {
        let [rtp, rtcp] = session(master);
        Sender { rtp, rtcp, max_sources: limits.srtp_sources, sources: BTreeMap::new() }
    }

    /// An SRTP packet from an RTP packet.
    ///
    /// # Errors
    /// [`SrtpError::Malformed`], [`SrtpError::Sources`], [`SrtpError::Replayed`] for a sequence number that was sent
    /// before, [`SrtpError::Exhausted`].
    pub fn rtp(&mut self, packet: &[u8]) -> Result<Bytes, SrtpError> {
        let (header, ssrc, seq) = rtp_header(packet).ok_or(SrtpError::Malformed)?;
        let source = self.source(ssrc)?;
        let index = source.rtp.guess(seq)?;
        if !source.rtp.is_new(index) {
            return Err(SrtpError::Replayed);
        }
        source.rtp.note(index);
        self.rtp.seal_rtp(packet, header, ssrc, index).map(Bytes::from)
    }

    /// An SRTCP packet from a compound RTCP packet.
    ///
    /// # Errors
    /// [`SrtpError::Malformed`], [`SrtpError::Sources`], [`SrtpError::Exhausted`].
    pub fn rtcp(&mut self, packet: &[u8]) -> Result<Bytes, SrtpError> {
        let ssrc = rtcp_ssrc(packet).ok_or(SrtpError::Malformed)?;
        let source = self.source(ssrc)?;
        let index = source.rtcp;
        if index >= RTCP_LIFETIME {
            return Err(SrtpError::Exhausted);
        }
        source.rtcp += 1;
        self.rtcp.seal_rtcp(packet, ssrc, index).map(Bytes::from)
    }

    fn source(&mut self, ssrc: u32) -> Result<&mut Source, SrtpError> {
        if self.sources.len() >= self.max_sources && !self.sources.contains_key(&ssrc) {
            return Err(SrtpError::Sources(self.max_sources));
        }
        Ok(self.sources.entry(ssrc).or_default())
    }
}
