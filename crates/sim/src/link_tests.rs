use super::*;

const MS: Duration = Duration::from_millis(1);

fn link(profile: LinkProfile) -> Link {
    Link::new(profile, [7; 32], 0)
}

/// Sends `count` datagrams of `octets`, one every `every`.
fn run(link: &mut Link, count: u64, octets: usize, every: Duration) -> Vec<(Time, Outcome)> {
    let mut now = Time::ZERO;
    (0..count)
        .map(|_| {
            now += every;
            (now, link.send(now, octets))
        })
        .collect()
}

fn delays(outcomes: &[(Time, Outcome)]) -> Vec<Duration> {
    outcomes.iter().flat_map(|(sent, o)| o.arrivals().take(1).map(move |at| at - *sent)).collect()
}

fn mean(delays: &[Duration]) -> Duration {
    delays.iter().sum::<Duration>() / delays.len() as u32
}

fn near(value: f64, expected: f64, tolerance: f64) {
    assert!((value - expected).abs() <= tolerance, "{value} is not within {tolerance} of {expected}");
}

#[test]
fn a_default_line_delivers_at_once_and_in_full() {
    let mut line = link(LinkProfile::default());
    for (sent, outcome) in run(&mut line, 1000, 1200, MS) {
        assert_eq!(outcome, Outcome::Arrives { at: sent, copy: None });
    }
    assert_eq!(line.stats().arrivals, 1000);
    assert_eq!(line.stats().arrival_octets, 1_200_000);
}

#[test]
fn independent_loss_keeps_to_its_probability_and_has_no_memory() {
    let mut line = link(LinkProfile { loss: Loss::Independent(0.05), ..Default::default() });
    let outcomes = run(&mut line, 100_000, 100, MS);
    // Five standard deviations of a binomial of 100,000 at 5 % are 345.
    near(line.stats().lost as f64, 5000.0, 345.0);
    let lost: Vec<bool> = outcomes.iter().map(|(_, o)| matches!(o, Outcome::Dropped(_))).collect();
    let pairs = lost.windows(2).filter(|w| w[0] && w[1]).count();
    near(pairs as f64, 250.0, 80.0);
}

#[test]
fn burst_loss_keeps_to_its_mean_and_its_burst_length() {
    let loss = Loss::bursts(0.05, 4.0);
    near(loss.mean(), 0.05, 1e-12);
    let mut line = link(LinkProfile { loss, ..Default::default() });
    let outcomes = run(&mut line, 400_000, 100, MS);
    near(line.stats().lost as f64 / 400_000.0, 0.05, 0.004);
    let mut bursts = 0;
    let mut before = false;
    for (_, outcome) in &outcomes {
        let lost = matches!(outcome, Outcome::Dropped(_));
        bursts += u64::from(lost && !before);
        before = lost;
    }
    near(line.stats().lost as f64 / bursts as f64, 4.0, 0.25);
}

#[test]
fn a_bad_state_that_loses_half_is_worth_half() {
    let loss = Loss::GilbertElliott { to_bad: 0.1, to_good: 0.3, good_loss: 0.01, bad_loss: 0.5 };
    near(loss.mean(), 0.1325, 1e-12);
    let mut line = link(LinkProfile { loss, ..Default::default() });
    run(&mut line, 200_000, 100, MS);
    near(line.stats().lost as f64 / 200_000.0, 0.1325, 0.005);
}

#[test]
fn uniform_jitter_spreads_evenly_above_the_delay() {
    let profile = LinkProfile { jitter: Jitter::Uniform(10 * MS), ..LinkProfile::delay(40 * MS) };
    let mut line = link(profile);
    let delays = delays(&run(&mut line, 50_000, 100, 20 * MS));
    assert!(delays.iter().all(|d| (40 * MS..=50 * MS).contains(d)));
    near(mean(&delays).as_secs_f64(), 0.045, 0.0001);
    let low = delays.iter().filter(|d| **d < Duration::from_micros(42_500)).count();
    near(low as f64, 12_500.0, 500.0);
}

#[test]
fn normal_jitter_has_the_deviation_asked_for() {
    let profile = LinkProfile { jitter: Jitter::Normal(3 * MS), ..LinkProfile::delay(40 * MS) };
    let mut line = link(profile);
    let delays = delays(&run(&mut line, 50_000, 100, 50 * MS));
    let mean = mean(&delays).as_secs_f64();
    near(mean, 0.040, 0.0001);
    let variance = delays.iter().map(|d| (d.as_secs_f64() - mean).powi(2)).sum::<f64>() / 50_000.0;
    near(variance.sqrt(), 0.003, 0.0001);
}

#[test]
fn a_delay_never_gets_below_zero() {
    let mut line = link(LinkProfile { jitter: Jitter::Normal(30 * MS), ..LinkProfile::delay(MS) });
    for (sent, outcome) in run(&mut line, 10_000, 100, MS) {
        assert!(outcome.arrivals().all(|at| at >= sent));
    }
}

#[test]
fn jitter_alone_keeps_the_order() {
    let mut line = link(LinkProfile { jitter: Jitter::Uniform(100 * MS), ..LinkProfile::delay(10 * MS) });
    let arrivals: Vec<Time> =
        run(&mut line, 10_000, 100, MS).iter().flat_map(|(_, o)| o.arrivals()).collect();
    assert!(arrivals.is_sorted());
}

#[test]
fn a_datagram_held_back_is_overtaken_by_those_sent_meanwhile() {
    let reorder = Reorder { probability: 0.02, by: 25 * MS };
    let mut line = link(LinkProfile { reorder, ..LinkProfile::delay(10 * MS) });
    let outcomes = run(&mut line, 50_000, 100, 10 * MS);
    let arrivals: Vec<Time> = outcomes.iter().flat_map(|(_, o)| o.arrivals()).collect();
    let overtaken = |i: usize| arrivals[i + 1..].iter().take(5).filter(|a| **a < arrivals[i]).count();
    let mut held = 0;
    for i in 0..arrivals.len() - 6 {
        if arrivals[i] - outcomes[i].0 == 35 * MS {
            held += 1;
            let also_held = (1..=2).filter(|n| arrivals[i + n] - outcomes[i + n].0 == 35 * MS).count();
            assert_eq!(overtaken(i), 2 - also_held);
        } else {
            assert_eq!(overtaken(i), 0);
        }
    }
    near(held as f64, 1000.0, 160.0);
    near(line.stats().held_back as f64, held as f64, 2.0);
}

#[test]
fn duplicates_come_once_more_and_never_before_the_original() {
    let profile = LinkProfile { duplicate: 0.1, jitter: Jitter::Uniform(5 * MS), ..LinkProfile::delay(MS) };
    let mut line = link(profile);
    for (_, outcome) in run(&mut line, 20_000, 100, 10 * MS) {
        let arrivals: Vec<Time> = outcome.arrivals().collect();
        assert!(arrivals.is_sorted() && !arrivals.is_empty());
    }
    near(line.stats().duplicated as f64, 2000.0, 215.0);
    assert_eq!(line.stats().arrivals, 20_000 + line.stats().duplicated);
}

#[test]
fn a_bottleneck_passes_its_rate_and_no_more() {
    // 1,000 octets at 1 Mbit/s take 8 ms; one comes every 4 ms.
    let rate = Rate { bits_per_second: 1_000_000, queue: 80 * MS };
    let mut line = link(LinkProfile { rate: Some(rate), ..Default::default() });
    let outcomes = run(&mut line, 10_000, 1000, 4 * MS);
    let arrivals: Vec<Time> = outcomes.iter().flat_map(|(_, o)| o.arrivals()).collect();
    assert!(arrivals.windows(2).all(|w| w[1] - w[0] == 8 * MS));
    let delays = delays(&outcomes);
    assert_eq!(*delays.iter().min().unwrap(), 8 * MS);
    assert_eq!(*delays.iter().max().unwrap(), 88 * MS);
    assert_eq!(line.stats().longest_wait, 80 * MS);
    let stats = line.stats();
    near(stats.queue_full as f64, 5000.0, 15.0);
    assert_eq!(stats.sent, stats.arrivals + stats.queue_full);
}

#[test]
fn an_idle_bottleneck_takes_a_datagram_of_any_size() {
    let rate = Rate { bits_per_second: 8_000, queue: Duration::ZERO };
    let mut line = link(LinkProfile { rate: Some(rate), ..Default::default() });
    let at = Time::ZERO + Duration::from_secs(60);
    assert_eq!(line.send(Time::ZERO, 60_000), Outcome::Arrives { at, copy: None });
    assert_eq!(line.send(Time::from_millis(59_999), 1), Outcome::Dropped(DropReason::QueueFull));
    assert!(matches!(line.send(at, 1), Outcome::Arrives { .. }));
}

#[test]
fn every_datagram_is_accounted_for_under_all_impairments_at_once() {
    let mut line = link(everything());
    let outcomes = run(&mut line, 100_000, 700, 4 * MS);
    let stats = line.stats();
    assert_eq!(stats.sent + stats.duplicated, stats.arrivals + stats.lost + stats.queue_full);
    let arrivals = outcomes.iter().flat_map(|(_, o)| o.arrivals()).count() as u64;
    assert_eq!(stats.arrivals, arrivals);
    for count in [stats.lost, stats.queue_full, stats.duplicated, stats.held_back] {
        assert!(count > 100, "{stats:?}");
    }
}

#[test]
fn equal_seeds_give_equal_lines_and_streams_differ() {
    let run = |seed, stream| run(&mut Link::new(everything(), [seed; 32], stream), 2000, 700, 4 * MS);
    assert_eq!(run(1, 0), run(1, 0));
    assert_ne!(run(1, 0), run(1, 1));
    assert_ne!(run(1, 0), run(2, 0));
}

#[test]
fn one_impairment_leaves_the_pattern_of_the_others() {
    let lost = |profile: LinkProfile| -> Vec<bool> {
        let outcomes = run(&mut link(profile), 5000, 100, MS);
        outcomes.iter().map(|(_, o)| matches!(o, Outcome::Dropped(_))).collect()
    };
    let loss = Loss::bursts(0.1, 3.0);
    let plain = lost(LinkProfile { loss, ..Default::default() });
    let much = lost(LinkProfile { rate: None, loss, ..everything() });
    assert_eq!(plain, much);
}

#[test]
fn a_change_of_profile_holds_for_what_is_sent_after_it() {
    let mut line = link(LinkProfile::delay(100 * MS));
    let first = line.send(Time::ZERO, 100);
    line.set_profile(LinkProfile { loss: Loss::Independent(1.0), ..Default::default() });
    assert_eq!(first, Outcome::Arrives { at: Time::from_millis(100), copy: None });
    assert_eq!(line.send(Time::from_millis(1), 100), Outcome::Dropped(DropReason::Lost));
}

fn everything() -> LinkProfile {
    LinkProfile {
        loss: Loss::bursts(0.02, 3.0),
        delay: 30 * MS,
        jitter: Jitter::Normal(4 * MS),
        reorder: Reorder { probability: 0.01, by: 12 * MS },
        duplicate: 0.01,
        rate: Some(Rate { bits_per_second: 1_350_000, queue: 120 * MS }),
    }
}
