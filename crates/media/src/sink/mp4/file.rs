//! The file around the tracks: media data as it comes, and behind it the `moov` box that says what it is.
//!
//! The file is made whole again and again while it is written: each checkpoint closes the media data and
//! appends a `moov` box, and only then turns the one before into free space. A process that dies leaves a file
//! that plays up to the last checkpoint.

use super::track::{MOVIE_TIMESCALE, Track};
use shiguredo_mp4::boxes::{Brand, FtypBox, MoovBox, MvhdBox};
use shiguredo_mp4::{Encode, Mp4FileTime};
use std::io::{self, Seek, SeekFrom, Write};
use std::time::Duration;
use visavis_proto::time::Time;

/// Octets in front of media data: `size`, `type` and the 64-bit size that is used once it is known.
const MDAT_HEADER: u64 = 16;

/// How long the file is at its first checkpoint. Each one after that comes when the file has grown by a quarter,
/// so that the boxes left behind stay below five times the last one, however long the call.
const FIRST_CHECKPOINT: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(super) struct Mp4File<W: Write + Seek> {
    out: W,
    /// The end of what is whole: where the next octet goes.
    position: u64,
    /// Where the media data that is being written begins.
    mdat: Option<u64>,
    /// Where the `moov` box of the last checkpoint lies.
    moov: Option<u64>,
    pub(super) tracks: Vec<Track>,
    created: Mp4FileTime,
    /// When the first sample of all is shown, nanoseconds of the clock of the call.
    origin: Option<u64>,
    /// How far the file has to reach for the next checkpoint.
    next_checkpoint: Duration,
}

impl<W: Write + Seek> Mp4File<W> {
    /// A file without tracks.
    pub(super) fn new(mut out: W) -> io::Result<Self> {
        let brands = FtypBox {
            major_brand: Brand::ISOM,
            minor_version: 0x200,
            compatible_brands: vec![Brand::ISOM, Brand::ISO2, Brand::AVC1, Brand::MP41],
        };
        let header = brands.encode_to_vec().map_err(io::Error::other)?;
        let position = out.stream_position()?;
        out.write_all(&header)?;
        Ok(Mp4File {
            out,
            position: position + header.len() as u64,
            mdat: None,
            moov: None,
            tracks: Vec::new(),
            created: Mp4FileTime::default(),
            origin: None,
            next_checkpoint: FIRST_CHECKPOINT,
        })
    }

    /// Adds a track that starts at `starts`; gives its index.
    pub(super) fn add(&mut self, track: Track, starts: Time) -> usize {
        if self.origin.is_none() {
            self.created = Mp4FileTime::from_unix_time(Duration::from_nanos(starts.unix_nanos()));
        }
        self.origin = Some(self.origin.map_or(track.starts, |origin| origin.min(track.starts)));
        self.tracks.push(track);
        self.tracks.len() - 1
    }

    /// Makes a checkpoint where the last one lies long enough back from `now`, the time of the newest sample.
    pub(super) fn checkpoint_if_due(&mut self, now: Time) -> io::Result<()> {
        let reach = Duration::from_nanos(now.nanos().saturating_sub(self.origin.unwrap_or(0)));
        if reach < self.next_checkpoint {
            return Ok(());
        }
        self.next_checkpoint = reach * 5 / 4;
        self.checkpoint()
    }

    /// Writes a sample of track `track`, to be decoded `time` ticks behind the track's first. The track learns
    /// of it only when it is written whole; what a failed write leaves is written over by the next.
    pub(super) fn write(&mut self, track: usize, time: u64, data: &[u8], keyframe: bool) -> io::Result<()> {
        let size = u32::try_from(data.len()).map_err(io::Error::other)?;
        if self.mdat.is_none() {
            self.out.seek(SeekFrom::Start(self.position))?;
            // Size 0: up to the end of the file.
            self.out.write_all(b"\0\0\0\0mdat\0\0\0\0\0\0\0\0")?;
            self.mdat = Some(self.position);
            self.position += MDAT_HEADER;
        }
        if let Err(error) = self.out.write_all(data) {
            self.out.seek(SeekFrom::Start(self.position))?;
            return Err(error);
        }
        self.tracks[track].push(time, self.position, size, keyframe);
        self.position += u64::from(size);
        Ok(())
    }

    /// Makes the file whole: whoever reads it now finds everything written so far.
    pub(super) fn checkpoint(&mut self) -> io::Result<()> {
        self.make_whole().inspect_err(|_| {
            // What failed is written over: a `moov` box that did not fit must not stand in the media data.
            let _ = self.out.seek(SeekFrom::Start(self.position));
        })
    }

    fn make_whole(&mut self) -> io::Result<()> {
        let moov = self.moov_box()?;
        if let Some(start) = self.mdat {
            let mut header = *b"\0\0\0\x01mdat\0\0\0\0\0\0\0\0";
            header[8..].copy_from_slice(&(self.position - start).to_be_bytes());
            self.patch(start, &header)?;
        }
        self.out.seek(SeekFrom::Start(self.position))?;
        self.out.write_all(&moov)?;
        self.out.flush()?;
        if let Some(before) = self.moov.replace(self.position) {
            self.patch(before + 4, b"free")?;
        }
        self.position += moov.len() as u64;
        self.mdat = None;
        self.out.flush()
    }

    fn patch(&mut self, at: u64, octets: &[u8]) -> io::Result<()> {
        self.out.seek(SeekFrom::Start(at))?;
        self.out.write_all(octets)
    }

    fn moov_box(&self) -> io::Result<Vec<u8>> {
        let mut tracks: Vec<&Track> = self.tracks.iter().filter(|track| track.samples() > 0).collect();
        // Whatever came first, players find the picture first and the sound that they are to play second.
        tracks.sort_by_key(|track| (!track.video, !track.enabled));
        let origin = self.origin.unwrap_or(0);
        // The only sample of a track lasts as long as a picture at 30 a second.
        let single = |track: &Track| track.timescale.get().div_ceil(30);
        let trak_boxes: Vec<_> = (1..)
            .zip(&tracks)
            .filter_map(|(id, track)| track.trak(id, origin, self.created, single(track)))
            .collect();
        let moov = MoovBox {
            mvhd_box: MvhdBox {
                creation_time: self.created,
                modification_time: self.created,
                timescale: MOVIE_TIMESCALE,
                duration: tracks.iter().map(|track| track.end(origin, single(track))).max().unwrap_or(0),
                rate: MvhdBox::DEFAULT_RATE,
                volume: MvhdBox::DEFAULT_VOLUME,
                matrix: MvhdBox::DEFAULT_MATRIX,
                next_track_id: trak_boxes.len() as u32 + 1,
            },
            trak_boxes,
            mvex_box: None,
            unknown_boxes: Vec::new(),
        };
        moov.encode_to_vec().map_err(io::Error::other)
    }
}
