//! What kind of datagram is this? STUN, RTP, RTCP, SIP and keep-alives share one port.
//!
//! RFC 7983 section 7 gives the ranges of the first octet for all of them but SIP, whose method names fall
//! into the ranges of TURN channels (`A`..`O`) and of DTLS. So SIP is told by its start line first; what then has
//! the form of TURN ChannelData is believed from a known relay only, which this endpoint does not have.

/// The magic cookie of RFC 8489 section 5.
const STUN_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];

/// The kind of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// STUN with the magic cookie of RFC 8489, or without it and consistent in length (RFC 3489).
    Stun,
    /// RTP.
    Rtp,
    /// RTCP: its second octet is 192 to 223 (RFC 5761 section 4).
    Rtcp,
    /// SIP: its first line reads as a request or a status line.
    Sip,
    /// Nothing but CR and LF, or empty: a keep-alive (RFC 3261 section 7.5, RFC 5626 section 3.5.1).
    KeepAlive,
    /// DTLS (RFC 7983).
    Dtls,
    /// ZRTP (RFC 6189 section 5).
    Zrtp,
    /// TURN ChannelData (RFC 8656 section 12.4), by its form.
    TurnChannel,
    /// None of these.
    Unknown,
}

/// Tells the kind of `data` from its first line or octets; constant time but for the search of a line end.
pub fn classify(data: &[u8]) -> Kind {
    let Some(&first) = data.first() else { return Kind::KeepAlive };
    match first {
        0..=3 if is_stun(data) => Kind::Stun,
        // RFC 3550 sections 5.1 and 6.4: the shortest RTP packet has 12 octets, the shortest RTCP 4.
        128..=191 => match data.get(1) {
            Some(192..=223) if data.len() >= 4 => Kind::Rtcp,
            Some(0..=191 | 224..=255) if data.len() >= 12 => Kind::Rtp,
            _ => Kind::Unknown,
        },
        b'\r' | b'\n' => {
            let text = data.iter().position(|&b| b != b'\r' && b != b'\n');
            match text.and_then(|at| data.get(at..)) {
                None => Kind::KeepAlive,
                Some(rest) if has_start_line(rest) => Kind::Sip,
                Some(_) => Kind::Unknown,
            }
        }
        _ if has_start_line(data) => Kind::Sip,
        20..=63 if is_dtls(data) => Kind::Dtls,
        16..=19 if data.get(4..8) == Some(b"ZRTP") => Kind::Zrtp,
        64..=79 if is_channel_data(data) => Kind::TurnChannel,
        _ => Kind::Unknown,
    }
}

/// RFC 8489 section 5: two zero bits, a length that is a multiple of 4 and fills the datagram.
fn is_stun(data: &[u8]) -> bool {
    let (Some(length), Some(cookie)) = (data.get(2..4), data.get(4..8)) else { return false };
    let length = length.iter().fold(0usize, |n, &b| n << 8 | usize::from(b));
    cookie == STUN_COOKIE || (length.is_multiple_of(4) && data.len() == length + 20)
}

/// A DTLS record header (RFC 6347 section 4.1): version 254.x at octet 1, and 13 octets at the least.
fn is_dtls(data: &[u8]) -> bool {
    data.len() >= 13 && data.get(1) == Some(&254)
}

/// A channel number from 0x4000 to 0x4fff, and a length that the datagram holds, over UDP with up to three octets of
/// padding (RFC 8656 section 12.5).
fn is_channel_data(data: &[u8]) -> bool {
    let Some(&[_, _, l0, l1]) = data.first_chunk::<4>() else { return false };
    let length = usize::from(u16::from_be_bytes([l0, l1]));
    (length..length + 4).contains(&(data.len() - 4))
}

/// Whether the first line is `SIP/d.d ...` or `TOKEN something SIP/d.d`, any version.
fn has_start_line(data: &[u8]) -> bool {
    let end = data.iter().position(|&b| b == b'\r' || b == b'\n').unwrap_or(data.len());
    let line = data.get(..end).unwrap_or_default();
    if line.get(..4).is_some_and(|p| p.eq_ignore_ascii_case(b"SIP/")) {
        return true;
    }
    let Some(space) = line.iter().position(|&b| b == b' ') else { return false };
    let (method, rest) = line.split_at(space);
    !method.is_empty()
        && method.iter().all(|&b| is_token(b))
        && rest.windows(5).any(|w| w.eq_ignore_ascii_case(b" SIP/"))
}

/// RFC 3261 section 25.1 `token`.
fn is_token(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_name_is_sip_though_half_of_them_fall_into_the_turn_channel_range() {
        for method in
            ["ACK", "BYE", "CANCEL", "INVITE", "MESSAGE", "OPTIONS", "REGISTER", "x-lower", "!%*", "%"]
        {
            let line = format!("{method} sip:a@b SIP/2.0\r\n");
            assert_eq!(classify(line.as_bytes()), Kind::Sip, "{method}");
        }
        assert_eq!(classify(b"SIP/2.0 200 OK\r\n"), Kind::Sip);
        assert_eq!(classify(b"SIP/2.0 200\n"), Kind::Sip);
        assert_eq!(classify(b"\r\n\r\nINVITE sip:a@b SIP/3.0\r\n"), Kind::Sip);
    }

    #[test]
    fn rtp_and_rtcp_differ_by_their_second_octet() {
        assert_eq!(classify(&[0x80, 0x60, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1]), Kind::Rtp);
        assert_eq!(classify(&[0x80, 0xe0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1]), Kind::Rtp);
        assert_eq!(classify(&[0x80, 0xc8, 0, 6, 0, 0, 0, 0]), Kind::Rtcp);
        assert_eq!(classify(&[0x81, 0xce, 0, 2]), Kind::Rtcp);
        assert_eq!(classify(&[0x80, 0x60, 0, 1]), Kind::Unknown);
        assert_eq!(classify(&[0x80]), Kind::Unknown);
    }

    #[test]
    fn stun_is_told_by_cookie_or_by_length() {
        let mut request = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
        request.extend([7; 12]);
        assert_eq!(classify(&request), Kind::Stun);
        let mut classic = vec![0, 1, 0, 8];
        classic.extend([9; 16 + 8]);
        assert_eq!(classify(&classic), Kind::Stun);
        classic.push(0);
        assert_eq!(classify(&classic), Kind::Unknown);
    }

    #[test]
    fn what_is_none_of_them_is_unknown_and_bare_line_ends_keep_alive() {
        assert_eq!(classify(b""), Kind::KeepAlive);
        assert_eq!(classify(b"\r\n\r\n"), Kind::KeepAlive);
        assert_eq!(classify(b"hello"), Kind::Unknown);
        assert_eq!(classify(b"hello world"), Kind::Unknown);
        let mut hello = vec![22, 254, 253];
        hello.extend([0; 20]);
        assert_eq!(classify(&hello), Kind::Dtls);
        assert_eq!(classify(&[64, 0, 0, 4, 1, 2, 3, 4]), Kind::TurnChannel);
        assert_eq!(classify(&[64, 0, 0, 9, 1, 2, 3, 4]), Kind::Unknown);
        assert_eq!(classify(b"\x10\x00\x00\x01ZRTP\x00\x00\x00\x00"), Kind::Zrtp);
    }
}
