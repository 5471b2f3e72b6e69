//! From what is to be seen to pixels: who is there above, the pictures in the middle, codecs and quality below.

use crate::action::KEYS;
use crate::canvas::{Area, Canvas, Colour, Type};
use crate::stage::{Phase, Screen};
use std::time::{Duration, Instant};
use visavis_media::Picture;
use visavis_media::pixel::mirror;
use visavis_media::scale::Scaler;

const BAR: Colour = 0x001c_1d21;
const BACK: Colour = 0x0000_0000;
const TEXT: Colour = 0x00ec_ecec;
const FAINT: Colour = 0x009a_9ca5;
const GOOD: Colour = 0x0063_c97c;
const BAD: Colour = 0x00f0_6a60;
const WARN: Colour = 0x00f0_b84a;
const EDGE: Colour = 0x00d8_d8dc;

/// Of the room for pictures, how much our own takes across.
const OWN_SHARE: usize = 4;
/// What a window is opened with at least, that a line of figures may be read.
const NARROWEST: u32 = 480;
/// Lines below the pictures: one for each medium.
const LINES: usize = 2;

/// Draws one screen after the other; keeps scaled pictures that did not change.
#[derive(Default)]
pub struct Painter {
    remote: Fitted,
    own: Fitted,
}

/// What the window itself knows of how it is to be drawn.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// How much finer than usual the screen's pixels are.
    pub scale: f64,
    /// The keys are to be explained.
    pub help: bool,
    /// The time, for the timer.
    pub now: Instant,
}

/// The size of a window that shows pictures of `width` x `height` as they are, and what stands above and below.
pub fn window_size((width, height): (u32, u32), scale: f64) -> (u32, u32) {
    let bars = Bars::of(Type::for_scale(scale));
    (width.max(NARROWEST), height + (bars.top + bars.bottom) as u32)
}

/// How high the bars are, pixels.
#[derive(Clone, Copy)]
struct Bars {
    pad: usize,
    top: usize,
    bottom: usize,
}

impl Bars {
    fn of(size: Type) -> Self {
        let (line, pad) = (size.height(), size.height() / 2);
        Bars { pad, top: line + 2 * (pad / 2 + 1), bottom: LINES * line + 2 * (pad / 2 + 1) }
    }
}

impl Painter {
    /// A painter that has drawn nothing yet.
    pub fn new() -> Self {
        Painter::default()
    }

    /// Draws a screen onto `width` x `height` pixels (0x00RRGGBB, rows from the top down, without padding). What there
    /// is no room for is left out.
    pub fn draw(&mut self, screen: &Screen, style: Style, pixels: &mut [u32], width: usize, height: usize) {
        let mut canvas = Canvas::new(pixels, width, height);
        let size = Type::for_scale(style.scale);
        let bars = Bars::of(size);
        let all = canvas.all();
        let middle = all.height.saturating_sub(bars.top + bars.bottom);
        let room = Area::new(0, bars.top.min(all.height), all.width, middle);
        canvas.fill(room, BACK);
        if let Some(picture) = &screen.remote {
            self.remote.show(&mut canvas, picture, room, false);
        }
        let over = matches!(screen.facts.phase, Phase::Over { .. });
        if over {
            canvas.tint(room, BACK, 150);
        } else if let Some(picture) = &screen.own {
            let own = corner(picture, room, bars.pad);
            self.own.show(&mut canvas, picture, own, true);
            canvas.frame(own, 1, EDGE);
        }
        if style.help {
            help(&mut canvas, room, size);
        } else if !screen.facts.words.is_empty() && (over || screen.remote.is_none()) {
            words(&mut canvas, room, size, screen);
        }
        if let Some(note) = &screen.note {
            let note = size.fit(note, room.width.saturating_sub(4 * bars.pad));
            let (x, y) =
                (room.x + bars.pad, (room.y + room.height).saturating_sub(size.height() + 3 * bars.pad));
            let (width, height) = (size.width(&note) + 2 * bars.pad, size.height() + bars.pad);
            canvas.tint(Area::new(x, y, width, height), BAR, 225);
            canvas.text(x + bars.pad, y + bars.pad / 2, size, TEXT, &note);
        }
        header(&mut canvas, size, bars, screen, style.now);
        let bottom = Area::new(0, all.height.saturating_sub(bars.bottom), all.width, bars.bottom);
        canvas.fill(bottom, BAR);
        for (n, line) in screen.facts.quality.iter().take(LINES).enumerate() {
            let y = bottom.y + bars.pad / 2 + 1 + n * size.height();
            let line = size.fit(line, all.width.saturating_sub(2 * bars.pad));
            canvas.text(bars.pad, y, size, FAINT, &line);
        }
        if screen.facts.quality.is_empty() {
            canvas.text(bars.pad, bottom.y + bars.pad / 2 + 1, size, FAINT, "? shows the keys");
        }
    }
}

/// Who is there, what is not sent, and since when the call is up.
fn header(canvas: &mut Canvas<'_>, size: Type, bars: Bars, screen: &Screen, now: Instant) {
    let all = canvas.all();
    canvas.fill(Area::new(0, 0, all.width, bars.top), BAR);
    let y = bars.pad / 2 + 1;
    let mut right = all.width.saturating_sub(bars.pad);
    let mut put = |canvas: &mut Canvas<'_>, text: &str, colour: Colour| {
        let Some(x) = right.checked_sub(size.width(text)).filter(|&x| x > bars.pad) else { return };
        canvas.text(x, y, size, colour, text);
        right = x.saturating_sub(2 * bars.pad);
    };
    match &screen.facts.phase {
        Phase::Waiting => {}
        Phase::Calling => put(canvas, "calling", FAINT),
        Phase::Ringing => put(canvas, "ringing", WARN),
        Phase::Up(since) => put(canvas, &clock(now.saturating_duration_since(*since)), TEXT),
        Phase::Over { lasted: Some(lasted), .. } => put(canvas, &clock(*lasted), FAINT),
        Phase::Over { lasted: None, .. } => {}
    }
    if screen.camera_off {
        put(canvas, "camera off", WARN);
    }
    if screen.muted {
        put(canvas, "muted", WARN);
    }
    let peer = size.fit(&screen.facts.peer, right.saturating_sub(bars.pad));
    canvas.text(bars.pad, y, size, TEXT, &peer);
}

/// What happens, in the middle: over a picture on a panel, or it could not be read.
fn words(canvas: &mut Canvas<'_>, room: Area, size: Type, screen: &Screen) {
    let verdict = match screen.facts.phase {
        Phase::Over { good: Some(true), .. } => GOOD,
        Phase::Over { good: Some(false), .. } => BAD,
        _ => TEXT,
    };
    let (step, pad) = (size.height() * 3 / 2, size.height());
    let lines = screen.facts.words.iter();
    let lines: Vec<String> = lines.map(|line| size.fit(line, room.width.saturating_sub(2 * pad))).collect();
    let width = lines.iter().map(|line| size.width(line)).max().unwrap_or(0);
    let panel = room.middle(width + 2 * pad, lines.len() * step + pad);
    if screen.remote.is_some() {
        canvas.tint(panel, BAR, 225);
    }
    for (n, line) in lines.iter().enumerate() {
        let x = panel.middle(size.width(line), 0).x;
        let y = panel.y + pad / 2 + n * step + (step - size.height()) / 2;
        if y + size.height() > room.y + room.height {
            return;
        }
        canvas.text(x, y, size, if n == 0 { TEXT } else { verdict }, line);
    }
}

fn help(canvas: &mut Canvas<'_>, room: Area, size: Type) {
    let (letters, longest) = KEYS
        .iter()
        .fold((0, 0), |(a, b), (keys, what)| (a.max(keys.chars().count()), b.max(what.chars().count())));
    let (line, pad) = (size.height() * 5 / 4, size.height());
    let width = (letters + 2 + longest) * size.advance() + 2 * pad;
    let panel = room.middle(width, KEYS.len() * line + 2 * pad);
    canvas.tint(panel, BAR, 225);
    canvas.frame(panel, 1, EDGE);
    let text = panel.inside(pad);
    for (n, (keys, what)) in KEYS.iter().enumerate() {
        let y = text.y + n * line;
        if y + size.height() > panel.y + panel.height {
            return;
        }
        canvas.text(text.x, y, size, WARN, keys);
        let x = text.x + (letters + 2) * size.advance();
        canvas.text(x, y, size, TEXT, &size.fit(what, (panel.x + panel.width).saturating_sub(x)));
    }
}

/// Where our own picture goes: the upper right corner.
fn corner(picture: &Picture, room: Area, pad: usize) -> Area {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let most = Area::new(0, 0, room.width / OWN_SHARE, room.height / OWN_SHARE);
    let (width, height) = fit((width, height), most);
    let x = (room.x + room.width).saturating_sub(width + pad);
    Area::new(x, room.y + pad.min(room.height), width, height)
}

/// The largest size of the shape of a picture that an area has room for.
fn fit((width, height): (usize, usize), room: Area) -> (usize, usize) {
    if width * room.height <= height * room.width {
        ((width * room.height / height.max(1)).max(1), room.height)
    } else {
        (room.width, (height * room.width / width.max(1)).max(1))
    }
}

/// A picture at the size it was last drawn at.
#[derive(Default)]
struct Fitted {
    scaler: Scaler,
    last: Option<(Picture, Picture)>,
}

impl Fitted {
    /// Draws a picture into an area, as large as it has room for, in its middle.
    fn show(&mut self, canvas: &mut Canvas<'_>, picture: &Picture, room: Area, mirrored: bool) {
        let (width, height) = fit((picture.width() as usize, picture.height() as usize), room);
        let wanted = (width as u32, height as u32);
        let drawn =
            self.last.take().filter(|(from, to)| from.shares_pixels_with(picture) && to.size() == wanted);
        let drawn = drawn.or_else(|| {
            // No room is no size, and nothing is drawn.
            let scaled = self.scaler.scale(picture, wanted).ok()?;
            Some((picture.clone(), if mirrored { mirror(&scaled) } else { scaled }))
        });
        if let Some((_, drawn)) = &drawn {
            let place = room.middle(width, height);
            canvas.picture(place.x, place.y, drawn);
        }
        self.last = drawn;
    }
}

/// A time as a clock shows it.
fn clock(time: Duration) -> String {
    let s = time.as_secs();
    match s / 3600 {
        0 => format!("{:02}:{:02}", s / 60, s % 60),
        hours => format!("{hours}:{:02}:{:02}", s / 60 % 60, s % 60),
    }
}

#[cfg(test)]
#[path = "paint_tests.rs"]
mod tests;
