//! AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1) of AAC-LC, AAC-LD and AAC-ELD: read and written.

/// The kind of AAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AacObject {
    /// Low Complexity, audio object type 2: for files.
    Lc,
    /// Low Delay, audio object type 23.
    Ld,
    /// Enhanced Low Delay, audio object type 39.
    Eld,
}

/// What an AudioSpecificConfig says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AacConfig {
    /// The kind of AAC.
    pub object: AacObject,
    /// Samples a second of the core coder, Hz.
    pub sample_rate: u32,
    /// 1 or 2.
    pub channels: u8,
    /// Samples per channel in an access unit: 480 or 512, for Low Complexity 960 or 1024.
    pub granule: u32,
    /// Whether low delay spectral band replication doubles the rate (or the bandwidth) of AAC-ELD.
    pub sbr: bool,
}

/// Sample rates by `samplingFrequencyIndex` (table 1.18).
const RATES: [u32; 13] =
    [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350];

impl AacConfig {
    /// Reads an AudioSpecificConfig.
    ///
    /// # Errors
    /// In words: what it holds that is not AAC-LC, -LD or -ELD in mono or stereo.
    pub fn parse(config: &[u8]) -> Result<AacConfig, String> {
        let mut bits = Bits { data: config, at: 0 };
        let read = |bits: &mut Bits<'_>| -> Option<Result<AacConfig, String>> {
            let mut object_type = bits.take(5)?;
            if object_type == 31 {
                object_type = 32 + bits.take(6)?;
            }
            let object = match object_type {
                2 => AacObject::Lc,
                23 => AacObject::Ld,
                39 => AacObject::Eld,
                other => return Some(Err(format!("audio object type {other}, known are 2, 23 and 39"))),
            };
            let sample_rate = match bits.take(4)? {
                15 => bits.take(24)?,
                index => match RATES.get(index as usize) {
                    Some(&rate) => rate,
                    None => return Some(Err(format!("reserved sampling frequency index {index}"))),
                },
            };
            let channels = match bits.take(4)? {
                n @ 1..=2 => n as u8,
                n => return Some(Err(format!("channel configuration {n}, possible are 1 and 2"))),
            };
            let short = bits.take(1)? == 1;
            let granule = match (object, short) {
                (AacObject::Lc, false) => 1_024,
                (AacObject::Lc, true) => 960,
                (_, false) => 512,
                (_, true) => 480,
            };
            let mut sbr = false;
            if object == AacObject::Eld {
                bits.take(3)?; // the three resilience flags
                sbr = bits.take(1)? == 1;
            }
            Some(Ok(AacConfig { object, sample_rate, channels, granule, sbr }))
        };
        read(&mut bits).unwrap_or_else(|| Err(format!("it breaks off after {} octets", config.len())))
    }

    /// Writes the AudioSpecificConfig, without error resilience tools and without spectral band replication.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bits = Writer::default();
        match self.object {
            AacObject::Lc => bits.put(2, 5),
            AacObject::Ld => bits.put(23, 5),
            AacObject::Eld => {
                bits.put(31, 5);
                bits.put(39 - 32, 6);
            }
        }
        match RATES.iter().position(|&rate| rate == self.sample_rate) {
            Some(index) => bits.put(index as u32, 4),
            None => {
                bits.put(15, 4);
                bits.put(self.sample_rate, 24);
            }
        }
        bits.put(self.channels.into(), 4);
        bits.put(u32::from(matches!(self.granule, 480 | 960)), 1);
        match self.object {
            // dependsOnCoreCoder, extensionFlag
            AacObject::Lc => bits.put(0, 2),
            // dependsOnCoreCoder, extensionFlag; three resilience flags, extensionFlag3; epConfig
            AacObject::Ld => bits.put(0b0100_0000, 8),
            // three resilience flags, ldSbrPresentFlag; ELDEXT_TERM; epConfig
            AacObject::Eld => bits.put(0, 10),
        }
        bits.data
    }
}

struct Bits<'a> {
    data: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, count: u32) -> Option<u32> {
        let mut value = 0;
        for _ in 0..count {
            let octet = self.data.get(self.at / 8)?;
            value = (value << 1) | u32::from((octet >> (7 - self.at % 8)) & 1);
            self.at += 1;
        }
        Some(value)
    }
}

#[derive(Default)]
struct Writer {
    data: Vec<u8>,
    used: u32,
}

impl Writer {
    fn put(&mut self, value: u32, count: u32) {
        for i in (0..count).rev() {
            if self.used.is_multiple_of(8) {
                self.data.push(0);
            }
            if let Some(last) = self.data.last_mut() {
                *last |= (((value >> i) & 1) as u8) << (7 - self.used % 8);
            }
            self.used += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_configs_known_from_the_wire_are_written_and_read() {
        let known: [(&[u8], AacObject, u32, u8, u32); 7] = [
            (&[0xbb, 0x8d, 0x00], AacObject::Ld, 22_050, 1, 480),
            (&[0xba, 0x09, 0x00], AacObject::Ld, 44_100, 1, 512),
            (&[0xf8, 0xee, 0x30, 0x00], AacObject::Eld, 22_050, 1, 480),
            (&[0xf8, 0xe8, 0x50, 0x00], AacObject::Eld, 44_100, 2, 480),
            (&[0xf8, 0xe6, 0x20, 0x00], AacObject::Eld, 48_000, 1, 512),
            (&[0x11, 0x90], AacObject::Lc, 48_000, 2, 1_024),
            (&[0x12, 0x10], AacObject::Lc, 44_100, 2, 1_024),
        ];
        for (bytes, object, sample_rate, channels, granule) in known {
            let config = AacConfig { object, sample_rate, channels, granule, sbr: false };
            assert_eq!(config.to_bytes(), bytes);
            assert_eq!(AacConfig::parse(bytes), Ok(config));
        }
    }

    #[test]
    fn what_is_no_config_is_refused_in_words() {
        assert!(AacConfig::parse(&[]).unwrap_err().contains("breaks off after 0 octets"));
        assert!(AacConfig::parse(&[0x2b, 0x92]).unwrap_err().contains("audio object type 5"));
        assert!(AacConfig::parse(&[0x11, 0xb8]).unwrap_err().contains("channel configuration 7"));
        assert!(AacConfig::parse(&[0x16, 0x90]).unwrap_err().contains("reserved"));
    }

    proptest! {
        #[test]
        fn any_octets_are_read_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..10)) {
            if let Ok(config) = AacConfig::parse(&bytes) {
                let plain = AacConfig { sbr: false, ..config };
                prop_assert_eq!(AacConfig::parse(&plain.to_bytes()), Ok(plain));
            }
        }
    }
}
