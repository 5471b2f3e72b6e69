//! What a tap records, a reader gives back: times, addresses, directions, payloads, and what is missing.

use std::net::SocketAddr;
use visavis_capture::findings::Transport;
use visavis_capture::read::Reader;
use visavis_capture::{Description, Direction, PcapngWriter, Record};
use visavis_proto::Time;

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

#[test]
fn every_datagram_comes_back_as_it_was() {
    let pairs = [["192.0.2.7:16402", "198.51.100.9:5060"], ["[2001:db8::7]:16402", "[2001:db8::9]:5060"]];
    let mut records = Vec::new();
    for (index, length) in [0usize, 1, 2, 3, 160, 1200, 65_507].into_iter().enumerate() {
        let [local, remote] = pairs[index % 2].map(address);
        let direction = if index % 3 == 0 { Direction::Inbound } else { Direction::Outbound };
        let payload: Vec<u8> = (0..length).map(|i| (i * 7 + index) as u8).collect();
        let time = Time::from_nanos(1_289_000_000_123_456_789 + index as u64);
        records.push((Record::new(time, direction, local, remote, &payload, 1200), payload));
    }
    let mut writer = PcapngWriter::new(Vec::new(), &Description::default()).unwrap();
    for (index, (record, _)) in records.iter().enumerate() {
        writer.write(record, if index == 2 { 5 } else { 0 }).unwrap();
    }
    let file = writer.finish(Time::ZERO, 6).unwrap();

    let mut reader = Reader::new(&file[..]).unwrap();
    for (index, (record, payload)) in records.iter().enumerate() {
        let datagram = reader.next().unwrap().unwrap();
        let (source, destination) = match record.direction {
            Direction::Inbound => (record.remote, record.local),
            Direction::Outbound => (record.local, record.remote),
        };
        assert_eq!((datagram.source, datagram.destination), (source, destination));
        assert_eq!((datagram.packet, datagram.time), (index as u64 + 1, record.time));
        assert_eq!((datagram.direction, datagram.transport), (Some(record.direction), Transport::Udp));
        assert_eq!((datagram.data, datagram.length), (&payload[..payload.len().min(1200)], payload.len()));
        if index == 2 {
            assert_eq!(reader.file().dropped, 5);
        }
    }
    assert!(reader.next().unwrap().is_none());
    let found = reader.file();
    assert_eq!((found.packets, found.datagrams, found.unread, found.cut), (7, 7, 0, 1));
    // The packets tell of five, the statistics of one more.
    assert_eq!((found.dropped, &found.damage), (6, &None));
    assert_eq!(found.first, Some(records[0].0.time));
    assert_eq!(found.last, Some(records[6].0.time));
}
