//! A real browser, driven over WebDriver: Chromium unless said otherwise, where no other site keeps cookies but
//! partitioned ones.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use fantoccini::{
    Client, ClientBuilder, Locator,
    actions::{InputSource, KeyAction, KeyActions},
    elements::Element,
    error::CmdError,
    key::Key,
    wd::WebDriverCompatibleCommand,
    wd::WindowHandle,
};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::engine::{Driver, Engine, ThirdParty};

/// How long something may take that happens by itself.
const PATIENCE: Duration = Duration::from_secs(15);
/// How often it is looked at meanwhile.
const GLANCE: Duration = Duration::from_millis(40);

/// How often a browser is started at most until there is one.
const STARTS: usize = 3;

/// The Tab key (WebDriver §17.4.2).
pub const TAB: &str = "\u{e004}";
/// The Enter key.
pub const ENTER: &str = "\u{e007}";
/// The space bar.
pub const SPACE: &str = " ";
/// The arrow that points down.
pub const DOWN: &str = "\u{e015}";
/// Control and A, and Control let go.
pub const SELECT_ALL: &str = "\u{e009}a\u{e000}";
/// How often the Tab key may be needed to get to something on a page.
const MOST_TABS: usize = 80;

/// A browser with a profile of its own.
#[derive(Debug)]
pub struct Browser {
    client: Client,
    driver: Driver,
    engine: Engine,
    cookies: Mutex<BTreeSet<String>>,
    pages: Mutex<BTreeSet<Page>>,
}

/// A page, or a frame in one, as it was when something was done with it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Page {
    /// The address of the window, without what may be secret in it.
    pub address: String,
    /// Its source then, with whatever its scripts made of it.
    pub source: String,
}

/// What is special about a browser.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// What renders the pages.
    pub engine: Engine,
    /// What a frame of another site may keep.
    pub third_party: ThirdParty,
    /// Whether a frame of another site may keep partitioned cookies and nothing else, as in browsers from before storage
    /// was partitioned, and where a company's policy says so. Chromium alone knows this.
    pub denies_storage: bool,
    /// Whether windows that no click asked for are kept from opening, as in a person's browser.
    pub blocks_popups: bool,
    /// Whether the person wants dark pages.
    pub dark: bool,
    /// Whether the person wants nothing to move by itself.
    pub still: bool,
}

impl Browser {
    /// Starts a browser. One that does not come up is started again: on a machine that is busy it may end at once, and
    /// nothing was asked of it yet.
    pub async fn start(options: Options) -> Result<Self> {
        let mut last = anyhow::anyhow!("the browser was not started");
        for _ in 0..STARTS {
            let driver = Driver::start(options.engine).await?;
            let connected = ClientBuilder::new(HttpConnector::new())
                .capabilities(driver.capabilities(options)?)
                .connect(&driver.address())
                .await;
            match connected {
                Ok(client) => {
                    let engine = options.engine;
                    return Ok(Self {
                        client,
                        driver,
                        engine,
                        cookies: Mutex::default(),
                        pages: Mutex::default(),
                    });
                }
                Err(error) => {
                    let said = driver.said().join("\n");
                    last = anyhow::Error::new(error).context(format!("the browser did not start: {said}"));
                    let _ = driver.stop().await;
                }
            }
        }
        Err(last)
    }

    /// Ends the browser.
    pub async fn stop(self) -> Result<()> {
        let closed = self.client.close().await;
        self.driver.stop().await?;
        Ok(closed?)
    }

    /// Opens an address in the current window.
    pub async fn open(&self, url: &str) -> Result<()> {
        self.note_page().await;
        Ok(self.client.goto(url).await?)
    }

    /// Loads the current page anew.
    pub async fn reload(&self) -> Result<()> {
        self.note_page().await;
        Ok(self.client.refresh().await?)
    }

    /// Goes back in the history, as the Back button does.
    pub async fn back(&self) -> Result<()> {
        self.note_page().await;
        Ok(self.client.back().await?)
    }

    /// The address of the current window.
    pub async fn url(&self) -> Result<String> {
        Ok(self.client.current_url().await?.to_string())
    }

    /// Runs a script in the current window or frame.
    pub async fn run(&self, script: &str) -> Result<Value> {
        Ok(self.client.execute(script, vec![]).await?)
    }

    /// Waits for a visible element.
    pub async fn see(&self, css: &str) -> Result<Element> {
        let started = Instant::now();
        loop {
            if let Ok(element) = self.client.find(Locator::Css(css)).await
                && element.is_displayed().await.unwrap_or(false)
            {
                return Ok(element);
            }
            if started.elapsed() > PATIENCE {
                bail!("there is no visible {css} at {}: {}", self.url().await?, self.text().await?);
            }
            sleep(GLANCE).await;
        }
    }

    /// Waits until an element's text holds this one.
    pub async fn read(&self, css: &str, expected: &str) -> Result<String> {
        let started = Instant::now();
        let mut last = String::new();
        loop {
            if let Ok(element) = self.client.find(Locator::Css(css)).await {
                last = element.text().await.unwrap_or_default();
                if last.contains(expected) {
                    return Ok(last);
                }
            }
            ensure!(started.elapsed() < PATIENCE, "{css} says {last:?}, not {expected:?}");
            sleep(GLANCE).await;
        }
    }

    /// Whether an element is there and visible, now.
    pub async fn shows(&self, css: &str) -> Result<bool> {
        match self.client.find(Locator::Css(css)).await {
            Ok(element) => Ok(element.is_displayed().await?),
            Err(error) if error.is_no_such_element() => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Clicks an element once it is visible.
    pub async fn click(&self, css: &str) -> Result<()> {
        let element = self.see(css).await?;
        // What a click changes, such as the session at a login, was there before it.
        self.note_cookies().await;
        self.note_page().await;
        Ok(element.click().await?)
    }

    /// The values of all cookies that any site set until now and that were there at a click.
    pub async fn cookies(&self) -> BTreeSet<String> {
        self.note_cookies().await;
        self.cookies.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A browser that is asked while it is ending has nothing to tell.
    async fn note_cookies(&self) {
        // Only Chromium tells of all sites.
        if self.engine != Engine::Chromium {
            return;
        }
        let Ok(all) = self.devtools("Network.getAllCookies", json!({})).await else { return };
        let all = all.get("cookies").and_then(Value::as_array).cloned().unwrap_or_default();
        let values = all.iter().filter_map(|cookie| cookie.get("value")?.as_str());
        let values = values.filter(|value| !value.is_empty()).map(str::to_owned);
        self.cookies.lock().unwrap_or_else(PoisonError::into_inner).extend(values);
    }

    /// The pages and frames that were clicked in or left until now, and the current one.
    pub async fn pages(&self) -> BTreeSet<Page> {
        self.note_page().await;
        self.pages.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// There may be no page any more, as where a window closed by itself.
    async fn note_page(&self) {
        let (Ok(url), Ok(source)) = (self.url().await, self.client.source().await) else { return };
        let address = url.split(['?', '#']).next().unwrap_or_default().to_owned();
        self.pages.lock().unwrap_or_else(PoisonError::into_inner).insert(Page { address, source });
    }

    /// Types into a field.
    pub async fn fill(&self, css: &str, text: &str) -> Result<()> {
        let field = self.see(css).await?;
        field.clear().await?;
        Ok(field.send_keys(text).await?)
    }

    /// Presses keys, as a person without a mouse does: in whatever has the focus.
    pub async fn press(&self, keys: &str) -> Result<()> {
        Ok(self.client.active_element().await?.send_keys(keys).await?)
    }

    /// Presses the Tab key itself: sent to a field for a day, as [`Self::press`] does, it never gets out of it.
    pub async fn tab(&self) -> Result<()> {
        let value = Key::Tab.into();
        let keys = KeyActions::new("keyboard".to_owned());
        let keys = keys.then(KeyAction::Down { value }).then(KeyAction::Up { value });
        Ok(self.client.perform_actions(keys).await?)
    }

    /// Goes with the Tab key to an element, from wherever the focus is; fails where the key does not lead there.
    pub async fn tab_to(&self, css: &str) -> Result<()> {
        self.see(css).await?;
        let script = format!("return document.activeElement?.matches({})", json!(css));
        for _ in 0..MOST_TABS {
            self.tab().await?;
            if self.run(&script).await? == Value::Bool(true) {
                return Ok(());
            }
        }
        bail!("the Tab key does not lead to {css}")
    }

    /// Goes with the Tab key to a link or button, and does what a click does.
    pub async fn enter(&self, css: &str) -> Result<()> {
        self.tab_to(css).await?;
        self.note_cookies().await;
        self.note_page().await;
        self.press(ENTER).await
    }

    /// What axe-core finds wrong with the current page or frame: for each rule, where. The heading of what stands in a
    /// frame is the page's.
    pub async fn audit(&self, axe: &str) -> Result<Vec<String>> {
        self.run(axe).await?;
        let found = self
            .run(
                "const rules = { 'page-has-heading-one': { enabled: self === top } };
                return axe.run(document, { resultTypes: ['violations'], rules }).then(({ violations }) =>
                    violations.flatMap(({ id, help, nodes }) =>
                        nodes.map(({ target, any, all, none }) => `${id} (${help}): ${target}: ` +
                            [...any, ...all, ...none].map(({ message }) => message).join('; '))))",
            )
            .await?;
        let found = found.as_array().context("axe-core says nothing")?;
        Ok(found.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect())
    }

    /// All visible text of the current window or frame.
    pub async fn text(&self) -> Result<String> {
        let text = self.run("return document.body ? document.body.innerText : ''").await?;
        Ok(text.as_str().unwrap_or_default().to_owned())
    }

    /// Waits until an expression is true; it may await something.
    pub async fn until(&self, script: &str) -> Result<()> {
        let started = Instant::now();
        loop {
            match self.run(&format!("return (async () => !!({script}))()")).await {
                Ok(Value::Bool(true)) => return Ok(()),
                Ok(_) | Err(_) if started.elapsed() < PATIENCE => sleep(GLANCE).await,
                Ok(other) => bail!("{script} stays {other} at {}", self.url().await?),
                Err(error) => return Err(error),
            }
        }
    }

    /// Goes into the toolbar's frame.
    pub async fn enter_toolbar(&self) -> Result<()> {
        let frame = self.see("iframe[src*='/toolbar/']").await?;
        self.note_page().await;
        Ok(frame.enter_frame().await?)
    }

    /// Goes back to the page from its frame.
    pub async fn leave_frame(&self) -> Result<()> {
        self.note_page().await;
        Ok(self.client.enter_parent_frame().await?)
    }

    /// The current window.
    pub async fn window(&self) -> Result<WindowHandle> {
        Ok(self.client.window().await?)
    }

    /// How many windows are open.
    pub async fn count_windows(&self) -> Result<usize> {
        Ok(self.client.windows().await?.len())
    }

    /// Goes to a window.
    pub async fn switch_to(&self, window: &WindowHandle) -> Result<()> {
        Ok(self.client.switch_to_window(window.clone()).await?)
    }

    /// Waits for a window besides this one, and goes there.
    pub async fn switch_to_popup(&self, page: &WindowHandle) -> Result<()> {
        self.switch_to_another(&[page]).await
    }

    /// Waits for a window besides these, and goes there.
    pub async fn switch_to_another(&self, known: &[&WindowHandle]) -> Result<()> {
        let started = Instant::now();
        loop {
            let windows = self.client.windows().await?;
            if let Some(popup) = windows.into_iter().find(|window| !known.contains(&window)) {
                return self.switch_to(&popup).await;
            }
            ensure!(started.elapsed() < PATIENCE, "no window opened");
            sleep(GLANCE).await;
        }
    }

    /// Waits until only this window is left, and goes there.
    pub async fn popup_closes(&self, page: &WindowHandle) -> Result<()> {
        let started = Instant::now();
        while self.count_windows().await? > 1 {
            ensure!(started.elapsed() < PATIENCE, "the window stays open");
            sleep(GLANCE).await;
        }
        self.switch_to(page).await
    }

    /// Closes the current window, as a person does.
    pub async fn close_window(&self) -> Result<()> {
        self.note_page().await;
        Ok(self.client.close_window().await?)
    }

    /// Makes the window this large, in CSS pixels.
    pub async fn resize(&self, width: u32, height: u32) -> Result<()> {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await?;
        Ok(())
    }

    /// Waits until two frames were drawn, so that a picture shows what the page is now.
    pub async fn settle(&self) -> Result<()> {
        self.run("return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
            .await?;
        Ok(())
    }

    /// A picture of the current window, as PNG.
    pub async fn screenshot(&self) -> Result<Vec<u8>> {
        Ok(self.client.screenshot().await?)
    }

    /// The errors that stand in the browser's console, of every window and frame. Chromium tells each one once; WebKitGTK
    /// under its driver tells none, and a page there has to listen for itself.
    pub async fn console_errors(&self) -> Result<Vec<String>> {
        if self.engine != Engine::Chromium {
            return Ok(self.driver.said().into_iter().filter(|line| is_console_error(line)).collect());
        }
        let all = self.client.issue_cmd(Raw { path: "se/log", body: json!({ "type": "browser" }) }).await?;
        let all = all.as_array().cloned().unwrap_or_default();
        let errors = all.iter().filter(|entry| entry["level"] == "SEVERE");
        Ok(errors.filter_map(|entry| entry["message"].as_str().map(str::to_owned)).collect())
    }

    /// Waits until the console holds an error with this text.
    pub async fn complains(&self, text: &str) -> Result<()> {
        let started = Instant::now();
        while !self.console_errors().await?.iter().any(|error| error.contains(text)) {
            ensure!(started.elapsed() < PATIENCE, "the console does not hold {text:?}");
            sleep(GLANCE).await;
        }
        Ok(())
    }

    /// Calls the browser's own protocol where WebDriver has no word.
    pub async fn devtools(&self, command: &str, parameters: Value) -> Result<Value, CmdError> {
        let body = json!({ "cmd": command, "params": parameters });
        self.client.issue_cmd(Raw { path: "goog/cdp/execute", body }).await
    }
}

/// Whether a line that Firefox printed is an error of a page's: not one of the browser's own.
fn is_console_error(line: &str) -> bool {
    let of_a_page = |rest: &str| ["http://", "https://"].iter().any(|scheme| rest.starts_with(scheme));
    line.strip_prefix("JavaScript error: ").is_some_and(of_a_page)
        || (line.starts_with("console.error:") && !line.contains("resource://"))
}

/// A command of WebDriver's that the library has no function for.
#[derive(Debug)]
struct Raw {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for Raw {
    fn endpoint(&self, base: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(self.body.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_a_page_is_told_from_what_a_browser_says_of_itself() {
        for line in [
            "JavaScript error: https://customer.localhost:1/page.js, line 3: Error: nobody catches this",
            "console.error: \"no\"",
        ] {
            assert!(is_console_error(line), "{line}");
        }
        for line in [
            "JavaScript error: resource://gre/modules/Extension.sys.mjs, line 1: Error: no",
            "console.error: [Exception... location: \"JS frame :: resource:///actors/LinkHandlerParent.sys.mjs\"]",
            "*** You are running in headless mode.",
        ] {
            assert!(!is_console_error(line), "{line}");
        }
    }
}
