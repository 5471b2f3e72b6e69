//! Request methods.

use std::fmt;

macro_rules! methods {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// The method of a request (RFC 3261 section 7.1). Method names are case-sensitive: `invite` is an
        /// extension method, not INVITE.
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Method {
            $($(#[$doc])* $variant,)*
            /// Any other method, as it stood on the wire.
            Other(Box<str>),
        }

        impl Method {
            /// The method of this name. Anything but a token (RFC 3261 section 25.1) is refused.
            pub fn parse(name: &[u8]) -> Option<Method> {
                $(if name == $name.as_bytes() {
                    return Some(Method::$variant);
                })*
                super::lex::token(name).map(|t| Method::Other(t.into()))
            }

            /// The name as it stands on the wire.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Method::$variant => $name,)*
                    Method::Other(name) => name,
                }
            }
        }

        #[cfg(test)]
        pub(crate) const KNOWN: &[Method] = &[$(Method::$variant,)*];
    };
}

methods! {
    /// INVITE, RFC 3261 section 13.
    Invite = "INVITE",
    /// ACK, RFC 3261 section 13.
    Ack = "ACK",
    /// BYE, RFC 3261 section 15.
    Bye = "BYE",
    /// CANCEL, RFC 3261 section 9.
    Cancel = "CANCEL",
    /// REGISTER, RFC 3261 section 10.
    Register = "REGISTER",
    /// OPTIONS, RFC 3261 section 11.
    Options = "OPTIONS",
    /// MESSAGE, RFC 3428.
    Message = "MESSAGE",
    /// INFO, RFC 6086.
    Info = "INFO",
    /// UPDATE, RFC 3311.
    Update = "UPDATE",
    /// PRACK, RFC 3262.
    Prack = "PRACK",
    /// REFER, RFC 3515.
    Refer = "REFER",
    /// SUBSCRIBE, RFC 6665.
    Subscribe = "SUBSCRIBE",
    /// NOTIFY, RFC 6665.
    Notify = "NOTIFY",
    /// PUBLISH, RFC 3903.
    Publish = "PUBLISH",
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_method_is_found_by_its_name() {
        for method in KNOWN {
            assert_eq!(Method::parse(method.as_str().as_bytes()).as_ref(), Some(method));
        }
    }

    #[test]
    fn method_names_are_case_sensitive() {
        assert_eq!(Method::parse(b"Invite"), Some(Method::Other("Invite".into())));
    }

    #[test]
    fn a_method_must_be_a_token() {
        for bad in [&b""[..], b"IN VITE", b"INVITE\x00", b"IN\xffVITE", b"(INVITE)"] {
            assert_eq!(Method::parse(bad), None, "{bad:x?}");
        }
        assert_eq!(Method::parse(b"!x-~'`%").unwrap().as_str(), "!x-~'`%");
    }
}
