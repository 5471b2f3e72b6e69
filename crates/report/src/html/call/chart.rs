//! Draws one time line as SVG.
//!
//! The drawing stretches with the page, and lines keep their width; figures and labels stand beside it as text, so
//! that they stay readable however narrow it gets.

use super::words::number;
use crate::html::{Html, el};

/// Points across a drawing, at most.
const MOST_BUCKETS: f64 = 240.0;
/// The inner width and height of a drawing, in its own units.
const WIDTH: f64 = 1_000.0;
const HEIGHT: f64 = 100.0;

/// The stretch of time that all drawings of a page share, cut into buckets of one length.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Span {
    /// The length of a bucket, seconds.
    bucket: f64,
    buckets: usize,
}

impl Span {
    /// From zero to so many seconds.
    pub(super) fn new(seconds: f64) -> Self {
        let seconds = if seconds.is_finite() { seconds.clamp(1.0, 1e9) } else { 1.0 };
        let bucket = (seconds / MOST_BUCKETS).ceil();
        Span { bucket, buckets: (seconds / bucket).ceil() as usize }
    }

    fn length(self) -> f64 {
        self.bucket * self.buckets as f64
    }

    /// The length of a bucket, seconds.
    pub(super) fn bucket(self) -> f64 {
        self.bucket
    }
}

/// What becomes of several values in one bucket.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Joined {
    /// Their mean by weight.
    Mean,
    /// The greatest.
    Greatest,
    /// The least.
    Least,
    /// All together.
    Sum,
}

/// What a drawing shows.
pub(super) struct Chart<'a> {
    pub(super) title: &'a str,
    pub(super) unit: &'a str,
    /// Digits behind the point.
    pub(super) digits: usize,
    pub(super) joined: Joined,
    /// Whether the scale begins at zero.
    pub(super) from_zero: bool,
    pub(super) lines: Vec<Line>,
    /// What to say where nothing was measured.
    pub(super) unmeasured: &'a str,
}

/// One line.
pub(super) struct Line {
    pub(super) label: String,
    /// Its colour and dashes, 1 to 8.
    pub(super) style: usize,
    pub(super) points: Vec<Point>,
}

/// One value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    /// When, seconds from the start of the page's time.
    pub(super) at: f64,
    pub(super) value: f64,
    /// What it weighs in a mean.
    pub(super) weight: f64,
}

impl Chart<'_> {
    pub(super) fn draw(&self, span: Span) -> Html {
        let heading = Html::from(self.title) + el("span", &[("class", "unit")], self.unit);
        let lines: Vec<(&Line, Vec<Option<f64>>)> = self
            .lines
            .iter()
            .map(|line| (line, self.buckets(&line.points, span)))
            .filter(|(_, values)| values.iter().any(Option::is_some))
            .collect();
        let values = lines.iter().flat_map(|(_, values)| values.iter().copied().flatten());
        let Some((least, most)) = values.fold(None, |range: Option<(f64, f64)>, v| {
            Some(range.map_or((v, v), |(least, most)| (least.min(v), most.max(v))))
        }) else {
            let unknown = format!("unknown: {}", self.unmeasured);
            let caption = el("figcaption", &[], heading);
            return el(
                "figure",
                &[("class", "chart")],
                caption + el("div", &[("class", "unmeasured")], unknown),
            );
        };
        let (low, high) = if self.from_zero { (0.0, nice(most)) } else { around(least, most) };
        let place = |value: f64| HEIGHT - (value - low) / (high - low) * HEIGHT;
        let mut drawing = Html::new();
        for y in [0.0, HEIGHT / 2.0, HEIGHT] {
            let y = y.to_string();
            let ends = [("x1", "0"), ("x2", "1000"), ("y1", &y), ("y2", &y), ("class", "grid")];
            drawing += el("line", &ends, Html::new());
        }
        for (line, values) in &lines {
            let class = format!("s{}", line.style);
            drawing += el("path", &[("class", &class), ("d", &path(values, span, place))], Html::new());
        }
        drawing += self.hits(&lines, span);
        let label = format!(
            "{} over time, {} to {} {}",
            self.title,
            number(least, self.digits),
            number(most, self.digits),
            self.unit
        );
        let box_ = format!("0 0 {WIDTH} {HEIGHT}");
        let attributes = [
            ("viewBox", box_.as_str()),
            ("preserveAspectRatio", "none"),
            ("role", "img"),
            ("aria-label", &label),
        ];
        let ticks = [high, (high + low) / 2.0, low];
        let digits = digits(&ticks);
        let ticks: Html = ticks.into_iter().map(|v| el("span", &[], number(v, digits))).collect();
        let end = span.length();
        let times: Html = [0.0, end / 2.0, end].into_iter().map(|t| el("span", &[], clock(t))).collect();
        let frame = el("div", &[("class", "y"), ("aria-hidden", "true")], ticks)
            + el("svg", &attributes, drawing)
            + el("div", &[("class", "x"), ("aria-hidden", "true")], times);
        let range = format!("{} to {} {}", number(least, self.digits), number(most, self.digits), self.unit);
        let caption = el("figcaption", &[], heading + el("output", &[], range));
        el("figure", &[("class", "chart")], caption + el("div", &[("class", "frame")], frame))
    }

    fn buckets(&self, points: &[Point], span: Span) -> Vec<Option<f64>> {
        let mut sums: Vec<Option<(f64, f64)>> = vec![None; span.buckets];
        for point in points.iter().filter(|p| p.at.is_finite() && p.value.is_finite() && p.at >= 0.0) {
            let Some(sum) = sums.get_mut((point.at / span.bucket) as usize) else { continue };
            let (value, weight) = sum.unwrap_or((
                match self.joined {
                    Joined::Greatest => f64::NEG_INFINITY,
                    Joined::Least => f64::INFINITY,
                    Joined::Mean | Joined::Sum => 0.0,
                },
                0.0,
            ));
            let value = match self.joined {
                Joined::Mean => value + point.value * point.weight,
                Joined::Sum => value + point.value,
                Joined::Greatest => value.max(point.value),
                Joined::Least => value.min(point.value),
            };
            *sum = Some((value, weight + point.weight));
        }
        let finish = |sum: Option<(f64, f64)>| match (self.joined, sum?) {
            (Joined::Mean, (value, weight)) => (weight > 0.0).then(|| value / weight),
            (_, (value, _)) => Some(value),
        };
        sums.into_iter().map(finish).collect()
    }

    /// Parts to point at: each says what was measured in it.
    fn hits(&self, lines: &[(&Line, Vec<Option<f64>>)], span: Span) -> Html {
        let width = WIDTH / span.buckets as f64;
        let hit = |index: usize| {
            let said: Vec<String> = lines
                .iter()
                .filter_map(|(line, values)| {
                    let value = values.get(index).copied().flatten()?;
                    Some(format!("{} {} {}", line.label, number(value, self.digits), self.unit))
                })
                .collect();
            let from = index as f64 * span.bucket;
            let said = if said.is_empty() { "nothing measured".into() } else { said.join(" · ") };
            let title = format!("{} – {}: {said}", clock(from), clock(from + span.bucket));
            let (x, width) = (short(index as f64 * width), short(width));
            let attributes = [("class", "hit"), ("x", &x), ("y", "0"), ("width", &width), ("height", "100")];
            el("rect", &attributes, el("title", &[], title))
        };
        (0..span.buckets).map(hit).collect()
    }
}

/// The path of a line; it breaks where nothing was measured.
fn path(values: &[Option<f64>], span: Span, place: impl Fn(f64) -> f64) -> String {
    let width = WIDTH / span.buckets as f64;
    let mut path = String::new();
    for (index, value) in values.iter().enumerate() {
        let Some(value) = value else { continue };
        let (x, y) = ((index as f64 + 0.5) * width, place(*value));
        let before = index.checked_sub(1).and_then(|i| values.get(i)).copied().flatten().is_some();
        let after = values.get(index + 1).copied().flatten().is_some();
        match (before, after) {
            // Alone it would have no length, and not be seen.
            (false, false) => {
                let (from, to) = (short(x - width * 0.3), short(x + width * 0.3));
                path.push_str(&format!("M{from} {y}H{to}", y = short(y)));
            }
            (false, true) => path.push_str(&format!("M{} {}", short(x), short(y))),
            (true, _) => path.push_str(&format!("L{} {}", short(x), short(y))),
        }
    }
    path
}

/// A coordinate with as many digits as a screen shows.
fn short(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The least number at or above a positive one that halves well; 1 for zero.
fn nice(most: f64) -> f64 {
    if most <= 0.0 {
        return 1.0;
    }
    let unit = 10f64.powf(most.log10().floor());
    let steps = [1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0];
    steps.into_iter().map(|step| step * unit).find(|limit| *limit >= most).unwrap_or(10.0 * unit)
}

/// As many digits as it takes to write all of these, at most three.
fn digits(values: &[f64]) -> usize {
    let exact = |scale: f64| values.iter().all(|v| ((v * scale).round() - v * scale).abs() < 1e-6);
    (0..3).find(|digits| exact(10f64.powi(*digits))).unwrap_or(3) as usize
}

/// A range around values, to whole tens, or to whole fives where they lie close together.
fn around(least: f64, most: f64) -> (f64, f64) {
    let unit = if most - least < 10.0 { 5.0 } else { 10.0 };
    let (low, high) = ((least / unit).floor() * unit, (most / unit).ceil() * unit);
    if low == high { (low - unit, high + unit) } else { (low, high) }
}

/// A time as a clock shows it, where it is long.
fn clock(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        0..120 if (seconds - seconds.round()).abs() > 0.01 => format!("{seconds:.1} s"),
        0..120 => format!("{whole} s"),
        120..3600 => format!("{}:{:02} min", whole / 60, whole % 60),
        _ => format!("{}:{:02}:{:02} h", whole / 3600, whole / 60 % 60, whole % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(joined: Joined, points: Vec<Point>) -> Chart<'static> {
        let lines = vec![Line { label: "video".into(), style: 1, points }];
        Chart { title: "Loss", unit: "%", digits: 1, joined, from_zero: true, lines, unmeasured: "no RTCP" }
    }

    fn points(values: &[(f64, f64)]) -> Vec<Point> {
        values.iter().map(|&(at, value)| Point { at, value, weight: 1.0 }).collect()
    }

    #[test]
    fn long_calls_share_buckets_and_each_kind_of_figure_is_joined_in_its_own_way() {
        let span = Span::new(3_600.0);
        assert_eq!((span.bucket, span.buckets), (15.0, 240));
        let values = points(&[(0.0, 2.0), (14.9, 4.0), (15.0, 7.0), (4_000.0, 9.0)]);
        let first = |joined| chart(joined, Vec::new()).buckets(&values, span)[..3].to_vec();
        assert_eq!(first(Joined::Mean), [Some(3.0), Some(7.0), None]);
        assert_eq!(first(Joined::Sum), [Some(6.0), Some(7.0), None]);
        assert_eq!(first(Joined::Greatest)[0], Some(4.0));
        assert_eq!(first(Joined::Least)[0], Some(2.0));
    }

    #[test]
    fn a_line_breaks_where_nothing_was_measured_and_a_point_alone_is_seen() {
        let values = [Some(0.0), Some(1.0), None, Some(1.0)];
        let drawn = path(&values, Span { bucket: 1.0, buckets: 4 }, |v| v);
        assert_eq!(drawn, "M125 0L375 1M800 1H950");
    }

    #[test]
    fn what_was_not_measured_is_a_line_of_text_and_no_empty_drawing() {
        let html = chart(Joined::Mean, Vec::new()).draw(Span::new(6.0));
        assert!(html.as_str().contains("unknown: no RTCP") && !html.as_str().contains("<svg"), "{html}");
        let nan = points(&[(0.5, f64::NAN), (f64::INFINITY, 1.0)]);
        assert!(!chart(Joined::Mean, nan).draw(Span::new(f64::NAN)).as_str().contains("NaN"));
    }

    #[test]
    fn scales_end_at_numbers_that_halve() {
        assert_eq!([0.0, 0.7, 1.0, 1.2, 905.0, 47.0].map(nice), [1.0, 0.8, 1.0, 2.0, 1_000.0, 60.0]);
        assert_eq!((around(41.0, 48.0), around(-18.0, -18.0)), ((40.0, 50.0), (-20.0, -15.0)));
        assert_eq!(around(20.0, 20.0), (15.0, 25.0));
        assert_eq!([&[1_000.0, 500.0][..], &[0.8, 0.4], &[-17.5], &[0.25]].map(digits), [0, 1, 1, 2]);
    }
}
