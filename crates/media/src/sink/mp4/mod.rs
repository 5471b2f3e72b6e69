//! Records a call as an MP4 file: the received H.264 unchanged, the sound as AAC-LC so that it plays
//! everywhere, and on request the received AAC-LD or AAC-ELD as a second sound track.
//!
//! Picture and sound are placed by the times at which they were played (`play_at`, `captured`); within 30 ms
//! the smoother RTP timestamps and sample counts decide. Tracks that start later do so by an edit list.

mod avc;
mod file;
mod timeline;
mod track;

use crate::sound::Pcm;
use avc::ParameterSets;
use bytes::Bytes;
use file::Mp4File;
use shiguredo_mp4::boxes::{AudioSampleEntryFields, EsdsBox, Mp4aBox, SampleEntry};
use shiguredo_mp4::descriptors::{
    DecoderConfigDescriptor, DecoderSpecificInfo, EsDescriptor, SlConfigDescriptor,
};
use shiguredo_mp4::{FixedPointNumber, Uint};
use std::io::{self, Seek, Write};
use std::num::NonZeroU32;
use timeline::Timeline;
use track::{MOVIE_TIMESCALE, Track};
use visavis_proto::frame::{AudioFormat, Codec, ReceivedFrame};

#[cfg(feature = "aac")]
use sound::SoundTrack;

#[cfg(feature = "aac")]
mod sound;

/// Why something could not be recorded. The recording goes on without it.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file could not be written.
    #[error("the recording cannot be written: {0}")]
    Io(#[from] io::Error),
    /// The sound could not be encoded as AAC-LC.
    #[error("the sound cannot be recorded: {0}")]
    Sound(String),
    /// The recording is finished.
    #[error("the recording is finished")]
    Finished,
}

/// What is in a recording, and what is not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordCounters {
    /// Pictures recorded.
    pub pictures: u64,
    /// Pictures left out before the first key frame with parameter sets.
    pub before_keyframe: u64,
    /// Pictures left out because parts of them were lost.
    pub incomplete: u64,
    /// Sound frames recorded as they were received.
    pub received_sound: u64,
    /// Sound frames that were to be recorded as received, but are no AAC, or changed their sample rate.
    pub other_sound: u64,
}

/// Records one direction of a call.
///
/// [`Mp4Recorder::finish`], or a drop, completes the file. Every quarter of its length it is complete by itself,
/// so that even a process that is killed leaves most of a recording.
pub struct Mp4Recorder<W: Write + Seek> {
    file: Mp4File<W>,
    sets: ParameterSets,
    picture: Option<Placed>,
    received: Option<(Placed, Bytes)>,
    #[cfg(feature = "aac")]
    sound: Option<SoundTrack>,
    counters: RecordCounters,
    finished: bool,
}

/// A track of the file, and where on it frames belong.
struct Placed {
    track: usize,
    timeline: Timeline,
}

impl<W: Write + Seek> Mp4Recorder<W> {
    /// A recording into `out`, from its current position on; give a buffered writer.
    ///
    /// # Errors
    /// What `out` said to the first octets.
    pub fn new(out: W) -> io::Result<Self> {
        Ok(Mp4Recorder {
            file: Mp4File::new(out)?,
            sets: ParameterSets::default(),
            picture: None,
            received: None,
            #[cfg(feature = "aac")]
            sound: None,
            counters: RecordCounters::default(),
            finished: false,
        })
    }

    /// Makes parameter sets known that stand in the SDP (`sprop-parameter-sets`, RFC 6184 section 8.1): NAL
    /// units without start codes.
    pub fn parameter_set(&mut self, nal: &[u8]) {
        self.sets.learn(nal);
    }

    /// Records a received picture. The recording begins at the first key frame; incomplete pictures are left
    /// out, and those that build on them play with the damage that the viewer of the call saw, too. Players turn all
    /// pictures as most of them are to be turned.
    ///
    /// # Errors
    /// [`RecordError::Io`]; pictures after that may succeed. [`RecordError::Finished`].
    pub fn picture(&mut self, frame: &ReceivedFrame) -> Result<(), RecordError> {
        self.going_on()?;
        if !frame.complete {
            self.counters.incomplete += 1;
            return Ok(());
        }
        let sample = self.sets.sample(&frame.data);
        if sample.data.is_empty() {
            return Ok(());
        }
        if sample.keyframe
            && let Some(entry) = self.sets.description()
        {
            match &self.picture {
                Some(placed) => self.file.tracks[placed.track].describe(entry),
                None => {
                    let track = Track::new(true, MOVIE_TIMESCALE, frame.play_at.nanos(), entry);
                    let track = self.file.add(track, frame.play_at);
                    let timeline = Timeline::new(MOVIE_TIMESCALE, frame.timestamp, frame.play_at);
                    self.picture = Some(Placed { track, timeline });
                }
            }
        }
        let Some(placed) = &mut self.picture else {
            self.counters.before_keyframe += 1;
            return Ok(());
        };
        let time = placed.timeline.place(frame.timestamp, frame.play_at);
        self.file.write(placed.track, time, &sample.data, sample.keyframe)?;
        self.file.tracks[placed.track].turn(frame.rotation);
        self.counters.pictures += 1;
        self.file.checkpoint_if_due(frame.play_at)?;
        Ok(())
    }

    /// Records decoded sound as AAC-LC. The first stretch sets sample rate and channels; what comes with
    /// others later is converted. Holes up to five seconds become silence.
    ///
    /// # Errors
    /// [`RecordError::Sound`] where the encoder cannot do it, and always in a build without feature `aac`;
    /// [`RecordError::Io`]; [`RecordError::Finished`].
    #[cfg(feature = "aac")]
    pub fn sound(&mut self, sound: &Pcm) -> Result<(), RecordError> {
        self.going_on()?;
        let track = match &mut self.sound {
            Some(track) => track,
            none => none.insert(SoundTrack::new(&mut self.file, sound)?),
        };
        track.write(&mut self.file, sound)?;
        self.file.checkpoint_if_due(sound.captured)?;
        Ok(())
    }

    /// Records decoded sound as AAC-LC, which this build cannot.
    ///
    /// # Errors
    /// [`RecordError::Sound`].
    #[cfg(not(feature = "aac"))]
    pub fn sound(&mut self, _: &Pcm) -> Result<(), RecordError> {
        Err(RecordError::Sound("AAC-LC is not in this build (cargo feature `aac` of visavis-media)".into()))
    }

    /// Records received AAC-LD or AAC-ELD as it is, on a track that players leave off unless asked for it.
    /// Everything else is counted and left out.
    ///
    /// # Errors
    /// [`RecordError::Io`]; [`RecordError::Finished`].
    pub fn received_sound(&mut self, frame: &ReceivedFrame, format: &AudioFormat) -> Result<(), RecordError> {
        self.going_on()?;
        let timescale = NonZeroU32::new(format.clock_rate).filter(|_| {
            matches!(format.codec, Codec::AacLc | Codec::AacLd | Codec::AacEld) && !format.config.is_empty()
        });
        let Some(timescale) = timescale else {
            self.counters.other_sound += 1;
            return Ok(());
        };
        match &mut self.received {
            None => {
                let entry = sound_entry(&format.config, format.clock_rate, format.channels);
                let mut track = Track::new(false, timescale, frame.play_at.nanos(), entry);
                track.enabled = cfg!(not(feature = "aac"));
                let track = self.file.add(track, frame.play_at);
                let timeline = Timeline::new(timescale, frame.timestamp, frame.play_at);
                self.received = Some((Placed { track, timeline }, format.config.clone()));
            }
            Some((placed, _)) if self.file.tracks[placed.track].timescale != timescale => {
                self.counters.other_sound += 1;
                return Ok(());
            }
            Some((placed, config)) if *config != format.config => {
                let entry = sound_entry(&format.config, format.clock_rate, format.channels);
                self.file.tracks[placed.track].describe(entry);
                *config = format.config.clone();
            }
            Some(_) => {}
        }
        if let Some((placed, _)) = &mut self.received {
            let time = placed.timeline.place(frame.timestamp, frame.play_at);
            self.file.write(placed.track, time, &frame.data, true)?;
            self.counters.received_sound += 1;
        }
        self.file.checkpoint_if_due(frame.play_at)?;
        Ok(())
    }

    /// What was recorded so far.
    pub fn counters(&self) -> RecordCounters {
        self.counters
    }

    /// Completes the file. Nothing may follow.
    ///
    /// # Errors
    /// [`RecordError::Io`]; the file is then as it was at the last checkpoint. [`RecordError::Finished`] for a
    /// second time.
    pub fn finish(&mut self) -> Result<(), RecordError> {
        self.going_on()?;
        self.finished = true;
        #[cfg(feature = "aac")]
        let flushed = self.sound.take().map_or(Ok(()), |track| track.finish(&mut self.file));
        self.file.checkpoint()?;
        #[cfg(feature = "aac")]
        flushed?;
        Ok(())
    }

    fn going_on(&self) -> Result<(), RecordError> {
        if self.finished { Err(RecordError::Finished) } else { Ok(()) }
    }
}

impl<W: Write + Seek> Drop for Mp4Recorder<W> {
    fn drop(&mut self) {
        if !self.finished
            && let Err(error) = self.finish()
        {
            tracing::warn!(%error, "the recording is not complete");
        }
    }
}

/// The sample description of AAC with that AudioSpecificConfig.
fn sound_entry(config: &[u8], sample_rate: u32, channels: u8) -> SampleEntry {
    let dec_config_descr = DecoderConfigDescriptor {
        object_type_indication: DecoderConfigDescriptor::OBJECT_TYPE_INDICATION_AUDIO_ISO_IEC_14496_3,
        stream_type: DecoderConfigDescriptor::STREAM_TYPE_AUDIO,
        up_stream: DecoderConfigDescriptor::UP_STREAM_FALSE,
        // 6144 bits per channel: the most that an access unit may hold (ISO/IEC 14496-3).
        buffer_size_db: Uint::new(768 * u32::from(channels)),
        max_bitrate: 0,
        avg_bitrate: 0,
        dec_specific_info: Some(DecoderSpecificInfo { payload: config.to_vec() }),
    };
    SampleEntry::Mp4a(Mp4aBox {
        audio: AudioSampleEntryFields {
            data_reference_index: AudioSampleEntryFields::DEFAULT_DATA_REFERENCE_INDEX,
            channelcount: channels.into(),
            samplesize: AudioSampleEntryFields::DEFAULT_SAMPLESIZE,
            samplerate: FixedPointNumber::new(u16::try_from(sample_rate).unwrap_or(0), 0),
        },
        esds_box: EsdsBox {
            es: EsDescriptor {
                es_id: EsDescriptor::MIN_ES_ID,
                stream_priority: EsDescriptor::LOWEST_STREAM_PRIORITY,
                depends_on_es_id: None,
                url_string: None,
                ocr_es_id: None,
                dec_config_descr,
                sl_config_descr: SlConfigDescriptor,
            },
        },
        unknown_boxes: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use shiguredo_mp4::Decode;
    use shiguredo_mp4::boxes::MoovBox;
    use std::io::Cursor;
    use visavis_proto::frame::Rotation;
    use visavis_proto::time::Time;

    fn nal() -> impl Strategy<Value = Vec<u8>> {
        let header = prop::sample::select(vec![0x67_u8, 0x68, 0x65, 0x41, 0x06, 0x09, 0x00]);
        (header, prop::collection::vec(any::<u8>(), 0..40))
            .prop_map(|(header, rest)| [vec![header], rest].concat())
    }

    proptest! {
        #[test]
        fn whatever_is_received_the_file_has_a_movie_that_can_be_read(
            frames in prop::collection::vec((prop::collection::vec(nal(), 0..5), any::<u32>(), any::<u32>()), 0..40),
            real_sets: bool,
        ) {
            let mut file = Cursor::new(Vec::new());
            let mut recorder = Mp4Recorder::new(&mut file).unwrap();
            if real_sets {
                recorder.parameter_set(&[0x67, 0x42, 0xc0, 0x1e, 0xda, 0x02, 0x80, 0xf6, 0x84, 0x00]);
                recorder.parameter_set(&[0x68, 0xce, 0x38, 0x80]);
            }
            for (nals, timestamp, at) in frames {
                let data: Vec<u8> = nals.iter().flat_map(|nal| [&[0, 0, 0, 1], &nal[..]].concat()).collect();
                let play_at = Time::from_nanos(u64::from(at) * 1_000_000);
                recorder.picture(&ReceivedFrame {
                    codec: Codec::H264,
                    payload_type: 96,
                    data: data.into(),
                    timestamp: timestamp.into(),
                    received: play_at,
                    play_at,
                    keyframe: false,
                    lost_packets: 0,
                    complete: true,
                    rotation: Rotation::None,
                }).unwrap();
            }
            recorder.finish().unwrap();
            let pictures = recorder.counters().pictures;
            drop(recorder);
            let file = file.into_inner();
            let at = file.windows(4).rposition(|window| window == b"moov").expect("a moov box") - 4;
            let (moov, length) = MoovBox::decode(&file[at..]).unwrap();
            prop_assert_eq!(at + length, file.len());
            prop_assert_eq!(moov.trak_boxes.len(), usize::from(pictures > 0));
        }
    }
}
