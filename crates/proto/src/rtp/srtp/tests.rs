use super::*;
use crate::limits::Limits;
use data_encoding::HEXLOWER_PERMISSIVE;
use proptest::prelude::*;
use std::collections::BTreeSet;

const SSRC: u32 = 0x1122_3344;

/// Octets from hexadecimal digits with white space anywhere.
pub(super) fn hex(text: &str) -> Vec<u8> {
    let digits: String = text.split_whitespace().collect();
    HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).unwrap()
}

pub(super) fn master(profile: Profile, key: &str, salt: &str) -> MasterKey {
    MasterKey::new(profile, &hex(key), &hex(salt)).unwrap()
}

fn any_key(profile: Profile, seed: u8) -> MasterKey {
    let octets = |n: usize| (0..n as u8).map(|i| i.wrapping_mul(37) ^ seed).collect::<Vec<_>>();
    MasterKey::new(profile, &octets(profile.key_len()), &octets(profile.salt_len())).unwrap()
}

fn pair(profile: Profile) -> (Sender, Receiver) {
    let key = any_key(profile, 1);
    (Sender::new(&key), Receiver::new(&key))
}

fn rtp_of(ssrc: u32, seq: u16) -> Vec<u8> {
    let [s0, s1] = seq.to_be_bytes();
    let [r0, r1, r2, r3] = ssrc.to_be_bytes();
    let header = [0x80, 96, s0, s1, 0, 0, 0, 9, r0, r1, r2, r3];
    [&header[..], b"a payload of which no octet shows", &[s0, s1]].concat()
}

fn rtp(seq: u16) -> Vec<u8> {
    rtp_of(SSRC, seq)
}

/// A receiver report and a source description.
fn rtcp() -> Vec<u8> {
    hex("80c90001 11223344 81ca0004 11223344 01087669 73617669 73000000")
}

#[test]
fn all_suites_bring_rtp_and_rtcp_through_and_add_what_they_say() {
    for profile in Profile::ALL {
        let (mut sender, mut receiver) = pair(profile);
        for seq in 7..20 {
            let sealed = sender.rtp(&rtp(seq)).unwrap();
            assert_eq!(sealed.len(), rtp(seq).len() + profile.rtp_overhead(), "{profile}");
            assert_eq!(sealed[..12], rtp(seq)[..12], "{profile}: the header stays in the clear");
            let shown = sealed.windows(7).any(|part| part == b"payload");
            assert!(!shown, "{profile}: the payload does not");
            assert_eq!(receiver.rtp(&sealed).unwrap(), rtp(seq), "{profile}");
        }
        for index in 0..5u32 {
            let sealed = sender.rtcp(&rtcp()).unwrap();
            let tag = if profile.is_aead() { 16 } else { 10 };
            assert_eq!(sealed.len(), rtcp().len() + tag + 4, "{profile}");
            assert_eq!(sealed[..8], rtcp()[..8], "{profile}");
            let trailer = (0x8000_0000 | index).to_be_bytes();
            let at = if profile.is_aead() { sealed.len() - 4 } else { sealed.len() - 14 };
            assert_eq!(sealed[at..at + 4], trailer, "{profile}: E flag and index");
            assert_eq!(receiver.rtcp(&sealed).unwrap(), rtcp(), "{profile}");
        }
        assert_eq!(receiver.counters(), ReceiverCounters { opened: 18, ..Default::default() });
    }
}

#[test]
fn csrcs_and_the_header_extension_stay_in_the_clear() {
    for profile in Profile::ALL {
        let (mut sender, mut receiver) = pair(profile);
        // Two CSRCs, an extension of one word, four octets of payload.
        let packet = hex("9260 0001 00000001 11223344 aaaaaaaa bbbbbbbb bede0001 51020304 70757265");
        let sealed = sender.rtp(&packet).unwrap();
        assert_eq!(sealed[..28], packet[..28], "{profile}");
        assert_ne!(sealed[28..32], packet[28..], "{profile}");
        assert_eq!(receiver.rtp(&sealed).unwrap(), packet, "{profile}");
        // A header alone has nothing to encrypt, and is authentic all the same.
        let mut empty = rtp(2);
        empty.truncate(12);
        assert_eq!(receiver.rtp(&sender.rtp(&empty).unwrap()).unwrap(), empty, "{profile}");
    }
}

#[test]
fn the_sequence_number_rolls_over_with_loss_and_disorder_around_it() {
    for profile in Profile::ALL {
        let (mut sender, mut receiver) = pair(profile);
        // Twice around; near the rollovers a third of the packets is lost, and pairs change places.
        let mut sealed: Vec<_> = (0..0x2_0100u32)
            .filter(|n| n % 997 == 0 || (n + 50) % 0x1_0000 < 100)
            .map(|n| (n as u16, sender.rtp(&rtp(n as u16)).unwrap()))
            .filter(|(seq, _)| seq % 3 != 0 || seq % 997 == 0)
            .collect();
        let near = |pair: &&mut [(u16, bytes::Bytes)]| pair[0].0.wrapping_add(50) < 98;
        sealed.chunks_exact_mut(2).filter(near).for_each(|pair| pair.swap(0, 1));
        assert!(sealed.len() > 200);
        for (seq, packet) in sealed {
            assert_eq!(receiver.rtp(&packet).unwrap(), rtp(seq), "{profile}");
        }
    }
}

#[test]
fn the_tag_covers_the_rollover_counter() {
    for profile in Profile::ALL {
        let (mut sender, mut receiver) = pair(profile);
        for seq in [0x7000, 0xe000, 0x5000] {
            sender.rtp(&rtp(seq)).unwrap();
        }
        // The receiver has heard nothing since before the rollover, and takes this for the same time around.
        let (mut early, _) = pair(profile);
        receiver.rtp(&early.rtp(&rtp(0x5000)).unwrap()).unwrap();
        let later = sender.rtp(&rtp(0x6000)).unwrap();
        assert_eq!(receiver.rtp(&later), Err(SrtpError::Authentication), "{profile}");
    }
}

#[test]
fn a_receiver_that_lost_all_before_the_first_rollover_finds_its_place() {
    for profile in Profile::ALL {
        let (mut sender, mut receiver) = pair(profile);
        let late = sender.rtp(&rtp(0xfffe)).unwrap();
        let _lost = sender.rtp(&rtp(0xffff)).unwrap();
        let first = sender.rtp(&rtp(0)).unwrap();
        assert_eq!(receiver.rtp(&first).unwrap(), rtp(0), "{profile}");
        assert_eq!(receiver.rtp(&late).unwrap(), rtp(0xfffe), "{profile}");
        assert_eq!(receiver.rtp(&sender.rtp(&rtp(1)).unwrap()).unwrap(), rtp(1), "{profile}");
        assert_eq!(receiver.rtp(&first), Err(SrtpError::Replayed), "{profile}");
    }
}

#[test]
fn what_comes_twice_or_too_late_is_dropped_and_counted() {
    for profile in Profile::ALL {
        let (mut sender, mut receiver) = pair(profile);
        let packets: Vec<_> = (0..200).map(|seq| sender.rtp(&rtp(seq)).unwrap()).collect();
        let reports: Vec<_> = (0..200).map(|_| sender.rtcp(&rtcp()).unwrap()).collect();
        receiver.rtp(&packets[199]).unwrap();
        receiver.rtcp(&reports[199]).unwrap();
        // Indices 72 to 198 are within the window of 128.
        assert!(receiver.rtp(&packets[72]).is_ok());
        assert!(receiver.rtcp(&reports[72]).is_ok());
        for at in [71, 72, 199] {
            assert_eq!(receiver.rtp(&packets[at]), Err(SrtpError::Replayed), "{profile} {at}");
            assert_eq!(receiver.rtcp(&reports[at]), Err(SrtpError::Replayed), "{profile} {at}");
        }
        assert_eq!(receiver.counters(), ReceiverCounters { opened: 4, replayed: 6, ..Default::default() });
    }
}

#[test]
fn a_sender_uses_no_index_twice() {
    let (mut sender, _) = pair(Profile::Aes128CmHmacSha1_80);
    sender.rtp(&rtp(300)).unwrap();
    sender.rtp(&rtp(299)).unwrap();
    assert_eq!(sender.rtp(&rtp(300)), Err(SrtpError::Replayed));
    assert_eq!(sender.rtp(&rtp(299)), Err(SrtpError::Replayed));
    // Too old to tell.
    assert_eq!(sender.rtp(&rtp(100)), Err(SrtpError::Replayed));
    // From before the first packet: there is no such index.
    assert_eq!(sender.rtp(&rtp(0xffff)), Err(SrtpError::Replayed));
    assert!(sender.rtp(&rtp(301)).is_ok());
}

#[test]
fn a_change_of_any_octet_is_found_out_and_changes_nothing() {
    for profile in Profile::ALL {
        let (mut sender, mut receiver) = pair(profile);
        let sealed = sender.rtp(&rtp(5)).unwrap();
        let report = sender.rtcp(&rtcp()).unwrap();
        for bit in [0x01, 0x80] {
            for at in 0..sealed.len() {
                let mut forged = sealed.to_vec();
                forged[at] ^= bit;
                assert!(receiver.rtp(&forged).is_err(), "{profile} octet {at}");
            }
            for at in 0..report.len() {
                let mut forged = report.to_vec();
                forged[at] ^= bit;
                assert!(receiver.rtcp(&forged).is_err(), "{profile} octet {at}");
            }
        }
        for length in 0..sealed.len() {
            assert!(receiver.rtp(&sealed[..length]).is_err(), "{profile} {length}");
        }
        for length in 0..report.len() {
            assert!(receiver.rtcp(&report[..length]).is_err(), "{profile} {length}");
        }
        let counters = receiver.counters();
        assert_eq!((counters.opened, counters.replayed, counters.sources), (0, 0, 0), "{profile}");
        assert!(counters.unauthentic > counters.malformed, "{profile} {counters:?}");
        // Neither an SSRC nor an index was taken note of.
        assert_eq!(receiver.rtp(&sealed).unwrap(), rtp(5), "{profile}");
        assert_eq!(receiver.rtcp(&report).unwrap(), rtcp(), "{profile}");
    }
}

#[test]
fn a_forged_sequence_number_does_not_move_the_window() {
    for profile in Profile::ALL {
        let (mut sender, mut receiver) = pair(profile);
        receiver.rtp(&sender.rtp(&rtp(5)).unwrap()).unwrap();
        let mut forged = sender.rtp(&rtp(6)).unwrap().to_vec();
        forged[2] = 0x7f;
        assert_eq!(receiver.rtp(&forged), Err(SrtpError::Authentication), "{profile}");
        let next = sender.rtp(&rtp(7)).unwrap();
        assert_eq!(receiver.rtp(&next).unwrap(), rtp(7), "{profile}");
    }
}

#[test]
fn what_was_made_with_another_key_or_for_the_other_protocol_is_not_opened() {
    for profile in Profile::ALL {
        let (mut sender, _) = pair(profile);
        let mut stranger = Receiver::new(&any_key(profile, 2));
        assert_eq!(stranger.rtp(&sender.rtp(&rtp(1)).unwrap()), Err(SrtpError::Authentication));
        assert_eq!(stranger.rtcp(&sender.rtcp(&rtcp()).unwrap()), Err(SrtpError::Authentication));
        assert_eq!(stranger.counters().unauthentic, 2);
        // Keys of RTCP are not those of RTP.
        let (mut sender, mut receiver) = pair(profile);
        assert_eq!(receiver.rtcp(&sender.rtp(&rtp(1)).unwrap()), Err(SrtpError::Authentication));
        assert_eq!(receiver.rtp(&rtp(1)), Err(SrtpError::Authentication), "in the clear");
    }
}

#[test]
fn an_unencrypted_report_with_its_tag_is_taken() {
    for profile in [Profile::Aes128CmHmacSha1_80, Profile::Aes256CmHmacSha1_80] {
        let mut receiver = Receiver::new(&any_key(profile, 1));
        let signed = [rtcp(), 7u32.to_be_bytes().to_vec()].concat();
        let mut key = [0; counter::AUTHENTICATION_KEY];
        let master = any_key(profile, 1);
        if profile.key_len() == 16 {
            derive::session_key::<aes::Aes128>(&master, derive::Label::RtcpAuthentication, &mut key);
        } else {
            derive::session_key::<aes::Aes256>(&master, derive::Label::RtcpAuthentication, &mut key);
        }
        use hmac::Mac;
        let tag = hmac::Hmac::<sha1::Sha1>::new_from_slice(&key).unwrap().chain_update(&signed).finalize();
        let packet = [&signed[..], &tag.into_bytes()[..10]].concat();
        assert_eq!(receiver.rtcp(&packet).unwrap(), rtcp(), "{profile}");
    }
}

#[test]
fn ssrcs_are_kept_apart_and_bounded() {
    let limits = Limits { srtp_sources: 2, ..Limits::default() };
    let key = any_key(Profile::AeadAes128Gcm, 1);
    let mut wide = Sender::new(&key);
    let mut receiver = Receiver::with_limits(&key, &limits);
    // The same sequence number twice, of two sources.
    for ssrc in [1, 2] {
        let sealed = wide.rtp(&rtp_of(ssrc, 5)).unwrap();
        assert_eq!(receiver.rtp(&sealed).unwrap(), rtp_of(ssrc, 5));
    }
    let third = wide.rtp(&rtp_of(3, 5)).unwrap();
    assert_eq!(receiver.rtp(&third), Err(SrtpError::Sources(2)));
    assert_eq!(receiver.rtcp(&wide.rtcp(&rtcp()).unwrap()), Err(SrtpError::Sources(2)));
    assert_eq!(receiver.counters().sources, 2);
    assert!(receiver.rtp(&wide.rtp(&rtp_of(1, 6)).unwrap()).is_ok());

    let mut narrow = Sender::with_limits(&key, &limits);
    assert!(narrow.rtp(&rtp_of(1, 5)).is_ok() && narrow.rtp(&rtp_of(2, 5)).is_ok());
    assert_eq!(narrow.rtp(&rtp_of(3, 5)), Err(SrtpError::Sources(2)));
}

#[test]
fn what_is_no_rtp_is_refused() {
    for profile in Profile::ALL {
        let (mut sender, mut receiver) = pair(profile);
        // Too short; of another version; CSRCs, an extension or its words beyond the end.
        let short = rtp(1)[..11].to_vec();
        let version = [&[0x40], &rtp(1)[1..]].concat();
        let csrcs = [&[0x8f], &rtp(1)[1..20]].concat();
        let extension = [&[0x90], &rtp(1)[1..14]].concat();
        let words = [&[0x90], &rtp(1)[1..12], &[0, 0, 0, 9, 0, 0, 0, 0]].concat();
        for packet in [short, version, csrcs, extension, words] {
            assert_eq!(sender.rtp(&packet), Err(SrtpError::Malformed), "{profile}");
            assert_eq!(receiver.rtp(&packet), Err(SrtpError::Malformed), "{profile}");
        }
        assert_eq!(sender.rtcp(&rtcp()[..7]), Err(SrtpError::Malformed), "{profile}");
        assert_eq!(receiver.rtcp(&rtcp()[..7]), Err(SrtpError::Malformed), "{profile}");
        assert_eq!(receiver.counters().malformed, 6, "{profile}");
    }
}

#[test]
fn keys_are_written_as_in_sdp_and_never_shown() {
    // The key of the first example in RFC 4568 section 4.
    let text = "inline:PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR";
    let key = MasterKey::from_inline(Profile::Aes128CmHmacSha1_80, text).unwrap();
    assert_eq!(key.to_inline(), text);
    assert_eq!(key.to_crypto_attribute(1), format!("1 AES_CM_128_HMAC_SHA1_80 {text}"));
    assert_eq!(format!("{key:?}"), "MasterKey(AES_CM_128_HMAC_SHA1_80)");
    for profile in Profile::ALL {
        assert_eq!(profile.name().parse(), Ok(profile));
        let key = any_key(profile, 9);
        assert_eq!(MasterKey::from_inline(profile, &key.to_inline()), Ok(key));
    }
    let length = MasterKey::from_inline(Profile::AeadAes256Gcm, text).unwrap_err();
    assert_eq!(
        length.to_string(),
        "AEAD_AES_256_GCM wants a key of 32 and a salt of 12 octets, not 30 and 0"
    );
    for wrong in ["PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR", "inline:!", &format!("{text}|1:4")] {
        let read = MasterKey::from_inline(Profile::Aes128CmHmacSha1_80, wrong);
        assert_eq!(read, Err(KeyError::Form), "{wrong}");
    }
    assert_eq!("F8_128_HMAC_SHA1_80".parse::<Profile>(), Err(UnknownProfile("F8_128_HMAC_SHA1_80".into())));
}

/// A packet on a line that loses, repeats and delays.
struct OnItsWay {
    arrives: usize,
    is_rtcp: bool,
    ssrc: u32,
    index: u64,
    plain: Vec<u8>,
    sealed: bytes::Bytes,
}

proptest! {
    #[test]
    fn what_arrives_is_opened_once_and_whole_however_the_line_disorders_it(
        profile in proptest::sample::select(&Profile::ALL[..]),
        start in any::<u16>(),
        sent in proptest::collection::vec((0u32..3, any::<bool>(), 1u64..30, 0usize..150, 0usize..3), 1..150),
    ) {
        let (mut sender, mut receiver) = pair(profile);
        let mut next = [[u64::from(start), 0]; 3];
        let mut line = Vec::new();
        for (number, (ssrc, is_rtcp, gap, delay, copies)) in sent.into_iter().enumerate() {
            let counter = &mut next[ssrc as usize][usize::from(is_rtcp)];
            // The index of RTCP has no gaps but those of loss.
            *counter += if is_rtcp { 0 } else { gap };
            let index = *counter;
            let plain = if is_rtcp { [&[0x80, 200, 0, 1], &ssrc.to_be_bytes()[..]].concat() } else { rtp_of(ssrc, index as u16) };
            let sealed = if is_rtcp { sender.rtcp(&plain) } else { sender.rtp(&plain) }.unwrap();
            *counter += u64::from(is_rtcp);
            for copy in 0..copies {
                let (plain, sealed) = (plain.clone(), sealed.clone());
                line.push(OnItsWay { arrives: number + delay * (copy + 1), is_rtcp, ssrc, index, plain, sealed });
            }
        }
        line.sort_by_key(|packet| packet.arrives);
        let mut opened = BTreeSet::new();
        for packet in line {
            let result = if packet.is_rtcp { receiver.rtcp(&packet.sealed) } else { receiver.rtp(&packet.sealed) };
            let (from, to) = ((packet.ssrc, packet.is_rtcp, 0), (packet.ssrc, packet.is_rtcp, u64::MAX));
            let highest = opened.range(from..to).next_back().map_or(0, |(_, _, index)| *index);
            let late = packet.index + 128 <= highest;
            if late || !opened.insert((packet.ssrc, packet.is_rtcp, packet.index)) {
                prop_assert_eq!(result, Err(SrtpError::Replayed));
            } else {
                prop_assert_eq!(result, Ok(packet.plain.into()));
            }
        }
    }
}
