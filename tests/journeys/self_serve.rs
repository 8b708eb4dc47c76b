//! An organization runs its own applications, by the pages.

use anyhow::{Context, Result, ensure};
use latchkey_journeys::data::{ADA, GRACE};

use crate::journey::{Journey, journeys};

impl Journey {
    /// Opens a page of the platform's, signed in as this person.
    async fn open_platform(&self, person: latchkey_journeys::data::Person, path: &str) -> Result<()> {
        self.browser.open(&format!("{}/login/", self.stage.platform())).await?;
        self.log_in(person).await?;
        self.browser.see("#sign-out").await?;
        self.browser.open(&format!("{}{path}", self.stage.platform())).await
    }
}

journeys! {
    fn what_fails_on_the_way_is_told_at_its_step(journey) on Loopback {
        let path = format!("/organizations/acme/applications/{}/try/", journey.stage.clients.acme);
        journey.open_platform(ADA, &path).await?;
        let browser = &journey.browser;
        browser.until("!document.querySelector('#sign-in').disabled").await?;
        let page = browser.window().await?;
        browser.click("#sign-in").await?;
        browser.switch_to_popup(&page).await?;
        browser.click("#deny").await?;
        browser.popup_closes(&page).await?;
        browser.read("#step-sign-in .wrong", "access_denied").await?;
        // And tried again it works.
        browser.click("#sign-in").await?;
        browser.switch_to_popup(&page).await?;
        browser.click("#allow").await?;
        browser.popup_closes(&page).await?;
        browser.see("#step-api[data-state=done]").await?;
        browser.click("#sign-out-site").await?;
        browser.until("!document.querySelector('#step-api').dataset.state").await?;
    }

    fn an_application_that_takes_codes_alone_is_tried_as_well(journey) on Loopback {
        let client = journey.stage.clients.acme.clone();
        journey.stage.latchkey.run(&["app", "update", "--client-id", &client, "--response-type", "code"]).await?;
        journey.open_platform(ADA, &format!("/organizations/acme/applications/{client}/try/")).await?;
        let browser = &journey.browser;
        browser.until("!document.querySelector('#sign-in').disabled").await?;
        let page = browser.window().await?;
        browser.click("#sign-in").await?;
        browser.switch_to_popup(&page).await?;
        browser.click("#allow").await?;
        browser.popup_closes(&page).await?;
        browser.see("#step-api[data-state=done]").await?;
    }

    // From a site that is not registered to one that is, by the link that the site shows.
    fn an_admin_lets_a_site_use_the_application_by_the_link_that_the_site_shows(journey) on Loopback {
        let browser = &journey.browser;
        let site = journey.stage.site("stranger");
        browser.open(&format!("{site}/")).await?;
        browser.see(".latchkey-notice").await?;
        let link = "document.querySelector('.latchkey-notice').shadowRoot.querySelector('a').href";
        let link = browser.run(&format!("return {link}")).await?;
        let link = link.as_str().context("the notice has no link")?;
        ensure!(link.starts_with(&journey.stage.platform()), "{link}");
        browser.open(link).await?;
        journey.log_in(ADA).await?;
        browser.read("#asked", &site).await?;
        browser.click("#save").await?;
        browser.see("#saved").await?;
        let page = { browser.open(&format!("{site}/")).await?; browser.window().await? };
        browser.click("#sign-in").await?;
        browser.switch_to_popup(&page).await?;
        browser.click("#allow").await?;
        browser.popup_closes(&page).await?;
        browser.read("#status", ADA.name).await?;
    }

    fn a_member_who_is_no_admin_is_told_who_can_help(journey) on Loopback {
        journey.open_platform(GRACE, "/organizations/acme/applications/").await?;
        journey.browser.read("#error", "This is for admins and owners of the organization").await?;
    }
}
