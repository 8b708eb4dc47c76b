//! The three engines, and how each is started: what a person has set in it, put into the words of its driver.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    net::{TcpListener, TcpStream},
    process::{Child, Command},
    time::sleep,
};

use crate::{browser::Options, display::Display};

/// How long a driver may take to listen.
const START: Duration = Duration::from_secs(20);
/// How often it is looked at meanwhile.
const GLANCE: Duration = Duration::from_millis(20);

/// What renders the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Engine {
    /// Blink, as in Chrome, Edge and Opera.
    #[default]
    Chromium,
    /// Gecko.
    Firefox,
    /// WebKitGTK, the nearest to Safari that runs here. It takes `*.localhost` for a secure site over TLS only.
    WebKit,
}

/// What the browser lets a frame of another site keep. It is always set: what a browser does by default is not the
/// same from one version to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ThirdParty {
    /// Its own storage for each site that it is framed by. Cookies only where they are `Partitioned`, and WebKitGTK
    /// keeps none at all.
    #[default]
    Partitioned,
    /// Nothing: cookies are refused, and in Chromium and Firefox storage is, too.
    Blocked,
}

impl Engine {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Chromium, Self::Firefox, Self::WebKit];

    /// As it is called where a person reads.
    pub fn name(self) -> &'static str {
        match self {
            Self::Chromium => "chromium",
            Self::Firefox => "firefox",
            Self::WebKit => "webkit",
        }
    }
}

/// A running driver, and what its browser needs while it runs.
#[derive(Debug)]
pub(crate) struct Driver {
    child: Child,
    port: u16,
    said: Arc<Mutex<Vec<String>>>,
    /// The browser's own folder, where it does not make one itself.
    profile: TempDir,
    /// Where the windows are drawn, for an engine that can't do without.
    display: Option<Display>,
}

impl Driver {
    /// Starts an engine's driver.
    pub(crate) async fn start(engine: Engine) -> Result<Self> {
        let profile = TempDir::new()?;
        let said = Arc::default();
        match engine {
            Engine::Chromium => {
                let driver = executable("CHROMEDRIVER", "/usr/bin/chromedriver")?;
                let (child, port) = announced(&driver, &[], "started successfully on port ", &said).await?;
                Ok(Self { child, port, said, profile, display: None })
            }
            Engine::Firefox => {
                let driver = executable("GECKODRIVER", "/usr/bin/geckodriver")?;
                let more = ["--websocket-port=0"];
                let (child, port) = announced(&driver, &more, "Listening on 127.0.0.1:", &said).await?;
                Ok(Self { child, port, said, profile, display: None })
            }
            Engine::WebKit => {
                let driver = executable("WEBKIT_DRIVER", "/usr/bin/WebKitWebDriver")?;
                let display = Display::start(&executable("XVFB", "/usr/bin/Xvfb")?).await?;
                let (child, port) = silent(&driver, &display, &said).await?;
                Ok(Self { child, port, said, profile, display: Some(display) })
            }
        }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What it is asked for a browser with.
    pub(crate) fn capabilities(&self, options: Options) -> Result<Map<String, Value>> {
        let mut all = match options.engine {
            Engine::Chromium => {
                chromium(&executable("CHROME", "/usr/bin/chromium")?, self.profile.path(), options)?
            }
            Engine::Firefox => firefox(&executable("FIREFOX", "/usr/bin/firefox-esr")?, options),
            Engine::WebKit => webkit(&mini_browser()?, options),
        };
        all.insert("acceptInsecureCerts".into(), true.into());
        Ok(all)
    }

    /// What driver and browser said, line by line.
    pub(crate) fn said(&self) -> Vec<String> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends it.
    pub(crate) async fn stop(mut self) -> Result<()> {
        self.child.kill().await?;
        drop(self.display);
        // The browser may still be writing there; what is left of the profile goes with the system's temporary files.
        let _ = self.profile.close();
        Ok(())
    }
}

/// A program that `cargo xtask test` found or installed, and named in the environment.
fn executable(variable: &str, otherwise: &str) -> Result<PathBuf> {
    let path = env::var_os(variable).map_or_else(|| PathBuf::from(otherwise), PathBuf::from);
    ensure!(
        path.exists(),
        "{} is not there: `cargo xtask test` installs it, or set {variable} to where it is",
        path.display()
    );
    Ok(path)
}

/// WebKitGTK's own small browser, which stands in a folder that has the machine's architecture in its name.
fn mini_browser() -> Result<PathBuf> {
    if let Some(named) = env::var_os("WEBKIT_BROWSER") {
        return Ok(PathBuf::from(named));
    }
    let folders = fs::read_dir("/usr/lib")?.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let mut found =
        folders.map(|folder| folder.join("webkit2gtk-4.1/MiniBrowser")).filter(|path| path.exists());
    found
        .next()
        .context("there is no MiniBrowser: `cargo xtask test` installs it, or name it in WEBKIT_BROWSER")
}

fn chromium(browser: &Path, profile: &Path, options: Options) -> Result<Map<String, Value>> {
    let text = include_str!("../../.config/webdriver.json");
    let mut all: Map<String, Value> = serde_json::from_str(text)?;
    all.insert("goog:loggingPrefs".into(), json!({ "browser": "ALL" }));
    let chrome_options = all.get_mut("goog:chromeOptions").and_then(Value::as_object_mut);
    let chrome_options = chrome_options.context(".config/webdriver.json has no goog:chromeOptions")?;
    chrome_options.insert("binary".into(), json!(browser));
    if options.blocks_popups {
        chrome_options.insert("excludeSwitches".into(), json!(["disable-popup-blocking"]));
    }
    let preferences = chrome_options.get_mut("prefs").and_then(Value::as_object_mut);
    let preferences = preferences.context(".config/webdriver.json has no prefs")?;
    // Of another site's cookies only partitioned ones are kept.
    preferences.insert("profile.cookie_controls_mode".into(), 1.into());
    if options.third_party == ThirdParty::Blocked {
        // "Sites never allowed to use cookies", as a person can say it for one site inside of another.
        let never = json!({ "https://platform.localhost,https://customer.localhost": { "setting": 2 } });
        preferences.insert("profile.content_settings.exceptions.cookies".into(), never);
    }
    let arguments = chrome_options.get_mut("args").and_then(Value::as_array_mut);
    let arguments = arguments.context(".config/webdriver.json has no args")?;
    arguments.push(json!(format!("--user-data-dir={}", profile.display())));
    arguments.push(json!("--window-size=1200,900"));
    // The https sites of the journeys are on this machine, whatever their names say.
    arguments.push(json!("--host-resolver-rules=MAP *.example 127.0.0.1"));
    if options.denies_storage {
        arguments.push(json!("--disable-features=ThirdPartyStoragePartitioning"));
    }
    if options.still {
        arguments.push(json!("--force-prefers-reduced-motion"));
    }
    if options.dark {
        arguments.push(json!("--blink-settings=preferredColorScheme=0"));
    }
    Ok(all)
}

fn firefox(browser: &Path, options: Options) -> Map<String, Value> {
    let preferences = json!({
        "dom.disable_open_during_load": options.blocks_popups,
        // 5 partitions what a frame of another site keeps, 1 refuses it.
        "network.cookie.cookieBehavior": if options.third_party == ThirdParty::Blocked { 1 } else { 5 },
        "layout.css.prefers-color-scheme.content-override": i32::from(!options.dark),
        "ui.prefersReducedMotion": i32::from(options.still),
        // It complains in the console about pictures that it can't keep.
        "browser.chrome.site_icons": false,
        // What a page tells its console is told to the driver, too.
        "devtools.console.stdout.content": true,
        "browser.dom.window.dump.enabled": true,
    });
    let firefox = json!({ "binary": browser, "args": ["-headless"], "prefs": preferences });
    Map::from_iter([("browserName".to_owned(), json!("firefox")), ("moz:firefoxOptions".to_owned(), firefox)])
}

fn webkit(browser: &Path, options: Options) -> Map<String, Value> {
    let mut arguments = vec!["--automation"];
    if options.third_party == ThirdParty::Blocked {
        arguments.push("--enable-itp");
    }
    if options.dark {
        arguments.push("--dark-mode");
    }
    if options.blocks_popups {
        arguments.push("--javascript-can-open-windows-automatically=false");
    }
    let webkit = json!({ "binary": browser, "args": arguments });
    Map::from_iter([("webkitgtk:browserOptions".to_owned(), webkit)])
}

/// Starts a driver on a free port that it says itself. chromedriver wants the same number on IPv4 and IPv6, and ends
/// where the second one is taken: then it is started again.
async fn announced(
    driver: &Path,
    more: &[&str],
    before_port: &str,
    said: &Arc<Mutex<Vec<String>>>,
) -> Result<(Child, u16)> {
    let mut last = anyhow::anyhow!("the driver was not started");
    for _ in 0..5 {
        let mut command = Command::new(driver);
        command.arg("--port=0").args(more);
        let mut child = spawn(command, driver)?;
        match announced_port(&mut child, before_port, said).await {
            Ok(port) => return Ok((child, port)),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn spawn(mut command: Command, driver: &Path) -> Result<Child> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command.spawn().with_context(|| format!("cannot start {}", driver.display()))
}

/// The port that the driver says it listens on.
async fn announced_port(child: &mut Child, before_port: &str, said: &Arc<Mutex<Vec<String>>>) -> Result<u16> {
    let output = child.stdout.take().context("the driver has no output")?;
    let mut lines = BufReader::new(output).lines();
    let mut port = None;
    while let Some(line) = lines.next_line().await? {
        if let Some((_, rest)) = line.split_once(before_port) {
            port = rest.trim_end_matches('.').parse().ok();
            break;
        }
    }
    listen_to(lines.into_inner(), said);
    if let Some(errors) = child.stderr.take() {
        listen_to(errors, said);
    }
    port.context("the driver did not say its port")
}

/// What is said later is read as well: a program waits for a reader once nobody takes what it says.
fn listen_to(output: impl AsyncRead + Unpin + Send + 'static, said: &Arc<Mutex<Vec<String>>>) {
    let mut lines = BufReader::new(output).lines();
    let said = Arc::clone(said);
    tokio::spawn(async move {
        while let Ok(Some(line)) = lines.next_line().await {
            said.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        }
    });
}

/// Starts WebKitWebDriver, which says nothing, on a port that was free a moment ago.
async fn silent(driver: &Path, display: &Display, said: &Arc<Mutex<Vec<String>>>) -> Result<(Child, u16)> {
    let mut last = anyhow::anyhow!("the driver was not started");
    for _ in 0..5 {
        let port = TcpListener::bind(("127.0.0.1", 0)).await?.local_addr()?.port();
        let mut command = Command::new(driver);
        command.arg(format!("--port={port}")).env("DISPLAY", display.name());
        // Without a desktop there is nobody to ask about accessibility, and each start would wait for an answer.
        command.env("NO_AT_BRIDGE", "1").env("GTK_A11Y", "none");
        let mut child = spawn(command, driver)?;
        if let Some(output) = child.stdout.take() {
            listen_to(output, said);
        }
        if let Some(errors) = child.stderr.take() {
            listen_to(errors, said);
        }
        match listens(&mut child, port).await {
            Ok(()) => return Ok((child, port)),
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn listens(child: &mut Child, port: u16) -> Result<()> {
    let started = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        ensure!(child.try_wait()?.is_none(), "the driver ended");
        ensure!(started.elapsed() < START, "the driver does not listen");
        sleep(GLANCE).await;
    }
    Ok(())
}
