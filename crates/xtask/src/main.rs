//! Set-up, checks, interop, fuzz, soak and benchmarks, run as `cargo xtask <name>`.

fn main() {}
