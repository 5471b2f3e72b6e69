//! One task per file; the short ones are here.

pub mod bench;
mod chirps;
mod devices_bench;
mod devices_cost;
pub mod fuzz;
mod inspect_bench;
pub mod interop;
mod room;
pub mod test;

use crate::packages;
use crate::run::cargo;
use crate::steps::Steps;

/// Installs what the tests need.
pub fn setup() -> Steps {
    let mut steps = Steps::new();
    steps.step("set-up", "peers and judges", packages::ensure);
    steps
}

/// Random calls over random lines, on a virtual clock, for so long by the real one.
pub fn soak(seconds: u64, seed: Option<u64>) -> Steps {
    let mut steps = Steps::new();
    steps.step("soak", "random calls over random lines on a virtual clock", || {
        let args = ["test", "--release", "-p", "visavis-sim", "--test", "soak", "--", "--ignored"];
        let mut run = cargo(&[&args[..], &["--nocapture"]].concat());
        run = run.env("VISAVIS_SOAK_SECONDS", &seconds.to_string());
        if let Some(seed) = seed {
            run = run.env("VISAVIS_SOAK_SEED", &seed.to_string());
        }
        run.show()
    });
    steps
}
