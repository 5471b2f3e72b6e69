//! The sample tables of one track, and the boxes that they become.

use shiguredo_mp4::boxes::{
    Co64Box, DinfBox, EdtsBox, ElstBox, ElstEntry, HdlrBox, MdhdBox, MdiaBox, MediaHeader, MinfBox,
    SampleEntry, SmhdBox, StblBox, StcoBox, StscBox, StscEntry, StsdBox, StssBox, StszBox, SttsBox,
    SttsEntry, TkhdBox, TrakBox, VmhdBox,
};
use shiguredo_mp4::{Either, FixedPointNumber, LanguageCode, Mp4FileTime};
use std::num::NonZeroU32;
use visavis_proto::frame::Rotation;

/// Ticks a second of the movie's own time line, and of pictures: the RTP clock of H.264.
pub(super) const MOVIE_TIMESCALE: NonZeroU32 = NonZeroU32::new(90_000).unwrap();

/// The samples of one track.
#[derive(Debug)]
pub(super) struct Track {
    pub(super) video: bool,
    pub(super) timescale: NonZeroU32,
    /// Whether players show the track without being asked to.
    pub(super) enabled: bool,
    /// When the first sample is shown, nanoseconds of the clock of the call.
    pub(super) starts: u64,
    /// Ticks at the start that are decoded but not played: the encoder's lag.
    pub(super) priming: u32,
    /// Ticks of sound that the last samples hold beyond its end.
    pub(super) padding: u32,
    /// How many samples are to be turned by no, one, two and three quarters clockwise.
    turned: [u64; 4],
    entries: Vec<SampleEntry>,
    sizes: Vec<u32>,
    /// Decode time of the last sample, ticks from the first one, and the runs of durations of all before it.
    last: u64,
    durations: Vec<SttsEntry>,
    keyframes: Vec<NonZeroU32>,
    chunks: Vec<Chunk>,
}

#[derive(Debug)]
struct Chunk {
    offset: u64,
    /// Where the next sample would continue it.
    end: u64,
    samples: u32,
    /// Number of the sample description, from 1.
    entry: NonZeroU32,
}

impl Track {
    pub(super) fn new(video: bool, timescale: NonZeroU32, starts: u64, entry: SampleEntry) -> Self {
        Track {
            video,
            timescale,
            enabled: true,
            starts,
            priming: 0,
            padding: 0,
            turned: [0; 4],
            entries: vec![entry],
            sizes: Vec::new(),
            last: 0,
            durations: Vec::new(),
            keyframes: Vec::new(),
            chunks: Vec::new(),
        }
    }

    /// Uses another sample description from the next sample on.
    pub(super) fn describe(&mut self, entry: SampleEntry) {
        self.entries.push(entry);
    }

    /// Notes how a picture is to be turned. A track has one way for all of its pictures: that of most of them.
    pub(super) fn turn(&mut self, rotation: Rotation) {
        if let Some(count) = self.turned.get_mut(usize::from(rotation.degrees() / 90)) {
            *count += 1;
        }
    }

    /// The matrix of the track header (ISO/IEC 14496-12 section 8.3.2) for pictures of this size: `a b u c d v x y w`,
    /// by which a point goes to `(ax + cy + x, bx + dy + y)`.
    fn matrix(&self, (width, height): (u16, u16)) -> [i32; 9] {
        const ONE: i32 = 0x0001_0000;
        const W: i32 = 0x4000_0000;
        let (right, bottom) = (i32::from(width) << 16, i32::from(height) << 16);
        let most = self.turned.iter().copied().max().unwrap_or(0);
        match self.turned.iter().position(|count| *count == most) {
            Some(1) => [0, ONE, 0, -ONE, 0, 0, bottom, 0, W],
            Some(2) => [-ONE, 0, 0, 0, -ONE, 0, right, bottom, W],
            Some(3) => [0, -ONE, 0, ONE, 0, 0, 0, right, W],
            _ => TkhdBox::DEFAULT_MATRIX,
        }
    }

    /// Adds a sample of `size` octets at `offset` of the file, to be decoded at `time` ticks from the first.
    /// A time that does not lie behind the one before is moved one tick behind it.
    pub(super) fn push(&mut self, time: u64, offset: u64, size: u32, keyframe: bool) {
        let number = NonZeroU32::MIN.saturating_add(self.sizes.len() as u32);
        if !self.sizes.is_empty() {
            let duration = u32::try_from(time.saturating_sub(self.last)).unwrap_or(u32::MAX).max(1);
            add_duration(&mut self.durations, duration);
            self.last += u64::from(duration);
        }
        self.sizes.push(size);
        if keyframe {
            self.keyframes.push(number);
        }
        let entry = NonZeroU32::MIN.saturating_add(self.entries.len() as u32 - 1);
        match self.chunks.last_mut().filter(|chunk| chunk.end == offset && chunk.entry == entry) {
            Some(chunk) => {
                chunk.end += u64::from(size);
                chunk.samples += 1;
            }
            None => self.chunks.push(Chunk { offset, end: offset + u64::from(size), samples: 1, entry }),
        }
    }

    /// Samples so far.
    pub(super) fn samples(&self) -> usize {
        self.sizes.len()
    }

    /// How long the track lasts, ticks, where its last sample lasts as long as the one before it, or
    /// `single` ticks where it is the only one.
    fn duration(&self, single: u32) -> u64 {
        self.last + u64::from(self.last_duration(single))
    }

    fn last_duration(&self, single: u32) -> u32 {
        self.durations.last().map_or(single, |run| run.sample_delta)
    }

    /// The end of the track on the movie's time line that begins at `origin`, movie ticks.
    pub(super) fn end(&self, origin: u64, single: u32) -> u64 {
        self.start(origin) + self.played(single)
    }

    /// When the track starts behind `origin`, movie ticks.
    fn start(&self, origin: u64) -> u64 {
        let nanos = u128::from(self.starts.saturating_sub(origin));
        ((nanos * u128::from(MOVIE_TIMESCALE.get()) + 500_000_000) / 1_000_000_000) as u64
    }

    /// How long the track plays, movie ticks.
    fn played(&self, single: u32) -> u64 {
        let ticks = self.duration(single).saturating_sub(u64::from(self.priming) + u64::from(self.padding));
        let timescale = u128::from(self.timescale.get());
        (u128::from(ticks) * u128::from(MOVIE_TIMESCALE.get()) / timescale) as u64
    }

    /// The `trak` box of track number `id`, or `None` of an empty track.
    pub(super) fn trak(&self, id: u32, origin: u64, created: Mp4FileTime, single: u32) -> Option<TrakBox> {
        if self.sizes.is_empty() {
            return None;
        }
        let (width, height) = self
            .entries
            .iter()
            .filter_map(SampleEntry::video_resolution)
            .reduce(|a, b| (a.0.max(b.0), a.1.max(b.1)))
            .unwrap_or_default();
        let side = |pixels: u16| FixedPointNumber::new(i16::try_from(pixels).unwrap_or(i16::MAX), 0);
        let tkhd_box = TkhdBox {
            flag_track_enabled: self.enabled,
            flag_track_in_movie: true,
            flag_track_in_preview: true,
            flag_track_size_is_aspect_ratio: false,
            creation_time: created,
            modification_time: created,
            track_id: id,
            duration: self.end(origin, single),
            layer: TkhdBox::DEFAULT_LAYER,
            // Of the tracks of one group a player plays one: two sound tracks are the same sound.
            alternate_group: if self.video { 0 } else { 1 },
            volume: if self.video { TkhdBox::DEFAULT_VIDEO_VOLUME } else { TkhdBox::DEFAULT_AUDIO_VOLUME },
            matrix: self.matrix((width, height)),
            width: side(width),
            height: side(height),
        };
        Some(TrakBox {
            tkhd_box,
            edts_box: self.edits(origin, single),
            mdia_box: self.mdia(created, single),
            unknown_boxes: Vec::new(),
        })
    }

    /// The edit list: nothing up to the start of the track, then its samples behind the encoder's lag.
    fn edits(&self, origin: u64, single: u32) -> Option<EdtsBox> {
        let start = self.start(origin);
        let normal = FixedPointNumber::new(1, 0);
        let empty = ElstEntry { edit_duration: start, media_time: -1, media_rate: normal };
        let media_time = self.priming.into();
        let played = ElstEntry { edit_duration: self.played(single), media_time, media_rate: normal };
        let entries = if start > 0 { vec![empty, played] } else { vec![played] };
        let needed = start > 0 || self.priming > 0 || self.padding > 0;
        needed.then(|| EdtsBox { elst_box: Some(ElstBox { entries }), unknown_boxes: Vec::new() })
    }

    fn mdia(&self, created: Mp4FileTime, single: u32) -> MdiaBox {
        let (handler_type, name, media_header) = if self.video {
            (HdlrBox::HANDLER_TYPE_VIDE, "Picture\0", MediaHeader::Vmhd(VmhdBox::default()))
        } else {
            (HdlrBox::HANDLER_TYPE_SOUN, "Sound\0", MediaHeader::Smhd(SmhdBox::default()))
        };
        MdiaBox {
            mdhd_box: MdhdBox {
                creation_time: created,
                modification_time: created,
                timescale: self.timescale,
                duration: self.duration(single),
                language: LanguageCode::UNDEFINED,
            },
            hdlr_box: HdlrBox { handler_type, name: name.into() },
            minf_box: MinfBox {
                media_header: Some(media_header),
                dinf_box: DinfBox::LOCAL_FILE,
                stbl_box: self.stbl(single),
                unknown_boxes: Vec::new(),
            },
            unknown_boxes: Vec::new(),
        }
    }

    fn stbl(&self, single: u32) -> StblBox {
        let mut durations = self.durations.clone();
        add_duration(&mut durations, self.last_duration(single));
        let mut to_chunk: Vec<StscEntry> = Vec::new();
        for (first_chunk, chunk) in (1..).zip(&self.chunks) {
            let same = to_chunk.last().is_some_and(|last| {
                (last.sample_per_chunk, last.sample_description_index) == (chunk.samples, chunk.entry)
            });
            if !same && let Some(first_chunk) = NonZeroU32::new(first_chunk) {
                let (sample_per_chunk, sample_description_index) = (chunk.samples, chunk.entry);
                to_chunk.push(StscEntry { first_chunk, sample_per_chunk, sample_description_index });
            }
        }
        let offsets: Result<Vec<u32>, _> =
            self.chunks.iter().map(|chunk| u32::try_from(chunk.offset)).collect();
        let stco_or_co64_box = match offsets {
            Ok(chunk_offsets) => Either::A(StcoBox { chunk_offsets }),
            Err(_) => {
                Either::B(Co64Box { chunk_offsets: self.chunks.iter().map(|chunk| chunk.offset).collect() })
            }
        };
        // Without the box every sample is a key frame.
        let all = self.keyframes.len() == self.sizes.len();
        StblBox {
            stsd_box: StsdBox { entries: self.entries.clone() },
            stts_box: SttsBox { entries: durations },
            ctts_box: None,
            cslg_box: None,
            stsc_box: StscBox { entries: to_chunk },
            stsz_box: StszBox::Variable { entry_sizes: self.sizes.clone() },
            stco_or_co64_box,
            stss_box: (!all).then(|| StssBox { sample_numbers: self.keyframes.clone() }),
            sdtp_box: None,
            unknown_boxes: Vec::new(),
        }
    }
}

fn add_duration(runs: &mut Vec<SttsEntry>, sample_delta: u32) {
    match runs.last_mut() {
        Some(run) if run.sample_delta == sample_delta => run.sample_count += 1,
        _ => runs.push(SttsEntry { sample_count: 1, sample_delta }),
    }
}
