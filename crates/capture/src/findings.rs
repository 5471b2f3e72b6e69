//! What a capture shows: calls, their messages, what was negotiated, media streams and what was measured.
//!
//! This is the whole of what a report says about the wire, whether the capture was written beside a live call or
//! years ago by somebody else. What a capture cannot tell is `None`, and `null` in JSON. Times are seconds since the
//! Unix epoch in JSON.

use serde::{Serialize, Serializer};
use std::net::SocketAddr;
use visavis_proto::Time;

/// Everything that was found in one capture.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Findings {
    /// What the file held.
    pub file: FileFindings,
    /// SIP calls in the order of their first INVITE.
    pub calls: Vec<CallFindings>,
    /// Media streams, signalled or not, in the order of their first packet.
    pub streams: Vec<StreamFindings>,
    /// STUN transactions between two addresses.
    pub stun: Vec<StunFindings>,
    /// What was there and is not above, since there was more than is kept.
    pub left_out: LeftOut,
}

/// What a bound of the analysis left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Messages of calls that are not followed.
    pub calls: u64,
    /// Streams.
    pub streams: u64,
    /// STUN messages between further pairs of addresses.
    pub stun: u64,
}

/// What a capture file held, packet by packet.
#[derive(Clone, Debug, Default, Serialize)]
pub struct FileFindings {
    /// Packets in the file.
    pub packets: u64,
    /// Octets of them on the wire.
    pub octets: u64,
    /// UDP datagrams and TCP segments found in them, fragments joined.
    pub datagrams: u64,
    /// Packets that were cut by the capture's snap length.
    pub cut: u64,
    /// Packets that could not be read: unknown link type or protocol, broken headers.
    pub unread: u64,
    /// Fragments whose other parts never came.
    pub fragments_left: u64,
    /// Datagrams that the writer of the file says are missing from it.
    pub dropped: u64,
    /// The time of the first packet.
    #[serde(serialize_with = "unix_option")]
    pub first: Option<Time>,
    /// The time of the last packet.
    #[serde(serialize_with = "unix_option")]
    pub last: Option<Time>,
    /// Where reading ended before the end of the file, and why; `None` where all of it was read.
    pub damage: Option<String>,
}

/// The transport of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// UDP.
    #[default]
    Udp,
    /// TCP.
    Tcp,
}

/// One SIP call: a Call-ID with an INVITE.
#[derive(Clone, Debug, Default, Serialize)]
pub struct CallFindings {
    /// The Call-ID.
    pub call_id: String,
    /// The From header: display name and URI.
    pub from: String,
    /// The To header.
    pub to: String,
    /// Who sent the INVITE.
    pub caller: Option<SocketAddr>,
    /// Where it was sent.
    pub callee: Option<SocketAddr>,
    /// The User-Agent header of the caller.
    pub caller_agent: Option<String>,
    /// The User-Agent or Server header of the callee.
    pub callee_agent: Option<String>,
    /// The first INVITE.
    #[serde(serialize_with = "unix_option")]
    pub invited: Option<Time>,
    /// The first 180 or 183.
    #[serde(serialize_with = "unix_option")]
    pub ringing: Option<Time>,
    /// The first 2xx to the INVITE.
    #[serde(serialize_with = "unix_option")]
    pub answered: Option<Time>,
    /// Its ACK.
    #[serde(serialize_with = "unix_option")]
    pub acknowledged: Option<Time>,
    /// The BYE, CANCEL or final refusal.
    #[serde(serialize_with = "unix_option")]
    pub ended: Option<Time>,
    /// How it ended.
    pub outcome: Outcome,
    /// The final status of the first INVITE.
    pub status: Option<u16>,
    /// Messages of the call in order, retransmissions among them.
    pub messages: Vec<MessageFindings>,
    /// Messages left out of `messages` because there were too many.
    pub messages_left_out: u64,
    /// Offer/answer exchanges in order.
    pub exchanges: Vec<ExchangeFindings>,
    /// Bodies of the key exchange (`application/ske`), put together from their fragments.
    pub ske: Vec<SkeFindings>,
    /// The call's streams, as indexes into [`Findings::streams`].
    pub streams: Vec<usize>,
}

/// How a call ended, as far as the capture shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The capture does not show it.
    #[default]
    Unknown,
    /// Answered, and still up when the capture ends.
    Up,
    /// Ended by a BYE of the caller.
    CallerHungUp,
    /// Ended by a BYE of the callee.
    CalleeHungUp,
    /// Given up by the caller before it was answered.
    Cancelled,
    /// Refused by a final status.
    Refused,
    /// No final response came.
    Unanswered,
}

/// One message on the ladder.
#[derive(Clone, Debug, Default, Serialize)]
pub struct MessageFindings {
    /// The packet's number in the file, from 1.
    pub packet: u64,
    /// When it was captured.
    #[serde(serialize_with = "unix")]
    pub time: Time,
    /// Who sent it; `None` only before one was seen.
    pub source: Option<SocketAddr>,
    /// Where to.
    pub destination: Option<SocketAddr>,
    /// Over what.
    pub transport: Transport,
    /// What stands on the arrow: `INVITE`, `180 Ringing`.
    pub summary: String,
    /// Its CSeq: number and method.
    pub cseq: Option<(u32, String)>,
    /// The whole message as text, each octet that is no UTF-8 replaced; cut where it is long.
    pub text: String,
    /// The media type of its body.
    pub content_type: Option<String>,
    /// Whether the same message was seen before.
    pub retransmission: bool,
}

/// One offer/answer exchange (RFC 3264).
#[derive(Clone, Debug, Default, Serialize)]
pub struct ExchangeFindings {
    /// Who offered.
    pub offerer: Option<SocketAddr>,
    /// The packet with the offer.
    pub offer_packet: u64,
    /// The packet with the answer; `None` where none was seen.
    pub answer_packet: Option<u64>,
    /// The offer as it stood in the message.
    pub offer: String,
    /// The answer.
    pub answer: Option<String>,
    /// What came of it, one entry for each media section of the offer.
    pub sections: Vec<SectionFindings>,
    /// What is wrong with it, in words: sections missing, direction that does not fit, formats never offered.
    pub faults: Vec<String>,
}

/// One media section of an offer/answer exchange.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SectionFindings {
    /// The media type: `audio`, `video`, anything.
    pub media: String,
    /// The transport: `RTP/AVP`, `RTP/SAVPF`.
    pub transport: String,
    /// Whether both sides gave it a port.
    pub accepted: bool,
    /// Formats of the offer: payload number and encoding, `96 H264/90000`.
    pub offered: Vec<String>,
    /// Formats of the answer.
    pub answered: Vec<String>,
    /// Directions seen from the offerer, as far as both were given: `sendrecv`, `sendonly`, `recvonly`, `inactive`.
    pub direction: Option<String>,
    /// Where the offerer receives RTP.
    pub offerer: Option<SocketAddr>,
    /// Where the answerer receives RTP.
    pub answerer: Option<SocketAddr>,
    /// SRTP suite by SDES (RFC 4568), where both named it.
    pub crypto: Option<String>,
}

/// A body of a key exchange inside a call.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SkeFindings {
    /// The packet that completed it.
    pub packet: u64,
    /// When that came.
    #[serde(serialize_with = "unix")]
    pub time: Time,
    /// Who sent it.
    pub source: Option<SocketAddr>,
    /// The first number of `SKESeq`.
    pub sequence: u64,
    /// Fragments that it came in.
    pub fragments: u32,
    /// The body.
    #[serde(skip)]
    pub body: Vec<u8>,
    /// Its length, octets.
    pub octets: usize,
}

/// One RTP stream: an SSRC from one address to another.
#[derive(Clone, Debug, Default, Serialize)]
pub struct StreamFindings {
    /// The SSRC.
    pub ssrc: u32,
    /// Who sent it; `None` only before a packet was seen.
    pub source: Option<SocketAddr>,
    /// Where to.
    pub destination: Option<SocketAddr>,
    /// The call, as an index into [`Findings::calls`]; `None` without signalling.
    pub call: Option<usize>,
    /// `audio` or `video`, where it is known.
    pub kind: Option<&'static str>,
    /// The codec by its name, `H.264`, `AAC-ELD`, and how that is known.
    pub codec: Option<String>,
    /// How codec and clock are known: `signalled`, `static payload type`, `given`, `guessed from the payload`.
    pub known_by: Option<&'static str>,
    /// RTP payload types seen, the most frequent one first.
    pub payload_types: Vec<u8>,
    /// The RTP clock, Hz.
    pub clock_rate: Option<u32>,
    /// Packets, duplicates among them.
    pub packets: u64,
    /// Octets of RTP payload.
    pub octets: u64,
    /// Packets missing, less those that came twice (RFC 3550 appendix A.3).
    pub lost: i64,
    /// Packets that never came as a share of those expected, 0 to 1.
    pub loss: Option<f64>,
    /// Packets that came twice.
    pub duplicate: u64,
    /// Packets that came after a later one.
    pub reordered: u64,
    /// Interarrival jitter at the end (RFC 3550 section 6.4.1), milliseconds.
    pub jitter_ms: Option<f64>,
    /// The greatest jitter on the way there, milliseconds.
    pub jitter_max_ms: Option<f64>,
    /// The first packet.
    #[serde(serialize_with = "unix_option")]
    pub first: Option<Time>,
    /// The last packet.
    #[serde(serialize_with = "unix_option")]
    pub last: Option<Time>,
    /// Bits a second of payload between first and last packet.
    pub bit_rate: Option<f64>,
    /// Frames (access units) that were put together.
    pub frames: u64,
    /// Frames with a part missing.
    pub frames_incomplete: u64,
    /// Frames a second, by RTP timestamps.
    pub frame_rate: Option<f64>,
    /// Pictures that a decoder can start from (IDR).
    pub keyframes: u64,
    /// The median time between them, seconds.
    pub keyframe_interval_s: Option<f64>,
    /// Width and height by the parameter sets.
    pub picture_size: Option<(u32, u32)>,
    /// What RTCP said.
    pub rtcp: RtcpFindings,
    /// Whether it is encrypted.
    pub protection: Protection,
    /// The stream second by second, from its first packet on.
    pub seconds: Vec<StreamSecond>,
    /// The length of each entry of `seconds`, seconds: 1, or more in long streams.
    pub step_s: u32,
    /// Where it was extracted to.
    pub files: Vec<String>,
    /// Why it was not extracted, or not wholly.
    pub extraction_error: Option<String>,
}

/// What RTCP said about one stream.
#[derive(Clone, Debug, Default, Serialize)]
pub struct RtcpFindings {
    /// Sender reports of its sender.
    pub sender_reports: u64,
    /// Report blocks about it.
    pub reports: u64,
    /// The fraction that its receiver last reported lost, 0 to 1.
    pub reported_loss: Option<f64>,
    /// The jitter that its receiver last reported, milliseconds.
    pub reported_jitter_ms: Option<f64>,
    /// Round trips by LSR and DLSR as the sender could have measured them, milliseconds: first, last, least, greatest.
    pub round_trip_ms: Option<[f64; 4]>,
    /// Packet loss indications sent about it (RFC 4585 section 6.3.1).
    pub pli: u64,
    /// Full intra requests (RFC 5104 section 4.3.1).
    pub fir: u64,
    /// Generic NACKs (RFC 4585 section 6.2.1).
    pub nack: u64,
    /// Whether its sender said BYE.
    pub bye: bool,
    /// Its CNAME.
    pub cname: Option<String>,
}

/// One step of a stream's time line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct StreamSecond {
    /// Packets.
    pub packets: u32,
    /// Octets of payload.
    pub octets: u64,
    /// Packets missing.
    pub lost: i32,
    /// Jitter at its end, milliseconds.
    pub jitter_ms: Option<f32>,
    /// Frames.
    pub frames: u32,
    /// The longest time between two frames, milliseconds.
    pub longest_gap_ms: Option<f32>,
    /// The last round trip by RTCP, milliseconds.
    pub round_trip_ms: Option<f32>,
}

/// Whether a stream is encrypted.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Protection {
    /// What it comes to.
    pub verdict: ProtectionVerdict,
    /// The SRTP suite, where keys were there.
    pub suite: Option<String>,
    /// Packets opened with the keys.
    pub opened: u64,
    /// Packets that the keys did not open.
    pub refused: u64,
    /// What speaks for the verdict, each in words.
    pub reasons: Vec<String>,
}

/// An honest word on encryption.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProtectionVerdict {
    /// Nothing can be said.
    #[default]
    CannotTell,
    /// The structure of the codec is there.
    LooksClear,
    /// The structure of the codec is not there, and what is there looks random.
    LooksEncrypted,
    /// Opened with keys.
    Opened,
}

/// STUN between two addresses.
#[derive(Clone, Debug, Default, Serialize)]
pub struct StunFindings {
    /// Who asked; `None` only before a message was seen.
    pub client: Option<SocketAddr>,
    /// Who was asked.
    pub server: Option<SocketAddr>,
    /// Whether the messages have the magic cookie (RFC 5389 and later).
    pub cookie: bool,
    /// Binding requests, retransmissions among them.
    pub requests: u64,
    /// Success responses.
    pub successes: u64,
    /// Error responses.
    pub errors: u64,
    /// The mapped address of the last response.
    pub mapped: Option<SocketAddr>,
    /// The first request.
    #[serde(serialize_with = "unix_option")]
    pub first: Option<Time>,
    /// The last message.
    #[serde(serialize_with = "unix_option")]
    pub last: Option<Time>,
    /// The median round trip, milliseconds.
    pub round_trip_ms: Option<f64>,
}

fn unix<S: Serializer>(time: &Time, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.unix_nanos() as f64 / 1e9)
}

fn unix_option<S: Serializer>(time: &Option<Time>, serializer: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => unix(time, serializer),
        None => serializer.serialize_none(),
    }
}
