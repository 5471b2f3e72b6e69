//! What the other side showed.

use super::words::{count, offset};
use crate::evidence::{End, Evidence};
use crate::html::{Html, el, void};
use crate::timeline::{Thumbnail, Timeline};
use data_encoding::BASE64;
use visavis_proto::Time;

pub(super) fn part(evidence: &Evidence<'_>) -> Html {
    let start = evidence.start();
    let of_end = |end: &End<'_>| -> Html {
        let timeline = end.record.media.timeline.as_ref();
        let pictures = timeline.map_or(&[][..], |t: &Timeline| &t.pictures[..]);
        if pictures.is_empty() {
            return Html::new();
        }
        let heading = format!("Decoded by the {}", end.role.as_str());
        let figures: Html = pictures.iter().map(|picture| figure(picture, start)).collect();
        el("h3", &[], heading) + el("div", &[("class", "pictures")], figures)
    };
    evidence.ends.iter().map(of_end).collect()
}

fn figure(picture: &Thumbnail, start: Option<Time>) -> Html {
    let at = offset(start.unwrap_or(picture.at), picture.at);
    let (width, height) = picture.of_size;
    let source = format!("data:image/png;base64,{}", BASE64.encode(&picture.png));
    let alt = format!("the picture decoded at {at}");
    let (shown_width, shown_height) = (picture.size.0.to_string(), picture.size.1.to_string());
    let attributes =
        [("src", source.as_str()), ("alt", &alt), ("width", &shown_width), ("height", &shown_height)];
    let caption = format!("{at}, {} × {}", count(width.into()), count(height.into()));
    el("figure", &[], void("img", &attributes) + el("figcaption", &[], caption))
}
