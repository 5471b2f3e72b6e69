//! Puts fragments together (RFC 791 section 3.2, RFC 8200 section 4.5), in bounded memory.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;
use visavis_proto::Time;

/// Datagrams in the making, at most.
const MAX_DATAGRAMS: usize = 256;
/// The longest payload of an IP packet. With [`MAX_DATAGRAMS`] it bounds the memory to 16 MiB.
const MAX_LENGTH: usize = 65_535;
/// Gaps between the parts of one datagram, at most. Fragments mostly come in order or backwards.
const MAX_GAPS: usize = 64;
/// How long the other parts are waited for, in the time of the capture: as long as Linux does.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the fragments of one datagram have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    pub(super) identification: u32,
    /// In IPv4 alone: the first fragment of IPv6 says it for all.
    pub(super) protocol: Option<u8>,
}

/// One fragment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part<'a> {
    pub(super) key: Key,
    pub(super) time: Time,
    /// The protocol that it names.
    pub(super) protocol: u8,
    pub(super) offset: usize,
    pub(super) more: bool,
    /// Its payload, as far as it was captured.
    pub(super) data: &'a [u8],
    /// The length of its payload on the wire.
    pub(super) length: usize,
}

/// What a fragment led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Others are missing.
    Waiting,
    /// It cannot be.
    Refused,
    /// It was the last one missing: a payload of this protocol and this length on the wire. [`Fragments::joined`] is
    /// what was captured of it.
    Joined { protocol: u8, length: usize },
}

/// All datagrams in the making.
#[derive(Debug, Default)]
pub(super) struct Fragments {
    making: HashMap<Key, Making>,
    /// The payload that was put together last, as far as it was captured.
    pub(super) joined: Vec<u8>,
    left: u64,
    checked: Time,
}

#[derive(Debug)]
struct Making {
    since: Time,
    protocol: u8,
    fragments: u64,
    data: Vec<u8>,
    /// What is there, in order and without touching one another.
    have: Vec<(usize, usize)>,
    /// The length of the whole, once the last fragment came.
    total: Option<usize>,
    /// Where the captured data ends, if a fragment was cut.
    cut: usize,
}

impl Fragments {
    /// Takes a fragment.
    pub(super) fn add(&mut self, part: &Part<'_>) -> Outcome {
        self.expire(part.time);
        let end = part.offset.saturating_add(part.length);
        let fits = end <= MAX_LENGTH && part.length > 0 && (part.length.is_multiple_of(8) || !part.more);
        if !fits {
            return Outcome::Refused;
        }
        if self.making.len() >= MAX_DATAGRAMS && !self.making.contains_key(&part.key) {
            self.give_up_older_half();
        }
        let making = self.making.entry(part.key).or_insert_with(|| Making::new(part));
        making.fragments += 1;
        if !making.add(part, end) {
            self.give_up(&part.key);
            return Outcome::Refused;
        }
        match making.total {
            Some(total) if making.have == [(0, total)] => {
                let Some(mut making) = self.making.remove(&part.key) else { return Outcome::Refused };
                making.data.truncate(making.cut.min(total));
                self.joined = making.data;
                Outcome::Joined { protocol: making.protocol, length: total }
            }
            _ => Outcome::Waiting,
        }
    }

    /// Fragments whose other parts never came.
    pub(super) fn left(&self) -> u64 {
        self.left
    }

    /// Gives up what is not complete.
    pub(super) fn finish(&mut self) {
        self.left += self.making.drain().map(|(_, making)| making.fragments).sum::<u64>();
    }

    fn give_up(&mut self, key: &Key) {
        self.left += self.making.remove(key).map_or(0, |making| making.fragments);
    }

    /// Gives up what is too old. Looks at most once a second, or where time went back.
    fn expire(&mut self, now: Time) {
        if now >= self.checked && now - self.checked < Duration::from_secs(1) {
            return;
        }
        self.checked = now;
        self.keep(|making| now - making.since <= PATIENCE);
    }

    fn give_up_older_half(&mut self) {
        let mut ages: Vec<Time> = self.making.values().map(|making| making.since).collect();
        ages.sort_unstable();
        let median = ages.get(ages.len() / 2).copied().unwrap_or_default();
        let before = self.making.len();
        self.keep(|making| making.since > median);
        // Where all are of the same age, any will do; none is the fairest.
        debug_assert!(self.making.len() < before);
    }

    fn keep(&mut self, keep: impl Fn(&Making) -> bool) {
        let left = &mut self.left;
        self.making.retain(|_, making| {
            let kept = keep(making);
            *left += if kept { 0 } else { making.fragments };
            kept
        });
    }
}

impl Making {
    fn new(part: &Part<'_>) -> Self {
        Making {
            since: part.time,
            protocol: part.protocol,
            fragments: 0,
            data: Vec::new(),
            have: Vec::new(),
            total: None,
            cut: usize::MAX,
        }
    }

    /// Puts a part in its place. `false` where it contradicts the others.
    fn add(&mut self, part: &Part<'_>, end: usize) -> bool {
        let last = self.have.last().map_or(0, |range| range.1);
        match self.total {
            Some(total) if end > total || (!part.more && end != total) => return false,
            None if !part.more && end < last => return false,
            None if !part.more => self.total = Some(end),
            _ => {}
        }
        if part.offset == 0 {
            self.protocol = part.protocol;
        }
        let gaps = self.gaps(part.offset, end);
        let overlaps = gaps != [(part.offset, end)];
        // RFC 8200 section 4.5: overlapping fragments spoil a datagram, a repeated one does not. In IPv4, what came
        // first stays.
        if overlaps && !gaps.is_empty() && part.key.protocol.is_none() {
            return false;
        }
        for (from, to) in gaps {
            self.fill(part, from, to);
            self.insert(from, to);
        }
        self.have.len() <= MAX_GAPS
    }

    /// What is missing between two places.
    fn gaps(&self, from: usize, to: usize) -> Vec<(usize, usize)> {
        let mut gaps = Vec::new();
        let mut at = from;
        for &(start, end) in &self.have {
            if end <= at {
                continue;
            }
            if start >= to {
                break;
            }
            if start > at {
                gaps.push((at, start));
            }
            at = end;
        }
        if at < to {
            gaps.push((at, to));
        }
        gaps
    }

    fn fill(&mut self, part: &Part<'_>, from: usize, to: usize) {
        if self.data.len() < to {
            self.data.resize(to, 0);
        }
        let captured = to.min(part.offset + part.data.len()).max(from);
        if captured < to {
            self.cut = self.cut.min(captured);
        }
        let source = part.data.get(from - part.offset..captured - part.offset);
        if let (Some(place), Some(source)) = (self.data.get_mut(from..captured), source) {
            place.copy_from_slice(source);
        }
    }

    /// Notes what is there now, and joins what touches.
    fn insert(&mut self, from: usize, to: usize) {
        let at = self.have.partition_point(|range| range.0 < from);
        self.have.insert(at, (from, to));
        self.have.dedup_by(|next, range| {
            let touches = next.0 == range.1;
            if touches {
                range.1 = next.1;
            }
            touches
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(identification: u32, protocol: Option<u8>) -> Key {
        let address = IpAddr::from([10, 0, 0, 1]);
        Key { source: address, destination: address, identification, protocol }
    }

    fn part(id: u32, offset: usize, more: bool, data: &[u8]) -> Part<'_> {
        let key = key(id, Some(17));
        Part { key, time: Time::from_millis(1), protocol: 17, offset, more, data, length: data.len() }
    }

    const WHOLE: [u8; 28] = *b"0123456789abcdefghijklmnopqr";

    fn piece(offset: usize, length: usize) -> Part<'static> {
        let end = offset + length;
        part(1, offset, end < WHOLE.len(), &WHOLE[offset..end])
    }

    #[test]
    fn parts_in_any_order_and_twice_make_the_whole() {
        let parts = [piece(0, 8), piece(8, 8), piece(16, 12)];
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let mut fragments = Fragments::default();
            for index in [order[0], order[0], order[1]] {
                assert_eq!(fragments.add(&parts[index]), Outcome::Waiting);
            }
            let joined = Outcome::Joined { protocol: 17, length: 28 };
            assert_eq!(fragments.add(&parts[order[2]]), joined, "{order:?}");
            assert_eq!(fragments.joined, WHOLE);
            fragments.finish();
            assert_eq!(fragments.left(), 0);
        }
    }

    #[test]
    fn of_overlapping_parts_the_first_stays_in_ipv4_and_nothing_in_ipv6() {
        for ipv6 in [false, true] {
            let mut fragments = Fragments::default();
            let as_version = |part: Part<'static>| Part { key: key(1, (!ipv6).then_some(17)), ..part };
            fragments.add(&as_version(piece(8, 8)));
            let over = as_version(part(1, 0, true, &[b'x'; 24]));
            if ipv6 {
                assert_eq!(fragments.add(&over), Outcome::Refused);
                assert_eq!(fragments.left(), 2);
                continue;
            }
            assert_eq!(fragments.add(&over), Outcome::Waiting);
            assert!(matches!(fragments.add(&piece(16, 12)), Outcome::Joined { length: 28, .. }));
            assert_eq!(fragments.joined, b"xxxxxxxx89abcdefxxxxxxxxopqr");
        }
    }

    #[test]
    fn ends_that_contradict_one_another_spoil_a_datagram() {
        let mut fragments = Fragments::default();
        fragments.add(&piece(16, 12));
        assert_eq!(fragments.add(&part(1, 24, true, &[0; 8])), Outcome::Refused);
        fragments.add(&part(2, 16, false, &[0; 8]));
        assert_eq!(fragments.add(&part(2, 8, false, &[0; 8])), Outcome::Refused);
        fragments.add(&part(3, 16, true, &[0; 8]));
        assert_eq!(fragments.add(&part(3, 8, false, &[0; 8])), Outcome::Refused);
        assert_eq!(fragments.left(), 6);
        for never in [part(4, 65_528, true, &[0; 8]), part(4, 0, true, &[0; 9]), part(4, 8, true, &[])] {
            assert_eq!(fragments.add(&never), Outcome::Refused);
        }
        assert_eq!(fragments.left(), 6);
    }

    #[test]
    fn a_part_that_was_cut_ends_the_data_but_not_the_length() {
        let mut fragments = Fragments::default();
        fragments.add(&Part { data: &WHOLE[8..11], ..piece(8, 8) });
        fragments.add(&piece(0, 8));
        assert!(matches!(fragments.add(&piece(16, 12)), Outcome::Joined { length: 28, .. }));
        assert_eq!(fragments.joined, &WHOLE[..11]);
    }

    #[test]
    fn what_is_never_completed_is_given_up_and_counted() {
        let mut fragments = Fragments::default();
        for id in 0..100_000 {
            let time = Time::from_millis(u64::from(id) / 1000);
            fragments.add(&Part { time, ..part(id, 0, true, &[0; 8]) });
            assert!(fragments.making.len() <= MAX_DATAGRAMS);
        }
        let late = Time::from_millis(200_000);
        fragments.add(&Part { time: late, ..part(1, 0, true, &[0; 8]) });
        assert_eq!((fragments.making.len(), fragments.left()), (1, 100_000));
        fragments.finish();
        assert_eq!(fragments.left(), 100_001);
    }

    #[test]
    fn a_comb_of_parts_is_given_up() {
        let mut fragments = Fragments::default();
        let comb: Vec<Outcome> = (0..100).map(|i| fragments.add(&part(1, i * 16, true, &[0; 8]))).collect();
        assert_eq!(comb[MAX_GAPS - 1], Outcome::Waiting);
        assert_eq!(comb[MAX_GAPS], Outcome::Refused);
    }
}
