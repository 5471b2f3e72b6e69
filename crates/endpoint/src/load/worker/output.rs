//! What a worker's agent wants done, and what it says of the calls.

use super::Worker;
use crate::load::agenda::Item;
use crate::load::live::Sample;
use crate::load::tally::Outcome;
use visavis_proto::Time;
use visavis_proto::frame::ReceivedFrame;
use visavis_proto::io::{CallHandle, Command, EndReason, Event, Input, OpenError, Output, SectionStats};
use visavis_report::MediaReport;

impl Worker {
    /// Polls the agent until it has nothing more to do. What is to be sent gathers in the train.
    pub(super) fn drain(&mut self) {
        let now = self.shared.clock.now();
        loop {
            match self.agent.poll(now) {
                Output::Transmit(transmit) => match &mut self.gate {
                    Some(gate) => gate.send(now, transmit),
                    None => self.depart(transmit),
                },
                Output::Event(event) => self.event(now, event),
                Output::Timeout(deadline) => return self.deadline = deadline,
                Output::EncoderTarget { call, section, target } => {
                    if let Some(live) = self.calls.get_mut(&call) {
                        live.target(section, target);
                    }
                }
                Output::OpenSocket { request, .. } => {
                    let result = Err(OpenError("a load has one socket for each worker".into()));
                    self.agent.handle(now, Input::SocketOpened { request: Some(request), result });
                }
                Output::Connect { request, .. } => {
                    let result = Err(OpenError("a load speaks SIP over UDP only".into()));
                    self.agent.handle(now, Input::StreamOpened { request: Some(request), result });
                }
                Output::Resolve { request, .. } => {
                    self.agent.handle(now, Input::Resolved { request, addresses: Vec::new() });
                }
                Output::CloseSocket(_) | Output::StreamSend { .. } => {}
            }
        }
    }

    fn event(&mut self, now: Time, event: Event) {
        let call = match &event {
            Event::Frame { call, .. }
            | Event::Established { call, .. }
            | Event::Media { call, .. }
            | Event::Ended { call, .. } => *call,
            _ => return,
        };
        let Some(live) = self.calls.get_mut(&call) else { return };
        if let Some(sample) = live.sample.as_mut().filter(|_| !matches!(event, Event::Frame { .. })) {
            sample.record.observe(&event, live.established.map(|at| now.since(at)));
        }
        match event {
            Event::Established { .. } => {
                live.established = Some(now);
                let answer = self.arrived.unwrap_or(now).since(live.begun);
                live.answer = Some(answer);
                self.tally.established += 1;
                self.tally.answer.record(answer);
                self.acknowledged.push(call);
                self.up += 1;
                self.peak = self.peak.max(self.up);
                self.agenda.add(now + self.shared.plan.hold, call, 0, Item::Hangup);
            }
            Event::Media { sections, .. } => {
                if let Some(gate) = &mut self.gate {
                    gate.sections(&sections);
                }
                live.agreed(&sections);
                if self.shared.shelf.is_some() {
                    self.agenda.add(now, call, live.turn, Item::Roll);
                }
            }
            Event::Frame { section, frame, .. } => self.frame(now, call, section, frame),
            Event::Ended { reason, stats, .. } => self.ended(now, call, &reason, &stats),
            _ => {}
        }
    }

    /// A frame arrived: of use only in a call that is judged.
    fn frame(&mut self, now: Time, call: CallHandle, section: usize, frame: ReceivedFrame) {
        let Some(live) = self.calls.get_mut(&call) else { return };
        let is_video = live.is_video(section);
        let Some(sample) = &mut live.sample else { return };
        if sample.behind.contains(&section) && !frame.keyframe {
            return;
        }
        sample.behind.retain(|s| *s != section);
        if !sample.judging.frame(section, frame) && is_video {
            sample.behind.push(section);
            self.agent.handle(now, Input::Command(Command::RequestKeyframe { call, section }));
        }
    }

    fn ended(&mut self, now: Time, call: CallHandle, reason: &EndReason, stats: &[SectionStats]) {
        let Some(mut live) = self.calls.remove(&call) else { return };
        if live.established.is_some() {
            self.up -= 1;
        }
        // Its ACK may not have left yet, where nothing was to be held.
        if self.acknowledged.contains(&call) {
            let setup = now.since(live.begun);
            live.setup = Some(setup);
            self.tally.setup.record(setup);
        }
        let outcome = Outcome::of(reason, live.established.is_some(), live.asked, self.stopping);
        self.tally.end(&outcome);
        self.tally.rtp.add(stats);
        if self.shared.plan.rows {
            self.rows.push(live.row(self.start, now, outcome, stats));
        }
        // A call that was cut short may have had no time to send or hear anything.
        let held = live.established.is_some_and(|at| now.since(at) >= self.shared.plan.hold);
        let sample = live.sample.filter(|_| held || !self.stopping);
        if let Some(Sample { record, judging, .. }) = sample {
            judging.finish();
            self.unjudged.insert(call, record);
        }
    }

    pub(super) fn judge(&mut self, call: CallHandle, report: MediaReport) {
        let Some(mut record) = self.unjudged.remove(&call) else { return };
        record.media = report;
        // That a call did not come about is counted already.
        if record.setup_ms.is_none() {
            return;
        }
        let verdict = record.verdict(&self.shared.plan.expectation);
        self.tally.judged += 1;
        self.tally.bad += u64::from(!verdict.good);
        for reason in verdict.reasons {
            *self.tally.complaints.entry(reason).or_default() += 1;
        }
    }
}
