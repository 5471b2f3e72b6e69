//! What a microphone and a speaker call from their own threads neither takes memory nor gives any back, whatever state
//! the sound is in: an allocator may wait for a lock that another thread holds.
#![allow(unsafe_code, reason = "an allocator that counts is made of unsafe functions")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;
use visavis_media::live::capture::{CaptureConfig, capture};
use visavis_media::live::playout::{PlayoutConfig, playout};
use visavis_media::live::reference::reference;
use visavis_media::sound::Pcm;
use visavis_media::source::AudioSource;
use visavis_proto::time::Time;

thread_local! {
    /// Whether this thread's calls are counted, and how many were.
    static COUNTED: (Cell<bool>, Cell<u32>) = const { (Cell::new(false), Cell::new(0)) };
}

struct Counting;

fn count() {
    // A thread that ends may free memory when its own variables are gone.
    let _ = COUNTED.try_with(|(on, calls)| calls.set(calls.get() + u32::from(on.get())));
}

// SAFETY: everything is left to the system's allocator; counting takes no memory.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps to the same contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count();
        // SAFETY: the caller keeps to the same contract.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller keeps to the same contract.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often the allocator was called meanwhile, on this thread.
fn calls(work: impl FnOnce()) -> u32 {
    COUNTED.with(|(on, calls)| {
        calls.set(0);
        on.set(true);
        work();
        on.set(false);
        calls.get()
    })
}

/// The period of the devices' callbacks.
const PERIOD: Duration = Duration::from_millis(10);
const RATE: u32 = 48_000;
/// Two channels.
const SAMPLES: usize = 960;

fn at(period: u32) -> Time {
    Time::from_millis(1_000) + PERIOD * period
}

#[test]
fn the_counter_counts() {
    assert!(calls(|| drop(std::hint::black_box(vec![1u8; 100]))) >= 2);
    assert_eq!(calls(|| {}), 0);
}

#[test]
fn what_a_microphone_pushes_costs_no_memory_also_where_there_is_no_room() {
    let config =
        CaptureConfig { sample_rate: RATE, channels: 2, delay: PERIOD, capacity: Duration::from_millis(45) };
    let (mut push, mut microphone) = capture(config).unwrap();
    let heard = [1_000i16; SAMPLES];
    for period in 0..200 {
        assert_eq!(calls(|| push.push(at(period), &heard)), 0, "period {period}");
        // For a while nobody pulls, and the queue runs over.
        if !(50..80).contains(&period) {
            microphone.pull(at(period), 16_000, 160);
        }
    }
    assert!(microphone.counts().overruns > 0, "the queue ran over");
}

#[test]
fn what_a_speaker_pulls_costs_no_memory_also_where_sound_begins_ends_and_is_turned_down() {
    let config = PlayoutConfig {
        sample_rate: RATE,
        channels: 2,
        delay: Duration::from_millis(20),
        capacity: Duration::from_millis(500),
    };
    let (mut feed, mut pull) = playout(config).unwrap();
    // The far end's voice, for an echo canceller: first with room, then without. Half way there is another one.
    let (for_canceller, mut heard) = reference((RATE, 2), Duration::from_millis(100));
    feed.set_reference(for_canceller);
    let (for_another, mut another) = reference((RATE, 2), Duration::from_millis(100));
    let mut for_another = Some(for_another);
    let mut out = [0i16; SAMPLES];
    let mut block = vec![0i16; SAMPLES];
    for period in 0..300u32 {
        // Sound stops twice: once for want of it, once because the sender pauses.
        if !(60..70).contains(&period) && !(120..180).contains(&period) {
            let sound = Pcm::new(vec![8_000; SAMPLES / 2], RATE, 1).unwrap();
            feed.push(at(period), &sound.at(at(period) + PERIOD * 2)).unwrap();
        }
        match period {
            200 => feed.volume().set_gain(-12.0),
            220 => feed.volume().set_muted(true),
            240 => feed.volume().set_muted(false),
            150 => feed.set_reference(for_another.take().unwrap()),
            _ => {}
        }
        assert_eq!(calls(|| pull.pull(at(period), &mut out)), 0, "period {period}");
        assert_eq!(heard.take(&mut block), period < 150, "period {period}");
        if period < 250 {
            assert_eq!(another.take(&mut block), period >= 150, "period {period}");
        }
    }
    assert!(feed.counts().gaps > 0, "sound broke off");
    assert!(out.iter().any(|&sample| sample != 0), "and came back");
}
