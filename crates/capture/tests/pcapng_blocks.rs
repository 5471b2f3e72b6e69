//! What only pcapng has: sections, interfaces of several kinds, units and offsets of time, blocks without a time,
//! blocks of no interest, and counts of what is missing.

mod frames;

use frames::file::Writer;
use frames::link::Link;
use frames::{call, read, tshark};
use std::fs;
use std::path::Path;
use visavis_capture::findings::FileFindings;
use visavis_capture::read::Reader;

fn findings(file: &[u8]) -> FileFindings {
    let mut reader = Reader::new(file).unwrap();
    while reader.next().unwrap().is_some() {}
    reader.file().clone()
}

/// Two sections of different byte orders; three interfaces in the first one; every kind of block.
fn mixed() -> Vec<u8> {
    let packets = call();
    let frame = |index: usize, link: Link| link.frame(&packets[index].octets, packets[index].direction);
    let w = Writer { big: true };
    let ethernet = w.interface(1, 0, &[]);
    // Milliseconds, counted from the year 2000; and binary fractions with a comment before their unit.
    let offset = w.option(14, &w.u64(946_684_800));
    let raw = w.interface(101, 0, &[w.option(9, &[3]), offset, w.option(0, &[])]);
    let cooked = w.interface(276, 0, &[w.option(1, b"odd"), w.option(9, &[0x80 | 20]), w.option(0, &[])]);
    let packet = |interface: u32, ticks: u64, index: usize, link: Link, options: &[Vec<u8>]| {
        let data = frame(index, link);
        w.packet(interface, ticks, data.len() as u32, &data, options)
    };
    let drops = |count: u64| w.option(4, &w.u64(count));
    let statistics = |interface: u32, dropped: u64, by_system: u64| {
        let options =
            [w.option(5, &w.u64(dropped)), w.option(7, &w.u64(by_system)), w.option(0, &[])].concat();
        w.block(5, &[&w.u32(interface)[..], &[0; 8], &options].concat())
    };
    let simple = |index: usize| {
        let data = frame(index, Link::Ethernet);
        w.block(3, &[&w.u32(data.len() as u32)[..], &data].concat())
    };
    let old = frame(5, Link::Raw);
    let mut file = [
        w.section(),
        ethernet,
        raw,
        w.block(0x8000_0bad, b"a private block of some kind"),
        packet(0, 1_289_000_000_000_001, 0, Link::Ethernet, &[]),
        packet(1, 1_289_000_000_001 - 946_684_800_000, 1, Link::Raw, &[w.option(1, b"x"), drops(3)]),
        cooked,
        w.block(10, &[0; 400_000]), // secrets, longer than what is read at once
        packet(2, (1_289_000_000 << 20) + (1 << 19), 2, Link::CookedV2, &[drops(2)]),
        simple(3),
        statistics(1, 4, 1),
        statistics(1, 4, 3),
        statistics(7, 100, 100),
        packet(9, 0, 4, Link::Raw, &[]),
        w.old_packet(1, 6, 1_289_000_000_002 - 946_684_800_000, old.len() as u32, &old),
        w.old_packet(1, u16::MAX, 1_289_000_000_002 - 946_684_800_000, old.len() as u32, &old),
    ]
    .concat();
    let w = Writer { big: false };
    let data = frame(6, Link::Null);
    file.extend(w.section());
    file.extend(w.interface(0, 0, &[]));
    file.extend(w.packet(0, 1_289_000_000_000_003, data.len() as u32, &data, &[]));
    file
}

#[test]
fn each_packet_is_read_by_the_rules_of_its_interface_and_section() {
    let seen = read(&mixed());
    let base = 1_289_000_000_000_000_000u64;
    let nanos: Vec<u64> = seen.iter().map(|s| s.nanos - base).collect();
    // The fourth has no time of its own, so it keeps that of the one before.
    assert_eq!(nanos, [1000, 1_000_000, 500_000_000, 500_000_000, 2_000_000, 2_000_000, 3000]);
    // The packet of an interface that was never described is the fifth.
    assert_eq!(seen.iter().map(|s| s.packet).collect::<Vec<_>>(), [1, 2, 3, 4, 6, 7, 8]);
    let whole = call();
    for (seen, index) in seen.iter().zip([0, 1, 2, 3, 5, 5, 6]) {
        let octets = &whole[index].octets;
        assert!(octets.ends_with(&seen.data) && !octets.is_empty());
    }
    let found = findings(&mixed());
    assert_eq!((found.packets, found.datagrams, found.unread), (8, 7, 1));
    // Interface 1: 3 + 6 by its packets, 7 by the statistics; interface 2: 2.
    assert_eq!(found.dropped, 11);
    assert_eq!(
        (found.first.unwrap().unix_nanos() - base, found.last.unwrap().unix_nanos() - base),
        (1000, 500_000_000)
    );
}

#[test]
fn tshark_reads_the_same_times() {
    // A packet of no interface is an error to it, so that one is left out here.
    let whole = mixed();
    let w = Writer { big: true };
    let octets = &call()[4].octets;
    let stray = w.packet(9, 0, octets.len() as u32, octets, &[]);
    let at = whole.windows(stray.len()).position(|window| window == stray).unwrap();
    let file = [&whole[..at], &whole[at + stray.len()..]].concat();
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mixed.pcapng");
    fs::write(&path, &file).unwrap();
    let times: Vec<String> = tshark(&path, &[], &["frame.time_epoch"]).into_iter().flatten().collect();
    let ours: Vec<String> = read(&file)
        .iter()
        .map(|seen| format!("{}.{:09}", seen.nanos / 1_000_000_000, seen.nanos % 1_000_000_000))
        .collect();
    assert_eq!(times.len(), ours.len());
    for (index, (theirs, ours)) in times.iter().zip(&ours).enumerate() {
        // What has no time is shown without one.
        assert!(theirs == ours || index == 3 && theirs.is_empty(), "{index}: {theirs} {ours}");
    }
}

#[test]
fn a_packet_without_a_time_is_as_long_as_the_snap_length_lets_it_be() {
    let w = Writer { big: false };
    let packets = call();
    let frame = Link::Ethernet.frame(&packets[6].octets, None);
    let mut file = [w.section(), w.interface(1, 100, &[])].concat();
    file.extend(w.block(3, &[&w.u32(frame.len() as u32)[..], &frame[..100]].concat()));
    let seen = read(&file);
    assert_eq!((seen[0].data.len(), seen[0].length, seen[0].nanos), (100 - 42, 1400, 0));
    let found = findings(&file);
    assert_eq!((found.cut, found.first), (1, None));
}
