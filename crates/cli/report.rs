//! Reports in files: what was captured is read back, laid beside what was logged, and written down.

use crate::Failure;
use crate::args::ReportArgs;
use crate::output::Output;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use visavis::capture::analysis::{Analysis, AnalysisOptions, SrtpKey};
use visavis::capture::findings::Findings;
use visavis::capture::read::Reader;
use visavis::proto::rtp::srtp::MasterKey;
use visavis::report::html::call_page;
use visavis::report::run::{RunCall, index_page, junit_run};
use visavis::report::{End, Evidence, Role, Shown};
use visavis::{CallRecord, MediaPlan, Verdict};

/// The name of the capture in a report's directory.
const CAPTURE: &str = "call.pcapng";
/// Calls of one run whose logs are kept for a page of their own.
const MOST_PAGES: usize = 500;

/// A report that is to be written when the calls are over.
pub(crate) struct Report {
    dir: PathBuf,
    command: &'static str,
    calls: Vec<Kept>,
}

/// A call that is over.
struct Kept {
    name: String,
    role: Role,
    /// `None` where there were too many calls for a page each.
    record: Option<Box<CallRecord>>,
    verdict: Verdict,
    title: String,
}

impl Report {
    /// Makes the directory and has `media` keep what a report shows; `None` where none is asked for.
    pub(crate) fn begin(
        args: &ReportArgs,
        command: &'static str,
        media: &mut MediaPlan,
    ) -> Result<Option<Report>, Failure> {
        let Some(dir) = &args.report else { return Ok(None) };
        make_dir(dir)?;
        media.receive.timeline = media.receive.judge.is_some();
        Ok(Some(Report { dir: dir.clone(), command, calls: Vec::new() }))
    }

    /// Where the capture goes, unless somebody wants it elsewhere.
    pub(crate) fn capture(&self) -> PathBuf {
        self.dir.join(CAPTURE)
    }

    /// Writes the report on one call. `capture` is where the packets went; they are copied if that is elsewhere.
    pub(crate) fn one(
        self,
        ends: &[(Role, &CallRecord)],
        verdict: &Verdict,
        counters: &[(String, u64)],
        capture: &Path,
        output: &Output,
    ) -> Result<(), Failure> {
        self.copy_capture(capture)?;
        let findings = read_back(capture, ends.iter().flat_map(|(_, record)| &record.keys))?;
        let call_id = ends.iter().find_map(|(_, record)| record.call_id.as_deref());
        let evidence = Evidence {
            made_by: &made_by(self.command),
            ends: ends.iter().map(|&(role, record)| End { role, record }).collect(),
            verdict: Some(verdict),
            capture: Some(Shown::by_call_id(CAPTURE, &findings, call_id)),
            counters: counters.iter().map(|(name, count)| (name.as_str(), *count)).collect(),
        };
        write_call(&self.dir, &evidence)?;
        output.say(format!("  report in {}", self.dir.join("report.html").display()));
        Ok(())
    }

    /// Keeps a call of many until [`Report::all`].
    pub(crate) fn keep(&mut self, role: Role, number: u64, record: CallRecord, verdict: &Verdict) {
        let title = match role {
            Role::Caller => format!("this end → {}", record.peer),
            Role::Callee => format!("{} → this end", record.peer),
        };
        let kept = self.calls.iter().filter(|call| call.record.is_some()).count();
        self.calls.push(Kept {
            name: format!("call-{number}"),
            role,
            record: (kept < MOST_PAGES).then(|| Box::new(record)),
            verdict: verdict.clone(),
            title,
        });
    }

    /// Writes the reports on all calls kept, each into a directory of its own, an index, and JUnit XML.
    pub(crate) fn all(
        self,
        counters: &[(String, u64)],
        capture: &Path,
        output: &Output,
    ) -> Result<(), Failure> {
        self.copy_capture(capture)?;
        let records = self.calls.iter().filter_map(|call| call.record.as_deref());
        let findings = read_back(capture, records.flat_map(|record| &record.keys))?;
        let made_by = made_by(self.command);
        let mut run = Vec::new();
        for call in &self.calls {
            let Some(record) = &call.record else {
                run.push(RunCall {
                    name: call.name.clone(),
                    title: call.title.clone(),
                    began: None,
                    duration_s: None,
                    end: None,
                    verdict: Some(call.verdict.clone()),
                    page: None,
                });
                continue;
            };
            let file = format!("../{CAPTURE}");
            let evidence = Evidence {
                made_by: &made_by,
                ends: vec![End { role: call.role, record }],
                verdict: Some(&call.verdict),
                capture: Some(Shown::by_call_id(&file, &findings, record.call_id.as_deref())),
                counters: counters.iter().map(|(name, count)| (name.as_str(), *count)).collect(),
            };
            run.push(write_of_many(&self.dir, &call.name, &evidence)?);
        }
        write_run(&self.dir, self.command, &run, output)
    }

    fn copy_capture(&self, from: &Path) -> Result<(), Failure> {
        let to = self.capture();
        let same = fs::canonicalize(from).ok().zip(fs::canonicalize(&to).ok()).is_some_and(|(a, b)| a == b);
        if same {
            return Ok(());
        }
        fs::copy(from, &to).map(drop).map_err(|e| cannot_write(&to, &e))
    }
}

/// Writes `call.json` alone, of a call whose capture nobody asked to have read.
pub(crate) fn write_record(
    dir: &Path,
    command: &str,
    ends: &[(Role, &CallRecord)],
    verdict: &Verdict,
) -> Result<(), Failure> {
    let ends = ends.iter().map(|&(role, record)| End { role, record }).collect();
    write_json(
        dir,
        &Evidence { made_by: &made_by(command), ends, verdict: Some(verdict), ..Evidence::default() },
    )
}

/// Writes reports on whatever is in a capture that somebody made: one call into `dir` itself, several each into a
/// directory of its own behind an index. The capture stays where it is.
pub(crate) fn on_capture(
    dir: &Path,
    file: &Path,
    findings: &Findings,
    output: &Output,
) -> Result<(), Failure> {
    make_dir(dir)?;
    let file = file.display().to_string();
    let made_by = made_by("inspect");
    let evidence = |call| Evidence {
        made_by: &made_by,
        capture: Some(Shown { file: &file, findings, call }),
        ..Evidence::default()
    };
    let stray = findings.streams.iter().any(|stream| stream.call.is_none());
    let mut calls: Vec<Option<usize>> = (0..findings.calls.len()).map(Some).collect();
    if stray || calls.is_empty() {
        calls.push(None);
    }
    if let [call] = calls[..] {
        write_call(dir, &evidence(call))?;
        output.say(format!("report in {}", dir.join("report.html").display()));
        return Ok(());
    }
    let mut run = Vec::new();
    for call in calls {
        let name = call.map_or("streams".to_owned(), |index| format!("call-{}", index + 1));
        run.push(write_of_many(dir, &name, &evidence(call))?);
    }
    write_run(dir, "inspect", &run, output)
}

fn write_call(dir: &Path, evidence: &Evidence<'_>) -> Result<(), Failure> {
    write(&dir.join("report.html"), call_page(evidence))?;
    write_json(dir, evidence)
}

fn write_json(dir: &Path, evidence: &Evidence<'_>) -> Result<(), Failure> {
    let json = serde_json::to_string_pretty(&evidence.to_json()).unwrap_or_default();
    write(&dir.join("call.json"), json + "\n")
}

fn write_of_many(dir: &Path, name: &str, evidence: &Evidence<'_>) -> Result<RunCall, Failure> {
    let sub = dir.join(name);
    make_dir(&sub)?;
    write_call(&sub, evidence)?;
    Ok(RunCall::new(name, evidence, &format!("{name}/report.html")))
}

fn write_run(dir: &Path, command: &str, run: &[RunCall], output: &Output) -> Result<(), Failure> {
    let title = format!("visavis {command}");
    write(&dir.join("index.html"), index_page(&title, &made_by(command), run))?;
    write(&dir.join("junit.xml"), junit_run(&title, &format!("visavis.{command}"), run).to_xml())?;
    output.say(format!("  reports in {}", dir.join("index.html").display()));
    Ok(())
}

/// Everything that a capture shows.
fn read_back<'a>(path: &Path, keys: impl Iterator<Item = &'a MasterKey>) -> Result<Findings, Failure> {
    let failed = |what: String| Failure::Missing(format!("cannot read {}: {what}", path.display()));
    let mut options = AnalysisOptions::default();
    for key in keys {
        if options.keys.iter().all(|known| known.key != *key) {
            options.keys.push(SrtpKey { ssrc: None, key: key.clone() });
        }
    }
    let file = File::open(path).map_err(|e| failed(e.to_string()))?;
    let mut reader = Reader::new(file).map_err(|e| failed(e.to_string()))?;
    let mut analysis = Analysis::new(options);
    while let Some(datagram) = reader.next().map_err(|e| failed(e.to_string()))? {
        analysis.push(&datagram);
    }
    Ok(Findings { file: reader.file().clone(), ..analysis.finish() })
}

fn made_by(command: &str) -> String {
    format!("visavis {} {command}", env!("CARGO_PKG_VERSION"))
}

fn make_dir(dir: &Path) -> Result<(), Failure> {
    fs::create_dir_all(dir).map_err(|e| Failure::Missing(format!("cannot make {}: {e}", dir.display())))
}

fn write(path: &Path, text: String) -> Result<(), Failure> {
    fs::write(path, text).map_err(|e| cannot_write(path, &e))
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Failure {
    Failure::Missing(format!("cannot write {}: {error}", path.display()))
}
