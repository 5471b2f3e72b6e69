//! INFO inside a call: requests for key frames (RFC 5168) and DTMF of peers that have no RFC 4733.

use super::timer::Timer;
use super::{Call, Phase};
use crate::agent::core::Core;
use crate::io::{Event, NotDone};
use crate::sip::transaction::{ClientKey, ServerKey};
use crate::sip::{HeaderName, Method, Request};
use crate::time::Time;
use std::time::Duration;

/// The bodies of INFO that this side reads.
const ACCEPT: &str = "application/media_control+xml, application/dtmf-relay";
/// The document of RFC 5168 section 5 that asks for a key frame.
const FAST_UPDATE: &str = "<?xml version=\"1.0\" encoding=\"utf-8\" ?>\r\n<media_control><vc_primitive><to_encoder>\
                           <picture_fast_update/></to_encoder></vc_primitive></media_control>\r\n";
/// The shortest time between two of our INFO requests.
const INTERVAL: Duration = Duration::from_secs(1);

impl Call {
    pub(super) fn info_received(&mut self, now: Time, core: &mut Core, key: ServerKey, request: &Request) {
        if request.headers.contains(HeaderName::Other("Info-Package")) {
            // RFC 6086 section 4.2.2: none was agreed on.
            let mut response = self.response(core, request, 469);
            response.headers.push(HeaderName::Other("Recv-Info"), "");
            return core.respond(now, key, response);
        }
        let content_type = request.headers.content_type();
        match content_type {
            Ok(None) if request.body.is_empty() => {}
            Ok(Some(t)) if t.is("application", "media_control+xml") => {
                let text = String::from_utf8_lossy(&request.body);
                if text.contains("picture_fast_update") {
                    for section in self.media.sections.iter_mut().flatten() {
                        section.keyframe_requested();
                    }
                }
            }
            Ok(Some(t)) if t.is("application", "dtmf-relay") => {
                if let Some((digit, duration)) = dtmf_relay(&request.body) {
                    core.event(Event::Dtmf { call: self.handle, digit, duration });
                }
            }
            _ => {
                let mut response = self.response(core, request, 415);
                response.headers.push(HeaderName::Accept, ACCEPT);
                return core.respond(now, key, response);
            }
        }
        self.respond(now, core, key, request, 200);
    }

    /// Asks for a key frame of a peer that knows no RTCP feedback, once a second at the most.
    pub(super) fn request_keyframe_by_info(
        &mut self,
        now: Time,
        core: &mut Core,
    ) -> Result<ClientKey, NotDone> {
        if !matches!(self.phase, Phase::Up) || !self.established {
            return Err(NotDone::because("the call is not up"));
        }
        if self.timers.is_set(Timer::Info) {
            return Err(NotDone::because("an INFO asked for one less than a second ago"));
        }
        self.timers.set(Timer::Info, Some(now + INTERVAL));
        let request = self.dialog.as_mut().map(|dialog| {
            let mut request = dialog.request(Method::Info);
            request.set_body("application/media_control+xml", FAST_UPDATE);
            request
        });
        let sent = request.and_then(|request| self.send(now, core, request));
        sent.ok_or_else(|| NotDone::because("not sent: too much is under way"))
    }
}

/// `Signal=5` and `Duration=160` (milliseconds) on lines of their own.
fn dtmf_relay(body: &[u8]) -> Option<(char, Duration)> {
    let text = String::from_utf8_lossy(body);
    let field = |name: &str| {
        text.lines().find_map(|l| {
            let (key, value) = l.split_once('=')?;
            key.trim().eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    };
    let digit = field("Signal")?.chars().next().filter(|c| "0123456789*#ABCD".contains(*c))?;
    let millis = field("Duration").and_then(|d| d.parse().ok()).unwrap_or(100u64);
    Some((digit, Duration::from_millis(millis.min(60_000))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dtmf_relay_names_a_key_and_perhaps_how_long_it_was_held() {
        assert_eq!(dtmf_relay(b"Signal=5\r\nDuration=160\r\n"), Some(('5', Duration::from_millis(160))));
        assert_eq!(dtmf_relay(b"signal = #"), Some(('#', Duration::from_millis(100))));
        assert_eq!(dtmf_relay(b"Signal=x"), None);
        assert_eq!(dtmf_relay(b""), None);
    }
}
