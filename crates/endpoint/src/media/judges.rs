//! Decoding and judging the calls of somebody who owns an agent without this crate's driver.

use super::pool::{Address, Pool};
use super::receive::Receiver;
use super::{MediaActor, Receiving, Work};
use crate::clock::Clock;
use crate::driver::ToDriver;
use std::io;
use tokio::sync::mpsc;
use visavis_media::judge::JudgeConfig;
use visavis_proto::frame::ReceivedFrame;
use visavis_proto::io::{CallHandle, Section};
use visavis_report::MediaReport;

/// The threads that decode and judge.
pub(crate) struct Judges {
    pool: Pool<MediaActor>,
    clock: Clock,
}

/// The judge of one call; it goes with the last of its handles.
pub(crate) struct Judging(Address<MediaActor>);

impl Judges {
    /// Starts them.
    pub(crate) fn start(threads: usize, clock: Clock) -> io::Result<Self> {
        Ok(Judges { pool: Pool::start("visavis-judge", threads, clock)?, clock })
    }

    /// A judge for a call. What it asks of the peer (key frames) goes to `requests`, its report to `reports`.
    pub(crate) fn attend(
        &self,
        call: CallHandle,
        requests: mpsc::WeakSender<ToDriver>,
        reports: mpsc::UnboundedSender<(CallHandle, MediaReport)>,
    ) -> Option<Judging> {
        let plan = Receiving { judge: Some(JudgeConfig::default()), ..Receiving::default() };
        let receiver = Receiver::new(call, &plan, self.clock.now(), requests, reports);
        self.pool.add(MediaActor::Receiver(Box::new(receiver))).map(Judging)
    }
}

impl Judging {
    /// The sections of the call are these now.
    pub(crate) fn sections(&self, sections: &[Section]) {
        self.0.send(Work::Sections(sections.to_vec()));
    }

    /// A frame arrived; whether the thread had room for it.
    pub(crate) fn frame(&self, section: usize, frame: ReceivedFrame) -> bool {
        self.0.offer(Work::Frame(section, frame))
    }

    /// The call is over: the report is due.
    pub(crate) fn finish(&self) {
        self.0.send(Work::Finish(None));
    }
}
