//! Holds the house's rules on who may use whom, by reading the sources: docs/ARCHITECTURE.md gives the reasons.
#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "a helper of a test panics for it")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The modules that each module of proto may use, itself aside. `call` and `agent` join the rest and may use all.
const MAY_USE: [(&str, &[&str]); 14] = [
    ("ske", &["limits", "time"]),
    ("stun", &["limits", "time"]),
    ("nat", &["limits", "stun", "time"]),
    ("rendezvous", &["nat", "ske", "time"]),
    ("probe", &["limits", "sdp", "sip"]),
    ("sip", &["io", "limits", "time"]),
    ("sdp", &["frame", "io", "limits"]),
    ("rtp", &["frame", "io", "limits", "time"]),
    ("demux", &["io", "limits", "time"]),
    ("io", &["frame", "nat", "rtp", "time"]),
    ("frame", &["time"]),
    ("limits", &["time"]),
    ("time", &[]),
    ("lib", &["time"]),
];

/// What sans-IO code has no use for.
const BANNED: [&str; 11] = [
    "tokio",
    "std::fs",
    "std::thread",
    "std::process",
    "std::env",
    "UdpSocket",
    "TcpStream",
    "TcpListener",
    "Instant::now",
    "SystemTime::now",
    "std::time::Instant",
];

/// The crates of this workspace that each crate may depend on, features and benchmarks included, tests not.
const MAY_DEPEND: [(&str, &[&str]); 9] = [
    ("proto", &[]),
    ("media", &["proto"]),
    ("capture", &["proto"]),
    ("report", &["proto", "capture", "media"]),
    ("check", &["proto", "capture", "report"]),
    ("sim", &["proto"]),
    ("endpoint", &["proto", "media", "capture", "report", "sim"]),
    ("window", &["proto", "media"]),
    ("xtask", &[]),
];

fn proto() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every source file below `dir`.
fn sources(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("a directory of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// A source without its comments, line for line.
fn code(path: &Path) -> String {
    without_comments(&fs::read_to_string(path).expect("a readable source"))
}

fn without_comments(text: &str) -> String {
    text.lines().map(|line| line.split("//").next().unwrap_or(line)).collect::<Vec<_>>().join("\n")
}

/// The line of a place in a text, from 1.
fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

/// What the text names after `crate::`, in a braced list too, and where.
fn named(text: &str) -> Vec<(usize, &str)> {
    let word = |from: usize| {
        let rest = &text[from..];
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        (from, &rest[..end])
    };
    let mut found = Vec::new();
    for (at, prefix) in text.match_indices("crate::") {
        if text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let from = at + prefix.len();
        let Some(list) = text[from..].strip_prefix('{') else {
            found.push(word(from));
            continue;
        };
        let (mut depth, mut start) = (0, true);
        for (i, c) in list.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' => start |= depth == 0,
                c if start && c.is_alphabetic() => {
                    found.push(word(from + 1 + i));
                    start = false;
                }
                _ => {}
            }
        }
    }
    found
}

#[test]
fn sip_sdp_and_rtp_do_not_use_one_another() {
    let src = proto().join("src");
    let modules: BTreeSet<String> = fs::read_dir(&src)
        .expect("src")
        .filter_map(|e| Some(e.ok()?.path().file_stem()?.to_str()?.to_owned()))
        .collect();
    let mut wrong = Vec::new();
    let mut uses = 0;
    for path in sources(&src) {
        let inside = path.strip_prefix(&src).expect("it was found below src");
        let first = inside.iter().next().and_then(|p| p.to_str()).unwrap_or_default();
        let module = first.trim_end_matches(".rs");
        let Some((_, allowed)) = MAY_USE.iter().find(|(m, _)| *m == module) else {
            assert!(
                ["call", "agent"].contains(&module),
                "say in MAY_USE of crates/proto/tests/imports.rs what the new module {module} may use"
            );
            continue;
        };
        let text = code(&path);
        for (at, used) in named(&text) {
            if used == module || !modules.contains(used) {
                continue;
            }
            uses += 1;
            if !allowed.contains(&used) {
                let line = line_of(&text, at);
                wrong.push(format!("{}:{line}: {module} may not use {used}", path.display()));
            }
        }
    }
    assert!(uses > 20, "only {uses} uses of other modules were found: this test reads the sources wrongly");
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn proto_has_no_clock_no_threads_no_files_and_no_sockets() {
    let mut wrong = Vec::new();
    for path in sources(&proto().join("src")) {
        let text = code(&path);
        for word in BANNED {
            for (at, _) in text.match_indices(word) {
                let line = line_of(&text, at);
                wrong.push(format!("{}:{line}: {word} has no place in proto", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_crates_depend_on_one_another_in_one_direction() {
    let crates = proto().join("..");
    let mut wrong = Vec::new();
    for entry in fs::read_dir(&crates).expect("crates/") {
        let dir = entry.expect("an entry").path();
        let name = dir.file_name().and_then(|n| n.to_str()).unwrap_or_default().to_owned();
        let manifest = dir.join("Cargo.toml");
        // The fuzz targets are a workspace of their own and may use anything; the command has its manifest at
        // the top and depends on the endpoint.
        if name == "fuzz" || !manifest.exists() {
            continue;
        }
        let Some((_, allowed)) = MAY_DEPEND.iter().find(|(c, _)| *c == name) else {
            panic!(
                "say in MAY_DEPEND of crates/proto/tests/imports.rs what the new crate {name} may depend on"
            );
        };
        let text = fs::read_to_string(&manifest).expect("a readable manifest");
        let mut section = "";
        for (number, line) in text.lines().enumerate() {
            if let Some(title) = line.trim().strip_prefix('[') {
                section = title.trim_end_matches(']');
            }
            let Some(used) = line.trim().strip_prefix("visavis-").filter(|_| section == "dependencies")
            else {
                continue;
            };
            let used: String = used.chars().take_while(|c| c.is_alphanumeric()).collect();
            if !allowed.contains(&used.as_str()) {
                wrong.push(format!("{}:{}: {name} may not depend on {used}", manifest.display(), number + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn a_use_is_seen_however_it_is_written() {
    let names = |text: &'static str| named(text).iter().map(|n| n.1).collect::<Vec<_>>().join(" ");
    assert_eq!(names("use crate::sip::Uri;"), "sip");
    assert_eq!(names("use crate::{frame::{Codec, rtp}, sdp,\n    time::Time};"), "frame sdp time");
    assert_eq!(names("fn f(uri: &crate::sip::Uri, t: crate::Time) {}"), "sip Time");
    assert_eq!(names("use my_crate::sip;"), "");
    assert_eq!(without_comments("a // crate::sip\n/// crate::rtp\nb"), "a \n\nb");
    assert_eq!(line_of("one\ntwo crate::sip", 8), 2);
}
