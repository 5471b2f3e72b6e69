//! Attribute types and how addresses are written. RFC 8489 sections 14.1 and 14.2, RFC 3489 section 11.2.

use super::{COOKIE, TransactionId};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// MAPPED-ADDRESS.
pub const MAPPED_ADDRESS: u16 = 0x0001;
/// CHANGE-REQUEST, RFC 5780 section 7.2.
pub const CHANGE_REQUEST: u16 = 0x0003;
/// SOURCE-ADDRESS, RFC 3489 section 11.2.5.
pub const SOURCE_ADDRESS: u16 = 0x0004;
/// CHANGED-ADDRESS, RFC 3489 section 11.2.3.
pub const CHANGED_ADDRESS: u16 = 0x0005;
/// USERNAME.
pub const USERNAME: u16 = 0x0006;
/// MESSAGE-INTEGRITY.
pub const MESSAGE_INTEGRITY: u16 = 0x0008;
/// ERROR-CODE.
pub const ERROR_CODE: u16 = 0x0009;
/// UNKNOWN-ATTRIBUTES.
pub const UNKNOWN_ATTRIBUTES: u16 = 0x000a;
/// MESSAGE-INTEGRITY-SHA256.
pub const MESSAGE_INTEGRITY_SHA256: u16 = 0x001c;
/// XOR-MAPPED-ADDRESS.
pub const XOR_MAPPED_ADDRESS: u16 = 0x0020;
/// PRIORITY, RFC 8445 section 16.1.
pub const PRIORITY: u16 = 0x0024;
/// USE-CANDIDATE, RFC 8445 section 16.1.
pub const USE_CANDIDATE: u16 = 0x0025;
/// XOR-MAPPED-ADDRESS as servers before RFC 5389 numbered it.
pub const XOR_MAPPED_ADDRESS_OLD: u16 = 0x8020;
/// SOFTWARE.
pub const SOFTWARE: u16 = 0x8022;
/// FINGERPRINT.
pub const FINGERPRINT: u16 = 0x8028;
/// RESPONSE-ORIGIN, RFC 5780 section 7.3.
pub const RESPONSE_ORIGIN: u16 = 0x802b;
/// OTHER-ADDRESS, RFC 5780 section 7.4.
pub const OTHER_ADDRESS: u16 = 0x802c;

/// Where one attribute of a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// Its type.
    pub kind: u16,
    pub(super) start: usize,
    pub(super) end: usize,
    /// Whether it stands behind MESSAGE-INTEGRITY, which does not protect it.
    pub(super) trailing: bool,
}

/// Whether an attribute that must be understood is. RFC 3489's RESPONSE-ADDRESS (2) and PASSWORD (7) are not: a
/// server that honours the first sends to whomever it is told.
pub(super) fn is_known(kind: u16) -> bool {
    matches!(
        kind,
        MAPPED_ADDRESS
            | CHANGE_REQUEST
            | SOURCE_ADDRESS
            | CHANGED_ADDRESS
            | USERNAME
            | MESSAGE_INTEGRITY
            | ERROR_CODE
            | UNKNOWN_ATTRIBUTES
            | MESSAGE_INTEGRITY_SHA256
            | XOR_MAPPED_ADDRESS
            | PRIORITY
            | USE_CANDIDATE
            // RFC 5780's PADDING, and REALM and NONCE, change nothing about a Binding request's answer.
            | 0x0026
            | 0x0014
            | 0x0015
    )
}

/// An address in the clear.
pub(super) fn address(value: &[u8]) -> Option<SocketAddr> {
    let (&[_, family, p0, p1], ip) = value.split_first_chunk::<4>()?;
    let port = u16::from_be_bytes([p0, p1]);
    let ip = match family {
        1 => IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(ip).ok()?)),
        2 => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(ip).ok()?)),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

/// An address under the mask of cookie and transaction id. A message without cookie has none to mask with; then
/// its first four octets serve, as they do in servers of the time.
pub(super) fn xor_address(value: &[u8], transaction: &TransactionId) -> Option<SocketAddr> {
    let masked = address(value)?;
    Some(mask(masked, transaction))
}

/// The address as octets of a value; `transaction` masks it.
pub(super) fn encode(address: SocketAddr, transaction: Option<&TransactionId>) -> Vec<u8> {
    let address = transaction.map_or(address, |t| mask(address, t));
    let mut value = vec![0, if address.is_ipv4() { 1 } else { 2 }];
    value.extend(address.port().to_be_bytes());
    match address.ip() {
        IpAddr::V4(v4) => value.extend(v4.octets()),
        IpAddr::V6(v6) => value.extend(v6.octets()),
    }
    value
}

fn mask(address: SocketAddr, transaction: &TransactionId) -> SocketAddr {
    let key = transaction.0;
    let port = address.port() ^ u16::from_be_bytes([COOKIE[0], COOKIE[1]]);
    let ip = match address.ip() {
        IpAddr::V4(v4) => {
            let mut octets = v4.octets();
            octets.iter_mut().zip(COOKIE).for_each(|(o, k)| *o ^= k);
            IpAddr::from(octets)
        }
        IpAddr::V6(v6) => {
            let mut octets = v6.octets();
            octets.iter_mut().zip(key).for_each(|(o, k)| *o ^= k);
            IpAddr::from(octets)
        }
    };
    SocketAddr::new(ip, port)
}
