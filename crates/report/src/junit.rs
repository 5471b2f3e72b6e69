//! JUnit XML: the form in which test servers take results, whatever made them.
//!
//! There is no standard for it. What is written here is what the readers have in common: `testsuites`,
//! `testsuite` with its counts, and `testcase` with `failure`, `error` or `skipped` and with `system-out`.

use std::fmt::Write;
use std::time::Duration;

/// A run: everything in one file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Run {
    /// What ran, in a few words.
    pub name: String,
    /// What it consists of.
    pub suites: Vec<Suite>,
}

/// Cases that belong together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Suite {
    /// What they have in common.
    pub name: String,
    /// When it began, in the form `2026-11-28T18:00:00Z`; left out where it is not known.
    pub timestamp: Option<String>,
    /// Name and value of whatever else a reader should know of all cases: the peer, versions.
    pub properties: Vec<(String, String)>,
    /// The cases, in the order in which they ran.
    pub cases: Vec<Case>,
}

/// One thing that was tried.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// The group that it belongs to, in dotted form: `visavis.check.dialog`.
    pub class: String,
    /// Its name.
    pub name: String,
    /// How long it took; left out where it is not known.
    pub time: Option<Duration>,
    /// How it ended.
    pub outcome: Outcome,
    /// What happened, in text; left out where it is empty.
    pub system_out: String,
}

/// How a case ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As it should.
    Passed,
    /// Not as it should.
    Failed {
        /// What was wrong, in one line.
        message: String,
        /// The same at length; may be empty.
        details: String,
    },
    /// It could not be carried through, for another reason than what it tests.
    Error {
        /// Why, in one line.
        message: String,
        /// The same at length; may be empty.
        details: String,
    },
    /// It does not apply.
    Skipped {
        /// Why, in one line.
        message: String,
    },
}

impl Run {
    /// The file. It is the same for the same run: no clock is read.
    pub fn to_xml(&self) -> String {
        let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites");
        attribute(&mut out, "name", &self.name);
        Counts::of(self.suites.iter().flat_map(|s| &s.cases)).write(&mut out, false);
        out.push_str(">\n");
        for suite in &self.suites {
            suite.write(&mut out);
        }
        out.push_str("</testsuites>\n");
        out
    }
}

impl Suite {
    fn write(&self, out: &mut String) {
        out.push_str("  <testsuite");
        attribute(out, "name", &self.name);
        Counts::of(&self.cases).write(out, true);
        if let Some(timestamp) = &self.timestamp {
            attribute(out, "timestamp", timestamp);
        }
        out.push_str(">\n");
        if !self.properties.is_empty() {
            out.push_str("    <properties>\n");
            for (name, value) in &self.properties {
                out.push_str("      <property");
                attribute(out, "name", name);
                attribute(out, "value", value);
                out.push_str("/>\n");
            }
            out.push_str("    </properties>\n");
        }
        for case in &self.cases {
            case.write(out);
        }
        out.push_str("  </testsuite>\n");
    }
}

impl Case {
    fn write(&self, out: &mut String) {
        out.push_str("    <testcase");
        attribute(out, "classname", &self.class);
        attribute(out, "name", &self.name);
        if let Some(time) = self.time {
            attribute(out, "time", &seconds(time));
        }
        if self.outcome == Outcome::Passed && self.system_out.is_empty() {
            return out.push_str("/>\n");
        }
        out.push_str(">\n");
        match &self.outcome {
            Outcome::Passed => {}
            Outcome::Failed { message, details } => problem(out, "failure", message, details),
            Outcome::Error { message, details } => problem(out, "error", message, details),
            Outcome::Skipped { message } => {
                out.push_str("      <skipped");
                attribute(out, "message", message);
                out.push_str("/>\n");
            }
        }
        if !self.system_out.is_empty() {
            out.push_str("      <system-out>");
            text(out, &self.system_out);
            out.push_str("</system-out>\n");
        }
        out.push_str("    </testcase>\n");
    }
}

/// How many cases there are of each kind, and how long they took together.
#[derive(Default)]
struct Counts {
    tests: usize,
    failures: usize,
    errors: usize,
    skipped: usize,
    time: Duration,
}

impl Counts {
    fn of<'a>(cases: impl IntoIterator<Item = &'a Case>) -> Self {
        let mut counts = Counts::default();
        for case in cases {
            counts.tests += 1;
            counts.time += case.time.unwrap_or_default();
            match case.outcome {
                Outcome::Passed => {}
                Outcome::Failed { .. } => counts.failures += 1,
                Outcome::Error { .. } => counts.errors += 1,
                Outcome::Skipped { .. } => counts.skipped += 1,
            }
        }
        counts
    }

    /// Readers know no `skipped` on the whole run.
    fn write(&self, out: &mut String, with_skipped: bool) {
        attribute(out, "tests", &self.tests.to_string());
        attribute(out, "failures", &self.failures.to_string());
        attribute(out, "errors", &self.errors.to_string());
        if with_skipped {
            attribute(out, "skipped", &self.skipped.to_string());
        }
        attribute(out, "time", &seconds(self.time));
    }
}

fn problem(out: &mut String, element: &str, message: &str, details: &str) {
    let _ = write!(out, "      <{element}");
    attribute(out, "message", message);
    if details.is_empty() {
        return out.push_str("/>\n");
    }
    out.push('>');
    text(out, details);
    let _ = writeln!(out, "</{element}>");
}

fn seconds(time: Duration) -> String {
    format!("{:.3}", time.as_secs_f64())
}

/// ` name="value"`. Line ends and tabs are written as references: as they are, a reader takes them for spaces.
fn attribute(out: &mut String, name: &str, value: &str) {
    let _ = write!(out, " {name}=\"");
    for c in value.chars() {
        match c {
            '\t' | '\n' | '\r' => {
                let _ = write!(out, "&#{};", c as u32);
            }
            c => escaped(out, c),
        }
    }
    out.push('"');
}

/// Character data. A carriage return is left out before a line end, since a reader would do so.
fn text(out: &mut String, value: &str) {
    let mut chars = value.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\t' | '\n' => out.push(c),
            '\r' if chars.peek() == Some(&'\n') => {}
            '\r' => out.push_str("&#13;"),
            c => escaped(out, c),
        }
    }
}

/// One character; what XML 1.0 section 2.2 has no place for, not even as a reference, is spelled out.
fn escaped(out: &mut String, c: char) {
    match c {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        '"' => out.push_str("&quot;"),
        '\0'..='\x1f' => {
            let _ = write!(out, "\\x{:02x}", c as u32);
        }
        '\u{fffe}' | '\u{ffff}' => {
            let _ = write!(out, "\\u{{{:x}}}", c as u32);
        }
        c => out.push(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(name: &str, outcome: Outcome) -> Case {
        let time = Some(Duration::from_millis(250));
        Case { class: "a.b".into(), name: name.into(), time, outcome, system_out: String::new() }
    }

    fn run(cases: Vec<Case>) -> Run {
        let suite = Suite { name: "s".into(), cases, ..Suite::default() };
        Run { name: "r".into(), suites: vec![suite] }
    }

    #[test]
    fn a_run_is_written_with_its_counts() {
        let failed = Outcome::Failed { message: "m".into(), details: "d".into() };
        let error = Outcome::Error { message: "e".into(), details: String::new() };
        let skipped = Outcome::Skipped { message: "no video".into() };
        let cases = [Outcome::Passed, failed, error, skipped].map(|o| case("c", o)).to_vec();
        let mut run = run(cases);
        run.suites[0].timestamp = Some("2026-11-28T18:00:00Z".into());
        run.suites[0].properties.push(("peer".into(), "sip:a@h".into()));
        assert_eq!(
            run.to_xml(),
            r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="r" tests="4" failures="1" errors="1" time="1.000">
  <testsuite name="s" tests="4" failures="1" errors="1" skipped="1" time="1.000" timestamp="2026-11-28T18:00:00Z">
    <properties>
      <property name="peer" value="sip:a@h"/>
    </properties>
    <testcase classname="a.b" name="c" time="0.250"/>
    <testcase classname="a.b" name="c" time="0.250">
      <failure message="m">d</failure>
    </testcase>
    <testcase classname="a.b" name="c" time="0.250">
      <error message="e"/>
    </testcase>
    <testcase classname="a.b" name="c" time="0.250">
      <skipped message="no video"/>
    </testcase>
  </testsuite>
</testsuites>
"#
        );
    }

    #[test]
    fn whatever_was_on_the_wire_makes_well_formed_xml() {
        let mut case = case("<\"&'>\r\n\t\0", Outcome::Passed);
        case.system_out = "a\r\nb\rc ]]> \0\x1b[0m\u{ffff}é".into();
        let xml = run(vec![case]).to_xml();
        assert!(xml.contains(r#"name="&lt;&quot;&amp;'&gt;&#13;&#10;&#9;\x00""#), "{xml}");
        assert!(xml.contains("a\nb&#13;c ]]&gt; \\x00\\x1b[0m\\u{ffff}é</system-out>"), "{xml}");
        assert!(xml.chars().all(|c| c == '\n' || c >= ' '), "{xml}");
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let mut case = case("c", Outcome::Passed);
        case.time = None;
        let xml = run(vec![case]).to_xml();
        assert!(xml.contains("<testcase classname=\"a.b\" name=\"c\"/>"), "{xml}");
        assert!(
            !xml.contains("timestamp") && !xml.contains("propert") && !xml.contains("system-out"),
            "{xml}"
        );
    }
}
