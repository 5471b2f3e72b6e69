//! What every peer test needs: child processes that never outlive their test, scratch directories, free ports,
//! and `visavis` itself with its JSON events.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// The program under test.
pub(crate) const VISAVIS: &str = env!("CARGO_BIN_EXE_visavis");
/// For what should take a moment, on a machine with other things to do.
pub(crate) const SOON: Duration = Duration::from_secs(30);
/// For what takes a call of ten seconds.
pub(crate) const A_CALL: Duration = Duration::from_secs(60);

/// Tests with `beside_another` that run at one time.
const PLACES: usize = 2;
/// The places that are taken.
static TAKEN: (Mutex<usize>, Condvar) = (Mutex::new(0), Condvar::new());

/// Places for tests that need a processor of their own. They are free again when this is dropped.
pub(crate) struct Places(usize);

/// Waits until no other test that asks for a place runs, for one whose result its neighbours could spoil. Hold what
/// it gives for the length of the test.
pub(crate) fn alone() -> Places {
    Places::take(PLACES)
}

/// Waits for one of two places, for a test whose peers are at work now and then. Hold what it gives for the length of
/// the test.
pub(crate) fn beside_another() -> Places {
    Places::take(1)
}

impl Places {
    fn take(places: usize) -> Places {
        // A test that failed leaves nothing behind that the next one could stumble over.
        let taken = TAKEN.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let free = TAKEN.1.wait_while(taken, |taken| *taken + places > PLACES);
        *free.unwrap_or_else(|poisoned| poisoned.into_inner()) += places;
        Places(places)
    }
}

impl Drop for Places {
    fn drop(&mut self) {
        *TAKEN.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) -= self.0;
        TAKEN.1.notify_all();
    }
}

/// Fails the test where a program is missing, and says which Debian package has it.
pub(crate) fn need(program: &str, package: &str) {
    let found = std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(program).is_file()));
    assert!(found, "{program} is needed and not installed: apt-get install -y {package}");
}

/// A UDP port of `address` that is free now, even, with the one above it free as well, and neither taken by TCP.
pub(crate) fn free_port(address: &str) -> u16 {
    let ip: IpAddr = address.parse().expect("an address");
    for _ in 0..100 {
        let first = UdpSocket::bind((ip, 0)).expect("a loopback socket");
        let port = first.local_addr().expect("an address").port();
        let above = port.checked_add(1).map(|next| UdpSocket::bind((ip, next)));
        if port.is_multiple_of(2) && matches!(above, Some(Ok(_))) && TcpListener::bind((ip, port)).is_ok() {
            return port;
        }
    }
    panic!("no free pair of ports on {address}");
}

/// A directory of the test's own: removed when the test succeeds, named and kept when it fails.
pub(crate) struct Scratch {
    dir: Option<tempfile::TempDir>,
}

impl Scratch {
    pub(crate) fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("visavis-interop-").tempdir();
        Scratch { dir: Some(dir.expect("a temporary directory")) }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.as_ref().expect("kept until dropped").path()
    }

    /// The path of a file in it.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// Writes a file into it.
    pub(crate) fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.file(name);
        std::fs::write(&path, content).expect("a file in the scratch directory");
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(dir) = self.dir.take()
        {
            eprintln!("the test's files are kept in {}", dir.keep().display());
        }
    }
}

/// What a process has printed so far, stdout and stderr together, by line.
#[derive(Default)]
struct Lines {
    lines: Mutex<Vec<String>>,
    more: Condvar,
}

impl Lines {
    fn push(&self, line: String) {
        self.lines.lock().expect("no reader panics").push(line);
        self.more.notify_all();
    }

    /// The first line from `start` on that `found` accepts, and its place.
    fn wait<T>(
        &self,
        start: usize,
        timeout: Duration,
        found: impl Fn(&str) -> Option<T>,
    ) -> Option<(usize, T)> {
        let deadline = Instant::now() + timeout;
        let mut lines = self.lines.lock().expect("no reader panics");
        let mut next = start;
        loop {
            while let Some(line) = lines.get(next) {
                if let Some(value) = found(line) {
                    return Some((next, value));
                }
                next += 1;
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            lines = self.more.wait_timeout(lines, left).expect("no reader panics").0;
        }
    }
}

/// A child process whose output is read all the time, and which is killed when it goes out of scope.
pub(crate) struct Process {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    output: Arc<Lines>,
    readers: Vec<std::thread::JoinHandle<()>>,
}

impl Process {
    /// Starts `command`; its stdin stays open for [`Process::say`].
    pub(crate) fn start(name: &str, command: &mut Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|e| panic!("{name} cannot be started: {e}"));
        let output = Arc::new(Lines::default());
        let mut readers = Vec::new();
        readers.extend(child.stdout.take().map(|pipe| read_lines(pipe, &output)));
        readers.extend(child.stderr.take().map(|pipe| read_lines(pipe, &output)));
        let stdin = child.stdin.take();
        Process { name: name.into(), child, stdin, output, readers }
    }

    /// Types a line into its stdin.
    pub(crate) fn say(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("stdin is open");
        // In one write: a program that ends on the first octet has no chance to close the pipe before the last.
        stdin.write_all(format!("{line}\n").as_bytes()).unwrap_or_else(|e| {
            panic!("{} does not listen: {e}\n{}", self.name, self.output());
        });
    }

    /// Waits for a line that has `text` in it, wherever it stands in the output, and gives that line.
    pub(crate) fn wait_for(&self, text: &str, timeout: Duration) -> String {
        let found = self.output.wait(0, timeout, |line| line.contains(text).then(|| line.to_owned()));
        self.expect(found, text).1
    }

    /// Everything printed so far.
    pub(crate) fn output(&self) -> String {
        self.output.lines.lock().expect("no reader panics").join("\n")
    }

    /// Asks it to end as Ctrl-C does.
    pub(crate) fn interrupt(&self) {
        let sent = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "{} cannot be interrupted", self.name);
    }

    /// Waits for its end, and for the last of its output.
    pub(crate) fn wait(&mut self, timeout: Duration) -> ExitStatus {
        let deadline = Instant::now() + timeout;
        loop {
            if let Some(status) = self.child.try_wait().expect("the child can be waited for") {
                for reader in self.readers.drain(..) {
                    reader.join().expect("no reader panics");
                }
                return status;
            }
            assert!(Instant::now() < deadline, "{} does not end\n{}", self.name, self.output());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn expect<T>(&self, found: Option<T>, what: &str) -> T {
        found.unwrap_or_else(|| panic!("{} never printed {what}; its output:\n{}", self.name, self.output()))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- output of {}\n{}\n---", self.name, self.output());
        }
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_lines(pipe: impl Read + Send + 'static, output: &Arc<Lines>) -> std::thread::JoinHandle<()> {
    let output = Arc::clone(output);
    std::thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        let mut line = Vec::new();
        while pipe.read_until(b'\n', &mut line).is_ok_and(|octets| octets > 0) {
            // Of a status line that is written over again and again, only what it came to is kept.
            let text = String::from_utf8_lossy(&line);
            output.push(text.trim_end().rsplit('\r').next().unwrap_or_default().to_owned());
            line.clear();
        }
    })
}

/// Runs a program to its end and gives its stdout; fails the test where the program fails.
pub(crate) fn run(program: &str, args: &[&str]) -> Vec<u8> {
    let output = Command::new(program).args(args).stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|e| panic!("{program} cannot be started: {e}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {}: {}\n{said}", args.join(" "), output.status);
    output.stdout
}

/// `visavis --json ...` as a child process.
pub(crate) struct Visavis {
    process: Process,
    commands: u32,
}

/// What `visavis` said of one call when it was over.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The `record` of the `call` event.
    pub(crate) record: Value,
    /// Its `verdict`.
    pub(crate) verdict: Value,
}

impl Visavis {
    /// Starts it with these arguments, and waits until it listens.
    pub(crate) fn start(args: &[&str]) -> Self {
        Visavis::start_by(Command::new(VISAVIS), args)
    }

    /// The same by a command that ends with the program: one that runs it somewhere else.
    pub(crate) fn start_by(mut command: Command, args: &[&str]) -> Self {
        let process = Process::start("visavis", command.arg("--json").args(args));
        let visavis = Visavis { process, commands: 0 };
        visavis.event("listening", SOON);
        visavis
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        let address = self.event("listening", SOON)["address"].as_str().map(str::parse);
        address.and_then(Result::ok).expect("an address")
    }

    /// Waits for the first event of this name.
    pub(crate) fn event(&self, name: &str, timeout: Duration) -> Value {
        let found = self.process.output.wait(0, timeout, |line| event(line, name));
        self.process.expect(found, &format!("the event {name}")).1
    }

    /// Waits for the first event of this name that `accepts` takes.
    pub(crate) fn event_where(&self, name: &str, accepts: impl Fn(&Value) -> bool) -> Value {
        let found = self.process.output.wait(0, SOON, |line| event(line, name).filter(|e| accepts(e)));
        self.process.expect(found, &format!("such an event {name}")).1
    }

    /// Gives a command to one that runs with `--control`: a JSON object. It gets an id of its own, by which the
    /// answer is found.
    pub(crate) fn command(&mut self, mut command: Value) -> Value {
        let id = format!("{} {}", command["command"], self.commands);
        self.commands += 1;
        command["id"] = id.clone().into();
        self.say(&command.to_string());
        let answer = |line: &str| {
            let found = event(line, "done").or_else(|| event(line, "failed"));
            found.filter(|answer| answer["id"] == *id)
        };
        let found = self.process.output.wait(0, SOON, answer);
        self.process.expect(found, &format!("an answer to {command}")).1
    }

    /// Gives a command that must be carried out, and its answer.
    pub(crate) fn done(&mut self, command: Value) -> Value {
        let answer = self.command(command);
        assert_eq!(answer["event"], "done", "{answer}");
        answer
    }

    /// Asks for the figures of the latest call until `enough` is content with its sections, and gives those.
    pub(crate) fn stats_until(&mut self, enough: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + SOON;
        loop {
            let sections = self.done(json!({ "command": "stats" }))["sections"].take();
            if enough(&sections) {
                return sections;
            }
            assert!(Instant::now() < deadline, "these never were enough: {sections}\n{}", self.output());
            self.done(json!({ "command": "wait", "seconds": 0.2 }));
        }
    }

    /// Writes a line to its stdin as it is.
    pub(crate) fn say(&mut self, line: &str) {
        self.process.say(line);
    }

    /// Everything printed so far.
    pub(crate) fn output(&self) -> String {
        self.process.output()
    }

    /// Hangs up, as Ctrl-C does.
    pub(crate) fn interrupt(&self) {
        self.process.interrupt();
    }

    /// Waits until it has ended, and so until its files are whole.
    pub(crate) fn wait(&mut self, timeout: Duration) -> ExitStatus {
        self.process.wait(timeout)
    }

    /// Waits until it ends by itself, and gives what it said of its first call. Checks that the exit code
    /// says the same as the verdict.
    pub(crate) fn finish(&mut self, timeout: Duration) -> Outcome {
        let status = self.wait(timeout);
        let mut call = self.event("call", Duration::ZERO);
        let outcome = Outcome { record: call["record"].take(), verdict: call["verdict"].take() };
        let good = outcome.verdict["good"].as_bool().expect("a verdict");
        assert_eq!(status.code(), Some(i32::from(!good)), "exit code and verdict\n{}", self.output());
        outcome
    }
}

/// `visavis` as a person runs it: on a terminal, which `script` makes.
pub(crate) struct Person {
    process: Process,
}

impl Person {
    /// Sits down and types a command; waits until it listens.
    pub(crate) fn at(args: &[&str]) -> Self {
        need("script", "bsdutils");
        let quoted: Vec<String> =
            args.iter().map(|arg| format!("'{}'", arg.replace('\'', "'\\''"))).collect();
        let mut command = Command::new("script");
        command.args(["--quiet", "--return", "--flush", "--command"]);
        command.arg(format!("exec '{VISAVIS}' {}", quoted.join(" "))).arg("/dev/null");
        let person = Person { process: Process::start("visavis on a terminal", &mut command) };
        person.sees("answering calls on UDP");
        person
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        let line = self.sees("answering calls on UDP ");
        let text = line.split("UDP ").nth(1).and_then(|rest| rest.split(';').next());
        text.and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("no address in {line}"))
    }

    /// Waits until a line with `text` is on the screen, and gives that line.
    pub(crate) fn sees(&self, text: &str) -> String {
        self.process.wait_for(text, SOON)
    }

    /// The same for the line that is the `nth` with `text`, from 1.
    pub(crate) fn sees_again(&self, text: &str, nth: usize) -> String {
        let count = std::cell::Cell::new(0);
        let found = self.process.output.wait(0, SOON, |line| {
            count.set(count.get() + usize::from(line.contains(text)));
            (count.get() == nth).then(|| line.to_owned())
        });
        self.process.expect(found, &format!("{text} {nth} times")).1
    }

    /// Everything on the screen.
    pub(crate) fn screen(&self) -> String {
        self.process.output()
    }

    /// Types a line.
    pub(crate) fn types(&mut self, line: &str) {
        self.process.say(line);
    }

    /// Waits until the command ends by itself.
    pub(crate) fn leaves(&mut self) -> ExitStatus {
        self.process.wait(SOON)
    }
}

fn event(line: &str, name: &str) -> Option<Value> {
    let value: Value = serde_json::from_str(line).ok()?;
    (value["event"] == name).then_some(value)
}

impl Outcome {
    /// The section of this kind (`audio`, `video`) of the record.
    pub(crate) fn section(&self, kind: &str) -> &Value {
        let sections = self.record["sections"].as_array().expect("sections");
        let found = sections.iter().find(|section| section["kind"] == kind);
        found.unwrap_or_else(|| panic!("no {kind} section in {}", self.record))
    }

    /// A number of a section.
    pub(crate) fn count(&self, kind: &str, field: &str) -> u64 {
        let value = &self.section(kind)[field];
        value.as_u64().unwrap_or_else(|| panic!("{kind}.{field} is {value}"))
    }

    /// A number of the judgement, by its path: `/video/read`, `/audio/tone_hz`.
    pub(crate) fn judged(&self, path: &str) -> f64 {
        let value = self.record["media"]["judgement"].pointer(path).and_then(Value::as_f64);
        value.unwrap_or_else(|| panic!("nothing was judged at {path}: {}", self.record["media"]))
    }

    /// Asserts that a medium flowed both ways for about `seconds`, with RTCP both ways and next to no loss.
    pub(crate) fn assert_flowed(&self, kind: &str, seconds: u64) {
        let packets = if kind == "audio" { 40 } else { 10 } * seconds;
        for (field, least) in
            [("packets_sent", packets), ("packets_received", packets), ("rtcp_sent", 1), ("rtcp_received", 1)]
        {
            let count = self.count(kind, field);
            assert!(count >= least, "{kind}.{field} is {count}, not {least}: {}", self.section(kind));
        }
        let lost = self.section(kind)["packets_lost"].as_i64().expect("a count");
        assert!(lost <= 2, "{lost} {kind} packets are lost on loopback: {}", self.section(kind));
    }
}
