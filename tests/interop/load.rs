//! `visavis load` next to sipp's own caller, against the same callees; and with peers that send media.

use crate::baresip::{Baresip, PCMU};
use crate::harness::{A_CALL, SOON, Scratch, Visavis, alone, free_port, need};
use crate::sipp::{assert_all_successful, sipp, statistic};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The shares at which both sides' times are compared. At 99 % two calls of 150 decide, and whom the machine makes wait is chance.
const SHARES: [(&str, f64); 3] = [("p50", 0.5), ("p90", 0.9), ("p95", 0.95)];
/// How often they are, at the most: what else the machine does lengthens some times, and shortens none.
const ROUNDS: usize = 8;
/// How far apart they may be, milliseconds.
const APART: f64 = 2.0;
/// The calls of each side in a round.
const CALLS: &str = "150";
const RATE: &str = "50";

fn scenario(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/interop/sipp/{name}.xml"))
}

/// Runs `visavis load` to its end, which must be a good one, and gives its `load` event.
fn load(uri: &str, flags: &[&str]) -> Value {
    let mut load = Visavis::start(&[&["load", uri][..], flags].concat());
    let event = load.event("load", A_CALL);
    assert_eq!(load.wait(SOON).code(), Some(0), "{}", load.output());
    event
}

/// From INVITE to 200 in each call, in order of length, by the log of sipp's caller: what it shows of its own times
/// goes by a clock that ticks every 4 ms, but each line of the log has the microsecond.
fn by_sipp(log: &str) -> Vec<f64> {
    let mut sent = std::collections::HashMap::new();
    let mut times = Vec::new();
    for line in log.lines() {
        let cells: Vec<&str> = line.split('\t').collect();
        let [_, _, seconds, way, call, _, what] = cells[..] else { panic!("sipp logged {line}") };
        let seconds: f64 = seconds.parse().expect("a time in seconds");
        if way == "S" && what.starts_with("INVITE") {
            sent.entry(call.to_owned()).or_insert(seconds);
        } else if what.starts_with("SIP/2.0 200") {
            times.extend(sent.remove(call).map(|sent| (seconds - sent) * 1e3));
        }
    }
    times.sort_by(f64::total_cmp);
    times
}

#[test]
fn set_up_times_are_those_that_sipps_caller_measures_against_a_callee_who_waits_for_50_ms() {
    let _alone = alone();
    let (mut ours, mut theirs) = ([f64::MAX; SHARES.len()], [f64::MAX; SHARES.len()]);
    for _ in 0..ROUNDS {
        let callees = Scratch::new();
        let (slow, timed) = (scenario("slow-uas"), scenario("timed-uac"));
        let (_callee, address) = sipp(&callees, &["-sf", slow.to_str().expect("a path in UTF-8")]);
        let target = address.to_string();
        // Both call at the same time: what else happens on the machine happens to both.
        let scratch = Scratch::new();
        let args = [&target, "-sf", timed.to_str().expect("a path in UTF-8"), "-r", RATE, "-m", CALLS];
        let log = ["-trace_shortmsg", "-shortmessage_file", "log"];
        let (caller, _) = sipp(&scratch, &[&args[..], &log].concat());
        let event = load(&target, &["--rate", RATE, "--calls", CALLS, "--hold", "0"]);
        let screens = assert_all_successful(caller, &scratch);
        assert_eq!(event["good_calls"].as_u64(), Some(statistic(&screens, "Successful call")));
        assert_eq!((&event["good_calls"], &event["failed"]), (&150.into(), &0.into()), "{event}");
        let times = by_sipp(&std::fs::read_to_string(scratch.file("log")).expect("sipp's log"));
        assert_eq!(times.len(), 150);
        for (place, (name, share)) in SHARES.iter().enumerate() {
            let us = event["answer_ms"][name].as_f64().unwrap_or_else(|| panic!("no {name} in {event}"));
            let them = times[((share * times.len() as f64).ceil() as usize).max(1) - 1];
            ours[place] = ours[place].min(us);
            theirs[place] = theirs[place].min(them);
        }
        if ours.iter().zip(theirs).all(|(us, them)| (us - them).abs() <= APART) {
            break;
        }
    }
    eprintln!("INVITE to 200 at p50, p90, p95: {ours:.1?} ms here, {theirs:.1?} ms by sipp's caller");
    for ((name, _), (us, them)) in SHARES.iter().zip(ours.iter().zip(theirs)) {
        assert!(
            (us - them).abs() <= APART,
            "{name}: {us:.1} ms here, {them:.1} ms by sipp\n{ours:?}\n{theirs:?}"
        );
        assert!(*us >= 48.0, "{name} is {us:.1} ms, though the callee waits for 50 ms by a clock of 4 ms");
    }
}

#[test]
fn two_hundred_calls_to_sipp_are_counted_alike_by_both_sides() {
    let _alone = alone();
    let scratch = Scratch::new();
    let media = free_port("127.0.0.1").to_string();
    let (mut callee, address) = sipp(&scratch, &["-sn", "uas", "-m", "200", "-mp", &media]);
    let event = load(&address.to_string(), &["--rate", "50", "--calls", "200", "--hold", "500ms"]);
    assert_eq!(
        (&event["placed"], &event["good_calls"], &event["failed"]),
        (&200.into(), &200.into(), &0.into())
    );
    assert_eq!(callee.wait(SOON).code(), Some(0), "{}", callee.output());
    assert_eq!(statistic(&callee.output(), "Successful call"), 200);
    assert_eq!(statistic(&callee.output(), "Failed call"), 0);
}

#[test]
fn pictures_and_sound_of_many_calls_arrive_without_loss_on_either_side_and_are_judged_good() {
    let _alone = alone();
    let mut answer =
        Visavis::start(&["answer", "--listen", "127.0.0.1:0", "--max-calls", "6", "--size", "320x240"]);
    let target = answer.address().to_string();
    let flags = ["--rate", "2", "--calls", "6", "--hold", "5s", "--media", "video", "--size", "320x240"];
    let event = load(&target, &[&flags[..], &["--fps", "15", "--sample", "2"]].concat());
    assert_eq!((&event["judged"], &event["bad"]), (&3.into(), &0.into()), "{event}");
    let rtp = &event["rtp"];
    assert_eq!(
        (&rtp["lost"], &rtp["stray"], &rtp["reported_loss"]),
        (&0.into(), &0.into(), &0.into()),
        "{event}"
    );
    answer.wait(A_CALL);
    let calls: Vec<Value> = answer
        .output()
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .filter(|event: &Value| event["event"] == "call")
        .collect();
    assert_eq!(calls.len(), 6);
    for call in &calls {
        assert_eq!(call["verdict"]["good"], true, "{}", call["verdict"]);
    }
    let sections = || calls.iter().flat_map(|call| call["record"]["sections"].as_array().expect("sections"));
    let sum = |field: &str| sections().map(|s| s[field].as_i64().expect("a count")).sum::<i64>();
    assert_eq!(Some(sum("packets_received")), rtp["sent"].as_i64(), "every packet that was sent arrived");
    assert_eq!(Some(sum("packets_lost")), rtp["lost"].as_i64());
    // What is on its way here when a call ends is counted by its sender alone: some pictures' packets.
    let on_the_way = sum("packets_sent") - rtp["received"].as_i64().expect("a count");
    assert!((0..=6 * 10).contains(&on_the_way), "{on_the_way} of {}", sum("packets_sent"));
}

#[test]
fn three_calls_at_once_to_baresip_are_good() {
    need("baresip", "baresip-core baresip-ffmpeg");
    let _alone = alone();
    let scratch = Scratch::new();
    let baresip = Baresip::start(&scratch, "127.0.0.2", PCMU, None);
    let uri = format!("sip:lab@{}", baresip.address());
    let flags = ["--rate", "2", "--calls", "3", "--hold", "4s", "--media", "audio", "--codecs", "pcmu"];
    let event = load(&uri, &[&flags[..], &["--sample", "1"]].concat());
    assert_eq!((&event["good_calls"], &event["peak"]), (&3.into(), &3.into()), "{event}");
    assert_eq!((&event["judged"], &event["bad"]), (&3.into(), &0.into()), "{event}");
    assert_eq!(event["rtp"]["lost"], 0, "{event}");
    assert!(event["rtp"]["received"].as_u64().is_some_and(|count| count > 3 * 150), "{event}");
}
