//! What this machine keeps from one call to the next: its identity, and the ticket that it gave out last.

use crate::files::{Existing, make_private_dir, read_small, write_whole};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;
use visavis_proto::nat::{Candidate, NatKind, Ticket, TicketError};
use visavis_proto::ske::{Identity, IdentityError};

const IDENTITY: &str = "identity";
const TICKET: &str = "ticket";
/// More than any file here has, octets.
const LARGEST: u64 = 4_096;

/// Why what this machine keeps, or a new ticket, could not be had.
#[derive(Debug, Error)]
pub enum StateError {
    /// Nobody said where the directory is, and the environment does not either.
    #[error(
        "nothing says where to keep tickets and the identity: set HOME or XDG_STATE_HOME, or name a directory"
    )]
    NoPlace,
    /// The directory can not be made.
    #[error(
        "cannot make the directory {path} for tickets and the identity: {source}; make it yourself, or name another"
    )]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file can not be read.
    #[error("cannot read {path}: {source}; see to it that this user may read it, or name another directory")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file can not be written.
    #[error(
        "cannot write {path}: {source}; see to it that this user may write there, or name another directory"
    )]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file has something else in it than it should.
    #[error("{path} is broken ({why}): move it away, and a new {what}")]
    Broken {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
        /// What comes in its place, and how.
        what: &'static str,
    },
    /// The system gave no random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(String),
    /// No ticket can be made of these candidates.
    #[error(transparent)]
    Ticket(#[from] TicketError),
}

/// The directory where an endpoint keeps its identity and its ticket, each in a file that its owner alone may
/// read. Several processes may use one directory.
#[derive(Clone, Debug)]
pub struct StateDir {
    path: PathBuf,
}

impl StateDir {
    /// Opens `dir`, and makes it (mode 0700) where there is none. By default it is `$XDG_STATE_HOME/visavis`, or
    /// `$HOME/.local/state/visavis` where that variable is not set.
    ///
    /// # Errors
    ///
    /// [`StateError::NoPlace`], [`StateError::Directory`].
    pub fn open(dir: Option<&Path>) -> Result<StateDir, StateError> {
        let path = match dir {
            Some(dir) => dir.to_owned(),
            None => {
                default_place(|name| std::env::var_os(name).map(PathBuf::from)).ok_or(StateError::NoPlace)?
            }
        };
        match make_private_dir(&path) {
            Ok(()) => Ok(StateDir { path }),
            Err(source) => Err(StateError::Directory { path, source }),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The identity of this machine's user: made at the first call, the same ever after (file `identity`).
    ///
    /// # Errors
    ///
    /// [`StateError::Read`], [`StateError::Write`], [`StateError::Random`], and [`StateError::Broken`] where the
    /// file is no identity: it is never overwritten.
    pub fn identity(&self) -> Result<Identity, StateError> {
        let path = self.path.join(IDENTITY);
        if let Some(kept) = read_identity(&path)? {
            return Ok(kept);
        }
        let made = Identity::generate(&mut random()?);
        match write_whole(&path, made.to_line().as_bytes(), Existing::Keep) {
            Ok(()) => Ok(made),
            // Another process was faster: there is one identity.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                read_identity(&path)?.ok_or(StateError::Write { path, source: error })
            }
            Err(source) => Err(StateError::Write { path, source }),
        }
    }

    /// Keeps the ticket that is given to a peer, and the port that it was made for, in place of the last one
    /// (file `ticket`).
    ///
    /// # Errors
    ///
    /// [`StateError::Write`].
    pub fn keep_ticket(&self, ticket: &Ticket, port: u16) -> Result<(), StateError> {
        let path = self.path.join(TICKET);
        write_whole(&path, format!("{ticket} {port}\n").as_bytes(), Existing::Replace)
            .map_err(|source| StateError::Write { path, source })
    }

    /// The ticket kept last, expired or not.
    ///
    /// # Errors
    ///
    /// [`StateError::Read`], and [`StateError::Broken`] where the file is no ticket.
    pub fn own_ticket(&self) -> Result<Option<Ticket>, StateError> {
        Ok(self.kept()?.map(|(ticket, _)| ticket))
    }

    /// The UDP port that the ticket kept last was made for: its call is to come from there, or what a NAT's
    /// mapping in it says is void.
    ///
    /// # Errors
    ///
    /// As [`StateDir::own_ticket`].
    pub fn own_ticket_port(&self) -> Result<Option<u16>, StateError> {
        Ok(self.kept()?.map(|(_, port)| port))
    }

    fn kept(&self) -> Result<Option<(Ticket, u16)>, StateError> {
        let path = self.path.join(TICKET);
        let Some(text) = read_text(&path)? else { return Ok(None) };
        // Without the end of the line, digits of the port may be missing.
        let read = match text.strip_suffix('\n').and_then(|line| line.split_once(' ')) {
            None => Err("its end is missing".to_owned()),
            Some((ticket, port)) => match (ticket.parse::<Ticket>(), port.parse::<u16>()) {
                (Ok(ticket), Ok(port)) => Ok((ticket, port)),
                (Err(error), _) => Err(error.to_string()),
                (_, Err(_)) => Err("the port is no number".to_owned()),
            },
        };
        read.map(Some).map_err(|why| StateError::Broken { path, why, what: "ticket can be made" })
    }
}

/// A ticket with a fresh nonce, good until `expires` (seconds since 1970). Of the candidates it takes the first
/// that fit.
///
/// # Errors
///
/// [`StateError::Ticket`] where there is no candidate, or one that nothing is ever sent to;
/// [`StateError::Random`].
pub fn ticket(
    candidates: &[Candidate],
    nat: NatKind,
    identity: Option<[u8; 8]>,
    expires: u64,
) -> Result<Ticket, StateError> {
    Ok(Ticket::new(candidates, nat, identity, expires, &mut random()?)?)
}

fn random() -> Result<ChaCha20Rng, StateError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|e| StateError::Random(e.to_string()))?;
    Ok(ChaCha20Rng::from_seed(seed))
}

/// By the XDG base directory specification a path there that is not absolute counts as none.
fn default_place(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    let absolute = |name| variable(name).filter(|path| path.is_absolute());
    let state = absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")));
    Some(state?.join("visavis"))
}

fn read_identity(path: &Path) -> Result<Option<Identity>, StateError> {
    let Some(text) = read_text(path)? else { return Ok(None) };
    warn_if_others_may_read(path);
    text.parse().map(Some).map_err(|e: IdentityError| StateError::Broken {
        path: path.to_owned(),
        why: e.to_string(),
        what: "identity is made (peers that pinned the old one will refuse it)",
    })
}

fn read_text(path: &Path) -> Result<Option<String>, StateError> {
    let failed = |source| StateError::Read { path: path.to_owned(), source };
    let Some(data) = read_small(path, LARGEST).map_err(failed)? else { return Ok(None) };
    // What is not text is no identity and no ticket either, and the readers of those say so.
    Ok(Some(String::from_utf8_lossy(&data).into_owned()))
}

#[cfg(unix)]
fn warn_if_others_may_read(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let open = std::fs::metadata(path).is_ok_and(|meta| meta.permissions().mode() & 0o077 != 0);
    if open {
        tracing::warn!(
            "others may read {0}, and who does can pose as this side: chmod 600 {0}",
            path.display()
        );
    }
}

#[cfg(not(unix))]
fn warn_if_others_may_read(_: &Path) {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use visavis_proto::nat::CandidateKind;

    fn opened() -> (tempfile::TempDir, StateDir) {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(Some(&dir.path().join("a/b"))).unwrap();
        (dir, state)
    }

    fn some_ticket() -> Ticket {
        let candidate = Candidate::new(CandidateKind::Host, "192.0.2.1:16402".parse().unwrap());
        ticket(&[candidate], NatKind::Open, Some([3; 8]), 2_000_000_000).unwrap()
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_may_read_what_is_kept() {
        use std::os::unix::fs::PermissionsExt;
        let (_dir, state) = opened();
        state.identity().unwrap();
        state.keep_ticket(&some_ticket(), 1).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(state.path()), 0o700);
        assert_eq!(mode(&state.path().join(IDENTITY)), 0o600);
        assert_eq!(mode(&state.path().join(TICKET)), 0o600);
    }

    #[test]
    fn the_identity_is_made_once_even_by_two_at_the_same_time() {
        let (_dir, state) = opened();
        let made: Vec<[u8; 32]> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..8).map(|_| scope.spawn(|| state.identity().unwrap().public())).collect();
            threads.into_iter().map(|t| t.join().unwrap()).collect()
        });
        let again = StateDir::open(Some(state.path())).unwrap().identity().unwrap().public();
        assert!(made.iter().all(|public| *public == again));
        let (_dir, other) = opened();
        assert_ne!(other.identity().unwrap().public(), again);
    }

    #[test]
    fn a_broken_file_is_named_and_left_alone() {
        let (_dir, state) = opened();
        for wrong in [&b""[..], b"visavis-ed25519 AAAA\n", b"\xff\xfe", &[b'x'; 10_000]] {
            fs::write(state.path().join(IDENTITY), wrong).unwrap();
            fs::write(state.path().join(TICKET), wrong).unwrap();
            let errors = [state.identity().unwrap_err(), state.own_ticket().unwrap_err()];
            for (error, file) in errors.iter().zip([IDENTITY, TICKET]) {
                let path = state.path().join(file);
                assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
                assert_eq!(fs::read(path).unwrap(), wrong);
            }
        }
        let whole = format!("{} 16402\n", some_ticket());
        for cut in 1..whole.len() {
            fs::write(state.path().join(TICKET), &whole[..cut]).unwrap();
            assert!(matches!(state.own_ticket(), Err(StateError::Broken { .. })), "cut at {cut}");
        }
    }

    #[test]
    fn the_last_ticket_is_found_again_with_its_port() {
        let (_dir, state) = opened();
        assert_eq!((state.own_ticket().unwrap(), state.own_ticket_port().unwrap()), (None, None));
        let (first, last) = (some_ticket(), some_ticket());
        assert_ne!(first.nonce, last.nonce);
        state.keep_ticket(&first, 16_402).unwrap();
        state.keep_ticket(&last, 16_393).unwrap();
        assert_eq!(
            (state.own_ticket().unwrap(), state.own_ticket_port().unwrap()),
            (Some(last), Some(16_393))
        );
    }

    #[test]
    fn the_default_place_is_where_the_environment_says() {
        let place = |state: &str, home: &str| {
            default_place(|name| {
                let value = if name == "HOME" { home } else { state };
                (!value.is_empty()).then(|| PathBuf::from(value))
            })
        };
        assert_eq!(place("/s", "/h"), Some("/s/visavis".into()));
        assert_eq!(place("", "/h"), Some("/h/.local/state/visavis".into()));
        assert_eq!(place("relative", "/h"), Some("/h/.local/state/visavis".into()));
        assert_eq!(place("", ""), None);
    }

    #[test]
    fn a_directory_that_can_not_be_made_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = StateDir::open(Some(&file.path().join("below"))).unwrap_err().to_string();
        assert!(error.contains("below") && error.contains("name another"), "{error}");
    }
}
