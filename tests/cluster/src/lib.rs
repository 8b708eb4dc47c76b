//! A PostgreSQL server of one's own, on a port of its own, which is thrown away with all that is in it. Nothing depends
//! on a server that happens to run.
#![allow(clippy::disallowed_methods, reason = "it waits for another process by the real clock")]

use std::{
    fs,
    io::Write,
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, User, chown, geteuid},
};
use tempfile::TempDir;

/// How long a server may take to start, and to end.
const PATIENCE: Duration = Duration::from_secs(30);
/// The user who may do everything.
const SUPERUSER: &str = "postgres";

/// Where the server's programs are.
#[derive(Debug, Clone)]
pub struct Programs(PathBuf);

impl Programs {
    /// Those in this folder.
    pub fn at(folder: &Path) -> Option<Self> {
        ["initdb", "pg_isready", "postgres"]
            .iter()
            .all(|name| folder.join(name).is_file())
            .then(|| Self(folder.to_owned()))
    }

    /// The newest that the distribution has.
    pub fn find() -> Option<Self> {
        let mut versions: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
            .ok()?
            .filter_map(|entry| {
                let path = entry.ok()?.path();
                Some((path.file_name()?.to_str()?.parse().ok()?, path.join("bin")))
            })
            .collect();
        versions.sort();
        versions.into_iter().rev().find_map(|(_, folder)| Self::at(&folder))
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.0
    }

    /// A program, which refuses to be run by root: as the distribution's own user then.
    fn command(&self, name: &str) -> Result<Command> {
        let program = self.0.join(name);
        if !geteuid().is_root() {
            return Ok(Command::new(program));
        }
        let user = server_user()?;
        let mut command = Command::new("setpriv");
        command
            .args([format!("--reuid={}", user.uid), format!("--regid={}", user.gid)])
            .args(["--clear-groups", "--inh-caps=-all"])
            .arg(program);
        Ok(command)
    }
}

fn server_user() -> Result<User> {
    User::from_name(SUPERUSER)?.with_context(|| format!("there is no user {SUPERUSER} on this machine"))
}

/// Whether what is committed survives the end of the machine, as it does where somebody's tokens are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// It does.
    Kept,
    /// It does not: it is quicker.
    Thrown,
}

/// A server, with its data.
#[derive(Debug)]
pub struct Cluster {
    programs: Programs,
    folder: TempDir,
    durability: Durability,
    port: u16,
    process: Option<Child>,
}

impl Cluster {
    /// Makes one, and starts it.
    pub fn start(programs: &Programs, durability: Durability) -> Result<Self> {
        Self::start_in(&std::env::temp_dir(), programs, durability)
    }

    /// The same, with its data below this folder.
    pub fn start_in(parent: &Path, programs: &Programs, durability: Durability) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("postgres").tempdir_in(parent)?;
        if geteuid().is_root() {
            let user = server_user()?;
            chown(folder.path(), Some(user.uid), Some(user.gid))?;
        }
        let mut cluster =
            Self { programs: programs.clone(), folder, durability, port: free_port()?, process: None };
        let made = cluster
            .programs
            .command("initdb")?
            .args([
                "-U",
                SUPERUSER,
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--locale=C",
                "--no-sync",
                "--no-instructions",
            ])
            .arg("-D")
            .arg(cluster.data())
            .current_dir("/")
            .output()
            .context("initdb")?;
        ensure!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        cluster.resume()?;
        Ok(cluster)
    }

    /// Starts it again, on the same port, with what it had.
    pub fn resume(&mut self) -> Result<()> {
        ensure!(self.process.is_none(), "it runs");
        let log = fs::File::options().create(true).append(true).open(self.folder.path().join("log"))?;
        let socket = self.folder.path().display().to_string();
        let mut command = self.programs.command("postgres")?;
        command
            .arg("-D")
            .arg(self.data())
            .args(["-p", &self.port.to_string(), "-c", "listen_addresses=127.0.0.1"])
            .args(["-c", &format!("unix_socket_directories={socket}")])
            .args(["-c", "max_connections=200", "-c", "shared_buffers=64MB", "-c", "jit=off"])
            .args(["-c", "wal_level=logical"])
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        if self.durability == Durability::Thrown {
            for setting in ["fsync=off", "synchronous_commit=off", "full_page_writes=off"] {
                command.args(["-c", setting]);
            }
        }
        self.process = Some(command.spawn().context("postgres")?);
        let started = Instant::now();
        while !self.is_ready()? {
            let ended = self.process.as_mut().and_then(|process| process.try_wait().ok().flatten());
            if ended.is_some() || started.elapsed() > PATIENCE {
                let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
                bail!("PostgreSQL does not start: {log}");
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn is_ready(&self) -> Result<bool> {
        let port = self.port.to_string();
        let asked = Command::new(self.programs.0.join("pg_isready"))
            .args(["-q", "-h", "127.0.0.1", "-p", &port])
            .current_dir("/")
            .status()?;
        Ok(asked.success())
    }

    /// Whether it runs still.
    pub fn lives(&mut self) -> Result<bool> {
        Ok(match &mut self.process {
            Some(process) => process.try_wait()?.is_none(),
            None => false,
        })
    }

    /// Ends it as the end of its machine does: at once, with whatever was under way.
    pub fn crash(&mut self) -> Result<()> {
        self.end(Signal::SIGQUIT)
    }

    /// A copy of all that it has, as a snapshot of its disk would be. It is ended for that, and started again.
    pub fn save(&mut self) -> Result<TempDir> {
        self.crash()?;
        let saved = tempfile::Builder::new().prefix("saved").tempdir()?;
        copy(&self.data(), &saved.path().join("data"))?;
        self.resume()?;
        Ok(saved)
    }

    /// Puts it back to what it had then, as a server of its own or as one that waits for what another has.
    pub fn put_back(&mut self, saved: &TempDir, is_standby: bool) -> Result<()> {
        self.crash()?;
        fs::remove_dir_all(self.data())?;
        copy(&saved.path().join("data"), &self.data())?;
        if is_standby {
            fs::File::create(self.data().join("standby.signal"))?;
        }
        self.resume()
    }

    /// Answers over TLS from then on, with this certificate and its key (PEM). It is ended for that, and started again.
    pub fn secure(&mut self, certificate: &str, key: &str) -> Result<()> {
        self.crash()?;
        for (name, text) in [("server.crt", certificate), ("server.key", key)] {
            let path = self.data().join(name);
            fs::write(&path, text)?;
            // It refuses a key that others can read.
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
            if geteuid().is_root() {
                let user = server_user()?;
                chown(&path, Some(user.uid), Some(user.gid))?;
            }
        }
        let mut settings = fs::File::options().append(true).open(self.data().join("postgresql.conf"))?;
        settings.write_all(b"ssl = on\n")?;
        self.resume()
    }

    fn end(&mut self, how: Signal) -> Result<()> {
        let Some(mut process) = self.process.take() else { return Ok(()) };
        if process.try_wait()?.is_some() {
            return Ok(());
        }
        kill(Pid::from_raw(i32::try_from(process.id())?), how)?;
        let told = Instant::now();
        while process.try_wait()?.is_none() {
            if told.elapsed() > PATIENCE {
                process.kill()?;
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// The URL of one of its databases.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{SUPERUSER}@127.0.0.1:{}/{database}", self.port)
    }

    /// The port it listens on, on this machine alone.
    pub fn port(&self) -> u16 {
        self.port
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }
}

/// Copies a folder with its owners and rights.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status().context("cp")?;
    ensure!(copied.success(), "cp: {copied}");
    Ok(())
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // Nobody is left to be told; what is left of it lies in a folder for such things.
        let _ = self.end(Signal::SIGQUIT);
    }
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
