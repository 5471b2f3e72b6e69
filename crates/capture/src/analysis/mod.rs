//! From datagrams to calls and streams: what a capture shows of SIP, STUN, RTP and RTCP.
//!
//! [`Analysis`] is fed with one [`Datagram`] after the other and keeps what it needs of them: SIP calls by Call-ID on
//! any port, each RTP stream's statistics, time line and unfinished frame. What it keeps is bounded by the number of
//! calls and streams ([`AnalysisLimits`]), not by the length of the capture. Frames go to a [`FrameSink`].
//!
//! RTP is found by the signalling (addresses, SSRCs, and the pair of addresses that the signalling itself uses), and
//! without it by the way its numbers go on.

#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod calls;
mod options;
mod sink;
mod streams;
mod structure;
mod stun;

pub use options::{AnalysisLimits, AnalysisOptions, Framing, OptionError, PayloadOverride, SrtpKey};
pub use sink::{Extracted, FrameSink, StreamId};
pub use structure::Assessor;

use self::calls::Calls;
use self::streams::Streams;
use self::stun::Stun;
use crate::findings::{FileFindings, Findings, LeftOut, Transport};
use crate::input::Datagram;
use visavis_proto::Time;
use visavis_proto::demux::{Kind, classify};

/// Finds out what a sequence of datagrams holds.
pub struct Analysis {
    calls: Calls,
    streams: Streams,
    stun: Stun,
    au_headers: bool,
    /// The first and the last datagram, and how many there were.
    span: Option<(Time, Time)>,
    datagrams: u64,
}

impl Analysis {
    /// An analysis that has not seen anything.
    pub fn new(options: AnalysisOptions) -> Self {
        Analysis::build(options, None)
    }

    /// One that hands the frames of all streams to `sink`.
    pub fn with_sink(options: AnalysisOptions, sink: Box<dyn FrameSink>) -> Self {
        Analysis::build(options, Some(sink))
    }

    fn build(options: AnalysisOptions, sink: Option<Box<dyn FrameSink>>) -> Self {
        Analysis {
            calls: Calls::new(&options.limits),
            stun: Stun::new(options.limits.stun),
            au_headers: options.audio_framing == Some(Framing::Rfc3640),
            streams: Streams::new(options, sink),
            span: None,
            datagrams: 0,
        }
    }

    /// Takes the next datagram, in the order of the capture.
    pub fn push(&mut self, datagram: &Datagram<'_>) {
        self.datagrams += 1;
        let (first, last) = self.span.unwrap_or((datagram.time, datagram.time));
        self.span = Some((first.min(datagram.time), last.max(datagram.time)));
        let kind = match datagram.transport {
            Transport::Udp => classify(datagram.data),
            Transport::Tcp => Kind::Sip,
        };
        match kind {
            Kind::Rtp => self.streams.rtp(datagram),
            Kind::Rtcp => self.streams.rtcp(datagram),
            Kind::Sip => {
                if let Some(news) = self.calls.push(datagram, self.au_headers) {
                    self.streams.signalled(datagram, news);
                }
            }
            Kind::Stun => {
                self.stun.push(datagram);
            }
            Kind::KeepAlive | Kind::Dtls | Kind::Zrtp | Kind::TurnChannel | Kind::Unknown => {}
        }
    }

    /// What was found. Of the file, only what datagrams tell; its reader knows the rest.
    pub fn finish(self) -> Findings {
        let left_out =
            LeftOut { calls: self.calls.left_out, streams: self.streams.left_out, stun: self.stun.left_out };
        let streams = self.streams.finish();
        let mut calls = self.calls.finish(self.span.map(|(_, last)| last));
        for (index, stream) in streams.iter().enumerate() {
            if let Some(call) = stream.call.and_then(|call| calls.get_mut(call)) {
                call.streams.push(index);
            }
        }
        let file = FileFindings {
            datagrams: self.datagrams,
            first: self.span.map(|(first, _)| first),
            last: self.span.map(|(_, last)| last),
            ..FileFindings::default()
        };
        Findings { file, calls, streams, stun: self.stun.finish(), left_out }
    }
}

impl std::fmt::Debug for Analysis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Analysis").field("datagrams", &self.datagrams).finish_non_exhaustive()
    }
}

/// The median of some values; `None` of none.
fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}
