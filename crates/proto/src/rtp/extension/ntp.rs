//! The wall-clock time of a packet's RTP timestamp, as a header extension: RFC 6051 section 3.3.

/// What `ntp-64` or `ntp-56` says: when the instant of a packet's RTP timestamp was, by the clock that the sender's
/// RTCP reports use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NtpTimestamp {
    /// All 64 bits, 32.32 fixed-point seconds since 1900 (RFC 3550 section 4).
    Full(u64),
    /// Without the upper 8 bits of the seconds, which are 0 here: it wraps every 2^24 s.
    Low56(u64),
}

impl NtpTimestamp {
    /// Reads the data of an `ntp-64` element; `None` where it has not 8 octets.
    pub fn read_64(data: &[u8]) -> Option<NtpTimestamp> {
        data.try_into().ok().map(|octets| NtpTimestamp::Full(u64::from_be_bytes(octets)))
    }

    /// Reads the data of an `ntp-56` element; `None` where it has not 7 octets.
    pub fn read_56(data: &[u8]) -> Option<NtpTimestamp> {
        let [a, b, c, d, e, f, g] = *data else { return None };
        Some(NtpTimestamp::Low56(u64::from_be_bytes([0, a, b, c, d, e, f, g])))
    }

    /// The 64 bits; the upper 8 are 0 where they did not come along.
    pub fn bits(self) -> u64 {
        match self {
            NtpTimestamp::Full(bits) | NtpTimestamp::Low56(bits) => bits,
        }
    }
}
