//! The NATs that `examples/two-nats.sh` makes are what they are called: by the judgement of coturn's tools, and by
//! whether two peers that only send to each other can meet.

use crate::harness::{Process, SOON, Scratch, need};
use crate::namespaces::{Host, STUN, STUN_OTHER, TwoNats};
use crate::wire::count;
use serde_json::Value;
use std::process::Stdio;

/// What coturn's `natdiscovery` says of the mapping and the filtering that host A is behind.
fn judged(kind: &str) -> (String, String) {
    let nats = TwoNats::up(kind, "open");
    let _server = nats.stun_server();
    // Each in a run of its own: what the first sends would open the NAT for the second.
    let run = |option| {
        let mut command = nats.command(Host::A, "turnutils_natdiscovery");
        let output = command.args([option, STUN]).stdin(Stdio::null()).output().expect("it can be started");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let verdict = said.lines().find_map(|line| line.strip_prefix("NAT with "));
        verdict.unwrap_or_else(|| panic!("no verdict:\n{said}")).trim_end_matches('!').to_owned()
    };
    (run("-m"), run("-f"))
}

#[test]
fn each_kind_of_nat_is_what_coturn_takes_it_for() {
    need("turnutils_natdiscovery", "coturn");
    for (kind, mapping, filtering) in [
        ("open", "Endpoint Independent", "Endpoint Independent"),
        ("full-cone", "Endpoint Independent", "Endpoint Independent"),
        ("address-restricted", "Endpoint Independent", "Address Dependent"),
        ("port-restricted", "Endpoint Independent", "Address and Port Dependent"),
        ("symmetric", "Address and Port Dependent", "Address and Port Dependent"),
    ] {
        assert_eq!(judged(kind), (format!("{mapping} Mapping"), format!("{filtering} Filtering")), "{kind}");
    }
}

/// What `visavis probe --nat` says on host A, and its exit code.
fn probed(kind: &str, servers: &str) -> (Value, Option<i32>) {
    let nats = TwoNats::up(kind, "open");
    let _server = nats.stun_server();
    let mut command = nats.command(Host::A, env!("CARGO_BIN_EXE_visavis"));
    command.args(["--json", "probe", "--nat", "--stun", servers]).stdin(Stdio::null());
    let output = command.output().expect("it can be started");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let events = said.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let found = events.into_iter().find(|event| event["event"] == "nat");
    (found.unwrap_or_else(|| panic!("no event nat:\n{said}")), output.status.code())
}

#[test]
fn the_probe_names_each_kind_of_nat() {
    for (kind, mapping, filtering) in [
        ("open", "endpoint-independent", "endpoint-independent"),
        ("full-cone", "endpoint-independent", "endpoint-independent"),
        ("address-restricted", "endpoint-independent", "address-dependent"),
        ("port-restricted", "endpoint-independent", "address and port-dependent"),
        ("symmetric", "address and port-dependent", "address and port-dependent"),
    ] {
        let (found, code) = probed(kind, STUN);
        assert_eq!(code, Some(0), "{kind}: {found}");
        assert_eq!(
            [&found["kind"], &found["mapping"], &found["filtering"]],
            [kind, mapping, filtering],
            "{found}"
        );
    }
    // One server that does not answer may be down; two are a network that UDP does not leave.
    let (found, code) = probed("blocked", &format!("{STUN},{STUN_OTHER}"));
    assert_eq!((found["kind"].as_str(), code), (Some("blocked"), Some(1)), "{found}");
}

/// A peer that only punches.
fn puncher(nats: &TwoNats, host: Host) -> Process {
    need("python3", "python3");
    let mut command = nats.command(host, "python3");
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/punch.py")).arg(STUN);
    Process::start("punch.py", &mut command)
}

/// Where the STUN server sees a peer.
fn mapped(peer: &Process) -> String {
    peer.wait_for("mapped ", SOON).trim_start_matches("mapped ").to_owned()
}

/// Whether each of two peers hears the other through NATs of these kinds.
fn punched(a: &str, b: &str) -> [bool; 2] {
    let nats = TwoNats::up(a, b);
    let _server = nats.stun_server();
    let mut peers = [puncher(&nats, Host::A), puncher(&nats, Host::B)];
    let addresses = [mapped(&peers[0]), mapped(&peers[1])];
    peers[0].say(&addresses[1]);
    peers[1].say(&addresses[0]);
    peers.each_ref().map(|peer| {
        peer.wait_for("done", SOON);
        peer.output().contains("heard ")
    })
}

#[test]
fn two_peers_meet_through_real_nats_wherever_one_of_them_can_be_told() {
    for (a, b, meet) in [
        ("open", "open", true),
        ("port-restricted", "port-restricted", true),
        ("port-restricted", "address-restricted", true),
        ("symmetric", "full-cone", true),
        ("symmetric", "port-restricted", false),
        ("symmetric", "symmetric", false),
    ] {
        // Where only one side's datagrams get through, that side's peer learns where they come from.
        assert_eq!(punched(a, b).contains(&true), meet, "{a} and {b}");
    }
}

#[test]
fn no_udp_leaves_a_blocked_host() {
    let nats = TwoNats::up("blocked", "open");
    let _server = nats.stun_server();
    puncher(&nats, Host::A).wait_for("no answer from the STUN server", SOON);
}

#[test]
fn a_nat_that_is_rebound_gives_another_port_and_one_that_forgets_the_same() {
    let nats = TwoNats::up("port-restricted", "open");
    let _server = nats.stun_server();
    let before = mapped(&puncher(&nats, Host::A));
    nats.script(&["forget", "a"]);
    assert_eq!(mapped(&puncher(&nats, Host::A)), before);
    nats.script(&["rebind", "a"]);
    assert_ne!(mapped(&puncher(&nats, Host::A)), before);
}

#[test]
fn a_capture_between_the_nats_shows_the_outside_addresses_alone() {
    let nats = TwoNats::up("port-restricted", "symmetric");
    let _server = nats.stun_server();
    let scratch = Scratch::new();
    let capture = nats.capture(Host::A, &scratch.file("wire.pcapng"));
    assert_eq!(mapped(&puncher(&nats, Host::A)), "198.18.1.2:16402");
    let file = capture.finish();
    assert_eq!(count(&file, "stun && ip.src == 198.18.1.2 && udp.srcport == 16402"), 1);
    assert_eq!(count(&file, "ip.addr == 10.0.0.0/8"), 0);
}
