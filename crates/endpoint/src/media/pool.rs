//! Threads for codecs, as many as there are cores, whatever the number of calls.
//!
//! Each piece of work is an [`Actor`] that lives on one thread: it is handed messages in order and woken at
//! the times it asks for. A queue that grows too long drops work that can be dropped, and counts it.

use crate::clock::Clock;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;
use visavis_proto::Time;

/// Messages that one thread may have waiting before droppable ones are refused.
const BACKLOG: usize = 512;

/// Something that lives on a codec thread.
pub(crate) trait Actor: Send {
    /// What it can be told.
    type Message: Send;
    /// Takes a message.
    fn handle(&mut self, now: Time, message: Self::Message);
    /// Does what is due at `now`; returns when to be woken next, if ever.
    fn tick(&mut self, now: Time) -> Option<Time>;
}

/// The threads.
pub(crate) struct Pool<A: Actor> {
    workers: Vec<Worker<A>>,
    next: AtomicU64,
}

/// Where one actor can be reached. The actor is dropped with the last clone of this.
pub(crate) struct Address<A: Actor> {
    mailbox: Arc<Mailbox<A>>,
}

impl<A: Actor> Clone for Address<A> {
    fn clone(&self) -> Self {
        Address { mailbox: self.mailbox.clone() }
    }
}

struct Mailbox<A: Actor> {
    id: u64,
    letters: mpsc::Sender<Letter<A>>,
    load: Arc<Load>,
    closed: AtomicBool,
}

struct Worker<A: Actor> {
    letters: mpsc::Sender<Letter<A>>,
    load: Arc<Load>,
}

#[derive(Default)]
struct Load {
    waiting: AtomicUsize,
    actors: AtomicUsize,
}

enum Letter<A: Actor> {
    Add(u64, Box<A>),
    Message(u64, A::Message),
    Remove(u64),
}

impl<A: Actor + 'static> Pool<A> {
    /// Starts `threads` threads (at least one).
    pub(crate) fn start(name: &str, threads: usize, clock: Clock) -> std::io::Result<Self> {
        let workers = (0..threads.max(1)).map(|n| {
            let (letters, inbox) = mpsc::channel();
            let load = Arc::new(Load::default());
            let shared = load.clone();
            thread::Builder::new().name(format!("{name}-{n}")).spawn(move || run(&inbox, &shared, clock))?;
            Ok(Worker { letters, load })
        });
        Ok(Pool { workers: workers.collect::<std::io::Result<_>>()?, next: AtomicU64::new(0) })
    }

    /// Puts an actor on the thread that has the fewest.
    pub(crate) fn add(&self, actor: A) -> Option<Address<A>> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let worker = self.workers.iter().min_by_key(|w| w.load.actors.load(Ordering::Relaxed))?;
        worker.load.actors.fetch_add(1, Ordering::Relaxed);
        worker.letters.send(Letter::Add(id, Box::new(actor))).ok()?;
        let (letters, load) = (worker.letters.clone(), worker.load.clone());
        let closed = AtomicBool::new(false);
        Some(Address { mailbox: Arc::new(Mailbox { id, letters, load, closed }) })
    }
}

impl<A: Actor> Address<A> {
    /// Hands a message over; whether it was taken. A thread that is too far behind takes no more of these.
    pub(crate) fn offer(&self, message: A::Message) -> bool {
        if self.mailbox.load.waiting.load(Ordering::Relaxed) >= BACKLOG {
            return false;
        }
        self.send(message)
    }

    /// Hands over a message that must not be lost.
    pub(crate) fn send(&self, message: A::Message) -> bool {
        self.mailbox.load.waiting.fetch_add(1, Ordering::Relaxed);
        self.mailbox.letters.send(Letter::Message(self.mailbox.id, message)).is_ok()
    }
}

impl<A: Actor> Drop for Mailbox<A> {
    fn drop(&mut self) {
        if !self.closed.swap(true, Ordering::Relaxed) {
            // The thread ends with the pool; then there is nobody left to tell.
            let _ = self.letters.send(Letter::Remove(self.id));
        }
    }
}

fn run<A: Actor>(inbox: &mpsc::Receiver<Letter<A>>, load: &Load, clock: Clock) {
    let mut actors: BTreeMap<u64, (Box<A>, Option<Time>)> = BTreeMap::new();
    let mut due: BTreeSet<(Time, u64)> = BTreeSet::new();
    let tick =
        |actors: &mut BTreeMap<u64, (Box<A>, Option<Time>)>, due: &mut BTreeSet<(Time, u64)>, id: u64| {
            let Some((actor, at)) = actors.get_mut(&id) else { return };
            if let Some(at) = at.take() {
                due.remove(&(at, id));
            }
            *at = actor.tick(clock.now());
            if let Some(at) = at {
                due.insert((*at, id));
            }
        };
    loop {
        let now = clock.now();
        let wait = due.first().map(|(at, _)| at.since(now));
        let letter = match wait {
            Some(Duration::ZERO) => inbox.try_recv().map_err(|e| match e {
                mpsc::TryRecvError::Empty => RecvTimeoutError::Timeout,
                mpsc::TryRecvError::Disconnected => RecvTimeoutError::Disconnected,
            }),
            Some(wait) => inbox.recv_timeout(wait),
            None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        let id = match letter {
            Ok(Letter::Add(id, actor)) => {
                actors.insert(id, (actor, None));
                Some(id)
            }
            Ok(Letter::Message(id, message)) => {
                load.waiting.fetch_sub(1, Ordering::Relaxed);
                if let Some((actor, _)) = actors.get_mut(&id) {
                    actor.handle(clock.now(), message);
                }
                Some(id)
            }
            Ok(Letter::Remove(id)) => {
                if let Some((_, at)) = actors.remove(&id) {
                    load.actors.fetch_sub(1, Ordering::Relaxed);
                    if let Some(at) = at {
                        due.remove(&(at, id));
                    }
                }
                None
            }
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        if let Some(id) = id {
            tick(&mut actors, &mut due, id);
        }
        // Letters without end must not keep those waiting whose time has come.
        if let Some(&(at, next)) = due.first()
            && at <= clock.now()
        {
            tick(&mut actors, &mut due, next);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Counter {
        out: mpsc::Sender<(u32, bool)>,
        next: Option<Time>,
        ticks: u32,
    }

    impl Actor for Counter {
        type Message = u32;
        fn handle(&mut self, _: Time, message: u32) {
            self.out.send((message, false)).unwrap();
        }
        fn tick(&mut self, now: Time) -> Option<Time> {
            if self.next.is_some_and(|at| at > now) {
                return self.next;
            }
            self.ticks += 1;
            self.out.send((self.ticks, true)).ok();
            self.next = (self.ticks < 3).then(|| now + Duration::from_millis(2));
            self.next.or(Some(now + Duration::from_secs(3600)))
        }
    }

    #[test]
    fn actors_get_their_messages_in_order_and_are_woken_when_they_asked() {
        let pool = Pool::start("test", 2, Clock::start()).unwrap();
        let (out, got) = mpsc::channel();
        let address = pool.add(Counter { out, next: None, ticks: 0 }).unwrap();
        for n in 0..100 {
            assert!(address.send(n));
        }
        let mut messages = Vec::new();
        let mut ticks = Vec::new();
        while messages.len() < 100 || ticks.len() < 3 {
            match got.recv_timeout(Duration::from_secs(10)).expect("the actor lives") {
                (n, true) => ticks.push(n),
                (n, false) => messages.push(n),
            }
        }
        assert_eq!(messages, (0..100).collect::<Vec<_>>());
        assert_eq!(ticks[..3], [1, 2, 3]);
        drop(address);
        while got.recv_timeout(Duration::from_secs(10)).is_ok() {}
        assert_eq!(got.recv_timeout(Duration::from_secs(10)), Err(RecvTimeoutError::Disconnected));
    }

    /// Takes its time for each message, and has none of its own.
    struct Slow(mpsc::Sender<(u32, bool)>);

    enum Either {
        Counter(Counter),
        Slow(Slow),
    }

    impl Actor for Either {
        type Message = u32;
        fn handle(&mut self, now: Time, message: u32) {
            match self {
                Either::Counter(counter) => counter.handle(now, message),
                Either::Slow(Slow(out)) => {
                    std::thread::sleep(Duration::from_millis(3));
                    out.send((message, false)).unwrap();
                }
            }
        }
        fn tick(&mut self, now: Time) -> Option<Time> {
            match self {
                Either::Counter(counter) => counter.tick(now),
                Either::Slow(_) => None,
            }
        }
    }

    #[test]
    fn a_flood_of_messages_for_one_actor_keeps_no_other_from_its_work() {
        let pool = Pool::start("test", 1, Clock::start()).unwrap();
        let (out, got) = mpsc::channel();
        let flooded = pool.add(Either::Slow(Slow(out.clone()))).unwrap();
        let _other = pool.add(Either::Counter(Counter { out, next: None, ticks: 0 })).unwrap();
        (0..60).for_each(|n| assert!(flooded.send(n)));
        let all: Vec<_> =
            (0..63).map(|_| got.recv_timeout(Duration::from_secs(10)).expect("all of them")).collect();
        let last_tick = all.iter().position(|&(n, tick)| tick && n == 3).expect("three ticks, 2 ms apart");
        assert!(last_tick < 30, "{all:?}");
    }
}
