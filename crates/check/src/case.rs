//! What a case is, and how it ends.

use crate::cases;
use crate::lab::Lab;
use serde::Serialize;
use std::fmt;
use std::future::Future;
use std::pin::Pin;

/// The script of a case.
pub(crate) type Script =
    for<'a> fn(&'a mut Lab) -> Pin<Box<dyn Future<Output = Result<(), Finding>> + Send + 'a>>;

/// One thing that a user agent is held to.
#[derive(Clone, Copy)]
pub struct Case {
    /// Its name, the group in front: `dialog.bye-twice`.
    pub name: &'static str,
    /// The RFC, as in `RFC 3261`.
    pub rfc: &'static str,
    /// The section of that RFC.
    pub section: &'static str,
    /// What is asked for there, in one sentence.
    pub requirement: &'static str,
    pub(crate) script: Script,
}

impl Case {
    /// What stands before the dot of its name.
    pub fn group(&self) -> &'static str {
        self.name.split('.').next().unwrap_or(self.name)
    }

    /// RFC and section, in the form `RFC 3261 section 12.2.2`.
    pub fn reference(&self) -> String {
        format!("{} section {}", self.rfc, self.section)
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.reference())
    }
}

/// Every case, in the order in which they run.
pub fn all() -> Vec<&'static Case> {
    cases::GROUPS.iter().copied().flatten().collect()
}

/// How a case ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", content = "reason", rename_all = "kebab-case")]
pub enum Verdict {
    /// The peer did what is asked for.
    Pass,
    /// It did not; the reason says what it did.
    Fail(String),
    /// The peer lacks what the case is about; the reason says what.
    NotApplicable(String),
    /// The case could not be carried through, for a reason outside of it.
    Error(String),
}

impl Verdict {
    /// `pass`, `fail`, `not-applicable` or `error`.
    pub fn word(&self) -> &'static str {
        match self {
            Verdict::Pass => "pass",
            Verdict::Fail(_) => "fail",
            Verdict::NotApplicable(_) => "not-applicable",
            Verdict::Error(_) => "error",
        }
    }

    /// Why it is not a pass.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Verdict::Pass => None,
            Verdict::Fail(reason) | Verdict::NotApplicable(reason) | Verdict::Error(reason) => Some(reason),
        }
    }
}

/// Why a script ended before its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    Fail(String),
    NotApplicable(String),
    Error(String),
}

impl From<Result<(), Finding>> for Verdict {
    fn from(result: Result<(), Finding>) -> Self {
        match result {
            Ok(()) => Verdict::Pass,
            Err(Finding::Fail(reason)) => Verdict::Fail(reason),
            Err(Finding::NotApplicable(reason)) => Verdict::NotApplicable(reason),
            Err(Finding::Error(reason)) => Verdict::Error(reason),
        }
    }
}

/// Fails the case with a reason unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($reason:tt)+) => {
        let holds: bool = $condition;
        if !holds {
            return Err($crate::case::Finding::Fail(format!($($reason)+)));
        }
    };
}

/// Says that the case does not apply unless the condition holds.
macro_rules! applies {
    ($condition:expr, $($reason:tt)+) => {
        let holds: bool = $condition;
        if !holds {
            return Err($crate::case::Finding::NotApplicable(format!($($reason)+)));
        }
    };
}

/// A table of cases: name, RFC, section, requirement and script.
macro_rules! table {
    ($($name:literal, $rfc:literal, $section:literal, $requirement:literal => $script:expr;)*) => {
        pub(super) const CASES: &[$crate::case::Case] = &[$($crate::case::Case {
            name: $name,
            rfc: concat!("RFC ", $rfc),
            section: $section,
            requirement: $requirement,
            script: |lab| Box::pin($script(lab)),
        }),*];
    };
}

pub(crate) use {applies, ensure, table};
