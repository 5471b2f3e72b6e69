//! Statistics of octets: how much of a stream is zero filling, and whether octets repeat where a codec would repeat
//! them and a cipher would not.

/// Zero octets in a row from which on they are taken for filling.
const ZERO_RUN: usize = 16;
/// How many octets at the front of each payload are looked at, each place by itself.
pub(super) const PLACES: usize = 4;

/// What was counted over the payloads of a stream.
#[derive(Clone, Debug)]
pub(super) struct Octets {
    /// Payloads that were counted.
    pub(super) payloads: u32,
    /// Octets in all.
    pub(super) total: u64,
    /// Octets in runs of zeros.
    pub(super) zeros: u64,
    /// The octets outside of such runs.
    rest: Counts,
    places: [Counts; PLACES],
}

/// How often each octet came.
#[derive(Clone, Debug)]
struct Counts(Box<[u32; 256]>);

impl Counts {
    fn new() -> Self {
        Counts(Box::new([0; 256]))
    }

    fn add(&mut self, octet: u8) {
        if let Some(count) = self.0.get_mut(usize::from(octet)) {
            *count += 1;
        }
    }

    /// How much more often two octets are equal than two random ones: 1 for random octets, 256 for equal ones. `None`
    /// for fewer than two.
    fn repetition(&self) -> Option<f64> {
        let total: u64 = self.0.iter().map(|&n| u64::from(n)).sum();
        if total < 2 {
            return None;
        }
        let pairs: f64 = self.0.iter().map(|&n| f64::from(n) * (f64::from(n) - 1.0)).sum();
        Some(256.0 * pairs / (total as f64 * (total as f64 - 1.0)))
    }
}

impl Octets {
    pub(super) fn new() -> Self {
        Octets {
            payloads: 0,
            total: 0,
            zeros: 0,
            rest: Counts::new(),
            places: std::array::from_fn(|_| Counts::new()),
        }
    }

    /// Counts a payload, and gives what of it lies between the zero filling at its two ends.
    pub(super) fn feed<'a>(&mut self, payload: &'a [u8]) -> &'a [u8] {
        self.total += payload.len() as u64;
        for run in payload.chunk_by(|a, b| (*a == 0) == (*b == 0)) {
            if run.first() == Some(&0) && run.len() >= ZERO_RUN {
                self.zeros += run.len() as u64;
            } else {
                run.iter().for_each(|&octet| self.rest.add(octet));
            }
        }
        let core = without_filling(payload);
        if !core.is_empty() {
            self.payloads += 1;
            for (place, &octet) in self.places.iter_mut().zip(core) {
                place.add(octet);
            }
        }
        core
    }

    /// [`Counts::repetition`] of the octets outside of zero runs, wherever they stand.
    pub(super) fn repetition(&self) -> Option<f64> {
        self.rest.repetition()
    }

    /// The same for the first octets of payloads, each place by itself.
    pub(super) fn repetition_at(&self, place: usize) -> Option<f64> {
        self.places.get(place)?.repetition()
    }

    /// The greatest of [`Octets::repetition_at`].
    pub(super) fn most_repetition(&self) -> Option<f64> {
        self.places.iter().filter_map(Counts::repetition).reduce(f64::max)
    }

    /// The share of zero filling, 0 to 1.
    pub(super) fn zero_share(&self) -> f64 {
        if self.total == 0 { 0.0 } else { self.zeros as f64 / self.total as f64 }
    }
}

fn without_filling(payload: &[u8]) -> &[u8] {
    let leading = payload.iter().take_while(|&&octet| octet == 0).count();
    let payload = if leading >= ZERO_RUN { payload.get(leading..).unwrap_or_default() } else { payload };
    let trailing = payload.iter().rev().take_while(|&&octet| octet == 0).count();
    let end = if trailing >= ZERO_RUN { payload.len() - trailing } else { payload.len() };
    payload.get(..end).unwrap_or_default()
}
