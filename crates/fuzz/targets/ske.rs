//! Key exchanges: one end fed anything in any order at any time, and both ends of a real one with somebody in the
//! middle who changes, drops, repeats and invents messages, or plays each end to the other. An exchange ends once
//! and in time, takes no more than its bounds, and never are both ends done with different keys.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use std::collections::{HashMap, VecDeque};
use std::sync::LazyLock;
use std::time::Duration;
use visavis_fuzz::Octets;
use visavis_proto::Time;
use visavis_proto::limits::Limits;
use visavis_proto::ske::{
    Carrier, Context, Counters, Direction, Exchange, Failure, Fingerprint, Identity, Lab, MAX_FRAGMENT,
    NoExchange, Out, Outcome, Replay, Role, Scheme, Secrets, SkeSeq, Suite, Tap,
};

fuzz_target!(|data: &[u8]| {
    let mut octets = Octets(data);
    match octets.octet() % 8 {
        0 => text(octets.0),
        1..=3 => alone(&mut octets),
        _ => middle(&mut octets),
    }
});

const TIMEOUT: Duration = Duration::from_secs(5);
/// The callee waits for longer, and nobody for longer than that.
const LONGEST: Duration = Duration::from_secs(9);

/// The values that people and peers write.
fn text(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(seq) = text.parse::<SkeSeq>() {
        assert_eq!(seq.to_string().parse(), Ok(seq));
    }
    if let Ok(fingerprint) = text.parse::<Fingerprint>() {
        assert_eq!(fingerprint.to_string().parse(), Ok(fingerprint));
    }
    if let Ok(identity) = text.parse::<Identity>() {
        let again: Identity = identity.to_line().parse().unwrap();
        assert_eq!(again.public(), identity.public());
        assert!(identity.fingerprint().fits(&again.public()));
    }
}

fn limits() -> Limits {
    Limits { ske_body: 2_500, ske_fragments: 12, ..Limits::default() }
}

fn context(role: Role) -> Context {
    let (local, remote) = if role == Role::Caller { ("a", "b") } else { ("b", "a") };
    Context { role, call_id: "1@example".into(), local_tag: local.into(), remote_tag: remote.into() }
}

/// Of the caller, the callee and somebody else.
static IDENTITIES: LazyLock<[Identity; 3]> =
    LazyLock::new(|| [1, 2, 3].map(|seed| Identity::generate(&mut ChaCha20Rng::from_seed([seed; 32]))));

fn scheme(choice: u8, octets: &mut Octets<'_>) -> Box<dyn Scheme> {
    match choice % 6 {
        0 => Box::new(NoExchange),
        1 => Box::new(Tap),
        2 => Box::new(Replay::sizes_of_2010()),
        3 => {
            let sizes = [octets.octet(), octets.octet(), octets.octet(), octets.octet()];
            Box::new(Replay::in_turn(sizes.map(|size| vec![size; usize::from(size) * 12].into())))
        }
        _ => Box::new(Lab::new(IDENTITIES[0].clone(), None)),
    }
}

/// An exchange, and what it has said and done so far.
struct End {
    exchange: Exchange,
    begun: Time,
    /// What it wants to send, and has not been told the fate of.
    to_send: VecDeque<(SkeSeq, Vec<u8>)>,
    /// How each fragment was judged.
    judged: HashMap<SkeSeq, u16>,
    taken: usize,
    counters: Counters,
    result: Option<Result<Outcome, Failure>>,
}

impl End {
    fn new(now: Time, scheme: &dyn Scheme, role: Role, seed: u8) -> Self {
        let mut rng = ChaCha20Rng::from_seed([seed; 32]);
        let exchange = Exchange::new(now, scheme, &context(role), &limits(), TIMEOUT, &mut rng);
        let mut end = End {
            exchange,
            begun: now,
            to_send: VecDeque::new(),
            judged: HashMap::new(),
            taken: 0,
            counters: Counters::default(),
            result: None,
        };
        end.poll(now);
        end
    }

    fn poll(&mut self, now: Time) {
        let mut outs = 0;
        while let Some(out) = self.exchange.poll(now) {
            outs += 1;
            assert!(outs < 1_000, "outputs for ever");
            match out {
                Out::Send { seq, body } => {
                    assert!(body.len() <= MAX_FRAGMENT);
                    self.to_send.push_back((seq, body.to_vec()));
                }
                Out::Body { direction: Direction::Received, body, .. } => {
                    self.taken += 1;
                    assert!(body.len() <= MAX_FRAGMENT && self.taken <= limits().ske_fragments);
                }
                Out::Body { direction: Direction::Sent, body, .. } => assert!(body.len() <= MAX_FRAGMENT),
                Out::Finished(result) => {
                    if let Err(why) = &result {
                        assert!(!why.to_string().is_empty());
                    }
                    assert!(self.result.replace(result).is_none(), "finished twice");
                }
            }
        }
        let over = self.exchange.next_timeout().is_none();
        assert_eq!(over, self.result.is_some(), "an end that was not said, or a time limit after the end");
        assert!(over || now - self.begun < LONGEST, "no end within the time limit");
        let before = std::mem::replace(&mut self.counters, self.exchange.counters());
        let counted = |c: Counters| c.duplicates + c.out_of_order + c.too_much + c.late;
        assert!(counted(before) <= counted(self.counters), "a counter went back");
    }

    /// Hands over a body and checks the reply: what was judged once is judged alike again.
    fn receive(&mut self, now: Time, seq: SkeSeq, body: &[u8], carrier: Carrier) -> u16 {
        let (taken, before) = (self.taken, self.exchange.counters());
        let status = self.exchange.received(now, seq, body, carrier).status;
        self.poll(now);
        assert!(matches!(status, 200 | 413 | 488 | 500 | 503), "{status}");
        assert!(body.len() <= MAX_FRAGMENT || self.taken == taken, "too long a fragment was taken");
        if self.taken == taken {
            assert_ne!(before, self.exchange.counters(), "neither taken nor counted");
        }
        if matches!(status, 200 | 413) {
            assert_eq!(
                *self.judged.entry(seq).or_insert(status),
                status,
                "{seq} was judged otherwise before"
            );
            assert!(self.judged.len() <= limits().ske_fragments);
        } else {
            assert!(!self.judged.contains_key(&seq), "{seq} was taken before, and now it is {status}");
        }
        status
    }

    fn answered(&mut self, now: Time, seq: SkeSeq, status: u16) {
        self.exchange.sent_answered(now, seq, status);
        self.poll(now);
    }

    fn keys(&self) -> Option<&Secrets> {
        match &self.result {
            Some(Ok(Outcome::Keys(secrets))) => Some(secrets),
            _ => None,
        }
    }
}

/// One end, fed with anything.
fn alone(octets: &mut Octets<'_>) {
    let choice = octets.octet();
    let role = if choice & 0x80 == 0 { Role::Caller } else { Role::Callee };
    let scheme = scheme(choice, octets);
    let mut now = Time::from_millis(u64::from(octets.octet()));
    let mut end = End::new(now, &*scheme, role, 2);
    while !octets.is_empty() {
        let (action, choice) = (octets.octet(), octets.octet());
        match action & 0x07 {
            0 => now += Duration::from_millis(u64::from(choice) * 8),
            1 | 2 => {
                let statuses = [200, 202, 100, 408, 488, 500, 603, 700];
                if let Some((seq, _)) = end.to_send.pop_front() {
                    end.answered(now, seq, statuses[usize::from(choice & 0x07)]);
                }
            }
            3 => {
                let seq = SkeSeq { sequence: u64::from(choice & 0x0f), fragment: u32::from(choice >> 4) };
                end.answered(now, seq, 200);
            }
            action => {
                let sequence = match choice & 0x0f {
                    0x0f => u64::MAX - u64::from(octets.octet()),
                    low => u64::from(low),
                };
                let fragment = if choice >= 0xf0 { u32::MAX } else { u32::from(choice >> 5) };
                let body = match action {
                    4 => vec![choice; MAX_FRAGMENT],
                    5 => vec![choice; MAX_FRAGMENT + usize::from(octets.octet()) % 2],
                    _ => octets.data().to_vec(),
                };
                let carrier = if choice & 0x10 == 0 { Carrier::Request } else { Carrier::Response };
                end.receive(now, SkeSeq { sequence, fragment }, &body, carrier);
            }
        }
        end.poll(now);
    }
    end.poll(now + LONGEST);
    assert!(end.result.is_some());
    assert!(end.keys().is_none(), "keys with nobody");
}

/// Two ends and somebody in the middle.
fn middle(octets: &mut Octets<'_>) {
    let choice = octets.octet();
    let [one, other, attacker] = &*IDENTITIES;
    // Ends that know whom they expect, or not.
    let pin =
        |bit: u8, of: &Identity| (choice & bit != 0).then(|| Fingerprint::from(of.fingerprint().short()));
    let suites = &Suite::ALL[usize::from(choice >> 2 & 0x03)..];
    let caller = Lab::new(one.clone(), pin(0x01, other)).with_suites(suites);
    let callee = Lab::new(other.clone(), pin(0x02, one));
    let mut now = Time::from_millis(1);
    let mut ends = [End::new(now, &caller, Role::Caller, 11), End::new(now, &callee, Role::Callee, 12)];
    if choice & 0x80 != 0 {
        // Somebody plays each end to the other, with keys of their own.
        let lab = Lab::new(attacker.clone(), None);
        let mut played = [End::new(now, &lab, Role::Callee, 13), End::new(now, &lab, Role::Caller, 14)];
        for _ in 0..8 {
            for side in 0..2 {
                pass(now, &mut ends[side], &mut played[side], |_| {});
                pass(now, &mut played[side], &mut ends[side], |body| change(body, octets));
            }
        }
        let named = attacker.fingerprint().to_string();
        for (end, is_pinned) in ends.iter().zip([choice & 0x01 != 0, choice & 0x02 != 0]) {
            assert!(!is_pinned || end.keys().is_none(), "keys with somebody else than was expected");
            assert!(end.keys().is_none_or(|keys| keys.remote_fingerprint == named));
        }
        return;
    }
    let mut seen: Vec<(usize, SkeSeq, Vec<u8>)> = Vec::new();
    while !octets.is_empty() {
        let (action, choice) = (octets.octet(), octets.octet());
        let from = usize::from(choice & 1);
        let [a, b] = &mut ends;
        let (sender, receiver) = if from == 0 { (a, b) } else { (b, a) };
        seen.extend(sender.to_send.front().map(|(seq, body)| (from, *seq, body.clone())));
        match action & 0x07 {
            0 => now += Duration::from_millis(u64::from(choice) * 8),
            1 | 2 => pass(now, sender, receiver, |_| {}),
            3 | 4 => pass(now, sender, receiver, |body| change(body, octets)),
            // Swallowed, and a good answer invented.
            5 => {
                if let Some((seq, _)) = sender.to_send.pop_front() {
                    sender.answered(now, seq, 200);
                }
            }
            // What was seen before, or something new, to either end and under any number.
            6 => {
                if let Some((_, seq, body)) = seen.get(usize::from(choice >> 1) % seen.len().max(1)).cloned()
                {
                    let more = octets.octet();
                    let sequence = if more & 1 == 0 { seq.sequence } else { u64::from(more >> 1 & 0x07) };
                    receiver.receive(now, SkeSeq { sequence, ..seq }, &body, Carrier::Request);
                }
            }
            _ => {
                let seq = SkeSeq { sequence: u64::from(choice >> 1 & 0x07), fragment: 0 };
                receiver.receive(now, seq, octets.data(), Carrier::Response);
            }
        }
        ends.iter_mut().for_each(|end| end.poll(now));
    }
    // From here on nobody interferes.
    for _ in 0..8 {
        let [a, b] = &mut ends;
        pass(now, a, b, |_| {});
        pass(now, b, a, |_| {});
    }
    ends.iter_mut().for_each(|end| end.poll(now + LONGEST));
    let [one_end, other_end] = &ends;
    if let Some(keys) = one_end.keys() {
        assert_eq!(keys.remote_fingerprint, other.fingerprint().to_string(), "keys with a stranger");
    }
    if let (Some(one), Some(other)) = (one_end.keys(), other_end.keys()) {
        assert_eq!((one.profile, &one.send, &one.receive), (other.profile, &other.receive, &other.send));
        assert_eq!(one.short_authentication_string, other.short_authentication_string);
        assert_ne!(one.send, one.receive);
    }
    // The caller is done only with a callee that was done before.
    assert!(one_end.keys().is_none() || other_end.keys().is_some(), "the caller alone is done");
}

/// Carries what `from` wants to send to `to`, after a change, and the answer back.
fn pass(now: Time, from: &mut End, to: &mut End, change: impl FnOnce(&mut Vec<u8>)) {
    let Some((seq, mut body)) = from.to_send.pop_front() else { return };
    change(&mut body);
    let status = to.receive(now, seq, &body, Carrier::Request);
    from.answered(now, seq, status);
}

/// Changes a body as the input says; an input that is at its end changes nothing.
fn change(body: &mut Vec<u8>, octets: &mut Octets<'_>) {
    if octets.is_empty() {
        return;
    }
    let (how, at) = (octets.octet(), usize::from(octets.octet()));
    let at = at.min(body.len());
    match how & 0x07 {
        0 => body.truncate(at),
        1 => drop(body.splice(at..at, octets.data().iter().copied())),
        2 => *body = octets.data().to_vec(),
        // One of the suites of message 1 or 2.
        3 => body.iter_mut().skip(5).take(2).for_each(|octet| *octet = octets.octet()),
        _ => body.iter_mut().skip(at).take(1).for_each(|octet| *octet ^= octets.octet()),
    }
}
