//! Coordination of video orientation (CVO): how the picture in a packet is turned against the camera's surroundings.
//! One octet `0000CFRR`, 3GPP TS 26.114 section 7.4.5; RFC 7742 section 4 says who is to send and to heed it.

use crate::frame::Rotation;

/// What `urn:3gpp:video-orientation` says of a picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VideoOrientation {
    /// Whether the camera faces away from whoever holds it; `false` too where the sender does not know.
    pub back_camera: bool,
    /// Whether the picture is mirrored, left to right. Nothing here acts on it: RFC 7742 leaves it open.
    pub flipped: bool,
    /// How a viewer is to turn the picture.
    pub rotation: Rotation,
}

impl VideoOrientation {
    /// A picture of a camera that is not known to face away, not mirrored.
    pub fn turned(rotation: Rotation) -> Self {
        VideoOrientation { rotation, ..VideoOrientation::default() }
    }

    /// Reads the data of an element; `None` where it is not one octet.
    pub fn read(data: &[u8]) -> Option<Self> {
        let [octet] = *data else { return None };
        Some(VideoOrientation::from_octet(octet))
    }

    /// What an octet says; its upper four bits mean nothing.
    pub fn from_octet(octet: u8) -> Self {
        let rotation = match octet & 0x03 {
            0 => Rotation::None,
            1 => Rotation::Clockwise90,
            2 => Rotation::Clockwise180,
            _ => Rotation::Clockwise270,
        };
        VideoOrientation { back_camera: octet & 0x08 != 0, flipped: octet & 0x04 != 0, rotation }
    }

    /// The octet that says so.
    pub fn octet(self) -> u8 {
        let rotation = match self.rotation {
            Rotation::None => 0,
            Rotation::Clockwise90 => 1,
            Rotation::Clockwise180 => 2,
            Rotation::Clockwise270 => 3,
        };
        u8::from(self.back_camera) << 3 | u8::from(self.flipped) << 2 | rotation
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotations_are_those_of_table_7_2() {
        // The receiver turns by 90 degrees clockwise what was turned by 90 degrees counter-clockwise on the link.
        for (octet, degrees) in [(0, 0), (1, 90), (2, 180), (3, 270)] {
            assert_eq!(VideoOrientation::from_octet(octet).rotation.degrees(), degrees);
        }
    }

    #[test]
    fn each_of_the_sixteen_octets_is_read_and_written_and_the_upper_half_means_nothing() {
        for octet in 0..16 {
            let read = VideoOrientation::read(&[octet]).unwrap();
            assert_eq!(read.octet(), octet);
            assert_eq!(VideoOrientation::read(&[octet | 0xf0]), Some(read));
        }
        let read = VideoOrientation::from_octet(0x0d);
        assert!(read.back_camera && read.flipped && read.rotation == Rotation::Clockwise90);
        assert_eq!((VideoOrientation::read(&[]), VideoOrientation::read(&[1, 1])), (None, None));
    }
}
