use super::*;
use crate::link::{Jitter, Loss, Rate, Reorder};
use proptest::prelude::*;
use visavis_proto::Time;

const MS: Duration = Duration::from_millis(1);

fn read(text: &str) -> Impairment {
    text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))
}

fn error(text: &str) -> String {
    text.parse::<Impairment>().unwrap_err().to_string()
}

fn video(seq: u16) -> Parcel {
    let mark = Mark { ssrc: 7, seq, timestamp: u32::from(seq) * 3000 };
    Parcel { traffic: Traffic::Video, octets: 1000, mark: Some(mark) }
}

fn of(traffic: Traffic) -> Parcel {
    Parcel { traffic, octets: 100, mark: None }
}

#[test]
fn what_people_write_is_what_the_lines_do() {
    let all = "up:loss=2%,burst=4,delay=40ms±10ms,reorder=1%/30ms,duplicate=0.5%,rate=1.5mbit,queue=0.1s;\
               down.audio:delay=100ms,jitter=5ms,outage=2s+500ms";
    let read = read(all);
    assert_eq!(read.lines.len(), 2);
    let link = &read.lines[0].profile.link;
    assert_eq!(link.loss, Loss::bursts(0.02, 4.0));
    assert_eq!((link.delay, link.jitter), (30 * MS, Jitter::Uniform(20 * MS)));
    assert_eq!(link.reorder, Reorder { probability: 0.01, by: 30 * MS });
    assert_eq!(link.duplicate, 0.005);
    assert_eq!(link.rate, Some(Rate { bits_per_second: 1_500_000, queue: 100 * MS }));
    let down = &read.lines[1];
    assert_eq!((down.way, down.traffic), (Way::Down, Some(Traffic::Audio)));
    assert_eq!((down.profile.link.delay, down.profile.link.jitter), (100 * MS, Jitter::Normal(5 * MS)));
    assert_eq!(down.profile.outages, [Outage { after: 2000 * MS, length: 500 * MS }]);
    assert_eq!(super::tests::read("both:delay=40ms+-10ms").lines.len(), 2);
}

#[test]
fn the_word_that_is_wrong_is_named_with_what_would_be_right() {
    for (text, words) in [
        ("", "up:loss=2%,delay=40ms"),
        ("up", "as up:loss=2%"),
        ("uo:loss=2%", "uo is no way to go: use up"),
        ("up.vidoe:loss=2%", "vidoe is no kind; use audio, video"),
        ("up:los=2%", "los is no impairment; use loss, burst"),
        ("up:", "nothing happens"),
        ("up:loss", "loss needs a value: write loss=2%"),
        ("up:loss=2", "loss=2 is no share of the datagrams: write loss=2%"),
        ("up:loss=200%", "from 0% to 100%"),
        ("up:loss=2%,loss=3%", "loss stands twice"),
        ("up:burst=4", "burst goes with a loss"),
        ("up:loss=90%,burst=2", "make the bursts longer"),
        ("up:delay=40", "needs a unit"),
        ("up:delay=soon", "is no time: write delay=40ms"),
        ("up:delay=5ms±10ms", "below zero"),
        ("up:delay=50ms±10ms,jitter=3ms", "varies already"),
        ("up:delay=2000000s", "longer than an hour"),
        ("up:rate=fast", "is no rate: write rate=500kbit"),
        ("up:rate=1bit", "from 1kbit"),
        ("up:queue=1s", "queue goes with a rate"),
        ("up:outage=2s", "write when and how long"),
        ("up:loss=1%;both:loss=2%", "there is a line for it already"),
    ] {
        assert!(error(text).contains(words), "{text}: {}", error(text));
    }
}

#[test]
fn a_kind_with_a_line_of_its_own_goes_over_that_one_alone() {
    let wanted = "up:delay=10ms;up.rtp:delay=20ms;up.audio:delay=30ms;up.stun:loss=0%";
    let mut impairer = Impairer::new(&read(wanted), 1);
    let mut delay = |traffic, way| match impairer.send(Time::from_millis(1000), way, of(traffic)) {
        Fate::Arrives { at, .. } => (at - Time::from_millis(1000)).as_millis(),
        lost => panic!("{lost:?}"),
    };
    assert_eq!(delay(Traffic::Audio, Way::Up), 30);
    assert_eq!(delay(Traffic::Video, Way::Up), 20);
    assert_eq!(delay(Traffic::Rtp, Way::Up), 20);
    assert_eq!(delay(Traffic::Sip, Way::Up), 10);
    assert_eq!(delay(Traffic::Stun, Way::Up), 0);
    assert_eq!(delay(Traffic::Audio, Way::Down), 0);
}

#[test]
fn an_outage_loses_what_is_sent_in_its_time_and_nothing_else() {
    let mut impairer = Impairer::new(&read("up.video:outage=100ms+50ms,delay=5ms"), 1);
    let lost: Vec<u16> = (0..50)
        .filter(|&n| {
            impairer.send(Time::from_millis(700 + u64::from(n) * 10), Way::Up, video(n)) == Fate::Outage
        })
        .collect();
    assert_eq!(lost, [10, 11, 12, 13, 14]);
    assert_eq!(impairer.log().counts(Way::Up, Traffic::Video).outage, 5);
}

#[test]
fn equal_seeds_give_equal_fates_and_another_line_changes_nothing() {
    let fates = |text: &str, seed| -> Vec<Fate> {
        let mut impairer = Impairer::new(&read(text), seed);
        (0..500)
            .map(|n| {
                let now = Time::from_millis(1000 + u64::from(n) * 10);
                impairer.send(now, Way::Up, of(Traffic::Audio));
                impairer.send(now, Way::Up, video(n))
            })
            .collect()
    };
    let plain = "up.video:loss=10%,delay=20ms±10ms";
    assert_eq!(fates(plain, 1), fates(plain, 1));
    assert_ne!(fates(plain, 1), fates(plain, 2));
    assert_eq!(fates(plain, 1), fates(&format!("up.audio:loss=50%;{plain}"), 1));
}

#[test]
fn the_log_accounts_for_every_datagram() {
    let text = "up:loss=5%,burst=3,delay=30ms±5ms,reorder=2%,duplicate=2%,rate=900kbit,queue=50ms";
    let mut impairer = Impairer::new(&read(text), 3);
    for n in 0..20_000u32 {
        impairer.send(Time::from_millis(u64::from(n) * 8), Way::Up, video(n as u16));
    }
    let counts = impairer.log().counts(Way::Up, Traffic::Video);
    assert_eq!((counts.sent, counts.octets), (20_000, 20_000_000));
    assert_eq!(counts.sent, counts.arrived + counts.missing());
    assert!(
        counts.lost > 500 && counts.queue_full > 500 && counts.duplicated > 200 && counts.held_back > 200
    );
    let entries = impairer.log().entries();
    let arrived = entries.iter().filter(|e| e.fate.arrivals().next().is_some()).count();
    let twice = entries.iter().filter(|e| e.fate.arrivals().count() == 2).count();
    assert_eq!((arrived as u64, twice as u64), (counts.arrived, counts.duplicated));
    let delays = || entries.iter().filter_map(|e| Some(e.fate.arrivals().next()? - e.sent));
    assert_eq!((delays().min(), delays().max()), (counts.delay_min, counts.delay_max));
    assert_eq!(delays().sum::<Duration>(), counts.delay_sum);
    assert_eq!(impairer.log().streams(Way::Up), [(7, Traffic::Video)]);
    assert!(impairer.log().streams(Way::Down).is_empty());
}

#[test]
fn two_logs_add_up() {
    let half = |from: u64| {
        let mut impairer = Impairer::new(&read("up:loss=5%,delay=30ms±5ms,duplicate=2%"), 3);
        for n in 0..40_000 {
            impairer.send(Time::from_millis(from + n), Way::Up, video(n as u16));
        }
        impairer.log().clone()
    };
    let (mut both, more) = (half(0), half(50_000));
    let one = both.counts(Way::Up, Traffic::Video);
    both.merge(more);
    let sum = both.counts(Way::Up, Traffic::Video);
    assert_eq!((sum.sent, sum.lost, sum.arrived), (2 * one.sent, 2 * one.lost, 2 * one.arrived));
    assert_eq!((sum.delay_min, sum.delay_max), (one.delay_min, one.delay_max));
    assert_eq!(sum.delay_sum, one.delay_sum * 2);
    assert_eq!((both.entries().len(), both.left_out), (65_536, 80_000 - 65_536));
}

#[test]
fn memory_stays_bounded_and_says_so() {
    let mut impairer = Impairer::new(&read("up:loss=1%"), 1);
    for n in 0..70_000u64 {
        impairer.send(Time::from_millis(n), Way::Up, of(Traffic::Audio));
    }
    let log = impairer.log();
    assert_eq!((log.entries().len() as u64 + log.left_out, log.entries().len()), (70_000, 65_536));
    assert_eq!(log.counts(Way::Up, Traffic::Audio).sent, 70_000);
}

#[test]
fn losses_at_either_end_of_a_stream_cannot_be_seen() {
    let mut impairer =
        Impairer::new(&read("up.video:delay=10ms,outage=0ms+25ms,outage=50ms+15ms,outage=90ms+1s"), 1);
    // Lost: 0, 1, 2; then 5 and 6; then 9, 10, 11.
    for n in 0..12 {
        impairer.send(Time::from_millis(500 + u64::from(n) * 10), Way::Up, video(n));
    }
    let log = impairer.log();
    assert_eq!(log.counts(Way::Up, Traffic::Video).outage, 8);
    let until = |ms| log.visible(Way::Up, 7, Time::from_millis(ms));
    assert_eq!(until(9999), Visible { received: 4, copies: 0, lost: 2 });
    // Who stops listening before 7 came has seen no loss yet.
    assert_eq!(until(579), Visible { received: 2, copies: 0, lost: 0 });
    assert_eq!(log.visible(Way::Up, 8, Time::from_millis(9999)), Visible::default());
}

#[test]
fn two_impairments_join_and_the_first_one_goes_first() {
    let joined = Impairment::blackout(Way::Up, Traffic::Video).and(read("up.video:loss=1%;down:loss=2%"));
    assert_eq!(joined.to_string(), "up.video:loss=100%;down:loss=2%");
}

fn option() -> impl Strategy<Value = String> {
    prop_oneof![
        (0u32..=1000).prop_map(|t| format!("loss={}%", f64::from(t) / 10.0)),
        (0u32..5000).prop_map(|ms| format!("delay={ms}ms")),
        (20u32..500, 0u32..20).prop_map(|(ms, by)| format!("delay={ms}ms±{by}ms")),
        (0u32..100, 1u32..100).prop_map(|(p, by)| format!("reorder={p}%/{by}ms")),
        (0u32..100).prop_map(|p| format!("duplicate={p}%")),
        (1u32..9000, 0u32..900).prop_map(|(k, q)| format!("rate={k}kbit,queue={q}ms")),
        (0u32..9000, 0u32..9000).prop_map(|(a, l)| format!("outage={a}ms+{l}ms")),
    ]
}

proptest! {
    #[test]
    fn nothing_that_is_typed_makes_it_panic(text in ".{0,60}") {
        let _ = text.parse::<Impairment>();
    }

    #[test]
    fn nothing_that_looks_like_an_impairment_makes_it_panic(
        way in "(up|down|both|x)(\\.(audio|sip|x))?",
        name in "loss|burst|delay|jitter|reorder|duplicate|rate|queue|outage|x",
        value in "[0-9.%±+/a-z-]{0,12}",
    ) {
        let _ = format!("{way}:{name}={value},loss=1%").parse::<Impairment>();
    }

    #[test]
    fn what_is_printed_reads_as_the_same(
        way in "(up|down|both)(\\.(audio|video|rtp|rtcp|sip|stun))?",
        first in option(),
        outage in 0u32..9000,
    ) {
        let impairment = read(&format!("{way}:{first},outage={outage}us+1ms"));
        let printed = impairment.to_string();
        prop_assert_eq!(read(&printed).to_string(), printed.clone());
        // Shares pass through per cent, which may cost their last bit.
        let (a, b) = (&impairment.lines[0].profile, &read(&printed).lines[0].profile);
        prop_assert_eq!(&a.outages, &b.outages);
        prop_assert_eq!((a.link.delay, a.link.jitter, a.link.rate), (b.link.delay, b.link.jitter, b.link.rate));
        prop_assert!((a.link.loss.mean() - b.link.loss.mean()).abs() < 1e-9);
    }
}
