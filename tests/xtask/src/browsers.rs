//! The browsers the tests run in, and their drivers: Chromium for everything, and for the matrix Firefox ESR and
//! WebKitGTK as well.

use std::{
    env, fs,
    net::ToSocketAddrs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::{
    apt,
    command::{cargo, find, output, root, run_within},
};

const BROWSERS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const DRIVERS: [&str; 2] = ["chromedriver", "chromium-driver"];
const FIREFOXES: [&str; 2] = ["firefox-esr", "firefox"];
/// The driver of Firefox, which Debian does not have: Mozilla publishes its sources as a crate.
const GECKODRIVER: &str = "0.37.1";
/// Long enough to compile it on a small machine that has other things to do.
const COMPILING: Duration = Duration::from_secs(900);

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

/// Firefox and WebKitGTK with their drivers, and the display that WebKitGTK draws on, as paths.
#[derive(Debug, Clone)]
pub(crate) struct Others {
    firefox: PathBuf,
    geckodriver: PathBuf,
    mini_browser: PathBuf,
    webkit_driver: PathBuf,
    xvfb: PathBuf,
}

impl Others {
    /// Tells the test programs where they are.
    pub(crate) fn announce_to(&self, command: &mut Command) {
        command.env("FIREFOX", &self.firefox).env("GECKODRIVER", &self.geckodriver);
        command.env("WEBKIT_BROWSER", &self.mini_browser).env("WEBKIT_DRIVER", &self.webkit_driver);
        command.env("XVFB", &self.xvfb);
    }
}

/// The other two browsers, installed if need be. `FIREFOX`, `GECKODRIVER`, `WEBKIT_BROWSER`, `WEBKIT_DRIVER` and `XVFB`
/// name others.
pub(crate) fn others() -> Result<Others> {
    let wanted = [
        (firefox().is_some(), "firefox-esr"),
        (webkit_driver().is_some() && mini_browser().is_some(), "webkit2gtk-driver"),
        (xvfb().is_some(), "xvfb"),
    ];
    let missing: Vec<&str> = wanted.iter().filter(|(found, _)| !found).map(|(_, package)| *package).collect();
    if !missing.is_empty() {
        apt::install(&missing)?;
    }
    Ok(Others {
        firefox: firefox().context("no Firefox; install it, or name it in FIREFOX")?,
        geckodriver: geckodriver().map_or_else(compile_geckodriver, Ok)?,
        mini_browser: mini_browser()
            .context("no MiniBrowser of WebKitGTK 4.1; install it, or name it in WEBKIT_BROWSER")?,
        webkit_driver: webkit_driver()
            .context("no WebKitWebDriver; install it, or name it in WEBKIT_DRIVER")?,
        xvfb: xvfb().context("no Xvfb; install it, or name it in XVFB")?,
    })
}

/// Firefox as found, without installing anything.
pub(crate) fn firefox() -> Option<PathBuf> {
    named_or_found("FIREFOX", &FIREFOXES)
}

/// geckodriver as found, without compiling anything.
pub(crate) fn geckodriver() -> Option<PathBuf> {
    named_or_found("GECKODRIVER", &["geckodriver"])
        .or_else(|| Some(compiled_geckodriver()).filter(|path| path.is_file()))
}

/// WebKitGTK's driver as found, without installing anything.
pub(crate) fn webkit_driver() -> Option<PathBuf> {
    named_or_found("WEBKIT_DRIVER", &["WebKitWebDriver"])
}

/// The display as found, without installing anything.
pub(crate) fn xvfb() -> Option<PathBuf> {
    named_or_found("XVFB", &["Xvfb"])
}

/// WebKitGTK's own browser as found. It is on no PATH, and its folder's name has the machine's architecture in it.
fn mini_browser() -> Option<PathBuf> {
    let folders = fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let mut paths = folders.map(|folder| folder.path().join("webkit2gtk-4.1/MiniBrowser"));
    named_or_found("WEBKIT_BROWSER", &[]).or_else(|| paths.find(|path| path.is_file()))
}

fn compiled_geckodriver() -> PathBuf {
    root().join("target/geckodriver").join(GECKODRIVER).join("bin/geckodriver")
}

/// Compiles geckodriver into the target folder, once for each version of it.
fn compile_geckodriver() -> Result<PathBuf> {
    eprintln!("compiling geckodriver {GECKODRIVER} into target/geckodriver (cargo install; a minute or two)");
    let program = compiled_geckodriver();
    let folder = root().join("target/geckodriver").join(GECKODRIVER);
    let mut install = cargo();
    install.args([
        "install",
        "--locked",
        "--debug",
        "--force",
        "--version",
        GECKODRIVER,
        "geckodriver",
        "--root",
    ]);
    install.arg(&folder).arg("--target-dir").arg(folder.join("build"));
    ensure!(
        run_within(&mut install, COMPILING) && program.is_file(),
        "could not compile geckodriver, which drives Firefox; install it by hand, or name it in GECKODRIVER"
    );
    // Some hundred megabytes that nobody needs any more.
    fs::remove_dir_all(folder.join("build"))?;
    Ok(program)
}
