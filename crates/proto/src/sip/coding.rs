//! Content codings of bodies: RFC 3261 section 20.12.
//!
//! `deflate` is read, as zlib (RFC 1950), which is what the name means, and as the bare data of RFC 1951, which some
//! send under it. What comes out is bounded, so that a small body cannot become a large one.

use super::{HeaderName, Headers, Request, Response, lex};
use crate::limits::Limits;
use bytes::Bytes;
use miniz_oxide::inflate::{TINFLStatus, decompress_to_vec_with_limit, decompress_to_vec_zlib_with_limit};

/// The codings that are read, as an Accept-Encoding header lists them.
pub const ACCEPT_ENCODING: &str = "deflate, identity";

/// Why a coded body could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodingError {
    /// A coding that nobody here knows, or several on top of one another.
    #[error("a body coded as {0}")]
    Unknown(String),
    /// The data break off or contradict themselves.
    #[error("a deflated body that cannot be inflated")]
    Broken,
    /// It inflates to more octets than may be.
    #[error("a body that inflates to more than {max} octets")]
    TooLarge {
        /// How many may be.
        max: usize,
    },
}

impl CodingError {
    /// The status that answers a request with such a body: 415 (RFC 3261 section 8.2.3), 400, or 413 (section
    /// 21.4.11).
    pub fn status(&self) -> u16 {
        match self {
            CodingError::Unknown(_) => 415,
            CodingError::Broken => 400,
            CodingError::TooLarge { .. } => 413,
        }
    }
}

/// Inflates a body to at most `max` octets: zlib where its first two octets are a zlib header, else bare deflate
/// data. No bare data begin like a zlib header but those whose first block has bits set where only padding is.
///
/// # Errors
/// The data are broken, or too many.
pub fn inflate(body: &[u8], max: usize) -> Result<Bytes, CodingError> {
    let is_zlib = matches!(body, &[cmf, flg, ..]
        if cmf & 0x0f == 8 && (u16::from(cmf) << 8 | u16::from(flg)).is_multiple_of(31));
    let inflated = if is_zlib {
        decompress_to_vec_zlib_with_limit(body, max)
    } else {
        decompress_to_vec_with_limit(body, max)
    };
    match inflated {
        Ok(octets) => Ok(octets.into()),
        Err(error) if error.status == TINFLStatus::HasMoreOutput => Err(CodingError::TooLarge { max }),
        Err(_) => Err(CodingError::Broken),
    }
}

/// Deflates a body into the zlib format.
pub fn deflate(body: &[u8]) -> Bytes {
    miniz_oxide::deflate::compress_to_vec_zlib(body, LEVEL).into()
}

/// The trade of time for size, from 0 to 10: what zlib does by default.
const LEVEL: u8 = 6;

impl Request {
    /// Undoes the coding of the body, if it has one; then the body and its Content-Length are those of the content
    /// itself, and Content-Encoding is gone.
    ///
    /// # Errors
    /// The body cannot be read; then nothing is changed.
    pub fn decode_body(&mut self, limits: &Limits) -> Result<(), CodingError> {
        decode(&mut self.headers, &mut self.body, limits)
    }
}

impl Response {
    /// As [`Request::decode_body`].
    ///
    /// # Errors
    /// The body cannot be read; then nothing is changed.
    pub fn decode_body(&mut self, limits: &Limits) -> Result<(), CodingError> {
        decode(&mut self.headers, &mut self.body, limits)
    }
}

fn decode(headers: &mut Headers, body: &mut Bytes, limits: &Limits) -> Result<(), CodingError> {
    if body.is_empty() {
        return Ok(());
    }
    let mut codings = headers.content_encoding().filter(|c| !c.eq_ignore_ascii_case(b"identity"));
    match (codings.next(), codings.next()) {
        (None, _) => return Ok(()),
        (Some(coding), None) if coding.eq_ignore_ascii_case(b"deflate") => {}
        _ => {
            let all = headers.content_encoding().collect::<Vec<_>>().join(&b", "[..]);
            return Err(CodingError::Unknown(lex::text(&all).into_owned()));
        }
    }
    drop(codings);
    *body = inflate(body, limits.sip_inflated)?;
    headers.remove(HeaderName::ContentEncoding);
    if headers.contains(HeaderName::ContentLength) {
        headers.set(HeaderName::ContentLength, body.len());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use miniz_oxide::deflate::compress_to_vec;

    fn coded(coding: &str, body: impl Into<Bytes>) -> Response {
        let mut response = Response::new(200);
        response.headers.push(HeaderName::ContentEncoding, coding);
        response.set_body("application/sdp", body);
        response.headers.push(HeaderName::ContentLength, response.body.len());
        response
    }

    #[test]
    fn zlib_and_bare_deflate_are_both_read() {
        let text = "v=0\r\no=GKVoiceChatService 0 0 IN IP4 192.0.2.1\r\n".repeat(9);
        let stored = compress_to_vec(text.as_bytes(), 0);
        for body in [deflate(text.as_bytes()), compress_to_vec(text.as_bytes(), 9).into(), stored.into()] {
            let mut message = coded("identity, Deflate", body);
            message.decode_body(&Limits::default()).unwrap();
            assert_eq!(message.body, text.as_bytes());
            assert_eq!(message.headers.content_length(), Ok(Some(text.len())));
            assert!(!message.headers.contains(HeaderName::ContentEncoding));
        }
    }

    #[test]
    fn a_body_that_swells_past_the_limit_is_refused() {
        let bomb = deflate(&vec![0; 10_000_000]);
        assert!(bomb.len() < 20_000, "a datagram holds it: {}", bomb.len());
        let mut message = coded("deflate", bomb.clone());
        let error = message.decode_body(&Limits::default()).unwrap_err();
        assert_eq!((error.clone(), error.status()), (CodingError::TooLarge { max: 65_536 }, 413));
        assert_eq!(message, coded("deflate", bomb), "nothing is changed");
        assert_eq!(inflate(&deflate(&[1; 100]), 100).unwrap().len(), 100);
        assert_eq!(inflate(&deflate(&[1; 101]), 100), Err(CodingError::TooLarge { max: 100 }));
    }

    #[test]
    fn what_is_broken_or_unknown_says_so() {
        let whole = deflate(b"v=0\r\n");
        let mut flipped = whole.to_vec();
        *flipped.last_mut().unwrap() ^= 1;
        for body in [&whole[..whole.len() - 5], &flipped, b"v=0\r\n", b"x"] {
            assert_eq!(inflate(body, 100), Err(CodingError::Broken), "{body:?}");
        }
        for coding in ["br", "deflate, deflate", "gzip"] {
            let error = coded(coding, whole.clone()).decode_body(&Limits::default()).unwrap_err();
            assert_eq!((error.status(), error), (415, CodingError::Unknown(coding.into())));
        }
    }

    #[test]
    fn a_body_that_is_not_coded_is_left_alone() {
        let mut message = coded("identity", &b"v=0\r\n"[..]);
        message.decode_body(&Limits::default()).unwrap();
        assert_eq!(message, coded("identity", &b"v=0\r\n"[..]));
    }
}
