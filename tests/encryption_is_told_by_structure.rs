//! Clear and encrypted streams of every codec, each judged by the structure of its payloads; and the figures of 2010,
//! which were taken for a proof of clear text and are none.

use std::net::SocketAddr;
use visavis::capture::Datagram;
use visavis::capture::analysis::{Analysis, AnalysisOptions, Assessor, PayloadOverride};
use visavis::capture::findings::{Protection, ProtectionVerdict, StreamFindings, Transport};
use visavis::media_codecs::Pcm;
use visavis::media_codecs::codec::{open_audio_encoder, open_video_encoder};
use visavis::media_codecs::source::pattern::PatternSource;
use visavis::media_codecs::source::{FrameRate, VideoSource};
use visavis::proto::Time;
use visavis::proto::frame::EncodedFrame;
use visavis::proto::io::MediaFormat;
use visavis::proto::payload_format;
use visavis::proto::rtp::RtpHeader;
use visavis::proto::rtp::payload::Packetizer;
use visavis::proto::rtp::srtp::{MasterKey, Profile, Sender};

const SSRC: u32 = 0x1234_5678;
/// Every codec, as it is given to an analysis.
const CODECS: [&str; 8] = [
    "123=H264/90000;profile-level-id=42e01f;packetization-mode=1",
    "105=X-AAC_ELD/22050",
    "96=mpeg4-generic/48000/1;mode=AAC-hbr;config=F8E63000;sizeLength=13;indexLength=3;indexDeltaLength=3",
    "100=mpeg4-generic/44100/2;mode=AAC-hbr;config=1210;sizeLength=13;indexLength=3;indexDeltaLength=3",
    "97=opus/48000/2",
    "0=PCMU/8000",
    "8=PCMA/8000",
    "9=G722/8000",
];

/// Numbers that look random and are always the same.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

fn read(codec: &str) -> PayloadOverride {
    codec.parse().expect("a codec")
}

/// Five seconds of a stream: a voice-like tone that swells, with noise in it; or the test pattern.
fn stream(codec: &str) -> Vec<Vec<u8>> {
    let PayloadOverride(format) = read(codec);
    let mut packetizer = Packetizer::new(&payload_format(&format));
    let (mut packets, mut seq, mut timestamp) = (Vec::new(), 1_000u16, 5_000u32);
    for frame in frames(&format.encoding.media_format(20, 1_100).expect("frames")) {
        let mut payloads = Vec::new();
        packetizer.packetize(&frame.data, false, 1_100, &mut payloads).expect("payloads");
        for payload in payloads {
            let header = RtpHeader {
                marker: payload.marker,
                payload_type: format.payload_type,
                seq,
                timestamp: timestamp.wrapping_add(payload.timestamp_offset),
                ssrc: SSRC,
            };
            let mut packet = Vec::new();
            header.with_payload(&payload.payload).write(&mut packet);
            packets.push(packet);
            seq = seq.wrapping_add(1);
        }
        timestamp = timestamp.wrapping_add(if frame.duration > 0 { frame.duration } else { 3_000 });
    }
    packets
}

fn frames(format: &MediaFormat) -> Vec<EncodedFrame> {
    match format {
        MediaFormat::Audio(format) => {
            let mut encoder = open_audio_encoder(format, None).expect("an encoder");
            let (rate, samples) = (format.sample_rate, format.samples_per_frame as usize);
            let mut numbers = Numbers(7);
            let mut at = 0usize;
            let mut sample = || {
                at += 1;
                let seconds = at as f64 / f64::from(rate);
                let swell = 0.55 + 0.45 * (seconds * 9.0).sin();
                let noise = (numbers.next() % 2_000) as f64 - 1_000.0;
                (8_000.0 * swell * (seconds * 1_900.0).sin() + noise) as i16
            };
            let mut frame = || {
                let block = (0..samples).flat_map(|_| vec![sample(); format.channels.into()]).collect();
                let sound = Pcm::new(block, rate, format.channels).expect("a rate");
                encoder.encode(&sound).expect("coded sound")
            };
            (0..5 * rate as usize / samples).filter_map(|_| frame()).collect()
        }
        MediaFormat::Video(format) => {
            let rate = FrameRate::new(30, 1).expect("a rate");
            let mut source = PatternSource::new(320, 240, rate).expect("a size");
            let mut encoder = open_video_encoder(format, 500_000, 30.0).expect("an encoder");
            let mut frames = Vec::new();
            let mut now = Time::ZERO;
            while now < Time::from_millis(5_000) {
                let picture = source.next(now);
                frames.extend(picture.and_then(|picture| encoder.encode(&picture).expect("coded pictures")));
                now = source.due().expect("the pattern never ends");
            }
            frames
        }
    }
}

fn sealed(packets: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let key = MasterKey::new(Profile::Aes128CmHmacSha1_80, &[7; 16], &[9; 14]).expect("a key");
    let mut sender = Sender::new(&key);
    packets.iter().map(|packet| sender.rtp(packet).expect("a sealed packet").to_vec()).collect()
}

/// What an analysis makes of packets without any signalling, told only what the payload type is.
fn analyse(codec: &str, packets: &[Vec<u8>]) -> StreamFindings {
    let options = AnalysisOptions { payload_types: vec![read(codec)], ..AnalysisOptions::default() };
    let mut analysis = Analysis::new(options);
    let [source, destination]: [SocketAddr; 2] =
        ["192.0.2.1:4000", "192.0.2.2:4000"].map(|text| text.parse().expect("an address"));
    for (index, data) in packets.iter().enumerate() {
        analysis.push(&Datagram {
            packet: index as u64 + 1,
            time: Time::from_millis(1_000 + index as u64 * 20),
            source,
            destination,
            transport: Transport::Udp,
            data,
            length: data.len(),
            direction: None,
        });
    }
    let findings = analysis.finish();
    assert_eq!(findings.streams.len(), 1, "{codec}");
    findings.streams.into_iter().next().expect("a stream")
}

#[test]
fn clear_streams_of_every_codec_look_clear() {
    for codec in CODECS {
        let Protection { verdict, reasons, .. } = analyse(codec, &stream(codec)).protection;
        assert_eq!(verdict, ProtectionVerdict::LooksClear, "{codec}: {reasons:?}");
        assert!(!reasons.is_empty(), "{codec}");
    }
}

#[test]
fn the_same_streams_as_srtp_look_encrypted() {
    for codec in CODECS {
        let Protection { verdict, reasons, .. } = analyse(codec, &sealed(&stream(codec))).protection;
        assert_eq!(verdict, ProtectionVerdict::LooksEncrypted, "{codec}: {reasons:?}");
    }
}

#[test]
fn of_a_few_packets_nothing_is_said() {
    for codec in CODECS {
        let packets = stream(codec);
        for packets in [&packets[..8], &sealed(&packets[..8])] {
            let Protection { verdict, reasons, .. } = analyse(codec, packets).protection;
            assert_eq!(verdict, ProtectionVerdict::CannotTell, "{codec}: {reasons:?}");
            assert_eq!(reasons, ["8 packets are too few to judge"], "{codec}");
        }
    }
}

#[test]
fn a_stream_of_a_codec_that_nobody_named_is_found_and_put_together() {
    for (codec, name) in [
        ("123=H264/90000;profile-level-id=42e01f;packetization-mode=1", "H.264"),
        ("97=opus/48000/2", "Opus"),
    ] {
        let packets = stream(codec);
        let unnamed = analyse("30=PCMU/8000", &packets);
        assert_eq!(
            (unnamed.codec.as_deref(), unnamed.known_by),
            (Some(name), Some("guessed from the payload"))
        );
        assert_eq!(unnamed.frames, analyse(codec, &packets).frames);
        // What is sealed cannot be guessed.
        let sealed = analyse("30=PCMU/8000", &sealed(&packets));
        assert_eq!((sealed.codec, sealed.frames), (None, 0));
    }
}

#[test]
fn lost_repeated_and_swapped_packets_are_counted_as_a_receiver_counts_them() {
    let mut packets = stream("0=PCMU/8000");
    packets.remove(100);
    packets.remove(150);
    packets.swap(50, 51);
    packets.insert(80, packets[79].clone());
    let stream = analyse("0=PCMU/8000", &packets);
    assert_eq!((stream.packets, stream.duplicate, stream.reordered), (249, 1, 1));
    // RFC 3550 appendix A.3: a duplicate makes up for a loss.
    assert_eq!((stream.lost, stream.frames), (1, 248));
    assert_eq!(stream.seconds.iter().map(|second| second.packets).sum::<u32>(), 249);
}

/// The five figures that were published of the file in 2010.
#[derive(Debug)]
struct Figures {
    /// Bits an octet.
    entropy: f64,
    mean: f64,
    chi_square: f64,
    /// Four times the share of points (of three octets each way) that lie within a circle.
    pi: f64,
    /// How much an octet tells of the next.
    correlation: f64,
}

impl Figures {
    const PUBLISHED: Figures = Figures {
        entropy: 4.509_034,
        mean: 55.858_6,
        chi_square: 298_830_527.55,
        pi: 3.626_079_279,
        correlation: 0.622_531,
    };

    fn of(file: &[u8]) -> Self {
        let n = file.len() as f64;
        let mut counts = [0u64; 256];
        file.iter().for_each(|&octet| counts[usize::from(octet)] += 1);
        let shares = counts.iter().filter(|&&count| count > 0).map(|&count| count as f64 / n);
        let points = file.chunks_exact(6).map(|point| {
            let axis =
                |octets: &[u8]| octets.iter().fold(0.0, |value, &octet| value * 256.0 + f64::from(octet));
            axis(&point[..3]).hypot(axis(&point[3..])) <= f64::from((1 << 24) - 1)
        });
        let (inside, all) =
            points.fold((0.0, 0.0), |(inside, all), hit| (inside + f64::from(u8::from(hit)), all + 1.0));
        let sum: f64 = file.iter().map(|&octet| f64::from(octet)).sum();
        let squares: f64 = file.iter().map(|&octet| f64::from(octet).powi(2)).sum();
        let next = file[1..].iter().chain(&file[..1]);
        let products: f64 = file.iter().zip(next).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
        Figures {
            entropy: -shares.map(|share| share * share.log2()).sum::<f64>(),
            mean: sum / n,
            chi_square: counts.iter().map(|&count| (count as f64 - n / 256.0).powi(2) / (n / 256.0)).sum(),
            pi: 4.0 * inside / all,
            correlation: (n * products - sum * sum) / (n * squares - sum * sum),
        }
    }

    fn all(&self) -> [f64; 5] {
        [self.entropy, self.mean, self.chi_square, self.pi, self.correlation]
    }
}

/// A file as long as that of 2010: random octets, 200 to 1200 in a row, between runs of zeros that make up 55.8 %.
fn file_of_2010() -> Vec<u8> {
    let mut numbers = Numbers(2010);
    let mut file = Vec::new();
    while file.len() < 3_765_017 {
        let random = 200 + (numbers.next() % 1_001) as usize;
        file.extend((0..random).map(|_| (numbers.next() >> 24) as u8));
        let zeros = (random as f64 * 0.558 / 0.442).round() as usize;
        file.resize(file.len() + zeros, 0);
    }
    file.truncate(3_765_017);
    file
}

#[test]
fn zeros_between_random_octets_have_the_figures_that_were_published_in_2010() {
    let figures = Figures::of(&file_of_2010());
    for (ours, published) in figures.all().into_iter().zip(Figures::PUBLISHED.all()) {
        assert!((ours / published - 1.0).abs() < 0.012, "{figures:?}");
    }
    // And random octets alone have none of them.
    let mut numbers = Numbers(1);
    let random: Vec<u8> = (0..3_765_017).map(|_| (numbers.next() >> 24) as u8).collect();
    let random = Figures::of(&random);
    assert!(random.entropy > 7.99 && random.correlation.abs() < 0.01, "{random:?}");
}

#[test]
fn the_judge_leaves_the_zeros_out_and_calls_what_is_left_encrypted() {
    let PayloadOverride(format) = read("123=H264/90000;profile-level-id=42e01f;packetization-mode=1");
    let mut assessor = Assessor::new();
    let file = file_of_2010();
    for (index, payload) in file.chunks(1_400).enumerate() {
        assessor.feed(payload, index as u16, index as u64 * 3_000);
    }
    let Protection { verdict, reasons, .. } = assessor.verdict(Some(&format), false);
    assert_eq!(verdict, ProtectionVerdict::LooksEncrypted, "{reasons:?}");
    assert!(reasons[0].contains("% of its octets are runs of zeros"), "{reasons:?}");
}
