//! Saying which tools are here, and what will be installed where one is not.

use std::path::PathBuf;

use anyhow::Result;

use crate::{
    browsers,
    command::{cargo, find, output, root},
    counterparts, node, toolchain,
};

/// Prints one line per tool. Installs nothing.
pub(crate) fn run() -> Result<()> {
    let cargo_version = output(cargo().arg("--version")).unwrap_or_else(|| "does not start".to_owned());
    row("cargo", &cargo_version);
    row("cargo fmt", &output(cargo().args(["fmt", "--version"])).unwrap_or_else(missing));
    row("cargo clippy", &output(cargo().args(["clippy", "--version"])).unwrap_or_else(missing));
    let wasm = match toolchain::find_installed()? {
        Some(found) => format!("{} (rustc {})", found.describe(), found.version()),
        None => "missing; a build asks rustup for it, then apt-get for Debian's Rust".to_owned(),
    };
    row(toolchain::TARGET, &wasm);
    row("C compiler", &find("cc").or_else(|| find("gcc")).map_or_else(missing, program));
    row("chromium", &browsers::browser().map_or_else(missing, program));
    row("chromedriver", &browsers::driver().map_or_else(missing, program));
    row("firefox", &browsers::firefox().map_or_else(missing, program));
    row(
        "geckodriver",
        &browsers::geckodriver().map_or_else(|| "not yet; the matrix compiles it".to_owned(), program),
    );
    row("WebKitWebDriver", &browsers::webkit_driver().map_or_else(missing, program));
    row("Xvfb", &browsers::xvfb().map_or_else(missing, |path| path.display().to_string()));
    row("localhost", if browsers::localhost_resolves() { "this machine" } else { "missing in /etc/hosts" });
    row("node", &find("node").map_or_else(missing, program));
    row(
        "npm",
        &find("npm").map_or_else(
            || "missing; the wasm is built without wasm-opt, and the journeys ask apt-get for it".to_owned(),
            program,
        ),
    );
    row("python3", &find("python3").map_or_else(missing, program));
    row("clients to sign in with", &counterparts::installed());
    let wasm_opt = root().join("target/node/node_modules/binaryen/bin/wasm-opt");
    row(
        "wasm-opt",
        &node::version(&wasm_opt).unwrap_or_else(|| "not yet; a build installs it by npm".to_owned()),
    );
    Ok(())
}

fn row(name: &str, found: &str) {
    println!("{name:<24}{found}");
}

fn missing() -> String {
    "missing".to_owned()
}

fn program(path: PathBuf) -> String {
    format!("{} ({})", browsers::version(&path), path.display())
}
