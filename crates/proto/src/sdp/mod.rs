//! SDP (RFC 8866) and its offer/answer model (RFC 3264).
