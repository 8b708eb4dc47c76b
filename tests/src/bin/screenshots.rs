//! Pictures of every page, in light and dark, wide and narrow: to be looked at before a change is called done.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it speaks to a person")]

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Result;
use clap::Parser;
use latchkey_journeys::{
    browser::{Browser, Options},
    data::{ADA, EVE, HEDY, PASSWORD, Person},
    stage::{Scheme, Stage},
};

/// Takes the pictures.
#[derive(Debug, Parser)]
struct Screenshots {
    /// Where to put them.
    #[arg(long, default_value = "target/screenshots")]
    into: PathBuf,
    /// Take those of the toolbar alone.
    #[arg(long)]
    toolbar: bool,
}

fn main() -> ExitCode {
    let options = Screenshots::parse();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("screenshots: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("screenshots: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Screenshots) -> Result<()> {
    let into = options.into.as_path();
    std::fs::create_dir_all(into)?;
    let stage = Stage::start(Scheme::Loopback).await?;
    for dark in [false, true] {
        for (name, width, height) in [("wide", 1200, 780), ("popup", 480, 720), ("narrow", 320, 640)] {
            let browser = Browser::start(Options { dark, ..Options::default() }).await?;
            let suffix = format!("{name}-{}", if dark { "dark" } else { "light" });
            let camera = Camera { stage: &stage, browser: &browser, into, suffix, size: (width, height) };
            let taken = match options.toolbar {
                true => camera.take_toolbar().await,
                false => camera.take_all().await,
            };
            browser.stop().await?;
            taken?;
        }
    }
    stage.stop().await?;
    println!("The pictures are in {}", into.display());
    Ok(())
}

/// A picture is no higher than this, in pixels.
const MOST_HEIGHT: u32 = 4000;

struct Camera<'a> {
    stage: &'a Stage,
    browser: &'a Browser,
    into: &'a Path,
    suffix: String,
    size: (u32, u32),
}

impl Camera<'_> {
    async fn take_all(&self) -> Result<()> {
        let browser = self.browser;
        browser.open(&format!("{}/", self.stage.site("stranger"))).await?;
        browser.see("#error").await?;
        self.take("site-not-registered").await?;

        browser.open(&format!("{}/oauth/authorize/?client_id=nobody", self.stage.platform())).await?;
        self.take("error").await?;

        browser.open(&format!("{}/", self.stage.site("customer"))).await?;
        let page = browser.window().await?;
        browser.read("#status", "You are signed out.").await?;
        self.take("site-signed-out").await?;
        browser.click("#sign-in").await?;
        browser.switch_to_popup(&page).await?;
        browser.see("#email").await?;
        self.take("login").await?;
        // Not ADA, who signs in before every picture of hers: an account's attempts are counted.
        browser.fill("#email", HEDY.email).await?;
        browser.fill("#password", "not the password").await?;
        browser.click("#sign-in").await?;
        browser.see("#error").await?;
        self.take("login-refused").await?;
        self.log_in(EVE).await?;
        browser.see("#reason").await?;
        self.take("membership").await?;
        browser.click("#switch").await?;
        self.log_in(ADA).await?;
        browser.see("#allow").await?;
        self.take("consent").await?;
        browser.click("#allow").await?;
        browser.popup_closes(&page).await?;
        browser.read("#projects", "Web shop").await?;
        self.take("site-signed-in").await?;
        // Else the next page view is signed in as well.
        browser.click("#sign-out").await?;
        browser.read("#status", "You are signed out.").await?;
        self.take_toolbar().await?;

        self.take_organization().await?;
        browser.open(&format!("{}/organizations/acme/audit/", self.stage.platform())).await?;
        browser.see("table").await?;
        self.take("audit").await?;
        browser.open(&format!("{}/account/", self.stage.platform())).await?;
        self.take("account").await?;
        self.take_account().await
    }

    /// The toolbar in its states, and where a person may put it. It leaves them signed in, as it finds them or not.
    async fn take_toolbar(&self) -> Result<()> {
        let browser = self.browser;
        browser.open(&format!("{}/", self.stage.site("customer"))).await?;
        let page = browser.window().await?;
        browser.read("#status", "You are signed out.").await?;
        browser.enter_toolbar().await?;
        browser.see("#toggle").await?;
        self.take_in_toolbar("toolbar-signed-out").await?;
        browser.click("#toggle").await?;
        self.take_in_toolbar("toolbar-collapsed").await?;
        browser.click("#toggle").await?;
        browser.click("#sign-in").await?;
        browser.switch_to_popup(&page).await?;
        browser.close_window().await?;
        browser.switch_to(&page).await?;
        browser.enter_toolbar().await?;
        self.take_in_toolbar("toolbar-signing-in").await?;
        browser.see("#toolbar.failure").await?;
        self.take_in_toolbar("toolbar-failed").await?;
        browser.click("#toggle").await?;
        self.take_in_toolbar("toolbar-failed-collapsed").await?;
        browser.click("#toggle").await?;
        browser.click("#sign-in").await?;
        browser.switch_to_popup(&page).await?;
        browser.until("document.querySelector('#allow, #email')").await?;
        if browser.shows("#email").await? {
            self.log_in(ADA).await?;
        }
        browser.click("#allow").await?;
        browser.popup_closes(&page).await?;
        browser.read("#projects", "Web shop").await?;
        browser.enter_toolbar().await?;
        browser.see("#issues button").await?;
        self.take_in_toolbar("toolbar-signed-in").await?;
        browser.tab_to("#move").await?;
        self.take_in_toolbar("toolbar-focused").await?;
        for _ in 0..2 {
            browser.click("#move").await?;
        }
        self.take_in_toolbar("toolbar-moved").await?;
        browser.click("#toggle").await?;
        self.take_in_toolbar("toolbar-signed-in-collapsed").await?;
        browser.click("#toggle").await?;
        browser.leave_frame().await
    }

    /// What an admin sees of their organization.
    async fn take_organization(&self) -> Result<()> {
        let browser = self.browser;
        let organization = format!("{}/organizations/acme/", self.stage.platform());
        let application = format!("{organization}applications/{}/", self.stage.clients.acme);
        for (name, page) in [
            ("organization-applications", format!("{organization}applications/")),
            ("application-new", format!("{organization}applications/new/")),
            ("application", application.clone()),
            ("application-edit", format!("{application}edit/")),
            ("application-asked", format!("{application}edit/?add_origin=https%3A%2F%2Fshop.acme.example")),
            ("application-disable", format!("{application}disable/")),
            ("application-delete", format!("{application}delete/")),
        ] {
            browser.open(&page).await?;
            self.take(name).await?;
        }
        browser.open(&format!("{organization}members/")).await?;
        self.take("members").await?;
        browser.click("a[href$='/remove/']").await?;
        self.take("member-remove").await?;
        browser.open(&format!("{organization}applications/new/")).await?;
        browser.fill("#allowed_origins", "https://shop.acme.example/cart").await?;
        browser.click("#save").await?;
        browser.see("#error").await?;
        self.take("application-refused").await?;
        browser.open(&format!("{application}try/")).await?;
        browser.see("#step-frame[data-state=done]").await?;
        self.take("application-try").await
    }

    /// What somebody who is signed in sees of their own account.
    async fn take_account(&self) -> Result<()> {
        let browser = self.browser;
        browser.open(&format!("{}/account/password/", self.stage.platform())).await?;
        browser.see("#change").await?;
        self.take("password").await?;
        browser.fill("#current-password", PASSWORD).await?;
        browser.fill("#new-password", PASSWORD).await?;
        browser.click("#change").await?;
        browser.see("#error").await?;
        self.take("password-refused").await?;

        browser.open(&format!("{}/account/applications/", self.stage.platform())).await?;
        browser.see("button[name=client_id]").await?;
        self.take("applications").await?;
        browser.click("button[name=client_id]").await?;
        browser.see("#none").await?;
        self.take("applications-none").await
    }

    async fn log_in(&self, person: Person) -> Result<()> {
        self.browser.fill("#email", person.email).await?;
        self.browser.fill("#password", PASSWORD).await?;
        self.browser.click("#sign-in").await
    }

    /// From inside the toolbar's frame, to which it returns: what is in view, when nothing moves any more.
    async fn take_in_toolbar(&self, name: &str) -> Result<()> {
        let browser = self.browser;
        browser.leave_frame().await?;
        browser.resize(self.size.0, self.size.1).await?;
        browser.settle().await?;
        browser.until("document.getAnimations().every(({ playState }) => playState !== 'running')").await?;
        let picture = browser.screenshot().await?;
        std::fs::write(self.into.join(format!("{name}-{}.png", self.suffix)), picture)?;
        browser.enter_toolbar().await
    }

    async fn take(&self, name: &str) -> Result<()> {
        self.browser.resize(self.size.0, self.size.1).await?;
        self.browser.settle().await?;
        // The whole page, however long it is.
        let script = "return Math.max(document.documentElement.scrollHeight, innerHeight)";
        let height = self.browser.run(script).await?.as_u64().and_then(|height| height.try_into().ok());
        self.browser.resize(self.size.0, height.unwrap_or(self.size.1).min(MOST_HEIGHT)).await?;
        self.browser.settle().await?;
        let picture = self.browser.screenshot().await?;
        Ok(std::fs::write(self.into.join(format!("{name}-{}.png", self.suffix)), picture)?)
    }
}
