//! The ladder: a column for each address, an arrow for each message.

use super::words::{cut, some};
use crate::output::clean;
use std::net::SocketAddr;
use visavis::capture::findings::{CallFindings, MessageFindings, Transport};

/// Columns for the time at the left.
const TIME: usize = 12;
/// The least columns between two addresses.
const LEAST_GAP: usize = 24;
/// The most that is of use.
const MOST_GAP: usize = 46;

/// The messages of a call; as a list where its addresses do not fit side by side.
pub(super) fn draw(call: &CallFindings, width: usize) -> Vec<String> {
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for message in &call.messages {
        for address in [message.source, message.destination].into_iter().flatten() {
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
    }
    let gaps = addresses.len().saturating_sub(1).max(1);
    // Half of the outer labels stands beyond their lines.
    let label = addresses.iter().map(|address| address.to_string().len()).max().unwrap_or(0);
    let room = width.saturating_sub(TIME + label);
    let gap = (room / gaps).min(MOST_GAP);
    let mut lines = if gap >= LEAST_GAP.max(label + 2) && addresses.len() > 1 {
        ladder(call, &addresses, gap, label)
    } else {
        list(call, width)
    };
    if call.messages_left_out > 0 {
        lines.push(format!("    {} more", some(call.messages_left_out, "message")));
    }
    lines
}

fn ladder(call: &CallFindings, addresses: &[SocketAddr], gap: usize, label: usize) -> Vec<String> {
    let left = TIME + label / 2;
    let mut head = String::new();
    for (index, address) in addresses.iter().enumerate() {
        let text = address.to_string();
        let start = left + index * gap - text.len() / 2;
        head.push_str(&" ".repeat(start.saturating_sub(head.chars().count())));
        head.push_str(&text);
    }
    let mut lines = vec![head];
    for message in &call.messages {
        let place = |address: Option<SocketAddr>| addresses.iter().position(|known| Some(*known) == address);
        let (Some(from), Some(to)) = (place(message.source), place(message.destination)) else { continue };
        let mut line: Vec<char> = format!("{:>9}", time(call, message)).chars().collect();
        line.resize(left + (addresses.len() - 1) * gap + 1, ' ');
        for index in 0..addresses.len() {
            if let Some(cell) = line.get_mut(left + index * gap) {
                *cell = '│';
            }
        }
        let (near, far) = (left + from.min(to) * gap + 1, left + from.max(to) * gap);
        if from == to {
            line.extend(format!("↺ {}", text(message)).chars());
        } else {
            let arrow = arrow(&text(message), far - near, from < to, message.retransmission);
            line.splice(near..far, arrow.chars());
        }
        lines.push(line.into_iter().collect::<String>().trim_end().to_owned());
    }
    lines
}

/// `──── text ───▶`, dashed where it goes again.
fn arrow(text: &str, length: usize, to_the_right: bool, again: bool) -> String {
    let dash = if again { "╌" } else { "─" };
    let text = cut(text, length.saturating_sub(6));
    let filling = length.saturating_sub(text.chars().count() + 3);
    let (before, after) = (filling / 2, filling - filling / 2);
    if to_the_right {
        format!("{} {text} {}▶", dash.repeat(before), dash.repeat(after))
    } else {
        format!("◀{} {text} {}", dash.repeat(before), dash.repeat(after))
    }
}

fn list(call: &CallFindings, width: usize) -> Vec<String> {
    let line = |message: &MessageFindings| {
        let address =
            |address: Option<SocketAddr>| address.map_or_else(String::new, |address| address.to_string());
        let ends = format!("{} → {}", address(message.source), address(message.destination));
        cut(&format!("{:>9}  {ends}  {}", time(call, message), text(message)), width)
    };
    call.messages.iter().map(line).collect()
}

/// Seconds since the first message.
fn time(call: &CallFindings, message: &MessageFindings) -> String {
    let start = call.messages.first().map_or(message.time, |first| first.time);
    format!("{:.3}", (message.time - start).as_secs_f64())
}

/// What stands on the arrow: the message, what it carries, and how.
fn text(message: &MessageFindings) -> String {
    let mut text = clean(&message.summary);
    match message.content_type.as_deref() {
        Some("application/sdp") => text.push_str(" (SDP)"),
        Some(other) => {
            let short = other.strip_prefix("application/").unwrap_or(other);
            text.push_str(&format!(" ({})", clean(short)));
        }
        None => {}
    }
    if message.transport == Transport::Tcp {
        text.push_str(" TCP");
    }
    if message.retransmission {
        text.push_str(" again");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use visavis::proto::Time;

    fn message(ms: u64, from: &str, to: &str, summary: &str, retransmission: bool) -> MessageFindings {
        MessageFindings {
            time: Time::from_millis(ms),
            source: from.parse().ok(),
            destination: to.parse().ok(),
            summary: summary.into(),
            retransmission,
            ..MessageFindings::default()
        }
    }

    #[test]
    fn arrows_stand_between_their_addresses_and_repeated_ones_are_dashed() {
        let (a, b) = ("192.0.2.1:5060", "192.0.2.2:5060");
        let call = CallFindings {
            messages: vec![
                message(1_000, a, b, "INVITE", false),
                message(1_500, a, b, "INVITE", true),
                message(1_600, b, a, "200 OK", false),
            ],
            ..CallFindings::default()
        };
        let lines = draw(&call, 80);
        assert_eq!(lines.len(), 4);
        assert!(
            lines[1].starts_with("    0.000") && lines[1].ends_with("▶│") && lines[1].contains("─ INVITE ─")
        );
        assert!(lines[2].contains("╌ INVITE again ╌"));
        assert!(lines[3].contains("│◀") && lines[3].contains("200 OK"));
        assert!(lines.iter().all(|line| line.chars().count() <= 80));
        let narrow = draw(&call, 60);
        assert!(narrow.iter().all(|line| line.chars().count() <= 60));
    }
}
