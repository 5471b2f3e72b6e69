//! The UDP ports that a call receives its media on.

use super::section::LocalPorts;
use crate::agent::PortPlan;
use crate::agent::core::Core;
use crate::frame::MediaKind;
use crate::io::{OpenError, Output, RequestId, SocketId};
use crate::sip::transaction::Endpoint;
use std::net::{IpAddr, SocketAddr};

/// What is open and what was asked for. Empty where media share the port of signalling.
#[derive(Debug, Default)]
pub(super) struct Ports {
    pairs: Vec<Pair>,
}

#[derive(Debug)]
struct Pair {
    kind: MediaKind,
    local: IpAddr,
    asked: Option<RequestId>,
    rtp: Option<(SocketId, SocketAddr)>,
    rtcp: Option<(SocketId, SocketAddr)>,
}

impl Ports {
    /// Asks for the sockets that the plan wants; whether there is anything to wait for.
    pub(super) fn reserve(&mut self, core: &mut Core, asked: &mut Vec<RequestId>, local: IpAddr) -> bool {
        let PortPlan::Separate { pool } = core.config.ports.clone() else { return false };
        if !self.pairs.is_empty() {
            return !self.are_ready();
        }
        let media = core.config.media;
        for (kind, wanted) in [(MediaKind::Audio, media.audio), (MediaKind::Video, media.video)] {
            if wanted {
                let request = core.request_id();
                asked.push(request);
                core.output(Output::OpenSocket { request, local, ports: pool.clone() });
                self.pairs.push(Pair { kind, local, asked: Some(request), rtp: None, rtcp: None });
            }
        }
        !self.are_ready()
    }

    pub(super) fn are_ready(&self) -> bool {
        self.pairs.iter().all(|p| p.asked.is_none())
    }

    /// Takes an opened socket: after that for RTP, the next port is asked for, for RTCP. Where that is taken,
    /// RTCP shares the port of RTP.
    pub(super) fn opened(
        &mut self,
        core: &mut Core,
        asked: &mut Vec<RequestId>,
        request: RequestId,
        result: Result<(SocketId, SocketAddr), OpenError>,
    ) -> Result<(), OpenError> {
        let Some(pair) = self.pairs.iter_mut().find(|p| p.asked == Some(request)) else {
            if let Ok((socket, _)) = result {
                core.output(Output::CloseSocket(socket));
            }
            return Ok(());
        };
        pair.asked = None;
        match (result, pair.rtp) {
            (Ok(socket), None) => {
                pair.rtp = Some(socket);
                if let Some(next) = socket.1.port().checked_add(1) {
                    let request = core.request_id();
                    asked.push(request);
                    pair.asked = Some(request);
                    core.output(Output::OpenSocket { request, local: pair.local, ports: vec![next] });
                }
                Ok(())
            }
            (Ok(socket), Some(_)) => {
                pair.rtcp = Some(socket);
                Ok(())
            }
            (Err(_), Some(_)) => Ok(()),
            (Err(error), None) => Err(error),
        }
    }

    /// Where a medium is received; `way` is that of signalling.
    pub(super) fn of(&self, kind: MediaKind, way: &Endpoint) -> LocalPorts {
        let pair = self.pairs.iter().find(|p| p.kind == kind);
        let rtp = pair.and_then(|p| p.rtp).unwrap_or((way.socket, way.local));
        let rtcp = pair.and_then(|p| p.rtcp).unwrap_or(rtp);
        LocalPorts { rtp, rtcp }
    }

    pub(super) fn close(&mut self, core: &mut Core) {
        for pair in self.pairs.drain(..) {
            for (socket, _) in pair.rtp.into_iter().chain(pair.rtcp) {
                core.output(Output::CloseSocket(socket));
            }
        }
    }
}
