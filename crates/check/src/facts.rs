//! What is known of the peer before the first case: cases that need a thing it lacks do not apply.

use crate::case::Finding;
use crate::lab::{Call, Lab, Offer, Which};
use serde::Serialize;
use visavis_proto::sip::{HeaderName, Response};

/// What the peer is and can do, as far as it shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Facts {
    /// What it calls itself: User-Agent or Server.
    pub user_agent: Option<String>,
    /// Whether it answers OPTIONS.
    pub options: bool,
    /// Allow of its responses.
    pub allow: Vec<String>,
    /// Supported of its responses.
    pub supported: Vec<String>,
    /// Why it takes no calls; `None` where it does.
    pub refusal: Option<String>,
    /// The codec that it chose for sound.
    pub sound: Option<String>,
    /// H.264, where it takes it.
    pub pictures: Option<String>,
}

impl Facts {
    /// Whether Allow names a method.
    pub fn allows(&self, method: &str) -> bool {
        self.allow.iter().any(|m| m == method)
    }

    fn learn(&mut self, response: &Response) {
        let headers = &response.headers;
        let agent = headers.user_agent().or_else(|| headers.text(HeaderName::Server));
        self.user_agent = self.user_agent.take().or(agent);
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        for method in headers.allow().map(text) {
            if !self.allow.contains(&method) {
                self.allow.push(method);
            }
        }
        for tag in headers.supported().map(text) {
            if !self.supported.contains(&tag) {
                self.supported.push(tag);
            }
        }
    }

    /// Asks the peer what it can do and calls it once. `None` where it answers nothing at all.
    pub(crate) async fn find_out(lab: &mut Lab) -> Option<Facts> {
        let mut facts = Facts::default();
        let options = lab.request("OPTIONS");
        let answer = lab.outcome_as(&options, &options.bytes()).await.ok().flatten();
        facts.options = answer.is_some();
        if let Some(response) = &answer {
            facts.learn(response);
        }
        for offer in [lab.sound_and_pictures(), lab.sound()] {
            facts.refusal = match facts.try_call(lab, offer).await {
                Ok(()) => None,
                Err(Finding::Fail(why) | Finding::NotApplicable(why) | Finding::Error(why)) => Some(why),
            };
            // Nobody is called twice who says nothing at all.
            if facts.refusal.is_none() || lab.seen.is_empty() {
                break;
            }
        }
        (!lab.seen.is_empty()).then_some(facts)
    }

    async fn try_call(&mut self, lab: &mut Lab, offer: Offer) -> Result<(), Finding> {
        let call: Call = lab.call_with(offer, |_| {}).await?;
        self.learn(&call.ok);
        self.sound = call.format(Which::Audio).map(|(_, name, rate)| format!("{name}/{rate}"));
        self.pictures = call.format(Which::Video).map(|(_, name, _)| name);
        Ok(())
    }
}
