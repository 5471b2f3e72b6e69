//! What a program wants of a call, and what becomes of it.

use super::{Call, Phase, Wanted, Wish};
use crate::agent::core::Core;
use crate::frame::MediaKind;
use crate::io::{Command, Done, EndReason, Event, NotDone, RequestId};
use crate::sip::transaction::ClientKey;
use crate::time::Time;

/// Commands whose outcome is open, and what it depends on. A change of the session is not among them: its wish
/// carries the request.
#[derive(Default)]
pub(super) struct Awaited(Vec<(RequestId, Until)>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Until {
    /// The INVITE is answered with 200.
    Accepted,
    /// This request has its final response.
    Answered(ClientKey, Option<&'static str>),
    /// The call is over.
    Over,
}

/// What a command has come to at once.
enum Begun {
    Done(Option<&'static str>),
    /// It is in the list of those whose outcome is open.
    Waits,
}

impl Call {
    /// Does what was asked; `request` names the report on it that is wanted.
    pub(crate) fn command(
        &mut self,
        now: Time,
        core: &mut Core,
        command: Command,
        request: Option<RequestId>,
    ) {
        let wish = match command {
            Command::Hold { .. } => Some(Wish::Hold(true)),
            Command::Resume { .. } => Some(Wish::Hold(false)),
            Command::Reinvite { media, .. } => Some(Wish::Media(media)),
            _ => None,
        };
        let begun = match wish {
            Some(wish) if matches!(self.phase, Phase::Up) => {
                return self.wish(now, core, Wanted { wish, request });
            }
            Some(_) => Err(NotDone::because("the call is not up")),
            None => self.begin(now, core, command, request),
        };
        match begun {
            Ok(Begun::Waits) => {}
            Ok(Begun::Done(how)) => self.report(core, request, Ok(Done { response: None, how })),
            Err(error) => {
                tracing::debug!(%error, call = self.handle.0, "a command was not carried out");
                self.report(core, request, Err(error));
            }
        }
    }

    fn begin(
        &mut self,
        now: Time,
        core: &mut Core,
        command: Command,
        request: Option<RequestId>,
    ) -> Result<Begun, NotDone> {
        match command {
            Command::Ring { status, .. } => {
                self.must_be_offered()?;
                self.ring(now, core, status);
                Ok(Begun::Done(None))
            }
            Command::Accept { .. } => {
                self.must_be_offered()?;
                let begun = self.wait(request, Until::Accepted);
                self.accept(now, core);
                Ok(begun)
            }
            Command::Reject { status, .. } => {
                self.must_be_offered()?;
                let begun = self.wait(request, Until::Over);
                self.reject(now, core, status);
                Ok(begun)
            }
            Command::Hangup { .. } => {
                let begun = self.wait(request, Until::Over);
                self.hangup(now, core, EndReason::LocalHangup);
                Ok(begun)
            }
            Command::Message { content_type, body, .. } => {
                let key = self.send_message(now, core, &content_type, body)?;
                Ok(self.wait(request, Until::Answered(key, None)))
            }
            Command::Dtmf { digit, duration, .. } => {
                let mut sections = self.media.sections.iter_mut().flatten();
                let audio = sections.find(|s| s.kind == MediaKind::Audio);
                let audio = audio.ok_or_else(|| NotDone::because("the call has no sound"))?;
                audio.dtmf(digit, duration)?;
                Ok(Begun::Done(None))
            }
            Command::RequestKeyframe { section, .. } => {
                let video = self.media.section(section).filter(|s| s.kind == MediaKind::Video);
                let video = video
                    .ok_or_else(|| NotDone::because(format!("media section {section} has no pictures")))?;
                match video.request_keyframe(now)? {
                    Some(how) => Ok(Begun::Done(Some(how))),
                    None => {
                        let key = self.request_keyframe_by_info(now, core)?;
                        Ok(self.wait(request, Until::Answered(key, Some("INFO"))))
                    }
                }
            }
            _ => Err(NotDone::because("this is no command to a call")),
        }
    }

    fn must_be_offered(&self) -> Result<(), NotDone> {
        match &self.phase {
            Phase::Offered(_) => Ok(()),
            Phase::Inviting(_) => Err(NotDone::because("the call was placed from here")),
            Phase::Up => Err(NotDone::because("the call is up already")),
            Phase::Leaving { .. } | Phase::Over => Err(NotDone::because("the call is being left")),
        }
    }

    fn wait(&mut self, request: Option<RequestId>, until: Until) -> Begun {
        self.awaited.0.extend(request.map(|request| (request, until)));
        Begun::Waits
    }

    /// Tells whoever wanted to know.
    pub(super) fn report(&self, core: &mut Core, request: Option<RequestId>, result: Result<Done, NotDone>) {
        if let Some(request) = request {
            core.event(Event::Outcome { request, result });
        }
    }

    /// The 200 to the INVITE went out.
    pub(super) fn report_accepted(&mut self, core: &mut Core) {
        for (request, _) in self.awaited.0.extract_if(.., |(_, until)| *until == Until::Accepted) {
            core.event(Event::Outcome { request, result: Ok(Done::default()) });
        }
    }

    /// A request of ours that a command stands behind was answered, or never will be (`None`).
    pub(super) fn request_answered(
        &mut self,
        core: &mut Core,
        key: ClientKey,
        response: Option<(u16, String)>,
    ) {
        let found = self.awaited.0.iter().position(|(_, u)| matches!(u, Until::Answered(k, _) if *k == key));
        let Some((request, until)) = found.map(|at| self.awaited.0.remove(at)) else { return };
        let how = if let Until::Answered(_, how) = until { how } else { None };
        let result = match response {
            Some((status, reason)) if (200..300).contains(&status) => {
                Ok(Done { response: Some((status, reason)), how })
            }
            Some((status, reason)) => {
                Err(NotDone { status: Some(status), why: format!("the peer answered {status} {reason}") })
            }
            None => Err(unanswered()),
        };
        core.event(Event::Outcome { request, result });
    }

    /// The changes that were still to come will not.
    pub(super) fn drop_wishes(&mut self, core: &mut Core) {
        let under_way = self.exchange.as_mut().and_then(|exchange| exchange.wanted.request.take());
        let waiting = self.wishes.drain(..).filter_map(|wanted| wanted.request);
        for request in under_way.into_iter().chain(waiting) {
            let result = Err(NotDone::because("the call is being left"));
            core.event(Event::Outcome { request, result });
        }
    }

    /// Nothing stays without an outcome.
    pub(super) fn report_at_end(&mut self, core: &mut Core, reason: &EndReason) {
        self.drop_wishes(core);
        for (request, until) in std::mem::take(&mut self.awaited.0) {
            let result = match until {
                Until::Over => Ok(Done::default()),
                Until::Accepted | Until::Answered(..) => {
                    Err(NotDone::because(format!("the call ended first: {reason}")))
                }
            };
            core.event(Event::Outcome { request, result });
        }
    }
}

/// What is said of a request that nobody answered.
pub(super) fn unanswered() -> NotDone {
    NotDone::because("no response came in time")
}
