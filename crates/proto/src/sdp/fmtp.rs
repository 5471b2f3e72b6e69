//! The text of format parameters (RFC 8866 section 6.15): `name=value` pairs, and octets as hexadecimal digits and
//! base64.

use std::fmt::Write as _;

/// The parameters of an `a=fmtp` line: `name=value` pairs between semicolons, names in any case.
pub(super) struct Parameters<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Parameters<'a> {
    pub(super) fn read(fmtp: &'a str) -> Self {
        let pairs = fmtp.split(';').map(str::trim).filter(|p| !p.is_empty());
        Parameters(
            pairs
                .map(|p| p.split_once('=').map_or((p, ""), |(name, value)| (name.trim(), value.trim())))
                .collect(),
        )
    }

    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }

    pub(super) fn number(&self, name: &str) -> Option<u32> {
        self.text(name)?.parse().ok()
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        self.text(name) == Some("1")
    }
}

pub(super) fn push(text: &mut String, name: &str, value: Option<impl std::fmt::Display>) {
    if let Some(value) = value {
        let separator = if text.is_empty() { "" } else { ";" };
        let _ = write!(text, "{separator}{name}={value}");
    }
}

/// The octets that hexadecimal digits stand for; `None` where their number is odd or one is no digit.
pub(super) fn hex_octets(text: &str) -> Option<Vec<u8>> {
    let digits = text.chars().map(|c| c.to_digit(16).map(|d| d as u8)).collect::<Option<Vec<u8>>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

/// The opposite of [`hex_octets`].
pub(super) fn hex_digits(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut text, octet| {
        let _ = write!(text, "{octet:02X}");
        text
    })
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Base64 (RFC 4648 section 4); padding may be missing.
pub(super) fn base64_octets(text: &str) -> Option<Vec<u8>> {
    let mut octets = Vec::with_capacity(text.len() / 4 * 3);
    let (mut buffer, mut bits) = (0_u32, 0);
    for digit in text.trim_end_matches('=').bytes() {
        let value = BASE64.iter().position(|b| *b == digit)?;
        buffer = buffer << 6 | value as u32;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            octets.push((buffer >> bits) as u8);
        }
    }
    (bits < 6).then_some(octets)
}

pub(super) fn base64(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len().div_ceil(3) * 4);
    for chunk in octets.chunks(3) {
        let word =
            chunk.iter().fold(0_u32, |word, octet| word << 8 | u32::from(*octet)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let index = (word >> (18 - 6 * place) & 0x3f) as usize;
            let digit = BASE64.get(index).filter(|_| place <= chunk.len());
            text.push(digit.map_or('=', |d| char::from(*d)));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_in_any_case_and_spacing() {
        let parameters = Parameters::read(" profile-level-id=42801F; Packetization-Mode = 1;;sbr ;max-fs=x");
        assert_eq!(parameters.text("PROFILE-level-id"), Some("42801F"));
        assert!(parameters.flag("packetization-mode"));
        assert_eq!((parameters.text("sbr"), parameters.number("max-fs")), (Some(""), None));
    }

    #[test]
    fn base64_is_that_of_rfc_4648() {
        for (octets, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(octets.as_bytes()), text);
            assert_eq!(base64_octets(text).as_deref(), Some(octets.as_bytes()));
            assert_eq!(base64_octets(text.trim_end_matches('=')).as_deref(), Some(octets.as_bytes()));
        }
        for bad in ["Zm9v!", "Z", "Zm 9"] {
            assert_eq!(base64_octets(bad), None, "{bad}");
        }
    }

    #[test]
    fn hexadecimal_digits_come_in_pairs() {
        assert_eq!(hex_octets("f8E63000").as_deref(), Some([0xf8, 0xe6, 0x30, 0x00].as_slice()));
        assert_eq!(hex_digits(&[0xf8, 0x0e]), "F80E");
        assert_eq!((hex_octets("f8e"), hex_octets("zz")), (None, None));
    }
}
