//! Every page, held to axe-core: in light and in dark, wide and narrow.

use anyhow::{Context, Result, ensure};
use latchkey_journeys::{
    data::{ADA, EVE, PASSWORD},
    stage::built,
};
use serde_json::json;

use crate::journey::{Journey, journeys};

/// The pages for somebody who is signed in, where `{client}` is acme's application and `{grace}` a member of acme.
const PAGES: &[&str] = &[
    "/",
    "/account/",
    "/account/applications/",
    "/account/password/",
    "/organizations/acme/applications/",
    "/organizations/acme/applications/?after=zzz",
    "/organizations/acme/applications/new/",
    "/organizations/acme/applications/{client}/",
    "/organizations/acme/applications/{client}/edit/",
    "/organizations/acme/applications/{client}/edit/?add_origin=https%3A%2F%2Fa.example",
    "/organizations/acme/applications/{client}/disable/",
    "/organizations/acme/applications/{client}/delete/",
    "/organizations/acme/applications/{client}/try/",
    "/organizations/acme/members/",
    "/organizations/acme/members/{grace}/remove/",
    "/organizations/acme/audit/",
    "/organizations/acme/audit/?action=token.issued&since=nonsense",
    "/organizations/globex/applications/",
    "/invitations/nobody/",
];

impl Journey {
    /// Holds the current page to axe-core, and to the width of a small phone.
    async fn hold(&self, axe: &str, what: &str) -> Result<()> {
        for (width, height) in [(1200, 900), (320, 640)] {
            self.browser.resize(width, height).await?;
            let found = self.browser.audit(axe).await?;
            ensure!(found.is_empty(), "{what} at {width}: {found:#?}");
            let script = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
            let over = self.browser.run(script).await?;
            ensure!(over == 0, "{what} is {over} pixels wider than a window of {width}");
        }
        Ok(())
    }

    async fn hold_every_page(&self) -> Result<()> {
        let axe = axe()?;
        let (browser, platform) = (&self.browser, self.stage.platform());
        // What anybody sees.
        for path in ["/", "/nowhere/", "/oauth/authorize/?client_id=nobody", "/login/"] {
            browser.open(&format!("{platform}{path}")).await?;
            self.hold(&axe, path).await?;
        }
        browser.fill("#email", EVE.email).await?;
        browser.fill("#password", "not the password").await?;
        browser.click("#sign-in").await?;
        browser.see("#error").await?;
        self.hold(&axe, "a login that was refused").await?;
        browser.fill("#email", EVE.email).await?;
        browser.fill("#password", PASSWORD).await?;
        browser.click("#sign-in").await?;
        browser.see("#sign-out").await?;
        // What is asked when somebody signs in on a site.
        let client = &self.stage.clients.acme;
        let site = self.stage.site("customer");
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("client_id", client)
            .append_pair("response_type", "token")
            .append_pair("redirect_uri", &format!("{platform}/toolbar/{client}/callback/"))
            .append_pair("origin", &site)
            .append_pair("state", "s")
            .finish();
        browser.open(&format!("{platform}/oauth/authorize/?{query}")).await?;
        browser.see("#reason").await?;
        self.hold(&axe, "who is no member").await?;
        browser.click("#switch").await?;
        self.log_in(ADA).await?;
        browser.see("#allow").await?;
        self.hold(&axe, "the consent").await?;
        // What somebody has of their own, and an admin of their organization.
        browser.open(&format!("{platform}/organizations/acme/members/")).await?;
        let grace = "return document.querySelector('a[href$=\"/remove/\"]').href.split('/').at(-3)";
        let grace = browser.run(grace).await?;
        let grace = grace.as_str().context("nobody can be removed")?;
        for path in PAGES {
            let path = path.replace("{client}", client).replace("{grace}", grace);
            browser.open(&format!("{platform}{path}")).await?;
            self.hold(&axe, &path).await?;
        }
        self.hold_forms_that_are_shown_again(&axe).await?;
        self.hold_invitations(&axe).await
    }

    /// As Ada.
    async fn hold_forms_that_are_shown_again(&self, axe: &str) -> Result<()> {
        let (browser, platform) = (&self.browser, self.stage.platform());
        let applications = format!("{platform}/organizations/acme/applications/");
        browser.open(&format!("{applications}new/")).await?;
        browser.fill("#allowed_origins", "https://a.example/x\nnull").await?;
        browser
            .run("for (const box of document.querySelectorAll('[type=checkbox]')) box.checked = false")
            .await?;
        browser.click("#save").await?;
        browser.see("#error").await?;
        self.hold(axe, "a form with errors").await?;
        browser.fill("#name", "Web shop").await?;
        browser.fill("#allowed_origins", "https://a.example").await?;
        browser.click("#save").await?;
        browser.see("#scopes-wrong").await?;
        browser.until("document.activeElement.closest('#scopes')").await?;
        self.hold(axe, "a form with errors at boxes alone").await?;
        browser.click("[name='scope.org:read']").await?;
        browser.click("[name='response_type.token']").await?;
        let session = json!({ "name": "__Host-latchkey_session", "url": platform });
        browser.devtools("Network.deleteCookies", session).await?;
        browser.click("#save").await?;
        self.log_in(ADA).await?;
        browser.see("#kept").await?;
        self.hold(axe, "a form that was kept").await?;
        // What somebody else changed in between has another revision.
        browser.open(&format!("{applications}{}/edit/", self.stage.clients.acme)).await?;
        browser.run("document.querySelector('[name=revision]').value = 0").await?;
        browser.click("#save").await?;
        browser.read("#error", "Somebody else changed this application").await?;
        self.hold(axe, "a form that is outdated").await?;
        browser.open(&format!("{platform}/account/password/")).await?;
        browser.fill("#current-password", "not the password").await?;
        browser.fill("#new-password", "not the password either").await?;
        browser.click("#change").await?;
        browser.see("#error").await?;
        self.hold(axe, "a password that was refused").await
    }

    /// As Ada, who invites Eve, and then as Eve.
    async fn hold_invitations(&self, axe: &str) -> Result<()> {
        let (browser, platform) = (&self.browser, self.stage.platform());
        browser.open(&format!("{platform}/organizations/acme/members/")).await?;
        browser.fill("#email", "nobody").await?;
        browser.click("#send-invitation").await?;
        browser.see("#email-wrong").await?;
        self.hold(axe, "an invitation that was refused").await?;
        browser.fill("#email", EVE.email).await?;
        browser.click("#send-invitation").await?;
        let link = browser.see("#invitation-link").await?.text().await?;
        self.hold(axe, "the link of an invitation").await?;
        browser.open(&link).await?;
        browser.see("#switch").await?;
        self.hold(axe, "somebody else's invitation").await?;
        browser.click("#switch").await?;
        self.log_in(EVE).await?;
        browser.see("#accept").await?;
        self.hold(axe, "an invitation").await
    }

    /// What stands on a customer's site.
    async fn hold_what_a_site_shows(&self) -> Result<()> {
        let axe = axe()?;
        let browser = &self.browser;
        browser.open(&format!("{}/", self.stage.site("stranger"))).await?;
        browser.see(".latchkey-notice").await?;
        self.hold(&axe, "a site that is not registered").await?;
        self.open_site("/").await?;
        browser.enter_toolbar().await?;
        browser.until("document.querySelector('#sign-in')?.disabled === false").await?;
        self.hold(&axe, "the toolbar").await?;
        self.sign_in(ADA).await?;
        browser.enter_toolbar().await?;
        browser.see("#sign-out").await?;
        self.hold(&axe, "the toolbar of who is signed in").await
    }
}

fn axe() -> Result<String> {
    Ok(std::fs::read_to_string(built("XTASK_CLIENTS")?.join("node_modules/axe-core/axe.min.js"))?)
}

journeys! {
    fn axe_finds_nothing_on_any_page_in_light(journey) on Loopback {
        journey.hold_every_page().await?;
    }

    fn axe_finds_nothing_on_any_page_in_dark(journey) on Loopback with dark {
        journey.hold_every_page().await?;
    }

    fn axe_finds_nothing_in_what_a_site_shows_in_light(journey) on Loopback {
        journey.hold_what_a_site_shows().await?;
    }

    fn axe_finds_nothing_in_what_a_site_shows_in_dark(journey) on Loopback with dark {
        journey.hold_what_a_site_shows().await?;
    }
}
