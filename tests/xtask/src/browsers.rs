//! The browser the tests run in, and its driver.

use std::{
    env, fs,
    net::ToSocketAddrs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::{
    apt,
    command::{find, output, root},
};

const BROWSERS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const DRIVERS: [&str; 2] = ["chromedriver", "chromium-driver"];

/// Chromium and chromedriver, as paths.
#[derive(Debug, Clone)]
pub(crate) struct Chromium {
    pub(crate) browser: PathBuf,
    pub(crate) driver: PathBuf,
}

/// The browser, installed if need be. `CHROME` and `CHROMEDRIVER` name others.
pub(crate) fn chromium() -> Result<Chromium> {
    ensure!(
        localhost_resolves(),
        "localhost does not resolve to this machine, and chromedriver needs it to: \
         add \"127.0.0.1 localhost\" to /etc/hosts"
    );
    if browser().is_none() || driver().is_none() {
        apt::install(&["chromium", "chromium-driver"])?;
    }
    let browser = browser().context("no Chromium; install it, or name it in CHROME")?;
    let driver = driver().context("no chromedriver; install it, or name it in CHROMEDRIVER")?;
    Ok(Chromium { browser, driver })
}

/// Chromium as found, without installing anything.
pub(crate) fn browser() -> Option<PathBuf> {
    named_or_found("CHROME", &BROWSERS)
}

/// chromedriver as found, without installing anything.
pub(crate) fn driver() -> Option<PathBuf> {
    named_or_found("CHROMEDRIVER", &DRIVERS)
}

fn named_or_found(variable: &str, programs: &[&str]) -> Option<PathBuf> {
    let named = env::var_os(variable).filter(|path| !path.is_empty()).map(PathBuf::from);
    named.or_else(|| programs.iter().find_map(|program| find(program)))
}

/// What a program says of its version.
pub(crate) fn version(program: &Path) -> String {
    let printed =
        output(Command::new(program).arg("--version")).unwrap_or_else(|| "does not start".to_owned());
    printed.lines().next().unwrap_or_default().trim().to_owned()
}

/// True if `localhost` is this machine, as chromedriver assumes.
pub(crate) fn localhost_resolves() -> bool {
    ("localhost", 0).to_socket_addrs().is_ok_and(|mut found| found.any(|address| address.ip().is_loopback()))
}

impl Chromium {
    /// Tells the test programs where browser and driver are.
    pub(crate) fn announce_to(&self, command: &mut Command) {
        command.env("CHROME", &self.browser).env("CHROMEDRIVER", &self.driver);
    }

    /// Writes the WebDriver capabilities for wasm-bindgen's runner: the committed ones, and this browser's path.
    pub(crate) fn write_capabilities(&self) -> Result<PathBuf> {
        let committed = root().join(".config/webdriver.json");
        let text = fs::read_to_string(&committed).with_context(|| committed.display().to_string())?;
        let mut capabilities: Value = serde_json::from_str(&text)?;
        capabilities["goog:chromeOptions"]["binary"] = json!(self.browser);
        let path = root().join("target/webdriver.json");
        fs::create_dir_all(root().join("target"))?;
        fs::write(&path, serde_json::to_string_pretty(&capabilities)?)?;
        Ok(path)
    }
}
