//! RTP and RTCP (RFC 3550): sessions, statistics, reordering and playout, payload formats.
