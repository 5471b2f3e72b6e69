//! Pages in one file each: no outside resource, no network, good to read wherever the file is opened.
//!
//! A page is made of [`Html`], which text enters escaped or not at all, and [`page`] puts the shell around it: head,
//! style sheet, script and a policy that forbids everything else. So a new page is its body:
//!
//! ```
//! use visavis_report::html::{Html, Tone, el, badge, page, section, table};
//!
//! let mut body = el("header", &[], [badge(Tone::Bad, "2 failed"), el("h1", &[], "Conformance")]);
//! body += section("cases", "Cases", table(
//!     &["case", "result"],
//!     [[Html::from("cancel-race"), badge(Tone::Bad, "fail")]],
//! ));
//! let file = page("Conformance", &body);
//! assert!(file.starts_with("<!doctype html>"));
//! ```
//!
//! Classes that the style sheet knows: `num` (figures, right-aligned), `mono`, `muted`, `good`, `bad`, `unknown` on
//! anything; `scroll` around what may be wider than the page; `pair` around two things that stand side by side where
//! there is room; `facts` on a `dl`; `note` on a paragraph of small print. `details` and `pre` look right as they are.

mod call;
mod markup;

pub use call::call_page;
pub(crate) use call::call_title;
pub use markup::{Html, el, void};

use data_encoding::BASE64;
use sha2::{Digest, Sha256};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// Puts the shell around a body: a whole HTML document in one file.
///
/// The policy in its head lets in nothing but its own style, its own script (by hash) and pictures in `data:` URLs:
/// were something to slip through into the markup, it could neither run nor ask anybody for anything.
pub fn page(title: &str, body: &Html) -> String {
    let hash = BASE64.encode(&Sha256::digest(SCRIPT));
    let policy = format!(
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{hash}'; \
         base-uri 'none'; form-action 'none'"
    );
    let head = [
        void("meta", &[("charset", "utf-8")]),
        void("meta", &[("http-equiv", "Content-Security-Policy"), ("content", &policy)]),
        void("meta", &[("name", "viewport"), ("content", "width=device-width, initial-scale=1")]),
        void("meta", &[("name", "color-scheme"), ("content", "light dark")]),
        void("meta", &[("name", "referrer"), ("content", "no-referrer")]),
        // An empty icon, or browsers go and look for one.
        void("link", &[("rel", "icon"), ("href", "data:,")]),
        el("title", &[], title),
        el("style", &[], Html::raw(STYLE)),
    ];
    let main = el("main", &[], body.clone());
    let document = el("head", &[], head) + el("body", &[], main + el("script", &[], Html::raw(SCRIPT)));
    format!("<!doctype html>\n{}\n", el("html", &[("lang", "en")], document))
}

/// What a word is about: it gets a colour, and a sign for those who do not see colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// As it should be.
    Good,
    /// Not as it should be.
    Bad,
    /// Not measured, not applicable.
    Unknown,
    /// Neither the one nor the other.
    Plain,
}

impl Tone {
    /// The tone of a requirement that was met or not.
    pub fn of(good: bool) -> Self {
        if good { Tone::Good } else { Tone::Bad }
    }

    fn class(self) -> (&'static str, &'static str) {
        match self {
            Tone::Good => ("badge good", "✓ "),
            Tone::Bad => ("badge bad", "✗ "),
            Tone::Unknown => ("badge unknown", "– "),
            Tone::Plain => ("badge", ""),
        }
    }
}

/// A word in a tone.
pub fn badge(tone: Tone, text: &str) -> Html {
    let (class, sign) = tone.class();
    let sign = el("span", &[("aria-hidden", "true")], sign);
    el("span", &[("class", class)], sign + Html::from(text))
}

/// A part of a page, with a heading that the page's links lead to by `id`.
pub fn section(id: &str, heading: &str, content: impl Into<Html>) -> Html {
    el("section", &[("id", id)], el("h2", &[], heading) + content.into())
}

/// Links to the sections of a page: id and text of each.
pub fn contents<'a>(sections: impl IntoIterator<Item = (&'a str, &'a str)>) -> Html {
    let link = |(id, text): (&str, &str)| el("a", &[("href", &format!("#{id}"))], text);
    let links: Html = sections.into_iter().map(link).collect();
    el("nav", &[("aria-label", "contents")], links)
}

/// A table; it scrolls by itself where it is too wide. The first cell of each row names the row.
pub fn table<R, C>(columns: &[&str], rows: R) -> Html
where
    R: IntoIterator<Item = C>,
    C: IntoIterator<Item = Html>,
{
    let head: Html = columns.iter().map(|name| el("th", &[("scope", "col")], *name)).collect();
    let row = |cells: C| -> Html {
        let cell = |(index, cell)| match index {
            0 => el("th", &[("scope", "row")], cell),
            _ => el("td", &[], cell),
        };
        el("tr", &[], cells.into_iter().enumerate().map(cell).collect::<Html>())
    };
    let rows: Html = rows.into_iter().map(row).collect();
    let table = el("table", &[], el("thead", &[], el("tr", &[], head)) + el("tbody", &[], rows));
    el("div", &[("class", "scroll"), ("tabindex", "0")], table)
}

/// A list of facts: name and value of each.
pub fn facts<'a>(facts: impl IntoIterator<Item = (&'a str, Html)>) -> Html {
    let fact = |(name, value)| el("div", &[], el("dt", &[], name) + el("dd", &[], value));
    el("dl", &[("class", "facts")], facts.into_iter().map(fact).collect::<Html>())
}

/// A paragraph of small print.
pub fn note(text: impl Into<Html>) -> Html {
    el("p", &[("class", "note")], text.into())
}

/// A value, or the word for one that was not measured.
pub fn or_unknown(value: Option<impl Into<Html>>) -> Html {
    value.map_or_else(|| el("span", &[("class", "unknown")], "unknown"), Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_nothing_from_outside_and_runs_no_script_but_its_own() {
        let hostile = "</title><script>alert(1)</script>";
        let file = page(hostile, &Html::from(hostile));
        assert_eq!(file.matches("<script").count(), 1, "{file}");
        assert!(!file.contains("alert(1)</script>"), "{file}");
        for outside in ["http://", "https://", "//cdn", "@import", "url("] {
            let own = file.replace("http://www.w3.org/", "");
            assert!(!own.contains(outside), "{outside}");
        }
        let script = file.split("<script>").nth(1).and_then(|s| s.split("</script>").next()).unwrap();
        let hash = BASE64.encode(&Sha256::digest(script));
        assert!(
            file.contains(&format!("script-src &#39;sha256-{hash}&#39;")),
            "the hash is of what is there"
        );
    }

    #[test]
    fn what_is_not_known_says_so() {
        assert_eq!(or_unknown(None::<&str>).as_str(), "<span class=\"unknown\">unknown</span>");
        assert_eq!(or_unknown(Some("3 ms")).as_str(), "3 ms");
    }
}
