//! `visavis probe`: what a peer can do and what the network to it is like.

mod nat;
mod peer;

use crate::Failure;
use crate::args::ProbeArgs;
use crate::output::Output;

pub(crate) async fn run(args: ProbeArgs, output: &Output) -> Result<(), Failure> {
    let nat = if args.nat { nat::run(&args, output).await } else { Ok(()) };
    let peer = match &args.uri {
        Some(uri) => peer::run(uri, &args, output).await,
        None => Ok(()),
    };
    nat.and(peer)
}
