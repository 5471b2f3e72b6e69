//! The live tap: a bounded queue from the media path to a thread that writes.
//!
//! Whoever moves datagrams must never wait for a disk. A tap therefore takes a datagram or, where its queue is
//! full, drops and counts it; the file says how many are missing, and where.

use crate::datagram::{Direction, Record};
use crate::pcapng::{Description, PcapngWriter};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use visavis_proto::Time;

/// Makes a tap and the recorder that empties it. `memory` bounds what waits between them, in octets.
pub fn tap(memory: usize, mode: TapMode) -> (Tap, Recorder) {
    let (sender, receiver) = channel();
    let shared = Arc::new(Shared {
        keep: AtomicUsize::new(mode.keep()),
        memory,
        waiting: AtomicUsize::new(0),
        taken: AtomicU64::new(0),
        dropped: AtomicU64::new(0),
    });
    (Tap { sender, shared: Arc::clone(&shared) }, Recorder { receiver, shared })
}

/// How much of each datagram is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TapMode {
    /// Nothing.
    Off,
    /// Of RTP and RTCP the first octets, this many; everything else (SIP, STUN) in full.
    Headers(usize),
    /// Everything in full.
    Full,
}

impl TapMode {
    /// Octets of an RTP packet to keep. There is no use in keeping none: zero is what stands for "off".
    fn keep(self) -> usize {
        match self {
            TapMode::Off => 0,
            TapMode::Headers(octets) => octets.max(1),
            TapMode::Full => usize::MAX,
        }
    }
}

/// What a tap has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TapStats {
    /// Datagrams handed to the recorder.
    pub taken: u64,
    /// Datagrams dropped because the recorder was too far behind.
    pub dropped: u64,
}

/// The end in the media path. Cheap to clone; never waits.
#[derive(Clone, Debug)]
pub struct Tap {
    sender: Sender<(Record, u64)>,
    shared: Arc<Shared>,
}

impl Tap {
    /// Records a datagram, unless the tap is off or its queue is full.
    pub fn record(
        &self,
        time: Time,
        direction: Direction,
        local: SocketAddr,
        remote: SocketAddr,
        payload: &[u8],
    ) {
        let keep = match self.shared.keep.load(Ordering::Relaxed) {
            0 => return,
            keep if is_rtp(payload) => keep,
            _ => usize::MAX,
        };
        let cost = cost(keep.min(payload.len()));
        if !self.shared.reserve(cost) {
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let record = Record::new(time, direction, local, remote, payload, keep);
        let dropped = self.shared.dropped.load(Ordering::Relaxed);
        if self.sender.send((record, dropped)).is_ok() {
            self.shared.taken.fetch_add(1, Ordering::Relaxed);
        } else {
            // The recorder is gone: its file had an error.
            self.shared.waiting.fetch_sub(cost, Ordering::Relaxed);
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Records more or less from now on.
    pub fn set_mode(&self, mode: TapMode) {
        self.shared.keep.store(mode.keep(), Ordering::Relaxed);
    }

    /// What the tap has done so far.
    pub fn stats(&self) -> TapStats {
        self.shared.stats()
    }
}

/// What a finished recording holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Datagrams in the file.
    pub written: u64,
    /// Datagrams missing from it.
    pub dropped: u64,
}

/// The end that writes.
#[derive(Debug)]
pub struct Recorder {
    receiver: Receiver<(Record, u64)>,
    shared: Arc<Shared>,
}

impl Recorder {
    /// Writes a capture file until every [`Tap`] is gone. Meant for a thread of its own; `out` should be
    /// buffered, and is flushed whenever there is nothing to write, so that others can read along.
    ///
    /// # Errors
    ///
    /// Those of `out`. The taps then drop and count whatever comes.
    pub fn write_to(self, out: impl Write, description: &Description) -> io::Result<Summary> {
        let mut writer = PcapngWriter::new(out, description)?;
        let mut summary = Summary::default();
        let mut last = Time::ZERO;
        let mut reported = 0;
        while let Some((record, dropped)) = self.next(&mut writer)? {
            self.shared.waiting.fetch_sub(cost(record.data().len()), Ordering::Relaxed);
            // Two taps may pass each other between counting and queueing, so the count may step back.
            match writer.write(&record, dropped.saturating_sub(reported)) {
                Ok(()) => summary.written += 1,
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                    self.shared.dropped.fetch_add(1, Ordering::Relaxed);
                }
                Err(error) => return Err(error),
            }
            reported = reported.max(dropped);
            last = last.max(record.time);
        }
        summary.dropped = self.shared.stats().dropped;
        writer.finish(last, summary.dropped)?;
        Ok(summary)
    }

    fn next<W: Write>(&self, writer: &mut PcapngWriter<W>) -> io::Result<Option<(Record, u64)>> {
        match self.receiver.try_recv() {
            Ok(next) => Ok(Some(next)),
            Err(TryRecvError::Disconnected) => Ok(None),
            Err(TryRecvError::Empty) => {
                writer.flush()?;
                Ok(self.receiver.recv().ok())
            }
        }
    }
}

#[derive(Debug)]
struct Shared {
    keep: AtomicUsize,
    memory: usize,
    waiting: AtomicUsize,
    taken: AtomicU64,
    dropped: AtomicU64,
}

impl Shared {
    fn reserve(&self, cost: usize) -> bool {
        let before = self.waiting.fetch_add(cost, Ordering::Relaxed);
        let fits = before.saturating_add(cost) <= self.memory;
        if !fits {
            self.waiting.fetch_sub(cost, Ordering::Relaxed);
        }
        fits
    }

    fn stats(&self) -> TapStats {
        TapStats { taken: self.taken.load(Ordering::Relaxed), dropped: self.dropped.load(Ordering::Relaxed) }
    }
}

/// What a waiting record takes of the memory: its octets and itself.
fn cost(kept: usize) -> usize {
    kept + size_of::<(Record, u64)>()
}

/// RTP and RTCP: version 2 in the first two bits (RFC 7983 section 7).
fn is_rtp(payload: &[u8]) -> bool {
    payload.first().is_some_and(|octet| (128..=191).contains(octet))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLENTY: usize = 1 << 20;

    fn send(tap: &Tap, payload: &[u8]) {
        let (local, remote) = ("10.0.0.1:1".parse().unwrap(), "10.0.0.2:2".parse().unwrap());
        tap.record(Time::from_millis(1), Direction::Outbound, local, remote, payload);
    }

    fn lengths(recorder: &Recorder) -> Vec<(usize, usize)> {
        recorder.receiver.try_iter().map(|(r, _)| (r.data().len(), r.length())).collect()
    }

    #[test]
    fn headers_only_cuts_media_and_keeps_signalling() {
        let (tap, recorder) = tap(PLENTY, TapMode::Headers(24));
        send(&tap, &[0x80; 1000]);
        send(&tap, &[b'I'; 1000]);
        send(&tap, &[]);
        assert_eq!(lengths(&recorder), [(24, 1000), (1000, 1000), (0, 0)]);
    }

    #[test]
    fn off_records_nothing_and_counts_nothing() {
        let (tap, recorder) = tap(PLENTY, TapMode::Full);
        send(&tap, &[0x80; 10]);
        tap.set_mode(TapMode::Off);
        send(&tap, &[0x80; 20]);
        assert_eq!(lengths(&recorder), [(10, 10)]);
        assert_eq!(tap.stats(), TapStats { taken: 1, dropped: 0 });
    }

    #[test]
    fn a_full_queue_drops_and_counts_and_the_file_says_where() {
        let (tap, recorder) = tap(3 * cost(100), TapMode::Full);
        for _ in 0..5 {
            send(&tap, &[0x80; 100]);
        }
        assert_eq!(tap.stats(), TapStats { taken: 3, dropped: 2 });
        // One leaves the queue, so there is room for one more.
        let (first, dropped) = recorder.receiver.recv().unwrap();
        assert_eq!(dropped, 0);
        recorder.shared.waiting.fetch_sub(cost(first.data().len()), Ordering::Relaxed);
        send(&tap, &[0x80; 100]);
        drop(tap);
        let queued: Vec<u64> = recorder.receiver.try_iter().map(|(_, dropped)| dropped).collect();
        assert_eq!(queued, [0, 0, 2]);
    }

    #[test]
    fn a_recording_ends_when_the_last_tap_is_gone() {
        let (tap, recorder) = tap(PLENTY, TapMode::Full);
        let writer = std::thread::spawn(move || {
            let mut file = Vec::new();
            let summary = recorder.write_to(&mut file, &Description::default()).unwrap();
            (summary, file)
        });
        let second = tap.clone();
        send(&tap, b"one");
        drop(tap);
        send(&second, b"two");
        send(&second, &[0; 65_508]);
        drop(second);
        let (summary, file) = writer.join().unwrap();
        assert_eq!(summary, Summary { written: 2, dropped: 1 });
        assert!(file.windows(3).any(|w| w == b"two"));
    }

    #[test]
    fn a_tap_outlives_a_disk_that_is_full() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (tap, recorder) = tap(PLENTY, TapMode::Full);
        let error = recorder.write_to(Full, &Description::default()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        send(&tap, b"x");
        assert_eq!(tap.stats(), TapStats { taken: 0, dropped: 1 });
    }
}
