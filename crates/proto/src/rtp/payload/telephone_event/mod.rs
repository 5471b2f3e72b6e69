//! DTMF keys and other telephone events over RTP (RFC 4733).
//!
//! Events share the sequence numbers and the clock of the sound beside them, so both ends take RTP timestamps
//! from, and hand them to, whoever runs that clock.

mod receive;
mod send;

pub use receive::{EventReceiver, ReceivedEvent};
pub use send::{EventPacket, EventSender, QueueFull};

/// The event code of a DTMF key (RFC 4733 section 3.2): `0`-`9`, `*`, `#`, `A`-`D`.
pub fn code(digit: char) -> Option<u8> {
    match digit {
        '0'..='9' => Some(digit as u8 - b'0'),
        '*' => Some(10),
        '#' => Some(11),
        'A'..='D' => Some(digit as u8 - b'A' + 12),
        'a'..='d' => Some(digit as u8 - b'a' + 12),
        _ => None,
    }
}

/// The DTMF key of an event code; `None` for events that are no DTMF keys.
pub fn digit(code: u8) -> Option<char> {
    match code {
        0..=9 => Some((b'0' + code) as char),
        10 => Some('*'),
        11 => Some('#'),
        12..=15 => Some((b'A' + code - 12) as char),
        _ => None,
    }
}

/// The longest duration that one report can express; a longer event goes on in another segment.
const MAX_DURATION: u16 = 0xffff;
