//! Raw pictures and sound to coded frames and back; sources, sinks, the recorder and the judge.

pub mod codec;
#[cfg(feature = "devices")]
pub mod device;
pub mod judge;
pub mod live;
pub mod picture;
pub mod pixel;
pub mod resample;
pub mod scale;
pub mod sink;
pub mod sound;
pub mod source;

pub use picture::Picture;
pub use sound::Pcm;
