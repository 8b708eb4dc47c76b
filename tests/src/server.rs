//! The platform: the real `latchkey` binary, as a process of its own, and its command line beside it.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::{Child, Command},
    time::{sleep, timeout},
};

/// The file of settings, in the folder of the data.
pub const SETTINGS: &str = "latchkey.toml";
/// How long the server may take to answer its first connection.
const START: Duration = Duration::from_secs(20);
/// How long it may take to end after it was told to.
const END: Duration = Duration::from_secs(10);

/// The command line of one installation.
#[derive(Debug, Clone)]
pub struct CommandLine {
    binary: PathBuf,
    database: String,
    /// The file of settings, where there is one.
    settings: PathBuf,
}

impl CommandLine {
    /// The command line of the installation that keeps its data in this folder.
    pub fn new(binary: &Path, data: &Path) -> Self {
        let database = format!("sqlite://{}", data.join("latchkey.db").display());
        Self { binary: binary.to_owned(), database, settings: data.join(SETTINGS) }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(arguments).args(["--database", &self.database]).kill_on_drop(true);
        if self.settings.exists() {
            command.arg("--config").arg(&self.settings);
        }
        command
    }

    /// Runs a command that prints one JSON object.
    pub async fn run(&self, arguments: &[&str]) -> Result<Value> {
        self.run_with_input(arguments, "").await
    }

    /// The same, with something on standard input.
    pub async fn run_with_input(&self, arguments: &[&str], input: &str) -> Result<Value> {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("cannot start {}", self.binary.display()))?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(input.as_bytes()).await?;
        }
        let output = child.wait_with_output().await?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success(), "latchkey {}: {}", arguments.join(" "), said.trim());
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// Starts the server and waits until it answers.
    pub async fn serve(&self, listen: SocketAddr, public_url: &str, log: Log<'_>) -> Result<Server> {
        let listen_text = listen.to_string();
        let level = log.level();
        let mut command =
            self.command(&["serve", "--listen", &listen_text, "--public-url", public_url, "--log", level]);
        if let Log::Everything(file) = log {
            command.stderr(fs::File::create(file)?);
        }
        // A group of its own: a Ctrl-C at the terminal goes to the demo, which ends the server in order.
        command.stdin(Stdio::null()).process_group(0);
        let child = command.spawn().with_context(|| format!("cannot start {}", self.binary.display()))?;
        let mut server = Server { child };
        let started = Instant::now();
        // Where another process took the port, something answers that is not this server.
        while !(log.tells_of_listening() && answers(listen).await) {
            if let Some(status) = server.child.try_wait()? {
                bail!("the server ended with {status}. {}", log.last_line());
            }
            ensure!(started.elapsed() < START, "the server does not answer on {listen}");
            sleep(Duration::from_millis(10)).await;
        }
        Ok(server)
    }
}

/// Whether there is more than a socket: a server that only listens does not know yet how to end in order.
async fn answers(listen: SocketAddr) -> bool {
    let ask = async || {
        let mut socket = TcpStream::connect(listen).await?;
        socket.write_all(b"GET /healthz HTTP/1.0\r\n\r\n").await?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await?;
        std::io::Result::Ok(answer.contains(" 204 "))
    };
    ask().await.unwrap_or(false)
}

/// What the server tells, and where.
#[derive(Debug, Clone, Copy)]
pub enum Log<'a> {
    /// What an operator reads, to the terminal.
    Terminal,
    /// Everything that it or a library of it has to tell, into a file.
    Everything(&'a Path),
}

impl Log<'_> {
    fn level(self) -> &'static str {
        match self {
            Self::Terminal => "info",
            Self::Everything(_) => "trace",
        }
    }

    /// Whether the server says that it listens, as far as that can be read.
    fn tells_of_listening(self) -> bool {
        let Self::Everything(file) = self else { return true };
        fs::read_to_string(file).is_ok_and(|text| text.contains("listening on"))
    }

    /// What it said last, where that is not on the terminal already.
    fn last_line(self) -> String {
        let Self::Everything(file) = self else { return String::new() };
        let text = fs::read_to_string(file).unwrap_or_default();
        text.lines().last().unwrap_or_default().to_owned()
    }
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    child: Child,
}

impl Server {
    /// Ends the server as an operator does, and waits until it has.
    pub async fn stop(mut self) -> Result<()> {
        if let Some(id) = self.child.id() {
            kill(Pid::from_raw(i32::try_from(id)?), Signal::SIGTERM)?;
        }
        let status = timeout(END, self.child.wait()).await.context("the server did not end")??;
        ensure!(status.success(), "the server ended with {status}");
        Ok(())
    }

    /// Waits until the server ends by itself, which it should not.
    pub async fn ended(&mut self) -> Result<std::process::ExitStatus> {
        Ok(self.child.wait().await?)
    }
}
