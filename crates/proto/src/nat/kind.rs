//! What a NAT does, in the terms of RFC 4787 and in the older ones that people know.

use std::fmt;

/// How a mapping is chosen (RFC 4787 section 4.1), or which packets are let in (section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Behaviour {
    /// The same for every outside endpoint.
    EndpointIndependent,
    /// By the outside endpoint's address.
    AddressDependent,
    /// By the outside endpoint's address and port.
    AddressAndPortDependent,
    /// Not known.
    Unknown,
}

impl fmt::Display for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Behaviour::EndpointIndependent => "endpoint-independent",
            Behaviour::AddressDependent => "address-dependent",
            Behaviour::AddressAndPortDependent => "address and port-dependent",
            Behaviour::Unknown => "unknown",
        })
    }
}

/// The kind of NAT in front of a host, in the words of RFC 3489 section 5.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum NatKind {
    /// No NAT and no filter.
    Open,
    /// One mapping for all, and everything is let in.
    FullCone,
    /// One mapping for all; addresses that were sent to may send back.
    AddressRestricted,
    /// One mapping for all; address and port pairs that were sent to may send back.
    PortRestricted,
    /// A mapping for each outside endpoint.
    Symmetric,
    /// UDP does not get through.
    Blocked,
    /// Not known.
    #[default]
    Unknown,
}

impl NatKind {
    /// Every kind, in the order of their codes in a ticket.
    const ALL: [NatKind; 7] = [
        NatKind::Unknown,
        NatKind::Open,
        NatKind::FullCone,
        NatKind::AddressRestricted,
        NatKind::PortRestricted,
        NatKind::Symmetric,
        NatKind::Blocked,
    ];

    /// The kind that a NAT of these behaviours is, as far as they are known.
    pub fn of(mapping: Behaviour, filtering: Behaviour) -> NatKind {
        match (mapping, filtering) {
            (Behaviour::AddressDependent | Behaviour::AddressAndPortDependent, _) => NatKind::Symmetric,
            (Behaviour::Unknown, _) | (_, Behaviour::Unknown) => NatKind::Unknown,
            (_, Behaviour::EndpointIndependent) => NatKind::FullCone,
            (_, Behaviour::AddressDependent) => NatKind::AddressRestricted,
            (_, Behaviour::AddressAndPortDependent) => NatKind::PortRestricted,
        }
    }

    /// How it chooses mappings.
    pub fn mapping(self) -> Behaviour {
        match self {
            NatKind::Open | NatKind::FullCone | NatKind::AddressRestricted | NatKind::PortRestricted => {
                Behaviour::EndpointIndependent
            }
            NatKind::Symmetric => Behaviour::AddressAndPortDependent,
            NatKind::Blocked | NatKind::Unknown => Behaviour::Unknown,
        }
    }

    /// What it lets in. A symmetric NAT is taken as the strictest of its kind.
    pub fn filtering(self) -> Behaviour {
        match self {
            NatKind::Open | NatKind::FullCone => Behaviour::EndpointIndependent,
            NatKind::AddressRestricted => Behaviour::AddressDependent,
            NatKind::PortRestricted | NatKind::Symmetric => Behaviour::AddressAndPortDependent,
            NatKind::Blocked | NatKind::Unknown => Behaviour::Unknown,
        }
    }

    /// Whether a hole can be punched between hosts behind these two, each side knowing the other's mapped
    /// address and learning new ones from what arrives; `None` where one of them is not known.
    pub fn punches(self, other: NatKind) -> Option<bool> {
        if self == NatKind::Blocked || other == NatKind::Blocked {
            return Some(false);
        }
        if self == NatKind::Unknown || other == NatKind::Unknown {
            return None;
        }
        // A symmetric NAT sends from a port that the other side has not sent to: it must be let in all the same.
        let lets_in = |inner: NatKind, outer: NatKind| {
            outer != NatKind::Symmetric || inner.filtering() != Behaviour::AddressAndPortDependent
        };
        Some(lets_in(self, other) && lets_in(other, self))
    }

    /// Its code in a ticket.
    pub(super) fn code(self) -> u8 {
        NatKind::ALL.iter().position(|k| *k == self).and_then(|n| u8::try_from(n).ok()).unwrap_or(0)
    }

    /// The kind of a code; one that is not known yet is an unknown kind.
    pub(super) fn from_code(code: u8) -> NatKind {
        NatKind::ALL.get(usize::from(code)).copied().unwrap_or_default()
    }
}

impl fmt::Display for NatKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NatKind::Open => "open",
            NatKind::FullCone => "full-cone",
            NatKind::AddressRestricted => "address-restricted",
            NatKind::PortRestricted => "port-restricted",
            NatKind::Symmetric => "symmetric",
            NatKind::Blocked => "blocked",
            NatKind::Unknown => "unknown",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_symmetric_nat_meets_all_but_those_that_filter_by_port() {
        use NatKind::*;
        for other in [Open, FullCone, AddressRestricted] {
            assert_eq!((Symmetric.punches(other), other.punches(Symmetric)), (Some(true), Some(true)));
        }
        for other in [PortRestricted, Symmetric, Blocked] {
            assert_eq!((Symmetric.punches(other), other.punches(Symmetric)), (Some(false), Some(false)));
        }
        assert_eq!(PortRestricted.punches(PortRestricted), Some(true));
        assert_eq!(Unknown.punches(Symmetric), None);
    }

    #[test]
    fn kinds_are_told_from_behaviours_and_back() {
        for kind in
            [NatKind::FullCone, NatKind::AddressRestricted, NatKind::PortRestricted, NatKind::Symmetric]
        {
            assert_eq!(NatKind::of(kind.mapping(), kind.filtering()), kind);
            assert_eq!(NatKind::from_code(kind.code()), kind);
        }
        assert_eq!(NatKind::of(Behaviour::EndpointIndependent, Behaviour::Unknown), NatKind::Unknown);
        assert_eq!(NatKind::from_code(200), NatKind::Unknown);
    }
}
