//! The static payload types of RFC 3551 section 6, tables 4 and 5.

use visavis_proto::frame::MediaKind;

/// What a static payload type stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::analysis) struct StaticType {
    /// As `a=rtpmap` would have it.
    pub(in crate::analysis) rtpmap: &'static str,
    /// The RTP clock, Hz.
    pub(in crate::analysis) clock_rate: u32,
    /// Sound or pictures; `None` where it can be both.
    pub(in crate::analysis) kind: Option<MediaKind>,
}

/// What a payload type stands for where nothing else is said of it.
pub(in crate::analysis) fn of(payload_type: u8) -> Option<StaticType> {
    let audio = |rtpmap, clock_rate| Some(StaticType { rtpmap, clock_rate, kind: Some(MediaKind::Audio) });
    let video = |rtpmap| Some(StaticType { rtpmap, clock_rate: 90_000, kind: Some(MediaKind::Video) });
    match payload_type {
        0 => audio("PCMU/8000", 8_000),
        3 => audio("GSM/8000", 8_000),
        4 => audio("G723/8000", 8_000),
        5 => audio("DVI4/8000", 8_000),
        6 => audio("DVI4/16000", 16_000),
        7 => audio("LPC/8000", 8_000),
        8 => audio("PCMA/8000", 8_000),
        9 => audio("G722/8000", 8_000),
        10 => audio("L16/44100/2", 44_100),
        11 => audio("L16/44100", 44_100),
        12 => audio("QCELP/8000", 8_000),
        13 => audio("CN/8000", 8_000),
        14 => audio("MPA/90000", 90_000),
        15 => audio("G728/8000", 8_000),
        16 => audio("DVI4/11025", 11_025),
        17 => audio("DVI4/22050", 22_050),
        18 => audio("G729/8000", 8_000),
        25 => video("CelB/90000"),
        26 => video("JPEG/90000"),
        28 => video("nv/90000"),
        31 => video("H261/90000"),
        32 => video("MPV/90000"),
        33 => Some(StaticType { rtpmap: "MP2T/90000", clock_rate: 90_000, kind: None }),
        34 => video("H263/90000"),
        _ => None,
    }
}
