//! What is said to an analysis beforehand: what old captures do not say themselves, keys, and bounds.

use std::fmt;
use std::str::FromStr;
use visavis_proto::limits::Limits;
use visavis_proto::rtp::srtp::{MasterKey, Profile};
use visavis_proto::sdp::format::AacPacking;
use visavis_proto::sdp::{CryptoLine, Encoding, Format, SessionDescription, View};

/// How to read a capture. The default reads what the capture says itself.
#[derive(Clone, Debug, Default)]
pub struct AnalysisOptions {
    /// What payload types carry, whatever the signalling says.
    pub payload_types: Vec<PayloadOverride>,
    /// Keys for SRTP, beside those that stand in the signalling.
    pub keys: Vec<SrtpKey>,
    /// How AAC lies in its packets, whatever the signalling says.
    pub audio_framing: Option<Framing>,
    /// What it may cost.
    pub limits: AnalysisLimits,
}

/// What an analysis may keep. What is left out is counted.
#[derive(Clone, Debug)]
pub struct AnalysisLimits {
    /// The most calls.
    pub calls: usize,
    /// The most messages of one call.
    pub messages: usize,
    /// Octets of the text of all messages together.
    pub text: usize,
    /// The most octets of one message's text.
    pub message_text: usize,
    /// The most RTP streams.
    pub streams: usize,
    /// The most flows that look like RTP and have not yet been found to be.
    pub candidates: usize,
    /// The most pairs of addresses that speak STUN.
    pub stun: usize,
    /// Those of the parsers.
    pub parsing: Limits,
}

impl Default for AnalysisLimits {
    fn default() -> Self {
        AnalysisLimits {
            calls: 10_000,
            messages: 2_000,
            text: 64 * 1024 * 1024,
            message_text: 16 * 1024,
            streams: 10_000,
            candidates: 1_024,
            stun: 4_096,
            parsing: Limits::default(),
        }
    }
}

/// How AAC lies in RTP packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// One access unit in each packet, and nothing else.
    Raw,
    /// Behind AU headers of mode AAC-hbr (RFC 3640 section 3.3.6).
    Rfc3640,
    /// In LATM elements (RFC 6416 section 6).
    Latm,
}

impl Framing {
    /// The format with AAC framed like this; another codec as it is.
    pub(super) fn apply(self, format: &mut Format) {
        let clock_rate = format.encoding.clock_rate();
        let Encoding::Aac(aac) = &mut format.encoding else { return };
        aac.packing = match self {
            Framing::Raw => AacPacking::Facetime { au_headers: false },
            Framing::Rfc3640 => match aac.packing {
                hbr @ AacPacking::Hbr { .. } => hbr,
                _ => AacPacking::HBR,
            },
            Framing::Latm => match aac.packing {
                latm @ AacPacking::Latm { .. } => latm,
                _ => AacPacking::Latm { clock_rate, in_band_config: false, frames_per_element: 1 },
            },
        };
    }
}

/// An option that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct OptionError(String);

/// What a payload type carries: `PT=CODEC/RATE[/CHANNELS][;fmtp]`, as in `105=X-AAC_ELD/22050` or
/// `96=mpeg4-generic/48000/1;mode=AAC-hbr;config=F8E63000;sizeLength=13;indexLength=3;indexDeltaLength=3`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayloadOverride(pub Format);

impl FromStr for PayloadOverride {
    type Err = OptionError;

    fn from_str(text: &str) -> Result<Self, OptionError> {
        let fail = |what: &str| OptionError(format!("{text}: {what}; try 105=X-AAC_ELD/22050"));
        let (number, rest) = text.split_once('=').ok_or_else(|| fail("not of the form PT=CODEC/RATE"))?;
        let payload_type: u8 = number.trim().parse().map_err(|_| fail("no payload type from 0 to 127"))?;
        if payload_type > 127 || text.contains(['\r', '\n']) {
            return Err(fail("no payload type from 0 to 127"));
        }
        let (rtpmap, fmtp) = rest.split_once(';').unwrap_or((rest, ""));
        let formats = ["audio", "video"].into_iter().find_map(|media| {
            let sdp = format!(
                "v=0\nm={media} 9 RTP/AVP {payload_type}\na=rtpmap:{payload_type} {rtpmap}\na=fmtp:{payload_type} {fmtp}\n"
            );
            let description = SessionDescription::parse(sdp.as_bytes(), &Limits::default()).ok()?;
            let view = View::new(&description, false);
            let formats = view.sections().next()?.formats();
            formats.into_iter().next()
        });
        formats
            .map(PayloadOverride)
            .ok_or_else(|| fail("no codec that is known here, or too little said of it"))
    }
}

/// A key for SRTP: `SSRC:SUITE:inline:BASE64`, or `any` for the SSRC.
#[derive(Clone)]
pub struct SrtpKey {
    /// The stream that it opens; `None` for any that it does.
    pub ssrc: Option<u32>,
    /// The key.
    pub key: MasterKey,
}

impl SrtpKey {
    /// The keys in a session description: what `--export-keys` of a call wrote, or any with `a=crypto`.
    ///
    /// # Errors
    /// It has none, or one that cannot be read.
    pub fn from_sdp(text: &str) -> Result<Vec<SrtpKey>, OptionError> {
        let lines = text.lines().map(str::trim).filter_map(|line| {
            line.strip_prefix("a=crypto:").or_else(|| line.strip_prefix("a=x-visavis-sent-crypto:"))
        });
        let mut keys: Vec<SrtpKey> = Vec::new();
        for line in lines {
            let crypto = CryptoLine::read(line)
                .ok_or_else(|| OptionError("an a=crypto line without inline:".into()))?;
            let key = master_key(crypto.suite, crypto.key)?;
            if keys.iter().all(|known| known.key != key) {
                keys.push(SrtpKey { ssrc: None, key });
            }
        }
        if keys.is_empty() { Err(OptionError("no a=crypto line in it".into())) } else { Ok(keys) }
    }
}

impl FromStr for SrtpKey {
    type Err = OptionError;

    fn from_str(text: &str) -> Result<Self, OptionError> {
        // The key itself does not belong into an error text.
        let form = || {
            OptionError(
                "a key is SSRC:SUITE:inline:BASE64, with any for the SSRC where one key opens all".into(),
            )
        };
        let (ssrc, rest) = text.split_once(':').ok_or_else(form)?;
        let (suite, key) = rest.split_once(':').ok_or_else(form)?;
        let ssrc = match ssrc.trim() {
            "any" => None,
            hex if hex.starts_with("0x") => {
                Some(u32::from_str_radix(hex.trim_start_matches("0x"), 16).map_err(|_| form())?)
            }
            number => Some(number.parse().map_err(|_| form())?),
        };
        let inline = if key.starts_with("inline:") { key.to_owned() } else { format!("inline:{key}") };
        Ok(SrtpKey { ssrc, key: master_key(suite, &inline)? })
    }
}

impl fmt::Debug for SrtpKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SrtpKey").field("ssrc", &self.ssrc).field("key", &self.key).finish()
    }
}

/// The key of an `a=crypto` line.
pub(super) fn master_key(suite: &str, inline: &str) -> Result<MasterKey, OptionError> {
    let profile: Profile = suite
        .parse()
        .map_err(|error: visavis_proto::rtp::srtp::UnknownProfile| OptionError(error.to_string()))?;
    MasterKey::from_inline(profile, inline).map_err(|error| OptionError(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use visavis_proto::frame::Codec;

    #[test]
    fn payload_types_are_given_as_sdp_says_them() {
        for (text, payload_type, codec) in [
            ("105=X-AAC_ELD/22050", 105, Codec::AacEld),
            ("110=X-AAC_LD/22050;AAC SamplesPerBlock 512", 110, Codec::AacLd),
            ("123=H264/90000", 123, Codec::H264),
            ("96=opus/48000/2", 96, Codec::Opus),
            ("8=PCMA/8000", 8, Codec::Pcma),
        ] {
            let PayloadOverride(format) = text.parse().unwrap();
            assert_eq!((format.payload_type, format.encoding.codec()), (payload_type, Some(codec)), "{text}");
        }
        for text in ["105", "x=PCMU/8000", "200=PCMU/8000", "96=what/1", "96=H264/8000"] {
            assert!(text.parse::<PayloadOverride>().is_err(), "{text}");
        }
    }

    #[test]
    fn framing_changes_aac_and_nothing_else() {
        let PayloadOverride(mut aac) = "105=X-AAC_ELD/22050".parse().unwrap();
        Framing::Rfc3640.apply(&mut aac);
        assert!(matches!(&aac.encoding, Encoding::Aac(f) if f.packing == AacPacking::HBR));
        let PayloadOverride(mut opus) = "96=opus/48000/2".parse().unwrap();
        let before = opus.clone();
        Framing::Latm.apply(&mut opus);
        assert_eq!(opus, before);
    }

    #[test]
    fn keys_are_read_from_options_and_from_descriptions() {
        let inline = "inline:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        let key: SrtpKey = format!("0x10:AES_CM_128_HMAC_SHA1_80:{inline}").parse().unwrap();
        assert_eq!(key.ssrc, Some(16));
        let any: SrtpKey = format!("any:AES_CM_128_HMAC_SHA1_80:{}", &inline[7..]).parse().unwrap();
        assert!(any.ssrc.is_none() && any.key == key.key);
        let sdp = format!(
            "v=0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 {inline}|2^20\r\n\
             a=x-visavis-sent-crypto:1 AES_CM_128_HMAC_SHA1_80 {inline}\r\n"
        );
        assert_eq!(SrtpKey::from_sdp(&sdp).unwrap().len(), 1);
        assert!(SrtpKey::from_sdp("v=0\r\n").is_err());
        let error = "any:NO_SUCH:inline:AAAA".parse::<SrtpKey>().unwrap_err();
        assert_eq!(error.to_string(), "NO_SUCH is no SRTP suite that is known here");
    }
}
