//! When two URIs mean the same (RFC 3261 section 19.1.4).

use super::escape::{Octet, take_octet};
use super::lex;
use super::params::Params;
use super::uri::{Scheme, Uri};
use std::collections::BTreeMap;

/// Parameters that never match when only one of the URIs has them. Beside those that section 19.1.4 names in
/// its list of rules stands `transport`, which its text and examples treat alike.
const NEVER_IGNORED: [&[u8]; 5] = [b"user", b"ttl", b"method", b"maddr", b"transport"];

impl Uri<'_> {
    /// Whether both mean the same by the rules of RFC 3261 section 19.1.4.
    ///
    /// Not transitive, for parameters that only one URI has are ignored; hence no `PartialEq`. URIs of other
    /// schemes than SIP and SIPS are equivalent if their octets are equal, the scheme's case aside.
    pub fn equivalent(&self, other: &Uri<'_>) -> bool {
        if !self.scheme().is_sip() {
            return self.scheme_specific() == other.scheme_specific()
                && match (self.scheme(), other.scheme()) {
                    (Scheme::Other(a), Scheme::Other(b)) => a.eq_ignore_ascii_case(b),
                    (a, b) => a == b,
                };
        }
        self.scheme() == other.scheme()
            && self.user().map(octets) == other.user().map(octets)
            && self.password().map(octets) == other.password().map(octets)
            && self.host() == other.host()
            && self.port() == other.port()
            && params_match(self.params(), other.params())
            && headers(self) == headers(other)
    }

    fn scheme_specific(&self) -> Option<&[u8]> {
        lex::split_once(self.as_bytes(), b':').map(|(_, rest)| rest)
    }
}

fn params_match(a: Params<'_>, b: Params<'_>) -> bool {
    let (a, b) = (params(a), params(b));
    let either_way = |a: &ParamMap, b: &ParamMap| {
        a.iter().all(|(name, value)| match b.get(name) {
            Some(other) => value == other,
            None => !NEVER_IGNORED.iter().any(|n| octets(n) == *name),
        })
    };
    either_way(&a, &b) && either_way(&b, &a)
}

type ParamMap = BTreeMap<Vec<Octet>, Option<Vec<Octet>>>;

fn params(params: Params<'_>) -> ParamMap {
    let mut map = BTreeMap::new();
    for param in params.iter() {
        map.entry(lower(param.name)).or_insert_with(|| param.value.map(lower));
    }
    map
}

/// The header components in an order of their own.
fn headers(uri: &Uri<'_>) -> Vec<(Vec<Octet>, Vec<Octet>)> {
    let mut all: Vec<_> = uri
        .headers()
        .unwrap_or_default()
        .split(|&b| b == b'&')
        .filter(|h| !h.is_empty())
        .map(|h| lex::split_once(h, b'=').unwrap_or((h, b"")))
        .map(|(name, value)| (lower(name), lower(value)))
        .collect();
    all.sort();
    all
}

/// A component as comparison sees it: an escape equals the octet that it stands for, but for the reserved
/// set of RFC 2396 section 2.2 (and `%` itself), where it does not.
fn octets(mut s: &[u8]) -> Vec<Octet> {
    let mut out = Vec::with_capacity(s.len());
    while let Some((octet, rest)) = take_octet(s) {
        let keeps_escape =
            matches!(octet.value, b';' | b'/' | b'?' | b':' | b'@' | b'&' | b'=' | b'+' | b'$' | b',' | b'%');
        out.push(Octet { escaped: octet.escaped && keeps_escape, ..octet });
        s = rest;
    }
    out
}

fn lower(s: &[u8]) -> Vec<Octet> {
    let mut out = octets(s);
    out.iter_mut().for_each(|o| o.value.make_ascii_lowercase());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(a: &str, b: &str) -> bool {
        let (a, b) = (Uri::parse(a.as_bytes()).unwrap(), Uri::parse(b.as_bytes()).unwrap());
        assert_eq!(a.equivalent(&b), b.equivalent(&a), "{a} {b}");
        assert!(a.equivalent(&a) && b.equivalent(&b));
        a.equivalent(&b)
    }

    #[test]
    fn the_sets_that_rfc_3261_calls_equivalent_are() {
        assert!(same("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"));
        assert!(same("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"));
        assert!(same("sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;security=on"));
        assert!(same(
            "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
            "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com"
        ));
        assert!(same(
            "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
            "sip:alice@atlanta.com?priority=urgent&subject=project%20x"
        ));
    }

    #[test]
    fn the_sets_that_rfc_3261_calls_different_are() {
        assert!(!same("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"));
        assert!(!same("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"));
        assert!(!same("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"));
        assert!(!same("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"));
        assert!(!same("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"));
    }

    #[test]
    fn a_parameter_in_both_must_match() {
        assert!(!same("sip:h;a=1", "sip:h;a=2"));
        assert!(!same("sip:h;a=1", "sip:h;a"));
        assert!(same("sip:h;%61=X", "sip:h;A=x"));
    }

    #[test]
    fn an_escaped_reserved_octet_differs_from_the_plain_one() {
        assert!(!same("sip:a%3Bb@h", "sip:a;b@h"));
        assert!(!same("sip:a%253B@h", "sip:a%3B@h"));
        assert!(same("sip:a%2db@h", "sip:a-b@h"));
    }

    #[test]
    fn schemes_users_and_passwords_must_agree() {
        assert!(!same("sip:a@h", "sips:a@h"));
        assert!(!same("sip:a@h", "sip:h"));
        assert!(!same("sip:a:p@h", "sip:a@h"));
        assert!(!same("sip:a:p@h", "sip:a:P@h"));
    }

    #[test]
    fn addresses_compare_by_value() {
        assert!(same("sip:[2001:db8::9]:5060", "sip:[2001:DB8:0:0::9]:5060"));
        assert!(!same("sip:127.0.0.1", "sip:localhost"));
    }

    #[test]
    fn other_schemes_compare_octet_for_octet() {
        assert!(same("TEL:+15551212", "tel:+15551212"));
        assert!(!same("tel:+15551212", "tel:+1-555-1212"));
        assert!(!same("x:1", "y:1"));
    }
}
