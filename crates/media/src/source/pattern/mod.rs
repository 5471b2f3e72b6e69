//! The moving test pattern: a picture that says which one it is, that people like to look at, and that costs a
//! codec something.
//!
//! Every picture carries a [`Stamp`] (number, capture time, checksum) in cells that survive hard compression
//! and scaling. A picture is a pure function of (width, height, stamp): whoever reads the stamp can draw the
//! original again and compare. For people there are the number and the time of day in figures, a clock hand
//! that turns once a second, a ball that meets the ground on every full second, and colour bars, a grey
//! staircase and fine lines, by which colour, range and sharpness are judged. In the first [`PULSE`] of every
//! second of the wall clock the clock's hub lights up, together with the marker of
//! [`ToneSource`](super::tone::ToneSource).

mod canvas;
mod card;
mod code;
mod font;
mod shape;

pub use card::card;
pub use code::{Reading, Stamp};

use super::{FrameRate, Grid, VideoSource};
use crate::picture::{Component, MAX_DIMENSION, Picture};
use canvas::{Area, Canvas, Colour};
use shape::Shape;
use std::time::Duration;
use visavis_proto::time::Time;

/// How long picture and sound mark the start of each second.
pub const PULSE: Duration = Duration::from_millis(100);

/// The smallest pattern, pixels across and down.
pub const MIN_SIZE: (u32, u32) = (128, 96);

/// A size that the pattern cannot be drawn at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the test pattern needs even sides of 128 x 96 to {MAX_DIMENSION} x {MAX_DIMENSION} pixels, not {width} x {height}"
)]
pub struct PatternSizeError {
    /// Pixels across that were asked for.
    pub width: u32,
    /// Pixels down that were asked for.
    pub height: u32,
}

/// Draws the test pattern at one size.
#[derive(Clone, Debug)]
pub struct Pattern {
    backdrop: Picture,
}

impl Pattern {
    /// A pattern of `width` x `height` pixels.
    ///
    /// # Errors
    /// Sides that are odd, below [`MIN_SIZE`] or above [`MAX_DIMENSION`].
    pub fn new(width: u32, height: u32) -> Result<Self, PatternSizeError> {
        let wrong = PatternSizeError { width, height };
        if width < MIN_SIZE.0 || height < MIN_SIZE.1 || width % 2 + height % 2 > 0 {
            return Err(wrong);
        }
        let mut backdrop = Picture::new(width, height).map_err(|_| wrong)?;
        draw_backdrop(&mut backdrop);
        Ok(Pattern { backdrop })
    }

    /// Width and height, pixels.
    pub fn size(&self) -> (u32, u32) {
        self.backdrop.size()
    }

    /// The picture of that stamp: the same octets for the same stamp and size, on every machine.
    ///
    /// Its `captured` and `sequence` are left at their defaults.
    pub fn draw(&self, stamp: Stamp) -> Picture {
        let mut picture = self.backdrop.clone();
        draw_foreground(&mut Canvas::new(&mut picture), stamp);
        picture
    }

    /// Draws the luma of the picture of that stamp over whatever `picture` shows; its chroma means nothing afterwards.
    pub(crate) fn draw_luma(&self, stamp: Stamp, picture: &mut Picture) {
        if picture.size() == self.size() {
            let luma = self.backdrop.plane(Component::Y).data;
            picture.plane_mut(Component::Y).copy_from_slice(luma);
        } else {
            *picture = self.backdrop.clone();
        }
        draw_foreground(&mut Canvas::luma(picture), stamp);
    }
}

/// The test pattern as a source.
///
/// Its capture times lie on the whole multiples of the frame interval since the Unix epoch, so that at any
/// whole frame rate one picture belongs exactly to the start of the second, where the tone's marker starts.
#[derive(Debug)]
pub struct PatternSource {
    pattern: Pattern,
    grid: Grid,
    count: u64,
}

impl PatternSource {
    /// A source of `width` x `height` pixels at `rate` pictures a second, numbered from 0.
    ///
    /// # Errors
    /// Sizes that [`Pattern::new`] refuses.
    pub fn new(width: u32, height: u32, rate: FrameRate) -> Result<Self, PatternSizeError> {
        Ok(PatternSource { pattern: Pattern::new(width, height)?, grid: Grid::new(rate), count: 0 })
    }
}

impl VideoSource for PatternSource {
    fn next(&mut self, now: Time) -> Option<Picture> {
        let (_, captured) = self.grid.advance(now)?;
        let sequence = self.count;
        self.count += 1;
        let picture = self.pattern.draw(Stamp::new(sequence as u32, captured));
        Some(picture.at(captured).numbered(sequence))
    }

    fn due(&self) -> Option<Time> {
        self.grid.due()
    }

    fn size(&self) -> (u32, u32) {
        self.pattern.size()
    }

    fn fps(&self) -> f64 {
        self.grid.rate().as_f64()
    }
}

/// The picture measured in the stamp's 40 columns and 30 rows.
#[derive(Clone, Copy)]
struct Frame {
    width: u32,
    height: u32,
}

impl Frame {
    fn of(canvas: &Canvas<'_>) -> Self {
        let (width, height) = canvas.size();
        Frame { width, height }
    }

    /// The pixels between places given in eighths of columns and rows.
    fn area(self, left: u32, top: u32, right: u32, bottom: u32) -> Area {
        Area(self.column(left), self.row(top), self.column(right), self.row(bottom))
    }

    fn column(self, eighths: u32) -> u32 {
        self.width * eighths / (8 * code::COLUMNS)
    }

    fn row(self, eighths: u32) -> u32 {
        self.height * eighths / (8 * code::ROWS)
    }

    /// The height of a row, pixels: the measure of everything round.
    fn unit(self) -> f64 {
        f64::from(self.height) / f64::from(code::ROWS)
    }

    /// The middle of the clock.
    fn hub(self) -> (f64, f64) {
        (f64::from(self.width) / 2.0, 13.5 * self.unit())
    }

    /// A place `radius` rows from the hub, `turns` clockwise from the top.
    fn around_hub(self, turns: f64, radius: f64) -> (f64, f64) {
        let (x, y) = self.hub();
        let reach = radius * self.unit();
        (x + reach * sine(turns), y - reach * sine(turns + 0.25))
    }

    /// Dots per dot of the font for captions that are `part` of the height tall.
    fn caption(self, part: u32) -> u32 {
        (self.height / part / font::HEIGHT).max(1)
    }
}

const AMBER: Colour = Colour(168, 54, 166);
const PANEL: Colour = Colour(22, 134, 124);
const FLOOR: f64 = 23.0;

/// Colour bars at 75 %, ITU-R BT.601: white, yellow, cyan, green, magenta, red, blue.
const BARS: [Colour; 7] = [
    Colour(180, 128, 128),
    Colour(162, 44, 142),
    Colour(131, 156, 44),
    Colour(112, 72, 58),
    Colour(84, 184, 198),
    Colour(65, 100, 212),
    Colour(35, 212, 114),
];

fn draw_backdrop(picture: &mut Picture) {
    let mut canvas = Canvas::new(picture);
    let frame = Frame::of(&canvas);
    let Frame { width, height } = frame;
    canvas.paint(Area(0, 0, width, height), |x, y| {
        let (across, down) = (x * 24 / width, y * 48 / height);
        Colour((84 - down - across / 2) as u8, (148 - down / 6) as u8, (112 + across / 3) as u8)
    });

    for (index, colour) in (0..).zip(BARS) {
        let top = 40 + index * 20;
        canvas.fill(frame.area(16, top, 72, top + 20), colour);
    }
    for step in 0..8 {
        let top = 40 + step * 14;
        let luma = 16 + step * 219 / 7;
        canvas.fill(frame.area(248, top, 304, top + 14), Colour::grey(luma as u8));
    }
    for (index, period) in (0..).zip([2_u32, 4, 8]) {
        let Area(left, top, right, bottom) = frame.area(248, 152, 304, 180);
        let part = (right - left) / 3;
        let gratings = Area(left + index * part, top, left + (index + 1) * part, bottom);
        canvas.paint(gratings, |x, _| if x % period < period / 2 { Colour::WHITE } else { Colour::BLACK });
    }

    canvas.lay(Shape::Disc { middle: frame.hub(), radius: 8.5 * frame.unit() }, Colour(40, 136, 122));
    let rim = Shape::Ring { middle: frame.hub(), radius: 8.5 * frame.unit(), stroke: 0.25 * frame.unit() };
    canvas.lay(rim, Colour::grey(200));
    for tick in 0..20_u32 {
        let turns = f64::from(tick) / 20.0;
        let (inner, stroke) = if tick % 5 == 0 { (7.0, 0.3) } else { (7.6, 0.15) };
        let (from, to) = (frame.around_hub(turns, inner), frame.around_hub(turns, 8.1));
        canvas.lay(Shape::Line { from, to, stroke: stroke * frame.unit() }, Colour::grey(200));
    }

    canvas.fill(frame.area(0, 8 * code::TOP - 4, 320, 240), Colour::BLACK);
}

/// What changes from picture to picture.
fn draw_foreground(canvas: &mut Canvas<'_>, stamp: Stamp) {
    draw_movement(canvas, stamp);
    draw_captions(canvas, stamp);
    draw_code(canvas, stamp);
}

fn draw_movement(canvas: &mut Canvas<'_>, stamp: Stamp) {
    let frame = Frame::of(canvas);
    let unit = frame.unit();
    let within_second = stamp.captured_us % 1_000_000;
    let second = within_second as f64 / 1_000_000.0;
    let pulse = u128::from(within_second) < PULSE.as_micros();

    let tip = frame.around_hub(second, 7.2);
    canvas.lay(Shape::Line { from: frame.hub(), to: tip, stroke: 0.5 * unit }, AMBER);
    let hub = if pulse { Colour::WHITE } else { PANEL };
    canvas.lay(Shape::Disc { middle: frame.hub(), radius: 2.4 * unit }, hub);
    canvas.lay(Shape::Ring { middle: frame.hub(), radius: 2.4 * unit, stroke: 0.25 * unit }, AMBER);

    // The ball crosses the picture and returns within 6 seconds and touches the ground once a second.
    let crossing = (stamp.captured_us % 6_000_000) as f64 / 3_000_000.0;
    let across = 1.0 - (crossing - 1.0).abs();
    let radius = 1.5;
    let x = f64::from(frame.width) * (0.275 + 0.45 * across);
    let y = FLOOR - radius - 15.0 * 4.0 * second * (1.0 - second);
    let centre = (x, y * unit);
    canvas.lay(Shape::Disc { middle: centre, radius: radius * unit }, AMBER);
    canvas.lay(
        Shape::Disc { middle: (x - 0.45 * unit, (y - 0.45) * unit), radius: 0.45 * unit },
        Colour(220, 100, 140),
    );
}

fn draw_captions(canvas: &mut Canvas<'_>, stamp: Stamp) {
    let frame = Frame::of(canvas);
    let (large, small) = (frame.caption(13), frame.caption(24));
    let top = frame.row(12);
    let right = frame.column(304);

    canvas.text((frame.column(16), top), large, Colour::WHITE, "VISAVIS");
    let number = format!("#{:08}", stamp.number);
    canvas.text((right.saturating_sub(font::width(&number) * large), top), large, Colour::WHITE, &number);

    let line = frame.row(182);
    let time = time_of_day(stamp.captured_us);
    let left = (frame.width / 2).saturating_sub(font::width(&time) * small / 2);
    canvas.text((left, line), small, Colour::WHITE, &time);
    let size = format!("{}x{}", frame.width, frame.height);
    if frame.column(16) + font::width(&size) * small < left {
        canvas.text((frame.column(16), line), small, Colour::grey(170), &size);
    }
}

/// Hours, minutes, seconds and milliseconds of the day in UTC.
fn time_of_day(captured_us: u64) -> String {
    let ms = captured_us / 1_000;
    let (s, m, h) = (ms / 1_000, ms / 60_000, ms / 3_600_000);
    format!("{:02}:{:02}:{:02}.{:03}", h % 24, m % 60, s % 60, ms % 1_000)
}

fn draw_code(canvas: &mut Canvas<'_>, stamp: Stamp) {
    let frame = Frame::of(canvas);
    for cell in stamp.cells().filter(|cell| cell.white) {
        let (left, top) = (8 * cell.column, 8 * cell.row);
        canvas.fill(frame.area(left, top, left + 8, top + 8), Colour::WHITE);
    }
}

/// The sine of an angle in turns, within 0.002, after Bhaskara I: the same on every machine.
fn sine(turns: f64) -> f64 {
    let turns = turns - turns.floor();
    let half = |t: f64| 16.0 * t * (1.0 - t) / (5.0 - 4.0 * t * (1.0 - t));
    if turns < 0.5 { half(2.0 * turns) } else { -half(2.0 * turns - 1.0) }
}
