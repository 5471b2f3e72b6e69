//! One call between two phones, the caller's line impaired: what the callee measured, and what was done.

use crate::phone::{Phone, SentPicture, Sources};
use crate::sources::{pattern, tone};
use std::time::Duration;
use visavis::impair::{Impairment, ImpairmentLog};
use visavis::proto::Time;
use visavis::proto::agent::{Agent, Config};
use visavis::proto::io::{CallRequest, Command, Input, MediaChoice};
use visavis::proto::sdp::Capabilities;
use visavis::report::metrics;
use visavis::{CallRecord, Expectation, Requirement, Tones, Verdict};
use visavis_sim::{Access, World};

/// The caller's tone and the callee's, Hz.
pub(crate) const TONES: [f64; 2] = [997.0, 1_499.0];
/// Pictures a second.
pub(crate) const RATE: u32 = 30;
/// The length of a picture, milliseconds: how far a time may be off.
pub(crate) const FRAME_MS: f64 = 1_000.0 / RATE as f64;
/// The wall clock at the start.
const UNIX: i64 = 1_700_000_000_000_000_000;

/// What a call is to be like.
pub(crate) struct Experiment {
    pub(crate) seconds: u64,
    /// The caller's lines.
    pub(crate) impair: &'static str,
    pub(crate) seed: u64,
    /// What the caller shows and plays.
    pub(crate) sources: Sources,
    /// Bits a second for pictures.
    pub(crate) bitrate: u32,
    /// Whether the times of capture go beside sound and pictures (RFC 6051), and not in reports alone.
    pub(crate) header_extensions: bool,
}

impl Default for Experiment {
    /// Six seconds of pattern and tone over a line that does nothing.
    fn default() -> Self {
        Experiment {
            seconds: 6,
            impair: "up:loss=0%",
            seed: 1,
            sources: Sources { video: pattern(), audio: tone(TONES[0]) },
            bitrate: 1_000_000,
            header_extensions: true,
        }
    }
}

/// What came of it.
pub(crate) struct Outcome {
    /// At the callee.
    pub(crate) record: CallRecord,
    /// At the caller, over a line that does nothing.
    pub(crate) back: CallRecord,
    /// What was done to the caller's datagrams.
    pub(crate) log: ImpairmentLog,
    /// What the caller coded.
    pub(crate) sent: Vec<SentPicture>,
    /// When the callee stopped listening.
    pub(crate) ended: Time,
}

impl Experiment {
    pub(crate) fn run(self) -> Outcome {
        let lines: Impairment = self.impair.parse().unwrap_or_else(|e| panic!("{}: {e}", self.impair));
        let audio = Capabilities::audio_from_names(["pcmu"]).expect("a codec");
        let mut capabilities = Capabilities { audio, ..Capabilities::default() };
        if !self.header_extensions {
            capabilities.header_extensions.clear();
        }
        let config = Config { capabilities, video_bitrate: self.bitrate, ..Config::default() };
        let start = Time::from_millis(1_000).with_unix_offset(UNIX);
        let mut world = World::new([7; 32], start);
        let agent = |seed| Agent::new(config.clone(), [seed; 32]);
        let theirs = Sources { video: pattern(), audio: tone(TONES[1]) };
        let caller = Phone::new(agent(1), self.sources, self.bitrate, Some((&lines, self.seed)));
        let callee = Phone::new(agent(2), theirs, self.bitrate, None);
        let mut add = |phone, address: &str| {
            let address = address.parse().expect("an address");
            world.add(phone, address, Access::default(), None).expect("an address that is free")
        };
        let (a, b) = (add(caller, "192.0.2.1:16402"), add(callee, "192.0.2.2:16402"));
        let destination = world.address(b);
        let request = CallRequest {
            target: format!("sip:b@{destination}"),
            destination,
            local: world.address(a).ip(),
            media: MediaChoice::BOTH,
            late_offer: false,
            ring_timeout: Duration::from_secs(60),
            path: None,
        };
        let call = world.node(a).agent().new_call();
        world.input(a, Input::Command(Command::Call(call, Box::new(request))));
        world.run_for(Duration::from_secs(self.seconds));
        world.input(a, Input::Command(Command::Hangup { call }));
        world.run_for(Duration::from_secs(10));
        let [caller, callee] = [a, b].map(|id| world.node(id).record.clone());
        Outcome {
            record: callee,
            back: caller,
            log: world.node(a).log(),
            sent: world.node(a).sent.clone(),
            ended: world.node(b).ended.expect("the call has ended"),
        }
    }
}

impl Outcome {
    /// What the callee measured.
    pub(crate) fn measured(&self, name: &str) -> f64 {
        let requirement: Requirement = format!("{name}>=0").parse().expect("a metric");
        let value = requirement.metric.of_call(&self.record);
        value.unwrap_or_else(|| panic!("{name} is unknown")).statistic(requirement.statistic)
    }

    /// The callee's verdict, which knows what the caller shows and plays, with these requirements on top.
    pub(crate) fn verdict(&self, require: &[&str]) -> Verdict {
        let require = require.iter().map(|text| text.parse().expect("a requirement")).collect();
        let tones = Tones { expected: Some(TONES[0]), others: vec![(TONES[1], "its own".into())] };
        let expected = Expectation { pattern: true, tones, require, ..Expectation::default() };
        self.record.verdict(&expected)
    }

    /// A requirement on a metric holds on this side of what was done, and not on the other.
    pub(crate) fn assert_told_apart(&self, metric: &str, truth: f64, tolerance: f64) {
        let unit = metrics::find(metric).expect("a metric").unit;
        let passes = |operator: &str, limit: f64| {
            let number = match unit {
                metrics::Unit::Share => format!("{}%", limit * 100.0),
                _ => limit.to_string(),
            };
            let text = format!("{metric}{operator}{number}");
            let verdict = self.verdict(&[&text]);
            let check = verdict.checks.iter().find(|c| c.required).expect("the check");
            assert_eq!(check.pass, !verdict.reasons.iter().any(|r| r.contains(metric)), "{verdict}");
            check.pass
        };
        assert!(
            passes("<=", truth + tolerance) && passes(">=", truth - tolerance),
            "{metric} is not {truth}"
        );
        let beyond = 2.0 * tolerance;
        assert!(
            !passes("<=", truth - beyond) && !passes(">=", truth + beyond),
            "{metric} is not near {truth}"
        );
    }
}
