//! The octets of the file, through one buffer that is used again and again.

use super::error::ReadError;
use std::io::{self, Read};
use std::ops::Range;

/// What is read at once: enough to make system calls rare, and small enough to stay in the cache of a core.
const BUFFER: usize = 256 * 1024;

/// A window onto the input. What was looked at stays in place until the next [`Source::need`].
#[derive(Debug)]
pub(super) struct Source<R> {
    input: R,
    buffer: Vec<u8>,
    /// What is read and not yet consumed.
    start: usize,
    end: usize,
    /// Octets consumed.
    position: u64,
    ended: bool,
}

impl<R: Read> Source<R> {
    pub(super) fn new(input: R) -> Self {
        Source { input, buffer: vec![0; BUFFER], start: 0, end: 0, position: 0, ended: false }
    }

    /// Sees to it that `count` octets lie ahead. `false` where the input ends before.
    pub(super) fn need(&mut self, count: usize) -> Result<bool, ReadError> {
        if self.end - self.start >= count {
            return Ok(true);
        }
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.buffer.len() < count {
            self.buffer.resize(count, 0);
        }
        while self.end < count && !self.ended {
            self.fill()?;
        }
        Ok(self.end >= count)
    }

    /// What lies ahead, at least as much as was last needed and given.
    pub(super) fn ahead(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// Consumes octets that lie ahead, and tells where they stay.
    pub(super) fn take(&mut self, count: usize) -> Range<usize> {
        let count = count.min(self.end - self.start);
        let taken = self.start..self.start + count;
        self.start += count;
        self.position += count as u64;
        taken
    }

    /// What was taken, until more is needed.
    pub(super) fn taken(&self, range: Range<usize>) -> &[u8] {
        self.buffer.get(range).unwrap_or_default()
    }

    /// Passes over octets without keeping them. `false` where the input ends before.
    pub(super) fn skip(&mut self, mut count: usize) -> Result<bool, ReadError> {
        loop {
            count -= self.take(count).len();
            if count == 0 {
                return Ok(true);
            }
            if !self.need(1)? {
                return Ok(false);
            }
        }
    }

    /// Octets consumed so far.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Octets read so far, those that lie ahead among them.
    pub(super) fn seen(&self) -> u64 {
        self.position + (self.end - self.start) as u64
    }

    fn fill(&mut self) -> Result<(), ReadError> {
        let room = self.buffer.get_mut(self.end..).unwrap_or_default();
        let free = room.len();
        match self.input.read(room) {
            Ok(0) => self.ended = true,
            // A reader that says it gave more than there was room for is not believed.
            Ok(count) => self.end += count.min(free),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(ReadError::Input { at: self.seen(), error }),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one octet at a time.
    struct Drops(u8);

    impl Read for Drops {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            if self.0 == 10 {
                return Ok(0);
            }
            out[0] = self.0;
            self.0 += 1;
            Ok(1)
        }
    }

    #[test]
    fn octets_come_in_order_however_the_input_gives_them() {
        let mut source = Source::new(Drops(0));
        assert!(source.need(3).unwrap());
        let first = source.take(2);
        assert_eq!(source.taken(first), [0, 1]);
        assert!(source.skip(4).unwrap());
        assert_eq!(source.position(), 6);
        assert!(source.need(4).unwrap());
        assert_eq!(source.ahead(), [6, 7, 8, 9]);
        assert!(!source.need(5).unwrap());
        assert!(!source.skip(9).unwrap());
        assert_eq!(source.position(), 10);
    }

    #[test]
    fn more_than_the_buffer_can_be_needed_and_skipped() {
        let data: Vec<u8> = (0..BUFFER * 3).map(|i| (i % 251) as u8).collect();
        let mut source = Source::new(&data[..]);
        assert!(source.need(BUFFER + 10).unwrap());
        let taken = source.take(BUFFER + 10);
        assert_eq!(source.taken(taken), &data[..BUFFER + 10]);
        assert!(source.skip(BUFFER).unwrap());
        assert!(source.need(1).unwrap());
        assert_eq!(source.ahead()[0], data[2 * BUFFER + 10]);
    }
}
