//! What reading a capture costs, file in memory. The aim: more than 1 GB/s of file where packets are large.

#![allow(clippy::unwrap_used, reason = "a benchmark of a file that cannot be read has no figure to give")]

#[path = "../tests/frames/mod.rs"]
mod frames;

use divan::{Bencher, black_box, counter::BytesCount, counter::ItemsCount};
use frames::file::Format;
use frames::ip::{ACK, End, fragments};
use frames::link::Link;
use frames::{Packet, Seen, packet};
use visavis_capture::findings::Transport;
use visavis_capture::read::Reader;
use visavis_proto::Time;

const FILE: usize = 64 << 20;
const PCAP: Format = Format::Pcap { big: false, nanos: false };
const PCAPNG: Format = Format::Pcapng { big: false, resolution: 9 };

fn main() {
    divan::main();
}

/// A file of some 64 MB in which these packets come again and again.
fn file(format: Format, link: Link, packets: &[Packet]) -> Vec<u8> {
    let header = format.header(link, 262_144);
    let once = format.file(link, packets).split_off(header.len());
    [header, once.repeat(FILE / once.len())].concat()
}

/// An RTP packet with so many octets of payload.
fn rtp(payload: usize) -> Packet {
    let mut data = vec![0x80, 96, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];
    data.resize(12 + payload, 0x55);
    packet(&Seen {
        packet: 1,
        nanos: 1_289_000_000_000_000_000,
        source: "192.0.2.7:16402".parse().unwrap(),
        destination: "198.51.100.9:16402".parse().unwrap(),
        transport: Transport::Udp,
        length: data.len(),
        data,
        direction: None,
    })
}

/// Reads it all, and looks at each datagram.
fn read(bencher: Bencher<'_, '_>, file: &[u8]) {
    let pass = || {
        let mut reader = Reader::new(black_box(file)).unwrap();
        let mut octets = 0;
        while let Some(datagram) = reader.next().unwrap() {
            octets += datagram.data.len();
        }
        (octets, reader.file().packets)
    };
    let (_, packets) = pass();
    bencher.counter(BytesCount::new(file.len())).counter(ItemsCount::new(packets)).bench_local(pass);
}

#[divan::bench(args = [1200, 160, 20], sample_count = 10)]
fn pcap_ethernet(bencher: Bencher<'_, '_>, payload: usize) {
    read(bencher, &file(PCAP, Link::Ethernet, &[rtp(payload)]));
}

#[divan::bench(args = [1200, 160, 20], sample_count = 10)]
fn pcapng_raw(bencher: Bencher<'_, '_>, payload: usize) {
    read(bencher, &file(PCAPNG, Link::Raw, &[rtp(payload)]));
}

#[divan::bench(args = [1200], sample_count = 10)]
fn pcap_radiotap(bencher: Bencher<'_, '_>, payload: usize) {
    read(bencher, &file(PCAP, Link::Radiotap, &[rtp(payload)]));
}

/// Datagrams of 4000 octets, each in three fragments.
#[divan::bench(sample_count = 10)]
fn pcap_fragments(bencher: Bencher<'_, '_>) {
    read(bencher, &file(PCAP, Link::Ethernet, &fragments(&rtp(4000), 1480, 7)));
}

/// TCP of something else, which must cost nothing but a look.
#[divan::bench(sample_count = 10)]
fn pcap_foreign_tcp(bencher: Bencher<'_, '_>) {
    let (local, remote) = ("192.0.2.7:443".parse().unwrap(), "198.51.100.9:40000".parse().unwrap());
    let mut end = End { local, remote, sequence: 1, acknowledged: 1 };
    let packets: Vec<Packet> = (0..100).map(|_| end.send(Time::from_millis(1), ACK, &[0x17; 1400])).collect();
    read(bencher, &file(PCAP, Link::Ethernet, &packets));
}
