//! A thread with a socket and an agent of its own, and the calls that it places.

mod output;

use crate::clock::Clock;
use crate::driver::{ToDriver, sleep_until};
use crate::impair::{Gate, Impair, ImpairmentLog};
use crate::load::agenda::{Agenda, Item};
use crate::load::live::{Live, Roll, Sample};
use crate::load::run::Plan;
use crate::load::shelf::Shelf;
use crate::load::tally::{CallRow, Tally};
use crate::media::Judges;
use crate::socket::{Batch, Received, Socket};
use crate::train::Train;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;
use visavis_proto::Time;
use visavis_proto::agent::Agent;
use visavis_proto::io::{CallHandle, CallRequest, Command, Datagram, Input, SocketId, Transmit};
use visavis_report::{CallRecord, MediaReport};

/// The worker's only socket.
const SOCKET: SocketId = SocketId(0);
/// How often it tells what has happened.
const TELL: Duration = Duration::from_millis(200);
/// How often it looks for a reel that is being coded.
const LOOK: Duration = Duration::from_millis(10);
/// Batches of datagrams, and calls to be placed, that are handled before anything else has its turn.
const TURN: usize = 8;
/// How long verdicts may take when all calls are over.
const VERDICTS: Duration = Duration::from_secs(10);

/// What all workers of a load have in common.
pub(super) struct Shared {
    pub(super) plan: Plan,
    pub(super) clock: Clock,
    /// When the first call is due.
    pub(super) start: Time,
    pub(super) stop: Arc<AtomicBool>,
    pub(super) judges: Option<Judges>,
    pub(super) shelf: Option<Arc<Shelf>>,
    pub(super) workers: usize,
    pub(super) updates: mpsc::UnboundedSender<Update>,
}

/// What has happened in a worker since its last update.
pub(super) struct Update {
    pub(super) worker: usize,
    pub(super) tally: Tally,
    pub(super) calls: Vec<CallRow>,
    /// Calls that are up.
    pub(super) up: u64,
    /// The most that were up at a time.
    pub(super) peak: u64,
    /// What was done to its datagrams; only in the last update.
    pub(super) impairment: Option<ImpairmentLog>,
}

/// What the judge of a call has to say.
type Report = (CallHandle, MediaReport);

pub(super) struct Worker {
    index: usize,
    shared: Arc<Shared>,
    start: Time,
    agent: Agent,
    socket: Arc<Socket>,
    train: Train,
    gate: Option<Gate>,
    /// When the agent wants to be woken.
    deadline: Option<Time>,
    calls: HashMap<CallHandle, Live>,
    agenda: Agenda,
    /// The number of the next call.
    next: u64,
    stopping: bool,
    /// When the datagram that is being handled had arrived.
    arrived: Option<Time>,
    /// Calls whose ACK is on its way out.
    acknowledged: Vec<CallHandle>,
    requests: (mpsc::Sender<ToDriver>, mpsc::Receiver<ToDriver>),
    reports: (mpsc::UnboundedSender<Report>, mpsc::UnboundedReceiver<Report>),
    /// Calls that are over and wait for their report.
    unjudged: HashMap<CallHandle, CallRecord>,
    over_since: Option<Time>,
    tally: Tally,
    rows: Vec<CallRow>,
    up: u64,
    peak: u64,
    tell: Time,
    /// What was counted already of retransmissions, timeouts and strays.
    counted: (u64, u64, u64),
}

impl Worker {
    pub(super) fn new(index: usize, shared: Arc<Shared>, socket: Socket, seed: [u8; 32]) -> Self {
        let now = shared.clock.now();
        let mut agent = Agent::new(shared.plan.agent.clone(), seed);
        let impair = shared.plan.impair.clone();
        let gate = impair.map(|i| Gate::new(&Impair { seed: i.seed.wrapping_add(index as u64), ..i }));
        let opened = Ok((SOCKET, socket.local()));
        agent.handle(now, Input::SocketOpened { request: None, result: opened });
        Worker {
            index,
            start: shared.start,
            agent,
            socket: Arc::new(socket),
            train: Train::default(),
            gate,
            deadline: None,
            calls: HashMap::new(),
            agenda: Agenda::default(),
            next: index as u64,
            stopping: false,
            arrived: None,
            acknowledged: Vec::new(),
            requests: mpsc::channel(256),
            reports: mpsc::unbounded_channel(),
            unjudged: HashMap::new(),
            over_since: None,
            tally: Tally::default(),
            rows: Vec::new(),
            up: 0,
            peak: 0,
            tell: now + TELL,
            counted: (0, 0, 0),
            shared,
        }
    }

    /// Places its calls and follows them until all are over.
    pub(super) async fn run(mut self) {
        let mut batch = Batch::new();
        self.drain();
        loop {
            let now = self.shared.clock.now();
            self.begin(now);
            self.do_what_is_due(now);
            self.arrivals();
            self.leave();
            if now >= self.tell {
                self.tell(now);
            }
            if self.is_done(now) {
                break;
            }
            let wake = [self.deadline, self.agenda.next(), self.next_call()].into_iter().flatten();
            let line = self.gate.as_ref().and_then(Gate::due);
            let wake =
                wake.chain([self.tell]).chain(line).min().map(|at| self.shared.clock.instant(at).into());
            tokio::select! {
                biased;
                ready = self.socket.readable() => {
                    if ready.is_ok() {
                        self.receive(&mut batch);
                    }
                }
                Some(request) = self.requests.1.recv() => {
                    if let ToDriver::Command(command) = request {
                        self.command(command);
                    }
                }
                Some((call, report)) = self.reports.1.recv() => self.judge(call, report),
                () = sleep_until(wake) => {}
            }
        }
        let log = self.gate.take().map(|gate| gate.log().clone());
        self.update(self.shared.clock.now(), log);
    }

    /// When the next call begins.
    fn next_call(&self) -> Option<Time> {
        let plan = &self.shared.plan;
        let due = (self.next < plan.calls && !self.stopping).then(|| plan.ramp.due(self.next))?;
        Some(self.start + due)
    }

    /// Begins the calls that are due; or ends all, when the time is over.
    fn begin(&mut self, now: Time) {
        let over =
            self.shared.stop.load(Ordering::Relaxed) || now.since(self.start) >= self.shared.plan.limit;
        if over && !self.stopping {
            self.stopping = true;
            self.calls.values_mut().for_each(|call| call.asked = true);
            self.command(Command::Shutdown);
        }
        for _ in 0..TURN {
            match self.next_call().filter(|due| *due <= now) {
                Some(due) => self.place(due),
                None => return,
            }
        }
    }

    fn place(&mut self, due: Time) {
        let (number, now) = (self.next, self.shared.clock.now());
        self.next += self.shared.workers as u64;
        let plan = &self.shared.plan;
        let call = self.agent.new_call();
        let request = CallRequest {
            target: plan.target.uri.clone(),
            destination: plan.target.destination,
            local: plan.target.local,
            media: plan.agent.media,
            late_offer: false,
            ring_timeout: plan.setup_timeout,
            path: None,
        };
        let sampled = number.checked_rem(plan.sample) == Some(0);
        let judges = self.shared.judges.as_ref().filter(|_| sampled);
        let judging =
            judges.and_then(|j| j.attend(call, self.requests.0.downgrade(), self.reports.0.clone()));
        let sample = judging.map(|judging| {
            let record = CallRecord::outgoing(&plan.target.uri);
            Sample { record, judging, behind: Vec::new() }
        });
        self.calls.insert(call, Live::new(number, now, sample));
        self.tally.begin(now.since(self.start), now.since(due));
        self.agent.handle(now, Input::Command(Command::Call(call, Box::new(request))));
        self.drain();
    }

    fn command(&mut self, command: Command) {
        self.agent.handle(self.shared.clock.now(), Input::Command(command));
        self.drain();
    }

    /// Does what is due by the agenda, and what the agent wanted to be woken for.
    fn do_what_is_due(&mut self, now: Time) {
        if self.deadline.is_some_and(|at| at <= now) {
            self.agent.handle(now, Input::Timeout);
            self.drain();
        }
        while let Some(entry) = self.agenda.due(now) {
            let Some(live) = self.calls.get_mut(&entry.call) else { continue };
            match entry.item {
                Item::Hangup if !live.asked => {
                    live.asked = true;
                    self.command(Command::Hangup { call: entry.call });
                }
                Item::Roll if entry.turn == live.turn => self.roll(now, entry.call),
                Item::Frame(section) if entry.turn == live.turn => self.play(now, entry.call, section),
                _ => {}
            }
        }
    }

    fn roll(&mut self, now: Time, call: CallHandle) {
        let (Some(live), Some(shelf)) = (self.calls.get_mut(&call), &self.shared.shelf) else { return };
        match live.roll(now, shelf) {
            Roll::Begun(sections) => {
                for (section, at) in sections {
                    self.agenda.add(at, call, live.turn, Item::Frame(section));
                }
            }
            Roll::Later => self.agenda.add(now + LOOK, call, live.turn, Item::Roll),
        }
    }

    /// Sends the frames of a section that are due.
    fn play(&mut self, now: Time, call: CallHandle, section: usize) {
        while let Some(live) = self.calls.get_mut(&call) {
            match live.frame(now, section) {
                Some(Ok(frame)) => {
                    self.agent.handle(now, Input::Frame { call, section, frame });
                    self.drain();
                }
                Some(Err(next)) => return self.agenda.add(next, call, live.turn, Item::Frame(section)),
                None => return,
            }
        }
    }

    fn receive(&mut self, batch: &mut Batch) {
        let socket = self.socket.clone();
        for _ in 0..TURN {
            let Ok(more) = socket.receive(batch) else { return };
            let clock = self.shared.clock;
            let now = clock.now();
            for Received { local, remote, received, data } in socket.datagrams(batch, now) {
                let datagram = Received { local, remote, received, data };
                match &mut self.gate {
                    Some(gate) => gate.receive(SOCKET, datagram),
                    None => self.datagram(now, datagram),
                }
            }
            self.arrivals();
            self.leave();
            if !more {
                return;
            }
        }
    }

    fn datagram(&mut self, now: Time, d: Received<'_>) {
        let Received { local, remote, received, data } = d;
        self.arrived = Some(received);
        let datagram = Datagram { socket: SOCKET, local, remote, data, received };
        self.agent.handle(now, Input::Datagram(datagram));
        self.drain();
        self.arrived = None;
    }

    /// Takes what has left the line in.
    fn arrivals(&mut self) {
        let now = self.shared.clock.now();
        while let Some(a) = self.gate.as_mut().and_then(|gate| gate.received(now)) {
            let (local, remote, received) = (a.local, a.remote, a.received);
            self.datagram(now, Received { local, remote, received, data: &a.data });
        }
    }

    /// Sends what has gathered, and notes whose ACK is out.
    fn leave(&mut self) {
        let now = self.shared.clock.now();
        while let Some(transmit) = self.gate.as_mut().and_then(|gate| gate.sent(now)) {
            self.depart(transmit);
        }
        self.flush();
        if self.acknowledged.is_empty() {
            return;
        }
        for call in self.acknowledged.drain(..) {
            if let Some(live) = self.calls.get_mut(&call) {
                let setup = now.since(live.begun);
                live.setup = Some(setup);
                self.tally.setup.record(setup);
            }
        }
    }

    fn depart(&mut self, transmit: Transmit) {
        if !self.train.joins(&transmit, self.socket.train()) {
            self.flush();
        }
        self.train.add(transmit);
    }

    fn flush(&mut self) {
        let Some(train) = self.train.take() else { return };
        if let Err(error) = self.socket.send(train.local, train.remote, &train.data, train.segment) {
            // A full send buffer is loss, as on any link.
            tracing::debug!(%error, remote = %train.remote, kind = ?train.kind, "a datagram was not sent");
        }
    }

    fn tell(&mut self, now: Time) {
        self.update(now, None);
    }

    fn update(&mut self, now: Time, impairment: Option<ImpairmentLog>) {
        self.tell = now + TELL;
        let transactions = self.agent.transaction_counters();
        let dropped = &self.agent.counters().dropped;
        let counted =
            (transactions.retransmissions, transactions.timeouts, dropped.rtp_stray + dropped.rtp_refused);
        self.tally.retransmissions += counted.0 - self.counted.0;
        self.tally.timeouts += counted.1 - self.counted.1;
        self.tally.rtp.stray += counted.2 - self.counted.2;
        self.counted = counted;
        let (tally, calls) = (std::mem::take(&mut self.tally), std::mem::take(&mut self.rows));
        let update = Update { worker: self.index, tally, calls, up: self.up, peak: self.peak, impairment };
        self.peak = self.up;
        if self.shared.updates.send(update).is_err() {
            // Nobody follows the load any more.
            self.shared.stop.store(true, Ordering::Relaxed);
        }
    }

    fn is_done(&mut self, now: Time) -> bool {
        let placed = self.stopping || self.next >= self.shared.plan.calls;
        let sends = self.gate.as_ref().is_some_and(Gate::sends);
        if !placed || self.agent.calls() > 0 || sends {
            self.over_since = None;
            return false;
        }
        let waited = now.since(*self.over_since.get_or_insert(now));
        self.unjudged.is_empty() || waited >= VERDICTS
    }
}
