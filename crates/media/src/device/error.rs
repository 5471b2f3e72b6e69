//! What can be wrong with a device, in one line that says what to do.

use std::fmt;

/// What a device is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeviceKind {
    /// Gives sound.
    Microphone,
    /// Takes sound.
    Speaker,
    /// Gives pictures.
    Camera,
}

impl fmt::Display for DeviceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DeviceKind::Microphone => "microphone",
            DeviceKind::Speaker => "speaker",
            DeviceKind::Camera => "camera",
        })
    }
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// There is none at all, or none of that name.
    Absent,
    /// Another program has it.
    Busy,
    /// It gives or takes nothing that can be used.
    Format,
    /// The system does not let us.
    Permission,
    /// It belongs to a sound server that does not answer.
    NoServer,
    /// It was there and is gone.
    Lost,
    /// Something else; the device's own words say what.
    Other,
}

/// A device that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceError {
    /// What it is.
    pub kind: DeviceKind,
    /// What was asked for, or its name.
    pub name: String,
    /// What is wrong.
    pub trouble: Trouble,
    /// The words of the layer below; may be empty.
    pub words: String,
}

impl DeviceError {
    pub(super) fn new(
        kind: DeviceKind,
        name: impl fmt::Display,
        trouble: Trouble,
        words: impl fmt::Display,
    ) -> Self {
        // One line, whatever the layer below writes.
        let words = words.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
        DeviceError { kind, name: name.to_string(), trouble, words }
    }
}

impl fmt::Display for DeviceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let DeviceError { kind, name, trouble, words } = self;
        write!(f, "{kind} {name}: ")?;
        f.write_str(match trouble {
            Trouble::Absent => "there is none; plug one in, or see what there is with `visavis devices`",
            Trouble::Busy => "busy; end the program that uses it, or take another one",
            Trouble::Format => "it has no format that can be used; take another one",
            Trouble::Permission => {
                "not allowed; give this user (group audio or video) or program the right to it"
            }
            Trouble::NoServer => {
                "no sound server answers; start it (PulseAudio, PipeWire), or take another device"
            }
            Trouble::Lost => "it is gone; plug it in again",
            Trouble::Other => {
                "it does not work; take another one, or see what there is with `visavis devices`"
            }
        })?;
        if words.is_empty() { Ok(()) } else { write!(f, " ({words})") }
    }
}

impl std::error::Error for DeviceError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_trouble_is_one_line_with_what_to_do() {
        use Trouble as T;
        for trouble in [T::Absent, T::Busy, T::Format, T::Permission, T::NoServer, T::Lost, T::Other] {
            let error = DeviceError::new(DeviceKind::Camera, "0", trouble, "two\n lines");
            let text = error.to_string();
            assert!(text.starts_with("camera 0: ") && text.ends_with("(two lines)"), "{text}");
            assert!(!text.contains('\n') && text.contains(';'), "{text}");
        }
    }
}
