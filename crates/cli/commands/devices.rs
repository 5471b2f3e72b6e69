//! `visavis devices`: microphones, speakers and cameras that can really be opened, and a test for each.

#[cfg(feature = "devices")]
mod list;
#[cfg(feature = "devices")]
mod trial;

use crate::Failure;
use crate::args::DevicesArgs;
use crate::output::Output;

#[cfg(feature = "devices")]
pub(crate) async fn run(args: DevicesArgs, output: &Output) -> Result<(), Failure> {
    let choice = |which: &Option<String>| which.as_deref().map(crate::live::choice);
    if let Some(which) = choice(&args.test_mic) {
        trial::microphone(&which, args.duration, output).await
    } else if let Some(which) = choice(&args.test_speaker) {
        trial::speaker(&which, args.duration, output).await
    } else if let Some(which) = choice(&args.test_camera) {
        trial::camera(&which, &args.out, output).await
    } else {
        list::run(output);
        Ok(())
    }
}

#[cfg(not(feature = "devices"))]
#[allow(clippy::unused_async, reason = "with devices it waits for them")]
pub(crate) async fn run(_: DevicesArgs, _: &Output) -> Result<(), Failure> {
    Err(crate::live::missing())
}
