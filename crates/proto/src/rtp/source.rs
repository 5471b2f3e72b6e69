//! What a receiver keeps of one source: RFC 3550 appendices A.1, A.3 and A.8.
