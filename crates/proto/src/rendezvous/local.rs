//! A directory and a rendezvous for ends in one process.

use super::{
    Directory, Event, INVITATION, InvitationId, Name, Refusal, Rendezvous, RendezvousError as Error,
};
use crate::nat::Ticket;
use crate::time::Time;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// The most names in the directory.
const NAMES: usize = 1_024;
/// The most open invitations to one name; a caller beyond them is told that it is busy.
const OPEN_PER_NAME: usize = 8;
/// The most open invitations in all.
const OPEN: usize = 1_024;
/// The most events that wait for one name; those beyond them are dropped.
const EVENTS: usize = 256;

/// What the ends share. Whoever owns it lends it to one end at a time.
#[derive(Debug, Default)]
pub struct Exchange {
    published: BTreeMap<Name, (Ticket, Time)>,
    open: BTreeMap<InvitationId, Open>,
    events: BTreeMap<Name, VecDeque<Event>>,
    last: u128,
    dropped: u64,
}

#[derive(Debug)]
struct Open {
    from: Name,
    to: Name,
    until: Time,
}

impl Exchange {
    /// One without names.
    pub fn new() -> Self {
        Exchange::default()
    }

    /// The end that goes by `name`.
    pub fn end<'a>(&'a mut self, name: &'a Name) -> Local<'a> {
        Local { exchange: self, name }
    }

    /// How many events were dropped, as nobody polled for them.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    fn tell(&mut self, name: &Name, event: Event) {
        let events = self.events.entry(name.clone()).or_default();
        if events.len() < EVENTS {
            events.push_back(event);
        } else {
            self.dropped += 1;
        }
    }

    /// Ends what nobody answered in time.
    fn expire(&mut self, now: Time) {
        let old: Vec<_> = self.open.iter().filter(|(_, o)| o.until <= now).map(|(id, _)| *id).collect();
        for invitation in old {
            if let Some(Open { from, to, .. }) = self.open.remove(&invitation) {
                self.tell(&from, Event::TimedOut { invitation });
                self.withdraw(&to, invitation);
            }
        }
        self.published.retain(|_, (_, until)| *until > now);
    }

    /// An invitation that its callee has not seen yet needs no word about its end.
    fn withdraw(&mut self, to: &Name, invitation: InvitationId) {
        let unseen = |e: &Event| matches!(e, Event::Incoming { invitation: i, .. } if *i == invitation);
        let waiting =
            self.events.get_mut(to).and_then(|events| Some((events.iter().position(unseen)?, events)));
        match waiting {
            Some((at, events)) => {
                events.remove(at);
                self.forget_empty(to);
            }
            None => self.tell(to, Event::Cancelled { invitation }),
        }
    }

    fn forget_empty(&mut self, name: &Name) {
        if self.events.get(name).is_some_and(VecDeque::is_empty) {
            self.events.remove(name);
        }
    }

    /// Closes an invitation to `name`; gives its caller.
    fn answer(&mut self, now: Time, name: &Name, invitation: InvitationId) -> Result<Name, Error> {
        self.expire(now);
        self.open.get(&invitation).filter(|open| open.to == *name).ok_or(Error::Over)?;
        self.open.remove(&invitation).map(|open| open.from).ok_or(Error::Over)
    }
}

fn unexpired(now: Time, ticket: &Ticket) -> Result<(), Error> {
    ticket.valid_at(now).map_err(|_| Error::Expired)
}

impl Directory for Exchange {
    fn publish(&mut self, now: Time, name: &Name, ticket: &Ticket, lifetime: Duration) -> Result<(), Error> {
        unexpired(now, ticket)?;
        self.expire(now);
        if self.published.len() >= NAMES && !self.published.contains_key(name) {
            return Err(Error::Full("names"));
        }
        self.published.insert(name.clone(), (ticket.clone(), now + lifetime));
        Ok(())
    }

    fn resolve(&mut self, now: Time, name: &Name) -> Result<Vec<Ticket>, Error> {
        self.expire(now);
        let found = self.published.get(name).filter(|(ticket, _)| unexpired(now, ticket).is_ok());
        Ok(found.map(|(ticket, _)| ticket.clone()).into_iter().collect())
    }
}

/// One end of an [`Exchange`].
#[derive(Debug)]
pub struct Local<'a> {
    exchange: &'a mut Exchange,
    name: &'a Name,
}

impl Rendezvous for Local<'_> {
    fn initiate(&mut self, now: Time, to: &Name, ticket: &Ticket) -> Result<InvitationId, Error> {
        unexpired(now, ticket)?;
        let Local { exchange, name } = self;
        exchange.expire(now);
        if exchange.open.len() >= OPEN {
            return Err(Error::Full("invitations"));
        }
        exchange.last += 1;
        let invitation = InvitationId(exchange.last.to_be_bytes());
        if exchange.open.values().filter(|open| open.to == *to).count() >= OPEN_PER_NAME {
            exchange.tell(name, Event::Refused { invitation, why: Refusal::Busy });
            return Ok(invitation);
        }
        let open = Open { from: name.clone(), to: to.clone(), until: now + INVITATION };
        exchange.open.insert(invitation, open);
        exchange.tell(to, Event::Incoming { invitation, from: name.clone(), ticket: ticket.clone() });
        Ok(invitation)
    }

    fn accept(&mut self, now: Time, invitation: InvitationId, ticket: &Ticket) -> Result<(), Error> {
        unexpired(now, ticket)?;
        let Local { exchange, name } = self;
        let caller = exchange.answer(now, name, invitation)?;
        exchange.tell(&caller, Event::Accepted { invitation, ticket: ticket.clone() });
        Ok(())
    }

    fn reject(&mut self, now: Time, invitation: InvitationId, why: Refusal) -> Result<(), Error> {
        let Local { exchange, name } = self;
        let caller = exchange.answer(now, name, invitation)?;
        exchange.tell(&caller, Event::Refused { invitation, why });
        Ok(())
    }

    fn cancel(&mut self, now: Time, invitation: InvitationId) -> Result<(), Error> {
        let Local { exchange, name } = self;
        exchange.expire(now);
        exchange.open.get(&invitation).filter(|open| open.from == **name).ok_or(Error::Over)?;
        let open = exchange.open.remove(&invitation).ok_or(Error::Over)?;
        exchange.withdraw(&open.to, invitation);
        Ok(())
    }

    fn poll(&mut self, now: Time) -> Result<Option<Event>, Error> {
        let Local { exchange, name } = self;
        exchange.expire(now);
        let event = exchange.events.get_mut(*name).and_then(VecDeque::pop_front);
        exchange.forget_empty(name);
        Ok(event)
    }

    fn next_timeout(&self) -> Option<Time> {
        let Local { exchange, name } = self;
        let ours = exchange.open.values().filter(|open| open.from == **name || open.to == **name);
        ours.map(|open| open.until).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nat::{Candidate, CandidateKind, NatKind};

    const T0: Time = Time::ZERO;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    fn ticket(nonce: u8, expires: u64) -> Ticket {
        let candidate = Candidate::new(CandidateKind::Host, "192.0.2.1:16402".parse().unwrap());
        Ticket {
            candidates: vec![candidate],
            nonce: [nonce; 16],
            expires,
            nat: NatKind::Open,
            identity: None,
        }
    }

    /// An exchange, a caller and a callee.
    fn ends() -> (Exchange, Name, Name) {
        (Exchange::new(), name("alice"), name("+14015551234"))
    }

    fn rings(x: &mut Exchange, from: &Name, to: &Name) -> InvitationId {
        let invitation = x.end(from).initiate(T0, to, &ticket(1, 600)).unwrap();
        let expected = Event::Incoming { invitation, from: from.clone(), ticket: ticket(1, 600) };
        assert_eq!(x.end(to).poll(T0), Ok(Some(expected)));
        assert_eq!((x.end(to).poll(T0), x.end(from).poll(T0)), (Ok(None), Ok(None)));
        invitation
    }

    #[test]
    fn an_accepted_call_gives_each_side_the_ticket_of_the_other() {
        let (mut x, a, b) = ends();
        let invitation = rings(&mut x, &a, &b);
        assert_eq!(
            x.end(&a).accept(T0, invitation, &ticket(3, 600)),
            Err(Error::Over),
            "not the caller's to answer"
        );
        x.end(&b).accept(T0, invitation, &ticket(2, 600)).unwrap();
        assert_eq!(x.end(&a).poll(T0), Ok(Some(Event::Accepted { invitation, ticket: ticket(2, 600) })));
        assert_eq!(x.end(&b).reject(T0, invitation, Refusal::Declined), Err(Error::Over));
        assert_eq!(x.end(&a).cancel(T0, invitation), Err(Error::Over));
        assert_eq!((x.end(&a).next_timeout(), x.end(&b).next_timeout()), (None, None));
    }

    #[test]
    fn a_refusal_says_why() {
        for why in [Refusal::Declined, Refusal::Busy] {
            let (mut x, a, b) = ends();
            let invitation = rings(&mut x, &a, &b);
            x.end(&b).reject(T0, invitation, why).unwrap();
            assert_eq!(x.end(&a).poll(T0), Ok(Some(Event::Refused { invitation, why })));
        }
    }

    #[test]
    fn a_cancelled_call_can_not_be_taken_and_one_not_yet_seen_never_rings() {
        let (mut x, a, b) = ends();
        let invitation = rings(&mut x, &a, &b);
        assert_eq!(x.end(&b).cancel(T0, invitation), Err(Error::Over), "not the callee's to take back");
        x.end(&a).cancel(T0, invitation).unwrap();
        assert_eq!(x.end(&b).poll(T0), Ok(Some(Event::Cancelled { invitation })));
        assert_eq!(x.end(&b).accept(T0, invitation, &ticket(2, 600)), Err(Error::Over));
        let unseen = x.end(&a).initiate(T0, &b, &ticket(1, 600)).unwrap();
        x.end(&a).cancel(T0, unseen).unwrap();
        assert_eq!(x.end(&b).poll(T0), Ok(None));
    }

    #[test]
    fn nobody_waits_longer_than_thirty_seconds() {
        let (mut x, a, b) = ends();
        let invitation = rings(&mut x, &a, &b);
        let end = T0 + INVITATION;
        assert_eq!((x.end(&a).next_timeout(), x.end(&b).next_timeout()), (Some(end), Some(end)));
        assert_eq!(x.end(&a).poll(Time::from_millis(29_999)), Ok(None));
        assert_eq!(x.end(&a).poll(end), Ok(Some(Event::TimedOut { invitation })));
        assert_eq!(x.end(&b).poll(end), Ok(Some(Event::Cancelled { invitation })));
        assert_eq!(x.end(&b).accept(end, invitation, &ticket(2, 600)), Err(Error::Over));
    }

    #[test]
    fn a_name_with_too_many_invitations_is_busy() {
        let (mut x, a, b) = ends();
        for _ in 0..OPEN_PER_NAME {
            x.end(&a).initiate(T0, &b, &ticket(1, 600)).unwrap();
        }
        let invitation = x.end(&a).initiate(T0, &b, &ticket(1, 600)).unwrap();
        assert_eq!(x.end(&a).poll(T0), Ok(Some(Event::Refused { invitation, why: Refusal::Busy })));
        let rung = std::iter::from_fn(|| x.end(&b).poll(T0).unwrap()).count();
        assert_eq!(rung, OPEN_PER_NAME);
    }

    #[test]
    fn events_that_nobody_polls_for_are_dropped_and_counted() {
        let (mut x, a, b) = ends();
        for _ in 0..OPEN_PER_NAME + EVENTS + 3 {
            x.end(&a).initiate(T0, &b, &ticket(1, 600)).unwrap();
        }
        assert_eq!(x.dropped(), 3);
        let told = std::iter::from_fn(|| x.end(&a).poll(T0).unwrap()).count();
        assert_eq!(told, EVENTS);
    }

    #[test]
    fn the_directory_forgets_what_is_too_old() {
        let (mut directory, ..) = ends();
        let who = name("bob");
        directory.publish(T0, &who, &ticket(1, 600), Duration::from_secs(60)).unwrap();
        directory.publish(T0, &who, &ticket(2, 30), Duration::from_secs(60)).unwrap();
        assert_eq!(directory.resolve(T0, &who), Ok(vec![ticket(2, 30)]));
        assert_eq!(directory.resolve(Time::from_millis(30_000), &who), Ok(vec![]), "the ticket expired");
        directory.publish(T0, &who, &ticket(1, 600), Duration::from_secs(60)).unwrap();
        assert_eq!(directory.resolve(Time::from_millis(60_000), &who), Ok(vec![]), "the entry did");
        assert_eq!(directory.publish(T0, &who, &ticket(1, 0), Duration::MAX), Err(Error::Expired));
    }
}
