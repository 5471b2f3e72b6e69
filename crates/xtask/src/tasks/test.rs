//! `cargo xtask test`: everything that must hold before a change lands.

use crate::packages;
use crate::run::{cargo, install};
use crate::steps::{Failure, Note, Steps};

/// The fuzz targets are a workspace of their own.
const FUZZ: &str = "crates/fuzz/Cargo.toml";
/// Tests of one program that run at a time.
const THREADS: &str = "4";

/// Runs all checks, the quick ones first.
pub fn run() -> Steps {
    let mut steps = Steps::new();
    steps.step("set-up", "peers and judges", packages::ensure);
    steps.step("format", "rustfmt has nothing to change", || {
        cargo(&["fmt", "--all", "--check"]).show()?;
        cargo(&["fmt", "--manifest-path", FUZZ, "--check"]).show()
    });
    steps.step("clippy", "no warning in any target", || {
        cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]).show()?;
        cargo(&["clippy", "--manifest-path", FUZZ, "--bins", "--", "-D", "warnings"]).show()
    });
    steps.step("docs", "no warning, no broken link", || {
        let args = ["doc", "--workspace", "--no-deps", "--document-private-items"];
        cargo(&args).env("RUSTDOCFLAGS", "-D warnings").show()
    });
    steps.step("licences", "every dependency's licence and source is on the list", licences);
    steps.step("tests", "all of them, calls with real peers too", || {
        // Most of them wait for a call to pass, or for their turn: two threads on two cores would stand still.
        cargo(&["test", "--workspace", "--no-fail-fast"]).env("RUST_TEST_THREADS", THREADS).show()
    });
    steps.step("devices", "what only a build with devices and a window has", || {
        // All at once: another choice of packages would be another choice of their dependencies' features, and so another build.
        let features =
            "visavis/devices,visavis/window,visavis-endpoint/devices,visavis-media/devices,visavis-window/native";
        let packages = ["visavis", "visavis-endpoint", "visavis-media", "visavis-window"];
        let live = [&packages.map(|package| ["-p", package]).concat()[..], &["--features", features]].concat();
        cargo(&[&["clippy"], &live[..], &["--all-targets", "--", "-D", "warnings"]].concat()).show()?;
        let tests = ["--lib", "--bin", "visavis", "--test", "devices", "--test", "window"];
        cargo(&[&["test"], &live[..], &tests].concat()).show()
    });
    steps
}

/// Checks deny.toml. Where the database of advisories cannot be had, that one check is left out, and says so.
fn licences() -> Result<Note, Failure> {
    install("deny", "^0.20")?;
    cargo(&["deny", "--workspace", "check", "licenses", "bans", "sources"]).show()?;
    let fetched = cargo(&["deny", "fetch", "db"]).works();
    if !fetched {
        println!("    advisories: not checked (the database cannot be reached from here)");
        return Ok("advisories: not checked".into());
    }
    cargo(&["deny", "--workspace", "check", "advisories"]).show()
}
