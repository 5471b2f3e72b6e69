//! The same as the target stun, for the cookie-less form of RFC 3489.

#![no_main]

use libfuzzer_sys::fuzz_target;
use visavis_proto::stun::Dialect;

fuzz_target!(|data: &[u8]| visavis_fuzz::stun::run(data, Dialect::Rfc3489));
