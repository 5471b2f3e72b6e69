//! From datagrams to capture files, and from captures to calls and streams.
