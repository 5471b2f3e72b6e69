//! The messages of a call as a ladder, and the text of each beside it.
//!
//! Places across are shares of the width and places down are pixels: so the ladder is as wide as the page lets it be,
//! and its letters keep their size.

use super::words::{count, offset, shortened};
use crate::evidence::{Evidence, Shown};
use crate::html::{Html, el, note};
use std::net::SocketAddr;
use visavis_capture::findings::{CallFindings, MessageFindings, Transport};
use visavis_proto::Time;

/// Messages shown.
const MOST: usize = 200;
/// Addresses that get a line of their own.
const MOST_ENDS: usize = 6;
/// Rows of STUN and of media.
const MOST_OTHERS: usize = 16;
/// Octets of a message's text that are shown.
const LONGEST: usize = 16_000;
/// Characters on an arrow.
const ON_ARROW: usize = 34;
/// Pixels of a row, and above the first one.
const ROW: usize = 36;
const HEAD: usize = 62;
/// Where the first and the last line stand, per cent of the width.
const LEFT: f64 = 27.0;
const RIGHT: f64 = 93.0;

pub(super) fn part(evidence: &Evidence<'_>) -> Html {
    let (Some(shown), Some(call)) = (evidence.capture, evidence.call()) else {
        return match evidence.capture {
            Some(_) => note("No SIP message of a call is in the capture."),
            None => note("The call was not captured: its messages are unknown."),
        };
    };
    let messages = &call.messages[..call.messages.len().min(MOST)];
    let start = evidence.start().unwrap_or_default();
    let ladder = Ladder { ends: ends(call, messages), call, start };
    let mut drawn = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        drawn.push((message.time, Row::Message(index, message)));
    }
    drawn.extend(ladder.others(&shown));
    drawn.sort_by_key(|(at, _)| at.unix_nanos());
    let bottom = HEAD + ROW * drawn.len();
    let rows: Html = drawn.iter().enumerate().map(|(index, (at, row))| ladder.row(index, *at, row)).collect();
    let height = (bottom + 8).to_string();
    let label = format!("{} messages between {} addresses", messages.len(), ladder.ends.len());
    let attributes = [("height", height.as_str()), ("role", "group"), ("aria-label", &label)];
    let drawing = el("svg", &attributes, ladder.life(bottom) + rows);
    let ladder_html = match ladder.ends.len() {
        ..3 => el("div", &[("class", "ladder")], drawing),
        _ => {
            let wide = format!("min-width:{}rem", 8 + 9 * ladder.ends.len());
            let inner = el("div", &[("class", "ladder"), ("style", &wide)], drawing);
            el("div", &[("class", "scroll"), ("tabindex", "0")], inner)
        }
    };
    let texts: Html =
        messages.iter().enumerate().map(|(index, message)| text(index, message, start)).collect();
    let more = call.messages_left_out + call.messages.len().saturating_sub(MOST) as u64;
    let help = note("Choose a message to read it; the arrow keys go to the next one.");
    help + el(
        "div",
        &[("class", "exchange")],
        el("div", &[], ladder_html + super::left_out(more, "messages"))
            + el("div", &[("class", "messages")], texts),
    )
}

/// What stands on a row.
enum Row<'a> {
    Message(usize, &'a MessageFindings),
    Media { from: usize, to: usize, text: String },
    Stun { from: usize, to: usize, text: String },
}

struct Ladder<'a> {
    ends: Vec<SocketAddr>,
    call: &'a CallFindings,
    start: Time,
}

/// The addresses that messages went between, the caller's first.
fn ends(call: &CallFindings, messages: &[MessageFindings]) -> Vec<SocketAddr> {
    let mut ends = Vec::new();
    let named = messages.iter().flat_map(|m| [m.source, m.destination]);
    for end in [call.caller].into_iter().chain(named).flatten() {
        if !ends.contains(&end) && ends.len() < MOST_ENDS {
            ends.push(end);
        }
    }
    ends
}

impl<'a> Ladder<'a> {
    /// Where the line of an end stands, per cent.
    fn place(&self, end: usize) -> f64 {
        let gaps = self.ends.len().saturating_sub(1).max(1) as f64;
        LEFT + (RIGHT - LEFT) * end as f64 / gaps
    }

    /// The line of an address; where only its host has one, that.
    fn column(&self, address: Option<SocketAddr>) -> Option<usize> {
        let address = address?;
        let exact = self.ends.iter().position(|end| *end == address);
        exact.or_else(|| {
            let mut of_host = self.ends.iter().enumerate().filter(|(_, end)| end.ip() == address.ip());
            let (column, _) = of_host.next()?;
            of_host.next().is_none().then_some(column)
        })
    }

    /// STUN and media, each with the time of its first packet.
    fn others(&self, shown: &Shown<'a>) -> Vec<(Time, Row<'a>)> {
        let mut rows = Vec::new();
        for stun in shown.stun().into_iter().take(MOST_OTHERS) {
            let ends = self.column(stun.client).zip(self.column(stun.server));
            if let (Some((from, to)), Some(at)) = (ends.filter(|(a, b)| a != b), stun.first) {
                let text =
                    format!("STUN: {} asked, {} answered", count(stun.requests), count(stun.successes));
                rows.push((at, Row::Stun { from, to, text }));
            }
        }
        for stream in shown.streams().take(MOST_OTHERS) {
            let ends = self.column(stream.source).zip(self.column(stream.destination));
            if let (Some((from, to)), Some(at)) = (ends.filter(|(a, b)| a != b), stream.first) {
                let codec = stream.codec.as_deref().unwrap_or_else(|| stream.kind.unwrap_or("RTP"));
                let text = format!("{codec}: {} packets", count(stream.packets));
                rows.push((at, Row::Media { from, to, text }));
            }
        }
        rows
    }

    /// Names of the ends and their lines down.
    fn life(&self, bottom: usize) -> Html {
        let mut html = Html::new();
        let last = self.ends.len().saturating_sub(1);
        for (index, end) in self.ends.iter().enumerate() {
            let (x, anchor) = match index {
                0 => ("0".to_owned(), "start"),
                _ if index == last => ("100%".to_owned(), "end"),
                _ => (percent(self.place(index)), "middle"),
            };
            let (who, agent) = if Some(*end) == self.call.caller {
                ("caller", self.call.caller_agent.as_deref())
            } else if Some(*end) == self.call.callee {
                ("callee", self.call.callee_agent.as_deref())
            } else {
                ("", None)
            };
            let line = |y: &str, class: &str, text: String| {
                el("text", &[("x", &x), ("y", y), ("text-anchor", anchor), ("class", class)], text)
            };
            html += line("14", "who", who.to_owned());
            html += line("30", "", shortened(&end.to_string(), 27));
            html += line("46", "agent", shortened(agent.unwrap_or_default(), 27));
            let (x, bottom) = (percent(self.place(index)), bottom.to_string());
            let ends = [("x1", x.as_str()), ("x2", &x), ("y1", "54"), ("y2", &bottom), ("class", "life")];
            html += el("line", &ends, Html::new());
        }
        html
    }

    fn row(&self, index: usize, at: Time, row: &Row<'_>) -> Html {
        let top = HEAD + index * ROW;
        let time = (top + 27).to_string();
        let time = el("text", &[("class", "time"), ("x", "4"), ("y", &time)], offset(self.start, at));
        let back = el(
            "rect",
            &[
                ("class", "back"),
                ("x", "0"),
                ("y", &(top + 1).to_string()),
                ("width", "100%"),
                ("height", &(ROW - 2).to_string()),
                ("rx", "4"),
            ],
            Html::new(),
        );
        match row {
            Row::Message(number, message) => {
                let ends = self.column(message.source).zip(self.column(message.destination));
                let (from, to) = ends.unwrap_or((0, 0));
                let mut class = String::from("arrow");
                if message.retransmission {
                    class.push_str(" again");
                }
                if refuses(&message.summary) {
                    class.push_str(" refusal");
                }
                let body = message.content_type.as_deref().map(short_type);
                let text = match body {
                    Some(body) => format!("{} ({body})", message.summary),
                    None => message.summary.clone(),
                };
                let label = format!("{}, packet {}", message.summary, message.packet);
                let group = el("g", &[("class", &class)], back + time + self.arrow(top, from, to, &text));
                el("a", &[("href", &format!("#m{number}")), ("aria-label", &label)], group)
            }
            Row::Media { from, to, text } => {
                el("g", &[("class", "arrow media")], time + self.arrow(top, *from, *to, text))
            }
            Row::Stun { from, to, text } => {
                el("g", &[("class", "arrow stun")], time + self.arrow(top, *from, *to, text))
            }
        }
    }

    fn arrow(&self, top: usize, from: usize, to: usize, text: &str) -> Html {
        let (x1, mut x2) = (self.place(from), self.place(to));
        if from == to {
            x2 = if x1 < 50.0 { x1 + 10.0 } else { x1 - 10.0 };
        }
        let (y, above) = ((top + 24).to_string(), (top + 16).to_string());
        let (from, to, middle) = (percent(x1), percent(x2), percent((x1 + x2) / 2.0));
        let what = [("class", "what"), ("x", middle.as_str()), ("y", &above), ("text-anchor", "middle")];
        let head = if x1 < x2 { "M0 0l-9-4.5v9z" } else { "M0 0l9-4.5v9z" };
        el("text", &what, shortened(text, ON_ARROW))
            + el("line", &[("x1", &from), ("x2", &to), ("y1", &y), ("y2", &y)], Html::new())
            + el(
                "svg",
                &[
                    ("class", "head"),
                    ("x", &to),
                    ("y", &y),
                    ("overflow", "visible"),
                    ("width", "1"),
                    ("height", "1"),
                ],
                el("path", &[("d", head)], Html::new()),
            )
    }
}

fn percent(value: f64) -> String {
    format!("{value:.2}%")
}

/// Whether a summary is that of a response that refuses: 300 and above.
fn refuses(summary: &str) -> bool {
    let status = summary.split_whitespace().next().and_then(|word| word.parse::<u16>().ok());
    status.is_some_and(|status| (300..700).contains(&status))
}

/// The end of a media type: `sdp` of `application/sdp`.
fn short_type(content_type: &str) -> &str {
    let bare = content_type.split(';').next().unwrap_or(content_type).trim();
    bare.rsplit('/').next().unwrap_or(bare)
}

fn text(index: usize, message: &MessageFindings, start: Time) -> Html {
    let over = match message.transport {
        Transport::Udp => "UDP",
        Transport::Tcp => "TCP",
    };
    let of = |address: Option<SocketAddr>| address.map_or("unknown".into(), |a| a.to_string());
    let again = if message.retransmission { ", sent again" } else { "" };
    let about = format!(
        "packet {}, {}, {} → {} over {over}{again}",
        count(message.packet),
        offset(start, message.time),
        of(message.source),
        of(message.destination),
    );
    let shown = &message.text[..message.text.floor_char_boundary(LONGEST)];
    let up = el("a", &[("class", "up"), ("href", "#ladder")], "back to the ladder");
    let content = el("h3", &[], &message.summary)
        + note(about)
        + el("pre", &[("tabindex", "0")], shown)
        + super::left_out((message.text.len() - shown.len()) as u64, "octets")
        + up;
    el("article", &[("class", "message"), ("id", &format!("m{index}"))], content)
}
