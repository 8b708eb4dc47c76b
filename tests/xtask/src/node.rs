//! What the build takes from npm: binaryen's `wasm-opt`, which has no build that a Rust crate or Debian could give.
//! It is installed into the target folder, never into the sources, and the build goes on without it where npm is
//! missing.

use std::{fs, path::PathBuf, process::Command, time::Duration};

use anyhow::{Context, Result};

use crate::command::{find, output, root, run_within};

const FILES: [&str; 3] = ["package.json", "package-lock.json", ".npmrc"];

/// `wasm-opt`, installed at the locked version. None, said out loud, where that is impossible.
pub(crate) fn wasm_opt() -> Result<Option<PathBuf>> {
    let program = root().join("target/node/node_modules/binaryen/bin/wasm-opt");
    let lock = root().join(".config/node/package-lock.json");
    let lock = fs::read_to_string(&lock).with_context(|| lock.display().to_string())?;
    let stamp = root().join("target/node/installed");
    if program.exists() && find("node").is_some() && fs::read_to_string(&stamp).is_ok_and(|seen| seen == lock)
    {
        return Ok(Some(program));
    }
    if find("npm").is_none() || find("node").is_none() {
        eprintln!("there is no npm here: going on without wasm-opt. The size is not the canonical one");
        return Ok(None);
    }
    eprintln!("installing binaryen into target/node (npm)");
    let folder = root().join("target/node");
    fs::create_dir_all(&folder)?;
    for file in FILES {
        fs::copy(root().join(".config/node").join(file), folder.join(file))
            .with_context(|| file.to_owned())?;
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--ignore-scripts", "--loglevel=error"]).current_dir(&folder);
    if !run_within(&mut npm, Duration::from_secs(300)) || version(&program).is_none() {
        eprintln!(
            "binaryen cannot be had here: going on without wasm-opt. The size is not the canonical one"
        );
        return Ok(None);
    }
    fs::write(stamp, lock)?;
    Ok(Some(program))
}

/// What `wasm-opt` says of its version; None if the installed Node cannot run it.
pub(crate) fn version(program: &PathBuf) -> Option<String> {
    output(Command::new("node").arg(program).arg("--version"))
}
