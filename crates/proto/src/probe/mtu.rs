//! The largest request that gets through: which sizes to try, and what came of them.
//!
//! A size has got through when the peer answers it. What routers say by ICMP, which RFC 8085 section 3.2 warns may never
//! come, only makes the search shorter.

/// Sizes at which paths often end, octets of UDP payload: what RFC 3261 section 18.1.1 lets go by UDP where the path is
/// not known, Ethernet by IPv6 and IPv4, jumbo frames, and the most that UDP over IPv4 carries.
const LADDER: [usize; 5] = [1_300, 1_452, 1_472, 8_972, 65_507];
/// Sizes tried at the most, whatever the peer does.
const MOST: usize = 32;

/// What came of a size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tried {
    /// The peer answered.
    Answered,
    /// It did not, nor did anybody say why.
    Unanswered,
    /// This machine does not send that much in one piece; the most that it would is given where it is known.
    TooLargeHere(Option<usize>),
    /// A router on the way said that it is too large; what goes through there is given where it is known.
    TooLargeOnPath(Option<usize>),
}

/// What the search has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathMtu {
    /// The largest request that was answered, octets of UDP payload; `None` where none was.
    pub largest: Option<usize>,
    /// Why it is not larger.
    pub bound: Bound,
}

/// What a path ends by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// Nothing was answered, or the search was not ended.
    Unknown,
    /// More was not asked for.
    Asked,
    /// One octet more is not answered: it is lost on the way, or the peer does not take it.
    Unanswered,
    /// One octet more does not leave this machine in one piece.
    Here,
    /// One octet more is too large for a router on the way, which says so.
    Path,
}

/// The search: ask for the [`MtuSearch::next`] size, try it, [`MtuSearch::tell`] what came of it.
#[derive(Clone, Debug)]
pub struct MtuSearch {
    most: usize,
    first: usize,
    answered: Option<usize>,
    failed: Option<(usize, Tried)>,
    hint: Option<usize>,
    tried: usize,
}

impl MtuSearch {
    /// Between `first`, the size of a plain request, and `most` octets.
    pub fn new(first: usize, most: usize) -> Self {
        MtuSearch { most, first, answered: None, failed: None, hint: None, tried: 0 }
    }

    /// The size to try next; `None` where the search is over.
    pub fn next(&self) -> Option<usize> {
        if self.tried >= MOST {
            return None;
        }
        let Some(answered) = self.answered else {
            // Where the plain request gets no answer, no other will.
            return self.failed.is_none().then_some(self.first);
        };
        let Some((failed, _)) = self.failed else {
            let step = LADDER.into_iter().find(|step| *step > answered).unwrap_or(self.most);
            return (answered < self.most).then_some(step.min(self.most));
        };
        if failed - answered <= 1 {
            return None;
        }
        let inside = |size: &usize| *size > answered && *size < failed;
        // The size just above a hint that held is the one that shows that it was right.
        let hint = self.hint.map(|hint| if hint == answered { hint + 1 } else { hint }).filter(inside);
        Some(hint.unwrap_or(answered + (failed - answered) / 2))
    }

    /// Takes in what came of a size.
    pub fn tell(&mut self, size: usize, tried: Tried) {
        self.tried += 1;
        match tried {
            Tried::Answered => self.answered = self.answered.max(Some(size)),
            Tried::Unanswered | Tried::TooLargeHere(_) | Tried::TooLargeOnPath(_) => {
                if self.failed.is_none_or(|(failed, _)| size < failed) {
                    self.failed = Some((size, tried));
                }
                if let Tried::TooLargeHere(Some(hint)) | Tried::TooLargeOnPath(Some(hint)) = tried {
                    self.hint = Some(hint);
                }
            }
        }
    }

    /// What is known so far.
    pub fn result(&self) -> PathMtu {
        let bound = match (self.answered, self.failed) {
            (Some(answered), None) if answered >= self.most => Bound::Asked,
            (Some(answered), Some((failed, tried))) if failed == answered + 1 => match tried {
                Tried::TooLargeHere(_) => Bound::Here,
                Tried::TooLargeOnPath(_) => Bound::Path,
                Tried::Unanswered | Tried::Answered => Bound::Unanswered,
            },
            _ => Bound::Unknown,
        };
        PathMtu { largest: self.answered, bound }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Searches a path that does this; the sizes tried.
    fn search(most: usize, path: impl Fn(usize) -> Tried) -> (PathMtu, Vec<usize>) {
        let mut search = MtuSearch::new(400, most);
        let mut sizes = Vec::new();
        while let Some(size) = search.next() {
            sizes.push(size);
            search.tell(size, path(size));
        }
        (search.result(), sizes)
    }

    #[test]
    fn a_path_that_takes_all_is_climbed_by_the_ladder() {
        let (found, sizes) = search(65_507, |_| Tried::Answered);
        assert_eq!(found, PathMtu { largest: Some(65_507), bound: Bound::Asked });
        assert_eq!(sizes, [400, 1_300, 1_452, 1_472, 8_972, 65_507]);
        assert_eq!(search(1_400, |_| Tried::Answered).0.largest, Some(1_400));
    }

    #[test]
    fn any_end_of_a_silent_path_is_found_to_the_octet() {
        for end in [400, 401, 1_299, 1_300, 1_471, 1_472, 1_473, 8_000, 8_192, 65_506] {
            let (found, sizes) =
                search(65_507, |size| if size <= end { Tried::Answered } else { Tried::Unanswered });
            assert_eq!(found, PathMtu { largest: Some(end), bound: Bound::Unanswered }, "{end}");
            assert!(sizes.len() <= 24, "{end}: {sizes:?}");
        }
    }

    #[test]
    fn who_says_what_goes_through_makes_it_short() {
        let (found, sizes) = search(65_507, |size| match size {
            ..=1_272 => Tried::Answered,
            1_273..=1_472 => Tried::TooLargeOnPath(Some(1_272)),
            _ => Tried::TooLargeHere(Some(1_472)),
        });
        assert_eq!(found, PathMtu { largest: Some(1_272), bound: Bound::Path });
        assert_eq!(sizes, [400, 1_300, 1_272, 1_273]);
        // A lie costs time and changes nothing.
        let (found, _) = search(65_507, |size| match size {
            ..=1_000 => Tried::Answered,
            _ => Tried::TooLargeHere(Some(1_200)),
        });
        assert_eq!(found, PathMtu { largest: Some(1_000), bound: Bound::Here });
    }

    #[test]
    fn of_a_peer_that_answers_nothing_nothing_is_known() {
        let (found, sizes) = search(65_507, |_| Tried::Unanswered);
        assert_eq!((found, sizes), (PathMtu { largest: None, bound: Bound::Unknown }, vec![400]));
    }
}
