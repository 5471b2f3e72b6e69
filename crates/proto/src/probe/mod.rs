//! Asking a peer what it can do, and how much goes through to it: OPTIONS (RFC 3261 section 11) as a measurement.
//!
//! [`Questions`] writes requests, each a transaction of its own, and finds the answer to each; [`Answer`] is what the
//! peer said; [`MtuSearch`] chooses the sizes by which the largest request is found that gets through.

mod answer;
mod mtu;

pub use answer::{Answer, MediaLine};
pub use mtu::{Bound, MtuSearch, PathMtu, Tried};

use crate::limits::Limits;
use crate::sip::{
    CSeq, HeaderName, MAGIC_COOKIE, Message, Method, NameAddrBuf, Request, UriBuf, ViaBuf, ids,
};
use bytes::Bytes;
use rand_core::RngCore;
use std::net::SocketAddr;

/// The field that fills a request up to the size wanted. No peer knows it, and so every peer must pass over it (RFC
/// 3261 section 8.2.2).
const PADDING: &str = "X-Padding";
/// What its name, colon, space and line end take.
const PADDING_FRAME: usize = PADDING.len() + 4;
/// The longest value of one such field.
const PADDING_VALUE: usize = 1_000;

/// The bodies that an answer is read from.
const ACCEPT: &str = "application/sdp";

/// Whom OPTIONS goes to, and as whom.
#[derive(Clone, Debug)]
pub struct Asking<'a> {
    /// The Request-URI.
    pub target: UriBuf,
    /// Our own URI, for From and Contact.
    pub local: UriBuf,
    /// The tag of From.
    pub tag: &'a str,
    /// The Call-ID.
    pub call_id: &'a str,
    /// The number in CSeq.
    pub sequence: u32,
    /// What answers may carry, for Accept.
    pub accept: &'a str,
}

impl Asking<'_> {
    /// OPTIONS outside of any call (RFC 3261 section 11.1), without Via and User-Agent.
    pub fn to_request(&self) -> Request {
        let mut request = Request::new(Method::Options, self.target.clone());
        let headers = &mut request.headers;
        headers.push(HeaderName::MaxForwards, 70u32);
        headers.push(HeaderName::From, NameAddrBuf::new(self.local.clone()).with_tag(self.tag));
        headers.push(HeaderName::To, NameAddrBuf::new(self.target.clone()));
        headers.push(HeaderName::CallId, self.call_id);
        headers.push(HeaderName::CSeq, CSeq { seq: self.sequence, method: Method::Options });
        headers.push(HeaderName::Contact, NameAddrBuf::new(self.local.clone()));
        headers.push(HeaderName::Accept, self.accept);
        request
    }
}

/// A request that can be sent, and by what its answer is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The datagram.
    pub data: Bytes,
    branch: String,
}

/// A run of OPTIONS requests to one peer.
#[derive(Clone, Debug)]
pub struct Questions {
    target: UriBuf,
    local: SocketAddr,
    user: String,
    user_agent: String,
}

impl Questions {
    /// Questions to `target` from `local`, which becomes the address in Via and Contact. `user` is who asks, and
    /// `user_agent` by what program.
    pub fn new(target: UriBuf, local: SocketAddr, (user, user_agent): (&str, &str)) -> Self {
        Questions { target, local, user: user.to_owned(), user_agent: user_agent.to_owned() }
    }

    /// The next question, filled up to this many octets as near as can be: it is never larger, but where even the
    /// plain one is.
    pub fn next(&self, octets: usize, rng: &mut impl RngCore) -> Question {
        let (tag, call_id) = (ids::token(rng), format!("{}@{}", ids::token(rng), self.local.ip()));
        let asking = Asking {
            target: self.target.clone(),
            local: UriBuf::sip(Some(&self.user), self.local.ip(), Some(self.local.port())),
            tag: &tag,
            // Outside of dialogs each request has one of its own (RFC 3261 section 8.1.1.4).
            call_id: &call_id,
            sequence: 1,
            accept: ACCEPT,
        };
        let mut request = asking.to_request();
        let branch = format!("{MAGIC_COOKIE}{}", ids::token(rng));
        let via = ViaBuf { transport: "UDP", sent_by: self.local, branch: branch.clone(), rport: true };
        request.headers.push_front(HeaderName::Via, via);
        request.headers.push(HeaderName::UserAgent, self.user_agent.as_str());
        let missing = octets.saturating_sub(request.to_bytes().len());
        for value in padding(missing) {
            request.headers.push(HeaderName::Other(PADDING), "x".repeat(value).as_str());
        }
        Question { data: request.to_bytes(), branch }
    }
}

impl Question {
    /// What the peer said, where this datagram is its final response to this question.
    pub fn answer(&self, data: &[u8]) -> Option<Answer> {
        let limits = Limits::default();
        let Ok(Message::Response(mut response)) = Message::parse(data, &limits) else { return None };
        let ours = response.headers.via().is_ok_and(|via| via.branch() == Some(self.branch.as_bytes()));
        if !ours || response.is_provisional() {
            return None;
        }
        // A body that cannot be decoded is one that cannot be read.
        let _ = response.decode_body(&limits);
        Some(Answer::read(&response, &limits))
    }
}

/// The lengths of the values that fill up this many octets.
fn padding(missing: usize) -> Vec<usize> {
    let mut values = Vec::new();
    let mut missing = missing;
    while missing > PADDING_FRAME {
        let whole = PADDING_FRAME + PADDING_VALUE;
        let field = match missing {
            // What is left over could be too little for a field of its own.
            missing if missing > whole && missing - whole <= PADDING_FRAME => whole - PADDING_FRAME,
            missing => missing.min(whole),
        };
        values.push(field - PADDING_FRAME);
        missing -= field;
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::Response;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    fn questions() -> Questions {
        let local = "192.0.2.1:16402".parse().unwrap();
        Questions::new(UriBuf::new("sip:a@192.0.2.2").unwrap(), local, ("me", "mine"))
    }

    #[test]
    fn a_question_has_the_size_that_was_asked_for_to_the_octet() {
        let mut rng = ChaCha20Rng::from_seed([1; 32]);
        let questions = questions();
        let plain = questions.next(0, &mut rng).data.len();
        assert!((300..500).contains(&plain), "{plain}");
        let sizes = (plain + 14..plain + 3_100).chain([9_000, 65_507]);
        for size in sizes {
            let question = questions.next(size, &mut rng);
            assert_eq!(question.data.len(), size);
            let read = Message::parse(&question.data, &Limits::default());
            assert!(matches!(read, Ok(Message::Request(_))), "{size}: {read:?}");
        }
    }

    #[test]
    fn an_answer_belongs_to_its_question_alone_and_is_final() {
        let mut rng = ChaCha20Rng::from_seed([2; 32]);
        let questions = questions();
        let [first, second] = [(); 2].map(|()| questions.next(0, &mut rng));
        let respond = |question: &Question, status| {
            let Ok(Message::Request(request)) = Message::parse(&question.data, &Limits::default()) else {
                panic!("a request")
            };
            Response::to_request(&request, status).to_bytes()
        };
        assert_eq!(first.answer(&respond(&first, 404)).map(|a| a.status), Some(404));
        assert_eq!(first.answer(&respond(&second, 200)), None);
        assert_eq!(first.answer(&respond(&first, 100)), None);
        assert_eq!(first.answer(&first.data), None, "a request is no answer");
        assert_eq!(first.answer(b"\x00\x01"), None);
    }
}
