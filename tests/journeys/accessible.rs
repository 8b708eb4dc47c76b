//! Every page, held to axe-core: in light and in dark, wide and narrow.

use anyhow::{Context, Result, ensure};
use latchkey_journeys::{
    data::{ADA, EVE, PASSWORD},
    stage::built,
};

use crate::journey::{Journey, journeys};

/// The pages for somebody who is signed in, where `{client}` is acme's application and `{grace}` a member of acme.
const PAGES: &[&str] = &[
    "/",
    "/account/",
    "/account/applications/",
    "/account/password/",
    "/organizations/acme/applications/",
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
        let axe = std::fs::read_to_string(built("XTASK_CLIENTS")?.join("node_modules/axe-core/axe.min.js"))?;
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
        browser.open(&format!("{platform}/organizations/acme/applications/new/")).await?;
        browser.fill("#allowed_origins", "https://a.example/x").await?;
        browser.click("#save").await?;
        browser.see("#error").await?;
        self.hold(&axe, "a form with errors").await
    }
}

journeys! {
    fn axe_finds_nothing_on_any_page_in_light(journey) on Loopback {
        journey.hold_every_page().await?;
    }

    fn axe_finds_nothing_on_any_page_in_dark(journey) on Loopback with dark {
        journey.hold_every_page().await?;
    }
}
