//! A build without devices.

use std::process::Command;

#[test]
fn a_build_without_devices_says_in_one_line_how_to_get_them() {
    for arguments in [
        &["devices"][..],
        &["devices", "--test-mic"],
        &["devices", "--test-camera", "0"],
        &["call", "127.0.0.1:9", "--mic"],
        &["answer", "--speaker=headset"],
    ] {
        let output =
            Command::new(env!("CARGO_BIN_EXE_visavis")).args(arguments).output().expect("visavis runs");
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{text}");
        assert!(text.contains("--features devices") && text.contains("libasound2-dev"), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }
}
