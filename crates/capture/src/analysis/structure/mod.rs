//! An honest word on encryption: what the structure of a stream's payloads says, and what it does not.
//!
//! Raw entropy says nothing: a good codec leaves as little to gain as a cipher does, and filling with zeros hides what
//! lies between. What a cipher destroys is structure: fields that repeat at the same place in each packet, lengths
//! that add up, fragments that go on where the one before ended. Filling is counted for itself and left out of all
//! of it.

mod bits;
mod h264;
mod octets;
mod sound;
mod sps;

pub(crate) use sound::{has_au_headers, is_latm};
pub(crate) use sps::picture_size;

use crate::findings::{Protection, ProtectionVerdict};
use octets::{Octets, PLACES};
use visavis_proto::frame::Codec;
use visavis_proto::sdp::format::AacPacking;
use visavis_proto::sdp::{Encoding, Format};

/// Payloads that are looked at in each stream.
const LOOKED_AT: u32 = 1_000;
/// Payloads from which on structure that is there is believed.
const FEW: u32 = 10;
/// Payloads from which on structure that is not there is believed to be missing.
const SOME: u32 = 20;
/// Payloads from which on a codec without fields of its own is judged.
const MANY: u32 = 100;
/// Octets repeat no more often than this where they are random; see [`Octets::repetition_at`].
const RANDOM: f64 = 2.0;
/// The same for few payloads, of which random octets may repeat more often.
const RANDOM_IN_FEW: f64 = 3.5;
/// They repeat at least this often where a codec has its fields.
const FIELDS: f64 = 4.0;

/// What the payloads of a stream look like.
#[derive(Clone, Debug)]
pub struct Assessor {
    seen: u32,
    octets: Octets,
    h264: h264::Evidence,
    sound: sound::Evidence,
    /// Payloads that are a multiple of 10 ms of G.711 long, and those that are 4 or 10 octets longer.
    whole_frames: u32,
    tagged_frames: u32,
}

impl Default for Assessor {
    fn default() -> Self {
        Assessor::new()
    }
}

impl Assessor {
    /// One that has seen nothing.
    pub fn new() -> Self {
        Assessor {
            seen: 0,
            octets: Octets::new(),
            h264: h264::Evidence::default(),
            sound: sound::Evidence::default(),
            whole_frames: 0,
            tagged_frames: 0,
        }
    }

    /// Looks at an RTP payload, in the order of the stream; what comes after the first thousand is passed over.
    pub fn feed(&mut self, payload: &[u8], sequence: u16, timestamp: u64) {
        if self.seen >= LOOKED_AT || payload.is_empty() {
            return;
        }
        self.seen += 1;
        let core = self.octets.feed(payload);
        if core.is_empty() {
            return;
        }
        self.h264.feed(core, sequence);
        self.sound.feed(core, sequence, timestamp);
        match payload.len() % 80 {
            0 => self.whole_frames += 1,
            4 | 10 => self.tagged_frames += 1,
            _ => {}
        }
    }

    /// Whether the payloads are H.264 by their structure.
    pub(crate) fn is_h264(&self) -> bool {
        let seen = self.h264.fits + self.h264.misfits;
        seen >= 5
            && self.h264.misfits * 20 <= seen
            && (self.h264.sets > 0 || self.h264.continued > 0 || seen >= SOME)
    }

    /// Whether they are Opus: each lasts as long as its RTP timestamps say.
    pub(crate) fn is_opus(&self) -> bool {
        let (fit, compared) = self.sound.opus_lasts;
        let fields = self.octets.repetition_at(0).is_some_and(|r| r >= FIELDS);
        compared >= 5 && fit * 20 >= compared * 19 && fields
    }

    /// Whether they stand behind AU headers.
    pub(crate) fn has_au_headers(&self) -> bool {
        share(self.sound.au_headers, self.sound.payloads) >= 0.95
    }

    /// The verdict on a stream of this format, as far as it is known; `secure` says that it was signalled as SRTP.
    pub fn verdict(&self, format: Option<&Format>, secure: bool) -> Protection {
        let mut reasons = Vec::new();
        if self.octets.zero_share() >= 0.05 {
            reasons.push(format!(
                "{:.0} % of its octets are runs of zeros, which are left out of what follows",
                self.octets.zero_share() * 100.0
            ));
        }
        let (mut verdict, said) = self.by_codec(format);
        reasons.extend(said);
        if secure {
            reasons.push("it was signalled as SRTP, and no key is there".to_owned());
            if verdict == ProtectionVerdict::CannotTell {
                verdict = ProtectionVerdict::LooksEncrypted;
            }
        }
        Protection { verdict, reasons, ..Protection::default() }
    }

    fn by_codec(&self, format: Option<&Format>) -> (ProtectionVerdict, Vec<String>) {
        let seen = self.octets.payloads;
        if seen < FEW {
            return (ProtectionVerdict::CannotTell, vec![format!("{seen} packets are too few to judge")]);
        }
        match format.map(|format| &format.encoding) {
            Some(Encoding::H264(_)) => self.by_h264(),
            Some(Encoding::Aac(aac)) => match aac.packing {
                AacPacking::Hbr { .. } | AacPacking::Facetime { au_headers: true } => self.by_lengths(
                    self.sound.au_headers,
                    "AU headers that give exactly their length (RFC 3640)",
                ),
                AacPacking::Latm { .. } => {
                    self.by_lengths(self.sound.latm, "the length of their LATM element")
                }
                AacPacking::Facetime { au_headers: false } => self.by_fields(Codec::AacEld.name()),
            },
            Some(Encoding::Opus(_)) => self.by_opus(),
            Some(Encoding::Pcmu | Encoding::Pcma) => self.by_samples(true),
            Some(Encoding::G722) => self.by_samples(false),
            Some(Encoding::TelephoneEvent(_)) | None => self.by_fields("any codec"),
        }
    }

    fn by_h264(&self) -> (ProtectionVerdict, Vec<String>) {
        let h264 = &self.h264;
        let seen = h264.fits + h264.misfits;
        let mut reasons = vec![format!(
            "{} of {seen} payloads are NAL units or fragments as RFC 6184 has them (of random octets, 1 in 10 would be)",
            h264.fits
        )];
        if h264.continued + h264.broken > 0 {
            let all = h264.continued + h264.broken;
            reasons
                .push(format!("{} of {all} fragments go on with the NAL unit before them", h264.continued));
        }
        if h264.sets > 0 {
            reasons.push(format!("{} parameter sets make sense", h264.sets));
        }
        self.judge(share(h264.fits, seen), &[0, 1], reasons)
    }

    fn by_lengths(&self, fits: u32, what: &str) -> (ProtectionVerdict, Vec<String>) {
        let seen = self.sound.payloads;
        self.judge(share(fits, seen), &[0, 1], vec![format!("{fits} of {seen} payloads begin with {what}")])
    }

    fn by_opus(&self) -> (ProtectionVerdict, Vec<String>) {
        let (fit, compared) = self.sound.opus_lasts;
        let reason = format!("{fit} of {compared} packets of Opus last as long as the RTP timestamps say");
        // Sound that is left out (DTX) makes the timestamps jump.
        let fields = self.octets.repetition_at(0).is_some_and(|r| r >= FIELDS * 2.0);
        let clear = if fields { share(fit, compared).max(0.9) } else { share(fit, compared).min(0.5) };
        self.judge(clear, &[0], vec![reason])
    }

    /// Shared by the formats with a structure in each packet: `fits` is the share of packets that have it.
    fn judge(
        &self,
        fits: f64,
        places: &[usize],
        mut reasons: Vec<String>,
    ) -> (ProtectionVerdict, Vec<String>) {
        let seen = self.octets.payloads;
        let random = places.iter().all(|&place| self.is_random_at(place));
        let verdict = if fits >= 0.9 {
            ProtectionVerdict::LooksClear
        } else if fits <= 0.5 && seen < SOME {
            reasons.push(format!("{seen} packets are too few to call them encrypted"));
            ProtectionVerdict::CannotTell
        } else if fits <= 0.5 && random {
            reasons.push("the first octets of its payloads differ as random ones do".to_owned());
            ProtectionVerdict::LooksEncrypted
        } else {
            if fits <= 0.5 {
                reasons.push("the first octets of its payloads repeat: perhaps another codec".to_owned());
            }
            ProtectionVerdict::CannotTell
        };
        (verdict, reasons)
    }

    fn is_random_at(&self, place: usize) -> bool {
        let bound = if self.octets.payloads >= MANY { RANDOM } else { RANDOM_IN_FEW };
        self.octets.repetition_at(place).is_some_and(|repetition| repetition <= bound)
    }

    /// Codecs whose packets begin with fields, of whatever kind.
    fn by_fields(&self, codec: &str) -> (ProtectionVerdict, Vec<String>) {
        let seen = self.octets.payloads;
        let most = self.octets.most_repetition().unwrap_or(0.0);
        let reason = format!(
            "octets at the front of {seen} payloads repeat {most:.1} times as often as random ones would at the same place"
        );
        let verdict = if seen >= 2 * SOME && most >= FIELDS {
            ProtectionVerdict::LooksClear
        } else if seen >= MANY && (0..PLACES).all(|place| self.is_random_at(place)) {
            ProtectionVerdict::LooksEncrypted
        } else {
            ProtectionVerdict::CannotTell
        };
        (verdict, vec![format!("{reason}; {codec} has fields there")])
    }

    /// Codecs of samples, which have no fields at all: what tells is how the samples themselves are spread.
    fn by_samples(&self, g711: bool) -> (ProtectionVerdict, Vec<String>) {
        let repetition = self.octets.repetition().unwrap_or(0.0);
        let correlation = if g711 { self.sound.correlation() } else { 0.0 };
        let octets = self.octets.total - self.octets.zeros;
        let mut reasons = vec![format!(
            "octets repeat {repetition:.2} times as often as random ones would, all places together"
        )];
        if g711 {
            reasons.push(format!("each sample tells {:.0} % of the next", correlation.max(0.0) * 100.0));
        }
        if self.tagged_frames > self.whole_frames {
            reasons.push(
                "payloads are 4 or 10 octets longer than whole frames, as with a tag of SRTP".to_owned(),
            );
        }
        let verdict = if repetition >= 1.15 || correlation >= 0.3 {
            ProtectionVerdict::LooksClear
        } else if repetition <= 1.05 && octets >= 3_000 && correlation.abs() <= 0.1 {
            ProtectionVerdict::LooksEncrypted
        } else {
            ProtectionVerdict::CannotTell
        };
        (verdict, reasons)
    }
}

fn share(part: u32, whole: u32) -> f64 {
    if whole == 0 { 0.0 } else { f64::from(part) / f64::from(whole) }
}
