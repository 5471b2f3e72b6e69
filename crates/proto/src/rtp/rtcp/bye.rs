//! Goodbye, RFC 3550 section 6.6.

use super::{Body, RtcpError, packet_type, write_packet};

/// A goodbye.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bye<'a> {
    sources: &'a [u8],
    reason: &'a [u8],
}

impl<'a> Bye<'a> {
    pub(super) fn parse(count: u8, mut body: Body<'a>) -> Result<Self, RtcpError> {
        let sources = body.octets(usize::from(count) * 4, "list of sources")?;
        let mut reason: &[u8] = &[];
        if !body.rest.is_empty() {
            let [length] = body.array("length of the reason")?;
            reason = body.octets(usize::from(length), "reason")?;
        }
        Ok(Bye { sources, reason })
    }

    /// The sources that leave.
    pub fn sources(&self) -> impl Iterator<Item = u32> + use<'a> {
        self.sources.as_chunks::<4>().0.iter().map(|s| u32::from_be_bytes(*s))
    }

    /// Why they leave; what is not UTF-8 is replaced.
    pub fn reason(&self) -> Option<String> {
        (!self.reason.is_empty()).then(|| String::from_utf8_lossy(self.reason).into_owned())
    }
}

/// Appends a goodbye of one source, without a reason.
pub fn write_bye(out: &mut Vec<u8>, ssrc: u32) {
    write_packet(out, packet_type::BYE, 1, |out| out.extend(ssrc.to_be_bytes()));
}

#[cfg(test)]
mod tests {
    use super::super::{Compound, Packet, tests::octets};
    use super::*;

    fn bye(data: &[u8]) -> (Vec<u32>, Option<String>) {
        match Compound::parse(data).unwrap().packets().next() {
            Some(Ok(Packet::Bye(b))) => (b.sources().collect(), b.reason()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_goodbye_is_written_and_read_back() {
        let mut out = Vec::new();
        write_bye(&mut out, 0xdead_beef);
        assert_eq!(out, octets("81cb0001 deadbeef"));
        assert_eq!(bye(&out), (vec![0xdead_beef], None));
    }

    #[test]
    fn several_sources_and_a_reason_are_read() {
        let data = octets("82cb0004 00000001 00000002 03 62 79 65 00000000");
        assert_eq!(bye(&data), (vec![1, 2], Some("bye".into())));
    }

    #[test]
    fn a_reason_longer_than_the_packet_is_an_error() {
        let data = octets("80cb0001 09616161");
        let packet = Compound::parse(&data).unwrap().packets().next().unwrap();
        assert_eq!(packet, Err(RtcpError::Body { offset: 0, packet_type: 203, part: "reason" }));
    }
}
