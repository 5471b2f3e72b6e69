//! `visavis probe` through a router whose far link takes 1300 octets: that the path MTU is right, whoever says so.

use crate::harness::{A_CALL, Process, SOON, VISAVIS, Visavis, need};
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

/// All names of these networks begin with this; then come the process and a number.
const PREFIX: &str = "visavis-mtu-";
const NEAR: &str = "198.18.10.2";
const FAR: &str = "198.18.11.2";
/// The hosts' end of their links; the router's ends are `to-a` and `to-b`.
const LINK: &str = "net";
/// What the far link takes, an IP packet with all its headers.
const MTU: u64 = 1_300;
/// IPv4 and UDP headers.
const HEADERS: u64 = 28;

/// A host, a router, and a host behind it: `a`, `r` and `b`.
struct Routed {
    name: String,
}

impl Routed {
    fn up() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        for (program, package) in [("ip", "iproute2"), ("nft", "nftables")] {
            need(program, package);
        }
        sweep();
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let routed = Routed { name: format!("{PREFIX}{}-{number}", std::process::id()) };
        for host in ["a", "r", "b"] {
            ip(&["netns", "add", &routed.host(host)]);
            routed.ip(host, &["link", "set", "lo", "up"]);
        }
        for (host, address, net) in [("a", NEAR, "198.18.10"), ("b", FAR, "198.18.11")] {
            let (host_name, router, there) = (routed.host(host), routed.host("r"), format!("to-{host}"));
            let link = ["link", "add", LINK, "netns", &host_name, "type", "veth", "peer", "name"];
            ip(&[&link[..], &[&there, "netns", &router]].concat());
            routed.ip(host, &["address", "add", &format!("{address}/24"), "dev", LINK]);
            routed.ip("r", &["address", "add", &format!("{net}.1/24"), "dev", &there]);
            routed.ip(host, &["link", "set", LINK, "up"]);
            routed.ip("r", &["link", "set", &there, "up"]);
            routed.ip(host, &["route", "add", "default", "via", &format!("{net}.1")]);
        }
        routed.set_mtu("b", MTU);
        routed.run("r", "sysctl", &["-q", "-w", "net.ipv4.ip_forward=1"]);
        routed
    }

    fn host(&self, host: &str) -> String {
        format!("{}-{host}", self.name)
    }

    /// What the link of a host takes, both ways.
    fn set_mtu(&self, host: &str, mtu: u64) {
        let mtu = mtu.to_string();
        self.ip("r", &["link", "set", &format!("to-{host}"), "mtu", &mtu]);
        self.ip(host, &["link", "set", LINK, "mtu", &mtu]);
    }

    fn ip(&self, host: &str, args: &[&str]) {
        ip(&[&["-n", &self.host(host)], args].concat());
    }

    fn run(&self, host: &str, program: &str, args: &[&str]) {
        ip(&[&["netns", "exec", &self.host(host), program], args].concat());
    }

    /// A program, to be run on a host.
    fn command(&self, host: &str, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.host(host), program]);
        command
    }

    /// What `visavis probe` on the near host finds about the path to the far one.
    fn path(&self, uri: &str) -> Value {
        let mut command = self.command("a", VISAVIS);
        command.args(["--json", "probe", uri]);
        let mut probe = Process::start("visavis probe", &mut command);
        let status = probe.wait(A_CALL);
        assert!(status.success(), "{}", probe.output());
        let event = probe.wait_for(r#""event":"probe""#, SOON);
        serde_json::from_str::<Value>(&event).expect("JSON")["path"].take()
    }
}

impl Drop for Routed {
    fn drop(&mut self) {
        for host in ["a", "r", "b"] {
            // A test that fails has more to say than this.
            let _ = Command::new("ip").args(["netns", "del", &self.host(host)]).output();
        }
    }
}

/// Removes the networks of test processes that are no more.
fn sweep() {
    let listing = String::from_utf8(ip(&["netns", "list"]).stdout).expect("names in UTF-8");
    for name in listing.lines().filter_map(|line| line.split_whitespace().next()) {
        let process = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        if process.is_some_and(|process| !Path::new("/proc").join(process).exists()) {
            ip(&["netns", "del", name]);
        }
    }
}

fn ip(args: &[&str]) -> Output {
    let ran = Command::new("ip").args(args).output().expect("ip can be started");
    assert!(ran.status.success(), "ip {}: {}", args.join(" "), String::from_utf8_lossy(&ran.stderr));
    ran
}

fn found(bound: &str) -> Value {
    json!({ "bound": bound, "largest_request": MTU - HEADERS, "mtu": MTU })
}

#[test]
fn the_path_mtu_is_that_of_the_narrowest_link_whether_or_not_the_router_says_so() {
    let routed = Routed::up();
    let listen = format!("{FAR}:16402");
    let answer = ["answer", "--listen", &listen, "--no-media"];
    let peer = Visavis::start_by(routed.command("b", VISAVIS), &answer);
    let uri = format!("sip:lab@{}", peer.address());
    assert_eq!(routed.path(&uri), found("path"), "the router says what is too large");
    let silence = "add table ip t; add chain ip t out { type filter hook output priority 0; }; \
                   add rule ip t out icmp type destination-unreachable drop";
    routed.run("r", "nft", &[silence]);
    assert_eq!(routed.path(&uri), found("unanswered"), "the router drops it and says nothing");
    routed.set_mtu("b", 1_500);
    routed.set_mtu("a", MTU);
    assert_eq!(routed.path(&uri), found("here"), "our own link is the narrow one");
}
