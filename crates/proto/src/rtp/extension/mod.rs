//! RTP header extensions: elements in the one-byte and the two-byte form (RFC 8285 section 4), and the two that
//! calls use: [`ntp`] for quick synchronisation, [`orientation`] for the way a camera is held.
//!
//! Which identifier means what is agreed on outside of RTP, by `a=extmap` in SDP: see [`ExtensionIds`].

pub mod ntp;
pub mod orientation;

pub use ntp::NtpTimestamp;
pub use orientation::VideoOrientation;

use bytes::Bytes;

/// What stands in front of elements with a header of one octet, RFC 8285 section 4.2.
pub const ONE_BYTE: u16 = 0xbede;
/// What stands in front of elements with a header of two octets, but for its last four bits, which belong to the
/// application: RFC 8285 section 4.3.
pub const TWO_BYTE: u16 = 0x1000;
/// The identifier that ends an extension in the one-byte form.
const RESERVED: u8 = 15;
/// The most octets in an element of the one-byte form.
const ONE_BYTE_DATA: usize = 16;

/// The form of the elements of a stream: all of its packets have the same one (RFC 8285 section 4.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// Identifiers 1 to 14, data of 1 to 16 octets.
    OneByte,
    /// Identifiers 1 to 255, data of up to 255 octets.
    TwoByte,
}

impl Form {
    /// The form that a "defined by profile" field stands for; `None` for an extension of another kind.
    pub fn of_profile(profile: u16) -> Option<Form> {
        match profile {
            ONE_BYTE => Some(Form::OneByte),
            _ if profile & 0xfff0 == TWO_BYTE => Some(Form::TwoByte),
            _ => None,
        }
    }

    /// The form that has room for all of these identifiers: that of one byte where it does.
    pub fn for_ids(ids: impl IntoIterator<Item = u8>) -> Form {
        if ids.into_iter().all(|id| id < RESERVED) { Form::OneByte } else { Form::TwoByte }
    }
}

/// One element of a header extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element<'a> {
    /// Its local identifier, 1 to 14 in the one-byte form, 1 to 255 in the two-byte form.
    pub id: u8,
    /// Its data, without header.
    pub data: &'a [u8],
}

/// The elements of a header extension, as [`RtpPacket::extension`](crate::rtp::RtpPacket::extension) gives it.
///
/// Padding is passed over. Identifier 15 and an identifier 0 with a length end the one-byte form (RFC 8285 sections
/// 4.1.2 and 4.2), and an element that reaches beyond the end ends either form: what came before still counts. An
/// extension of another kind has no elements.
pub fn elements(profile: u16, body: &[u8]) -> Elements<'_> {
    Elements { form: Form::of_profile(profile), rest: body }
}

/// The iterator of [`elements`].
#[derive(Clone, Debug)]
pub struct Elements<'a> {
    form: Option<Form>,
    rest: &'a [u8],
}

impl<'a> Iterator for Elements<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        let element = self.element();
        if element.is_none() {
            self.rest = &[];
        }
        element
    }
}

impl<'a> Elements<'a> {
    fn element(&mut self) -> Option<Element<'a>> {
        let form = self.form?;
        let (first, after) = loop {
            let (first, after) = self.rest.split_first()?;
            if *first != 0 {
                break (*first, after);
            }
            self.rest = after;
        };
        let (id, length, after) = match form {
            Form::OneByte => (first >> 4, usize::from(first & 0x0f) + 1, after),
            Form::TwoByte => {
                let (length, after) = after.split_first()?;
                (first, usize::from(*length), after)
            }
        };
        if form == Form::OneByte && matches!(id, 0 | RESERVED) {
            return None;
        }
        let (data, rest) = after.split_at_checked(length)?;
        self.rest = rest;
        Some(Element { id, data })
    }
}

/// A header extension to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    profile: u16,
    /// A whole number of 32-bit words, with padding.
    body: Bytes,
}

impl Extension {
    /// An extension with these elements in order, padded to whole words; `None` where there are none.
    ///
    /// An element that the form has no room for is left out: identifier 0, identifiers above 14 and data of none or
    /// more than 16 octets in the one-byte form, data of more than 255 octets in the two-byte form.
    pub fn new<'a>(form: Form, elements: impl IntoIterator<Item = Element<'a>>) -> Option<Extension> {
        let mut body = Vec::new();
        for Element { id, data } in elements {
            let length = u8::try_from(data.len()).ok();
            match (form, id, length) {
                (Form::OneByte, 1..RESERVED, Some(length @ 1..)) if data.len() <= ONE_BYTE_DATA => {
                    body.push(id << 4 | (length - 1));
                }
                (Form::TwoByte, 1.., Some(length)) => body.extend([id, length]),
                _ => continue,
            }
            body.extend(data);
        }
        if body.is_empty() {
            return None;
        }
        body.resize(body.len().next_multiple_of(4), 0);
        let profile = match form {
            Form::OneByte => ONE_BYTE,
            Form::TwoByte => TWO_BYTE,
        };
        Some(Extension { profile, body: body.into() })
    }

    /// The first 16 bits and the body, as [`RtpPacket::extension`](crate::rtp::RtpPacket::extension) gives them.
    pub fn parts(&self) -> (u16, &[u8]) {
        (self.profile, &self.body)
    }

    /// What it adds to a packet, octets.
    pub fn octets(&self) -> usize {
        4 + self.body.len()
    }
}

/// What a packet carries in its header extension, of what was agreed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extensions {
    /// When its RTP timestamp was, by the sender's wall clock (RFC 6051 section 3.3).
    pub ntp: Option<NtpTimestamp>,
    /// How its picture is to be turned (3GPP TS 26.114 section 7.4.5).
    pub orientation: Option<VideoOrientation>,
}

/// Which local identifiers were agreed on for one direction of a media section; `None`: not agreed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExtensionIds {
    /// `urn:ietf:params:rtp-hdrext:ntp-64`.
    pub ntp_64: Option<u8>,
    /// `urn:ietf:params:rtp-hdrext:ntp-56`.
    pub ntp_56: Option<u8>,
    /// `urn:3gpp:video-orientation`.
    pub orientation: Option<u8>,
}

impl ExtensionIds {
    /// What of an extension has one of these identifiers and can be read. Of two values for one thing the first counts.
    pub fn read(&self, (profile, body): (u16, &[u8])) -> Extensions {
        let mut found = Extensions::default();
        for Element { id, data } in elements(profile, body) {
            let is = |agreed: Option<u8>| agreed == Some(id);
            if is(self.ntp_64) {
                found.ntp = found.ntp.or(NtpTimestamp::read_64(data));
            } else if is(self.ntp_56) {
                found.ntp = found.ntp.or(NtpTimestamp::read_56(data));
            } else if is(self.orientation) {
                found.orientation = found.orientation.or(VideoOrientation::read(data));
            }
        }
        found
    }

    /// Whether a wall-clock time can be sent.
    pub fn has_ntp(&self) -> bool {
        self.ntp_64.or(self.ntp_56).is_some()
    }

    /// An extension that says this; `None` where nothing of it was agreed on.
    pub fn write(&self, ntp: Option<u64>, orientation: Option<VideoOrientation>) -> Option<Extension> {
        let form = Form::for_ids([self.ntp_64, self.ntp_56, self.orientation].into_iter().flatten());
        let time = ntp.unwrap_or_default().to_be_bytes();
        let [_, short @ ..] = &time;
        let orientation_octet = [orientation.unwrap_or_default().octet()];
        let times = match (ntp, self.ntp_64, self.ntp_56) {
            (Some(_), Some(id), _) => Some(Element { id, data: &time }),
            (Some(_), None, Some(id)) => Some(Element { id, data: short }),
            _ => None,
        };
        let turned = self.orientation.filter(|_| orientation.is_some());
        let turned = turned.map(|id| Element { id, data: &orientation_octet });
        Extension::new(form, times.into_iter().chain(turned))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(profile: u16, body: &[u8]) -> Vec<(u8, Vec<u8>)> {
        elements(profile, body).map(|e| (e.id, e.data.to_vec())).collect()
    }

    #[test]
    fn the_elements_of_the_rfcs_one_byte_example_are_read() {
        // RFC 8285 section 4.2: three elements with padding between the second and the third.
        let body = [0x10, 0xaa, 0x21, 0xb0, 0xb1, 0, 0, 0x33, 0xc0, 0xc1, 0xc2, 0xc3];
        let expected = [(1, vec![0xaa]), (2, vec![0xb0, 0xb1]), (3, vec![0xc0, 0xc1, 0xc2, 0xc3])];
        assert_eq!(read(ONE_BYTE, &body), expected);
    }

    #[test]
    fn the_elements_of_the_rfcs_two_byte_example_are_read_whatever_the_application_bits() {
        // RFC 8285 section 4.3: lengths 0, 1 and 4, one octet of padding.
        let body = [1, 0, 2, 1, 0xaa, 0, 3, 4, 0xc0, 0xc1, 0xc2, 0xc3];
        let expected = [(1, vec![]), (2, vec![0xaa]), (3, vec![0xc0, 0xc1, 0xc2, 0xc3])];
        for profile in [0x1000, 0x1007, 0x100f] {
            assert_eq!(read(profile, &body), expected);
        }
        assert_eq!(read(0x1010, &body), []);
        assert_eq!(read(0xabcd, &body), []);
    }

    #[test]
    fn identifier_15_and_a_zero_with_a_length_end_the_one_byte_form() {
        for end in [0xf0, 0xf1, 0x01, 0x0f] {
            assert_eq!(read(ONE_BYTE, &[0x10, 0xaa, end, 0xbb, 0x20, 0xcc, 0, 0]), [(1, vec![0xaa])]);
        }
        // Two bytes have neither exception: 15 is an identifier, 0 is padding.
        assert_eq!(read(TWO_BYTE, &[15, 1, 0xaa, 0, 0, 0, 2, 0]), [(15, vec![0xaa]), (2, vec![])]);
    }

    #[test]
    fn an_element_beyond_the_end_is_no_element_and_what_came_before_counts() {
        assert_eq!(read(ONE_BYTE, &[0x10, 0xaa, 0x27, 0xbb]), [(1, vec![0xaa])]);
        assert_eq!(read(TWO_BYTE, &[1, 1, 0xaa, 2]), [(1, vec![0xaa])]);
        assert_eq!(read(TWO_BYTE, &[1, 1, 0xaa, 2, 200, 0, 0, 0]), [(1, vec![0xaa])]);
        assert_eq!(read(ONE_BYTE, &[0xaa]), []);
    }

    #[test]
    fn what_a_form_has_no_room_for_is_left_out() {
        let data = [7; 17];
        let element = |id, length| Element { id, data: &data[..length] };
        let all = [element(0, 1), element(15, 1), element(3, 0), element(3, 17), element(3, 16)];
        let one = Extension::new(Form::OneByte, all).unwrap();
        assert_eq!(one.octets(), 4 + 20);
        assert_eq!(read(one.parts().0, one.parts().1), [(3, data[..16].to_vec())]);
        let two = Extension::new(Form::TwoByte, all).unwrap();
        assert_eq!(read(two.parts().0, two.parts().1).len(), 4);
        assert_eq!(Extension::new(Form::OneByte, [element(15, 1)]), None);
    }

    #[test]
    fn ntp_64_stands_as_in_figure_5_and_ntp_56_as_in_figure_6_of_rfc_6051() {
        let time = 0xe6a1_b2c3_8000_0001;
        let ids = ExtensionIds { ntp_64: Some(5), ..ExtensionIds::default() };
        let written = ids.write(Some(time), None).unwrap();
        let body = [0x57, 0xe6, 0xa1, 0xb2, 0xc3, 0x80, 0, 0, 1, 0, 0, 0];
        assert_eq!(written.parts(), (0xbede, &body[..]));
        assert_eq!(ids.read(written.parts()).ntp, Some(NtpTimestamp::Full(time)));

        let ids = ExtensionIds { ntp_56: Some(5), ..ExtensionIds::default() };
        let written = ids.write(Some(time), None).unwrap();
        assert_eq!(written.parts(), (0xbede, &[0x56, 0xa1, 0xb2, 0xc3, 0x80, 0, 0, 1][..]));
        assert_eq!(ids.read(written.parts()).ntp, Some(NtpTimestamp::Low56(0x00a1_b2c3_8000_0001)));
    }

    #[test]
    fn identifiers_above_14_bring_the_two_byte_form_for_all_elements() {
        let ids = ExtensionIds { ntp_64: Some(3), ntp_56: None, orientation: Some(20) };
        let turned = VideoOrientation::from_octet(2);
        let written = ids.write(None, Some(turned)).unwrap();
        assert_eq!(written.parts(), (0x1000, &[20, 1, 2, 0][..]));
        assert_eq!(ids.read(written.parts()).orientation, Some(turned));
        assert_eq!(ids.write(Some(1), None).unwrap().parts().0, 0x1000);
        assert_eq!(ids.write(None, None), None);
        assert_eq!(ExtensionIds::default().write(Some(1), Some(turned)), None);
    }

    #[test]
    fn values_of_the_wrong_length_and_other_identifiers_say_nothing() {
        let ids = ExtensionIds { ntp_64: Some(1), ntp_56: Some(2), orientation: Some(3) };
        for body in
            [&[0x16, 0, 0, 0, 0, 0, 0, 0][..], &[0x25, 0, 0, 0, 0, 0, 0, 0], &[0x31, 1, 2, 0], &[0x40, 1]]
        {
            assert_eq!(ids.read((ONE_BYTE, body)), Extensions::default());
        }
    }

    proptest! {
        #[test]
        fn any_octets_are_gone_through_without_a_panic(profile in prop_oneof![
            Just(ONE_BYTE), 0x1000u16..0x1010, any::<u16>(),
        ], body in proptest::collection::vec(any::<u8>(), 0..120)) {
            let octets: usize = elements(profile, &body).map(|e| e.data.len() + 1).sum();
            prop_assert!(octets <= body.len());
            let ids = ExtensionIds { ntp_64: Some(1), ntp_56: Some(2), orientation: Some(3) };
            ids.read((profile, &body));
        }

        #[test]
        fn what_is_built_is_read_back_in_whole_words(
            two in any::<bool>(),
            list in proptest::collection::vec((1u8..15, proptest::collection::vec(any::<u8>(), 1..=16)), 1..9),
        ) {
            let form = if two { Form::TwoByte } else { Form::OneByte };
            let given = list.iter().map(|(id, data)| Element { id: *id, data });
            let built = Extension::new(form, given).unwrap();
            let (profile, body) = built.parts();
            prop_assert_eq!(body.len() % 4, 0);
            prop_assert_eq!(Form::of_profile(profile), Some(form));
            prop_assert_eq!(read(profile, body), list);
        }
    }
}
