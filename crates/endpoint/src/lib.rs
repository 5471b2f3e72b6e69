//! visavis on tokio, sockets, clock, codec threads and the public API.
