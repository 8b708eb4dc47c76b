//! The command line: the real binary, on a real file, beside a running server.

mod backups;
mod commands;
mod faults;
mod moving;
mod serve;
mod tls;

use std::{
    io::Write,
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use serde_json::Value;

pub(crate) use serve::{free_address, signal, start};

use crate::support::{PLATFORM, SECRET, database_of, is_embedded};

/// What a command said.
#[derive(Debug)]
pub(crate) struct Said {
    code: Option<i32>,
    stdout: String,
    pub(crate) stderr: String,
}

impl Said {
    /// The one JSON object on one line that a command prints, with nothing beside it.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        assert_eq!((self.code, self.stderr.as_str()), (Some(0), ""));
        assert_eq!(self.stdout.lines().count(), 1, "{}", self.stdout);
        let value: Value = serde_json::from_str(&self.stdout).unwrap();
        assert!(value.is_object(), "{value}");
        value
    }

    /// A refusal that says why, on one line of standard error.
    #[track_caller]
    pub(crate) fn assert_refused(&self, says: &str) {
        assert_eq!((self.code, self.stdout.as_str()), (Some(1), ""), "{}", self.stderr);
        assert!(self.stderr.starts_with("latchkey: ") && self.stderr.contains(says), "{}", self.stderr);
    }
}

/// The binary, in an environment that holds none of its options.
pub(crate) fn latchkey(line: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_latchkey"));
    command.args(line).env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    if !is_embedded() {
        // A server's database has no file beside it.
        command.env("LATCHKEY_SECRET", SECRET);
    }
    command
}

fn finish(output: Output) -> Said {
    Said {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

pub(crate) fn run(mut command: Command) -> Said {
    finish(command.output().unwrap())
}

/// Runs a command on the database in this folder.
fn on(folder: &Path, line: &[&str]) -> Said {
    on_with(folder, line, "")
}

/// Runs a command that reads this from standard input.
fn on_with(folder: &Path, line: &[&str], input: &str) -> Said {
    let database = database(folder);
    let mut command = latchkey(line);
    command.args(["--database", &database]).stdin(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // Who is refused before it reads hangs up; what it says then is what the test looks at.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    finish(child.wait_with_output().unwrap())
}

fn database(folder: &Path) -> String {
    database_of(folder)
}

/// A child that ends with the test.
pub(crate) struct Running(pub(crate) Child);

/// A server's process behind a proxy, and where it listens: what may be killed, and started again there.
pub(crate) struct Node {
    pub(crate) running: Option<Running>,
    pub(crate) address: SocketAddr,
}

impl Node {
    /// Starts one, with what else is on its line and around it.
    pub(crate) fn start(address: &str, add: impl FnOnce(&mut Command)) -> Self {
        let mut command = latchkey(&["serve", "--listen", address, "--public-url", PLATFORM]);
        command.args(["--trusted-proxy", "127.0.0.1"]).env("LATCHKEY_SECRET", SECRET).stderr(Stdio::piped());
        add(&mut command);
        let (running, _, mut log) = start(command);
        // Nobody reads on: it must not wait for that.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Self { running: Some(running), address: address.parse().unwrap() }
    }

    pub(crate) fn kill(&mut self) {
        let mut running = self.running.take().unwrap();
        signal(&running, "-KILL");
        running.0.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
