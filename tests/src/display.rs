//! A display that nobody looks at, for an engine that cannot do without one.

use std::{path::Path, process::Stdio, time::Duration};

use anyhow::{Context, Result, ensure};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::timeout,
};

/// How long it may take to be there.
const START: Duration = Duration::from_secs(20);

/// A running Xvfb. It ends with its value.
#[derive(Debug)]
pub(crate) struct Display {
    name: String,
    _server: Child,
}

impl Display {
    /// Starts one under a number that is free: Xvfb finds it, and says it once it can be used.
    pub(crate) async fn start(program: &Path) -> Result<Self> {
        let mut command = Command::new(program);
        command.args(["-displayfd", "1", "-screen", "0", "1280x1024x24", "-nolisten", "tcp"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let mut server = command.spawn().with_context(|| format!("cannot start {}", program.display()))?;
        let output = server.stdout.take().context("the display has no output")?;
        let mut lines = BufReader::new(output).lines();
        let number = timeout(START, lines.next_line()).await.context("the display does not start")??;
        let number = number.unwrap_or_default();
        ensure!(!number.is_empty(), "the display ended as it began");
        Ok(Self { name: format!(":{}", number.trim()), _server: server })
    }

    /// As a program finds it, in `DISPLAY`.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}
