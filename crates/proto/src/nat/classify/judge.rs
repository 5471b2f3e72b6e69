//! From answers to behaviours. RFC 5780 sections 4.3 and 4.4.

use super::{Behaviour, Classification, Classifier, NatKind, Outcome, Question};
use std::fmt::{self, Write as _};
use std::net::SocketAddr;

/// Who saw us, and where.
type Sight = (SocketAddr, SocketAddr);

impl Classifier {
    /// What the answers say.
    pub(super) fn judge(&self) -> Classification {
        let seen: Vec<Sight> = self.seen().collect();
        let mut mapped: Vec<SocketAddr> = Vec::new();
        for (_, address) in &seen {
            if !mapped.contains(address) {
                mapped.push(*address);
            }
        }
        let mapping = self.mapping(&seen);
        let filtering = self.filtering();
        let hairpin = match self.outcome(Question::Hairpin) {
            Some(Outcome::Answered(_)) => Some(true),
            // Otherwise the request came from a mapping of its own, which the filter may not let in.
            Some(Outcome::Silent) if mapping == Behaviour::EndpointIndependent => Some(false),
            _ => None,
        };
        let own_port = |address: &SocketAddr| self.locals.iter().any(|local| local.port() == address.port());
        Classification {
            mapping,
            filtering,
            hairpin,
            preserves_port: (!mapped.is_empty()).then(|| mapped.iter().all(own_port)),
            mapped,
            kind: self.kind(mapping, filtering),
            how: self.how(),
        }
    }

    fn kind(&self, mapping: Behaviour, filtering: Behaviour) -> NatKind {
        let Some(first) = self.trials.first() else { return NatKind::Unknown };
        if self.trials.iter().all(|t| t.outcome == Outcome::Silent) {
            let has_second = self.trials.iter().any(|t| t.to.ip() != first.to.ip());
            return if has_second { NatKind::Blocked } else { NatKind::Unknown };
        }
        let is_seen = self.seen().next().is_some();
        match (is_seen && self.translated().is_none(), filtering) {
            (true, Behaviour::EndpointIndependent) => NatKind::Open,
            _ => NatKind::of(mapping, filtering),
        }
    }

    /// How mappings are chosen.
    fn mapping(&self, seen: &[Sight]) -> Behaviour {
        // A server on our side of the NAT tells nothing about it.
        let seen: Vec<&Sight> = seen.iter().filter(|(_, mapped)| !self.locals.contains(mapped)).collect();
        if seen.is_empty() {
            let is_untranslated = self.seen().next().is_some();
            return if is_untranslated { Behaviour::EndpointIndependent } else { Behaviour::Unknown };
        }
        let pairs =
            || seen.iter().enumerate().flat_map(|(at, a)| seen.iter().skip(at + 1).map(move |b| (*a, *b)));
        let is_of_one_address = |(a, b): &(&Sight, &Sight)| a.0.ip() == b.0.ip();
        let is_same = |(a, b): (&Sight, &Sight)| a.1 == b.1;
        let mut of_one_address = pairs().filter(is_of_one_address).map(is_same).peekable();
        if pairs().all(is_same) {
            let has_two_addresses = !pairs().all(|pair| is_of_one_address(&pair));
            if has_two_addresses { Behaviour::EndpointIndependent } else { Behaviour::Unknown }
        } else if of_one_address.peek().is_some() && of_one_address.all(|same| same) {
            Behaviour::AddressDependent
        } else {
            Behaviour::AddressAndPortDependent
        }
    }

    fn filtering(&self) -> Behaviour {
        use Outcome::{Answered, Silent};
        match (self.outcome(Question::OtherAddress), self.outcome(Question::OtherPort)) {
            (Some(Answered(_)), _) => Behaviour::EndpointIndependent,
            (Some(Silent), Some(Answered(_))) => Behaviour::AddressDependent,
            (Some(Silent), Some(Silent)) => Behaviour::AddressAndPortDependent,
            _ => Behaviour::Unknown,
        }
    }

    fn outcome(&self, question: Question) -> Option<Outcome> {
        Some(self.trials.iter().find(|t| t.question == question)?.outcome)
    }

    fn how(&self) -> String {
        let mut how = String::new();
        let mut say = |what: fmt::Arguments<'_>| {
            let gap = if how.is_empty() { "" } else { "; " };
            // Writing to a String does not fail.
            let _ = write!(how, "{gap}{what}");
        };
        for (server, why) in &self.refused {
            say(format_args!("{server} was not asked: it {why}"));
        }
        for trial in &self.trials {
            let (to, from) = (trial.to, trial.from);
            match (trial.question, trial.outcome) {
                (_, Outcome::Dropped | Outcome::Pending) => {}
                (Question::Mapped, Outcome::Answered(Some(mapped))) => say(format_args!("{to} saw {mapped}")),
                (Question::Mapped, Outcome::Answered(None)) => {
                    say(format_args!("{to} did not say what it saw"))
                }
                (Question::Mapped, Outcome::Refused) => say(format_args!("{to} refused")),
                (Question::Mapped, Outcome::Silent) => say(format_args!("nothing came from {to}")),
                (Question::Hairpin, Outcome::Silent) => say(format_args!("nothing came back by way of {to}")),
                (Question::Hairpin, _) => say(format_args!("we reach ourselves by way of {to}")),
                (_, Outcome::Answered(_)) => say(format_args!("{from} got through")),
                (_, Outcome::Refused) => say(format_args!("{to} would not answer from {from}")),
                (_, Outcome::Silent) => say(format_args!("{from} did not get through")),
            }
        }
        let is_seen = self.seen().next().is_some();
        match self.capable {
            None if is_seen => {
                say(format_args!("no server has a second address (RFC 5780), so filtering is not known"));
            }
            Some((_, other)) if self.outcome(Question::OtherAddress).is_none() => {
                say(format_args!("{} had been asked before, so filtering is not known", other.ip()));
            }
            _ => {}
        }
        if is_seen && self.translated().is_none() {
            say(format_args!("no address translation"));
        }
        how
    }
}
