//! Identifiers of one's own: Call-IDs and tags.
//!
//! Two forms of each. The plain one is 64 random bits in hexadecimal. The other is what FaceTime's engine wrote in
//! 2010: a UUID of version 1 and the local address in the Call-ID, a decimal number in the tag.

use crate::time::Time;
use rand_core::RngCore;
use std::net::IpAddr;

/// 64 random bits as 16 hexadecimal digits, fit for a tag or for the front of a Call-ID (RFC 3261 section 19.3 asks
/// for 32 bits at least).
pub fn token(rng: &mut impl RngCore) -> String {
    format!("{:016x}", rng.next_u64())
}

/// A random number below 2^31 in decimal digits: a tag of the FaceTime-2010 form, one bit short of what RFC 3261
/// section 19.3 asks for.
pub fn tag(rng: &mut impl RngCore) -> String {
    (rng.next_u32() >> 1).to_string()
}

/// A Call-ID of the FaceTime-2010 form: a UUID of version 1, `@`, and the local address with a dash for each dot
/// or colon.
pub fn call_id(rng: &mut impl RngCore, now: Time, local: IpAddr) -> String {
    format!("{}@{}", uuid_v1(rng, now), local.to_string().replace(['.', ':'], "-"))
}

/// A UUID of version 1 (RFC 9562 section 5.1) for the wall-clock time of `now`. Clock sequence and node are random
/// each time, and the node is marked as no hardware address (section 6.10), so that it says nothing of the host.
pub fn uuid_v1(rng: &mut impl RngCore, now: Time) -> String {
    let ticks = now.unix_nanos() / 100 + GREGORIAN_TO_UNIX;
    let (low, mid, high) = (ticks as u32, (ticks >> 32) as u16, (ticks >> 48) as u16 & 0x0fff);
    let clock_seq = rng.next_u32() as u16 & 0x3fff;
    let node = rng.next_u64() & 0xffff_ffff_ffff | MULTICAST;
    format!("{low:08x}-{mid:04x}-{:04x}-{:04x}-{node:012x}", high | 0x1000, clock_seq | 0x8000)
}

/// From 15 October 1582, where the clock of these UUIDs begins, to the Unix epoch, in units of 100 ns.
const GREGORIAN_TO_UNIX: u64 = 0x01b2_1dd2_1381_4000;
/// The least significant bit of the first octet of a node: set in no hardware address of one host.
const MULTICAST: u64 = 0x0100_0000_0000;

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    #[test]
    fn a_uuid_holds_its_time_and_no_hardware_address() {
        let mut rng = ChaCha20Rng::from_seed([7; 32]);
        // The second in which the recorded Call-ID 658685de-dcec-11df-b1e3-80c2c2c54012 was made.
        let now = Time::from_nanos(1_287_649_371_191_000_000);
        for _ in 0..200 {
            let uuid = uuid_v1(&mut rng, now);
            let [low, mid, high, clock, node] = uuid.split('-').collect::<Vec<_>>()[..] else {
                panic!("{uuid}")
            };
            let hex = |digits: &str| u64::from_str_radix(digits, 16).unwrap();
            let ticks = (hex(high) & 0xfff) << 48 | hex(mid) << 32 | hex(low);
            assert_eq!((ticks - GREGORIAN_TO_UNIX) * 100, now.unix_nanos());
            assert_eq!((mid, high), ("dcec", "11df"));
            assert_eq!(hex(clock) >> 14, 0b10, "the variant of RFC 9562");
            assert_eq!(hex(node) >> 40 & 1, 1, "the multicast bit");
            let lengths = [low.len(), mid.len(), high.len(), clock.len(), node.len()];
            assert_eq!(lengths, [8, 4, 4, 4, 12]);
        }
    }

    #[test]
    fn call_ids_end_in_the_address_and_differ() {
        let mut rng = ChaCha20Rng::from_seed([8; 32]);
        let now = Time::from_millis(5);
        let first = call_id(&mut rng, now, [192, 168, 20, 198].into());
        assert!(first.ends_with("@192-168-20-198"), "{first}");
        assert_ne!(first, call_id(&mut rng, now, [192, 168, 20, 198].into()));
        let v6 = call_id(&mut rng, now, "2001:db8::1".parse().unwrap());
        assert!(v6.ends_with("@2001-db8--1"), "{v6}");
    }

    #[test]
    fn tags_are_decimal_and_fit_31_bits() {
        let mut rng = ChaCha20Rng::from_seed([9; 32]);
        let tags: Vec<u32> = (0..500).map(|_| tag(&mut rng).parse().unwrap()).collect();
        assert!(tags.iter().all(|t| *t < 1 << 31));
        assert!(tags.iter().any(|t| *t >= 1 << 30), "all bits are used");
    }
}
