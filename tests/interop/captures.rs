//! Captures that others wrote of what others sent, read by us and by tshark: SIP over TCP by sipp, and datagrams that the
//! kernel fragments, on a loopback of its own with a small MTU.

use crate::harness::{A_CALL, Process, Scratch, alone, need};
use crate::wire;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use visavis_capture::findings::{FileFindings, Transport};
use visavis_capture::read::Reader;

/// Run inside a network namespace of its own, in the scratch directory.
const SCRIPT: &str = r#"
set -e
ip link set lo mtu 1400 up
dumpcap -q -i lo -w wire.pcapng >dumpcap.log 2>&1 &
dumpcap=$!
trap 'kill $dumpcap $uas 2>/dev/null || true' EXIT
until grep -q File: dumpcap.log; do sleep 0.1; done
sipp -nostdin -i 127.0.0.1 -p 5060 -t t1 -sn uas >uas.log 2>&1 &
uas=$!
until ss -Hlnt | grep -q 127.0.0.1:5060; do sleep 0.1; done
sipp -nostdin -i 127.0.0.1 -p 5080 -t t1 -sn uac 127.0.0.1:5060 -m 20 -r 20 -d 200 -timeout 30s >uac.log 2>&1
python3 -c '
import socket
for family, host in (socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"):
    a, b = (socket.socket(family, socket.SOCK_DGRAM) for _ in range(2))
    b.bind((host, 4000))
    for size in 0, 1, 1300, 1400, 4000, 20000, 65000:
        a.sendto(bytes(0x80 | i * 7 % 61 for i in range(size)), (host, 4000))
        b.recv(70000)
'
sleep 1 # the kernel hands over what it has in batches
kill -INT $dumpcap
wait $dumpcap
"#;

/// Start lines of the messages that each packet completed, sorted.
type StartLines = BTreeMap<u64, Vec<String>>;

/// A datagram: packet, ports, length, payload in hexadecimal.
type Line = Vec<String>;

fn ours(file: &Path) -> (StartLines, Vec<Line>, FileFindings) {
    let mut reader = Reader::new(std::fs::File::open(file).expect("the capture")).expect("a capture");
    let (mut messages, mut datagrams) = (StartLines::new(), Vec::new());
    while let Some(datagram) = reader.next().expect("a whole capture") {
        if datagram.transport == Transport::Tcp {
            let text = String::from_utf8_lossy(datagram.data);
            let line = text.lines().next().unwrap_or_default().to_owned();
            messages.entry(datagram.packet).or_default().push(line);
            continue;
        }
        datagrams.push(vec![
            datagram.packet.to_string(),
            datagram.source.to_string(),
            datagram.destination.to_string(),
            datagram.length.to_string(),
            datagram.data.iter().map(|octet| format!("{octet:02x}")).collect(),
        ]);
    }
    messages.values_mut().for_each(|lines| lines.sort());
    (messages, datagrams, reader.file().clone())
}

fn theirs(file: &Path) -> (StartLines, Vec<Line>) {
    let fields = ["frame.number", "sip.Request-Line", "sip.Status-Line"];
    let mut messages = StartLines::new();
    for line in wire::fields(file, "tcp && sip", &fields) {
        let lines = line[1..].iter().flat_map(|cell| cell.split(',')).filter(|text| !text.is_empty());
        let mut lines: Vec<String> = lines.map(str::to_owned).collect();
        lines.sort();
        messages.insert(line[0].parse().expect("a number"), lines);
    }
    let addresses = ["ip.src", "ipv6.src", "udp.srcport", "ip.dst", "ipv6.dst", "udp.dstport"];
    let fields = [&["frame.number"][..], &addresses, &["udp.length", "udp.payload"]].concat();
    let socket = |v4: &str, v6: &str, port: &str| {
        if v6.is_empty() { format!("{v4}:{port}") } else { format!("[{v6}]:{port}") }
    };
    let datagram = |line: Vec<String>| {
        let length: usize = line[7].parse().expect("a length");
        let (source, destination) =
            (socket(&line[1], &line[2], &line[3]), socket(&line[4], &line[5], &line[6]));
        vec![line[0].clone(), source, destination, (length - 8).to_string(), line[8].clone()]
    };
    let datagrams =
        wire::fields(file, "udp && !icmp && !icmpv6", &fields).into_iter().map(datagram).collect();
    (messages, datagrams)
}

#[test]
fn tcp_sip_and_fragments_of_real_programs_are_read_as_tshark_reads_them() {
    let _alone = alone();
    for (program, package) in
        [("sipp", "sip-tester"), ("dumpcap", "tshark"), ("ip", "iproute2"), ("python3", "python3")]
    {
        need(program, package);
    }
    let scratch = Scratch::new();
    let mut command = Command::new("unshare");
    command.args(["--net", "sh", "-c", SCRIPT]).current_dir(scratch.path());
    let mut process = Process::start("the calls", &mut command);
    let status = process.wait(A_CALL);
    assert!(status.success(), "{status}: {}", process.output());

    let file = scratch.file("wire.pcapng");
    let (messages, datagrams, found) = ours(&file);
    let (their_messages, their_datagrams) = theirs(&file);
    assert_eq!(messages, their_messages);
    // INVITE, 180, 200, ACK, BYE, 200.
    assert_eq!(messages.values().map(Vec::len).sum::<usize>(), 20 * 6);
    assert_eq!(datagrams, their_datagrams);
    assert_eq!(datagrams.len(), 14);
    let fragments = wire::count(&file, "ip.flags.mf == 1 || ip.frag_offset > 0 || ipv6.fraghdr.nxt");
    assert!(fragments > 100, "{fragments} fragments");
    assert_eq!((found.fragments_left, found.cut, found.dropped, &found.damage), (0, 0, 0, &None));
}
