//! What becomes of an open microphone or speaker, by its own word and by its silence.

use super::sound::{explain, quiet};
use super::{DeviceError, DeviceKind, Trouble};
use cpal::ErrorKind;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A device that has nothing but errors for this long is lost.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often a lost device may say once more that it is lost.
const AFTER_LOSS: Duration = Duration::from_millis(100);

/// A device without a callback for this long is lost. Callbacks come more than ten times a second.
const SILENCE: Duration = Duration::from_secs(2);

/// What became of a stream; its error callback writes, others read.
#[derive(Debug)]
pub(super) struct Health {
    kind: DeviceKind,
    name: String,
    opened: Instant,
    /// The newest callback, nanoseconds after it was opened.
    newest: AtomicU64,
    lost: AtomicBool,
    why: Mutex<Option<DeviceError>>,
    xruns: AtomicU64,
    /// Of errors in a row: the callbacks at the newest, and when the first was.
    stumbled: Mutex<Option<(u64, Instant)>>,
    /// How long sound is in the device, a mean, nanoseconds; [`UNKNOWN`] before it was said.
    latency: AtomicU64,
    callbacks: AtomicU64,
}

/// How many callbacks the mean of the latency goes back: a second or two.
const AVERAGED: i64 = 256;

/// No latency.
const UNKNOWN: u64 = u64::MAX;

impl Health {
    pub(super) fn new(kind: DeviceKind, name: &str) -> Arc<Self> {
        Arc::new(Health {
            kind,
            name: name.to_owned(),
            opened: Instant::now(),
            newest: AtomicU64::new(0),
            lost: AtomicBool::new(false),
            why: Mutex::new(None),
            xruns: AtomicU64::new(0),
            stumbled: Mutex::new(None),
            latency: AtomicU64::new(UNKNOWN),
            callbacks: AtomicU64::new(0),
        })
    }

    /// A stream reports trouble. Not from the data callback: this locks.
    pub(super) fn report(&self, error: &cpal::Error) {
        let name = &self.name;
        if self.lost.load(Ordering::Acquire) {
            // Until it is closed the layer below asks the device again and again, without a pause.
            std::thread::sleep(AFTER_LOSS);
            return;
        }
        match error.kind() {
            ErrorKind::Xrun => {
                self.xruns.fetch_add(1, Ordering::Relaxed);
            }
            ErrorKind::DeviceChanged | ErrorKind::RealtimeDenied => {
                tracing::debug!(%error, device = %name, "a device has something to say");
            }
            ErrorKind::BackendError | ErrorKind::Other | ErrorKind::DeviceBusy if !self.stuck() => {
                tracing::debug!(%error, device = %name, "a device stumbles");
            }
            _ => {
                let mut why = explain(self.kind, name, error);
                // It was there, and did what it was asked for.
                if why.trouble != Trouble::Permission {
                    why.trouble = Trouble::Lost;
                }
                if let Ok(mut slot) = self.why.lock() {
                    slot.get_or_insert(why);
                }
                self.lost.store(true, Ordering::Release);
            }
        }
    }

    /// Whether there has been nothing but errors for [`PATIENCE`]. Sound servers under load give errors in an underrun,
    /// and are well again after it.
    fn stuck(&self) -> bool {
        let Ok(mut stumbled) = self.stumbled.lock() else { return true };
        let callbacks = self.callbacks.load(Ordering::Relaxed);
        match *stumbled {
            // A speaker has its callback before the device refuses what came of it: two of them, and one went well.
            Some((newest, first)) if callbacks - newest <= 1 => {
                *stumbled = Some((callbacks, first));
                first.elapsed() > PATIENCE
            }
            _ => {
                *stumbled = Some((callbacks, Instant::now()));
                false
            }
        }
    }

    /// Why it works no more, where it does not: it said so, or its callbacks have stopped without a word, as they
    /// do when a sound server dies.
    pub(super) fn lost(&self) -> Option<DeviceError> {
        if self.lost.load(Ordering::Acquire) {
            return self.why.lock().ok()?.clone();
        }
        let newest = Duration::from_nanos(self.newest.load(Ordering::Relaxed));
        if self.opened.elapsed().saturating_sub(newest) < SILENCE {
            return None;
        }
        let words = format!("nothing has come from it for {} s", SILENCE.as_secs());
        Some(DeviceError::new(self.kind, &self.name, Trouble::Lost, words))
    }

    /// A callback came, with the device's word on its latency where it has one. Neither locks nor allocates, but
    /// for the first time, which makes its thread quiet.
    pub(super) fn called(&self, latency: Option<Duration>) {
        self.newest.store(self.opened.elapsed().as_nanos() as u64, Ordering::Relaxed);
        let before = self.callbacks.fetch_add(1, Ordering::Relaxed);
        if before == 0 {
            quiet();
        }
        if let Some(latency) = latency {
            let (latency, mean) = (latency.as_nanos() as u64, self.latency.load(Ordering::Relaxed));
            let mean = if mean == UNKNOWN { latency } else { mean };
            // The only thread that writes it. A device that is behind for once has all of its sound, or none.
            let change = (latency as i64 - mean as i64) / (before as i64 + 1).min(AVERAGED);
            self.latency.store(mean.saturating_add_signed(change), Ordering::Relaxed);
        }
    }

    pub(super) fn status(&self) -> StreamStatus {
        let latency = Some(self.latency.load(Ordering::Relaxed)).filter(|nanos| *nanos != UNKNOWN);
        StreamStatus {
            callbacks: self.callbacks.load(Ordering::Relaxed),
            xruns: self.xruns.load(Ordering::Relaxed),
            latency: latency.map(Duration::from_nanos),
        }
    }
}

/// What a device's stream says about itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamStatus {
    /// Callbacks so far.
    pub callbacks: u64,
    /// Times that the device ran out of sound or of room, by its own count.
    pub xruns: u64,
    /// How long sound is in the device and the sound server, by their own word, a mean of the last second or two;
    /// `None` where they say nothing.
    pub latency: Option<Duration>,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Errors after so many callbacks each, until it is lost or the time is over; whether it is lost.
    fn is_lost(health: &Health, callbacks: u32, within: Duration) -> bool {
        let end = Instant::now() + within;
        while Instant::now() < end && !health.lost.load(Ordering::Acquire) {
            for _ in 0..callbacks {
                health.called(None);
            }
            health.report(&cpal::Error::new(ErrorKind::BackendError));
            std::thread::sleep(Duration::from_millis(5));
        }
        health.lost.load(Ordering::Acquire)
    }

    #[test]
    fn a_device_that_has_nothing_but_errors_is_lost_and_one_that_stumbles_is_not() {
        let health = || Health::new(DeviceKind::Speaker, "card");
        for callbacks in [0, 1] {
            assert!(is_lost(&health(), callbacks, 20 * PATIENCE), "{callbacks} callbacks for each error");
        }
        assert!(!is_lost(&health(), 2, PATIENCE + PATIENCE / 5));
    }

    #[test]
    fn the_latency_is_a_mean_that_one_callback_alone_does_not_change() {
        let health = Health::new(DeviceKind::Microphone, "card");
        let latency = |millis: &[u64]| {
            for millis in millis {
                health.called(Some(Duration::from_millis(*millis)));
            }
            health.status().latency.map(|latency| latency.as_micros())
        };
        assert_eq!(latency(&[]), None);
        assert_eq!(latency(&[10, 10, 10, 10]), Some(10_000));
        assert_eq!(latency(&[4]), Some(8_800), "one of five callbacks");
        assert!(latency(&[20; 1_000]).is_some_and(|micros| (19_700..=20_000).contains(&micros)));
        assert!(latency(&[0]).is_some_and(|micros| (19_600..19_950).contains(&micros)));
    }

    #[test]
    fn what_goes_wrong_while_it_is_open_means_that_it_is_lost_unless_it_is_forbidden() {
        let reported = |kind| {
            let health = Health::new(DeviceKind::Microphone, "card");
            health.report(&cpal::Error::new(kind));
            health.lost().map(|error| error.trouble)
        };
        assert_eq!(reported(ErrorKind::DeviceNotAvailable), Some(Trouble::Lost));
        assert_eq!(reported(ErrorKind::UnsupportedConfig), Some(Trouble::Lost));
        assert_eq!(reported(ErrorKind::PermissionDenied), Some(Trouble::Permission));
        assert_eq!(reported(ErrorKind::Xrun), None);
        assert_eq!(reported(ErrorKind::DeviceBusy), None);
    }
}
