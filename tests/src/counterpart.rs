//! Clients no one here wrote: a program each, which does what its library does with a server it knows nothing of but
//! the issuer. `tests/clients/journey.mjs` says how it is spoken with.

use std::{path::Path, process::Stdio, time::Duration};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

use crate::stage::{CLIENTS, built};

/// How long a client may take for one step.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a client's program is written in.
#[derive(Debug, Clone, Copy)]
pub enum Language {
    /// Run by Node.
    JavaScript,
    /// Run by the Python in which its library is installed.
    Python,
}

/// A running client.
#[derive(Debug)]
pub struct Counterpart {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Counterpart {
    /// Starts a client's program, which trusts the authority whose certificate is in the file `trusted`.
    pub fn start(language: Language, program: &str, task: &Value, trusted: &Path) -> Result<Self> {
        let folder = built(CLIENTS)?;
        let mut command = match language {
            Language::JavaScript => Command::new("node"),
            Language::Python => Command::new(folder.join("python/bin/python")),
        };
        command.arg(folder.join(program)).arg(task.to_string());
        command.env("NODE_EXTRA_CA_CERTS", trusted).env("REQUESTS_CA_BUNDLE", trusted);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().with_context(|| format!("cannot start {program}"))?;
        let output = child.stdout.take().context("the client has no output")?;
        Ok(Self { child, lines: BufReader::new(output).lines() })
    }

    /// The address of the authorization request, for a person's browser.
    pub async fn authorize(&mut self) -> Result<String> {
        let said = self.hear().await?;
        said["authorize"].as_str().map(str::to_owned).with_context(|| format!("no address: {said}"))
    }

    /// Gives it the address where the browser arrived; returns what came of it.
    pub async fn finish(mut self, arrived: &str) -> Result<Value> {
        let mut input = self.child.stdin.take().context("the client has no input")?;
        input.write_all(format!("{arrived}\n").as_bytes()).await?;
        let outcome = self.hear().await?;
        let status = timeout(PATIENCE, self.child.wait()).await.context("the client does not end")??;
        ensure!(status.success(), "the client ended with {status} after {outcome}");
        Ok(outcome)
    }

    /// The next line; where there is none, what the client complains of.
    async fn hear(&mut self) -> Result<Value> {
        let line = timeout(PATIENCE, self.lines.next_line()).await.context("the client says nothing")??;
        if let Some(line) = line {
            return serde_json::from_str(&line).with_context(|| format!("the client said {line:?}"));
        }
        let mut complaint = String::new();
        if let Some(mut errors) = self.child.stderr.take() {
            timeout(PATIENCE, errors.read_to_string(&mut complaint)).await.context("the client hangs")??;
        }
        anyhow::bail!("the client failed: {}", complaint.trim())
    }
}
