//! What one network peer, and all of them together, may cost: every bound in one place, each a knob.

/// The bounds that the parsers and the state machines hold to.
///
/// Past a bound, input is counted and dropped, or answered as the RFC says (513, 503); nothing else in the
/// endpoint is harmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest SIP message, octets.
    pub sip_message: usize,
    /// The most header fields in one SIP message (a comma list counts as one field).
    pub sip_headers: usize,
    /// The most values read from the comma lists of one header name (Via, Route, ...).
    pub sip_list_values: usize,
    /// The most octets that a coded SIP body may inflate to.
    pub sip_inflated: usize,
    /// The largest SDP body, octets.
    pub sdp_body: usize,
    /// The most media sections read from one SDP.
    pub sdp_media: usize,
    /// The most attributes (`a=`) read from one SDP.
    pub sdp_attributes: usize,
    /// The most calls at once.
    pub calls: usize,
    /// The most SIP transactions at once, both directions.
    pub transactions: usize,
    /// The most SIP transactions at once that one source address (IP and port) may hold.
    pub transactions_per_source: usize,
    /// The most remote SSRCs tracked in one media section.
    pub ssrcs: usize,
    /// The most SSRCs that one SRTP key serves.
    pub srtp_sources: usize,
    /// The most packets that one jitter buffer holds.
    pub jitter_packets: usize,
    /// The largest access unit put together from packets, octets.
    pub access_unit: usize,
    /// The largest body of a key exchange, put together from its fragments, octets.
    pub ske_body: usize,
    /// The most fragments taken from the peer in one key exchange.
    pub ske_fragments: usize,
    /// The most outputs queued and not yet polled.
    pub outputs: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            sip_message: 65_535,
            sip_headers: 256,
            sip_list_values: 70,
            sip_inflated: 65_536,
            sdp_body: 32_768,
            sdp_media: 16,
            sdp_attributes: 512,
            calls: 10_000,
            // Two for each call, and each lasts 32 s after its request (timers J and L): some 4,700 calls a second from
            // one source.
            transactions: 400_000,
            transactions_per_source: 300_000,
            ssrcs: 16,
            srtp_sources: 64,
            jitter_packets: 1_024,
            access_unit: 2 * 1024 * 1024,
            ske_body: 16_384,
            ske_fragments: 64,
            outputs: 65_536,
        }
    }
}
