//! Cutting access units to packets (RFC 6184 section 6).

use super::nal::nal_type;
use super::{NalUnits, PacketizationMode};
use crate::rtp::payload::{PayloadError, PayloadPacket};
use bytes::Bytes;

/// Cuts H.264 access units to packets.
#[derive(Debug)]
pub struct H264Packetizer {
    mode: PacketizationMode,
}

impl H264Packetizer {
    /// A packetizer that keeps to `mode`.
    pub fn new(mode: PacketizationMode) -> Self {
        H264Packetizer { mode }
    }

    /// The mode that it keeps to.
    pub fn mode(&self) -> PacketizationMode {
        self.mode
    }

    /// Cuts an Annex B access unit to payloads of at most `max_payload` octets.
    ///
    /// # Errors
    ///
    /// [`PayloadError::Empty`], [`PayloadError::NotAnnexB`], [`PayloadError::PacketTooSmall`], and in mode 0
    /// [`PayloadError::NalTooLarge`].
    pub fn packetize(
        &mut self,
        frame: &Bytes,
        max_payload: usize,
        out: &mut Vec<PayloadPacket>,
    ) -> Result<(), PayloadError> {
        let nals: Vec<Bytes> = NalUnits::new(frame).ok_or(PayloadError::NotAnnexB)?.collect();
        if let Some(nal) = nals.iter().find(|nal| nal.len() > max_payload) {
            let nal_type = nal.first().map_or(0, |&header| nal_type::of(header));
            return Err(PayloadError::NalTooLarge { nal_type, size: nal.len(), max: max_payload });
        }
        let last = nals.len().checked_sub(1).ok_or(PayloadError::Empty)?;
        out.extend(nals.into_iter().enumerate().map(|(i, payload)| PayloadPacket {
            payload,
            marker: i == last,
            timestamp_offset: 0,
        }));
        Ok(())
    }
}
