//! The stamp that every picture of the test pattern carries, as black and white cells that outlive hard
//! compression and scaling.
//!
//! The picture is thought of as 40 columns and 30 rows, whatever its size in pixels (16 x 16 pixels each at
//! 640 x 480), so that a scaled picture reads like the original. Rows 25 to 28 hold the stamp: 32 cells each
//! in columns 4 to 35, most significant bit first, white for 1: 32 bits of picture number, 64 bits of capture
//! time in microseconds since the Unix epoch, and the CRC-32 (ISO 3309, the one of PNG) of those 12 octets.
//! Columns 3 and 36 alternate between white and black: by them the reader knows the pattern and what black
//! and white have become on the way.

use crate::picture::{Component, Picture, Plane};
use visavis_proto::time::Time;

/// Columns that a picture is divided into.
pub(super) const COLUMNS: u32 = 40;
/// Rows that a picture is divided into.
pub(super) const ROWS: u32 = 30;
/// The first row of cells.
pub(super) const TOP: u32 = 25;

const LINES: u32 = 4;
const LEFT: u32 = 4;
const CELLS: u32 = 32;
/// Left and right column of reference cells.
const REFERENCES: [u32; 2] = [LEFT - 1, LEFT + CELLS];

const BITS: usize = (LINES * CELLS) as usize;
/// The least difference between white and black, of 219, that still counts as the pattern.
const MIN_CONTRAST: i32 = 40;
/// The luma that all of a black bar stays below.
const BAR: u8 = 40;
/// Cells that came out grey are tried both ways, this many of them at the most: 64 checks, so that one
/// in 2^26 wrong stamps passes.
const MAX_DOUBTS: usize = 6;

/// What a picture of the pattern says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp {
    /// The picture's number, counted by its source from 0 (modulo 2^32).
    pub number: u32,
    /// When it was captured, microseconds since the Unix epoch by the source's wall clock.
    pub captured_us: u64,
}

/// What reading a picture gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// The stamp, its checksum right.
    Stamp(Stamp),
    /// The stamp, its checksum right, of a pattern between black bars: somebody fitted it into another shape
    /// on the way.
    Boxed(Stamp),
    /// The pattern's reference cells are there, the stamp's checksum is wrong.
    Unreadable,
    /// Not a picture of the pattern, or too far gone to be told from one.
    NoPattern,
}

/// A cell: column, row, and whether it is white.
pub(super) struct Cell {
    pub(super) column: u32,
    pub(super) row: u32,
    pub(super) white: bool,
}

impl Stamp {
    /// The stamp of picture `number`, captured at `captured`.
    pub fn new(number: u32, captured: Time) -> Self {
        Stamp { number, captured_us: captured.unix_nanos() / 1_000 }
    }

    /// Reads the stamp out of a picture of any size.
    pub fn read(picture: &Picture) -> Reading {
        let plane = picture.plane(Component::Y);
        match Stamp::read_within(&View::whole(plane)) {
            Reading::NoPattern => {
                View::between_bars(plane).map_or(Reading::NoPattern, |view| match Stamp::read_within(&view) {
                    Reading::Stamp(stamp) => Reading::Boxed(stamp),
                    other => other,
                })
            }
            reading => reading,
        }
    }

    fn read_within(view: &View<'_>) -> Reading {
        let Some(levels) = Levels::measure(view) else {
            return Reading::NoPattern;
        };
        let mut bits = 0_u128;
        let mut doubts: Vec<(i32, u128)> = Vec::new();
        for (index, (column, row)) in data_cells().enumerate() {
            let over = view.sample(column, row) - levels.middle();
            let bit = 1_u128 << (BITS - 1 - index);
            if over > 0 {
                bits |= bit;
            }
            if over.abs() < levels.contrast() / 4 {
                doubts.push((over.abs(), bit));
            }
        }
        doubts.sort_by_key(|&(margin, _)| margin);
        doubts.truncate(MAX_DOUBTS);
        (0..1_u32 << doubts.len())
            .map(|flips| {
                let chosen = doubts.iter().enumerate().filter(|(i, _)| flips >> i & 1 == 1);
                chosen.fold(bits, |word, (_, &(_, bit))| word ^ bit)
            })
            .find_map(Stamp::from_word)
            .map_or(Reading::Unreadable, Reading::Stamp)
    }

    /// All cells of the stamp, the reference cells among them.
    pub(super) fn cells(self) -> impl Iterator<Item = Cell> {
        let word = self.word();
        let data = data_cells().enumerate().map(move |(index, (column, row))| Cell {
            column,
            row,
            white: word >> (BITS - 1 - index) & 1 == 1,
        });
        data.chain(reference_cells())
    }

    fn word(self) -> u128 {
        let payload = u128::from(self.number) << 64 | u128::from(self.captured_us);
        payload << 32 | u128::from(checksum(payload))
    }

    fn from_word(word: u128) -> Option<Stamp> {
        let payload = word >> 32;
        (checksum(payload) == word as u32)
            .then_some(Stamp { number: (payload >> 64) as u32, captured_us: payload as u64 })
    }
}

/// What became of black and white.
struct Levels {
    black: i32,
    white: i32,
}

impl Levels {
    /// The levels of the reference cells, or `None` where these do not look like reference cells.
    fn measure(view: &View<'_>) -> Option<Levels> {
        let (mut darkest_white, mut lightest_black) = (i32::MAX, i32::MIN);
        let (mut black, mut white) = (0, 0);
        for cell in reference_cells() {
            let level = view.sample(cell.column, cell.row);
            if cell.white {
                white += level;
                darkest_white = darkest_white.min(level);
            } else {
                black += level;
                lightest_black = lightest_black.max(level);
            }
        }
        let each = LINES as i32;
        let levels = Levels { black: black / each, white: white / each };
        let margin = levels.contrast() / 4;
        let seen = levels.contrast() >= MIN_CONTRAST
            && darkest_white > levels.middle() + margin
            && lightest_black < levels.middle() - margin;
        seen.then_some(levels)
    }

    fn contrast(&self) -> i32 {
        self.white - self.black
    }

    fn middle(&self) -> i32 {
        (self.white + self.black) / 2
    }
}

/// Column and row of each bit, most significant first.
fn data_cells() -> impl Iterator<Item = (u32, u32)> {
    (0..LINES * CELLS).map(|i| (LEFT + i % CELLS, TOP + i / CELLS))
}

fn reference_cells() -> impl Iterator<Item = Cell> {
    (0..2 * LINES).map(|i| {
        let (side, line) = (i % 2, i / 2);
        Cell { column: REFERENCES[side as usize], row: TOP + line, white: (side + line) % 2 == 0 }
    })
}

/// The part of a picture that the pattern fills.
struct View<'a> {
    plane: Plane<'a>,
    left: usize,
    top: usize,
    width: usize,
    height: usize,
}

impl<'a> View<'a> {
    fn whole(plane: Plane<'a>) -> Self {
        View { plane, left: 0, top: 0, width: plane.width, height: plane.height }
    }

    /// What lies between black bars above and below, or left and right, of equal width; `None` where there are
    /// none. They are measured from the top and the left, where the pattern is light: below, it is black.
    fn between_bars(plane: Plane<'a>) -> Option<Self> {
        let dark = |samples: &[u8]| samples.iter().all(|&luma| luma < BAR);
        let top = plane.rows().take_while(|row| dark(row)).count();
        let upper: Vec<&[u8]> = plane.rows().take(plane.height / 2).skip(top).collect();
        let left = (0..plane.width).take_while(|&column| upper.iter().all(|row| row[column] < BAR)).count();
        let barred = (top > 0 || left > 0) && 3 * top < plane.height && 3 * left < plane.width;
        let (width, height) = (plane.width.saturating_sub(2 * left), plane.height.saturating_sub(2 * top));
        barred.then_some(View { plane, left, top, width, height })
    }

    /// The mean of the middle half of a cell, both ways.
    fn sample(&self, column: u32, row: u32) -> i32 {
        let columns = middle(column, COLUMNS, self.width);
        let columns = self.left + columns.start..self.left + columns.end;
        let rows = middle(row, ROWS, self.height);
        let count = (columns.len() * rows.len()) as i32;
        let sum: i32 = rows
            .flat_map(|row| &self.plane.row(self.top + row)[columns.clone()])
            .map(|&sample| i32::from(sample))
            .sum();
        (sum + count / 2) / count
    }
}

/// The middle half of part `index` of `parts` of a side of `pixels`, one pixel at the least.
fn middle(index: u32, parts: u32, pixels: usize) -> std::ops::Range<usize> {
    let at = |quarters: u32| quarters as usize * pixels / (4 * parts as usize);
    let start = at(4 * index + 1);
    start..at(4 * index + 3).max(start + 1)
}

fn checksum(payload: u128) -> u32 {
    crc32fast::hash(&payload.to_be_bytes()[4..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_gives_its_stamp_back_and_a_flipped_bit_none() {
        let stamp = Stamp { number: 0xdead_beef, captured_us: 1_700_000_000_123_456 };
        assert_eq!(Stamp::from_word(stamp.word()), Some(stamp));
        assert!((0..BITS).all(|bit| Stamp::from_word(stamp.word() ^ 1 << bit).is_none()));
    }

    #[test]
    fn cells_lie_within_the_smallest_pictures() {
        for (width, height) in [(2, 2), (16, 16), (39, 29), (128, 96)] {
            let picture = Picture::new(width, height).unwrap();
            assert_eq!(Stamp::read(&picture), Reading::NoPattern);
        }
    }
}
