//! An agent with its codecs, sources, judge and line, as one node of a simulated world: what the endpoint does on
//! threads, on one clock.

use std::collections::BTreeMap;
use std::time::Duration;
use visavis::impair::{Impairment, ImpairmentLog, Parcel, Traffic, Way};
use visavis::media_codecs::codec::{self, AudioDecoder, AudioEncoder, VideoDecoder, VideoEncoder};
use visavis::media_codecs::judge::{Judge, JudgeConfig};
use visavis::media_codecs::source::{AudioSource, VideoSource};
use visavis::proto::Time;
use visavis::proto::agent::Agent;
use visavis::proto::frame::{EncodedFrame, MediaKind, ReceivedFrame};
use visavis::proto::io::{
    CallHandle, Command, EncoderTarget, Event, Input, MediaFormat, Output, PacketKind, Section, Transmit,
};
use visavis::{CallRecord, MediaReport};
use visavis_sim::Node;
use visavis_sim::impair::Impairer;

/// As in the endpoint: the shortest time between two requests for a key frame.
const KEYFRAME_INTERVAL: Duration = Duration::from_millis(300);

/// A picture that was coded and sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SentPicture {
    pub(crate) captured: Time,
    pub(crate) keyframe: bool,
}

/// What a phone shows and plays.
pub(crate) struct Sources {
    pub(crate) video: Box<dyn VideoSource>,
    pub(crate) audio: Box<dyn AudioSource>,
}

pub(crate) struct Phone {
    agent: Agent,
    line: Option<Impairer>,
    on_the_line: BTreeMap<(Time, u64), Transmit>,
    order: u64,
    sources: Sources,
    bitrate: u32,
    sections: Vec<Section>,
    call: Option<CallHandle>,
    pictures: Option<(usize, Box<dyn VideoEncoder>)>,
    /// The sound's section, its encoder, and when the next frame's last sample is in.
    sound: Option<(usize, Box<dyn AudioEncoder>, Time)>,
    eyes: Option<Box<dyn VideoDecoder>>,
    ears: Option<Box<dyn AudioDecoder>>,
    judge: Judge,
    keyframe_asked: Option<Time>,
    established: Option<Time>,
    /// How the call went, once it is over.
    pub(crate) record: CallRecord,
    pub(crate) ended: Option<Time>,
    pub(crate) sent: Vec<SentPicture>,
}

impl Phone {
    pub(crate) fn new(
        agent: Agent,
        sources: Sources,
        bitrate: u32,
        line: Option<(&Impairment, u64)>,
    ) -> Self {
        let config = JudgeConfig {
            clocks_agree: true,
            sent_size: Some(sources.video.size()),
            ..JudgeConfig::default()
        };
        Phone {
            agent,
            line: line.map(|(lines, seed)| Impairer::new(lines, seed)),
            on_the_line: BTreeMap::new(),
            order: 0,
            sources,
            bitrate,
            sections: Vec::new(),
            call: None,
            pictures: None,
            sound: None,
            eyes: None,
            ears: None,
            judge: Judge::new(config),
            keyframe_asked: None,
            established: None,
            record: CallRecord::outgoing("the other one"),
            ended: None,
            sent: Vec::new(),
        }
    }

    pub(crate) fn agent(&mut self) -> &mut Agent {
        &mut self.agent
    }

    pub(crate) fn log(&self) -> ImpairmentLog {
        self.line.as_ref().map(|line| line.log().clone()).unwrap_or_default()
    }

    fn send(&mut self, now: Time, transmit: Transmit) {
        let Some(line) = &mut self.line else {
            self.order += 1;
            self.on_the_line.insert((now, self.order), transmit);
            return;
        };
        let traffic = match transmit.kind {
            PacketKind::Sip => Traffic::Sip,
            PacketKind::Stun => Traffic::Stun,
            PacketKind::Audio => Traffic::Audio,
            PacketKind::Video => Traffic::Video,
            PacketKind::Rtcp => Traffic::Rtcp,
        };
        let fate = line.send(now, Way::Up, Parcel::new(traffic, &transmit.data));
        for at in fate.arrivals() {
            self.order += 1;
            self.on_the_line.insert((at, self.order), transmit.clone());
        }
    }

    /// Takes in the pictures and sound that are due.
    fn tick(&mut self, now: Time) {
        let Some(call) = self.call else { return };
        let mut frames: Vec<(usize, EncodedFrame)> = Vec::new();
        if let Some((section, encoder)) = &mut self.pictures
            && let Some(picture) = self.sources.video.next(now)
        {
            let captured = picture.captured;
            if let Some(frame) = encoder.encode(&picture).expect("a picture that is coded") {
                self.sent.push(SentPicture { captured, keyframe: frame.keyframe });
                frames.push((*section, frame));
            }
        }
        if let Some((section, encoder, due)) = &mut self.sound {
            let format = encoder.format().clone();
            let samples = format.samples_per_frame;
            let length =
                Duration::from_nanos(u64::from(samples) * 1_000_000_000 / u64::from(format.sample_rate));
            while *due <= now {
                let captured = due.saturating_sub(length);
                let sound = self.sources.audio.pull(captured, format.sample_rate, samples as usize);
                let sound = sound.expect("a source that does not end");
                if let Some(frame) = encoder.encode(&sound).expect("sound that is coded") {
                    frames.push((*section, frame));
                }
                *due += length;
            }
        }
        for (section, frame) in frames {
            self.agent.handle(now, Input::Frame { call, section, frame });
        }
    }

    fn observe(&mut self, now: Time, event: &Event) {
        match event {
            Event::Frame { call, section, frame } => return self.frame(now, *call, *section, frame),
            Event::Incoming { call, .. } | Event::Calling { call, .. } => self.call = Some(*call),
            Event::Established { .. } => self.established = Some(now),
            Event::Media { call, sections } => {
                self.call = Some(*call);
                self.agreed(now, sections);
            }
            Event::Ended { .. } => {
                self.ended = Some(now);
                self.pictures = None;
                self.sound = None;
                self.record.media.judgement = Some(self.judge.judgement(now));
            }
            _ => {}
        }
        self.record.observe(event, self.established.map(|at| now - at));
    }

    fn agreed(&mut self, now: Time, sections: &[Section]) {
        self.sections = sections.to_vec();
        for (index, section) in sections.iter().enumerate() {
            match section.send.as_ref().filter(|_| section.active && section.direction.sends()) {
                Some(MediaFormat::Video(format)) if self.pictures.is_none() => {
                    let fps = self.sources.video.fps() as f32;
                    let encoder = codec::open_video_encoder(format, self.bitrate, fps).expect("an encoder");
                    self.pictures = Some((index, encoder));
                }
                Some(MediaFormat::Audio(format)) if self.sound.is_none() => {
                    let encoder = codec::open_audio_encoder(format, None).expect("an encoder");
                    self.sound = Some((index, encoder, now));
                }
                _ => {}
            }
        }
    }

    fn target(&mut self, section: usize, target: &EncoderTarget) {
        if let Some((own, encoder)) = &mut self.pictures
            && *own == section
            && target.keyframe
        {
            encoder.request_keyframe();
        }
        if let Some((own, encoder, _)) = &mut self.sound
            && *own == section
        {
            encoder.set_lossy(target.lossy).expect("an encoder that goes on");
        }
    }

    fn frame(&mut self, now: Time, call: CallHandle, section: usize, frame: &ReceivedFrame) {
        let report: &mut MediaReport = &mut self.record.media;
        if frame.codec.kind() == MediaKind::Audio {
            let formats = &self.sections[section].receive;
            let format = formats.iter().find(|(payload_type, _)| *payload_type == frame.payload_type);
            let Some((_, MediaFormat::Audio(format))) = format else { return };
            let decoder =
                self.ears.get_or_insert_with(|| codec::open_audio_decoder(format).expect("a decoder"));
            let received = decoder.receive(frame);
            report.sound_concealed += u64::from(received.concealed);
            received.sound.iter().for_each(|sound| self.judge.sound(sound));
            return;
        }
        let decoder =
            self.eyes.get_or_insert_with(|| codec::open_video_decoder(frame.codec).expect("a decoder"));
        match decoder.decode(frame) {
            Ok(Some(decoded)) => {
                report.pictures_decoded += 1;
                report.pictures_concealed += u64::from(decoded.concealed);
                self.judge.picture(&decoded.picture, now);
            }
            Ok(None) => {}
            Err(_) => report.decode_errors += 1,
        }
        let asked = self.keyframe_asked.is_some_and(|at| now - at < KEYFRAME_INTERVAL);
        if decoder.needs_keyframe() && !asked {
            self.keyframe_asked = Some(now);
            self.agent.handle(now, Input::Command(Command::RequestKeyframe { call, section }));
        }
    }

    /// When there is something to do beside what the agent wants.
    fn due(&self) -> impl Iterator<Item = Time> {
        let line = self.on_the_line.keys().next().map(|(at, _)| *at);
        let picture = self.pictures.as_ref().and_then(|_| self.sources.video.due());
        let sound = self.sound.as_ref().map(|(_, _, due)| *due);
        line.into_iter().chain(picture).chain(sound)
    }
}

impl Node for Phone {
    fn handle(&mut self, now: Time, input: Input<'_>) {
        if let Input::Timeout = input {
            self.tick(now);
        }
        self.agent.handle(now, input);
    }

    fn poll(&mut self, now: Time) -> Output {
        loop {
            match self.agent.poll(now) {
                Output::Transmit(transmit) => self.send(now, transmit),
                Output::Event(event) => {
                    self.observe(now, &event);
                    // A source is called at once when it begins, and then when it is due.
                    if let Event::Media { .. } = event {
                        self.tick(now);
                    }
                }
                Output::EncoderTarget { section, target, .. } => self.target(section, &target),
                Output::Timeout(deadline) => {
                    if let Some(first) = self.on_the_line.first_entry()
                        && first.key().0 <= now
                    {
                        return Output::Transmit(first.remove());
                    }
                    return Output::Timeout(deadline.into_iter().chain(self.due()).min());
                }
                other => return other,
            }
        }
    }
}
