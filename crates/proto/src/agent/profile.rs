//! The settings of the FaceTime-2010 profile: docs/facetime-2010.md says which of them the public record shows.

use super::{Config, PortPlan};
use crate::sdp::{Capabilities, Facetime2010};
use crate::sip::{FacetimeShape, Shape};
use std::time::Duration;

/// How long an expected INVITE may take after a way to its sender was found: 30 s in the services of the time.
pub const ARMED: Duration = Duration::from_secs(30);
/// Media silence that ends a call.
const SILENCE: Duration = Duration::from_secs(30);
/// The name that phones of 2010 gave in User-Agent.
const HISTORIC_NAME: &str = "Viceroy 1.4/GK";

impl Config {
    /// An agent of the FaceTime-2010 profile: everything on one port, the header set and the session description of
    /// the record, INVITEs answered at once. With `emulate` it gives the historic names too, and adds nothing to the
    /// offer; otherwise it goes by its own name and adds what other readers need.
    pub fn facetime2010(emulate: bool) -> Config {
        let own = Config::default();
        let settings = Facetime2010 { emulate, ..Facetime2010::default() };
        Config {
            user_agent: if emulate { HISTORIC_NAME.into() } else { own.user_agent.clone() },
            // The literal that every trace has: identities are display names.
            user: "user".into(),
            shape: Shape::Facetime2010(FacetimeShape::default()),
            capabilities: Capabilities::facetime2010(settings),
            ports: PortPlan::One,
            trying_at_once: true,
            media_silence: Some(SILENCE),
            ..own
        }
    }
}
