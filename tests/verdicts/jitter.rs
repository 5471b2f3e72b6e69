//! Interarrival jitter is that of the arrivals in the log.

use crate::call::Experiment;
use crate::truth::assert_near;
use visavis::impair::Traffic;
use visavis::proto::Time;

/// RFC 3550 appendix A.8 in plain floating point, over the arrivals of one stream.
fn jitter_ms(mut arrivals: Vec<(Time, u32)>, clock_rate: f64) -> f64 {
    arrivals.sort();
    let mut jitter = 0.0f64;
    for pair in arrivals.windows(2) {
        let [(before, earlier), (at, timestamp)] = pair else { continue };
        let apart = (at.nanos() - before.nanos()) as f64 / 1e9 * clock_rate;
        let d = apart - f64::from(timestamp.wrapping_sub(*earlier) as i32);
        jitter += (d.abs() - jitter) / 16.0;
    }
    jitter / clock_rate * 1e3
}

#[test]
fn jitter_is_that_of_the_arrivals() {
    for impair in ["up.rtp:delay=50ms±25ms", "up.rtp:delay=60ms,jitter=10ms"] {
        let outcome = Experiment { impair, ..Experiment::default() }.run();
        for (traffic, clock_rate) in [(Traffic::Audio, 8_000.0), (Traffic::Video, 90_000.0)] {
            let of_kind = outcome.log.entries().iter().filter(|e| e.parcel.traffic == traffic);
            let arrivals = of_kind.flat_map(|e| {
                let timestamp = e.parcel.mark.expect("RTP").timestamp;
                e.fate.arrivals().filter(|at| *at <= outcome.ended).map(move |at| (at, timestamp))
            });
            let truth = jitter_ms(arrivals.collect(), clock_rate);
            let metric = format!("{}.jitter_ms", traffic.as_str());
            assert!(truth > 1.0, "{metric}: {truth}");
            assert_near(&metric, outcome.measured(&metric), truth, 0.2);
        }
    }
}
