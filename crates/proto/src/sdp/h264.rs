//! H.264 in SDP (RFC 6184 section 8): sub-profiles, levels and their limits.

use std::fmt;
use std::str::FromStr;

/// Table A-1 of ITU-T H.264: level, MaxMBPS (macroblocks a second), MaxFS (macroblocks), MaxBR (1000 bit/s).
const LEVELS: [(Level, u32, u32, u32); 20] = [
    (Level::L1, 1_485, 99, 64),
    (Level::L1B, 1_485, 99, 128),
    (Level(22), 3_000, 396, 192),
    (Level(24), 6_000, 396, 384),
    (Level(26), 11_880, 396, 768),
    (Level(40), 11_880, 396, 2_000),
    (Level(42), 19_800, 792, 4_000),
    (Level(44), 20_250, 1_620, 4_000),
    (Level(60), 40_500, 1_620, 10_000),
    (Level(62), 108_000, 3_600, 14_000),
    (Level(64), 216_000, 5_120, 20_000),
    (Level(80), 245_760, 8_192, 20_000),
    (Level(82), 245_760, 8_192, 50_000),
    (Level(84), 522_240, 8_704, 50_000),
    (Level(100), 589_824, 22_080, 135_000),
    (Level(102), 983_040, 36_864, 240_000),
    (Level(104), 2_073_600, 36_864, 240_000),
    (Level(120), 4_177_920, 139_264, 240_000),
    (Level(122), 8_355_840, 139_264, 480_000),
    (Level(124), 16_711_680, 139_264, 800_000),
];

/// `constraint_set3_flag` in profile-iop: with level_idc 11 it means level 1b (RFC 6184 section 8.1).
const CONSTRAINT_SET3: u8 = 0x10;

/// How NAL units are put into packets (RFC 6184 section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PacketizationMode {
    /// Mode 0: one NAL unit in each packet.
    SingleNal,
    /// Mode 1: single NAL units, STAP-A and FU-A, in decoding order.
    NonInterleaved,
    /// Mode 2: interleaved. Read, never agreed to.
    Interleaved,
}

impl PacketizationMode {
    /// The value of the `packetization-mode` parameter.
    pub fn number(self) -> u8 {
        match self {
            PacketizationMode::SingleNal => 0,
            PacketizationMode::NonInterleaved => 1,
            PacketizationMode::Interleaved => 2,
        }
    }
}

/// The sub-profiles of RFC 6184 table 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Profile {
    /// Constrained Baseline.
    ConstrainedBaseline,
    /// Baseline.
    Baseline,
    /// Main.
    Main,
    /// Extended.
    Extended,
    /// High.
    High,
    /// Any other, by `profile_idc` and the constraint flags.
    Other(u8, u8),
}

impl Profile {
    /// Whether an endpoint that names the one profile can talk with one that names the other. Baseline and
    /// Constrained Baseline count as one: endpoints write 42001F or 42801F and mean no more than Constrained
    /// Baseline, since nobody sends the tools that differ (flexible macroblock order, arbitrary slice order,
    /// redundant slices).
    pub fn is_compatible(self, other: Profile) -> bool {
        let is_baseline = |p| matches!(p, Profile::ConstrainedBaseline | Profile::Baseline);
        self == other || (is_baseline(self) && is_baseline(other))
    }
}

/// A level of H.264, ordered by what it can do: 1 < 1b < 1.1 < ... < 6.2.
///
/// Its number is twice the `level_idc`; level 1b stands at 21, between 1 and 1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Level(u8);

impl Level {
    /// Level 1.
    pub const L1: Level = Level(20);
    /// Level 1b.
    pub const L1B: Level = Level(21);
    /// Level 3.1: 1280x720 at 30 pictures a second.
    pub const L3_1: Level = Level(62);

    /// The level that `level_idc` stands for; `set3` is `constraint_set3_flag` of a profile in which it can
    /// mean level 1b. A number between two levels is read as the lower one.
    fn from_idc(level_idc: u8, set3: bool) -> Self {
        match level_idc {
            9 => return Level::L1B,
            11 if set3 => return Level::L1B,
            _ => {}
        }
        let wanted = level_idc.saturating_mul(2);
        LEVELS
            .iter()
            .rev()
            .map(|(level, ..)| *level)
            .find(|level| level.0 <= wanted && *level != Level::L1B)
            .unwrap_or(Level::L1)
    }

    /// MaxFS: the most macroblocks in a picture (ITU-T H.264 table A-1).
    pub fn max_fs(self) -> u32 {
        self.row().1
    }

    /// MaxMBPS: the most macroblocks a second (ITU-T H.264 table A-1).
    pub fn max_mbps(self) -> u32 {
        self.row().0
    }

    /// MaxBR in bit/s (ITU-T H.264 table A-1, with the factor 1000 of the VCL bit stream).
    pub fn max_bitrate(self) -> u32 {
        self.row().2.saturating_mul(1_000)
    }

    fn row(self) -> (u32, u32, u32) {
        let found = LEVELS.iter().find(|(level, ..)| *level == self);
        found.map_or((1_485, 99, 64), |(_, mbps, fs, br)| (*mbps, *fs, *br))
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Level::L1B {
            return f.write_str("1b");
        }
        match (self.0 / 20, self.0 % 20 / 2) {
            (major, 0) => write!(f, "{major}"),
            (major, minor) => write!(f, "{major}.{minor}"),
        }
    }
}

/// The `profile-level-id` parameter: `profile_idc`, `profile-iop` and `level_idc`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ProfileLevelId(pub [u8; 3]);

impl ProfileLevelId {
    /// What is meant where the parameter is missing: Baseline, level 1 (RFC 6184 section 8.1).
    pub const DEFAULT: ProfileLevelId = ProfileLevelId([0x42, 0x00, 0x0a]);
    /// Constrained Baseline, level 3.1.
    pub const CONSTRAINED_BASELINE_3_1: ProfileLevelId = ProfileLevelId([0x42, 0xe0, 0x1f]);

    /// The sub-profile, by RFC 6184 table 5.
    pub fn profile(self) -> Profile {
        let [idc, iop, _] = self.0;
        let set = |bit: u8| iop & (0x80 >> bit) != 0;
        match idc {
            0x42 if set(1) => Profile::ConstrainedBaseline,
            0x4d if set(0) => Profile::ConstrainedBaseline,
            0x58 if set(0) && set(1) => Profile::ConstrainedBaseline,
            0x42 => Profile::Baseline,
            0x58 if set(0) => Profile::Baseline,
            0x4d => Profile::Main,
            0x58 => Profile::Extended,
            0x64 => Profile::High,
            _ => Profile::Other(idc, iop),
        }
    }

    /// The level.
    pub fn level(self) -> Level {
        let [_, iop, level_idc] = self.0;
        Level::from_idc(level_idc, self.has_1b_flag() && iop & CONSTRAINT_SET3 != 0)
    }

    /// The same sub-profile at another level.
    pub fn with_level(self, level: Level) -> Self {
        if level == self.level() {
            return self;
        }
        let [idc, iop, _] = self.0;
        let level_idc = level.0 / 2;
        if !self.has_1b_flag() {
            return ProfileLevelId([idc, iop, if level == Level::L1B { 9 } else { level_idc }]);
        }
        if level == Level::L1B {
            return ProfileLevelId([idc, iop | CONSTRAINT_SET3, 11]);
        }
        ProfileLevelId([idc, if level_idc == 11 { iop & !CONSTRAINT_SET3 } else { iop }, level_idc])
    }

    /// Whether level 1b is written as level_idc 11 with constraint_set3_flag.
    fn has_1b_flag(self) -> bool {
        matches!(self.0, [66 | 77 | 88, ..])
    }
}

impl FromStr for ProfileLevelId {
    type Err = ();

    /// Six hexadecimal digits.
    fn from_str(text: &str) -> Result<Self, ()> {
        let octets = super::fmtp::hex_octets(text).ok_or(())?;
        <[u8; 3]>::try_from(octets.as_slice()).map(ProfileLevelId).map_err(|_| ())
    }
}

impl fmt::Display for ProfileLevelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [idc, iop, level] = self.0;
        write!(f, "{idc:02X}{iop:02X}{level:02X}")
    }
}

/// The level that the `max-recv-level` parameter names: profile-iop and level_idc (RFC 6184 section 8.1).
pub(super) fn max_recv_level(text: &str) -> Option<Level> {
    match super::fmtp::hex_octets(text)?.as_slice() {
        [iop, level_idc] => Some(Level::from_idc(*level_idc, iop & CONSTRAINT_SET3 != 0)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> ProfileLevelId {
        text.parse().unwrap()
    }

    #[test]
    fn sub_profiles_follow_the_table() {
        for (text, profile) in [
            ("42E01F", Profile::ConstrainedBaseline),
            ("4d8028", Profile::ConstrainedBaseline),
            ("58C01E", Profile::ConstrainedBaseline),
            ("42801F", Profile::Baseline),
            ("42001f", Profile::Baseline),
            ("4D001F", Profile::Main),
            ("640028", Profile::High),
            ("6E1028", Profile::Other(0x6e, 0x10)),
        ] {
            assert_eq!(id(text).profile(), profile, "{text}");
        }
        assert!(id("42801F").profile().is_compatible(id("42E01F").profile()));
        assert!(!id("64001F").profile().is_compatible(id("42E01F").profile()));
    }

    #[test]
    fn level_1b_lies_between_1_and_1_1() {
        let (one, b, one_one) = (id("42E00A").level(), id("42F00B").level(), id("42E00B").level());
        assert!(one < b && b < one_one);
        assert_eq!(id("640009").level(), Level::L1B);
        assert_eq!(id("42E00B").with_level(Level::L1B), id("42F00B"));
        assert_eq!(id("42F00B").with_level(one_one), id("42E00B"));
        assert_eq!(id("64001F").with_level(Level::L1B), id("640009"));
    }

    #[test]
    fn levels_carry_the_limits_of_table_a_1() {
        let level = id("42E01F").level();
        assert_eq!((level, level.max_fs(), level.max_mbps()), (Level::L3_1, 3_600, 108_000));
        assert_eq!(level.max_bitrate(), 14_000_000);
        assert_eq!(level.to_string(), "3.1");
        assert_eq!(id("42E028").level().to_string(), "4");
        for (level, mbps, fs, _) in LEVELS {
            assert_eq!((level.max_mbps(), level.max_fs()), (mbps, fs));
        }
    }

    #[test]
    fn an_unknown_level_counts_as_the_next_lower_one() {
        assert_eq!(id("42E01D").level(), id("42E016").level());
        assert_eq!(id("42E0FF").level().to_string(), "6.2");
        assert_eq!(id("42E000").level(), Level::L1);
    }

    #[test]
    fn a_profile_level_id_has_six_hexadecimal_digits() {
        for bad in ["", "42E0", "42E01F00", "42E01G", "-2E01F", "é2E01"] {
            assert!(bad.parse::<ProfileLevelId>().is_err(), "{bad}");
        }
        assert_eq!(id("42e01f").to_string(), "42E01F");
    }
}
