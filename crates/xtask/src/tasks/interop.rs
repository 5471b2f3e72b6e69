//! `cargo xtask interop`: calls with real peers on this machine.

use crate::packages;
use crate::run::cargo;
use crate::steps::Steps;

/// Installs the peers and runs the suite, or the tests of it whose name has `filter` in it.
pub fn run(filter: Option<&str>) -> Steps {
    let mut steps = Steps::new();
    steps.step("set-up", "peers and judges", packages::ensure);
    steps.step("interop", "calls with real peers on this machine", || {
        let mut args = vec!["test", "-p", "visavis", "--test", "interop", "--"];
        args.extend(filter);
        cargo(&args).show()
    });
    steps
}
