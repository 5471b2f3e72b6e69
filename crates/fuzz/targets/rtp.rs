//! RTP: a packet that is read is written with the same octets, but for the content of its padding. The elements of a
//! header extension lie in it, and are read again when they are written.

#![no_main]

use libfuzzer_sys::fuzz_target;
use visavis_proto::rtp::extension::{Form, elements};
use visavis_proto::rtp::{Extension, ExtensionIds, RtpPacket};

fuzz_target!(|data: &[u8]| {
    let packet = match RtpPacket::parse(data) {
        Ok(packet) => packet,
        Err(error) => {
            let _ = error.to_string();
            return;
        }
    };
    assert_eq!(&data[packet.payload_range()], packet.payload());
    let mut written = Vec::new();
    packet.write(&mut written);
    let end = packet.payload_range().end;
    assert_eq!(written[..end], data[..end]);
    assert_eq!(written.len(), data.len());
    assert_eq!(written.len() - end, usize::from(packet.padding()));
    assert!(packet.csrc().count() <= 15);
    let again = RtpPacket::parse(&written).unwrap();
    assert_eq!(again.extension(), packet.extension());
    if let Some((profile, body)) = packet.extension() {
        extension(profile, body);
    }
});

fn extension(profile: u16, body: &[u8]) {
    let ids = ExtensionIds { ntp_64: Some(1), ntp_56: Some(2), orientation: Some(3) };
    let read = ids.read((profile, body));
    let octets: usize = elements(profile, body).map(|element| element.data.len() + 1).sum();
    assert!(octets <= body.len());
    let Some(form) = Form::of_profile(profile) else { return };
    if let Some(written) = Extension::new(form, elements(profile, body)) {
        assert!(elements(profile, body).eq(elements(written.parts().0, written.parts().1)));
        assert_eq!(ids.read(written.parts()), read);
    }
}
