//! Real devices: microphone and speaker by `cpal`, cameras by `nokhwa`. With the feature `devices`.
//!
//! A device opens or says in one line why not ([`DeviceError`]). One that is lost later ends its source; a
//! [fallback](crate::source::fallback) puts another in its place, and the call goes on. Another one, or the same, may
//! be opened in its place.

pub mod camera;
mod error;
mod health;
pub mod microphone;
pub mod sound;
pub mod speaker;

pub use error::{DeviceError, DeviceKind, Trouble};
pub use health::StreamStatus;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use visavis_proto::time::Time;

/// The clock that times are read from, from any thread; it neither locks nor allocates.
pub type Now = Arc<dyn Fn() -> Time + Send + Sync>;

/// Which device is meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// The one that the system prefers.
    #[default]
    Default,
    /// By its place in the list, from 0.
    Index(usize),
    /// By its name, or any part of it.
    Name(String),
}

impl FromStr for Choice {
    type Err = std::convert::Infallible;

    /// `default`, a number from the list, or a part of the name.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "" | "default" => Choice::Default,
            number => match number.parse() {
                Ok(index) => Choice::Index(index),
                Err(_) => Choice::Name(text.to_owned()),
            },
        })
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Choice::Default => f.write_str("default"),
            Choice::Index(index) => write!(f, "{index}"),
            Choice::Name(name) => write!(f, "{name:?}"),
        }
    }
}

impl Choice {
    /// The place of what is meant in a list of names: the whole name goes before a part of one, large and small
    /// letters are the same.
    fn find(&self, names: &[String]) -> Option<usize> {
        match self {
            Choice::Default => (!names.is_empty()).then_some(0),
            Choice::Index(index) => Some(*index).filter(|index| *index < names.len()),
            Choice::Name(name) => {
                let name = name.to_lowercase();
                let whole = names.iter().position(|n| n.to_lowercase() == name);
                whole.or_else(|| names.iter().position(|n| n.to_lowercase().contains(&name)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_meant_by_index_or_by_name() {
        let names = ["USB Camera", "usb", "Headset"].map(String::from);
        for (text, place) in [
            ("default", Some(0)),
            ("2", Some(2)),
            ("3", None),
            ("USB", Some(1)),
            ("head", Some(2)),
            ("x", None),
        ] {
            assert_eq!(text.parse::<Choice>().unwrap().find(&names), place, "{text}");
        }
        assert_eq!(Choice::Default.find(&[]), None);
    }
}
