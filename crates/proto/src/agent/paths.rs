//! Ways to peers that are named by ticket: one strategy for each peer, and what happens once a way is found.

use super::core::Core;
use super::{Admission, Agent};
use crate::call::PathNews;
use crate::io::{CallHandle, CallRequest, EndReason, Event, PacketKind, Path, PathRequest, Transmit};
use crate::nat::{self, Role, Strategy};
use crate::stun;
use crate::time::Time;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

/// All ways of an agent.
#[derive(Default)]
pub(super) struct Paths {
    entries: BTreeMap<CallHandle, Entry>,
    deadlines: BTreeSet<(Time, CallHandle)>,
}

struct Entry {
    strategy: Box<dyn Strategy>,
    purpose: Purpose,
    /// What was found.
    path: Option<Path>,
    scheduled: Option<Time>,
}

/// What a way is wanted for.
enum Purpose {
    /// To place this call.
    Place(Box<CallRequest>),
    /// To take the peer's call until then; `None` while there is no way yet.
    Expect { until: Option<Time> },
    /// The call is there.
    Call,
}

impl Paths {
    /// When a strategy, or an expectation, has something to do.
    pub(super) fn next_timeout(&self) -> Option<Time> {
        self.deadlines.first().map(|&(at, _)| at)
    }

    pub(super) fn due(&self, now: Time) -> Option<CallHandle> {
        self.deadlines.first().filter(|(at, _)| *at <= now).map(|&(_, handle)| handle)
    }

    pub(super) fn forget(&mut self, handle: CallHandle) {
        if let Some(entry) = self.entries.remove(&handle)
            && let Some(at) = entry.scheduled
        {
            self.deadlines.remove(&(at, handle));
        }
    }

    /// Ways that no call has come of yet.
    pub(super) fn waiting(&self) -> impl Iterator<Item = CallHandle> {
        self.entries.iter().filter(|(_, e)| !matches!(e.purpose, Purpose::Call)).map(|(handle, _)| *handle)
    }

    pub(super) fn handles(&self) -> Vec<CallHandle> {
        self.entries.keys().copied().collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What a strategy has tried, for people.
    pub(super) fn report(&self, handle: CallHandle) -> Option<nat::Report> {
        Some(self.entries.get(&handle)?.strategy.report())
    }
}

impl Agent {
    /// Begins to look for a way to a peer; the call is placed over it once it is found.
    pub(super) fn place_over_path(
        &mut self,
        now: Time,
        handle: CallHandle,
        mut request: Box<CallRequest>,
        path: &PathRequest,
    ) {
        request.path = None;
        self.open_path(now, handle, path, Role::Initiator, Purpose::Place(request));
    }

    /// Begins to look for a way to a peer whose call is expected.
    pub(super) fn expect(&mut self, now: Time, handle: CallHandle, path: &PathRequest) {
        self.next_call = self.next_call.max(handle.0);
        self.open_path(now, handle, path, Role::Responder, Purpose::Expect { until: None });
    }

    fn open_path(
        &mut self,
        now: Time,
        handle: CallHandle,
        request: &PathRequest,
        role: Role,
        purpose: Purpose,
    ) {
        let full = self.calls.len() + self.paths.entries.len() >= self.core.config.limits.calls;
        let refusal = match (self.closing, full, self.core.main) {
            (true, ..) => Some("the endpoint is closing".to_owned()),
            (_, true, _) => Some("the limit on calls is reached".to_owned()),
            (.., None) => Some("there is no socket".to_owned()),
            _ => None,
        };
        if let Some(what) = refusal {
            let reason = EndReason::Failed { what };
            return self.core.event(Event::Ended { call: handle, reason, stats: Vec::new() });
        }
        for (whose, ticket) in [("our own", &request.own), ("the peer's", &request.peer)] {
            if let Err(error) = ticket.valid_at(now) {
                let reason = EndReason::NoPath { what: format!("{whose} ticket cannot be used: {error}") };
                return self.core.event(Event::Ended { call: handle, reason, stats: Vec::new() });
            }
        }
        let factory = self.core.config.punch.clone();
        let rng = ChaCha20Rng::from_rng(&mut self.core.rng);
        let strategy = factory.strategy(role, &request.own, &request.peer, request.keyed, rng);
        let entry = Entry { strategy, purpose, path: None, scheduled: None };
        self.paths.entries.insert(handle, entry);
        self.tell(now, handle, nat::Input::Start { locals: &request.locals });
    }

    /// Gives a strategy an input and does what it wants.
    fn tell(&mut self, now: Time, handle: CallHandle, input: nat::Input<'_>) {
        if let Some(entry) = self.paths.entries.get_mut(&handle) {
            entry.strategy.handle(now, input);
            self.follow(now, handle);
        }
    }

    /// Takes everything that a strategy puts out.
    fn follow(&mut self, now: Time, handle: CallHandle) {
        while let Some(entry) = self.paths.entries.get_mut(&handle)
            && let Some(output) = entry.strategy.poll(now)
        {
            match output {
                nat::Output::Transmit { local, remote, data } => {
                    transmit(&mut self.core, local, remote, data)
                }
                nat::Output::Event(event) => self.path_event(now, handle, event),
            }
        }
        let Some(entry) = self.paths.entries.get_mut(&handle) else { return };
        let until = match entry.purpose {
            Purpose::Expect { until } => until,
            _ => None,
        };
        let next = entry.strategy.next_timeout().into_iter().chain(until).min();
        if let Some(at) = std::mem::replace(&mut entry.scheduled, next) {
            self.paths.deadlines.remove(&(at, handle));
        }
        if let Some(at) = next {
            self.paths.deadlines.insert((at, handle));
        }
    }

    fn path_event(&mut self, now: Time, handle: CallHandle, event: nat::Event) {
        let Some(entry) = self.paths.entries.get_mut(&handle) else { return };
        match event {
            nat::Event::Validated { pair, mapped, round_trip } => {
                let path = Path { local: pair.local, mapped, remote: pair.remote };
                let first = entry.path.replace(path).is_none();
                self.core.event(Event::PathFound { call: handle, path, round_trip });
                if first {
                    self.path_found(now, handle, path);
                } else {
                    self.use_path(now, handle, path);
                }
            }
            nat::Event::Moved { to, mapped, .. } => {
                let path = Path { local: to.local, mapped, remote: to.remote };
                entry.path = Some(path);
                self.core.event(Event::PathMoved { call: handle, path });
                self.use_path(now, handle, path);
            }
            nat::Event::PathLost { .. } => {
                if let Some(path) = entry.path {
                    self.core.event(Event::PathLost { call: handle, path });
                }
            }
            nat::Event::MoveRefused { remote, why } => {
                self.core.counters.dropped.stun_off_path += 1;
                self.core.event(Event::MoveRefused { call: handle, remote, why: why.to_string() });
            }
            nat::Event::RelayAdvised { after } => {
                tracing::debug!(?after, "no way yet, and there is no relay to ask");
            }
            nat::Event::Failed(failure) => self.path_failed(now, handle, failure.to_string()),
        }
    }

    fn path_found(&mut self, now: Time, handle: CallHandle, path: Path) {
        let Admission::Expected { window } = self.core.config.admission else {
            return self.use_found(now, handle, path, None);
        };
        self.use_found(now, handle, path, Some(now + window));
    }

    fn use_found(&mut self, now: Time, handle: CallHandle, path: Path, until: Option<Time>) {
        let Some(entry) = self.paths.entries.get_mut(&handle) else { return };
        match std::mem::replace(&mut entry.purpose, Purpose::Call) {
            Purpose::Place(request) => self.place(now, handle, *request, Some(path)),
            Purpose::Expect { .. } => entry.purpose = Purpose::Expect { until },
            Purpose::Call => {}
        }
    }

    /// A call that is there takes another way.
    fn use_path(&mut self, now: Time, handle: CallHandle, path: Path) {
        if let Some(call) = self.calls.get_mut(&handle) {
            call.moved(now, &mut self.core, path);
            self.settle(handle);
        }
    }

    /// No way was found, or the one that there was is gone for good.
    fn path_failed(&mut self, now: Time, handle: CallHandle, what: String) {
        self.paths.forget(handle);
        let reason = EndReason::NoPath { what };
        match self.calls.get_mut(&handle) {
            Some(call) => {
                call.path_failed(now, &mut self.core, reason);
                self.settle(handle);
            }
            None => self.core.event(Event::Ended { call: handle, reason, stats: Vec::new() }),
        }
    }

    /// Gives up a way that no call has come of.
    pub(super) fn abandon_path(&mut self, handle: CallHandle) -> bool {
        let waits = self.paths.entries.get(&handle).is_some_and(|e| !matches!(e.purpose, Purpose::Call));
        if waits {
            self.paths.forget(handle);
            let reason = EndReason::LocalHangup;
            self.core.event(Event::Ended { call: handle, reason, stats: Vec::new() });
        }
        waits
    }

    /// A strategy's time has come, or that of a call that did not come.
    pub(super) fn path_timeout(&mut self, now: Time, handle: CallHandle) {
        let Some(entry) = self.paths.entries.get(&handle) else { return };
        if let (Purpose::Expect { until: Some(until) }, Some(path)) = (&entry.purpose, entry.path)
            && *until <= now
        {
            self.paths.forget(handle);
            let what = format!("a way to {} was found, but no INVITE came over it in time", path.remote);
            let reason = EndReason::NoResponse { what };
            return self.core.event(Event::Ended { call: handle, reason, stats: Vec::new() });
        }
        self.tell(now, handle, nat::Input::Timeout);
    }

    /// Offers a STUN message to the strategies; whether one of them took it.
    pub(super) fn path_stun(
        &mut self,
        now: Time,
        (local, remote): (SocketAddr, SocketAddr),
        message: &stun::Message,
    ) -> bool {
        let taker = self.paths.entries.iter().find(|(_, e)| e.strategy.recognises(message, remote));
        let Some((&handle, _)) = taker else { return false };
        self.tell(now, handle, nat::Input::Stun { local, remote, message });
        true
    }

    /// This machine has other addresses now.
    pub(super) fn interfaces_changed(&mut self, now: Time, addresses: &[IpAddr]) {
        let Some((_, main)) = self.core.main else { return };
        let locals: Vec<SocketAddr> = addresses.iter().map(|ip| SocketAddr::new(*ip, main.port())).collect();
        for handle in self.paths.handles() {
            self.tell(now, handle, nat::Input::LocalsChanged { locals: &locals });
        }
    }

    /// What a call has noticed about its way.
    pub(super) fn path_news(&mut self, now: Time, handle: CallHandle, news: PathNews) {
        let input = match news {
            PathNews::Heard => nat::Input::MediaHeard,
            PathNews::Silent => nat::Input::MediaSilent,
            PathNews::Suggested(remote) => nat::Input::Suggested { remote },
        };
        self.tell(now, handle, input);
    }

    /// Whether an INVITE from `remote` may become a call: the handle and way that wait for it, nothing where anybody
    /// may call, or the status to refuse it with.
    pub(super) fn admit(&mut self, now: Time, remote: SocketAddr) -> Result<Option<(CallHandle, Path)>, u16> {
        let waits = |(_, entry): &(&CallHandle, &Entry)| match entry.purpose {
            Purpose::Expect { until } => {
                let pair = entry.path.map(|p| nat::Pair { local: p.local, remote });
                until.is_none_or(|at| now < at) && pair.is_some_and(|pair| entry.strategy.is_proven(pair))
            }
            _ => false,
        };
        if let Some((&handle, entry)) = self.paths.entries.iter().find(waits)
            && let Some(path) = entry.path
        {
            // Without signed checks the caller's choice among several ways is the one that its INVITE took.
            self.tell(now, handle, nat::Input::Chosen { pair: nat::Pair { local: path.local, remote } });
            if let Some(entry) = self.paths.entries.get_mut(&handle) {
                entry.purpose = Purpose::Call;
                return Ok(Some((handle, entry.path.unwrap_or(path))));
            }
        }
        match self.core.config.admission {
            Admission::Anyone => Ok(None),
            Admission::Expected { .. } if self.calls.is_empty() => Err(603),
            Admission::Expected { .. } => Err(486),
        }
    }
}

fn transmit(core: &mut Core, local: SocketAddr, remote: SocketAddr, data: bytes::Bytes) {
    let Some((socket, _)) = core.main else { return };
    core.transmit(Transmit { socket, local: Some(local.ip()), remote, data, kind: PacketKind::Stun });
}
