//! What every journey is made of.

use std::{fs, panic::AssertUnwindSafe, path::PathBuf};

use anyhow::{Context, Result};
use fantoccini::wd::WindowHandle;
use futures_util::FutureExt;
use latchkey_journeys::{
    browser::{Browser, Options},
    canary::Kind,
    data::{PASSWORD, Person},
    stage::{Scheme, Stage},
};
use serde_json::Value;

/// A stage, and a browser on it.
pub(crate) struct Journey {
    pub(crate) stage: Stage,
    pub(crate) browser: Browser,
}

/// Runs a journey in a new browser on a new stage. Whatever happens, both end; a failure leaves a picture and the
/// server's log. At the end the stage looks whether a secret stayed behind.
pub(crate) async fn journey<F>(name: &str, scheme: Scheme, options: Options, run: F) -> Result<()>
where
    F: AsyncFnOnce(&mut Journey) -> Result<()>,
{
    let stage = Stage::start(scheme).await?;
    let browser = Browser::start(options).await?;
    let mut journey = Journey { stage, browser };
    let result = AssertUnwindSafe(run(&mut journey)).catch_unwind().await;
    if !matches!(result, Ok(Ok(()))) {
        journey.leave_picture(name).await;
    }
    for cookie in journey.browser.cookies().await {
        journey.stage.mark(Kind::Cookie, cookie);
    }
    let shown = journey.stage.search_pages(&journey.browser.pages().await);
    let kept = record(name, "log").and_then(|path| journey.stage.keep_log(&path).map(|()| path));
    let (browser, stage) = (journey.browser.stop().await, journey.stage.stop().await);
    match kept {
        Ok(path) if stage.is_ok() && matches!(result, Ok(Ok(()))) => fs::remove_file(path)?,
        Ok(path) => eprintln!("{name}: what the server told is in {}", path.display()),
        Err(error) => eprintln!("{name}: the server's log is lost: {error:#}"),
    }
    match result {
        Ok(result) => result.and(browser).and(stage).and(shown),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// A script's beginning: the client of the page, as its own code has it.
const CLIENT: &str = "const sdk = await import('/latchkey/index.js');
    const { clientId, platform } = await import('/config.js');
    const client = await sdk.init({ clientId, platform });";

impl Journey {
    /// Opens a page of acme's site.
    pub(crate) async fn open_site(&self, path: &str) -> Result<WindowHandle> {
        self.browser.open(&format!("{}{path}", self.stage.site("customer"))).await?;
        self.browser.window().await
    }

    /// Fills in the login form that the current window shows.
    pub(crate) async fn log_in(&self, person: Person) -> Result<()> {
        self.browser.fill("#email", person.email).await?;
        self.browser.fill("#password", PASSWORD).await?;
        self.browser.click("#sign-in").await
    }

    /// In the window that opened: logs in, allows, and comes back to the page when the window has closed.
    pub(crate) async fn log_in_and_allow(&self, page: &WindowHandle, person: Person) -> Result<()> {
        self.browser.switch_to_popup(page).await?;
        self.log_in(person).await?;
        self.browser.click("#allow").await?;
        self.browser.popup_closes(page).await
    }

    /// Signs in with the page's own button.
    pub(crate) async fn sign_in(&self, person: Person) -> Result<WindowHandle> {
        let page = self.open_site("/").await?;
        self.browser.click("#sign-in").await?;
        self.log_in_and_allow(&page, person).await?;
        self.browser.read("#status", person.name).await?;
        Ok(page)
    }

    /// Runs a script that has the page's `client` at hand, and returns its value.
    pub(crate) async fn with_client(&self, script: &str) -> Result<Value> {
        self.browser.run(&format!("return (async () => {{ {CLIENT} {script} }})()")).await
    }

    /// The page's access token.
    pub(crate) async fn token(&self) -> Result<String> {
        let token = self.with_client("return client.getToken()").await?;
        token.as_str().map(str::to_owned).context("the page holds no token")
    }

    /// Until the platform refuses this token.
    pub(crate) async fn until_refused(&self, token: &str) -> Result<()> {
        let script = format!(
            "(await fetch('{}/api/0/', {{ headers: {{ Authorization: 'Bearer {token}' }} }})).status === 401",
            self.stage.platform()
        );
        self.browser.until(&script).await
    }

    /// The status with which the platform answers this site and token now.
    pub(crate) async fn ask(&self, token: &str, path: &str) -> Result<u64> {
        let script = format!(
            "return fetch('{}/api/0/{path}', {{ headers: {{ Authorization: 'Bearer {token}' }} }})
                .then((response) => response.status)",
            self.stage.platform()
        );
        self.browser.run(&script).await?.as_u64().context("no status")
    }

    async fn leave_picture(&self, name: &str) {
        let (Ok(picture), Ok(path)) = (self.browser.screenshot().await, record(name, "png")) else {
            return;
        };
        if fs::write(&path, picture).is_ok() {
            let url = self.browser.url().await.unwrap_or_default();
            let url = url.split(['#', '?']).next().unwrap_or_default().to_owned();
            eprintln!("{name}: the browser stood at {url}; see {}", path.display());
        }
    }
}

/// Where a record of a journey goes.
fn record(name: &str, extension: &str) -> Result<PathBuf> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/journeys"));
    fs::create_dir_all(&folder)?;
    Ok(folder.join(format!("{name}.{extension}")))
}

/// Declares journeys: `journeys! { fn name(journey) on Loopback { … } }`.
macro_rules! journeys {
    ($(fn $name:ident($journey:ident) on $scheme:ident $(with $option:ident)? $body:block)*) => {
        $(
            #[tokio::test]
            async fn $name() -> Result<(), String> {
                let options = latchkey_journeys::browser::Options { $($option: true,)? ..Default::default() };
                let run = async |$journey: &mut $crate::journey::Journey| -> anyhow::Result<()> { $body Ok(()) };
                let scheme = latchkey_journeys::stage::Scheme::$scheme;
                let done = $crate::journey::journey(stringify!($name), scheme, options, run).await;
                done.map_err(|error| format!("{error:#}"))
            }
        )*
    };
}
pub(crate) use journeys;
