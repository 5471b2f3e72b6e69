//! Going through the cases.

use crate::case::{Case, Finding, Verdict, all};
use crate::facts::Facts;
use crate::lab::{Exchange, Lab, Peer, Wire};
use crate::results::{CaseResult, Run};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use visavis_capture::Tap;

/// How to go about it.
#[derive(Clone, Debug)]
pub struct Options {
    /// Who is tested.
    pub peer: Peer,
    /// The names of the cases to run, or the groups; all of them where it is empty.
    pub only: Vec<String>,
    /// How long a final response may take.
    pub patience: Duration,
    /// How long to wait for a peer that has stopped answering, and that somebody may start again.
    pub wait: Duration,
    /// The most messages of signalling a second.
    pub rate: usize,
    /// Where every datagram goes, both ways.
    pub tap: Option<Tap>,
}

impl Options {
    /// With the default times: 5 s for a response, 10 s for a peer to come back, 50 messages a second.
    pub fn new(peer: Peer) -> Self {
        Options {
            peer,
            only: Vec::new(),
            patience: Duration::from_secs(5),
            wait: Duration::from_secs(10),
            rate: 50,
            tap: None,
        }
    }

    /// The cases that are meant.
    pub fn cases(&self) -> Vec<&'static Case> {
        let meant = |case: &&Case| {
            self.only.is_empty() || self.only.iter().any(|only| only == case.name || only == case.group())
        };
        all().into_iter().filter(meant).collect()
    }
}

/// How far a run is.
#[derive(Debug)]
pub enum Progress<'a> {
    /// What the peer is, before the first case.
    Surveyed(&'a Facts),
    /// A case begins.
    Began(&'a Case),
    /// A case is over.
    Ended(&'a CaseResult),
}

/// The peer answered nothing, or this side could not ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoAnswer(pub String);

impl std::fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NoAnswer {}

/// The most messages of signalling of one run.
const MOST_MESSAGES: u64 = 5_000;
/// The longest that a case may take.
const LONGEST: Duration = Duration::from_secs(60);
/// Between two cases: a peer with one line hangs up first.
const BREATH: Duration = Duration::from_millis(100);

/// Runs the cases, one after the other, and says how far it is.
///
/// # Errors
///
/// [`NoAnswer`] where the peer answers neither OPTIONS nor INVITE at the beginning, or no socket can be opened.
pub async fn run(options: Options, mut observe: impl FnMut(Progress<'_>)) -> Result<Run, NoAnswer> {
    let wire = Arc::new(Wire::new(options.tap.clone(), options.rate, MOST_MESSAGES));
    let began = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let open = |facts: Facts| Lab::open(options.peer.clone(), facts, options.patience, Arc::clone(&wire));
    let no_socket = |e| NoAnswer(format!("cannot open a socket on {}: {e}", options.peer.local));
    let mut lab = open(Facts::default()).await.map_err(no_socket)?;
    let found = Facts::find_out(&mut lab).await;
    lab.clear_up().await;
    drop(lab);
    let Some(facts) = found else {
        return Err(NoAnswer(format!("{} answers neither OPTIONS nor INVITE", options.peer.address)));
    };
    observe(Progress::Surveyed(&facts));
    let mut results: Vec<CaseResult> = Vec::new();
    let mut gone: Option<&'static str> = None;
    for case in options.cases() {
        observe(Progress::Began(case));
        tokio::time::sleep(BREATH).await;
        let start = wire.elapsed();
        let mut lab = open(facts.clone()).await.map_err(no_socket)?;
        let (verdict, exchange) = match gone {
            Some(culprit) if !alive(&mut lab, Duration::from_millis(200)).await => {
                let why = format!("not run: the peer stopped answering in {culprit}");
                (Verdict::Error(why), Exchange::default())
            }
            _ => {
                gone = None;
                let verdict = one(case, &mut lab).await;
                let verdict = survived(case, verdict, &mut lab, options.wait, &mut gone).await;
                (verdict, std::mem::take(&mut lab.exchange))
            }
        };
        results.push(CaseResult::new(case, verdict, start, wire.elapsed() - start, exchange));
        if let Some(result) = results.last() {
            observe(Progress::Ended(result));
        }
    }
    Ok(Run {
        uri: options.peer.uri.clone(),
        address: options.peer.address.to_string(),
        began_unix_s: began.as_secs(),
        took_s: wire.elapsed().as_secs_f64(),
        version: env!("CARGO_PKG_VERSION"),
        facts,
        counts: Run::count(&results),
        cases: results,
    })
}

/// Runs one script and clears up.
async fn one(case: &Case, lab: &mut Lab) -> Verdict {
    let result = match tokio::time::timeout(LONGEST, (case.script)(lab)).await {
        Ok(result) => result,
        Err(_) => Err(Finding::Error(format!("it took longer than {} s", LONGEST.as_secs()))),
    };
    if let Err(Finding::Fail(why) | Finding::Error(why)) = &result {
        lab.note(why.clone());
    }
    lab.clear_up().await;
    // One who answers a broken request copies what is broken.
    let excused = case.group() == "invalid";
    match (result, lab.offence().filter(|_| !excused)) {
        (Ok(()), Some(offence)) => Verdict::Fail(offence.to_owned()),
        (result, _) => result.into(),
    }
}

/// Says who is to blame where the peer does not answer any more, and waits for it to come back.
async fn survived(
    case: &Case,
    verdict: Verdict,
    lab: &mut Lab,
    wait: Duration,
    gone: &mut Option<&'static str>,
) -> Verdict {
    let asked = lab.now();
    let back = alive(lab, SILENCE).await || alive(lab, wait).await;
    let silent = (lab.now() - asked).as_secs_f64();
    if back && silent < HICCUP {
        return verdict;
    }
    let what = if back {
        format!("the peer was silent for {silent:.1} s after this: it hung, or died and was started again")
    } else {
        *gone = Some(case.name);
        "the peer does not answer any more after this".to_owned()
    };
    lab.note(what.clone());
    let before = verdict.reason().map_or(String::new(), |reason| format!(" (and before that: {reason})"));
    Verdict::Fail(format!("{what}{before}"))
}

/// How long a peer may be silent before it counts as gone.
const SILENCE: Duration = Duration::from_secs(4);
/// A request that is answered only at its second retransmission, seconds: more than a slow machine takes.
const HICCUP: f64 = 1.2;

/// Whether the peer answers, by a request that changes nothing.
async fn alive(lab: &mut Lab, patience: Duration) -> bool {
    let entries = lab.exchange.entries.len();
    let method = if lab.facts.options { "OPTIONS" } else { "BYE" };
    let mut ping = lab.request(method);
    if method == "BYE" {
        let to = format!("{};tag={}", ping.text("To"), lab.token());
        ping.set("To", to);
    }
    let octets = ping.bytes();
    let before = std::mem::replace(&mut lab.patience, patience);
    let answer = lab.outcome_as(&ping, &octets).await;
    lab.patience = before;
    let answered = matches!(answer, Ok(Some(_)));
    if answered {
        // It belongs to no case.
        lab.exchange.entries.truncate(entries);
    }
    answered
}
