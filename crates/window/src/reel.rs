//! Pictures that wait for their time.

use std::collections::VecDeque;
use std::time::Duration;
use visavis_media::Picture;
use visavis_proto::Time;

/// How many pictures may wait: a second of them at 30 a second is more than any jitter buffer holds back.
const MOST: usize = 32;
/// A picture that is to be shown farther ahead than this is shown at once: its time can only be wrong.
const AHEAD: Duration = Duration::from_secs(2);

/// Pictures in the order of their times; of those that are due the newest is shown, and the others never are.
///
/// Times are taken by the wall clock ([`Time::unix_nanos`]), so that whoever shows need not have the clock of whoever
/// decodes.
#[derive(Debug, Default)]
pub(crate) struct Reel {
    waiting: VecDeque<Picture>,
}

impl Reel {
    /// Takes a picture, to be shown at its `captured` time.
    pub(crate) fn put(&mut self, picture: Picture) {
        let captured = wall(picture.captured);
        let picture = picture.at(captured);
        let at = self.waiting.partition_point(|other| other.captured <= picture.captured);
        self.waiting.insert(at, picture);
        if self.waiting.len() > MOST {
            self.waiting.pop_front();
        }
    }

    /// The picture to be shown now; `None`: the one on the screen stays there.
    pub(crate) fn take(&mut self, now: Time) -> Option<Picture> {
        let due = self.waiting.partition_point(|picture| is_due(picture, wall(now)));
        self.waiting.drain(..due).next_back()
    }

    /// How long the next picture still waits; `None` where there is none.
    pub(crate) fn wait(&self, now: Time) -> Option<Duration> {
        let (next, now) = (self.waiting.front()?, wall(now));
        Some(if is_due(next, now) { Duration::ZERO } else { next.captured.since(now) })
    }
}

fn wall(time: Time) -> Time {
    Time::from_nanos(time.unix_nanos())
}

fn is_due(picture: &Picture, now: Time) -> bool {
    picture.captured <= now || picture.captured.since(now) > AHEAD
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(ms: u64) -> Picture {
        Picture::new(16, 16).unwrap().at(Time::from_millis(ms)).numbered(ms)
    }

    fn taken(reel: &mut Reel, ms: u64) -> Option<u64> {
        reel.take(Time::from_millis(ms)).map(|picture| picture.sequence)
    }

    #[test]
    fn each_picture_is_shown_at_its_time_and_the_newest_of_those_that_are_due_wins() {
        let mut reel = Reel::default();
        [133, 100, 166].into_iter().for_each(|ms| reel.put(picture(ms)));
        assert_eq!(reel.wait(Time::from_millis(90)), Some(Duration::from_millis(10)));
        assert_eq!(taken(&mut reel, 90), None);
        assert_eq!(taken(&mut reel, 100), Some(100));
        assert_eq!(taken(&mut reel, 170), Some(166));
        assert_eq!(reel.wait(Time::from_millis(170)), None);
    }

    #[test]
    fn clocks_with_different_origins_agree_on_when_a_picture_is_due() {
        let mut reel = Reel::default();
        reel.put(picture(0).at(Time::from_millis(300).with_unix_offset(1_000_000_000)));
        let late = |ms| Time::from_millis(ms).with_unix_offset(1_200_000_000);
        assert_eq!(reel.wait(late(40)), Some(Duration::from_millis(60)));
        assert!(reel.take(late(99)).is_none() && reel.take(late(100)).is_some());
    }

    #[test]
    fn what_waits_is_bounded_and_a_time_that_is_far_away_is_not_believed() {
        let mut reel = Reel::default();
        (0..100).for_each(|n| reel.put(picture(1_000 + n)));
        assert_eq!(reel.waiting.len(), MOST);
        assert_eq!(taken(&mut reel, 5_000), Some(1_099));
        reel.put(picture(1_000_000));
        assert_eq!(reel.wait(Time::from_millis(5_000)), Some(Duration::ZERO));
        assert_eq!(taken(&mut reel, 5_000), Some(1_000_000));
    }
}
