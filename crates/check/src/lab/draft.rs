//! A message to be sent, in a form that lets a case spoil whatever it likes.

/// A SIP message as lines of text: nothing in it is checked.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    /// The start line, without its line end.
    pub(crate) start: String,
    /// Names and values in the order in which they are sent.
    pub(crate) fields: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
    /// Whether a Content-Length is added where there is none among the fields.
    pub(crate) length: bool,
}

impl Draft {
    pub(crate) fn new(start: String) -> Self {
        Draft { start, fields: Vec::new(), body: Vec::new(), length: true }
    }

    /// Adds a field at the end.
    pub(crate) fn push(&mut self, name: &str, value: impl AsRef<[u8]>) -> &mut Self {
        self.fields.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// Gives the first field of this name another value, or adds it.
    pub(crate) fn set(&mut self, name: &str, value: impl AsRef<[u8]>) -> &mut Self {
        match self.fields.iter_mut().find(|(n, _)| n == name) {
            Some((_, old)) => *old = value.as_ref().to_vec(),
            None => {
                self.push(name, value);
            }
        }
        self
    }

    /// Takes out every field of this name.
    pub(crate) fn remove(&mut self, name: &str) -> &mut Self {
        self.fields.retain(|(n, _)| n != name);
        self
    }

    /// Puts in a body with its Content-Type.
    pub(crate) fn body(&mut self, content_type: &str, body: impl AsRef<[u8]>) -> &mut Self {
        self.set("Content-Type", content_type);
        self.body = body.as_ref().to_vec();
        self
    }

    /// The value of the first field of this name, or nothing.
    pub(crate) fn text(&self, name: &str) -> String {
        let found = self.fields.iter().find(|(n, _)| n == name);
        found.map(|(_, v)| String::from_utf8_lossy(v).into_owned()).unwrap_or_default()
    }

    /// What the start line begins with.
    pub(crate) fn method(&self) -> &str {
        self.start.split(' ').next().unwrap_or_default()
    }

    /// The number in CSeq.
    pub(crate) fn seq(&self) -> u32 {
        self.text("CSeq").split_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or_default()
    }

    /// The branch of the topmost Via.
    pub(crate) fn branch(&self) -> String {
        let via = self.text("Via");
        let (_, rest) = via.split_once("branch=").unwrap_or_default();
        rest.split([';', ',', ' ']).next().unwrap_or_default().to_owned()
    }

    /// Gives it another branch, which makes it another transaction.
    pub(crate) fn rebranch(&mut self, branch: &str) -> &mut Self {
        let via = self.text("Via").replace(&self.branch(), branch);
        self.set("Via", via)
    }

    /// The ACK or CANCEL that goes with this request: same Request-URI, Via, From, Call-ID, CSeq number and Route
    /// (RFC 3261 sections 9.1 and 17.1.1.3).
    pub(crate) fn companion(&self, method: &str, to: &[u8]) -> Draft {
        let uri = self.start.split(' ').nth(1).unwrap_or_default();
        let mut draft = Draft::new(format!("{method} {uri} SIP/2.0"));
        draft.push("Via", self.text("Via")).push("Max-Forwards", "70");
        draft.push("From", self.text("From")).push("To", to).push("Call-ID", self.text("Call-ID"));
        draft.push("CSeq", format!("{} {method}", self.seq()));
        draft.fields.extend(self.fields.iter().filter(|(name, _)| name == "Route").cloned());
        draft
    }

    /// As it goes on the wire.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut out = self.start.clone().into_bytes();
        out.extend_from_slice(b"\r\n");
        for (name, value) in &self.fields {
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b": ");
            out.extend_from_slice(value);
            out.extend_from_slice(b"\r\n");
        }
        let known = |name: &str| matches!(name.to_ascii_lowercase().as_str(), "content-length" | "l");
        if self.length && !self.fields.iter().any(|(name, _)| known(name)) {
            out.extend_from_slice(format!("Content-Length: {}\r\n", self.body.len()).as_bytes());
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(&self.body);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draft_is_written_as_it_stands_and_its_companion_has_its_transaction() {
        let mut draft = Draft::new("INVITE sip:a@h SIP/2.0".into());
        draft.push("Via", "SIP/2.0/UDP h;branch=z9hG4bK1;rport").push("From", "<sip:b@h>;tag=1");
        draft.push("Call-ID", "c").push("CSeq", "7 INVITE").body("text/plain", "hi");
        assert_eq!((draft.method(), draft.seq(), draft.branch().as_str()), ("INVITE", 7, "z9hG4bK1"));
        let ack = draft.companion("ACK", b"<sip:a@h>;tag=2");
        assert_eq!(
            String::from_utf8(ack.bytes()).unwrap(),
            "ACK sip:a@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1;rport\r\nMax-Forwards: 70\r\n\
             From: <sip:b@h>;tag=1\r\nTo: <sip:a@h>;tag=2\r\nCall-ID: c\r\nCSeq: 7 ACK\r\nContent-Length: 0\r\n\r\n"
        );
        draft.rebranch("x").remove("From");
        assert_eq!((draft.branch().as_str(), draft.text("From").as_str()), ("x", ""));
        assert!(draft.bytes().ends_with(b"Content-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi"));
    }
}
