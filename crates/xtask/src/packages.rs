//! What the tests need beyond Rust: real peers, judges, and an assembler for the video codec.

use crate::run::Run;
use crate::steps::{Failure, Note};
use std::collections::BTreeSet;
use std::process::Output;

/// Debian packages, all from `main`.
const PACKAGES: &[&str] = &[
    "g++",
    "nasm",
    "tshark",
    "ffmpeg",
    "baresip-core",
    "baresip-ffmpeg",
    "linphone-cli",
    "mediastreamer2-plugin-openh264",
    "sip-tester",
    "gstreamer1.0-tools",
    "gstreamer1.0-plugins-base",
    "gstreamer1.0-plugins-good",
    "gstreamer1.0-plugins-bad",
    "gstreamer1.0-plugins-ugly",
    "gstreamer1.0-libav",
    "iproute2",
    "nftables",
    "conntrack",
    "ethtool",
    "coturn",
    "pkg-config",
    "libasound2-dev",
    "libasound2-plugins",
    "libclang-dev",
    "pulseaudio",
    "pulseaudio-utils",
    "python3",
    "chromium",
    "xvfb",
    "xdotool",
    "libxcursor1",
    "libxkbcommon-x11-0",
];

/// A program of each package that has one, for machines without dpkg.
const PROGRAMS: &[(&str, &[&str])] = &[
    ("g++", &["--version"]),
    ("nasm", &["--version"]),
    ("tshark", &["--version"]),
    ("ffmpeg", &["-version"]),
    ("baresip", &["-h"]),
    ("linphonec", &["-v"]),
    ("sipp", &["-v"]),
    ("gst-launch-1.0", &["--version"]),
    ("ip", &["-V"]),
    ("nft", &["--version"]),
    ("conntrack", &["--version"]),
    ("ethtool", &["--version"]),
    ("turnserver", &["--version"]),
    ("pulseaudio", &["--version"]),
    ("pacat", &["--version"]),
    ("python3", &["--version"]),
    ("chromium", &["--version"]),
    ("Xvfb", &["-help"]),
    ("xdotool", &["version"]),
];

/// Installs what is missing where that is possible (root on Debian); elsewhere says what is missing, and the
/// tests that need it fail with the same words.
pub fn ensure() -> Result<Note, Failure> {
    let Some(listing) = query() else {
        let missing: Vec<&str> =
            PROGRAMS.iter().filter(|(program, args)| !starts(program, args)).map(|(name, _)| *name).collect();
        return Ok(match missing.as_slice() {
            [] => "everything is here".into(),
            missing => {
                let missing = missing.join(" ");
                println!("    this is not Debian: please install what has these programs: {missing}");
                format!("missing: {missing}")
            }
        });
    };
    let missing = missing(&listing);
    if missing.is_empty() {
        return Ok("everything is here".into());
    }
    let install = [&["install", "-y", "--no-install-recommends"], missing.as_slice()].concat();
    if !is_root() {
        println!("    please install what is missing, and run this again:");
        println!("    sudo apt-get update && sudo apt-get {}", install.join(" "));
        return Ok(format!("missing: {}", missing.join(" ")));
    }
    Run::new("apt-get", &["update"]).show()?;
    Run::new("apt-get", &install).env("DEBIAN_FRONTEND", "noninteractive").show()?;
    Ok(format!("installed: {}", missing.join(" ")))
}

/// What dpkg knows of the packages; `None` on a machine without dpkg.
fn query() -> Option<String> {
    let args = [&["-W", "-f", "${Package} ${db:Status-Status}\n"], PACKAGES].concat();
    // It ends with 1 where it does not know one of them, and lists the others all the same.
    let Output { stdout, .. } = Run::new("dpkg-query", &args).read()?;
    Some(String::from_utf8_lossy(&stdout).into_owned())
}

fn missing(listing: &str) -> Vec<&'static str> {
    let installed: BTreeSet<&str> =
        listing.lines().filter_map(|line| line.strip_suffix(" installed")).collect();
    PACKAGES.iter().copied().filter(|package| !installed.contains(package)).collect()
}

fn starts(program: &str, args: &[&str]) -> bool {
    Run::new(program, args).read().is_some()
}

fn is_root() -> bool {
    let id = Run::new("id", &["-u"]).read();
    id.is_some_and(|output| output.stdout.trim_ascii() == b"0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_that_was_removed_or_never_seen_is_missing() {
        let others: Vec<&str> =
            PACKAGES.iter().copied().filter(|p| !["nasm", "tshark"].contains(p)).collect();
        let mut listing: String = others.iter().map(|package| format!("{package} installed\n")).collect();
        listing.push_str("nasm config-files\n");
        assert_eq!(missing(&listing), ["nasm", "tshark"]);
    }
}
