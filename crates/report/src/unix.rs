//! Times in JSON: seconds since the Unix epoch.

use serde::Serializer;
use visavis_proto::Time;

/// The time by the wall clock, seconds since the Unix epoch, rounded to a microsecond.
pub(crate) fn seconds(time: Time) -> f64 {
    (time.unix_nanos() / 1_000) as f64 / 1e6
}

pub(crate) fn time<S: Serializer>(time: &Time, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(seconds(*time))
}

pub(crate) fn option<S: Serializer>(at: &Option<Time>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => time(at, serializer),
        None => serializer.serialize_none(),
    }
}
