//! The raw interface of the openh264 library behind two safe handles.
//!
//! All `unsafe` of the H.264 codec is here. The handles own one library object each, pass nothing to the
//! library that outlives a call, and copy out whatever the library points to before they return.

#![allow(unsafe_code)]

use super::CodecError;
use crate::picture::{Component, MAX_DIMENSION, Picture};
use openh264_sys2 as sys;
use std::ffi::c_int;
use std::ptr::{NonNull, null, null_mut};
use std::slice;
use sys::source::APILoader as Api;
use visavis_proto::frame::Codec;

/// An initialised encoder of the library.
pub(super) struct RawEncoder {
    object: NonNull<sys::ISVCEncoder>,
}

// SAFETY: the library keeps no thread-local state and ties an encoder to no thread; `&mut self` on every
// method keeps calls from overlapping.
unsafe impl Send for RawEncoder {}

/// What the library made of one picture.
pub(super) struct CodedPicture {
    /// NAL units behind start codes; empty where rate control skipped the picture.
    pub(super) data: Vec<u8>,
    /// Whether it is an IDR picture.
    pub(super) idr: bool,
}

/// An entry of an object's function table, or an early return with an error where the table lacks it.
macro_rules! entry {
    ($object:expr, $name:ident) => {
        // SAFETY: `object` came from the library's constructor, was not yet destroyed, and begins with a
        // pointer to its function table, which is static.
        unsafe { (**$object.as_ptr()).$name }.ok_or_else(|| failed(stringify!($name), -1))?
    };
}

impl RawEncoder {
    /// Makes an encoder: `configure` changes the library's default parameters, sizes and rates included.
    pub(super) fn new(configure: impl FnOnce(&mut sys::SEncParamExt)) -> Result<Self, CodecError> {
        let mut object = null_mut();
        // SAFETY: the out-pointer is valid for the call.
        let code = unsafe { Api::WelsCreateSVCEncoder(&mut object) };
        check("WelsCreateSVCEncoder", code)?;
        let object = NonNull::new(object).ok_or_else(|| failed("WelsCreateSVCEncoder", -1))?;
        // From here on `drop` destroys the object; the library allows that before initialisation.
        let mut encoder = RawEncoder { object };
        encoder.set(sys::ENCODER_OPTION_TRACE_LEVEL, &mut sys::WELS_LOG_QUIET.clone())?;

        let mut params = sys::SEncParamExt::default();
        let defaults = entry!(object, GetDefaultParams);
        // SAFETY: a live object, and a parameter block of the library's own layout.
        check("GetDefaultParams", unsafe { defaults(object.as_ptr(), &mut params) })?;
        configure(&mut params);
        let initialize = entry!(object, InitializeExt);
        // SAFETY: as above; the library copies the parameters.
        check("InitializeExt", unsafe { initialize(object.as_ptr(), &params) })?;
        encoder.set(sys::ENCODER_OPTION_DATAFORMAT, &mut sys::videoFormatI420.clone())?;
        Ok(encoder)
    }

    /// Encodes the even-sized part of a picture: the last column and row of an odd one are left out.
    pub(super) fn encode(&mut self, picture: &Picture) -> Result<CodedPicture, CodecError> {
        let planes = Component::ALL.map(|component| picture.plane(component));
        let mut source = sys::SSourcePicture {
            iColorFormat: sys::videoFormatI420,
            iPicWidth: (picture.width() & !1) as c_int,
            iPicHeight: (picture.height() & !1) as c_int,
            uiTimeStamp: (picture.captured.nanos() / 1_000_000) as i64,
            ..Default::default()
        };
        for (i, plane) in planes.iter().enumerate() {
            source.iStride[i] = plane.stride as c_int;
            source.pData[i] = plane.data.as_ptr().cast_mut();
        }
        let mut info = Box::<sys::SFrameBSInfo>::default();
        let encode = entry!(self.object, EncodeFrame);
        // SAFETY: a live, initialised object. The planes hold `iStride * rows` octets, at least what the
        // sizes given ask for; the library only reads them and keeps no pointer past the call.
        check("EncodeFrame", unsafe { encode(self.object.as_ptr(), &source, &mut *info) })?;

        let mut data = Vec::with_capacity(usize::try_from(info.iFrameSizeInBytes).unwrap_or(0));
        if info.eFrameType != sys::videoFrameTypeSkip && info.eFrameType != sys::videoFrameTypeInvalid {
            let layers = usize::try_from(info.iLayerNum).unwrap_or(0);
            for layer in info.sLayerInfo.iter().take(layers) {
                let count = usize::try_from(layer.iNalCount).unwrap_or(0);
                if count == 0 || layer.pNalLengthInByte.is_null() || layer.pBsBuf.is_null() {
                    continue;
                }
                // SAFETY: the library filled in `iNalCount` lengths there; they stay until its next call.
                let lengths = unsafe { slice::from_raw_parts(layer.pNalLengthInByte, count) };
                let octets = lengths.iter().map(|&n| usize::try_from(n).unwrap_or(0)).sum();
                // SAFETY: the NAL units of a layer lie one behind the other from `pBsBuf` on, `octets` in
                // all, and stay until the library's next call.
                data.extend_from_slice(unsafe { slice::from_raw_parts(layer.pBsBuf, octets) });
            }
        }
        Ok(CodedPicture { data, idr: info.eFrameType == sys::videoFrameTypeIDR })
    }

    /// Makes the next picture an IDR picture.
    pub(super) fn force_idr(&mut self) -> Result<(), CodecError> {
        let force = entry!(self.object, ForceIntraFrame);
        // SAFETY: a live, initialised object.
        check("ForceIntraFrame", unsafe { force(self.object.as_ptr(), true) })
    }

    /// Sets the target, bits a second, for the whole stream and its only layer.
    pub(super) fn set_bitrate(&mut self, bits_per_second: u32) -> Result<(), CodecError> {
        for layer in [sys::SPATIAL_LAYER_ALL, sys::SPATIAL_LAYER_0] {
            let target = bits_per_second.min(i32::MAX as u32) as c_int;
            self.set(
                sys::ENCODER_OPTION_BITRATE,
                &mut sys::SBitrateInfo { iLayer: layer, iBitrate: target },
            )?;
        }
        Ok(())
    }

    /// Sets the pictures a second that rate control reckons with.
    pub(super) fn set_frame_rate(&mut self, frames_per_second: f32) -> Result<(), CodecError> {
        self.set(sys::ENCODER_OPTION_FRAME_RATE, &mut frames_per_second.clone())
    }

    /// Sets an option. `T` must be the type that the library documents for it.
    fn set<T>(&mut self, option: sys::ENCODER_OPTION, value: &mut T) -> Result<(), CodecError> {
        let set = entry!(self.object, SetOption);
        let value: *mut T = value;
        // SAFETY: a live object; every caller in this file passes the type documented for its option, and
        // the library copies the value.
        check("SetOption", unsafe { set(self.object.as_ptr(), option, value.cast()) })
    }
}

impl Drop for RawEncoder {
    fn drop(&mut self) {
        // SAFETY: a live object, destroyed once; the destructor uninitialises it where need be.
        unsafe { Api::WelsDestroySVCEncoder(self.object.as_ptr()) }
    }
}

/// An initialised decoder of the library.
pub(super) struct RawDecoder {
    object: NonNull<sys::ISVCDecoder>,
}

// SAFETY: as for `RawEncoder`; the decoder runs without threads of its own (the library's default).
unsafe impl Send for RawDecoder {}

/// What the library made of some octets.
pub(super) struct Decoded {
    /// The picture that came out, if one did.
    pub(super) picture: Option<Picture>,
    /// The library's status bits (`ds...`); 0 for success.
    pub(super) state: i32,
}

impl RawDecoder {
    /// Makes a decoder with one of the library's ways to conceal errors (`ERROR_CON_...`).
    pub(super) fn new(concealment: sys::ERROR_CON_IDC) -> Result<Self, CodecError> {
        let mut object = null_mut();
        // SAFETY: the out-pointer is valid for the call.
        let code = unsafe { Api::WelsCreateDecoder(&mut object) };
        check("WelsCreateDecoder", code as c_int)?;
        let object = NonNull::new(object).ok_or_else(|| failed("WelsCreateDecoder", -1))?;
        let decoder = RawDecoder { object };

        let set = entry!(object, SetOption);
        let mut quiet = sys::WELS_LOG_QUIET;
        let quiet: *mut c_int = &mut quiet;
        // SAFETY: a live object; the trace level is an int, copied by the library.
        let code = unsafe { set(object.as_ptr(), sys::DECODER_OPTION_TRACE_LEVEL, quiet.cast()) };
        check("SetOption", code as c_int)?;

        let mut params = sys::SDecodingParam { eEcActiveIdc: concealment, ..Default::default() };
        params.sVideoProperty.eVideoBsType = sys::VIDEO_BITSTREAM_AVC;
        let initialize = entry!(object, Initialize);
        // SAFETY: a live object, and a parameter block of the library's own layout, copied by it.
        check("Initialize", unsafe { initialize(object.as_ptr(), &params) } as c_int)?;
        Ok(decoder)
    }

    /// Decodes NAL units behind start codes; `None` says that the access unit given before is complete.
    pub(super) fn decode(&mut self, data: Option<&[u8]>) -> Result<Decoded, CodecError> {
        let (octets, length) = data.map_or((null(), 0), |data| (data.as_ptr(), data.len()));
        let length = c_int::try_from(length).map_err(|_| failed("DecodeFrame2", -1))?;
        let decode = entry!(self.object, DecodeFrame2);
        let (mut planes, mut info) = ([null_mut::<u8>(); 3], sys::SBufferInfo::default());
        // SAFETY: a live, initialised object; `octets` holds `length` octets, which the library copies; the
        // out-pointers are valid for the call.
        let state = unsafe { decode(self.object.as_ptr(), octets, length, planes.as_mut_ptr(), &mut info) };
        // SAFETY: what the library just wrote, before any other call to it.
        Ok(Decoded { picture: unsafe { copy_out(&planes, &info) }, state })
    }

    /// Gives out a picture that the library holds back to put pictures in order, which it does for every
    /// profile above baseline, with or without pictures to put in order.
    pub(super) fn flush(&mut self) -> Result<Decoded, CodecError> {
        let flush = entry!(self.object, FlushFrame);
        let (mut planes, mut info) = ([null_mut::<u8>(); 3], sys::SBufferInfo::default());
        // SAFETY: a live, initialised object; the out-pointers are valid for the call.
        let state = unsafe { flush(self.object.as_ptr(), planes.as_mut_ptr(), &mut info) };
        // SAFETY: what the library just wrote, before any other call to it.
        Ok(Decoded { picture: unsafe { copy_out(&planes, &info) }, state })
    }
}

impl Drop for RawDecoder {
    fn drop(&mut self) {
        // SAFETY: a live object, destroyed once; the destructor uninitialises it where need be.
        unsafe { Api::WelsDestroyDecoder(self.object.as_ptr()) }
    }
}

/// Copies the decoder's picture, cropping applied by the library; `None` where it gave none.
///
/// # Safety
/// `planes` and `info` must be as a decoder wrote them, with no call to that decoder since.
unsafe fn copy_out(planes: &[*mut u8; 3], info: &sys::SBufferInfo) -> Option<Picture> {
    if info.iBufferStatus != 1 {
        return None;
    }
    // SAFETY: for a decoder that writes to memory (the only kind there is) this arm of the union is in use.
    let buffer = unsafe { info.UsrData.sSystemBuffer };
    let (width, height) = (u32::try_from(buffer.iWidth).ok()?, u32::try_from(buffer.iHeight).ok()?);
    if width == 0 || height == 0 || width > MAX_DIMENSION || height > MAX_DIMENSION {
        return None;
    }
    let sizes =
        [(width, height), (width.div_ceil(2), height.div_ceil(2)), (width.div_ceil(2), height.div_ceil(2))];
    let strides = [buffer.iStride[0], buffer.iStride[1], buffer.iStride[1]];
    let mut views: [(&[u8], usize); 3] = [(&[], 0); 3];
    for i in 0..3 {
        let stride = usize::try_from(strides[i]).ok()?;
        let (columns, rows) = (sizes[i].0 as usize, sizes[i].1 as usize);
        if planes[i].is_null() || stride < columns {
            return None;
        }
        // SAFETY: the library keeps `rows` rows of `stride` octets there until its next call, all but the
        // last of them whole; the view ends with the last sample and does not outlive this function.
        let view = unsafe { slice::from_raw_parts(planes[i], stride * (rows - 1) + columns) };
        views[i] = (view, stride);
    }
    Picture::from_planes(width, height, views).ok()
}

fn check(call: &'static str, code: c_int) -> Result<(), CodecError> {
    if code == 0 { Ok(()) } else { Err(failed(call, code.into())) }
}

fn failed(call: &'static str, code: i64) -> CodecError {
    CodecError::Library { codec: Codec::H264, call, code }
}
