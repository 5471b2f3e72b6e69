//! Reels for all calls of a load, each coded once, by a thread of its own, when the first call needs it.

use crate::media::{Reel, TestSources};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use visavis_proto::io::{EncoderTarget, MediaFormat};

/// Reels by what they were coded for. The formats of one peer are few.
pub(super) struct Shelf {
    sources: TestSources,
    reels: Mutex<Vec<(MediaFormat, EncoderTarget, Found)>>,
}

/// What the shelf has.
#[derive(Clone)]
pub(super) enum Found {
    /// This.
    Reel(Arc<Reel>),
    /// Nothing yet: it is being coded.
    Coding,
    /// Nothing: it cannot be coded, which was logged.
    Nothing,
}

impl Shelf {
    pub(super) fn new(sources: TestSources) -> Arc<Self> {
        Arc::new(Shelf { sources, reels: Mutex::new(Vec::new()) })
    }

    /// The reel for a format and a target, or how far it is.
    pub(super) fn find(self: &Arc<Self>, format: &MediaFormat, target: &EncoderTarget) -> Found {
        let target = EncoderTarget { keyframe: false, lossy: false, ..*target };
        let mut reels = self.lock();
        if let Some((_, _, found)) = reels.iter().find(|(f, t, _)| f == format && *t == target) {
            return found.clone();
        }
        reels.push((format.clone(), target, Found::Coding));
        drop(reels);
        let (shelf, format) = (self.clone(), format.clone());
        let coding = move || {
            let found = match Reel::new(&shelf.sources, &format, &target) {
                Ok(reel) => Found::Reel(Arc::new(reel)),
                Err(error) => {
                    tracing::error!(%error, "nothing is sent");
                    Found::Nothing
                }
            };
            let mut reels = shelf.lock();
            let place = reels.iter_mut().find(|(f, t, _)| *f == format && *t == target);
            if let Some((_, _, place)) = place {
                *place = found;
            }
        };
        match std::thread::Builder::new().name("visavis-reel".into()).spawn(coding) {
            Ok(_) => Found::Coding,
            Err(error) => {
                tracing::error!(%error, "no thread to code with");
                Found::Nothing
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(MediaFormat, EncoderTarget, Found)>> {
        self.reels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
