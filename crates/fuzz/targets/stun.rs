//! STUN as RFC 8489 has it: what is read is what the octets say, what is written is read again, a signature or a
//! fingerprint survives no change, and a responder answers requests alone, shortly and not too often.

#![no_main]

use libfuzzer_sys::fuzz_target;
use visavis_proto::stun::Dialect;

fuzz_target!(|data: &[u8]| visavis_fuzz::stun::run(data, Dialect::Rfc8489));
