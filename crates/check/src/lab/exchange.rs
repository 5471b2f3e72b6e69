//! What went over the wire in a case, for people and programs to read.

use serde::Serialize;
use std::fmt::Write;
use std::net::SocketAddr;
use std::time::Duration;

/// Which way something went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// From here to the peer.
    Sent,
    /// From the peer to here.
    Received,
    /// Neither: a remark of the case.
    Note,
}

/// One datagram of signalling, a stream of media in one line, or a remark.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Entry {
    /// When, since the run began, seconds.
    pub at_s: f64,
    /// Which way.
    pub way: Way,
    /// The number of the packet in the capture, from 1, where there is a capture.
    pub frame: Option<u64>,
    /// The address on this side.
    pub local: Option<SocketAddr>,
    /// The address on the other side.
    pub remote: Option<SocketAddr>,
    /// The message as text, with what is no text spelled out.
    pub text: String,
}

/// The most octets of one message that an exchange keeps as text.
const MOST: usize = 4096;

/// Everything in the order in which it happened.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Exchange {
    /// The entries.
    pub entries: Vec<Entry>,
}

impl Exchange {
    pub(crate) fn note(&mut self, at: Duration, text: String) {
        let entry =
            Entry { at_s: at.as_secs_f64(), way: Way::Note, frame: None, local: None, remote: None, text };
        self.entries.push(entry);
    }

    pub(crate) fn datagram(
        &mut self,
        at: Duration,
        way: Way,
        frame: Option<u64>,
        (local, remote): (SocketAddr, SocketAddr),
        data: &[u8],
    ) {
        let entry = Entry {
            at_s: at.as_secs_f64(),
            way,
            frame,
            local: Some(local),
            remote: Some(remote),
            text: readable(data),
        };
        self.entries.push(entry);
    }

    /// The numbers of its packets in the capture, first and last.
    pub fn frames(&self) -> Option<(u64, u64)> {
        let frames = || self.entries.iter().filter_map(|e| e.frame);
        Some((frames().min()?, frames().max()?))
    }
}

impl std::fmt::Display for Exchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for entry in &self.entries {
            let (local, remote) = (address(entry.local), address(entry.remote));
            let line = match entry.way {
                Way::Sent => format!("{local} -> {remote}"),
                Way::Received => format!("{local} <- {remote}"),
                Way::Note => "note".to_owned(),
            };
            let frame = entry.frame.map_or(String::new(), |n| format!(" frame {n}"));
            writeln!(f, "--- {:.3} s{frame} {line}", entry.at_s)?;
            for line in entry.text.lines() {
                writeln!(f, "{line}")?;
            }
        }
        Ok(())
    }
}

fn address(address: Option<SocketAddr>) -> String {
    address.map_or_else(String::new, |a| a.to_string())
}

/// Text as it is; whatever is none, as `\x..`; what is longer than [`MOST`] is cut, and says so.
fn readable(data: &[u8]) -> String {
    let shown = data.get(..MOST).unwrap_or(data);
    let mut out = String::with_capacity(shown.len());
    for chunk in shown.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\n' | '\t' => out.push(c),
                '\r' => {}
                c if c.is_control() => {
                    let _ = write!(out, "\\x{:02x}", c as u32);
                }
                c => out.push(c),
            }
        }
        for octet in chunk.invalid() {
            let _ = write!(out, "\\x{octet:02x}");
        }
    }
    if shown.len() < data.len() {
        let _ = write!(out, "\n[{} octets in all]", data.len());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_text_is_spelled_out_and_what_is_long_is_cut() {
        assert_eq!(readable(b"a\r\n\x00\xff\xc3\xa9"), "a\n\\x00\\xff\u{e9}");
        assert!(readable(&[b'x'; 5000]).ends_with("x\n[5000 octets in all]"));
    }

    #[test]
    fn an_exchange_reads_as_a_ladder_of_text() {
        let mut exchange = Exchange::default();
        let pair = ("127.0.0.1:1".parse().unwrap(), "127.0.0.1:2".parse().unwrap());
        exchange.datagram(Duration::from_millis(1500), Way::Sent, Some(7), pair, b"OPTIONS x\r\n\r\n");
        exchange.note(Duration::from_secs(2), "nothing came".into());
        assert_eq!(
            exchange.to_string(),
            "--- 1.500 s frame 7 127.0.0.1:1 -> 127.0.0.1:2\nOPTIONS x\n\n--- 2.000 s note\nnothing came\n"
        );
        assert_eq!(exchange.frames(), Some((7, 7)));
    }
}
