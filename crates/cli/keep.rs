//! What a call leaves in files beside its capture: the bodies of its key exchange, and its keys.

use crate::args::{FacetimeArgs, Ske};
use crate::output::Output;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use visavis::proto::io::{Event, Protection, Section};
use visavis::sdp_with_keys;

/// Where they go.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keep {
    bodies: Option<PathBuf>,
    keys: Option<PathBuf>,
    protection: Option<Protection>,
}

impl Keep {
    pub(crate) fn new(args: &FacetimeArgs) -> Self {
        let bodies = match &args.ske {
            Some(Ske::Tap(dir)) => Some(dir.clone()),
            _ => None,
        };
        Keep { bodies, keys: args.export_keys.clone(), protection: None }
    }

    /// Takes in an event of a call. A file that cannot be written is no reason to end it, but is said.
    pub(crate) fn observe(&mut self, event: &Event, output: &Output) {
        let written = match event {
            Event::KeyMessage { call, sent, sequence, fragment, body } => {
                let way = if *sent { "sent" } else { "received" };
                let name = format!("call{}-{sequence}-{fragment}-{way}.bin", call.0);
                self.bodies.as_ref().map(|dir| write(&dir.join(name), body))
            }
            Event::Protected { protection, .. } => {
                self.protection = Some(protection.clone());
                None
            }
            Event::Media { sections, .. } => self.keys_for(sections),
            _ => None,
        };
        if let Some(Err(text)) = written {
            output.note(format!("visavis: {text}"));
        }
    }

    fn keys_for(&self, sections: &[Section]) -> Option<Result<(), String>> {
        let (path, protection) = (self.keys.as_ref()?, self.protection.as_ref()?);
        let (send, receive) = protection.keys.as_deref()?;
        Some(write(path, sdp_with_keys(sections, send, receive).as_bytes()))
    }
}

/// Writes a file that nobody else may read.
fn write(path: &Path, data: &[u8]) -> Result<(), String> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(path).and_then(|mut file| file.write_all(data));
    written.map_err(|e| format!("cannot write {}: {e}", path.display()))
}
