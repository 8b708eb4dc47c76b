//! Playing cells, each in a browser of its own.

use std::{
    fs,
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, ensure};
use fantoccini::wd::WindowHandle;
use futures_util::{StreamExt, stream};
use tokio::time::timeout;

use super::{
    cell::{Cell, Coop, Csp, Mode, Window},
    expected::{Delivery, Expected, Outcome, expected},
    site,
};
use crate::{
    browser::{Browser, Options},
    data::PASSWORD,
    engine::Engine,
    stage::{Scheme, Stage},
};

/// How many browsers run at a time: most of the time they wait.
pub const AT_ONCE: usize = 2;

/// How often one person signs in: a platform wonders about somebody who does it ten times in a minute.
const SIGN_INS: usize = 8;

/// A platform with members of one organization, and a site for each cell.
#[derive(Debug)]
pub struct Ground {
    stage: Stage,
    people: usize,
    signed_in: AtomicUsize,
}

/// What came of a cell.
#[derive(Debug)]
pub struct Played {
    /// Where.
    pub engine: Engine,
    /// What was played.
    pub cell: Cell,
    /// How it had to end.
    pub expected: Expected,
    /// What the site was told in the end, or what was not as it had to be.
    pub result: Result<String>,
    /// How long it took, with the browser's start and end.
    pub took: Duration,
}

impl Ground {
    /// Starts the platform for these cells: with the redirect page of every site, and people enough.
    pub async fn start(cells: &[Cell]) -> Result<Self> {
        let stage = Stage::start_with(Scheme::TlsOnLoopback, site::pages()).await?;
        let uris = site::redirect_uris(&stage.site("customer"));
        let mut update = vec!["app", "update", "--client-id", &stage.clients.acme];
        update.extend(uris.iter().flat_map(|uri| ["--redirect-uri", uri]));
        stage.latchkey.run(&update).await?;
        let sign_ins = cells.iter().filter(|cell| expected(**cell).outcome == Outcome::SignedIn).count();
        let people = sign_ins.div_ceil(SIGN_INS);
        for Person { email, name } in (0..people).map(Person::numbered) {
            let add = ["user", "add", "--email", &email, "--name", &name, "--password-stdin"];
            stage.latchkey.run_with_input(&add, PASSWORD).await?;
            let member = ["member", "add", "--org", "acme", "--email", &email, "--role", "member"];
            stage.latchkey.run(&member).await?;
        }
        Ok(Self { stage, people, signed_in: AtomicUsize::new(0) })
    }

    /// The page of a plain site with the toolbar.
    pub fn page(&self) -> String {
        let path = site::path(Coop::None, Csp::None, "page.html");
        format!("{}{path}?mode={}", self.stage.site("customer"), Mode::Iframe.name())
    }

    /// Whoever's turn it is.
    fn person(&self) -> Person {
        Person::numbered(self.signed_in.fetch_add(1, Ordering::Relaxed) % self.people.max(1))
    }

    /// Ends it.
    pub async fn stop(self) -> Result<()> {
        self.stage.stop().await
    }
}

/// Somebody who signs in.
struct Person {
    email: String,
    name: String,
}

impl Person {
    fn numbered(number: usize) -> Self {
        Self { email: format!("person-{number}@acme.example"), name: format!("Person {number}") }
    }
}

/// How long a cell may take, driver and all.
const BOUND: Duration = Duration::from_secs(90);

/// Plays cells, a few at a time, and says each as it ends.
pub async fn play_all(
    ground: &Ground,
    engine: Engine,
    cells: Vec<Cell>,
    said: impl Fn(&Played),
) -> Vec<Played> {
    let games = stream::iter(cells).map(|cell| play(ground, engine, cell)).buffer_unordered(AT_ONCE);
    games.inspect(said).collect().await
}

async fn play(ground: &Ground, engine: Engine, cell: Cell) -> Played {
    let started = Instant::now();
    // What the site's own code waits for has its own, shorter times: only a driver that answers nothing any more comes
    // to this, and it gets a second browser.
    let mut result = timeout(BOUND, in_a_browser(ground, engine, cell)).await;
    if result.is_err() {
        result = timeout(BOUND, in_a_browser(ground, engine, cell)).await;
    }
    let result = result.unwrap_or_else(|_| Err(anyhow!("the driver answers nothing, twice")));
    Played { engine, cell, expected: expected(cell), result, took: started.elapsed() }
}

async fn in_a_browser(ground: &Ground, engine: Engine, cell: Cell) -> Result<String> {
    let options =
        Options { engine, third_party: cell.third_party, blocks_popups: true, ..Options::default() };
    let browser = Browser::start(options).await?;
    let game = Game { ground, browser: &browser, engine, cell, expected: expected(cell) };
    let result = game.play().await;
    if result.is_err() {
        game.leave_picture().await;
    }
    let stopped = browser.stop().await;
    result.and_then(|told| stopped.map(|()| told))
}

/// A cell while it is played.
struct Game<'a> {
    ground: &'a Ground,
    browser: &'a Browser,
    engine: Engine,
    cell: Cell,
    expected: Expected,
}

impl Game<'_> {
    async fn play(&self) -> Result<String> {
        let page = self.open_site().await?;
        let told = if let Outcome::InitFails(code) = self.expected.outcome {
            let told = self.told("started").await?;
            ensure!(told.starts_with(&format!("{code}: ")), "init ends with {told:?}");
            self.leaves("none", 0).await?;
            told
        } else {
            self.sign_in(&page).await?
        };
        let errors = self.browser.console_errors().await?;
        let errors: Vec<_> = errors.into_iter().filter(|error| !is_provoked(self.cell.csp, error)).collect();
        ensure!(errors.is_empty(), "after {told:?} the console holds {errors:?}");
        Ok(told)
    }

    /// Opens the site's page, and waits until `init` is over.
    async fn open_site(&self) -> Result<WindowHandle> {
        let Cell { coop, csp, mode, redirect_uri, .. } = self.cell;
        let path = site::path(coop, csp, "page.html");
        let redirect_uri = if redirect_uri { "&redirect_uri" } else { "" };
        let wait = self.patience_of_login();
        let address = format!(
            "{}{path}?mode={}&wait={wait}{redirect_uri}",
            self.ground.stage.site("customer"),
            mode.name()
        );
        self.browser.open(&address).await?;
        self.told("started").await?;
        self.browser.window().await
    }

    /// The `timeoutMs` of the login, in milliseconds: short where it is what ends it.
    fn patience_of_login(&self) -> u32 {
        match self.expected.outcome {
            Outcome::LoginFails("timeout", _) => 3_000,
            _ => 60_000,
        }
    }

    async fn sign_in(&self, page: &WindowHandle) -> Result<String> {
        let told = self.told("started").await?;
        ensure!(told == "started", "init ends with {told:?}");
        self.is_signed_out().await?;
        self.delivers_as_expected().await?;
        self.ask_to_sign_in().await?;
        match self.expected.outcome {
            Outcome::SignedIn => self.log_in_and_allow(page).await,
            Outcome::LoginFails(code, names) => self.fail_to_sign_in(page, code, names).await,
            Outcome::CameBack => self.come_back().await,
            Outcome::Left | Outcome::InitFails(_) => {
                self.browser.see("#email").await?;
                Ok("at the platform's login".to_owned())
            }
        }
    }

    /// The client names its way, once it does.
    async fn delivers_as_expected(&self) -> Result<()> {
        // Only a click that no window follows shows to `auto` that this page must be left.
        if self.cell.mode == Mode::Auto && self.cell.window == Window::Blocked {
            return Ok(());
        }
        let delivery = self.browser.run("return client.delivery ?? null").await?;
        let delivery = delivery.as_str().unwrap_or_default();
        ensure!(delivery == self.expected.delivery.name(), "the client's delivery is {delivery:?}");
        Ok(())
    }

    async fn ask_to_sign_in(&self) -> Result<()> {
        if self.cell.window == Window::Blocked {
            // Not in a click: what a page does that awaits something first.
            self.browser.run("login()").await?;
            return Ok(());
        }
        self.browser.click("#sign-in").await
    }

    async fn log_in_and_allow(&self, page: &WindowHandle) -> Result<String> {
        let person = self.ground.person();
        let by_window = self.expected.delivery != Delivery::Redirect;
        if by_window {
            self.browser.switch_to_popup(page).await?;
        }
        self.browser.fill("#email", &person.email).await?;
        self.browser.fill("#password", PASSWORD).await?;
        self.browser.click("#sign-in").await?;
        self.browser.click("#allow").await?;
        if by_window {
            self.browser.popup_closes(page).await?;
        }
        let told = self.told("outcome").await?;
        let welcome = format!("signed in: {}, ", person.name);
        ensure!(told.starts_with(&welcome) && told.contains("Web shop"), "{told:?}");
        self.leaves("signed-in", 1).await?;
        Ok(told)
    }

    async fn fail_to_sign_in(&self, page: &WindowHandle, code: &str, names: &str) -> Result<String> {
        if self.cell.window == Window::Closed && names.is_empty() {
            self.browser.switch_to_popup(page).await?;
            self.browser.see("#email").await?;
            self.browser.close_window().await?;
            self.browser.switch_to(page).await?;
        }
        let told = self.told("outcome").await?;
        ensure!(told.starts_with(&format!("{code}: ")) && told.contains(names), "login ends with {told:?}");
        if self.expected.delivery == Delivery::Opener && names.is_empty() {
            self.browser.popup_closes(page).await.context("after the end of the login")?;
        }
        self.leaves("signed-out", 1).await?;
        Ok(told)
    }

    /// A page that is kept while it is away finds its login given up; one that is loaded anew has none.
    async fn come_back(&self) -> Result<String> {
        self.browser.see("#email").await?;
        self.browser.back().await?;
        self.browser
            .until("told.started === 'started' && (!told.clicked || told.outcome?.startsWith('aborted: '))")
            .await?;
        self.is_signed_out().await?;
        self.leaves("signed-out", 1).await?;
        Ok("back, signed out".to_owned())
    }

    async fn is_signed_out(&self) -> Result<()> {
        let state = self.browser.run("return `${client.state} ${client.session}`").await?;
        ensure!(state == "signed-out null", "the client is {state}");
        Ok(())
    }

    /// A line of what the page was told, once it is there.
    async fn told(&self, what: &str) -> Result<String> {
        self.browser
            .until(&format!("window.told?.{what}"))
            .await
            .with_context(|| format!("the promise behind `{what}` did not settle"))?;
        let told = self.browser.run(&format!("return told.{what}")).await?;
        Ok(told.as_str().unwrap_or_default().to_owned())
    }

    /// What is left at the end: the state, as many frames as the mode has, no complaint; and after `destroy()` nothing.
    async fn leaves(&self, state: &str, clients: u64) -> Result<()> {
        let script = "const frames = () => document.querySelectorAll('iframe').length;
            const left = [window.client?.state ?? 'none', frames()];
            window.client?.destroy();
            return [...left, frames(), told.errors.join('; ')]";
        let left = self.browser.run(script).await?;
        let framed = self.cell.mode == Mode::Iframe && self.expected.delivery != Delivery::Redirect;
        let by_choice = self.cell.mode == Mode::Auto;
        ensure!(left[0] == state, "the client is {} in the end", left[0]);
        let frames = left[1].as_u64().unwrap_or_default();
        ensure!(by_choice || frames == if framed { clients } else { 0 }, "there are {frames} frames");
        ensure!(left[2] == 0, "{} frames outlive their client", left[2]);
        ensure!(left[3] == "", "the page saw {}", left[3]);
        Ok(())
    }

    async fn leave_picture(&self) {
        let Ok(picture) = self.browser.screenshot().await else { return };
        let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/matrix"));
        let name = format!("{} {}.png", self.engine.name(), self.cell).replace(' ', "_");
        // Whoever looks for it sees that it is not there.
        let _ = fs::create_dir_all(&folder).and_then(|()| fs::write(folder.join(name), picture));
    }
}

/// Whether the browser itself prints this because the site's policy lacks a line: it names the policy. What the SDK
/// asked for and was refused is then printed as failed, too.
fn is_provoked(csp: Csp, error: &str) -> bool {
    let Csp::Missing(_) = csp else { return false };
    error.contains("Content Security Policy") || error.contains("Content-Security-Policy")
}
