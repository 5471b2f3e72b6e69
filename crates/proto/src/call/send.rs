//! Messages of a call's dialog on their way out: who they are from and where they go. RFC 3261 section 12.2.1.

use super::Call;
use crate::agent::core::Core;
use crate::sip::dialog::Dialog;
use crate::sip::transaction::{ClientKey, Endpoint, ServerKey};
use crate::sip::{HeaderName, NameAddrBuf, Request, Response, UriBuf};
use crate::time::Time;
use std::net::SocketAddr;

impl Call {
    /// A response within the dialog, or before there is one.
    pub(super) fn response(&self, core: &mut Core, request: &Request, status: u16) -> Response {
        match &self.dialog {
            Some(dialog) => dialog.response(request, status),
            None => core.response(request, status),
        }
    }

    pub(super) fn respond(
        &mut self,
        now: Time,
        core: &mut Core,
        key: ServerKey,
        request: &Request,
        status: u16,
    ) {
        let mut response = self.response(core, request, status);
        if status == 405 {
            response.headers.push(HeaderName::Allow, crate::agent::core::ALLOW);
        }
        core.respond(now, key, response);
    }

    /// Where a request in the dialog goes: where its route leads if that is an address that our socket can
    /// reach, else where the peer signals from. A way that was found is the only one.
    pub(super) fn way_of(&self, dialog: &Dialog) -> Endpoint {
        if self.path.is_some() {
            return self.way;
        }
        let destination = dialog.destination();
        let reachable = |a: &SocketAddr| a.is_ipv4() == self.way.local.is_ipv4() && a.port() != 0;
        let specified = |a: &SocketAddr| !a.ip().is_unspecified();
        let remote = destination.filter(reachable).filter(specified).unwrap_or(self.way.remote);
        Endpoint { remote, ..self.way }
    }

    /// Sends a request in the dialog; `None` where it could not be sent.
    pub(super) fn send(&mut self, now: Time, core: &mut Core, request: Request) -> Option<ClientKey> {
        let way = self.dialog.as_ref().map_or(self.way, |d| self.way_of(d));
        let method = request.method.clone();
        match core.request(now, request, way) {
            Ok(key) => {
                self.news.clients.push(key);
                self.asked.push((key, method));
                Some(key)
            }
            Err(error) => {
                tracing::warn!(%error, call = self.handle.0, "a request was not sent");
                None
            }
        }
    }

    pub(super) fn learn_dialog(&mut self, dialog: &Dialog) {
        self.ids.push(dialog.id().clone());
        self.news.dialogs.push(dialog.id().clone());
    }

    /// The local URI of this call, for From.
    pub(super) fn local_uri(&self, core: &Core) -> UriBuf {
        UriBuf::sip(Some(&core.config.user), self.way.local.ip(), Some(self.way.local.port()))
    }

    /// Where requests of the peer reach this side: behind a NAT, the address that the peer sees.
    pub(super) fn contact(&self, core: &Core) -> NameAddrBuf {
        let seen = self.way.sent_by;
        NameAddrBuf::new(UriBuf::sip(Some(&core.config.user), seen.ip(), Some(seen.port())))
    }
}
