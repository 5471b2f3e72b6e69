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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::payload::Packet;
    use crate::time::Time;
    use std::time::Duration;

    const RATE: u32 = 8_000;
    const INTERVAL: Duration = Duration::from_millis(50);

    /// What a sender sends while nobody disturbs it: (ms, marker, timestamp, payload).
    fn sent(sender: &mut EventSender, until_ms: u64) -> Vec<(u64, bool, u32, [u8; 4])> {
        let mut packets = Vec::new();
        let mut now = Time::ZERO;
        while now <= Time::from_millis(until_ms) {
            let rtp_now = (now.nanos() / 125_000) as u32;
            while let Some(packet) = sender.poll(now, rtp_now) {
                let payload = packet.payload[..].try_into().unwrap();
                packets.push((now.nanos() / 1_000_000, packet.marker, packet.timestamp, payload));
            }
            let Some(deadline) = sender.deadline() else { break };
            assert!(deadline > now, "the deadline lies ahead once everything is polled");
            now = deadline;
        }
        packets
    }

    fn packet(timestamp: u64, marker: bool, payload: &[u8], received_ms: u64) -> Packet {
        let received = Time::from_millis(received_ms);
        let payload = bytes::Bytes::copy_from_slice(payload);
        Packet { payload, timestamp, sequence: 0, marker, received, play_at: received }
    }

    fn received(receiver: &mut EventReceiver, now_ms: u64) -> Vec<(u8, u64, bool)> {
        let now = Time::from_millis(now_ms);
        std::iter::from_fn(|| receiver.poll(now))
            .map(|event| (event.code, event.duration.as_millis() as u64, event.ended))
            .collect()
    }

    #[test]
    fn keys_and_codes_are_those_of_the_registry() {
        for (key, event) in [('0', 0), ('9', 9), ('*', 10), ('#', 11), ('A', 12), ('D', 15)] {
            assert_eq!(code(key), Some(event));
            assert_eq!(digit(event), Some(key));
        }
        assert_eq!(code('b'), Some(13));
        assert_eq!((code('E'), code('\u{663}'), digit(16)), (None, None, None));
    }

    #[test]
    fn an_event_is_sent_as_in_table_5_of_the_specification() {
        // The first key of RFC 4733 section 5; the end bit is set on its first final report already.
        let mut sender = EventSender::new(RATE, INTERVAL);
        sender.start(9, Duration::from_millis(200)).unwrap();
        let report = |flags, duration: u16| {
            let [high, low] = duration.to_be_bytes();
            [9, flags, high, low]
        };
        let expected = [
            (50, true, 0, report(0x0a, 400)),
            (100, false, 0, report(0x0a, 800)),
            (150, false, 0, report(0x0a, 1_200)),
            (200, false, 0, report(0x8a, 1_600)),
            (250, false, 0, report(0x8a, 1_600)),
            (300, false, 0, report(0x8a, 1_600)),
        ];
        assert_eq!(sent(&mut sender, 10_000), expected);
        assert!(!sender.is_active());
    }

    #[test]
    fn queued_events_follow_each_other_with_a_pause() {
        let mut sender = EventSender::new(RATE, INTERVAL);
        sender.start(1, Duration::from_millis(10)).unwrap();
        sender.start(1, Duration::ZERO).unwrap();
        let packets = sent(&mut sender, 10_000);
        let told: Vec<_> = packets.iter().map(|p| (p.0, p.1, p.2, p.3[1], p.3[3])).collect();
        let (first, second) = ((0x8a, 80), (0x8a, 1));
        assert_eq!(
            told,
            [
                (50, true, 0, first.0, first.1),
                (100, false, 0, first.0, first.1),
                (150, false, 0, first.0, first.1),
                (250, true, 1_600, second.0, second.1),
                (300, false, 1_600, second.0, second.1),
                (350, false, 1_600, second.0, second.1),
            ]
        );
        for _ in 0..64 {
            sender.start(1, INTERVAL).unwrap();
        }
        assert_eq!(sender.start(1, INTERVAL), Err(QueueFull));
    }

    #[test]
    fn a_long_event_is_sent_in_segments_and_received_as_one() {
        let mut sender = EventSender::new(RATE, INTERVAL);
        sender.start(5, Duration::from_secs(20)).unwrap();
        let packets = sent(&mut sender, 60_000);
        let ends: Vec<_> =
            packets.iter().filter(|p| p.3[2..] == [0xff, 0xff]).map(|p| (p.1, p.2, p.3[1])).collect();
        assert_eq!(ends, [[(false, 0, 0x0a); 3], [(false, 0xffff, 0x0a); 3]].concat());
        assert_eq!(packets.iter().filter(|p| p.1).count(), 1, "one marker for the whole event");
        assert_eq!(packets.iter().filter(|p| p.3[1] & 0x80 != 0).count(), 3);
        assert_eq!(packets.last().unwrap().2, 2 * 0xffff);
        let mut receiver = EventReceiver::new(RATE);
        let mut events = Vec::new();
        for (ms, marker, timestamp, payload) in packets {
            receiver.push(&packet(u64::from(timestamp), marker, &payload, ms));
            events.extend(received(&mut receiver, ms));
        }
        assert_eq!(events, [(5, 20_000, true)]);
    }

    #[test]
    fn an_event_as_long_as_a_segment_is_one_segment() {
        let mut sender = EventSender::new(RATE, INTERVAL);
        sender.start(5, Duration::from_nanos(65_535 * 125_000)).unwrap();
        let packets = sent(&mut sender, 60_000);
        assert!(packets.iter().all(|p| p.2 == 0));
        assert_eq!(packets.last().unwrap().3, [5, 0x8a, 0xff, 0xff]);
    }

    #[test]
    fn a_sender_that_is_polled_late_does_not_burst() {
        let mut sender = EventSender::new(RATE, INTERVAL);
        sender.start(5, Duration::from_millis(500)).unwrap();
        assert_eq!(sender.poll(Time::ZERO, 0), None);
        let late = Time::from_millis(450);
        assert!(sender.poll(late, 3_600).is_some());
        assert_eq!(sender.poll(late, 3_600), None);
        assert_eq!(sender.deadline(), Some(late + INTERVAL));
    }

    #[test]
    fn an_event_is_told_once_however_often_its_end_arrives() {
        let mut receiver = EventReceiver::new(RATE);
        for (ms, units) in [(0, 1), (50, 2), (100, 3), (150, 3), (200, 3)] {
            let end = if units == 3 { 0x8a } else { 0x0a };
            receiver.push(&packet(1_000, ms == 0, &[4, end, 0, 80 * units], ms));
        }
        assert_eq!(received(&mut receiver, 5_000), [(4, 30, true)]);
    }

    #[test]
    fn an_event_whose_end_is_lost_ends_with_its_reports() {
        let mut receiver = EventReceiver::new(RATE);
        receiver.push(&packet(1_000, true, &[4, 0x0a, 0x01, 0x90], 0));
        receiver.push(&packet(1_000, false, &[4, 0x0a, 0x03, 0x20], 50));
        assert_eq!(received(&mut receiver, 249), []);
        assert_eq!(receiver.deadline(), Some(Time::from_millis(250)));
        assert_eq!(received(&mut receiver, 250), [(4, 100, false)]);
        assert_eq!(receiver.deadline(), None);
        // Its end comes after all: it was told already.
        receiver.push(&packet(1_000, false, &[4, 0x8a, 0x03, 0x20], 300));
        assert_eq!(received(&mut receiver, 5_000), []);
    }

    #[test]
    fn another_event_ends_the_one_before() {
        let mut receiver = EventReceiver::new(RATE);
        receiver.push(&packet(1_000, true, &[4, 0x0a, 0x01, 0x90], 0));
        receiver.push(&packet(3_000, true, &[4, 0x0a, 0x01, 0x90], 100));
        // A straggler of the first.
        receiver.push(&packet(1_000, false, &[4, 0x8a, 0x03, 0x20], 110));
        receiver.push(&packet(3_000, false, &[4, 0x8a, 0x01, 0x90], 120));
        assert_eq!(received(&mut receiver, 120), [(4, 50, false), (4, 50, true)]);
    }

    #[test]
    fn an_event_of_which_only_the_end_arrives_has_its_full_duration() {
        let mut receiver = EventReceiver::new(RATE);
        receiver.push(&packet(1_000, false, &[11, 0x8a, 0x06, 0x40], 0));
        assert_eq!(received(&mut receiver, 0), [(11, 200, true)]);
    }

    #[test]
    fn events_packed_into_one_packet_follow_each_other() {
        let mut receiver = EventReceiver::new(RATE);
        receiver.push(&packet(1_000, true, &[1, 0x8a, 0x01, 0x90, 2, 0x8a, 0x03, 0x20], 0));
        let events: Vec<_> = std::iter::from_fn(|| receiver.poll(Time::ZERO)).collect();
        assert_eq!(
            events.iter().map(|e| (e.code, e.timestamp)).collect::<Vec<_>>(),
            [(1, 1_000), (2, 1_400)]
        );
    }

    #[test]
    fn reports_without_duration_and_packets_cut_short_are_no_events() {
        let mut receiver = EventReceiver::new(RATE);
        receiver.push(&packet(1_000, true, &[], 0));
        receiver.push(&packet(1_000, true, &[1, 0x8a, 0x01], 0));
        receiver.push(&packet(1_000, true, &[1, 0x8a, 0, 0], 0));
        assert_eq!(received(&mut receiver, 5_000), []);
        assert_eq!(receiver.ignored(), 3);
        receiver.push(&packet(1_000, true, &[1, 0x8a, 0, 8].repeat(1_000), 0));
        assert_eq!(received(&mut receiver, 5_000).len(), 16);
    }
}
