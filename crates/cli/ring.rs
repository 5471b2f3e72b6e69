//! What a call that rings sounds like: two strokes, then a pause, again and again.

use crate::output::Output;
use std::convert::Infallible;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// When the strokes of a round begin, from its start, and how long a round is.
const STROKES: [Duration; 2] = [Duration::ZERO, Duration::from_millis(600)];
const ROUND: Duration = Duration::from_secs(3);

/// Where it sounds.
#[derive(Clone, Debug)]
pub(crate) struct Ringer {
    output: Output,
}

impl Ringer {
    /// On the terminal, as its bell.
    pub(crate) fn of_the_terminal(output: &Output) -> Self {
        Ringer { output: output.clone() }
    }

    /// Rings until it is dropped.
    pub(crate) async fn ring(&self) -> Infallible {
        let begun = Instant::now();
        for round in 0u32.. {
            for stroke in STROKES {
                sleep_until(begun + ROUND * round + stroke).await;
                self.output.bell();
            }
        }
        std::future::pending().await
    }
}
