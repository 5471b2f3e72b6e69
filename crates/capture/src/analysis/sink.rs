//! Where frames go that were put together: to files, by whoever can write them.

use std::net::SocketAddr;
use visavis_proto::frame::ReceivedFrame;
use visavis_proto::io::MediaFormat;

/// A stream, as others tell it apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StreamId {
    /// A number of its own.
    pub number: usize,
    /// The SSRC.
    pub ssrc: u32,
    /// Who sends it.
    pub source: SocketAddr,
    /// Where to.
    pub destination: SocketAddr,
}

/// What has become of the frames of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extracted {
    /// Where they are now.
    pub files: Vec<String>,
    /// Why not all of them are.
    pub error: Option<String>,
}

/// Takes the frames of a capture, each stream's in order.
pub trait FrameSink {
    /// Takes the next frame of a stream. `play_at` follows the RTP timestamps, without jitter.
    fn frame(&mut self, stream: &StreamId, format: &MediaFormat, frame: &ReceivedFrame);

    /// Takes notice that a stream has no more frames, and says what became of them. Asked of every stream, also of
    /// those without any frame.
    fn finish(&mut self, stream: &StreamId) -> Extracted;
}
