//! What keys ask for.

/// What whoever sits before the window wants of the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Answer the call that rings.
    Answer,
    /// Decline it.
    Decline,
    /// Hang up.
    HangUp,
    /// Hang up; where there is no call, leave.
    Quit,
    /// Send silence instead of sound, or sound again.
    Mute,
    /// Send dark pictures instead of the camera's, or those again.
    Camera,
    /// Ask the peer for a key frame.
    Keyframe,
    /// The window was closed: hang up and leave.
    Close,
}

impl Action {
    /// What a key asks for, by the character it types.
    pub fn of_key(key: char) -> Option<Action> {
        Some(match key.to_ascii_lowercase() {
            'y' => Action::Answer,
            'n' => Action::Decline,
            'h' => Action::HangUp,
            'q' => Action::Quit,
            'm' => Action::Mute,
            'c' => Action::Camera,
            'k' => Action::Keyframe,
            _ => return None,
        })
    }
}

/// The keys and what they do, for the help.
pub(crate) const KEYS: [(&str, &str); 8] = [
    ("y n", "answer or decline a call that rings"),
    ("m", "mute: send silence"),
    ("c", "camera off: send dark pictures"),
    ("k", "ask the peer for a key frame"),
    ("f", "full screen"),
    ("h Esc", "hang up"),
    ("q", "hang up, or leave"),
    ("?", "this help"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_of_the_help_does_something() {
        // Those three are the window's own business.
        let own = ["f", "Esc", "?"];
        for key in KEYS.iter().flat_map(|(keys, _)| keys.split(' ')).filter(|key| !own.contains(key)) {
            let mut letters = key.chars();
            let (letter, rest) = (letters.next().unwrap(), letters.next());
            assert!(Action::of_key(letter).is_some() && rest.is_none(), "{key}");
        }
        assert_eq!(Action::of_key('M'), Some(Action::Mute));
        assert_eq!(Action::of_key('x'), None);
    }
}
