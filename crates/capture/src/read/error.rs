//! Why a file cannot be read as a capture.

use std::io;
use thiserror::Error;

/// Why nothing can be read. Each is one line that says what, where and what to do.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The system gave no more octets.
    #[error("reading failed at octet {at}: {error}")]
    Input {
        /// Octets read before.
        at: u64,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// There is nothing in it.
    #[error("the file is empty: a capture begins with a header; record or copy it again")]
    Empty,
    /// It is something else.
    #[error("no capture: it begins with {0}, and pcap and pcapng do not; save it as one of these")]
    NoCapture(String),
    /// It is packed.
    #[error("the file is packed by {0}: unpack it first")]
    Packed(&'static str),
    /// It ends before the first packet could begin.
    #[error("the file ends at octet {0}, inside the header of the capture: copy it again")]
    ShortHeader(u64),
    /// A format of the future, or a broken header.
    #[error("{format} {major}.{minor} is not read, only {format} {readable}.x: save it as that")]
    Version {
        /// `pcap` or `pcapng`.
        format: &'static str,
        /// The version that the file names.
        major: u16,
        /// Its second part.
        minor: u16,
        /// The major version that is read.
        readable: u16,
    },
    /// The damage comes before the first packet.
    #[error("no packet could be read: {0}; copy the file again")]
    Damaged(String),
}

/// What a file is that begins with these octets, which no format begins with that is read.
pub(super) fn stranger(beginning: &[u8]) -> ReadError {
    match beginning {
        [] => ReadError::Empty,
        [0x1f, 0x8b, ..] => ReadError::Packed("gzip"),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => ReadError::Packed("zstd"),
        [0x04, 0x22, 0x4d, 0x18, ..] => ReadError::Packed("lz4"),
        [0xfd, b'7', b'z', b'X', ..] => ReadError::Packed("xz"),
        [b'B', b'Z', b'h', ..] => ReadError::Packed("bzip2"),
        [_, _, _, _, ..] => {
            let four: Vec<String> = beginning.iter().take(4).map(|octet| format!("{octet:02x}")).collect();
            ReadError::NoCapture(four.join(" "))
        }
        short => ReadError::ShortHeader(short.len() as u64),
    }
}
