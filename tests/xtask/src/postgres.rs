//! PostgreSQL for the tests that need one: the distribution's programs, and a server of the suite's own.

use std::path::Path;

use anyhow::{Context, Result};
use latchkey_cluster::Programs;

use crate::apt;

/// Makes sure of what sets the clock of one process.
pub(crate) fn install_clock() -> Result<()> {
    let is_there = ["x86_64-linux-gnu", "aarch64-linux-gnu"]
        .iter()
        .any(|machine| Path::new("/usr/lib").join(machine).join("faketime/libfaketimeMT.so.1").exists());
    if is_there { Ok(()) } else { apt::install(&["libfaketime"]) }
}

/// Makes sure of the programs.
pub(crate) fn install() -> Result<Programs> {
    if let Some(found) = Programs::find() {
        return Ok(found);
    }
    // A distribution would start a server of its own at once. Nobody here asks that one anything.
    apt::install(&["postgresql"])?;
    Programs::find().context("apt-get installed no PostgreSQL into /usr/lib/postgresql")
}
