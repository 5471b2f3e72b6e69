//! `visavis answer`: answers calls until interrupted.

use super::{stopping, summary};
use crate::Failure;
use crate::args::{AnswerArgs, Profile};
use crate::ask::Questions;
use crate::control::{self, Calls};
use crate::counts;
use crate::impairment;
use crate::keep::Keep;
use crate::live::Live;
use crate::output::Output;
use crate::peer;
use crate::report::Report;
use crate::ring::Ringer;
use crate::session::{Script, follow, message};
use crate::setup::{self, Capture};
use crate::window::Show;
use serde_json::json;
use std::collections::HashMap;
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use visavis::proto::agent::AnswerPolicy;
use visavis::proto::io::CallHandle;
use visavis::report::Role;
use visavis::{Arrival, Call, CallControl, CallRecord, Endpoint, Expectation, MediaReport};

/// How many calls ended how, and what is waiting for its other half.
struct Tally {
    expected: Expectation,
    live: Live,
    records: HashMap<CallHandle, CallRecord>,
    reports: HashMap<CallHandle, MediaReport>,
    pages: Option<Report>,
    show: Option<Show>,
    /// Ends of calls that somebody reads in the window.
    ends: JoinSet<()>,
    ended: u64,
    bad: u64,
}

/// What whoever follows a call needs.
#[derive(Clone)]
struct Desk {
    output: Output,
    done: mpsc::UnboundedSender<(CallHandle, CallRecord)>,
    stop: watch::Receiver<bool>,
    calls: Calls,
    /// Who is asked about each call; `None`: nobody.
    questions: Option<Questions>,
    show: Option<Show>,
}

pub(crate) async fn run(args: AnswerArgs, show: Option<Show>, output: &Output) -> Result<(), Failure> {
    let expected = args.verdict.expectation(&args.media, &args.peer_media)?;
    let (questions, keys) = args
        .ask
        .then(|| Questions::begin(Ringer::new(args.live.speaker.as_deref(), output), show.is_some(), output))
        .transpose()?
        .unzip();
    let tickets = peer::tickets(&args.peer, &args.media)?;
    let mut options = setup::options(&args.endpoint, &args.media)?;
    options.listen = peer::listen(&args.peer, args.endpoint.listen)?;
    peer::arm(&mut options.agent, &args.media, tickets.as_ref(), args.peer.place.state.as_deref())?;
    options.agent.answer = match args.decline {
        Some(status) => AnswerPolicy::Decline(status),
        None if args.ring.is_zero() && !waits_for_somebody(&args) => AnswerPolicy::Accept,
        None => AnswerPolicy::Ask,
    };
    let mut live = Live::begin(&args.live, &mut options, output)?;
    setup::rotate(&args.media, &mut options);
    if let Some(show) = &show {
        show.arm(&mut options, args.live.mute);
        show.follow(&mut live);
    }
    options.impair = args.impair.impair();
    let impair = options.impair.clone();
    let pages = Report::begin(&args.report, "answer", &mut options.media)?;
    let path = args.endpoint.capture.clone().or_else(|| pages.as_ref().map(Report::capture));
    let capture = path.map(|path| Capture::start(&path, &mut options)).transpose()?;
    let endpoint = Endpoint::start(options).await?;
    let address = endpoint.local_addr();
    output.event("listening", || json!({ "address": address.to_string() }));
    match (&tickets, args.media.profile) {
        (Some(tickets), _) => output.say(format!(
            "looking for a way to {}, from UDP {address}; then its one call is answered, and no other",
            tickets.name()
        )),
        (None, Profile::Facetime2010) => output.say(format!(
            "answering calls on UDP {address}, open mode: anybody may call (--peer TICKET lets one peer in); Ctrl-C ends"
        )),
        (None, Profile::Softphone) => output.say(format!("answering calls on UDP {address}; Ctrl-C ends")),
    }
    let (done, mut finished) = mpsc::unbounded_channel();
    let stop = stopping();
    let mut interrupted = stop.subscribe();
    let calls = Calls::new(live.clone());
    if let Some(show) = &show {
        show.idle(format!("answering calls on UDP {address}"));
        show.serve(calls.clone(), keys, stop.clone(), output);
    } else {
        // Or nobody would notice that nobody types any more.
        drop(keys);
    }
    let desk = Desk {
        output: output.clone(),
        done,
        stop: stop.subscribe(),
        calls: calls.clone(),
        questions,
        show: show.clone(),
    };
    if args.control.control {
        control::follow_stdin(calls, output, stop);
    }
    let (records, reports) = (HashMap::new(), HashMap::new());
    let mut tally =
        Tally { expected, live, records, reports, pages, show, ends: JoinSet::new(), ended: 0, bad: 0 };
    let mut open = 0u64;
    let most = if tickets.is_some() { Some(1) } else { args.max_calls };
    if let Some(tickets) = tickets {
        open += 1;
        let record = CallRecord { incoming: true, ..CallRecord::outgoing(&tickets.name()) };
        desk.attend(endpoint.expect(tickets).await?, record, &args);
    }
    while most.is_none_or(|most| tally.ended < most) {
        tokio::select! {
            arrival = endpoint.accept() => match arrival {
                Some(Arrival::Call(call)) => {
                    open += 1;
                    desk.greet(call, &args);
                }
                Some(Arrival::Message { from, content_type, body }) => {
                    output.event("message", || message(None, &from, &content_type, &body));
                    output.say(format!("message from {from}: {} octets, {content_type}", body.len()));
                }
                None => break,
            },
            Some((handle, record)) = finished.recv() => {
                tally.records.insert(handle, record);
                tally.settle(handle, output);
            }
            Some((handle, report)) = endpoint.media_report() => {
                tally.reports.insert(handle, report);
                tally.settle(handle, output);
            }
            () = async { drop(interrupted.wait_for(|s| *s).await) } => {
                // The calls that are up say BYE by themselves; wait for them, or for another Ctrl-C.
                while tally.ended < open {
                    tokio::select! {
                        Some((handle, record)) = finished.recv() => {
                            tally.records.insert(handle, record);
                            tally.settle(handle, output);
                        }
                        Some((handle, report)) = endpoint.media_report() => {
                            tally.reports.insert(handle, report);
                            tally.settle(handle, output);
                        }
                        else => break,
                    }
                }
                break;
            }
        }
    }
    let counters = counts::report(&endpoint, output).await;
    impairment::report(&endpoint, impair.as_ref(), "here", args.impair.impair_log.as_deref(), output).await?;
    endpoint.shutdown().await;
    output.event("summary", || json!({ "calls": tally.ended, "bad": tally.bad }));
    let calls = if tally.ended == 1 { "call" } else { "calls" };
    output.say(format!("{} {calls}, {} bad", tally.ended, tally.bad));
    if let Some(capture) = capture {
        let (path, written) = capture.finish()?;
        output.say(format!("  {} packets in {}", written.written, path.display()));
        if let Some(pages) = tally.pages {
            pages.all(&counters, &path, output)?;
        }
    }
    tally.ends.join_all().await;
    if tally.bad == 0 { Ok(()) } else { Err(Failure::Bad) }
}

/// Whether a call that comes in is answered by the script or by a person, and by nobody else.
fn waits_for_somebody(args: &AnswerArgs) -> bool {
    args.ask || args.control.control && !args.auto_answer
}

impl Desk {
    /// Follows a call that came in on a task of its own.
    fn greet(&self, call: Call, args: &AnswerArgs) {
        let Some(incoming) = call.incoming().cloned() else { return };
        let handle = call.handle();
        self.output.event("incoming", || {
            json!({
                "call": handle.0, "from": incoming.from.to_string(), "to": incoming.to.to_string(),
                "remote": incoming.remote.to_string(), "call_id": incoming.call_id,
            })
        });
        self.output.say(format!("call {} from {} at {}", handle.0, incoming.from, incoming.remote));
        self.attend(call, incoming.record(), args);
    }

    /// Follows a call on a task of its own, and answers it after it has rung for as long as it should.
    fn attend(&self, call: Call, record: CallRecord, args: &AnswerArgs) {
        let handle = call.handle();
        let keep = Keep::new(&args.media.facetime);
        let watch = self.show.as_ref().map(Show::watch);
        let script = Script { duration: args.duration, keep, watch, ..Script::default() };
        let ring = Some(args.ring).filter(|ring| !ring.is_zero() && args.decline.is_none());
        let asked = self.questions.clone().zip(call.incoming().cloned());
        let Desk { output, done, stop, calls, .. } = self.clone();
        calls.add(&call);
        tokio::spawn(async move {
            let control = call.remote_control();
            let record = tokio::select! {
                record = follow(call, record, script, &output, stop) => record,
                never = async {
                    match asked {
                        Some((questions, incoming)) => questions.about(control, &incoming).await,
                        None => answer_after(control, ring).await,
                    }
                } => match never {},
            };
            calls.remove(handle.0);
            // The command may have ended meanwhile.
            let _ = done.send((handle, record));
        });
    }
}

/// Lets a call ring, then answers it, where that was asked for. Then it waits for ever.
async fn answer_after(control: CallControl, ring: Option<Duration>) -> Infallible {
    if let Some(ring) = ring {
        // The caller may give up meanwhile: then these are commands to a call that is over.
        let _ = control.ring(180).await;
        tokio::time::sleep(ring).await;
        let _ = control.accept().await;
    }
    std::future::pending().await
}

impl Tally {
    /// Prints a call once both its record and its media report are there.
    fn settle(&mut self, handle: CallHandle, output: &Output) {
        if !self.records.contains_key(&handle) || !self.reports.contains_key(&handle) {
            return;
        }
        let (Some(mut record), Some(media)) = (self.records.remove(&handle), self.reports.remove(&handle))
        else {
            return;
        };
        record.media = media;
        record.media.add_devices(self.live.report(handle));
        let verdict = record.verdict(&self.expected);
        self.ended += 1;
        self.bad += u64::from(!verdict.good);
        summary(output, handle.0, &record, &verdict);
        if let Some(show) = self.show.clone() {
            let (record, verdict) = (record.clone(), verdict.clone());
            self.ends.spawn(async move { show.over(handle.0, &record, &verdict).await });
        }
        if let Some(pages) = &mut self.pages {
            pages.keep(Role::Callee, handle.0, record, &verdict);
        }
    }
}
