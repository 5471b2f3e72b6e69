//! What is done to a stream of pattern pictures on purpose is what the judge reports.

use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use std::time::Duration;
use visavis_media::Picture;
use visavis_media::judge::{Judge, JudgeConfig, Judgement, PSNR_IDENTICAL, VideoReport};
use visavis_media::picture::Component;
use visavis_media::source::pattern::{Pattern, Reading, Stamp};
use visavis_proto::time::Time;

const SIZE: (u32, u32) = (176, 144);
/// When the first picture is captured by the sender's clock, milliseconds since the Unix epoch.
const SENT: u64 = 1_700_000_000_000;

/// A picture number and when it is decoded, milliseconds after the capture of number 0.
type Arrival = (u32, u64);

fn picture(number: u32) -> Picture {
    let captured_us = (SENT + u64::from(number) * 40) * 1_000;
    Pattern::new(SIZE.0, SIZE.1).unwrap().draw(Stamp { number, captured_us })
}

fn decoded(ms: u64) -> Time {
    Time::from_millis(10_000 + ms).with_unix_offset((SENT as i64 - 10_000) * 1_000_000)
}

fn judge_all(arrivals: impl IntoIterator<Item = Arrival>, until: u64) -> Judgement {
    let mut judge = Judge::new(JudgeConfig { clocks_agree: true, ..JudgeConfig::default() });
    for (number, ms) in arrivals {
        judge.picture(&picture(number), decoded(ms));
    }
    judge.judgement(decoded(until))
}

fn video(arrivals: impl IntoIterator<Item = Arrival>, until: u64) -> VideoReport {
    judge_all(arrivals, until).video
}

/// Number `n` arrives 60 ms after its capture.
fn on_time(n: u32) -> Arrival {
    (n, u64::from(n) * 40 + 60)
}

#[test]
fn an_untouched_stream_is_perfect() {
    let video = video((0..50).map(on_time), 2_020);
    assert_eq!((video.received, video.read), (50, 50));
    assert_eq!((video.repeated, video.missing, video.out_of_order, video.restarts), (0, 0, 0, 0));
    assert_eq!((video.unreadable, video.no_pattern), (0, 0));
    assert_eq!(video.size, Some(SIZE));
    assert!((video.frame_rate.unwrap() - 25.0).abs() < 1e-6);
    assert!((video.longest_freeze_ms.unwrap() - 40.0).abs() < 1e-6);
    let (psnr, latency) = (video.psnr_db.unwrap(), video.latency_ms.unwrap());
    assert_eq!((psnr.count, psnr.min), (50, PSNR_IDENTICAL));
    assert_eq!((latency.min, latency.median, latency.p95, latency.max), (60.0, 60.0, 60.0, 60.0));
}

#[test]
fn drops_repeats_and_late_pictures_are_told_apart() {
    let mut arrivals: Vec<Arrival> = (0..60).filter(|n| !matches!(n, 7 | 20..=24)).map(on_time).collect();
    arrivals.insert(3, (2, 141)); // shown again
    arrivals.swap(30, 31);
    let seen = video(arrivals.clone(), 2_500);
    assert_eq!((seen.missing, seen.repeated, seen.out_of_order), (6, 1, 1));
    assert_eq!((seen.received, seen.read), (55, 54));

    // One of the dropped ones comes after all, and then a second time.
    arrivals.extend([(22, 2_450), (22, 2_460)]);
    let seen = video(arrivals, 2_500);
    assert_eq!((seen.missing, seen.repeated, seen.out_of_order, seen.read), (5, 2, 2, 55));
}

#[test]
fn the_longest_freeze_is_measured_within_and_at_the_end() {
    let frozen =
        |until| video((0..20).map(on_time).chain((20..40).map(|n| (n, 1_560 + u64::from(n) * 40))), until);
    assert!((frozen(3_160).longest_freeze_ms.unwrap() - 1_540.0).abs() < 1e-6);
    assert!((frozen(6_120).longest_freeze_ms.unwrap() - 3_000.0).abs() < 1e-6);
    // The same picture again and again is a freeze, too.
    let repeating = video((0..20).map(on_time).chain((0..100).map(|i| (19, 820 + i * 40))), 4_820);
    assert_eq!((repeating.read, repeating.repeated), (20, 100));
    assert!((repeating.longest_freeze_ms.unwrap() - 4_000.0).abs() < 1e-6);
}

#[test]
fn latency_has_a_distribution_where_the_clocks_agree_and_is_unknown_where_not() {
    let late = |n: u32| (n, u64::from(n) * 40 + if n.is_multiple_of(10) { 200 } else { 50 });
    let latency = video((0..100).map(late), 4_100).latency_ms.unwrap();
    assert_eq!(
        (latency.count, latency.min, latency.median, latency.p95, latency.max),
        (100, 50.0, 50.0, 200.0, 200.0)
    );
    let mut judge = Judge::new(JudgeConfig::default());
    judge.picture(&picture(0), decoded(60));
    assert_eq!(judge.judgement(decoded(60)).video.latency_ms, None);
}

#[test]
fn a_restarted_source_is_no_loss() {
    let mut judge = Judge::new(JudgeConfig::default());
    for (run, start) in [(0..30, 0), (0..30, 5_000)] {
        for number in run {
            let captured_us = (SENT + start + u64::from(number) * 40) * 1_000;
            let picture = Pattern::new(SIZE.0, SIZE.1).unwrap().draw(Stamp { number, captured_us });
            judge.picture(&picture, decoded(start + u64::from(number) * 40));
        }
    }
    let video = judge.judgement(decoded(6_200)).video;
    assert_eq!((video.read, video.restarts, video.missing, video.repeated), (60, 1, 0, 0));
}

#[test]
fn numbers_go_on_past_their_wrap() {
    let arrivals = (0..20).map(|n| (n, u64::from(n) * 40));
    let mut judge = Judge::new(JudgeConfig::default());
    for (n, ms) in arrivals {
        let stamp = Stamp { number: (u32::MAX - 9).wrapping_add(n), captured_us: (SENT + ms) * 1_000 };
        judge.picture(&Pattern::new(SIZE.0, SIZE.1).unwrap().draw(stamp), decoded(ms));
    }
    let video = judge.judgement(decoded(800)).video;
    assert_eq!((video.read, video.missing, video.restarts), (20, 0, 0));
}

#[test]
fn grey_pictures_noise_and_camera_like_pictures_have_no_pattern() {
    let mut random = ChaCha20Rng::seed_from_u64(4);
    let mut judge = Judge::new(JudgeConfig { clocks_agree: true, ..JudgeConfig::default() });
    for round in 0..200_u32 {
        let mut grey = Picture::new(320, 240).unwrap();
        grey.plane_mut(Component::Y).fill(round as u8);
        judge.picture(&grey, decoded(0));
        let mut noise = Picture::new(320, 240).unwrap();
        random.fill_bytes(noise.plane_mut(Component::Y));
        judge.picture(&noise, decoded(0));
        // Blocks of 8 x 8 pixels, black and white at random: as near to the stamp as a picture can come.
        let mut blocks = Picture::new(320, 240).unwrap();
        let lights: Vec<u8> =
            (0..40 * 30).map(|_| if random.next_u32() & 1 == 1 { 235 } else { 16 }).collect();
        for (index, luma) in blocks.plane_mut(Component::Y).iter_mut().enumerate() {
            *luma = lights[index / 320 / 8 * 40 + index % 320 / 8];
        }
        judge.picture(&blocks, decoded(0));
    }
    let video = judge.judgement(decoded(0)).video;
    assert_eq!((video.received, video.read), (600, 0));
    assert!(video.no_pattern >= 590, "{video:?}");
    assert_eq!(
        (video.psnr_db, video.latency_ms, video.frame_rate, video.longest_freeze_ms),
        (None, None, None, None)
    );
}

#[test]
fn a_damaged_stamp_is_unreadable_and_explains_the_number_that_is_missing() {
    let mut judge = Judge::new(JudgeConfig::default());
    for number in 0..10 {
        let mut picture = picture(number);
        let luma = picture.plane_mut(Component::Y);
        match number {
            // Lost macroblocks in the middle of the stamp.
            4 => luma.chunks_mut(SIZE.0 as usize).skip(124).take(8).for_each(|row| row[48..128].fill(120)),
            6 => luma.fill(120),
            _ => {}
        }
        judge.picture(&picture, decoded(u64::from(number) * 40));
    }
    let video = judge.judgement(decoded(400)).video;
    assert_eq!((video.read, video.unreadable, video.no_pattern, video.missing), (8, 1, 1, 0));
}

#[test]
fn psnr_of_a_known_error_is_right_and_unknown_for_a_size_that_was_not_sent() {
    let mut judge = Judge::new(JudgeConfig::default());
    let mut off_by_two = picture(3);
    off_by_two.plane_mut(Component::Y).iter_mut().for_each(|luma| *luma += 2);
    judge.picture(&off_by_two, decoded(0));
    // 10 log10(255^2 / 4)
    assert!((judge.judgement(decoded(0)).video.psnr_db.unwrap().mean - 42.11).abs() < 0.01);
    let mut judge = Judge::new(JudgeConfig { sent_size: Some((640, 480)), ..JudgeConfig::default() });
    judge.picture(&picture(3), decoded(0));
    let video = judge.judgement(decoded(0)).video;
    assert_eq!((video.read, video.psnr_db), (1, None));
}

proptest! {
    #[test]
    fn any_stamp_is_read_back_at_any_size(
        number: u32,
        captured_us: u64,
        width in 64_u32..400,
        height in 48_u32..300,
    ) {
        let stamp = Stamp { number, captured_us };
        let pattern = Pattern::new(2 * width, 2 * height).unwrap();
        let picture = pattern.draw(stamp);
        prop_assert_eq!(Stamp::read(&picture), Reading::Stamp(stamp));
        prop_assert_eq!(pattern.draw(stamp), picture);
    }

    #[test]
    fn contrast_brightness_and_noise_leave_the_stamp_readable(
        number: u32,
        contrast in 0.35_f64..1.2,
        brightness in -10.0_f64..60.0,
        seed: u64,
    ) {
        let stamp = Stamp { number, captured_us: SENT * 1_000 };
        let mut picture = Pattern::new(320, 240).unwrap().draw(stamp);
        let mut random = ChaCha20Rng::seed_from_u64(seed);
        for luma in picture.plane_mut(Component::Y) {
            let noise = f64::from(random.next_u32() % 41) - 20.0;
            *luma = (f64::from(*luma) * contrast + brightness + noise).clamp(0.0, 255.0) as u8;
        }
        prop_assert_eq!(Stamp::read(&picture), Reading::Stamp(stamp));
    }
}

#[test]
fn what_is_between_two_pictures_counts_from_the_decoder() {
    // A jitter buffer that shows late does not look like a freeze.
    let mut judge = Judge::new(JudgeConfig::default());
    for n in 0..10 {
        let (number, ms) = on_time(n);
        judge.picture(&picture(number).at(decoded(ms) + Duration::from_secs(9)), decoded(ms));
    }
    let freeze = judge.judgement(decoded(420)).video.longest_freeze_ms.unwrap();
    assert!((freeze - 40.0).abs() < 1e-6, "{freeze}");
}
