//! `cargo xtask interop`: calls with real peers on this machine.

use crate::packages;
use crate::run::cargo;
use crate::steps::{Failure, Note, Steps};

/// What the suite is.
pub const WHAT: &str = "calls with real peers on this machine";

/// Installs the peers and runs the suite.
pub fn run(filter: Option<&str>) -> Steps {
    let mut steps = Steps::new();
    steps.step("set-up", "peers and judges", packages::ensure);
    steps.step("interop", WHAT, || suite(filter));
    steps
}

/// The suite alone. One test at a time: peers are heavy, and some of them insist on a port.
pub fn suite(filter: Option<&str>) -> Result<Note, Failure> {
    let mut args = vec!["test", "-p", "visavis", "--test", "interop", "--"];
    args.extend(filter);
    args.push("--test-threads=1");
    cargo(&args).show()
}
