//! What an agent has counted since it began.

/// Counts of an agent, over all its calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Datagrams in, by kind.
    pub received: Received,
    /// Datagrams dropped, by reason.
    pub dropped: Dropped,
    /// Datagrams out.
    pub sent: u64,
    /// STUN requests answered that belong to no peer's checks.
    pub stun_answered: u64,
    /// Calls that came in.
    pub calls_in: u64,
    /// Calls placed.
    pub calls_out: u64,
    /// Requests answered with a final status of 400 or more.
    pub requests_refused: u64,
}

/// Datagrams that arrived, by kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// SIP.
    pub sip: u64,
    /// STUN.
    pub stun: u64,
    /// RTP.
    pub rtp: u64,
    /// RTCP.
    pub rtcp: u64,
    /// Keep-alives.
    pub keep_alive: u64,
    /// DTLS.
    pub dtls: u64,
    /// ZRTP.
    pub zrtp: u64,
    /// TURN ChannelData.
    pub turn_channel: u64,
    /// Everything else.
    pub unknown: u64,
}

/// Datagrams dropped, by reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// SIP that could not be read, and was not answered.
    pub sip_malformed: u64,
    /// SIP responses that answer nothing, ACKs that acknowledge nothing, retransmissions of what has ended.
    pub sip_stray: u64,
    /// SIP past a limit, or larger than is read.
    pub sip_limit: u64,
    /// SIP bodies whose coding is not known, broken, or inflates past the limit.
    pub sip_coded: u64,
    /// RTP that belongs to no call.
    pub rtp_stray: u64,
    /// RTP that its section did not accept: malformed, duplicate, another payload type, probation.
    pub rtp_refused: u64,
    /// RTCP that belongs to no call or cannot be read.
    pub rtcp_stray: u64,
    /// RTP of a call whose keys are not agreed on yet, or that is no SRTP under them.
    pub srtp_refused: u64,
    /// RTP or RTCP of a call that came from elsewhere than the way that was found for it.
    pub rtp_off_path: u64,
    /// STUN that could not be read.
    pub stun_malformed: u64,
    /// STUN responses to nothing that was asked, and indications.
    pub stun_stray: u64,
    /// STUN requests that were not answered because too much was asked.
    pub stun_limited: u64,
    /// STUN checks of somebody who claimed to be a peer at another address.
    pub stun_off_path: u64,
    /// INVITEs that nobody expected.
    pub invite_unexpected: u64,
    /// A kind of datagram that this endpoint has no use for.
    pub unwanted: u64,
    /// Coded frames that could not be sent: no section, no format, a full pacer.
    pub frames: u64,
    /// Outputs given up because nobody polled.
    pub outputs: u64,
}
