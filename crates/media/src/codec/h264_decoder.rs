//! H.264 through the openh264 library with concealment on: a picture with holes is shown and marked, not
//! thrown away with everything up to the next keyframe.

use super::h264::{NAL_SPS, SpsInfo, is_random_access, nal_type, nal_units};
use super::openh264::RawDecoder;
use super::{CodecError, DecodedPicture, VideoDecoder};
use crate::picture::Picture;
use openh264_sys2 as sys;
use visavis_proto::frame::{Codec, ReceivedFrame};

/// The most macroblocks in a picture that a decoder takes unless told otherwise: 1920 x 1088 and its like,
/// level 4.2. A picture store of the library then stays below 60 MB.
pub const DEFAULT_MAX_MACROBLOCKS: u32 = 8_704;

/// An access unit delimiter (7.3.2.4) behind its start code: slices of any type may follow.
const DELIMITER: [u8; 6] = [0, 0, 0, 1, 0x09, 0xf0];

/// What became of the access units given to a decoder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct H264Counters {
    /// Pictures given out.
    pub pictures: u64,
    /// Those of them with parts made up, in them or in a picture they build on.
    pub concealed: u64,
    /// Access units of which nothing could be decoded.
    pub errors: u64,
}

/// H.264 access units to pictures.
pub struct H264Decoder {
    raw: RawDecoder,
    max_macroblocks: u32,
    counters: H264Counters,
    /// Whether a point to start at was decoded.
    started: bool,
    /// Whether references are damaged.
    broken: bool,
}

impl H264Decoder {
    /// A decoder of pictures up to `max_macroblocks` (16 x 16 pixels each).
    ///
    /// # Errors
    /// [`CodecError::Library`] where the library cannot be set up.
    pub fn new(max_macroblocks: u32) -> Result<Self, CodecError> {
        Ok(H264Decoder {
            raw: RawDecoder::new(sys::ERROR_CON_SLICE_MV_COPY_CROSS_IDR_FREEZE_RES_CHANGE)?,
            max_macroblocks,
            counters: H264Counters::default(),
            started: false,
            broken: false,
        })
    }

    /// What became of the access units so far.
    pub fn counters(&self) -> H264Counters {
        self.counters
    }

    /// An error for an SPS that would make the library hold pictures larger than allowed.
    fn check_size(&self, data: &[u8]) -> Result<(), CodecError> {
        for sps in nal_units(data).filter(|nal| nal_type(nal) == NAL_SPS).filter_map(SpsInfo::parse) {
            if sps.macroblocks() > self.max_macroblocks {
                let most = self.max_macroblocks;
                let what = format!("pictures of {} x {}, at most {most} macroblocks", sps.width, sps.height);
                return Err(malformed(data, what));
            }
        }
        Ok(())
    }

    /// Decodes an access unit to its last picture and the status bits of all calls.
    fn run(&mut self, data: &[u8]) -> Result<(Option<Picture>, i32), CodecError> {
        // The library decodes when it sees the start of the next access unit, unless told that this one has
        // ended. It then holds back pictures above baseline in case some arrive out of order, unless told to
        // let go. And it conceals a picture with slices missing at the next start only, for which a
        // delimiter will do.
        let (mut picture, mut state) = (None, 0);
        for octets in [data, &DELIMITER] {
            let steps = [self.raw.decode(Some(octets))?, self.raw.decode(None)?, self.raw.flush()?];
            for step in steps {
                (picture, state) = (step.picture.or(picture), state | step.state);
            }
            if picture.is_some() {
                break;
            }
        }
        Ok((picture, state))
    }
}

impl VideoDecoder for H264Decoder {
    fn decode(&mut self, frame: &ReceivedFrame) -> Result<Option<DecodedPicture>, CodecError> {
        let start = nal_units(&frame.data).any(is_random_access);
        let whole = frame.complete && frame.lost_packets == 0;
        if let Err(error) = self.check_size(&frame.data) {
            (self.broken, self.counters.errors) = (true, self.counters.errors + 1);
            return Err(error);
        }
        let (picture, state) = self.run(&frame.data)?;
        if start && frame.complete && state == 0 {
            (self.started, self.broken) = (true, false);
        } else if !whole || state != 0 {
            self.broken = true;
        }
        let Some(picture) = picture else {
            if state == 0 || !self.started && state & sys::dsNoParamSets != 0 {
                return Ok(None);
            }
            self.counters.errors += 1;
            return Err(malformed(&frame.data, format!("status {state:#x}")));
        };
        if !self.started {
            // Grey with fragments on it, until there is something to build on.
            return Ok(None);
        }
        let sequence = self.counters.pictures;
        self.counters.pictures += 1;
        self.counters.concealed += u64::from(self.broken);
        let picture = picture.at(frame.play_at).numbered(sequence);
        Ok(Some(DecodedPicture { picture, concealed: self.broken }))
    }

    fn needs_keyframe(&self) -> bool {
        self.broken || !self.started
    }
}

fn malformed(data: &[u8], what: String) -> CodecError {
    CodecError::Data { codec: Codec::H264, octets: data.len(), what }
}
