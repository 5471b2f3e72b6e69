//! Sound between a device's callbacks and a call: what a microphone gives and what a speaker takes, made to
//! meet the call's clock.
//!
//! A device calls from a thread of its own that must neither wait nor allocate, at a pace that is never quite
//! the sender's or the encoder's. So on its side there is as little as can be, a queue without locks and a
//! fade where sound is missing, and all the rest is on the call's side:
//!
//! * [`playout`]: decoded sound with the times to play it at becomes what the speaker pulls;
//! * [`capture`]: what the microphone pushes becomes an [`AudioSource`](crate::source::AudioSource);
//! * `voice` (with the feature of that name): echo, noise and level, on the way from the microphone, and the
//!   [`mod@reference`] that it needs of what the speaker plays;
//! * [`meter`] and [`volume`]: what a person sees and sets, shared with the callbacks without locks.
//!
//! Three things hold the two clocks together. Small errors are worked off by resampling, some parts in a
//! million faster or slower ([`clock`]). Steps of the jitter buffer's delay are followed by leaving out or
//! repeating single periods of the sound (`stretch`). What neither can mend is cut, with a fade at the seam.
//!
//! # From mouth to ear
//!
//! | stage | how long | where |
//! | --- | --- | --- |
//! | microphone's buffer | the device's latency | sound server |
//! | waiting for the encoder | [`capture::CaptureConfig::delay`], a callback's period and some jitter | [`capture`] |
//! | resampling to the encoder's rate | [`Resampler::latency`](crate::resample::Resampler::latency), 0.7 ms at 48 kHz | [`capture`] |
//! | echo canceller | nothing, where the codec's frames are whole blocks of 10 ms at 8, 16, 32 or 48 kHz; else up to 10 ms | `voice` |
//! | a frame, and the codec's own lag | 10 + 5 ms for AAC-ELD at 10 ms frames | [`codec`](crate::codec) |
//! | network, and the jitter buffer over it | at least 10 ms | `visavis_proto::rtp::jitter` |
//! | waiting for the speaker | [`playout::PlayoutConfig::delay`] | [`playout`] |
//! | resampling to the speaker's rate | 0.7 ms at 48 kHz | [`playout`] |
//! | speaker's buffer | the device's latency | sound server |

pub mod capture;
pub mod clock;
pub mod effect;
mod margin;
pub mod meter;
pub mod playout;
pub mod reference;
pub mod sample;
mod seam;
mod stretch;
#[cfg(test)]
mod testing;
#[cfg(feature = "voice")]
pub mod voice;
pub mod volume;
