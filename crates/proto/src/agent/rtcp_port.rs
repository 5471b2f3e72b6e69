//! The port after ours, for peers that know nothing of `a=rtcp`.
//!
//! With one port for everything, our descriptions name it for RTCP too (RFC 3605). A peer that does not read
//! that line sends its RTCP to the next port (RFC 3550 section 11): so while a call with such a peer is up, that
//! port is listened on, if it is free.

use super::core::Core;
use super::{PortPlan, RequestId};
use crate::call::Call;
use crate::io::{OpenError, Output, SocketId};
use std::net::SocketAddr;

#[derive(Debug, Default)]
pub(super) enum RtcpPort {
    #[default]
    Closed,
    Asked(RequestId),
    Open(SocketId),
    /// Somebody else has it. It is not asked for again until all calls are over.
    Taken,
}

impl RtcpPort {
    /// Asks for the port if this call's peer may need it.
    pub(super) fn watch(&mut self, core: &mut Core, call: &Call) {
        let (RtcpPort::Closed, PortPlan::One, Some((_, main))) = (&*self, &core.config.ports, core.main)
        else {
            return;
        };
        if core.config.signalling_only {
            return;
        }
        // Who says nothing of RTCP's port has it default to the next one, and may expect that of us.
        let silent = |s: &crate::call::section::MediaSection| {
            let ports =
                s.agreed.remote.zip(s.agreed.remote_rtcp).map(|(rtp, rtcp)| (rtp.port(), rtcp.port()));
            !s.agreed.rtcp_mux && ports.is_some_and(|(rtp, rtcp)| rtp.checked_add(1) == Some(rtcp))
        };
        if call.media().iter().any(silent)
            && let Some(port) = main.port().checked_add(1)
        {
            let request = core.request_id();
            core.output(Output::OpenSocket { request, local: main.ip(), ports: vec![port] });
            *self = RtcpPort::Asked(request);
        }
    }

    pub(super) fn is_asked(&self, request: RequestId) -> bool {
        matches!(self, RtcpPort::Asked(asked) if *asked == request)
    }

    pub(super) fn opened(&mut self, result: Result<(SocketId, SocketAddr), OpenError>) {
        *self = match result {
            Ok((socket, _)) => RtcpPort::Open(socket),
            Err(error) => {
                tracing::debug!(error = error.0, "RTCP of peers that do not read a=rtcp will not be heard");
                RtcpPort::Taken
            }
        };
    }

    /// The last call is over.
    pub(super) fn close(&mut self, core: &mut Core) {
        match std::mem::take(self) {
            RtcpPort::Open(socket) => core.output(Output::CloseSocket(socket)),
            // The answer is still to come, and closes what it brings.
            RtcpPort::Asked(_) | RtcpPort::Closed | RtcpPort::Taken => {}
        }
    }
}
