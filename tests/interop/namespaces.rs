//! Two hosts behind NATs of the kernel's own: what `examples/two-nats.sh` makes, under names of the test's own, so
//! that tests can run side by side. The networks are gone when the test is over; those that a killed run has left
//! go when the next one begins.

use crate::harness::{Process, SOON, need, run};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/two-nats.sh");
/// All names of tests' networks begin with this; then come the process and a number.
const PREFIX: &str = "visavis-test-";

/// The first of the STUN server's two addresses.
pub(crate) const STUN: &str = "198.18.0.1";
/// The second one.
pub(crate) const STUN_OTHER: &str = "198.18.0.2";

/// Two hosts, two NATs, and what lies between.
pub(crate) struct TwoNats {
    name: String,
}

/// A host of the networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    A,
    B,
    /// Between the NATs.
    Inet,
}

impl TwoNats {
    /// Makes the networks, with NATs of these kinds (in the words of the script).
    pub(crate) fn up(a: &str, b: &str) -> Self {
        static SWEPT: Once = Once::new();
        static COUNT: AtomicU32 = AtomicU32::new(0);
        for (program, package) in [("ip", "iproute2"), ("nft", "nftables"), ("conntrack", "conntrack")] {
            need(program, package);
        }
        SWEPT.call_once(sweep);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let nats = TwoNats { name: format!("{PREFIX}{}-{number}", std::process::id()) };
        nats.script(&["up", a, b]);
        nats
    }

    /// Runs a task of the script.
    pub(crate) fn script(&self, args: &[&str]) {
        let output = script(&self.name, args);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "two-nats.sh {}: {}\n{said}", args.join(" "), output.status);
    }

    /// A program, to be run on a host.
    pub(crate) fn command(&self, host: Host, program: impl AsRef<OsStr>) -> Command {
        let host = match host {
            Host::A => "a",
            Host::B => "b",
            Host::Inet => "inet",
        };
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &format!("{}-{host}", self.name)]).arg(program);
        command
    }

    /// Starts a STUN server (coturn, RFC 5780) between the NATs.
    pub(crate) fn stun_server(&self) -> Process {
        need("turnserver", "coturn");
        let mut command = self.command(Host::Inet, "turnserver");
        command.args(["-n", "--stun-only", "--no-cli", "--no-tls", "--no-dtls", "--log-file", "stdout"]);
        command.args(["--pidfile", "", "-L", STUN, "-L", STUN_OTHER, "-p", "3478"]);
        let server = Process::start("turnserver", &mut command);
        server.wait_for("Total General servers", SOON);
        server
    }

    /// Records all that passes between the NATs, on the side of one of them.
    pub(crate) fn capture(&self, side: Host, file: &Path) -> Capture {
        need("tshark", "tshark");
        let interface = if side == Host::B { "nat-b" } else { "nat-a" };
        let mut command = self.command(Host::Inet, "tshark");
        command.args(["-l", "-i", interface, "-w"]).arg(file);
        let process = Process::start("tshark", &mut command);
        process.wait_for("Capturing on", SOON);
        Capture { process, file: file.to_owned() }
    }
}

impl Drop for TwoNats {
    fn drop(&mut self) {
        // A test that fails has more to say than this.
        let _ = script(&self.name, &["down"]);
    }
}

/// A capture that runs.
pub(crate) struct Capture {
    process: Process,
    file: PathBuf,
}

impl Capture {
    /// Ends it; what it holds is then whole.
    pub(crate) fn finish(mut self) -> PathBuf {
        // The kernel hands over what it has in batches.
        std::thread::sleep(Duration::from_secs(1));
        self.process.interrupt();
        self.process.wait(SOON);
        self.file.clone()
    }
}

fn script(name: &str, args: &[&str]) -> std::process::Output {
    let output = Command::new(SCRIPT).args(args).env("NETS", name).output();
    output.unwrap_or_else(|error| panic!("{SCRIPT} cannot be started: {error}"))
}

/// Removes the networks of test processes that are no more.
fn sweep() {
    let listing = String::from_utf8(run("ip", &["netns", "list"])).expect("names in UTF-8");
    let names = listing.lines().filter_map(|line| line.split_whitespace().next());
    for name in names.filter_map(|name| name.strip_suffix("-inet")) {
        let process = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        if process.is_some_and(|process| !Path::new("/proc").join(process).exists()) {
            script(name, &["down"]);
        }
    }
}
