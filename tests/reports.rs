//! What `--report` leaves: files that are whole, say the same, and are as their documentation has them.

// The helpers are those of the tests with peers; not all of them are needed here.
#[allow(dead_code)]
#[path = "interop/harness.rs"]
mod harness;

use boon::{Compiler, Schemas};
use harness::{A_CALL, SOON, Scratch, Visavis, alone};
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Output};

fn visavis(args: &[&str], dir: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_visavis"));
    command.current_dir(dir).args(args).output().expect("visavis runs")
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn read(path: &Path) -> Value {
    serde_json::from_str(&text(path)).expect("JSON")
}

/// Forbids in a schema what it does not name, so that nothing goes undocumented.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if fields.contains_key("properties") && !fields.contains_key("additionalProperties") {
                fields.insert("additionalProperties".into(), json!(false));
            }
            fields.values_mut().for_each(close);
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}

/// What the schema, with nothing beyond it allowed, has against a document.
fn objections(document: &Value) -> Option<String> {
    let mut schema: Value =
        serde_json::from_str(include_str!("../docs/schema/call.schema.json")).expect("a schema in JSON");
    close(&mut schema);
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    compiler.add_resource("call.schema.json", schema).expect("a resource");
    let compiled = compiler.compile("call.schema.json", &mut schemas).expect("a schema");
    schemas.validate(document, compiled).err().map(|error| format!("{error:#}"))
}

fn assert_documented(document: &Value) {
    if let Some(objections) = objections(document) {
        panic!("docs/schema/call.schema.json and call.json do not agree: {objections}");
    }
}

/// A page that reads nothing from elsewhere.
fn assert_self_contained(page: &str) {
    assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"));
    for outside in ["src=\"http", "href=\"http", "src=\"/", "url(", "@import"] {
        assert!(!page.contains(outside), "{outside}");
    }
}

#[test]
fn a_demo_leaves_a_page_a_record_as_documented_and_its_packets() {
    let _alone = alone();
    let scratch = Scratch::new();
    let args = ["demo", "--duration", "3s", "--out", "out", "--report", "pages/demo"];
    let ran = visavis(&args, scratch.path());
    let dir = scratch.file("pages/demo");
    let call = read(&dir.join("call.json"));
    assert_documented(&call);
    // How good it is depends on what else this machine does; that exit code and report agree does not.
    let good = call["verdict"]["good"].as_bool().expect("a verdict");
    assert_eq!(ran.status.code(), Some(i32::from(!good)), "{ran:?}");
    // The page's figures are those of the capture, which says the same as the end that it was made at.
    let streams = call["capture"]["streams"].as_array().expect("streams");
    assert_eq!(streams.len(), 4, "{streams:?}");
    let counted = |field: &str| -> u64 {
        let sections = call["callee"]["sections"].as_array().expect("sections");
        sections.iter().filter_map(|section| section[field].as_u64()).sum()
    };
    let captured: u64 = streams.iter().filter_map(|stream| stream["packets"].as_u64()).sum();
    assert_eq!(captured, counted("packets_received") + counted("packets_sent"));
    for end in ["caller", "callee"] {
        let timeline = &call[end]["timeline"];
        let steps = timeline["steps"].as_array().expect("steps");
        let pictures: u64 = steps.iter().filter_map(|step| step["pictures"].as_u64()).sum();
        assert_eq!(Some(pictures), call[end]["media"]["pictures_decoded"].as_u64());
        for measured in ["latency_max_ms", "psnr_min_db", "sound_dbfs", "audio_buffer_ms"] {
            assert!(steps.iter().any(|step| step[measured].is_number()), "no {measured}: {steps:?}");
        }
        assert!(timeline["pictures"].as_array().is_some_and(|all| (1..=12).contains(&all.len())));
        let entries = call[end]["log"]["entries"].as_array().expect("a log");
        assert_eq!(entries.last().map(|entry| &entry["name"]), Some(&json!("ended")), "{entries:?}");
    }
    let page = text(&dir.join("report.html"));
    assert_self_contained(&page);
    assert!(page.contains("data:image/png;base64,") && !page.contains("not measured in this call"));
    let packets = |path: &Path| std::fs::read(path).expect("a capture");
    assert!(packets(&dir.join("call.pcapng")) == packets(&scratch.file("out/call.pcapng")));
    // Of the capture alone there is a page as well; it does not know what decoders saw.
    let ran = visavis(&["inspect", "out/call.pcapng", "--report", "pages/bare"], scratch.path());
    assert_eq!(ran.status.code(), Some(0), "{ran:?}");
    let bare = read(&scratch.file("pages/bare/call.json"));
    assert_documented(&bare);
    assert!(bare["verdict"].is_null() && bare["caller"].is_null() && bare["callee"].is_null());
    assert_eq!(bare["capture"]["streams"], call["capture"]["streams"]);
    assert_eq!(bare["capture"]["call"], call["capture"]["call"]);
    let page = text(&scratch.file("pages/bare/report.html"));
    assert_self_contained(&page);
    assert!(page.contains("unknown: a bare capture cannot tell") && !page.contains("data:image/png"));
    // The record that the demo leaves anyway has no capture in it.
    let record = read(&scratch.file("out/call.json"));
    assert_documented(&record);
    assert!(record["capture"].is_null() && record["callee"]["log"] == call["callee"]["log"]);
}

#[test]
fn calls_answered_each_have_a_page_behind_an_index_and_a_case_in_junit() {
    let _alone = alone();
    let scratch = Scratch::new();
    let (answered, placed) = (scratch.file("answered"), scratch.file("placed"));
    let path = |path: &Path| path.to_str().expect("a path in UTF-8").to_owned();
    let (answered_in, placed_in) = (path(&answered), path(&placed));
    let fixed = ["answer", "--listen", "127.0.0.51:0", "--max-calls", "2", "--no-media"];
    let mut callee = Visavis::start(&[&fixed[..], &["--report", &answered_in]].concat());
    let uri = format!("sip:callee@{}", callee.address());
    let fixed = ["call", &uri, "--no-media", "--duration", "1s"];
    let mut first = Visavis::start(&[&fixed[..], &["--listen", "127.0.0.52:0"]].concat());
    let mut second =
        Visavis::start(&[&fixed[..], &["--listen", "127.0.0.53:0", "--report", &placed_in]].concat());
    for caller in [&mut first, &mut second] {
        assert_eq!(caller.finish(A_CALL).verdict["good"], true);
    }
    callee.finish(SOON);
    let calls = ["call-1", "call-2"].map(|name| read(&answered.join(name).join("call.json")));
    for call in &calls {
        assert_documented(call);
        assert!(call["caller"].is_null() && call["callee"]["incoming"] == true, "{call}");
        assert_eq!(call["capture"]["file"], "../call.pcapng");
        assert_eq!(call["capture"]["call"]["call_id"], call["callee"]["call_id"]);
        assert_eq!(call["capture"]["call"]["outcome"], "caller-hung-up");
    }
    assert_ne!(calls[0]["callee"]["call_id"], calls[1]["callee"]["call_id"]);
    let index = text(&answered.join("index.html"));
    assert_self_contained(&index);
    assert!(index.contains("call-1/report.html") && index.contains("call-2/report.html"));
    let junit = text(&answered.join("junit.xml"));
    assert!(junit.contains("tests=\"2\"") && junit.contains("failures=\"0\""), "{junit}");
    let placed = read(&placed.join("call.json"));
    assert_documented(&placed);
    assert!(placed["callee"].is_null() && placed["caller"]["incoming"] == false, "{placed}");
    assert!(calls.iter().any(|call| call["callee"]["call_id"] == placed["caller"]["call_id"]));
}

#[test]
fn a_refused_call_has_a_report_that_says_so() {
    let _alone = alone();
    let scratch = Scratch::new();
    let dirs = ["declined", "refused"].map(|name| scratch.file(name).display().to_string());
    let fixed = ["answer", "--listen", "127.0.0.51:0", "--max-calls", "1", "--decline", "486"];
    let mut callee = Visavis::start(&[&fixed[..], &["--report", &dirs[0]]].concat());
    let uri = format!("sip:callee@{}", callee.address());
    let mut caller = Visavis::start(&["call", &uri, "--listen", "127.0.0.52:0", "--report", &dirs[1]]);
    assert_eq!(caller.finish(SOON).verdict["good"], false);
    callee.finish(SOON);
    let call = read(&scratch.file("refused/call.json"));
    assert_documented(&call);
    assert_eq!(call["capture"]["call"]["outcome"], "refused");
    assert_eq!(call["capture"]["call"]["status"], 486);
    assert!(text(&scratch.file("refused/report.html")).contains("the peer answered 486 Busy Here"));
    let junit = text(&scratch.file("declined/junit.xml"));
    assert!(junit.contains("failures=\"1\"") && junit.contains("declined here with 486"), "{junit}");
}

#[test]
fn a_report_that_cannot_be_written_is_said_before_the_call() {
    let scratch = Scratch::new();
    scratch.write("file", "");
    let ran = visavis(&["demo", "--out", "out", "--report", "file/in/the/way"], scratch.path());
    assert_eq!(ran.status.code(), Some(3), "{ran:?}");
    assert!(String::from_utf8_lossy(&ran.stderr).contains("cannot make file/in/the/way"), "{ran:?}");
}

#[test]
fn the_schema_objects_to_what_is_wrong() {
    let empty = json!({ "v": 1 });
    assert!(objections(&empty).is_some_and(|text| text.contains("missing")));
    let null = Value::Null;
    let mut whole = json!({
        "v": 1, "made_by": "x", "caller": null, "callee": null, "verdict": null, "capture": null, "counters": {},
    });
    assert_eq!(objections(&whole), None);
    for (field, wrong) in [("v", json!(2)), ("caller", json!({})), ("made_by", null), ("more", json!(1))] {
        let right = whole[field].take();
        whole[field] = wrong;
        assert!(objections(&whole).is_some(), "{field}");
        match field {
            "more" => drop(whole.as_object_mut().expect("an object").remove(field)),
            _ => whole[field] = right,
        }
    }
}
