//! The URIs that a dialog is routed by.

use crate::sip::{HeaderError, HeaderName, Headers, Scheme, Uri, UriBuf, ValueError};

/// The URI in Contact; `None` where there is none.
pub(super) fn contact(headers: &Headers) -> Result<Option<UriBuf>, HeaderError> {
    let Some(contact) = headers.contacts().next().transpose()? else { return Ok(None) };
    if !contact.uri.scheme().is_sip() {
        let error = ValueError { what: "not a SIP or SIPS URI", at: 0 };
        return Err(HeaderError::Bad { header: HeaderName::Contact, error });
    }
    Ok(Some(contact.uri.to_owned()))
}

pub(super) fn is_sips(uri: &UriBuf) -> bool {
    uri.view().is_ok_and(|uri| uri.scheme() == Scheme::Sips)
}

/// A URI as a Request-URI: without what RFC 3261 section 19.1.1 does not allow there, the `method` parameter
/// and headers.
pub(super) fn request_uri(uri: &Uri<'_>) -> UriBuf {
    let text = uri.as_bytes();
    let params = uri.params();
    if uri.headers().is_none() && !params.has("method") {
        return uri.to_owned();
    }
    let tail = params.as_bytes().len() + uri.headers().map_or(0, |headers| headers.len() + 1);
    let head = text.len().checked_sub(tail).and_then(|end| text.get(..end)).unwrap_or(text);
    let mut kept = head.to_vec();
    for param in params.iter().filter(|param| !param.name.eq_ignore_ascii_case(b"method")) {
        kept.push(b';');
        kept.extend_from_slice(param.name);
        if let Some(value) = param.value {
            kept.push(b'=');
            kept.extend_from_slice(value);
        }
    }
    UriBuf::new(kept).unwrap_or_else(|_| uri.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_uri_loses_method_and_headers_and_nothing_else() {
        for (uri, expected) in [
            ("sip:a@b:5070;transport=udp;lr", "sip:a@b:5070;transport=udp;lr"),
            ("sip:a@b;method=INVITE;lr?Subject=x", "sip:a@b;lr"),
            ("sip:a@b;Method=INVITE", "sip:a@b"),
            ("sip:a@b?Subject=x&To=y", "sip:a@b"),
            ("sips:[2001:db8::1]:5061;x=1?a=b", "sips:[2001:db8::1]:5061;x=1"),
        ] {
            assert_eq!(request_uri(&Uri::parse(uri.as_bytes()).unwrap()).to_string(), expected);
        }
    }
}
