//! The processes that are measured. Each ends with its value, whatever happens here.

use std::{
    fs::{self, File},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::time::sleep;

use crate::load;

/// How long a process may take to answer, and to end.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running process.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    pub(crate) address: SocketAddr,
    log: PathBuf,
}

impl Process {
    /// Starts a program that listens on this address, with its log in a file, as where it is deployed.
    pub(crate) async fn start(
        program: &Path,
        arguments: &[String],
        address: SocketAddr,
        log: &Path,
        environment: &[(&str, &str)],
    ) -> Result<Self> {
        File::create(log)?;
        let child = Command::new(program)
            .args(arguments)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            // Appended to, so that it can be emptied while the process runs.
            .stderr(File::options().append(true).open(log)?)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let mut process = Self { child, address, log: log.to_owned() };
        let started = Instant::now();
        while load::fetch_status(address, "/healthz").await != Some(204) {
            if let Some(status) = process.child.try_wait()? {
                bail!("it ended with {status}: {}", fs::read_to_string(log).unwrap_or_default().trim());
            }
            ensure!(started.elapsed() < PATIENCE, "{} does not answer on {address}", program.display());
            sleep(Duration::from_millis(10)).await;
        }
        Ok(process)
    }

    /// Empties the log: it is written for what that costs, not to be read.
    pub(crate) fn forget_log(&self) -> Result<()> {
        Ok(File::options().write(true).open(&self.log)?.set_len(0)?)
    }

    /// How long it has been at work on any processor, in clock ticks of a hundredth of a second.
    pub(crate) fn ticks(&self) -> Result<u64> {
        let text = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // proc(5): what follows the name, which may hold anything, begins with the third field.
        let (_, fields) = text.rsplit_once(')').context("no end of the name")?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let field =
            |number: usize| -> Result<u64> { Ok(fields.get(number - 3).context("too few fields")?.parse()?) };
        Ok(field(14)? + field(15)?)
    }

    /// How much of its memory is there, in bytes.
    pub(crate) fn resident(&self) -> Result<u64> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kilobytes * 1024)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let Ok(id) = i32::try_from(self.child.id()) else { return };
        let _ = kill(Pid::from_raw(id), Signal::SIGTERM);
        let told = Instant::now();
        while let Ok(None) = self.child.try_wait() {
            if told.elapsed() > PATIENCE {
                let _ = self.child.kill();
                let _ = self.child.wait();
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// An address that nobody listens on.
pub(crate) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}
