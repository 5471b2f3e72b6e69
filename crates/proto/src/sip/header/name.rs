//! Names of header fields, their canonical spelling and compact forms.

use std::fmt;

macro_rules! names {
    ($($(#[$doc:meta])* $variant:ident = $text:literal $(, $compact:literal)?;)*) => {
        /// The name of a header field. Names compare without regard to case, and a compact form equals its
        /// long form (RFC 3261 section 7.3.3).
        #[derive(Clone, Copy, Debug)]
        pub enum HeaderName<'a> {
            $($(#[$doc])* $variant,)*
            /// Any other.
            Other(&'a str),
        }

        impl<'a> HeaderName<'a> {
            /// The name in its canonical spelling, never in compact form; of [`HeaderName::Other`] as it was
            /// given.
            pub fn as_str(self) -> &'a str {
                match self {
                    $(HeaderName::$variant => $text,)*
                    HeaderName::Other(name) => name,
                }
            }

            /// The compact form, where there is one (RFC 3261 section 7.3.3).
            pub fn compact_form(self) -> Option<&'static str> {
                let forms: &[&'static str] = match self {
                    $(HeaderName::$variant => &[$($compact)?],)*
                    HeaderName::Other(_) => &[],
                };
                forms.first().copied()
            }

            /// A number for each known name, [`OTHER`] for all others.
            #[inline]
            pub(crate) fn code(self) -> u8 {
                match self {
                    $(HeaderName::$variant => Code::$variant as u8,)*
                    HeaderName::Other(_) => OTHER,
                }
            }
        }

        #[repr(u8)]
        enum Code {
            $($variant,)*
        }

        /// The names by their codes.
        static BY_CODE: &[HeaderName<'static>] = &[$(HeaderName::$variant,)*];

        #[cfg(test)]
        pub(crate) const KNOWN: &[(HeaderName<'static>, &str, Option<&str>)] = &[
            $((HeaderName::$variant, $text, [$(Some($compact),)? None][0]),)*
        ];
    };
}

names! {
    /// RFC 3261 section 20.1.
    Accept = "Accept";
    /// RFC 3261 section 20.2.
    AcceptEncoding = "Accept-Encoding";
    /// RFC 3261 section 20.3.
    AcceptLanguage = "Accept-Language";
    /// RFC 3261 section 20.4.
    AlertInfo = "Alert-Info";
    /// RFC 3261 section 20.5.
    Allow = "Allow";
    /// RFC 6665 section 8.2.2.
    AllowEvents = "Allow-Events", "u";
    /// RFC 3261 section 20.6.
    AuthenticationInfo = "Authentication-Info";
    /// RFC 3261 section 20.7.
    Authorization = "Authorization";
    /// RFC 3261 section 20.8.
    CallId = "Call-ID", "i";
    /// RFC 3261 section 20.9.
    CallInfo = "Call-Info";
    /// RFC 3261 section 20.10.
    Contact = "Contact", "m";
    /// RFC 3261 section 20.11.
    ContentDisposition = "Content-Disposition";
    /// RFC 3261 section 20.12.
    ContentEncoding = "Content-Encoding", "e";
    /// RFC 3261 section 20.13.
    ContentLanguage = "Content-Language";
    /// RFC 3261 section 20.14.
    ContentLength = "Content-Length", "l";
    /// RFC 3261 section 20.15.
    ContentType = "Content-Type", "c";
    /// RFC 3261 section 20.16.
    CSeq = "CSeq";
    /// RFC 3261 section 20.17.
    Date = "Date";
    /// RFC 3261 section 20.18.
    ErrorInfo = "Error-Info";
    /// RFC 6665 section 8.2.1.
    Event = "Event", "o";
    /// RFC 3261 section 20.19.
    Expires = "Expires";
    /// RFC 3261 section 20.20.
    From = "From", "f";
    /// RFC 3261 section 20.21.
    InReplyTo = "In-Reply-To";
    /// RFC 3261 section 20.22.
    MaxForwards = "Max-Forwards";
    /// RFC 3261 section 20.23.
    MinExpires = "Min-Expires";
    /// RFC 4028 section 5.
    MinSe = "Min-SE";
    /// RFC 3261 section 20.24.
    MimeVersion = "MIME-Version";
    /// RFC 3261 section 20.25.
    Organization = "Organization";
    /// RFC 3325 section 9.1.
    PAssertedIdentity = "P-Asserted-Identity";
    /// RFC 3327 section 4.
    Path = "Path";
    /// RFC 3261 section 20.26.
    Priority = "Priority";
    /// RFC 3323 section 4.2.
    Privacy = "Privacy";
    /// RFC 3261 section 20.27.
    ProxyAuthenticate = "Proxy-Authenticate";
    /// RFC 3261 section 20.28.
    ProxyAuthorization = "Proxy-Authorization";
    /// RFC 3261 section 20.29.
    ProxyRequire = "Proxy-Require";
    /// RFC 3262 section 7.2.
    RAck = "RAck";
    /// RFC 3326 section 2.
    Reason = "Reason";
    /// RFC 3261 section 20.30.
    RecordRoute = "Record-Route";
    /// RFC 3515 section 2.1.
    ReferTo = "Refer-To", "r";
    /// RFC 3892 section 2.
    ReferredBy = "Referred-By", "b";
    /// RFC 3891 section 6.
    Replaces = "Replaces";
    /// RFC 3261 section 20.31.
    ReplyTo = "Reply-To";
    /// RFC 3261 section 20.32.
    Require = "Require";
    /// RFC 3261 section 20.33.
    RetryAfter = "Retry-After";
    /// RFC 3261 section 20.34.
    Route = "Route";
    /// RFC 3262 section 7.1.
    RSeq = "RSeq";
    /// RFC 3261 section 20.35.
    Server = "Server";
    /// RFC 4028 section 4.
    SessionExpires = "Session-Expires", "x";
    /// RFC 3261 section 20.36.
    Subject = "Subject", "s";
    /// RFC 6665 section 8.2.3.
    SubscriptionState = "Subscription-State";
    /// RFC 3261 section 20.37.
    Supported = "Supported", "k";
    /// RFC 3261 section 20.38.
    Timestamp = "Timestamp";
    /// RFC 3261 section 20.39.
    To = "To", "t";
    /// RFC 3261 section 20.40.
    Unsupported = "Unsupported";
    /// RFC 3261 section 20.41.
    UserAgent = "User-Agent";
    /// RFC 3261 section 20.42.
    Via = "Via", "v";
    /// RFC 3261 section 20.43.
    Warning = "Warning";
    /// RFC 3261 section 20.44.
    WwwAuthenticate = "WWW-Authenticate";
}

/// The code of a name that is not known.
pub(crate) const OTHER: u8 = u8::MAX;

impl<'a> HeaderName<'a> {
    /// The name with this code; `None` for [`OTHER`].
    pub(crate) fn by_code(code: u8) -> Option<HeaderName<'static>> {
        BY_CODE.get(usize::from(code)).copied()
    }

    /// The name of these octets, long or compact. `None` where they are no name: empty, or holding anything
    /// but visible ASCII. (RFC 3261 section 25.1 wants a token; what lies between is kept and passed on.)
    pub fn parse(name: &'a [u8]) -> Option<HeaderName<'a>> {
        use HeaderName as N;
        let first = name.first()?.to_ascii_lowercase();
        let candidates: &[N<'static>] = match (name.len(), first) {
            (1, _) => return HeaderName::compact(first).or_else(|| HeaderName::other(name)),
            (2, b't') => &[N::To],
            (3, b'v') => &[N::Via],
            (4, b'f') => &[N::From],
            (4, b'c') => &[N::CSeq],
            (4, b'd') => &[N::Date],
            (4, b'p') => &[N::Path],
            (4, b'r') => &[N::RAck, N::RSeq],
            (5, b'a') => &[N::Allow],
            (5, b'e') => &[N::Event],
            (5, b'r') => &[N::Route],
            (6, b'a') => &[N::Accept],
            (6, b'm') => &[N::MinSe],
            (6, b'r') => &[N::Reason],
            (6, b's') => &[N::Server],
            (7, b'c') => &[N::CallId, N::Contact],
            (7, b'e') => &[N::Expires],
            (7, b'p') => &[N::Privacy],
            (7, b'r') => &[N::Require],
            (7, b's') => &[N::Subject],
            (7, b'w') => &[N::Warning],
            (8, b'p') => &[N::Priority],
            (8, b'r') => &[N::ReferTo, N::ReplyTo, N::Replaces],
            (9, b'c') => &[N::CallInfo],
            (9, b's') => &[N::Supported],
            (9, b't') => &[N::Timestamp],
            (10, b'a') => &[N::AlertInfo],
            (10, b'e') => &[N::ErrorInfo],
            (10, b'u') => &[N::UserAgent],
            (11, b'i') => &[N::InReplyTo],
            (11, b'm') => &[N::MinExpires],
            (11, b'r') => &[N::RetryAfter, N::ReferredBy],
            (11, b'u') => &[N::Unsupported],
            (12, b'a') => &[N::AllowEvents],
            (12, b'c') => &[N::ContentType],
            (12, b'm') => &[N::MaxForwards, N::MimeVersion],
            (12, b'o') => &[N::Organization],
            (12, b'r') => &[N::RecordRoute],
            (13, b'a') => &[N::Authorization],
            (13, b'p') => &[N::ProxyRequire],
            (14, b'c') => &[N::ContentLength],
            (15, b'a') => &[N::AcceptEncoding, N::AcceptLanguage],
            (15, b's') => &[N::SessionExpires],
            (16, b'c') => &[N::ContentEncoding, N::ContentLanguage],
            (16, b'w') => &[N::WwwAuthenticate],
            (18, b'p') => &[N::ProxyAuthenticate],
            (18, b's') => &[N::SubscriptionState],
            (19, b'a') => &[N::AuthenticationInfo],
            (19, b'c') => &[N::ContentDisposition],
            (19, b'p') => &[N::ProxyAuthorization, N::PAssertedIdentity],
            _ => &[],
        };
        let known = candidates.iter().find(|n| name.eq_ignore_ascii_case(n.as_str().as_bytes()));
        known.copied().or_else(|| HeaderName::other(name))
    }

    /// Whether a field of this name holds a comma list, so that several fields and one field with commas say
    /// the same (RFC 3261 section 7.3.1).
    pub fn is_list(self) -> bool {
        use HeaderName as N;
        matches!(
            self,
            N::Accept
                | N::AcceptEncoding
                | N::AcceptLanguage
                | N::AlertInfo
                | N::Allow
                | N::AllowEvents
                | N::CallInfo
                | N::Contact
                | N::ContentEncoding
                | N::ContentLanguage
                | N::ErrorInfo
                | N::InReplyTo
                | N::PAssertedIdentity
                | N::Path
                | N::ProxyRequire
                | N::Reason
                | N::RecordRoute
                | N::Require
                | N::Route
                | N::Supported
                | N::Unsupported
                | N::Via
                | N::Warning
        )
    }

    fn compact(letter: u8) -> Option<HeaderName<'a>> {
        use HeaderName as N;
        Some(match letter {
            b'b' => N::ReferredBy,
            b'c' => N::ContentType,
            b'e' => N::ContentEncoding,
            b'f' => N::From,
            b'i' => N::CallId,
            b'k' => N::Supported,
            b'l' => N::ContentLength,
            b'm' => N::Contact,
            b'o' => N::Event,
            b'r' => N::ReferTo,
            b's' => N::Subject,
            b't' => N::To,
            b'u' => N::AllowEvents,
            b'v' => N::Via,
            b'x' => N::SessionExpires,
            _ => return None,
        })
    }

    fn other(name: &'a [u8]) -> Option<HeaderName<'a>> {
        if !name.iter().all(|b| b.is_ascii_graphic() && *b != b':') {
            return None;
        }
        std::str::from_utf8(name).ok().map(HeaderName::Other)
    }
}

impl<'a> From<&'a str> for HeaderName<'a> {
    /// A known name by its long or compact form, else [`HeaderName::Other`].
    fn from(name: &'a str) -> Self {
        HeaderName::parse(name.as_bytes()).unwrap_or(HeaderName::Other(name))
    }
}

impl PartialEq for HeaderName<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (HeaderName::Other(a), HeaderName::Other(b)) => a.eq_ignore_ascii_case(b),
            (a, b) => a.code() == b.code(),
        }
    }
}
impl Eq for HeaderName<'_> {}

impl fmt::Display for HeaderName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_name_is_found_in_any_case_and_in_compact_form() {
        for &(name, text, compact) in KNOWN {
            assert_eq!(HeaderName::parse(text.as_bytes()), Some(name), "{text}");
            assert_eq!(HeaderName::parse(text.to_uppercase().as_bytes()), Some(name), "{text}");
            assert_eq!(HeaderName::parse(text.to_lowercase().as_bytes()), Some(name), "{text}");
            if let Some(c) = compact {
                assert_eq!(HeaderName::parse(c.as_bytes()), Some(name), "{c}");
                assert_eq!(HeaderName::parse(c.to_uppercase().as_bytes()), Some(name), "{c}");
            }
        }
    }

    #[test]
    fn compact_letters_are_exactly_those_that_the_table_lists() {
        for letter in b'a'..=b'z' {
            let listed = KNOWN.iter().find(|(_, _, c)| c.is_some_and(|c| c.as_bytes() == [letter]));
            assert_eq!(HeaderName::compact(letter), listed.map(|&(name, ..)| name));
        }
    }

    #[test]
    fn unknown_names_keep_their_spelling_and_compare_without_case() {
        let name = HeaderName::parse(b"SKESeq").unwrap();
        assert_eq!(name.as_str(), "SKESeq");
        assert_eq!(name, HeaderName::Other("skeseq"));
        assert_ne!(HeaderName::Via, HeaderName::Other("Vib"));
    }

    #[test]
    fn white_space_controls_and_other_octets_make_no_name() {
        for bad in [&b""[..], b"Foo Bar", b"F\xfco", b"a\x00", b"a:b"] {
            assert_eq!(HeaderName::parse(bad), None);
        }
    }
}
