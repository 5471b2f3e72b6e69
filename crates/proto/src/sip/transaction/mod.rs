//! The transaction layer: RFC 3261 section 17, amended by RFC 4320 and RFC 6026, and what section 18 says of
//! UDP.
//!
//! Each of the four transactions is a pure `(state, input) -> (state, actions)` table, to be laid beside figures
//! 5 to 8: [`invite_client`], [`non_invite_client`], [`invite_server`], [`non_invite_server`].
//! [`Transactions`] owns all of them at work, finds the one that a message belongs to, keeps their timers and
//! speaks with its user, the TU, which is the call.
//!
//! It does no I/O and knows no clock: after each call, [`Transactions::poll`] until it returns `None`, then wait
//! for [`Transactions::next_timeout`].

mod alarms;
mod client;
mod identity;
pub mod invite_client;
pub mod invite_server;
mod matching;
pub mod non_invite_client;
pub mod non_invite_server;
mod receive;
mod reply;
mod schedule;
mod server;
mod store;
pub mod table;
mod timer;
mod user;
mod writer;

pub use timer::{Slot, Timer, Timers};
pub use user::{
    ClientKey, Counters, Endpoint, Incoming, Output, RespondError, SendError, ServerKey, TuEvent,
};

use crate::limits::Limits;
use crate::sip::Shape;
use crate::time::Time;
use client::Client;
use identity::{Identity, Secret};
use rand_chacha::ChaCha20Rng;
use schedule::{Alarm, Schedule};
use server::Server;
use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use store::{Key, Store};
use table::{ClientInput, ServerInput};
use writer::Writer;

/// All transactions of one agent.
#[derive(Debug)]
pub struct Transactions {
    timers: Timers,
    limit: usize,
    limit_per_source: usize,
    rng: ChaCha20Rng,
    secret: Secret,
    store: Store<Transaction>,
    /// Client transactions by the number in their branch and whether they are a CANCEL, which shares the
    /// branch of its INVITE.
    clients: HashMap<(u64, bool), Key>,
    servers: HashMap<Identity, Key>,
    /// The server transactions of requests outside of dialogs, by what merged requests share.
    merges: HashMap<Identity, Key>,
    /// How many server transactions each source holds.
    sources: HashMap<SocketAddr, usize>,
    schedule: Schedule,
    writer: Writer,
    outputs: VecDeque<Output>,
    counters: Counters,
}

/// A transaction of either side.
#[derive(Debug)]
enum Transaction {
    Client(Client),
    Server(Server),
}

impl Transaction {
    fn runs(&self, alarm: &Alarm) -> bool {
        match self {
            Transaction::Client(client) => client.alarms.run(alarm),
            Transaction::Server(server) => server.alarms.run(alarm),
        }
    }
}

impl Transactions {
    /// No transactions yet. Branches and tags come from `rng`, which must be a generator of this agent's own.
    pub fn new(timers: Timers, limits: &Limits, mut rng: ChaCha20Rng) -> Self {
        Transactions {
            timers,
            limit: limits.transactions,
            limit_per_source: limits.transactions_per_source,
            secret: Secret::new(&mut rng),
            rng,
            store: Store::new(),
            clients: HashMap::new(),
            servers: HashMap::new(),
            merges: HashMap::new(),
            sources: HashMap::new(),
            schedule: Schedule::default(),
            writer: Writer::default(),
            outputs: VecDeque::new(),
            counters: Counters::default(),
        }
    }

    /// With messages of this form.
    pub fn with_shape(mut self, shape: Shape) -> Self {
        self.writer.shape = shape;
        self
    }

    /// The next thing to do: what earlier calls queued, then what the timers due at `now` ask for. `None` means
    /// nothing until [`Transactions::next_timeout`].
    pub fn poll(&mut self, now: Time) -> Option<Output> {
        loop {
            if let Some(output) = self.outputs.pop_front() {
                return Some(output);
            }
            let alarm = self.next_alarm().filter(|alarm| alarm.at <= now)?;
            self.schedule.pop();
            match self.store.get(alarm.key)? {
                Transaction::Client(_) => {
                    self.drive_client(now, alarm.key, ClientInput::Fired(alarm.timer), None);
                }
                Transaction::Server(_) => {
                    self.drive_server(now, alarm.key, ServerInput::Fired(alarm.timer));
                }
            }
        }
    }

    /// When [`Transactions::poll`] next has something to do by itself; `None` if no timer runs.
    pub fn next_timeout(&mut self) -> Option<Time> {
        self.next_alarm().map(|alarm| alarm.at)
    }

    /// Takes note that nothing can be sent to `remote` (an ICMP error, a connection that broke): client
    /// transactions end with [`TuEvent::TransportError`], server transactions report it and live on (RFC 3261
    /// sections 17.1.4 and 17.2.4, RFC 6026 section 8.8).
    pub fn transport_error(&mut self, now: Time, remote: SocketAddr) {
        let hit = |(key, transaction): (Key, &Transaction)| {
            let (to, is_client) = match transaction {
                Transaction::Client(client) => (client.to, true),
                Transaction::Server(server) => (server.to, false),
            };
            (to.remote == remote).then_some((key, is_client))
        };
        let keys: Vec<(Key, bool)> = self.store.iter().filter_map(hit).collect();
        for (key, is_client) in keys {
            if is_client {
                self.drive_client(now, key, ClientInput::TransportError, None);
            } else {
                self.drive_server(now, key, ServerInput::TransportError);
            }
        }
    }

    /// How many transactions are open, both directions.
    pub fn len(&self) -> usize {
        self.store.len()
    }

    /// Whether none is open.
    pub fn is_empty(&self) -> bool {
        self.store.len() == 0
    }

    /// What was counted so far.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The values that the timers scale with.
    pub fn timers(&self) -> &Timers {
        &self.timers
    }

    fn next_alarm(&mut self) -> Option<Alarm> {
        let Transactions { schedule, store, .. } = self;
        let runs = |alarm: &Alarm| store.get(alarm.key).is_some_and(|t| t.runs(alarm));
        schedule.compact(2 * store.len(), runs);
        schedule.peek(runs)
    }
}

#[cfg(test)]
mod tests;
