//! The raw interface of the Fraunhofer FDK AAC library behind two safe handles.
//!
//! All `unsafe` of the AAC codecs is here. The handles own one library object each; buffers live for one
//! call.

#![allow(unsafe_code)]

use fdk_aac_sys as sys;
use std::ffi::c_void;
use std::ptr::{NonNull, null, null_mut};

/// A library call that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Failed {
    /// The function.
    pub(super) call: &'static str,
    /// The library's code, or the figure that was not as it must be.
    pub(super) code: u32,
}

/// The most samples that the decoder puts out for one access unit, all channels: eight of 2048.
const MAX_OUTPUT: usize = 8 * 2_048;

/// An initialised encoder of the library.
pub(super) struct RawEncoder {
    object: NonNull<sys::AACENCODER>,
    max_octets: usize,
}

// SAFETY: the library's state hangs off the object, its tables are constant; `&mut self` on every method
// keeps calls from overlapping.
unsafe impl Send for RawEncoder {}

/// What an encoder says of itself.
pub(super) struct EncoderInfo {
    /// The AudioSpecificConfig.
    pub(super) config: Vec<u8>,
    /// Samples per channel in a frame.
    pub(super) frame_length: u32,
    /// Samples per channel that decoded sound lies behind.
    pub(super) delay: u32,
}

impl RawEncoder {
    /// An encoder for up to `channels` channels, with its parameters set and taken over.
    pub(super) fn new(channels: u8, params: &[(sys::AACENC_PARAM, u32)]) -> Result<Self, Failed> {
        let mut object = null_mut();
        // SAFETY: the out-pointer is valid for the call; module set 0 asks for all modules.
        let code = unsafe { sys::aacEncOpen(&mut object, 0, channels.into()) };
        check("aacEncOpen", code)?;
        let object = NonNull::new(object).ok_or(failed("aacEncOpen", 0))?;
        let mut encoder = RawEncoder { object, max_octets: 0 };
        for &(param, value) in params {
            encoder.set(param, value)?;
        }
        encoder.apply()?;
        encoder.max_octets = encoder.raw_info()?.maxOutBufBytes as usize;
        Ok(encoder)
    }

    /// Takes over parameters that were set since the last frame.
    pub(super) fn apply(&mut self) -> Result<(), Failed> {
        // SAFETY: a live object; null buffers ask for initialisation alone, as documented.
        let code = unsafe { sys::aacEncEncode(self.object.as_ptr(), null(), null(), null(), null_mut()) };
        check("aacEncEncode", code)
    }

    /// Sets a parameter; it holds once applied, or from the next frame on.
    pub(super) fn set(&mut self, param: sys::AACENC_PARAM, value: u32) -> Result<(), Failed> {
        // SAFETY: a live object; the library checks parameter and value.
        check("aacEncoder_SetParam", unsafe { sys::aacEncoder_SetParam(self.object.as_ptr(), param, value) })
    }

    /// The value of a parameter that holds.
    pub(super) fn value(&self, param: sys::AACENC_PARAM) -> u32 {
        // SAFETY: a live object; the library only reads it.
        unsafe { sys::aacEncoder_GetParam(self.object.as_ptr(), param) }
    }

    pub(super) fn info(&self) -> Result<EncoderInfo, Failed> {
        let info = self.raw_info()?;
        let length = (info.confSize as usize).min(info.confBuf.len());
        let config = info.confBuf[..length].to_vec();
        Ok(EncoderInfo { config, frame_length: info.frameLength, delay: info.nDelay })
    }

    fn raw_info(&self) -> Result<sys::AACENC_InfoStruct, Failed> {
        // SAFETY: a plain C structure of integers, for which zeros are a value.
        let mut info: sys::AACENC_InfoStruct = unsafe { std::mem::zeroed() };
        // SAFETY: a live object; the out-pointer is valid for the call.
        check("aacEncInfo", unsafe { sys::aacEncInfo(self.object.as_ptr(), &mut info) })?;
        Ok(info)
    }

    /// Encodes interleaved samples, one frame of them; the access unit, empty where none came out.
    pub(super) fn encode(&mut self, samples: &[i16]) -> Result<Vec<u8>, Failed> {
        let mut output = vec![0u8; self.max_octets];
        let (mut input_at, mut output_at) =
            (samples.as_ptr().cast_mut().cast::<c_void>(), output.as_mut_ptr().cast::<c_void>());
        let (mut input_id, mut output_id) = (
            sys::AACENC_BufferIdentifier_IN_AUDIO_DATA as i32,
            sys::AACENC_BufferIdentifier_OUT_BITSTREAM_DATA as i32,
        );
        let (mut input_size, mut output_size) = (size_of_val(samples) as i32, output.len() as i32);
        let (mut input_unit, mut output_unit) = (size_of::<i16>() as i32, 1);
        let input = sys::AACENC_BufDesc {
            numBufs: 1,
            bufs: &mut input_at,
            bufferIdentifiers: &mut input_id,
            bufSizes: &mut input_size,
            bufElSizes: &mut input_unit,
        };
        let target = sys::AACENC_BufDesc {
            numBufs: 1,
            bufs: &mut output_at,
            bufferIdentifiers: &mut output_id,
            bufSizes: &mut output_size,
            bufElSizes: &mut output_unit,
        };
        let taken = sys::AACENC_InArgs { numInSamples: samples.len() as i32, numAncBytes: 0 };
        let mut made =
            sys::AACENC_OutArgs { numOutBytes: 0, numInSamples: 0, numAncBytes: 0, bitResState: 0 };
        // SAFETY: a live, initialised object. Both descriptors name one buffer each with its true size in
        // octets; the library only reads the input, writes at most `output_size` octets of the output, and
        // keeps no pointer past the call.
        let code = unsafe { sys::aacEncEncode(self.object.as_ptr(), &input, &target, &taken, &mut made) };
        check("aacEncEncode", code)?;
        if made.numInSamples != taken.numInSamples {
            return Err(failed("aacEncEncode", made.numInSamples as u32));
        }
        output.truncate(usize::try_from(made.numOutBytes).unwrap_or(0));
        Ok(output)
    }
}

impl Drop for RawEncoder {
    fn drop(&mut self) {
        let mut object = self.object.as_ptr();
        // SAFETY: a live object, closed once.
        unsafe { sys::aacEncClose(&mut object) };
    }
}

/// A configured decoder of the library.
pub(super) struct RawDecoder {
    object: NonNull<sys::AAC_DECODER_INSTANCE>,
    output: Vec<i16>,
}

// SAFETY: as for `RawEncoder`.
unsafe impl Send for RawDecoder {}

/// Sound from the decoder.
pub(super) struct Decoded {
    /// Interleaved samples.
    pub(super) samples: Vec<i16>,
    /// Hz.
    pub(super) sample_rate: u32,
    /// Channels.
    pub(super) channels: u8,
}

impl RawDecoder {
    /// A decoder for raw access units under an AudioSpecificConfig, down- or up-mixed to `channels`.
    pub(super) fn new(config: &[u8], channels: u8) -> Result<Self, Failed> {
        // SAFETY: plain values; the result is checked for null.
        let object = unsafe { sys::aacDecoder_Open(sys::TRANSPORT_TYPE_TT_MP4_RAW, 1) };
        let object = NonNull::new(object).ok_or(failed("aacDecoder_Open", 0))?;
        let mut decoder = RawDecoder { object, output: vec![0; MAX_OUTPUT] };
        decoder.set(sys::AACDEC_PARAM_AAC_PCM_MIN_OUTPUT_CHANNELS, channels.into())?;
        decoder.set(sys::AACDEC_PARAM_AAC_PCM_MAX_OUTPUT_CHANNELS, channels.into())?;
        let mut start = config.as_ptr().cast_mut();
        let length = config.len() as u32;
        // SAFETY: a live object; one buffer and its length, which the library only reads, during the call.
        let code = unsafe { sys::aacDecoder_ConfigRaw(object.as_ptr(), &mut start, &length) };
        check("aacDecoder_ConfigRaw", code)?;
        Ok(decoder)
    }

    /// Decodes one access unit.
    pub(super) fn decode(&mut self, data: &[u8]) -> Result<Decoded, Failed> {
        let mut start = data.as_ptr().cast_mut();
        let length = data.len() as u32;
        let mut unread = length;
        // SAFETY: a live object; one buffer and its length, which the library copies out of.
        let code = unsafe { sys::aacDecoder_Fill(self.object.as_ptr(), &mut start, &length, &mut unread) };
        let filled = check("aacDecoder_Fill", code).and_then(|()| match unread {
            0 => Ok(()),
            rest => Err(failed("aacDecoder_Fill", rest)),
        });
        let decoded = filled.and_then(|()| self.run(0));
        if decoded.is_err() {
            // What is left of a bad access unit must not stand before the next.
            self.set(sys::AACDEC_PARAM_AAC_TPDEC_CLEAR_BUFFER, 1)?;
        }
        decoded
    }

    /// Makes up a frame in place of a lost one.
    pub(super) fn conceal(&mut self) -> Result<Decoded, Failed> {
        self.run(CONCEAL)
    }

    fn run(&mut self, flags: u32) -> Result<Decoded, Failed> {
        let room = self.output.len() as i32;
        // SAFETY: a live object; `output` holds `room` samples, all that the library may write.
        let code = unsafe {
            sys::aacDecoder_DecodeFrame(self.object.as_ptr(), self.output.as_mut_ptr(), room, flags)
        };
        check("aacDecoder_DecodeFrame", code)?;
        // SAFETY: a live object, of which the library gives a pointer to a part, or null.
        let info = unsafe { sys::aacDecoder_GetStreamInfo(self.object.as_ptr()).as_ref() };
        let info = info.ok_or(failed("aacDecoder_GetStreamInfo", 0))?;
        let (frames, channels) = (usize::try_from(info.frameSize), u8::try_from(info.numChannels));
        let (Ok(frames), Ok(channels @ 1..=2)) = (frames, channels) else {
            return Err(failed("aacDecoder_GetStreamInfo", info.numChannels as u32));
        };
        let samples = self.output.get(..frames * usize::from(channels));
        let samples = samples.ok_or(failed("aacDecoder_GetStreamInfo", info.frameSize as u32))?.to_vec();
        Ok(Decoded { samples, sample_rate: info.sampleRate as u32, channels })
    }

    fn set(&mut self, param: sys::AACDEC_PARAM, value: i32) -> Result<(), Failed> {
        // SAFETY: a live object; the library checks parameter and value.
        check("aacDecoder_SetParam", unsafe { sys::aacDecoder_SetParam(self.object.as_ptr(), param, value) })
    }
}

impl Drop for RawDecoder {
    fn drop(&mut self) {
        // SAFETY: a live object, closed once.
        unsafe { sys::aacDecoder_Close(self.object.as_ptr()) }
    }
}

/// `AACDEC_CONCEAL` of the library's header, which the bindings leave out as it is a macro.
const CONCEAL: u32 = 1;

fn check(call: &'static str, code: u32) -> Result<(), Failed> {
    if code == 0 { Ok(()) } else { Err(failed(call, code)) }
}

fn failed(call: &'static str, code: u32) -> Failed {
    Failed { call, code }
}
