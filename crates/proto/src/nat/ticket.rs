//! Tickets: what one side tells the other so that both can punch, on one line.
//!
//! Binary form, big-endian: version (1), kind of NAT and flags (1), expiry (5: seconds since 1970), nonce (16),
//! identity (8, where the flag says so), candidates (1 octet of kind and family, 4 or 16 of address, 2 of port each), and the
//! first 4 octets of the SHA-256 of all that. At most 130 octets.

use super::candidate::objection;
use super::{Candidate, CandidateKind, NatKind};
use crate::time::Time;
use data_encoding::BASE64URL_NOPAD;
use rand_core::RngCore;
use sha2::{Digest, Sha256};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// The largest binary form, octets.
pub const TICKET_OCTETS: usize = 130;
/// The most candidates in a ticket.
pub const TICKET_CANDIDATES: usize = 8;

const VERSION: u8 = 1;
const PREFIX: &str = "vv1-";
const CHECKSUM: usize = 4;
/// In the second octet: an identity follows the nonce. The low 4 bits are the kind of NAT.
const HAS_IDENTITY: u8 = 0x80;
/// In a candidate's first octet: an IPv6 address. The low 4 bits are the kind.
const IS_IPV6: u8 = 0x80;
const KIND: u8 = 0x0f;
/// 5 octets of seconds: the year 36812.
const LAST_EXPIRY: u64 = (1 << 40) - 1;

/// Where and until when one side can be reached, and its half of the secret. Whoever reads both tickets of a
/// call can take part in it: they are to be exchanged as one exchanges a key.
#[derive(Clone, PartialEq, Eq)]
pub struct Ticket {
    /// Where to send checks, the best first.
    pub candidates: Vec<Candidate>,
    /// This side's half of the secret.
    pub nonce: [u8; 16],
    /// When it stops being good, seconds since 1970.
    pub expires: u64,
    /// The kind of NAT in front of this side.
    pub nat: NatKind,
    /// The fingerprint of this side's identity key, where it has one.
    pub identity: Option<[u8; 8]>,
}

/// Why a ticket can not be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TicketError {
    /// The text does not begin with the prefix.
    #[error("not a ticket: it does not begin with {PREFIX}")]
    Prefix,
    /// A character that no ticket has, or a broken last one.
    #[error("the ticket is damaged: character {0} does not belong into it")]
    Character(usize),
    /// The text has a length that no encoder makes.
    #[error("the ticket is torn: part of it is missing")]
    Length,
    /// The checksum is wrong.
    #[error("the ticket is torn or damaged: its checksum is wrong")]
    Checksum,
    /// Longer than any ticket.
    #[error("too long for a ticket: {0} octets, at most {TICKET_OCTETS}")]
    TooLong(usize),
    /// A version that this endpoint does not know.
    #[error("a ticket of version {0}, which is not known here")]
    Version(u8),
    /// The checksum is right and the content is not.
    #[error("the ticket can not be read: {0}")]
    Content(&'static str),
    /// No candidate at all.
    #[error("the ticket names no address")]
    Empty,
    /// More candidates than a ticket has.
    #[error("the ticket names {0} addresses, at most {TICKET_CANDIDATES} are allowed")]
    TooMany(usize),
    /// A candidate that nothing is ever sent to.
    #[error("the ticket names {0}, which {1}")]
    Refused(SocketAddr, &'static str),
    /// Its time is over.
    #[error("the ticket expired {0} s ago: ask for a new one")]
    Expired(u64),
}

impl Ticket {
    /// A ticket with a fresh nonce, good until `expires` (seconds since 1970). Of the candidates it takes the
    /// first that fit.
    pub fn new(
        candidates: &[Candidate],
        nat: NatKind,
        identity: Option<[u8; 8]>,
        expires: u64,
        rng: &mut dyn RngCore,
    ) -> Result<Ticket, TicketError> {
        let mut nonce = [0; 16];
        rng.fill_bytes(&mut nonce);
        let expires = expires.min(LAST_EXPIRY);
        let mut ticket = Ticket { candidates: Vec::new(), nonce, expires, nat, identity };
        for candidate in candidates.iter().take(TICKET_CANDIDATES) {
            ticket.candidates.push(Candidate::new(candidate.kind, candidate.address));
            if ticket.octets() > TICKET_OCTETS {
                ticket.candidates.pop();
            }
        }
        ticket.check()?;
        Ok(ticket)
    }

    /// Whether its time is over, and since when.
    pub fn valid_at(&self, now: Time) -> Result<(), TicketError> {
        let seconds = now.unix_nanos() / 1_000_000_000;
        if seconds < self.expires { Ok(()) } else { Err(TicketError::Expired(seconds - self.expires)) }
    }

    /// The name that this side goes by in the USERNAME of checks.
    pub fn name(&self) -> String {
        super::key::name_of(&self.nonce)
    }

    /// The binary form.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(TICKET_OCTETS);
        let identity = if self.identity.is_some() { HAS_IDENTITY } else { 0 };
        out.extend([VERSION, identity | self.nat.code()]);
        out.extend(self.expires.min(LAST_EXPIRY).to_be_bytes().iter().skip(3));
        out.extend(self.nonce);
        out.extend(self.identity.iter().flatten());
        for Candidate { kind, address } in &self.candidates {
            match address.ip() {
                IpAddr::V4(v4) => {
                    out.push(kind_code(*kind));
                    out.extend(v4.octets());
                }
                IpAddr::V6(v6) => {
                    out.push(kind_code(*kind) | IS_IPV6);
                    out.extend(v6.octets());
                }
            }
            out.extend(address.port().to_be_bytes());
        }
        out.extend(checksum(&out));
        out
    }

    /// Reads the binary form; refuses what nothing may be sent to.
    pub fn decode(data: &[u8]) -> Result<Ticket, TicketError> {
        if data.len() > TICKET_OCTETS {
            return Err(TicketError::TooLong(data.len()));
        }
        match data.first() {
            None => return Err(TicketError::Length),
            Some(&VERSION) => {}
            Some(&version) => return Err(TicketError::Version(version)),
        }
        let (body, sum) = data.split_last_chunk::<CHECKSUM>().ok_or(TicketError::Length)?;
        if checksum(body) != *sum {
            return Err(TicketError::Checksum);
        }
        let mut reader = Reader(body);
        let [_, flags] = reader.take()?;
        let [e0, e1, e2, e3, e4] = reader.take()?;
        let expires = u64::from_be_bytes([0, 0, 0, e0, e1, e2, e3, e4]);
        let nonce = reader.take()?;
        let identity = if flags & HAS_IDENTITY == 0 { None } else { Some(reader.take()?) };
        let mut ticket = Ticket {
            candidates: Vec::new(),
            nonce,
            expires,
            nat: NatKind::from_code(flags & KIND),
            identity,
        };
        while !reader.0.is_empty() {
            let [head] = reader.take()?;
            let ip = if head & IS_IPV6 == 0 {
                IpAddr::from(reader.take::<4>()?)
            } else {
                IpAddr::from(reader.take::<16>()?)
            };
            let port = u16::from_be_bytes(reader.take()?);
            let kind = kind_of(head & KIND).ok_or(TicketError::Content("an unknown kind of address"))?;
            ticket.candidates.push(Candidate::new(kind, SocketAddr::new(ip, port)));
        }
        ticket.check()?;
        Ok(ticket)
    }

    /// The length of the binary form, octets.
    fn octets(&self) -> usize {
        let addresses = self.candidates.iter().map(|c| if c.address.is_ipv6() { 19 } else { 7 });
        2 + 5 + 16 + self.identity.map_or(0, |_| 8) + addresses.sum::<usize>() + CHECKSUM
    }

    fn check(&self) -> Result<(), TicketError> {
        if self.candidates.is_empty() {
            return Err(TicketError::Empty);
        }
        if self.candidates.len() > TICKET_CANDIDATES {
            return Err(TicketError::TooMany(self.candidates.len()));
        }
        let refused = self.candidates.iter().find_map(|c| Some((c.address, objection(c.address)?)));
        refused.map_or(Ok(()), |(address, why)| Err(TicketError::Refused(address, why)))
    }
}

/// Reads octets from the front.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], TicketError> {
        let (head, rest) =
            self.0.split_first_chunk::<N>().ok_or(TicketError::Content("it ends too early"))?;
        self.0 = rest;
        Ok(*head)
    }
}

fn checksum(body: &[u8]) -> [u8; CHECKSUM] {
    let hash: [u8; 32] = Sha256::digest(body).into();
    let [a, b, c, d, ..] = hash;
    [a, b, c, d]
}

fn kind_code(kind: CandidateKind) -> u8 {
    match kind {
        CandidateKind::Host => 0,
        CandidateKind::Mapped => 1,
        CandidateKind::PeerReflexive => 2,
        CandidateKind::Relayed => 3,
    }
}

fn kind_of(code: u8) -> Option<CandidateKind> {
    match code {
        0 => Some(CandidateKind::Host),
        1 => Some(CandidateKind::Mapped),
        2 => Some(CandidateKind::PeerReflexive),
        3 => Some(CandidateKind::Relayed),
        _ => None,
    }
}

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", BASE64URL_NOPAD.encode(&self.encode()))
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket")
            .field("candidates", &self.candidates)
            .field("expires", &self.expires)
            .field("nat", &self.nat)
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}

impl FromStr for Ticket {
    type Err = TicketError;

    fn from_str(text: &str) -> Result<Self, TicketError> {
        let text = text.trim();
        let body = text.strip_prefix(PREFIX).ok_or(TicketError::Prefix)?;
        // 4 characters for 3 octets.
        if body.len() > TICKET_OCTETS.div_ceil(3) * 4 {
            return Err(TicketError::TooLong(body.len() / 4 * 3));
        }
        let data = BASE64URL_NOPAD.decode(body.as_bytes()).map_err(|e| match e.kind {
            data_encoding::DecodeKind::Symbol => TicketError::Character(PREFIX.len() + e.position + 1),
            _ => TicketError::Length,
        })?;
        Ticket::decode(&data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    fn candidate(kind: CandidateKind, text: &str) -> Candidate {
        Candidate::new(kind, text.parse().expect("an address"))
    }

    fn sample() -> Ticket {
        let candidates = [
            candidate(CandidateKind::Host, "10.0.0.2:16402"),
            candidate(CandidateKind::Mapped, "192.0.2.1:40001"),
            candidate(CandidateKind::Host, "[2001:db8::1]:16402"),
        ];
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        Ticket::new(&candidates, NatKind::PortRestricted, Some([7; 8]), 2_000_000_000, &mut rng)
            .expect("a ticket")
    }

    /// A ticket with candidates that no honest side would write, encoded all the same.
    fn forged(addresses: &[&str]) -> Vec<u8> {
        let candidates = addresses.iter().map(|a| candidate(CandidateKind::Mapped, a)).collect();
        Ticket { candidates, ..sample() }.encode()
    }

    #[test]
    fn a_ticket_is_one_line_and_reads_back() {
        let ticket = sample();
        let text = ticket.to_string();
        assert!(text.starts_with("vv1-") && text.len() < 180 && !text.contains(char::is_whitespace));
        assert_eq!(text.parse(), Ok(ticket.clone()));
        assert_eq!(format!(" {text}\n").parse(), Ok(ticket.clone()));
        assert!(!format!("{ticket:?}").contains("nonce"));
    }

    #[test]
    fn a_torn_or_mistyped_copy_is_told() {
        let text = sample().to_string();
        for cut in 5..text.len() {
            assert!(text[..cut].parse::<Ticket>().is_err(), "cut at {cut}");
        }
        for at in 4..text.len() {
            let other = if text.as_bytes()[at] == b'A' { 'B' } else { 'A' };
            let wrong = format!("{}{other}{}", &text[..at], &text[at + 1..]);
            assert!(wrong.parse::<Ticket>().is_err(), "changed at {at}");
        }
        assert_eq!("hello".parse::<Ticket>(), Err(TicketError::Prefix));
        assert_eq!("vv1-AA*A".parse::<Ticket>(), Err(TicketError::Character(7)));
        assert!(matches!(format!("{text}{text}").parse::<Ticket>(), Err(TicketError::TooLong(_))));
        assert!(format!("{text}AAAA").parse::<Ticket>().is_err());
    }

    #[test]
    fn a_ticket_into_seventeen_slash_eight_is_refused_and_says_so() {
        for address in ["17.1.2.3:16402", "[::ffff:17.1.2.3]:16402"] {
            let error = Ticket::decode(&forged(&["192.0.2.1:1", address])).expect_err("it is refused");
            assert_eq!(
                error.to_string(),
                "the ticket names 17.1.2.3:16402, which lies in 17.0.0.0/8, which this endpoint never contacts"
            );
        }
        let own = [candidate(CandidateKind::Host, "17.1.2.3:16402")];
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        assert!(Ticket::new(&own, NatKind::Open, None, 1, &mut rng).is_err());
    }

    #[test]
    fn what_is_no_address_or_too_many_is_refused() {
        assert_eq!(Ticket::decode(&forged(&[])), Err(TicketError::Empty));
        assert!(matches!(Ticket::decode(&forged(&["0.0.0.0:5"])), Err(TicketError::Refused(..))));
        assert_eq!(Ticket::decode(&forged(&["192.0.2.1:1"; 9])), Err(TicketError::TooMany(9)));
        let mut future = sample().encode();
        future[0] = 2;
        assert_eq!(Ticket::decode(&future), Err(TicketError::Version(2)));
    }

    #[test]
    fn a_ticket_stays_within_130_octets_whatever_is_put_into_it() {
        let many: Vec<_> =
            (1..20).map(|n| candidate(CandidateKind::Host, &format!("[2001:db8::{n}]:16402"))).collect();
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let ticket = Ticket::new(&many, NatKind::Open, Some([1; 8]), 1, &mut rng).expect("a ticket");
        assert_eq!((ticket.candidates.len(), ticket.encode().len()), (5, TICKET_OCTETS));
        assert_eq!(ticket.to_string().parse(), Ok(ticket));
    }

    #[test]
    fn an_expired_ticket_says_since_when() {
        let ticket = sample();
        let at = |seconds: i64| Time::ZERO.with_unix_offset(seconds * 1_000_000_000);
        assert_eq!(ticket.valid_at(at(1_999_999_999)), Ok(()));
        let error = ticket.valid_at(at(2_000_000_060)).expect_err("it is over");
        assert_eq!(error.to_string(), "the ticket expired 60 s ago: ask for a new one");
    }

    proptest! {
        #[test]
        fn no_octets_make_the_reader_panic_and_what_it_reads_it_writes(
            mut body in proptest::collection::vec(any::<u8>(), 0..140), honest in any::<bool>(),
        ) {
            if honest {
                if let Some(first) = body.first_mut() {
                    *first = VERSION;
                }
                let sum = checksum(&body);
                body.extend(sum);
            }
            if let Ok(ticket) = Ticket::decode(&body) {
                prop_assert!(ticket.candidates.len() <= TICKET_CANDIDATES);
                prop_assert_eq!(Ticket::decode(&ticket.encode()), Ok(ticket));
            }
        }

        #[test]
        fn every_ticket_reads_back(
            addresses in proptest::collection::vec((any::<[u8; 4]>(), any::<[u8; 16]>(), any::<bool>(), 1u16..), 1..12),
            expires in 0..LAST_EXPIRY, identity in proptest::option::of(any::<[u8; 8]>()), seed in any::<u64>(),
        ) {
            let candidates: Vec<_> = addresses.iter().map(|(v4, v6, six, port)| {
                let ip = if *six { IpAddr::from(*v6) } else { IpAddr::from(*v4) };
                Candidate::new(CandidateKind::Mapped, SocketAddr::new(ip, *port))
            }).collect();
            let mut rng = ChaCha20Rng::seed_from_u64(seed);
            if let Ok(ticket) = Ticket::new(&candidates, NatKind::Symmetric, identity, expires, &mut rng) {
                prop_assert!(ticket.encode().len() <= TICKET_OCTETS);
                prop_assert_eq!(ticket.to_string().parse(), Ok(ticket));
            }
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "(vv1-)?[A-Za-z0-9_-]{0,200}") {
            let _ = text.parse::<Ticket>();
        }
    }
}
