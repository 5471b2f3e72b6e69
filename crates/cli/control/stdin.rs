//! The lines of stdin, read on a thread of their own: whoever writes them may take his time.

use std::io::{BufRead, BufReader, Read};
use tokio::sync::mpsc;

/// The longest line, octets: a MESSAGE of the greatest size in base64 is far below it.
const MAX_LINE: u64 = 65_536;
/// Lines that are read ahead.
const AHEAD: usize = 16;

/// A line that is not blank.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Its number in the input, from 1.
    pub(crate) number: u64,
    /// What stands in it, or why that was not read.
    pub(crate) text: Result<Vec<u8>, String>,
}

/// Starts to read. The channel closes at the end of stdin.
pub(crate) fn lines() -> mpsc::Receiver<Line> {
    let (to, lines) = mpsc::channel(AHEAD);
    let reader = std::thread::Builder::new().name("visavis-stdin".into());
    let started = reader.spawn(move || {
        read(BufReader::new(std::io::stdin().lock()), |line| to.blocking_send(line).is_ok());
    });
    if let Err(error) = started {
        tracing::error!(%error, "stdin is not read");
    }
    lines
}

/// Hands on each line until `take` wants no more.
fn read(mut input: impl BufRead, mut take: impl FnMut(Line) -> bool) {
    for number in 1.. {
        let mut text = Vec::new();
        let octets = match (&mut input).take(MAX_LINE).read_until(b'\n', &mut text) {
            Ok(0) => return,
            Ok(octets) => octets as u64,
            Err(error) => {
                take(Line { number, text: Err(format!("stdin cannot be read: {error}")) });
                return;
            }
        };
        let whole = text.ends_with(b"\n");
        let text = if octets == MAX_LINE && !whole {
            if skip_line(&mut input).is_err() {
                return;
            }
            Err(format!("longer than {MAX_LINE} octets"))
        } else {
            Ok(text.trim_ascii().to_vec())
        };
        if text.as_ref().is_ok_and(Vec::is_empty) {
            continue;
        }
        if !take(Line { number, text }) {
            return;
        }
    }
}

/// Reads past the end of a line without keeping it.
fn skip_line(input: &mut impl BufRead) -> std::io::Result<()> {
    loop {
        let waiting = input.fill_buf()?;
        let (used, ended) = match waiting.iter().position(|&octet| octet == b'\n') {
            Some(at) => (at + 1, true),
            None => (waiting.len(), waiting.is_empty()),
        };
        input.consume(used);
        if ended {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(input: &[u8]) -> Vec<(u64, Result<String, String>)> {
        let mut lines = Vec::new();
        read(input, |line| {
            lines.push((line.number, line.text.map(|t| String::from_utf8_lossy(&t).into_owned())));
            true
        });
        lines
    }

    #[test]
    fn lines_keep_their_numbers_and_blank_ones_are_left_out() {
        let expected = vec![(1, Ok("a".into())), (4, Ok("b".into())), (5, Ok("c".into()))];
        assert_eq!(all(b"a\r\n\n  \nb\n c"), expected);
        assert!(all(b"").is_empty());
    }

    #[test]
    fn a_line_without_end_costs_no_memory_and_hides_none_that_follows() {
        let long = vec![b'x'; 3 * MAX_LINE as usize];
        let lines = all(&[&long[..], b"\nnext\n"].concat());
        assert!(lines[0].1.as_ref().is_err_and(|why| why.contains("65536")), "{lines:?}");
        assert_eq!(lines[1], (2, Ok("next".into())));
        let just = [&long[..MAX_LINE as usize - 1], b"\nnext"].concat();
        assert_eq!(all(&just).iter().filter(|(_, text)| text.is_ok()).count(), 2);
    }
}
