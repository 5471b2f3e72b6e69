//! H.264 constrained baseline from the openh264 library, set up for calls: rate control that may leave
//! pictures out, parameter sets before every IDR picture, slices small enough for packetization mode 0.

use super::h264::{NAL_SPS, nal_ranges, nal_type};
use super::openh264::RawEncoder;
use super::{CodecError, VideoEncoder};
use crate::picture::Picture;
use openh264_sys2 as sys;
use std::time::Duration;
use visavis_proto::frame::{Codec, EncodedFrame, Rotation, VideoFormat};
use visavis_proto::time::Time;

/// The smallest NAL unit limit that the library can keep to, octets: one macroblock can take 400.
pub const MIN_MAX_NAL: u32 = 500;
/// Bounds of the bit rate, bits a second.
pub const BITRATES: std::ops::RangeInclusive<u32> = 10_000..=50_000_000;
/// Bounds of the frame rate, pictures a second.
pub const FRAME_RATES: std::ops::RangeInclusive<f32> = 1.0..=60.0;

/// Room that the library's NAL unit limit does not count, octets: emulation prevention can add to a unit
/// after it was measured.
const NAL_MARGIN: u32 = 16;
/// The most threads, and so slices, for one picture.
const MAX_THREADS: u16 = 4;

/// How an encoder is to work.
#[derive(Clone, Debug, PartialEq)]
pub struct H264Settings {
    /// Target, bits a second.
    pub bits_per_second: u32,
    /// Pictures a second that the target is spread over.
    pub frames_per_second: f32,
    /// The largest NAL unit, octets; `None` leaves each picture in as few slices as threads.
    pub max_nal: Option<u32>,
    /// A keyframe at least this often; `None`: only when asked for.
    pub keyframe_interval: Option<Duration>,
    /// Threads for one picture, 1 to 4; more than one takes as many slices. One where `max_nal` is set.
    pub threads: u16,
}

impl H264Settings {
    /// Settings for a call to a receiver of `format`: a keyframe every ten seconds, one thread, NAL units
    /// as large as the packetization takes.
    pub fn new(format: &VideoFormat, bits_per_second: u32, frames_per_second: f32) -> Self {
        H264Settings {
            bits_per_second,
            frames_per_second,
            max_nal: format.max_nal,
            keyframe_interval: Some(Duration::from_secs(10)),
            threads: 1,
        }
    }
}

/// Pictures to H.264 access units.
pub struct H264Encoder {
    format: VideoFormat,
    settings: H264Settings,
    /// The library's encoder, for pictures of one size; made with the first picture.
    raw: Option<(RawEncoder, (u32, u32))>,
    keyframe_wanted: bool,
    last_keyframe: Option<Time>,
}

impl H264Encoder {
    /// An encoder for a receiver of `format`. The library is set up with the first picture.
    ///
    /// # Errors
    /// [`CodecError::Format`] where the format is of another codec, leaves no room for a picture, or limits
    /// NAL units below [`MIN_MAX_NAL`].
    pub fn new(format: &VideoFormat, settings: H264Settings) -> Result<Self, CodecError> {
        let fail = |what| Err(CodecError::Format { codec: format.codec, what });
        if format.codec != Codec::H264 {
            return fail("this encoder makes H.264".to_owned());
        }
        if format.max_fs == 0 || format.max_mbps == 0 {
            return fail(format!("{} macroblocks, {} a second", format.max_fs, format.max_mbps));
        }
        if let Some(max_nal) = settings.max_nal.filter(|&n| n < MIN_MAX_NAL) {
            return fail(format!("NAL units of at most {max_nal} octets, {MIN_MAX_NAL} are needed"));
        }
        let mut encoder = H264Encoder {
            format: format.clone(),
            settings,
            raw: None,
            keyframe_wanted: false,
            last_keyframe: None,
        };
        let (bits, fps) = (encoder.settings.bits_per_second, encoder.settings.frames_per_second);
        (encoder.settings.bits_per_second, encoder.settings.frames_per_second) = encoder.allowed(bits, fps);
        Ok(encoder)
    }

    /// The settings as they hold now.
    pub fn settings(&self) -> &H264Settings {
        &self.settings
    }

    /// Rates within the bounds of the library and the peer.
    fn allowed(&self, bits_per_second: u32, frames_per_second: f32) -> (u32, f32) {
        let most_bits = self.format.max_bitrate.unwrap_or(u32::MAX);
        let bits = bits_per_second.min(most_bits).clamp(*BITRATES.start(), *BITRATES.end());
        let most_frames = self.format.max_fps.map_or(f32::MAX, f32::from);
        let wanted = if frames_per_second.is_finite() { frames_per_second } else { *FRAME_RATES.end() };
        (bits, wanted.min(most_frames).clamp(*FRAME_RATES.start(), *FRAME_RATES.end()))
    }

    fn check(&self, picture: &Picture) -> Result<(), CodecError> {
        let (width, height) = picture.size();
        if !picture.fits(&self.format) {
            let (most, named) = (self.format.max_fs, self.format.max_size);
            let what =
                format!("a picture of {width} x {height}; the peer takes {most} macroblocks, size {named:?}");
            return Err(CodecError::Input { codec: Codec::H264, what });
        }
        if width < 16 || height < 16 {
            let what = format!("a picture of {width} x {height}; the smallest is 16 x 16");
            return Err(CodecError::Input { codec: Codec::H264, what });
        }
        Ok(())
    }

    fn open(&self, (width, height): (u32, u32)) -> Result<RawEncoder, CodecError> {
        let settings = &self.settings;
        RawEncoder::new(|params| {
            let layer = &mut params.sSpatialLayers[0];
            // An odd last column or row is left out, as 4:2:0 cropping (7.4.2.1.1) is in steps of two.
            (layer.iVideoWidth, layer.iVideoHeight) = ((width & !1) as i32, (height & !1) as i32);
            layer.fFrameRate = settings.frames_per_second;
            layer.iSpatialBitrate = settings.bits_per_second as i32;
            layer.uiProfileIdc = sys::PRO_BASELINE;
            // The library takes the lowest level that will do; `keep_level` holds it to the peer's.
            layer.uiLevelIdc = sys::LEVEL_UNKNOWN;
            // BT.601 525-line video range, as `scale` converts.
            layer.bVideoSignalTypePresent = true;
            layer.uiVideoFormat = sys::VF_UNDEF as u8;
            layer.bFullRange = false;
            layer.bColorDescriptionPresent = true;
            layer.uiColorPrimaries = sys::CP_SMPTE170M as u8;
            layer.uiTransferCharacteristics = sys::TRC_SMPTE170M as u8;
            layer.uiColorMatrix = sys::CM_SMPTE170M as u8;
            let slices = &mut layer.sSliceArgument;
            let threads = settings.threads.clamp(1, MAX_THREADS);
            match settings.max_nal {
                Some(max_nal) => {
                    slices.uiSliceMode = sys::SM_SIZELIMITED_SLICE;
                    slices.uiSliceSizeConstraint = max_nal - NAL_MARGIN;
                    params.uiMaxNalSize = max_nal - NAL_MARGIN;
                    params.iMultipleThreadIdc = 1;
                }
                None if threads > 1 => {
                    slices.uiSliceMode = sys::SM_FIXEDSLCNUM_SLICE;
                    slices.uiSliceNum = threads.into();
                    params.iMultipleThreadIdc = threads;
                }
                None => {
                    slices.uiSliceMode = sys::SM_SINGLE_SLICE;
                    slices.uiSliceNum = 1;
                    params.iMultipleThreadIdc = 1;
                }
            }
            (params.iPicWidth, params.iPicHeight) = ((width & !1) as i32, (height & !1) as i32);
            params.iUsageType = sys::CAMERA_VIDEO_REAL_TIME;
            params.fMaxFrameRate = settings.frames_per_second;
            params.iTargetBitrate = settings.bits_per_second as i32;
            params.iRCMode = sys::RC_BITRATE_MODE;
            params.bEnableFrameSkip = true;
            params.iSpatialLayerNum = 1;
            params.iTemporalLayerNum = 1;
            params.uiIntraPeriod = 0;
            params.eSpsPpsIdStrategy = sys::CONSTANT_ID;
            params.iEntropyCodingModeFlag = 0;
            params.bPrefixNalAddingCtrl = false;
            params.bEnableLongTermReference = false;
            params.bEnableDenoise = false;
            // A twelfth of what a call costs, for 0.2 dB and for keyframes that a camera has no use for.
            params.bEnableSceneChangeDetect = false;
            params.bEnableBackgroundDetection = true;
            params.bEnableAdaptiveQuant = false;
            params.iComplexityMode = sys::LOW_COMPLEXITY;
        })
    }

    /// Names the peer's level in the SPS where the stream needs more. The peer allowed for that beside the
    /// level (`max-fs`, `max-mbps`, ...), which leaves the level in the stream as signalled (RFC 6184
    /// section 8.1).
    fn keep_level(&self, data: &mut [u8]) {
        let [_, flags, level] = self.format.profile_level_id;
        let header = |data: &[u8]| nal_ranges(data).find(|range| nal_type(&data[range.clone()]) == NAL_SPS);
        if let Some(sps) = header(data).and_then(|range| data.get_mut(range)?.get_mut(..4))
            && level != 0
            && sps[3] > level
        {
            // Level 1b is level 11 with constraint_set3_flag.
            sps[2] = (sps[2] & !0x10) | (flags & 0x10);
            sps[3] = level;
        }
    }

    fn keyframe_due(&self, now: Time) -> bool {
        let interval = self.settings.keyframe_interval.unwrap_or(Duration::MAX);
        self.keyframe_wanted || self.last_keyframe.is_some_and(|last| now.since(last) >= interval)
    }
}

impl VideoEncoder for H264Encoder {
    fn encode(&mut self, picture: &Picture) -> Result<Option<EncodedFrame>, CodecError> {
        self.check(picture)?;
        let due = self.keyframe_due(picture.captured);
        let mut raw = match self.raw.take() {
            Some((mut raw, size)) if size == picture.size() => {
                if due {
                    raw.force_idr()?;
                }
                raw
            }
            _ => self.open(picture.size())?,
        };
        // After an error the library's encoder is dropped: the next picture starts anew with a keyframe.
        let mut coded = raw.encode(picture)?;
        self.raw = Some((raw, picture.size()));
        if coded.data.is_empty() {
            return Ok(None);
        }
        if coded.idr {
            self.keyframe_wanted = false;
            self.last_keyframe = Some(picture.captured);
            self.keep_level(&mut coded.data);
        }
        Ok(Some(EncodedFrame {
            data: coded.data.into(),
            captured: picture.captured,
            duration: 0,
            keyframe: coded.idr,
            rotation: Rotation::None,
        }))
    }

    fn request_keyframe(&mut self) {
        self.keyframe_wanted = true;
    }

    fn set_rates(&mut self, bits_per_second: u32, frames_per_second: f32) -> Result<(), CodecError> {
        let (bits, fps) = self.allowed(bits_per_second, frames_per_second);
        if let Some((raw, _)) = &mut self.raw {
            if fps != self.settings.frames_per_second {
                raw.set_frame_rate(fps)?;
                self.settings.frames_per_second = fps;
            }
            if bits != self.settings.bits_per_second {
                raw.set_bitrate(bits)?;
            }
        }
        (self.settings.bits_per_second, self.settings.frames_per_second) = (bits, fps);
        Ok(())
    }
}
