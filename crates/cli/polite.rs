//! Whom a command may burden with more than a call: by default only what stands on this machine or in a private
//! network, since whoever else answers there may not have asked for it.

use crate::Failure;
use std::net::{IpAddr, Ipv6Addr};

/// Refuses an address that is neither on this machine nor in a private network, unless `allowed` says that whoever
/// types the command may do this to it. `what` is what would be done (`load`, `test`), `flag` what allows it.
///
/// # Errors
///
/// [`Failure::Usage`] for a public address, and for one that no single host has.
pub(crate) fn may(what: &str, address: IpAddr, allowed: bool, flag: &str) -> Result<(), Failure> {
    let address = address.to_canonical();
    if is_no_host(address) {
        return Err(Failure::Usage(format!("cannot {what} {address}: it is no host's address")));
    }
    if allowed || is_near(address) {
        return Ok(());
    }
    Err(Failure::Usage(format!(
        "{address} is a public address: to {what} somebody's host is theirs to allow; if they did, add {flag}"
    )))
}

/// Loopback, private (RFC 1918, RFC 4193) and link-local (RFC 3927, RFC 4291 section 2.5.6) addresses.
fn is_near(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

fn is_no_host(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_unspecified() || v4.is_multicast() || v4.is_broadcast(),
        IpAddr::V6(v6) => v6 == Ipv6Addr::UNSPECIFIED || v6.is_multicast(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(address: &str, allowed: bool) -> Result<(), String> {
        may("load", address.parse().unwrap(), allowed, "--yes").map_err(|failure| failure.to_string())
    }

    #[test]
    fn what_is_on_this_machine_or_in_a_private_network_may_be_burdened() {
        let near = ["127.0.0.1", "127.9.9.9", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1"];
        for address in near.into_iter().chain(["169.254.1.1", "::1", "fd00::1", "fe80::1", "::ffff:10.0.0.1"])
        {
            assert_eq!(verdict(address, false), Ok(()), "{address}");
        }
    }

    #[test]
    fn a_public_address_needs_the_flag_and_is_told_so() {
        let public = ["192.0.2.1", "172.32.0.1", "172.15.0.1", "100.64.0.1", "128.0.0.1", "11.0.0.1"];
        for address in public.into_iter().chain(["2001:db8::1", "fec0::1", "::ffff:192.0.2.1"]) {
            let error = verdict(address, false).unwrap_err();
            assert!(error.contains("public address") && error.contains("--yes"), "{error}");
            assert_eq!(verdict(address, true), Ok(()), "{address}");
        }
    }

    #[test]
    fn what_is_no_hosts_address_is_refused_whatever_was_allowed() {
        for address in ["0.0.0.0", "255.255.255.255", "224.0.0.1", "::", "ff02::1"] {
            assert!(verdict(address, true).unwrap_err().contains("no host's address"), "{address}");
        }
    }

    #[test]
    fn refusals_are_wrong_usage() {
        assert_eq!(may("load", [192, 0, 2, 1].into(), false, "--yes").unwrap_err().code(), 2);
    }
}
