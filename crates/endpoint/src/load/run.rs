//! A load from its start to its end.

use super::schedule::Ramp;
use super::shelf::Shelf;
use super::tally::{CallRow, Tally};
use super::worker::{Shared, Update, Worker};
use crate::clock::Clock;
use crate::endpoint::Error;
use crate::impair::{Impair, ImpairmentLog};
use crate::media::{Judges, TestSources};
use crate::socket::Socket;
use crate::target::Target;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;
use visavis_proto::agent::Config;
use visavis_proto::limits::Limits;
use visavis_report::Expectation;

/// What the threads have to get ready in.
const HEAD_START: Duration = Duration::from_millis(20);

/// The calls to place.
#[derive(Clone)]
pub struct Plan {
    /// Whom to call.
    pub target: Target,
    /// What the agents say and accept. Its limits are for one worker.
    pub agent: Config,
    /// How many calls begin in a second, over time.
    pub ramp: Ramp,
    /// How many calls are placed.
    pub calls: u64,
    /// How long each is held, from its ACK to its BYE.
    pub hold: Duration,
    /// After this long no call begins, and those that are up end.
    pub limit: Duration,
    /// A call that was not answered after this long has failed.
    pub setup_timeout: Duration,
    /// What is sent, coded once for all calls; `None`: signalling alone.
    pub media: Option<TestSources>,
    /// Every call whose number is a multiple of this is decoded and judged; 0: none.
    pub sample: u64,
    /// What those are measured against.
    pub expectation: Expectation,
    /// What the line before each worker does to its datagrams. Every worker has lines of its own: a rate is that of
    /// one worker.
    pub impair: Option<Impair>,
    /// How many threads there are, each with a socket and an agent.
    pub workers: usize,
    /// The address to call from. A port other than 0 is that of the first worker; the others take the next ones.
    pub listen: SocketAddr,
    /// Whether [`Progress::calls`] is wanted.
    pub rows: bool,
}

impl Plan {
    /// Ten calls, one a second, without media, to `target`, which is read as in
    /// [`Endpoint::call`](crate::Endpoint::call).
    ///
    /// # Errors
    ///
    /// [`Error::Target`], [`Error::Unreachable`].
    pub async fn to(target: &str) -> Result<Self, Error> {
        let target = Target::resolve(target, IpAddr::V4(Ipv4Addr::UNSPECIFIED)).await?;
        let limits = Limits {
            calls: 1_000_000,
            transactions: 10_000_000,
            transactions_per_source: 10_000_000,
            ..Limits::default()
        };
        Ok(Plan {
            listen: SocketAddr::new(target.local, 0),
            target,
            agent: Config { limits, signalling_only: true, ..Config::default() },
            ramp: Ramp::steady(1.0),
            calls: 10,
            hold: Duration::ZERO,
            limit: Duration::from_secs(600),
            setup_timeout: Duration::from_secs(32),
            media: None,
            sample: 0,
            expectation: Expectation::default(),
            impair: None,
            workers: 1,
            rows: false,
        })
    }
}

/// A load that is under way. Dropping it leaves its threads to end by themselves, as [`Load::stop`] does.
pub struct Load {
    updates: mpsc::UnboundedReceiver<Update>,
    stop: Arc<AtomicBool>,
    clock: Clock,
    locals: Vec<SocketAddr>,
    tally: Tally,
    /// Calls up in each worker: now, and at the most since its last update.
    up: Vec<(u64, u64)>,
    peak: u64,
    impairment: Option<ImpairmentLog>,
}

/// What has happened since the last one.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// What it adds to [`Load::tally`].
    pub tally: Tally,
    /// The calls that ended; only where [`Plan::rows`] asks for them.
    pub calls: Vec<CallRow>,
}

impl Load {
    /// Opens the sockets and begins.
    ///
    /// # Errors
    ///
    /// [`Error::Bind`], [`Error::Threads`], [`Error::Random`].
    pub fn start(plan: Plan) -> Result<Self, Error> {
        let (updates, inbox) = mpsc::unbounded_channel();
        let stop = Arc::new(AtomicBool::new(false));
        let clock = Clock::start();
        let judges = plan.media.is_some() && plan.sample > 0;
        let threads = std::thread::available_parallelism().map_or(1, |n| n.get());
        let judges = judges.then(|| Judges::start(threads, clock)).transpose().map_err(Error::Threads)?;
        let shelf = plan.media.map(Shelf::new);
        let workers = plan.workers.max(1);
        let shared = Arc::new(Shared {
            plan,
            clock,
            start: clock.now() + HEAD_START,
            stop: stop.clone(),
            judges,
            shelf,
            workers,
            updates,
        });
        let mut load = Load {
            updates: inbox,
            stop,
            clock,
            locals: Vec::new(),
            tally: Tally::default(),
            up: Vec::new(),
            peak: 0,
            impairment: None,
        };
        for index in 0..workers {
            let local = load.spawn(index, shared.clone());
            // Those that have begun already stop when `load` is dropped.
            load.locals.push(local?);
            load.up.push((0, 0));
        }
        Ok(load)
    }

    /// Starts a worker; gives its address.
    fn spawn(&self, index: usize, shared: Arc<Shared>) -> Result<SocketAddr, Error> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|e| Error::Random(e.to_string()))?;
        let (opened, result) = std::sync::mpsc::channel();
        let run = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = match runtime {
                Ok(runtime) => runtime,
                Err(error) => return drop(opened.send(Err(Error::Threads(error)))),
            };
            runtime.block_on(async {
                let mut address = shared.plan.listen;
                if address.port() != 0 {
                    address.set_port(address.port().saturating_add(index as u16));
                }
                match Socket::bind(address) {
                    Ok(socket) => {
                        let sent = opened.send(Ok(socket.local()));
                        if sent.is_ok() {
                            Worker::new(index, shared, socket, seed).run().await;
                        }
                    }
                    Err(source) => drop(opened.send(Err(Error::Bind { address, source }))),
                }
            });
        };
        let thread = std::thread::Builder::new().name(format!("visavis-load-{index}"));
        thread.spawn(run).map_err(Error::Threads)?;
        result.recv().unwrap_or(Err(Error::Closed))
    }

    /// The addresses that it calls from, one for each worker.
    pub fn locals(&self) -> &[SocketAddr] {
        &self.locals
    }

    /// Waits for news, which come several times a second; `None` when all calls are over.
    pub async fn next(&mut self) -> Option<Progress> {
        let Update { worker, tally, calls, up, peak, impairment } = self.updates.recv().await?;
        if let Some(log) = impairment {
            self.impairment.get_or_insert_default().merge(log);
        }
        if let Some(place) = self.up.get_mut(worker) {
            *place = (up, peak);
        }
        // Peaks of several workers need not fall together: this is at least what there was at one time.
        self.peak = self.peak.max(if self.up.len() == 1 { peak } else { self.up() });
        self.tally.merge(&tally);
        Some(Progress { tally, calls })
    }

    /// What there was in all, so far.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Calls that are up.
    pub fn up(&self) -> u64 {
        self.up.iter().map(|(now, _)| now).sum()
    }

    /// The most calls that were up at a time. With several workers some may be missed between two updates.
    pub fn peak(&self) -> u64 {
        self.peak
    }

    /// What was done to the datagrams of the workers that are done; `None` without [`Plan::impair`].
    pub fn impairment(&self) -> Option<&ImpairmentLog> {
        self.impairment.as_ref()
    }

    /// The time since the start.
    pub fn elapsed(&self) -> Duration {
        self.clock.elapsed()
    }

    /// Places no more calls, and ends those that are up. [`Load::next`] goes on until that is done.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop();
    }
}
