//! Which formats two sides have in common, and what each of them may send with.

use super::asc::AacObject;
use super::capabilities::{AnswerOrder, AudioCodec, Capabilities};
use super::dialect::{Spoken, softphone};
use super::format::{AacFormat, AacPacking, Encoding, Format, H264Format, TelephoneEvent};
use super::negotiate::TelephoneEvents;
use crate::frame::MediaKind;

/// The events that this side takes and sends: DTMF, which is what is meant where nothing is said (RFC 4733 section
/// 7.1.1), and every octet of an INVITE counts.
pub(super) const DTMF_EVENTS: &str = "";

/// The formats that two sides agreed on, seen from this side.
#[derive(Default)]
pub(super) struct Pairing {
    /// With the peer's payload types and limits.
    pub(super) send: Vec<Format>,
    /// With this side's payload types and limits.
    pub(super) receive: Vec<Format>,
    pub(super) events: EventPairing,
}

/// The telephone events that two sides agreed on.
#[derive(Default)]
pub(super) struct EventPairing {
    send: Vec<(u8, TelephoneEvent)>,
    receive: Vec<(u8, TelephoneEvent)>,
}

impl EventPairing {
    fn add(&mut self, send: (u8, TelephoneEvent), receive: (u8, TelephoneEvent)) {
        self.send.push(send);
        self.receive.push(receive);
    }

    /// Puts the events on the clock of the sound first so that both can share one RTP stream.
    pub(super) fn prefer_clock(&mut self, clock_rate: u32) {
        self.send.sort_by_key(|(_, event)| event.clock_rate != clock_rate);
        self.receive.sort_by_key(|(_, event)| event.clock_rate != clock_rate);
    }

    pub(super) fn into_events(self) -> TelephoneEvents {
        TelephoneEvents { send: self.send.into_iter().next(), receive: self.receive }
    }
}

/// A format of the peer's offer that this side can agree to.
struct Match {
    /// As the peer offered it.
    offered: Format,
    /// As this side answers it, under the same payload type.
    answer: Encoding,
    /// Its place in this side's own order.
    rank: usize,
}

/// What this side answers to an offered section: the formats to write, and the pairing that comes of them.
///
/// # Errors
/// A text that names what was offered and what this side has.
pub(super) fn answer(
    section: Spoken<'_>,
    kind: MediaKind,
    capabilities: &Capabilities,
) -> Result<(Vec<Format>, Pairing), String> {
    let offered = section.formats();
    let mut matches: Vec<Match> = offered.iter().filter_map(|format| agree(format, capabilities)).collect();
    match kind {
        MediaKind::Audio if capabilities.answer_order == AnswerOrder::Own => matches.sort_by_key(|m| m.rank),
        MediaKind::Audio => {}
        MediaKind::Video => {
            // One payload type only, in the best packetization mode: a sender that has two changes between them
            // at will.
            matches.sort_by_key(|m| m.rank);
            matches.truncate(1);
        }
    }
    if section.dialect.facetime().is_some() {
        // Its answers name one payload type.
        matches.truncate(1);
    }
    if matches.is_empty() {
        return Err(nothing_in_common(section, kind, capabilities));
    }
    let mut pairing = Pairing::default();
    let mut written = Vec::new();
    for Match { offered, answer, .. } in matches {
        let format = Format { payload_type: offered.payload_type, encoding: answer };
        pairing.send.push(directed(&offered, &format.encoding));
        pairing.receive.push(directed(&format, &offered.encoding));
        written.push(format);
    }
    if kind == MediaKind::Audio && capabilities.telephone_event {
        let clocks: Vec<u32> = written.iter().map(|format| format.encoding.clock_rate()).collect();
        for format in &offered {
            let Encoding::TelephoneEvent(theirs) = &format.encoding else { continue };
            if theirs.clock_rate != 8_000 && !clocks.contains(&theirs.clock_rate) {
                continue;
            }
            let ours = TelephoneEvent { clock_rate: theirs.clock_rate, events: DTMF_EVENTS.to_owned() };
            pairing.events.add((format.payload_type, theirs.clone()), (format.payload_type, ours.clone()));
            written
                .push(Format { payload_type: format.payload_type, encoding: Encoding::TelephoneEvent(ours) });
        }
    }
    Ok((written, pairing))
}

/// What comes of the answer to a section that this side offered.
///
/// # Errors
/// A text that names what was offered and what was answered.
pub(super) fn accept(offered: Spoken<'_>, answered: Spoken<'_>) -> Result<Pairing, String> {
    let ours = offered.formats();
    let mut pairing = Pairing::default();
    for theirs in answered_formats(&ours, answered) {
        let Some(mine) = counterpart(&ours, &theirs) else { continue };
        if let (Encoding::TelephoneEvent(send), Encoding::TelephoneEvent(receive)) =
            (&theirs.encoding, &mine.encoding)
        {
            pairing.events.add((theirs.payload_type, send.clone()), (mine.payload_type, receive.clone()));
            continue;
        }
        pairing.send.push(directed(&theirs, &mine.encoding));
        add_once(&mut pairing.receive, directed(mine, &theirs.encoding));
        // Some peers send with the payload type that they asked for, not with ours.
        add_once(
            &mut pairing.receive,
            Format { payload_type: theirs.payload_type, ..directed(mine, &theirs.encoding) },
        );
    }
    if pairing.send.is_empty() {
        return Err(format!(
            "the answer has none of the offered {} formats (offered: {}; answered: {})",
            offered.section.media,
            offered.section.formats.join(" "),
            answered.section.formats.join(" ")
        ));
    }
    // What was offered and not answered can still be on its way, sent before the answer.
    for mine in ours.iter().filter(|format| !softphone::is_event(format)) {
        add_once(&mut pairing.receive, mine.clone());
    }
    Ok(pairing)
}

/// The formats of an answer. A payload type that the answer does not describe is the one that was offered.
fn answered_formats(ours: &[Format], answered: Spoken<'_>) -> Vec<Format> {
    let known = answered.formats();
    let mut formats: Vec<Format> = Vec::new();
    for payload_type in answered.section.payload_types() {
        let described = known.iter().find(|format| format.payload_type == payload_type);
        let implied = ours.iter().find(|format| {
            format.payload_type == payload_type && !softphone::is_described(answered.section, payload_type)
        });
        if let Some(format) = described.or(implied) {
            add_once(&mut formats, format.clone());
        }
    }
    formats
}

/// The offered format that an answered one stands for: the one of the same number, else any of the same
/// configuration (RFC 3264 section 5.1 lets an answer use numbers of its own).
fn counterpart<'a>(ours: &'a [Format], theirs: &Format) -> Option<&'a Format> {
    let same_number = ours.iter().find(|mine| mine.payload_type == theirs.payload_type);
    same_number
        .filter(|mine| is_answer_to(&mine.encoding, &theirs.encoding))
        .or_else(|| ours.iter().find(|mine| mine.encoding.is_same_configuration(&theirs.encoding)))
}

/// Whether an answer under the same payload type can be used. Some answers drop `packetization-mode`: what they
/// mean is that they take single NAL units, which is a part of mode 1.
fn is_answer_to(mine: &Encoding, theirs: &Encoding) -> bool {
    match (mine, theirs) {
        (Encoding::H264(mine), Encoding::H264(theirs)) => {
            mine.is_compatible_profile(theirs) && theirs.packetization_mode <= mine.packetization_mode
        }
        _ => mine.is_same_configuration(theirs),
    }
}

/// Whether and how this side agrees to an offered format.
fn agree(offered: &Format, capabilities: &Capabilities) -> Option<Match> {
    let place = |codec: AudioCodec| capabilities.audio.iter().position(|c| *c == codec);
    let (answer, rank) = match &offered.encoding {
        Encoding::H264(theirs) => {
            let video = capabilities.video.as_ref()?;
            let rank = video.modes.iter().position(|mode| *mode == theirs.packetization_mode)?;
            let mut mine = video.format(theirs.packetization_mode);
            if !mine.is_compatible_profile(theirs) {
                return None;
            }
            mine.level_asymmetry_allowed &= theirs.level_asymmetry_allowed;
            let level = receive_level(&mine, theirs);
            if level != mine.receive_level() {
                (mine.max_mbps, mine.max_fs, mine.max_br) = (None, None, None);
            }
            mine.profile_level_id = theirs.profile_level_id.with_level(level);
            (Encoding::H264(mine), rank)
        }
        Encoding::Aac(theirs) => (Encoding::Aac(theirs.clone()), aac_rank(theirs, capabilities)?),
        Encoding::Opus(_) => (Encoding::Opus(capabilities.opus), place(AudioCodec::Opus)?),
        Encoding::Pcmu => (Encoding::Pcmu, place(AudioCodec::Pcmu)?),
        Encoding::Pcma => (Encoding::Pcma, place(AudioCodec::Pcma)?),
        Encoding::G722 => (Encoding::G722, place(AudioCodec::G722)?),
        Encoding::TelephoneEvent(_) => return None,
    };
    Some(Match { offered: offered.clone(), answer, rank })
}

/// The place of an AAC configuration in this side's order: that of the same configuration, else that of the same
/// object type where the rest lies within the limits.
fn aac_rank(theirs: &AacFormat, capabilities: &Capabilities) -> Option<usize> {
    let config = &theirs.config;
    let limits = &capabilities.aac;
    let is_within = config.channels <= limits.max_channels
        && limits.sample_rates.contains(&config.sample_rate)
        && !config.sbr
        && !config.resilience.contains(&true);
    let is_same = |codec: &AudioCodec| codec.aac_config() == Some(*config);
    let place = |test: &dyn Fn(&AudioCodec) -> bool| capabilities.audio.iter().position(test);
    match theirs.packing {
        AacPacking::Latm { in_band_config, .. } => {
            let is_readable = is_within && (!in_band_config || limits.latm_in_band_config);
            place(&|codec| {
                is_readable && *codec == AudioCodec::AacLdLatm && config.object == AacObject::LowDelay
            })
        }
        AacPacking::HBR | AacPacking::Facetime { .. } => place(&is_same).or_else(|| {
            place(&|codec| matches!(codec, AudioCodec::Aac(aac) if is_within && aac.object == config.object))
        }),
        AacPacking::Hbr { .. } => None,
    }
}

/// A format as its receiver declared it, cut down to what the other side's declaration leaves of it.
fn directed(declared: &Format, other: &Encoding) -> Format {
    let encoding = match (&declared.encoding, other) {
        (Encoding::H264(declared), Encoding::H264(other)) => {
            let level = receive_level(declared, other);
            let is_whole = level == declared.receive_level();
            Encoding::H264(H264Format {
                profile_level_id: declared.profile_level_id.with_level(level),
                packetization_mode: declared.packetization_mode.min(other.packetization_mode),
                level_asymmetry_allowed: declared.level_asymmetry_allowed && other.level_asymmetry_allowed,
                max_recv_level: None,
                max_mbps: declared.max_mbps.filter(|_| is_whole),
                max_fs: declared.max_fs.filter(|_| is_whole),
                max_br: declared.max_br.filter(|_| is_whole),
                // Parameter sets describe the stream of the side that names them.
                sprop_parameter_sets: other.sprop_parameter_sets.clone(),
            })
        }
        (encoding, _) => encoding.clone(),
    };
    Format { payload_type: declared.payload_type, encoding }
}

/// The level to send with towards the side that declared `receiver` (RFC 6184 section 8.2.2): its own highest where
/// both allow asymmetry, else the lower of the two default levels.
fn receive_level(receiver: &H264Format, other: &H264Format) -> super::h264::Level {
    if receiver.level_asymmetry_allowed && other.level_asymmetry_allowed {
        receiver.receive_level()
    } else {
        receiver.profile_level_id.level().min(other.profile_level_id.level())
    }
}

fn add_once(formats: &mut Vec<Format>, format: Format) {
    if !formats.iter().any(|f| f.payload_type == format.payload_type) {
        formats.push(format);
    }
}

fn nothing_in_common(section: Spoken<'_>, kind: MediaKind, capabilities: &Capabilities) -> String {
    let ours: Vec<String> = match kind {
        MediaKind::Audio => capabilities.audio.iter().map(ToString::to_string).collect(),
        MediaKind::Video => capabilities.video_encodings().iter().map(Encoding::describe).collect(),
    };
    let offered: Vec<String> =
        section.section.payload_types().take(24).map(|number| section.describe(number)).collect();
    let list = |names: &[String]| if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
    format!("no {} codec in common (offered: {}; supported: {})", kind.as_str(), list(&offered), list(&ours))
}
