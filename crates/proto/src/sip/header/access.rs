//! Typed access to the header fields that a user agent reads. A value is read when it is asked for.

use super::value::{HeaderError, ValueError};
use super::{CSeq, HeaderName, Headers, MediaType, NameAddr, Via, Warning};
use crate::sip::lex;

impl Headers {
    /// The topmost Via.
    ///
    /// # Errors
    /// There is none, or it cannot be read.
    pub fn via(&self) -> Result<Via<'_>, HeaderError> {
        self.vias().next().unwrap_or(Err(HeaderError::Missing(HeaderName::Via)))
    }

    /// All Vias from the top.
    pub fn vias(&self) -> impl Iterator<Item = Result<Via<'_>, HeaderError>> {
        self.values(HeaderName::Via).map(|v| Via::parse(v).map_err(bad(HeaderName::Via)))
    }

    /// From.
    ///
    /// # Errors
    /// There is none, more than one, or it cannot be read.
    pub fn from(&self) -> Result<NameAddr<'_>, HeaderError> {
        self.single(HeaderName::From, NameAddr::parse)
    }

    /// To.
    ///
    /// # Errors
    /// There is none, more than one, or it cannot be read.
    pub fn to(&self) -> Result<NameAddr<'_>, HeaderError> {
        self.single(HeaderName::To, NameAddr::parse)
    }

    /// Call-ID, an opaque text that compares octet for octet.
    ///
    /// # Errors
    /// There is none, more than one, or it is empty.
    pub fn call_id(&self) -> Result<&[u8], HeaderError> {
        self.single(HeaderName::CallId, |v| match v {
            [] => Err(ValueError::new("empty", 0)),
            v => Ok(v),
        })
    }

    /// CSeq.
    ///
    /// # Errors
    /// There is none, more than one, or it cannot be read.
    pub fn cseq(&self) -> Result<CSeq, HeaderError> {
        self.single(HeaderName::CSeq, CSeq::parse)
    }

    /// All Contacts. The `*` of a REGISTER is no address: see [`Headers::contact_is_star`].
    pub fn contacts(&self) -> impl Iterator<Item = Result<NameAddr<'_>, HeaderError>> {
        self.addresses(HeaderName::Contact)
    }

    /// Whether Contact is `*` (RFC 3261 section 10.2.2).
    pub fn contact_is_star(&self) -> bool {
        self.get(HeaderName::Contact) == Some(b"*")
    }

    /// All Routes from the top.
    pub fn routes(&self) -> impl Iterator<Item = Result<NameAddr<'_>, HeaderError>> {
        self.addresses(HeaderName::Route)
    }

    /// All Record-Routes from the top.
    pub fn record_routes(&self) -> impl Iterator<Item = Result<NameAddr<'_>, HeaderError>> {
        self.addresses(HeaderName::RecordRoute)
    }

    /// The addresses in the comma lists of any field that holds such: Path, P-Asserted-Identity ...
    pub fn addresses(
        &self,
        name: HeaderName<'static>,
    ) -> impl Iterator<Item = Result<NameAddr<'_>, HeaderError>> {
        self.values(name).map(move |v| NameAddr::parse(v).map_err(bad(name)))
    }

    /// Content-Type; `None` where there is none.
    ///
    /// # Errors
    /// More than one, or it cannot be read.
    pub fn content_type(&self) -> Result<Option<MediaType<'_>>, HeaderError> {
        optional(self.single(HeaderName::ContentType, MediaType::parse))
    }

    /// Content-Length in octets; `None` where there is none. Repeating the same number is let pass.
    ///
    /// # Errors
    /// It is no number, or two fields say different numbers.
    pub fn content_length(&self) -> Result<Option<usize>, HeaderError> {
        let name = HeaderName::ContentLength;
        let mut length = None;
        for value in self.all(name) {
            let n = number(value).map_err(bad(name))?;
            if length.replace(n).is_some_and(|before| before != n) {
                return Err(HeaderError::Repeated(name));
            }
        }
        Ok(length.and_then(|n| usize::try_from(n).ok()))
    }

    /// The content codings, in the order in which they were applied (RFC 3261 section 20.12); `identity`
    /// codes nothing.
    pub fn content_encoding(&self) -> impl Iterator<Item = &[u8]> {
        self.values(HeaderName::ContentEncoding)
    }

    /// Max-Forwards; `None` where there is none.
    ///
    /// # Errors
    /// More than one, or no number from 0 to 255 (RFC 3261 section 20.22).
    pub fn max_forwards(&self) -> Result<Option<u8>, HeaderError> {
        optional(self.single(HeaderName::MaxForwards, |v| {
            u8::try_from(number(v)?).map_err(|_| ValueError::new("above 255", 0))
        }))
    }

    /// Expires in seconds; `None` where there is none. What is past 2^32-1 counts as that (RFC 3261 section
    /// 20.19 allows no more).
    ///
    /// # Errors
    /// More than one, or no number.
    pub fn expires(&self) -> Result<Option<u32>, HeaderError> {
        optional(self.single(HeaderName::Expires, |v| {
            let digits = !v.is_empty() && v.iter().all(u8::is_ascii_digit);
            digits.then(|| lex::decimal(v).unwrap_or(u32::MAX)).ok_or(ValueError::new("no number", 0))
        }))
    }

    /// The option tags of Require.
    pub fn require(&self) -> impl Iterator<Item = &[u8]> {
        self.values(HeaderName::Require)
    }

    /// The option tags of Supported.
    pub fn supported(&self) -> impl Iterator<Item = &[u8]> {
        self.values(HeaderName::Supported)
    }

    /// The methods of Allow.
    pub fn allow(&self) -> impl Iterator<Item = &[u8]> {
        self.values(HeaderName::Allow)
    }

    /// The media ranges of Accept.
    pub fn accept(&self) -> impl Iterator<Item = Result<MediaType<'_>, HeaderError>> {
        self.values(HeaderName::Accept).map(|v| MediaType::parse(v).map_err(bad(HeaderName::Accept)))
    }

    /// All warnings.
    pub fn warnings(&self) -> impl Iterator<Item = Result<Warning<'_>, HeaderError>> {
        self.values(HeaderName::Warning).map(|v| Warning::parse(v).map_err(bad(HeaderName::Warning)))
    }

    /// User-Agent, or Server where there is none, as text for a person.
    pub fn user_agent(&self) -> Option<String> {
        self.text(HeaderName::UserAgent).or_else(|| self.text(HeaderName::Server))
    }

    /// The one value of a field that may stand only once.
    fn single<'a, T>(
        &'a self,
        name: HeaderName<'static>,
        parse: impl FnOnce(&'a [u8]) -> Result<T, ValueError>,
    ) -> Result<T, HeaderError> {
        let mut all = self.all(name);
        let value = all.next().ok_or(HeaderError::Missing(name))?;
        if all.next().is_some() {
            return Err(HeaderError::Repeated(name));
        }
        parse(value).map_err(bad(name))
    }
}

fn bad(header: HeaderName<'static>) -> impl Fn(ValueError) -> HeaderError {
    move |error| HeaderError::Bad { header, error }
}

fn optional<T>(result: Result<T, HeaderError>) -> Result<Option<T>, HeaderError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(HeaderError::Missing(_)) => Ok(None),
        Err(e) => Err(e),
    }
}

fn number(value: &[u8]) -> Result<u32, ValueError> {
    lex::decimal(value).ok_or(ValueError::new("no number", 0))
}
