//! What goes out in header extensions beside which frame: the time of capture (RFC 6051 section 3.3) and how a picture
//! is to be turned (3GPP TS 26.114 section 7.4.5).

use crate::frame::Rotation;
use crate::rtp::extension::VideoOrientation;
use crate::rtp::{Extension, ExtensionIds};
use crate::time::Time;
use std::time::Duration;

/// With how many frames from the first one the time goes out: one that is lost does no harm.
const FIRST_FRAMES: u32 = 5;
/// How often it goes out later.
const EVERY: Duration = Duration::from_secs(1);

/// The header extensions of one section's stream.
#[derive(Debug, Default)]
pub(super) struct Announcer {
    ids: ExtensionIds,
    /// Frames since the stream began, up to [`FIRST_FRAMES`].
    frames: u32,
    /// When the time went out last.
    told: Option<Time>,
    due: bool,
    /// How the picture that was sent last is to be turned.
    rotation: Option<Rotation>,
}

/// The header extensions of the packets of one frame.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Announced {
    /// Of its first packet.
    pub(super) first: Option<Extension>,
    /// Of its last packet, where it has more than one.
    pub(super) last: Option<Extension>,
}

impl Announcer {
    /// Takes over what a negotiation ended with.
    pub(super) fn agree(&mut self, ids: ExtensionIds) {
        if self.ids != ids {
            *self = Announcer { ids, ..Announcer::default() };
        }
    }

    /// The time is to go out with the next frame: the sound that belongs to a key frame has it too.
    pub(super) fn tell_time(&mut self) {
        self.due = true;
    }

    /// How the pictures that are sent are to be turned; `None` where the peer was not told.
    pub(super) fn rotation(&self) -> Option<Rotation> {
        self.rotation
    }

    /// What goes out with a frame of so many packets, which was captured at `ntp`.
    ///
    /// The time stands in the first packet; the orientation in the last one of key frames and of pictures that are
    /// turned otherwise than the one before.
    pub(super) fn frame(
        &mut self,
        now: Time,
        ntp: Option<u64>,
        (keyframe, rotation): (bool, Rotation),
        packets: usize,
    ) -> Announced {
        let has_time = self.ids.has_ntp() && (keyframe || self.due || self.is_time_due(now));
        let ntp = ntp.filter(|_| has_time);
        if ntp.is_some() {
            (self.told, self.due) = (Some(now), false);
        }
        self.frames = self.frames.saturating_add(1).min(FIRST_FRAMES);
        let has_orientation = self.ids.orientation.is_some() && (keyframe || self.rotation != Some(rotation));
        let orientation = has_orientation.then(|| VideoOrientation::turned(rotation));
        if has_orientation {
            self.rotation = Some(rotation);
        }
        if packets > 1 {
            Announced { first: self.ids.write(ntp, None), last: self.ids.write(None, orientation) }
        } else {
            Announced { first: self.ids.write(ntp, orientation), last: None }
        }
    }

    fn is_time_due(&self, now: Time) -> bool {
        self.frames < FIRST_FRAMES || self.told.is_none_or(|told| now - told >= EVERY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::extension::NtpTimestamp;

    const IDS: ExtensionIds = ExtensionIds { ntp_64: Some(1), ntp_56: None, orientation: Some(2) };

    fn ms(millis: u64) -> Time {
        Time::from_millis(millis)
    }

    fn announcer() -> Announcer {
        let mut announcer = Announcer::default();
        announcer.agree(IDS);
        announcer
    }

    /// What the two extensions say: whether there is a time, and how the picture is turned.
    fn said(announced: &Announced) -> [(bool, Option<u16>); 2] {
        [&announced.first, &announced.last].map(|extension| {
            let read = extension.as_ref().map(|e| IDS.read(e.parts())).unwrap_or_default();
            assert!(read.ntp.is_none_or(|ntp| ntp == NtpTimestamp::Full(77)));
            (read.ntp.is_some(), read.orientation.map(|o| o.rotation.degrees()))
        })
    }

    #[test]
    fn the_time_goes_out_with_the_first_frames_and_then_once_a_second() {
        let mut announcer = announcer();
        let times: Vec<u64> = (0..150)
            .map(|n| n * 20)
            .filter(|millis| {
                let announced = announcer.frame(ms(*millis), Some(77), (false, Rotation::None), 3);
                said(&announced)[0].0
            })
            .collect();
        assert_eq!(times, [0, 20, 40, 60, 80, 1_080, 2_080]);
    }

    #[test]
    fn key_frames_and_the_sound_beside_them_have_the_time_whenever_they_come() {
        let mut announcer = announcer();
        (0..10).for_each(|n| drop(announcer.frame(ms(n), Some(77), (false, Rotation::None), 1)));
        let key = announcer.frame(ms(20), Some(77), (true, Rotation::None), 1);
        assert_eq!(said(&key), [(true, Some(0)), (false, None)]);
        assert!(!said(&announcer.frame(ms(30), Some(77), (false, Rotation::None), 1))[0].0);
        announcer.tell_time();
        assert!(said(&announcer.frame(ms(40), Some(77), (false, Rotation::None), 1))[0].0);
        assert!(!said(&announcer.frame(ms(50), Some(77), (false, Rotation::None), 1))[0].0);
    }

    #[test]
    fn the_orientation_stands_in_the_last_packet_of_key_frames_and_of_each_change() {
        let mut announcer = announcer();
        let mut turned = |keyframe, rotation| {
            let announced = announcer.frame(ms(0), None, (keyframe, rotation), 4);
            let [(_, first), (_, last)] = said(&announced);
            assert_eq!(first, None);
            last
        };
        assert_eq!(turned(true, Rotation::None), Some(0));
        assert_eq!(turned(false, Rotation::None), None);
        assert_eq!(turned(false, Rotation::Clockwise90), Some(90));
        assert_eq!(turned(false, Rotation::Clockwise90), None);
        assert_eq!(turned(true, Rotation::Clockwise90), Some(90));
        assert_eq!(turned(false, Rotation::None), Some(0));
    }

    #[test]
    fn nothing_goes_out_that_was_not_agreed_on() {
        let mut announcer = Announcer::default();
        let announced = announcer.frame(ms(0), Some(77), (true, Rotation::Clockwise180), 2);
        assert_eq!((announced, announcer.rotation()), (Announced::default(), None));
    }
}
