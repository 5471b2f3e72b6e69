//! The voice path in a room made of numbers.

use super::*;
use std::f32::consts::{PI, TAU};
use std::ops::Range;

const RATE: u32 = 16_000;
const BLOCK: usize = 160;

struct Random(u32);

impl Random {
    /// -1 to 1, the same in every run.
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) as f32 / (1u32 << 23) as f32 - 1.0
    }
}

/// Something like speech: a voice of `pitch` Hz with three formants, syllables and pauses.
fn speech(seconds: u32, pitch: f32, seed: u32) -> Vec<f32> {
    let (mut random, mut phase, mut low) = (Random(seed), 0.0f32, 0.0f32);
    let samples = (0..seconds * RATE).map(|i| {
        let t = i as f32 / RATE as f32;
        let syllable = (PI * (4.0 * t + 0.37 * seed as f32).fract()).sin().powi(2);
        let word = if (0.7 * t + 0.13 * seed as f32).fract() < 0.75 { 1.0 } else { 0.0 };
        let frequency = pitch * (1.0 + 0.15 * (2.1 * t + seed as f32).sin());
        phase = (phase + frequency / RATE as f32).fract();
        let voiced: f32 = (1..30u8)
            .map(f32::from)
            .take_while(|n| n * frequency < 0.45 * RATE as f32)
            .map(|n| formants(n * frequency, t) * (TAU * phase * n).sin())
            .sum();
        let noise = random.next();
        low = 0.5 * low + 0.5 * noise;
        syllable * word * (4_000.0 * voiced + 650.0 * (noise - low))
    });
    samples.collect()
}

fn formants(frequency: f32, t: f32) -> f32 {
    let peak = |centre: f32, width: f32| 1.0 / (1.0 + ((frequency - centre) / width).powi(2));
    peak(600.0 + 300.0 * (3.0 * t).sin(), 200.0) + 0.5 * peak(1_800.0, 300.0) + 0.2 * peak(2_800.0, 400.0)
}

/// What comes back from a room: `delay` samples later, `gain` times as loud, over 60 ms of reverberation.
fn room(sound: &[f32], delay: usize, gain: f32) -> Vec<f32> {
    let mut random = Random(77);
    let response: Vec<f32> = (0..960u16).map(|i| random.next() * (-f32::from(i) / 192.0).exp()).collect();
    let energy: f32 = response.iter().map(|h| h * h).sum::<f32>().sqrt();
    let echo = (0..sound.len()).map(|i| {
        let Some(newest) = i.checked_sub(delay) else { return 0.0 };
        let past = sound[..=newest].iter().rev();
        past.zip(&response).map(|(x, h)| x * h).sum::<f32>() * gain / energy
    });
    echo.collect()
}

/// What leaves the voice path where `far` comes out of the speaker and `microphone` into the microphone.
fn run(config: VoiceConfig, far: &[f32], microphone: &[f32]) -> Vec<f32> {
    let (mut voice, mut reference) = voice(config, (RATE, 1), (RATE, 1));
    assert_eq!(voice.block(), BLOCK);
    let pcm = |sound: &[f32]| -> Vec<i16> { sound.iter().map(|s| s.round() as i16).collect() };
    // What a microphone hears waits for some milliseconds, in which the speaker goes on.
    reference.heard(&pcm(&far[..BLOCK]));
    let later = far[BLOCK..].chunks_exact(BLOCK).chain([[0.0; BLOCK].as_slice()]);
    let out = later.zip(microphone.chunks_exact(BLOCK)).flat_map(|(far, near)| {
        reference.heard(&pcm(far));
        let mut block = pcm(near);
        voice.process(&mut block);
        block
    });
    out.map(f32::from).collect()
}

fn seconds(range: Range<usize>) -> Range<usize> {
    range.start * RATE as usize..range.end * RATE as usize
}

/// How much louder `a` is than `b`, dB, where the two have powers.
fn louder(a: &[f32], b: &[f32]) -> f32 {
    let power = |sound: &[f32]| sound.iter().map(|s| s * s).sum::<f32>() + 1.0;
    10.0 * (power(a) / power(b)).log10()
}

fn mix(parts: &[&[f32]]) -> Vec<f32> {
    let mut random = Random(5);
    let noise = std::iter::repeat_with(|| 3.0 * random.next());
    (0..parts[0].len()).zip(noise).map(|(i, n)| n + parts.iter().map(|p| p[i]).sum::<f32>()).collect()
}

const ECHO: VoiceConfig = VoiceConfig { echo: true, noise: false, gain: false };

#[test]
fn the_echo_is_30_db_down_and_who_speaks_against_it_is_kept() {
    for (delay, gain) in [(160, 0.3), (960, 0.3), (960, 1.0), (2_400, 0.3)] {
        let far = speech(20, 120.0, 3);
        let mut near = speech(20, 210.0, 11);
        near[seconds(0..10)].fill(0.0);
        let echo = room(&far, delay, gain);
        let out = run(ECHO, &far, &mix(&[&echo, &near]));
        let loss = louder(&echo[seconds(5..10)], &out[seconds(5..10)]);
        let weaker = louder(&near[seconds(11..20)], &out[seconds(11..20)]);
        assert!(loss >= 30.0, "{delay} {gain}: {loss}");
        // Echo that got through would make it louder.
        assert!((-0.5..6.0).contains(&weaker), "{delay} {gain}: {weaker}");
    }
}

#[test]
fn what_was_played_before_the_microphone_was_heard_does_not_stand_in_the_way() {
    let far = speech(10, 120.0, 3);
    let echo = room(&far, 480, 0.3);
    let (mut voice, mut reference) = voice(ECHO, (RATE, 1), (RATE, 1));
    reference.heard(&[0; 30 * BLOCK]);
    let pcm = |sound: &[f32]| -> Vec<i16> { sound.iter().map(|s| s.round() as i16).collect() };
    let mut out = Vec::new();
    for (n, (far, near)) in far.chunks_exact(2 * BLOCK).zip(echo.chunks_exact(2 * BLOCK)).enumerate() {
        // The speaker's callbacks are not those of the microphone: two blocks at once now, then none.
        let far = pcm(far);
        let (first, second) = far.split_at(if n % 2 == 0 { 2 * BLOCK } else { BLOCK });
        reference.heard(first);
        let mut near = pcm(near);
        voice.process(&mut near[..BLOCK]);
        reference.heard(second);
        voice.process(&mut near[BLOCK..]);
        out.extend(near.into_iter().map(f32::from));
    }
    let loss = louder(&echo[seconds(5..10)], &out[seconds(5..10)]);
    assert!(loss >= 30.0, "{loss}");
}

/// How far an echo of 5 ms is down in the last seconds of a call in which the speaker's callbacks tell of blocks and the
/// microphone's are worked on as `script` says: for each block of time, the blocks told until then, and those worked on.
fn loss_where(script: impl Fn(usize) -> (usize, usize)) -> f32 {
    let far = speech(20, 120.0, 3);
    let echo = room(&far, 80, 0.3);
    let (mut voice, mut reference) = voice(ECHO, (RATE, 1), (RATE, 1));
    let pcm = |sound: &[f32]| -> Vec<i16> { sound.iter().map(|s| s.round() as i16).collect() };
    let (mut told, mut done, mut out) = (0, 0, Vec::new());
    for now in 0..far.len() / BLOCK {
        let (tell, work) = script(now);
        reference.heard(&pcm(&far[told * BLOCK..tell.max(told) * BLOCK]));
        told = tell.max(told);
        for block in done..work.max(done) {
            let mut near = pcm(&echo[block * BLOCK..(block + 1) * BLOCK]);
            voice.process(&mut near);
            out.extend(near.into_iter().map(f32::from));
        }
        done = work.max(done);
    }
    let end = out.len();
    louder(&echo[end - 6 * RATE as usize..end], &out[end - 6 * RATE as usize..])
}

#[test]
fn a_microphone_that_was_heard_before_the_speaker_is_freed_of_its_echo() {
    // First the microphone alone, then two of the speaker's callbacks at once, one that is late, and all as it should be.
    let loss = loss_where(|now| (if now < 9 || now == 10 { 0 } else { now + 1 }, now));
    assert!(loss >= 30.0, "{loss}");
}

#[test]
fn the_echo_stays_away_after_the_call_has_stood_still() {
    let loss = loss_where(|now| (now + 1, if (600..615).contains(&now) { 0 } else { now }));
    assert!(loss >= 30.0, "{loss}");
}

#[test]
fn the_echo_stays_away_after_callbacks_of_the_speaker_have_come_late() {
    let loss = loss_where(|now| (if (600..603).contains(&now) { 0 } else { now + 1 }, now));
    assert!(loss >= 30.0, "{loss}");
}

/// The same where for 180 ms nobody takes the microphone's sound and it is left out.
fn loss_after_a_gap(told: bool) -> f32 {
    let far = speech(20, 120.0, 3);
    let echo = room(&far, 80, 0.3);
    let (mut voice, mut reference) = voice(ECHO, (RATE, 1), (RATE, 1));
    let pcm = |sound: &[f32]| -> Vec<i16> { sound.iter().map(|s| s.round() as i16).collect() };
    let mut out = Vec::new();
    for (n, (far, near)) in far[BLOCK..].chunks_exact(BLOCK).zip(echo.chunks_exact(BLOCK)).enumerate() {
        reference.heard(&pcm(far));
        if (600..618).contains(&n) {
            continue;
        }
        if n == 618 && told {
            voice.shifted(0.18);
        }
        let mut near = pcm(near);
        voice.process(&mut near);
        out.extend(near.into_iter().map(f32::from));
    }
    let end = out.len();
    louder(&echo[echo.len() - 6 * RATE as usize..], &out[end - 6 * RATE as usize..])
}

#[test]
fn what_is_left_out_of_the_microphones_sound_is_left_out_of_what_was_played() {
    let (told, untold) = (loss_after_a_gap(true), loss_after_a_gap(false));
    assert!(told >= 30.0 && told > untold - 1.0, "{told} dB down, {untold} where it is not told");
}

/// The echo that is left of speech, dB down, where the microphone's sound is played now faster and now slower by up to 200
/// parts in a million, as it is to stay with the call's clock.
fn loss_at_an_uneven_pace(told: bool) -> f32 {
    let far = speech(20, 120.0, 3);
    let echo = room(&far, 480, 0.3);
    let (mut voice, mut reference) = voice(ECHO, (RATE, 1), (RATE, 1));
    let mut pace = Resampler::new((RATE, 1), (RATE, 1)).unwrap();
    let pcm = |sound: &[f32]| -> Vec<i16> { sound.iter().map(|s| s.round() as i16).collect() };
    let (mut waiting, mut out) = (Vec::new(), Vec::new());
    for (n, (far, near)) in far.chunks_exact(BLOCK).zip(echo.chunks_exact(BLOCK)).enumerate() {
        let ppm = 200.0 * (TAU * n as f32 / 300.0).sin();
        pace.set_drift(f64::from(ppm));
        if told {
            voice.set_drift(f64::from(ppm));
        }
        reference.heard(&pcm(far));
        let near = Pcm::new(pcm(near), RATE, 1).unwrap();
        waiting.extend_from_slice(pace.process(&near).unwrap().samples());
        while waiting.len() >= BLOCK {
            let mut block: Vec<i16> = waiting.drain(..BLOCK).collect();
            voice.process(&mut block);
            out.extend(block.into_iter().map(f32::from));
        }
    }
    louder(&echo[seconds(10..19)], &out[seconds(10..19)])
}

#[test]
fn the_echo_is_as_far_down_where_the_pace_of_the_microphone_is_corrected() {
    let (told, untold) = (loss_at_an_uneven_pace(true), loss_at_an_uneven_pace(false));
    assert!(told >= 40.0 && untold < told - 6.0, "{told} dB down, {untold} where it is not told");
}

#[test]
fn without_the_switch_the_echo_stays() {
    let far = speech(6, 120.0, 3);
    let echo = room(&far, 960, 0.3);
    let off = VoiceConfig { echo: false, noise: false, gain: false };
    let out = run(off, &far, &mix(&[&echo]));
    let loss = louder(&echo[seconds(3..6)], &out[seconds(3..6)]);
    assert!(loss.abs() < 0.2, "{loss}");
}

#[test]
fn noise_goes_and_speech_stays() {
    let mut random = Random(9);
    let noise: Vec<f32> = (0..10 * RATE).map(|_| 300.0 * random.next()).collect();
    let mut near = speech(10, 180.0, 7);
    near[seconds(0..5)].fill(0.0);
    let far = vec![0.0; near.len()];
    let only = VoiceConfig { echo: false, noise: true, gain: false };
    let out = run(only, &far, &mix(&[&noise, &near]));
    let quieter = louder(&noise[seconds(3..5)], &out[seconds(3..5)]);
    let weaker = louder(&near[seconds(6..10)], &out[seconds(6..10)]);
    assert!(quieter > 9.0, "{quieter}");
    assert!(weaker.abs() < 2.0, "{weaker}");
}

#[test]
fn quiet_speech_is_made_louder() {
    let near: Vec<f32> = speech(12, 180.0, 7).iter().map(|s| s * 0.05).collect();
    let far = vec![0.0; near.len()];
    let only = VoiceConfig { echo: false, noise: false, gain: true };
    let out = run(only, &far, &near);
    let gained = louder(&out[seconds(8..12)], &near[seconds(8..12)]);
    assert!(gained > 6.0, "{gained}");
}
