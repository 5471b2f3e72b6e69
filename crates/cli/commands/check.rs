//! `visavis check URI`: holds a user agent to what the RFCs ask of it, case by case.

use crate::Failure;
use crate::args::CheckArgs;
use crate::output::Output;
use crate::polite;
use crate::setup::Capture;
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use visavis::Target;
use visavis::check::{CaseResult, Facts, Options, Peer, Progress, Run, Verdict, all, run as run_cases};

pub(crate) async fn run(args: CheckArgs, output: &Output) -> Result<(), Failure> {
    if let Some(unknown) = args.cases.iter().find(|name| !is_known(name)) {
        return Err(Failure::Usage(format!(
            "{unknown} is no case and no group of cases; --list has them all"
        )));
    }
    if args.list {
        list(&args.cases, output);
        return Ok(());
    }
    let Some(uri) = &args.uri else {
        return Err(Failure::Usage("whom to test is missing: a URI, sip:user@host:port".into()));
    };
    let target = Target::resolve(uri, IpAddr::from(Ipv4Addr::UNSPECIFIED)).await?;
    let address = target.destination;
    polite::may("test", address.ip(), args.i_may_test_this_host, "--i-may-test-this-host")?;
    if let Some(dir) = &args.report {
        std::fs::create_dir_all(dir)
            .map_err(|e| Failure::Missing(format!("cannot make the directory {}: {e}", dir.display())))?;
    }
    let in_report = args.report.as_ref().map(|dir| dir.join("check.pcapng"));
    let path = args.capture.as_ref().or(in_report.as_ref());
    let mut capture = None;
    let mut options = Options::new(Peer { uri: target.uri, address, local: target.local });
    if let Some(path) = path {
        let (begun, tap) = Capture::begin(path, &format!("UDP as seen at {}", target.local))?;
        options.tap = Some(tap);
        capture = Some(begun);
    }
    options.only.clone_from(&args.cases);
    (options.patience, options.wait) = (args.timeout, args.wait);
    options.rate = usize::from(args.rate);
    let total = options.cases().len();
    output.say(format!("{total} cases against {} at {address}", options.peer.uri));
    let mut done = 0;
    let result = run_cases(options, |progress| match progress {
        Progress::Surveyed(facts) => surveyed(facts, output),
        Progress::Began(case) => output.status(format!("{done}/{total} {}", case.name)),
        Progress::Ended(result) => {
            done += 1;
            ended(result, args.exchange, output);
        }
    })
    .await;
    output.clear_status();
    let capture = capture.map(Capture::finish).transpose()?;
    let run = result.map_err(|nobody| {
        Failure::Missing(format!("{nobody}; is it running, and is this its address and its port?"))
    })?;
    if let Some(dir) = &args.report {
        write(dir, &run)?;
    }
    summary(&run, output);
    if let Some((path, written)) = capture {
        output.say(format!("{} packets in {}", written.written, path.display()));
    }
    if run.good() { Ok(()) } else { Err(Failure::Bad) }
}

fn is_known(name: &str) -> bool {
    all().iter().any(|case| case.name == name || case.group() == name)
}

fn list(only: &[String], output: &Output) {
    let wanted = |case: &visavis::check::Case| {
        only.is_empty() || only.iter().any(|name| name == case.name || name == case.group())
    };
    for case in all().into_iter().filter(|case| wanted(case)) {
        output.event("case-listed", || {
            json!({ "name": case.name, "rfc": case.rfc, "section": case.section, "requirement": case.requirement })
        });
        output.say(format!("{:38} {}", case.name, case.reference()));
        output.say(format!("    {}", case.requirement));
    }
}

fn surveyed(facts: &Facts, output: &Output) {
    output.event("peer", || json!({ "facts": facts }));
    let unknown = || "unknown".to_owned();
    let agent = facts.user_agent.clone().unwrap_or_else(unknown);
    let sound = facts.sound.clone().unwrap_or_else(|| "none".into());
    let pictures = facts.pictures.clone().unwrap_or_else(|| "none".into());
    output.say(format!("peer: {agent}; sound: {sound}; pictures: {pictures}"));
    if let Some(why) = &facts.refusal {
        output.say(format!("it takes no calls, and most cases need one: {why}"));
    }
}

fn ended(result: &CaseResult, with_exchange: bool, output: &Output) {
    output.event("case", || serde_json::to_value(result).unwrap_or(Value::Null));
    let word = match result.verdict {
        Verdict::Pass => "pass",
        Verdict::Fail(_) => "FAIL",
        Verdict::NotApplicable(_) => "n/a ",
        Verdict::Error(_) => "ERR ",
    };
    let reason = result.verdict.reason().map_or(String::new(), |reason| format!("  {reason}"));
    output.say(format!("{word}  {:38} {:5.1} s{reason}", result.name, result.took_s));
    let told = !result.exchange.entries.is_empty();
    if told && matches!(result.verdict, Verdict::Fail(_) | Verdict::Error(_)) {
        output.say(format!("      {}: {}", result.reference(), result.requirement));
        if let Some((first, last)) = result.frames {
            output.say(format!("      frames {first} to {last}"));
        }
        if with_exchange {
            output.say(result.exchange.to_string());
        }
    }
}

fn summary(run: &Run, output: &Output) {
    output.event("checked", || json!({ "counts": run.counts, "good": run.good(), "took_s": run.took_s }));
    let counts = run.counts;
    output.say(format!(
        "{} pass, {} fail, {} not applicable, {} error in {:.0} s",
        counts.pass, counts.fail, counts.not_applicable, counts.error, run.took_s
    ));
}

fn write(dir: &Path, run: &Run) -> Result<(), Failure> {
    let json = serde_json::to_string_pretty(run).map_err(|e| Failure::Missing(format!("no JSON: {e}")))?;
    for (name, content) in
        [("check.html", run.html()), ("check.json", json), ("junit.xml", run.junit().to_xml())]
    {
        let path = dir.join(name);
        std::fs::write(&path, content)
            .map_err(|e| Failure::Missing(format!("cannot write {}: {e}", path.display())))?;
    }
    Ok(())
}
