//! PostgreSQL for the tests that need one: the distribution's programs, and a server of the suite's own.

use anyhow::{Context, Result};
use latchkey_cluster::Programs;

use crate::apt;

/// Makes sure of the programs.
pub(crate) fn install() -> Result<Programs> {
    if let Some(found) = Programs::find() {
        return Ok(found);
    }
    // A distribution would start a server of its own at once. Nobody here asks that one anything.
    apt::install(&["postgresql"])?;
    Programs::find().context("apt-get installed no PostgreSQL into /usr/lib/postgresql")
}
