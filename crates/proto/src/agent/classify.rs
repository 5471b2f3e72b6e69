//! Questions about the NAT in front of this machine, asked from the main socket.

use super::Agent;
use super::core::Core;
use crate::io::{Event, PacketKind, RequestId, Transmit};
use crate::nat::{Classifier, ClassifierConfig};
use crate::stun;
use crate::time::Time;
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// All classifications that run.
#[derive(Default)]
pub(super) struct Classifiers {
    running: BTreeMap<RequestId, Classifier>,
}

impl Classifiers {
    pub(super) fn next_timeout(&self) -> Option<Time> {
        self.running.values().filter_map(Classifier::next_timeout).min()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    /// Sends what is due, and reports what is known.
    fn follow(&mut self, now: Time, core: &mut Core) {
        self.running.retain(|request, classifier| {
            while let Some((remote, data)) = classifier.poll(now) {
                if let Some((socket, _)) = core.main {
                    core.transmit(Transmit { socket, local: None, remote, data, kind: PacketKind::Stun });
                }
            }
            let Some(result) = classifier.result().cloned() else { return true };
            core.event(Event::Classified { request: *request, result });
            false
        });
    }
}

impl Agent {
    /// Begins to ask `servers`.
    pub(super) fn classify(
        &mut self,
        now: Time,
        request: RequestId,
        servers: &[SocketAddr],
        locals: &[SocketAddr],
    ) {
        let config = ClassifierConfig::default();
        let classifier = Classifier::new(now, config, locals, servers, &mut self.core.rng);
        self.classifiers.running.insert(request, classifier);
        self.classifier_timeout(now);
    }

    /// Offers a STUN message to the classifications; whether one of them took it. That may be a request of our own,
    /// turned round by the NAT.
    pub(super) fn classifier_stun(&mut self, now: Time, remote: SocketAddr, message: &stun::Message) -> bool {
        let taken = self.classifiers.running.values_mut().any(|c| c.handle(now, message, remote));
        if taken {
            self.classifier_timeout(now);
        }
        taken
    }

    pub(super) fn classifier_timeout(&mut self, now: Time) {
        self.classifiers.follow(now, &mut self.core);
    }
}
