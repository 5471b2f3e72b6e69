//! Source descriptions, RFC 3550 section 6.5. Only the CNAME is read and sent.

use super::{Body, RtcpError, packet_type, write_packet};

const CNAME: u8 = 1;

/// A source description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sdes<'a> {
    chunks: &'a [u8],
    count: u8,
}

impl<'a> Sdes<'a> {
    pub(super) fn parse(count: u8, mut body: Body<'a>) -> Result<Self, RtcpError> {
        let chunks = body.rest;
        for _ in 0..count {
            read_chunk(&mut body)?;
        }
        Ok(Sdes { chunks, count })
    }

    /// The chunks, each with its source and its CNAME as it was sent (section 6.5.1 asks for UTF-8), if it
    /// has one.
    pub fn cnames(&self) -> impl Iterator<Item = (u32, Option<&'a [u8]>)> + use<'a> {
        let mut body = Body { rest: self.chunks, offset: 0, packet_type: packet_type::SDES };
        (0..self.count).map_while(move |_| read_chunk(&mut body).ok())
    }
}

fn read_chunk<'a>(body: &mut Body<'a>) -> Result<(u32, Option<&'a [u8]>), RtcpError> {
    let ssrc = body.u32("SSRC of a chunk")?;
    let before = body.rest.len();
    let mut cname = None;
    loop {
        let [item] = body.array("item")?;
        if item == 0 {
            break;
        }
        let [length] = body.array("item length")?;
        let text = body.octets(usize::from(length), "item")?;
        if item == CNAME {
            cname = cname.or(Some(text));
        }
    }
    // The next chunk starts on a 32-bit boundary.
    let used = before - body.rest.len();
    body.octets(used.next_multiple_of(4) - used, "padding of a chunk")?;
    Ok((ssrc, cname))
}

/// Appends a source description of one chunk with a CNAME, of which at most 255 octets are written.
pub fn write_cname(out: &mut Vec<u8>, ssrc: u32, cname: &str) {
    let mut end = cname.len().min(255);
    while !cname.is_char_boundary(end) {
        end -= 1;
    }
    let text = cname.as_bytes().get(..end).unwrap_or_default();
    write_packet(out, packet_type::SDES, 1, |out| {
        let start = out.len();
        out.extend(ssrc.to_be_bytes());
        out.extend([CNAME, text.len() as u8]);
        out.extend(text);
        // At least one null octet ends the list of items.
        let octets = (out.len() - start + 1).next_multiple_of(4);
        out.resize(start + octets, 0);
    });
}

#[cfg(test)]
mod tests {
    use super::super::{Compound, Packet, tests::octets};
    use super::*;

    fn cnames(data: &[u8]) -> Vec<(u32, Option<Vec<u8>>)> {
        match Compound::parse(data).unwrap().packets().next() {
            Some(Ok(Packet::Sdes(s))) => s.cnames().map(|(s, c)| (s, c.map(<[u8]>::to_vec))).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_cname_of_any_length_is_written_and_read_back() {
        for length in 0..260 {
            let cname = "x".repeat(length);
            let mut out = Vec::new();
            write_cname(&mut out, 9, &cname);
            assert_eq!(out.len() % 4, 0);
            assert_eq!(cnames(&out), [(9, Some(cname.as_bytes()[..length.min(255)].to_vec()))]);
        }
    }

    #[test]
    fn a_long_cname_is_cut_between_characters() {
        let mut out = Vec::new();
        write_cname(&mut out, 9, &"é".repeat(200));
        assert_eq!(cnames(&out)[0].1.as_ref().unwrap().len(), 254);
    }

    #[test]
    fn chunks_without_cname_and_other_items_are_passed_over() {
        let data = octets("83ca0007 00000001 00000000 00000002 0202 6162 0101 63 00 00000003 06 00 00 00");
        // The third chunk: an item TOOL of no length, then the end and one octet up to the boundary.
        assert_eq!(cnames(&data), [(1, None), (2, Some(b"c".to_vec())), (3, None)]);
    }

    #[test]
    fn an_item_longer_than_the_packet_is_an_error() {
        let data = octets("81ca0002 00000001 01ff6161");
        let packet = Compound::parse(&data).unwrap().packets().next().unwrap();
        assert_eq!(packet, Err(RtcpError::Body { offset: 0, packet_type: 202, part: "item" }));
    }
}
