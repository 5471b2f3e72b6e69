//! Playing and showing what a call receives: its sinks, until they fail.

use super::Sinks;
use std::io;
use std::sync::Arc;
use visavis_media::picture::Picture;
use visavis_media::pixel;
use visavis_media::sink::{AudioSink, VideoSink};
use visavis_media::sound::Pcm;
use visavis_proto::frame::MediaKind;
use visavis_proto::io::CallHandle;

/// The sinks of one call.
pub(super) struct Shown {
    call: CallHandle,
    sinks: Arc<dyn Sinks>,
    audio: Slot<dyn AudioSink>,
    video: Slot<dyn VideoSink>,
}

/// One sink.
enum Slot<S: ?Sized> {
    /// Nothing has come for it.
    Unasked,
    Open(Box<S>),
    /// There is none, for now.
    Absent,
    /// It failed.
    Closed,
}

impl<S: ?Sized> Slot<S> {
    fn asked(&mut self, open: impl FnOnce() -> Option<Box<S>>) -> Option<&mut S> {
        if let Slot::Unasked = self {
            *self = open().map_or(Slot::Absent, Slot::Open);
        }
        match self {
            Slot::Open(sink) => Some(sink),
            _ => None,
        }
    }

    fn ask_again(&mut self) {
        if let Slot::Absent = self {
            *self = Slot::Unasked;
        }
    }
}

impl Shown {
    pub(super) fn new(call: CallHandle, sinks: Arc<dyn Sinks>) -> Self {
        Shown { call, sinks, audio: Slot::Unasked, video: Slot::Unasked }
    }

    /// Something was agreed on anew: what was not there may be there now.
    pub(super) fn ask_again(&mut self) {
        self.audio.ask_again();
        self.video.ask_again();
    }

    /// Plays a stretch of sound.
    pub(super) fn sound(&mut self, sound: &Pcm) {
        let Shown { call, sinks, .. } = self;
        let Some(sink) = self.audio.asked(|| sinks.audio(*call)) else { return };
        if let Err(error) = sink.play(sound) {
            self.failed(MediaKind::Audio, &error);
            self.audio = Slot::Closed;
        }
    }

    /// Shows a picture, turned as it says.
    pub(super) fn picture(&mut self, picture: &Picture) {
        let Shown { call, sinks, .. } = self;
        let Some(sink) = self.video.asked(|| sinks.video(*call)) else { return };
        if let Err(error) = sink.show(&pixel::upright(picture)) {
            self.failed(MediaKind::Video, &error);
            self.video = Slot::Closed;
        }
    }

    /// The call is over.
    pub(super) fn finish(&mut self) {
        if let Slot::Open(mut sink) = std::mem::replace(&mut self.audio, Slot::Closed)
            && let Err(error) = sink.finish()
        {
            self.failed(MediaKind::Audio, &error);
        }
        if let Slot::Open(mut sink) = std::mem::replace(&mut self.video, Slot::Closed)
            && let Err(error) = sink.finish()
        {
            self.failed(MediaKind::Video, &error);
        }
    }

    fn failed(&self, kind: MediaKind, error: &io::Error) {
        self.sinks.failed(self.call, kind, error);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use visavis_proto::Time;
    use visavis_proto::frame::Rotation;

    /// What was asked of the sinks, in order. A sink of sound fails with its third stretch.
    #[derive(Clone, Default)]
    struct Book(Arc<Mutex<Vec<String>>>);

    impl Book {
        fn write(&self, line: impl Into<String>) {
            self.0.lock().unwrap().push(line.into());
        }
    }

    struct Speaker(Book, u32);

    impl AudioSink for Speaker {
        fn play(&mut self, sound: &Pcm) -> io::Result<()> {
            self.1 += 1;
            self.0.write(format!("play at {}", sound.captured.nanos() / 1_000_000));
            if self.1 == 3 { Err(io::Error::other("unplugged")) } else { Ok(()) }
        }
    }

    struct Window(Book);

    impl VideoSink for Window {
        fn show(&mut self, picture: &Picture) -> io::Result<()> {
            self.0.write(format!("show {:?}", picture.size()));
            Ok(())
        }

        fn finish(&mut self) -> io::Result<()> {
            self.0.write("close");
            Ok(())
        }
    }

    struct Room(Book, bool);

    impl Sinks for Room {
        fn audio(&self, call: CallHandle) -> Option<Box<dyn AudioSink>> {
            self.0.write(format!("speaker of {}", call.0));
            self.1.then(|| Box::new(Speaker(self.0.clone(), 0)) as Box<dyn AudioSink>)
        }

        fn video(&self, _: CallHandle) -> Option<Box<dyn VideoSink>> {
            Some(Box::new(Window(self.0.clone())))
        }

        fn failed(&self, call: CallHandle, kind: MediaKind, error: &io::Error) {
            self.0.write(format!("{} of {} {error}", kind.as_str(), call.0));
        }
    }

    fn sound(ms: u64) -> Pcm {
        Pcm::silence(160, 8_000, 1).unwrap().at(Time::from_millis(ms))
    }

    #[test]
    fn a_sink_that_fails_gets_nothing_more_and_that_is_said_once() {
        let book = Book::default();
        let mut shown = Shown::new(CallHandle(7), Arc::new(Room(book.clone(), true)));
        for n in 0..5 {
            shown.sound(&sound(100 + 20 * n));
        }
        shown.picture(&Picture::new(320, 240).unwrap());
        shown.finish();
        let lines = book.0.lock().unwrap().clone();
        let expected = [
            "speaker of 7",
            "play at 100",
            "play at 120",
            "play at 140",
            "audio of 7 unplugged",
            "show (320, 240)",
            "close",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn a_sink_that_is_not_there_is_asked_for_again_when_something_is_agreed_on_and_one_that_failed_is_not() {
        let book = Book::default();
        let mut shown = Shown::new(CallHandle(3), Arc::new(Room(book.clone(), false)));
        (0..3).for_each(|n| shown.sound(&sound(20 * n)));
        shown.ask_again();
        (0..3).for_each(|n| shown.sound(&sound(60 + 20 * n)));
        assert_eq!(*book.0.lock().unwrap(), ["speaker of 3", "speaker of 3"]);
        let book = Book::default();
        let mut shown = Shown::new(CallHandle(3), Arc::new(Room(book.clone(), true)));
        (0..3).for_each(|n| shown.sound(&sound(20 * n)));
        shown.ask_again();
        shown.sound(&sound(60));
        let lines = book.0.lock().unwrap().clone();
        assert_eq!(lines.iter().filter(|line| line.starts_with("speaker")).count(), 1, "{lines:?}");
    }

    #[test]
    fn pictures_are_shown_upright() {
        let book = Book::default();
        let mut shown = Shown::new(CallHandle(1), Arc::new(Room(book.clone(), false)));
        for rotation in [Rotation::None, Rotation::Clockwise90, Rotation::Clockwise180] {
            shown.picture(&Picture::new(320, 240).unwrap().rotated(rotation));
        }
        assert_eq!(*book.0.lock().unwrap(), ["show (320, 240)", "show (240, 320)", "show (320, 240)"]);
    }

    #[test]
    fn whoever_has_no_sink_is_asked_once() {
        let book = Book::default();
        let mut shown = Shown::new(CallHandle(1), Arc::new(Room(book.clone(), false)));
        (0..3).for_each(|n| shown.sound(&sound(n)));
        shown.finish();
        assert_eq!(*book.0.lock().unwrap(), ["speaker of 1"]);
    }
}
