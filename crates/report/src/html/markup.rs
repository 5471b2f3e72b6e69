//! Markup that text cannot break.
//!
//! What comes from a peer (display names, headers, session descriptions) may be written to harm whoever reads the
//! page. So the type decides: an [`Html`] is made from text, which is escaped, or from markup that stands in our own
//! sources ([`Html::raw`] takes nothing that was made at run time).

use std::ops::{Add, AddAssign};

/// A piece of a page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Html(String);

impl Html {
    /// Nothing.
    pub fn new() -> Self {
        Html::default()
    }

    /// Markup as it stands in our sources.
    pub fn raw(markup: &'static str) -> Self {
        Html(markup.to_owned())
    }

    /// The markup.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<&str> for Html {
    /// Text: it is escaped.
    fn from(text: &str) -> Self {
        let mut html = String::with_capacity(text.len());
        escape(text, &mut html);
        Html(html)
    }
}

impl From<String> for Html {
    fn from(text: String) -> Self {
        Html::from(text.as_str())
    }
}

impl From<&String> for Html {
    fn from(text: &String) -> Self {
        Html::from(text.as_str())
    }
}

impl<const N: usize> From<[Html; N]> for Html {
    fn from(parts: [Html; N]) -> Self {
        parts.into_iter().collect()
    }
}

impl FromIterator<Html> for Html {
    fn from_iter<T: IntoIterator<Item = Html>>(parts: T) -> Self {
        let mut whole = Html::new();
        parts.into_iter().for_each(|part| whole += part);
        whole
    }
}

impl Add for Html {
    type Output = Html;
    fn add(mut self, more: Html) -> Html {
        self += more;
        self
    }
}

impl AddAssign for Html {
    fn add_assign(&mut self, more: Html) {
        self.0.push_str(&more.0);
    }
}

impl std::fmt::Display for Html {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// An element with its attributes, whose values are escaped, and what is in it.
pub fn el(tag: &'static str, attributes: &[(&'static str, &str)], inner: impl Into<Html>) -> Html {
    let mut html = open(tag, attributes);
    html += inner.into();
    html.0.push_str("</");
    html.0.push_str(tag);
    html.0.push('>');
    html
}

/// An element that has no inside and no end tag: `meta`, `img`, `br`.
pub fn void(tag: &'static str, attributes: &[(&'static str, &str)]) -> Html {
    open(tag, attributes)
}

fn open(tag: &'static str, attributes: &[(&'static str, &str)]) -> Html {
    let mut html = String::with_capacity(64);
    html.push('<');
    html.push_str(tag);
    for (name, value) in attributes {
        html.push(' ');
        html.push_str(name);
        html.push_str("=\"");
        escape(value, &mut html);
        html.push('"');
    }
    html.push('>');
    Html(html)
}

/// Appends text to markup: what means something to HTML becomes a reference, and what is invisible, or turns the
/// direction of the text around it, becomes visible.
fn escape(text: &str, out: &mut String) {
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\r' if chars.peek() == Some(&'\n') => {}
            '\n' | '\t' => out.push(c),
            _ if is_hidden(c) => {
                out.push_str("[U+");
                out.push_str(&format!("{:04X}", c as u32));
                out.push(']');
            }
            _ => out.push(c),
        }
    }
}

/// Controls, marks and overrides of direction, what has no width, line separators, tags, noncharacters.
fn is_hidden(c: char) -> bool {
    matches!(c,
        '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fdd0}'..='\u{fdef}' | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_become_markup() {
        let hostile = "<script>alert('x')</script>\" onload=\"x & y";
        let text = Html::from(hostile);
        assert!(!text.as_str().contains(['<', '>', '"', '\'']), "{text}");
        let element = el("p", &[("title", hostile)], hostile);
        assert_eq!(element.as_str().matches('<').count(), 2, "{element}");
        assert_eq!(element.as_str().matches('"').count(), 2, "{element}");
        assert!(text.as_str().ends_with("x &amp; y"));
    }

    #[test]
    fn what_nobody_sees_becomes_visible() {
        assert_eq!(
            Html::from("a\u{202e}b\u{0}\u{1b}\u{7f}\u{200b}").as_str(),
            "a[U+202E]b[U+0000][U+001B][U+007F][U+200B]"
        );
        assert_eq!(Html::from("a\r\nb\tc\rd").as_str(), "a\nb\tc[U+000D]d");
        assert_eq!(Html::from("Zoë 日本 🎥").as_str(), "Zoë 日本 🎥");
    }
}
