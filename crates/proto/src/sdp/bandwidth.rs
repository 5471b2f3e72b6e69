//! `b=` lines (RFC 8866 section 5.8, RFC 3890, RFC 3556) and what they leave for the codec.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// A `b=` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bandwidth {
    /// What the number bounds, and its unit.
    pub kind: BandwidthKind,
    /// The number.
    pub value: u64,
}

/// The modifier of a `b=` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BandwidthKind {
    /// `AS`: kbit/s with IP, UDP and RTP headers (RFC 8866 section 5.8).
    As,
    /// `TIAS`: bit/s of RTP payload alone (RFC 3890 section 6.2.2).
    Tias,
    /// `CT`: kbit/s of a whole conference.
    Ct,
    /// `RS`: bit/s of RTCP for senders (RFC 3556).
    Rs,
    /// `RR`: bit/s of RTCP for receivers (RFC 3556).
    Rr,
    /// Any other; ignored, as RFC 8866 section 5.8 demands.
    Other(String),
}

/// The bounds that a peer set on one section, or on the whole session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Bounds {
    /// Bit/s with headers.
    pub(super) with_headers: Option<u64>,
    /// Bit/s of RTP payload.
    pub(super) payload: Option<u64>,
}

/// An `AS` that bounds nothing.
const NO_LIMIT: u64 = 0x7fff_ffff;

impl Bounds {
    /// Reads the bounds out of `b=` lines. TIAS wins over AS (RFC 3890 section 6.2.3: an application that
    /// implements TIAS ignores AS where both are present), AS over CT.
    pub(super) fn read(lines: impl Iterator<Item = Bandwidth>) -> Self {
        let (mut application, mut tias, mut conference) = (None, None, None);
        for Bandwidth { kind, value } in lines {
            match kind {
                // FaceTime of 2010 writes the largest number of 31 bits for "no limit".
                BandwidthKind::As if value == NO_LIMIT => {}
                BandwidthKind::As => application = Some(value.saturating_mul(1_000)),
                BandwidthKind::Tias => tias = Some(value),
                BandwidthKind::Ct => conference = Some(value.saturating_mul(1_000)),
                BandwidthKind::Rs | BandwidthKind::Rr | BandwidthKind::Other(_) => {}
            }
        }
        match tias {
            Some(_) => Bounds { with_headers: None, payload: tias },
            None => Bounds { with_headers: application.or(conference), payload: None },
        }
    }

    /// What is left after a stream of `payload` bit/s has taken its share.
    pub(super) fn without(self, shape: PacketShape, payload: u64, remote: Option<IpAddr>) -> Self {
        Bounds {
            with_headers: self
                .with_headers
                .map(|total| total.saturating_sub(shape.with_headers(payload, remote))),
            payload: self.payload.map(|total| total.saturating_sub(payload)),
        }
    }

    /// What the bounds leave for RTP payload, bit/s, given the packet shape of the stream.
    pub(super) fn for_payload(self, shape: PacketShape, remote: Option<IpAddr>) -> Option<u64> {
        let stripped = self.with_headers.map(|total| shape.without_headers(total, remote));
        match (stripped, self.payload) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }
}

/// How a stream fills its packets, which decides what the headers cost (RFC 3890 section 6.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PacketShape {
    /// A fixed number of packets in 1,000 seconds: sound.
    Rate(u64),
    /// Packets filled up to about this many octets of payload: pictures.
    Size(u64),
}

impl PacketShape {
    /// The payload bit rate that fits into `total` bit/s with IP, UDP and RTP headers.
    pub(super) fn without_headers(self, total: u64, remote: Option<IpAddr>) -> u64 {
        let headers = header_octets(remote);
        match self {
            PacketShape::Rate(per_1000_s) => {
                let overhead = headers.saturating_mul(8).saturating_mul(per_1000_s).div_ceil(1_000);
                total.saturating_sub(overhead)
            }
            PacketShape::Size(payload) => {
                let payload = payload.max(1);
                let share = u128::from(total) * u128::from(payload) / u128::from(payload + headers);
                u64::try_from(share).unwrap_or(u64::MAX)
            }
        }
    }

    /// The bit rate with headers of `payload` bit/s.
    pub(super) fn with_headers(self, payload: u64, remote: Option<IpAddr>) -> u64 {
        let headers = header_octets(remote);
        let overhead = match self {
            PacketShape::Rate(per_1000_s) => {
                headers.saturating_mul(8).saturating_mul(per_1000_s).div_ceil(1_000)
            }
            PacketShape::Size(size) => payload.div_ceil(size.max(1)).saturating_mul(headers),
        };
        payload.saturating_add(overhead)
    }
}

/// IP, UDP and RTP headers without options or extensions, octets.
fn header_octets(remote: Option<IpAddr>) -> u64 {
    match remote {
        Some(IpAddr::V6(_)) => 40 + 8 + 12,
        Some(IpAddr::V4(_)) | None => 20 + 8 + 12,
    }
}

impl FromStr for Bandwidth {
    type Err = ();

    fn from_str(value: &str) -> Result<Self, ()> {
        let (name, number) = value.split_once(':').ok_or(())?;
        let digits = number.trim();
        if digits.is_empty() {
            return Err(());
        }
        // A number past 64 bits bounds nothing.
        let value = if digits.bytes().all(|b| b.is_ascii_digit()) {
            digits.parse().unwrap_or(u64::MAX)
        } else {
            return Err(());
        };
        let name = name.trim();
        let kind = match name.to_ascii_uppercase().as_str() {
            "AS" => BandwidthKind::As,
            "TIAS" => BandwidthKind::Tias,
            "CT" => BandwidthKind::Ct,
            "RS" => BandwidthKind::Rs,
            "RR" => BandwidthKind::Rr,
            _ => BandwidthKind::Other(name.to_owned()),
        };
        Ok(Bandwidth { kind, value })
    }
}

impl fmt::Display for Bandwidth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match &self.kind {
            BandwidthKind::As => "AS",
            BandwidthKind::Tias => "TIAS",
            BandwidthKind::Ct => "CT",
            BandwidthKind::Rs => "RS",
            BandwidthKind::Rr => "RR",
            BandwidthKind::Other(name) => name,
        };
        write!(f, "{name}:{}", self.value)
    }
}
