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
    #[cfg(feature = "devices")]
    speaker: Option<visavis::media_codecs::device::Choice>,
}

impl Ringer {
    /// On a speaker; on the terminal, as its bell, where there is none or it cannot be had.
    pub(crate) fn new(speaker: Option<&str>, output: &Output) -> Self {
        #[cfg(not(feature = "devices"))]
        let _ = speaker;
        Ringer {
            output: output.clone(),
            #[cfg(feature = "devices")]
            speaker: speaker.map(crate::live::choice),
        }
    }

    /// Rings until it is dropped.
    pub(crate) async fn ring(&self) -> Infallible {
        #[cfg(feature = "devices")]
        if let Some(speaker) = &self.speaker {
            let error = tone::play(speaker).await;
            self.output.say(format!("it rings on the terminal alone: {error}"));
        }
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

/// A tone on a speaker.
#[cfg(feature = "devices")]
mod tone {
    use super::{ROUND, STROKES};
    use std::f64::consts::TAU;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;
    use tokio::sync::oneshot;
    use visavis::Clock;
    use visavis::media_codecs::Pcm;
    use visavis::media_codecs::device::{Choice, speaker};
    use visavis::media_codecs::sink::AudioSink;

    const RATE: u32 = 48_000;
    /// What the speaker is given at a time, and how long before it is heard.
    const BLOCK: Duration = Duration::from_millis(20);
    const AHEAD: Duration = Duration::from_millis(60);
    /// How long a stroke sounds, and how long it takes to come and go, that it does not click.
    const STROKE: f64 = 0.4;
    const RAMP: f64 = 0.01;
    /// The pitches of a stroke, Hz, and the peak of each.
    const PITCHES: [f64; 2] = [440.0, 480.0];
    const PEAK: f64 = 4_000.0;

    /// Rings until it is dropped; what is wrong, where it cannot.
    pub(super) async fn play(choice: &Choice) -> String {
        let stop = Stop(Arc::new(AtomicBool::new(false)));
        let (failed, failure) = oneshot::channel();
        let (choice, stopped) = (choice.clone(), stop.0.clone());
        // To open a device and to close it takes its time.
        let started = std::thread::Builder::new().name("visavis-ring".into()).spawn(move || {
            if let Err(error) = run(&choice, &stopped) {
                // The question may be answered meanwhile.
                let _ = failed.send(error);
            }
        });
        match started {
            Ok(_) => failure.await.unwrap_or_else(|_| "the speaker stopped".into()),
            Err(error) => format!("cannot start a thread: {error}"),
        }
    }

    /// Ends the thread when nobody waits for it any more.
    struct Stop(Arc<AtomicBool>);

    impl Drop for Stop {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    fn run(choice: &Choice, stopped: &AtomicBool) -> Result<(), String> {
        let clock = Clock::start();
        let mut sink =
            speaker::open(choice, Arc::new(move || clock.now())).map_err(|error| error.to_string())?;
        let (start, frames) = (clock.now(), RATE as usize * BLOCK.as_millis() as usize / 1_000);
        for block in 0u32.. {
            if stopped.load(Ordering::Relaxed) {
                break;
            }
            let at = start + BLOCK * block;
            std::thread::sleep(at.since(clock.now()));
            let first = u64::from(block) * frames as u64;
            let samples = (first..first + frames as u64).map(sample).collect();
            let sound = Pcm::new(samples, RATE, 1).map_err(|error| error.to_string())?.at(at + AHEAD);
            sink.play(&sound).map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// A sample of the ringing, by its number.
    fn sample(n: u64) -> i16 {
        let time = n as f64 / f64::from(RATE) % ROUND.as_secs_f64();
        let level = STROKES
            .map(|begins| time - begins.as_secs_f64())
            .map(|into| (into.min(STROKE - into) / RAMP).clamp(0.0, 1.0))
            .into_iter()
            .sum::<f64>();
        let wave: f64 = PITCHES.iter().map(|pitch| (TAU * pitch * time).sin()).sum();
        (PEAK * level * wave) as i16
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn there_are_two_strokes_and_a_pause_and_nothing_clicks() {
            let round = u64::from(RATE) * ROUND.as_secs();
            let loud = |from: f64, to: f64| {
                let range = (from * f64::from(RATE)) as u64..(to * f64::from(RATE)) as u64;
                range.map(|n| sample(n).unsigned_abs()).max().unwrap_or(0)
            };
            assert!(loud(0.0, 0.4) > 7_000 && loud(0.6, 1.0) > 7_000);
            assert_eq!((loud(0.4, 0.6), loud(1.0, 3.0)), (0, 0));
            let steps = (0..2 * round).map(|n| (i32::from(sample(n + 1)) - i32::from(sample(n))).abs());
            assert!(steps.max() < Some(600), "no step is larger than the tone's own");
        }
    }
}
