//! Framing: from the octets of a datagram to a message (RFC 3261 sections 7 and 18.3).
//!
//! Read leniently: line ends may be CRLF or LF, lines may be folded, empty lines may come first, white space
//! may stand before the colon. What every message must have (RFC 3261 section 8.1.1) is checked once here; all
//! other fields are read when they are asked for.

use super::error::{ParseError, Problem};
use super::header::{HeaderError, HeaderName, Headers};
use super::lex;
use super::message::{Message, Request, Response};
use super::method::Method;
use super::uri::UriBuf;
use crate::limits::Limits;
use bytes::Bytes;
use std::ops::Range;

/// How a message ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    /// With its datagram: without Content-Length the body is all that is left, and what lies behind the
    /// body is discarded.
    Datagram,
    /// With its Content-Length, which must be there.
    Stream,
}

impl Message {
    /// Reads the message in a datagram.
    ///
    /// What comes back is fit to be acted on: its topmost Via, From, To, Call-ID and CSeq can be read, the
    /// latter names the method, and a SIP or SIPS Request-URI is well-formed. The body is cut to its
    /// Content-Length.
    ///
    /// # Errors
    /// Everything else, with as much of the message as could be read: see [`ParseError::response`].
    pub fn parse(datagram: &[u8], limits: &Limits) -> Result<Message, ParseError> {
        parse(datagram, limits, Transport::Datagram)
    }
}

/// Whether a datagram starts as a SIP message does, leading line ends aside: a token and a space, or `SIP/`.
/// A quick look for the demultiplexer, not a promise that it parses.
pub fn looks_like_sip(datagram: &[u8]) -> bool {
    let text = skip_line_ends(datagram);
    let word_end = text.iter().position(|&b| !lex::TOKEN.has(b) && b != b'/').unwrap_or(0);
    word_end > 0 && text.get(word_end) == Some(&b' ')
}

pub(super) fn parse(datagram: &[u8], limits: &Limits, transport: Transport) -> Result<Message, ParseError> {
    let too_large = datagram.len() > limits.sip_message;
    let octets = datagram.get(..limits.sip_message).unwrap_or(datagram);
    let text = skip_line_ends(octets);
    let start = octets.len() - text.len();
    let fail = |problem, at| ParseError { problem, at, partial: None };
    if text.is_empty() {
        return Err(fail(Problem::Empty, 0));
    }
    let (line, rest) = take_line(text).ok_or_else(|| {
        // A line without an end is either something else or a message cut short.
        fail(if looks_like_sip(text) { Problem::NoEnd } else { Problem::NotSip }, datagram.len())
    })?;
    let start_line = StartLine::parse(line).map_err(|problem| fail(problem, start))?;
    let head_at = octets.len() - rest.len();
    let head = read_head(rest, limits);
    let mut problem = start_line.problem.map(|p| (p, start));
    if too_large {
        problem.get_or_insert((Problem::TooLarge, limits.sip_message));
    }
    if let Some((p, at)) = head.problem {
        problem.get_or_insert((p, head_at + at));
    }
    let body_at = head_at + head.len;
    let rest = octets.get(body_at..).unwrap_or_default();
    let body = match body_len(&head.headers, rest.len(), transport) {
        Ok(len) => rest.get(..len).unwrap_or_default(),
        Err(p) => {
            problem.get_or_insert((p, body_at));
            &[]
        }
    };
    let message = start_line.kind.into_message(head.headers, Bytes::copy_from_slice(body));
    let problem = problem.or_else(|| {
        check(&message).err().map(|p| {
            let at = place(&p, message.headers()).map_or(start, |at| head_at + at);
            (p, at)
        })
    });
    match problem {
        None => Ok(message),
        Some((problem, at)) => Err(ParseError { problem, at, partial: Some(Box::new(message)) }),
    }
}

/// The fields that every message must have, and those of its parts that must agree.
fn check(message: &Message) -> Result<(), Problem> {
    let headers = message.headers();
    headers.via()?;
    headers.from()?;
    headers.to()?;
    headers.call_id()?;
    let cseq = headers.cseq()?;
    if let Message::Request(request) = message {
        if cseq.method != request.method {
            return Err(Problem::MethodMismatch);
        }
        request.uri.view().map_err(|e| Problem::StartLine(e.what))?;
    }
    Ok(())
}

/// Where in the header the problem lies.
fn place(problem: &Problem, headers: &Headers) -> Option<usize> {
    match problem {
        Problem::Header(HeaderError::Bad { header, error }) => Some(headers.offset(*header)? + error.at),
        Problem::Header(e) => headers.offset(e.header()),
        Problem::MethodMismatch => headers.offset(HeaderName::CSeq),
        _ => None,
    }
}

fn body_len(headers: &Headers, available: usize, transport: Transport) -> Result<usize, Problem> {
    match (headers.content_length()?, transport) {
        (Some(len), _) if len <= available => Ok(len),
        (Some(_), _) => Err(Problem::BodyTooShort),
        (None, Transport::Datagram) => Ok(available),
        (None, Transport::Stream) => Err(Problem::NoContentLength),
    }
}

/// The Content-Length of a complete header, start line included.
pub(super) fn content_length(head: &[u8], limits: &Limits) -> Result<Option<usize>, Problem> {
    let Some((_, fields)) = take_line(head) else { return Ok(None) };
    Ok(read_head(fields, limits).headers.content_length()?)
}

struct StartLine {
    kind: Kind,
    problem: Option<Problem>,
}

enum Kind {
    Request(Method, UriBuf),
    Response(u16, Bytes),
}

impl Kind {
    fn into_message(self, headers: Headers, body: Bytes) -> Message {
        match self {
            Kind::Request(method, uri) => Request { method, uri, headers, body }.into(),
            Kind::Response(status, reason) => Response { status, reason, headers, body }.into(),
        }
    }
}

impl StartLine {
    fn parse(line: &[u8]) -> Result<StartLine, Problem> {
        let line = lex::trim_end(line);
        if line.get(..4).is_some_and(|s| s.eq_ignore_ascii_case(b"SIP/")) {
            StartLine::status(line)
        } else {
            StartLine::request(line)
        }
    }

    fn request(line: &[u8]) -> Result<StartLine, Problem> {
        let (method, rest) = lex::split_once(line, b' ').ok_or(Problem::NotSip)?;
        let version_at = rest.iter().rposition(|&b| b == b' ').ok_or(Problem::NotSip)?;
        let (uri, version) = rest.split_at_checked(version_at).ok_or(Problem::NotSip)?;
        let version = lex::trim(version);
        if !version.get(..4).is_some_and(|s| s.eq_ignore_ascii_case(b"SIP/")) {
            return Err(Problem::NotSip);
        }
        let method = Method::parse(method).ok_or(Problem::StartLine("bad method"))?;
        let kind = Kind::Request(method, UriBuf::from_wire(lex::trim(uri)));
        Ok(StartLine { kind, problem: version_problem(version) })
    }

    fn status(line: &[u8]) -> Result<StartLine, Problem> {
        let (version, rest) = lex::split_once(line, b' ').ok_or(Problem::StartLine("no status code"))?;
        let rest = lex::trim_start(rest);
        let (code, reason) = lex::split_once(rest, b' ').unwrap_or((rest, b""));
        let status = Some(code)
            .filter(|c| c.len() == 3)
            .and_then(lex::decimal)
            .and_then(|n| u16::try_from(n).ok())
            .filter(|n| (100..700).contains(n))
            .ok_or(Problem::StartLine("bad status code"))?;
        // A lone CR in the phrase would end the line for a lenient reader.
        let reason = reason.iter().map(|&b| if b == b'\r' { b' ' } else { b }).collect();
        let kind = Kind::Response(status, reason);
        Ok(StartLine { kind, problem: version_problem(version) })
    }
}

fn version_problem(version: &[u8]) -> Option<Problem> {
    (!version.eq_ignore_ascii_case(b"SIP/2.0")).then_some(Problem::Version)
}

struct Head {
    headers: Headers,
    /// Octets up to and with the empty line.
    len: usize,
    problem: Option<(Problem, usize)>,
}

/// A part of a multipart body: its header and its content; `None` where the header cannot be read. One without a
/// header begins with an empty line.
pub(super) fn part<'a>(text: &'a [u8], limits: &Limits) -> Option<(Headers, &'a [u8])> {
    let head = read_head(text, limits);
    if head.problem.is_some() {
        return None;
    }
    Some((head.headers, text.get(head.len..)?))
}

/// Reads header fields up to the empty line. A line that is none is skipped and becomes the problem, unless
/// there was one before.
fn read_head(text: &[u8], limits: &Limits) -> Head {
    let mut fields = Fields {
        headers: Headers::with_room(16, 0),
        max: limits.sip_headers,
        open: None,
        list_values: 0,
        problem: None,
    };
    let mut rest = text;
    let mut ended = false;
    let (mut folded, mut line_ends) = (false, 0);
    while let Some((line, tail)) = take_line(rest) {
        let at = text.len() - rest.len();
        // What a line leaves of itself is its line end: CRLF or LF.
        line_ends += usize::from(rest.len() - tail.len() - line.len() == 2);
        rest = tail;
        match line {
            [] => {
                ended = true;
                break;
            }
            [b' ' | b'\t', ..] => {
                folded = true;
                fields.fold(at, line);
            }
            _ => fields.begin(at, line, text),
        }
    }
    fields.finish(text);
    let Fields { mut headers, list_values, mut problem, .. } = fields;
    let len = text.len() - rest.len();
    let text = text.get(..len).unwrap_or_default();
    headers.set_text(text, folded || count(text, b'\r') != line_ends);
    if !ended {
        problem.get_or_insert((Problem::NoEnd, len));
    }
    if list_values > limits.sip_list_values && has_long_list(&headers, limits.sip_list_values) {
        problem.get_or_insert((Problem::TooManyValues, 0));
    }
    Head { headers, len, problem }
}

/// The fields read so far and the one whose value may still be continued on the next line.
struct Fields {
    headers: Headers,
    /// How many are kept.
    max: usize,
    open: Option<Open>,
    /// The commas in all list fields and the fields themselves: no list is longer than that.
    list_values: usize,
    problem: Option<(Problem, usize)>,
}

enum Open {
    Field {
        name: Range<usize>,
        value: Range<usize>,
    },
    /// A line that is no field: its continuation goes with it.
    Skipped,
}

impl Fields {
    fn begin(&mut self, at: usize, line: &[u8], text: &[u8]) {
        self.finish(text);
        self.open = Some(match memchr::memchr(b':', line) {
            Some(colon) => Open::Field { name: at..at + colon, value: at + colon + 1..at + line.len() },
            None => self.skip("no colon", at),
        });
    }

    fn fold(&mut self, at: usize, line: &[u8]) {
        match &mut self.open {
            Some(Open::Field { value, .. }) => value.end = at + line.len(),
            Some(Open::Skipped) => {}
            None => self.open = Some(self.skip("continues no field", at)),
        }
    }

    fn finish(&mut self, text: &[u8]) {
        let Some(Open::Field { name, value }) = self.open.take() else { return };
        if self.headers.len() >= self.max {
            self.problem.get_or_insert((Problem::TooManyHeaders, name.start));
            return;
        }
        let slice = |range: &Range<usize>| text.get(range.clone()).unwrap_or_default();
        let name_text = lex::trim_end(slice(&name));
        let Some(parsed) = HeaderName::parse(name_text) else {
            self.skip("bad name", name.start);
            return;
        };
        let value_text = slice(&value);
        let start = value.end - lex::trim_start(value_text).len();
        let trimmed = lex::trim(value_text);
        if parsed.is_list() {
            self.list_values += 1 + count(trimmed, b',');
        }
        let name = name.start..name.start + name_text.len();
        self.headers.push_ranges(parsed, name, start..start + trimmed.len());
    }

    fn skip(&mut self, what: &'static str, at: usize) -> Open {
        self.problem.get_or_insert((Problem::HeaderLine(what), at));
        Open::Skipped
    }
}

/// Whether the lists of one name hold more than `limit` values together.
fn has_long_list(headers: &Headers, limit: usize) -> bool {
    let mut names: Vec<HeaderName<'_>> = Vec::new();
    for (name, _) in headers.iter() {
        if name.is_list() && !names.contains(&name) {
            names.push(name);
        }
    }
    names.into_iter().any(|name| headers.values(name).nth(limit).is_some())
}

/// How often `octet` occurs. Counts octets in octets, which the compiler turns into vector code.
fn count(text: &[u8], octet: u8) -> usize {
    let count = |chunk: &[u8]| chunk.iter().fold(0u8, |n, &b| n + u8::from(b == octet));
    text.chunks(255).map(|chunk| usize::from(count(chunk))).sum()
}

/// The first line without its line end (CRLF or LF), and what lies behind it.
fn take_line(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (line, rest) = text.split_at_checked(memchr::memchr(b'\n', text)?)?;
    Some((line.strip_suffix(b"\r").unwrap_or(line), rest.get(1..)?))
}

/// `text` without the empty lines at its start (RFC 3261 section 7.5).
pub(super) fn skip_line_ends(mut text: &[u8]) -> &[u8] {
    while let [b'\r' | b'\n', rest @ ..] = text {
        text = rest;
    }
    text
}
