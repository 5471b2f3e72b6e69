//! Pictures and sound from files, once or over and over.

pub mod png;
pub mod wav;
pub mod y4m;

/// What to do at the end of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Playback {
    /// End there.
    Once,
    /// Start again.
    Loop,
}

/// Why a file cannot be a source.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file could not be read.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The file is damaged, of another format, or of a kind of its format that is not read here.
    #[error("{0}")]
    Format(String),
}
