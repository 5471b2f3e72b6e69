//! `visavis inspect FILE`: what a capture holds, in words, as events, and as files.

use super::requirements;
use crate::Failure;
use crate::args::InspectArgs;
use crate::inspect::{self, Extract};
use crate::output::Output;
use crate::report;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use visavis::Requirement;
use visavis::capture::analysis::{Analysis, AnalysisOptions, SrtpKey};
use visavis::capture::findings::Findings;
use visavis::capture::read::{ReadError, Reader};
use visavis::report::verdict;

pub(crate) fn run(args: &InspectArgs, output: &Output) -> Result<(), Failure> {
    let require = args.verdict.requirements()?;
    let options = AnalysisOptions {
        payload_types: args.payload_type.clone(),
        keys: keys(&args.srtp_key)?,
        audio_framing: args.audio_framing.map(Into::into),
        ..AnalysisOptions::default()
    };
    let name = args.file.display().to_string();
    let analysis = match &args.out {
        Some(dir) => {
            let extract = Extract::into(dir).map_err(|error| {
                Failure::Missing(format!("{} cannot be written to: {error}", dir.display()))
            })?;
            Analysis::with_sink(options, Box::new(extract))
        }
        None => Analysis::new(options),
    };
    let read = |error: &ReadError| format!("{name}: {error}");
    let mut reader = Reader::new(open(&args.file)?).map_err(|error| Failure::Call(read(&error)))?;
    let (mut findings, broken) = analyse(analysis, &mut reader);
    let bodies = match &args.out {
        Some(dir) => inspect::write_bodies(dir, &findings)
            .map_err(|error| Failure::Missing(format!("{} cannot be written to: {error}", dir.display())))?,
        None => Vec::new(),
    };
    let damage = broken.map(|error| error.to_string()).or_else(|| findings.file.damage.clone());
    findings.file.damage.clone_from(&damage);
    tell(&name, &findings, &bodies, output);
    if let Some(dir) = &args.report.report {
        report::on_capture(dir, &args.file, &findings, output)?;
    }
    let good = judge(&findings, &require, output);
    match damage {
        Some(damage) => Err(Failure::Call(format!("{name}: {damage}"))),
        None if good => Ok(()),
        None => Err(Failure::Bad),
    }
}

/// Holds every stream against what is required; whether all keep to it.
fn judge(findings: &Findings, require: &[Requirement], output: &Output) -> bool {
    if require.is_empty() {
        return true;
    }
    let verdict = verdict::of_capture(findings, None, require);
    output.event("verdict", || json!({ "verdict": verdict }));
    requirements(output, &verdict);
    output.say(format!("verdict: {verdict}"));
    verdict.good
}

/// Feeds the whole file to the analysis. What was readable is in the findings, also where an error ended it.
fn analyse(mut analysis: Analysis, reader: &mut Reader<impl Read>) -> (Findings, Option<ReadError>) {
    let broken = loop {
        match reader.next() {
            Ok(Some(datagram)) => analysis.push(&datagram),
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
    };
    let mut findings = analysis.finish();
    findings.file = reader.file().clone();
    (findings, broken)
}

fn open(path: &Path) -> Result<Box<dyn Read>, Failure> {
    if path.as_os_str() == "-" {
        return Ok(Box::new(io::stdin()));
    }
    let missing = |error: io::Error| Failure::Missing(format!("{} cannot be read: {error}", path.display()));
    Ok(Box::new(File::open(path).map_err(missing)?))
}

/// Keys as they were typed, or from the files that were named.
fn keys(given: &[String]) -> Result<Vec<SrtpKey>, Failure> {
    let mut keys = Vec::new();
    for text in given {
        match text.parse::<SrtpKey>() {
            Ok(key) => keys.push(key),
            Err(error) if text.contains("inline:") => {
                return Err(Failure::Usage(format!("--srtp-key: {error}")));
            }
            Err(_) => {
                let sdp = std::fs::read_to_string(text).map_err(|error| {
                    Failure::Missing(format!("--srtp-key: {text} cannot be read: {error}"))
                })?;
                let found = SrtpKey::from_sdp(&sdp);
                keys.extend(found.map_err(|error| Failure::Usage(format!("--srtp-key: {text}: {error}")))?);
            }
        }
    }
    Ok(keys)
}

/// Tells everything: events for programs, text for people.
fn tell(name: &str, findings: &Findings, bodies: &[String], output: &Output) {
    output.event("file", || {
        let mut file = object(&findings.file);
        file["name"] = json!(name);
        file["left_out"] = json!(findings.left_out);
        file["bodies"] = json!(bodies);
        file
    });
    for (index, call) in findings.calls.iter().enumerate() {
        output.event("call", || {
            let mut call = object(call);
            call["call"] = json!(index);
            call
        });
    }
    for (index, stream) in findings.streams.iter().enumerate() {
        output.event("stream", || {
            let mut object = object(stream);
            object["stream"] = json!(index);
            object
        });
    }
    for stun in &findings.stun {
        output.event("stun", || object(stun));
    }
    for line in inspect::text(name, findings, bodies, inspect::width()) {
        output.say(line);
    }
}

fn object(value: &impl serde::Serialize) -> Value {
    // Findings are plain data: they always serialize, and to an object.
    serde_json::to_value(value).unwrap_or_else(|_| json!({}))
}
