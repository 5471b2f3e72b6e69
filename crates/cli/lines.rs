//! Lines on their way out, written by a thread of their own.
//!
//! A terminal that was stopped, or a program that does not read its input, must not stop the calls of this one;
//! and a system call for each line would cost more than the signalling that the line tells of.

use indicatif::ProgressBar;
use std::io::Write;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long a line may wait for others.
const GATHER: Duration = Duration::from_millis(20);
/// What may wait, octets. Beyond that whoever has more to say waits for the reader.
const BACKLOG: usize = 1024 * 1024;

/// Two streams of lines.
#[derive(Debug)]
pub(crate) struct Lines {
    shared: Arc<Shared>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug, Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    /// Something waits, or nothing will come any more.
    news: Condvar,
    /// What waited was taken.
    room: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    closed: bool,
}

impl Waiting {
    fn octets(&self) -> usize {
        self.stdout.len() + self.stderr.len()
    }
}

impl Lines {
    /// Starts the thread. `status` is taken off the terminal while lines are written.
    pub(crate) fn start(status: ProgressBar) -> Lines {
        let shared = Arc::new(Shared::default());
        let theirs = shared.clone();
        let writer = std::thread::Builder::new().name("visavis-output".into());
        // Without a thread nothing is said, but calls go on.
        let writer = writer.spawn(move || theirs.write(&status)).ok();
        Lines { shared, writer: Mutex::new(writer) }
    }

    pub(crate) fn to_stdout(&self, line: &str) {
        self.push(line, |waiting| &mut waiting.stdout);
    }

    pub(crate) fn to_stderr(&self, line: &str) {
        self.push(line, |waiting| &mut waiting.stderr);
    }

    /// The terminal's bell; it moves no cursor, and so needs no line of its own.
    pub(crate) fn bell(&self) {
        self.append(&["\u{7}"], |waiting| &mut waiting.stderr);
    }

    /// Waits until everything is written; what comes later is not.
    pub(crate) fn finish(&self) {
        self.shared.lock().closed = true;
        self.shared.news.notify_one();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        // The writer ends by itself; had it panicked, there would be nothing left to write with.
        drop(writer.map(JoinHandle::join));
    }

    fn push(&self, line: &str, stream: impl FnOnce(&mut Waiting) -> &mut Vec<u8>) {
        self.append(&[line, "\n"], stream);
    }

    fn append(&self, pieces: &[&str], stream: impl FnOnce(&mut Waiting) -> &mut Vec<u8>) {
        let full = |waiting: &mut Waiting| waiting.octets() > BACKLOG && !waiting.closed;
        let waiting = self.shared.lock();
        let mut waiting = self.shared.room.wait_while(waiting, full).unwrap_or_else(PoisonError::into_inner);
        let first = waiting.octets() == 0;
        let stream = stream(&mut waiting);
        pieces.iter().for_each(|piece| stream.extend_from_slice(piece.as_bytes()));
        if first {
            self.shared.news.notify_one();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, status: &ProgressBar) {
        loop {
            let idle = |waiting: &mut Waiting| waiting.octets() == 0 && !waiting.closed;
            let waiting = self.news.wait_while(self.lock(), idle).unwrap_or_else(PoisonError::into_inner);
            let gather = self.news.wait_timeout_while(waiting, GATHER, |waiting| !waiting.closed);
            let (mut waiting, _) = gather.unwrap_or_else(PoisonError::into_inner);
            let (stdout, stderr) = (std::mem::take(&mut waiting.stdout), std::mem::take(&mut waiting.stderr));
            let closed = waiting.closed;
            drop(waiting);
            self.room.notify_all();
            // Whoever read our output may have gone: that is no reason to end a call.
            status.suspend(|| {
                let _ = std::io::stderr().write_all(&stderr);
                let _ = std::io::stdout().write_all(&stdout);
                let _ = std::io::stdout().flush();
            });
            if closed {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finishing_takes_everything_that_was_said_and_ends_at_once_the_second_time() {
        let lines = Lines::start(ProgressBar::hidden());
        lines.to_stderr("");
        lines.finish();
        assert_eq!(lines.shared.lock().octets(), 0);
        lines.finish();
    }
}
