//! One line of a script: a command with its parameters.

use bytes::Bytes;
use data_encoding::BASE64;
use serde::Deserialize;
use serde_json::{Map, Value};
use visavis::proto::io::MediaChoice;

/// What one line says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Request {
    /// The command's name.
    pub(crate) command: String,
    /// Put into the event that answers it.
    pub(crate) id: Option<Value>,
    /// The call that is meant; `None`: the latest one.
    pub(crate) call: Option<u64>,
    /// What is to be done.
    pub(crate) verb: Verb,
}

/// What a script can ask for, with its parameters.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "command", rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum Verb {
    Ring {
        #[serde(default = "ringing")]
        status: u16,
    },
    Answer {},
    Reject {
        #[serde(default = "busy")]
        status: u16,
    },
    Hangup {},
    Hold {},
    Resume {},
    Reinvite {
        media: Media,
    },
    Message {
        #[serde(default = "plain_text")]
        content_type: String,
        text: Option<String>,
        base64: Option<String>,
    },
    Dtmf {
        keys: String,
        #[serde(default = "key_ms")]
        ms: u64,
    },
    Keyframe {
        section: Option<usize>,
    },
    Stats {},
    Mute {},
    Unmute {},
    Wait {
        seconds: f64,
    },
    Quit {},
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Media {
    Audio,
    Video,
    Both,
}

impl From<Media> for MediaChoice {
    fn from(media: Media) -> Self {
        MediaChoice { audio: media != Media::Video, video: media != Media::Audio }
    }
}

/// A line that cannot be carried out, and as much of it as could be read.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Unreadable {
    pub(crate) command: Option<String>,
    pub(crate) id: Option<Value>,
    pub(crate) call: Option<u64>,
    /// What is wrong, in words.
    pub(crate) why: String,
}

impl Request {
    pub(crate) fn parse(line: &[u8]) -> Result<Request, Unreadable> {
        let mut read = Unreadable::default();
        read_into(line, &mut read).map_err(|why| Unreadable { why, ..read.clone() }).map(|verb| Request {
            command: read.command.unwrap_or_default(),
            id: read.id,
            call: read.call,
            verb,
        })
    }
}

/// Reads a line, and puts what is common to all commands into `read`, as far as it gets.
fn read_into(line: &[u8], read: &mut Unreadable) -> Result<Verb, String> {
    let mut fields: Map<String, Value> =
        serde_json::from_slice(line).map_err(|e| format!("not a JSON object: {e}"))?;
    read.id = fields.remove("id");
    let call = fields.remove("call");
    read.command = fields.get("command").and_then(Value::as_str).map(str::to_owned);
    if let Some(call) = call {
        read.call = Some(call.as_u64().ok_or_else(|| format!("call {call} is no number of a call"))?);
    }
    let verb: Verb = serde_json::from_value(Value::Object(fields)).map_err(|e| e.to_string())?;
    verb.check()?;
    Ok(verb)
}

impl Verb {
    /// What the types leave open.
    fn check(&self) -> Result<(), String> {
        let bad = match self {
            Verb::Ring { status } if !(101..200).contains(status) => {
                format!("status {status} is not provisional: 101 to 199")
            }
            Verb::Reject { status } if !(300..700).contains(status) => {
                format!("status {status} refuses nothing: 300 to 699")
            }
            Verb::Dtmf { keys, .. } if keys.is_empty() => "no keys".into(),
            Verb::Dtmf { ms, .. } if !(40..=10_000).contains(ms) => {
                format!("{ms} ms is out of range: 40 to 10000")
            }
            Verb::Wait { seconds } if !(0.0..=3600.0).contains(seconds) => {
                format!("{seconds} seconds is out of range: 0 to 3600")
            }
            Verb::Message { text, base64, .. } => return body(text.as_ref(), base64.as_ref()).map(drop),
            _ => return Ok(()),
        };
        Err(bad)
    }
}

/// The octets of a MESSAGE.
pub(crate) fn body(text: Option<&String>, base64: Option<&String>) -> Result<Bytes, String> {
    match (text, base64) {
        (Some(text), None) => Ok(Bytes::copy_from_slice(text.as_bytes())),
        (None, Some(base64)) => {
            let octets = BASE64.decode(base64.as_bytes());
            octets.map(Bytes::from).map_err(|e| format!("base64: {e}"))
        }
        (None, None) => Ok(Bytes::new()),
        (Some(_), Some(_)) => Err("text and base64 are two bodies, and a message has one".into()),
    }
}

fn ringing() -> u16 {
    180
}

fn busy() -> u16 {
    486
}

fn plain_text() -> String {
    "text/plain".into()
}

fn key_ms() -> u64 {
    160
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn verb(line: &str) -> Verb {
        Request::parse(line.as_bytes()).unwrap_or_else(|e| panic!("{line}: {}", e.why)).verb
    }

    #[test]
    fn what_is_left_out_has_the_value_that_a_tester_expects() {
        assert_eq!(verb(r#"{"command":"ring"}"#), Verb::Ring { status: 180 });
        assert_eq!(verb(r#"{"command":"reject"}"#), Verb::Reject { status: 486 });
        assert_eq!(verb(r#"{"command":"dtmf","keys":"1"}"#), Verb::Dtmf { keys: "1".into(), ms: 160 });
        let request = Request::parse(br#" {"command":"hold","call":7,"id":"h"} "#).expect("a request");
        assert_eq!((request.call, request.id, request.command.as_str()), (Some(7), Some(json!("h")), "hold"));
        assert_eq!(Request::parse(br#"{"command":"stats"}"#).expect("a request").call, None);
    }

    #[test]
    fn a_body_is_text_or_base64() {
        let of = |line| match verb(line) {
            Verb::Message { text, base64, .. } => body(text.as_ref(), base64.as_ref()).expect("octets"),
            other => panic!("{other:?}"),
        };
        assert_eq!(of(r#"{"command":"message","text":"hé"}"#), "hé".as_bytes());
        assert_eq!(of(r#"{"command":"message","base64":"AP8="}"#), &[0, 255][..]);
        assert!(of(r#"{"command":"message","content_type":"application/x"}"#).is_empty());
    }

    #[test]
    fn a_line_that_cannot_be_read_says_what_is_wrong_and_keeps_its_id() {
        for (line, why) in [
            ("", "not a JSON object"),
            ("hold", "not a JSON object"),
            ("[1]", "not a JSON object"),
            ("{}", "missing field `command`"),
            (r#"{"command":"jump"}"#, "unknown variant `jump`"),
            (r#"{"command":"hold","cal":1}"#, "unknown field `cal`"),
            (r#"{"command":"hold","call":"one"}"#, "no number of a call"),
            (r#"{"command":"ring","status":200}"#, "101 to 199"),
            (r#"{"command":"ring","status":"180"}"#, "u16"),
            (r#"{"command":"reject","status":180}"#, "300 to 699"),
            (r#"{"command":"reinvite"}"#, "missing field `media`"),
            (r#"{"command":"reinvite","media":"smell"}"#, "unknown variant `smell`"),
            (r#"{"command":"dtmf","keys":""}"#, "no keys"),
            (r#"{"command":"dtmf","keys":"1","ms":0}"#, "40 to 10000"),
            (r#"{"command":"wait","seconds":-1}"#, "0 to 3600"),
            (r#"{"command":"message","text":"a","base64":"YQ=="}"#, "two bodies"),
            (r#"{"command":"message","base64":"?"}"#, "base64"),
        ] {
            let error = Request::parse(line.as_bytes()).expect_err(line);
            assert!(error.why.contains(why), "{line}: {}", error.why);
        }
        let error = Request::parse(br#"{"command":"jump","id":5,"call":2}"#).expect_err("no command");
        assert_eq!((error.id, error.call, error.command), (Some(json!(5)), Some(2), Some("jump".into())));
    }

    /// The page that documents all this, with its examples.
    const PAGE: &str = include_str!("../../../docs/scripting.md");

    #[test]
    fn every_command_in_the_page_is_one_and_every_command_is_in_the_page() {
        let mut seen = std::collections::BTreeSet::new();
        for line in PAGE.lines().filter(|line| line.starts_with(r#"{"command""#)) {
            let request = Request::parse(line.as_bytes()).unwrap_or_else(|e| panic!("{line}: {}", e.why));
            seen.insert(request.command);
        }
        // serde names them all where it knows none of the name.
        let error = Request::parse(br#"{"command":"?"}"#).expect_err("no command").why;
        let named: Vec<&str> = error.split('`').skip(3).step_by(2).collect();
        assert_eq!(named.len(), 15, "{error}");
        for name in named {
            assert!(seen.contains(name), "docs/scripting.md has no example of {name}");
        }
    }
}
