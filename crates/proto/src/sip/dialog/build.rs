//! Messages inside a dialog: RFC 3261 sections 12.2.1.1, 12.1.1 and 13.2.2.4.

use super::{Dialog, target};
use crate::sip::{CSeq, HeaderName, Method, NameAddr, Request, Response, UriBuf};
use std::net::SocketAddr;

impl Dialog {
    /// The next request of this end, with its own CSeq number, Max-Forwards 70, and a Contact where the method
    /// refreshes the target or wants one. The Via is the transaction layer's, everything else the caller's.
    ///
    /// Not for ACK and CANCEL, which share the number of another request: see [`Dialog::ack`] and
    /// [`Transactions::cancel`](crate::sip::transaction::Transactions::cancel).
    pub fn request(&mut self, method: Method) -> Request {
        // A callee starts at 1; past 2^31 - 1 (section 8.1.1.5) a dialog has no numbers left, and wraps.
        let seq = self.local_seq.map_or(1, |seq| if seq < MAX_SEQ { seq + 1 } else { 1 });
        self.local_seq = Some(seq);
        self.build(method, seq)
    }

    /// The ACK for a 2xx to the INVITE with this CSeq number (section 13.2.2.4). It goes to
    /// [`Transactions::send_ack`](crate::sip::transaction::Transactions::send_ack).
    pub fn ack(&self, invite_seq: u32) -> Request {
        self.build(Method::Ack, invite_seq)
    }

    /// The response of this end to a request of the other: the To tag is that of the dialog, and what tells the
    /// other end about the dialog (Contact, and the INVITE's Record-Routes) is in 101-299 responses to INVITE
    /// and UPDATE (sections 8.2.6.2 and 12.1.1).
    pub fn response(&self, request: &Request, status: u16) -> Response {
        let mut response = Response::to_request(request, status);
        if status > 100 {
            response.set_to_tag(&String::from_utf8_lossy(&self.id.local_tag));
        }
        if (101..300).contains(&status) && matches!(request.method, Method::Invite | Method::Update) {
            response.headers.copy_from(&request.headers, HeaderName::RecordRoute);
            response.headers.push(HeaderName::Contact, &self.contact);
        }
        response
    }

    /// The URI that a request of this end is sent to (section 8.1.2): the topmost Route, or the remote target if
    /// there is none. With a strict router first, the Request-URI is that router.
    pub fn next_hop(&self) -> UriBuf {
        let first = self.route_set.first().and_then(|route| NameAddr::parse(route).ok());
        first.map_or_else(|| self.remote_target.clone(), |route| route.uri.to_owned())
    }

    /// The address in [`Dialog::next_hop`]; `None` where it holds a name, which takes a resolver (RFC 3263).
    pub fn destination(&self) -> Option<SocketAddr> {
        self.next_hop().view().ok()?.socket_addr()
    }

    fn build(&self, method: Method, seq: u32) -> Request {
        let as_request_uri =
            |uri: &UriBuf| uri.view().map_or_else(|_| uri.clone(), |uri| target::request_uri(&uri));
        let mut routes: Vec<&[u8]> = self.route_set.iter().map(Vec::as_slice).collect();
        let last_route;
        let uri = match routes.first().and_then(|first| NameAddr::parse(first).ok()) {
            Some(strict) if !strict.uri.is_loose_route() => {
                // The router replaces the Request-URI by the topmost Route, so the target goes last.
                last_route = [b"<", self.remote_target.as_bytes(), b">"].concat();
                routes.remove(0);
                routes.push(&last_route);
                target::request_uri(&strict.uri)
            }
            _ => as_request_uri(&self.remote_target),
        };
        let has_contact = matches!(
            method,
            Method::Invite | Method::Update | Method::Subscribe | Method::Notify | Method::Refer
        );
        let mut request = Request::new(method.clone(), uri);
        let headers = &mut request.headers;
        headers.push(HeaderName::MaxForwards, 70u32);
        for route in routes {
            headers.push(HeaderName::Route, route);
        }
        headers.push(HeaderName::From, &self.local);
        headers.push(HeaderName::To, &self.remote);
        headers.push(HeaderName::CallId, &*self.id.call_id);
        headers.push(HeaderName::CSeq, CSeq { seq, method });
        if has_contact {
            headers.push(HeaderName::Contact, &self.contact);
        }
        request
    }
}

/// The highest CSeq number, RFC 3261 section 8.1.1.5.
const MAX_SEQ: u32 = (1 << 31) - 1;
