//! What works on a microphone's sound on its way to the encoder, and where.

/// Work on a microphone's sound on its way to the encoder, such as an echo canceller.
pub trait Effect: Send {
    /// Sound comes at this rate from now on, Hz; whether the effect can work at it. It always can at the
    /// microphone's own.
    ///
    /// At the encoder's rate whole frames of the codec are whole blocks in most cases, and nothing waits for a
    /// block to fill.
    fn set_rate(&mut self, sample_rate: u32) -> bool;

    /// What it works on from now on was resampled to come out `ppm` parts in a million faster than the microphone gave it.
    fn set_drift(&mut self, ppm: f64);

    /// `seconds` of the microphone's sound are left out of what it gets next; less than zero: silence comes before that.
    fn shifted(&mut self, seconds: f64);

    /// Samples per channel that it works on at a time.
    fn block(&self) -> usize;

    /// Works on interleaved sound, whole blocks of it.
    fn process(&mut self, samples: &mut [i16]);
}

/// Where in the way an [`Effect`] works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// On what the microphone gives.
    Before,
    /// On what the encoder gets.
    After,
}

/// The best place for an effect between these rates.
pub(super) fn place(voice: Option<&mut (dyn Effect + 'static)>, from: u32, to: u32) -> Place {
    let Some(voice) = voice else { return Place::After };
    if voice.set_rate(to) {
        return Place::After;
    }
    voice.set_rate(from);
    Place::Before
}
