//! SIP out of TCP: whatever the network and the capture did to the segments, whole messages come out once, in order.

mod frames;

use frames::file::Format;
use frames::ip::{ACK, End, FIN, PUSH, SYN};
use frames::link::Link;
use frames::{Packet, read};
use visavis_capture::findings::Transport;
use visavis_proto::Time;

const FORMAT: Format = Format::Pcapng { big: false, resolution: 9 };

fn message(number: usize, body: usize) -> String {
    let body = format!("{}\r\n", "x".repeat(body));
    format!(
        "MESSAGE sip:b@198.51.100.9 SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.7:5060;branch=z9hG4bK{number}\r\n\
         From: <sip:a@192.0.2.7>;tag=1\r\nTo: <sip:b@198.51.100.9>\r\nCall-ID: {number}\r\nCSeq: 1 MESSAGE\r\n\
         Max-Forwards: 70\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn at(millis: u64) -> Time {
    Time::from_millis(1_289_000_000_000 + millis)
}

fn ends(sequence: u32) -> (End, End) {
    let (a, b) = ("192.0.2.7:40000".parse().unwrap(), "198.51.100.9:5060".parse().unwrap());
    let caller = End { local: a, remote: b, sequence, acknowledged: 0 };
    (caller, End { local: b, remote: a, sequence: 99, acknowledged: 0 })
}

/// A connection opened by SYN, with this stream of octets cut every `size`.
fn connection(sequence: u32, stream: &[u8], size: usize) -> Vec<Packet> {
    let (mut caller, mut callee) = ends(sequence);
    let mut packets = vec![caller.send(at(0), SYN, b"")];
    callee.acknowledged = caller.sequence;
    packets.push(callee.send(at(1), SYN | ACK, b""));
    caller.acknowledged = callee.sequence;
    packets.push(caller.send(at(2), ACK, b""));
    for (index, part) in stream.chunks(size).enumerate() {
        packets.push(caller.send(at(3 + index as u64), ACK | PUSH, part));
    }
    packets
}

/// The messages that a reader finds, and the packets that completed them.
fn messages(packets: &[Packet]) -> Vec<(u64, String)> {
    let seen = read(&FORMAT.file(Link::Ethernet, packets));
    assert!(seen.iter().all(|s| s.transport == Transport::Tcp && s.length == s.data.len()));
    seen.into_iter().map(|s| (s.packet, String::from_utf8(s.data).unwrap())).collect()
}

fn texts(packets: &[Packet]) -> Vec<String> {
    messages(packets).into_iter().map(|(_, text)| text).collect()
}

fn three() -> Vec<String> {
    vec![message(1, 10), message(2, 900), message(3, 0)]
}

#[test]
fn messages_come_out_whole_however_they_are_cut() {
    let stream = three().concat();
    for size in [1, 7, 100, 536, 1400, 10_000] {
        // The numbers of the octets wrap around on the way.
        let packets = connection(u32::MAX - 500, stream.as_bytes(), size);
        assert_eq!(texts(&packets), three(), "cut every {size}");
    }
}

#[test]
fn a_message_has_the_number_and_the_time_of_the_packet_that_completed_it() {
    let stream = three().concat();
    let packets = connection(1, stream.as_bytes(), 400);
    let first = three()[0].len();
    let second = first + three()[1].len();
    let holder = |octets: usize| 3 + octets.div_ceil(400) as u64;
    let seen = read(&FORMAT.file(Link::Raw, &packets));
    let expected = [first, second, stream.len()].map(holder);
    assert_eq!([0, 1, 2].map(|i| seen[i].packet), expected);
    let times = expected.map(|packet| packets[packet as usize - 1].time.unix_nanos());
    assert_eq!([0, 1, 2].map(|i| seen[i].nanos), times);
}

#[test]
fn segments_in_disorder_and_twice_give_the_same() {
    let stream = three().concat();
    let whole = connection(77, stream.as_bytes(), 150);
    let count = whole.len() - 3;
    // Every pair of neighbours changed, each segment twice, and the whole backwards.
    for swap in 0..count - 1 {
        let mut packets = whole.clone();
        packets.swap(3 + swap, 4 + swap);
        packets.insert(5 + swap, whole[3 + swap].clone());
        assert_eq!(texts(&packets), three(), "{swap}");
    }
    let mut backwards = whole.clone();
    backwards[3..].reverse();
    let found = messages(&backwards);
    assert_eq!(found.iter().map(|m| m.1.clone()).collect::<Vec<_>>(), three());
    assert!(
        found.iter().all(|m| m.0 == backwards.len() as u64),
        "all wait for the first segment, the last packet"
    );
}

#[test]
fn segments_that_were_sent_again_in_other_pieces_add_nothing() {
    let stream = three().concat();
    let (caller, _) = ends(1000);
    let mut packets = connection(999, stream.as_bytes(), 300);
    let last = packets.pop().unwrap();
    // From the middle of what was sent to beyond it.
    let sent = 300 * (packets.len() - 3);
    packets.push(caller.segment(
        at(50),
        1000 + sent as u32 - 450,
        ACK,
        &stream.as_bytes()[sent - 450..sent + 5],
    ));
    packets.push(last);
    assert_eq!(texts(&packets), three());
}

#[test]
fn after_a_loss_reading_goes_on_at_the_next_message() {
    let texts_of: Vec<String> = (0..10).map(|number| message(number, 700)).collect();
    let stream = texts_of.concat();
    let size = 500;
    let whole = connection(5, stream.as_bytes(), size);
    for lost in 0..whole.len() - 3 {
        let mut packets = whole.clone();
        packets.remove(3 + lost);
        let hurt = |index: usize| {
            let start: usize = texts_of[..index].iter().map(String::len).sum();
            let end = start + texts_of[index].len();
            start < (lost + 1) * size && lost * size < end
        };
        let expected: Vec<String> =
            (0..10).filter(|index| !hurt(*index)).map(|index| texts_of[index].clone()).collect();
        assert_eq!(texts(&packets), expected, "without segment {lost}");
    }
}

#[test]
fn what_the_other_side_acknowledged_is_not_waited_for() {
    let stream = [message(1, 0), message(2, 0), message(3, 0)];
    let mut packets = Vec::new();
    let (mut caller, mut callee) = ends(1);
    for (index, text) in stream.iter().enumerate() {
        packets.push(caller.send(at(index as u64), ACK, text.as_bytes()));
    }
    packets.remove(1);
    // What was captured of the third is taken up when the second is acknowledged, before its end is.
    callee.acknowledged = 1 + (stream[0].len() + stream[1].len()) as u32;
    packets.push(callee.send(at(10), ACK, b""));
    packets.push(caller.send(at(11), ACK, message(4, 0).as_bytes()));
    let numbers: Vec<u64> = messages(&packets).iter().map(|m| m.0).collect();
    assert_eq!(numbers, [1, 2, 4]);
    // Without the acknowledgement it is waited for, to the end of the capture.
    packets.remove(2);
    assert_eq!(messages(&packets).iter().map(|m| m.0).collect::<Vec<_>>(), [1, 2, 3]);
    // And if it comes late, it is in its place.
    packets.push(connection(0, stream.concat().as_bytes(), stream[0].len())[4].clone());
    assert_eq!(stream[0].len(), stream[1].len());
    assert_eq!(messages(&packets)[1], (4, message(2, 0)));
}

#[test]
fn a_capture_may_begin_in_the_middle_of_a_connection() {
    let stream = three().concat();
    let packets = connection(5, stream.as_bytes(), three()[0].len());
    assert_eq!(texts(&packets[3..]), three());
    assert_eq!(texts(&packets[4..]), three()[1..]);
    // In the middle of the second message: nothing begins with a start line until another message is sent.
    assert_eq!(texts(&packets[5..]), Vec::<String>::new());
    let (caller, _) = ends(6 + stream.len() as u32);
    let more = caller.segment(at(60), caller.sequence, ACK, message(4, 3).as_bytes());
    assert_eq!(texts(&[&packets[5..], &[more]].concat()), [message(4, 3)]);
}

#[test]
fn ports_can_be_used_again() {
    let mut packets = connection(5, message(1, 5).as_bytes(), 100);
    let (closing, _) = ends(6 + message(1, 5).len() as u32);
    packets.push(closing.segment(at(20), closing.sequence, ACK | FIN, b""));
    packets.extend(connection(7000, message(2, 5).as_bytes(), 100));
    // Without its SYN, and far away.
    packets.extend_from_slice(&connection(4_000_000_000, message(3, 5).as_bytes(), 100)[3..]);
    assert_eq!(texts(&packets), [message(1, 5), message(2, 5), message(3, 5)]);
}

#[test]
fn a_message_without_a_length_is_counted_and_the_next_one_is_read() {
    let broken = message(1, 0).replace("Content-Length: 2\r\n", "");
    let packets = connection(5, [broken.clone(), message(2, 0)].concat().as_bytes(), broken.len());
    let file = FORMAT.file(Link::Ethernet, &packets);
    assert_eq!(texts(&packets), [message(2, 0)]);
    let mut reader = visavis_capture::read::Reader::new(&file[..]).unwrap();
    while reader.next().unwrap().is_some() {}
    assert_eq!((reader.file().unread, reader.file().datagrams), (1, 6));
}

#[test]
fn segments_that_the_capture_cut_lose_their_messages_and_no_others() {
    let packets = connection(5, [message(1, 0), message(2, 2000), message(3, 0)].concat().as_bytes(), 1400);
    let whole = connection(
        5,
        [message(1, 0), message(2, 900), message(3, 0)].concat().as_bytes(),
        message(1, 0).len(),
    );
    let file = FORMAT.file_cut(Link::Ethernet, &packets, 1000);
    // The last segment holds the rest of the second message and the third one, which is found behind a line end or not.
    let seen: Vec<String> = read(&file).into_iter().map(|s| String::from_utf8(s.data).unwrap()).collect();
    assert_eq!(seen, [message(1, 0)]);
    let mut with_more = packets.clone();
    let (caller, _) = ends(6 + [message(1, 0), message(2, 2000), message(3, 0)].concat().len() as u32);
    with_more.push(caller.segment(at(90), caller.sequence, ACK, message(4, 0).as_bytes()));
    let file = FORMAT.file_cut(Link::Ethernet, &with_more, 1000);
    let seen: Vec<String> = read(&file).into_iter().map(|s| String::from_utf8(s.data).unwrap()).collect();
    assert_eq!(seen, [message(1, 0), message(4, 0)]);
    assert_eq!(texts(&whole).len(), 3);
}

#[test]
fn other_protocols_give_nothing() {
    for text in ["GET /sip HTTP/1.1\r\nHost: a\r\n\r\n", "\u{16}\u{3}\u{1}", "EHLO sip\r\n", "SSH-2.0-x\r\n"]
    {
        let stream = text.repeat(200);
        assert_eq!(texts(&connection(5, stream.as_bytes(), 333)), Vec::<String>::new());
        assert_eq!(texts(&connection(5, stream.as_bytes(), 1)), Vec::<String>::new());
    }
}

#[test]
fn tcp_over_ipv6_is_read_too() {
    let (a, b) = ("[2001:db8::7]:40000".parse().unwrap(), "[2001:db8::9]:5060".parse().unwrap());
    let mut end = End { local: a, remote: b, sequence: 5, acknowledged: 0 };
    let packets: Vec<Packet> =
        three().concat().as_bytes().chunks(500).map(|part| end.send(at(1), ACK, part)).collect();
    assert_eq!(texts(&packets), three());
}
