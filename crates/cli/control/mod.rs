//! Scripts: commands on stdin, and what becomes of them on stdout. `docs/scripting.md` is their manual.

mod perform;
mod request;
pub(crate) mod stdin;

use crate::live::Live;
use crate::output::Output;
use perform::{Begun, Refusal, begin};
use request::{Request, Unreadable, Verb};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use stdin::Line;
use tokio::sync::{Semaphore, mpsc, watch};
use visavis::CallControl;

/// Commands whose outcome may be open at once; the script waits for room.
const MAX_OPEN: usize = 256;

/// The calls that a script can name, and their devices.
#[derive(Clone, Debug, Default)]
pub(crate) struct Calls {
    calls: Arc<Mutex<BTreeMap<u64, CallControl>>>,
    live: Live,
}

impl Calls {
    /// No calls yet; these devices are for them.
    pub(crate) fn new(live: Live) -> Self {
        Calls { live, ..Calls::default() }
    }

    /// From now on a script can name this call.
    pub(crate) fn add(&self, call: &CallControl) {
        self.with(|calls| calls.insert(call.handle().0, call.clone()));
    }

    /// The call is over.
    pub(crate) fn remove(&self, call: u64) {
        self.with(|calls| calls.remove(&call));
    }

    /// Silences the microphone of every call, those to come among them, or lets it be heard.
    #[cfg(feature = "window")]
    pub(crate) fn mute_all(&self, muted: bool) {
        self.live.begin_muted(muted);
        let calls = self.with(|calls| calls.values().map(CallControl::handle).collect::<Vec<_>>());
        for call in calls {
            self.live.set_muted(call, muted);
        }
    }

    /// The call of this number that is not over.
    #[cfg(feature = "window")]
    pub(crate) fn numbered(&self, call: u64) -> Option<CallControl> {
        self.find(Some(call)).ok()
    }

    /// The latest call that is not over.
    #[cfg(feature = "window")]
    pub(crate) fn latest(&self) -> Option<CallControl> {
        self.find(None).ok()
    }

    /// The call of this number; the latest one where none is named.
    fn find(&self, call: Option<u64>) -> Result<CallControl, Refusal> {
        let found = self.with(|calls| match call {
            Some(number) => calls.get(&number).cloned(),
            None => calls.values().next_back().cloned(),
        });
        found.ok_or_else(|| match call {
            Some(number) => Refusal::because(format!("there is no call {number}")),
            None => Refusal::because("there is no call"),
        })
    }

    fn with<T>(&self, act: impl FnOnce(&mut BTreeMap<u64, CallControl>) -> T) -> T {
        act(&mut self.calls.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Carries out what stands on stdin, in its order. `stop` is told of `quit`.
pub(crate) fn follow_stdin(calls: Calls, output: &Output, stop: watch::Sender<bool>) {
    let lines = stdin::lines();
    tokio::spawn(run(lines, calls, output.clone(), stop));
}

async fn run(mut lines: mpsc::Receiver<Line>, calls: Calls, output: Output, stop: watch::Sender<bool>) {
    let open = Arc::new(Semaphore::new(MAX_OPEN));
    while let Some(Line { number, text }) = lines.recv().await {
        let parsed = text.map_err(|why| Unreadable { why, ..Unreadable::default() });
        let parsed = parsed.and_then(|text| Request::parse(&text));
        let reply = Reply::to(number, &parsed);
        let Request { call, verb, .. } = match parsed {
            Ok(request) => request,
            Err(unreadable) => {
                reply.give(&output, Err(Refusal::because(unreadable.why)));
                continue;
            }
        };
        match verb {
            Verb::Quit {} => {
                reply.give(&output, Ok(json!({})));
                stop.send_replace(true);
            }
            Verb::Wait { seconds } => {
                tokio::time::sleep(std::time::Duration::from_secs_f64(seconds)).await;
                reply.give(&output, Ok(json!({})));
            }
            verb => {
                let Ok(permit) = open.clone().acquire_owned().await else { return };
                // Begun one after the other; what becomes of each is waited for apart.
                let begun = match calls.find(call) {
                    Ok(call) => (Some(call.handle().0), begin(&call, &calls.live, verb).await),
                    Err(refusal) => (call, Err(refusal)),
                };
                let output = output.clone();
                tokio::spawn(async move {
                    let (call, begun) = begun;
                    let result = match begun {
                        Ok(begun) => Begun::outcome(begun).await,
                        Err(refusal) => Err(refusal),
                    };
                    reply.about(call).give(&output, result);
                    drop(permit);
                });
            }
        }
    }
}

/// Asks for a key frame in each section of a call that has pictures; why that cannot be.
#[cfg(feature = "window")]
pub(crate) async fn keyframe(call: &CallControl) -> Result<(), String> {
    let begun = perform::keyframe(call, None).await;
    let done = match begun {
        Ok(begun) => begun.outcome().await,
        Err(refusal) => Err(refusal),
    };
    done.map(drop).map_err(|refusal| refusal.why)
}

/// What every answer to a line says.
struct Reply(serde_json::Map<String, Value>);

impl Reply {
    fn to(line: u64, parsed: &Result<Request, Unreadable>) -> Self {
        let (command, call, id) = match parsed {
            Ok(request) => (Some(&request.command), request.call, &request.id),
            Err(unreadable) => (unreadable.command.as_ref(), unreadable.call, &unreadable.id),
        };
        let mut fields = serde_json::Map::new();
        fields.insert("line".into(), json!(line));
        fields.insert("command".into(), json!(command));
        fields.insert("call".into(), json!(call));
        if let Some(id) = id {
            fields.insert("id".into(), id.clone());
        }
        Reply(fields)
    }

    /// The call that was meant, where none was named.
    fn about(mut self, call: Option<u64>) -> Self {
        self.0.insert("call".into(), json!(call));
        self
    }

    fn give(mut self, output: &Output, result: Result<Value, Refusal>) {
        match result {
            Ok(more) => {
                if let Value::Object(more) = more {
                    self.0.extend(more);
                }
                output.event("done", || Value::Object(self.0));
            }
            Err(Refusal { status, why }) => {
                self.0.insert("status".into(), json!(status));
                self.0.insert("why".into(), json!(why));
                output.event("failed", || Value::Object(self.0));
            }
        }
    }
}
