//! What RTCP says of each stream: RFC 3550 section 6, RFC 4585, RFC 5104.

use crate::findings::RtcpFindings;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;
use visavis_proto::Time;
use visavis_proto::rtp::rtcp::{Compound, FeedbackControl, KeyframeRequest, Packet, ReportBlock};

/// Sender reports that a receiver may still answer.
const MAX_REPORTS: usize = 16;
/// A round trip below zero by no more than this is one of zero: clocks in RTCP have steps.
const ROUNDING: Duration = Duration::from_millis(2);

/// One thing said of one stream.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Saying {
    /// The stream's SSRC.
    pub(super) ssrc: u32,
    pub(super) time: Time,
    pub(super) source: SocketAddr,
    pub(super) destination: SocketAddr,
    pub(super) what: What,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum What {
    /// Its sender reports; the middle of the NTP timestamp.
    SenderReport(u32),
    /// A receiver reports about it.
    Report(ReportBlock),
    Cname(String),
    Bye,
    Pli,
    Fir,
    Nack,
}

impl What {
    /// Whether the sender of the stream says it, and not its receiver.
    pub(super) fn is_by_sender(&self) -> bool {
        matches!(self, What::SenderReport(_) | What::Cname(_) | What::Bye)
    }
}

/// Takes a datagram of RTCP apart; `None` where it is none.
pub(super) fn sayings(
    data: &[u8],
    time: Time,
    source: SocketAddr,
    destination: SocketAddr,
) -> Option<Vec<Saying>> {
    let mut said = Vec::new();
    let mut say = |ssrc, what| said.push(Saying { ssrc, time, source, destination, what });
    for packet in Compound::parse(data).ok()?.packets().flatten() {
        match packet {
            Packet::SenderReport(report) => {
                say(report.ssrc, What::SenderReport((report.info.ntp >> 16) as u32));
                report.blocks().for_each(|block| say(block.ssrc, What::Report(block)));
            }
            Packet::ReceiverReport(report) => {
                report.blocks().for_each(|block| say(block.ssrc, What::Report(block)))
            }
            Packet::Sdes(sdes) => {
                for (ssrc, cname) in sdes.cnames() {
                    if let Some(cname) = cname {
                        say(ssrc, What::Cname(String::from_utf8_lossy(cname).into_owned()));
                    }
                }
            }
            Packet::Bye(bye) => bye.sources().for_each(|ssrc| say(ssrc, What::Bye)),
            Packet::TransportFeedback(feedback) => {
                if let FeedbackControl::Known(_) = feedback.control() {
                    say(feedback.media, What::Nack);
                }
            }
            Packet::PayloadFeedback(feedback) => match feedback.control() {
                FeedbackControl::Known(KeyframeRequest::Pli) => say(feedback.media, What::Pli),
                FeedbackControl::Known(KeyframeRequest::Fir(fir)) => {
                    fir.entries().for_each(|(ssrc, _)| say(ssrc, What::Fir));
                }
                _ => {}
            },
            Packet::Other { .. } => {}
        }
    }
    Some(said)
}

/// What was said of one stream.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) findings: RtcpFindings,
    /// Its sender reports, by the middle of their NTP timestamps.
    reports: VecDeque<(u32, Time)>,
}

impl Said {
    /// Takes a saying; gives the round trip in milliseconds where it holds one. `clock_rate` is that of the stream.
    pub(super) fn take(&mut self, saying: &Saying, clock_rate: Option<u32>) -> Option<f64> {
        let findings = &mut self.findings;
        match &saying.what {
            What::SenderReport(middle) => {
                findings.sender_reports += 1;
                if self.reports.len() == MAX_REPORTS {
                    self.reports.pop_front();
                }
                self.reports.push_back((*middle, saying.time));
            }
            What::Report(block) => {
                findings.reports += 1;
                findings.reported_loss = Some(f64::from(block.fraction_lost) / 256.0);
                findings.reported_jitter_ms =
                    clock_rate.map(|rate| f64::from(block.jitter) * 1_000.0 / f64::from(rate.max(1)));
                return self.round_trip(saying.time, block);
            }
            What::Cname(cname) => {
                if findings.cname.as_ref() != Some(cname) {
                    findings.cname = Some(cname.clone());
                }
            }
            What::Bye => findings.bye = true,
            What::Pli => findings.pli += 1,
            What::Fir => findings.fir += 1,
            What::Nack => findings.nack += 1,
        }
        None
    }

    /// RFC 3550 section 6.4.1, with the times at which the capture saw both reports in place of the sender's clock:
    /// what lies between the capture and the sender is not in it.
    fn round_trip(&mut self, time: Time, block: &ReportBlock) -> Option<f64> {
        if block.last_sr == 0 {
            return None;
        }
        let (_, sent) = self.reports.iter().rev().find(|(middle, _)| *middle == block.last_sr)?;
        let held = Duration::from_nanos(u64::from(block.delay_since_last_sr) * 1_000_000_000 / 65_536);
        let passed = time - *sent;
        if passed + ROUNDING < held {
            return None;
        }
        let ms = passed.saturating_sub(held).as_secs_f64() * 1_000.0;
        let [first, _, least, greatest] = self.findings.round_trip_ms.unwrap_or([ms; 4]);
        self.findings.round_trip_ms = Some([first, ms, least.min(ms), greatest.max(ms)]);
        Some(ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use visavis_proto::rtp::rtcp::SenderInfo;
    use visavis_proto::rtp::rtcp::report::{write_receiver_report, write_sender_report};

    #[test]
    fn a_round_trip_is_what_passed_between_the_reports_without_what_the_receiver_held() {
        let (a, b): (SocketAddr, SocketAddr) =
            ("192.0.2.1:1".parse().unwrap(), "192.0.2.2:2".parse().unwrap());
        let mut said = Said::default();
        let sent = Time::from_millis(10_000);
        let mut report = Vec::new();
        let info = SenderInfo { ntp: sent.ntp(), rtp_timestamp: 0, packets: 0, octets: 0 };
        write_sender_report(&mut report, 7, &info, &[]);
        for saying in sayings(&report, sent, a, b).unwrap() {
            assert_eq!(said.take(&saying, Some(8_000)), None);
        }
        let block = ReportBlock {
            ssrc: 7,
            fraction_lost: 64,
            cumulative_lost: 0,
            highest_seq: 0,
            jitter: 80,
            last_sr: sent.ntp_middle(),
            delay_since_last_sr: 65_536 / 2,
        };
        let mut answer = Vec::new();
        write_receiver_report(&mut answer, 9, &[block]);
        let back = Time::from_millis(10_530);
        let found: Vec<_> = sayings(&answer, back, b, a).unwrap();
        assert!(!found[0].what.is_by_sender());
        let round_trip = said.take(&found[0], Some(8_000)).unwrap();
        assert!((round_trip - 30.0).abs() < 0.1, "{round_trip}");
        assert_eq!((said.findings.reported_loss, said.findings.reported_jitter_ms), (Some(0.25), Some(10.0)));
        assert!(sayings(&[0x80, 200, 0, 9, 1, 2], back, a, b).is_none());
    }
}
