//! The keys of a call in a form that other tools read.

use crate::endpoint::Error;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use std::fmt::Write;
use visavis_proto::frame::Codec;
use visavis_proto::io::{MediaFormat, Section};
use visavis_proto::rtp::srtp::MasterKey;
use visavis_proto::ske::Identity;

/// An identity for this run alone, kept nowhere.
///
/// # Errors
/// [`Error::Random`].
pub fn fresh_identity() -> Result<Identity, Error> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|e| Error::Random(e.to_string()))?;
    Ok(Identity::generate(&mut ChaCha20Rng::from_seed(seed)))
}

/// A session description of what a call receives, with the key that opens it in `a=crypto` (RFC 4568 section 9.1):
/// players such as ffmpeg take it with the packets of a capture. The key of what the call sends stands beside it as
/// `a=x-visavis-sent-crypto`. Whoever reads either can read the call.
pub fn sdp_with_keys(sections: &[Section], send: &MasterKey, receive: &MasterKey) -> String {
    let mut sdp = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=a call with its keys\r\nt=0 0\r\n".to_owned();
    for section in sections {
        let (Some(kind), Some(local), Some((number, format))) =
            (section.kind, section.local, section.receive.first())
        else {
            continue;
        };
        let family = if local.is_ipv4() { "IP4" } else { "IP6" };
        let lines = [
            format!("m={} {} RTP/SAVP {number}", kind.as_str(), local.port()),
            format!("c=IN {family} {}", local.ip()),
            format!("a=rtpmap:{number} {}", rtpmap(format)),
            format!("a=crypto:{}", receive.to_crypto_attribute(1).as_str()),
            format!("a=x-visavis-sent-crypto:{}", send.to_crypto_attribute(1).as_str()),
        ];
        for line in lines {
            // Writing to a String cannot fail.
            let _ = write!(sdp, "{line}\r\n");
        }
    }
    sdp
}

fn rtpmap(format: &MediaFormat) -> String {
    match format {
        MediaFormat::Video(_) => "H264/90000".into(),
        MediaFormat::Audio(audio) => {
            let name = match audio.codec {
                Codec::AacLc => "X-AAC",
                Codec::AacEld => "X-AAC_ELD",
                Codec::AacLd => "X-AAC_LD",
                Codec::Opus => return "opus/48000/2".into(),
                Codec::Pcmu => "PCMU",
                Codec::Pcma => "PCMA",
                Codec::G722 => "G722",
                Codec::H264 => "H264",
            };
            format!("{name}/{}", audio.clock_rate)
        }
    }
}
