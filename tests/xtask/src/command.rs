//! Starting other programs: what they inherit, how they are shown, how long they may take.

use std::{
    env,
    ffi::OsStr,
    fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

use crate::tally::Tally;

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// `path` as seen from the repository's root, which is how a reader thinks of it.
pub(crate) fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

/// Cargo of the toolchain that runs this helper, in the repository's root.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    without_outer_cargo(command)
}

/// Drops what the outer `cargo run` left in the environment: build scripts watch those variables, so leaving them
/// would rebuild crates each time one changes between a plain `cargo` call and one from here.
pub(crate) fn without_outer_cargo(mut command: Command) -> Command {
    const PREFIXES: [&str; 3] = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"];
    const NAMES: [&str; 3] = ["CARGO_CRATE_NAME", "CARGO_PRIMARY_PACKAGE", "OUT_DIR"];
    for (name, _) in env::vars_os() {
        let Some(name) = name.to_str() else { continue };
        if PREFIXES.iter().any(|prefix| name.starts_with(prefix)) || NAMES.contains(&name) {
            command.env_remove(name);
        }
    }
    if let Some(paths) = env::var_os("LD_LIBRARY_PATH") {
        let leaked = |path: &PathBuf| {
            path.starts_with(root()) || path.components().any(|c| c.as_os_str() == "rustlib")
        };
        let kept: Vec<PathBuf> = env::split_paths(&paths).filter(|path| !leaked(path)).collect();
        match env::join_paths(&kept) {
            Ok(kept) if !kept.is_empty() => command.env("LD_LIBRARY_PATH", kept),
            _ => command.env_remove("LD_LIBRARY_PATH"),
        };
    }
    command
}

/// The command as one would type it in the repository's root: the variables it sets, the program, the arguments.
/// What only keeps this machine's folders out of the build is left out.
pub(crate) fn line(command: &Command) -> String {
    let set = command.get_envs().filter_map(|(name, value)| {
        let value = value?;
        let telling = name != "LD_LIBRARY_PATH" && name != "CARGO_ENCODED_RUSTFLAGS";
        telling.then(|| format!("{}={}", name.to_string_lossy(), quoted(value)))
    });
    let program = Path::new(command.get_program());
    let program = quoted(program.file_name().unwrap_or(program.as_os_str()));
    set.chain([program]).chain(command.get_args().map(quoted)).collect::<Vec<_>>().join(" ")
}

fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy().replace(&format!("{}/", root().display()), "");
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@*".contains(c);
    if !word.is_empty() && word.chars().all(plain) { word } else { format!("'{word}'") }
}

/// Says what is about to run.
pub(crate) fn announce(command: &Command) {
    eprintln!("$ {}", line(command));
}

/// Announces and runs a command, which must succeed.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    announce(command);
    let status = command.status().with_context(|| format!("cannot start {}", line(command)))?;
    ensure!(status.success(), "{status}: {}", line(command));
    Ok(())
}

/// Runs a command quietly and returns what it printed; None where it cannot start or fails.
pub(crate) fn output(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Announces and runs a command that talks to a network, which may hang rather than fail. True if it succeeded.
pub(crate) fn run_within(command: &mut Command, limit: Duration) -> bool {
    announce(command);
    let Ok(mut child) = command.stdin(Stdio::null()).spawn() else { return false };
    let started = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return status.success(),
            Ok(None) if started.elapsed() < limit => thread::sleep(Duration::from_millis(100)),
            Ok(None) | Err(_) => {
                eprintln!("gave up after {} s: {}", started.elapsed().as_secs(), line(command));
                let _ = child.kill();
                let _ = child.wait();
                return false;
            }
        }
    }
}

/// Runs a test command, passes its output through, and adds up what its "test result" lines say, and what its tests found
/// out besides: of a test that passes nothing is printed.
pub(crate) fn run_counted(command: &mut Command, tally: &mut Tally) -> Result<()> {
    announce(command);
    let figures = tempfile::NamedTempFile::new()?;
    command.env("LATCHKEY_TEST_FIGURES", figures.path());
    let status = pass_through(command, |line| tally.read(line))?;
    tally.figures.extend(fs::read_to_string(figures.path())?.lines().map(str::to_owned));
    command.env_remove("LATCHKEY_TEST_FIGURES");
    ensure!(status.success(), "{status}: {}", line(command));
    Ok(())
}

/// Runs a command and passes its output through, each line to `read` as well, without what ends it.
pub(crate) fn pass_through(command: &mut Command, mut read: impl FnMut(&str)) -> Result<ExitStatus> {
    let mut child =
        command.stdout(Stdio::piped()).spawn().with_context(|| format!("cannot start {}", line(command)))?;
    let Some(pipe) = child.stdout.take() else { bail!("no output to read from {}", line(command)) };
    let mut reader = BufReader::new(pipe);
    let mut bytes = Vec::new();
    let mut out = std::io::stdout().lock();
    while reader.read_until(b'\n', &mut bytes)? > 0 {
        out.write_all(&bytes)?;
        out.flush()?;
        read(String::from_utf8_lossy(&bytes).trim_end());
        bytes.clear();
    }
    Ok(child.wait()?)
}

/// Where a program is on PATH.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let paths = env::var_os("PATH")?;
    env::split_paths(&paths).map(|folder| folder.join(program)).find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_it_would_be_typed() {
        let mut command = Command::new("/usr/bin/cargo");
        command.args(["clippy", "--", "-D", "two words"]).env("RUSTDOCFLAGS", "-D warnings").env_remove("X");
        assert_eq!(line(&command), "RUSTDOCFLAGS='-D warnings' cargo clippy -- -D 'two words'");
    }
}
