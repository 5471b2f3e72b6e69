//! How long to wait after a 491 to a re-INVITE: RFC 3261 section 14.1.

use rand_core::RngCore;
use std::time::Duration;

/// The wait before a re-INVITE that was refused with 491 (Request Pending) is tried again, in units of 10 ms:
/// 2.1 to 4 s for the side that made the Call-ID, 0 to 2 s for the other, so that the two do not collide again.
pub fn retry_after_glare(owns_call_id: bool, rng: &mut impl RngCore) -> Duration {
    // Both counts are small against 2^32, so the modulo bias is below one in ten million.
    let units = if owns_call_id { 210 + rng.next_u32() % 191 } else { rng.next_u32() % 201 };
    Duration::from_millis(u64::from(units) * 10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    #[test]
    fn the_wait_covers_its_range_in_units_of_10_ms() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        for (owner, low, high) in [(true, 2_100, 4_000), (false, 0, 2_000)] {
            let waits: Vec<u128> =
                (0..20_000).map(|_| retry_after_glare(owner, &mut rng).as_millis()).collect();
            assert!(waits.iter().all(|w| w % 10 == 0));
            assert_eq!(waits.iter().min(), Some(&low));
            assert_eq!(waits.iter().max(), Some(&high));
        }
    }
}
