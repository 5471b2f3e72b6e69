//! What is left in a directory for people and programs to read.

use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// Write a report into this directory: report.html (one file, for any browser), call.json, and the packets of a
    /// call of our own; of several calls an index, junit.xml and a directory for each (docs/reports.md).
    #[arg(long, value_name = "DIR")]
    pub(crate) report: Option<PathBuf>,
}
