//! Framing on streams: TCP, TLS (RFC 3261 sections 7.5 and 18.3).

use super::error::{ParseError, Problem};
use super::message::Message;
use super::parse::{Transport, content_length, parse, skip_line_ends};
use crate::limits::Limits;

/// Cuts the octets of one stream into messages. Holds at most one message and what came along with it.
#[derive(Debug, Default)]
pub struct StreamFramer {
    buffer: Vec<u8>,
    /// How far the end of the header has been looked for.
    searched: usize,
    /// The length of the message at the front, once its header is complete.
    message_len: Option<usize>,
    broken: bool,
}

impl StreamFramer {
    /// A framer for a new stream.
    pub fn new() -> Self {
        StreamFramer::default()
    }

    /// Takes octets that arrived. Call [`StreamFramer::next_message`] until it returns `None` before the next
    /// call: that keeps the buffer to one message and one read. A broken stream takes no more.
    pub fn push(&mut self, data: &[u8]) {
        if !self.broken {
            self.buffer.extend_from_slice(data);
        }
    }

    /// The next complete message, or what is wrong with it; `None` where more octets are needed.
    ///
    /// An error in a message of known length leaves the stream usable. Otherwise, [`StreamFramer::is_broken`]
    /// says so and the stream is to be closed (RFC 3261 section 18.3).
    pub fn next_message(&mut self, limits: &Limits) -> Option<Result<Message, ParseError>> {
        Some(self.next_octets(limits)?.and_then(|octets| parse(&octets, limits, Transport::Stream)))
    }

    /// The octets of the next complete message, for whoever reads or keeps it as it stood on the wire.
    ///
    /// An error is one that breaks the stream: see [`StreamFramer::next_message`].
    pub fn next_octets(&mut self, limits: &Limits) -> Option<Result<Vec<u8>, ParseError>> {
        if self.message_len.is_none() {
            let skipped = self.buffer.len() - skip_line_ends(&self.buffer).len();
            if skipped > 0 {
                self.buffer.drain(..skipped);
                self.searched = 0;
            }
            self.message_len = match self.find_length(limits) {
                Ok(len) => len,
                Err(problem) => return Some(Err(self.break_off(problem, limits))),
            };
        }
        let len = self.message_len?;
        let message = self.buffer.get(..len)?.to_vec();
        self.buffer.drain(..len);
        self.message_len = None;
        self.searched = 0;
        Some(Ok(message))
    }

    /// Octets that wait for the rest of their message.
    pub fn waiting(&self) -> usize {
        self.buffer.len()
    }

    /// Whether the end of a message could not be told, so that nothing behind it can be read.
    pub fn is_broken(&self) -> bool {
        self.broken
    }

    /// The length of the message at the front, once its header is complete.
    fn find_length(&mut self, limits: &Limits) -> Result<Option<usize>, Problem> {
        let Some(head_len) = head_len(&self.buffer, self.searched) else {
            // The empty line may lie across the reads: LF CR LF begins at most two octets back.
            self.searched = self.buffer.len().saturating_sub(2);
            return if self.buffer.len() > limits.sip_message { Err(Problem::TooLarge) } else { Ok(None) };
        };
        let head = self.buffer.get(..head_len).unwrap_or_default();
        let body_len = content_length(head, limits)?.ok_or(Problem::NoContentLength)?;
        match head_len.checked_add(body_len) {
            Some(len) if len <= limits.sip_message => Ok(Some(len)),
            _ => Err(Problem::TooLarge),
        }
    }

    /// Gives the stream up. The error carries what of the message could be read, for a last response.
    fn break_off(&mut self, problem: Problem, limits: &Limits) -> ParseError {
        self.broken = true;
        let buffer = std::mem::take(&mut self.buffer);
        let partial = match parse(&buffer, limits, Transport::Stream) {
            Ok(message) => Some(Box::new(message)),
            Err(e) => e.partial,
        };
        ParseError { problem, at: 0, partial }
    }
}

/// Octets up to and with the first empty line, looked for from `from` on.
fn head_len(text: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        let rest = text.get(at..)?;
        at += memchr::memchr(b'\n', rest)? + 1;
        match text.get(at..)? {
            [b'\n', ..] => return Some(at + 1),
            [b'\r', b'\n', ..] => return Some(at + 2),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(call_id: &str, body: &str) -> String {
        format!(
            "MESSAGE sip:a@h SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK1\r\nFrom: <sip:b@h>;tag=1\r\n\
             To: <sip:a@h>\r\nCall-ID: {call_id}\r\nCSeq: 1 MESSAGE\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }

    fn drain(framer: &mut StreamFramer, limits: &Limits) -> Vec<Result<Message, ParseError>> {
        std::iter::from_fn(|| framer.next_message(limits)).collect()
    }

    #[test]
    fn messages_come_out_whole_however_the_stream_is_cut() {
        let stream = format!("\r\n\r\n{}\r\n{}", message("one", "a\r\n\r\nb"), message("two", ""));
        for cut in 1..stream.len() {
            let mut framer = StreamFramer::new();
            let mut seen = Vec::new();
            for piece in stream.as_bytes().chunks(cut) {
                framer.push(piece);
                seen.extend(drain(&mut framer, &Limits::default()));
            }
            let seen: Vec<_> = seen.into_iter().map(Result::unwrap).collect();
            assert_eq!(seen.len(), 2, "cut every {cut} octets");
            assert_eq!(&seen[0].body()[..], b"a\r\n\r\nb");
            assert_eq!(seen[1].headers().call_id().unwrap(), b"two");
        }
    }

    #[test]
    fn the_octets_of_a_message_are_those_of_the_wire() {
        let (one, two) = (message("one", "body"), message("two", "").replace("From", "Form"));
        let mut framer = StreamFramer::new();
        framer.push(format!("\r\n{one}{two}{}", &one[..20]).as_bytes());
        assert_eq!(framer.next_octets(&Limits::default()).unwrap().unwrap(), one.as_bytes());
        assert_eq!(framer.next_octets(&Limits::default()).unwrap().unwrap(), two.as_bytes());
        assert!(framer.next_octets(&Limits::default()).is_none());
        assert_eq!(framer.waiting(), 20);
    }

    #[test]
    fn a_bad_message_of_known_length_does_not_break_the_stream() {
        let bad = message("x", "").replace("From", "Form");
        let mut framer = StreamFramer::new();
        framer.push(format!("{bad}{}", message("good", "")).as_bytes());
        let seen = drain(&mut framer, &Limits::default());
        assert!(matches!(seen[0].as_ref().unwrap_err().problem, Problem::Header(_)));
        assert!(seen[1].is_ok() && !framer.is_broken());
    }

    #[test]
    fn a_message_without_content_length_breaks_the_stream_and_can_be_answered() {
        let mut framer = StreamFramer::new();
        framer.push(message("x", "").replace("Content-Length: 0\r\n", "").as_bytes());
        let error = framer.next_message(&Limits::default()).unwrap().unwrap_err();
        assert_eq!(error.problem, Problem::NoContentLength);
        assert_eq!(error.response().unwrap().status, 400);
        assert!(framer.is_broken());
        framer.push(b"more");
        assert!(framer.next_message(&Limits::default()).is_none());
    }

    #[test]
    fn a_header_without_end_is_given_up_at_the_limit() {
        let limits = Limits { sip_message: 1000, ..Limits::default() };
        let mut framer = StreamFramer::new();
        for _ in 0..100 {
            framer.push(b"X: aaaaaaaaaaaaaaaa\r\n");
            if let Some(result) = framer.next_message(&limits) {
                assert_eq!(result.unwrap_err().problem, Problem::TooLarge);
                break;
            }
        }
        assert!(framer.is_broken());
        assert!(framer.buffer.is_empty());
    }

    #[test]
    fn a_body_past_the_limit_is_not_waited_for() {
        let limits = Limits { sip_message: 1000, ..Limits::default() };
        let mut framer = StreamFramer::new();
        let head = message("x", "").replace("Content-Length: 0", "Content-Length: 4000000000");
        framer.push(head.as_bytes());
        assert_eq!(framer.next_message(&limits).unwrap().unwrap_err().problem, Problem::TooLarge);
    }
}
