//! SRTP under any line: what comes out is what went in, once; what was changed on the way never comes out; every
//! packet is counted.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use visavis_fuzz::Octets;
use visavis_proto::limits::Limits;
use visavis_proto::rtp::srtp::{MasterKey, Profile, Receiver, Sender, SrtpError};

/// A packet that the sender made.
struct Sealed {
    is_rtcp: bool,
    plain: Vec<u8>,
    sealed: Bytes,
    opened: bool,
}

fuzz_target!(|data: &[u8]| {
    let mut octets = Octets(data);
    let profile = Profile::ALL[usize::from(octets.octet()) % Profile::ALL.len()];
    let (key, salt) = (vec![7; profile.key_len()], vec![9; profile.salt_len()]);
    let key = MasterKey::new(profile, &key, &salt).unwrap();
    let limits = Limits { srtp_sources: 3, ..Limits::default() };
    let (mut sender, mut receiver) = (Sender::new(&key), Receiver::with_limits(&key, &limits));
    let mut made: Vec<Sealed> = Vec::new();
    let mut arrived = 0;
    while !octets.is_empty() {
        let (action, choice) = (octets.octet(), octets.octet());
        let at = usize::from(choice).checked_rem(made.len());
        match (action % 8, at) {
            (0..=2, _) => {
                let is_rtcp = action % 8 == 2;
                let plain = packet(is_rtcp, choice, &mut octets);
                let sealed = if is_rtcp { sender.rtcp(&plain) } else { sender.rtp(&plain) };
                if let Ok(sealed) = sealed {
                    assert!(sealed.len() > plain.len());
                    made.push(Sealed { is_rtcp, plain, sealed, opened: false });
                }
            }
            (3..=5, Some(at)) => {
                arrived += 1;
                let packet = &mut made[at];
                match open(&mut receiver, packet.is_rtcp, &packet.sealed) {
                    Ok(opened) => {
                        assert!(!packet.opened, "it came out twice");
                        assert_eq!(opened, packet.plain);
                        packet.opened = true;
                    }
                    // The sender may be a rollover ahead, or have more sources than are kept.
                    Err(error) => assert_ne!(error, SrtpError::Malformed),
                }
            }
            (6, Some(at)) => {
                arrived += 1;
                let mut forged = made[at].sealed.to_vec();
                let place = (usize::from(octets.octet()) << 8 | usize::from(octets.octet())) % forged.len();
                forged[place] ^= octets.octet().max(1);
                assert!(open(&mut receiver, made[at].is_rtcp, &forged).is_err());
            }
            _ => {
                arrived += 1;
                let _ = open(&mut receiver, choice & 1 != 0, octets.data());
            }
        }
    }
    let counted = receiver.counters();
    let dropped = counted.malformed + counted.unauthentic + counted.replayed + counted.sources;
    assert_eq!(counted.opened + dropped, arrived);
});

/// A packet of one of four sources, with any header flags and any content.
fn packet(is_rtcp: bool, choice: u8, octets: &mut Octets<'_>) -> Vec<u8> {
    let source = choice >> 6;
    let mut packet = if is_rtcp {
        vec![0x80, 200, 0, 0, 0, 0, 0, source]
    } else {
        vec![0x80 | choice & 0x1f, 96, octets.octet(), octets.octet(), 0, 0, 0, 0, 0, 0, 0, source]
    };
    packet.extend(octets.data());
    packet
}

fn open(receiver: &mut Receiver, is_rtcp: bool, packet: &[u8]) -> Result<Bytes, SrtpError> {
    if is_rtcp { receiver.rtcp(packet) } else { receiver.rtp(packet) }
}
