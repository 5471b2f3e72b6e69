//! Coded frames that no codec made: each says which one it is and how long, so that a test knows on arrival
//! whether it is whole, and which one it was.

use bytes::Bytes;
use visavis_proto::Time;
use visavis_proto::frame::{Codec, EncodedFrame, Rotation};
use visavis_proto::io::MediaFormat;

/// An H.264 start code, and the parameter sets (of no use to a decoder) that go before a key frame.
const START_CODE: [u8; 4] = [0, 0, 0, 1];
const SPS: [u8; 5] = [0x67, 0x42, 0xe0, 0x1f, 0x8c];
const PPS: [u8; 4] = [0x68, 0xce, 0x3c, 0x80];
const IDR_SLICE: u8 = 0x65;
const SLICE: u8 = 0x41;
/// An Opus packet of one frame of 20 ms (RFC 6716 section 3.1).
const OPUS_TOC: u8 = 0x78;
/// Octets of number and length at the front.
const HEAD: usize = 24;

/// A frame for `format`, captured at `now`. `octets` is its size, where the format leaves a choice, and at
/// least 32. Pictures are key frames where `keyframe` says so.
pub fn frame(format: &MediaFormat, number: u64, octets: usize, keyframe: bool, now: Time) -> EncodedFrame {
    let octets = octets.max(HEAD + 8);
    match format {
        MediaFormat::Audio(audio) => {
            let ticks = u64::from(audio.samples_per_frame) * u64::from(audio.clock_rate);
            let duration = (ticks / u64::from(audio.sample_rate.max(1))) as u32;
            let data = match audio.codec {
                Codec::Pcmu | Codec::Pcma | Codec::G722 => {
                    body(number, duration as usize * usize::from(audio.channels))
                }
                Codec::Opus => [&[OPUS_TOC][..], &body(number, octets)].concat(),
                Codec::AacLc | Codec::AacLd | Codec::AacEld | Codec::H264 => body(number, octets),
            };
            EncodedFrame {
                data: data.into(),
                captured: now,
                duration,
                keyframe: true,
                rotation: Rotation::None,
            }
        }
        MediaFormat::Video(video) => {
            let room = video.max_nal.map_or(usize::MAX, |most| (most as usize).saturating_sub(1));
            let slice = body(number, octets.min(room));
            let data = if keyframe {
                [&START_CODE[..], &SPS, &START_CODE, &PPS, &START_CODE, &[IDR_SLICE], &slice].concat()
            } else {
                [&START_CODE[..], &[SLICE], &slice].concat()
            };
            EncodedFrame { data: data.into(), captured: now, duration: 0, keyframe, rotation: Rotation::None }
        }
    }
}

/// The number of a frame that is as [`frame`] made it, to the last octet.
pub fn number(codec: Codec, data: &Bytes) -> Option<u64> {
    let coded: &[u8] = match codec {
        Codec::H264 => {
            let last = data.windows(4).rposition(|w| w == START_CODE)?;
            let (kind, slice) = data.get(last + 4..)?.split_first()?;
            let sets = [&START_CODE[..], &SPS, &START_CODE, &PPS].concat();
            let before = data.get(..last)?;
            match *kind {
                IDR_SLICE if before == sets => slice,
                // A receiver cannot know that parameter sets went before the first packet that it got.
                IDR_SLICE | SLICE if before.is_empty() => slice,
                _ => return None,
            }
        }
        Codec::Opus => data.strip_prefix(&[OPUS_TOC])?,
        _ => data,
    };
    let head: [u8; HEAD] = coded.get(..HEAD)?.try_into().ok()?;
    let number = head[..16].iter().fold(0, |n, octet| n << 4 | u64::from(octet & 0x0f));
    (coded == body(number, coded.len())).then_some(number)
}

/// The number in 16 digits, the length in 8, then what both determine. No octet is below 0x80, so that nothing
/// looks like a start code, and a slice like the first one of its picture.
fn body(number: u64, octets: usize) -> Vec<u8> {
    let digit = |value: u64, place: u32| 0x80 | (value >> (4 * place) & 0x0f) as u8;
    let head = (0..16).rev().map(|place| digit(number, place));
    let length = (0..8).rev().map(|place| digit(octets as u64, place));
    let rest = (0..).map(|i: u64| 0x80 | (number.wrapping_mul(31) + i * 7) as u8);
    head.chain(length).chain(rest).take(octets).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use visavis_proto::frame::{AudioFormat, VideoFormat};

    fn audio(codec: Codec, sample_rate: u32, clock_rate: u32, samples_per_frame: u32) -> MediaFormat {
        MediaFormat::Audio(AudioFormat {
            codec,
            sample_rate,
            clock_rate,
            channels: 1,
            samples_per_frame,
            config: Bytes::new(),
            max_bitrate: None,
        })
    }

    #[test]
    fn a_frame_tells_its_number_and_a_changed_one_does_not() {
        let video = MediaFormat::Video(VideoFormat {
            codec: Codec::H264,
            profile_level_id: [0x42, 0xe0, 0x1f],
            max_fs: 3600,
            max_mbps: 108_000,
            max_size: None,
            max_fps: None,
            max_bitrate: None,
            max_nal: Some(500),
        });
        let g722 = audio(Codec::G722, 16_000, 8000, 320);
        let eld = audio(Codec::AacEld, 48_000, 48_000, 480);
        for (format, keyframe) in [(&video, true), (&video, false), (&g722, true), (&eld, true)] {
            let made = frame(format, 0x0123_4567_89ab, 1000, keyframe, Time::ZERO);
            assert_eq!(number(format.codec(), &made.data), Some(0x0123_4567_89ab));
            for at in 0..made.data.len() {
                let mut changed = made.data.to_vec();
                changed[at] ^= 0x41;
                assert_eq!(number(format.codec(), &changed.into()), None, "octet {at}");
            }
            assert_eq!(number(format.codec(), &made.data.slice(..made.data.len() - 1)), None);
        }
        assert_eq!(frame(&g722, 1, 1000, true, Time::ZERO).data.len(), 160);
        assert_eq!(frame(&g722, 1, 1000, true, Time::ZERO).duration, 160);
        assert_eq!(frame(&video, 1, 1000, false, Time::ZERO).data.len(), 4 + 500);
    }
}
